"""Who gets in: every refusal has its valid twin first, then the one thing that is wrong."""

import base64
import os
import time

import jwt
import pytest
from support import ws
from support.gatehouse import ISSUER, wait_until


def ask(suite, data):
    with ws.raw(("127.0.0.1", suite.port)) as sock:
        sock.sendall(data)
        return ws.read_answer(sock)


def accepted(suite, **kw):
    with ws.raw(("127.0.0.1", suite.port)) as sock:
        sock.sendall(ws.request(**kw))
        status, headers, rest = ws.read_head(sock)
        assert status == 101
        return headers


def test_a_good_token_gets_a_welcome(suite):
    with suite.client() as client:
        payload = client.welcome["payload"]
        assert len(payload["csrfToken"]) == 43
        assert len(payload["sessionId"]) == 22
        assert payload["maxMessageBytes"] == 65536
        assert payload["expiresAt"] > time.time() * 1000


def test_a_browser_passes_its_token_as_a_subprotocol(suite):
    with suite.client(subprotocol_token=suite.token("browser")) as client:
        assert client.answer["sec-websocket-protocol"] == "gatehouse.v1"


def test_a_token_of_eight_kibibytes_is_taken(suite):
    """As identity providers make them: one group after the other."""
    groups = []
    while len(suite.token("big", groups=groups)) <= 8192 - 64:
        groups.append(f"department-{len(groups)}-of-a-large-company")
    token = suite.token("big", groups=groups)
    assert 8000 < len(token) <= 8192
    with suite.client(token):
        pass
    with suite.client(subprotocol_token=token):
        pass


@pytest.mark.parametrize("name,change,status", [
    ("wrong version", {"version": "8"}, 426),
    ("no such route", {"path": "/nowhere"}, 404),
    ("no credential", {"token": None}, 401),
    ("garbage for a token", {"token": "garbage"}, 401),
    ("token in the query string", {"path": "/ws?token=x", "token": None}, 401),
    ("foreign origin", {"headers": [("Origin", "https://evil.example")]}, 403),
    ("origin that starts like ours", {"headers": [("Origin", "https://localhost:8443.evil.example")]}, 403),
    ("body on an upgrade", {"headers": [("Content-Length", "1")]}, 400),
    ("chunked upgrade", {"headers": [("Transfer-Encoding", "chunked")]}, 400),
    ("two hosts", {"headers": [("Host", "other")]}, 400),
    ("two keys", {"headers": [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]}, 400),
    ("short key", {"key": "c2hvcnQ="}, 400),
])
def test_refusals(suite, name, change, status):
    good = {"token": suite.token()}
    accepted(suite, **good)
    got, headers, body = ask(suite, ws.request(**{**good, **change}))
    assert got == status, body
    assert headers["x-request-id"]
    assert "close" in headers["connection"].lower().split(", ")
    assert 0 < len(body) < 200 and body.count(b"\n") <= 1
    if status == 401:
        assert "www-authenticate" in headers
    if status == 426:
        assert headers["sec-websocket-version"] == "13"
    assert "strict-transport-security" in headers


def test_who_goes_on_talking_gets_the_whole_refusal(suite):
    """What nobody reads of it must not reset the connection while the answer is on its way."""
    with ws.raw(("127.0.0.1", suite.port)) as sock:
        sock.sendall(ws.request(token="garbage"))
        for _ in range(8):
            sock.sendall(b"and another thing " * 1000)
            time.sleep(0.05)
        status, headers, body = ws.read_answer(sock)
        assert status == 401 and len(body) == int(headers["content-length"])


def test_a_refused_client_that_stays_is_cut(suite):
    with ws.raw(("127.0.0.1", suite.port)) as sock:
        sock.sendall(ws.request(token="garbage"))
        assert ws.read_answer(sock)[0] == 401
        wait_until("it is cut", lambda: not still_takes(sock))


def still_takes(sock):
    try:
        sock.sendall(b"x")
    except OSError:
        return False
    return True


def test_a_good_origin_is_taken(suite):
    origin = suite.config["routes"][0]["origins"][0]
    accepted(suite, token=suite.token(), headers=[("Origin", origin)])


@pytest.mark.parametrize("claims", [
    {"exp": int(time.time()) - 3600}, {"nbf": int(time.time()) + 3600}, {"iss": "https://other.example"},
    {"aud": "other"}, {"sub": None}, {"exp": None}, {"sub": ""}, {"sub": 7},
], ids=lambda c: "-".join(f"{k}={v}" if not isinstance(v, int) or k == "sub" else k for k, v in c.items()))
def test_a_signed_token_with_wrong_claims_is_refused(suite, claims):
    with suite.client(suite.token()):
        pass
    with pytest.raises(ws.Refused) as refused:
        suite.client(suite.token(**claims))
    assert refused.value.status == 401


def test_a_token_signed_by_another_key_is_refused(suite):
    from cryptography.hazmat.primitives.asymmetric import ec
    token = jwt.encode({"iss": ISSUER, "sub": "mallory", "aud": "gatehouse", "roles": ["user"],
                        "exp": int(time.time()) + 60}, ec.generate_private_key(ec.SECP256R1()), "ES256")
    with pytest.raises(ws.Refused) as refused:
        suite.client(token)
    assert refused.value.status == 401
    assert b"missing or invalid credentials" in refused.value.body
    assert b"signature" not in refused.value.body, "why is for the log"


def test_an_unsigned_token_is_refused(suite):
    head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    for token in (f"{head}.{suite.token().split('.')[1]}.", f"{head}.{suite.token().split('.')[1]}.AAAA"):
        with pytest.raises(ws.Refused) as refused:
            suite.client(token)
        assert refused.value.status == 401


def test_the_public_key_is_no_hmac_secret(suite):
    import hashlib
    import hmac
    import json

    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")
    claims = {"iss": ISSUER, "sub": "mallory", "aud": "gatehouse", "exp": int(time.time()) + 60}
    signed = part({"alg": "HS256", "typ": "JWT"}) + b"." + part(claims)
    key = (suite.dir / "keys" / "issuer.pub.pem").read_bytes()
    mac = base64.urlsafe_b64encode(hmac.new(key, signed, hashlib.sha256).digest()).rstrip(b"=")
    with pytest.raises(ws.Refused) as refused:
        suite.client((signed + b"." + mac).decode())
    assert refused.value.status == 401


def test_bytes_before_the_101_are_refused(suite):
    good = ws.request(token=suite.token())
    early = ws.frame(ws.TEXT, b'{"type":"health-check","payload":{}}')
    with ws.raw(("127.0.0.1", suite.port)) as sock:
        sock.sendall(good + early)
        status, _, _ = ws.read_answer(sock)
        assert status == 400


def test_a_slow_head_is_cut():
    from support.gatehouse import Suite
    with Suite(config={"edge": {"handshake_timeout": "1s"}}) as suite:
        with ws.raw(("127.0.0.1", suite.port)) as sock:
            sock.sendall(b"GET /ws HTTP/1.1\r\nHost: loc")
            data = b""
            while True:
                try:
                    part = sock.recv(65536)
                except ConnectionResetError:
                    break
                if not part:
                    break
                data += part
            assert data == b"" or data.startswith(b"HTTP/1.1 408 ")
        with suite.client():
            pass


def test_a_fat_head_is_cut(suite):
    filler = [(f"X-Filler-{i}", "y" * 1000) for i in range(40)]
    status, _, _ = ask(suite, ws.request(token=suite.token(), headers=filler))
    assert status == 431


def test_plain_text_on_the_tls_port_gets_nothing(suite):
    with ws.raw(("127.0.0.1", suite.port), tls=False) as sock:
        sock.sendall(ws.request(token=suite.token()))
        try:
            assert not sock.recv(65536).startswith(b"HTTP/1.1 101")
        except ConnectionResetError:
            pass


def test_other_methods_are_refused(suite):
    data = ws.request(token=suite.token()).replace(b"GET ", b"POST ", 1)
    status, _, _ = ask(suite, data)
    assert status in (400, 405)


def test_a_refusal_is_in_the_audit_log(suite):
    with pytest.raises(ws.Refused) as refused:
        suite.client(jwt.encode({"sub": "x", "iss": ISSUER}, os.urandom(32), "HS256"))
    request_id = refused.value.headers["x-request-id"]
    record = suite.wait_audit("handshake.refused", request_id=request_id)
    assert record["code"] == "unauthenticated"

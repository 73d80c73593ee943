"""HTTP on the public port: /auth/... through the edge to auth, tickets on the way back in, cookies.

Every attack has its valid twin first.
"""

import base64
import http.client
import json
import os
import socket
import ssl
import threading
import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from support import ws
from support.gatehouse import Suite, wait_until

ORIGIN = "https://localhost:8443"
PAGE = "https://login.example"
SECRET = base64.urlsafe_b64encode(os.urandom(32)).decode()
ROUTE = {"path": "/ws", "name": "main", "app": "chat", "origins": [ORIGIN], "missing_origin": "allow",
         "credentials": ["bearer", "subprotocol", "ticket"]}
CONFIG = json.loads(json.dumps({  # without shared lists, which YAML would write as anchors
    "edge": {"auth_http": {"requests_per_s": 10000, "requests_burst": 10000, "origins": [PAGE]},
             "handshake_timeout": "20s"},
    "routes": [ROUTE,
               {**ROUTE, "path": "/cookie", "credentials": ["cookie"], "cookie": "gh_token"},
               {**ROUTE, "path": "/bearer", "credentials": ["bearer"]}],
    "auth": {"tokens": {"issuer": "https://own.localhost", "key_file": "keys/own.key.pem",
                        "clients": {"backend": {"secret_file": "keys/backend.secret", "roles": ["user"]}}}},
}))


def make_suite(**more):
    suite = Suite(config=CONFIG, **more)
    key = ec.generate_private_key(ec.SECP256R1())
    suite._write_private("keys/own.key.pem", key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    suite._write_private("keys/backend.secret", SECRET.encode())
    return suite


@pytest.fixture(scope="module")
def suite():
    with make_suite(edges=2) as running:
        yield running


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body!r}"


def send(suite, data, tls=None):
    """Raw bytes in, one answer out."""
    with ws.raw(("127.0.0.1", suite.port), suite.tls if tls is None else tls) as sock:
        sock.sendall(data)
        return Answer(*ws.read_answer(sock))


def post(suite, path, body=None, headers=(), method="POST", **more):
    """A request as every HTTP library writes it."""
    raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    if method == "POST":
        lines.append(f"Content-Length: {len(raw)}")
    if body is not None:
        lines.append("Content-Type: application/json")
    lines += [f"{k}: {v}" for k, v in headers]
    return send(suite, "\r\n".join(lines).encode() + b"\r\n\r\n" + raw, **more)


def bearer(token):
    return ("Authorization", f"Bearer {token}")


def basic(secret=SECRET, client="backend"):
    return ("Authorization", "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode())


def ticket_of(suite, token=None):
    answer = post(suite, "/auth/ticket", headers=[bearer(token or suite.token())])
    assert answer.status == 200, answer
    assert answer.json()["expires_in"] == 30
    return answer.json()["ticket"]


def open_with(suite, ticket, how="subprotocol", path="/ws", headers=()):
    if how == "query":
        return ws.Client.connect(("127.0.0.1", suite.port), f"{path}?ticket={ticket}", headers=headers)
    return ws.Client.connect(("127.0.0.1", suite.port), path, headers=[
        ("Sec-WebSocket-Protocol", f"gatehouse.v1, gatehouse.ticket.{ticket}"), *headers])


def refused(function, *args, **kw):
    with pytest.raises(ws.Refused) as caught:
        function(*args, **kw).sock.close()
    return caught.value


# --- tickets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["subprotocol", "query"])
def test_a_ticket_opens_one_connection(suite, how):
    ticket = ticket_of(suite, suite.token("ticketed", ["user"]))
    with open_with(suite, ticket, how) as client:
        if how == "subprotocol":
            assert client.answer["sec-websocket-protocol"] == "gatehouse.v1"
        assert client.ask("chat", {"text": "in by ticket"})["type"] == "ack"
        assert refused(open_with, suite, ticket, how).status == 401  # replayed while it is open
    for other in ("subprotocol", "query"):
        assert refused(open_with, suite, ticket, other).status == 401


def test_a_ticket_works_on_any_edge_and_never_twice(suite):
    """The two edges share the port: enough tickets meet both, in each role."""
    before = {e: suite[e].metric("gatehouse_edge_connections_opened_total") for e in ("edge-1", "edge-2")}
    for _ in range(24):
        ticket = ticket_of(suite)
        open_with(suite, ticket).sock.close()
        assert refused(open_with, suite, ticket).status == 401
    for edge in before:
        assert suite[edge].metric("gatehouse_edge_connections_opened_total") > before[edge]
        assert suite[edge].metric("gatehouse_edge_http_requests_total") > 0


def test_of_many_that_bring_one_ticket_one_gets_in(suite):
    ticket = ticket_of(suite)
    opened, statuses, lock = [], [], threading.Lock()

    def run():
        try:
            client = open_with(suite, ticket)
            with lock:
                opened.append(client)
        except ws.Refused as no:
            with lock:
                statuses.append(no.status)
    threads = [threading.Thread(target=run) for _ in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(opened) == 1 and statuses == [401] * 11
    opened[0].sock.close()


@pytest.mark.parametrize("path,headers,status", [
    ("/ws?ticket=", (), 401),
    ("/ws?ticket=short", (), 401),
    ("/ws?ticket=" + "A" * 43, (), 401),                       # never made
    ("/ws?ticket=" + "A" * 42 + "%41", (), 401),
    ("/ws?ticket={t}&ticket={t}", (), 400),
    ("/ws?ticket={t}", (("Authorization", "Bearer x.y.z"),), 400),
    ("/ws?ticket={t}", (("Sec-WebSocket-Protocol", "gatehouse.ticket.{t}"),), 400),
    ("/ws?ticket={jwt}", (), 401),
    ("/ws?x={jwt}", (), 401),
    ("/ws?token={t}", (), 401),
    ("/bearer?ticket={t}", (), 401),                           # a route that takes none
])
def test_what_is_no_ticket(suite, path, headers, status):
    ticket, token = ticket_of(suite), suite.token()
    fill = {"t": ticket, "jwt": token}
    no = refused(ws.Client.connect, ("127.0.0.1", suite.port), path.format(**fill),
                 headers=[(k, v.format(**fill)) for k, v in headers])
    assert no.status == status, no
    open_with(suite, ticket, "query").sock.close()  # not spent by any of it


def test_a_ticket_lapses_and_dies_with_its_token(suite):
    token = suite.token("leaving")
    ticket = ticket_of(suite, token)
    assert post(suite, "/auth/logout", {}, [bearer(token)]).json() == {"logged_out": True}
    assert refused(open_with, suite, ticket).status == 401


# --- the other paths -------------------------------------------------------------------------------


def test_tokens_from_birth_to_logout(suite):
    made = post(suite, "/auth/token", {"user": "olga"}, [basic()])
    assert made.status == 200, made
    tokens = made.json()
    assert tokens["token_type"] == "Bearer"
    client = suite.client(tokens["access_token"])
    renewed = post(suite, "/auth/refresh", {"refresh_token": tokens["refresh_token"]}, [("Origin", ORIGIN)])
    assert renewed.status == 200, renewed
    assert renewed.json()["refresh_token"] != tokens["refresh_token"]
    out = post(suite, "/auth/logout", {}, [bearer(renewed.json()["access_token"]), ("Origin", ORIGIN)])
    assert out.json() == {"logged_out": True}
    assert client.expect_close() == 4401
    client.sock.close()
    assert refused(suite.client, renewed.json()["access_token"]).status == 401


def test_a_stolen_refresh_token_kills_its_family(suite):
    first = post(suite, "/auth/token", {"user": "pia"}, [basic()]).json()
    second = post(suite, "/auth/refresh", {"refresh_token": first["refresh_token"]}).json()
    client = suite.client(second["access_token"])
    assert post(suite, "/auth/refresh", {"refresh_token": first["refresh_token"]}).status == 401
    assert client.expect_close() == 4401
    client.sock.close()
    assert post(suite, "/auth/refresh", {"refresh_token": second["refresh_token"]}).status == 401
    suite.wait_audit("auth.refresh_reused", user="pia")


@pytest.mark.parametrize("path,headers,www", [
    ("/auth/ticket", (), "Bearer"),
    ("/auth/ticket", (("Authorization", "Bearer garbage"),), "Bearer"),
    ("/auth/logout", (), "Bearer"),
    ("/auth/token", (), "Basic"),
    ("/auth/token", (basic("wrong"),), "Basic"),
    ("/auth/token", (basic(client="nobody"),), "Basic"),
])
def test_without_a_credential_nothing_is_given(suite, path, headers, www):
    answer = post(suite, path, {"user": "eve"} if path.endswith("token") else None, headers)
    assert answer.status == 401, answer
    assert answer.headers["www-authenticate"].startswith(www + " ")
    assert answer.json()["error"] == "unauthenticated"
    assert answer.json()["requestId"] == answer.headers["x-request-id"]
    suite.wait_audit("auth.http_refused", request_id=answer.headers["x-request-id"])


# --- what every answer says ------------------------------------------------------------------------


def test_headers_of_an_answer(suite):
    answer = post(suite, "/auth/ticket", headers=[bearer(suite.token())])
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["connection"] == "close"
    assert answer.headers["vary"] == "Origin"
    assert "max-age=" in answer.headers["strict-transport-security"]
    assert "access-control-allow-origin" not in answer.headers  # nobody asked
    assert int(answer.headers["content-length"]) == len(answer.body)


@pytest.mark.parametrize("origin", [ORIGIN, PAGE])
def test_a_page_of_ours_may_read_it(suite, origin):
    asked = post(suite, "/auth/ticket", method="OPTIONS", headers=[
        ("Origin", origin), ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization,content-type")])
    assert asked.status == 204 and asked.body == b""
    assert asked.headers["access-control-allow-origin"] == origin
    assert asked.headers["access-control-allow-methods"] == "POST"
    assert asked.headers["access-control-allow-headers"] == "authorization, content-type"
    assert "access-control-allow-credentials" not in asked.headers
    answer = post(suite, "/auth/ticket", headers=[("Origin", origin), bearer(suite.token())])
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == origin
    assert "access-control-allow-credentials" not in answer.headers
    no = post(suite, "/auth/ticket", headers=[("Origin", origin)])
    assert no.status == 401 and no.headers["access-control-allow-origin"] == origin


@pytest.mark.parametrize("origin", ["https://evil.example", "null", ORIGIN + ".evil.example", ORIGIN.upper(), ""])
@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_a_page_of_anybody_else_may_not(suite, origin, method):
    answer = post(suite, "/auth/ticket", method=method, headers=[("Origin", origin), bearer(suite.token())])
    assert answer.status == 403, answer
    assert answer.json()["error"] == "origin_not_allowed"
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_no_page_may_ask_for_tokens(suite):
    assert post(suite, "/auth/token", {"user": "olga"}, [basic()]).status == 200
    assert post(suite, "/auth/token", {"user": "olga"}, [basic(), ("Origin", ORIGIN)]).status == 403
    assert post(suite, "/auth/token", method="OPTIONS", headers=[("Origin", ORIGIN)]).status == 403


# --- what is no request ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/auth", "/auth/", "/auth/tickets", "/auth/ticket/", "/AUTH/TICKET", "/auth/../auth/ticket",
                                  "//auth/ticket", "/auth/%74icket", "/metrics", "/healthz", "/"])
def test_every_other_path_is_nothing(suite, path):
    assert post(suite, "/auth/ticket", headers=[bearer(suite.token())]).status == 200
    answer = post(suite, path, headers=[bearer(suite.token())])
    assert answer.status == 404, answer


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods(suite, method):
    answer = post(suite, "/auth/ticket", method=method, headers=[bearer(suite.token())])
    assert answer.status == 405, answer
    assert answer.headers["allow"] == "POST, OPTIONS"


def raw_post(path="/auth/logout", headers=(), body=b"", length=True):
    lines = [f"POST {path} HTTP/1.1", "Host: localhost"]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines + list(headers)).encode() + b"\r\n\r\n" + body


JSON = "Content-Type: application/json"


MALFORMED = [
    ("no length", raw_post(length=False), 411, "length_required"),
    ("chunked", raw_post(length=False, headers=["Transfer-Encoding: chunked"], body=b"0\r\n\r\n"), 400, None),
    ("chunked and a length", raw_post(headers=["Transfer-Encoding: chunked"]), 400, None),
    ("two lengths", raw_post(headers=["Content-Length: 0"]), 400, None),
    ("a length that is none", raw_post(length=False, headers=["Content-Length: +1"], body=b"{"), 400, None),
    ("a length in hex", raw_post(length=False, headers=["Content-Length: 0x2"], body=b"{}"), 400, None),
    ("a negative length", raw_post(length=False, headers=["Content-Length: -1"]), 400, None),
    ("a large body", raw_post(headers=[JSON], body=b'{"a":"' + b"x" * 9000 + b'"}'), 413, "message_too_large"),
    ("a huge length", raw_post(length=False, headers=[JSON, "Content-Length: 99999999999999"]), 413,
     "message_too_large"),
    ("a form", raw_post(headers=["Content-Type: application/x-www-form-urlencoded"], body=b"a=b"), 415, "media_type"),
    ("text", raw_post(headers=["Content-Type: text/plain"], body=b"{}"), 415, "media_type"),
    ("no type", raw_post(body=b"{}"), 415, "media_type"),
    ("a type that starts like ours", raw_post(headers=["Content-Type: application/json-seq"], body=b"{}"), 415,
     "media_type"),
    ("a query", raw_post("/auth/logout?token=x"), 400, "bad_request"),
    ("an empty query", raw_post("/auth/logout?"), 400, "bad_request"),
    ("two requests", raw_post() + raw_post(), 400, "bad_request"),
    ("bytes after the body", raw_post(headers=[JSON], body=b"{}") + b"x", 400, "bad_request"),
    ("an upgrade", raw_post(headers=["Upgrade: websocket", "Connection: Upgrade"]), 400, "bad_request"),
    ("HTTP/1.0", raw_post().replace(b"HTTP/1.1", b"HTTP/1.0"), 400, None),
    ("absolute form", raw_post("http://localhost/auth/logout"), 400, None),
    ("no host", raw_post().replace(b"Host: localhost\r\n", b""), 400, None),
]


@pytest.mark.parametrize("data,status,code", [row[1:] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
def test_malformed_requests(suite, data, status, code):
    edges = [suite["edge-1"], suite["edge-2"]]
    good = send(suite, raw_post(headers=[JSON], body=b"{}"))
    assert good.status == 401  # understood: it only lacks a token
    seen = sum(e.metric("gatehouse_edge_http_answers_total") for e in edges)
    answer = send(suite, data)
    assert answer.status == status, answer
    assert answer.headers["connection"] == "close"
    assert answer.headers["x-request-id"]
    if code is None:
        return
    assert answer.json()["error"] == code
    assert sum(e.metric("gatehouse_edge_http_answers_total") for e in edges) == seen + 1
    record = suite.wait_audit("http.refused", request_id=answer.headers["x-request-id"])
    assert record["code"] == code


def test_a_body_in_pieces(suite):
    """However the bytes come, it is one request."""
    data = raw_post("/auth/ticket", [f"Authorization: Bearer {suite.token()}", JSON], b"{}")
    with ws.raw(("127.0.0.1", suite.port)) as sock:
        for i in range(len(data)):
            sock.sendall(data[i:i + 1])
        assert ws.read_answer(sock)[0] == 200
    padded = raw_post("/auth/ticket", [f"Authorization: Bearer {suite.token()}", JSON, "X-Pad: " + "p" * 12000],
                      b"{" + b" " * 8000 + b"}")
    assert send(suite, padded).status == 200  # head and body in one read, past the head's cap together


def test_python_and_its_http_client(suite):
    context = ssl.create_default_context(cafile=str(suite.dir / "tls" / "edge.crt"))
    conn = http.client.HTTPSConnection("localhost", suite.port, context=context, timeout=30)
    conn.request("POST", "/auth/ticket", body=b"", headers={"Authorization": f"Bearer {suite.token()}"})
    answer = conn.getresponse()
    assert answer.status == 200 and len(json.loads(answer.read())["ticket"]) == 43
    conn.close()


def test_plain_http_is_not_answered(suite):
    assert post(suite, "/auth/ticket", headers=[bearer(suite.token())]).status == 200
    answer = post(suite, "/auth/ticket", headers=[bearer(suite.token())], tls=False)
    assert answer.status == 426, answer
    assert b"ticket\":" not in answer.body


# --- cookies ---------------------------------------------------------------------------------------


def test_a_cookie_needs_its_origin(suite):
    token = suite.token("cookied")

    def connect(*headers):
        return ws.Client.connect(("127.0.0.1", suite.port), "/cookie", headers=headers)
    cookie = ("Cookie", f"theme=dark; gh_token={token}; lang=en")
    with connect(cookie, ("Origin", ORIGIN)) as client:
        assert client.ask("chat", {"text": "by cookie"})["type"] == "ack"
    assert refused(connect, cookie).status == 403  # a program that shows a cookie: no Origin, no entry
    assert refused(connect, cookie, ("Origin", "https://evil.example")).status == 403
    assert refused(connect, cookie, ("Origin", PAGE)).status == 403  # may call /auth, not open sockets
    assert refused(connect, ("Cookie", f"other={token}"), ("Origin", ORIGIN)).status == 401
    assert refused(connect, ("Cookie", "gh_token=garbage"), ("Origin", ORIGIN)).status == 401
    assert refused(connect, ("Cookie", f"gh_token={token}; gh_token={token}"), ("Origin", ORIGIN)).status == 400
    assert refused(connect, bearer(token), ("Origin", ORIGIN)).status == 401  # the route takes no other


# --- limits and what is away -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def strict():
    """One request a second for each address, five at once; two seconds for a request."""
    with Suite(config={"edge": {"auth_http": {"requests_per_s": 1, "requests_burst": 5},
                                "handshake_timeout": "2s"}}) as running:
        yield running


def ticket_from(suite, source, data=None):
    with ws.raw(("127.0.0.1", suite.port), source=source) as sock:
        sock.sendall(data or raw_post("/auth/ticket", [f"Authorization: Bearer {suite.token()}"]))
        return Answer(*ws.read_answer(sock))


def test_each_address_has_its_rate(strict):
    answers = [ticket_from(strict, "127.0.0.1") for _ in range(12)]
    assert [a.status for a in answers[:5]] == [200] * 5
    no = next(a for a in answers if a.status == 429)
    assert int(no.headers["retry-after"]) >= 1
    assert no.json()["error"] == "rate_limit_exceeded"
    strict.wait_audit("http.refused", request_id=no.headers["x-request-id"], code="rate_limit_exceeded")
    with strict.client():  # connections have a bucket of their own
        pass
    assert ticket_from(strict, "127.0.0.2").status == 200


def test_a_slow_body_is_cut(strict):
    begun = f"POST /auth/ticket HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n{JSON}\r\n\r\n{{".encode()
    assert ticket_from(strict, "127.0.0.3", begun + b"}").status == 401
    answer = ticket_from(strict, "127.0.0.3", begun)
    assert answer.status == 408 and answer.json()["error"] == "request_timeout"


def test_auth_may_be_away(strict):
    addresses = (f"127.0.1.{i}" for i in range(1, 255))
    assert ticket_from(strict, next(addresses)).status == 200
    strict["auth-1"].kill()
    answer = ticket_from(strict, next(addresses))
    assert answer.status == 503
    assert answer.json()["error"] == "unavailable" and int(answer.headers["retry-after"]) >= 1
    strict["auth-1"].start().wait_ready()
    wait_until("auth is back", lambda: ticket_from(strict, next(addresses)).status == 200)


def test_a_client_that_leaves_before_its_answer(suite):
    token = suite.token()
    for i in range(60):
        sock = ws.raw(("127.0.0.1", suite.port))
        sock.sendall(raw_post("/auth/ticket", [f"Authorization: Bearer {token}"]))
        if i % 2:
            sock.sendall(b"x" * 100)  # and has more to say
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()
    assert post(suite, "/auth/ticket", headers=[bearer(token)]).status == 200


def test_nothing_secret_is_written_down(suite):
    """Tokens, tickets and bodies stand in no log and no record."""
    token = suite.token("discreet")
    ticket = ticket_of(suite, token)
    open_with(suite, ticket, "query").sock.close()
    refused(open_with, suite, ticket, "query")
    refused(ws.Client.connect, ("127.0.0.1", suite.port), f"/ws?token={token}")
    post(suite, "/auth/refresh", {"refresh_token": "hunter2-" + "z" * 40})
    post(suite, "/auth/token", {"user": "discreet"}, [basic("wrong-secret-0123456789")])
    time.sleep(0.2)  # what is still on its way to the files comes before the records do
    suite.wait_audit("handshake.refused", code="unauthenticated")
    text = "".join(p.log() for p in suite.processes.values())
    text += "".join(json.dumps(r) for r in suite.audit_records())
    text += "".join(p.read_bytes().decode("latin-1") for p in (suite.state_dir / "spool").rglob("*") if p.is_file())
    for secret in (token, token.split(".")[2], ticket, "hunter2-", "wrong-secret-", SECRET):
        assert secret not in text

"""A stolen refresh token played through (A6), as RFC 9700 section 4.14 has it: the attacker and the owner
each in turn, over the public port. Whoever comes second with a token that was spent ends the family: both
are out, their sockets close on every edge, and the audit log says so."""

import http.client
import json
import os
import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from support.gatehouse import Suite
from support.ws import Refused

SECRET = base64.urlsafe_b64encode(os.urandom(32)).decode()
BASIC = "Basic " + base64.b64encode(f"backend:{SECRET}".encode()).decode()
CONFIG = {
    "edge": {"auth_http": {"requests_per_s": 1000, "requests_burst": 1000}},
    "auth": {"tokens": {"issuer": "https://own.localhost", "key_file": "keys/own.key.pem",
                        "clients": {"backend": {"secret_file": "keys/backend.secret", "roles": ["user"]}}}},
}


@pytest.fixture(scope="module")
def suite():
    suite = Suite(tls=False, edges=2, config=CONFIG)
    key = ec.generate_private_key(ec.SECP256R1())
    suite._write_private("keys/own.key.pem", key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    suite._write_private("keys/backend.secret", SECRET.encode())
    with suite:
        yield suite


def post(suite, path, body, **headers):
    """(status, answer)"""
    conn = http.client.HTTPConnection("127.0.0.1", suite.port, timeout=30)
    conn.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **headers})
    answer = conn.getresponse()
    text = answer.read()
    conn.close()
    return answer.status, json.loads(text) if text else None


def log_in(suite, user):
    status, tokens = post(suite, "/auth/token", {"user": user, "roles": ["user"]}, Authorization=BASIC)
    assert status == 200, tokens
    return tokens


def refresh(suite, tokens):
    return post(suite, "/auth/refresh", {"refresh_token": tokens["refresh_token"]})


def sockets(suite, tokens):
    """Some on each edge: the kernel spreads them."""
    return [suite.client(tokens["access_token"]) for _ in range(4)]


def is_out(suite, tokens):
    status, _ = refresh(suite, tokens)
    assert status == 401
    with pytest.raises(Refused) as refusal:
        suite.client(tokens["access_token"])
    assert refusal.value.status == 401


@pytest.mark.parametrize("thief_first", [True, False], ids=["the thief is first", "the owner is first"])
@pytest.mark.parametrize("later", [0, 2], ids=["at once", "two rotations later"])
def test_both_are_out(suite, thief_first, later):
    user = f"victim-{thief_first}-{later}"
    stolen = log_in(suite, user)           # the owner's; the thief has a copy
    other = log_in(suite, user)            # of the same user, on another device
    keeps = suite.client(other["access_token"])
    open_sockets = sockets(suite, stolen)

    status, first = refresh(suite, stolen)  # whoever is first has no trouble
    assert status == 200
    for _ in range(later):
        status, first = refresh(suite, first)
        assert status == 200
    open_sockets += sockets(suite, first)

    status, answer = refresh(suite, stolen)  # the other one comes with the spent token
    assert status == 401 and answer["error"] == "unauthenticated"
    assert "reuse" not in json.dumps(answer)  # the log knows, the client need not

    for ws in open_sockets:
        assert ws.expect_close() == 4401
    is_out(suite, stolen)
    is_out(suite, first)  # the winner's newest tokens died too

    record = suite.wait_audit("auth.refresh_reused", user=user)
    assert record["code"] == "unauthenticated" and record["severity"] in ("error", "warning")
    assert stolen["refresh_token"] not in json.dumps(suite.audit_records())

    # Another family of the same user is none of this.
    assert keeps.close() == 1000
    status, _ = refresh(suite, other)
    assert status == 200


def test_a_guess_at_a_family_kills_nothing(suite):
    """Its id stands in every access token: who knows no more than that has never had a refresh token of it,
    and can log nobody out."""
    tokens = log_in(suite, "guessed")
    ws = suite.client(tokens["access_token"])
    claims = tokens["access_token"].split(".")[1]
    family = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["jti"].split(".")[0]
    token = tokens["refresh_token"]
    assert token.startswith(family + ".")
    for forged in (family + "." + "A" * 65, family + "." + "A" * 22 + token[45:], token[:-1], token + "A", token[::-1]):
        assert post(suite, "/auth/refresh", {"refresh_token": forged})[0] in (400, 401)
    assert refresh(suite, tokens)[0] == 200
    assert ws.close() == 1000


def test_the_log_stands(suite):
    suite.ctl("audit", "verify", "--dir", suite.state_dir / "audit", "--key", suite.dir / "keys" / "audit.pub.pem",
              "--anchor", suite.state_dir / "audit.anchor")

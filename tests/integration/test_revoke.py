"""What auth takes back closes on every edge; what was not meant stays; nobody gets in again with it.

GH_REVOKE_SOCKETS sets how many sockets over three edges the timed part uses.
"""

import os
import selectors
import time

import pytest
from support.gatehouse import ISSUER, Suite
from support.ws import Refused

SOCKETS = int(os.environ.get("GH_REVOKE_SOCKETS", "300"))


@pytest.fixture(scope="module")
def suite():
    with Suite(edges=3) as running:
        yield running


def closed_with(ws):
    return ws.expect_close()


def refused(suite, token):
    with pytest.raises(Refused) as failure:
        suite.client(token)
    return failure.value.status


def test_a_token_closes_everywhere_and_opens_nothing(suite):
    token, other = suite.token("alice", jti="one"), suite.token("alice", jti="two")
    sockets = [suite.client(token) for _ in range(9)]  # the kernel spreads them
    keeps = suite.client(other)
    suite.ctl("--config", suite.config_path, "revoke", "token", "one", "--reason", "test")
    for ws in sockets:
        assert closed_with(ws) == 4401
    assert refused(suite, token) == 401
    assert keeps.close() == 1000
    suite.wait_audit("auth.revoked")
    suite.ctl("--config", suite.config_path, "revoke", "lift", "token", "one")
    suite.client(token).close()


def test_a_user_an_issuer_and_a_key(suite):
    bob, carol = suite.client(suite.token("bob")), suite.client(suite.token("carol"))
    suite.ctl("--config", suite.config_path, "revoke", "user", "bob")
    assert closed_with(bob) in (4401, 4430)  # auth's order and the session service's race
    assert refused(suite, suite.token("bob")) == 401
    suite.ctl("--config", suite.config_path, "revoke", "issuer", ISSUER)
    assert closed_with(carol) == 4401
    assert refused(suite, suite.token("carol")) == 401
    suite.ctl("--config", suite.config_path, "revoke", "lift", "issuer", ISSUER)
    suite.client(suite.token("carol")).close()


def test_a_session(suite):
    ws = suite.client(suite.token("dave"))
    suite.ctl("--config", suite.config_path, "revoke", "session", ws.welcome["payload"]["sessionId"])
    assert closed_with(ws) == 4430


def test_all_sockets_of_a_user_over_three_edges(suite):
    """The time from the order to the close of the last socket; printed, judged generously."""
    token = suite.token("erin")
    sockets = [suite.client(token) for _ in range(SOCKETS)]
    with selectors.DefaultSelector() as waiting:
        for ws in sockets:
            waiting.register(ws.sock, selectors.EVENT_READ, ws)
        began = time.monotonic()
        suite.ctl("--config", suite.config_path, "revoke", "user", "erin")
        asked = time.monotonic()
        ended = []
        while waiting.get_map() and time.monotonic() < began + 60:
            for key, _ in waiting.select(1):
                assert closed_with(key.data) in (4401, 4430)
                ended.append(time.monotonic())
                waiting.unregister(key.fileobj)
    assert len(ended) == SOCKETS
    times = sorted(t - began for t in ended)
    print(f"{SOCKETS} sockets on 3 edges: p50 {times[len(times) // 2] * 1000:.0f} ms, "
          f"p99 {times[len(times) * 99 // 100] * 1000:.0f} ms, last {times[-1] * 1000:.0f} ms after the command was "
          f"started (it took {(asked - began) * 1000:.0f} ms)")

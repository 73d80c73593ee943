"""Signs that a token or a session is in other hands (N6): one token from two networks, a session resumed
from elsewhere; told to the audit log, and with session.on_hijack: end the sessions end."""

import pytest
import yaml
from support.gatehouse import ROOT, Suite, wait_until
from support.ws import Client, Closed

HOME, NEXT_DOOR, ABROAD = "127.0.0.1", "127.0.0.77", "127.9.9.9"
AGENT = ("User-Agent", "one/1")


def suspected(suite, user):
    return [r for r in suite.audit_records() if r.get("kind") == "session.hijack_suspected" and r.get("user") == user]


def wait_suspected(suite, user):
    return wait_until(f"a sign of {user}", lambda: suspected(suite, user), 30)


def open_from(suite, source, token, headers=(AGENT,)):
    return Client.connect(("127.0.0.1", suite.port), "/ws", token=token, tls=False, source=source, headers=headers)


@pytest.fixture(scope="module")
def suite():
    route = yaml.safe_load((ROOT / "deploy" / "gatehouse.yaml").read_text())["routes"][0]
    with Suite(tls=False, edges=2, config={"routes": [{**route, "resume": {"window": "30s"}}]}) as running:
        yield running


@pytest.fixture(scope="module")
def strict():
    with Suite(tls=False, config={"session": {"on_hijack": "end"}}) as running:
        yield running


def settle(suite, user):
    """Whatever is said of the user so far has been said: a later event of theirs is in the log."""
    with open_from(suite, HOME, suite.token(user)) as ws:
        ident = ws.welcome["payload"]["sessionId"]
        ws.close()
    wait_until("a later event", lambda: any(r.get("session_id") == ident for r in suite.audit_records()), 30)


def test_one_token_from_one_network_is_nothing(suite):
    token = suite.token("homely")
    for source in (HOME, NEXT_DOOR, HOME):
        open_from(suite, source, token).close()
    open_from(suite, ABROAD, suite.token("homely")).close()  # another token may be used elsewhere
    settle(suite, "homely")
    assert suspected(suite, "homely") == []


def test_one_token_from_two_networks_is_told(suite):
    token = suite.token("traveller")
    home = open_from(suite, HOME, token)
    abroad = open_from(suite, ABROAD, token)
    record = wait_suspected(suite, "traveller")[0]
    assert record["severity"] == "warning"
    text = str(record)
    assert "network" in text and "127.0.0.0/24" in text and "127.9.9.0/24" in text and token not in text
    assert home.close() == 1000 and abroad.close() == 1000  # told, no more
    assert suite["session-1"].metric("gatehouse_session_hijack_suspected_total") >= 1


def test_a_refreshed_token_that_was_used_elsewhere(suite):
    """The new token of a token_refresh has been seen abroad before."""
    fresh = suite.token("renewer")
    open_from(suite, ABROAD, fresh).close()
    ws = open_from(suite, HOME, suite.token("renewer"))
    ws.send_message("token_refresh", {"token": fresh}, csrf=False)
    assert ws.recv_type("token_refresh", "error")["type"] == "token_refresh"
    assert "network" in str(wait_suspected(suite, "renewer")[0])
    ws.sock.close()


@pytest.mark.parametrize("source, agent, sign", [(HOME, "one/1", None), (NEXT_DOOR, "one/1", "address"), (HOME, "two/2", "agent")],
                         ids=["from where it was", "another address", "another program"])
def test_a_session_resumed(suite, source, agent, sign):
    user = f"mover-{sign}"
    token = suite.token(user)
    ws = open_from(suite, HOME, token)
    resume, ident = ws.welcome["payload"]["resume"], ws.welcome["payload"]["sessionId"]
    ws.sock.close()  # without a word
    claim = f"gatehouse.v1, gatehouse.resume.{ident}.{resume['secret']}.0"
    back = open_from(suite, source, token, [("User-Agent", agent), ("Sec-WebSocket-Protocol", claim)])
    assert back.welcome["payload"]["sessionId"] == ident
    if sign is None:
        back.close()
        settle(suite, user)
        assert suspected(suite, user) == []
    else:
        assert f"'{sign}'" in str(wait_suspected(suite, user)[0])
        back.close()


def test_the_policy_end_ends_both(strict):
    token, other = strict.token("victim"), strict.token("victim")
    home, apart = open_from(strict, HOME, token), open_from(strict, HOME, other)
    try:
        assert open_from(strict, ABROAD, token).expect_close() == 4430
    except Closed as closed:  # over before its welcome
        assert closed.code == 4430
    assert home.expect_close() == 4430
    wait_suspected(strict, "victim")
    assert apart.close() == 1000  # another token is none of this

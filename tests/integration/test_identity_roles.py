"""Roles on open connections (A8): the role table is edited and auth told to read it again; what open
connections on every edge may send changes with it, and comes back."""

import signal
import time

import pytest
from support.gatehouse import START_S, Suite, wait_until

TABLE = {"user": {"from": ["staff", "user"]}, "moderator": {"from": ["chief"], "inherits": ["user"]}}
NO = "role_forbidden"
NOTE = {"room": "lobby", "text": "to all"}


class Stand:
    def __init__(self, suite):
        self.suite = suite

    def reload(self, roles):
        """Returns when auth has read it."""
        suite = self.suite
        log = len(suite["auth-1"].log())
        suite.config["auth"]["roles"] = roles
        suite.write_config({"auth": suite.config["auth"]})
        self.sent = time.monotonic()
        suite["auth-1"].popen.send_signal(signal.SIGHUP)
        wait_until("auth read its configuration again", lambda: "event=reloaded" in suite["auth-1"].log()[log:])


def allowed(ws, kind="chat", payload=None):
    """True, or the code it was refused with."""
    answer = ws.ask(kind, payload or {"text": "hello"})
    return True if answer["type"] == "ack" else answer["payload"]["code"]


def until(ws, verdict, kind="chat", payload=None):
    """Asks until the verdict changes."""
    wait_until(f"{kind} is {verdict}", lambda: allowed(ws, kind, payload) == verdict, START_S)


@pytest.fixture(scope="module")
def stand():
    with Suite(tls=False, edges=2, config={"auth": {"roles": TABLE}}) as suite:
        yield Stand(suite)


@pytest.fixture
def clients(stand):
    """Of the same grants on both edges (the kernel spreads them)."""
    stand.reload(TABLE)
    some = [stand.suite.client(stand.suite.token(f"user-{i}", ["staff"])) for i in range(8)]
    yield some
    for ws in some:
        ws.sock.close()


def test_a_permission_taken_away_and_given_back(stand, clients):
    assert [allowed(ws) for ws in clients] == [True] * 8
    stand.reload({**TABLE, "user": {"from": ["user"]}})  # "staff" is worth nothing any more
    for ws in clients:
        until(ws, NO)
    print(f"\nthe last of 8 open connections had lost its role {(time.monotonic() - stand.sent) * 1000:.0f} ms after "
          "the SIGHUP")
    assert [allowed(ws) for ws in clients] == [NO] * 8
    # who connects now has the new roles from the start
    with stand.suite.client(stand.suite.token("late", ["staff"])) as late:
        assert allowed(late) == NO
    stand.reload(TABLE)
    for ws in clients:
        until(ws, True)


def test_a_permission_added(stand, clients):
    chief = stand.suite.client(stand.suite.token("chief", ["chief"]))
    assert allowed(chief, "notification", NOTE) is True
    assert [allowed(ws, "notification", NOTE) for ws in clients] == [NO] * 8
    stand.reload({**TABLE, "moderator": {"from": ["chief", "staff"], "inherits": ["user"]}})
    for ws in clients:
        until(ws, True, "notification", NOTE)
    chief.sock.close()


def test_without_a_table_grants_are_roles(stand, clients):
    both = stand.suite.client(stand.suite.token("both", ["moderator", "user"]))  # no grant of the table but "user"
    assert allowed(both) is True
    assert allowed(both, "notification", NOTE) == NO
    stand.reload({})
    until(both, True, "notification", NOTE)
    for ws in clients:
        until(ws, NO)  # "staff" is a role now, and it may send nothing
    stand.reload(TABLE)
    until(both, NO, "notification", NOTE)
    both.sock.close()


def test_missed_while_auth_was_away(stand, clients):
    """The order is lost with the process; the edges read the table when auth is back."""
    stand.suite["auth-1"].kill()
    stand.suite.config["auth"]["roles"] = {**TABLE, "user": {"from": ["user"]}}
    stand.suite.write_config({"auth": stand.suite.config["auth"]})
    stand.suite["auth-1"].start().wait_ready()
    for ws in clients:
        until(ws, NO)


def test_a_token_refresh_brings_the_roles_of_the_new_token(stand, clients):
    ws = clients[0]
    user = "user-0"
    token = stand.suite.token(user, ["nothing"])
    ident = ws.send_message("token_refresh", {"token": token}, csrf=False)
    assert ws.recv_type("token_refresh", "error")["type"] == "token_refresh", ident
    ws.csrf = ws.recv_type("csrf_rotated")["payload"]["csrfToken"]
    assert allowed(ws) == NO
    assert allowed(clients[1]) is True


def test_a_bad_table_changes_nothing(stand, clients):
    log = len(stand.suite["auth-1"].log())
    stand.suite.config["auth"]["roles"] = {"user": {"inherits": ["nobody"]}}
    stand.suite.write_config({"auth": stand.suite.config["auth"]})
    stand.suite["auth-1"].popen.send_signal(signal.SIGHUP)
    wait_until("auth said no", lambda: "event=reload_refused" in stand.suite["auth-1"].log()[log:])
    assert [allowed(ws) for ws in clients] == [True] * 8

"""Node's `ws` as the client."""

from nodes import run_node


def test_two_users_on_ws(gate):
    seen = run_node("node_client.mjs", gate.url, gate.ca, gate.token("nora"), gate.token("nick"))
    assert seen["welcomeA"] == seen["welcomeB"] == "welcome"
    assert seen["protocolB"] == "gatehouse.v1", "the token must not be echoed"
    assert seen["heard"]["text"] == "grüße 👋" and seen["heard"]["from"] == "nora"
    assert seen["attack"] == "csrf_failed"
    assert seen["after"] == "still here", "the forged message must not be delivered"
    assert seen["pong"] == "latency"
    assert seen["closeA"] == seen["closeB"] == 1000
    assert seen["refused"] == "HTTP 401"
    assert seen["long"] == [True] * 3
    assert seen["extensions"] == ["", ""], "compression is off unless a route turns it on"

"""A client that reads slowly (T13): of what is conflatable it gets the newest, and it stays. (test_edge_attacks.py
has its twin, whom messages that may not be lost end.)"""

import json

import pytest
from support import ws
from support.gatehouse import Suite, wait_until

CONFLATED = "gatehouse_edge_messages_conflated_total"


@pytest.fixture(scope="module")
def narrow():
    """A queue of 16 KiB, so that a quarter of it is soon full."""
    with Suite(config={"edge": {"max_queue_bytes": "16KiB"}}) as suite:
        yield suite


def slow_member(suite, user, room):
    client = suite.client(suite.token(user), receive_buffer=4096)
    assert client.ask("join", {"room": room})["type"] == "ack"
    return client


def say(client, text, times):
    """The same message many times in one write; without an id it is not acknowledged."""
    payload = json.dumps(text | {"csrfToken": client.csrf}).encode()
    client.sock.sendall(ws.frame(ws.TEXT, payload) * times)


def test_it_gets_the_newest_and_stays(narrow):
    edge, room = narrow["edge-1"], "busy"
    slow = slow_member(narrow, "sam", room)
    with narrow.client(narrow.token("tess")) as typist:
        assert typist.ask("join", {"room": room})["type"] == "ack"

        def enough():
            say(typist, {"type": "typing", "payload": {"room": room}}, 500)
            return edge.metric(CONFLATED) > 2000
        wait_until("its queue is full", enough)
        ident = typist.send_message("typing", {"room": room}, ident="newest")
        assert typist.recv_type("ack")["payload"]["id"] == ident
    got = [slow.recv_type("typing")]
    while got[-1].get("id") != "newest":
        got.append(slow.recv_type("typing"))
    stamps = [message["timestamp"] for message in got]
    assert stamps == sorted(stamps) and {message["payload"]["from"] for message in got} == {"tess"}
    assert slow.ask("chat", {"text": "still here"})["type"] == "ack"
    assert edge.metric('gatehouse_edge_connections_closed_total{code="slow_consumer"}') == 0
    slow.close()

"""Too few descriptors, too much memory, a loop that is late: new clients are sent away, the others go on."""

import os
import resource
import signal
import time

import pytest
from support import ws
from support.gatehouse import Suite, wait_until

pytestmark = pytest.mark.alone

SPARE = 64
CONFIG = {"edge": {"shed": {"spare_descriptors": SPARE, "lag": "30s"}, "handshake_timeout": "20s"}}


@pytest.fixture(scope="module")
def suite():
    with Suite(config=CONFIG) as running:
        yield running


def open_descriptors(edge):
    return len(os.listdir(f"/proc/{edge.pid}/fd"))


def counted(edge):
    return int(edge.metric("gatehouse_edge_descriptors"))


def reload(suite, shed):
    suite.write_config({**CONFIG, "edge": {**CONFIG["edge"], "shed": {**CONFIG["edge"]["shed"], **shed}}})
    edge = suite["edge-1"]
    seen = edge.log().count("event=reloaded")
    edge.popen.send_signal(signal.SIGHUP)
    wait_until("reloaded", lambda: edge.log().count("event=reloaded") > seen)


def sheds(suite, cause, client):
    """The edge says so everywhere, tells new clients, and disturbs nobody who is in."""
    edge = suite["edge-1"]
    wait_until(f"it sheds for {cause}", lambda: edge.metric("gatehouse_edge_shedding") == 1)
    assert edge.metrics()[f'gatehouse_edge_shedding_total{{cause="{cause}"}}'] >= 1
    status, body = edge.http("/readyz")
    assert status == 503 and "shedding" in body
    with pytest.raises(ws.Refused) as no:
        suite.client().sock.close()
    assert no.value.status == 503 and int(no.value.headers["retry-after"]) >= 1
    assert b"unavailable" in no.value.body
    assert client.ask("chat", {"text": "still here"})["type"] == "ack"
    record = suite.wait_audit("edge.shedding")
    assert record["severity"] == "warning"


def recovers(suite, client):
    edge = suite["edge-1"]
    wait_until("it takes clients again", lambda: edge.metric("gatehouse_edge_shedding") == 0)
    wait_until("and says so", lambda: edge.http("/readyz")[0] == 200)
    with suite.client() as new:
        assert new.ask("chat", {"text": "in again"})["type"] == "ack"
    assert client.ask("chat", {"text": "all the while"})["type"] == "ack"
    suite.wait_audit("edge.shedding_ended")


def test_few_descriptors_left(suite):
    """The kernel's limit is brought down to where the edge stands; then clients come."""
    edge = suite["edge-1"]
    first = suite.client()
    crowd = [suite.client() for _ in range(40)]
    soft, hard = resource.prlimit(edge.pid, resource.RLIMIT_NOFILE)
    try:
        wait_until("descriptors are counted", lambda: abs(open_descriptors(edge) - counted(edge)) <= 4)
        limit = counted(edge) + SPARE + 5
        resource.prlimit(edge.pid, resource.RLIMIT_NOFILE, (limit, hard))
        wait_until("the edge knows", lambda: edge.metric("gatehouse_edge_descriptors_limit") == limit)
        assert edge.metric("gatehouse_edge_shedding") == 0
        with pytest.raises(ws.Refused):
            for _ in range(SPARE):
                crowd.append(suite.client())
                wait_until("it looks", lambda: abs(open_descriptors(edge) - counted(edge)) <= 4)
        sheds(suite, "descriptors", first)
        flood = []
        for _ in range(300):  # more than can be told, and more than there are descriptors
            try:
                flood.append(ws.raw(("127.0.0.1", suite.port), tls=False))
            except OSError:
                pass
        wait_until("those past counting are closed", lambda: edge.metric("gatehouse_edge_shed_closed_total") > 100)
        assert "accept_failed" not in edge.log(), "the kernel was first"
        assert first.ask("chat", {"text": "amid the flood"})["type"] == "ack"
        for sock in flood:
            sock.close()
        for client in crowd:
            client.sock.close()
        recovers(suite, first)
    finally:
        resource.prlimit(edge.pid, resource.RLIMIT_NOFILE, (soft, hard))
        first.sock.close()


def test_too_much_memory(suite):
    with suite.client() as client:
        reload(suite, {"memory": "1MiB"})
        sheds(suite, "memory", client)
        used = suite["edge-1"].metric("gatehouse_edge_memory_bytes")
        assert used > 1 << 20
        reload(suite, {"memory": int(used * 4)})
        recovers(suite, client)


def test_a_loop_that_is_late(suite):
    """The process is stopped and goes on: its loop was late by that."""
    edge = suite["edge-1"]
    with suite.client() as client:
        reload(suite, {"lag": "100ms"})
        edge.popen.send_signal(signal.SIGSTOP)
        time.sleep(3)  # not waited for, but what is measured
        edge.popen.send_signal(signal.SIGCONT)
        wait_until("the lag is seen", lambda: edge.metrics().get(
            'gatehouse_edge_shedding_total{cause="lag"}', 0) >= 1)
        wait_until("it is over", lambda: edge.metric("gatehouse_edge_shedding") == 0)
        reload(suite, {"lag": "30s"})
        recovers(suite, client)

"""kill -9 of each process in turn under traffic: what clients see, and that nothing acknowledged is lost.

GH_KILL_RATE sets the messages a second (default 1000, so that a sanitizer build keeps up on a small machine;
the table in services/ARCHITECTURE.md was made with 5000).
"""

import os
import pathlib
import re
import signal
import time

import pytest
from support.gatehouse import Suite, wait_until
from support.traffic import Traffic

RATE = int(os.environ.get("GH_KILL_RATE", "1000"))


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    journal = tmp_path_factory.mktemp("journal") / "chat.journal"
    # The traffic reads no frames and so answers no pings: none is due while a slow build restarts a process.
    config = {"chat": {"journal_file": str(journal)}, "validator": {"workers": 2}, "edge": {"ping_interval": "5m"}}
    with Suite(edges=2, config=config) as running:
        running.journal = journal
        yield running


def children(pid):
    found = []
    for task in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = task.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(task.parent.name))
    return found


def check_nothing_lost(suite, traffic):
    taken = set(re.findall(r'"id":"(c\d+-\d+)"', suite.journal.read_text(errors="replace")))
    missing = sorted(traffic.acked - taken)
    assert not missing, f"{len(missing)} acknowledged messages are not at the application: {missing[:5]}"

    def unlogged():
        logged = {record.get("request_id") for record in suite.audit_records()}
        return traffic.warnings - logged
    wait_until("every refusal is in the audit log", lambda: not unlogged(), 30)


def run(suite, kill):
    """Traffic, the kill, more traffic; returns what clients saw after it."""
    with Traffic(suite, rate=RATE, bad_every=97) as traffic:
        wait_until("messages are acknowledged", lambda: traffic.check() and len(traffic.acked) > RATE // 4)
        kill()
        time.sleep(1)
        before = len(traffic.acked)
        wait_until(f"traffic goes on (saw {traffic.saw})", lambda: traffic.check() and len(traffic.acked) > before + RATE // 4)
        time.sleep(1)
    check_nothing_lost(suite, traffic)
    answered = len(traffic.acked) + sum(n for k, n in traffic.saw.items() if k.startswith("error "))
    print(f"\nsent {traffic.sent} acknowledged {len(traffic.acked)} unanswered {traffic.sent - answered} "
          f"saw {dict(traffic.saw)}")
    return traffic


def crash(suite, instance):
    suite[instance].kill()
    time.sleep(0.3)
    suite[instance].start().wait_ready()


@pytest.mark.parametrize("instance", ["auth-1", "session-1", "limiter-1", "audit-1"])
def test_a_side_service_dies_and_open_connections_notice_nothing(suite, instance):
    traffic = run(suite, lambda: crash(suite, instance))
    assert not [k for k in traffic.saw if k.startswith("connection ended")], traffic.saw
    assert set(k for k in traffic.saw if k.startswith("error ")) <= {"error csrf_failed"}, traffic.saw


def test_a_validator_worker_dies_and_clients_notice_nothing(suite):
    workers = children(suite["validator-1"].pid)
    assert len(workers) == 2
    traffic = run(suite, lambda: os.kill(workers[0], signal.SIGKILL))
    assert set(traffic.saw) <= {"error csrf_failed"}, traffic.saw
    wait_until("the monitor made a new worker",
               lambda: len(children(suite["validator-1"].pid)) == 2 and suite["validator-1"].ready())
    assert set(children(suite["validator-1"].pid)) != set(workers)


def test_the_validator_monitor_dies_and_connections_stay(suite):
    traffic = run(suite, lambda: crash(suite, "validator-1"))
    assert not [k for k in traffic.saw if k.startswith("connection ended")], traffic.saw
    assert set(k for k in traffic.saw if k.startswith("error ")) <= {"error csrf_failed", "error unavailable"}


def test_the_application_dies_and_connections_stay(suite):
    traffic = run(suite, lambda: crash(suite, "chat-1"))
    assert not [k for k in traffic.saw if k.startswith("connection ended")], traffic.saw
    assert set(k for k in traffic.saw if k.startswith("error ")) <= {"error csrf_failed", "error unavailable"}


def test_redis_dies_and_open_connections_go_on(suite):
    """It comes back with what it had (append-only file): a Redis that forgot its sessions ends them."""
    def kill():
        suite.stop_redis()
        time.sleep(1)
        suite.start_redis()
    traffic = run(suite, kill)
    assert not [k for k in traffic.saw if k.startswith("connection ended")], traffic.saw
    for instance in ("session-1", "limiter-1"):
        suite[instance].wait_ready()
    with suite.client():
        pass


def test_an_edge_dies_and_the_clients_of_the_other_notice_nothing(suite):
    """Both edges share the port; those of the dead one reconnect."""
    traffic = run(suite, lambda: crash(suite, "edge-1"))
    ended = sum(n for k, n in traffic.saw.items() if k.startswith("connection ended"))
    assert ended < len(traffic.connections), traffic.saw
    assert set(k for k in traffic.saw if k.startswith("error ")) <= {"error csrf_failed"}, traffic.saw

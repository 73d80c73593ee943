"""SIGHUP on the validator: a good policy takes over with no connection lost, a bad one changes nothing."""

import os
import pathlib
import signal
import time


def wait_for(what, seconds=30):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def workers(monitor):
    children = pathlib.Path(f"/proc/{monitor}/task/{monitor}/children").read_text().split()
    return {int(pid) for pid in children}


def test_a_bad_policy_changes_nothing_and_a_good_one_takes_over(suite):
    validator = suite.processes["validator-1"]
    policy = suite.dir / "policies" / "main.yaml"
    good = policy.read_text()
    with suite.client() as client:
        assert client.ask("chat", {"text": "before"})["type"] == "ack"
        before = workers(validator.popen.pid)
        policy.write_text(good.replace("rate: chat", "rtae: chat", 1))
        os.kill(validator.popen.pid, signal.SIGHUP)
        wait_for(lambda: "reload_refused" in validator.log())
        assert "main.yaml:" in validator.log() and "/types/chat/rtae: unknown key" in validator.log()
        assert workers(validator.popen.pid) == before
        assert client.ask("chat", {"text": "during"})["type"] == "ack"

        policy.write_text(good.replace("  leave:", "  wave:\n    send: [user]\n    schema: schemas/room.json\n  leave:", 1))
        os.kill(validator.popen.pid, signal.SIGHUP)
        wait_for(lambda: "generation=2 policy_version" in validator.log())
        wait_for(lambda: not before & workers(validator.popen.pid))
        assert client.ask("chat", {"text": "after"})["type"] == "ack"
        answer = client.ask("wave", {})
        assert answer["type"] == "error" and answer["payload"]["code"] == "schema_violation"


def test_a_killed_worker_comes_back_on_the_checked_policy(suite):
    validator = suite.processes["validator-1"]
    (suite.dir / "policies" / "main.yaml").write_text("route: [")
    with suite.client() as client:
        assert client.ask("chat", {"text": "before"})["type"] == "ack"
        old = workers(validator.popen.pid)
        for pid in old:
            os.kill(pid, signal.SIGKILL)

        def served():  # while no worker is there the answer is `unavailable`, which names no message
            client.send_message("chat", {"text": "after"})
            return client.recv_type("ack", "error")["type"] == "ack"

        wait_for(served)
        assert not old & workers(validator.popen.pid)

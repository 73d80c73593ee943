"""Nothing at warning or above is lost, or written twice, whichever process is killed (L1), and the log stays intact.

Real gatehouse-audit and a real sender on the audit client (services/audit/tests/audit_sender.c): what the sender has
printed, it has been promised."""

import collections
import json
import random
import signal
import subprocess
import threading
import time

import pytest

from support.gatehouse import BUILD, START_S, Suite, wait_until

SENDER = BUILD / "tests" / "audit_sender"


class Sender:
    def __init__(self, suite, instance, count, first, max_bytes=None):
        self.promised, self.words = [], set()
        args = [SENDER, f"ipc://{suite.run_dir}/audit.*", suite.dir / "spool", instance, count, first]
        if max_bytes:
            args.append(max_bytes)
        self.popen = subprocess.Popen([str(a) for a in args], stdout=subprocess.PIPE, text=True, env=suite.env,
                                      start_new_session=True)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.popen.stdout:
            word = line.strip()
            if word.isdigit() and line.endswith("\n"):
                self.promised.append(int(word))
            else:
                self.words.add(word)

    def kill(self, sig=signal.SIGKILL):
        self.popen.send_signal(sig)
        self.popen.wait(START_S)
        self.thread.join(START_S)
        return self

    def until(self, word):
        wait_until(f"the sender says {word}", lambda: word in self.words)
        return self


@pytest.fixture
def audit():
    with Suite(services=("audit",), config={"audit": {"rotate_bytes": 262144}}) as suite:
        yield suite


def logged(suite):
    """n of every test.warning in the log, with how often it stands there."""
    return collections.Counter(int(r["fields"]["n"]) for r in suite.audit_records() if r["kind"] == "test.warning")


def check(suite, promised):
    counts = logged(suite)
    lost = sorted(set(promised) - set(counts))
    twice = [n for n, c in counts.items() if c != 1]
    assert not lost, f"{len(lost)} of {len(promised)} promised warnings are not in the log: {lost[:10]}"
    assert not twice, f"written more than once: {twice[:10]}"
    verdict = json.loads(verify(suite).stdout)
    assert verdict["ok"] and verdict["records"] == len(suite.audit_records())


def verify(suite, check=True):
    return suite.ctl("--json", "audit", "verify", "--dir", suite.state_dir / "audit", "--key",
                     suite.dir / "keys" / "audit.pub.pem", "--anchor", suite.state_dir / "audit.anchor", check=check)


def spools(suite):
    return sorted(p.name for p in (suite.dir / "spool").glob("*"))


def test_a_quiet_sender_is_written_and_leaves_nothing(audit):
    sender = Sender(audit, "edge-1", 500, 1).until("idle")
    check(audit, range(1, 501))
    sender.kill(signal.SIGTERM)
    assert sender.popen.returncode == 0
    assert spools(audit) == []


def test_infos_of_a_flood_are_summed(audit):
    Sender(audit, "edge-1", 2000, 1).until("idle").kill(signal.SIGTERM)
    infos = [r for r in audit.audit_records() if r["kind"] == "test.info"]
    assert sum(r.get("count", 1) for r in infos) == 2000
    assert len(infos) < 500
    assert all("user" not in r for r in infos if r.get("count", 1) > 1)


def test_a_killed_senders_spool_is_adopted_under_its_name(audit):
    audit["audit-1"].kill()
    sender = Sender(audit, "edge-1", 3000, 1).until("emitted").kill()
    assert len(sender.promised) == 3000 and len(spools(audit)) == 2
    audit["audit-1"].start().wait_ready()
    heir = Sender(audit, "edge-2", 10, 100001).until("idle")
    check(audit, sender.promised + heir.promised)
    names = {r["sender"] for r in audit.audit_records() if r["kind"] == "test.warning" and int(r["fields"]["n"]) <= 3000}
    assert names == {"edge-1"}
    heir.kill(signal.SIGTERM)
    assert spools(audit) == []


def test_what_a_stopped_sender_could_not_send_waits_for_its_next_start(audit):
    audit["audit-1"].kill()
    sender = Sender(audit, "edge-1", 100, 1).until("emitted").kill(signal.SIGTERM)
    assert sender.popen.returncode == 0
    audit["audit-1"].start().wait_ready()
    Sender(audit, "edge-1", 0, 1).until("idle").kill(signal.SIGTERM)
    check(audit, sender.promised)


def test_a_living_senders_spool_is_left_to_it(audit):
    audit["audit-1"].kill()
    first = Sender(audit, "edge-1", 1000, 1).until("emitted")
    second = Sender(audit, "edge-2", 1000, 5001).until("emitted")
    audit["audit-1"].start().wait_ready()
    first.until("idle"), second.until("idle")
    check(audit, first.promised + second.promised)
    first.kill(signal.SIGTERM), second.kill(signal.SIGTERM)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_both_killed_again_and_again(audit, seed):
    """kill -9 of senders and of audit at random moments, under load, across many segments."""
    rng = random.Random(seed)
    promised, first = [], 1
    senders = []
    for round_ in range(12):
        while len(senders) < 3:
            senders.append(Sender(audit, f"edge-{rng.randrange(4)}-{round_}-{len(senders)}", 1000000, first))
            first += 1000000
        time.sleep(rng.uniform(0.05, 0.4))
        if rng.random() < 0.7:
            audit["audit-1"].kill()
            time.sleep(rng.uniform(0, 0.2))
            if rng.random() < 0.5:
                victim = senders.pop(rng.randrange(len(senders)))
                promised += victim.kill().promised
            audit["audit-1"].start()
            if rng.random() < 0.5:
                audit["audit-1"].wait_ready()
        else:
            victim = senders.pop(rng.randrange(len(senders)))
            promised += victim.kill().promised
    for victim in senders:
        promised += victim.kill().promised
    audit["audit-1"].wait_ready()
    heir = Sender(audit, "heir", 1, first)
    wait_until("all spools are taken over", lambda: all(name.startswith("heir") for name in spools(audit)))
    heir.until("idle").kill(signal.SIGTERM)
    assert len(promised) > 1000
    check(audit, promised + heir.promised)
    assert len(list((audit.state_dir / "audit").glob("audit-*.log"))) > 1


def test_at_the_cap_no_new_work_and_nothing_dropped(audit):
    audit["audit-1"].kill()
    sender = Sender(audit, "edge-1", 20000, 1, max_bytes=300000).until("full")
    stopped_at = len(sender.promised)
    time.sleep(0.5)
    assert len(sender.promised) <= stopped_at + 20 < 20000
    audit["audit-1"].start().wait_ready()
    sender.until("relieved").until("emitted").until("idle")
    check(audit, range(1, 20001))
    sender.kill(signal.SIGTERM)


def test_a_spool_on_a_full_disk(audit):
    """The disk refuses the spool: warnings wait in memory, the sender is told, and all arrive."""
    audit["audit-1"].kill()
    spool = audit.dir / "spool"
    spool.mkdir(mode=0o700)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", spool], capture_output=True).returncode:
        pytest.skip("cannot mount a small disk here")
    try:
        sender = Sender(audit, "edge-1", 5000, 1).until("full")
        audit["audit-1"].start().wait_ready()
        sender.until("idle")
        check(audit, range(1, 5001))
        sender.kill(signal.SIGTERM)
    finally:
        subprocess.run(["umount", "-l", spool], check=True)


def test_audit_refuses_a_log_that_was_cut_and_changes_nothing(audit):
    Sender(audit, "edge-1", 50, 1).until("idle").kill(signal.SIGTERM)
    audit["audit-1"].kill()
    log = sorted((audit.state_dir / "audit").glob("audit-*.log"))[-1]
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:-3]))
    audit["audit-1"].start()
    assert audit["audit-1"].popen.wait(START_S) != 0
    assert "audit_log_broken" in audit["audit-1"].log()
    assert log.read_bytes() == b"".join(lines[:-3])
    log.write_bytes(b"".join(lines))
    audit["audit-1"].start().wait_ready()

"""scripts/up as a person uses it: the lines that it prints work as they are printed."""

import os
import pathlib
import pty
import re
import select
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from gates import ROOT
from support.gatehouse import free_port

WAIT_S = 180


def session_pids(leader):
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


class Up:
    """scripts/up running; its output so far in .text."""

    def __init__(self, run, *args):
        self.run, self.text = run, ""
        env = {**os.environ, "GH_RUN": str(run)}
        self.process = subprocess.Popen(
            [ROOT / "scripts" / "up", "--no-setup", "--no-build", *args], cwd=ROOT, env=env,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)

    def wait_for(self, pattern):
        end = time.monotonic() + WAIT_S
        while not re.search(pattern, self.text):
            ready, _, _ = select.select([self.process.stdout], [], [], 1)
            data = os.read(self.process.stdout.fileno(), 65536) if ready else None
            if data:
                self.text += data.decode()
            elif data == b"" or time.monotonic() > end:
                raise AssertionError(f"no {pattern!r} in:\n{self.text}")
        return self.text

    def supervisor(self):
        return int((self.run / "supervisord.pid").read_text())

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=WAIT_S)
        self.text += rest.decode()
        return self.process.returncode

    def kill(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@pytest.fixture(scope="module")
def up():
    with tempfile.TemporaryDirectory(prefix="gh-up-") as folder:
        started = Up(pathlib.Path(folder), "--edges", "2", "--validators", "2", "--listen", f"127.0.0.1:{free_port()}")
        try:
            started.wait_for("Ctrl-C stops it")
            yield started
        finally:
            started.kill()


def printed_line(text, start):
    return next(line.strip() for line in text.splitlines() if line.strip().startswith(start))


def on_terminal(command, type_in, expect, cwd):
    """Runs a shell line on a terminal of its own, types, and waits for each pattern in turn."""
    master, slave = pty.openpty()
    process = subprocess.Popen(["/bin/bash", "-c", command], cwd=cwd, stdin=slave, stdout=slave, stderr=slave,
                               start_new_session=True)
    os.close(slave)
    seen = ""
    try:
        for pattern in expect:
            end = time.monotonic() + 60
            while not re.search(pattern, seen):
                ready, _, _ = select.select([master], [], [], 1)
                try:
                    seen += os.read(master, 65536).decode(errors="replace") if ready else ""
                except OSError:
                    raise AssertionError(f"ended without {pattern!r}:\n{seen}") from None
                assert time.monotonic() < end, f"no {pattern!r} in:\n{seen}"
            if type_in:
                os.write(master, type_in.pop(0).encode() + b"\n")
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        os.close(master)
    return seen


def test_the_printed_wscat_line(up):
    line = printed_line(up.text, "npx wscat")
    # From the folder that has wscat installed: npx must not fetch it in a test.
    line = re.sub(r"--ca (\S+)", lambda m: f"--ca {ROOT / m[1]}", line)
    line = re.sub(r"cat (\S+?)\)", lambda m: f"cat {ROOT / m[1]})", line)
    seen = on_terminal(line, ['{"type":"health-check","payload":{}}'], ["welcome", '"status":"ok"'],
                       ROOT / "tests" / "e2e")
    assert '"csrfToken"' in seen


def test_the_printed_chat_lines(up):
    alice = printed_line(up.text, "scripts/chat")
    bob = next(line.strip() for line in up.text.splitlines() if "bob.token" in line and "--raw" not in line)
    listening = subprocess.Popen(["/bin/bash", "-c", "exec " + alice], cwd=ROOT, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
    try:
        assert "connected" in listening.stdout.readline()
        time.sleep(0.5)  # its join is on the way
        done = subprocess.run(["/bin/bash", "-c", bob], cwd=ROOT, input="hello from bob\n", capture_output=True,
                              text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        for line in listening.stdout:
            if "hello from bob" in line:
                break
        else:
            raise AssertionError("alice did not hear bob")
    finally:
        listening.kill()
        listening.wait()


def test_the_printed_attack(up):
    line = next(line.strip() for line in up.text.splitlines() if "--raw" in line)
    done = subprocess.run(["/bin/bash", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "csrf_failed" in done.stdout, done.stdout + done.stderr


def test_second_start_and_taken_port_are_told_plainly(up):
    port = re.search(r"wss://localhost:(\d+)", up.text)[1]
    again = subprocess.run([ROOT / "scripts" / "up", "--no-setup", "--no-build"], cwd=ROOT, capture_output=True,
                           text=True, env={**os.environ, "GH_RUN": str(up.run)}, timeout=60)
    assert again.returncode == 1 and "another scripts/up is running" in again.stderr, again.stderr
    with tempfile.TemporaryDirectory(prefix="gh-up-") as other:
        taken = subprocess.run(
            [ROOT / "scripts" / "up", "--no-setup", "--no-build", "--listen", f"127.0.0.1:{port}"], cwd=ROOT,
            capture_output=True, text=True, env={**os.environ, "GH_RUN": other}, timeout=60)
    assert taken.returncode == 1 and f"port {port} on 127.0.0.1 is taken" in taken.stderr, taken.stderr


@pytest.mark.parametrize("name,value,told", [
    ("GATEHOUSE_EDGE_MAX_MESSAGE_BYTES", "64 kilo", "edge.max_message_bytes"),
    ("GATEHOUSE_SESSION_ON_LIMIT", "panic", "end_oldest")])
def test_a_bad_value_starts_nothing_and_is_named(name, value, told):
    with tempfile.TemporaryDirectory(prefix="gh-up-") as folder:
        env = {**os.environ, "GH_RUN": folder, name: value}
        done = subprocess.run(
            [ROOT / "scripts" / "up", "--no-setup", "--no-build", "--listen", f"127.0.0.1:{free_port()}"], cwd=ROOT,
            capture_output=True, text=True, env=env, timeout=60)
        assert done.returncode == 1
        assert told in done.stderr and value in done.stderr, done.stderr
        assert "nothing was started" in done.stderr
        assert not (pathlib.Path(folder) / "supervisord.pid").exists()


def test_a_killed_edge_comes_back(up):
    pids = session_pids(up.supervisor())
    edge = next(p for p in pids if b"edge-1" in pathlib.Path(f"/proc/{p}/cmdline").read_bytes())
    os.kill(edge, signal.SIGKILL)

    def back():
        return any(b"edge-1" in pathlib.Path(f"/proc/{p}/cmdline").read_bytes()
                   for p in session_pids(up.supervisor()) if p != edge)
    end = time.monotonic() + 60
    while not back():
        assert time.monotonic() < end
        time.sleep(0.1)


# The last of the module: it ends what the others use.
def test_sigterm_stops_everything(up):
    port = int(re.search(r"wss://localhost:(\d+)", up.text)[1])
    supervisor = up.supervisor()
    assert session_pids(supervisor)
    up.stop()
    assert session_pids(supervisor) == []
    assert list((up.run / "s").iterdir()) == []
    with socket.socket() as s:
        assert s.connect_ex(("127.0.0.1", port)) != 0

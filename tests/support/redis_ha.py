"""Real Redis for tests that break it: one master with replicas under sentinels, on loopback."""

import os
import pathlib
import signal
import socket
import subprocess
import time

from support.gatehouse import START_S, free_port, wait_until

MASTER = "gatehouse"


def call(port, *words, timeout=5, path=None):
    """One command; a string, an int, None, a list of those, or an exception for an error."""
    with socket.socket(socket.AF_UNIX if path else socket.AF_INET) as s:
        s.settimeout(timeout)
        s.connect(str(path) if path else ("127.0.0.1", port))
        s.sendall(b"*%d\r\n" % len(words) + b"".join(
            b"$%d\r\n%s\r\n" % (len(w), w) for w in (str(w).encode() for w in words)))
        with s.makefile("rb") as f:
            return read(f)


def read(f):
    line = f.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("closed")
    kind, rest = line[:1], line[1:-2]
    if kind == b"+":
        return rest.decode()
    if kind == b"-":
        raise RuntimeError(rest.decode())
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if rest == b"-1" else f.read(int(rest) + 2)[:-2].decode()
    return None if rest == b"-1" else [read(f) for _ in range(int(rest))]


class Server:
    def __init__(self, folder, name, *args):
        self.port, self.dir = free_port(), folder / name
        self.dir.mkdir()
        self.args = ["redis-server", *args]
        self.popen = None

    def start(self, *more):
        with open(self.dir / "log", "ab") as log:
            self.popen = subprocess.Popen([*self.args, *map(str, more)], stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=log, cwd=self.dir, start_new_session=True)
        wait_until(f"redis on {self.port} answers", self.answers)
        return self

    def answers(self):
        try:
            return call(self.port, "PING") == "PONG"
        except RuntimeError:
            return False  # loading
        except OSError:
            return False

    def send(self, sig):
        self.popen.send_signal(sig)

    def stop(self, sig=signal.SIGKILL):
        if self.popen is not None and self.popen.poll() is None:
            self.popen.send_signal(signal.SIGCONT)
            self.popen.send_signal(sig)
            self.popen.wait(START_S)


class Watched:
    """A master, replicas, three sentinels."""

    def __init__(self, folder, replicas=1):
        folder = pathlib.Path(folder)
        data = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--repl-diskless-sync-delay", "0",
                "--enable-debug-command", "yes"]
        self.servers = [Server(folder, f"redis-{i}") for i in range(replicas + 1)]
        first = self.servers[0]
        first.args += [*data, "--port", str(first.port)]
        for replica in self.servers[1:]:
            replica.args += [*data, "--port", str(replica.port), "--replicaof", "127.0.0.1", str(first.port)]
        self.sentinels = [Server(folder, f"sentinel-{i}") for i in range(3)]
        for sentinel in self.sentinels:
            conf = sentinel.dir / "sentinel.conf"
            conf.write_text(f"port {sentinel.port}\nbind 127.0.0.1\n"
                            f"sentinel monitor {MASTER} 127.0.0.1 {first.port} 2\n"
                            f"sentinel down-after-milliseconds {MASTER} 1000\n"
                            f"sentinel failover-timeout {MASTER} 6000\n")
            os.chmod(conf, 0o600)
            sentinel.args += [str(conf), "--sentinel"]

    def start(self):
        for server in self.servers:
            server.start()
        for replica in self.servers[1:]:
            wait_until("the replica follows", lambda r=replica: call(r.port, "ROLE")[3] == "connected")
        for sentinel in self.sentinels:
            sentinel.start()
        for sentinel in self.sentinels:
            wait_until("the sentinels know each other and the replicas", lambda s=sentinel: (
                len(call(s.port, "SENTINEL", "SENTINELS", MASTER)) == len(self.sentinels) - 1 and
                len(call(s.port, "SENTINEL", "REPLICAS", MASTER)) >= len(self.servers) - 1))
        return self

    def stop(self):
        for server in self.sentinels + self.servers:
            server.stop()

    def addresses(self):
        return [f"127.0.0.1:{s.port}" for s in self.sentinels]

    def master(self):
        """The server that the sentinels name."""
        for sentinel in self.sentinels:
            try:
                port = int(call(sentinel.port, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)[1])
            except OSError:
                continue
            return next(s for s in self.servers if s.port == port)
        raise AssertionError("no sentinel answers")

    def agreed(self, new):
        """Every sentinel that runs names this master and sees nothing wrong with it. Before that one of them may begin
        a failover of its own, for what it saw of the server before."""
        for sentinel in self.sentinels:
            if sentinel.popen.poll() is not None:
                continue
            said = call(sentinel.port, "SENTINEL", "MASTER", MASTER)
            facts = dict(zip(said[::2], said[1::2]))
            if int(facts["port"]) != new.port or facts["flags"] != "master":
                return False
        return True

    def failed_over(self, old):
        """Waits until another server is master, says so, and the sentinels are done with it."""
        def probe():
            new = self.master()
            return new is not old and call(new.port, "ROLE")[0] == "master" and self.agreed(new) and new
        end = time.monotonic() + START_S
        while True:
            try:
                return wait_until("another server is master", probe, max(1, end - time.monotonic()))
            except OSError:
                if time.monotonic() > end:
                    raise

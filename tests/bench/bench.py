"""What every part of the bench uses: processes, CPU accounting, the load generator, tables.

A part is tests/bench/parts/NAME.py with `run(bench)`, which returns a dict that is merged into the
JSON result, or tests/bench/parts/NAME.sh, which prints such a dict as its last line (GH_BUILD and
BENCH_SECONDS in its environment). Parts measure on loopback, one thing at a time.
"""

import contextlib
import json
import os
import pathlib
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from support import gatehouse  # noqa: E402

PEERS = ROOT / "tests" / "bench" / "peers"
# For parts that measure handshakes: no limit is in the way.
OPEN_DOORS = {
    "edge": {"local_rates": {"connects_per_s": 1000000, "connects_burst": 2000000},
             "max_connections_per_address": 50000},
    "limiter": {"admit": {"address": {"per_s": 1000000, "burst": 2000000},
                          "user": {"per_s": 1000000, "burst": 2000000}}},
}


def raise_file_limit(wanted=131072):
    """As many open files as may be had, here and in what is started; root may have more than its limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def session_pids(leaders):
    """All processes of the sessions that these processes lead: their children too."""
    wanted, found = set(leaders), []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = pathlib.Path("/proc", entry, "stat").read_text()
            except OSError:
                continue
            if int(stat.rsplit(")", 1)[1].split()[3]) in wanted:
                found.append(int(entry))
    return found


def cpu_seconds(pids):
    """CPU time of processes so far, all threads, from the scheduler's own nanosecond counters."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                with contextlib.suppress(OSError):
                    total += int(pathlib.Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
    return total / 1e9


def resident_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no VmRSS of {pid}")


def wait_port(port, process, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise AssertionError(f"{process.args} ended with {process.returncode}")
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.02)
    raise AssertionError(f"{process.args} does not listen on {port}")


@contextlib.contextmanager
def running(argv, port=None, **more):
    """A process that listens on port while the block runs; in a session of its own."""
    process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, start_new_session=True, **more)
    try:
        if port is not None:
            wait_port(port, process)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def nginx(backend, certificate=None):
    """(port, process) of an nginx in front of a port; with (cert, key) over TLS, 1.2 and 1.3 as ours."""
    port = gatehouse.free_port()
    lines = ""
    if certificate:
        lines = ("ssl_certificate {}; ssl_certificate_key {}; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache off; "
                 "ssl_ecdh_curve X25519:prime256v1:secp384r1;").format(*certificate)
    text = (PEERS / "nginx.conf.in").read_text()
    with tempfile.TemporaryDirectory(prefix="gh-nginx-") as folder:
        for name, value in (("DIR", folder), ("USER", "user root;" if os.getuid() == 0 else ""), ("PORT", str(port)),
                            ("BACKEND", str(backend)), ("SSL", " ssl" if certificate else ""), ("CERTIFICATE", lines)):
            text = text.replace(f"@{name}@", value)
        conf = pathlib.Path(folder, "nginx.conf")
        conf.write_text(text)
        with running(["nginx", "-e", "stderr", "-p", folder, "-c", conf], port) as process:
            yield port, process


class Bench:
    def __init__(self, build, seconds=5.0, warm=1.0, quick=False):
        self.build, self.seconds, self.warm, self.quick = pathlib.Path(build), seconds, warm, quick
        self.checks = []  # (name, ok, what was seen)

    def tool(self, name):
        path = self.build / "bench" / name
        assert path.exists(), f"{path} is missing; scripts/build makes it"
        return path

    def wsbench(self, port, path, *args, leaders=(), seconds=None):
        """Runs the generator; its result, with cpu_us_per_msg of the sessions led by `leaders` and
        the CPU time of each leader under "cpu_us_by" when leaders is {name: pid}."""
        named = leaders if isinstance(leaders, dict) else {str(p): p for p in leaders}
        argv = [self.tool("wsbench"), "-t", seconds or self.seconds, "-u", self.warm, *args, port, path]
        process = subprocess.Popen([str(a) for a in argv], stdout=subprocess.PIPE, text=True)
        pids = {name: session_pids([pid]) for name, pid in named.items()}
        result, before, after = {}, {}, {}
        for line in process.stdout:
            value = json.loads(line)
            if value.get("window") == "begin":
                before = {name: cpu_seconds(p) for name, p in pids.items()}
            elif value.get("window") == "end":
                after = {name: cpu_seconds(p) for name, p in pids.items()}
            else:
                result = value
        process.wait()
        assert result, f"wsbench gave no result (status {process.returncode}): {argv}"
        assert process.returncode == 0, f"wsbench: {result}"
        unit = result["answered"] or result["handshakes"]
        if unit and named:
            result["cpu_us_by"] = {n: (after[n] - before[n]) * 1e6 / unit for n in named}
            result["cpu_us_per_msg"] = sum(result["cpu_us_by"].values())
        return result

    def idle(self, pid, port, path, count, *args):
        """(bytes by which the process grew for each of count idle connections, seconds to open them all)."""
        argv = [self.tool("wsbench"), "-M", "idle", "-c", count, "-B", 100, *args, port, path]
        before = resident_bytes(pid)
        process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        opened = json.loads(process.stdout.readline())["open"]
        assert opened == count, f"only {opened} of {count} connections opened"
        time.sleep(2)  # heartbeats and timers run once over them
        after = resident_bytes(pid)
        process.stdin.close()
        result = json.loads(process.stdout.readline())
        process.wait()
        assert result["live"] == count, f"only {result['live']} of {count} were still open: {result}"
        return (after - before) / count, result["setup_s"]

    def check(self, name, ok, seen):
        """Something the bench holds the suite to; a failed one makes scripts/bench fail."""
        self.checks.append((name, bool(ok), seen))

    @contextlib.contextmanager
    def suite(self, **more):
        more.setdefault("config", {})
        with gatehouse.Suite(**more) as suite:
            yield suite

    @staticmethod
    def leaders(suite):
        """Our processes by instance; Redis is not ours and is counted apart."""
        return {name: process.pid for name, process in suite.processes.items()}

    def token_file(self, suite, users, name="tokens"):
        path = suite.dir / name
        path.write_text("".join(suite.token(f"user-{i}") + "\n" for i in range(users)))
        path.chmod(0o600)
        return path


def median_of(results, key):
    return statistics.median(r[key] for r in results)


def table(title, header, rows):
    """Plain text, numbers to the right."""
    cells = [[str(c) for c in row] for row in [header, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    print(f"\n{title}")
    for n, row in enumerate(cells):
        print("  " + "  ".join(c.ljust(w) if i == 0 else c.rjust(w)
                               for i, (c, w) in enumerate(zip(row, widths))).rstrip())
        if n == 0:
            print("  " + "  ".join("-" * w for w in widths))
    sys.stdout.flush()

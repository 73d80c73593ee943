"""Memory of idle connections: how much one edge grows by 20,000 of them, plain and over TLS; by fewer
where a process may not have as many files open, which is said."""

import json
import resource
import subprocess
import time

from bench import resident_bytes, table

COUNT, TLS_COUNT, ADDRESSES, USERS = 20000, 5000, 100, 40
LIMIT_BYTES = 12 * 1024
RESERVED_FILES = 256  # of the edge, for all else than clients
CONFIG = {
    "edge": {"max_connections": 50000, "max_connections_per_address": 1000,
             "local_rates": {"connects_per_s": 100000, "connects_burst": 200000}},
    "limiter": {"admit": {"address": {"per_s": 100000, "burst": 200000},
                          "user": {"per_s": 100000, "burst": 200000}}},
}


def grow(bench, suite, count, *extra):
    """(bytes per connection of the edge, seconds to open them all)."""
    edge = suite.processes["edge-1"].pid
    tokens = bench.token_file(suite, USERS)
    argv = [bench.tool("wsbench"), "-M", "idle", "-c", count, "-B", ADDRESSES, "-T", tokens,
            "-g", '"welcome"', *extra, suite.port, "/ws"]
    before = resident_bytes(edge)
    process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    opened = json.loads(process.stdout.readline())["open"]
    assert opened == count, f"only {opened} of {count} connections opened"
    time.sleep(2)  # heartbeats and timers run once over them
    after = resident_bytes(edge)
    process.stdin.close()
    result = json.loads(process.stdout.readline())
    process.wait()
    assert result["live"] == count, f"only {result['live']} of {count} were still open: {result}"
    return (after - before) / count, result["setup_s"]


def run(bench):
    count, tls_count = (1000, 300) if bench.quick else (COUNT, TLS_COUNT)
    room = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - RESERVED_FILES
    if room < count:
        print(f"\nonly {room} idle connections: a process may open {room + RESERVED_FILES} files here")
        count = room
    with bench.suite(tls=False, config=CONFIG) as suite:
        plain, plain_s = grow(bench, suite, count)
    with bench.suite(tls=True, config=CONFIG) as suite:
        tls, tls_s = grow(bench, suite, tls_count, "-S")
    table("idle connections on one edge", ["", "connections", "bytes each", "opened in s"],
          [["plain", count, f"{plain:,.0f}", plain_s], ["TLS", tls_count, f"{tls:,.0f}", tls_s]])
    bench.check("an idle plain connection within 12 KiB", plain <= LIMIT_BYTES, f"{plain:,.0f} bytes")
    return {"idle_bytes_per_connection": round(plain), "idle_connections": count,
            "idle_tls_bytes_per_connection": round(tls)}

"""Memory of idle connections: how much one edge grows by 20,000 of them, plain and over TLS; by fewer
where a process may not have as many files open, which is said."""

import resource

from bench import table

COUNT, TLS_COUNT, USERS = 20000, 5000, 40
LIMIT_BYTES = 12 * 1024
RESERVED_FILES = 256  # of the edge, for all else than clients
CONFIG = {
    "edge": {"max_connections": 50000, "max_connections_per_address": 1000,
             "local_rates": {"connects_per_s": 100000, "connects_burst": 200000}},
    "limiter": {"admit": {"address": {"per_s": 100000, "burst": 200000},
                          "user": {"per_s": 100000, "burst": 200000}}},
}


def grow(bench, suite, count, *extra):
    return bench.idle(suite.processes["edge-1"].pid, suite.port, "/ws", count, "-T", bench.token_file(suite, USERS),
                      "-g", '"welcome"', *extra)


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

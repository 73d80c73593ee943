"""Admissions end to end: a client's handshake through auth (ES256), session (Redis) and limiter to its
`welcome`, for users of their own, as often as it goes; with the CPU time of each process for one."""

from bench import OPEN_DOORS, table

LOOPS, USERS = 32, 400


def run(bench):
    with bench.suite(tls=False, config=OPEN_DOORS) as suite:
        leaders = {**bench.leaders(suite), "redis": suite.redis.pid}
        result = bench.wsbench(suite.port, "/ws", "-M", "handshake", "-c", LOOPS, "-B", 16, "-T",
                               bench.token_file(suite, USERS), "-g", '"welcome"', leaders=leaders)
        created = suite["session-1"].metric("gatehouse_session_created_total")
    by = {name.rsplit("-", 1)[0]: round(us, 1) for name, us in result["cpu_us_by"].items()}
    table(f"admissions end to end, {LOOPS} at once", ["per s", "p50 us", "p99 us", *(f"{n} us" for n in by)],
          [[f"{result['handshakes_per_s']:,.0f}", result["p50_us"], result["p99_us"], *by.values()]])
    bench.check("every handshake is a session", created >= result["handshakes"],
                f"{created:,.0f} sessions for {result['handshakes']:,} handshakes")
    return {"admissions": {"per_s": result["handshakes_per_s"], "p50_us": result["p50_us"], "p99_us": result["p99_us"],
                           "cpu_us_by": by}}

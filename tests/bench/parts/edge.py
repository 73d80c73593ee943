"""The edge's doors: whole handshakes (TLS, head, ES256 token, admission, `welcome`) beside nginx doing TLS and the
upgrade to a bare echo, in turn in one run; and an idle TLS connection's memory beside one of bare libwebsockets."""

from bench import OPEN_DOORS, median_of, nginx, running, table
from support import gatehouse

LOOPS = 32
IDLE = 5000
LEAST_RATIO, MOST_MEMORY = 0.7, 1.25
CONFIG = {**OPEN_DOORS,
          "edge": {**OPEN_DOORS["edge"], "max_connections": 50000, "max_handshakes_per_address": 1000}}


def handshakes(bench, certificate):
    """Median figures by name; the four take turns, so that what else the machine does meets all of them."""
    rounds = 1 if bench.quick else 3
    runs = {name: [] for name in ("plain", "tls", "nginx_plain", "nginx_tls")}
    echo_port = gatehouse.free_port()
    common = ["-M", "handshake", "-c", LOOPS, "-B", 16]
    with bench.suite(tls=False, config=CONFIG) as plain, bench.suite(tls=True, config=CONFIG) as tls, \
            running([bench.tool("lws_echo"), echo_port], echo_port) as echo, \
            nginx(echo_port) as (nginx_port, nginx_plain), nginx(echo_port, certificate) as (nginx_tls_port, nginx_tls):
        for _ in range(rounds):
            for name, suite, more in (("plain", plain, []), ("tls", tls, ["-S"])):
                runs[name].append(bench.wsbench(suite.port, "/ws", *common, *more, "-T", bench.token_file(suite, 200),
                                                "-g", '"welcome"', leaders=bench.leaders(suite)))
            for name, port, process, more in (("nginx_plain", nginx_port, nginx_plain, []),
                                              ("nginx_tls", nginx_tls_port, nginx_tls, ["-S"])):
                runs[name].append(bench.wsbench(port, "/", *common, *more,
                                                leaders={"nginx": process.pid, "echo": echo.pid}))
    rows = []
    for name, results in runs.items():
        by = sorted(results, key=lambda r: r["cpu_us_per_msg"])[len(results) // 2]["cpu_us_by"]
        rows.append([name, f"{median_of(results, 'handshakes_per_s'):,.0f}", median_of(results, "p50_us"),
                     median_of(results, "p99_us"), round(median_of(results, "cpu_us_per_msg")),
                     "  ".join(f"{who.split('-')[0]} {us:.0f}" for who, us in by.items() if us >= 1)])
    table(f"handshakes, {LOOPS} at once, median of {rounds}",
          ["", "per s", "p50 us", "p99 us", "CPU us each", "of which"], rows)
    return {name: {key: round(median_of(results, key), 1) for key in ("handshakes_per_s", "p50_us", "p99_us", "cpu_us_per_msg")}
            for name, results in runs.items()}


def idle(bench, certificate):
    count = 300 if bench.quick else IDLE
    port = gatehouse.free_port()
    with running([bench.tool("lws_echo"), port, *certificate], port) as echo:
        bare, _ = bench.idle(echo.pid, port, "/", count, "-S")
    with bench.suite(tls=True, config=CONFIG) as suite:
        ours, _ = bench.idle(suite.processes["edge-1"].pid, suite.port, "/ws", count, "-S",
                             "-T", bench.token_file(suite, 40), "-g", '"welcome"')
    table(f"{count} idle TLS connections", ["", "bytes each"],
          [["edge", f"{ours:,.0f}"], ["bare libwebsockets", f"{bare:,.0f}"]])
    return {"edge": round(ours), "lws": round(bare)}


def run(bench):
    with bench.suite(services=()) as keys:
        certificate = (keys.dir / "tls" / "edge.crt", keys.dir / "tls" / "edge.key")
        speed, memory = handshakes(bench, certificate), idle(bench, certificate)
    ratio = speed["tls"]["handshakes_per_s"] / speed["nginx_tls"]["handshakes_per_s"]
    growth = memory["edge"] / memory["lws"]
    bench.check(f"TLS handshakes with admission at least {LEAST_RATIO} of nginx without", ratio >= LEAST_RATIO, f"{ratio:.2f}")
    bench.check(f"an idle TLS connection at most {MOST_MEMORY} times a bare libwebsockets one", growth <= MOST_MEMORY,
                f"{growth:.2f}")
    return {"edge": {"handshakes": speed, "tls_to_nginx": round(ratio, 2), "idle_tls_bytes": memory,
                     "idle_tls_to_lws": round(growth, 2)}}

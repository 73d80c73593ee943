"""Handshakes a second, each with a token, admission and `welcome`, then closed: plain and TLS."""

from bench import OPEN_DOORS, table

LOOPS = 32


def run(bench):
    out, rows = {}, []
    for name, tls in (("plain", False), ("tls", True)):
        with bench.suite(tls=tls, config=OPEN_DOORS) as suite:
            args = ["-M", "handshake", "-c", LOOPS, "-B", 16, "-T", bench.token_file(suite, 200), "-g", '"welcome"']
            result = bench.wsbench(suite.port, "/ws", *args, *(["-S"] if tls else []),
                                   leaders=bench.leaders(suite))
        out[name] = result
        rows.append([name, f"{result['handshakes_per_s']:,.0f}", result["p50_us"], result["p99_us"],
                     round(result["cpu_us_per_msg"], 1)])
    table(f"handshakes with token, admission and welcome, {LOOPS} at once",
          ["", "per s", "p50 us", "p99 us", "CPU us each"], rows)
    return {"handshakes_per_s": out["plain"]["handshakes_per_s"],
            "tls_handshakes_per_s": out["tls"]["handshakes_per_s"],
            "handshake_cpu_us": round(out["plain"]["cpu_us_per_msg"], 1),
            "tls_handshake_cpu_us": round(out["tls"]["cpu_us_per_msg"], 1)}

"""The suite's full path beside three others that do less, 64 connections with 8 messages in flight
each, 200-byte chat messages, plain; and the suite's full path over TLS.

Rounds of all targets alternate, and the median round counts, so that a busy moment of the machine
falls on all of them. A message is a chat message to oneself: it is judged like any other, and the
application sends it back.
"""

import contextlib

from bench import PEERS, gatehouse, median_of, nginx, running, table

CONNECTIONS, WINDOW, MESSAGE_BYTES = 64, 8, 200
# Limits do their work at rates no client here reaches.
CONFIG = {
    "edge": {"local_rates": {"messages_per_s": 1000000, "messages_burst": 2000000,
                             "connects_per_s": 100000, "connects_burst": 200000}},
    "limiter": {"classes": {"user": {"per_s": 1000000, "burst": 2000000},
                            "chat": {"per_s": 1000000, "burst": 2000000}}},
}


def message(csrf_bytes):
    """A chat message of MESSAGE_BYTES once %SEQ% (7 digits here) and %CSRF% are filled in."""
    csrf = ',"csrfToken":"%CSRF%"' if csrf_bytes else ""
    text = '{"type":"chat","payload":{"text":"TEXT %SEQ%"}' + csrf + "}"
    size = len(text) - len("%SEQ%") + 5 - (len("%CSRF%") - csrf_bytes if csrf_bytes else 0) - len("TEXT")
    words = "the quick brown fox jumps over the lazy dog and then it does so once more, slowly and with care, "
    return text.replace("TEXT", (words * 3)[:MESSAGE_BYTES - size])


def measure(bench, port, path, leaders, *extra, csrf_bytes=0, connections=CONNECTIONS, window=WINDOW):
    args = ["-c", connections, "-w", window, "-m", message(csrf_bytes), *extra]
    return bench.wsbench(port, path, *args, leaders=leaders)


@contextlib.contextmanager
def suite_target(bench, tls):
    with bench.suite(tls=tls, config=CONFIG) as suite:
        tokens = bench.token_file(suite, CONNECTIONS)
        extra = ["-T", tokens, "-g", '"welcome"', "-x", '"type":"chat"', "-e", '"type":"error"']
        if tls:
            extra.append("-S")
        yield lambda *more, **kw: measure(bench, suite.port, "/ws", bench.leaders(suite), *extra, *more,
                                          csrf_bytes=43, **kw)


@contextlib.contextmanager
def nginx_target(bench, echo_port, echo_pid=None):
    with nginx(echo_port) as (port, process):
        yield lambda *more, **kw: measure(bench, port, "/", {"nginx": process.pid, "echo": echo_pid}, *more, **kw)


@contextlib.contextmanager
def node_target(bench):
    """The guide's design; it takes the tokens of an issuer of ours."""
    port = gatehouse.free_port()
    with bench.suite(services=()) as keys, running(
            ["node", PEERS / "node_guide.mjs", port, keys.dir / "keys" / "issuer.pub.pem"], port) as node:
        tokens = bench.token_file(keys, CONNECTIONS)
        extra = ["-T", tokens, "-g", '"welcome"', "-x", '"type":"chat"', "-e", '"type":"error"']
        yield lambda *more, **kw: measure(bench, port, "/", {"node": node.pid}, *extra, *more,
                                          csrf_bytes=43, **kw)


def run(bench):
    rounds = 1 if bench.quick else 3
    with contextlib.ExitStack() as stack:
        targets = {"full_path": stack.enter_context(suite_target(bench, False)),
                   "full_path_tls": stack.enter_context(suite_target(bench, True))}
        echo_port = gatehouse.free_port()
        echo = stack.enter_context(running([bench.tool("lws_echo"), echo_port], echo_port))
        targets["lws_echo"] = lambda *more, **kw: measure(bench, echo_port, "/", {"echo": echo.pid}, *more, **kw)
        targets["nginx_proxy"] = stack.enter_context(nginx_target(bench, echo_port, echo.pid))
        targets["node_guide"] = stack.enter_context(node_target(bench))
        runs = {name: [] for name in targets}
        single = {name: [] for name in targets}
        for _ in range(rounds):
            for name, go in targets.items():
                runs[name].append(go())
                single[name].append(go(connections=1, window=1))

    out, rows = {}, []
    for name, results in runs.items():
        refused = sum(r["refused"] for r in results)
        assert refused == 0, f"{name}: {refused} messages refused"
        figures = {key: round(median_of(results, key), 2)
                   for key in ("msgs_per_s", "p50_us", "p99_us", "cpu_us_per_msg")}
        figures["one_in_flight_p50_us"] = round(median_of(single[name], "p50_us"), 1)
        by = sorted(results, key=lambda r: r["cpu_us_per_msg"])[len(results) // 2]["cpu_us_by"]
        figures["cpu_us_by_process"] = {process: round(us, 2) for process, us in by.items()}
        out[name] = figures
        rows.append([name, f"{figures['msgs_per_s']:,.0f}", figures["p50_us"], figures["p99_us"],
                     figures["cpu_us_per_msg"], figures["one_in_flight_p50_us"]])
    ratio = {f"full_path_to_{other}": round(out["full_path"]["msgs_per_s"] / out[other]["msgs_per_s"], 2)
             for other in ("node_guide", "nginx_proxy", "lws_echo")}
    ratio["tls_to_plain"] = round(out["full_path_tls"]["msgs_per_s"] / out["full_path"]["msgs_per_s"], 2)
    out["ratios"] = ratio
    table(f"{CONNECTIONS} connections x {WINDOW} in flight, {MESSAGE_BYTES}-byte chat messages, median of {rounds}",
          ["path", "msgs/s", "p50 us", "p99 us", "CPU us/msg", "p50 us alone"], rows)
    table("messages/s as ratios", ["ratio", "x"], list(ratio.items()))
    table("CPU us per message by process, full path", ["process", "us"],
          list(out["full_path"]["cpu_us_by_process"].items()))
    bench.check("full path at least 3 times the Node peer", ratio["full_path_to_node_guide"] >= 3,
                f"{ratio['full_path_to_node_guide']} (aim 8)")
    bench.check("at most 12 us CPU a message over all our processes",
                out["full_path"]["cpu_us_per_msg"] <= 12, f"{out['full_path']['cpu_us_per_msg']} us (aim 5)")
    return out

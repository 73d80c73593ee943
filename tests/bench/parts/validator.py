"""The whole verdict on chat messages beside parse + write alone, simdjson, jansson and Node; and the worst messages."""

import json
import shutil
import subprocess
import tempfile

from bench import ROOT


def run(bench):
    subprocess.run(["cmake", "--build", str(bench.build), "--target", "verdict_bench"], check=True,
                   stdout=subprocess.DEVNULL)
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        args = [str(bench.build / "bench" / "verdict_bench"), "--policies", str(ROOT / "deploy" / "policies"),
                # Many short rounds, of which the best counts: what else the machine does only ever adds.
                "--rounds", "2" if bench.quick else "60", "--round-ms", "10", "--json", out.name]
        if shutil.which("node"):
            args += ["--node", str(ROOT / "tests" / "bench" / "peers" / "json_node.mjs")]
        subprocess.run(args, check=True)
        result = json.load(open(out.name))
    small = result["messages"]["200 B"]
    if "simdjson_ns" in small:
        bound = 1.5 * small["simdjson_ns"] + 1000
        bench.check("verdict on 200 B at most 1.5 x simdjson + 1 us", small["verdict_ns"] <= bound,
                    f"{small['verdict_ns']:.0f} ns of {bound:.0f} ns")
    for name, message in result["messages"].items():
        if "simdjson_ns" in message:
            bench.check(f"parse + write of {name} as fast as simdjson", message["parse_write_ns"] <= message["simdjson_ns"],
                        f"{message['parse_write_ns']:.0f} ns, simdjson {message['simdjson_ns']:.0f} ns")
        if "node_ns" in message:
            bench.check(f"verdict on {name} not slower than Node", message["verdict_ns"] <= message["node_ns"],
                        f"{message['verdict_ns']:.0f} ns, Node {message['node_ns']:.0f} ns")
    return {"validator": result}

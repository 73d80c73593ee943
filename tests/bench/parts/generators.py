"""Two generators written apart must see the same server alike: ours and wsload, when it is there,
against the bare echo, in turn."""

import os
import pathlib
import subprocess
import tempfile

from bench import ROOT, gatehouse, running, table

MESSAGE = '{"type":"chat","payload":{"text":"' + "x" * 140 + ' %SEQ%"}}'


def wsload_source():
    for folder in (os.environ.get("GH_SHARED_DIR"), ROOT / ".." / "shared"):
        if folder and (pathlib.Path(folder) / "tools" / "wsload.c").exists():
            return pathlib.Path(folder) / "tools" / "wsload.c"
    return None


def run(bench):
    source = wsload_source()
    if source is None:
        print("\nskipped: wsload.c is not there (GH_SHARED_DIR, or ../shared beside the checkout)")
        return {"generators": {"skipped": "wsload.c is not there"}}
    pairs = 1 if bench.quick else 7
    with tempfile.TemporaryDirectory(prefix="gh-") as folder:
        wsload = os.path.join(folder, "wsload")
        subprocess.run(["cc", "-O2", "-w", "-o", wsload, source, "-lssl", "-lcrypto"], check=True)
        port = gatehouse.free_port()
        with running([bench.tool("lws_echo"), port], port):
            ours, theirs = [], []
            for _ in range(pairs):
                ours.append(bench.wsbench(port, "/", "-c", 64, "-w", 8, "-m", MESSAGE)["msgs_per_s"])
                line = subprocess.run(
                    [wsload, "-c", "64", "-w", "8", "-t", str(max(1, int(bench.seconds))), "-u", "1", "-m", MESSAGE,
                     "127.0.0.1", str(port), "/"], check=True, capture_output=True, text=True).stdout
                theirs.append(float(dict(p.split("=") for p in line.split())["msgs_per_s"]))
    ratio = sorted(a / b for a, b in zip(ours, theirs))[pairs // 2]
    table("generators against the same echo", ["", "msgs/s, each run"],
          [["ours", " ".join(f"{v:,.0f}" for v in ours)], ["wsload", " ".join(f"{v:,.0f}" for v in theirs)],
           ["median of the ratios", f"{ratio:.3f}"]])
    bench.check("our generator and wsload agree within 10 %", abs(ratio - 1) <= 0.1, f"{ratio:.3f}")
    return {"generators": {"ours_msgs_per_s": ours, "wsload_msgs_per_s": theirs, "ratio": round(ratio, 3)}}

#!/usr/bin/python3
"""scripts/bench: runs parts, prints their tables, writes the figures as JSON."""

import argparse
import importlib.util
import json
import os
import pathlib
import platform
import subprocess
import sys
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from bench import ROOT, Bench, raise_file_limit  # noqa: E402

DEFAULT = ["paths", "idle", "handshakes", "generators"]


def parts():
    return {p.stem: p for p in sorted((HERE / "parts").iterdir()) if p.suffix in (".py", ".sh")}


def run_part(path, bench):
    if path.suffix == ".sh":
        env = {**os.environ, "GH_BUILD": str(bench.build), "BENCH_SECONDS": str(bench.seconds)}
        done = subprocess.run([path], env=env, stdout=subprocess.PIPE, text=True, check=True)
        lines = done.stdout.rstrip().splitlines()
        print("\n".join(lines[:-1]))
        return json.loads(lines[-1])
    spec = importlib.util.spec_from_file_location(f"part_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.run(bench)


def main():
    known = parts()
    p = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    p.add_argument("parts", nargs="*", metavar="PART",
                   help=f"of: {' '.join(known)}; without one: {' '.join(DEFAULT)}, or all with --smoke")
    p.add_argument("--json", metavar="FILE", help="write the figures there")
    p.add_argument("--seconds", type=float, default=5, help="measured in each run (5)")
    p.add_argument("--smoke", action="store_true", help="short runs that show it works; figures mean little, "
                   "and bounds are not judged")
    p.add_argument("--build", default=os.environ.get("GH_BUILD", ROOT / "build"))
    args = p.parse_args()
    chosen = args.parts or (list(known) if args.smoke else DEFAULT)
    for name in chosen:
        if name not in known:
            p.error(f"no part called {name}; there are: {' '.join(known)}")

    raise_file_limit()
    os.environ["GH_BUILD"] = str(args.build)
    bench = Bench(args.build, seconds=0.5 if args.smoke else args.seconds, warm=0.2 if args.smoke else 1,
                  quick=args.smoke)
    results = {"machine": {"cpus": os.cpu_count(), "kernel": platform.release()}, "seconds": bench.seconds}
    failed = 0
    for name in chosen:
        try:
            results.update(run_part(known[name], bench))
        except Exception:  # one part's failure must not hide the others' figures
            traceback.print_exc()
            print(f"FAIL part {name}")
            failed += 1
        if args.json:
            pathlib.Path(args.json).write_text(json.dumps(results, indent=2) + "\n")
    if bench.checks:
        print()
        for name, ok, seen in bench.checks:
            judged = "pass" if ok else "seen" if args.smoke else "FAIL"
            failed += judged == "FAIL"
            print(f"{judged} {name}: {seen}")
    print(f"\n{len(chosen) - failed if args.smoke else len(chosen) + len(bench.checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Sums JUnit files: prints "PASSED FAILED SKIPPED", then one line for each test that failed.

ctest knows one test a program; cmocka's own summary in its output tells how many were inside.

  count.py FILE...
"""

import re
import sys
import xml.etree.ElementTree as ET

CMOCKA_RAN = re.compile(r"^\[=+\] Running (\d+) test\(s\)", re.M)
CMOCKA_PASSED = re.compile(r"^\[  PASSED  \] (\d+) test\(s\)", re.M)
CMOCKA_FAILED = re.compile(r"^\[  FAILED  \] (\S.*?)$", re.M)
CMOCKA_SKIPPED = re.compile(r"^\[  SKIPPED \] (\d+) test\(s\)", re.M)


def count_case(case):
    """(passed, failed, skipped, names of those that failed) of one JUnit test case."""
    name = ".".join(filter(None, (case.get("classname"), case.get("name"))))
    bad = case.find("failure") is not None or case.find("error") is not None or case.get("status") == "fail"
    skipped = case.find("skipped") is not None or case.get("status") in ("notrun", "disabled")
    output = case.findtext("system-out") or ""
    ran = sum(map(int, CMOCKA_RAN.findall(output)))
    if ran:
        passed = sum(map(int, CMOCKA_PASSED.findall(output)))
        skips = sum(map(int, CMOCKA_SKIPPED.findall(output)))
        # A crash leaves tests without a verdict: they count as failed, and a bad program fails at least once.
        failed = max(ran - passed - skips, 1 if bad else 0)
        names = sorted({n for n in CMOCKA_FAILED.findall(output) if "test(s)" not in n})
        return passed, failed, skips, [f"{name}: {n}" for n in names] or ([name] if failed else [])
    if bad:
        return 0, 1, 0, [name]
    return (0, 0, 1, []) if skipped else (1, 0, 0, [])


def main():
    totals, failures = [0, 0, 0], []
    for path in sys.argv[1:]:
        for case in ET.parse(path).iter("testcase"):
            *numbers, names = count_case(case)
            totals = [a + b for a, b in zip(totals, numbers)]
            failures += names
    print(*totals)
    for name in failures:
        print(name)


main()

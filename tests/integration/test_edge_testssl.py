"""testssl.sh, which nobody here wrote, against the default configuration.

By default the checks that take seconds; GH_TESTSSL=full runs every one (two minutes). What a self-signed
certificate of a few days causes is expected, by name; anything else at MEDIUM or above fails.
"""

import json
import os
import shutil
import subprocess

import pytest

FULL = os.environ.get("GH_TESTSSL") == "full"
PARTS = [] if FULL else ["--protocols", "--renegotiation", "--crime", "--heartbleed"]
CAUSED_BY_THE_DEVELOPMENT_CERTIFICATE = {"cert_chain_of_trust", "cert_expirationStatus", "cert_notAfter",
                                         "cert_revocation", "cert_trust", "overall_grade", "grade_cap_reason_1"}
SANITIZED = "asan" in os.environ.get("GH_BUILD", "") or os.environ.get("GH_SANITIZE")


@pytest.mark.skipif(shutil.which("testssl") is None, reason="testssl.sh is not installed")
@pytest.mark.skipif(bool(SANITIZED) and not FULL, reason="the same bytes as without sanitizers")
def test_nothing_at_medium_or_above(suite, tmp_path):
    report = tmp_path / "report.json"
    done = subprocess.run(["testssl", "--quiet", "--color", "0", "--warnings", "off",
                           "--jsonfile", report, *PARTS, f"127.0.0.1:{suite.port}"],
                          capture_output=True, text=True, timeout=900)
    assert report.exists(), done.stdout + done.stderr
    findings = json.loads(report.read_text())
    assert {"TLS1_2", "TLS1_3"} <= {f["id"] for f in findings if f["severity"] in ("OK", "INFO")}, findings
    bad = [f for f in findings if f["severity"] in ("MEDIUM", "HIGH", "CRITICAL", "FATAL")
           and f["id"].split(" ")[0] not in CAUSED_BY_THE_DEVELOPMENT_CERTIFICATE]
    assert not bad, json.dumps(bad, indent=1)
    with suite.client():
        pass

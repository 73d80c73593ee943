"""The validator on files: a policy folder made here, messages in, verdicts out."""

import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("GH_BUILD", ROOT / "build"))


def policy_test(folder, messages, route="main", roles="user"):
    """A verdict for each message. Fails when the policy does not load."""
    lines = "".join(json.dumps(m) + "\n" for m in messages)
    done = subprocess.run([BUILD / "bin" / "gatehouse-validator", "--offline", "policy", "test", folder,
                           "--route", route, "--roles", roles],
                          input=lines, capture_output=True, text=True, encoding="utf-8",
                          env={**os.environ, "GATEHOUSE_VALIDATOR_SIGNATURE_CACHE": str(BUILD / "signatures.cache")})
    assert done.returncode in (0, 1), f"{done.returncode}: {done.stderr}"
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(verdicts) == len(messages), done.stderr
    return verdicts


def payload_of(verdict):
    return json.loads(verdict["output"])["payload"]

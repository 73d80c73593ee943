"""The written contracts against the code: no arm without a route, no code without its line."""

import re

from support.gatehouse import ROOT

ANSWERS = {"hello_reply", "error_reply", "auth_verdict", "session_created", "session_touched", "session_renewed",
           "session_ended", "session_listed", "admit_reply", "lease_reply", "ban_changed", "ban_listed", "verdict_batch", "policy_rules",
           "app_answer", "audit_appended", "audit_tailed"}
PUSHED = {"session_order", "ban_order", "auth_order", "app_push"}
BY_THE_SERVER_ITSELF = {"hello"}


def arms():
    body = (ROOT / "proto" / "envelope.proto").read_text().split("oneof body {")[1].split("}")[0]
    return dict(re.findall(r"^\s*(\w+) (\w+) = \d+;", body, re.M))


def sources(pattern):
    return "\n".join(p.read_text() for p in (ROOT / "services").glob(pattern))


def test_every_request_has_a_route_and_a_sender():
    routes = sources("*/*.c") + sources("common/app/*.c")
    for kind, arm in arms().items():
        if arm in ANSWERS | PUSHED | BY_THE_SERVER_ITSELF or arm.endswith(("_reply", "_answer", "_done")):
            continue
        row = re.search(r"\{\s*GH__ENVELOPE__BODY_%s,\s*(\w[^{}]*?),\s*\w+\s*,?\s*\}" % arm.upper(), routes)
        assert row, f"{kind} has no route in any handlers.c"
        assert row.group(1).strip(), kind


def test_every_message_is_in_the_grammar():
    grammar = (ROOT / "proto" / "README.md").read_text()
    for kind in arms():
        assert f"`{kind}" in grammar or f"{kind}`" in grammar or f" {kind} " in grammar, kind


def test_every_dependency_has_its_reason():
    reasons = (ROOT / "services" / "ARCHITECTURE.md").read_text().lower()
    used = set(re.findall(r"pkg_check_modules\((\w+)", (ROOT / "CMakeLists.txt").read_text()))
    names = {"CRYPTO": "openssl", "SSL": "openssl", "ZMQ": "zeromq", "PROTOBUF_C": "protobuf-c", "YAML": "libyaml",
             "UV": "libuv", "SECCOMP": "libseccomp", "HIREDIS": "hiredis"}
    for module in used:
        assert names.get(module, module.lower()) in reasons, module


def test_every_verdict_is_documented():
    rows = dict(re.findall(r'X\((GH_CODE_\w+),\s*"(\w+)"', (ROOT / "services/common/code.h").read_text()))
    table = (ROOT / "services/validator/README.md").read_text().split("## Verdicts")[1].split("\n## ")[0]
    documented = set(re.findall(r"^\| `(\w+)` \|", table, re.M))
    given = set(re.findall(r"GH_CODE_\w+", sources("validator/verdict/*.c") + sources("validator/handlers.c")))
    assert {rows[code] for code in given - {"GH_CODE_COUNT"}} == documented

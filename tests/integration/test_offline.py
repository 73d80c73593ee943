"""gatehousectl on files: schema, policy and json commands, through the real programs: formats, places, exit status."""

import base64
import json
import signal
import subprocess

import pytest

from support.gatehouse import BUILD, ROOT, Suite, wait_until

CTL = BUILD / "bin" / "gatehousectl"
VALID = {"valid": True, "error": None, "instancePath": "", "schemaPath": ""}

POLICY = """route: main
types:
  chat: { send: [user], receive: ["*"], schema: schemas/chat.json, rate: chat, outbound: { redact: [cards] } }
  pay: { send: ["*"], csrf: exempt, replay: { window: 30s } }
binary: { kinds: [png], send: [user], max_bytes: 32 }
"""
CHAT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"], "additionalProperties": False}


def ctl(*args, stdin="", cwd=None):
    data = stdin if isinstance(stdin, bytes) else stdin.encode()
    done = subprocess.run([CTL, *map(str, args)], input=data, capture_output=True, timeout=120, cwd=cwd)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def answers(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("offline")
    files = {
        "good.json": '{"type":"object","properties":{"a":{"type":"string","format":"email"}},"required":["a"]}',
        "mail.json": '{"$schema":"http://json-schema.org/draft-07/schema#","$ref":"file:///good.json"}',
        "bad.json": '{"type":"object",\n "properties":{"a":{"type":"strin"}}}',
        "back.json": '{"pattern":\n"(a)\\\\1"}',
        "behind.json": '{"pattern":"(?<=a)b"}',
        "open.json": '{"pattern":"(a"}',
        "remote.json": '{"$ref":"https://example.org/x.json"}',
        "cut.json": '{"type":',
        "twice.json": '{"type":"object",\n"type":"string"}',
    }
    for name, text in files.items():
        (path / name).write_text(text)
    (path / "policy" / "schemas").mkdir(parents=True)
    (path / "policy" / "main.yaml").write_text(POLICY)
    (path / "policy" / "schemas" / "chat.json").write_text(json.dumps(CHAT))
    return path


# --- schema -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("args, status, said", [
    (["good.json"], 0, "good.json: ok\n"),
    (["good.json", "mail.json"], 0, "good.json: ok\nmail.json: ok\n"),
    (["--add", "good.json", "mail.json"], 0, "mail.json: ok\n"),
    (["--draft", "7", "--format", "good.json"], 0, "good.json: ok\n"),
    (["bad.json"], 1, "bad.json:2:29: /properties/a/type: unknown type; use null, boolean, integer, number, string, array, object\n"),
    (["good.json", "bad.json"], 1, "good.json: ok\nbad.json:2:29: "),
    (["back.json"], 1, "back.json:2:2: /pattern: pattern: a back-reference needs back-tracking\n"),
    (["behind.json"], 1, "behind.json:1:13: /pattern: pattern: lookbehind"),
    (["open.json"], 1, "open.json:1:13: /pattern: pattern: "),
    (["remote.json"], 1, "remote.json:1:10: /$ref: no loaded document is https://example.org/x.json (nothing is fetched)\n"),
    (["mail.json"], 1, "mail.json:1:62: /$ref: no loaded document is file:///good.json"),
    (["cut.json"], 1, "cut.json:1:9: /: not strict JSON: the text ends inside a value\n"),
    (["twice.json"], 1, "twice.json:2:1: /: not strict JSON: the object has this key already\n"),
    (["missing.json"], 2, "missing.json:0:0: /: No such file or directory\n"),
])
def test_schema_check(folder, args, status, said):
    code, out, err = ctl("schema", "check", *args, cwd=folder)
    assert code == status and out.startswith(said) and not err, (code, out, err)


@pytest.mark.parametrize("args", [["check"], ["check", "--draft", "5", "good.json"], ["check", "--what", "good.json"],
                                  ["check", "--schema", "good.json", "good.json"], ["validate", "good.json"],
                                  ["validate", "--draft"], ["judge"], []])
def test_schema_usage(folder, args):
    code, out, err = ctl("schema", *args, cwd=folder)
    assert code == 2 and not out and ("usage: " in err or "unknown command" in err or "gatehousectl" in err)


@pytest.mark.parametrize("line, verdict", [
    ({"schema": {"type": "string"}, "data": "x"}, VALID),
    ({"schema": True, "data": [1]}, VALID),
    ({"schema": False, "data": 1}, {"valid": False, "instancePath": "", "schemaPath": "#/false schema"}),
    ({"schema": {"properties": {"a": {"minimum": 3}}}, "data": {"a": 1}},
     {"valid": False, "error": "minimum: 3", "instancePath": "/a", "schemaPath": "#/properties/a/minimum"}),
    ({"schema": {"items": {"properties": {"a/b~c": False}}}, "data": [0, {"a/b~c": 1}]},
     {"valid": False, "instancePath": "/1/a~1b~0c", "schemaPath": "#/items/properties/a~1b~0c/false schema"}),
    ({"schema": {"$dynamicRef": "#n", "$defs": {"x": {"$dynamicAnchor": "n", "type": "integer"}}}, "data": "x"},
     {"valid": False, "error": "type", "schemaPath": "#/$defs/x/type"}),
    ({"schema": {"required": ["a"], "unevaluatedProperties": False}, "data": {"a": 1}},
     {"valid": False, "instancePath": "/a", "schemaPath": "#/unevaluatedProperties"}),
    ({"schema": {"format": "email"}, "data": "x"}, VALID),
    ({"schema": {"type": 7}, "data": 1}, {"valid": None, "instancePath": "", "schemaPath": ""}),
    ({"schema": {"pattern": "(a)\\1"}, "data": "aa"}, {"valid": None, "error": "/pattern: pattern: a back-reference needs back-tracking"}),
    ({"schema": {"$ref": "file:///etc/passwd"}, "data": 1}, {"valid": None}),
    ({"schema": True}, {"valid": None, "error": "a line is {\"schema\": ..., \"data\": ...}"}),
    ([1], {"valid": None}),
])
def test_schema_validate_line(line, verdict):
    code, out, err = ctl("schema", "validate", stdin=json.dumps(line) + "\n")
    (answer,) = answers(out)
    assert list(answer) == ["valid", "error", "instancePath", "schemaPath"] and not err
    assert {k: answer[k] for k in verdict} == verdict
    assert code == (0 if answer["valid"] else 1)


def test_schema_validate_answers_each_line_in_order(folder):
    lines = b'{"a":"x@y.z"}\n\n{"a":"nope"}\r\n{}\nnot json\n{"a":"\xff"}\n{"a":1,"a":"x@y.z"}\n{"a":"last@line.org"}'
    code, out, _ = ctl("schema", "validate", "--format", "--schema", "good.json", stdin=lines, cwd=folder)
    assert [a["valid"] for a in answers(out)] == [True, False, False, None, None, None, True] and code == 1
    assert answers(out)[1]["schemaPath"] == "#/properties/a/format" and answers(out)[2]["error"] == "required: a"
    code, out, _ = ctl("schema", "validate", "--schema", "good.json", stdin='{"a":"nope"}\n', cwd=folder)
    assert answers(out) == [VALID] and code == 0  # format is an annotation unless asked for
    code, out, _ = ctl("schema", "validate", "--schema", "bad.json", stdin="{}\n", cwd=folder)
    assert code == 2 and out.startswith("bad.json:2:29: ")
    assert ctl("schema", "validate") == (0, "", "")


# --- policy -----------------------------------------------------------------------------------------


def test_policy_check_says_what_it_has(folder):
    code, out, err = ctl("policy", "check", "policy", cwd=folder)
    assert code == 0 and not err and out.startswith("policy: ok: 1 routes, 2 types, 1 schemas, version ")


@pytest.mark.parametrize("change, problems", [
    (("rate: chat", "rtae: chat"), ["main.yaml:3: /types/chat/rtae: unknown key; known: send, receive, rate,"]),
    (("window: 30s", "window: 1ms"), ['main.yaml:4: /types/pay/replay/window: "1ms" is not a duration']),
    (("[png]", "[exe]"), ['main.yaml:5: /binary/kinds/0: "exe" is not one of: ']),
    (("max_bytes: 32", "max_bytes: lots"), ['main.yaml:5: /binary/max_bytes: "lots" is not a size']),
    (("[cards]", "[/text]"), ["main.yaml:3: /types/chat/outbound/redact/0: not a JSON pointer into the payload"]),
    (("schemas/chat.json", "schemas/gone.json"), ["main.yaml:3: /types/chat/schema: "]),
    (("schemas/chat.json", "../chat.json"), ["main.yaml:3: /types/chat/schema: "]),
    (("route: main", "rout: main"), ["main.yaml:1: /rout: unknown key; known: route, max_bytes"]),
    (("types:", "types: ["), ["main.yaml:"]),
    (("[user]", '["no spaces please"]'), ["main.yaml:3: /types/chat/send/0: a role is 1 to 64"]),
    (("rate: chat", "rate: chat, sanitize: { /payload/text: scrub }"),
     ['main.yaml:3: /types/chat/sanitize/~1payload~1text: "scrub" is not one of: escape, reject, strip, rich']),
    (("rate: chat, outbound", "rate: chat, signatures: { threshold: none }, outbound"), ["main.yaml:3: /types/chat/signatures"]),
    ((POLICY, POLICY.replace("rate: chat", "rtae: chat").replace("30s", "forever")), ["main.yaml:3: ", "main.yaml:4: "]),
])
def test_a_policy_with_an_error_never_loads(folder, tmp_path, change, problems):
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "chat.json").write_text(json.dumps(CHAT))
    (tmp_path / "main.yaml").write_text(POLICY.replace(*change))
    code, out, _ = ctl("policy", "check", tmp_path)
    assert code == 1, out
    for problem in problems:
        assert any(problem in line for line in out.splitlines()), (problem, out)
    code, out, err = ctl("policy", "test", tmp_path, "--route", "main", stdin='{"type":"chat","payload":{"text":"x"}}\n')
    assert code == 2 and not out and all(problem in err for problem in problems)


def test_a_bad_schema_of_a_policy_is_named_with_its_file(tmp_path):
    (tmp_path / "schemas").mkdir()
    (tmp_path / "main.yaml").write_text(POLICY)
    for text, said in (('{"properties":{"text":\n{"pattern":"(a)\\\\1"}}}', "schemas/chat.json:2: /properties/text/pattern: "),
                       ('{"type":"object",}', "schemas/chat.json:1: "), ("", "schemas/chat.json:1: ")):
        (tmp_path / "schemas" / "chat.json").write_text(text)
        code, out, _ = ctl("policy", "check", tmp_path)
        assert code == 1 and said in out, out


def test_two_files_for_one_route_and_none_at_all(folder, tmp_path):
    assert ctl("policy", "check", tmp_path)[0] == 1
    assert ctl("policy", "check", tmp_path / "nowhere")[0] == 1
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("route: main\ntypes: { x: {} }\n")
    code, out, _ = ctl("policy", "check", tmp_path)
    assert code == 1 and 'b.yaml:1: /route: another file has the policy of route "main"' in out


@pytest.mark.parametrize("message, more, verdict", [
    ({"type": "chat", "payload": {"text": "<b>"}, "id": "1"}, [],
     {"accept": True, "type": "chat", "id": "1", "rate": "chat", "score": 0,
      "output": '{"type":"chat","payload":{"text":"&lt;b&gt;"},"id":"1"}'}),
    ({"type": "chat", "payload": {"t": 1}}, [],
     {"accept": False, "code": "schema_violation", "pointer": "/payload/t", "rule": "#/additionalProperties"}),
    ({"type": "nope", "payload": 1}, [], {"accept": False, "code": "unknown_type", "pointer": "/type"}),
    ({"type": "chat"}, [], {"accept": False, "code": "bad_envelope", "pointer": ""}),
    ({"type": "chat", "payload": {"text": "x"}, "more": 1}, [], {"accept": False, "code": "bad_envelope"}),
    ({"type": "chat", "payload": {"text": "x"}}, ["--roles", "guest"], {"accept": False, "code": "role_forbidden"}),
    ({"type": "chat", "payload": {"text": "x"}}, ["--route", "other"], {"accept": False, "code": "not_found"}),
    ({"type": "chat", "payload": {"text": "x"}}, ["--csrf", "t"], {"accept": False, "code": "csrf_failed", "pointer": ""}),
    ({"type": "chat", "payload": {"text": "x"}, "csrfToken": "u"}, ["--csrf", "t"],
     {"accept": False, "code": "csrf_failed", "pointer": "/csrfToken"}),
    ({"type": "chat", "payload": {"text": "x"}, "csrfToken": "t"}, ["--csrf", "t"],
     {"accept": True, "output": '{"type":"chat","payload":{"text":"x"}}'}),
    ({"type": "chat", "payload": {"text": "4111111111111111"}}, ["--out"],
     {"accept": True, "redactions": 1, "output": '{"type":"chat","payload":{"text":"[redacted:card]"}}'}),
    ({"type": "pay", "payload": 1}, ["--out"], {"accept": False, "code": "role_forbidden"}),
    ({"type": "pay", "payload": {"a": {"__proto__": 1}}, "id": "1", "timestamp": 5000}, ["--now", "5000"],
     {"accept": False, "code": "content_refused", "pointer": "/payload/a/__proto__"}),
    ({"type": "pay", "payload": 1, "id": "1", "timestamp": 1}, ["--now", "100000"],
     {"accept": False, "code": "replayed", "pointer": "/timestamp"}),
    ({"type": "pay", "payload": 1}, [], {"accept": False, "code": "bad_envelope"}),
])
def test_policy_test_verdict(folder, message, more, verdict):
    code, out, err = ctl("policy", "test", "policy", "--route", "main", "--roles", "user,other", *more,
                         stdin=json.dumps(message) + "\n", cwd=folder)
    (answer,) = answers(out)
    assert {k: answer.get(k) for k in verdict} == verdict and not err
    assert code == (0 if answer["accept"] else 1)


def test_policy_test_answers_each_line_in_order(folder):
    pay = '{"type":"pay","payload":1,"id":"1","timestamp":1000000}\n'
    lines = (pay + pay + "\n" + '{"type":"chat","payload":{"text":"x"\n').encode() + b'{"type":"pay","payload":"\xff"}\n'
    code, out, _ = ctl("policy", "test", "policy", "--route", "main", "--roles", "user", "--now", "1000000",
                       stdin=lines, cwd=folder)
    assert [a.get("code", "ok") for a in answers(out)] == ["ok", "replayed", "bad_json", "bad_utf8"] and code == 1


def test_policy_test_binary_comes_and_goes_as_base64(folder):
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").decode()
    gif = base64.b64encode(b"GIF89a").decode()
    long = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"x" * 40).decode()
    run = ("policy", "test", "policy", "--route", "main", "--roles", "user", "--binary")
    code, out, _ = ctl(*run, stdin=f"{png}\n{gif}\n{long}\n", cwd=folder)
    assert code == 1 and [a.get("code", "ok") for a in answers(out)] == ["ok", "binary_refused", "message_too_large"]
    assert answers(out)[0]["output"] == png
    code, out, err = ctl(*run, stdin="%%%%\n", cwd=folder)
    assert code == 2 and not out and "no base64" in err


@pytest.mark.parametrize("args", [["check"], ["check", "a", "b"], ["test"], ["test", "policy"], ["test", "policy", "--route"],
                                  ["test", "policy", "more", "--route", "main"], ["test", "policy", "--route", "main", "--what"],
                                  ["test", "policy", "--route", "main", "--now", "soon"], ["nonsense"]])
def test_policy_usage(folder, args):
    code, out, err = ctl("policy", *args, cwd=folder)
    assert code == 2 and not out and err


@pytest.mark.parametrize("kind", ["chat", "notification"])
def test_ordinary_talk_passes_the_sample_policy(kind):
    """Escaped and as rich text: signatures, keys and modes together refuse none of it."""
    talk = (ROOT / "services/validator/signatures/tests/data/ordinary-chat.txt").read_text().split("\n")[:-1]
    lines = "".join(json.dumps({"type": kind, "payload": {"text": line}}) + "\n" for line in talk)
    code, out, err = ctl("policy", "test", ROOT / "deploy/policies", "--route", "main", "--roles", "user,moderator",
                         stdin=lines)
    verdicts = answers(out)
    assert len(verdicts) == len(talk) >= 2000 and not err
    assert [(v["rule"], line) for v, line in zip(verdicts, talk) if not v["accept"]] == [] and code == 0


# --- json -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text, args, status, said", [
    (b'{"a":[1,2.5e3,null]}', [], 0, "stdin: accept\n"),
    (b'{"a":\n 01}', [], 1, "stdin:2:3: offset 8: malformed number\n"),
    (b"[1,]", [], 1, "stdin:1:4: offset 3: a value was expected\n"),
    (b"[1] 2", [], 1, "stdin:1:5: offset 4: something follows the value\n"),
    (b'{"a":1,"\\u0061":2}', [], 1, "stdin:1:8: offset 7: the object has this key already\n"),
    (b'{"a":1,"\\u0061":2}', ["--allow-duplicates"], 0, "stdin: accept\n"),
    (b'"\\ud800"', [], 1, "stdin:1:2: offset 1: lone surrogate in a string\n"),
    (b'"\xc0\xaf"', [], 1, "stdin:1:2: offset 1: not valid UTF-8\n"),
    (b"[[[]]]", ["--max-depth", "2"], 1, "stdin:1:3: offset 2: "),
    (b"[[]]", ["--max-depth", "2"], 0, "stdin: accept\n"),
    (b"[1234567890]", ["--max-bytes", "11"], 1, "stdin:"),
    (b'[1]\n{"a":\n"\\x"\n\n[2]\n', ["--ndjson"], 1, "stdin:1: accept\nstdin:2:6: offset 9: the text ends inside a value\nstdin:3:3: offset 12: unknown escape in a string\nstdin:5: accept\n"),
    (b'[1]\n[2]\n', ["--ndjson", "--quiet"], 0, ""),
    (b'{ "b" : 1.0, "a" : "\\u0041\\/" }', ["--canonical"], 0, '{"b":1.0,"a":"A/"}'),
    (b"", [], 1, "stdin:1:1: offset 0: "),
])
def test_json_check(text, args, status, said):
    code, out, err = ctl("json", "check", *args, "-", stdin=text)
    assert code == status and out.startswith(said) and not err, (code, out, err)


def test_json_check_of_files(folder):
    code, out, err = ctl("json", "check", "good.json", "cut.json", cwd=folder)
    assert code == 1 and out == "good.json: accept\ncut.json:1:9: offset 8: the text ends inside a value\n"
    code, out, err = ctl("json", "check", "missing.json", "good.json", cwd=folder)
    assert code == 2 and out == "good.json: accept\n" and "missing.json: No such file or directory" in err
    for wrong in ([], ["--what", "good.json"], ["--max-depth", "none", "good.json"]):
        code, out, err = ctl("json", "check", *wrong, cwd=folder)
        assert code == 2 and not out and "usage: json check" in err


# --- all --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["schema check", "schema validate", "policy check", "policy test", "json check", "token verify"])
def test_each_command_says_how_it_is_used(command):
    code, out, err = ctl(*command.split(), "--help")
    assert code == 0 and f"{command.split()[1]}" in out and out.startswith("usage: ") and not err


def test_token_verify_judges_each_line(tmp_path):
    """The rules have a table of their own (services/auth/tests); here: the command, its lines and its status."""
    suite = Suite(services=())
    try:
        good, old = suite.token("vera", ["user"]), suite.token("vera", ["user"], ttl_s=-600)
        run = ("token", "verify", "--config", suite.config_path)
        code, out, err = ctl(*run, stdin=f'{{"token":"{good}"}}\n"{old}"\n\nnonsense\n{{"token":1}}\n')
        lines = answers(out)
        assert code == 1, err
        assert lines[0]["valid"] is True and "vera" in json.dumps(lines[0])
        assert [line["valid"] for line in lines[1:]] == [False] * (len(lines) - 1) and len(lines) == 4
        assert all(line.get("reason") for line in lines[1:]) and good not in out
        code, out, _ = ctl(*run, stdin=f'"{good}"\n')
        assert code == 0 and answers(out)[0]["valid"] is True
        assert ctl("token", "verify", "--config", tmp_path / "none.yaml", stdin="")[0] not in (0, 1)
    finally:
        suite.stop()


def test_a_validator_does_not_start_on_a_bad_policy():
    suite = Suite(services=())
    try:
        main = suite.dir / "policies" / "main.yaml"
        main.write_text(main.read_text().replace("rate: chat", "rtae: chat", 1))
        validator = suite.add("validator", "validator-1").start()
        validator.expected_end = True
        wait_until("it ends", lambda: not validator.alive())
        assert validator.popen.returncode not in (0, -signal.SIGSEGV, -signal.SIGABRT)
        assert "/types/chat/rtae: unknown key" in validator.log() and "event=ready" not in validator.log()
    finally:
        suite.stop()

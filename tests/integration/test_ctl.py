"""gatehousectl against real services, and its verifier against a real log spoilt in every way (O7, L2)."""

import json
import pathlib
import shutil
import subprocess
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from support.gatehouse import BUILD, ISSUER, Suite

CTL = BUILD / "bin" / "gatehousectl"
PEM, PKCS8, PLAIN = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


@pytest.fixture(scope="module")
def suite():
    with Suite(services=("audit", "session", "limiter"), config={"audit": {"rotate_bytes": 65536}}) as running:
        yield running


def ctl(*args, **more):
    return subprocess.run([str(a) for a in (CTL, *args)], capture_output=True, text=True, timeout=60, **more)


def with_config(suite, *args, check=True):
    return suite.ctl("--config", suite.config_path, *args, check=check)


# --- usage ----------------------------------------------------------------------------------------


def test_help_names_every_command_and_a_wrong_one_is_a_usage_error():
    done = ctl("--help")
    assert done.returncode == 0
    for command in ("token", "sessions list", "sessions end", "bans add", "stats", "audit verify", "config check"):
        assert command in done.stdout
        assert ctl(*command.split(), "--help").returncode == 0
    for wrong in ([], ["nonsense"], ["sessions"], ["bans", "drop"], ["token", "--what"], ["--what"]):
        done = ctl(*wrong)
        assert done.returncode == 2 and done.stderr and not done.stdout, wrong


def test_a_service_that_is_away_is_status_3(tmp_path):
    text = (pathlib.Path(__file__).parents[2] / "deploy" / "gatehouse.yaml").read_text()
    config = tmp_path / "gatehouse.yaml"
    config.write_text(text.replace("run_dir: /run/gatehouse", f"run_dir: {tmp_path}")
                      .replace("state_dir: /var/lib/gatehouse", f"state_dir: {tmp_path}"))
    done = ctl("--config", config, "bans", "list")
    assert done.returncode == 3 and "limiter does not answer" in done.stderr


# --- token ----------------------------------------------------------------------------------------


def key_file(tmp_path, alg):
    path = tmp_path / f"{alg}.key"
    if alg == "HS256":
        path.write_text("0123456789abcdef0123456789abcdef\n")
        return path, "0123456789abcdef0123456789abcdef"
    key = ec.generate_private_key(ec.SECP256R1()) if alg == "ES256" else \
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.write_bytes(key.private_bytes(PEM, PKCS8, PLAIN))
    return path, key.public_key()


@pytest.mark.parametrize("alg", ["HS256", "ES256", "RS256"])
def test_a_token_is_what_pyjwt_takes(tmp_path, alg):
    path, public = key_file(tmp_path, alg)
    done = ctl("token", "--key", path, "--user", 'bo"b', "--roles", "user,moderator", "--ttl", "10m", "--iss", "https://i",
               "--aud", "me", "--kid", "k1", "--claims", '{"tenant":{"id":7}}')
    assert done.returncode == 0, done.stderr
    token = done.stdout.strip()
    assert jwt.get_unverified_header(token) == {"alg": alg, "typ": "JWT", "kid": "k1"}
    claims = jwt.decode(token, public, algorithms=[alg], audience="me", issuer="https://i")
    assert claims["sub"] == 'bo"b' and claims["roles"] == ["user", "moderator"] and claims["tenant"] == {"id": 7}
    assert claims["exp"] - claims["iat"] == 600 and len(claims["jti"]) >= 22


def test_the_issuer_comes_from_the_configuration(suite, tmp_path):
    path, public = key_file(tmp_path, "ES256")
    token = with_config(suite, "token", "--key", path).stdout.strip()
    claims = jwt.decode(token, public, algorithms=["ES256"], audience="gatehouse", issuer=ISSUER)
    assert claims["sub"] == "alice" and claims["roles"] == ["user"]


def test_what_cannot_sign_is_refused(tmp_path):
    ed = tmp_path / "ed.pem"
    ed.write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes(PEM, PKCS8, PLAIN))
    es, _ = key_file(tmp_path, "ES256")
    rest = ("--iss", "i", "--aud", "a")
    assert ctl("token", "--key", ed, *rest).returncode == 2
    assert ctl("token", "--key", tmp_path / "none", *rest).returncode == 3
    assert ctl("token", "--key", es, "--alg", "none", *rest).returncode == 2
    assert ctl("token", "--key", es, "--alg", "RS256", *rest).returncode == 1
    assert ctl("token", "--key", es, "--ttl", "soon", *rest).returncode == 2
    assert ctl("--config", "/nonexistent", "token", "--key", es).returncode == 2


# --- keys and configuration -----------------------------------------------------------------------


def test_keys_are_made_once_and_kept(tmp_path):
    done = ctl("keys", "init", tmp_path / "k", "--audit", "--issuer", "ES256")
    assert done.returncode == 0, done.stderr
    files = {p.name: p.read_bytes() for p in (tmp_path / "k").iterdir()}
    for name in ("audit.key.pem", "audit.pub.pem", "issuer.key.pem", "issuer.pub.pem", "edge.secret", "edge.pub"):
        assert name in files
    for path in (tmp_path / "k").iterdir():
        private = path.name.endswith((".secret", ".key.pem"))
        assert not private or path.stat().st_mode & 0o077 == 0, path
    assert ctl("keys", "init", tmp_path / "k", "--audit", "--issuer", "ES256").returncode == 0
    assert {p.name: p.read_bytes() for p in (tmp_path / "k").iterdir()} == files


def test_config_check_asks_the_services(suite):
    done = with_config(suite, "--json", "config", "check", check=False)
    said = {s["service"]: s for s in json.loads(done.stdout)["services"]}
    asked = [s for s in said.values() if s["installed"]]
    assert len(asked) >= 3 and done.returncode == (0 if all(s["ok"] for s in asked) else 1)
    assert said["audit"]["ok"] and said["session"]["ok"] and said["limiter"]["ok"]


def test_config_check_names_the_place_of_a_bad_value(suite, tmp_path):
    text = suite.config_path.read_text()
    assert "rotate_bytes: 65536" in text
    bad = suite.dir / "bad.yaml"
    bad.write_text(text.replace("rotate_bytes: 65536", "rotate_bytes: 64 kilo"))
    line = 1 + bad.read_text().splitlines().index("  rotate_bytes: 64 kilo")
    done = ctl("config", "check", bad)
    assert done.returncode == 1
    assert f"bad.yaml:{line}: audit.rotate_bytes" in done.stdout


# --- the services ---------------------------------------------------------------------------------


def test_bans_are_added_listed_and_lifted(suite):
    assert with_config(suite, "bans", "list").stdout == "no bans\n"
    with_config(suite, "bans", "add", "address", "192.0.2.0/24", "--for", "1h", "--reason", "scanner")
    with_config(suite, "bans", "add", "user", "mallory")
    listed = [json.loads(line) for line in with_config(suite, "--json", "bans", "list").stdout.splitlines()]
    by_kind = {b["kind"]: b for b in listed}
    assert by_kind["address"]["subject"] == "192.0.2.0/24" and by_kind["address"]["reason"] == "scanner"
    assert by_kind["address"]["expiresMs"] > time.time() * 1000 and by_kind["user"]["expiresMs"] == 0
    assert by_kind["user"]["by"].startswith("ctl:")
    assert "scanner" in with_config(suite, "bans", "list").stdout
    with_config(suite, "bans", "lift", "user", "mallory")
    assert with_config(suite, "bans", "lift", "user", "mallory", check=False).returncode == 1
    with_config(suite, "bans", "lift", "address", "192.0.2.0/24")
    assert with_config(suite, "bans", "list").stdout == "no bans\n"
    assert with_config(suite, "bans", "add", "planet", "mars", check=False).returncode == 2
    assert with_config(suite, "bans", "add", "address", "not an address", check=False).returncode == 2


def test_sessions_of_nobody(suite):
    assert with_config(suite, "sessions", "list").stdout == "no sessions\n"
    assert with_config(suite, "sessions", "end", "--user", "nobody", check=False).returncode == 1
    assert with_config(suite, "sessions", "end", check=False).returncode == 2
    assert with_config(suite, "sessions", "end", "--user", "a", "--session", "b", check=False).returncode == 2


def test_stats_show_every_process(suite):
    said = json.loads(with_config(suite, "--json", "stats").stdout)
    assert {p["name"] for p in said["processes"]} == {"audit-1", "session-1", "limiter-1"}
    assert all(p["ready"] for p in said["processes"])
    assert said["figures"]["gatehouse_audit_seq"] >= 1
    text = with_config(suite, "stats", "--interval", "200ms").stdout
    assert "audit-1" in text and "gatehouse_bus_messages_total" in text and "PER S" in text
    one = ctl("stats", f"unix:{suite.run_dir}/audit-1.admin")
    assert one.returncode == 0 and "session-1" not in one.stdout
    assert ctl("stats", "unix:/nonexistent").returncode == 3


# --- the audit log --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def log(suite):
    """A log of a few hundred records in several segments, and copies of it to spoil."""
    def send(count):
        sender = subprocess.Popen([str(a) for a in (BUILD / "tests" / "audit_sender", f"ipc://{suite.run_dir}/audit.*",
                                                    suite.dir / "spool", "edge-9", count, 1)],
                                  stdout=subprocess.PIPE, text=True)
        for line in sender.stdout:
            if line == "idle\n":
                break
        sender.terminate()
        assert sender.wait(60) == 0

    def last():
        return sorted((suite.state_dir / "audit").glob("audit-*.log"))[-1].read_bytes().count(b"\n")
    send(900)
    while last() < 4:
        send(3)
    return suite


def tail(suite, *args):
    return [json.loads(line) for line in with_config(suite, "--json", "audit", "tail", *args).stdout.splitlines()]


def test_tail_shows_the_newest(log):
    records = log.audit_records()
    assert tail(log, "-n", 5) == records[-5:]
    assert tail(log, "-n", 1000) == records[-1000:]
    assert tail(log, "--after", 10, "-n", 7) == records[10:17]
    line = with_config(log, "audit", "tail", "-n", 1).stdout
    assert line.startswith(str(records[-1]["seq"])) and records[-1]["kind"] in line
    assert with_config(log, "audit", "tail", "-n", 0, check=False).returncode == 2


@pytest.fixture
def copy(log, tmp_path):
    """The log as files, apart from the running service."""
    class Copy:
        dir = tmp_path / "audit"
        anchor = tmp_path / "anchor"
        key = tmp_path / "key"

        def verify(self, *more):
            done = ctl("--json", "audit", "verify", "--dir", self.dir, "--key", self.key, "--anchor", self.anchor, *more)
            return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr

        def segments(self):
            return sorted(self.dir.glob("audit-*.log"))

    shutil.copytree(log.state_dir / "audit", Copy.dir)
    shutil.copy(log.state_dir / "audit.anchor", Copy.anchor)
    shutil.copy(log.dir / "keys" / "audit.pub.pem", Copy.key)
    status, verdict = Copy().verify()
    assert status == 0 and verdict["ok"] and verdict["records"] >= 900 and verdict["segments"] > 2
    assert verdict["anchorSeq"] == verdict["lastSeq"] == verdict["records"]
    return Copy()


def edit(path, change):
    lines = path.read_bytes().splitlines(keepends=True)
    change(lines)
    path.write_bytes(b"".join(lines))


def refused(copy, segment, line, seq, says):
    status, verdict = copy.verify()
    assert status == 1 and not verdict["ok"]
    first = verdict["problems"][0]
    assert (first["file"], first["line"], first["seq"]) == (segment.name, line, seq), verdict["problems"][:3]
    assert says in first["problem"]
    text = ctl("audit", "verify", "--dir", copy.dir, "--key", copy.key, "--anchor", copy.anchor)
    assert text.returncode == 1 and "NOT INTACT" in text.stdout
    assert f"{segment.name}{f':{line}' if line else ''}: seq {seq}: " in text.stdout


def first_seq(segment):
    return int(segment.name[6:26])


def test_a_flipped_byte_is_refused(copy):
    segment = copy.segments()[1]

    def flip(lines):
        lines[9] = lines[9].replace(b"mallory", b"mallorx")
    edit(segment, flip)
    refused(copy, segment, 10, first_seq(segment) + 9, "not what was written")


def test_a_dropped_line_is_refused(copy):
    segment = copy.segments()[1]
    edit(segment, lambda lines: lines.pop(9))
    refused(copy, segment, 10, first_seq(segment) + 10, f"record {first_seq(segment) + 9} is missing")


def test_swapped_lines_are_refused(copy):
    segment = copy.segments()[1]

    def swap(lines):
        lines[9], lines[10] = lines[10], lines[9]
    edit(segment, swap)
    refused(copy, segment, 10, first_seq(segment) + 10, "is missing before it")


def test_a_cut_tail_is_refused(copy):
    segment = copy.segments()[-1]
    count = len(segment.read_bytes().splitlines())
    assert count > 1
    edit(segment, lambda lines: lines.pop())
    refused(copy, segment, count - 1, first_seq(segment) + count - 2, "the log ends after it")


@pytest.mark.parametrize("gone", [1, 2, 3, 40])
def test_a_tail_cut_inside_a_record_is_refused(copy, gone):
    segment = copy.segments()[-1]
    count = len(segment.read_bytes().splitlines())
    segment.write_bytes(segment.read_bytes()[:-gone])
    refused(copy, segment, count, first_seq(segment) + count - 1, "no record")


def test_a_missing_segment_is_refused(copy):
    gone, after = copy.segments()[1:3]
    gone.unlink()
    refused(copy, after, 0, first_seq(after), f"records {first_seq(gone)} to {first_seq(after) - 1}")


def test_a_missing_last_segment_is_refused(copy):
    *_, before, gone = copy.segments()
    gone.unlink()
    count = len(before.read_bytes().splitlines())
    refused(copy, before, count, first_seq(before) + count - 1, "the log ends after it")


def test_a_whole_rewritten_log_does_not_fit_the_anchor(copy):
    """Who can compute hashes can make a new chain; only the key makes an anchor for it."""
    import hashlib
    import re
    chain = bytes(32)
    for segment in copy.segments():
        lines = []
        for line in segment.read_bytes().splitlines():
            line = re.sub(rb'"prev":"[0-9a-f]{64}"', b'"prev":"' + chain.hex().encode() + b'"', line)
            line = line.replace(b"mallory", b"alice")
            chain = hashlib.sha256(chain + line).digest()
            lines.append(line + b"\n")
        segment.write_bytes(b"".join(lines))
    status, verdict = copy.verify()
    assert status == 1 and "anchor has another hash" in verdict["problems"][0]["problem"]


def test_a_forged_anchor_is_refused(copy):
    line, signature = copy.anchor.read_text().splitlines()
    copy.anchor.write_text(line.replace('"time":1', '"time":2') + "\n" + signature + "\n")
    status, verdict = copy.verify()
    assert status == 1 and verdict["problems"][0]["file"] == "anchor" and "signature" in verdict["problems"][0]["problem"]


def test_another_key_is_refused(copy):
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    copy.key.write_bytes(key.public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    status, verdict = copy.verify()
    assert status == 1 and "not made with this key" in verdict["problems"][0]["problem"]


def test_what_cannot_be_read_is_status_3(copy):
    assert ctl("audit", "verify", "--dir", copy.dir / "x", "--key", copy.key, "--anchor", copy.anchor).returncode == 3
    assert ctl("audit", "verify", "--dir", copy.dir, "--key", copy.anchor, "--anchor", copy.anchor).returncode == 3
    assert ctl("audit", "verify", "--dir", copy.dir, "--key", copy.key, "--anchor", copy.dir / "x").returncode == 3
    assert ctl("audit", "verify", "--dir", copy.dir, "--key", copy.key).returncode == 2


def test_records_after_the_anchor_are_counted_not_refused(copy):
    with open(copy.segments()[-1], "ab") as segment:
        segment.write(b'{"seq":')
    status, verdict = copy.verify()
    assert status == 0 and verdict["unfinishedBytes"] == 7

"""Each service's user in Redis (deploy/redis/users.acl.in) may do what the service does, and no more: the
whole suite runs with them, and what they need not is refused."""

import subprocess

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from support.gatehouse import ROOT, Suite, wait_until
from support.ws import Client
from test_identity_theft import CONFIG, SECRET, log_in, post, refresh

USERS = ("auth", "session", "limiter", "audit")


class Guarded(Suite):
    """Every service with its own user, and a Redis that knows nobody else."""

    def start_redis(self):
        acl = self.dir / "redis"
        subprocess.run([ROOT / "deploy" / "redis" / "make-acl", ROOT / "deploy" / "redis" / "users.acl.in", acl], check=True)
        with open(self.dir / "log" / "redis.log", "ab") as log:
            self.redis = subprocess.Popen(
                ["redis-server", "--port", "0", "--unixsocket", self.run_dir / "redis.sock", "--unixsocketperm", "700",
                 "--save", "", "--appendonly", "yes", "--dir", self.dir, "--aclfile", acl / "users.acl"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        wait_until("redis answers", lambda: self.redis_cli("audit", "PING") == "PONG")

    def redis_cli(self, user, *words):
        """What redis-cli prints, as this user."""
        secret = (self.dir / "redis" / f"{user}.password").read_text()
        done = subprocess.run(["redis-cli", "-s", self.run_dir / "redis.sock", "--user", user, "--pass", secret,
                               "--no-auth-warning", *words], capture_output=True, text=True, timeout=30)
        return (done.stdout + done.stderr).strip()

    def start(self):
        self.start_redis()
        for service, instance in self._plan:
            for key in ("GATEHOUSE_REDIS_USER", "GATEHOUSE_REDIS_PASSWORD_FILE"):
                self.env.pop(key, None)
            if service in USERS:
                self.env["GATEHOUSE_REDIS_USER"] = service
                self.env["GATEHOUSE_REDIS_PASSWORD_FILE"] = str(self.dir / "redis" / f"{service}.password")
            self.add(service, instance).start()
        for process in self.processes.values():
            process.wait_ready()
        return self


@pytest.fixture(scope="module")
def suite():
    route = yaml.safe_load((ROOT / "deploy" / "gatehouse.yaml").read_text())["routes"][0]
    route = {**route, "resume": {"window": "30s"}, "credentials": ["bearer", "subprotocol", "ticket"]}
    suite = Guarded(tls=False, edges=2, config={**CONFIG, "routes": [route]})
    key = ec.generate_private_key(ec.SECP256R1())
    suite._write_private("keys/own.key.pem", key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    suite._write_private("keys/backend.secret", SECRET.encode())
    with suite:
        yield suite


def test_everything_they_do_is_allowed(suite):
    ctl = lambda *args, **kw: suite.ctl("--config", suite.config_path, *args, **kw)  # noqa: E731
    ws = suite.client(suite.token("alice", jti="one"))
    assert ws.ask("chat", {"text": "hello"})["type"] == "ack"
    ws.send_message("token_refresh", {"token": suite.token("alice", jti="two")}, csrf=False)
    assert ws.recv_type("token_refresh", "error")["type"] == "token_refresh"
    assert "alice" in ctl("sessions", "list").stdout
    ctl("revoke", "token", "two")
    assert ws.expect_close() == 4401
    ctl("revoke", "lift", "token", "two")
    ws = suite.client(suite.token("bob"))
    ctl("bans", "add", "--user", "bob", "--for", "1m", check=False)
    ctl("bans", "list", check=False)
    ctl("sessions", "end", "--user", "bob", check=False)
    assert ws.expect_close() in (4430, 4403)
    suite.client(suite.token("carol")).close()
    tokens = log_in(suite, "dora")
    assert refresh(suite, tokens)[0] == 200 and refresh(suite, tokens)[0] == 401  # rotated; its family dies
    status, ticket = post(suite, "/auth/ticket", {}, Authorization="Bearer " + suite.token("erin"))
    assert status == 200
    protocol = ("Sec-WebSocket-Protocol", f"gatehouse.v1, gatehouse.ticket.{ticket['ticket']}")
    Client.connect(("127.0.0.1", suite.port), "/ws", tls=False, headers=[protocol]).close()
    token = suite.token("fred")
    ws = suite.client(token)
    assert ws.ask("join", {"room": "lobby"})["type"] == "ack"
    assert ws.ask("chat", {"room": "lobby", "text": "kept"})["type"] == "ack"
    ident, secret = ws.welcome["payload"]["sessionId"], ws.welcome["payload"]["resume"]["secret"]
    ws.sock.close()
    back = suite.client(token, headers=[("Sec-WebSocket-Protocol", f"gatehouse.v1, gatehouse.resume.{ident}.{secret}.0")])
    assert back.welcome["payload"]["sessionId"] == ident
    assert back.ask("leave", {"room": "lobby"})["type"] == "ack"
    back.close()
    for service in ("auth-1", "session-1", "limiter-1"):
        log = suite[service].log()
        assert "NOPERM" not in log and "redis_error" not in log, log[-3000:]


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("words", [
    ("KEYS", "*"), ("FLUSHALL",), ("FLUSHDB",), ("CONFIG", "GET", "*"), ("ACL", "LIST"),
    ("SCAN", "0"), ("CLIENT", "LIST"), ("MONITOR",), ("SHUTDOWN", "NOSAVE"), ("REPLICAOF", "NO", "ONE"), ("SAVE",),
    ("EVAL", "return 1", "0"), ("SCRIPT", "FLUSH"), ("FUNCTION", "LIST"), ("MODULE", "LIST"), ("SUBSCRIBE", "x"),
    ("PUBLISH", "x", "y"), ("GET", "foreign"), ("SET", "foreign", "1"), ("MIGRATE", "h", "1", "k", "0", "1"),
    ("RENAME", "a", "b"), ("SWAPDB", "0", "1"), ("COMMAND",), ("INFO",)], ids=" ".join)
def test_what_nobody_needs_is_refused(suite, user, words):
    assert suite.redis_cli(user, "PING") == "PONG"
    assert suite.redis_cli(user, *words).startswith("NOPERM"), (user, words)


@pytest.mark.parametrize("user, theirs, others", [
    ("auth", ("HGET", "gh:{revoked}:items", "x"), ("HGET", "gh:{bans}:items", "x")),
    ("auth", ("HGET", "gh:{F}:family", "u"), ("HGET", "gh:{T}:s:S", "u")),
    ("session", ("ZCARD", "gh:{T}:live"), ("HGET", "gh:{F}:family", "u")),
    ("session", ("GET", "gh:{orders}:v"), ("GET", "gh:{T}:ticket")),
    ("limiter", ("GET", "gh:{T}:l:chat"), ("GET", "gh:{T}:t:S")),
    ("limiter", ("HGET", "gh:{bans}:items", "x"), ("HGET", "gh:{revoked}:items", "x")),
    ("audit", ("PING",), ("GET", "gh:{orders}:v"))])
def test_one_services_keys_are_not_anothers(suite, user, theirs, others):
    assert "NOPERM" not in suite.redis_cli(user, *theirs)
    assert suite.redis_cli(user, *others).startswith("NOPERM")


def test_nobody_without_a_name(suite):
    done = subprocess.run(["redis-cli", "-s", suite.run_dir / "redis.sock", "GET", "gh:{orders}:v"], capture_output=True, text=True)
    assert "NOAUTH" in done.stdout + done.stderr

"""A whole suite of real processes in a private folder, for tests.

    with Suite() as suite:            # redis, auth, session, limiter, validator, audit, chat, edge
        with suite.client(suite.token("alice", ["user"])) as ws:
            ws.send_message("chat", {"text": "hello"})

Everything lives under one temporary folder with its own sockets and free ports; processes are stopped by
their pid, a process that ends by itself or with a sanitizer report fails the test, and the folder is removed.
GH_BUILD names the build to test (default: build/ of the checkout).
"""

import copy
import datetime
import http.client
import ipaddress
import itertools
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import jwt
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from support.ws import Client

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("GH_BUILD", ROOT / "build"))
ISSUER = "https://issuer.localhost"
PORTS_FROM, PORTS_EACH = 18000, 1500
drawn = itertools.count(random.randrange(PORTS_EACH))
START_S = 60  # generous: a sanitizer build on a busy machine; never a judgement of speed

SANITIZER_MARKS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:")


class Gone(AssertionError):
    """A process ended that should not have."""


def free_port():
    """A port nobody has, below those the kernel gives out by itself. Edges share ports (SO_REUSEPORT), so what two
    workers of one run drew at the same moment would mix their suites: each has numbers of its own."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for _ in range(PORTS_EACH):
        port = PORTS_FROM + worker % 8 * PORTS_EACH + next(drawn) % PORTS_EACH
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no port is free")


def wait_until(what, probe, seconds=START_S):
    """Polls probe until it is true; its last value is returned."""
    end = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"still not so after {seconds} s: {what}")
        time.sleep(0.05)


def merge(base, over):
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            merge(base[key], value)
        else:
            base[key] = value
    return base


class UnixHTTP(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=5)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(5)
        self.sock.connect(str(self.path))


class Process:
    def __init__(self, suite, service, instance, args=()):
        self.suite, self.service, self.instance, self.args = suite, service, instance, list(args)
        self.log_path = suite.dir / "log" / f"{instance}.log"
        self.popen = None
        self.expected_end = False

    @property
    def pid(self):
        return self.popen.pid

    def start(self):
        binary = BUILD / "bin" / f"gatehouse-{self.service}"
        self.expected_end = False
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(
                [binary, "--config", self.suite.config_path, "--instance", self.instance, *self.args],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.suite.env,
                start_new_session=True)
        return self

    def alive(self):
        return self.popen is not None and self.popen.poll() is None

    def http(self, path):
        """(status, body) from the admin endpoint, or (0, "") while it is not there."""
        try:
            conn = UnixHTTP(self.suite.run_dir / f"{self.instance}.admin")
            conn.request("GET", path)
            answer = conn.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""

    def ready(self):
        if not self.alive():
            raise Gone(f"{self.instance} ended with {self.popen.returncode}:\n{self.log()[-4000:]}")
        return self.http("/readyz")[0] == 200

    def wait_ready(self):
        wait_until(f"{self.instance} is ready: {self.http('/readyz')}", self.ready)
        return self

    def metrics(self):
        values = {}
        for line in self.http("/metrics")[1].splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                values[name] = float(value)
        return values

    def metric(self, name):
        """The sum over all series of a name."""
        return sum(v for k, v in self.metrics().items() if k == name or k.startswith(name + "{"))

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def kill(self, sig=signal.SIGKILL):
        """kill -9 of the one process, as a crash would end it (its children find out by themselves)."""
        self.expected_end = True
        self.popen.send_signal(sig)
        self.popen.wait(START_S)
        return self

    def stop(self):
        if not self.alive():
            return
        self.expected_end = True
        self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(START_S)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"{self.instance} did not end on SIGTERM")

    def check(self):
        text = self.log()
        for mark in SANITIZER_MARKS:
            assert mark not in text, f"{self.instance}: {text[text.index(mark) - 200:][:6000]}"
        if self.popen.returncode not in (None, 0) and not self.expected_end:
            raise Gone(f"{self.instance} ended with {self.popen.returncode}:\n{text[-4000:]}")


class Suite:
    SERVICES = ("audit", "auth", "session", "limiter", "validator", "chat", "edge")

    def __init__(self, edges=1, validators=1, config=None, tls=True, services=SERVICES, env=None,
                 policies=None):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="gh-"))
        self.run_dir, self.state_dir = self.dir / "run", self.dir / "state"
        for folder in ("run", "state", "log", "keys", "tls"):
            (self.dir / folder).mkdir(mode=0o700)
        shutil.copytree(policies or ROOT / "deploy" / "policies", self.dir / "policies")
        if (ROOT / "deploy" / "signatures").is_dir():
            shutil.copytree(ROOT / "deploy" / "signatures", self.dir / "signatures")
        self.tls = tls
        self.port = free_port()
        self.config_path = self.dir / "gatehouse.yaml"
        self.env = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0",
                    "UBSAN_OPTIONS": "print_stacktrace=1", **(env or {})}
        self.processes = {}
        self.redis = None
        self._make_keys()
        self.write_config(config or {})
        self._plan = [(s, f"{s}-{i + 1}") for s in services
                      for i in range(edges if s == "edge" else validators if s == "validator" else 1)]

    # --- files ---------------------------------------------------------------------------------

    def write_config(self, over):
        """deploy/gatehouse.yaml with this suite's paths and the changes of the test."""
        config = yaml.safe_load((ROOT / "deploy" / "gatehouse.yaml").read_text())
        merge(config, {
            "run_dir": str(self.run_dir), "state_dir": str(self.state_dir),
            "edge": {"listen": f"127.0.0.1:{self.port}", "development": not self.tls,
                     "tls": {"enabled": self.tls}},
            "drain": {"time": "2s"},
            "validator": {"signature_cache": str(BUILD / "signatures.cache")},
        })
        merge(config, copy.deepcopy(over))
        self.config = config
        self.config_path.write_text(yaml.safe_dump(config, sort_keys=False))

    def _write_private(self, name, data):
        path = self.dir / name
        path.write_bytes(data)
        path.chmod(0o600)
        return path

    def _make_keys(self):
        pem, raw = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        plain, public = serialization.NoEncryption(), serialization.PublicFormat.SubjectPublicKeyInfo
        self.issuer_key = ec.generate_private_key(ec.SECP256R1())
        self._write_private("keys/issuer.pub.pem", self.issuer_key.public_key().public_bytes(pem, public))
        audit = ed25519.Ed25519PrivateKey.generate()
        self._write_private("keys/audit.key.pem", audit.private_bytes(pem, raw, plain))
        self._write_private("keys/audit.pub.pem", audit.public_key().public_bytes(pem, public))
        self.make_certificate()

    def make_certificate(self):
        """A fresh self-signed certificate for localhost; returns its PEM."""
        pem = serialization.Encoding.PEM
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        now = datetime.datetime.utcnow()
        names = x509.SubjectAlternativeName([x509.DNSName("localhost"),
                                             x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name)
                .public_key(key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(hours=1))
                .not_valid_after(now + datetime.timedelta(days=2))
                .add_extension(names, False)
                .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
                .sign(key, hashes.SHA256()))
        self._write_private("tls/edge.key", key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        self._write_private("tls/edge.crt", cert.public_bytes(pem))
        return cert.public_bytes(pem)

    # --- processes -----------------------------------------------------------------------------

    def start_redis(self):
        sock = self.run_dir / "redis.sock"
        with open(self.dir / "log" / "redis.log", "ab") as log:
            self.redis = subprocess.Popen(
                ["redis-server", "--port", "0", "--unixsocket", sock, "--unixsocketperm", "700",
                 "--save", "", "--appendonly", "yes", "--dir", self.dir],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

        def answers():
            try:
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(str(sock))
                    s.sendall(b"PING\r\n")
                    return s.recv(16).startswith(b"+PONG")
            except OSError:
                return False
        wait_until("redis answers", answers)

    def stop_redis(self, sig=signal.SIGKILL):
        if self.redis is not None and self.redis.poll() is None:
            self.redis.send_signal(sig)
            self.redis.wait()

    def add(self, service, instance, *args):
        process = Process(self, service, instance, args)
        self.processes[instance] = process
        return process

    def __getitem__(self, instance):
        return self.processes[instance]

    def start(self):
        self.start_redis()
        for service, instance in self._plan:
            self.add(service, instance).start()
        for process in self.processes.values():
            process.wait_ready()
        return self

    def stop(self):
        failures = []
        order = sorted(self.processes.values(), key=lambda p: p.service != "edge")
        for process in order:
            try:
                if not process.expected_end and not process.alive():
                    raise Gone(f"{process.instance} was gone:\n{process.log()[-4000:]}")
                process.stop()
                process.check()
            except AssertionError as failure:
                failures.append(str(failure))
                if process.alive():
                    process.popen.kill()
                    process.popen.wait()
        self.stop_redis(signal.SIGTERM)
        if os.environ.get("GH_KEEP"):
            print("kept:", self.dir)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)
        assert not failures, "\n".join(failures)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            for process in self.processes.values():
                if process.alive():
                    process.expected_end = True
                    process.popen.kill()
                    process.popen.wait()
            self.stop_redis()
            if not os.environ.get("GH_KEEP"):
                shutil.rmtree(self.dir, ignore_errors=True)
            raise

    def __exit__(self, kind, value, trace):
        try:
            self.stop()
        except AssertionError:
            if kind is None:
                raise
            print("while stopping:", *(p.log()[-2000:] for p in ()))

    # --- what tests ask ------------------------------------------------------------------------

    def token(self, sub="alice", roles=("user",), ttl_s=3600, **claims):
        now = int(time.time())
        body = {"iss": ISSUER, "sub": sub, "aud": "gatehouse", "roles": list(roles), "iat": now,
                "exp": now + ttl_s, "jti": os.urandom(8).hex(), **claims}
        return jwt.encode({k: v for k, v in body.items() if v is not None}, self.issuer_key,
                          algorithm="ES256")

    def client(self, token=None, path="/ws", **more):
        """An open connection (support.ws.Client) past its welcome; a default user when no token is given."""
        return Client.connect(("127.0.0.1", self.port), path, token=token or self.token(),
                              tls=self.tls, **more)

    def ctl(self, *args, check=True):
        done = subprocess.run([BUILD / "bin" / "gatehousectl", *map(str, args)], env=self.env,
                              capture_output=True, text=True, timeout=START_S)
        if check:
            assert done.returncode == 0, f"gatehousectl {args}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def audit_records(self):
        """All records of the log, oldest first; a line that is being written is none yet."""
        records = []
        for path in sorted((self.state_dir / "audit").glob("*")):
            if path.suffix in (".log", ".jsonl"):
                text = path.read_text()
                records += [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]
        return records

    def wait_audit(self, kind, **fields):
        """The first record of a kind whose members match."""
        def probe():
            for record in self.audit_records():
                if record.get("kind") == kind and all(record.get(k) == v for k, v in fields.items()):
                    return record
            return None
        return wait_until(f"audit has {kind} {fields}", probe, 20)

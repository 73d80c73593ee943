"""Verification of tokens: ours beside Node's jsonwebtoken (with a KeyObject), HS256, RS256 and ES256, in turns.

Both get the same distinct tokens and check signature, issuer, audience and times; ours besides what
services/auth/verify.h says, up to the roles. Nothing is remembered from one token to the next. CPU time
of one process each, the best of the rounds: whatever else the machine does only ever adds to it.
"""

import os
import pathlib
import subprocess
import tempfile
import time

import jwt
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from bench import PEERS, table

ALGORITHMS = ("HS256", "RS256", "ES256")
TOKENS, WANTED = 1000, 1.5


def make_key(name):
    if name == "HS256":
        return os.urandom(48).hex().encode()
    return rsa.generate_private_key(65537, 2048) if name == "RS256" else ec.generate_private_key(ec.SECP256R1())


def make_keys(folder):
    """{algorithm: (signing key, path of the verifying one)}"""
    pem, public = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    keys = {name: make_key(name) for name in ALGORITHMS}
    for name, key in keys.items():
        path = folder / f"{name}.key"
        path.write_bytes(key if name == "HS256" else key.public_key().public_bytes(pem, public))
        path.chmod(0o600)
        keys[name] = (key, path)
    return keys


def make_tokens(folder, name, key, count, iss=None, kid="1", label=""):
    now, path = int(time.time()), folder / f"{name}{label}.tokens"
    path.write_text("".join(
        jwt.encode({"iss": iss or f"https://{name}.example", "sub": f"user-{i}", "aud": "gatehouse", "iat": now,
                    "exp": now + 3600, "jti": os.urandom(12).hex(), "roles": ["user", "editor"]},
                   key, algorithm=name, headers={"kid": kid}) + "\n" for i in range(count)))
    return path


def make_refused(folder, name, keys, strangers, count):
    """Tokens that are refused, by why: what takes as long says nothing about which it was."""
    return {
        "signature wrong": make_tokens(folder, name, strangers[name], count, label="-signature"),
        "kid unknown": make_tokens(folder, name, keys[name][0], count, kid="none", label="-kid"),
        "issuer unknown": make_tokens(folder, name, keys[name][0], count, iss="https://nobody.example", label="-iss"),
    }


class Peer:
    def __init__(self, *argv):
        self.process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line, refused=False):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split("\t")
        accepted, done = answer[2].split("/")
        assert accepted.strip() == ("0" if refused else done.strip()), f"{self.process.args[0]} judged some of its tokens otherwise: {answer}"
        return float(answer[1])

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def run(bench):
    subprocess.run(["cmake", "--build", str(bench.build), "--target", "token_bench"], check=True,
                   stdout=subprocess.DEVNULL)
    rounds, round_ms = (1, 50) if bench.quick else (7, 400)
    with tempfile.TemporaryDirectory(prefix="gh-") as name:
        folder = pathlib.Path(name)
        keys = make_keys(folder)
        config = {"auth": {"issuers": [
            {"name": f"https://{a}.example", "audiences": ["gatehouse"], "algorithm": a, "kid": "1",
             "key_file": str(keys[a][1])} for a in ALGORITHMS]}}
        (folder / "gatehouse.yaml").write_text(yaml.safe_dump(config))
        files = {a: make_tokens(folder, a, keys[a][0], TOKENS) for a in ALGORITHMS}
        ours = Peer(bench.tool("token_bench"), folder / "gatehouse.yaml", round_ms)
        node = Peer("node", PEERS / "verify_node.mjs", round_ms)
        best = {a: [float("inf"), float("inf")] for a in ALGORITHMS}
        for _ in range(rounds):
            for a in ALGORITHMS:
                best[a][0] = min(best[a][0], ours.ask(str(files[a])))
                best[a][1] = min(best[a][1], node.ask(f"{files[a]}\t{a}\thttps://{a}.example\t{keys[a][1]}"))
        refused = {}
        strangers = {a: make_key(a) for a in ALGORITHMS}
        for a in ALGORITHMS:
            files = make_refused(folder, a, keys, strangers, 200)
            refused[a] = {why: min(ours.ask(str(path), refused=True) for _ in range(rounds)) for why, path in files.items()}
        ours.end()
        node.end()
    out, rows = {}, []
    for a, (we, they) in best.items():
        out[a] = {"per_s": round(1e9 / we), "node_per_s": round(1e9 / they), "ratio": round(they / we, 2)}
        rows.append([a, f"{1e9 / we:,.0f}", f"{1e9 / they:,.0f}", f"{they / we:.2f}"])
        bench.check(f"{a}: at least {WANTED} times Node's jsonwebtoken", they / we >= WANTED, f"{they / we:.2f}")
    table("tokens verified per second, one process", ["", "auth", "jsonwebtoken, KeyObject", "ratio"], rows)
    whys = list(refused["ES256"])
    table("refusals, us each: none is told from another by its time", ["", *whys],
          [[a, *(f"{refused[a][why] / 1000:.1f}" for why in whys)] for a in ALGORITHMS])
    return {"token_verifications": out, "refusal_us": {a: {w: round(v / 1000, 2) for w, v in r.items()} for a, r in refused.items()}}

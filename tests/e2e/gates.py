"""What the end-to-end tests talk to: a suite of this build, or a compose installation.

Both give: url, ca (a file), token(user, roles), connections() -> {edge: open connections}.
GH_E2E=compose:PROJECT:PORT chooses the second.
"""

import os
import pathlib
import subprocess
import tempfile

from support.gatehouse import ROOT, Suite

CONNECTIONS = "gatehouse_edge_connections_active"


def parse_metrics(text, name):
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
               if line.startswith((name + " ", name + "{")))


class LocalGate:
    def __init__(self, edges=2, validators=2, **more):
        self.suite = Suite(edges=edges, validators=validators, **more)

    def __enter__(self):
        self.suite.__enter__()
        self.url = f"wss://localhost:{self.suite.port}/ws"
        self.ca = self.suite.dir / "tls" / "edge.crt"
        return self

    def __exit__(self, *why):
        return self.suite.__exit__(*why)

    def token(self, user="alice", roles=("user",)):
        return self.suite.token(user, roles)

    def connections(self):
        return {name: process.metric(CONNECTIONS) for name, process in self.suite.processes.items()
                if process.service == "edge"}


class ComposeGate:
    def __init__(self, project, port):
        self.project = project
        self.url = f"wss://localhost:{port}/ws"

    def compose(self, *args, check=True):
        done = subprocess.run(["docker-compose", "-p", self.project, *args], cwd=ROOT,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if check:
            assert done.returncode == 0, f"docker-compose {args}: {done.stdout}{done.stderr}"
        return done.stdout

    def ctl(self, *args):
        return self.compose("run", "--rm", "--no-deps", "-T", "ctl", *args)

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="gh-e2e-")
        self.ca = pathlib.Path(self.folder.name) / "ca.crt"
        self.ca.write_text(self.compose("run", "--rm", "--no-deps", "-T", "--entrypoint", "cat", "ctl",
                                        "/etc/gatehouse/private/tls/ca.crt"))
        self.tokens = {}
        return self

    def __exit__(self, *why):
        self.folder.cleanup()

    def token(self, user="alice", roles=("user",)):
        key = (user, tuple(roles))
        if key not in self.tokens:
            self.tokens[key] = self.ctl("token", "--user", user, "--roles", ",".join(roles), "--key",
                                        "/etc/gatehouse/keys/issuer.key.pem").strip()
        return self.tokens[key]

    def containers(self, service):
        return self.compose("ps", "-q", service).split()

    @staticmethod
    def exec(container, *argv):
        return subprocess.run(["docker", "exec", container, *argv], check=True, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True).stdout

    def metric(self, container, name):
        ask = ("exec 3<>/dev/tcp/127.0.0.1/9100; printf 'GET /metrics HTTP/1.1\\r\\nHost: x\\r\\n"
               "Connection: close\\r\\n\\r\\n' >&3; cat <&3")
        return parse_metrics(self.exec(container, "bash", "-c", ask), name)

    def connections(self):
        return {c[:12]: self.metric(c, CONNECTIONS) for c in self.containers("edge")}


def chosen():
    kind, *where = os.environ.get("GH_E2E", "local").split(":")
    return ComposeGate(*where) if kind == "compose" else LocalGate()

"""Resume: a session goes on where its client left it, on any edge, with nothing missing and nothing twice."""

import collections
import os
import random
import signal
import threading
import time

import pytest
from support import ws
from support.gatehouse import ROOT, Suite, free_port, wait_until

ROUNDS = int(os.environ.get("GH_RESUME_ROUNDS", "4"))
RATE = int(os.environ.get("GH_RESUME_RATE", "500"))
WINDOW_MS = 30000


def resumable(**resume):
    import yaml
    route = dict(yaml.safe_load((ROOT / "deploy" / "gatehouse.yaml").read_text())["routes"][0])
    route["resume"] = {"window": f"{WINDOW_MS}ms", "max_messages": 4096, "max_bytes": "512KiB", **resume}
    return {"routes": [route], "session": {"max_per_user": 50}}


class Edges:
    """Two edges on ports of their own, so that a test knows which one a client is on."""

    def __init__(self, config):
        services = [s for s in Suite.SERVICES if s != "edge"]
        self.suite = Suite(config=config, tls=False, services=services)
        self.ports = {}

    def __enter__(self):
        self.suite.__enter__()
        try:
            for name in ("edge-1", "edge-2"):
                self.start(name)
        except BaseException:
            self.suite.__exit__(*([None] * 3))
            raise
        return self

    def __exit__(self, *exc):
        return self.suite.__exit__(*exc)

    def start(self, name):
        """Starts it (again): a dead edge's port stays its own."""
        self.ports.setdefault(name, free_port())
        process = self.suite.processes.get(name) or self.suite.add("edge", name)
        self.suite.env["GATEHOUSE_EDGE_LISTEN"] = f"127.0.0.1:{self.ports[name]}"
        process.start().wait_ready()
        return process

    def address(self, name):
        return ("127.0.0.1", self.ports[name])

    def client(self, name, token, **more):
        return ws.Client.connect(self.address(name), "/ws", token=token, tls=False, **more)

    def back(self, name, token, client, seq, **more):
        """The client's session again, on this edge."""
        return self.client(name, token, headers=[("Sec-WebSocket-Protocol", claim(client, seq))], **more)

    def session(self, client):
        return client.welcome["payload"]["sessionId"]

    def record(self, client):
        for line in self.suite.ctl("sessions", "list").stdout.splitlines():
            if self.session(client) in line:
                return line
        return None


def claim(client, seq):
    payload = client.welcome["payload"]
    return f"gatehouse.v1, gatehouse.resume.{payload['sessionId']}.{payload['resume']['secret']}.{seq}"


@pytest.fixture(scope="module")
def edges():
    with Edges(resumable()) as running:
        yield running


class Talker:
    """Says numbered messages to a room at a steady rate, from a connection that stays up; knows which were taken."""

    def __init__(self, edges, edge, room, rate=RATE):
        self.edges, self.room, self.rate = edges, room, rate
        self.client = edges.client(edge, edges.suite.token("talker"))
        assert self.client.ask("join", {"room": room})["type"] == "ack"
        self.said, self.stopping, self.failure = 0, threading.Event(), None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self.client.sock.close()

    def stop(self):
        self.stopping.set()
        self.thread.join(60)
        if self.failure:
            raise self.failure

    def run(self):
        start = time.monotonic()
        try:
            while not self.stopping.is_set():
                while self.said < (time.monotonic() - start) * self.rate:
                    self.client.send_message("chat", {"room": self.room, "text": f"n {self.said + 1}"})
                    self.said += 1
                time.sleep(0.005)
        except OSError as failure:
            self.failure = failure

    def read(self):
        try:
            while True:
                self.client.recv()
        except (OSError, ws.Closed):
            pass


class Listener:
    """Follows a room and holds what it gets against what must be: numbers without gap and without repeat."""

    def __init__(self, edges, user, room):
        self.edges, self.user, self.room = edges, user, room
        self.seq, self.texts, self.problems = 0, [], []
        self.client = None

    def token(self):
        return self.edges.suite.token(self.user)

    def open(self, edge):
        self.client = self.edges.client(edge, self.token())
        resume = self.client.welcome["payload"]["resume"]
        assert resume["resumed"] is False and resume["lastSeq"] == 0 and resume["windowMs"] == WINDOW_MS
        self.client.send_message("join", {"room": self.room})
        return self

    def back(self, edge):
        old = self.client
        self.client = self.edges.back(edge, self.token(), old, self.seq)
        resume = self.client.welcome["payload"]["resume"]
        assert resume["resumed"] is True, resume
        assert self.client.welcome["payload"]["sessionId"] == old.welcome["payload"]["sessionId"]
        assert resume["lastSeq"] == self.seq
        assert resume["secret"] != old.welcome["payload"]["resume"]["secret"]
        old.sock.close()
        return self

    def take(self, message):
        if "seq" not in message:
            return
        if message["seq"] != self.seq + 1:
            self.problems.append(f"{message['seq']} after {self.seq}")
        self.seq = message["seq"]
        if message["type"] == "chat" and message["payload"]["text"].startswith("n "):
            self.texts.append(int(message["payload"]["text"][2:]))

    def read(self, until):
        """Until until(self), or the connection ends (then False)."""
        try:
            while not until(self):
                self.take(self.client.recv_json())
            return True
        except (OSError, ws.Closed):
            return False

    def check(self):
        assert not self.problems, self.problems[:5]
        counts = collections.Counter(self.texts)
        assert not [n for n, c in counts.items() if c > 1], "said once, heard twice"
        if self.texts:
            missing = set(range(self.texts[0], self.texts[-1] + 1)) - set(self.texts)
            assert not missing, f"{len(missing)} missing: {sorted(missing)[:5]}"
            assert self.texts == sorted(self.texts)


def start_edge(edges, name):
    edges.start(name)


def test_the_edge_is_killed_under_traffic_and_nothing_is_missing_or_twice(edges):
    """Two edges, a room with 500 messages a second; kill -9 of the listener's edge, over and over."""
    rnd = random.Random(7)
    listener = Listener(edges, "lena", "busy").open("edge-1")
    with Talker(edges, "edge-2", "busy") as talker:
        # The talker's edge is never killed here: what it said, the application has.
        for i in range(ROUNDS):
            have = len(listener.texts)
            assert listener.read(lambda l: len(l.texts) > have + rnd.randrange(50, 400))
            edges.suite["edge-1"].kill()
            listener.read(lambda l: False)  # what had left the edge before it died
            time.sleep(rnd.random())
            listener.back("edge-2")
            have = len(listener.texts)
            assert listener.read(lambda l: len(l.texts) > have + 100)
            edges.start("edge-1")
            listener.back("edge-1")  # and home again, while its connection to the other edge is still there
        talker.stop()
        assert listener.read(lambda l: l.texts and l.texts[-1] == talker.said)
    listener.check()
    assert listener.texts[-1] == talker.said
    print(f"\n{ROUNDS} kills, {listener.seq} messages at {RATE}/s, none missing, none twice")
    listener.client.close()

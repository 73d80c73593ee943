"""The edge while it is being operated: a new certificate under traffic, and going away politely."""

import collections
import hashlib
import json
import re
import select
import signal
import struct
import threading
import time

from support import ws
from support.gatehouse import Suite, wait_until

CONNECTIONS = 300


def certificate_seen(suite):
    return hashlib.sha256(ws.raw(("127.0.0.1", suite.port)).getpeercert(True)).hexdigest()


def open_many(suite, count, token):
    clients = []
    for i in range(count):
        client = suite.client(token)
        assert client.ask("join", {"room": f"own-{i}"})["type"] == "ack"
        client.room = f"own-{i}"
        clients.append(client)
    return clients


def test_a_new_certificate_under_traffic():
    with Suite() as suite:
        clients = open_many(suite, CONNECTIONS, suite.token())
        old = certificate_seen(suite)
        assert certificate_seen(suite) == old
        suite.make_certificate()
        for client in clients[::3]:
            client.send_message("chat", {"room": client.room, "text": "during"}, ident="during")
        suite["edge-1"].popen.send_signal(signal.SIGHUP)
        wait_until("new handshakes see the new certificate", lambda: certificate_seen(suite) != old)
        for client in clients[::3]:
            assert client.recv_type("ack", "error")["payload"]["id"] == "during"
        for client in clients:
            assert client.ask("chat", {"room": client.room, "text": "after"})["type"] == "ack"
        for client in clients:
            client.sock.close()


def test_a_pair_that_does_not_match_never_gets_in():
    with Suite() as suite:
        client = suite.client()
        old = certificate_seen(suite)
        key = (suite.dir / "tls" / "edge.key").read_bytes()
        suite.make_certificate()
        (suite.dir / "tls" / "edge.key").write_bytes(key)  # the old key beside the new certificate
        suite["edge-1"].popen.send_signal(signal.SIGHUP)
        wait_until("it is on the log", lambda: "reload_refused" in suite["edge-1"].log())
        assert certificate_seen(suite) == old
        (suite.dir / "tls" / "edge.crt").write_bytes(b"rubbish")
        suite["edge-1"].popen.send_signal(signal.SIGHUP)
        wait_until("that too", lambda: suite["edge-1"].log().count("reload_refused") == 2)
        assert certificate_seen(suite) == old
        assert client.ask("chat", {"text": "still"})["type"] == "ack"
        client.sock.close()


class Crowd:
    """Clients that chat, and read what they are told when their edge goes away."""

    def __init__(self, clients):
        self.clients = clients
        self.acked, self.told, self.closed_at, self.codes, self.hints = set(), set(), {}, collections.Counter(), []
        self.torn = []
        self.going = True

    def scan(self, i, client):
        try:
            _, _, opcode, payload = client.recv_frame()
        except (ws.Closed, OSError) as problem:
            self.torn.append(repr(problem))
            self.closed_at[i] = time.monotonic()
            return False
        if opcode == ws.PING:
            client.send_frame(ws.PONG, payload)
            return True
        if opcode == ws.CLOSE:
            self.codes[struct.unpack(">H", payload[:2])[0]] += 1
            self.closed_at[i] = time.monotonic()
            return False
        answer = json.loads(payload)
        if answer["type"] == "ack":
            self.acked.add(answer["payload"]["id"])
        elif answer["type"] == "going_away":
            self.told.add(i)
            self.hints.append(answer["payload"]["reconnectAfterMs"])
        return True

    def run(self):
        poll = select.poll()
        by_fd = {client.sock.fileno(): (i, client) for i, client in enumerate(self.clients)}
        for fd in by_fd:
            poll.register(fd, select.POLLIN)
        number = 0
        end = time.monotonic() + 60
        while self.going and by_fd and time.monotonic() < end:
            for i, client in list(by_fd.values())[number % 7::7]:
                if i not in self.told:
                    number += 1
                    try:
                        client.send_message("chat", {"room": client.room, "text": "x"}, ident=f"d{i}-{number}")
                    except OSError:
                        pass
            for fd, _ in poll.poll(5):
                i, client = by_fd[fd]
                if not self.scan(i, client):
                    poll.unregister(fd)
                    del by_fd[fd]
                while client.data and fd in by_fd:
                    if not self.scan(i, client):
                        poll.unregister(fd)
                        del by_fd[fd]


def test_drain_with_a_second_edge(tmp_path):
    """Everybody is told and closed with 1012, spread over the drain time; what was acknowledged is at the
    application; who comes back gets in at the other edge."""
    journal = tmp_path / "chat.journal"
    with Suite(edges=2, tls=False, config={"drain": {"time": "4s"}, "chat": {"journal_file": str(journal)}}) as suite:
        token = suite.token()
        clients = open_many(suite, 2 * CONNECTIONS, token)
        mine = suite["edge-1"].metric("gatehouse_edge_open")
        assert 0 < mine < 2 * CONNECTIONS
        crowd = Crowd(clients)
        thread = threading.Thread(target=crowd.run, daemon=True)
        thread.start()
        wait_until("traffic flows", lambda: len(crowd.acked) > 200)
        started = time.monotonic()
        suite["edge-1"].expected_end = True
        suite["edge-1"].popen.send_signal(signal.SIGTERM)
        wait_until("the port of the draining edge is closed", lambda: suite["edge-1"].http("/readyz")[0] != 200)
        assert suite["edge-1"].popen.wait(30) == 0
        wait_until("its clients saw it", lambda: len(crowd.closed_at) >= mine)
        assert crowd.torn == []
        assert set(crowd.codes) == {1012} and crowd.codes[1012] == mine
        assert len(crowd.told) == mine
        moments = sorted(at - started for at in crowd.closed_at.values())
        histogram = collections.Counter(int(m * 2) / 2 for m in moments)
        print(f"\nclosed per half second: {dict(sorted(histogram.items()))}; hints {min(crowd.hints)}..{max(crowd.hints)} ms")
        assert max(histogram.values()) < 0.5 * mine, "not spread"
        assert len(set(crowd.hints)) > len(crowd.hints) // 4, "hints are not jittered"
        crowd.going = False
        thread.join(30)
        text = journal.read_text(errors="replace")
        missing = crowd.acked - set(re.findall(r'"(d\d+-\d+)"', text))
        assert not missing, f"{len(missing)} acknowledged messages are not at the application"
        with suite.client(token) as back:
            assert back.ask("chat", {"text": "moved"})["type"] == "ack"
        for client in clients:
            client.sock.close()

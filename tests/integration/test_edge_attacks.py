"""Slow, fat, half-open and deaf clients against one edge while well-behaved ones go on.

Each attack is played while a background of honest clients chats; afterwards the honest ones have lost
nothing, every attacker is gone in the way the design states, and the edge's memory has not grown past its
bound. The figures are printed.
"""

import contextlib
import os
import pathlib
import resource
import select
import socket
import ssl
import struct
import threading
import time

import pytest
from support import ws
from support.gatehouse import Suite, wait_until

MIB = 1 << 20
SANITIZED = "asan" in os.environ.get("GH_BUILD", "") or os.environ.get("GH_SANITIZE")
HONEST = 200
CONFIG = {"edge": {"handshake_timeout": "3s", "close_timeout": "1s", "max_queue_bytes": "256KiB",
                   "max_connections": 12000, "max_connections_per_address": 12000,
                   "local_rates": {"connects_per_s": 100000, "connects_burst": 100000}}}


@pytest.fixture(scope="module", autouse=True)
def descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def suite():
    with Suite(config=CONFIG, tls=True) as running:
        yield running


def rss(process):
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    return 0


class Honest(threading.Thread):
    """HONEST clients, each with one message in flight; counts answers and keeps their times."""

    def __init__(self, suite):
        super().__init__(daemon=True)
        token = suite.token("honest", ["user"])
        self.clients = [suite.client(token) for _ in range(HONEST)]
        for i, client in enumerate(self.clients):
            assert client.ask("join", {"room": f"honest-{i}"})["type"] == "ack"
            client.room = f"honest-{i}"
        self.times, self.failed, self.going, self.phase = {}, [], True, "quiet"

    def run(self):
        sent = {}
        poll = select.poll()
        by_fd = {client.sock.fileno(): client for client in self.clients}
        for fd in by_fd:
            poll.register(fd, select.POLLIN)
        due = {fd: 0.0 for fd in by_fd}
        while self.going:
            now = time.monotonic()
            for fd, client in by_fd.items():
                if fd not in sent and now >= due[fd]:
                    sent[fd] = now
                    client.send_message("chat", {"room": client.room, "text": "as ever"})
            for fd, _ in poll.poll(10):
                client = by_fd[fd]
                if fd not in sent:  # nothing is due: it can only be a ping
                    _, _, opcode, payload = client.recv_frame()
                    assert opcode == ws.PING
                    client.send_frame(ws.PONG, payload)
                    continue
                try:
                    answer = client.recv_type("ack", "error")
                except (ws.Closed, OSError) as problem:
                    self.failed.append(repr(problem))
                    return
                if answer["type"] == "error":
                    self.failed.append(answer["payload"]["code"])
                self.times.setdefault(self.phase, []).append(time.monotonic() - sent.pop(fd))
                due[fd] = time.monotonic() + 0.2

    def p99(self, phase):
        times = sorted(self.times.get(phase, [0]))
        return times[int(len(times) * 0.99)] * 1e3

    def stop(self):
        self.going = False
        self.join(30)
        for client in self.clients:
            client.sock.close()


@pytest.fixture(scope="module")
def honest(suite):
    crowd = Honest(suite)
    crowd.start()
    wait_until("the honest clients are answered", lambda: len(crowd.times.get("quiet", [])) > 5 * HONEST)
    yield crowd
    crowd.stop()


@contextlib.contextmanager
def attack(suite, honest, name, growth_mib=64):
    edge = suite["edge-1"]
    before = rss(edge)
    honest.phase = name
    peak = [before]
    watching = [True]

    def watch():
        while watching[0]:
            peak[0] = max(peak[0], rss(edge))
            time.sleep(0.02)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        watching[0] = False
        watcher.join()
    wait_until(f"the honest go on during {name}", lambda: honest.failed or len(honest.times.get(name, [])) > HONEST)
    honest.phase = "quiet"
    print(f"\n{name}: edge grew by {(peak[0] - before) / MIB:.1f} MiB; honest p99 {honest.p99(name):.1f} ms "
          f"(quiet {honest.p99('quiet'):.1f} ms), {len(honest.times[name])} answers")
    assert honest.failed == []
    assert edge.alive()
    if not SANITIZED:
        assert peak[0] - before < growth_mib * MIB


def closed_by(sock, seconds=20):
    """Waits for the end of the stream; returns what came before it."""
    data = b""
    sock.settimeout(seconds)
    try:
        while True:
            part = sock.recv(65536)
            if not part:
                return data
            data += part
    except ConnectionError:
        return data


def test_half_open_tls_handshakes(suite, honest):
    """Silent sockets, and sockets with half a ClientHello."""
    refused = suite["edge-1"].metric("gatehouse_edge_handshakes_failed_total")
    with attack(suite, honest, "half-open TLS"):
        socks = []
        for i in range(5000):
            sock = socket.create_connection(("127.0.0.1", suite.port), 10, source_address=(f"127.0.0.{2 + i % 5}", 0))
            if i % 2:
                sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 100)
            socks.append(sock)
        for sock in socks[::97]:
            assert closed_by(sock) == b""
        wait_until("all were counted", lambda: suite["edge-1"].metric("gatehouse_edge_handshakes_failed_total")
                   >= refused + 5000)
        for sock in socks:
            sock.close()


def client_hello():
    """A real ClientHello, from a client that never goes on."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def test_tls_handshakes_that_stop_after_the_client_hello(suite, honest):
    refused = suite["edge-1"].metric("gatehouse_edge_handshakes_failed_total")
    hello = client_hello()
    with attack(suite, honest, "stalled TLS"):
        socks = []
        for i in range(1500):
            sock = socket.create_connection(("127.0.0.1", suite.port), 10, source_address=(f"127.0.0.{2 + i % 5}", 0))
            sock.sendall(hello)
            socks.append(sock)
        wait_until("all were cut", lambda: suite["edge-1"].metric("gatehouse_edge_handshakes_failed_total")
                   >= refused + 1500)
        for sock in socks:
            sock.close()


def test_slow_heads(suite, honest):
    """A head that never ends: 408 when the deadline comes, whoever goes on sending."""
    timeouts = 'gatehouse_edge_handshakes_refused_total{code="request_timeout"}'
    before = suite["edge-1"].metrics().get(timeouts, 0)
    with attack(suite, honest, "slow heads"):
        socks = []
        for _ in range(300):
            sock = ws.raw(("127.0.0.1", suite.port))
            socks.append(sock)
            sock.sendall(b"GET /ws HTTP/1.1\r\nHost: localhost\r\nX-")
        end = time.monotonic() + 1
        while time.monotonic() < end:
            for sock in socks:
                with contextlib.suppress(OSError):
                    sock.sendall(b"a")
            time.sleep(0.2)
        for sock in socks:
            assert closed_by(sock).startswith(b"HTTP/1.1 408 ")
            sock.close()
        assert suite["edge-1"].metrics()[timeouts] >= before + 300


def test_ten_thousand_one_byte_fragments(suite, honest):
    with attack(suite, honest, "fragments"):
        with suite.client() as client:
            client.sock.sendall(ws.frame(ws.TEXT, b"x", fin=False))
            frames = ws.frame(ws.CONT, b"x", fin=False) * 100
            with contextlib.suppress(OSError):
                for _ in range(100):
                    client.sock.sendall(frames)
            assert client.expect_close() == 1009


def test_announced_lengths_cost_no_memory(suite, honest):
    """Many clients that announce a large message and send a few bytes of it."""
    with attack(suite, honest, "announced lengths"):
        clients = [suite.client() for _ in range(200)]
        for client in clients:
            client.sock.sendall(b"\x81\xff" + struct.pack(">Q", 65536) + b"\0\0\0\0" + b"x" * 16)
        time.sleep(0.5)
        for client in clients:
            client.sock.close()


def test_clients_that_never_read(suite, honest):
    """Their outbound queue is bounded in bytes; past it they are closed with 1013."""
    name = 'gatehouse_edge_connections_closed_total{code="slow_consumer"}'
    before = suite["edge-1"].metrics().get(name, 0)
    with attack(suite, honest, "deaf clients"):
        deaf = [suite.client(suite.token("deaf", ["user"])) for _ in range(4)]
        for client in deaf:
            client.send_message("join", {"room": "deaf"})
        with suite.client(suite.token("loud", ["user"])) as loud:
            loud.ask("join", {"room": "deaf"})
            text = "x" * 3000
            for _ in range(6000):
                answer = loud.ask("chat", {"room": "deaf", "text": text})
                if answer["type"] == "error":
                    break
                if suite["edge-1"].metrics().get(name, 0) >= before + len(deaf):
                    break
        assert suite["edge-1"].metrics()[name] >= before + len(deaf)
        for client in deaf:
            client.sock.close()


def test_more_connections_than_the_house_holds(descriptors):
    """Past the cap: 503 with Retry-After, at once, while those inside go on."""
    with Suite(config={"edge": {"max_connections": 20}}, tls=False) as small:
        token = small.token()
        inside = [small.client(token) for _ in range(20)]
        for _ in range(5):
            with pytest.raises(ws.Refused) as refused:
                small.client(token)
            assert refused.value.status == 503 and int(refused.value.headers["retry-after"]) >= 1
        assert inside[0].ask("chat", {"text": "still here"})["type"] == "ack"
        inside.pop().close()
        wait_until("the place is free", lambda: small["edge-1"].metric("gatehouse_edge_open") < 20)
        small.client(token).close()
        for client in inside:
            client.sock.close()


def test_more_connections_than_an_address_may_have():
    with Suite(config={"edge": {"max_connections_per_address": 5}}, tls=False) as small:
        token = small.token()
        inside = [small.client(token) for _ in range(5)]
        with pytest.raises(ws.Refused) as refused:
            small.client(token)
        assert refused.value.status == 429 and "retry-after" in refused.value.headers
        small.client(token, source="127.0.0.2").close()
        small.wait_audit("handshake.refused", code="rate_limit_exceeded", address="127.0.0.1")
        for client in inside:
            client.sock.close()

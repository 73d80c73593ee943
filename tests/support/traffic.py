"""Steady traffic with a memory: which messages were acknowledged, what else clients saw.

One thread, N connections, R messages a second in all; each message has an id that no other has. A
connection that breaks is opened again. Answers are recognised in the byte stream, which is cheap enough for
thousands a second.
"""

import collections
import re
import select
import ssl
import struct
import threading
import time

from support import ws

ACK = re.compile(rb'\{"type":"ack","payload":\{"id":"([^"]+)"')
ERROR = re.compile(rb'\{"type":"error","payload":\{"code":"([a-z_]+)","message":"[^"]*","requestId":"([^"]+)"')
WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
WARNINGS = {"csrf_failed", "role_forbidden", "unknown_type", "bad_json"}


class Connection:
    def __init__(self, traffic, number):
        self.traffic, self.number = traffic, number
        self.client, self.tail, self.out = None, b"", b""

    def open(self):
        try:
            self.client = self.traffic.suite.client(self.traffic.token, timeout=10)
        except (OSError, ws.Refused, ws.Closed) as problem:
            self.traffic.saw[f"reconnect: {getattr(problem, 'status', type(problem).__name__)}"] += 1
            self.client = None
            return False
        self.tail, self.out = self.client.data, b""
        self.client.sock.settimeout(0)
        return True

    def drop(self, why):
        self.traffic.saw[f"connection ended: {why}"] += 1
        self.client.sock.close()
        self.client = None

    def queue(self, kind="chat", csrf=None):
        ident = f"c{self.number}-{next(self.traffic.numbers)}"
        text = ('{"type":"%s","payload":{"text":"steady as she goes"},"csrfToken":"%s","id":"%s"}'
                % (kind, csrf or self.client.csrf, ident))
        self.out += ws.frame(ws.TEXT, text.encode())
        self.traffic.sent += 1

    def flush(self):
        try:
            while self.out:
                self.out = self.out[self.client.sock.send(self.out):]
        except WOULD_BLOCK:
            pass
        except OSError:
            self.drop("write failed")

    def read(self):
        try:
            while True:
                data = self.client.sock.recv(1 << 18)
                if not data:
                    return self.drop(self.close_code())
                self.scan(self.tail + data)
        except WOULD_BLOCK:
            pass
        except OSError:
            self.drop("reset")

    def close_code(self):
        if len(self.tail) >= 4 and self.tail[-4:-2] == b"\x88\x02":
            return f"close {struct.unpack('>H', self.tail[-2:])[0]}"
        at = self.tail.rfind(b"\x88")
        if at >= 0 and len(self.tail) >= at + 4:
            return f"close {struct.unpack('>H', self.tail[at + 2:at + 4])[0]}"
        return "no close frame"

    def scan(self, data):
        end = 0
        for match in ACK.finditer(data):
            self.traffic.acked.add(match.group(1).decode())
            end = max(end, match.end())
        for match in ERROR.finditer(data):
            code = match.group(1).decode()
            self.traffic.saw[f"error {code}"] += 1
            if code in WARNINGS:
                self.traffic.warnings.add(match.group(2).decode())
            end = max(end, match.end())
        self.tail = data[max(end, len(data) - 512):]


class Traffic:
    """with Traffic(suite, rate=5000) as traffic: ... ; then .acked, .warnings, .saw, .sent"""

    def __init__(self, suite, connections=10, rate=5000, bad_every=0):
        self.suite, self.rate, self.bad_every = suite, rate, bad_every
        self.token = suite.token("steady")
        self.numbers = iter(range(1 << 62))
        self.acked, self.warnings, self.saw, self.sent = set(), set(), collections.Counter(), 0
        self.connections = [Connection(self, i) for i in range(connections)]
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.failure = None

    def __enter__(self):
        for connection in self.connections:
            assert connection.open(), self.saw
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(60)
        for connection in self.connections:
            if connection.client is not None:
                connection.client.sock.close()
        self.check()

    def check(self):
        """Raises what ended the thread."""
        if self.failure is not None:
            raise self.failure
        return True

    def run(self):
        try:
            self.loop()
        except BaseException as failure:  # told by __exit__
            self.failure = failure

    def loop(self):
        start, due, retry = time.monotonic(), 0, {}
        quiet_until = None
        while True:
            now = time.monotonic()
            if self.stopping.is_set():
                quiet_until = quiet_until or now + 1.5  # the last answers come in
                if now > quiet_until:
                    return
            else:
                due = self.send_due(int((now - start) * self.rate), due)
            live = [c for c in self.connections if c.client is not None]
            for connection in live:
                connection.flush()
            live = [c for c in live if c.client is not None]
            ready, _, _ = select.select([c.client.sock for c in live], [], [], 0.005)
            for connection in live:
                if connection.client is not None and connection.client.sock in ready:
                    connection.read()
            for connection in self.connections:
                if connection.client is None and now > retry.get(connection.number, 0) \
                        and not self.stopping.is_set():
                    retry[connection.number] = now + 0.2
                    connection.open()

    def send_due(self, target, due):
        live = [c for c in self.connections if c.client is not None and len(c.out) < 1 << 20]
        if not live:
            return target  # nobody to send by: those messages are not made up for later
        while due < target:
            connection = live[due % len(live)]
            bad = self.bad_every and due % self.bad_every == 0
            connection.queue(csrf="x" * 43 if bad else None)
            due += 1
        return due

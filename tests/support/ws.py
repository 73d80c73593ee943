"""A WebSocket client over a bare socket: it can be as wrong as a test needs it to be.

Blocking, one connection, no library underneath but ssl. Client.connect() opens, checks the 101 and
waits for `welcome`; raw() gives the socket before any of that.
"""

import base64
import hashlib
import json
import os
import socket
import ssl
import struct
import time

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TIMEOUT_S = 30

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Refused(Exception):
    """The handshake was answered with something else than 101."""

    def __init__(self, status, headers, body):
        super().__init__(f"{status} {body!r}")
        self.status, self.headers, self.body = status, headers, body


class Closed(Exception):
    def __init__(self, code, reason=""):
        super().__init__(f"closed {code} {reason}")
        self.code, self.reason = code, reason


def raw(address, tls=True, source=None, timeout=TIMEOUT_S, receive_buffer=None):
    sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    sock.settimeout(timeout)
    if receive_buffer is not None:  # before the window is told
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    if source:
        sock.bind((source, 0))
    try:
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not tls:
        return sock
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(sock, server_hostname="localhost")


def request(path="/ws", host="localhost", token=None, headers=(), key=None, version="13"):
    """The bytes of an upgrade request; headers are (name, value) pairs added at the end."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade",
             f"Sec-WebSocket-Key: {key or base64.b64encode(os.urandom(16)).decode()}",
             f"Sec-WebSocket-Version: {version}"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def read_head(sock, buffered=b""):
    """(status, headers, rest) of an HTTP answer."""
    data = buffered
    while b"\r\n\r\n" not in data:
        part = sock.recv(65536)
        if not part:
            raise ConnectionError(f"closed in the head: {data!r}")
        data += part
    head, rest = data.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(lines[0].split()[1]), headers, rest


def read_answer(sock):
    """(status, headers, body) of an answer that ends the connection."""
    status, headers, body = read_head(sock)
    length = int(headers.get("content-length", -1))
    while length < 0 or len(body) < length:
        part = sock.recv(65536)
        if not part:
            break
        body += part
    return status, headers, body


def frame(opcode, payload=b"", fin=True, mask=True, rsv=0, length=None):
    """One frame; length overrides what the header says."""
    size = len(payload) if length is None else length
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", size)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", size)
    if not mask:
        return head + payload
    key = os.urandom(4)
    stream = (key * (len(payload) // 4 + 1))[:len(payload)]
    masked = (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(payload), "big")
    return head + key + masked


class Client:
    def __init__(self, sock, rest=b""):
        self.sock, self.data = sock, rest
        self.welcome = None
        self.csrf = None
        self.next_id = 1

    @classmethod
    def connect(cls, address, path="/ws", token=None, tls=True, source=None, headers=(), host="localhost",
                welcome=True, subprotocol_token=None, timeout=TIMEOUT_S, receive_buffer=None):
        sock = raw(address, tls, source, timeout, receive_buffer)
        try:
            key = base64.b64encode(os.urandom(16)).decode()
            headers = list(headers)
            if subprotocol_token is not None:
                token = None
                headers.append(("Sec-WebSocket-Protocol",
                                f"gatehouse.v1, gatehouse.bearer.{subprotocol_token}"))
            sock.sendall(request(path, host, token, headers, key))
            status, answer, rest = read_head(sock)
            if status != 101:
                length = int(answer.get("content-length", 0))
                while len(rest) < length:
                    part = sock.recv(65536)
                    if not part:
                        break
                    rest += part
                raise Refused(status, answer, rest)
            expected = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
            assert answer["sec-websocket-accept"] == expected
        except BaseException:
            sock.close()
            raise
        client = cls(sock, rest)
        client.answer = answer
        if welcome:
            client.welcome = client.recv_type("welcome")
            client.csrf = client.welcome["payload"]["csrfToken"]
        return client

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    # --- frames --------------------------------------------------------------------------------

    def send_frame(self, *args, **kw):
        self.sock.sendall(frame(*args, **kw))

    def _need(self, n):
        while len(self.data) < n:
            part = self.sock.recv(1 << 18)
            if not part:
                raise Closed(1006, "no close frame")
            self.data += part

    def recv_frame(self):
        """(fin, rsv, opcode, payload) exactly as it came."""
        self._need(2)
        first, second = self.data[0], self.data[1]
        assert not second & 0x80, "a server frame must not be masked"
        size, at = second & 0x7f, 2
        if size == 126:
            self._need(4)
            size, at = struct.unpack(">H", self.data[2:4])[0], 4
        elif size == 127:
            self._need(10)
            size, at = struct.unpack(">Q", self.data[2:10])[0], 10
        self._need(at + size)
        payload, self.data = self.data[at:at + size], self.data[at + size:]
        return bool(first & 0x80), first >> 4 & 7, first & 15, payload

    def _deadline(self):
        return time.monotonic() + (self.sock.gettimeout() or TIMEOUT_S)

    def recv(self, deadline=None):
        """The next text or binary message; answers pings, which do not put off the time-out; raises Closed."""
        parts = b""
        if deadline is None:
            deadline = self._deadline()
        while True:
            fin, _, opcode, payload = self.recv_frame()
            if opcode in (PING, PONG) and time.monotonic() > deadline:
                raise TimeoutError("nothing but pings")
            if opcode == PING:
                self.send_frame(PONG, payload)
            elif opcode == CLOSE:
                code = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005
                raise Closed(code, payload[2:].decode("utf-8", "replace"))
            elif opcode != PONG:
                parts += payload
                if fin:
                    return parts

    # --- messages of gatehouse.v1 --------------------------------------------------------------

    def recv_json(self, deadline=None):
        return json.loads(self.recv(deadline))

    def recv_type(self, *types):
        """The next message of one of these types; others are passed over."""
        deadline = self._deadline()
        while True:
            message = self.recv_json(deadline)
            if message["type"] in types:
                return message

    def send_json(self, message):
        self.send_frame(TEXT, json.dumps(message).encode())

    def send_message(self, kind, payload, csrf=True, ident=None, **more):
        message = {"type": kind, "payload": payload, "timestamp": int(time.time() * 1000), **more}
        if csrf is True:
            message["csrfToken"] = self.csrf
        elif csrf:
            message["csrfToken"] = csrf
        if ident is None:
            ident = f"m{self.next_id}"
            self.next_id += 1
        message["id"] = ident
        self.send_json(message)
        return ident

    def ask(self, kind, payload, **more):
        """Sends and returns the ack or error that names it."""
        ident = self.send_message(kind, payload, **more)
        while True:
            message = self.recv_type("ack", "error")
            if message["payload"].get("id") == ident or message.get("id") == ident:
                return message

    def expect_close(self):
        """The close code; messages before it are passed over."""
        try:
            while True:
                self.recv()
        except Closed as closed:
            return closed.code

    def close(self, code=1000):
        self.send_frame(CLOSE, struct.pack(">H", code))
        return self.expect_close()

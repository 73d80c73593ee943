#!/usr/bin/python3
"""Clients that mean ill, in a process of their own, so that what they cost themselves can be told from what they
cost the edge (run it niced). Loopback only, bounded in number and time. Prints what became of them as JSON.

    attackers.py half-open PORT COUNT       silent sockets and halves of a ClientHello, held until cut
    attackers.py hello PORT COUNT [one]     a whole ClientHello, then nothing, held until cut; `one`: from one address
    attackers.py slow-heads PORT COUNT      TLS, then a head that never ends, a byte at a time
    attackers.py fragments PORT SECONDS     10,000 one-byte fragments of one message, again and again
    attackers.py bombs PORT SECONDS         64 KiB that inflate to 60 MiB, again and again
    attackers.py deaf PORT COUNT            members of a busy room that never read
    attackers.py resets PORT COUNT [plain]  connect and reset at once, at every stage of a handshake

The token is read from standard input where one is needed.
"""

import collections
import contextlib
import json
import os
import pathlib
import selectors
import socket
import ssl
import struct
import sys
import time
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import ws  # noqa: E402

LIMIT_S = 120
CONFIG = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CONFIG.check_hostname = False
CONFIG.verify_mode = ssl.CERT_NONE


def connect(port, index):
    """From 127.0.0.2 to .21, so that caps per address do not end the attack."""
    return socket.create_connection(("127.0.0.1", port), 30, source_address=(f"127.0.0.{2 + index % 20}", 0))


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = CONFIG.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def hold(socks, drip=None):
    """Reads until the other side has closed all of them; what each heard, and how long it was kept."""
    selector = selectors.DefaultSelector()
    heard, kept, begin = collections.Counter(), [], {}
    data = {}
    for sock in socks:
        sock.setblocking(False)
        selector.register(sock, selectors.EVENT_READ)
        begin[sock] = time.monotonic()
        data[sock] = b""
    end, next_drip = time.monotonic() + LIMIT_S, time.monotonic() + 0.5
    while data and time.monotonic() < end:
        for key, _ in selector.select(0.1):
            sock = key.fileobj
            try:
                part = sock.recv(65536)
            except (ssl.SSLWantReadError, BlockingIOError):
                continue
            except OSError:
                part = b""
            if part:
                data[sock] += part
                continue
            selector.unregister(sock)
            heard[data.pop(sock)[:12].decode("latin-1")] += 1
            kept.append(time.monotonic() - begin[sock])
            sock.close()
        if drip and time.monotonic() >= next_drip:
            next_drip = time.monotonic() + 0.5
            for sock in list(data):
                with contextlib.suppress(OSError):
                    sock.send(drip)
    return {"closed": sum(heard.values()), "left": len(data), "heard": heard, "kept_s": max(kept, default=0)}


def half_open(port, count):
    hello = client_hello()
    socks = []
    for i in range(count):
        sock = connect(port, i)
        if i % 2:
            sock.sendall(hello[:len(hello) // 2])
        socks.append(sock)
    return hold(socks)


def hello(port, count, one=False):
    first = client_hello()
    socks = []
    for i in range(count):
        sock = connect(port, 0 if one else i)
        sock.sendall(first)
        socks.append(sock)
    result = hold(socks)
    answered = sum(n for heard, n in result["heard"].items() if heard.startswith("\x16"))
    result["heard"] = {"a ServerHello": answered, "nothing": result["heard"].get("", 0)}
    return result


def slow_heads(port, count):
    """All connect first and then shake hands side by side: as many at once as the edge lets in."""
    selector = selectors.DefaultSelector()
    begun, refused = [], 0
    for i in range(count):
        sock = connect(port, i)
        sock.setblocking(False)
        tls = CONFIG.wrap_socket(sock, server_hostname="localhost", do_handshake_on_connect=False)
        selector.register(tls, selectors.EVENT_READ)
        with contextlib.suppress(ssl.SSLWantReadError, OSError):
            tls.do_handshake()
    end = time.monotonic() + LIMIT_S
    while selector.get_map() and time.monotonic() < end:
        for key, _ in selector.select(0.1):
            tls = key.fileobj
            try:
                tls.do_handshake()
                tls.sendall(b"GET /ws HTTP/1.1\r\nHost: localhost\r\nX-")
                begun.append(tls)
                selector.unregister(tls)
            except ssl.SSLWantReadError:
                continue
            except OSError:
                refused += 1
                selector.unregister(tls)
                tls.close()
    return {"began": len(begun), "cut_before": refused, **hold(begun, b"a")}


def repeat(port, seconds, token, attack, headers=()):
    """attack(client) -> close code, one connection after another."""
    codes, end = collections.Counter(), time.monotonic() + seconds
    while time.monotonic() < end:
        with ws.Client.connect(("127.0.0.1", port), "/ws", token=token, headers=headers) as client:
            with contextlib.suppress(OSError):
                attack(client)
            try:
                codes[client.expect_close()] += 1
            except OSError as problem:
                codes[type(problem).__name__] += 1
    return {"codes": codes}


def fragments(port, seconds, token):
    wire = ws.frame(ws.TEXT, b"x", fin=False) + b"".join(ws.frame(ws.CONT, b"x", fin=False) for _ in range(9999))
    return repeat(port, seconds, token, lambda client: client.sock.sendall(wire))


def bombs(port, seconds, token):
    z = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    bomb = z.compress(b"\0" * (63 << 20)) + z.flush(zlib.Z_SYNC_FLUSH)
    bomb = bomb[:-4]
    assert 60000 < len(bomb) <= 65536, len(bomb)
    wire = ws.frame(ws.TEXT, bomb, rsv=4)
    result = repeat(port, seconds, token, lambda client: client.sock.sendall(wire),
                    [("Sec-WebSocket-Extensions", "permessage-deflate")])
    return {**result, "bytes": len(bomb), "inflated": 63 << 20}


def deaf(port, count, token):
    """A small window, so that what they leave unread waits at the edge and not in the kernel."""
    clients = [ws.Client.connect(("127.0.0.1", port), "/ws", token=token, receive_buffer=4096) for _ in range(count)]
    for client in clients:
        client.send_message("join", {"room": "deaf"})
    loud = ws.Client.connect(("127.0.0.1", port), "/ws", token=token)
    loud.ask("join", {"room": "deaf"})
    kinds = collections.Counter(loud.ask("chat", {"room": "deaf", "text": "x" * 3000})["type"] for _ in range(1000))
    for client in clients:
        client.sock.close()
    loud.sock.close()
    return {"said": kinds}


def resets(port, count, plain):
    first = client_hello()
    request = b"GET /ws HTTP/1.1\r\nHost: localhost\r\n"
    stages = [b"", request, request + b"\r\n"] if plain else [b"", first[:1], first[:len(first) // 2], first, request]
    now = struct.pack("ii", 1, 0)
    failed = 0
    for i in range(count):
        try:
            sock = connect(port, i)
        except OSError:
            failed += 1
            continue
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
        stage = stages[i % len(stages)]
        with contextlib.suppress(OSError):
            if stage:
                sock.sendall(stage)
            if i // len(stages) % 3 == 1:
                sock.shutdown(socket.SHUT_WR)
            elif i // len(stages) % 3 == 2:
                time.sleep(0.0005)
        sock.close()
    return {"connected": count - failed, "failed": failed}


def main():
    kind, port, amount, *more = sys.argv[1:]
    port, amount = int(port), int(amount)
    if kind in ("fragments", "bombs", "deaf"):
        result = {"fragments": fragments, "bombs": bombs, "deaf": deaf}[kind](port, amount, sys.stdin.readline().strip())
    elif kind == "resets":
        result = resets(port, amount, more == ["plain"])
    elif kind == "hello":
        result = hello(port, amount, more == ["one"])
    else:
        result = {"half-open": half_open, "slow-heads": slow_heads}[kind](port, amount)
    print(json.dumps({"pid": os.getpid(), **result}))


if __name__ == "__main__":
    main()

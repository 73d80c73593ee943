"""Garbage from a peer: every service counts it, answers what can be answered, and serves the others."""

import os
import struct

import pytest
import zmq
from support.gatehouse import wait_until

# What a peer can connect to, by the role it would have there.
SOCKETS = ["auth.auth-1.edge", "session.session-1.edge", "session.session-1.ctl", "limiter.limiter-1.edge",
           "limiter.limiter-1.ctl", "audit.audit-1.edge", "audit.audit-1.ctl", "app-chat.chat-1.edge"]


def varint(n):
    out = b""
    while True:
        byte = n & 0x7f
        n >>= 7
        if not n:
            return out + bytes([byte])
        out += bytes([byte | 0x80])


def envelope(arm, body, version=1, call_id=77):
    return (b"\x08" + varint(version) + b"\x10" + varint(call_id) +
            varint(arm << 3 | 2) + varint(len(body)) + body)


GARBAGE = {
    "nothing": b"",
    "noise": bytes(range(256)),
    "wrong version": envelope(10, b"", version=9),
    "unknown arm": envelope(4000, b"abc"),
    "length past the end": b"\x08\x01\x10\x01\x52\xff\xff\xff\x0f",
    "hello without a name": envelope(10, b""),
    "hello with a line break": envelope(10, b"\x0a\x05a\nb c"),
    "an answer where a question belongs": envelope(21, b"\x08\x01"),
    "empty verify": envelope(20, b""), "empty create": envelope(30, b""), "empty end": envelope(34, b""),
    "empty lease": envelope(42, b""), "empty ban": envelope(45, b""), "empty batch": envelope(61, b""),
    "empty app batch": envelope(70, b"\x0a\x00"), "empty append": envelope(80, b""),
    "huge count": envelope(82, b"\x08\xff\xff\xff\xff\x0f"),
}


def instance_of(sock):
    return sock.split(".")[1]


@pytest.mark.parametrize("sock", SOCKETS)
def test_garbage_is_survived(suite, sock):
    process = suite[instance_of(sock)]
    pid, before = process.pid, process.metric("gatehouse_bus_bad_total")
    context = zmq.Context()
    try:
        peer = context.socket(zmq.DEALER)
        peer.linger = 0
        peer.connect(f"ipc://{suite.run_dir}/{sock}.sock")
        for data in GARBAGE.values():
            peer.send(data)
        peer.send_multipart([b"two", b"frames"])
        peer.send(os.urandom(4096))
        peer.send(struct.pack(">I", 7) * 100000)
        wait_until("it is counted", lambda: process.metric("gatehouse_bus_bad_total") >= before + 5, 20)
        chosen = context.socket(zmq.DEALER)
        chosen.linger = 0
        chosen.identity = b"i-name-myself"
        chosen.connect(f"ipc://{suite.run_dir}/{sock}.sock")
        chosen.send(envelope(10, b"\x0a\x01x"))
    finally:
        context.destroy(linger=0)
    assert process.alive() and process.pid == pid and process.ready()
    with suite.client() as client:
        assert client.ask("chat", {"text": "others are served"})["type"] == "ack"


def test_a_peer_that_goes_on_is_ignored(suite):
    process = suite["limiter-1"]
    context = zmq.Context()
    try:
        peer = context.socket(zmq.DEALER)
        peer.linger = 0
        peer.connect(f"ipc://{suite.run_dir}/limiter.limiter-1.edge.sock")
        for _ in range(150):
            peer.send(envelope(4000, b""))
        wait_until("it is ignored", lambda: "event=peer_ignored" in process.log(), 20)
    finally:
        context.destroy(linger=0)
    with suite.client() as client:
        assert client.ask("chat", {"text": "others are served"})["type"] == "ack"


def test_an_edge_may_not_ban(suite):
    """BanAdd comes from operators and the audit service; an edge's socket has no such right."""
    context = zmq.Context()
    try:
        peer = context.socket(zmq.DEALER)
        peer.linger = 0
        peer.connect(f"ipc://{suite.run_dir}/limiter.limiter-1.edge.sock")
        ban = b"\x12\x09127.0.0.1"
        peer.send(envelope(45, b"\x0a" + varint(len(ban)) + ban))
        assert peer.poll(20000)
        answer = peer.recv()
        assert answer.endswith(b"\x62\x02\x08\x04"), answer  # ErrorReply {GH_ERR_FORBIDDEN}
    finally:
        context.destroy(linger=0)
    with suite.client():
        pass

"""What clients may say: the happy path, and each refusal on the wire."""

import json
import struct

import pytest
from support import ws


def error_of(client, ident=None):
    message = client.recv_type("error")
    payload = message["payload"]
    assert payload["requestId"] and payload["message"]
    assert set(payload) <= {"code", "message", "requestId", "retryAfterMs", "id"}
    if ident is not None:
        assert payload["id"] == ident
    return payload["code"]


def test_a_message_comes_back_to_its_sender(suite):
    with suite.client(suite.token("alice")) as alice:
        ident = alice.send_message("chat", {"text": "note to self"})
        message = alice.recv_type("chat")
        assert message["payload"]["text"] == "note to self"
        assert message["payload"]["from"] == "alice"
        assert alice.recv_type("ack")["payload"]["id"] == ident


def test_a_room_hears_its_members_and_nobody_else(suite):
    with suite.client(suite.token("alice")) as alice, suite.client(suite.token("bob")) as bob, \
            suite.client(suite.token("carol")) as carol:
        for member in (alice, bob):
            assert member.ask("join", {"room": "tea"})["type"] == "ack"
        alice.send_message("chat", {"room": "tea", "text": "one lump"})
        heard = bob.recv_type("chat")
        assert heard["payload"]["text"] == "one lump" and heard["payload"]["from"] == "alice"
        carol.send_message("chat", {"text": "echo"})
        assert carol.recv_type("chat")["payload"]["text"] == "echo"
        assert bob.ask("leave", {"room": "tea"})["type"] == "ack"
        alice.send_message("chat", {"room": "tea", "text": "still there?"})
        assert alice.recv_type("chat")["payload"]["text"] == "one lump"
        bob.send_message("chat", {"text": "bob alone"})
        assert bob.recv_type("chat")["payload"]["text"] == "bob alone"


def test_a_direct_message_reaches_one_user(suite):
    with suite.client(suite.token("dora")) as dora, suite.client(suite.token("emil")) as emil:
        dora.send_message("chat", {"to": "emil", "text": "psst"})
        heard = emil.recv_type("chat")["payload"]
        assert heard["from"] == "dora" and heard["text"] == "psst"


def test_the_application_never_sees_the_csrf_token(suite):
    with suite.client() as client:
        client.send_message("chat", {"text": "look"})
        assert client.csrf not in json.dumps(client.recv_type("chat"))


def test_a_health_check_is_answered(suite):
    with suite.client() as client:
        client.send_message("health-check", {}, csrf=False, ident="h1")
        assert client.recv_type("health-check")["id"] == "h1"


@pytest.mark.parametrize("csrf", [False, "A" * 43, "", "x"], ids=["missing", "wrong", "empty", "short"])
def test_a_wrong_csrf_token_is_refused(suite, csrf):
    with suite.client() as client:
        assert client.ask("chat", {"text": "good"})["type"] == "ack"
        if csrf is False:
            ident = client.send_message("chat", {"text": "forged"}, csrf=False)
        else:
            ident = client.send_message("chat", {"text": "forged"}, csrf=False, csrfToken=csrf)
        assert error_of(client, ident) == "csrf_failed"
        assert client.ask("chat", {"text": "still open"})["type"] == "ack"


def test_another_sessions_csrf_token_is_refused(suite):
    with suite.client(suite.token("alice")) as one, suite.client(suite.token("alice")) as two:
        ident = one.send_message("chat", {"text": "forged"}, csrf=two.csrf)
        assert error_of(one, ident) == "csrf_failed"


def test_a_role_may_send_only_its_types(suite):
    with suite.client(suite.token("mod", ["moderator"])) as moderator:
        assert moderator.ask("notification", {"room": "tea", "text": "closing"})["type"] == "ack"
    with suite.client(suite.token("usr", ["user"])) as user:
        ident = user.send_message("notification", {"room": "tea", "text": "closing"})
        assert error_of(user, ident) == "role_forbidden"
    with suite.client(suite.token("nobody", [])) as nobody:
        ident = nobody.send_message("chat", {"text": "hello"})
        assert error_of(nobody, ident) == "role_forbidden"


def test_an_unknown_type_is_refused(suite):
    with suite.client() as client:
        assert error_of(client, client.send_message("launch", {})) == "unknown_type"


@pytest.mark.parametrize("text,code", [
    (b"not json", "bad_json"), (b"", "bad_json"), (b'{"type":"chat","type":"chat"}', "bad_json"),
    (b'{"type":"chat","payload":{"text":"x"},}', "bad_json"), (b"[]", "bad_envelope"),
    (b'{"payload":{}}', "bad_envelope"), (b'{"type":1,"payload":{}}', "bad_envelope"),
    (b'{"type":"chat","payload":{},"extra":1}', "bad_envelope"), (b"[" * 200, "bad_json"),
], ids=["text", "empty", "duplicate key", "trailing comma", "array", "no type", "number as type", "extra member",
        "deep"])
def test_what_is_no_message_is_refused(suite, text, code):
    with suite.client() as client:
        client.send_frame(ws.TEXT, text)
        assert error_of(client) == code
        assert client.ask("chat", {"text": "still open"})["type"] == "ack"


def test_binary_is_refused(suite):
    with suite.client() as client:
        client.send_frame(ws.BINARY, b"\x89PNG")
        assert error_of(client) == "binary_refused"


def test_a_message_at_the_cap_passes_and_one_past_it_closes(suite):
    def sized(client, size):
        head = json.dumps({"type": "chat", "payload": {"text": ""}, "csrfToken": client.csrf}).encode()
        return head.replace(b'"text": ""', b'"text": "' + b"a" * (size - len(head)) + b'"')
    with suite.client() as client:
        message = sized(client, 65536)
        assert len(message) == 65536
        client.send_frame(ws.TEXT, message)
        assert client.recv_type("chat", "error")["type"] == "chat"
    with suite.client() as client:
        client.sock.sendall(ws.frame(ws.TEXT, b"", length=65537))
        assert client.expect_close() == 1009


def test_fragments_are_put_together_under_the_cap(suite):
    with suite.client() as client:
        text = json.dumps({"type": "chat", "payload": {"text": "in parts"}, "csrfToken": client.csrf}).encode()
        client.send_frame(ws.TEXT, text[:5], fin=False)
        client.send_frame(ws.PING, b"between")
        client.send_frame(ws.CONT, text[5:9], fin=False)
        client.send_frame(ws.CONT, text[9:])
        assert client.recv_type("chat")["payload"]["text"] == "in parts"
    with suite.client() as client:
        client.send_frame(ws.TEXT, b"a" * 40000, fin=False)
        client.sock.sendall(ws.frame(ws.CONT, b"", length=40000))
        assert client.expect_close() == 1009


@pytest.mark.parametrize("data,code", [
    (ws.frame(ws.TEXT, b"{}", mask=False), 1002), (ws.frame(ws.TEXT, b"{}", rsv=1), 1002),
    (ws.frame(3, b""), 1002), (ws.frame(11, b""), 1002), (ws.frame(ws.PING, b"x" * 126), 1002),
    (ws.frame(ws.PING, b"", fin=False), 1002), (ws.frame(ws.CONT, b"x"), 1002),
    (ws.frame(ws.TEXT, b"\xff\xfe"), 1007), (ws.frame(ws.CLOSE, b"\x03"), 1002),
    (ws.frame(ws.CLOSE, struct.pack(">H", 1005)), 1002),
], ids=["unmasked", "rsv1", "opcode 3", "opcode 11", "long ping", "fragmented ping", "stray continuation",
        "bad utf-8", "short close", "reserved close code"])
def test_protocol_errors_close_with_their_code(suite, data, code):
    with suite.client() as client:
        client.sock.sendall(data)
        assert client.expect_close() == code


def test_a_close_is_answered(suite):
    with suite.client() as client:
        assert client.close(1000) == 1000


def test_a_ping_is_answered(suite):
    with suite.client() as client:
        client.send_frame(ws.PING, b"are you there")
        while True:
            _, _, opcode, payload = client.recv_frame()
            if opcode == ws.PONG:
                assert payload == b"are you there"
                break


def test_rate_limits_tell_when_to_come_back():
    from support.gatehouse import Suite
    limits = {"limiter": {"classes": {"chat": {"per_s": 5, "burst": 10}}}}
    with Suite(config=limits) as suite, suite.client() as client:
        for i in range(40):
            client.send_message("chat", {"text": str(i)}, ident=f"r{i}")
        taken, refused, waits = 0, 0, []
        while taken + refused < 40:
            message = client.recv_type("ack", "error")
            if message["type"] == "ack":
                taken += 1
            else:
                assert message["payload"]["code"] == "rate_limit_exceeded"
                waits.append(message["payload"]["retryAfterMs"])
                refused += 1
        assert 10 <= taken <= 20
        assert all(0 < wait <= 60000 for wait in waits)

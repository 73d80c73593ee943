"""RFC 6455 conformance over raw sockets, against the whole suite: what is right comes back from the
application, what is wrong ends with the close code the RFC names. Strict: no case has two right answers.
"""

import os
import struct
import time

import pytest
from support import ws
from support.gatehouse import Suite

CONFIG = {"edge": {"local_rates": {"connects_per_s": 100000, "connects_burst": 100000}, "max_fragments": 512}}
CAP = 65536


@pytest.fixture(scope="module")
def suite():
    with Suite(config=CONFIG, tls=False) as running:
        running.shared_token = running.token("frames", ["user"])
        yield running


@pytest.fixture
def client(suite):
    with suite.client(suite.shared_token) as open_client:
        yield open_client


def message(client, size=None, text="x", kind="chat", ident="probe"):
    """A valid message; size pads it to exactly so many bytes."""
    head = '{"type":"%s","csrfToken":"%s","id":"%s","payload":{"text":"' % (kind, client.csrf, ident)
    tail = '"}}'
    if size is not None:
        text = "x" * (size - len(head) - len(tail))
    return (head + text + tail).encode()


def expect_ack(client, ident="probe"):
    answer = client.recv_type("ack", "error")
    assert answer["type"] == "ack" and answer["payload"]["id"] == ident, answer


def expect_alive(client):
    client.send_frame(ws.TEXT, message(client, ident="alive"))
    expect_ack(client, "alive")


def expect_fail(client, code):
    """The close code, then the end of the stream: nothing else may follow a Close frame."""
    assert client.expect_close() == code
    client.send_frame(ws.CLOSE, struct.pack(">H", code))
    client.sock.settimeout(10)
    try:
        rest = client.data[:0] + client.sock.recv(100)
    except ConnectionError:
        rest = b""
    assert rest == b"", rest


# --- frame sizes -----------------------------------------------------------------------------------

@pytest.mark.parametrize("size", [200, 255, 256, 257, 1000, 1023, 1024, 4095, 4096, 16383, 16384, 32768])
def test_text_of_a_size_arrives(client, size):
    client.send_frame(ws.TEXT, message(client, size))
    answer = client.recv_type("ack", "error")
    assert answer["payload"].get("id") == "probe"
    expect_alive(client)


@pytest.mark.parametrize("size", [0, 1, 2, 124, 125, 126, 127, 128, 65534, 65535, 65536])
def test_text_at_the_edges_of_the_length_forms_is_judged_not_closed(client, size):
    client.send_frame(ws.TEXT, b"x" * size)
    answer = client.recv_type("error")
    assert answer["payload"]["code"] == "bad_json"
    expect_alive(client)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_binary_is_refused_by_the_route_and_the_connection_stays(client, size):
    client.send_frame(ws.BINARY, b"\xff" * size)
    assert client.recv_type("error")["payload"]["code"] == "binary_refused"
    expect_alive(client)


# --- reserved bits, reserved opcodes, masks ---------------------------------------------------------

OPCODES = {"continuation": ws.CONT, "text": ws.TEXT, "binary": ws.BINARY, "close": ws.CLOSE,
           "ping": ws.PING, "pong": ws.PONG}


@pytest.mark.parametrize("rsv", range(1, 8))
@pytest.mark.parametrize("opcode", OPCODES)
def test_reserved_bits_fail_the_connection(client, opcode, rsv):
    payload = struct.pack(">H", 1000) if opcode == "close" else b"hello"
    client.send_frame(OPCODES[opcode], payload, rsv=rsv)
    expect_fail(client, 1002)


@pytest.mark.parametrize("payload", [b"", b"data"], ids=["empty", "payload"])
@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
def test_reserved_opcodes_fail_the_connection(client, opcode, payload):
    client.send_frame(opcode, payload)
    expect_fail(client, 1002)


@pytest.mark.parametrize("payload", [b"", b"data"], ids=["empty", "payload"])
@pytest.mark.parametrize("opcode", OPCODES)
def test_unmasked_frames_fail_the_connection(client, opcode, payload):
    client.send_frame(OPCODES[opcode], payload, mask=False)
    expect_fail(client, 1002)


@pytest.mark.parametrize("key", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\1\2\3\4"], ids=["zero", "ones", "count"])
def test_any_mask_will_do(client, key):
    data = message(client, 200)
    masked = bytes(b ^ key[i % 4] for i, b in enumerate(data))
    client.sock.sendall(bytes([0x81, 0x80 | 126]) + struct.pack(">H", len(data)) + key + masked)
    expect_ack(client)


# --- length forms -----------------------------------------------------------------------------------

def test_sixteen_bit_form_is_accepted_at_its_least(client):
    client.sock.sendall(b"\x81\xfe" + struct.pack(">H", 126) + b"\0\0\0\0" + b"x" * 126)
    assert client.recv_type("error")["payload"]["code"] == "bad_json"


@pytest.mark.parametrize("opcode", ["text", "binary", "ping", "pong", "close"])
@pytest.mark.parametrize("size", [0, 1, 125])
def test_sixteen_bit_length_that_is_not_minimal(client, size, opcode):
    client.sock.sendall(bytes([0x80 | OPCODES[opcode], 0xfe]) + struct.pack(">H", size) + b"\0\0\0\0" + b"x" * size)
    expect_fail(client, 1002)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65534, 65535])
def test_sixty_four_bit_length_that_is_not_minimal(client, size):
    client.sock.sendall(b"\x81\xff" + struct.pack(">Q", size) + b"\0\0\0\0")
    expect_fail(client, 1002)


@pytest.mark.parametrize("size", [1 << 63, (1 << 64) - 1, (1 << 63) | 5])
def test_length_with_its_highest_bit_set(client, size):
    client.sock.sendall(b"\x82\xff" + struct.pack(">Q", size))
    expect_fail(client, 1002)


@pytest.mark.parametrize("opcode", ["text", "binary"])
@pytest.mark.parametrize("size", [CAP + 1, 1 << 20, 1 << 31, 1 << 32, (1 << 63) - 1])
def test_too_large_is_told_from_the_header_alone(client, size, opcode):
    client.sock.sendall(bytes([0x80 | OPCODES[opcode], 0xff]) + struct.pack(">Q", size))  # not even the mask
    expect_fail(client, 1009)


# --- bytes that trickle in --------------------------------------------------------------------------

@pytest.mark.parametrize("cut", range(1, 15))
def test_a_header_cut_at_any_byte(client, cut):
    frame = ws.frame(ws.TEXT, b"x" * 65536)
    client.sock.sendall(frame[:cut])
    time.sleep(0.01)
    client.sock.sendall(frame[cut:])
    assert client.recv_type("error")["payload"]["code"] == "bad_json"


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64])
def test_a_frame_in_small_pieces(client, piece):
    frame = ws.frame(ws.TEXT, message(client))
    for at in range(0, len(frame), piece):
        client.sock.sendall(frame[at:at + piece])
    expect_ack(client)


@pytest.mark.parametrize("count", [2, 10, 100])
def test_many_frames_in_one_piece(client, count):
    client.sock.sendall(b"".join(ws.frame(ws.TEXT, message(client, ident=f"n{i}")) for i in range(count)))
    for i in range(count):
        expect_ack(client, f"n{i}")


# --- control frames ---------------------------------------------------------------------------------

@pytest.mark.parametrize("size", [0, 1, 2, 7, 8, 9, 63, 64, 124, 125])
def test_ping_is_answered_with_its_payload(client, size):
    payload = os.urandom(size)
    client.send_frame(ws.PING, payload)
    assert client.recv_frame() == (True, 0, ws.PONG, payload)


def test_pings_are_answered_in_order(client):
    for i in range(20):
        client.send_frame(ws.PING, bytes([i]))
    for i in range(20):
        assert client.recv_frame() == (True, 0, ws.PONG, bytes([i]))


@pytest.mark.parametrize("payload", [b"", b"unasked", b"x" * 125])
def test_an_unasked_pong_is_ignored(client, payload):
    client.send_frame(ws.PONG, payload)
    expect_alive(client)


@pytest.mark.parametrize("size", [126, 127, 65535, 65536])
@pytest.mark.parametrize("opcode", ["close", "ping", "pong"])
def test_a_control_frame_past_125_bytes(client, opcode, size):
    client.send_frame(OPCODES[opcode], b"x" * size)
    expect_fail(client, 1002)


@pytest.mark.parametrize("opcode", ["close", "ping", "pong"])
def test_a_control_frame_in_fragments(client, opcode):
    client.send_frame(OPCODES[opcode], b"", fin=False)
    expect_fail(client, 1002)


def test_a_ping_cut_between_segments(client):
    frame = ws.frame(ws.PING, b"payload of the ping")
    for at in range(len(frame)):
        client.sock.sendall(frame[at:at + 1])
        time.sleep(0.001)
    assert client.recv_frame() == (True, 0, ws.PONG, b"payload of the ping")


def test_a_flood_of_pings_is_ended(client):
    client.sock.sendall(ws.frame(ws.PING, b"x") * 500)
    assert client.expect_close() == 4429


# --- fragments --------------------------------------------------------------------------------------

def fragments(data, count):
    step = max(1, len(data) // count)
    parts = [data[i * step:(i + 1) * step] for i in range(count - 1)] + [data[(count - 1) * step:]]
    return [ws.frame(ws.TEXT if i == 0 else ws.CONT, part, fin=i == count - 1) for i, part in enumerate(parts)]


@pytest.mark.parametrize("count", [2, 3, 4, 5, 10, 50, 100, 512])
def test_a_message_in_fragments(client, count):
    client.sock.sendall(b"".join(fragments(message(client, 1024), count)))
    expect_ack(client)


@pytest.mark.parametrize("count", [2, 5, 20])
def test_pings_between_fragments_are_answered_at_once(client, count):
    for part in fragments(message(client), count):
        client.sock.sendall(part + ws.frame(ws.PING, b"between"))
    pongs = 0
    while True:
        _, _, opcode, payload = client.recv_frame()
        if opcode == ws.PONG:
            pongs += 1
            assert payload == b"between"
        elif b'"ack"' in payload:
            break
    while pongs < count:
        assert client.recv_frame()[2] == ws.PONG
        pongs += 1


@pytest.mark.parametrize("where", ["first", "middle", "last", "all but one"])
def test_empty_fragments(client, where):
    data = message(client)
    parts = {"first": [b"", data], "middle": [data[:9], b"", data[9:]], "last": [data, b""],
             "all but one": [b"", b"", data, b"", b""]}[where]
    client.sock.sendall(b"".join(ws.frame(ws.TEXT if i == 0 else ws.CONT, part, fin=i == len(parts) - 1)
                                 for i, part in enumerate(parts)))
    expect_ack(client)


@pytest.mark.parametrize("fin", [True, False], ids=["final", "not final"])
@pytest.mark.parametrize("payload", [b"", b"data"], ids=["empty", "payload"])
def test_a_continuation_without_a_beginning(client, payload, fin):
    client.send_frame(ws.CONT, payload, fin=fin)
    expect_fail(client, 1002)


def test_a_continuation_after_a_whole_message(client):
    client.send_frame(ws.TEXT, message(client))
    expect_ack(client)
    client.send_frame(ws.CONT, b"more")
    expect_fail(client, 1002)


@pytest.mark.parametrize("fin", [True, False], ids=["final", "not final"])
@pytest.mark.parametrize("opcode", ["text", "binary"])
def test_a_new_message_inside_a_message(client, opcode, fin):
    client.send_frame(ws.TEXT, b"begun", fin=False)
    client.send_frame(OPCODES[opcode], b"another", fin=fin)
    expect_fail(client, 1002)


@pytest.mark.parametrize("first", [CAP, CAP - 1, 1])
def test_fragments_that_add_up_past_the_cap(client, first):
    client.send_frame(ws.TEXT, b"x" * first, fin=False)
    client.sock.sendall(b"\x00\xff" + struct.pack(">Q", CAP + 1) if first == 1 else
                        b"\x00" + bytes([0x80 | (CAP - first + 1)]))
    expect_fail(client, 1009)


def test_fragments_that_add_up_to_the_cap(client):
    client.send_frame(ws.TEXT, b"x" * (CAP - 10), fin=False)
    client.send_frame(ws.CONT, b"x" * 10)
    assert client.recv_type("error")["payload"]["code"] == "bad_json"


@pytest.mark.parametrize("payload", [b"", b"x"], ids=["empty", "one byte"])
def test_more_fragments_than_allowed(client, payload):
    client.sock.sendall(ws.frame(ws.TEXT, payload, fin=False) + ws.frame(ws.CONT, payload, fin=False) * 600)
    assert client.expect_close() == 1009


def test_a_close_inside_a_fragmented_message(client):
    client.send_frame(ws.TEXT, b"begun", fin=False)
    client.send_frame(ws.CLOSE, struct.pack(">H", 1000))
    assert client.expect_close() == 1000


# --- UTF-8 ------------------------------------------------------------------------------------------

VALID = {
    "two bytes least": b"\xc2\x80", "two bytes most": b"\xdf\xbf", "three bytes least": b"\xe0\xa0\x80",
    "below surrogates": b"\xed\x9f\xbf", "above surrogates": b"\xee\x80\x80", "three bytes most": b"\xef\xbf\xbf",
    "noncharacter": b"\xef\xbf\xbe", "replacement": b"\xef\xbf\xbd", "byte order mark inside": b"\xef\xbb\xbf",
    "four bytes least": b"\xf0\x90\x80\x80", "four bytes most": b"\xf4\x8f\xbf\xbf", "emoji": b"\xf0\x9f\x98\x80",
    "greek": "κόσμε".encode(), "mixed": "aé€😀z".encode(), "long mixed": "aé€😀z".encode() * 40,
    "DEL": b"\x7f", "C1 control": b"\xc2\x85",
}
INVALID = {
    "continuation 80": b"\x80", "continuation BF": b"\xbf", "two continuations": b"\x80\xbf",
    "overlong C0 80": b"\xc0\x80", "overlong C0 AF": b"\xc0\xaf", "overlong C1 BF": b"\xc1\xbf",
    "overlong E0 80 80": b"\xe0\x80\x80", "overlong E0 80 AF": b"\xe0\x80\xaf", "overlong E0 9F BF": b"\xe0\x9f\xbf",
    "overlong F0 80 80 80": b"\xf0\x80\x80\x80", "overlong F0 8F BF BF": b"\xf0\x8f\xbf\xbf",
    "surrogate D800": b"\xed\xa0\x80", "surrogate DB7F": b"\xed\xad\xbf", "surrogate DC00": b"\xed\xb0\x80",
    "surrogate DFFF": b"\xed\xbf\xbf", "surrogate pair": b"\xed\xa0\x80\xed\xb0\x80",
    "past the end F4 90": b"\xf4\x90\x80\x80", "lead F5": b"\xf5\x80\x80\x80", "lead F8": b"\xf8\x88\x80\x80\x80",
    "lead FC": b"\xfc\x84\x80\x80\x80\x80", "lead FE": b"\xfe", "lead FF": b"\xff",
    "two bytes then ASCII": b"\xc2A", "three bytes then ASCII": b"\xe2\x82A", "four bytes then ASCII": b"\xf0\x9f\x98A",
    "lead after lead": b"\xc2\xc2\x80", "lead inside three": b"\xe2\xc2\x80", "lone E0": b"\xe0A", "lone F0": b"\xf0A",
    "latin-1": "é".encode("latin-1") + b"t\xe9", "utf-16": b"\xff\xfea\x00",
}


@pytest.mark.parametrize("name", VALID)
def test_valid_utf8(client, name):
    client.send_frame(ws.TEXT, b"say " + VALID[name])  # text, if not JSON: the validator gets to see it
    assert client.recv_type("error")["payload"]["code"] == "bad_json"


@pytest.mark.parametrize("name", VALID)
def test_valid_utf8_cut_into_fragments_at_every_byte(client, name):
    data = b"say " + VALID[name] + b"."
    for cut in range(len(data)):
        client.sock.sendall(ws.frame(ws.TEXT, data[:cut], fin=False) + ws.frame(ws.CONT, data[cut:]))
        assert client.recv_type("error")["payload"]["code"] == "bad_json", cut


@pytest.mark.parametrize("name", INVALID)
def test_invalid_utf8(client, name):
    client.send_frame(ws.TEXT, b"say " + INVALID[name] + b".")
    expect_fail(client, 1007)


@pytest.mark.parametrize("name", INVALID)
def test_invalid_utf8_is_told_before_the_message_is_whole(client, name):
    client.send_frame(ws.TEXT, b'{"a":"' + INVALID[name] + b"  ", fin=False)
    expect_fail(client, 1007)


@pytest.mark.parametrize("name", INVALID)
def test_invalid_utf8_cut_into_fragments_at_every_byte(suite, name):
    data = INVALID[name] + b"  "
    for cut in range(1, len(data)):
        with suite.client(suite.shared_token) as client:
            client.sock.sendall(ws.frame(ws.TEXT, data[:cut], fin=False) + ws.frame(ws.CONT, data[cut:], fin=False))
            assert client.expect_close() == 1007, cut


@pytest.mark.parametrize("name", INVALID)
def test_invalid_utf8_in_a_close_reason(client, name):
    client.send_frame(ws.CLOSE, struct.pack(">H", 1000) + INVALID[name])
    expect_fail(client, 1007)


@pytest.mark.parametrize("cut", [b"\xc2", b"\xe2", b"\xe2\x82", b"\xf0", b"\xf0\x9f", b"\xf0\x9f\x98"])
def test_a_message_that_ends_inside_a_character(client, cut):
    client.send_frame(ws.TEXT, b'{"a":"' + cut)
    expect_fail(client, 1007)


def test_bytes_of_a_binary_message_need_not_be_text(client):
    client.send_frame(ws.BINARY, b"\xff\xfe\xc0\x80")
    assert client.recv_type("error")["payload"]["code"] == "binary_refused"


# --- closing ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
                                  3000, 3001, 3999, 4000, 4001, 4999])
def test_a_close_code_comes_back(client, code):
    client.send_frame(ws.CLOSE, struct.pack(">H", code))
    assert client.expect_close() == code


@pytest.mark.parametrize("code", [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1099, 1100, 2000, 2999, 5000, 65535])
def test_a_close_code_that_may_not_be_sent(client, code):
    client.send_frame(ws.CLOSE, struct.pack(">H", code))
    expect_fail(client, 1002)


def test_a_close_without_a_code(client):
    client.send_frame(ws.CLOSE)
    assert client.expect_close() == 1000


def test_a_close_of_one_byte(client):
    client.send_frame(ws.CLOSE, b"\x03")
    expect_fail(client, 1002)


@pytest.mark.parametrize("size", [1, 60, 122, 123])
def test_a_close_with_a_reason(client, size):
    client.send_frame(ws.CLOSE, struct.pack(">H", 1000) + b"r" * size)
    assert client.expect_close() == 1000


def test_what_follows_a_close_is_ignored(client):
    client.sock.sendall(ws.frame(ws.CLOSE, struct.pack(">H", 1000)) + ws.frame(ws.TEXT, message(client)) +
                        ws.frame(ws.PING, b"x"))
    assert client.expect_close() == 1000
    with pytest.raises((ws.Closed, ConnectionError)):
        client.recv_frame()


def test_the_server_closes_the_connection_after_the_close_handshake(client):
    assert client.close(1000) == 1000
    client.sock.settimeout(10)
    assert client.sock.recv(1) == b""


def test_a_client_that_never_answers_a_close_is_cut(client):
    client.send_frame(3, b"")  # fails the connection; its own Close frame never comes
    assert client.expect_close() == 1002
    client.sock.settimeout(10)
    assert client.sock.recv(1) == b""


def test_answers_to_messages_before_a_close_are_not_torn(client):
    client.send_frame(ws.TEXT, message(client))
    expect_ack(client)
    client.send_frame(ws.PING, b"last")
    client.send_frame(ws.CLOSE, struct.pack(">H", 1000))
    assert client.recv_frame() == (True, 0, ws.PONG, b"last")
    assert client.recv_frame()[2] == ws.CLOSE


# --- what the server sends --------------------------------------------------------------------------

def test_frames_of_the_server_are_final_unmasked_and_minimal(client):
    for size in (200, 1000, 30000):
        client.send_frame(ws.TEXT, message(client, size))
        while True:
            fin, rsv, opcode, payload = client.recv_frame()  # asserts that it is not masked
            assert fin and rsv == 0 and opcode == ws.TEXT
            payload.decode("utf-8")
            if b'"ack"' in payload or b'"error"' in payload:
                break


def test_an_extension_that_is_offered_is_not_answered_when_it_is_off(suite):
    with suite.client(suite.shared_token,
                      headers=[("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")]) as client:
        assert "sec-websocket-extensions" not in client.answer
        expect_alive(client)

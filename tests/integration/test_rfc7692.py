"""RFC 7692 conformance over raw sockets, against the whole suite with permessage-deflate on: `/zip` keeps
nothing between messages, `/past` lets both sides refer to earlier ones, `/ws` has it off. The client
deflates with zlib by itself and inflates what comes with no more window than was agreed on.
"""

import json
import shutil
import signal
import struct
import zlib

import pytest
from support import ws
from support.gatehouse import ROOT, Suite, wait_until
from test_rfc6455 import INVALID, VALID, expect_ack, expect_alive, expect_fail, message

CAP = 65536


def route(path, name, compression):
    return {"path": path, "name": name, "compression": compression, "app": "chat", "missing_origin": "allow",
            "credentials": ["bearer"]}


CONFIG = {
    "edge": {"local_rates": {"connects_per_s": 100000, "connects_burst": 100000},
             "compression": {"min_bytes": 256, "max_ratio": 100, "window_bits": 12}},
    "routes": [route("/ws", "main", "off"), route("/zip", "zip", "on"), route("/past", "past", "takeover")],
}
RSV1 = 4


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    policies = tmp_path_factory.mktemp("policies") / "policies"
    shutil.copytree(ROOT / "deploy" / "policies", policies)
    for name in ("zip", "past"):
        text = (policies / "main.yaml").read_text()
        assert text.count("\nroute: main\n") == 1
        (policies / f"{name}.yaml").write_text(text.replace("\nroute: main\n", f"\nroute: {name}\n"))
    with Suite(config=CONFIG, tls=False, policies=policies) as running:
        running.shared_token = running.token("zip", ["user"])
        yield running


def offer(suite, value, path="/zip"):
    headers = [("Sec-WebSocket-Extensions", v) for v in ([value] if isinstance(value, str) else value)]
    return suite.client(suite.shared_token, path, headers=headers)


@pytest.fixture
def client(suite):
    with offer(suite, "permessage-deflate") as open_client:
        yield open_client


@pytest.fixture
def past(suite):
    with offer(suite, "permessage-deflate; client_max_window_bits", "/past") as open_client:
        yield open_client


def deflate(data, z=None, bits=15, level=6):
    z = z or zlib.compressobj(level, zlib.DEFLATED, -bits)
    out = z.compress(data) + z.flush(zlib.Z_SYNC_FLUSH)
    assert out.endswith(b"\0\0\xff\xff")
    return out[:-4]


def noise(size):
    """Letters and digits that deflate to three quarters and no less: no ratio stands in the way of a size."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_ "
    value, out = 12345, []
    for _ in range(size):
        value = (value * 1103515245 + 12345) & 0x7fffffff
        out.append(letters[(value >> 16) % 64])
    return "".join(out)


def send(client, payload, opcode=ws.TEXT):
    client.send_frame(opcode, payload, rsv=RSV1)


def answer(client, inflater=None, bits=15):
    """(was compressed, the next ack or error); each message by itself without an inflater."""
    while True:
        fin, rsv, opcode, payload = client.recv_frame()
        assert fin and rsv in (0, RSV1) and opcode == ws.TEXT
        if rsv:
            z = inflater or zlib.decompressobj(-bits)
            payload = z.decompress(payload + b"\0\0\xff\xff")
        message = json.loads(payload)
        if message["type"] in ("ack", "error"):
            return bool(rsv), message


def expect_error(client, code):
    assert client.recv_type("ack", "error")["payload"]["code"] == code


# --- negotiation -----------------------------------------------------------------------------------

BOTH = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
TAKEN = {
    "bare": ("permessage-deflate", BOTH),
    "client window": ("permessage-deflate; client_max_window_bits", BOTH),
    "client window with a wish": ("permessage-deflate; client_max_window_bits=10", BOTH),
    "server window 8": ("permessage-deflate; server_max_window_bits=8", BOTH + "; server_max_window_bits=8"),
    "server window 9": ("permessage-deflate; server_max_window_bits=9", BOTH + "; server_max_window_bits=9"),
    "server window 15": ("permessage-deflate; server_max_window_bits=15", BOTH + "; server_max_window_bits=15"),
    "quoted": ('permessage-deflate; server_max_window_bits="11"', BOTH + "; server_max_window_bits=11"),
    "no takeovers": (BOTH, BOTH),
    "second offer": ("permessage-deflate; server_max_window_bits=7, permessage-deflate", BOTH),
    "third offer": ("foo, permessage-deflate; x, permessage-deflate; server_max_window_bits=12",
                    BOTH + "; server_max_window_bits=12"),
    "first of two good ones": ("permessage-deflate; server_max_window_bits=9, permessage-deflate",
                               BOTH + "; server_max_window_bits=9"),
    "in two header lines": (["foo; bar=1", "permessage-deflate"], BOTH),
}
DECLINED = {
    "unknown parameter": "permessage-deflate; window=10",
    "parameter of another case": "permessage-deflate; Client_Max_Window_Bits",
    "server takeover twice": "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    "client takeover twice": "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
    "server window twice": "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
    "client window twice": "permessage-deflate; client_max_window_bits; client_max_window_bits",
    "server takeover with a value": "permessage-deflate; server_no_context_takeover=1",
    "client takeover with a value": "permessage-deflate; client_no_context_takeover=0",
    "server window without a value": "permessage-deflate; server_max_window_bits",
    "server window 7": "permessage-deflate; server_max_window_bits=7",
    "server window 16": "permessage-deflate; server_max_window_bits=16",
    "server window 08": "permessage-deflate; server_max_window_bits=08",
    "server window in hex": "permessage-deflate; server_max_window_bits=0xf",
    "client window 7": "permessage-deflate; client_max_window_bits=7",
    "client window 16": "permessage-deflate; client_max_window_bits=16",
    "client window 010": "permessage-deflate; client_max_window_bits=010",
    "another extension": "x-webkit-deflate-frame",
    "another case": "Permessage-Deflate",
}
MALFORMED = ["permessage-deflate;", "permessage-deflate; =1", "permessage-deflate; server_max_window_bits=",
             'permessage-deflate; server_max_window_bits="10', "permessage deflate", ";",
             'permessage-deflate; server_max_window_bits="1,0"', "permessage-deflate; a b", "perm/deflate"]


@pytest.mark.parametrize("name", TAKEN)
def test_an_offer_that_is_taken(suite, name):
    offered, expected = TAKEN[name]
    with offer(suite, offered) as client:
        assert client.answer["sec-websocket-extensions"] == expected
        send(client, deflate(message(client)))
        expect_ack(client)


@pytest.mark.parametrize("name", DECLINED)
def test_an_offer_that_is_declined(suite, name):
    with offer(suite, DECLINED[name]) as client:
        assert "sec-websocket-extensions" not in client.answer
        expect_alive(client)
        send(client, deflate(message(client)))  # not negotiated: a reserved bit
        expect_fail(client, 1002)


@pytest.mark.parametrize("value", MALFORMED)
def test_a_header_outside_the_grammar_is_refused(suite, value):
    with pytest.raises(ws.Refused) as refused:
        offer(suite, value)
    assert refused.value.status == 400


@pytest.mark.parametrize("offered,expected", [
    ("permessage-deflate; client_max_window_bits",
     "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"),
    ("permessage-deflate; client_max_window_bits=9; server_max_window_bits=10",
     "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9"),
    ("permessage-deflate", "permessage-deflate; client_no_context_takeover; server_max_window_bits=12"),
    ("permessage-deflate; server_no_context_takeover; client_max_window_bits",
     "permessage-deflate; server_no_context_takeover; server_max_window_bits=12; client_max_window_bits=12"),
], ids=["both", "both smaller", "a client that cannot be told", "server without"])
def test_takeover_is_kept_within_the_window(suite, offered, expected):
    with offer(suite, offered, "/past") as client:
        assert client.answer["sec-websocket-extensions"] == expected
        expect_alive(client)


def test_a_route_without_compression_takes_no_offer(suite):
    with offer(suite, "permessage-deflate", "/ws") as client:
        assert "sec-websocket-extensions" not in client.answer
        send(client, deflate(message(client)))
        expect_fail(client, 1002)


# --- messages to the server ------------------------------------------------------------------------

# RFC 7692 section 7.2.3, each "Hello", which the validator judges as the text it is: not JSON.
HELLO = {
    "one block": "f248cdc9c90700",
    "no compression": "000500faff48656c6c6f00",
    "BFINAL": "f348cdc9c9070000",
    "two blocks": "f24805000000ffffcac9c90700",
}


@pytest.mark.parametrize("name", HELLO)
def test_the_examples_of_the_rfc(client, name):
    send(client, bytes.fromhex(HELLO[name]))
    expect_error(client, "bad_json")
    expect_alive(client)


@pytest.mark.parametrize("cut", range(8))
def test_the_fragmented_example_of_the_rfc(client, cut):
    data = bytes.fromhex("f248cdc9c90700")
    client.sock.sendall(ws.frame(ws.TEXT, data[:cut], fin=False, rsv=RSV1) + ws.frame(ws.CONT, data[cut:]))
    expect_error(client, "bad_json")
    expect_alive(client)


def test_the_empty_message_of_the_rfc(client):
    send(client, b"\0")
    expect_error(client, "bad_json")
    expect_alive(client)


def test_the_takeover_example_of_the_rfc(past):
    send(past, bytes.fromhex("f248cdc9c90700"))
    expect_error(past, "bad_json")
    send(past, bytes.fromhex("f200110000"))
    expect_error(past, "bad_json")
    expect_alive(past)


def test_a_reference_to_the_last_message_without_takeover(client):
    send(client, bytes.fromhex("f248cdc9c90700"))
    expect_error(client, "bad_json")
    send(client, bytes.fromhex("f200110000"))
    expect_fail(client, 1007)


@pytest.mark.parametrize("size", [256, 1000, 16384, 65534, 65535])
@pytest.mark.parametrize("level", [0, 1, 9])
def test_a_message_of_a_size(client, level, size):
    data = message(client, text=noise(size - len(message(client, text=""))))
    assert len(data) == size
    send(client, deflate(data, level=level))
    _, reply = answer(client)
    assert reply["type"] == "ack" or reply["payload"]["code"] != "bad_json", reply


@pytest.mark.parametrize("count", [2, 3, 10, 50])
def test_a_compressed_message_in_fragments(client, count):
    data = deflate(message(client, 800, ident="cut"), level=0)
    step = -(-len(data) // count)
    parts = [data[i:i + step] for i in range(0, len(data), step)]
    for i, part in enumerate(parts):
        client.sock.sendall(ws.frame(ws.CONT if i else ws.TEXT, part, fin=i == len(parts) - 1, rsv=0 if i else RSV1) +
                            ws.frame(ws.PING, b"between"))
    pongs = 0
    while True:
        _, rsv, opcode, payload = client.recv_frame()
        if opcode == ws.PONG:
            pongs += 1
            assert rsv == 0 and payload == b"between"
        elif b'"ack"' in payload:
            break
    while pongs < len(parts):
        assert client.recv_frame()[2] == ws.PONG
        pongs += 1


def test_compressed_and_plain_messages_take_turns(client):
    for i in range(10):
        data = message(client, ident=f"turn{i}")
        client.send_frame(ws.TEXT, deflate(data) if i % 2 else data, rsv=RSV1 if i % 2 else 0)
        expect_ack(client, f"turn{i}")


def test_many_messages_share_a_window(past):
    z, theirs = zlib.compressobj(9, zlib.DEFLATED, -12), zlib.decompressobj(-12)
    sizes = []
    for i in range(20):
        if i == 10:  # a plain message is no part of the window
            past.send_frame(ws.TEXT, message(past, ident="plain"))
            assert answer(past, theirs)[1]["payload"]["id"] == "plain"
        data = deflate(message(past, text=noise(3000), ident=f"w{i:02d}"), z)
        sizes.append(len(data))
        send(past, data)
        assert answer(past, theirs)[1]["payload"]["id"] == f"w{i:02d}"
    assert max(sizes[1:]) < sizes[0] / 2, "the client did refer to earlier messages"


def test_a_compressed_binary_message(client):
    send(client, deflate(bytes(range(256)) * 8), ws.BINARY)
    expect_error(client, "binary_refused")
    expect_alive(client)


# --- what breaks the protocol ----------------------------------------------------------------------

@pytest.mark.parametrize("payload", [b"", b"data"], ids=["empty", "payload"])
@pytest.mark.parametrize("opcode", ["close", "ping", "pong"])
def test_a_compressed_control_frame(client, opcode, payload):
    client.send_frame({"close": ws.CLOSE, "ping": ws.PING, "pong": ws.PONG}[opcode], payload, rsv=RSV1)
    expect_fail(client, 1002)


@pytest.mark.parametrize("first", [0, RSV1], ids=["plain message", "compressed message"])
@pytest.mark.parametrize("fin", [True, False], ids=["final", "not final"])
def test_the_bit_on_a_continuation(client, fin, first):
    data = deflate(message(client))
    client.send_frame(ws.TEXT, data[:5] if first else b"x", fin=False, rsv=first)
    client.send_frame(ws.CONT, data[5:], fin=fin, rsv=RSV1)
    expect_fail(client, 1002)


@pytest.mark.parametrize("rsv", [1, 2, 3, 5, 6, 7])
@pytest.mark.parametrize("opcode", [ws.TEXT, ws.BINARY], ids=["text", "binary"])
def test_the_other_bits_stay_reserved(client, opcode, rsv):
    client.send_frame(opcode, deflate(b"Hello"), rsv=rsv)
    expect_fail(client, 1002)


BROKEN = {
    "no byte at all": "",
    "reserved block type": "0600",
    "stored length does not match": "000500fbff48656c6c6f00",
    "bad code lengths": "fcffffffff00",
    "a reference past the beginning": "02130000",
    "cut inside a block": "f248cdc9c9",
    "no empty block at the end": "f248cdc9c907",
    "the four bytes not taken off": "f248cdc9c907000000ffff",
    "BFINAL without its padding": "f348cdc9c90700",
    "plain text": b"Hello".hex(),
}


@pytest.mark.parametrize("name", BROKEN)
def test_invalid_deflate_data(client, name):
    send(client, bytes.fromhex(BROKEN[name]))
    expect_fail(client, 1007)


@pytest.mark.parametrize("name", VALID)
def test_valid_utf8_compressed(client, name):
    data = deflate(b"say " + VALID[name])
    send(client, data)
    expect_error(client, "bad_json")
    for cut in range(1, len(data)):
        client.sock.sendall(ws.frame(ws.TEXT, data[:cut], fin=False, rsv=RSV1) + ws.frame(ws.CONT, data[cut:]))
        expect_error(client, "bad_json")


@pytest.mark.parametrize("name", INVALID)
def test_invalid_utf8_compressed(client, name):
    send(client, deflate(b"say " + INVALID[name] + b"."))
    expect_fail(client, 1007)


@pytest.mark.parametrize("name", INVALID)
def test_invalid_utf8_in_binary_is_nobodys_business(client, name):
    send(client, deflate(INVALID[name]), ws.BINARY)
    expect_error(client, "binary_refused")


# --- limits ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("level", [0, 6])
def test_the_cap_holds_for_what_comes_out(client, level):
    send(client, deflate(noise(CAP).encode(), level=level))
    expect_error(client, "bad_json")
    send(client, deflate(noise(CAP + 1).encode(), level=level))
    expect_fail(client, 1009)


@pytest.mark.parametrize("inflated", [CAP + 1, 1 << 20, 60 << 20])
def test_a_bomb_is_cut(client, inflated):
    data = deflate(b"\0" * inflated, level=9)
    assert len(data) <= CAP
    send(client, data)
    expect_fail(client, 1009)


def test_a_bomb_in_fragments_is_cut(client):
    data = deflate(b"\0" * (60 << 20), level=9)
    step = len(data) // 50 + 1
    for i in range(0, len(data), step):
        client.send_frame(ws.CONT if i else ws.TEXT, data[i:i + step], fin=i + step >= len(data), rsv=0 if i else RSV1)
    expect_fail(client, 1009)


def test_the_ratio_holds_below_the_cap(client):
    send(client, deflate(b"x" * 4096, level=9))  # so little is always allowed
    expect_error(client, "bad_json")
    data = deflate(b"x" * 8192, level=9)
    assert len(data) * 100 < 8192
    send(client, data)
    expect_fail(client, 1009)


@pytest.mark.parametrize("announced", [CAP * 2, 1 << 31])
def test_too_large_on_the_wire_is_told_from_the_header(client, announced):
    client.sock.sendall(b"\xc1\xff" + struct.pack(">Q", announced))
    expect_fail(client, 1009)


def test_blocks_without_content_are_cut(client):
    send(client, b"\0\0\0\xff\xff" * 1000 + b"\0")
    expect_fail(client, 1009)


# --- messages from the server ----------------------------------------------------------------------

def say(client, text, ident="probe"):
    """A message to one's own room, so that it comes back as the application sends it."""
    client.send_message("chat", {"text": text}, ident=ident)
    compressed, got = None, None
    while True:
        fin, rsv, opcode, payload = client.recv_frame()
        assert fin and opcode == ws.TEXT and rsv in (0, RSV1)
        plain = client.inflate(payload) if rsv else payload
        reply = json.loads(plain)
        assert reply["type"] in ("chat", "ack"), reply
        if reply["type"] == "chat":
            compressed, got = (len(payload) if rsv else 0), reply["payload"]["text"]
        elif reply["payload"].get("id") == ident:
            assert got == text
            return compressed


def strict(bits, takeover):
    """Inflates with a window of exactly 2^bits, byte by byte, so that a reference past it is an error."""
    state = {"z": zlib.decompressobj(-bits)}

    def inflate(payload):
        if not takeover:
            state["z"] = zlib.decompressobj(-bits)
        z, out, rest = state["z"], b"", payload + b"\0\0\xff\xff"
        while True:
            part = z.decompress(rest, 1)
            rest = z.unconsumed_tail
            if not part and not rest:
                return out
            out += part
    return inflate


@pytest.mark.parametrize("bits", range(8, 16))
def test_the_server_keeps_to_its_window(suite, bits):
    with offer(suite, f"permessage-deflate; server_max_window_bits={bits}") as client:
        client.inflate = strict(bits, False)
        client.ask("join", {"room": f"window-{bits}"})
        for size in (1000, 1900):
            text = ("abcdefghijklmnopqrstuvwxyz " * 100 + "0123456789 " * 100)[size:2 * size]
            assert 0 < say(client, text) < size / 2


@pytest.mark.parametrize("bits", [8, 9, 12])
def test_the_server_remembers_within_its_window(suite, bits):
    with offer(suite, f"permessage-deflate; server_max_window_bits={bits}; client_max_window_bits", "/past") as client:
        client.inflate = strict(bits, True)
        sizes = [say(client, noise(300)) for _ in range(4)]
        assert all(sizes)
        if bits == 12:
            assert max(sizes[1:]) < sizes[0] / 2


def test_short_and_incompressible_messages_go_plain(client):
    client.inflate = strict(15, False)
    assert say(client, "short") == 0
    assert say(client, "long and the same " * 40) > 0


def test_welcome_and_errors_are_never_compressed(suite):
    """They hold the CSRF token, or echo nothing: no secret shares a compressed message with foreign text."""
    with offer(suite, "permessage-deflate; client_max_window_bits", "/past") as client:
        assert client.welcome is not None  # recv_type reads plain frames only
        for _ in range(3):
            client.send_frame(ws.TEXT, b"no json " * 200)
            fin, rsv, opcode, payload = client.recv_frame()
            assert fin and rsv == 0 and opcode == ws.TEXT and b"bad_json" in payload


def test_what_was_compressed_is_counted(suite):
    with offer(suite, "permessage-deflate") as client:
        client.inflate = strict(15, False)
        send(client, deflate(message(client)))
        expect_ack(client)
        say(client, "long and the same " * 40)
    metrics = suite["edge-1"].metrics()
    for way in ("in", "out"):
        count, plain, wire = (metrics[f'gatehouse_edge_deflate_{name}_total{{direction="{way}"}}']
                              for name in ("messages", "plain_bytes", "wire_bytes"))
        assert count > 0 and plain > wire > 0


def test_a_bomb_is_in_the_audit_log_with_its_reason(suite):
    with offer(suite, "permessage-deflate") as client:
        send(client, deflate(b"\0" * (1 << 20)))
        assert client.expect_close() == 1009
        request_id = client.answer["x-request-id"]
    record = suite.wait_audit("connection.ended", request_id=request_id)
    assert record["code"] == "message_too_large" and record["fields"]["reason"] == "inflates past the cap"
    assert record["fields"]["close_code"] == "1009"


def test_compression_is_turned_on_and_off_by_a_reload(suite):
    """What was agreed on with a connection holds as long as it; the caps are the new ones at once."""
    edge = suite["edge-1"]
    with offer(suite, "permessage-deflate") as before:
        seen = edge.log().count("event=reloaded")
        suite.write_config({**CONFIG, "routes": [route("/ws", "main", "on"), route("/zip", "zip", "off"),
                                                 route("/past", "past", "off")],
                            "edge": {**CONFIG["edge"], "max_message_bytes": "8KiB"}})
        edge.popen.send_signal(signal.SIGHUP)
        wait_until("the edge has reloaded", lambda: edge.log().count("event=reloaded") > seen)
        with offer(suite, "permessage-deflate", "/ws") as client:
            assert client.answer["sec-websocket-extensions"] == BOTH
            send(client, deflate(message(client)))
            expect_ack(client)
        with offer(suite, "permessage-deflate") as client:
            assert "sec-websocket-extensions" not in client.answer
        send(before, deflate(noise(8192).encode()))
        expect_error(before, "bad_json")
        send(before, deflate(noise(8193).encode()))
        expect_fail(before, 1009)

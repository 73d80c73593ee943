"""The firewall in the running suite: messages to clients pass it, too (outbound schema, redaction, roles that may
receive, order kept), replays, and one code for a refusal wherever it is told."""

import json
import os
import pathlib
import signal
import time

import pytest

from support.gatehouse import Suite, wait_until

POLICY = """
route: main
types:
  chat:
    schema: schemas/in.json
    send: [user, moderator]
    receive: [user, moderator]
    max_bytes: 2KiB
    outbound:
      schema: schemas/out.json
      redact: [cards, jwt, private_keys, cloud_keys, /payload/pin]
  notification:
    send: [moderator]
    receive: [moderator]
  file_upload:
    send: [user, moderator]
    receive: [moderator]
    outbound: { redact: [cards] }
  join: { send: ["*"], replay: { window: 30s } }
  leave: { send: ["*"] }
  ack: { receive: ["*"] }
  error: { receive: ["*"] }
"""
IN = {"type": "object", "required": ["text"], "additionalProperties": False,
      "properties": {"text": {"type": "string"}, "room": {"type": "string"}, "to": {"type": "string"},
                     "pin": {}, "level": {"type": "integer"}}}
OUT = {"type": "object", "properties": {"level": {"maximum": 9}}}

JWT = ("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0."
       "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U")
PRIVATE = ("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n"
           "-----END PRIVATE KEY-----")


@pytest.fixture(scope="module")
def suite():
    running = Suite(edges=2, config={"validator": {"workers": 2}})
    policies = running.dir / "policies"
    (policies / "main.yaml").write_text(POLICY)
    (policies / "schemas" / "in.json").write_text(json.dumps(IN))
    (policies / "schemas" / "out.json").write_text(json.dumps(OUT))
    with running:
        yield running


def edges(suite):
    return [p for p in suite.processes.values() if p.service == "edge" and p.alive()]


def withheld(suite, code):
    return sum(e.metrics().get(f'gatehouse_edge_messages_withheld_total{{code="{code}"}}', 0) for e in edges(suite))


def judged(suite):
    return sum(e.metric("gatehouse_edge_outbound_judged_total") for e in edges(suite))


def workers(suite):
    monitor = suite["validator-1"].pid
    return [int(pid) for pid in pathlib.Path(f"/proc/{monitor}/task/{monitor}/children").read_text().split()]


def all_connected(suite):
    """Every edge is up with both workers."""
    def count(edge):
        log = edge.log()
        return log.count("event=bus_peer_up callee=validator") - log.count("event=bus_peer_down callee=validator")
    return all(count(edge) == 2 for edge in edges(suite))


def waiting(suite):
    return sum(e.metric("gatehouse_edge_outbound_waiting_bytes") for e in edges(suite))


@pytest.mark.parametrize("said, heard", [
    ({"text": "pay with 4111 1111 1111 1111 today"}, {"text": "pay with [redacted:card] today"}),
    ({"text": "not a card: 4111 1111 1111 1112"}, {"text": "not a card: 4111 1111 1111 1112"}),
    ({"text": f"token {JWT} here"}, {"text": "token [redacted:jwt] here"}),
    ({"text": f"key: {PRIVATE}"}, {"text": "key: [redacted:private_key]"}),
    ({"text": "AKIAIOSFODNN7EXAMPLE"}, {"text": "[redacted:key]"}),
    ({"text": "by name", "pin": {"a": ["1234"]}}, {"text": "by name", "pin": "[redacted]"}),
    ({"text": "harmless", "level": 9}, {"text": "harmless", "level": 9}),
])
def test_secrets_are_redacted_on_the_way_out(suite, said, heard):
    with suite.client() as client:
        client.send_message("chat", said)
        payload = client.recv_type("chat", "error")["payload"]
        payload.pop("from", None)
        assert payload == heard


def test_what_breaks_the_outbound_schema_is_withheld_counted_and_logged(suite):
    before = withheld(suite, "schema_violation")
    with suite.client() as client:
        assert client.ask("chat", {"text": "fine", "level": 1})["type"] == "ack"
        client.send_message("chat", {"text": "too much", "level": 10}, ident="bad")
        client.send_message("chat", {"text": "good again", "level": 2}, ident="good")
        seen = []
        while not seen or seen[-1][1] != "good-ack":
            message = client.recv_json()
            if message["type"] == "chat":
                seen.append(("chat", message["payload"]["text"]))
            elif message["type"] == "ack":
                seen.append(("ack", message["payload"]["id"] + "-ack"))
        assert ("chat", "too much") not in seen and ("chat", "good again") in seen
        assert seen.index(("ack", "bad-ack")) < seen.index(("chat", "good again")) < len(seen) - 1
    assert withheld(suite, "schema_violation") == before + 1
    record = suite.wait_audit("message.withheld", code="schema_violation")
    assert record["severity"] == "warning"
    text = json.dumps(record)
    assert "/payload/level" in text and '"main"' in text and "too much" not in text


def test_order_is_kept_between_judged_and_unjudged(suite):
    with suite.client() as client:
        idents = [client.send_message("chat", {"text": f"n{i}"}, ident=f"o{i}") for i in range(400)]
        expected = [part for i, ident in enumerate(idents) for part in (("chat", f"n{i}"), ("ack", ident))]
        seen = []
        while len(seen) < len(expected):
            message = client.recv_type("chat", "ack", "error")
            payload = message["payload"]
            seen.append((message["type"], payload.get("text", payload.get("id"))))
        assert seen == expected
    wait_until("nothing waits", lambda: waiting(suite) == 0)


def test_a_topic_is_judged_once_and_not_once_per_member(suite):
    members = [suite.client(suite.token(f"member{i}", ["user"])) for i in range(24)]
    try:
        for member in members:
            assert member.ask("join", {"room": "hall"})["type"] == "ack"
        before = judged(suite)
        members[0].send_message("chat", {"room": "hall", "text": "card 4111-1111-1111-1111"})
        for member in members:
            assert member.recv_type("chat")["payload"]["text"] == "card [redacted:card]"
        assert 1 <= judged(suite) - before <= len(edges(suite))
    finally:
        for member in members:
            member.close()


def test_who_may_receive_differs_within_a_topic(suite):
    """notification needs no verdict, file_upload does: both reach moderators only."""
    moderator = suite.client(suite.token("mo", ["moderator"]))
    user = suite.client(suite.token("ulla", ["user"]))
    nobody = suite.client(suite.token("nils", ["guest"]))
    try:
        for member in (moderator, user, nobody):
            assert member.ask("join", {"room": "desk"})["type"] == "ack"
        before = withheld(suite, "role_forbidden")
        moderator.send_message("notification", {"room": "desk", "text": "staff only"})
        assert moderator.recv_type("notification")["payload"]["text"] == "staff only"
        moderator.send_message("file_upload", {"room": "desk", "name": "4111111111111111.txt"})
        assert moderator.recv_type("file_upload")["payload"]["name"] == "[redacted:card].txt"
        moderator.send_message("chat", {"room": "desk", "text": "for all who may"})
        assert user.recv_type("chat", "notification", "file_upload")["type"] == "chat"
        wait_until("each withheld message is counted", lambda: withheld(suite, "role_forbidden") == before + 5)
        nobody.send_message("join", {"room": "more"}, ident="end")
        assert nobody.recv_type("ack", "chat", "notification", "file_upload")["type"] == "ack"
    finally:
        for client in (moderator, user, nobody):
            client.close()


def test_a_replay_is_refused_within_a_session_and_not_across_sessions(suite):
    with suite.client() as first, suite.client() as second:
        now = int(time.time() * 1000)
        for client in (first, second):
            client.send_message("join", {"room": "once"}, ident="same", timestamp=now)
            assert client.recv_type("ack", "error")["type"] == "ack"
        first.send_message("join", {"room": "once"}, ident="same", timestamp=now)
        assert first.recv_type("ack", "error")["payload"]["code"] == "replayed"
        first.send_message("join", {"room": "once"}, ident="other", timestamp=now)
        assert first.recv_type("ack", "error")["type"] == "ack"


def refused_everywhere(suite, code):
    """What edges, validator and audit log say of refusals with this code."""
    label = f'code="{code}"'
    return (sum(e.metrics().get(f"gatehouse_edge_messages_refused_total{{{label}}}", 0) for e in edges(suite)),
            suite["validator-1"].metrics().get(
                f'gatehouse_validator_verdicts_total{{direction="inbound",{label}}}', 0),
            sum(r.get("kind") == "message.refused" and r.get("code") == code for r in suite.audit_records()))


@pytest.mark.parametrize("opcode, frame, code", [
    (1, '{"type":"chat","payload":', "bad_json"),
    (1, '{"payload":{"text":"x"}}', "bad_envelope"),
    (1, '{"type":"nonsense","payload":{},"csrfToken":"CSRF"}', "unknown_type"),
    (1, '{"type":"chat","payload":{"text":"x"},"csrfToken":"wrong"}', "csrf_failed"),
    (1, '{"type":"notification","payload":{"text":"x"},"csrfToken":"CSRF"}', "role_forbidden"),
    (1, '{"type":"chat","payload":{"txt":"x"},"csrfToken":"CSRF"}', "schema_violation"),
    (1, '{"type":"chat","payload":{"text":"x","pin":{"__proto__":1}},"csrfToken":"CSRF"}', "content_refused"),
    (1, '{"type":"join","payload":{"room":"x"},"id":"1","timestamp":1,"csrfToken":"CSRF"}', "replayed"),
    (1, '{"type":"chat","payload":{"text":"LONG"},"csrfToken":"CSRF"}', "message_too_large"),
    (2, "\x89PNG", "binary_refused"),
])
def test_a_refusal_has_one_code_everywhere(suite, opcode, frame, code):
    before = refused_everywhere(suite, code)
    with suite.client() as client:
        client.send_frame(opcode, frame.replace("CSRF", client.csrf).replace("LONG", "x" * 3000).encode())
        assert client.recv_type("error")["payload"]["code"] == code
        assert client.ask("chat", {"text": "good"})["type"] == "ack"
    wait_until(f"one {code} more everywhere: {before}",
               lambda: all(now == then + 1 for now, then in zip(refused_everywhere(suite, code), before)))


def test_a_worker_killed_under_traffic_loses_and_reorders_nothing(suite):
    """What it had is judged by another; sent again, it is no replay."""
    resent = sum(e.metric("gatehouse_edge_batches_resent_total") for e in edges(suite))
    clients = [suite.client(suite.token(f"k{i}", ["user"])) for i in range(6)]
    sent = 0
    try:
        for _ in range(6):  # whether a batch is at the worker when it dies is a matter of luck
            wait_until("both workers are known", lambda: all_connected(suite))
            for i in range(40):
                for client in clients:
                    client.send_message("chat", {"text": f"k{sent + i}"}, ident=f"k{sent + i}")
                    client.send_message("join", {"room": f"r{i % 5}"}, ident=f"j{sent + i}")
                if i == 20:
                    os.kill(workers(suite)[0], signal.SIGKILL)
            sent += 40
            for client in clients:
                texts, joins = [], 0
                while len(texts) < 40 or joins < 40:
                    message = client.recv_type("chat", "ack", "error")
                    assert message["type"] != "error", message
                    if message["type"] == "chat":
                        texts.append(message["payload"]["text"])
                    joins += message["type"] == "ack" and message["payload"]["id"][0] == "j"
                assert texts == [f"k{n}" for n in range(sent - 40, sent)]
            if sum(e.metric("gatehouse_edge_batches_resent_total") for e in edges(suite)) > resent:
                break
    finally:
        for client in clients:
            client.close()


def test_without_a_validator_what_needs_a_verdict_is_withheld(suite):
    """Closed: nothing unjudged reaches a client, what needs no verdict still does, and service comes back."""
    before = withheld(suite, "unavailable")
    speaker, listener = suite.client(suite.token("sp", ["user"])), suite.client(suite.token("li", ["user"]))
    try:
        speaker.send_message("chat", {"to": "li", "text": "before 4111111111111111"})
        assert speaker.recv_type("ack", "error")["type"] == "ack"
        assert listener.recv_type("chat")["payload"]["text"] == "before [redacted:card]"
        # The monitor is stopped, so that nobody starts workers anew; then all die while messages are under way.
        suite["validator-1"].popen.send_signal(signal.SIGSTOP)
        pids = workers(suite)
        for i in range(200):
            speaker.send_message("chat", {"to": "li", "text": f"4111111111111111 {i}"}, ident=f"w{i}")
            if i == 100:
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
        codes = [speaker.recv_type("ack", "error")["payload"].get("code", "ack") for _ in range(200)]
        assert set(codes) <= {"ack", "unavailable"} and "unavailable" in codes
        taken = codes.count("ack")
        suite["validator-1"].popen.send_signal(signal.SIGCONT)
        wait_until("workers are back", lambda: suite["validator-1"].http("/readyz")[0] == 200)

        heard = []

        def served():
            """The edges find the new workers in their own time: what the listener's did not pass is said again."""
            nonlocal taken
            speaker.send_message("chat", {"to": "li", "text": "after"})
            if speaker.recv_type("ack", "error")["type"] == "error":
                return False
            taken += 1
            try:
                while "after" not in heard:
                    heard.append(listener.recv_type("chat")["payload"]["text"])
            except TimeoutError:
                return False
            return True
        listener.sock.settimeout(1)
        wait_until("service is back", served)
        assert all(text.startswith("[redacted:card] ") for text in heard[:-1]), heard
        numbers = [int(text.split()[-1]) for text in heard[:-1]]
        assert numbers == sorted(set(numbers))
    finally:
        suite["validator-1"].popen.send_signal(signal.SIGCONT)
        speaker.sock.close()
        listener.sock.close()
    wait_until(f"{len(heard)} of {taken} were heard, the others are counted",
               lambda: withheld(suite, "unavailable") - before == taken - len(heard))
    wait_until("nothing waits", lambda: waiting(suite) == 0)


def test_a_reload_reaches_open_connections(suite):
    """New outbound rules hold for who is connected already; nothing is lost while both generations run."""
    main = suite.dir / "policies" / "main.yaml"
    main.write_text(main.read_text().replace("/payload/pin]", "/payload/pin, /payload/level]"))
    with suite.client() as client:
        os.kill(suite["validator-1"].pid, signal.SIGHUP)
        seen = []

        def redacted():
            client.send_message("chat", {"text": "which", "level": 5})
            message = client.recv_type("chat", "error")
            seen.append(message["payload"].get("level", message["payload"].get("code")))
            return seen[-1] == "[redacted]"
        wait_until(f"the new rule holds: {seen[-3:]}", redacted)
        assert set(seen) <= {5, "[redacted]"}

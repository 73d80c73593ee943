"""What is told of refused messages: to the client by its id, to the audit log without a flood."""

import collections

import pytest
from support import ws
from support.gatehouse import Suite, wait_until


@pytest.fixture(scope="module")
def suite():
    with Suite() as running:
        yield running


def refused(suite, request_ids):
    return [r for r in suite.audit_records() if r.get("kind") == "message.refused"
            and r["fields"].get("connection") in request_ids]


def test_a_flood_of_refused_messages_is_summed(suite):
    """2,000 wrong CSRF tokens, and one message of another kind among the last: few records, none unaccounted for."""
    with suite.client(suite.token("flooder")) as client:
        connection = client.answer["x-request-id"]
        count = 2000
        for i in range(count):
            client.send_message("chat", {"text": "x"}, csrf="w" * 43, ident=f"c{i}")
            if i == count - 10:
                client.send_message("no-such-type", {}, ident="other")
        codes = collections.Counter()
        while sum(codes.values()) < count + 1:
            codes[client.recv_type("error")["payload"]["code"]] += 1
        assert codes == {"csrf_failed": count, "unknown_type": 1}  # the client hears of each
        assert client.ask("chat", {"text": "still in"})["type"] == "ack"

    def told():
        """Everything the log says of it, once it accounts for all."""
        sums = collections.Counter()
        for record in refused(suite, {connection}):
            sums[record["code"]] += int(record["fields"].get("suppressed", 1))
        return sums == codes and sums
    assert wait_until("the log accounts for each", told)
    records = refused(suite, {connection})
    assert len(records) < count // 4, f"{len(records)} records of {count} refusals"
    assert all(r["severity"] == "warning" for r in records)


def test_few_refusals_are_told_one_by_one(suite):
    with suite.client(suite.token("clumsy")) as client:
        connection = client.answer["x-request-id"]
        ids = [client.ask("chat", {"text": "x"}, csrf="w" * 43)["payload"]["requestId"] for _ in range(5)]
    for request_id in ids:
        record = suite.wait_audit("message.refused", request_id=request_id)
        assert "suppressed" not in record["fields"] and record["fields"]["connection"] == connection


def test_unavailable_names_the_message(suite):
    """Without a validator nobody reads messages; the edge still says which of them it cannot pass."""
    with suite.client() as client:
        assert client.ask("chat", {"text": "before"})["type"] == "ack"
        suite["validator-1"].kill()

        def ask():
            answer = client.ask("chat", {"text": "is anybody there?"})  # finds its answer by the id
            return answer if answer["type"] == "error" else None
        answer = wait_until("its workers are gone too", ask)
        assert answer["payload"]["code"] == "unavailable"
        client.send_frame(ws.TEXT, b'{"type":"chat","id":7}')  # no id that could be told
        assert "id" not in client.recv_type("error")["payload"]
        client.send_frame(ws.BINARY, b"\x00\x01")
        assert client.recv_type("error")["payload"]["code"] == "unavailable"
        suite["validator-1"].start().wait_ready()
        wait_until("messages pass again", lambda: client.ask("chat", {"text": "after"})["type"] == "ack")

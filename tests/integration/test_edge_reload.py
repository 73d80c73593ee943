"""SIGHUP: a new configuration under open connections; one that is wrong changes nothing."""

import signal
import ssl

import pytest
from support import ws
from support.gatehouse import Suite, wait_until

OURS = "https://localhost:8443"


@pytest.fixture(scope="module")
def suite():
    with Suite() as running:
        yield running


def hup(suite, over, mark):
    edge = suite["edge-1"]
    seen = edge.log().count(f"event={mark}")
    suite.write_config(over)
    edge.popen.send_signal(signal.SIGHUP)
    wait_until(mark, lambda: edge.log().count(f"event={mark}") > seen)


def status(suite, **kw):
    try:
        suite.client(**kw).sock.close()
    except ws.Refused as no:
        return no.status
    return 101


def test_new_values_hold_and_connections_stay(suite):
    client = suite.client()
    route = suite.config["routes"][0]
    new = [("Origin", "https://new.example")]
    assert status(suite, headers=[("Origin", OURS)]) == 101
    assert status(suite, headers=new) == 403
    for _ in range(3):  # each generation frees the one before the last
        hup(suite, {"routes": [{**route, "origins": ["https://new.example"]}],
                    "edge": {"max_message_bytes": "4KiB", "tls": {"min_version": "1.3"}}}, "reloaded")
    assert status(suite, headers=new) == 101
    assert status(suite, headers=[("Origin", OURS)]) == 403
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(ws.raw(("127.0.0.1", suite.port), tls=False), server_hostname="localhost").close()
    assert client.ask("chat", {"text": "from before"})["type"] == "ack"
    client.send_message("chat", {"text": "x" * 5000})
    assert client.expect_close() == 1009  # open connections meet the new limits
    client.sock.close()
    suite.wait_audit("edge.reloaded")
    hup(suite, {}, "reloaded")
    assert status(suite, headers=[("Origin", OURS)]) == 101


@pytest.mark.parametrize("over,words", [
    ({"edge": {"max_message_bytes": "64 kilo"}}, "is not a size"),
    ({"edge": {"no_such_key": 1}}, "no_such_key"),
    ({"edge": {"listen": "127.0.0.1:1"}}, "edge.listen"),
    ({"edge": {"tls": {"ciphers": ["NONSENSE"]}}}, "edge.tls.ciphers"),
    ({"edge": {"tls": {"key_file": "tls/nowhere"}}}, "cannot be read"),
    ({"routes": []}, "routes"),
    ({"apps": {"other": {"endpoint": "ipc:///nowhere.*"}}}, "apps"),
], ids=lambda v: v if isinstance(v, str) else "")
def test_a_wrong_one_changes_nothing(suite, over, words):
    client = suite.client()
    log = len(suite["edge-1"].log())
    hup(suite, {**over, "edge": {"max_message_bytes": "4KiB", **over.get("edge", {})}}, "reload_refused")
    assert words in suite["edge-1"].log()[log:]
    assert client.ask("chat", {"text": "y" * 3000})["type"] == "ack"
    client.send_message("chat", {"text": "x" * 6000}, ident="big")
    answer = client.recv_type("ack", "error")
    assert answer["payload"].get("code") != "message_too_large"
    client.sock.close()
    suite.wait_audit("edge.reload_refused")
    hup(suite, {}, "reloaded")

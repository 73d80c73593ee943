"""The edge while it is being operated: a new certificate under traffic, and going away politely.

GH_CROWD sets how many clients there are (1,000, and 2,000 for the drain).
"""

import asyncio
import collections
import hashlib
import os
import re
import signal
import time

import pytest
from support import ws
from support.crowd import Crowd
from support.gatehouse import Suite, wait_until

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("descriptors")]

SIZE = int(os.environ.get("GH_CROWD", 1000))
RATE = 400  # messages a second, of all together
DRAIN_S = 6
CONFIG = {"edge": {"max_connections_per_address": 20000, "ping_interval": "2m", "handshake_timeout": "30s",
                   "local_rates": {"connects_per_s": 20000, "connects_burst": 20000}}}


def certificate_seen(suite):
    with ws.raw(("127.0.0.1", suite.port)) as sock:
        return hashlib.sha256(sock.getpeercert(True)).hexdigest()


def test_a_new_certificate_and_configuration_under_traffic():
    """Three times; nobody is dropped, nothing is refused, and new handshakes see what is new."""
    with Suite(config=CONFIG) as suite:
        asyncio.run(replace(suite))


async def replace(suite):
    edge = suite["edge-1"]
    crowd = Crowd(suite)
    await crowd.open(SIZE)
    talking = crowd.talk(RATE)
    await crowd.until("traffic flows", lambda: len(crowd.acked) > RATE)
    for generation in range(1, 4):
        old = certificate_seen(suite)
        suite.make_certificate()
        suite.write_config({**CONFIG, "edge": {**CONFIG["edge"], "max_headers": 40 + generation}})
        edge.popen.send_signal(signal.SIGHUP)
        await crowd.until("new handshakes see the new certificate", lambda o=old: certificate_seen(suite) != o)
        assert edge.log().count("event=reloaded") == generation
        acked = len(crowd.acked)
        await crowd.until("traffic goes on", lambda a=acked: len(crowd.acked) > a + RATE)
    talking.cancel()
    await crowd.until("each message is answered", lambda: crowd.sent <= set(crowd.acked))
    everybody = asyncio.gather(*(speak(member) for member in crowd.members))
    await everybody
    await crowd.until("everybody is answered", lambda: crowd.sent <= set(crowd.acked))
    assert not crowd.ended and not crowd.errors, (crowd.ended, crowd.errors)
    assert edge.metric("gatehouse_edge_open") == SIZE
    print(f"\n{SIZE} connections, {len(crowd.acked)} messages acknowledged, 3 certificates and configurations")
    await crowd.close()


async def speak(member):
    member.crowd.sent.add(member.send("chat", {"room": member.room, "text": "at the end"}))


def test_a_pair_that_does_not_match_never_gets_in():
    with Suite() as suite:
        client = suite.client()
        old = certificate_seen(suite)
        key = (suite.dir / "tls" / "edge.key").read_bytes()
        suite.make_certificate()
        (suite.dir / "tls" / "edge.key").write_bytes(key)  # the old key beside the new certificate
        suite["edge-1"].popen.send_signal(signal.SIGHUP)
        wait_until("it is on the log", lambda: "reload_refused" in suite["edge-1"].log())
        assert certificate_seen(suite) == old
        (suite.dir / "tls" / "edge.crt").write_bytes(b"rubbish")
        suite["edge-1"].popen.send_signal(signal.SIGHUP)
        wait_until("that too", lambda: suite["edge-1"].log().count("reload_refused") == 2)
        assert certificate_seen(suite) == old
        assert client.ask("chat", {"text": "still"})["type"] == "ack"
        client.sock.close()


def test_files_that_are_replaced_are_taken_without_a_signal():
    """As certbot or Kubernetes leave them: the folder of the certificates is a link that is swapped."""
    with Suite(config={"edge": {"tls": {"watch_files": "200ms"}}}) as suite:
        edge, tls = suite["edge-1"], suite.dir / "tls"
        client = suite.client()
        old = certificate_seen(suite)
        suite.make_certificate()
        wait_until("new handshakes see it", lambda: certificate_seen(suite) != old)
        suite.wait_audit("edge.certificates_reloaded")
        new = certificate_seen(suite)
        suite._write_private("tls/edge.key", b"rubbish")
        wait_until("rubbish is on the log", lambda: "event=certificates_refused" in edge.log())
        suite.wait_audit("edge.certificates_refused")
        time.sleep(1)
        assert edge.log().count("event=certificates_refused") == 1, "once, until it changes again"
        assert certificate_seen(suite) == new
        tls.rename(suite.dir / "tls.1")
        (suite.dir / "tls.2").mkdir(mode=0o700)
        tls.symlink_to("tls.2")
        suite.make_certificate()
        wait_until("the other folder's is seen", lambda: certificate_seen(suite) not in (old, new))
        assert client.ask("chat", {"text": "still"})["type"] == "ack"
        client.sock.close()


def test_drain_with_a_second_edge(tmp_path):
    """Everybody is told and closed with 1012, spread over the drain time, and comes back when told to, at the
    other edge; what was acknowledged is at the application."""
    journal = tmp_path / "chat.journal"
    config = {**CONFIG, "drain": {"time": f"{DRAIN_S}s"}, "chat": {"journal_file": str(journal)}}
    with Suite(edges=2, tls=False, config=config) as suite:
        asyncio.run(drain(suite, journal))


async def drain(suite, journal):
    edge = suite["edge-1"]
    crowd = Crowd(suite, come_back=True)
    await crowd.open(2 * SIZE)
    mine = edge.metric("gatehouse_edge_open")
    assert 0 < mine < 2 * SIZE
    talking = crowd.talk(RATE)
    await crowd.until("traffic flows", lambda: len(crowd.acked) > RATE)
    started = time.monotonic()
    edge.expected_end = True
    edge.popen.send_signal(signal.SIGTERM)
    await crowd.until("its port is closed", lambda: edge.http("/readyz")[0] != 200)
    await crowd.until("it ended", lambda: edge.popen.poll() is not None)
    assert edge.popen.returncode == 0
    await crowd.until("its clients saw it", lambda: len(crowd.ended) >= mine)
    await crowd.until("and came back", lambda: len(crowd.returned) >= mine)
    acked = len(crowd.acked)
    await crowd.until("and talk again", lambda: len(crowd.acked) > acked + RATE)
    talking.cancel()
    assert collections.Counter(code for _, code in crowd.ended.values()) == {1012: mine}
    assert set(crowd.told) == set(crowd.ended) == set(crowd.returned)
    assert set(crowd.errors) <= {"unavailable", "going_away"}, crowd.errors
    told, ended, back = (histogram(moments, started) for moments in (
        [at for at, _ in crowd.told.values()], [at for at, _ in crowd.ended.values()], crowd.returned.values()))
    hints = [hint for _, hint in crowd.told.values()]
    print(f"\n{int(mine)} of {2 * SIZE} connections, {len(crowd.acked)} messages acknowledged, per half second:\n"
          f"  told      {told}\n  closed    {ended}\n  came back {back}\n  hints {min(hints)}..{max(hints)} ms")
    assert max(told.values()) < 0.5 * mine and max(back.values()) < 0.5 * mine, "not spread"
    assert len(set(hints)) > min(len(hints), DRAIN_S * 250) // 4, "hints are not jittered"
    missing = set(crowd.acked) & crowd.sent - set(re.findall(r'"(d\d+-\d+)"', journal.read_text(errors="replace")))
    assert not missing, f"{len(missing)} acknowledged messages are not at the application"
    await crowd.close()


def histogram(moments, start):
    return dict(sorted(collections.Counter(int((at - start) * 2) / 2 for at in moments).items()))

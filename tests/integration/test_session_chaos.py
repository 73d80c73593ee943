"""Sessions while Redis is torn at, with the whole suite and clients that come and go meanwhile: connections
killed in a loop, a Redis that hangs, one that dies and comes back with its file, a failover under Sentinel.

After each: nobody who was shown out is back, no slot is leaked (what is counted is what is connected),
and all that clients saw on the way was a 101, a 503 with Retry-After, or the limit.

GH_CHAOS_SECONDS: how long each trouble goes on (4). GH_CHAOS_STALE: session.stale and session.idle in seconds
(12; 60 as in production). GH_CHAOS_USERS (8).
"""

import collections
import json
import os
import random
import select
import signal
import socket
import threading
import time

import pytest
from support.gatehouse import Suite, wait_until
from support.redis_ha import MASTER, Watched, call
from support.ws import PING, PONG, CLOSE, Closed, Refused

pytestmark = pytest.mark.alone

SECONDS = float(os.environ.get("GH_CHAOS_SECONDS", "4"))
STALE = int(os.environ.get("GH_CHAOS_STALE", "12"))
USERS = int(os.environ.get("GH_CHAOS_USERS", "8"))
LIMIT = 3
SETTLE_S = 3 * STALE + 60
CONFIG = {
    "session": {"max_per_user": LIMIT, "idle": f"{STALE}s", "stale": f"{STALE}s", "on_limit": "refuse"},
    "redis": {"timeout": "500ms"},
    "edge": {"handshake_timeout": "5s"},
}


class User(threading.Thread):
    """Connects, stays a while, leaves; never holds more than the limit."""

    def __init__(self, crowd, name):
        super().__init__(daemon=True)
        self.crowd, self.name, self.token = crowd, name, crowd.suite.token(name, ttl_s=7200)
        self.live = {}
        self.random = random.Random(name)

    def run(self):
        try:
            while not self.crowd.enough.is_set():
                self.look()
                if self.crowd.still.is_set():
                    time.sleep(0.05)
                elif len(self.live) <= LIMIT and self.random.random() < 0.6:
                    self.open()
                elif self.live:
                    self.leave(self.random.choice(list(self.live)))
                time.sleep(0.01)
        except BaseException as failure:  # told by the main thread
            self.crowd.failures.append(f"{self.name}: {failure!r}")

    def open(self):
        self.crowd.lastly[self.name] = time.monotonic()
        try:
            ws = self.crowd.suite.client(self.token)
        except Refused as refusal:
            self.crowd.seen[refusal.status] += 1
            if refusal.status == 503 and "retry-after" not in refusal.headers:
                self.crowd.failures.append("a 503 without Retry-After")
            return refusal.status
        except Closed as closed:  # let in, and ended before its welcome
            self.crowd.seen[f"closed {closed.code}"] += 1
            return closed.code
        self.crowd.seen[101] += 1
        ident = ws.welcome["payload"]["sessionId"]
        if ident in self.crowd.ended:
            self.crowd.failures.append(f"{ident} is there again")
        self.live[ident] = ws
        if len(self.live) > LIMIT:
            # Only if one of them is over already and its end is on the way.
            wait_until("one of too many ends", lambda: self.look() or len(self.live) <= LIMIT, SETTLE_S)
        return 101

    def leave(self, ident):
        ws = self.live.pop(ident)
        try:
            ws.close()
        except (OSError, Closed):
            pass
        ws.sock.close()
        self.crowd.ended.add(ident)

    def look(self):
        """Answers pings, notices ends."""
        for ident, ws in list(self.live.items()):
            try:
                while ws.data or select.select([ws.sock], [], [], 0)[0]:
                    _, _, opcode, payload = ws.recv_frame()
                    if opcode == PING:
                        ws.send_frame(PONG, payload)
                    elif opcode == CLOSE:
                        raise Closed(int.from_bytes(payload[:2], "big"))
            except (Closed, OSError) as end:
                self.crowd.seen[f"closed {getattr(end, 'code', 'by an error')}"] += 1
                ws.sock.close()
                del self.live[ident]
                self.crowd.ended.add(ident)


class Crowd:
    def __init__(self, suite):
        self.suite = suite
        self.seen, self.lastly = collections.Counter(), {}
        self.ended, self.failures = set(), []
        self.enough, self.still = threading.Event(), threading.Event()
        self.users = [User(self, f"user-{i}") for i in range(USERS)]

    def __enter__(self):
        for user in self.users:
            user.start()
        wait_until("the crowd is in", lambda: self.seen[101] >= 2 * USERS or self.failures)
        return self

    def __exit__(self, *_):
        self.enough.set()
        for user in self.users:
            user.join()
            for ident in list(user.live):
                user.leave(ident)

    def live(self):
        return {ident for user in self.users for ident in list(user.live)}

    def sessions(self):
        """Ids of all sessions, as the session service has them; None while it cannot say."""
        done = self.suite.ctl("--config", self.suite.config_path, "--json", "sessions", "list", check=False)
        if done.returncode != 0:
            return None
        return {json.loads(line)["sessionId"] for line in done.stdout.splitlines() if line.startswith("{")}

    def settle(self):
        """Everybody stays where they are; in time what is counted is what is connected."""
        self.still.set()
        self.check()

        def same():
            sessions = self.sessions()
            return sessions is not None and sessions == self.live()
        wait_until("sessions are those of live connections", same, SETTLE_S)
        back = self.sessions() & self.ended
        assert not back, f"sessions back after their end: {back}"

    def every_slot_is_there(self):
        """Each user may have exactly the limit, no less for what went wrong before. 503 is "not yet": each service
        finds a new master by itself, in its own time."""
        for user in self.users:
            end = time.monotonic() + SETTLE_S
            while len(user.live) < LIMIT:
                status = user.open()
                assert status == 101 or (status == 503 and time.monotonic() < end), \
                    f"{user.name}: {status} with {len(user.live)} of {LIMIT}"
                if status == 503:
                    time.sleep(0.1)
            while (status := user.open()) == 503 and time.monotonic() < end:
                time.sleep(0.1)
            assert status == 429
        self.check()

    def go_on(self):
        self.still.clear()

    def check(self):
        assert not self.failures, self.failures
        strange = set(self.seen) - {101, 429, 503, "closed 4430", "closed 4409"}
        assert not strange, self.seen


def trouble(crowd, seconds, what):
    """Runs what again and again for a while, with the crowd at work."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        what()
    crowd.check()


@pytest.fixture(scope="module")
def crowd():
    with Suite(tls=False, edges=2, config=CONFIG) as suite, Crowd(suite) as crowd:
        yield crowd
        print("\nclients saw:", dict(crowd.seen))


def redis(crowd, *words, **more):
    return call(0, *words, path=crowd.suite.run_dir / "redis.sock", **more)


def test_connections_to_redis_killed_in_a_loop(crowd):
    crowd.go_on()

    def kill():
        redis(crowd, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        time.sleep(0.15)
    trouble(crowd, SECONDS, kill)
    crowd.settle()
    crowd.every_slot_is_there()


def test_a_redis_that_hangs(crowd):
    """SIGSTOP: what DEBUG SLEEP does, for as long as one likes, to a Redis that has it switched off."""
    crowd.go_on()
    before = crowd.seen[503]

    def hang():
        crowd.suite.redis.send_signal(signal.SIGSTOP)
        time.sleep(1.5)
        crowd.suite.redis.send_signal(signal.SIGCONT)
        time.sleep(0.5)
    trouble(crowd, SECONDS, hang)
    assert crowd.seen[503] > before
    crowd.settle()
    crowd.every_slot_is_there()


def test_a_redis_that_dies_and_comes_back(crowd):
    crowd.go_on()
    before = crowd.seen[503]

    def die():
        crowd.suite.stop_redis()
        time.sleep(0.7)
        crowd.suite.start_redis()
        time.sleep(1)
    trouble(crowd, SECONDS, die)
    assert crowd.seen[503] > before
    crowd.settle()
    crowd.every_slot_is_there()


def test_ended_by_an_operator_while_redis_is_away(crowd):
    """The end of a session that Redis did not hear of is done when it is back."""
    crowd.settle()
    user = next(u for u in crowd.users if u.live)
    ident = next(iter(user.live))
    crowd.suite.stop_redis()
    user.leave(ident)
    crowd.suite.start_redis()
    crowd.settle()
    assert ident not in crowd.sessions()


# --- Sentinel --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    watched = Watched(tmp_path_factory.mktemp("ha"))
    try:
        yield watched.start()
    finally:
        watched.stop()


@pytest.fixture(scope="module")
def ha_crowd(watched):
    config = {**CONFIG, "redis": {"timeout": "500ms", "sentinels": watched.addresses(), "master": MASTER}}
    with Suite(tls=False, edges=2, config=config) as suite, Crowd(suite) as crowd:
        yield crowd
        print("\nclients saw:", dict(crowd.seen))


def test_debug_sleep_of_the_master(watched, ha_crowd):
    """Shorter than what makes the sentinels look for another."""
    ha_crowd.go_on()

    def sleep():
        call(watched.master().port, "DEBUG", "SLEEP", "0.7")
        time.sleep(0.5)
    trouble(ha_crowd, SECONDS, sleep)
    ha_crowd.settle()
    ha_crowd.every_slot_is_there()


def test_failover_loses_no_end_and_no_slot(watched, ha_crowd):
    """The replica hears nothing of the last ends before the master dies: it is promoted with sessions that
    are over, and they must not be back. Then the old master returns as a replica, and is promoted again."""
    for _ in range(2):
        ha_crowd.go_on()
        time.sleep(1)
        ha_crowd.settle()
        old = watched.master()
        replica = next(s for s in watched.servers if s is not old)
        replica.send(signal.SIGSTOP)
        over = []
        for user in ha_crowd.users:
            for ident in list(user.live)[:2]:
                user.leave(ident)
                over.append(ident)
        assert over
        wait_until("the master knows of the ends", lambda: not ha_crowd.sessions() & set(over))
        old.stop()
        replica.send(signal.SIGCONT)
        ha_crowd.go_on()
        new = watched.failed_over(old)
        assert new is replica
        ha_crowd.settle()
        assert not ha_crowd.sessions() & set(over)
        ha_crowd.every_slot_is_there()
        old.args = [a for a in old.args if a not in ("--replicaof",)]
        start = old.args.index("--port") + 2
        old.args[start:] = []
        old.start("--replicaof", "127.0.0.1", str(new.port))
        wait_until("the old one follows", lambda o=old: call(o.port, "ROLE")[0] == "slave" and
                   call(o.port, "ROLE")[3] == "connected")
        wait_until("the sentinels know", lambda: any("slave" == r[r.index("role-reported") + 1] for s in watched.sentinels
                                                     for r in call(s.port, "SENTINEL", "REPLICAS", MASTER)
                                                     if str(old.port) in r))


def test_a_sentinel_away_and_a_planned_failover(watched, ha_crowd):
    ha_crowd.go_on()
    gone = watched.sentinels[0]
    gone.stop()
    old = watched.master()
    wait_until("a sentinel takes the order", lambda: order(watched.sentinels[1].port))
    watched.failed_over(old)
    ha_crowd.settle()
    ha_crowd.every_slot_is_there()
    gone.start()
    for name in ("session-1", "auth-1", "limiter-1"):
        assert f"at=127.0.0.1:{watched.master().port}" in ha_crowd.suite[name].log()


def order(port):
    try:
        return call(port, "SENTINEL", "FAILOVER", MASTER) == "OK"
    except (RuntimeError, socket.timeout):
        return False

"""Processes die and are added while clients talk through the load balancer."""

import asyncio
import json
import os
import signal
import ssl
import subprocess
import time

import websockets

WAIT_S = 60


def wait_until(what, check, seconds=WAIT_S):
    end = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        assert time.monotonic() < end, f"still not so after {seconds} s: {what}"
        time.sleep(0.2)


def health(container):
    form = "{{.State.Status}} {{.State.Health.Status}}"
    done = subprocess.run(["docker", "inspect", "-f", form, container], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def kill_9(container):
    """kill -9 of the container's process, as a crash; `docker kill` would tell Docker not to restart it."""
    done = subprocess.run(["docker", "inspect", "-f", "{{.State.Pid}}", container], check=True, capture_output=True,
                          text=True)
    os.kill(int(done.stdout), signal.SIGKILL)


def restarts(container):
    return int(subprocess.run(["docker", "inspect", "-f", "{{.RestartCount}}", container], check=True,
                              capture_output=True, text=True).stdout)


class Talker:
    """Sends numbered messages to itself, one after the other's answer; connects again when cut off."""

    def __init__(self, gate, user, token):
        self.gate, self.user, self.token = gate, user, token
        self.answered, self.cut, self.wrong = 0, 0, []
        self.stopping = False
        self.context = ssl.create_default_context(cafile=gate.ca)

    def connect(self):
        return websockets.connect(self.gate.url, ssl=self.context, subprotocols=["gatehouse.v1"],
                                  extra_headers={"Authorization": f"Bearer {self.token}"}, open_timeout=WAIT_S)

    async def run(self):
        while not self.stopping:
            try:
                async with self.connect() as ws:
                    await self.talk(ws)
            except (websockets.WebSocketException, OSError, EOFError):
                self.cut += 1
                await asyncio.sleep(0.1)

    async def talk(self, ws):
        csrf = None
        number = 0
        while not self.stopping:
            message = json.loads(await asyncio.wait_for(ws.recv(), WAIT_S))
            if message["type"] == "welcome":
                csrf = message["payload"]["csrfToken"]
            elif message["type"] == "chat":
                if message["payload"]["text"] != str(number):
                    self.wrong.append((number, message))
                self.answered += 1
                number += 1
                await asyncio.sleep(0.005)
            elif message["type"] == "error":
                self.wrong.append((number, message))
                number += 1
            else:
                continue
            await ws.send(json.dumps({"type": "chat", "payload": {"text": str(number)}, "csrfToken": csrf}))


async def talking(gate, count, during):
    """Runs `during` (blocking) in a thread while count talkers talk; returns them."""
    talkers = [Talker(gate, f"talker-{i}", gate.token(f"talker-{i % 4}")) for i in range(count)]
    tasks = [asyncio.create_task(t.run()) for t in talkers]
    loop = asyncio.get_running_loop()
    try:
        await asyncio.sleep(1)
        await loop.run_in_executor(None, during, talkers)
        await asyncio.sleep(1)
    finally:
        for talker in talkers:
            talker.stopping = True
        await asyncio.wait(tasks, timeout=WAIT_S)
    return talkers


def all_talk_on(talkers):
    """Each gets at least 20 more answers from now on."""
    goal = [t.answered + 20 for t in talkers]
    wait_until("every client is served", lambda: all(t.answered >= g for t, g in zip(talkers, goal)))


def test_a_validator_is_killed(gate):
    victim, other = gate.containers("validator")[:2]

    def during(talkers):
        all_talk_on(talkers)
        kill_9(victim)
        all_talk_on(talkers)
        wait_until("the validator is back", lambda: health(victim) == "running healthy")
        all_talk_on(talkers)
    talkers = asyncio.run(talking(gate, 16, during))
    assert restarts(victim) == 1 and health(other) == "running healthy"
    assert [t.cut for t in talkers] == [0] * 16, "no client may notice"
    assert sum((t.wrong for t in talkers), []) == []


def test_an_edge_is_killed(gate):
    victim = gate.containers("edge")[0]

    def during(talkers):
        all_talk_on(talkers)
        held = gate.connections()
        assert all(held.values()), f"the balancer uses every edge: {held}"
        kill_9(victim)
        all_talk_on(talkers)
        wait_until("the edge is back", lambda: health(victim) == "running healthy")
        all_talk_on(talkers)
    talkers = asyncio.run(talking(gate, 16, during))
    cut = [t.cut for t in talkers]
    assert restarts(victim) == 1
    assert 0 < sum(c > 0 for c in cut) < 16, f"only clients of the killed edge notice: {cut}"
    assert sum((t.wrong for t in talkers), []) == []


def test_scale_out(gate):
    def during(talkers):
        all_talk_on(talkers)
        gate.compose("up", "-d", "--scale", "edge=3", "--scale", "validator=3")
        for service in ("edge", "validator"):
            containers = gate.containers(service)
            assert len(containers) == 3
            for container in containers:
                wait_until(f"{service} {container[:12]} is healthy", lambda c=container: health(c) == "running healthy")
        all_talk_on(talkers)
    talkers = asyncio.run(talking(gate, 12, during))
    assert [t.cut for t in talkers] == [0] * 12, "who is connected stays so"

    # New clients reach the new edge, and the new validator gets work.
    async def spread():
        talkers = [Talker(gate, f"late-{i}", gate.token(f"talker-{i % 4}")) for i in range(48)]
        tasks = [asyncio.create_task(t.run()) for t in talkers]
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(None, all_talk_on, talkers)
            held = await loop.run_in_executor(None, gate.connections)
            assert len(held) == 3 and all(held.values()), held
            judged = {c[:12]: gate.metric(c, "gatehouse_validator_verdicts_total") for c in gate.containers("validator")}
            assert len(judged) == 3 and all(judged.values()), judged
        finally:
            for talker in talkers:
                talker.stopping = True
            await asyncio.wait(tasks, timeout=WAIT_S)
        assert sum((t.wrong for t in talkers), []) == []
    asyncio.run(spread())

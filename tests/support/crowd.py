"""Thousands of clients of gatehouse.v1 in one thread: asyncio, one task a client.

    crowd = Crowd(suite)
    await crowd.open(1000)                 # each in a room of its own
    talking = crowd.talk(rate=500)         # a task: messages of all in turn, until cancelled
    ...
    crowd.acked, crowd.errors, crowd.ended

Each message has an id no other has. What is acknowledged, refused or ended is kept with its time.
"""

import asyncio
import base64
import collections
import json
import os
import ssl
import struct
import time

from support import ws

PARALLEL = 64  # handshakes under way at once


class Member:
    def __init__(self, crowd, number):
        self.crowd, self.number, self.room = crowd, number, f"own-{number}"
        self.reader = self.writer = self.csrf = None
        self.told_ms = None  # going_away: when to come back
        self.sent = 0

    async def open(self):
        crowd = self.crowd
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", crowd.suite.port, ssl=crowd.context, server_hostname="localhost" if crowd.context else None)
        key = base64.b64encode(os.urandom(16)).decode()
        self.writer.write(ws.request(token=crowd.token, key=key))
        head = await self.reader.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        if status != 101:
            self.writer.close()
            raise ws.Refused(status, {}, head)
        while True:
            message = await self.receive()
            if message and message["type"] == "welcome":
                break
        self.csrf = message["payload"]["csrfToken"]
        self.told_ms = None
        await self.ask("join", {"room": self.room})

    async def receive(self):
        """The next message; None for a control frame that was answered. Raises Closed."""
        first, second = await self.reader.readexactly(2)
        size = second & 0x7f
        if size == 126:
            size, = struct.unpack(">H", await self.reader.readexactly(2))
        elif size == 127:
            size, = struct.unpack(">Q", await self.reader.readexactly(8))
        payload = await self.reader.readexactly(size)
        opcode = first & 15
        if opcode == ws.PING:
            self.writer.write(ws.frame(ws.PONG, payload))
        elif opcode == ws.CLOSE:
            raise ws.Closed(struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005)
        elif opcode == ws.TEXT:
            return json.loads(payload)
        return None

    def send(self, kind, payload):
        self.sent += 1
        ident = f"d{self.number}-{self.sent}"
        self.writer.write(ws.frame(ws.TEXT, json.dumps(
            {"type": kind, "payload": payload, "csrfToken": self.csrf, "id": ident}).encode()))
        return ident

    async def ask(self, kind, payload):
        ident = self.send(kind, payload)
        while True:
            message = await self.receive()
            if message and message["type"] in ("ack", "error") and message["payload"].get("id") == ident:
                assert message["type"] == "ack", message
                return

    async def listen(self):
        """Until the connection ends; afterwards crowd.ended has why."""
        crowd = self.crowd
        try:
            while True:
                message = await self.receive()
                if message is None:
                    continue
                if message["type"] == "ack":
                    crowd.acked[message["payload"]["id"]] = time.monotonic()
                elif message["type"] == "error":
                    crowd.errors[message["payload"]["code"]] += 1
                elif message["type"] == "going_away":
                    self.told_ms = message["payload"]["reconnectAfterMs"]
                    crowd.told[self.number] = (time.monotonic(), self.told_ms)
        except ws.Closed as closed:
            crowd.ended[self.number] = (time.monotonic(), closed.code)
            self.writer.write(ws.frame(ws.CLOSE, struct.pack(">H", closed.code)))
            self.writer.close()
        except (OSError, EOFError) as problem:
            crowd.ended[self.number] = (time.monotonic(), type(problem).__name__)

    async def live(self):
        """Listens; when told to come back, does so after the time it was given."""
        while True:
            await self.listen()
            if self.told_ms is None or not self.crowd.come_back:
                return
            await asyncio.sleep(self.told_ms / 1000)
            await self.open()
            self.crowd.returned[self.number] = time.monotonic()


class Crowd:
    def __init__(self, suite, come_back=False):
        self.suite, self.come_back = suite, come_back
        self.token = suite.token("crowd")
        self.context = None
        if suite.tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        self.members, self.tasks = [], []
        self.acked, self.ended, self.told, self.returned = {}, {}, {}, {}
        self.errors, self.sent = collections.Counter(), set()

    async def open(self, count):
        gate = asyncio.Semaphore(PARALLEL)

        async def one(member):
            async with gate:
                await member.open()
        self.members = [Member(self, i) for i in range(count)]
        await asyncio.gather(*(one(member) for member in self.members))
        self.tasks = [asyncio.create_task(member.live()) for member in self.members]

    def talk(self, rate):
        async def run():
            start, number = time.monotonic(), 0
            while True:
                due = (time.monotonic() - start) * rate
                while number < due:
                    member = self.members[number % len(self.members)]
                    number += 1
                    if member.told_ms is None and (member.number not in self.ended
                                                   or member.number in self.returned):
                        self.sent.add(member.send("chat", {"room": member.room, "text": "as ever"}))
                await asyncio.sleep(0.005)
        task = asyncio.create_task(run())
        self.tasks.append(task)
        return task

    async def until(self, what, probe, seconds=60):
        """As support.gatehouse.wait_until, while the crowd goes on; probe runs in a thread."""
        end = time.monotonic() + seconds
        while not await asyncio.to_thread(probe):
            for task in self.tasks:
                if task.done() and not task.cancelled() and task.exception():
                    raise task.exception()
            assert time.monotonic() < end, (f"still not so after {seconds} s: {what}; sent {len(self.sent)}, "
                                            f"acked {len(self.acked)}, ended {len(self.ended)}, {self.errors}")
            await asyncio.sleep(0.05)

    async def close(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for member in self.members:
            if member.writer is not None:
                member.writer.transport.abort()
        await asyncio.sleep(0)

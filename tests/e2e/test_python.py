"""Python's websockets library as the client."""

import asyncio
import contextlib
import json
import ssl

import pytest
import websockets

WAIT_S = 30


def connect(gate, token=None, subprotocol_token=None, **more):
    context = ssl.create_default_context(cafile=gate.ca)
    protocols = ["gatehouse.v1"]
    if subprotocol_token:
        protocols.append("gatehouse.bearer." + subprotocol_token)
    headers = dict(more.pop("headers", {}))
    if token:
        headers["Authorization"] = "Bearer " + token
    return websockets.connect(gate.url, ssl=context, subprotocols=protocols, extra_headers=headers,
                              open_timeout=WAIT_S, **more)


async def receive(ws, *types):
    """The next message of one of these types."""
    while True:
        message = json.loads(await asyncio.wait_for(ws.recv(), WAIT_S))
        if message["type"] in types:
            return message


async def welcome(ws):
    message = await receive(ws, "welcome")
    ws.csrf = message["payload"]["csrfToken"]
    return message


async def say(ws, kind, payload, csrf=None, **more):
    await ws.send(json.dumps({"type": kind, "payload": payload, "csrfToken": csrf or ws.csrf, **more}))


def test_token_in_header(gate):
    async def go():
        async with connect(gate, gate.token("alice")) as ws:
            message = await welcome(ws)
            assert ws.subprotocol == "gatehouse.v1"
            payload = message["payload"]
            assert len(payload["csrfToken"]) >= 43 and len(payload["sessionId"]) >= 22
            assert payload["maxMessageBytes"] == 65536
            await say(ws, "chat", {"text": "to myself"})
            assert (await receive(ws, "chat"))["payload"]["text"] == "to myself"
    asyncio.run(go())


def test_token_in_subprotocol(gate):
    async def go():
        async with connect(gate, subprotocol_token=gate.token("alice")) as ws:
            await welcome(ws)
            assert ws.subprotocol == "gatehouse.v1"
    asyncio.run(go())


@pytest.mark.parametrize("token", [None, "a.b.c", "tampered"])
def test_no_valid_token_no_upgrade(gate, token):
    if token == "tampered":
        head, body, signature = gate.token("alice").split(".")
        token = ".".join((head, body, signature[::-1]))

    async def go():
        with pytest.raises(websockets.InvalidStatusCode) as refused:
            async with connect(gate, token):
                pass
        assert refused.value.status_code == 401
    asyncio.run(go())


def test_foreign_origin(gate):
    async def go():
        token = gate.token("alice")
        async with connect(gate, token, headers={"Origin": "https://localhost:8443"}) as ws:
            await welcome(ws)
        with pytest.raises(websockets.InvalidStatusCode) as refused:
            async with connect(gate, token, headers={"Origin": "https://localhost:8443.evil.example"}):
                pass
        assert refused.value.status_code == 403
    asyncio.run(go())


async def connect_to_other_edge(gate, token, stay):
    """Connects until an edge takes it that held none of ours before; the others are closed."""
    before = gate.connections()
    if len(before) < 2:
        pytest.skip("one edge only")
    for _ in range(64):
        ws = await connect(gate, token)
        await welcome(ws)
        now = gate.connections()
        grown = [name for name in now if now[name] > before.get(name, 0)]
        if grown and not set(grown) & stay:
            return ws, set(grown)
        await ws.close()
        for _ in range(100):
            if gate.connections() == before:
                break
            await asyncio.sleep(0.05)
    raise AssertionError(f"64 connections all went to {stay}")


def test_two_users_chat_across_two_edges(gate):
    async def go():
        alice, first = await connect_to_other_edge(gate, gate.token("alice"), set())
        bob, second = await connect_to_other_edge(gate, gate.token("bob"), first)
        assert not first & second
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(alice.close)
            stack.push_async_callback(bob.close)
            await say(alice, "join", {"room": "e2e"}, id="1")
            await receive(alice, "ack")
            await say(bob, "join", {"room": "e2e"}, id="1")
            await receive(bob, "ack")
            for i in range(20):
                await say(alice, "chat", {"room": "e2e", "text": f"ping {i}"})
                await say(bob, "chat", {"room": "e2e", "text": f"pong {i}"})
            heard = []
            while len(heard) < 20:
                text = (await receive(bob, "chat"))["payload"]["text"]
                if text.startswith("ping"):
                    heard.append(text)
            assert heard == [f"ping {i}" for i in range(20)]
            heard = []
            while len(heard) < 20:
                text = (await receive(alice, "chat"))["payload"]["text"]
                if text.startswith("pong"):
                    heard.append(text)
            assert heard == [f"pong {i}" for i in range(20)]
    asyncio.run(go())


def test_direct_message(gate):
    async def go():
        async with connect(gate, gate.token("dora")) as dora, connect(gate, gate.token("emil")) as emil:
            await welcome(dora)
            await welcome(emil)
            await say(dora, "chat", {"to": "emil", "text": "psst"})
            heard = (await receive(emil, "chat"))["payload"]
            assert heard["text"] == "psst" and heard["from"] == "dora"
    asyncio.run(go())


ATTACKS = {
    "csrf": (lambda ws: {"type": "chat", "payload": {"text": "forged"}, "csrfToken": "A" * 43}, "csrf_failed"),
    "no csrf": (lambda ws: {"type": "chat", "payload": {"text": "forged"}}, "csrf_failed"),
    "role": (lambda ws: {"type": "notification", "payload": {"text": "x"}, "csrfToken": ws.csrf}, "role_forbidden"),
    "type": (lambda ws: {"type": "admin", "payload": {}, "csrfToken": ws.csrf}, "unknown_type"),
    "member": (lambda ws: {"type": "chat", "payload": {"text": "x"}, "csrfToken": ws.csrf, "role": "admin"},
               "bad_envelope"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_is_refused_and_service_goes_on(gate, name):
    make, code = ATTACKS[name]

    async def go():
        async with connect(gate, gate.token("mallory")) as ws:
            await welcome(ws)
            await say(ws, "chat", {"text": "good before"})
            assert (await receive(ws, "chat"))["payload"]["text"] == "good before"
            await ws.send(json.dumps(make(ws)))
            refused = await receive(ws, "error", "chat")
            assert refused["type"] == "error" and refused["payload"]["code"] == code, refused
            assert refused["payload"]["requestId"]
            await say(ws, "chat", {"text": "good after"})
            assert (await receive(ws, "chat"))["payload"]["text"] == "good after"
    asyncio.run(go())


def test_duplicate_key_is_refused(gate):
    async def go():
        async with connect(gate, gate.token("mallory")) as ws:
            await welcome(ws)
            await ws.send('{"type":"health-check","type":"chat","payload":{}}')
            assert (await receive(ws, "error"))["payload"]["code"] == "bad_json"
    asyncio.run(go())


def test_oversized_message_closes_with_1009(gate):
    async def go():
        async with connect(gate, gate.token("mallory")) as ws:
            await welcome(ws)
            await ws.send("x" * 70000)
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await receive(ws, "chat")
            assert closed.value.rcvd.code == 1009
    asyncio.run(go())


def test_a_quiet_connection_stays(gate):
    """Longer than any deadline of the handshake, with nothing said by either side."""
    async def go():
        async with connect(gate, gate.token("quiet"), ping_interval=None) as ws:
            await welcome(ws)
            await asyncio.sleep(13)
            await say(ws, "chat", {"text": "still here"})
            assert (await receive(ws, "chat"))["payload"]["text"] == "still here"
    asyncio.run(go())

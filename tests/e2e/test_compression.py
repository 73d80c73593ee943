"""Others' clients with permessage-deflate: Node's `ws`, Python's `websockets` and Chromium, on a route that lets
both sides refer to earlier messages."""

import asyncio
import os

import pytest
import yaml
from gates import LocalGate
from nodes import run_node
from support.gatehouse import ROOT
from test_chromium import CHROMIUM, spki_of
from test_python import connect, receive, say, welcome

pytestmark = pytest.mark.skipif(os.environ.get("GH_E2E", "local") != "local",
                                reason="needs a configuration of its own")


@pytest.fixture(scope="module")
def zip_gate():
    routes = yaml.safe_load((ROOT / "deploy" / "gatehouse.yaml").read_text())["routes"]
    routes[0]["compression"] = "takeover"
    with LocalGate(edges=1, validators=1, config={"routes": routes, "edge": {"compression": {"min_bytes": 100}}}) as gate:
        yield gate


def counted(gate):
    """Messages compressed so far: (by clients, by the edge)."""
    metrics = gate.suite["edge-1"].metrics()
    return [metrics[f'gatehouse_edge_deflate_messages_total{{direction="{way}"}}'] for way in ("in", "out")]


def assert_both_compressed(gate, before):
    after = counted(gate)
    assert after[0] > before[0] and after[1] > before[1], (before, after)


def test_node_ws(zip_gate):
    before = counted(zip_gate)
    seen = run_node("node_client.mjs", zip_gate.url, zip_gate.ca, zip_gate.token("nora"), zip_gate.token("nick"),
                    "deflate")
    assert seen["extensions"] == ["permessage-deflate"] * 2
    assert seen["heard"]["text"] == "grüße 👋"
    assert seen["long"] == [True] * 3
    assert seen["attack"] == "csrf_failed" and seen["after"] == "still here"
    assert seen["closeA"] == seen["closeB"] == 1000
    assert_both_compressed(zip_gate, before)


def test_python_websockets(zip_gate):
    before = counted(zip_gate)

    async def go():
        async with connect(zip_gate, zip_gate.token("alice"), compression="deflate") as ws:
            await welcome(ws)
            assert [type(e).__name__ for e in ws.extensions] == ["PerMessageDeflate"]
            for i in range(20):
                text = f"{i}: " + "over and over " * 100
                await say(ws, "chat", {"text": text})
                assert (await receive(ws, "chat"))["payload"]["text"] == text
    asyncio.run(go())
    assert_both_compressed(zip_gate, before)


def test_chromium(zip_gate):
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    before = counted(zip_gate)
    seen = run_node("browser_client.mjs", zip_gate.url, spki_of(zip_gate), zip_gate.token("ada"), zip_gate.token("ben"))
    heard = [e["payload"]["text"] for e in seen["bob"]["events"] if e["type"] == "chat"]
    assert heard == ["hello from a browser", "still here"]
    assert seen["alice"]["close"] == seen["bob"]["close"] == 1000
    assert_both_compressed(zip_gate, before)

"""Schemas exported from the real Zod load as they are and judge as Zod would."""

import json
import subprocess

import pytest
from nodes import HERE
from offline import BUILD

MODULES = [HERE, HERE.parent / "bench" / "peers"]
GOOD = {"id": "7f2c1b52-6a3f-4d6e-9c0e-0a5b6c7d8e9f", "kind": "buy", "count": 3, "contact": "a@example.org"}
CASES = [
    ({}, None),
    ({"contact": None, "price": 0.5, "tags": ["a", "b"], "extra": {"x": True}, "child": {"name": "Anna"}}, None),
    ({"when": "2026-01-02T03:04:05Z"}, None),
    ({"id": "no"}, "/payload/id"), ({"kind": "hold"}, "/payload/kind"), ({"count": 0}, "/payload/count"),
    ({"count": 1.5}, "/payload/count"), ({"price": 0}, "/payload/price"), ({"tags": [""]}, "/payload/tags/0"),
    ({"tags": list("abcde")}, "/payload/tags"), ({"contact": "nobody"}, "/payload/contact"),
    ({"when": "tomorrow"}, "/payload/when"), ({"child": {"name": "anna"}}, "/payload/child/name"),
    ({"child": {"name": "Anna", "x": 1}}, "/payload/child/x"), ({"more": 1}, "/payload/more"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    modules = next((m for m in MODULES if (m / "node_modules" / "zod").is_dir()), None)
    if modules is None:
        pytest.skip("zod is not installed (npm ci in tests/bench/peers)")
    path = tmp_path_factory.mktemp("zod")
    done = subprocess.run(["node", HERE / "zod_schema.mjs", modules], stdout=subprocess.PIPE, text=True, check=True)
    (path / "order.json").write_text(done.stdout)
    (path / "z.yaml").write_text("route: z\ntypes:\n  order: { send: ['*'], schema: order.json, sanitize: plain }\n")
    return path


def test_it_loads(folder):
    subprocess.run([BUILD / "bin" / "gatehouse-validator", "--offline", "policy", "check", folder], check=True)


@pytest.mark.parametrize("change, pointer", CASES, ids=[json.dumps(c) for c, _ in CASES])
def test_it_judges(folder, change, pointer):
    message = json.dumps({"type": "order", "payload": {**GOOD, **change}})
    done = subprocess.run([BUILD / "bin" / "gatehouse-validator", "--offline", "policy", "test", folder, "--route", "z"],
                          input=message, stdout=subprocess.PIPE, text=True, check=False)
    verdict = json.loads(done.stdout)
    if pointer is None:
        assert verdict["accept"], verdict
    else:
        assert (verdict["accept"], verdict["code"], verdict["pointer"]) == (False, "schema_violation", pointer), verdict

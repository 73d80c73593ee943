"""Schemas made with the real zod load as it exports them, and judge as zod itself does."""

import functools
import json

import pytest

from nodes import run_node
from offline import policy_test

# zod's own names are in zod_schemas.mjs; listed here so that each is a test of its own.
NAMES = """object strictObject looseObject catchall enum nativeEnum literal literals union objectUnion
discriminatedUnion array arrayLength optional nullable record recordKeys recordEnum partialRecord tuple tupleRest
integer range multipleOf int32 uint32 boolean null regex unanchored startsEnds uuid uuidv4 ipv4 ipv6 cidr date
datetime datetimeOffset email url base64 cuid2 nanoid ulid intersection templateLiteral extended picked any never
recursive nested""".split()


@functools.cache
def rows():
    return {row["name"]: row for row in run_node("zod_schemas.mjs")}


def judged(where, row, formats):
    """The verdict of the policy for each of the row's values."""
    (where / "schema.json").write_text(json.dumps(row["schema"]))
    (where / "main.yaml").write_text(
        f"route: main\nformats: {formats}\nsignatures: off\n"
        'types: { t: { schema: schema.json, send: ["*"], sanitize: plain } }\n')
    return policy_test(where, [{"type": "t", "payload": v["value"]} for v in row["values"]])


def test_every_row_is_tested():
    assert sorted(rows()) == sorted(NAMES)


# zod writes a pattern beside each format but "uri": that one needs formats to be asserted.
@pytest.mark.parametrize("name, formats", [(name, formats) for name in NAMES for formats in ("annotate", "assert")
                                           if (name, formats) != ("url", "annotate")])
def test_the_policy_agrees_with_zod(tmp_path, name, formats):
    row = rows()[name]
    assert {v["valid"] for v in row["values"]} == {True, False}, "values of both kinds"
    verdicts = judged(tmp_path, row, formats)
    assert [(v["value"], v["valid"]) for v in row["values"]] == [
        (v["value"], verdict["accept"]) for v, verdict in zip(row["values"], verdicts)]
    assert {verdict["code"] for verdict in verdicts if not verdict["accept"]} == {"schema_violation"}

"""What the sanitizer lets through, in a real browser: no payload runs, and honest formatting is still there."""

import json
import os
import pathlib
import subprocess

import pytest
from nodes import HERE, run_node

ROOT = HERE.parent.parent
BUILD = pathlib.Path(os.environ.get("GH_BUILD", ROOT / "build"))
CHROMIUM = pathlib.Path("/usr/bin/chromium")
POLICY = """
route: r
max_bytes: 64KiB
signatures: off
types:
  rich: { send: ["*"], sanitize: rich }
  escape: { send: ["*"], sanitize: escape }
  strip: { send: ["*"], sanitize: strip }
"""


def clean(folder, kind, texts):
    """Each text as the validator passes it on; None where it is refused."""
    lines = "".join(json.dumps({"type": kind, "payload": t}) + "\n" for t in texts)
    done = subprocess.run([BUILD / "bin" / "gatehouse-validator", "--offline", "policy", "test", folder, "--route", "r"],
                          input=lines, stdout=subprocess.PIPE, text=True, check=False)
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(verdicts) == len(texts)
    return [json.loads(v["output"])["payload"] if v["accept"] else None for v in verdicts]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("policy")
    (path / "r.yaml").write_text(POLICY)
    return path


@pytest.fixture(scope="module")
def payloads():
    done = subprocess.run(["node", "--input-type=module", "-e",
                           "import p from './rich_payloads.mjs'; console.log(JSON.stringify(p))"],
                          cwd=HERE, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def test_no_payload_runs(folder, payloads, tmp_path):
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    assert len(set(payloads)) >= 300
    rich, escape = (clean(folder, kind, payloads) for kind in ("rich", "escape"))
    assert all(text is not None for text in escape)
    assert sum(text is None for text in rich) < 10  # refused is safe, but it must not be the way out
    items = [{"rich": r or "", "escape": e, "raw": p} for r, e, p in zip(rich, escape, payloads)]
    (tmp_path / "items.json").write_text(json.dumps(items))
    ran = run_node("rich_browser.mjs", tmp_path / "items.json", seconds=300)["ran"]
    for shape in ("rich", "richInner", "escape"):
        assert not ran[shape], [items[i] for i in ran[shape]]
    # The same page does run what nobody cleaned: else this test could not fail.
    assert len(ran["raw"]) >= 150
    assert len(ran["rawInAttribute"]) >= 20


@pytest.mark.parametrize("html", [
    "<b>bold</b>, <i>italic</i> and <code>code</code>",
    "<ul><li>one</li><li>two</li></ul>",
    "<blockquote>said <em>somebody</em></blockquote><p>and so on<br>on a new line</p>",
    "<h2>Title</h2><pre>a\n  b</pre>",
    '<a href="https://example.org/?a=1&amp;b=2" title="there" rel="nofollow noopener noreferrer">link</a>',
    "5 &lt; 6 &amp; 7 &gt; 6",
    "Übermäßig 日本語 العربية 👩‍💻",
])
def test_harmless_formatting_survives(folder, html):
    assert clean(folder, "rich", [html]) == [html]


def test_strip_leaves_the_words(folder):
    assert clean(folder, "strip", ["<p>one</p><p>two <b>three</b></p>"]) == ["one\ntwo three"]

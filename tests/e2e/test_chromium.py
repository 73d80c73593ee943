"""A real browser as the client: tokens by subprotocol, Origin set by the browser itself."""

import base64
import hashlib
import pathlib
import ssl
import urllib.parse

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nodes import run_node

CHROMIUM = pathlib.Path("/usr/bin/chromium")


def spki_of(gate):
    """The served key's hash, by which the browser accepts it (checked against our CA first)."""
    url = urllib.parse.urlsplit(gate.url)
    pem = ssl.get_server_certificate((url.hostname, url.port), ca_certs=str(gate.ca))
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


@pytest.fixture(scope="module")
def seen(gate):
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    return run_node("browser_client.mjs", gate.url, spki_of(gate), gate.token("ada"), gate.token("ben"))


def test_only_the_protocol_is_echoed(seen):
    assert seen["alice"]["opened"] and seen["bob"]["opened"]
    assert seen["alice"]["protocol"] == seen["bob"]["protocol"] == "gatehouse.v1"


def test_chat_between_two_pages(seen):
    heard = [e["payload"]["text"] for e in seen["bob"]["events"] if e["type"] == "chat"]
    assert heard == ["hello from a browser", "still here"]
    assert seen["alice"]["close"] == seen["bob"]["close"] == 1000


def test_attacks_are_refused(seen):
    codes = [e["payload"]["code"] for e in seen["alice"]["events"] if e["type"] == "error"]
    assert codes == ["csrf_failed", "bad_json"]


def test_a_foreign_page_gets_no_connection(seen):
    assert seen["evil"] == {"opened": False}


def test_a_bad_token_gets_no_connection(seen):
    assert seen["badToken"] == {"opened": False}

"""Keys of issuers from a JWK Set (A4), against a real HTTPS server: rotation, outage, slowness, garbage,
an unknown-kid storm, certificates that must not be trusted; and from a file that changes."""

import json
import signal
import subprocess
import threading
import time

import pytest
from support.gatehouse import BUILD, Suite, wait_until
from support.jwks import Key, Source
from support.ws import Refused

IDP, FILE, STRANGER, PLAIN, AWAY = ("https://idp.example", "https://file.example", "https://stranger.example",
                                    "https://redirect.example", "https://away.example")


class Stand:
    """A suite whose auth follows one HTTPS source, a file, and sources that can never be used."""

    def __init__(self, folder):
        self.source, self.stranger, self.redirect = (Source(self.make(folder, n)) for n in ("a", "b", "c"))
        self.es, self.rs, self.filed = Key("es-1"), Key("rs-1", "RS256"), Key("file-1")
        self.source.keys = [self.es, self.rs]
        self.stranger.keys = [Key("s-1")]
        self.redirect.keys = [Key("r-1")]
        self.redirect.status, self.redirect.headers = 302, {"Location": self.source.url()}
        self.file = folder / "jwks.json"
        self.write_file([self.filed])
        jwks = {"timeout": "2s", "min_age": "200ms", "max_age": "1h", "unknown_kid": "2s", "max_bytes": "64KiB"}
        suite = self.suite = Suite(tls=False)
        issuers = suite.config["auth"]["issuers"]

        def issuer(name, **more):
            issuers.append({"name": name, "audiences": ["gatehouse"], "roles_claim": "roles", "jwks": more})
        issuer(IDP, url=self.source.url(), ca_file=str(self.source.ca), **jwks)
        issuer(FILE, file=str(self.file))
        issuer(STRANGER, url=self.stranger.url(), ca_file=str(self.source.ca), **jwks)  # another's CA
        issuer(PLAIN, url=self.redirect.url(), ca_file=str(self.redirect.ca), **jwks)
        suite.write_config({"auth": {"issuers": issuers}})

    @staticmethod
    def make(folder, name):
        (folder / name).mkdir()
        return folder / name

    def write_file(self, keys):
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps({"keys": [k.jwk for k in keys]}))
        fresh.rename(self.file)

    def status(self, token):
        """Of a handshake with this token: 101, or what it was refused with."""
        try:
            self.suite.client(token).close()
            return 101
        except Refused as refusal:
            return refusal.status

    def metric(self, name):
        return self.suite["auth-1"].metric("gatehouse_auth_" + name)

    def opens(self, token):
        return wait_until("the token opens a connection", lambda: self.status(token) == 101)


@pytest.fixture(scope="module")
def stand(tmp_path_factory):
    stand = Stand(tmp_path_factory.mktemp("jwks"))
    try:
        with stand.suite:
            yield stand
    finally:
        for source in (stand.source, stand.stranger, stand.redirect):
            if source.server is not None:
                source.away()


def test_both_kinds_of_key(stand):
    assert stand.status(stand.es.token(IDP)) == 101
    assert stand.status(stand.rs.token(IDP)) == 101
    # a stranger's key under a known kid; a known key under another issuer
    assert stand.status(Key("es-1").token(IDP)) == 401
    assert stand.status(stand.es.token(FILE)) == 401


def test_rotation_is_seen_by_the_first_token_of_a_new_key(stand):
    fresh = Key("es-2")
    stand.source.keys = [fresh, stand.rs]
    before = stand.source.asked
    time.sleep(2.2)  # jwks.unknown_kid: it was asked just now
    assert stand.status(fresh.token(IDP)) == 101  # the very first one waits for the new set
    assert stand.source.asked == before + 1
    assert stand.status(stand.es.token(IDP)) == 401  # what is no longer in the set is no key
    stand.source.keys = [stand.es, stand.rs, fresh]
    stand.opens(stand.es.token(IDP))


def test_a_storm_of_unknown_kids_asks_once(stand):
    time.sleep(2.2)
    before, stranger = stand.source.asked, Key("none")
    stand.source.delay_s = 0.5
    answers, clients = [], [threading.Thread(target=lambda: answers.append(stand.status(stranger.token(IDP))))
                            for _ in range(40)]
    began = time.monotonic()
    for client in clients:
        client.start()
    while any(c.is_alive() for c in clients):
        assert stand.status(stand.suite.token("other")) == 101  # others are judged meanwhile
        time.sleep(0.05)
    took = time.monotonic() - began
    stand.source.delay_s = 0
    assert answers == [401] * 40
    assert stand.source.asked - before <= 1 + took / 2  # once, and once more for each jwks.unknown_kid
    assert stand.metric("jwks_waited_total") > 0


@pytest.mark.parametrize("trouble", ["garbage", "empty set", "huge", "500", "slow", "away"])
def test_the_last_good_set_is_kept(stand, trouble):
    source = stand.source
    time.sleep(2.2)
    failed = stand.metric("jwks_failed_total")
    if trouble == "garbage":
        source.body = b"<html>maintenance</html>"
    elif trouble == "empty set":
        source.body = b'{"keys": []}'
    elif trouble == "huge":
        source.body = b'{"keys": [' + b" " * 200000 + b"]}"
    elif trouble == "500":
        source.status = 500
    elif trouble == "slow":
        source.delay_s = 10
    else:
        source.away()
    # a token of an unknown key makes it ask; it cannot be judged, which is not the same as refused
    assert stand.status(Key("new").token(IDP)) == 503
    assert stand.metric("jwks_failed_total") > failed
    for key in (stand.es, stand.rs):
        assert stand.status(key.token(IDP)) == 101
    # the breaker: as long as it is open nobody makes it ask, and it says so at once
    source.body, source.status, source.delay_s = None, 200, 0
    if trouble == "away":
        source.go()
    fresh = Key("after-" + trouble.replace(" ", "-"))
    source.keys = [stand.es, stand.rs, fresh]
    stand.opens(fresh.token(IDP))


def test_refreshed_ahead_of_what_it_said(stand):
    source = stand.source
    source.headers = {"Cache-Control": "max-age=1"}
    stand.suite["auth-1"].popen.send_signal(signal.SIGHUP)  # read it again: the hour it said is not over
    before = source.asked
    wait_until("it is asked again by itself", lambda: source.asked >= before + 3)
    source.headers = {"Cache-Control": "max-age=3600"}
    asked = source.asked
    wait_until("the long age was read", lambda: source.asked > asked)
    time.sleep(1.5)
    assert source.asked <= asked + 2


def test_what_must_not_be_trusted_is_not(stand):
    """A server of another CA, and a redirect: their tokens are never judged, and not refused either."""
    assert stand.status(stand.stranger.keys[0].token(STRANGER)) == 503
    assert stand.stranger.asked == 0  # it saw no request: the handshake ended it
    assert stand.status(stand.redirect.keys[0].token(PLAIN)) == 503
    assert stand.redirect.asked > 0
    log = stand.suite["auth-1"].log()
    assert "it redirects" in log and "certificate" in log


def test_a_file_is_read_again_when_it_changes(stand):
    assert stand.status(stand.filed.token(FILE)) == 101
    fresh = Key("file-2", "RS256")
    stand.write_file([fresh])
    stand.opens(fresh.token(FILE))
    assert stand.status(stand.filed.token(FILE)) == 401
    failed = stand.metric("jwks_failed_total")
    stand.file.write_text("{")  # a bad one changes nothing
    wait_until("the bad file was seen", lambda: stand.metric("jwks_failed_total") > failed)
    assert stand.status(fresh.token(FILE)) == 101
    stand.write_file([stand.filed])
    stand.opens(stand.filed.token(FILE))


def test_keys_that_cannot_be_used_are_said(stand):
    weak = Key("weak", use="enc")
    stand.write_file([weak, stand.filed])
    wait_until("it was said", lambda: 'kid="weak" why="use is not sig"' in stand.suite["auth-1"].log())
    stand.opens(stand.filed.token(FILE))


def test_a_reload_forgets_no_key(stand):
    stand.opens(stand.es.token(IDP))
    stand.source.away()
    log = len(stand.suite["auth-1"].log())
    stand.suite["auth-1"].popen.send_signal(signal.SIGHUP)
    wait_until("reloaded", lambda: "event=reloaded" in stand.suite["auth-1"].log()[log:])
    assert stand.status(stand.es.token(IDP)) == 101
    stand.source.go()


def test_configuration_says_what_is_wrong(stand):
    def check(**jwks):
        entry = {"name": "https://x.example", "audiences": ["a"], "jwks": jwks}
        path = stand.suite.dir / "bad.yaml"
        config = json.loads(json.dumps(stand.suite.config))
        config["auth"]["issuers"] = [entry]
        path.write_text(json.dumps(config, indent=1))  # JSON is YAML
        done = subprocess.run([BUILD / "bin" / "gatehouse-auth", "--config", path, "--check"], text=True,
                              capture_output=True, timeout=60)
        return done.returncode, done.stdout + done.stderr
    assert check(url="https://ok.example/keys")[0] == 0
    for jwks, words in (({"url": "http://x.example/k"}, "https://"), ({"url": "https:///k"}, "no host"),
                        ({"url": "https://u:p@x.example/k"}, "user"),
                        ({"url": "https://x.example/k", "file": "a"}, "both"),
                        ({"url": "https://x.example/k", "algorithms": ["HS256"]}, "HS256"),
                        ({"url": "https://x.example/k", "min_age": "2h"}, "min_age"),
                        ({"file": "/nonexistent/jwks.json"}, "No such file")):
        status, text = check(**jwks)
        assert status != 0 and words in text and "bad.yaml" in text, (jwks, text)

"""TLS as clients see it: what is spoken and what is not, two kinds of key, tickets, client certificates."""

import datetime
import hashlib
import signal
import socket
import ssl
import subprocess
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from support import ws
from support.gatehouse import Suite, wait_until

PEM = serialization.Encoding.PEM
NOW = datetime.datetime.utcnow()
WEAK = ["AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA384", "DHE-RSA-AES256-GCM-SHA384",
        "NULL-SHA256", "ECDHE-ECDSA-AES128-CCM8"]


def certificate(names, key, issuer=None, usage=None, ca=False, days=2, start=-1):
    """(certificate) signed by issuer (certificate, key), or by itself."""
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in names.get("subject", [])])
    by, by_key = issuer or (None, key)
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(by.subject if by else subject)
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(NOW + datetime.timedelta(hours=start))
               .not_valid_after(NOW + datetime.timedelta(days=days))
               .add_extension(x509.BasicConstraints(ca=ca, path_length=None), True))
    if names.get("san"):
        builder = builder.add_extension(x509.SubjectAlternativeName(names["san"]), False)
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), False)
    return builder.sign(by_key, hashes.SHA256())


def private(key):
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


LOCAL = {"subject": [(NameOID.COMMON_NAME, "localhost")], "san": [x509.DNSName("localhost")]}


class Suites:
    """A suite with an RSA certificate beside its own, an OCSP response, and clients' authority."""

    def __init__(self, config=None, **more):
        self.suite = suite = Suite(config=config or {}, **more)
        rsa_key = rsa.generate_private_key(65537, 2048)
        self.rsa = certificate(LOCAL, rsa_key)
        suite._write_private("tls/rsa.key", private(rsa_key))
        suite._write_private("tls/rsa.crt", self.rsa.public_bytes(PEM))
        self.ca_key = ec.generate_private_key(ec.SECP256R1())
        self.ca = certificate({"subject": [(NameOID.COMMON_NAME, "clients")]}, self.ca_key, ca=True)
        suite._write_private("tls/clients.crt", self.ca.public_bytes(PEM))
        self.write_ocsp()

    def write_ocsp(self, status=ocsp.OCSPCertStatus.GOOD, cert=None, hours=24):
        own = x509.load_pem_x509_certificate((self.suite.dir / "tls" / "edge.crt").read_bytes())
        key = serialization.load_pem_private_key((self.suite.dir / "tls" / "edge.key").read_bytes(), None)
        when = datetime.datetime.utcnow()
        answer = (ocsp.OCSPResponseBuilder()
                  .add_response(cert or own, own, hashes.SHA1(), status, when - datetime.timedelta(hours=30),
                                when + datetime.timedelta(hours=hours),
                                when if status == ocsp.OCSPCertStatus.REVOKED else None, None)
                  .responder_id(ocsp.OCSPResponderEncoding.HASH, own).sign(key, hashes.SHA256()))
        self.suite._write_private("tls/edge.ocsp", answer.public_bytes(serialization.Encoding.DER))

    def client(self, name, usage=ExtendedKeyUsageOID.CLIENT_AUTH, issuer=None, **more):
        """Writes a client's certificate; returns the path of both parts in one file."""
        key = ec.generate_private_key(ec.SECP256R1())
        san = [x509.UniformResourceIdentifier(f"spiffe://example/{name}")]
        cert = certificate({"subject": [(NameOID.COMMON_NAME, name)], "san": san}, key,
                           issuer or (self.ca, self.ca_key), usage, **more)
        self.last = cert
        return self.suite._write_private(f"tls/client-{name}.pem", cert.public_bytes(PEM) + private(key))


@pytest.fixture(scope="module")
def made():
    made = Suites({"edge": {"tls": {"further_certificates": [{"cert_file": "tls/rsa.crt", "key_file": "tls/rsa.key"}],
                                    "ocsp_file": "tls/edge.ocsp"}}})
    with made.suite:
        yield made


@pytest.fixture(scope="module")
def suite(made):
    return made.suite


def context(**attributes):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE
    for name, value in attributes.items():
        setattr(ctx, name, value)
    return ctx


def connect(suite, ctx, session=None):
    sock = socket.create_connection(("127.0.0.1", suite.port), 30)
    try:
        return ctx.wrap_socket(sock, server_hostname="localhost", session=session)
    except BaseException:
        sock.close()
        raise


def upgraded(suite, tls, token=None, path="/ws", headers=()):
    tls.sendall(ws.request(path, token=token or suite.token(), headers=headers))
    return ws.read_head(tls)[0]


def s_client(suite, *args, text="", seconds=20):
    """OpenSSL's own client: (exit status, what it said)."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{suite.port}", "-servername", "localhost",
                           *args], input=text, capture_output=True, text=True, timeout=seconds)
    return done.returncode, done.stdout + done.stderr


# --- what is spoken --------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_let_one_in(suite, version):
    with connect(suite, context(minimum_version=version, maximum_version=version)) as tls:
        assert tls.version() == {771: "TLSv1.2", 772: "TLSv1.3"}[version]
        assert tls.compression() is None
        assert upgraded(suite, tls) == 101


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_older_versions_are_refused(suite, version):
    assert s_client(suite, "-tls1_2")[0] == 0
    status, said = s_client(suite, version, "-cipher", "ALL:@SECLEVEL=0")
    assert status != 0 and "protocol version" in said, said


@pytest.mark.parametrize("cipher", WEAK)
def test_other_ciphers_are_refused(suite, cipher):
    status, said = s_client(suite, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
    assert status != 0 and ("handshake failure" in said or "no cipher match" in said), said


@pytest.mark.parametrize("cipher,kind", [("ECDHE-ECDSA-AES128-GCM-SHA256", "edge"), ("ECDHE-RSA-AES128-GCM-SHA256", "rsa")])
def test_each_client_gets_the_certificate_it_can_verify(suite, cipher, kind):
    ctx = context(maximum_version=ssl.TLSVersion.TLSv1_2)
    ctx.set_ciphers(cipher)
    with connect(suite, ctx) as tls:
        want = x509.load_pem_x509_certificate((suite.dir / "tls" / f"{kind}.crt").read_bytes())
        assert tls.getpeercert(True) == want.public_bytes(serialization.Encoding.DER)
        assert upgraded(suite, tls) == 101


@pytest.mark.parametrize("group,known", [("X25519", True), ("P-256", True), ("P-384", True), ("P-521", False),
                                         ("X448", False)])
def test_groups(suite, group, known):
    assert (s_client(suite, "-groups", group)[0] == 0) == known


def test_alpn_has_one_word(suite):
    with connect(suite, context()) as tls:
        assert tls.selected_alpn_protocol() is None
    ctx = context()
    ctx.set_alpn_protocols(["h2", "http/1.1"])
    with connect(suite, ctx) as tls:
        assert tls.selected_alpn_protocol() == "http/1.1"
        assert upgraded(suite, tls) == 101
    ctx.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        connect(suite, ctx).close()


def test_no_renegotiation(suite):
    """R asks s_client to negotiate anew: the server says no and goes on with what there is, or ends it."""
    assert "Secure Renegotiation IS supported" in s_client(suite, "-tls1_2")[1]
    process = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{suite.port}", "-tls1_2"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = ""
    while "Verify return code" not in said:
        said += process.stdout.readline()
    process.stdin.write("R\n")
    process.stdin.flush()
    said, _ = process.communicate(timeout=30)
    assert "RENEGOTIATING" in said
    assert "no renegotiation" in said, said
    with suite.client():
        pass


def test_the_ocsp_response_is_stapled(made):
    said = s_client(made.suite, "-status")[1]
    assert "OCSP Response Status: successful" in said and "Cert Status: good" in said
    assert "no response sent" in s_client(made.suite, "-status", "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256")[1]


# --- resumption ------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed(suite, version):
    ctx = context(minimum_version=version, maximum_version=version)
    with connect(suite, ctx) as tls:
        assert upgraded(suite, tls) == 101  # a ticket of TLS 1.3 comes with what is read
        assert not tls.session_reused
        session = tls.session
    with connect(suite, ctx, session) as tls:
        assert tls.session_reused
        assert upgraded(suite, tls) == 101


def test_tickets_lapse_with_their_keys():
    with Suite(config={"edge": {"tls": {"ticket_rotation": "1s"}}}) as suite:
        ctx = context(maximum_version=ssl.TLSVersion.TLSv1_2)
        with connect(suite, ctx) as tls:
            session = tls.session
        time.sleep(2.2)  # two rotations: the key is wiped
        with connect(suite, ctx, session) as tls:
            assert not tls.session_reused
            assert upgraded(suite, tls) == 101


# --- reload ----------------------------------------------------------------------------------------


def test_a_reload_takes_all_pairs_or_none(made):
    suite, edge = made.suite, made.suite["edge-1"]

    def hup(mark):
        seen = edge.log().count(mark)
        edge.popen.send_signal(signal.SIGHUP)
        wait_until(mark, lambda: edge.log().count(mark) > seen)

    def seen():
        found = []
        for cipher in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"):
            ctx = context(maximum_version=ssl.TLSVersion.TLSv1_2)
            ctx.set_ciphers(cipher)
            with connect(suite, ctx) as tls:
                found.append(hashlib.sha256(tls.getpeercert(True)).hexdigest())
        return found
    client = suite.client()
    before = seen()
    good = (suite.dir / "tls" / "rsa.key").read_bytes()
    suite.make_certificate()
    made.write_ocsp()
    suite._write_private("tls/rsa.key", private(rsa.generate_private_key(65537, 2048)))
    hup("event=reload_refused")
    assert "does not belong to the certificate" in edge.log()
    assert seen() == before  # the good one of the two did not get in alone
    suite._write_private("tls/rsa.key", good)
    for status, cert, hours, word in [(ocsp.OCSPCertStatus.REVOKED, None, 24, "not good"),
                                      (ocsp.OCSPCertStatus.GOOD, made.rsa, 24, "about another certificate"),
                                      (ocsp.OCSPCertStatus.GOOD, None, -2, "not valid now")]:
        made.write_ocsp(status, cert, hours)
        hup("event=reload_refused")
        assert word in edge.log()
        assert seen() == before
    made.write_ocsp()
    hup("event=tls_reloaded")
    after = seen()
    assert after[0] != before[0] and after[1] == before[1]
    assert client.ask("chat", {"text": "all the while"})["type"] == "ack"
    client.sock.close()


@pytest.mark.parametrize("tls,words", [
    ({"ciphers": ["NOT-A-CIPHER"]}, "edge.tls.ciphers"),
    ({"groups": ["X25519", "nonsense"]}, "edge.tls.groups"),
    ({"min_version": "1.3", "max_version": "1.2"}, "is above tls.max_version"),
    ({"min_version": "1.1"}, "1.2, 1.3"),
    ({"client_certificates": "optional"}, "client_ca_file"),
    ({"further_certificates": [{"cert_file": "tls/edge.crt", "key_file": "tls/edge.key"}]}, "same kind"),
    ({"key_file": "tls/rsa.key"}, "does not belong"),
    ({"cert_file": "tls/nowhere.crt"}, "cannot be read"),
], ids=lambda v: v if isinstance(v, str) else "-".join(v))
def test_a_wrong_configuration_does_not_start(tls, words):
    made = Suites({"edge": {"tls": tls}}, services=())
    try:
        edge = made.suite.add("edge", "edge-1").start()
        assert edge.popen.wait(60) != 0
        assert words in edge.log()
    finally:
        edge.expected_end = True
        made.suite.stop()


# --- client certificates ---------------------------------------------------------------------------


CERTIFICATE_ROUTE = {"path": "/device", "name": "main", "app": "chat", "origins": ["https://localhost:8443"],
                     "missing_origin": "allow", "credentials": ["bearer", "certificate"]}


def route(**more):
    return {**CERTIFICATE_ROUTE, "origins": list(CERTIFICATE_ROUTE["origins"]), **more}


@pytest.fixture(scope="module", params=["optional", "required"])
def clients(request):
    made = Suites({
        "edge": {"tls": {"client_certificates": request.param, "client_ca_file": "tls/clients.crt"}},
        "routes": [route(path="/ws", credentials=["bearer"]), route()],
        "auth": {"certificates": {"ca_file": "tls/clients.crt", "user": "san_uri", "roles": ["user"],
                                  "user_prefix": "spiffe://example/"}},
    })
    made.mode = request.param
    with made.suite:
        yield made


def shown(path, **attributes):
    ctx = context(**attributes)
    if path is not None:
        ctx.load_cert_chain(path)
    return ctx


def open_by(made, ctx, path="/device", **more):
    """A client that is in by its certificate; raises Refused, or ssl.SSLError in the handshake."""
    tls = connect(made.suite, ctx)
    try:
        tls.sendall(ws.request(path, **more))
        status, headers, rest = ws.read_head(tls)
        if status != 101:
            raise ws.Refused(status, headers, rest)
    except BaseException:
        tls.close()
        raise
    client = ws.Client(tls, rest)
    client.csrf = client.recv_type("welcome")["payload"]["csrfToken"]
    return client


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_certificate_is_a_credential(clients, version):
    name = f"pump-{int(version)}"
    with open_by(clients, shown(clients.client(name), maximum_version=version)) as client:
        assert client.ask("chat", {"text": "by certificate"})["type"] == "ack"
        record = clients.suite.wait_audit("connection.opened", user=name)
        assert record["address"] == "127.0.0.1"


def test_a_bearer_comes_before_a_certificate(clients):
    with open_by(clients, shown(clients.client("valve")), token=clients.suite.token("wanda")) as client:
        assert client.ask("chat", {"text": "by token"})["type"] == "ack"
        clients.suite.wait_audit("connection.opened", user="wanda")
    with pytest.raises(ws.Refused) as no:  # a wrong token is not made up for by the certificate
        open_by(clients, shown(clients.client("valve")), token="a.b.c")
    assert no.value.status == 401


def test_a_route_that_takes_none_wants_its_own(clients):
    with pytest.raises(ws.Refused) as no:
        open_by(clients, shown(clients.client("valve")), path="/ws")
    assert no.value.status == 401


def test_without_a_certificate(clients):
    token = clients.suite.token("tom")
    if clients.mode == "optional":
        with open_by(clients, shown(None), token=token):
            pass
        with pytest.raises(ws.Refused) as no:
            open_by(clients, shown(None))
        assert no.value.status == 401
    else:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            open_by(clients, shown(None), token=token)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name,make", [
    ("of another authority", lambda made: made.client("eve", issuer=stranger())),
    ("self-signed under the authority's name", lambda made: made.client("eve2", issuer=impostor(made))),
    ("expired", lambda made: made.client("old", days=-1, start=-48)),
    ("not yet valid", lambda made: made.client("early", start=24)),
    ("for servers", lambda made: made.client("server", usage=ExtendedKeyUsageOID.SERVER_AUTH)),
])
def test_a_wrong_certificate_ends_the_handshake(clients, version, name, make):
    with open_by(clients, shown(clients.client("good"), maximum_version=version)):
        pass
    with pytest.raises((ssl.SSLError, ConnectionError)):
        open_by(clients, shown(make(clients), maximum_version=version))


def stranger():
    key = ec.generate_private_key(ec.SECP256R1())
    return certificate({"subject": [(NameOID.COMMON_NAME, "others")]}, key, ca=True), key


def impostor(made):
    key = ec.generate_private_key(ec.SECP256R1())
    return certificate({"subject": [(NameOID.COMMON_NAME, "clients")]}, key, ca=True), key


@pytest.mark.parametrize("san", [
    [],
    [x509.UniformResourceIdentifier("spiffe://elsewhere/pump")],
    [x509.UniformResourceIdentifier("spiffe://example/")],
    [x509.UniformResourceIdentifier("spiffe://example/a"), x509.UniformResourceIdentifier("spiffe://example/b")],
    [x509.DNSName("pump.example")],
    [x509.UniformResourceIdentifier("spiffe://example/" + "x" * 300)],
], ids=["none", "another-prefix", "prefix-alone", "two", "another-kind", "long"])
def test_a_certificate_that_names_nobody(clients, san):
    key = ec.generate_private_key(ec.SECP256R1())
    cert = certificate({"subject": [(NameOID.COMMON_NAME, "admin")], "san": san}, key, (clients.ca, clients.ca_key),
                       ExtendedKeyUsageOID.CLIENT_AUTH)
    path = clients.suite._write_private("tls/nobody.pem", cert.public_bytes(PEM) + private(key))
    with pytest.raises(ws.Refused) as no:
        open_by(clients, shown(path))
    assert no.value.status == 401
    request_id = no.value.headers["x-request-id"]
    record = clients.suite.wait_audit("auth.refused", request_id=request_id)
    assert record["fields"]["reason"] == "certificate_names_nobody", record


def test_a_session_resumed_is_still_whose_it_was(clients):
    ctx = shown(clients.client("again"))
    with open_by(clients, ctx) as client:
        session = client.sock.session
    with connect(clients.suite, ctx, session) as tls:
        assert tls.session_reused
        tls.sendall(ws.request("/device"))
        assert ws.read_head(tls)[0] == 101


def test_a_certificate_is_revoked_like_a_token(clients):
    path = clients.client("stolen")
    with open_by(clients, shown(path)) as client:
        clients.suite.ctl("--config", clients.suite.config_path, "revoke", "user", "stolen")
        assert client.expect_close() in (4401, 4430)  # by its edge, or by the session service
    with pytest.raises(ws.Refused) as no:
        open_by(clients, shown(path))
    assert no.value.status == 401

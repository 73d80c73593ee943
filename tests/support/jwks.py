"""A JWKS source for tests: an HTTPS server with a certificate authority of its own, that can be slow,
broken, away, huge or redirect, and says how often it was asked."""

import base64
import datetime
import http.server
import ipaddress
import json
import os
import ssl
import threading
import time

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM


def b64(number, width=None):
    data = number.to_bytes(width or (number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Key:
    """A signing key of an issuer, and its public half as a JWK."""

    def __init__(self, kid, kind="ES256", **more):
        self.kid, self.algorithm = kid, kind
        if kind == "ES256":
            self.private = ec.generate_private_key(ec.SECP256R1())
            n = self.private.public_key().public_numbers()
            self.jwk = {"kty": "EC", "crv": "P-256", "x": b64(n.x, 32), "y": b64(n.y, 32)}
        else:
            self.private = rsa.generate_private_key(65537, 2048)
            n = self.private.public_key().public_numbers()
            self.jwk = {"kty": "RSA", "n": b64(n.n), "e": b64(n.e)}
        self.jwk.update({"kid": kid, "use": "sig", **more})

    def token(self, iss, sub="alice", ttl_s=600, **claims):
        now = int(time.time())
        return jwt.encode({"iss": iss, "sub": sub, "aud": "gatehouse", "roles": ["user"], "iat": now,
                           "exp": now + ttl_s, "jti": os.urandom(8).hex(), **claims},
                          self.private, algorithm=self.algorithm, headers={"kid": self.kid})


def make_ca(folder, names=("localhost",), addresses=("127.0.0.1",)):
    """Writes ca.crt, server.crt and server.key; returns their paths."""
    now = datetime.datetime.utcnow()

    name = f"Test CA {os.urandom(4).hex()}"

    def certificate(subject, key, issuer, issuer_key, ca):
        builder = (x509.CertificateBuilder()
                   .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
                   .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(hours=1))
                   .not_valid_after(now + datetime.timedelta(days=2))
                   .add_extension(x509.BasicConstraints(ca=ca, path_length=None), True))
        if not ca:
            builder = builder.add_extension(x509.SubjectAlternativeName(
                [x509.DNSName(n) for n in names] +
                [x509.IPAddress(ipaddress.ip_address(a)) for a in addresses]), False)
        return builder.sign(issuer_key, hashes.SHA256())

    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    paths = [folder / "ca.crt", folder / "server.crt", folder / "server.key"]
    paths[0].write_bytes(certificate(name, ca_key, name, ca_key, True).public_bytes(PEM))
    paths[1].write_bytes(certificate("localhost", key, name, ca_key, False).public_bytes(PEM))
    paths[2].write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))
    return paths


class Source:
    """Serves one JWK Set. Members may be changed while it runs."""

    def __init__(self, folder, **ca):
        self.ca, certificate, key = make_ca(folder, **ca)
        self.keys = []
        self.body = None  # bytes served instead of the keys
        self.status, self.headers = 200, {"Cache-Control": "max-age=3600"}
        self.delay_s = 0
        self.asked = 0
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.port, self.server = 0, None
        self.go()

    def go(self):
        source = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def setup(self):
                self.request.settimeout(30)
                self.request = source.context.wrap_socket(self.request, server_side=True)
                super().setup()

            def do_GET(self):
                source.asked += 1
                end = time.monotonic() + source.delay_s
                while time.monotonic() < end and source.server is not None:
                    time.sleep(0.05)
                body = source.body
                if body is None:
                    body = json.dumps({"keys": [k.jwk for k in source.keys]}).encode()
                self.send_response(source.status)
                for name, value in {"Content-Length": str(len(body)), **source.headers}.items():
                    if value is not None:
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # a client that does not trust us, or has gone

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def away(self):
        server, self.server = self.server, None
        server.shutdown()
        server.server_close()
        self.thread.join()

    def url(self, host="localhost"):
        return f"https://{host}:{self.port}/jwks.json"

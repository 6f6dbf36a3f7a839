"""An issuer of tokens for tests: its keys, its tokens, and optionally a server of HTTP for them."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

ISSUER = "https://issuer.test"


class Issuer:
    """Signs tokens by RSA or an elliptic curve."""

    def __init__(self, kind: str = "RSA", key_id: str = "one") -> None:
        self.key_id = key_id
        self.kind = kind
        self.key: Any
        if kind == "RSA":
            self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        else:
            self.key = ec.generate_private_key(ec.SECP256R1())
        self.algorithm = "RS256" if kind == "RSA" else "ES256"
        self.asked: list[bytes] = []
        """The bodies of the requests for a token."""

    @property
    def jwk(self) -> dict[str, Any]:
        maker: Any = jwt.get_algorithm_by_name(self.algorithm)
        found = json.loads(maker.to_jwk(self.key.public_key()))
        return {**found, "kid": self.key_id, "use": "sig"}

    @property
    def jwks(self) -> bytes:
        return json.dumps({"keys": [self.jwk]}).encode()

    def claims(self, **changes: object) -> dict[str, Any]:
        now = int(time.time())
        made = {"sub": "alice", "iss": ISSUER, "aud": "kafka", "iat": now, "exp": now + 300}
        made.update(changes)
        return {name: value for name, value in made.items() if value is not None}

    def token(self, **changes: object) -> str:
        """A token with other claims than usual; None leaves one out."""
        return self.sign(self.claims(**changes))

    def sign(self, claims: dict[str, Any], algorithm: str = "", **headers: object) -> str:
        return jwt.encode(
            claims, self.key, algorithm or self.algorithm, headers={"kid": self.key_id, **headers}
        )


@contextmanager
def served(issuer: Issuer, certificate: Path | None = None) -> Iterator[str]:
    """The issuer's address while it serves /keys and /token, over TLS with a certificate."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(issuer.jwks)

        def do_POST(self) -> None:
            issuer.asked.append(self.rfile.read(int(self.headers["Content-Length"])))
            token = issuer.token(sub="raftka-client")
            self._answer(json.dumps({"access_token": token, "expires_in": 300}).encode())

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"{'http' if certificate is None else 'https'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

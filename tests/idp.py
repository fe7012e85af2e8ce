"""A city's own sign-on for tests: a provider of OpenID Connect on this machine."""

import base64
import hashlib
import json
import threading
import time
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "minhu", "client-secret-of-the-test"


class Idp:
    """Who asks comes back as ``preferred_username``."""

    def __init__(self):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.says: dict = {"preferred_username": "door_li"}
        self.signs_with, self.asked = self.key, {}
        handler = type("Handler", (Handler,), {"idp": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/realms/city"

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def id_token(self) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "sub": "7", "aud": CLIENT, "iat": now, "exp": now + 60, "nonce": self.asked["nonce"]}
        return jwt.encode(claims | self.says, self.signs_with, "RS256", headers={"kid": "k"})


class Handler(BaseHTTPRequestHandler):
    idp: Idp

    def log_message(self, *_):
        pass

    def do_GET(self):
        idp = self.idp
        if "/ask?" in self.path:  # a browser, whose reader has proved to the provider who he is
            idp.asked = {key: value for key, (value,) in parse_qs(urlsplit(self.path).query).items()}
            back = f"{idp.asked['redirect_uri']}?code=the-code&state={idp.asked['state']}"
            page = f'<meta charset="utf-8"><a href="{escape(back)}">that is me</a>'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)
            return None
        if self.path.endswith("/keys"):
            jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(idp.key.public_key()))
            return self.tell({"keys": [jwk | {"kid": "k", "alg": "RS256", "use": "sig"}]})
        return self.tell(
            {
                "issuer": idp.url,
                "authorization_endpoint": f"{idp.url}/ask",
                "token_endpoint": f"{idp.url}/token",
                "jwks_uri": f"{idp.url}/keys",
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    def do_POST(self):
        idp = self.idp
        given = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        digest = hashlib.sha256(given["code_verifier"][0].encode()).digest()
        is_his = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == idp.asked["code_challenge"]
        known = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode() in self.headers["authorization"]
        if given["code"] != ["the-code"] or not is_his or not known:
            return self.tell({"error": "invalid_grant"}, 400)
        return self.tell({"access_token": "a", "token_type": "Bearer", "id_token": idp.id_token()})

    def tell(self, what: dict, status: int = 200):
        said = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

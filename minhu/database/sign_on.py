"""The city's own sign-on by OpenID Connect. It says who somebody is, and the database what he may.

| variable | meaning | default |
|---|---|---|
| ``MINHU_OIDC_URL`` | the issuer; its discovery document tells the rest | (no such way in) |
| ``MINHU_OIDC_CLIENT`` | what it calls us | ``minhu`` |
| ``MINHU_OIDC_SECRET`` | our secret there | |
| ``MINHU_OIDC_CLAIM`` | the claim that holds the name of the login in the database | ``preferred_username`` |
"""

import os
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from minhu.errors import Refused, foreign


@dataclass(frozen=True)
class Provider:
    """Who signs people on. ``start`` and ``finish`` keep state, nonce and verifier in the session of the request."""

    url: str
    client: str
    secret: str = field(repr=False)
    claim: str

    @classmethod
    def from_env(cls, env: os._Environ | dict = os.environ) -> "Provider | None":
        """None where none is configured. Raises Refused for one that anybody on the way could speak for."""
        if not (url := env.get("MINHU_OIDC_URL")):
            return None
        at = urlsplit(url)
        if at.scheme != "https" and at.hostname not in ("localhost", "127.0.0.1"):
            raise Refused(f"MINHU_OIDC_URL: {url!r} begins with https://")
        return cls(
            url=url,
            client=env.get("MINHU_OIDC_CLIENT") or "minhu",
            secret=env.get("MINHU_OIDC_SECRET") or "",
            claim=env.get("MINHU_OIDC_CLAIM") or "preferred_username",
        )

    async def start(self, request: Any, back: str) -> Any:
        """Sends the browser there, to come ``back``. Raises SourceAway, Refused."""
        with foreign.told("sign-on", where=self.url):
            return await _client(self).authorize_redirect(request, back)

    async def finish(self, request: Any) -> str:
        """The login's name, of whom the provider has signed for this very request. Raises SourceAway, Refused."""
        # Who signed it, and for whom: without these the library looks at either only where it is told.
        wanted = {"iss": {"essential": True, "value": self.url}, "aud": {"essential": True, "value": self.client}}
        with foreign.told("sign-on", where=self.url):
            said = await _client(self).authorize_access_token(request, claims_options=wanted)
        name = (said.get("userinfo") or {}).get(self.claim)
        if not isinstance(name, str) or not name:
            raise Refused(f"the sign-on at {self.url} gives no claim {self.claim}")
        return name


@cache
def _client(provider: Provider) -> Any:
    """Kept, with what the provider's discovery document and keys say."""
    from authlib.integrations.starlette_client import OAuth

    return OAuth().register(
        "city",
        server_metadata_url=f"{provider.url.rstrip('/')}/.well-known/openid-configuration",
        client_id=provider.client,
        client_secret=provider.secret,
        client_kwargs={"scope": "openid profile", "code_challenge_method": "S256", "timeout": 10},
    )

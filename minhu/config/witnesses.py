"""``witnesses`` of ``city.yml``: who outside the warehouse is sent the hashes of what is published, and keeps them.

Who runs the warehouse can write every hash in it anew. What others hold he cannot.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from minhu.declaration import Declared
from minhu.declaration.slips import Wrong
from minhu.feeds.sources import HttpAddress, SecretName

_Line = Annotated[str, StringConstraints(pattern=r"^[^\r\n]{1,100}$", strip_whitespace=True)]
_Address = Annotated[str, StringConstraints(pattern=r"^[^@\s,;<>\"]+@[^@\s,;<>\"]+$")]


class Mail(Declared):
    """An e-mail to people by their addresses, through the city's mail server."""

    type: Literal["mail"]
    server: Annotated[str, StringConstraints(pattern=r"^[\w.:-]+$")]
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    """``none`` is for a server on this machine: a password would travel open."""
    user: str | None = None
    secret: SecretName | None = None
    """The name of the password."""
    sender: _Address
    to: Annotated[tuple[_Address, ...], Field(min_length=1)]

    @property
    def sent_to(self) -> str:
        return ", ".join(self.to)

    @model_validator(mode="after")
    def _a_password_travels_closed(self) -> "Mail":
        if (self.user is None) != (self.secret is None):
            raise Wrong("mail: user and secret come together", "邮件见证：user 与 secret 要同时写")
        if self.secret and self.security == "none":
            raise Wrong(
                "mail: a password needs security: starttls or tls", "邮件见证：有口令就要写 security: starttls 或 tls"
            )
        return self


class Webhook(Declared):
    """A POST of JSON, signed as ``hmac`` of a feed's source is (config/README.md)."""

    type: Literal["webhook"]
    url: HttpAddress
    secret: SecretName
    """The name of the key that signs."""

    @property
    def sent_to(self) -> str:
        return self.url


class TimeStamp(Declared):
    """A time-stamping authority by RFC 3161. Its answer is kept in the warehouse, and it alone could have made it."""

    type: Literal["timestamp"]
    url: HttpAddress
    certificate: Annotated[str, StringConstraints(pattern=r"^[^/.].*$")]
    """PEM of its root, and of what stands between, in a file of the configuration folder."""

    @property
    def sent_to(self) -> str:
        return self.url


class Witness(Declared):
    """``name``: what it is called; ``kept_by``: the office that keeps what it is sent. Every reader is shown both."""

    name: _Line
    kept_by: _Line
    by: Annotated[Mail | Webhook | TimeStamp, Field(discriminator="type")]

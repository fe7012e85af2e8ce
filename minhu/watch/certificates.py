"""When the certificates end of the servers that this house stands on: its database, its mail, where it posts, the
portal, the provider of logins. What a feed is fetched from is its sender's: there a load fails and says why.
"""

import os
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

from cryptography import x509
from psycopg import conninfo

from minhu.config.city import City
from minhu.config.witnesses import Mail, TimeStamp, Webhook
from minhu.declaration import read_declaration
from minhu.settings import Settings
from minhu.watch.faults import Fault
from minhu.watch.mends import Mend

SOON = timedelta(days=21)
EVERY = timedelta(hours=1)
"""So often a server is asked."""
SECONDS = 5
"""So long it may take to answer."""
_SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"  # PostgreSQL's SSLRequest; a server that has TLS answers S


@dataclass(frozen=True)
class Server:
    """``speaks``: what comes before its TLS."""

    host: str
    port: int
    speaks: Literal["tls", "postgresql", "smtp"] = "tls"

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def of_certificates(settings: Settings, now: datetime) -> tuple[Fault, ...]:
    """One for each server whose certificate ends soon, or has ended. Asks each server once an hour.

    Of one that is away what it showed last holds: that it is away, others tell.
    """
    found = []
    for server in servers(settings):
        asked_at, end = _seen.get(server, (None, None))
        if asked_at is None or now - asked_at >= EVERY:
            end = ends(server) or end
            _seen[server] = now, end
        if end and end - now < SOON:
            on = end.astimezone(settings.zone)
            what = f"{server} 的证书{'将于' if end > now else '已于'} {on:%Y-%m-%d %H:%M} 到期"
            found.append(Fault("certificate_ends", what, Mend.certificate_ends.value, now, subject=str(server)))
    return tuple(found)


_seen: dict[Server, tuple[datetime, datetime | None]] = {}


def servers(settings: Settings) -> set[Server]:
    """Those that the configuration and the environment name. An address that is itself a secret is none of them."""
    return set(_of_city(settings)) | set(_of_environment(settings))


def _of_city(settings: Settings) -> Iterator[Server]:
    city = read_declaration(City, settings.config / "city.yml")
    for by in (*(one.by for one in city.notify.recipients), *(one.by for one in city.witnesses)):
        if isinstance(by, Mail) and by.security != "none":
            yield Server(by.server, by.port, "smtp" if by.security == "starttls" else "tls")
        elif isinstance(by, Webhook | TimeStamp):
            yield from _of_url(by.url)


def _of_environment(settings: Settings) -> Iterator[Server]:
    for name in ("MINHU_PORTAL_URL", "MINHU_OIDC_URL"):
        yield from _of_url(os.environ.get(name, ""))
    if settings.database_url:
        given: dict[str, Any] = conninfo.conninfo_to_dict(settings.database_url)
        host = str(given.get("host") or "")
        if host and not host.startswith("/"):
            yield Server(host, int(given.get("port") or 5432), "postgresql")


def _of_url(url: str) -> Iterator[Server]:
    at = urlsplit(url)
    if at.scheme == "https" and at.hostname:
        yield Server(at.hostname, at.port or 443)


def ends(server: Server) -> datetime | None:
    """When its certificate ends; None where it has no TLS, or does not answer."""
    shown = ssl.create_default_context()
    shown.check_hostname, shown.verify_mode = False, ssl.CERT_NONE  # it is looked at; nothing is entrusted to it
    with suppress(OSError, smtplib.SMTPException, ValueError):  # the last: a certificate, or a name, that is none
        content = _shown_by(server, shown)
        return x509.load_der_x509_certificate(content).not_valid_after_utc if content else None
    return None


def _shown_by(server: Server, context: ssl.SSLContext) -> bytes | None:
    if server.speaks == "smtp":
        with smtplib.SMTP(server.host, server.port, timeout=SECONDS) as opened:
            opened.starttls(context=context)
            closed = opened.sock
            return closed.getpeercert(binary_form=True) if isinstance(closed, ssl.SSLSocket) else None
    with socket.create_connection((server.host, server.port), timeout=SECONDS) as plain:
        if server.speaks == "postgresql":
            plain.sendall(_SSL_REQUEST)
            if plain.recv(1) != b"S":
                return None
        with context.wrap_socket(plain, server_hostname=server.host) as closed:
            return closed.getpeercert(binary_form=True)

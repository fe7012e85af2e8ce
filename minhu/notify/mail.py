"""Mail through the city's server."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage

from minhu.config.witnesses import Mail
from minhu.errors import Refused, foreign
from minhu.feeds.sources.secrets import secret

SECONDS = 20
"""So long a server may take to answer."""


@contextmanager
def server(by: Mail) -> Iterator[smtplib.SMTP]:
    """The mail server, after its password. Raises Retryable while it is away, Refused where it does not let us in."""
    password = secret(by.secret) if by.secret else None
    where = f"{by.server}:{by.port}"
    closed = ssl.create_default_context()
    with foreign.told("send: mail", where=where, user=by.user):
        reached = (
            smtplib.SMTP_SSL(by.server, by.port, timeout=SECONDS, context=closed)
            if by.security == "tls"
            else smtplib.SMTP(by.server, by.port, timeout=SECONDS)
        )
        with reached as opened:
            if by.security == "starttls":
                opened.starttls(context=closed)
            if by.user and password:
                opened.login(by.user, password)
            yield opened


def mail(by: Mail, letter: EmailMessage) -> None:
    with server(by) as opened:
        refused = opened.send_message(letter)
        if refused:
            raise Refused(f"the mail server took it for {len(by.to) - len(refused)} of {len(by.to)} addresses")

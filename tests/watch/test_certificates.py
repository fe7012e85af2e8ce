"""The end of a certificate is told before it comes: real servers on loopback, each with TLS in its own way."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from aiosmtpd.controller import Controller
from psycopg import conninfo

from minhu.settings import PROJECT_ROOT, Settings
from minhu.watch import certificates
from minhu.watch.certificates import EVERY, SOON, Server, ends, of_certificates, servers
from minhu.watch.incidents import incidents, look
from tests.tls import self_signed

END = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def closed(tmp_path_factory) -> ssl.SSLContext:
    """A context of servers whose certificate ends at END."""
    file = self_signed("city.example", END, tmp_path_factory.mktemp("tls") / "server.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@contextmanager
def serving(context: ssl.SSLContext, before: bytes = b"", answer: bytes = b"") -> Iterator[int]:
    """The port of a server that reads ``before``, says ``answer``, and speaks TLS from there."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    plain, _ = listening.accept()
                except OSError:
                    return
                with plain:
                    if before and plain.recv(len(before)) != before:
                        continue
                    plain.sendall(answer)
                    try:
                        context.wrap_socket(plain, server_side=True).close()
                    except OSError:
                        continue

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def test_each_server_is_asked_in_its_own_way(closed):
    with serving(closed) as port:
        assert ends(Server("127.0.0.1", port)) == END
    with serving(closed, bytes.fromhex("0000000804d2162f"), b"S") as port:  # PostgreSQL's protocol, "SSLRequest"
        assert ends(Server("127.0.0.1", port, "postgresql")) == END
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    mail = Controller(object(), hostname="127.0.0.1", port=port, tls_context=closed)
    mail.start()
    try:
        assert ends(Server("127.0.0.1", port, "smtp")) == END
    finally:
        mail.stop()
    assert ends(Server("127.0.0.1", port, "smtp")) is None, "it is away"


def test_a_server_without_tls_has_no_certificate(server):
    at = conninfo.conninfo_to_dict(server)
    assert ends(Server("127.0.0.1", int(at["port"]), "postgresql")) is None


def test_those_that_are_named_are_asked(tmp_path, monkeypatch):
    city = yaml.safe_load((PROJECT_ROOT / "config" / "city.yml").read_text())
    mail = {"type": "mail", "server": "mail.city.example", "sender": "a@city.example", "to": ["b@city.example"]}
    hook = {"type": "webhook", "secret": "k"}
    chat = {"type": "feishu", "address": "bot_address"}
    city["notify"] = {
        "recipients": [
            {"name": "甲", "role": "engineer", "by": mail},
            {"name": "乙", "role": "engineer", "by": hook | {"url": "https://ops.city.example/told"}},
            {"name": "丙", "role": "auditor", "by": hook | {"url": "http://127.0.0.1:8080/told"}},
            {"name": "丁", "role": "engineer", "by": chat},
        ]
    }
    city["witnesses"] = [
        {"name": "审计", "kept_by": "市审计局", "by": mail | {"port": 465, "security": "tls"}},
        {"name": "档案", "kept_by": "市档案馆", "by": hook | {"url": "https://ops.city.example/kept"}},
    ]
    (tmp_path / "city.yml").write_text(yaml.safe_dump(city, allow_unicode=True))
    monkeypatch.setenv("MINHU_PORTAL_URL", "https://minhu.city.example:8443/")
    monkeypatch.setenv("MINHU_OIDC_URL", "https://login.city.example/realm")
    settings = replace(
        Settings.from_env(), config=tmp_path, database_url="postgresql://minhu@db.city.example/warehouse"
    )
    assert {(str(server), server.speaks) for server in servers(settings)} == {
        ("mail.city.example:587", "smtp"),
        ("mail.city.example:465", "tls"),
        ("ops.city.example:443", "tls"),
        ("minhu.city.example:8443", "tls"),
        ("login.city.example:443", "tls"),
        ("db.city.example:5432", "postgresql"),
    }


def test_an_end_that_is_near_is_one_incident_until_there_is_a_new_certificate(scratch, closed, monkeypatch):
    monkeypatch.setattr(certificates, "_seen", {})
    house = scratch()
    now = END - SOON + timedelta(minutes=1)
    with serving(closed) as port:
        monkeypatch.setenv("MINHU_PORTAL_URL", f"https://127.0.0.1:{port}")
        assert of_certificates(house, now - EVERY - timedelta(minutes=1)) == (), "a minute too early"
        assert of_certificates(house, now - timedelta(minutes=2)) == (), "it is not asked again within the hour"
        [fault] = of_certificates(house, now)
        assert fault.what == f"127.0.0.1:{port} 的证书将于 2031-05-06 15:08 到期"
        look(house, more=(fault,))
        look(house, more=of_certificates(house, now + EVERY))
    [fault] = of_certificates(house, END + 2 * EVERY)
    assert "已于" in fault.what, "away, and what it showed last has ended"
    look(house, more=(fault,))
    [told] = [one for one in incidents(house) if one.kind == "certificate_ends"]
    assert told.closed_at is None
    look(house)
    assert not [one for one in incidents(house) if one.kind == "certificate_ends" and one.closed_at is None]

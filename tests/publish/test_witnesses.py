"""Hashes that others keep: who is sent them, what becomes of what was not delivered, and three attacks by a superuser.

The attacks are those of whoever runs the warehouse: a published score is raised and every hash is written anew.
"""

import hashlib
import hmac
import json
import re
import socket
import ssl
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from io import BytesIO

import psycopg
import pytest
import sqlalchemy
import yaml
import zxingcpp
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from click.testing import CliRunner
from PIL import Image

from minhu import database
from minhu.cli import minhu
from minhu.config.city import City
from minhu.declaration import read_declaration
from minhu.errors import BadDeclaration, Refused
from minhu.export import Asked, export, read_report
from minhu.export.anchored import anchored
from minhu.export.words import Words
from minhu.paper.blocks import Figure, Text
from minhu.paper.charts import as_png
from minhu.paper.fonts import find_faces
from minhu.publish import close, publish, verify
from minhu.publish.anchor import parse
from minhu.publish.testimony import own_anchor
from minhu.publish.witnesses import check, list_deliveries, send
from minhu.settings import Settings
from tests.publish import city as world
from tests.publish.authority import Authority
from tests.publish.city import UNWITNESSED, declare, login, rows
from tests.publish.forging import write_hashes_anew, write_the_log_anew
from tests.sources.web import Answer, Web
from tests.tls import self_signed

MONTH = "2026-10"
PASSWORD, KEY = "Geheim-7391", "Schluessel-5520"


class Letters:
    """Takes what the mail server is handed."""

    def __init__(self):
        self.taken: list[bytes] = []

    async def handle_DATA(self, server, session, envelope):
        self.taken.append(envelope.content)
        return "250 taken"


def let_in(server, session, envelope, mechanism, given):
    return AuthResult(success=(given.login, given.password) == (b"minhu", PASSWORD.encode()), handled=False)


class Post(Controller):
    """A mail server with STARTTLS and a password."""

    def __init__(self, letters, folder):
        self.root = self_signed("localhost", datetime.now(UTC) + timedelta(days=1), folder / "mail.pem")
        self.closed = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.closed.load_cert_chain(self.root)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        super().__init__(letters, hostname="127.0.0.1", port=port)

    def factory(self):
        return SMTP(
            self.handler,
            hostname="localhost",
            tls_context=self.closed,
            require_starttls=True,
            auth_required=True,
            authenticator=let_in,
        )


class Outside:
    """The world outside: a mail server, a webhook, a time-stamping authority; and what they were sent."""

    def __init__(self, folder):
        self.letters = Letters()
        self.post = Post(self.letters, folder)
        self.hook, self.clock, self.authority = Web(), Web(), Authority()
        self.clock.answer = self.authority
        self.port = self.post.port

    def declared(self):
        return [
            {
                "name": "市审计局", "kept_by": "审计局信息科",
                "by": {
                    "type": "mail", "server": "localhost", "port": self.port, "user": "minhu", "secret": "witness_mail",
                    "sender": "minhu@city.example", "to": ["xin@audit.example", "ke@audit.example"],
                },
            },
            {
                "name": "市人大", "kept_by": "人大监督处",
                "by": {"type": "webhook", "url": f"{self.hook.url}/anchors", "secret": "witness_hook"},
            },
            {
                "name": "授时中心", "kept_by": "授时机构",
                "by": {"type": "timestamp", "url": self.clock.url, "certificate": "tsa.pem"},
            },
        ]  # fmt: skip


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    made = Outside(tmp_path_factory.mktemp("outside"))
    with made.hook, made.clock:
        made.post.start()
        yield made
        made.post.stop()


@pytest.fixture(scope="module", autouse=True)
def secrets(outside):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MINHU_SECRET_WITNESS_MAIL", PASSWORD)
        patched.setenv("MINHU_SECRET_WITNESS_HOOK", KEY)
        patched.setenv("SSL_CERT_FILE", str(outside.post.root))
        yield


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory, outside):
    """Its October is approved, and not published."""
    made = world.make(scratch, tmp_path_factory.mktemp("witnesses"))
    outside.authority.write_root(made.config / "tsa.pem")
    declare(made, outside.declared())
    world.judge(login(made, "w_shen", "evaluator"), close(made, MONTH))
    return made


@pytest.fixture(scope="module")
def auditor(city):
    return login(city, "w_wu", "auditor")


@pytest.fixture(scope="module")
def published(city, auditor, outside):
    told = []
    return publish(city, MONTH, tell=told.append), told


def on(copy: Settings, person: Settings) -> Settings:
    """The person's login on a copy of the city."""
    place = sqlalchemy.make_url(copy.database_url).database
    url = sqlalchemy.make_url(person.database_url).set(database=place)
    return replace(copy, database_url=url.render_as_string(hide_password=False))


@pytest.fixture(scope="module")
def kept(published, outside, tmp_path_factory):
    """What each witness has kept, as files; the bulletin as the text of its code."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "mail.eml").write_bytes(outside.letters.taken[-1])
    (folder / "hook.json").write_bytes(outside.hook.asked[-1].body)
    (folder / "bulletin.txt").write_text(f"{published[0].anchor}\nwitness: bulletin\n", encoding="utf-8")
    return {one.stem: str(one) for one in folder.iterdir()} | {"hash": published[0].hash}


def test_every_witness_is_sent_the_hashes_and_no_more(city, published, outside, auditor):
    release, told = published
    assert len(told) == 3 and all("已送达" in line for line in told), told
    letter = message_from_bytes(outside.letters.taken[-1], policy=default)
    assert letter["To"] == "xin@audit.example, ke@audit.example"
    text = letter.get_content()
    found = parse(text, "letter")
    assert (found.hash, found.period, found.revision, found.witness) == (release.hash, MONTH, 1, "市审计局")
    logged = "select access_id, hash from audit.access_log where subject = 'publication'"
    assert [found.access] == rows(city, logged)
    asked = outside.hook.asked[-1]
    body = json.loads(asked.body)
    assert body["anchor"] == release.anchor and body["city"] == "测试市" and body["witness"] == "市人大"
    signed = "\n".join(["POST", "/anchors", asked.headers["x-timestamp"], hashlib.sha256(asked.body).hexdigest()])
    assert asked.headers["x-signature"] == hmac.new(KEY.encode(), signed.encode(), "sha256").hexdigest()
    assert outside.authority.stamped[-1] == hashlib.sha256(release.anchor.encode()).digest()
    for sent in (text, asked.body.decode()):
        assert not re.search("城管|交通|U1|U2|33010020|w_shen", sent)
    listed = list_deliveries(auditor, MONTH)
    assert [(one["witness"], one["outcome"]) for one in listed] == [
        ("市审计局", "delivered"), ("市人大", "delivered"), ("授时中心", "delivered"),
    ]  # fmt: skip
    assert not any(secret in json.dumps(listed, default=str) + str(told) for secret in (PASSWORD, KEY))


def test_what_was_sent_is_not_sent_again(city, published, outside):
    before = len(outside.letters.taken)
    assert send(city) == [] and len(outside.letters.taken) == before


def heard(found):
    return {one.name: (one.says, one.proves) for one in found.witnesses}


def test_in_one_line_who_agreed_who_was_missing_and_who_keeps_each(auditor, published, kept, monkeypatch):
    began = time.monotonic()
    plain = verify(auditor, MONTH)
    assert time.monotonic() - began < 10
    assert plain.is_ok and plain.is_proven  # by the authority's stamp alone
    found = verify(auditor, MONTH, anchors=[kept["mail"], kept["bulletin"]])
    assert found.is_proven and heard(found) == {
        "市审计局": ("agrees", True), "通报": ("agrees", True), "送达登记": ("agrees", False),
        "授时中心": ("agrees", True), "市人大": ("unheard", False),
    }  # fmt: skip
    done = run(auditor, monkeypatch, "verify", MONTH, "--anchor", kept["mail"], "--strict")
    assert done.exit_code == 0, done.output
    (line,) = [line for line in done.output.splitlines() if line.startswith("见证")]
    agreed, missing = line.split("；")
    assert "一致：市审计局（邮件，审计局信息科保管）" in agreed and "授时中心（时间戳，授时机构保管，" in agreed
    assert "缺：市人大（接口推送，人大监督处保管，" in missing and "通报（通报末页，各持有人保管，未出示）" in missing


def run(person: Settings, monkeypatch, *words: str):
    for name, value in (
        ("MINHU_HOME", person.home), ("MINHU_CONFIG", person.config), ("MINHU_DATABASE_URL", person.database_url),
    ):  # fmt: skip
        monkeypatch.setenv(name, str(value))
    return CliRunner().invoke(minhu, words)


# -- the attacks


def raise_a_score(owner: psycopg.Connection) -> None:
    """U1's score becomes 99.99, and every hash of the chain is made anew: what was frozen, approved and published."""
    owner.execute("set session_replication_role = replica")
    owner.execute(
        "update publish.frozen_row set data = data || '{\"score_100\": 99.99}'"
        " where kind = 'unit_score' and data ->> 'unit_code' = 'U1'"
    )
    owner.execute("update publish.unit_score set score_100 = 99.99 where unit_code = 'U1'")
    write_hashes_anew(owner)


def rewrite_what_was_sent(owner: psycopg.Connection) -> None:
    """The operator's list of what was sent says the new hashes; the stamp, which he cannot make, is gone."""
    owner.execute("delete from publish.anchor_delivery where kind = 'timestamp'")
    owner.execute("update publish.anchor_delivery set line = publish.anchor_of(release_id)")


@pytest.fixture(scope="module")
def attacked(city, auditor, published, copied):
    """An auditor's login on a copy that was attacked, by the number of steps."""

    def make(steps: int) -> Settings:
        copy = copied(city)
        with database.connect(copy) as owner:
            for step in (raise_a_score, write_the_log_anew, rewrite_what_was_sent)[:steps]:
                step(owner)
        return on(copy, auditor)

    return {steps: make(steps) for steps in (1, 2, 3)}


def test_the_attack_succeeds_but_for_the_proof(city, attacked):
    """The score that everybody reads is raised, and the chain of releases is whole: that check alone says nothing."""
    score = "select score_100::text from publish.unit_score where unit_code = 'U1'"
    (was,) = rows(city, score)[0]
    assert was != "99.99"
    for person in attacked.values():
        assert rows(person, score) == [("99.99",)]
        assert verify(person, MONTH).findings == ()


def test_a_chain_that_was_rewritten_does_not_fit_the_access_log(attacked):
    began = time.monotonic()
    found = verify(attacked[1], MONTH)
    assert time.monotonic() - began < 10
    said = "\n".join(map(str, found.access.findings))
    assert not found.is_ok and all(f"{act} 1：" in said for act in ("closing", "approval", "publication")), said


def test_chain_and_log_that_were_rewritten_do_not_fit_what_was_sent(attacked):
    found = verify(attacked[2], MONTH)
    assert found.access.is_ok and not found.is_ok
    assert heard(found)["送达登记"] == ("differs", False) and heard(found)["授时中心"] == ("differs", False)


@pytest.mark.parametrize("witness", ["mail", "hook", "bulletin", "hash"])
def test_all_that_the_operator_holds_rewritten_does_not_fit_what_others_kept(attacked, kept, witness, monkeypatch):
    found = verify(attacked[3], MONTH, anchors=[kept[witness]])
    assert not found.is_ok and [one.says for one in found.witnesses].count("differs") == 1, found.witnesses
    done = run(attacked[3], monkeypatch, "verify", MONTH, "--anchor", kept[witness])
    assert done.exit_code == 1 and "不一致：" in done.output


def test_all_that_the_operator_holds_rewritten_proves_nothing_against_him(attacked, tmp_path, monkeypatch):
    """No witness is heard but his own file: that is no proof, and it is said so."""
    own = tmp_path / "own.txt"
    own.write_text(own_anchor(attacked[3], MONTH), encoding="utf-8")
    found = verify(attacked[3], MONTH, anchors=[str(own)])
    assert found.is_ok and not found.is_proven
    assert heard(found)["运行方的锚点文件"] == ("agrees", False) and heard(found)["授时中心"][0] == "unheard"
    words = ("verify", MONTH, "--anchor", str(own))
    plain, strict = run(attacked[3], monkeypatch, *words), run(attacked[3], monkeypatch, *words, "--strict")
    assert (plain.exit_code, strict.exit_code) == (0, 1)
    assert "未对运行方证明（not proven against the operator）" in plain.output


def test_a_stamp_that_is_made_for_the_forged_line_comes_too_late(attacked, city, outside, copied, auditor):
    """He asks the authority anew: it stamps what he asks, with the moment of asking."""
    copy = copied(city)
    with database.connect(copy) as owner:
        for step in (raise_a_score, write_the_log_anew, rewrite_what_was_sent):
            step(owner)
        owner.execute("set session_replication_role = origin")
        owner.commit()
        outside.authority.now = lambda: datetime.now(UTC) + timedelta(days=30)
        try:
            assert [one.error for one in send(copy)] == [None]
        finally:
            outside.authority.now = lambda: datetime.now(UTC)
    found = verify(on(copy, auditor), MONTH)
    (stamp,) = [one for one in found.witnesses if one.name == "授时中心"]
    assert not found.is_proven and not stamp.proves and "差 30 天，不作证明" in stamp.detail


def test_a_stamp_of_another_authority_is_none(city, published, copied, auditor):
    copy = copied(city)
    Authority("别家").write_root(copy.config / "tsa.pem")
    found = verify(on(copy, auditor), MONTH)
    assert heard(found)["授时中心"] == ("differs", False) and not found.is_ok
    (copy.config / "tsa.pem").unlink()
    found = verify(on(copy, auditor), MONTH)
    assert heard(found)["授时中心"] == ("unchecked", False) and found.is_ok and not found.is_proven


def test_a_hash_proves_as_far_as_it_is_long(auditor, published, city, copied):
    release = published[0]
    copy = copied(city)
    declare(copy, [])
    person = on(copy, auditor)
    for digits, proves in ((64, True), (32, True), (31, False), (12, False)):
        (told, *_) = verify(person, MONTH, anchors=[release.hash[:digits]]).witnesses
        assert (told.says, told.proves) == ("agrees", proves), digits
    (told, *_) = verify(person, MONTH, expected=release.hash).witnesses
    assert told.proves
    (number, row) = parse(release.anchor, "").access
    (told, *_) = verify(person, MONTH, anchors=[row]).witnesses
    assert told.says == "agrees" and not told.proves and f"第 {number} 行" in told.detail
    assert not verify(person, MONTH, anchors=["0" * 64]).is_ok


def test_what_holds_no_anchor_of_this_city_is_refused(auditor, published, tmp_path):
    for text, told in (
        ("nothing", "holds no anchor"),
        (f"{published[0].anchor}\n{published[0].anchor.replace(' r1 ', ' r2 ')}", "2 anchors that differ"),
        (published[0].anchor.replace("testcity", "elsewhere"), "of the city elsewhere"),
    ):
        (tmp_path / "a.txt").write_text(text, encoding="utf-8")
        with pytest.raises(Refused, match=told):
            verify(auditor, MONTH, anchors=[str(tmp_path / "a.txt")])
    with pytest.raises(Refused, match="cannot be read"):
        verify(auditor, MONTH, anchors=[str(tmp_path / "gone.txt")])


def test_a_mail_whose_lines_were_broken_is_read(published):
    words = published[0].anchor.split(" ")
    assert parse(" \r\n> ".join([" ".join(words[:6]), " ".join(words[6:])]).replace("> ", ""), "").revision == 1


# -- what is not delivered -----------------------------------------------------------------------------------------


def fresh(city, copied):
    """A copy of the city before anything was published."""
    copy = copied(city)
    with database.connect(copy) as owner:
        owner.execute("set session_replication_role = replica")
        owner.execute("truncate publish.release cascade")
        owner.execute(
            "update audit.access_head set (access_id, hash) = (select access_id - 1, previous_hash"
            " from audit.access_log where subject = 'publication')"
        )
        owner.execute("delete from audit.access_log where subject = 'publication'")
    return copy


def test_what_was_not_delivered_is_recorded_and_sent_later(city, published, outside, copied, auditor):
    copy = fresh(city, copied)
    outside.hook.answer = [Answer("no", 503, "text/plain")]
    outside.authority.is_away = True
    told = []
    try:
        publish(copy, MONTH, tell=told.append)
    finally:
        outside.hook.answer, outside.authority.is_away = [Answer([])], False
    assert sum("未送达" in line and "503" in line for line in told) == 2
    outcomes = [(one["witness"], one["outcome"]) for one in list_deliveries(on(copy, auditor))]
    assert outcomes == [("市审计局", "delivered"), ("市人大", "failed"), ("授时中心", "failed")]
    assert {(one.witness.name, one.error) for one in send(copy)} == {("市人大", None), ("授时中心", None)}
    assert send(copy) == []


def test_without_a_witness_it_takes_a_reason_that_every_reader_is_told(city, published, outside, copied, auditor):
    copy = declare(fresh(city, copied), [])
    with pytest.raises(Refused, match=r"no witness outside can be reached .*names none.* or say --why"):
        publish(copy, MONTH)
    assert rows(copy, "select count(*) from publish.release") == [(0,)]
    told = []
    publish(copy, MONTH, why=UNWITNESSED, tell=told.append)
    assert told == [f"没有可用的外部见证：{UNWITNESSED}"]
    for person in (on(copy, auditor), on(copy, login(city, "w_u1", "unit", unit="U1"))):
        found = verify(person, MONTH)
        assert found.is_ok and not found.is_proven
        assert f"发布时没有可用的外部见证：{UNWITNESSED}" in found.notes


def test_none_that_can_be_reached_is_none(city, published, copied):
    copy = fresh(city, copied)
    gone = [
        {
            "name": "甲",
            "kept_by": "乙",
            "by": {"type": "webhook", "url": "http://127.0.0.1:9/", "secret": "witness_hook"},
        },
        {"name": "丙", "kept_by": "丁", "by": {"type": "webhook", "url": "http://127.0.0.1:9/", "secret": "not_there"}},
    ]
    declare(copy, gone)
    told = {one.name: error for one, error in check(copy)}
    assert "is away or did not answer" in told["甲"] and "MINHU_SECRET_NOT_THERE" in told["丙"]
    with pytest.raises(Refused, match=r"甲: http://127.0.0.1:9/ is away.*; 丙: the secret 'not_there' is missing"):
        publish(copy, MONTH)
    assert publish(copy, MONTH, why=UNWITNESSED).revision == 1


def test_a_wrong_password_is_told_without_it(city, monkeypatch):
    monkeypatch.setenv("MINHU_SECRET_WITNESS_MAIL", "Falsch-1")
    ((_, error), *_) = check(city)
    assert "does not let 'minhu' in; look at the declared user and secret" in error and "Falsch" not in error


def test_what_was_sent_is_not_changed_and_not_made_up(city, published, auditor):
    release = published[0]
    with database.connect(city) as owner, pytest.raises(psycopg.Error, match="append-only"):
        owner.execute("update publish.anchor_delivery set outcome = 'failed'")
    shen = login(city, "w_shen", "evaluator")
    given = "(%s, 'mail', 'delivered', %s, '市审计局', '科', 'x')"
    with database.connect(shen) as evaluator, pytest.raises(psycopg.Error, match="has another anchor"):
        other = release.anchor.replace(release.hash, "0" * 64)
        evaluator.execute(f"select publish.record_delivery{given}", [release.release_id, other])
    for person in (auditor, login(city, "w_u1", "unit", unit="U1")):
        with database.connect(person) as reader, pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(f"select publish.record_delivery{given}", [release.release_id, release.anchor])
    with pytest.raises(Refused, match="does not read whom hashes were sent to"):
        list_deliveries(login(city, "w_u1", "unit", unit="U1"))


@pytest.mark.parametrize(
    ("by", "told"),
    [
        ({"type": "mail", "server": "m", "sender": "a@b", "to": ["c@d"], "user": "x"}, "user and secret come together"),
        (
            {"type": "mail", "server": "m", "sender": "a@b", "to": ["c@d"], "user": "x", "secret": "s"}
            | {"security": "none"},
            "a password needs security",
        ),
        ({"type": "mail", "server": "m", "sender": "a@b\nBcc: x@y", "to": ["c@d"]}, "sender"),
        ({"type": "webhook", "url": "http://u:p@h/", "secret": "s"}, "no user or password in the address"),
        ({"type": "timestamp", "url": "http://h/", "certificate": "/etc/x.pem"}, "certificate"),
    ],
)  # fmt: skip
def test_a_declaration_that_would_not_serve_is_refused(city, tmp_path, by, told):
    written = yaml.safe_load((city.config / "city.yml").read_text(encoding="utf-8"))
    written["witnesses"] = [{"name": "甲", "kept_by": "乙", "by": by}]
    (tmp_path / "city.yml").write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")
    with pytest.raises(BadDeclaration, match=told):
        read_declaration(City, tmp_path / "city.yml")


# -- the bulletin --------------------------------------------------------------------------------------------------


def test_the_bulletin_ends_with_the_anchor_as_text_and_as_a_code(auditor, published, kept, tmp_path):
    report = read_report(auditor, MONTH)
    (*_, line, figure) = anchored(report, Words())
    assert isinstance(line, Text) and line.text == published[0].anchor and isinstance(figure, Figure)
    (read,) = zxingcpp.read_barcodes(Image.open(BytesIO(as_png(figure.drawing, find_faces()))))
    assert read.text == f"{published[0].anchor}\nwitness: bulletin"
    assert heard(verify(auditor, MONTH, anchors=[read.text]))["通报"] == ("agrees", True)
    export(auditor, MONTH, tmp_path / "t.pdf", Asked("pdf"))
    assert list(anchored(replace(report, release=None), Words())) == []

"""Approvals that say what they cover and are signed: with whose key, over what, and what a verification finds."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

from minhu import assess, database
from minhu.cli import minhu
from minhu.database.logins import register_key
from minhu.errors import Refused
from minhu.publish import close, list_releases, publish, revise, sign_closing, verify
from minhu.publish.signed import Statement, is_signed, new_key, sign
from tests.publish import city as world
from tests.publish.city import UNWITNESSED, login, rows

MONTH = "2026-10"
SAID = Statement(1, "linan", MONTH, 1, "ab" * 32, "ping")


def approve(who, closing, **given):
    about = {
        "subject_kind": "closing",
        "subject_id": str(closing.closing_id),
        "verdict": "approved",
        "reason": "已核对",
    }
    return assess.record(who, "approve", **about, **given)


def test_a_signature_is_of_one_statement_by_one_key(tmp_path):
    public = new_key(tmp_path / "ping.pem", "一句口令")
    assert (tmp_path / "ping.pem").stat().st_mode & 0o777 == 0o600
    signature = sign(SAID, tmp_path / "ping.pem", "一句口令")
    assert is_signed(SAID, bytes.fromhex(public), signature)
    others = {"content_hash": "cd" * 32, "login": "gu", "closing_id": 2, "period": "2026-09", "revision": 2}
    for changed in ({name: other} for name, other in others.items()):
        assert not is_signed(replace(SAID, **changed), bytes.fromhex(public), signature)
    other = new_key(tmp_path / "other.pem", None)
    assert not is_signed(SAID, bytes.fromhex(other), signature)
    assert not is_signed(SAID, bytes.fromhex(public), signature[:-1] + bytes([signature[-1] ^ 1]))
    assert not is_signed(SAID, b"short", signature)


def test_a_key_that_does_not_serve_is_told(tmp_path):
    new_key(tmp_path / "ping.pem", "口令")
    (tmp_path / "not.pem").write_text("no key")
    for file, given, told in (
        ("ping.pem", "falsch", "no key that this passphrase opens"),
        ("ping.pem", None, "no key that this passphrase opens"),
        ("not.pem", None, "no key that this passphrase opens"),
        ("gone.pem", None, "cannot be read"),
    ):
        with pytest.raises(Refused, match=told):
            sign(SAID, tmp_path / file, given)
    with pytest.raises(Refused, match="no key is overwritten"):
        new_key(tmp_path / "ping.pem", None)
    with pytest.raises(Refused, match="cannot write"):
        new_key(tmp_path / "nowhere" / "ping.pem", None)


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    return world.make(scratch, tmp_path_factory.mktemp("signed"))


@pytest.fixture(scope="module")
def people(city):
    return {name: login(city, f"s_{name}", "evaluator") for name in ("ping", "gu")}


@pytest.fixture(scope="module")
def released(city, people, tmp_path_factory):
    """A release that gu approved by login, and its revision that ping signed."""
    folder = tmp_path_factory.mktemp("keys")
    first = close(city, MONTH)
    for given, told in (
        ({}, "say which content of the closing"),
        ({"content_hash": first.content_hash[:11]}, "say which content of the closing"),
        ({"content_hash": "0" * 64}, f"is {first.content_hash}, not 000"),
        ({"content_hash": first.content_hash, "signature": b"x" * 64}, "s_gu has no key registered"),
    ):
        with pytest.raises(Refused, match=told):
            approve(people["gu"], first, **given)
    approve(people["gu"], first, content_hash=first.content_hash[:12].upper())
    publish(city, MONTH, why=UNWITNESSED)

    second = revise(city, MONTH, why="更正")
    public, key = new_key(folder / "ping.pem", None), folder / "ping.pem"
    with database.connect(city) as owner:
        register_key(owner, "s_ping", public)
    with database.connect(people["ping"]) as ping, pytest.raises(Refused, match="may not do this"):
        register_key(ping, "s_gu", public)
    with pytest.raises(Refused, match="s_ping has registered a key: its approvals are signed"):
        approve(people["ping"], second, content_hash=second.content_hash)
    with pytest.raises(Refused, match="64 bytes"):
        approve(people["ping"], second, content_hash=second.content_hash, signature=b"short")
    approve(
        people["ping"],
        second,
        content_hash=second.content_hash,
        signature=sign_closing(people["ping"], second.closing_id, key, None),
    )
    publish(city, MONTH, why=UNWITNESSED)
    return public


def test_a_release_says_how_it_was_approved(city, people, released):
    first, second = list_releases(city)
    assert (first.approval_key, second.approval_key) == (None, released)
    assert (first.approval_zh, second.approval_zh) == ("仅凭登录", f"已签名，公钥 {released[:12]}")
    assert rows(city, "select count(*) from assess.approval where content_hash is not null") == [(2,)]
    logged = [about for (about,) in rows(city, "select about from audit.access_log where subject = 'approval'")]
    assert all(len(about.split()[-1]) == 64 for about in logged) and len(logged) == 2
    found = verify(city, MONTH, chain_only=True)
    assert found.is_ok, found


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("set content_hash = repeat('0', 64) where signature is null", "审批的内容与发布的内容不符"),
        ("set signature = decode(repeat('00', 64), 'hex') where signature is not null", "审批签名"),
        ("set signature = null where signature is not null", "审批签名"),
        ("set key_id = null where signature is not null", "审批签名"),
    ],
)
def test_an_approval_that_was_changed_is_named(city, released, change, told):
    """By a superuser, who takes the triggers down; in a database of its own transaction, that is given up."""
    with database.connect(city) as owner:
        owner.execute("alter table assess.approval disable trigger user")
        owner.execute(f"update assess.approval {change}")
        from minhu.publish.chain import check_chain

        _, _, findings = check_chain(owner)
        owner.rollback()
    assert [told in finding.what_zh for finding in findings] == [True]


def test_keys_are_made_and_used_by_commands(people, monkeypatch, tmp_path):
    monkeypatch.setenv("MINHU_KEY_PASSPHRASE", "口令")
    made = CliRunner().invoke(minhu, ["keys", "approver", "--out", str(tmp_path / "k.pem")])
    assert made.exit_code == 0 and len(made.output.strip()) == 64
    assert "ENCRYPTED" in (tmp_path / "k.pem").read_text()
    assert is_signed(SAID, bytes.fromhex(made.output.strip()), sign(SAID, tmp_path / "k.pem", "口令"))

"""Several homes that load into one warehouse: one key writes, whatever is rotated where, and one caller stays one."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import date
from threading import Barrier, BrokenBarrierError

import psycopg
import pyrage
import pytest
from click.testing import CliRunner

from minhu import database, doctor
from minhu.cli import minhu
from minhu.errors import BadDelivery, Refused, Retryable
from minhu.landing.store import store_of
from minhu.load import key_ring, load_file, replay
from minhu.load.key_ring import assert_may_load, export_keys, import_keys, key_in_use, rotate
from minhu.privacy import keys
from minhu.privacy.access_log import entries
from minhu.settings import PROJECT_ROOT
from tests import given

ANNA = "13800001111"


@pytest.fixture(autouse=True)
def no_keys_in_the_environment(monkeypatch):
    for name in ("MINHU_CALLER_KEY", "MINHU_CALLER_KEYS_OLD", "MINHU_LANDING_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def first(scratch, tmp_path):
    """A home that has loaded a case of Anna."""
    city = scratch(given.config(tmp_path / "config"))
    load(city, "1", 12)
    return city


@pytest.fixture
def second(first, tmp_path):
    """Another home of the same warehouse and landing zone, without a key."""
    return replace(first, home=tmp_path / "second", landing_zone=str(first.landing))


def load(home, number, day):
    row = {"工单编号": number, "来电号码": ANNA}
    path = given.case_file(home.drop / "h1" / f"cases_{number}.csv", [row])
    return load_file("h1", "cases", path, date(2026, 10, day), settings=home)


def hand_out(sender, receiver, folder):
    identity = pyrage.x25519.Identity.generate()
    file, secret = folder / f"{receiver.home.name}.age", folder / "secret"
    file.unlink(missing_ok=True)
    secret.write_text(str(identity))
    export_keys(sender, str(identity.to_public()), file, "一台新的接入机")
    return import_keys(receiver, file, secret)


def callers(home):
    """How many callers there are, as builds recognise them; how many tokens."""
    query = (
        "select count(distinct coalesce(current_token, caller_token)), count(distinct caller_token)"
        " from staging.case_record left join restricted.caller_link on caller_token = earlier_token"
    )
    with database.connect(home) as connection:
        return database.one(connection, query)


def states(home):
    return {one.key_id: one.state for one in key_ring.ring(home) if one.use == "caller"}


def test_a_home_without_the_key_that_writes_is_refused_and_makes_none(first, second, tmp_path):
    with pytest.raises(Refused, match=r"writes in this warehouse.*keys export --to.*keys import keys\.age"):
        load(second, "2", 13)
    with pytest.raises(Refused, match="does not hold it"):
        assert_may_load(second)
    assert keys.kept_keys(second) == {} and callers(first) == (1, 1)
    assert hand_out(first, second, tmp_path) == list(keys.kept_keys(first))
    assert_may_load(second)
    load(second, "2", 13)
    assert callers(first) == (1, 1)
    assert [one.told.endswith(str(home.home)) for one, home in zip(found(first), (first, second), strict=True)] == [
        True,
        True,
    ]
    (logged,) = entries(first, subject="key_export")
    assert logged["why"] == "一台新的接入机" and logged["about"].startswith("age1")


def found(home):
    with database.connect(home) as connection:
        return key_ring.homes(connection)


def test_a_key_is_handed_out_before_it_writes_and_one_caller_stays_one(first, second, tmp_path):
    """Rotated in one home, loaded in both, before and after."""
    hand_out(first, second, tmp_path)
    load(second, "2", 13)
    old = next(iter(keys.kept_keys(first)))
    begun = rotate(first)
    assert not begun.is_switched and begun.lacking == (found(first)[1].told,)
    load(first, "3", 14)  # the old one goes on writing, here and there
    load(second, "4", 15)
    assert callers(first) == (1, 1) and states(first) == {old: "writing", begun.key_id: "pending"}
    assert rotate(first) == begun, "asked again, nothing new is made"
    with pytest.raises(Refused, match="does not hold the key"):
        rotate(second)

    assert hand_out(first, second, tmp_path) == [begun.key_id]
    assert rotate(second).is_switched, "any home that holds it may switch"
    for at, home in enumerate((first, second, first)):
        load(home, str(10 + at), 16 + at)
        assert next(iter(keys.kept_keys(home))) == begun.key_id, "files follow"
    assert callers(first) == (1, 2) and states(second) == {begun.key_id: "writing", old: "retired"}


def test_a_switch_that_does_not_wait_has_the_others_refused(first, second, tmp_path):
    hand_out(first, second, tmp_path)
    load(second, "2", 13)
    done = rotate(first, is_now=True)
    assert done.is_switched and len(done.lacking) == 1
    load(first, "3", 14)
    with pytest.raises(Refused, match=f"the caller key {done.key_id} writes"):
        load(second, "4", 15)
    hand_out(first, second, tmp_path)
    load(second, "4", 15)
    assert callers(first) == (1, 2)


def test_a_retired_key_that_another_home_holds_is_not_lacked(first, second, tmp_path):
    """Or a caller of before would be recognised in one home and not in the other."""
    (retired,) = keys.kept_keys(first)
    rotate(first)
    load(first, "2", 13)
    hand_out(first, second, tmp_path)
    load(second, "3", 14)
    (second.home / "secrets" / f"caller-key.{retired}").unlink()
    with pytest.raises(Refused, match="recognises callers by the earlier key"):
        load(second, "4", 15)
    (first.home / "secrets" / f"caller-key.{retired}").unlink()  # past the window it goes everywhere
    load(first, "5", 16)
    load(second, "4", 15)


def test_homes_that_land_in_different_places_are_refused_until_one_is_no_more(first, second, tmp_path):
    apart = replace(second, landing_zone=str(tmp_path / "apart"))
    hand_out(first, apart, tmp_path)
    with pytest.raises(Refused, match="set MINHU_LANDING to one place for all"):
        load(apart, "2", 13)
    told = [check for check in doctor.examine(apart) if check.name == "caller key"]
    assert [check.is_ok for check in told] == [False] and "MINHU_LANDING" in told[0].found
    with pytest.raises(BadDelivery, match=f"lands files in {first.landing}, set MINHU_LANDING to that"):
        replay(apart, 1)
    load(replace(second, landing_zone=f"file://{first.landing}"), "2", 13)  # the same place by another name
    (gone,) = [one for one in found(first) if one.zone_id == store_of(first).identity() and "second" not in one.told]
    told = CliRunner().invoke(minhu, ["homes", "forget", gone.home_id[:8]], env=world(first))
    assert told.exit_code == 0 and gone.told in told.output, told.output
    assert [one.home_id for one in found(first)] != [gone.home_id]
    with pytest.raises(Refused, match="names 0 homes"):
        key_ring.forget(first, gone.home_id)


def world(home):
    told = {"HOME": home.home, "CONFIG": home.config, "DROP": home.drop, "DATABASE_URL": home.database_url}
    return {f"MINHU_{name}": str(value) for name, value in told.items()}


@pytest.mark.parametrize("stop", ["make", "_pending", "_tell", "put_first"])
def test_a_rotation_that_is_stopped_anywhere_goes_on(first, monkeypatch, stop):
    load(first, "2", 13)
    where = keys if stop in ("make", "put_first") else key_ring
    real = getattr(where, stop)

    def stopped(*arguments):
        if stop != "put_first":
            real(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(where, stop, stopped)
        with pytest.raises(KeyboardInterrupt):
            rotate(first)
    load(first, "3", 14)
    rotate(first)
    load(first, "4", 15)
    assert callers(first)[0] == 1
    assert sum(state == "writing" for state in states(first).values()) == 1


def test_a_key_that_all_hold_in_their_environment_is_rotated_to_by_its_id(first, monkeypatch):
    old = next(iter(keys.kept_keys(first)))
    monkeypatch.setenv("MINHU_CALLER_KEYS_OLD", "05" * 32)
    fresh = keys.key_id(b"\x05" * 32)
    load(first, "2", 13)
    assert states(first)[old] == "writing", "the warehouse says which one writes, not the order of files"
    with pytest.raises(Refused, match="does not hold the key 00000000"):
        rotate(first, to="00000000")
    with pytest.raises(Refused, match="has been used"):
        rotate(first, to=old)
    assert rotate(first, to=fresh).key_id == fresh
    load(first, "3", 14)
    assert callers(first) == (1, 2)


def test_another_key_of_hashed_numbers_is_refused_and_not_replaced(first, second, tmp_path):
    key_ring.record_key(first)
    with pytest.raises(Refused, match=r"numbers are hashed under the key .* and this home has none"):
        key_ring.record_key(second)
    hand_out(first, second, tmp_path)
    assert key_ring.record_key(second) == key_ring.record_key(first)
    third = replace(second, home=tmp_path / "third")
    third.secret("record-key")
    with pytest.raises(Refused, match="it is not replaced"):
        hand_out(first, third, tmp_path)


def test_the_key_of_hashed_numbers_may_come_from_the_environment(first, second, monkeypatch):
    monkeypatch.setenv("MINHU_RECORD_KEY", "ab" * 32)
    assert key_ring.record_key(first) == key_ring.record_key(second) == bytes.fromhex("ab" * 32)
    assert not (first.home / "secrets" / "record-key").exists()
    monkeypatch.setenv("MINHU_RECORD_KEY", "cd" * 32)
    with pytest.raises(Refused, match="numbers are hashed under the key"):
        key_ring.record_key(second)


def test_two_homes_that_load_first_at_once_agree_on_one_key(scratch, tmp_path):
    city = scratch(given.config(tmp_path / "config"))
    other = replace(city, home=tmp_path / "second", landing_zone=str(city.landing))
    theirs = keys.first_key(other).key_id
    with database.connect(city) as connection:  # the other one comes first, and has not committed
        connection.execute(
            "insert into restricted.known_key (use, key_id, state) values ('caller', %s, 'writing')", [theirs]
        )
        connection.commit()
        with pytest.raises(Refused, match=f"the caller key {theirs} writes"):
            load(city, "1", 12)
    load(other, "1", 12)


def test_the_loaders_login_registers_a_first_key_and_changes_none(first):
    with database.connect(first.at_work) as work, pytest.raises(psycopg.errors.InsufficientPrivilege):
        work.execute("update restricted.known_key set state = 'retired'")


def test_a_warehouse_of_before_adopts_the_key_of_its_newest_tokens(scratch, tmp_path):
    city = scratch(given.config(tmp_path / "config"))
    load(city, "1", 12)
    rotate(city)
    load(city, "2", 13)
    before = states(city)
    with database.connect(city) as connection:
        connection.execute("drop table restricted.key_holder, restricted.home, restricted.known_key")
        connection.execute("delete from public.minhu_migration where name = '300_one_writing_key.sql'")
    database.migrate(city)
    assert states(city) == before and len(before) == 2
    load(city, "3", 14)
    assert callers(city) == (1, 2)


def test_two_rotations_at_once_are_one(first, monkeypatch):
    made, both = keys.make, Barrier(2)

    def make(settings):
        with suppress(BrokenBarrierError):
            both.wait(1)  # the other one is as far, unless it waits
        return made(settings)

    monkeypatch.setattr(keys, "make", make)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: rotate(first), range(2))
    assert one.is_switched and other.is_switched
    told = list(states(first).values())
    assert (told.count("writing"), told.count("pending")) == (1, 0)
    load(first, "2", 13)
    assert callers(first)[0] == 1


def test_a_rotation_waits_for_a_load(first):
    with key_in_use(first), pytest.raises(Retryable, match="loads are running"):
        rotate(first, wait_seconds=0.1)
    assert rotate(first).is_switched


def test_what_leaves_by_the_command_line_tells_no_key(first, tmp_path):
    identity = pyrage.x25519.Identity.generate()
    file, secret = tmp_path / "keys.age", tmp_path / "secret"
    secret.write_text(str(identity))
    asked = ["keys", "export", "--to", str(identity.to_public()), "--out", str(file)]
    run = CliRunner()
    assert run.invoke(minhu, asked, env=world(first)).exit_code == 2, "no reason, no file"
    outputs = [
        run.invoke(minhu, command, env=world(first)).output
        for command in (
            [*asked, "--why", "x"],
            ["keys", "import", str(file), "--identity", str(secret)],
            ["keys", "list"],
            ["keys", "list", "--json"],
            ["homes", "list", "--json"],
            ["keys", "rotate"],
        )
    ]
    (one, two) = keys.kept_keys(first).values()
    said = "\n".join(outputs)
    assert one.key_id in said and two.key_id in said and "this home held all of them" in said, said
    assert one.key.hex() not in said + file.read_bytes().hex() and two.key.hex() not in said
    assert str(PROJECT_ROOT) not in said

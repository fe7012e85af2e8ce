"""Links between the tokens of one caller, and the lock that keeps a rotation and the loads apart."""

import os
import signal
import subprocess
import sys
import threading
from datetime import date

import polars as pl
import psycopg
import pytest

from minhu import database
from minhu.errors import Retryable
from minhu.load import batch, load_file
from minhu.load.key_ring import LOCK_KEY, key_in_use, rotate
from minhu.load.links import write_links
from minhu.privacy.callers import caller_links, tokenise
from minhu.privacy.keys import key_id
from minhu.settings import PROJECT_ROOT
from tests import given

K1, K2, K3 = (bytes([n]) * 32 for n in (1, 2, 3))
ANNA, BEN = "13800001111", "13800002222"


@pytest.fixture(autouse=True)
def no_keys_in_the_environment(monkeypatch):
    monkeypatch.delenv("MINHU_CALLER_KEY", raising=False)
    monkeypatch.delenv("MINHU_CALLER_KEYS_OLD", raising=False)


@pytest.fixture
def links(warehouse):
    """A connection to the warehouse, which holds no link."""
    with database.connect(warehouse, autocommit=True) as connection:
        connection.execute("truncate restricted.caller_link, restricted.caller_link_change")
        yield connection


def phone(connection, number, *keys):
    """Writes the links of a load that knows ``keys``, the one that writes first; how many were new or changed."""
    return write_links(connection, caller_links(pl.Series([number]), keys))


def stands_for(connection, number, key):
    """What a case of the caller under ``key`` is recognised by."""
    token = tokenise(pl.Series([number]), key)["caller_token"][0]
    row = connection.execute(
        "select current_token from restricted.caller_link where earlier_token = %s", [token]
    ).fetchone()
    return row[0] if row else token


def is_one_caller(connection, number, *keys):
    return len({stands_for(connection, number, key) for key in keys}) == 1


def test_a_caller_who_missed_a_key_is_linked_under_all(links):
    assert phone(links, ANNA, K3, K2, K1) == 2
    assert is_one_caller(links, ANNA, K1, K2, K3)
    assert not is_one_caller(links, BEN, K1, K3)
    told = links.execute("select earlier_key_id from restricted.caller_link order by 1").fetchall()
    assert told == sorted((key_id(key),) for key in (K1, K2))


def test_a_link_of_before_goes_on_to_the_newest_key(links):
    phone(links, ANNA, K2, K1)
    phone(links, BEN, K2, K1)
    assert phone(links, ANNA, K3, K2) == 2, "the first key was deleted meanwhile"
    assert is_one_caller(links, ANNA, K1, K2, K3)
    assert is_one_caller(links, BEN, K1, K2)
    assert stands_for(links, ANNA, K1) != stands_for(links, BEN, K1)


@pytest.mark.parametrize("late", [(K2, K1), (K1, K2)], ids=["a load with an older key is late", "a key comes back"])
def test_no_order_of_keys_takes_a_caller_apart(links, late):
    phone(links, ANNA, K2, K1)
    phone(links, ANNA, K3, K2, K1)
    phone(links, ANNA, *late)
    assert is_one_caller(links, ANNA, K1, K2, K3)
    through = "select count(*) from restricted.caller_link as a join restricted.caller_link as b"
    assert links.execute(f"{through} on a.current_token = b.earlier_token").fetchone() == (0,)


def test_what_stands_already_is_not_written_again(links):
    assert phone(links, ANNA, K2, K1) == 1
    before = links.execute("select * from restricted.caller_link").fetchall()
    assert phone(links, ANNA, K2, K1) == 0
    assert phone(links, ANNA, K2) == 0, "nothing to link without an earlier key"
    assert links.execute("select * from restricted.caller_link").fetchall() == before
    assert links.execute("select count(*) from restricted.caller_link_change").fetchone() == (1,)


def test_what_stands_already_keeps_no_load_waiting(warehouse, links):
    phone(links, ANNA, K2, K1)
    with database.connect(warehouse) as other, database.connect(warehouse) as load:
        other.execute("select from restricted.caller_link for update")
        load.execute("set lock_timeout = '100ms'")
        assert phone(load, ANNA, K2, K1) == 0


def test_links_stand_or_fall_with_the_transaction(links):
    with pytest.raises(InterruptedError), links.transaction():
        phone(links, ANNA, K2, K1)
        phone(links, BEN, K2, K1)
        raise InterruptedError
    assert links.execute("select count(*) from restricted.caller_link").fetchone() == (0,)
    assert links.execute("select count(*) from restricted.caller_link_change").fetchone() == (0,)


def test_two_loads_of_the_same_callers_in_opposite_orders_do_not_deadlock(warehouse, links):
    callers = pl.Series([f"138{number:08}" for number in range(20_000)])
    # links of before, so that both loads insert some rows and change others
    write_links(links, caller_links(callers.gather_every(3), (K2, K1)))
    pairs = caller_links(callers, (K3, K2, K1))
    both = threading.Barrier(2)
    failures = []

    def load(frame):
        with database.connect(warehouse) as connection:
            both.wait()
            try:
                write_links(connection, frame)
            except psycopg.errors.DeadlockDetected as failure:
                failures.append(failure)

    threads = [threading.Thread(target=load, args=[frame]) for frame in (pairs, pairs.reverse())]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert links.execute("select count(*), count(distinct current_token) from restricted.caller_link").fetchone() == (
        40_000,
        20_000,
    )


def test_a_rotation_waits_for_a_load_and_says_so(warehouse):
    with key_in_use(warehouse) as (current, *_):
        with pytest.raises(Retryable, match="loads are running"):
            rotate(warehouse, wait_seconds=0.1)
        with key_in_use(warehouse) as keys:
            assert keys[0] == current, "nothing has changed"
    fresh = rotate(warehouse, wait_seconds=0.1).key_id
    with key_in_use(warehouse) as keys:
        assert key_id(keys[0]) == fresh and keys[1] == current


def load(city, number, day):
    path = given.case_file(city.drop / "h1" / f"cases_{number}.csv", [{"工单编号": number}])
    load_file("h1", "cases", path, day, settings=city)


def test_a_load_holds_off_a_rotation_until_it_has_committed(scratch, tmp_path, monkeypatch):
    city = scratch(given.config(tmp_path / "config"))
    with key_in_use(city) as (current, *_):
        old = key_id(current)
    real = batch.commit

    def commit_while_somebody_rotates(*arguments, **more):
        with pytest.raises(Retryable, match="loads are running"):
            rotate(city, wait_seconds=0.1)
        return real(*arguments, **more)

    monkeypatch.setattr(batch, "commit", commit_while_somebody_rotates)
    load(city, "1", date(2026, 10, 12))
    fresh = rotate(city, wait_seconds=0.1).key_id
    load(city, "2", date(2026, 10, 13))
    with database.connect(city) as connection:
        cases = connection.execute("select case_no, caller_key_id from staging.case_record order by 1").fetchall()
        pairs = connection.execute("select earlier_key_id from restricted.caller_link").fetchall()
    assert cases == [("1", old), ("2", fresh)]
    assert pairs == [(old,)], "the load wrote its pair itself"


def test_a_load_that_begins_during_a_rotation_takes_the_new_key(warehouse):
    with key_in_use(warehouse) as (old, *_):
        pass
    taken = []

    def load():
        with key_in_use(warehouse) as keys:
            taken.append(keys[0])

    with database.held(warehouse, LOCK_KEY):
        begun = threading.Thread(target=load)
        begun.start()
        begun.join(0.3)
        assert taken == []
        rotating = threading.Thread(target=rotate, args=[warehouse])
        rotating.start()
        rotating.join(0.3)
    rotating.join()
    begun.join()
    with key_in_use(warehouse) as keys:
        assert keys[:2] != (old,) and keys[1] == old
    assert taken[0] in keys[:2], "one or the other came first; neither wrote with a key that was none"


def test_a_load_that_fails_or_is_killed_gives_the_lock_back(warehouse):
    with database.connect(warehouse, autocommit=True) as load:
        with pytest.raises(psycopg.errors.DivisionByZero), key_in_use(warehouse), load.transaction():
            load.execute("select 1 / 0")
        rotate(warehouse, wait_seconds=0.1)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED],
        env={**os.environ, "MINHU_HOME": str(warehouse.home), "MINHU_DATABASE_URL": warehouse.database_url},
        cwd=PROJECT_ROOT,
        check=False,
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL
    rotate(warehouse, wait_seconds=5)


KILLED = """
import os, signal
from minhu.load import batch, load_file
from minhu.load.key_ring import key_in_use
from minhu.settings import Settings
settings = Settings.from_env()
with key_in_use(settings):
    os.kill(os.getpid(), signal.SIGKILL)
"""

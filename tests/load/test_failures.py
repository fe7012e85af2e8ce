"""Whatever fails in a load stands in the account with a code and hurts nothing else; 未送达 is something else."""

import json
import os
from datetime import date

import psycopg
import pytest
from click.testing import CliRunner
from polars.exceptions import PanicException

from minhu import database, load
from minhu.cli import minhu
from minhu.errors import BadDeclaration, Refused, Retryable, SourceAway, Unforeseen, foreign
from minhu.feeds import load_feeds
from minhu.feeds.door import Door
from minhu.feeds.sources.fetched import Fetched, NotFetched
from minhu.load import failures, load_delivery, load_feed_day, load_file, replay
from minhu.warehouse.reconcile import as_markdown, reconcile
from tests import given

DAY = date(2026, 10, 12)
PHONE = "13800001111"


@pytest.fixture
def city(scratch, tmp_path):
    cases = given.CASES | {"source": given.CASES["source"] | {"path": "h1/cases_{date}*.csv"}}
    installation = scratch(given.config(tmp_path / "config", [given.feed(deliveries=[cases, given.EVENTS])]))
    given.case_file(installation.drop / "h1" / "cases_20261012.csv", [{}])
    return installation


@pytest.fixture
def broken(monkeypatch):
    """Breaks the door for as long as it is asked to."""

    def breaks(error):
        def judge(*_):
            raise error

        monkeypatch.setattr(Door, "judge", judge)
        return monkeypatch.undo

    return breaks


def query(city, text):
    with database.connect(city) as connection:
        return connection.execute(text).fetchall()


def line(city, delivery="cases"):
    return next(one for one in reconcile(city, DAY).lines if one.delivery == delivery)


def a_day(city):
    return load_feed_day(city, load_feeds(city.config)[0], DAY)


def test_a_declaration_that_cannot_be_read_keeps_no_other_feed_from_loading(city):
    wrong = city.config / "feeds" / "wrong.yml"
    wrong.write_text("code: wrong\ncolour: red\n", encoding="utf-8")
    given.csv_file(city.drop / "h1" / "events_20261012.csv", [])
    at = {"HOME": city.home, "CONFIG": city.config, "DROP": city.drop, "DATABASE_URL": city.database_url}
    environment = {f"MINHU_{name}": str(value) for name, value in at.items()}
    done = CliRunner().invoke(minhu, ["load", "--all", "--date", f"{DAY}", "--json"], env=environment)
    assert done.exit_code == 1 and "wrong.yml:2: colour" in done.stderr
    assert next((one["feed_code"], one["outcome"]) for one in json.loads(done.stdout)) == ("h1", "loaded")
    assert query(city, "select feed_code, delivery, reason_code from audit.attempt where outcome = 'failed'") == [
        ("wrong", "*", "BAD_DECLARATION")
    ]
    assert line(city, "*").feed_code == "wrong" and "声明" in line(city, "*").reason
    assert line(city).status == "loaded"
    wrong.unlink()
    assert all(one.feed_code == "h1" for one in reconcile(city, DAY).lines)


@pytest.mark.parametrize("error", [ValueError(PHONE), PanicException(PHONE), RecursionError(PHONE), MemoryError()])
def test_what_nobody_foresaw_is_recorded_and_the_next_delivery_goes_on(city, broken, error):
    given.csv_file(city.drop / "h1" / "events_20261012.csv", [])
    broken(error)
    [failure, _] = a_day(city)
    assert isinstance(failure, Unforeseen) and type(error).__name__ in str(failure)
    assert "tests/" not in str(failure) and "minhu/load" in str(failure), "the last place of ours"
    assert query(city, "select delivery, outcome, reason_code, source_name from audit.attempt order by 1 limit 1") == [
        ("cases", "failed", "UNFORESEEN", "h1/cases_20261012.csv")
    ]
    log = (city.logs / failures.LOG).read_text()
    assert str(failure).rpartition(" ")[2] in log and "tests/load/test_failures.py:" in log
    assert PHONE not in log + str(failure) + str(query(city, "select reason from audit.attempt"))
    assert (city.logs / failures.LOG).stat().st_mode & 0o077 == 0


def test_a_failure_is_said_as_one_until_it_is_mended(city, broken):
    mend = broken(ValueError())
    a_day(city)
    assert line(city).status == "failed" and line(city, "events").status == "missing"
    assert "UNFORESEEN" in line(city).reason
    assert "装载失败" in as_markdown(reconcile(city, DAY)) and not reconcile(city, DAY).is_whole
    mend()
    a_day(city)
    assert (line(city).status, line(city).staged, line(city).reason) == ("loaded", 1, None)


def test_one_file_of_two_that_fails_is_said_though_the_other_is_loaded(city, monkeypatch):
    path = city.drop / "h1" / "cases_20261012.csv"

    def fetch(_):
        yield NotFetched("h1/cases_20261012a.csv", Refused("may not be read"))
        yield Fetched(path, "h1/cases_20261012.csv")

    monkeypatch.setattr(load, "fetch", fetch)
    with pytest.raises(Refused, match="may not be read"):
        load_delivery("h1", "cases", DAY, settings=city)
    assert (line(city).status, line(city).staged) == ("failed", 1)
    monkeypatch.setattr(load, "fetch", lambda _: [Fetched(path, "h1/cases_20261012.csv")])
    load_delivery("h1", "cases", DAY, settings=city)
    assert line(city).status == "failed", "the one that failed did not come again"


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (SourceAway("gone"), "unreachable", "SOURCE_AWAY"),
        (Retryable("still growing"), "failed", "NOT_NOW"),
        (Refused("the secret is missing"), "failed", "REFUSED"),
        (BadDeclaration("no such backend"), "failed", "BAD_DECLARATION"),
        (KeyError("x"), "failed", "UNFORESEEN"),
        (psycopg.errors.DiskFull(), "failed", "NOT_NOW"),
        (psycopg.errors.ProgramLimitExceeded(PHONE), "failed", "REFUSED"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_whatever_a_source_raises_leaves_a_row_with_a_code(city, monkeypatch, error, outcome, code):
    def fetch(_):
        raise error
        yield

    monkeypatch.setattr(load, "fetch", fetch)
    with pytest.raises(load.MinhuError) as raised:
        load_delivery("h1", "cases", DAY, settings=city)
    assert query(city, "select outcome, reason_code from audit.attempt") == [(outcome, code)]
    assert line(city).status == "failed" and PHONE not in str(raised.value) + line(city).reason
    monkeypatch.setattr(load, "fetch", lambda _: [])
    load_delivery("h1", "cases", DAY, settings=city)
    assert line(city).status == "missing", "looked for again, and nothing was there"


def test_what_may_pass_is_tried_again_though_another_file_is_refused(city, monkeypatch):
    both = [NotFetched("a", Refused("no")), NotFetched("b", SourceAway("gone"))]
    monkeypatch.setattr(load, "fetch", lambda _: both)
    with pytest.raises(SourceAway):
        load_delivery("h1", "cases", DAY, settings=city)
    assert len(query(city, "select from audit.attempt")) == 2


def test_a_given_file_and_a_replay_that_break_are_recorded(city, broken):
    path = city.drop / "h1" / "cases_20261012.csv"
    first = load_file("h1", "cases", path, DAY, settings=city)
    broken(ValueError())
    with pytest.raises(Unforeseen):
        replay(city, first.batch_id)
    assert line(city).status == "loaded", "the batch is as it was"
    with pytest.raises(Unforeseen):
        load_file("h1", "cases", given.case_file(path.with_name("other.csv"), [{"工单编号": "2"}]), DAY, settings=city)
    assert query(city, "select batch_id, source_name, reason_code from audit.attempt order by attempt_id") == [
        (first.batch_id, "h1/cases_20261012.csv", "UNFORESEEN"),
        (None, "h1/other.csv", "UNFORESEEN"),
    ]


def test_a_load_that_was_stopped_is_not_caught(city, broken):
    broken(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        a_day(city)


def test_a_name_in_gbk_and_a_phone_in_a_name(city):
    folder = os.fsencode(city.drop / "h1")
    os.rename(folder + b"/cases_20261012.csv", folder + "/cases_20261012工单.csv".encode("gbk"))
    given.case_file(city.drop / "h1" / f"cases_20261012_{PHONE}.csv", [{"工单编号": "2"}])
    assert [one.outcome for one in load_delivery("h1", "cases", DAY, settings=city)] == ["loaded", "loaded"]
    assert sorted(query(city, "select source_name from audit.batch")) == [
        ("h1/cases_20261012_＊.csv",),
        ("h1/cases_20261012工单.csv",),
    ]


@pytest.mark.parametrize("state", ["08006", "40P01", "53100", "53200", "57P01", "55P03", "58030"])
def test_a_database_that_is_away_or_full_passes(state):
    error = psycopg.errors.lookup(state)()
    for doing in ("copy", "load"):
        assert isinstance(foreign.as_ours(error, doing, table="t", where="w"), Retryable)


@pytest.mark.parametrize("state", ["54000", "22003", "23505", "42501", "22021"])
def test_a_database_that_takes_no_such_row_is_no_outage(city, state):
    error = psycopg.errors.lookup(state)()
    assert isinstance(foreign.as_ours(error, "load", where="w"), Refused)
    with database.connect(city) as connection, pytest.raises(Refused, match="54000"), foreign.told("copy", table="t"):
        connection.execute("create table t (a text primary key)")
        connection.execute("insert into t select string_agg(md5(n::text), '') from generate_series(1, 9999) as n")

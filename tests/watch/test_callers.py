"""A caller stays one caller when the key changes: repeats match across rotations, built step by step or anew."""

from datetime import date

import psycopg
import pytest

from minhu import database
from minhu.load import load_file
from minhu.load.key_ring import rotate
from minhu.settings import PROJECT_ROOT
from minhu.warehouse import build as build_module
from minhu.warehouse.build import BuildFailed, build
from minhu.warehouse.dbt import DbtRun, NodeResult
from tests import given
from tests.anew import same_anew

ANNA, BEN = "13800001111", "13800002222"
FACTS = ("fct_case", "fct_timeliness", "fct_satisfaction", "fct_violation")
REPEATS = (
    "select c.case_no, earlier.case_no from mart.fct_case as c join mart.fct_case as earlier"
    " on earlier.case_id = c.repeat_of_case_id order by 1"
)


@pytest.fixture(autouse=True)
def no_keys_in_the_environment(monkeypatch):
    monkeypatch.delenv("MINHU_CALLER_KEY", raising=False)
    monkeypatch.delenv("MINHU_CALLER_KEYS_OLD", raising=False)


@pytest.fixture
def city(scratch, tmp_path):
    """Two hotlines and a repeat window of thirty days."""
    calendar = (PROJECT_ROOT / "config" / "calendar.csv").read_text(encoding="utf-8")
    return scratch(given.config(tmp_path / "config", [given.feed("h1"), given.feed("h2")], calendar=calendar))


def query(city, text, *parameters):
    with database.connect(city) as connection:
        return connection.execute(text, parameters).fetchall()


def execute(city, text, *parameters):
    with database.connect(city) as connection:
        connection.execute(text, parameters)


def load(city, name, *calls, feed="h1", day=12):
    """Loads cases told as (number, caller, received on) and accepts the batch as the gate would."""
    rows = [{"工单编号": str(no), "来电号码": phone, "受理时间": f"{at} 08:30:00"} for no, phone, at in calls]
    path = given.case_file(city.drop / feed / f"{name}.csv", rows)
    result = load_file(feed, "cases", path, date(2026, 10, day), settings=city)
    execute(city, "update audit.batch set status = 'accepted' where batch_id = %s", result.batch_id)


def facts(city, *, with_sources=True):
    """Every row of every fact, as text in a fixed order."""
    rows = {}
    for table in FACTS:
        sources = (
            f"array(select attname::text from pg_attribute where attrelid = 'mart.{table}'::regclass"
            " and (attname like '%%batch_id' or attname like '%%row_number'))"
        )
        minus = "" if with_sources else f" - {sources}"
        rows[table] = query(city, f"select (to_jsonb(f){minus})::text from mart.{table} as f order by 1")
    return rows


def touched(city):
    """Numbers of the cases that the last build computed anew."""
    return {no for (no,) in query(city, "select case_no from build.touched_case where is_rebuilt")}


@pytest.mark.long
def test_repeats_match_across_two_rotations_as_if_the_key_had_never_changed(city, scratch):
    def deliver(where, rotate, after):
        load(where, "first", (1, ANNA, "2026-10-12"), (2, BEN, "2026-10-12"), (3, "13800003333", "2026-10-12"))
        after("first", where)
        rotate(where)
        load(where, "second", (4, ANNA, "2026-10-20"), feed="h2", day=20)
        after("second", where)
        rotate(where)
        # Anna again; a case of hers from in between, late; Ben, who did not phone under the second key
        load(where, "third", (5, ANNA, "2026-10-25"), (6, ANNA, "2026-10-15"), (7, BEN, "2026-10-26"), day=26)
        after("third", where)
        # two more late ones of Anna, whose links stand already: one each after a case under the first key and before
        # one under the second
        load(where, "fourth", (8, ANNA, "2026-10-13"), (9, ANNA, "2026-10-18"), day=27)
        after("fourth", where)

    def build_and_look(step, where):
        build(where)
        if step == "second":
            assert touched(where) == {"1", "4"}, "the new case and the one it is linked to now, nobody else's"
            assert query(where, REPEATS) == [("4", "1")]
        if step == "third":
            assert query(where, REPEATS) == [("4", "6"), ("5", "4"), ("6", "1"), ("7", "2")]
        if step in ("third", "fourth"):
            assert "4" in touched(where) and "3" not in touched(where)

    deliver(city, rotate, build_and_look)
    assert query(city, REPEATS) == [("4", "9"), ("5", "4"), ("6", "8"), ("7", "2"), ("8", "1"), ("9", "6")]
    assert query(city, "select count(distinct caller_key_id) from staging.case_record") == [(3,)]
    same_anew(city, lambda: facts(city))

    one_key = scratch(city.config)
    deliver(one_key, lambda _: None, lambda *_: None)
    build(one_key)
    assert facts(one_key, with_sources=False) == facts(city, with_sources=False)


@pytest.mark.long
def test_a_link_that_comes_or_goes_later_touches_the_cases_it_concerns(city, monkeypatch):
    """Two built cases of Anna, whose link comes with a third one far outside their window, and goes again by hand."""
    load(city, "first", (1, ANNA, "2026-08-01"), (2, BEN, "2026-08-01"), day=1)
    rotate(city)
    [earlier] = (city.home / "secrets").glob("caller-key.*")
    kept = earlier.rename(city.home / "elsewhere")  # the loader does not have the earlier key
    load(city, "second", (3, ANNA, "2026-08-10"), (4, BEN, "2026-11-01"), day=10)
    build(city)
    assert query(city, REPEATS) == []
    kept.rename(earlier)
    load(city, "third", (5, ANNA, "2026-10-20"), (6, BEN, "2026-11-02"), day=20)

    real = build_module.dbt.run
    failure = DbtRun((NodeResult("a_test", "fail", 0.1, None, "Got 1 result"),))
    monkeypatch.setattr(build_module.dbt, "run", lambda *_: failure)
    with pytest.raises(BuildFailed):
        build(city)
    monkeypatch.setattr(build_module.dbt, "run", real)
    build(city)
    assert query(city, REPEATS) == [("3", "1"), ("6", "4")], "what a failed build had taken is not lost"
    assert touched(city) == {"1", "3", "5", "6"}, "Ben's case of August is far from his others"
    same_anew(city, lambda: facts(city))

    execute(city, "delete from restricted.caller_link")
    load(city, "fourth", (7, "13800003333", "2026-10-21"), day=21)
    build(city)
    assert query(city, REPEATS) == [("6", "4")], "one token under the second key, no link needed"
    same_anew(city, lambda: facts(city))
    load(city, "fifth", (8, "13800004444", "2026-10-22"), day=22)
    build(city)
    assert touched(city) == {"8"}, "a change is taken once"


@pytest.mark.parametrize("role", ["minhu_bi", "minhu_evaluator", "minhu_auditor"])
@pytest.mark.parametrize("table", ["caller_link", "caller_link_change"])
def test_nobody_else_reads_the_links(warehouse, role, table):
    with database.connect(warehouse) as connection:
        connection.execute(f"set role {role}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"select from restricted.{table}")

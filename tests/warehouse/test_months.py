"""Months kept out of staging: facts stay, nothing is built from what is left, and what comes back is what went."""

import json
import os
import signal
import subprocess
import sys
from datetime import date

import psycopg
import pytest
from click.testing import CliRunner

from minhu import database, doctor
from minhu.cli import minhu
from minhu.errors import BadDelivery, Refused
from minhu.landing.store import store_of
from minhu.load.prune import prune
from minhu.load.reread import reread
from minhu.publish.close import close
from minhu.settings import PROJECT_ROOT, Settings
from minhu.warehouse import build as build_module
from minhu.warehouse import detached, refresh
from minhu.warehouse.build import BuildFailed, build
from minhu.warehouse.dbt import DbtRun, NodeResult
from minhu.warehouse.detached import attach, detach, read
from minhu.warehouse.reconcile import reconcile
from minhu.watch.faults import faults, here
from tests.copies import copied
from tests.scenarios import city as world
from tests.warehouse import test_build
from tests.warehouse.test_build import UNITS, facts, query, query_nothing

AUGUST = date(2026, 8, 1)
STAGED = "case_record", "case_event", "callback"


_LIVED: list[Settings] = []
"""The city as it lived, once for each process: nobody works in it."""


@pytest.fixture
def city(scratch, tmp_path):
    if not _LIVED:
        _LIVED.append(test_build.made(scratch, tmp_path))
        live(_LIVED[0])
    return copied(scratch, _LIVED[0], tmp_path / "city" / "config")


@pytest.fixture
def twin(scratch, city, tmp_path):
    """A city that takes no month out."""
    return copied(scratch, _LIVED[0], tmp_path / "twin" / "config")


def load(city, delivery, rows, *, feed="h1", day=12):
    return test_build.load(city, delivery, rows, feed=feed, day=day)


def case(number, received, *, phone=None, closed=None, **row):
    """A case of 城管局, dispatched an hour after it was received; without ``closed`` its duty is open."""
    on = f"2026-{received}"
    return (
        test_build.case(number)
        | {
            "来电号码": phone or f"1390000{int(number):04}",
            "受理时间": f"{on} 08:30:00",
            "转办时间": f"{on} 09:30:00",
            "办理期限": "",
            "办结时间": f"2026-{closed} 10:00:00" if closed else "",
        }
        | row
    )


def event(number, event_type, at, unit="城管局", **row):
    return {"case_no": number, "event_type": event_type, "occurred_at": f"2026-{at}", "unit_name": unit} | row


def live(city):
    """August: 1 and 3, which repeats it; 2 is open; 5 is passed on in September; 6 merged into 7; 8 has a callback.
    September: 4 repeats 3 across the month's end, 9 of the other hotline comes from 5, 10 stands alone."""
    load(
        city,
        "cases",
        [
            case(1, "08-05", phone="13811110000", closed="08-07"),
            case(2, "08-20"),
            case(3, "08-25", phone="13811110000", closed="08-27"),
            case(5, "08-10", closed="08-11"),
            case(6, "08-11", closed="08-12"),
            case(7, "08-12", closed="08-14"),
            case(8, "08-15", closed="08-18"),
            case(4, "09-03", phone="13811110000", closed="09-04"),
            case(10, "09-20", closed="09-22"),
        ],
    )
    load(city, "cases", [case(9, "09-02", closed="09-05", 上游热线="h1", 上游编号="5")], feed="h2")
    load(city, "events", [event(6, "MERGE", "08-12 09:00:00", unit="", result_code="7")])
    load(city, "callbacks", [test_build.callback(8, "10 10:00:00") | {"called_at": "2026-08-20 10:00:00"}])
    build(city)


def staged(city):
    return {
        table: query(city, f"select to_jsonb(r)::text from staging.{table} as r order by batch_id, row_number")
        for table in STAGED
    }


def told_of(city):
    return {row[0] for row in query(city, "select case_no from staging.case_record")}


def arrived(city):
    return query(
        city,
        "select case_no, rests_on, to_char(month_on, 'YYYY-MM') from audit.arrived_after_freeze"
        " order by case_no::integer",
    )


def accounts_add_up(city):
    short = query(
        city,
        "select batch.batch_id, staged_rows, there.rows, apart.rows from audit.batch"
        " left join (select batch_id, count(*) as rows from ("
        + " union all ".join(f"select batch_id from staging.{table}" for table in STAGED)
        + ") as rows group by 1) as there using (batch_id) left join audit.detached_rows as apart using (batch_id)"
        " where staged_rows <> coalesce(there.rows, 0) + coalesce(apart.rows, 0)",
    )
    assert short == []


def test_a_month_goes_whole_under_its_links_and_comes_back_as_it_was(city):
    before, rows = facts(city), staged(city)
    would = detach(city, AUGUST, dry_run=True)
    assert staged(city) == rows and read_months(city) == [], "a dry run changes nothing"
    went = detach(city, AUGUST)
    assert (went.cases, went.stays) == (would.cases, would.stays) == (5, {"linked": 1, "open": 1})
    assert went.rest == 1, "case 4 may repeat 3"
    assert went.rows == would.rows == 5 + 1 + 1
    assert told_of(city) == {"2", "4", "5", "9", "10"}
    assert facts(city) == before
    accounts_add_up(city)
    [line] = [
        one for one in reconcile(city, date(2026, 10, 12)).lines if (one.feed_code, one.delivery) == ("h1", "cases")
    ]
    assert (line.staged, line.detached) == (9, 5)
    again = detach(city, AUGUST)
    assert (again.part_id, again.cases, again.stays) == (None, 0, {"linked": 1, "open": 1}), "the rest stays"

    assert build(city).build_id is None, "there is nothing to build"
    result = build(city, full_refresh=True)
    assert facts(city) == before and result.left_cases == 6, "the five and case 4, which is held against 3"

    [part] = attach(city, AUGUST)
    assert (part.state, part.rows, part.cases) == ("attached", 7, 5)
    assert staged(city) == rows, "every column of every row"
    assert build(city).touched_cases >= 5
    assert facts(city) == before and [one.state for one in read_months(city)] == ["built"]
    assert query(city, "select count(*) from audit.detached_case") == [(0,)]
    accounts_add_up(city)
    assert build(city, full_refresh=True).left_cases == 0 and facts(city) == before
    assert build(city).build_id is None


def read_months(city):
    with database.connect(city) as connection:
        return read(connection)


def deliver_late(city, *, between=lambda: None):
    """What comes after a month went: a late event, a merge across the month's end, a callback, another name of a unit,
    a decision, a case of its own; step by step, as days do."""
    load(city, "events", [event(1, "REWORK", "09-25 09:00:00"), event(1, "CLOSE", "09-26 09:00:00")], day=13)
    between()
    load(city, "cases", [case(11, "09-28", closed="09-29")], day=14)
    load(city, "events", [event(11, "MERGE", "09-29 11:00:00", unit="", result_code="8")], day=14)
    between()
    load(city, "callbacks", [test_build.callback(7, "15 10:00:00")], day=15)
    load(
        city,
        "cases",
        [case(4, "09-03", phone="13811110000", closed="09-06"), case(12, "09-30", closed="10-01")],
        day=15,
    )
    between()
    (city.config / "units.csv").write_text(UNITS.replace("市城管局", "市城管局|城市管理局"), encoding="utf-8")
    load(city, "events", [event(10, "REWORK", "10-02 09:00:00", unit="城市管理局")], day=15)
    between()
    query_nothing(
        city,
        "insert into assess.exclusion (case_id, reason_code, reason)"
        " select case_id, 'beyond_duty', '依规定' from mart.fct_case where case_no = '3'",
    )
    world.confirm(world.as_evaluator(city, "second"))
    between()


def test_what_arrives_for_a_month_that_went_waits_for_it_and_then_counts_as_if_it_had_stayed(city, twin):
    deliver_late(twin, between=lambda: build(twin))
    detach(city, AUGUST)
    kept = {name: row for name, row in of_cases(city).items() if name in ("1", "3", "4", "6", "7", "8")}
    deliver_late(city, between=lambda: build(city))
    now = of_cases(city)
    assert {name: now[name] for name in kept} == kept, "built from nothing that is not whole"
    assert "11" not in now and "12" in now, "what is merged into one of them waits with it; others are built"
    assert now["10"] == of_cases(twin)["10"]
    assert arrived(city) == [
        ("1", "itself", "2026-08"),
        ("3", "itself", "2026-08"),
        ("4", "others", "2026-08"),
        ("7", "itself", "2026-08"),
        ("11", "others", "2026-08"),
    ]
    accounts_add_up(city)
    with database.connect(city) as connection:
        assert [one["case_no"] for one in detached.arrived(connection)] == ["1", "11", "3", "4", "7"]
        [fault] = [one for one in faults(connection, city, here()) if one.kind == "after_freeze"]
    assert "2026-08" in fault.what and "5 件" in fault.what and "minhu months attach 2026-08" in fault.mend

    left = facts(city)
    build(city, full_refresh=True)
    assert facts(city) == left, "incremental gives what a full refresh gives, whatever is out"
    attach(city, AUGUST)
    build(city)
    assert sourceless(city) == sourceless(twin), "as if the month had never been out"
    assert arrived(city) == []
    whole = facts(city)
    build(city, full_refresh=True)
    assert facts(city) == whole


def sourceless(city):
    return facts(city, with_sources=False)


def of_cases(city):
    """Of each case its row and its duties."""
    return {
        number: (row, duties)
        for number, row, duties in query(
            city,
            "select c.case_no, to_jsonb(c)::text, jsonb_agg(to_jsonb(t) order by assignment_id)::text"
            " from mart.fct_case as c left join mart.fct_timeliness as t using (case_id)"
            " group by c.case_no, c.case_id",
        )
    }


def test_what_a_case_rests_on_is_not_left_out_of_it_either(city, twin):
    """Case 4 repeats 3. Rebuilt while 3 is out it would repeat nothing."""
    repeats = "select earlier.case_no from mart.fct_case as c join mart.fct_case as earlier on earlier.case_id ="
    assert query(city, f"{repeats} c.repeat_of_case_id where c.case_no = '4'") == [("3",)]
    detach(city, AUGUST)
    for one in (city, twin):
        load(one, "events", [event(4, "REWORK", "09-20 09:00:00"), event(4, "CLOSE", "09-21 09:00:00")], day=13)
        build(one)
    assert query(city, f"{repeats} c.repeat_of_case_id where c.case_no = '4'") == [("3",)]
    assert arrived(city) == [("4", "others", "2026-08")]
    attach(city, AUGUST)
    build(city)
    assert sourceless(city) == sourceless(twin)


@pytest.mark.long
def test_two_months_out_and_one_of_them_back(city, twin):
    detach(city, AUGUST)
    detach(city, date(2026, 9, 1))
    assert told_of(city) == {"2"}, "the other hotline's case and the one it comes from went with September"
    for one in (city, twin):
        load(one, "events", [event(10, "REWORK", "10-02 09:00:00"), event(5, "VIOLATION", "10-02 10:00:00")], day=13)
        build(one)
    assert arrived(city) == [("5", "itself", "2026-09"), ("10", "itself", "2026-09")]
    attach(city, date(2026, 9, 1))
    build(city)
    assert arrived(city) == [] and of_cases(city)["10"] == of_cases(twin)["10"]
    assert query(city, "select count(*) from audit.detached_case") == [(5,)], "August is out still"
    attach(city, AUGUST)
    build(city)
    assert sourceless(city) == sourceless(twin)


def test_nothing_leaves_that_a_file_does_not_hold(city, monkeypatch):
    rows = staged(city)

    with monkeypatch.context() as broken:
        broken.setattr(detached, "_RECORD_CASES", "select 1 / 0, %s")
        with pytest.raises(psycopg.errors.DivisionByZero):
            detach(city, AUGUST)
    assert staged(city) == rows and read_months(city) == []
    with monkeypatch.context() as broken:
        real = detached._as_parquet
        broken.setattr(
            detached,
            "_as_parquet",
            lambda text, *how: (text.write_text(text.read_text().replace("路灯", "灯")), real(text, *how)),
        )
        with pytest.raises(AssertionError, match="does not hold the rows"):
            detach(city, AUGUST)
    assert staged(city) == rows and read_months(city) == []

    detach(city, AUGUST)
    [part] = read_months(city)
    store = store_of(city)
    assert {file.table for file in part.files} == set(STAGED)
    assert prune_landed(city) and all(store.find(file.sha256) for file in part.files), "retention takes none of them"
    place = store.path(store.find(part.files[0].sha256))
    kept = place.read_bytes()
    assert doctor._months(city) == "1, with all their files"
    place.unlink()
    with pytest.raises(Refused, match=r"files of 2026-08 are not in .*: restore them from a backup"):
        doctor._months(city)
    with pytest.raises(BadDelivery, match="is gone"):
        attach(city, AUGUST)
    other = store.path(store.find(part.files[1].sha256)).read_bytes()
    place.write_bytes(other)
    with pytest.raises(Refused, match="has no column"):
        attach(city, AUGUST)
    assert read_months(city)[0].state == "detached", "all of it comes back or nothing"
    place.write_bytes(kept)
    attach(city, AUGUST)
    assert staged(city) == rows
    with pytest.raises(Refused, match="nothing of 2026-08 is out"):
        attach(city, AUGUST)


def prune_landed(city):
    """Retention of one day, and every file older than that."""
    written = city.config / "city.yml"
    written.write_text(written.read_text(encoding="utf-8") + "retention: {landed_days: 1}\n", encoding="utf-8")
    query_nothing(city, "update audit.batch set loaded_at = loaded_at - interval '9 days'")
    for path in city.landing.glob("??/*"):
        os.utime(path, (0, 0))
    return prune(city)


def test_what_waits_or_is_not_built_stays(city):
    load(city, "events", [event(8, "REWORK", "09-25 09:00:00")], day=13)
    with pytest.raises(Refused, match="run `minhu build`"):
        detach(city, AUGUST)
    build(city)
    held = load(city, "events", [event(7, "REWORK", "09-25 09:00:00")], day=14)
    query_nothing(city, "update audit.batch set status = 'held', reason_code = 'X' where batch_id = %s", held)
    assert detach(city, AUGUST).stays == {"linked": 2, "open": 2, "waits": 1}, "6 is merged into 7, and 8 is open anew"
    assert told_of(city) >= {"6", "7", "8"}


def test_the_command_line_tells_what_goes_what_is_out_and_what_came_back(city, monkeypatch):
    for name, value in {
        "MINHU_DATABASE_URL": city.database_url,
        "MINHU_HOME": str(city.home),
        "MINHU_CONFIG": str(city.config),
    }.items():
        monkeypatch.setenv(name, value)
    run = CliRunner()

    def said(*arguments):
        result = run.invoke(minhu, ["months", *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    assert "5 cases with 7 rows would go" in said("detach", "2026-08", "--dry-run")
    told = said("detach", "2026-08")
    assert "went into files" in told and "1 stay: a duty is open" in told and "1 later cases" in told
    [listed] = json.loads(run.invoke(minhu, ["months", "list", "--json"]).stdout)
    assert (listed["month"], listed["state"], listed["cases"], listed["arrived"]) == ("2026-08", "detached", 5, 0)
    assert "2026-08" in said("attach", "2026-08")
    again = run.invoke(minhu, ["months", "attach", "2026-08"])
    assert isinstance(again.exception, Refused)


def test_files_read_again_leave_out_what_is_not_there(city):
    detach(city, AUGUST)
    batches = [batch for (batch,) in query(city, "select batch_id from audit.batch order by 1")]
    found = reread(city, batches, "test")
    assert found.deviations == () and found.files == 1 and any("随旧月份移出" in note for note in found.notes)


# A full refresh in chunks


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(refresh, "CHUNK_CASES", 4)


def test_a_full_refresh_goes_month_by_month_and_gives_the_same(city, small_chunks):
    load(city, "events", [event(99, "CLOSE", "09-26 09:00:00")], day=13)  # whose case has not come
    build(city)
    before, heard = facts(city), []
    result = build(city, full_refresh=True, tell=heard.append)
    assert facts(city) == before and result.chunks == 3 and result.touched_cases == 11
    assert heard == ["全量重建：第 2/3 段", "全量重建：第 3/3 段"]
    chunks = query(
        city,
        "select first_month_on::text, cases from audit.refresh_chunk"
        " where refresh_id = (select max(refresh_id) from audit.refresh) order by chunk_no",
    )
    assert chunks == [(None, 1), ("2026-08-01", 6), ("2026-09-01", 4)], "5 goes with 9, which it was passed on to"
    assert query(city, "select is_through from audit.refresh order by refresh_id desc limit 1") == [(True,)]
    assert build(city).build_id is None
    counts = query(city, "select * from mart.agg_day order by 1, 2, 3, 4, 5, 6, 7, 8, 9")
    refresh.CHUNK_CASES = 1_000_000
    assert build(city, full_refresh=True).chunks == 1
    assert query(city, "select * from mart.agg_day order by 1, 2, 3, 4, 5, 6, 7, 8, 9") == counts


@pytest.mark.long
def test_the_first_build_of_a_long_history_goes_in_chunks_too(city, scratch, tmp_path, small_chunks):
    fresh = test_build.made(scratch, tmp_path / "fresh")
    live(fresh)
    assert sourceless(fresh) == sourceless(city)
    assert query(fresh, "select count(*) from audit.build where status = 'succeeded'") == [(2,)]


KILLED = """
import os, signal
from minhu.settings import Settings
from minhu.warehouse import refresh
from minhu.warehouse import build as build_module
from minhu.warehouse.build import BuildFailed, build
from minhu.warehouse.dbt import DbtRun, NodeResult
refresh.CHUNK_CASES = 4
build(Settings.from_env(), full_refresh=True, tell=lambda line: os.kill(os.getpid(), signal.SIGKILL))
"""


def test_killed_between_chunks_it_is_gone_on_with_and_nothing_is_closed_meanwhile(city, small_chunks):
    before = facts(city)
    env = os.environ | {
        "MINHU_DATABASE_URL": city.database_url,
        "MINHU_HOME": str(city.home),
        "MINHU_CONFIG": str(city.config),
    }
    killed = subprocess.run([sys.executable, "-c", KILLED], env=env, cwd=PROJECT_ROOT, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    with pytest.raises(Refused, match="a full refresh is under way, 1 of 2 chunks"):
        close(city, "2026-08")
    load(city, "cases", [case(12, "09-30", closed="10-01")], day=13)  # and the day goes on
    with pytest.raises(Refused, match="run `minhu build`"):
        detach(city, AUGUST)
    heard = []
    result = build(city, tell=heard.append)
    assert heard == ["全量重建：第 2/2 段"] and result.chunks == 2 and result.taken == 1
    now = facts(city)
    assert [row for row in now["fct_case"] if '"12"' not in row[0]] == before["fct_case"]
    assert query(city, "select count(*) from mart.fct_case") == [(11,)]


def stops(line):
    raise KeyboardInterrupt


def test_who_asks_for_a_full_refresh_again_after_a_kill_has_what_was_left_of_it(city, small_chunks):
    before = facts(city)
    with pytest.raises(KeyboardInterrupt):
        build(city, full_refresh=True, tell=stops)
    heard = []
    assert build(city, full_refresh=True, tell=heard.append).chunks == 1
    assert heard == ["全量重建：第 2/2 段"] and facts(city) == before


def test_a_refresh_that_was_begun_is_owed_however_often_the_next_one_fails(city, twin, small_chunks, monkeypatch):
    """By the new register every case is another; of what was computed by the old one nothing may stay."""
    with pytest.raises(KeyboardInterrupt):
        build(city, full_refresh=True, tell=stops)
    for one in (city, twin):
        (one.config / "units.csv").write_text(UNITS.replace("U1,城管局", "U1,城市管理局"), encoding="utf-8")
    with monkeypatch.context() as broken:
        failed = DbtRun((NodeResult("fct_case", "error", 0.1, None, "x"),))
        broken.setattr(build_module.dbt, "run", lambda *given, **how: failed)
        for _ in range(2):
            with pytest.raises(BuildFailed):
                build(city)
            with pytest.raises(Refused, match="a full refresh is under way, 1 of 2 chunks"):
                close(city, "2026-08")
    result = build(city)
    build(twin)
    assert result.chunks == 2 and result.touched_cases == 10
    assert sourceless(city) == sourceless(twin)
    assert build(city).build_id is None


def test_a_month_that_comes_back_behind_its_chunk_is_computed_all_the_same(city, twin, small_chunks):
    detach(city, AUGUST)
    for one in (city, twin):
        load(one, "events", [event(1, "REWORK", "09-25 09:00:00"), event(10, "REWORK", "10-02 09:00:00")], day=13)
    with pytest.raises(KeyboardInterrupt):
        build(city, full_refresh=True, tell=stops)
    attach(city, AUGUST)
    build(city)
    build(twin)
    assert arrived(city) == [] and sourceless(city) == sourceless(twin)
    assert [one.state for one in read_months(city)] == ["built"]


def test_a_refresh_begins_anew_where_a_rule_changed_in_between(city, twin, small_chunks):
    with pytest.raises(KeyboardInterrupt):
        build(city, full_refresh=True, tell=stops)
    for one in (city, twin):
        (one.config / "units.csv").write_text(UNITS.replace("U1,城管局", "U1,城市管理局"), encoding="utf-8")
    heard = []
    build(city, tell=heard.append)
    build(twin)
    assert heard == ["全量重建：第 2/2 段"], "both chunks again"
    assert query(city, "select is_through from audit.refresh order by refresh_id") == [(False,), (True,)]
    assert sourceless(city) == sourceless(twin)


@pytest.mark.long
def test_a_refresh_in_chunks_leaves_what_is_out(city, small_chunks):
    before = facts(city)
    detach(city, AUGUST)
    result = build(city, full_refresh=True)
    assert result.chunks > 1 and result.left_cases == 6 and facts(city) == before

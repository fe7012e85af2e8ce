"""A build takes what was accepted, leaves no ghost, and gives what a full refresh gives."""

import os
import signal
import subprocess
import sys
from datetime import date

import pytest
import yaml

from minhu import config, database
from minhu.errors import Refused
from minhu.load import load_file, replay
from minhu.settings import PROJECT_ROOT
from minhu.warehouse import build as build_module
from minhu.warehouse.build import BuildFailed, build
from minhu.warehouse.dbt import DbtRun, NodeResult
from tests import given
from tests.anew import same_anew

UNITS = """unit_code,unit_name,unit_kind,linkage_level,peer_group,has_24h_duty,aliases,valid_from
U1,城管局,department,1,linan_department,true,市城管局,2020-01-01
U2,交通局,department,2,linan_department,false,,2020-01-01
"""
CASES = given.CASES | {
    "columns": given.CASES["columns"] | {"upstream_feed_code": "上游热线", "upstream_case_no": "上游编号"},
    "optional_columns": ["上游热线", "上游编号"],
}
FACTS = ("fct_case", "fct_timeliness", "fct_satisfaction", "fct_violation")
_FILES = 0


@pytest.fixture
def city(scratch, tmp_path):
    return made(scratch, tmp_path)


def made(scratch, place):
    """Two hotlines, two units, the official calendar and the example limits."""
    feeds = [given.feed(code, deliveries=[CASES, given.EVENTS, given.CALLBACKS]) for code in ("h1", "h2")]
    calendar = (PROJECT_ROOT / "config" / "calendar.csv").read_text(encoding="utf-8")
    folder = given.config(place / "config", feeds, units=UNITS, calendar=calendar)
    (folder / "schemes").mkdir()
    scheme = (PROJECT_ROOT / "config" / "schemes" / "linan.yml").read_text(encoding="utf-8")
    (folder / "schemes" / "linan.yml").write_text(scheme, encoding="utf-8")
    return scratch(folder)


def query(city, text, *parameters):
    with database.connect(city) as connection:
        return connection.execute(text, parameters).fetchall()


def load(city, delivery, rows, *, feed="h1", day=12, accept=True):
    """Loads the rows as one file; accepts the batch as the gate would. Returns its id."""
    global _FILES
    _FILES += 1
    path = city.drop / feed / f"{delivery}_{_FILES}.csv"
    if delivery == "cases" and not any("上游编号" in row for row in rows):
        given.case_file(path, rows)
    elif delivery == "cases":
        given.csv_file(path, [given.ROW | {"上游热线": "", "上游编号": ""} | row for row in rows])
        path.write_bytes(path.read_text(encoding="utf-8").encode("gb18030"))
    else:
        given.csv_file(path, rows)
    result = load_file(feed, delivery, path, date(2026, 10, day), settings=city)
    if accept:
        query_nothing(city, "update audit.batch set status = 'accepted' where batch_id = %s", result.batch_id)
    return result.batch_id


def query_nothing(city, text, *parameters):
    with database.connect(city) as connection:
        connection.execute(text, parameters)


def case(number, **row):
    return {"工单编号": str(number), "来电号码": f"1380000{int(number):04}"} | row


def plain(number, **row):
    """A case without milestones: its events come on their own."""
    return case(number, 转办时间="", 办结时间="", 办理期限="", **row)


def event(number, event_type, at, unit="城管局", **row):
    return {"case_no": number, "event_type": event_type, "occurred_at": f"2026-10-{at}", "unit_name": unit} | row


def callback(number, at, **row):
    return {
        "case_no": number,
        "called_at": f"2026-10-{at}",
        "resolution_code": "resolved",
        "satisfaction_scale": "five",
        "satisfaction_code": "satisfied",
    } | row


def facts(city, *, with_sources=True):
    """Every row of every fact, as text in a fixed order."""
    rows = {}
    for table in FACTS:
        minus = (
            ""
            if with_sources
            else " - array(select attname::text from pg_attribute where attrelid = 'mart."
            + table
            + "'::regclass and (attname like '%%batch_id' or attname like '%%row_number'))"
        )
        rows[table] = query(city, f"select (to_jsonb(f){minus})::text from mart.{table} as f order by 1")
    return rows


def test_a_batch_accepted_during_a_build_waits_for_the_next(city, monkeypatch):
    load(city, "cases", [case(1)])
    real = build_module.dbt.run

    def run_while_another_arrives(*arguments):
        load(city, "cases", [case(2)], day=13)
        load(city, "events", [event(1, "REWORK", "14 09:00:00")], day=13)
        return real(*arguments)

    monkeypatch.setattr(build_module.dbt, "run", run_while_another_arrives)
    assert build(city).taken == 1
    assert query(city, "select case_no, rework_count from mart.fct_case") == [("1", 0)]
    monkeypatch.setattr(build_module.dbt, "run", real)
    assert build(city).taken == 2
    assert query(city, "select case_no, rework_count from mart.fct_case order by 1") == [("1", 1), ("2", 0)]
    assert query(city, "select count(*), count(distinct batch_id) from audit.build_batch") == [(3, 3)]
    assert build(city).build_id is None, "nothing new, nothing built"


def test_no_ghost_of_a_case_that_vanishes_merges_or_changes_its_key(city):
    first = load(city, "cases", [plain(1), plain(2), plain(3)])
    load(city, "cases", [plain(9)], feed="h2")
    load(city, "events", [event(n, "DISPATCH", f"12 0{n}:00:00") for n in (1, 2, 3)])
    load(city, "callbacks", [callback(1, "16 10:00:00"), callback(2, "16 10:00:00")])
    build(city)
    assert query(city, "select count(*) from mart.fct_timeliness") == [(3,)]

    # The batch is replaced: case 1 is gone, 2 was passed on by the other hotline, and 3 goes by another number.
    second = load(
        city,
        "cases",
        [plain(2, 上游热线="h2", 上游编号="9"), plain(33), plain(4)],
        day=13,
    )
    query_nothing(
        city, "update audit.batch set status = 'superseded', superseded_by = %s where batch_id = %s", second, first
    )
    load(city, "events", [event(4, "MERGE", "13 12:00:00", unit="", result_code="33")], day=13)
    build(city)
    assert query(city, "select feed_code, case_no from mart.fct_case order by 1, 2") == [
        ("h1", "2"),
        ("h1", "33"),
        ("h1", "4"),
        ("h2", "9"),
    ]
    root = query(city, "select case_id from mart.fct_case where feed_code = 'h2'")[0][0]
    assert query(city, "select case_id from mart.fct_timeliness") == [(root,)], "2's assignment moved to its root"
    assert query(city, "select case_id from mart.fct_satisfaction") == [(root,)]
    merged = "select target.case_no from mart.fct_case as c join mart.fct_case as target on"
    assert query(city, f"{merged} target.case_id = c.merged_into_case_id where c.case_no = '4'") == [("33",)]
    waiting = query(city, "select kind, case_no from audit.orphan order by 1, 2")
    assert waiting == [("callback", "1"), ("event", "1"), ("event", "3")], "what was said of them waits"
    same_anew(city, lambda: facts(city))


@pytest.mark.long
def test_incremental_equals_full_refresh_and_all_at_once(city, scratch):
    """Late, out of order, corrected, linked, renamed: built step by step, at once, and anew, the facts are the same."""

    def deliver(where, between):
        load(where, "events", [event(5, "DISPATCH", "12 10:00:00")])  # before its case
        load(where, "cases", [plain(1), plain(2, 来电号码="13899990000"), case(3)], day=12)
        between()
        load(where, "events", [event(1, "DISPATCH", "12 09:00:00"), event(2, "DISPATCH", "12 09:30:00")], day=12)
        load(where, "cases", [plain(5), plain(6, 来电号码="13899990000", 受理时间="2026-10-14 08:00:00")], day=14)
        between()
        load(
            where,
            "events",
            [
                event(1, "RETURN_REQUEST", "12 11:00:00"),
                event(1, "RETURN_GRANT", "12 15:00:00"),
                event(1, "REDISPATCH", "12 15:00:00", unit="交通局"),
                event(1, "ADD_UNIT", "12 16:00:00", unit="市城管局"),
                event(2, "SIGN", "12 09:40:00"),
                event(2, "EXTEND_REQUEST", "16 09:00:00"),
                event(2, "EXTEND_GRANT", "16 10:00:00", due_at="2026-10-23 00:00:00"),
                event(2, "CLOSE", "22 09:00:00"),
                event(2, "REWORK", "23 09:00:00", unit=""),
                event(3, "VIOLATION", "24 09:00:00", reason_code="late_handling"),
            ],
            day=13,
        )
        between()
        load(where, "callbacks", [callback(2, "22 10:00:00"), callback(2, "26 10:00:00", unit_name="城管局")], day=15)
        between()
        # an earlier case of the same caller arrives last, and a newer row of case 3 moves its close
        load(where, "cases", [plain(7, 来电号码="13899990000", 受理时间="2026-10-13 08:00:00")], day=12)
        load(where, "cases", [case(3, 办结时间="2026-10-21 10:00:00")], day=16)
        between()

    deliver(city, lambda: build(city))
    incremental = facts(city)
    assert query(city, "select count(*) from audit.orphan") == [(0,)]
    build(city, full_refresh=True)
    assert facts(city) == incremental
    at_once = scratch(city.config)
    deliver(at_once, lambda: None)
    build(at_once)
    assert facts(at_once, with_sources=False) == facts(city, with_sources=False)

    # and what the facts say, worked out by hand
    rows = query(
        city,
        "select case_no, unit_code, unit_role, round, void_reason, is_closed_on_time"
        " from mart.fct_timeliness join mart.fct_case using (case_id) order by case_no, dispatched_at, unit_code",
    )
    assert rows == [
        ("1", "U1", "lead", 1, "returned", None),
        ("1", "U2", "lead", 1, None, None),
        ("1", "U1", "support", 1, None, None),
        ("2", "U1", "lead", 1, None, True),  # closed after its limit, inside the extension
        ("2", "U1", "lead", 2, None, None),
        ("3", "U1", "lead", 1, None, False),
        ("5", "U1", "lead", 1, None, None),
    ]
    repeats = query(
        city,
        "select c.case_no, earlier.case_no from mart.fct_case as c join mart.fct_case as earlier"
        " on earlier.case_id = c.repeat_of_case_id order by 1",
    )
    assert repeats == [("6", "7"), ("7", "2")]
    assert query(city, "select round from mart.fct_satisfaction order by called_at") == [(1,), (2,)]


def test_the_limit_is_counted_in_working_days_of_the_city(city):
    """Dispatched Fri 2026-10-09; Sat 10-10 is a make-up workday; the fifth working day ends Thu 10-15 24:00."""
    load(city, "cases", [plain(1), case(2, 办理期限="2026-10-16 12:00")])
    load(
        city, "events", [event(1, "DISPATCH", "09 16:40:00", unit="交通局"), event(1, "CLOSE", "16 09:12:00", "交通局")]
    )
    build(city)
    [rule, ticket] = query(
        city,
        "select (due_at at time zone 'Asia/Shanghai')::text, is_closed_on_time, clock, limit_rule,"
        " working_minutes_to_close from mart.fct_timeliness join mart.fct_case using (case_id) order by case_no",
    )
    assert rule[:3] == ("2026-10-16 00:00:00", False, "working") and rule[3].startswith("linan/")
    # 50 minutes on Friday, five working days of 420, 12 minutes after nine on the 16th
    assert rule[4] == 50 + 5 * 420 + 12
    assert ticket[0] == "2026-10-16 12:00:00" and ticket[3] == "ticket"
    days = query(
        city,
        "select received_on::text, dispatched_on::text, due_on::text, duty.closed_on::text, cases.closed_on::text"
        " from mart.fct_timeliness as duty join mart.fct_case as cases using (case_id) order by case_no",
    )
    assert days[0][1:] == ("2026-10-09", "2026-10-15", "2026-10-16", "2026-10-16"), "24:00 is in the day before"
    assert days[1][2] == "2026-10-16"


def test_a_failed_build_leaves_nothing_and_the_next_takes_its_batches(city, monkeypatch):
    load(city, "cases", [case(1)])
    real = build_module.dbt.run

    def fail(*arguments):
        real(*arguments)
        return DbtRun((NodeResult("unique_fct_case_case_id", "fail", 0.1, None, "Got 1 result"),))

    monkeypatch.setattr(build_module.dbt, "run", fail)
    with pytest.raises(BuildFailed, match="unique_fct_case_case_id"):
        build(city)
    assert query(city, "select count(*) from mart.fct_case") == [(0,)]
    monkeypatch.setattr(build_module.dbt, "run", real)
    assert build(city).taken == 1
    assert query(city, "select status from audit.build order by build_id") == [("failed",), ("succeeded",)]


KILLER = """
import os, signal
from minhu.settings import Settings
from minhu.warehouse import applying, build
real, applied = applying.replace_rows, []
def step(connection, table, *rest, **more):
    if len(applied) > 10 and "fct_case" in applied:
        os.kill(os.getpid(), signal.SIGKILL)
    applied.append(table)
    return real(connection, table, *rest, **more)
applying.replace_rows = step
build.build(Settings.from_env())
"""


def test_a_build_killed_while_it_applies_leaves_nothing_half_way(city):
    load(city, "cases", [case(1)])
    world = {
        **os.environ,
        "MINHU_HOME": str(city.home),
        "MINHU_CONFIG": str(city.config),
        "MINHU_DATABASE_URL": city.database_url,
    }
    killed = subprocess.run(
        [sys.executable, "-c", KILLER], env=world, cwd=PROJECT_ROOT, check=False, capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL
    assert query(city, "select count(*) from mart.fct_case") == [(0,)]
    assert build(city).taken == 1
    assert query(city, "select status, message from audit.build order by build_id") == [
        ("failed", "ended before it finished"),
        ("succeeded", None),
    ]


def test_a_new_alias_resolves_a_unit_and_changes_no_id(city):
    load(city, "cases", [case(1, 办理单位="新名局"), case(2)])
    build(city)
    before = query(city, "select assignment_id, unit_code from mart.fct_timeliness order by unit_code")
    assert [unit for _, unit in before] == ["U1", None]
    (city.config / "units.csv").write_text(UNITS.replace("市城管局", "市城管局;新名局"), encoding="utf-8")
    assert build(city).touched_cases == 1
    after = query(city, "select assignment_id, unit_code from mart.fct_timeliness")
    assert sorted(after) == sorted((id, "U1") for id, _ in before)
    same_anew(city, lambda: facts(city))


def test_a_limit_that_changes_touches_the_cases_of_its_days_and_no_other(city):
    """Dispatched in September, on 12 and on 20 October, by events; that of 12 October passes to a case of the 20th."""
    for number, day in ((1, "2026-09-14"), (2, "2026-10-12"), (3, "2026-10-20")):
        load(city, "cases", [plain(number, 受理时间=f"{day} 08:30:00")])
        told = event(number, "DISPATCH", "12 09:00:00") | {"occurred_at": f"{day} 09:00:00"}
        load(city, "events", [told])
    assert build(city).touched_cases == 3
    scheme = city.config / "schemes" / "linan.yml"
    text = scheme.read_text(encoding="utf-8")
    sign = "  - limit_kind: sign\n    linkage_levels: [1]\n    amount: 2\n"
    assert sign in text
    later = sign.replace("amount: 2", "amount: {amount}\n    valid_{edge}: 2026-10-15")
    rest = "    unit: hour\n    starts: at_once\n    text: 先前的时限\n    example: true\n"
    dated = text.replace(sign, later.format(amount=2, edge="to") + rest + later.format(amount=4, edge="from"))
    scheme.write_text(dated, encoding="utf-8")
    due = "select case_no, to_char(sign_due_at at time zone 'Asia/Shanghai', 'HH24:MI') from mart.fct_timeliness"
    due += " join mart.fct_case using (case_id) order by 1"
    assert query(city, due) == [("1", "11:00"), ("2", "11:00"), ("3", "11:00")]
    moved = build(city).touched_cases
    assert query(city, due) == [("1", "11:00"), ("2", "11:00"), ("3", "13:00")]
    same_anew(city, lambda: facts(city))
    scheme.write_text(dated.replace("amount: 4", "amount: 5"), encoding="utf-8")
    assert build(city).touched_cases == 1, "the numbers of all days but those from the 15th on stay as they were"
    assert query(city, due)[-1] == ("3", "14:00")
    same_anew(city, lambda: facts(city))
    assert moved == 3, "a limit more gives those behind it other names, and the facts say by which they were bound"


def test_what_a_city_says_beside_its_clock_touches_no_case(city):
    load(city, "cases", [case(1), case(2)])
    build(city)
    file = city.config / "city.yml"
    told = yaml.safe_load(file.read_text(encoding="utf-8"))
    file.write_text(yaml.safe_dump(told | {"name": "另一个名字"}, allow_unicode=True), encoding="utf-8")
    assert build(city).touched_cases == 0
    file.write_text(yaml.safe_dump(told | {"morning": ["08:30", "12:00"]}, allow_unicode=True), encoding="utf-8")
    assert build(city).touched_cases == 2, "office hours decide over all of them"
    same_anew(city, lambda: facts(city))


def test_every_column_of_the_mart_is_commented_in_both_languages(city):
    load(city, "cases", [case(1)])
    build(city)
    bare = query(
        city,
        "select relname, attname from pg_class join pg_attribute on attrelid = pg_class.oid"
        " where relnamespace = 'mart'::regnamespace and relname = any(%s) and attnum > 0 and not attisdropped"
        " and coalesce(col_description(pg_class.oid, attnum), '') not like '%% — %%'",
        [*FACTS, "dim_unit", "dim_feed", "dim_category", "dim_area", "dim_date"],
    )
    assert bare == []


def test_another_citys_configuration_is_refused(city, tmp_path, scratch):
    config.sync(city)
    (city.config / "city.yml").write_text(yaml.safe_dump(given.CITY | {"code": "elsewhere"}), encoding="utf-8")
    with pytest.raises(Refused, match=r"testcity.*elsewhere"):
        config.sync(city)


@pytest.mark.long
def test_an_identical_resend_is_staged_and_touches_no_case(city):
    load(city, "cases", [case(1), plain(2)], day=12)
    load(city, "events", [event(2, "DISPATCH", "12 10:00:00")], day=12)
    load(city, "callbacks", [callback(1, "16 10:00:00")], day=12)
    build(city)
    load(city, "cases", [case(1), plain(2), case(3)], day=13)
    load(city, "events", [event(2, "DISPATCH", "12 10:00:00"), event(3, "SIGN", "13 10:00:00")], day=13)
    load(city, "callbacks", [callback(1, "16 10:00:00"), callback(3, "17 10:00:00")], day=13)
    again = build(city)
    assert (again.taken, again.touched_cases) == (3, 1), "only case 3 is new"
    load(city, "cases", [case(1, 办结时间="2026-10-14 10:00:00")], day=14)
    assert build(city).touched_cases == 1
    load(city, "cases", [case(1)], day=15)
    assert build(city).touched_cases == 1, "back to what it was is a change"
    same_anew(city, lambda: facts(city))


def test_a_replay_takes_the_old_batchs_place_and_withdraws_it_whole(city):
    first = load(city, "cases", [plain(1, 分类="0101"), plain(2)], day=1)
    load(city, "cases", [plain(1, 分类="0505")], day=5)
    load(city, "events", [event(1, "DISPATCH", "01 10:00:00")], day=1)
    build(city)
    mapped = {**CASES, "columns": CASES["columns"] | {"case_no": {"from": "工单编号", "map": {"2": "two"}}}}
    feeds = [given.feed(code, deliveries=[mapped, given.EVENTS, given.CALLBACKS]) for code in ("h1", "h2")]
    given.config(city.config, feeds)
    result = replay(city, first)
    assert (result.outcome, result.staged) == ("loaded", 2)
    assert query(city, "select status, superseded_by from audit.batch where batch_id = %s", first) == [
        ("superseded", result.batch_id)
    ]
    query_nothing(city, "update audit.batch set status = 'accepted' where batch_id = %s", result.batch_id)
    build(city)
    assert query(city, "select case_no, category_code from mart.fct_case order by 1") == [
        ("1", "0505"),  # the fifth stays newer than the first, replayed after it
        ("two", "0101"),
    ]
    same_anew(city, lambda: facts(city))
    with pytest.raises(Refused, match="superseded"):
        replay(city, first)


def test_what_a_snapshot_lacks_is_gone_and_a_tombstone_too(city):
    changes = {"mode": "snapshot", "tombstone": {"from": "备注", "one_of": ["已删除"]}, "known_columns": []}
    feeds = [given.feed(code, deliveries=[CASES | changes, given.EVENTS, given.CALLBACKS]) for code in ("h1", "h2")]
    given.config(city.config, feeds)
    load(city, "cases", [case(1), case(2), case(3), case(4)], day=12)
    build(city)
    short = load(city, "cases", [case(1)], day=13, accept=False)
    assert query(city, "select status, reason_code from audit.batch where batch_id = %s", short) == [
        ("held", "SNAPSHOT_SHRANK")
    ]
    load(city, "cases", [case(1), case(2), case(3, 备注="已删除"), case(5)], day=14)
    build(city)
    assert query(city, "select case_no from mart.fct_case order by 1") == [("1",), ("2",), ("5",)]
    assert query(city, "select count(*) from mart.fct_timeliness") == [(3,)]
    same_anew(city, lambda: facts(city))

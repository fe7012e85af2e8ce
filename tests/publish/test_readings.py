"""A published month keeps the readings it was published by, until a revision takes the new ones and says why."""

from datetime import date
from itertools import pairwise

import pytest

from minhu import assess, config, database
from minhu.errors import Refused
from minhu.load import load_file
from minhu.publish import close, diff, publish, render_diff, revise, verify
from minhu.schemes.period import Period
from minhu.warehouse.build import build
from minhu.warehouse.readings import edition_on, merge
from tests.publish import city as world
from tests.publish.city import IN_TIME, LATE, UNWITNESSED, case, login
from tests.scenarios.city import confirm

MONTH = "2026-10"
NEW = "readings:\n  - {valid_from: 2020-01-01, edition: 2}\n"
CASES = [
    *(case(number, "城管局", **IN_TIME) for number in range(1, 5)),
    case(5, "城管局", **LATE),
    *(case(number, "交通局", **IN_TIME) for number in range(11, 15)),
    case(15, "交通局", **LATE),
    case(16, "交通局", 办结时间=""),
]
HANDED_OVER = f"""case_no,event_type,occurred_at,unit_name
{case(16, "")["工单编号"]},REDISPATCH,2026-10-13 09:00:00,城管局
{case(16, "")["工单编号"]},CLOSE,2026-10-14 09:00:00,城管局
"""
"""Taken from 交通局 without a return: late for ever under edition 1, nobody's under edition 2."""


def on_time(city):
    """What 交通局 counts for 按时办结率."""
    return world.rows(
        city,
        "select numerator::int, denominator::int from mart.fct_unit_indicator"
        " where unit_code = 'U2' and indicator_code = 'close_on_time'",
    )[0]


def put_out(city, closing, who):
    world.judge(who, closing)
    return publish(city, MONTH, why=UNWITNESSED)


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    """Published under the readings before; then the city declares the new ones, for all days."""
    city = world.make(scratch, tmp_path_factory.mktemp("readings"), CASES)
    path = city.drop / "h1" / "events.csv"
    path.write_text(HANDED_OVER, encoding="utf-8")
    loaded = load_file("h1", "events", path, world.LAST, settings=city)
    with database.connect(city) as connection:
        connection.execute("update audit.batch set status = 'accepted' where batch_id = %s", [loaded.batch_id])
    build(city)
    gu = login(city, "r_gu", "evaluator")  # who may approve is there before the closing
    put_out(city, close(city, MONTH), gu)
    assert on_time(city) == (4, 6)
    with (city.config / "city.yml").open("a", encoding="utf-8") as file:
        file.write(NEW)
    build(city)
    return city


@pytest.fixture(scope="module")
def gu(city):
    return login(city, "r_gu", "evaluator")


def test_what_is_declared_later_moves_no_published_day(city):
    told = world.rows(city, "select readings from audit.build order by build_id desc limit 1")[0][0]
    assert told == [{"valid_from": "2026-11-01", "edition": 2}]
    assert world.rows(city, "select count(*) from mart.fct_timeliness where end_reason = 'superseded'") == [(0,)]


def test_a_release_of_the_readings_before_is_computed_anew(city):
    assert verify(city, MONTH).is_ok


def test_a_revision_keeps_the_readings_of_its_period(city, gu):
    """One granted appeal moves its unit alone."""
    number = case(5, "")["工单编号"]
    filed = assess.record(
        city, "file_appeal", period=MONTH, unit_code="U1", grounds_code="mis_dispatched", statement="非本单位职责",
        evidence_ref="2026-17", feed_code="h1", case_no=number,
    )  # fmt: skip
    decided = {"decision": "granted", "reason_code": "mis_dispatched", "reason": "依规定"}
    assess.record(login(city, "r_qian", "evaluator"), "decide_appeal", appeal_id=filed, **decided)
    confirm(gu)
    build(city)
    closing = revise(city, MONTH, why="申诉获准")
    moved = diff(city, MONTH, closing.revision)
    assert {one.unit_code for one in moved.indicators} == {"U1"}
    assert not any(one.is_by_reading for one in moved.cases) and "读法变化" not in render_diff(moved)
    put_out(city, closing, gu)
    assert on_time(city) == (4, 6)


def test_new_readings_are_taken_on_purpose_and_told_apart(city, gu):
    with pytest.raises(Refused, match="say why"):
        revise(city, MONTH, why=" ", readings="new")
    closing = revise(city, MONTH, why="按新读法重算", readings="new")
    moved = diff(city, MONTH, closing.revision)
    assert on_time(city) == (4, 5)
    (unit,) = [one for one in moved.indicators if (one.unit_code, one.indicator_code) == ("U2", "close_on_time")]
    assert unit.by_reading == "wholly"
    assert [one.case_no for one in moved.cases if one.is_by_reading and one.unit_code == "U2"]
    told = render_diff(moved)
    assert "读法变化：第 1 版 → 2026-10-01 起第 2 版" in told and "〔读法〕" in told
    taken = world.rows(city, "select period, is_new, why, taken_by from publish.readings_taken")
    assert taken == [(MONTH, True, "按新读法重算", world.rows(city, "select session_user")[0][0])]
    world.judge(gu, closing, "rejected")


@pytest.mark.long
def test_after_a_rejection_the_published_readings_hold_again(city, gu):
    """From the next build on, whatever it is for: duties of October fall due in November."""
    replaced = "select count(*) from mart.fct_timeliness where end_reason = 'superseded'"
    assert world.rows(city, replaced) == [(1,)]
    build(city)
    assert world.rows(city, replaced) == [(0,)]
    closing = revise(city, MONTH, why="申诉获准，读法不变")
    assert on_time(city) == (4, 6)
    put_out(city, closing, gu)
    for revision in (1, 2, closing.revision):
        assert verify(city, MONTH, revision).is_ok, revision


@pytest.mark.long
def test_new_readings_that_nobody_judged_yet_are_taken_back(city):
    revise(city, MONTH, why="按新读法重算", readings="new")
    assert on_time(city) == (4, 5)
    revise(city, MONTH, why="读法不变")
    assert on_time(city) == (4, 6)
    taken = world.rows(city, "select is_new from publish.readings_taken order by taken_id")
    assert taken == [(True,), (True,), (False,)]


def test_what_was_decided_about_readings_is_append_only(city):
    with database.connect(city) as connection, pytest.raises(Exception, match="append-only"):
        connection.execute("delete from publish.readings_taken")


# The days of several releases

A, B = date(2026, 9, 1), date(2026, 10, 1)
DAYS = ["2026-08-31", "2026-09-01", "2026-09-30", "2026-10-01", "2026-10-31", "2026-11-01"]


def release(period, *spans):
    return Period.parse(period), list(spans)


@pytest.mark.parametrize(
    ("releases", "fresh", "editions"),
    [
        pytest.param([], [], [2, 2, 2, 2, 2, 2], id="nothing is published"),
        pytest.param([release("2026-09")], [], [1, 1, 1, 2, 2, 2], id="a month, and all before it"),
        pytest.param([release("2026-09"), release("2026-10", (B, 2))], [], [1, 1, 1, 2, 2, 2], id="two months"),
        pytest.param([release("2026-09")], ["2026-09"], [1, 2, 2, 2, 2, 2], id="taken anew"),
        pytest.param(
            [release("2026-09"), release("2026-10", (B, 1)), release("2026-09", (A, 2), (B, 1))],
            [],
            [1, 2, 2, 1, 1, 2],
            id="published with the new readings: the month after keeps its own",
        ),
    ],
)
def test_every_day_has_the_readings_of_the_newest_release_that_reaches_to_it(releases, fresh, editions):
    merged = merge([(date(2020, 1, 1), 2)], releases, [Period.parse(period) for period in fresh])
    assert [edition_on(merged, date.fromisoformat(day)) for day in DAYS] == editions
    assert all(one[1] != other[1] for one, other in pairwise(merged))


def test_a_new_reading_is_a_version_of_the_configuration(city):
    assert config.sync(city) == world.rows(city, "select max(config_version) from config.version")[0][0]

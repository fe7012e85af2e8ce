"""The board of the city: seven days against those before, by an independent count of the facts."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from minhu.warehouse.board import board
from tests import given
from tests.publish import city as world

LAST = date(2026, 10, 31)


def row(number: int, unit: str, day: int, **how: str) -> dict:
    """A case received and dispatched in the morning of a day of October."""
    when = {"受理时间": f"2026-10-{day:02} 08:30:00", "转办时间": f"2026-10-{day:02} 09:00:00"}
    return {"工单编号": f"33010020261{day:02}{number:05}", "办理单位": unit, "办理期限": "", **when, **how}


ROWS = [
    *(row(n, "城管局", 27, 办结时间="2026-10-28 10:00:00") for n in range(1, 6)),  # closed in time
    row(6, "城管局", 26, 办结时间="2026-10-28 10:00:00"),
    row(7, "交通局", 14),  # overdue and open
    row(8, "交通局", 19, 办结时间="2026-10-31 10:00:00"),  # late
    *(row(n, "交通局", 20) for n in range(10, 13)),  # overdue: five working days end on the 27th
    row(13, "交通局", 31),
]


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    return world.make(scratch, tmp_path_factory.mktemp("board"), rows=ROWS, day=LAST)


def counted(city, condition: str, *given_: object) -> int:
    return world.rows(city, f"select count(*) from mart.fct_case where {condition}", *given_)[0][0]


def test_the_week_and_the_day_are_those_of_the_facts(city):
    found = board(city)
    assert found.reaches_on == LAST
    first = LAST - timedelta(days=6)
    assert found.week.intake == counted(city, "received_at::date >= %s", first) == 7
    assert found.day.intake == counted(city, "received_at::date = %s", LAST) == 1
    assert found.week.closed == counted(city, "closed_at::date >= %s", first) == 7
    open_ = "select count(*), count(*) filter (where due_in_force_at <= '2026-11-01') from mart.fct_timeliness"
    assert [(found.day.open, found.day.overdue)] == world.rows(city, f"{open_} where closed_at is null")
    assert found.week.on_time_pct == Decimal("85.71")  # 6 of 7
    assert found.week.satisfied_pct is None, "nobody was called back"


def test_it_is_compared_with_what_the_data_reach(city):
    found = board(city)
    assert found.before.intake == counted(city, "received_at::date between '2026-10-18' and '2026-10-24'") == 4
    assert found.year_ago is None


def test_the_most_overdue_units_come_first(city):
    [first] = board(city).backlogs
    assert (first.unit_name, first.overdue, first.open) == ("交通局", 4, 5)


def test_of_one_unit_it_counts_its_duties_alone(city):
    found = board(city, "U1")
    assert (found.week.intake, found.day.open, found.day.overdue) == (6, 0, 0)
    assert (found.hot, found.backlogs) == ((), ())
    assert board(city, "U9") is None


def test_of_a_city_without_a_build_there_is_none(scratch, tmp_path):
    assert board(scratch(given.config(tmp_path, [given.feed("h1")]))) is None

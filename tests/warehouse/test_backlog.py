"""What was open and overdue at each day's end, against the same said in Python; and how far the data reach."""

from datetime import date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from psycopg.types.json import Jsonb

from minhu import database
from tests.publish import city as world
from tests.publish.city import LAST, case, deliver, login, rows
from tests.scoring.city import City

ZONE = ZoneInfo("Asia/Shanghai")
FIRST, DAYS = date(2026, 10, 1), 40
REACHES = 30
"""Days of the 40 that the data reach over."""


def start_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZONE)


def moment(chance: Random, after: datetime) -> datetime:
    """Some time later; midnight, where a day ends, more often than by chance."""
    found = after + timedelta(minutes=chance.randrange(1, 12 * 1440))
    return start_of(found.date()) if chance.random() < 0.2 and start_of(found.date()) > after else found


def duty(chance: Random) -> dict:
    dispatched = start_of(FIRST) + timedelta(minutes=10 * chance.randrange(144 * DAYS))
    ended = chance.choice([None, moment(chance, dispatched), moment(chance, dispatched)])
    is_unknown = chance.random() < 0.1
    due = None if is_unknown or chance.random() < 0.1 else moment(chance, dispatched)
    kept = due and chance.choice([None, due])
    return {
        "dispatched_at": dispatched,
        "ended_at": ended,
        "due_in_force_at": due,
        "closed_in_time_at": kept,
        "is_limit_unknown": is_unknown,
    }


def open_at(duties: dict[str, dict]) -> dict[tuple[date, str], bool | None]:
    """By day and duty whether it was overdue, of those open at the day's end."""
    found = {}
    for day in (FIRST + timedelta(days=number) for number in range(REACHES)):
        end = start_of(day + timedelta(days=1))
        for key, one in duties.items():
            if one["dispatched_at"] < end and (one["ended_at"] is None or one["ended_at"] > end):
                due = one["due_in_force_at"]
                is_overdue = due is not None and due <= end and one["closed_in_time_at"] is None
                found[day, key] = None if one["is_limit_unknown"] else is_overdue
    return found


@pytest.mark.parametrize("seed", range(3))
def test_what_was_open_at_each_days_end(scratch, seed):
    chance, settings = Random(seed), scratch()
    duties = {}
    with City(settings, data_end=str(FIRST + timedelta(days=REACHES - 1))) as city:
        delivery = Jsonb({"kind": "case"})
        city.insert("config.entry", kind="delivery", key="h12345/cases", data=delivery, since_version=1)
        for number in range(DAYS):
            day = FIRST + timedelta(days=number)
            told = {"is_workday": True, "is_makeup_workday": False, "workday_no": number, "calendar_status": "official"}
            city.insert("mart.dim_date", date_on=day, **told)
        for _ in range(150):
            key, told = city.assignment("U1"), duty(chance)
            places = ", ".join(f"{name} = %({name})s" for name in told)
            city.run(f"update mart.fct_timeliness set {places} where assignment_id = %(key)s", told | {"key": key})
            duties[key] = told
    found = rows(settings, "select day_on, assignment_id, is_overdue from mart.fct_backlog_day")
    wanted = open_at(duties)
    assert {(day, key): is_overdue for day, key, is_overdue in found} == wanted and len(found) == len(wanted) > 500
    assert {*wanted.values()} == {True, False, None}


def test_one_day_is_found_by_an_index_in_a_long_history(scratch):
    """Of 100,000 duties that ended, those of a recent day are looked up."""
    settings = scratch()
    with City(settings) as city:
        city.insert("config.entry", kind="delivery", key="h12345/cases", data=Jsonb({"kind": "case"}), since_version=1)
        day = {"is_workday": True, "is_makeup_workday": False, "workday_no": 1, "calendar_status": "official"}
        city.insert("mart.dim_date", date_on="2026-10-30", **day)
        city.assignment("U1", dispatched="10-29 09:00")
        key = city.assignment("U1")
        names = "case_id, unit_code, unit_role, round, clock, is_calendar_provisional, return_request_count,"
        names += " return_deny_count, extension_count, dispatch_batch_id, dispatch_row_number"
        city.run(
            f"insert into mart.fct_timeliness (assignment_id, dispatched_at, ended_at, {names})"
            f" select 'x' || n, '2026-01-01', '2026-01-05', {names} from mart.fct_timeliness,"
            f" generate_series(1, 100000) as n where assignment_id = '{key}'"
        )
    with database.connect(settings) as connection:
        connection.execute("analyze")
        plan = "\n".join(
            line
            for (line,) in connection.execute(
                "explain select count(*) from mart.fct_backlog_day where day_on = '2026-10-30'"
            )
        )
    assert "fct_timeliness_ended" in plan and "Seq Scan on fct_timeliness" not in plan, plan


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    """Cases until the end of October; events and callbacks are declared, and none came."""
    return world.make(scratch, tmp_path_factory.mktemp("fresh"))


def test_a_feed_is_as_fresh_as_what_came_and_was_built(city):
    columns = "fact, reaches_on, waiting_batches, waiting_from_on"
    asked = f"select {columns} from mart.freshness where feed_code = 'h1' order by 1"
    never = [(fact, None, 0, None) for fact in ("fct_event", "fct_satisfaction", "fct_timeliness", "fct_violation")]
    assert rows(city, asked) == [("fct_case", LAST, 0, None), *never]
    later = LAST + timedelta(days=1)
    deliver(city, [case(9, "城管局")], day=later)
    assert rows(city, asked)[0] == ("fct_case", LAST, 1, later)
    with database.connect(city) as connection:
        connection.execute("delete from config.entry where kind = 'delivery' and key <> 'h1/cases'")
    assert [(fact, day) for fact, day, *_ in rows(city, asked)] == [
        (fact, LAST) for fact in ("fct_case", "fct_event", "fct_timeliness")
    ]


def test_a_unit_sees_its_own_backlog(city):
    unit = login(city, "b_unit", "unit", unit="U1")
    asked = "select distinct unit_code from mart.fct_backlog_day where day_on = '2026-10-12' order by 1"
    assert rows(unit, asked) == [("U1",)] and rows(city, asked) == [("U1",), ("U2",)]

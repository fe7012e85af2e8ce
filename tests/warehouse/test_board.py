"""`agg_day` and `agg_week` against the facts counted in Python, after builds that change what lies behind and ahead."""

from collections import Counter, defaultdict
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from minhu import database
from minhu.warehouse.aggregate import GRAINS, Counts
from minhu.warehouse.board import Backlog, Hot, of_backlogs, of_weeks
from tests.publish import city as world
from tests.publish.city import login, rows
from tests.scoring.city import City

ZONE = ZoneInfo("Asia/Shanghai")
FIRST, DAYS = date(2026, 9, 28), 40
DIMENSIONS = ("feed_code", "unit_code", "unit_key", "category_code", "area_code", "request_type")
FLOWS = "intake repeats dispatched closed closed_on_time returned reworked called_back rated satisfied".split()
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


def local(moment: datetime) -> date:
    return moment.astimezone(ZONE).date()


def start_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZONE)


# -- the same counts, the slow way -------------------------------------------------------------------------------------


def counted(facts: dict[str, list[dict]], days: list[date]) -> dict[tuple, Counter]:
    """By (grain, *members, day) what is counted; what was open and overdue only on ``days``."""
    cases = {case["case_id"]: case for case in facts["fct_case"]}
    tops = {category["category_code"]: category["level_1_code"] for category in facts["dim_category"]}
    told: dict[tuple, Counter] = defaultdict(Counter)

    def add(day: date, of: dict, unit: dict, by_unit: bool | None = None, **counts: int) -> None:
        category = of["category_code"]
        for grain, members in GRAINS.items():
            values = {name: (unit if name.startswith("unit") else of).get(name) for name in DIMENSIONS}
            if "level_1_code" in members:
                values["category_code"], members = tops.get(category, category), (*members, "category_code")
            if by_unit is None or by_unit == ("unit_key" in members):
                told[(grain, *(values[name] if name in members else None for name in DIMENSIONS), day)].update(counts)

    for case in cases.values():
        is_repeat = int(case["repeat_of_case_id"] is not None)
        add(local(case["received_at"]), case, {}, by_unit=False, intake=1, repeats=is_repeat)
    for duty in facts["fct_timeliness"]:
        if duty["unit_role"] != "lead":
            continue
        case = cases[duty["case_id"]]
        add(local(duty["dispatched_at"]), case, duty, dispatched=1)
        if duty["round"] == 1:
            is_repeat = int(case["repeat_of_case_id"] is not None)
            add(local(duty["dispatched_at"]), case, duty, by_unit=True, intake=1, repeats=is_repeat)
        if duty["closed_at"]:
            add(local(duty["closed_at"]), case, duty, closed=1, closed_on_time=int(bool(duty["is_closed_on_time"])))
        if duty["end_reason"] == "returned":
            add(local(duty["ended_at"]), case, duty, returned=1)
        if duty["reworked_at"]:
            add(local(duty["reworked_at"]), case, duty, reworked=1)
        for day in days:
            end = start_of(day + DAY)
            if duty["dispatched_at"] < end and (duty["ended_at"] is None or duty["ended_at"] > end):
                due = duty["due_in_force_at"]
                late = due is not None and due <= end and not duty["closed_in_time_at"] and not duty["is_limit_unknown"]
                add(day, case, duty, open=1, overdue=int(late))
    for call in facts["fct_satisfaction"]:
        rated = int(call["satisfaction_level"] is not None)
        good = int(call["satisfaction_code"] in ("very_satisfied", "satisfied", "basically_satisfied"))
        add(local(call["called_at"]), cases[call["case_id"]], call, called_back=1, rated=rated, satisfied=good)
    return {cell: counts for cell, counts in told.items() if any(counts.values())}


def weekly(daily: dict[tuple, Counter], reach: date) -> dict[tuple, Counter]:
    weeks: dict[tuple, Counter] = defaultdict(Counter)
    for (*cell, day), counts in daily.items():
        monday = day - day.weekday() * DAY
        is_last = day == min(monday + 6 * DAY, reach)
        weeks[(*cell, monday)].update({name: n for name, n in counts.items() if name in FLOWS or is_last})
    return {cell: counts for cell, counts in weeks.items() if any(counts.values())}


def agree(settings, reach: date) -> dict[tuple, Counter]:
    """Raises where mart counts otherwise than the facts do; returns what it counts by day."""
    with database.connect(settings, rows=dict_row) as connection:
        facts = {
            table: connection.execute(f"select * from mart.{table}").fetchall()
            for table in ("fct_case", "fct_timeliness", "fct_satisfaction", "dim_category")
        }
        days = connection.execute("select date_on from mart.dim_date where date_on <= %s", [reach]).fetchall()
        daily = counted(facts, [day["date_on"] for day in days])
        for table, day_of, wanted in (("agg_day", "day_on", daily), ("agg_week", "week_on", weekly(daily, reach))):
            told = connection.execute(f"select * from mart.{table}").fetchall()
            found, names = {}, (*FLOWS, "open", "overdue")
            for row in told:
                assert (row["open"] is None) == (row[day_of] > reach), row
                counts = Counter({name: row[name] for name in names if row[name]})
                if counts:
                    found[(row["grain"], *(row[name] for name in DIMENSIONS), row[day_of])] = counts
            assert found == {cell: +counts for cell, counts in wanted.items()}, table
    return daily


# -- a city of chance --------------------------------------------------------------------------------------------------


def moment(chance: Random, after: datetime) -> datetime:
    """Some time later; midnight, where a day ends, more often than by chance."""
    found = after + timedelta(minutes=chance.randrange(0, 12 * 1440))
    return start_of(found.date()) if chance.random() < 0.2 and start_of(found.date()) >= after else found


def duty(chance: Random) -> dict:
    dispatched = moment(chance, start_of(FIRST) + timedelta(days=chance.randrange(DAYS)))
    ended = chance.choice([None, moment(chance, dispatched), moment(chance, dispatched), dispatched])
    closed = ended and chance.choice([None, ended])
    is_unknown = chance.random() < 0.1
    due = None if is_unknown or chance.random() < 0.1 else moment(chance, dispatched)
    kept = due and chance.choice([None, None, due])
    return {
        "dispatched_at": dispatched,
        "ended_at": ended,
        "closed_at": closed,
        "end_reason": None if ended is None else "closed" if closed else chance.choice(["returned", "merged"]),
        "due_in_force_at": due,
        "closed_in_time_at": kept,
        "is_closed_on_time": chance.choice([True, False, None]),
        "is_limit_unknown": is_unknown,
        "reworked_at": chance.choice([None, None, moment(chance, dispatched)]),
        "unit_code": chance.choice(["U1", "U2", None]),
        "unit_key": chance.choice(["U1@2020-01-01", "U1@2026-10-01", None]),
        "unit_role": chance.choice(["lead"] * 4 + ["support"]),
        "round": chance.choice([1, 1, 2]),
    }


def case(chance: Random, number: int) -> dict:
    return {
        "received_at": moment(chance, start_of(FIRST)),
        "feed_code": chance.choice(["h1", "h2"]),
        "category_code": chance.choice(["01", "0101", "02", "none", None]),
        "area_code": chance.choice(["330102", "330103", None]),
        "request_type": chance.choice(["complaint", "help", None]),
        "repeat_of_case_id": chance.choice([None, None, "ka0001"]),
    }


def change(city: City, chance: Random, key: str) -> None:
    for table, told, named in (
        ("fct_timeliness", duty(chance), "assignment_id"),
        ("fct_case", case(chance, 0), "case_id"),
    ):
        places = ", ".join(f"{name} = %({name})s" for name in told)
        which = key if named == "assignment_id" else f"k{key}"
        city.run(f"update mart.{table} set {places} where {named} = %(key)s", told | {"key": which})


def reach(city: City, day: date) -> None:
    """The data of the next build reach so far."""
    city.run("update audit.batch set business_date = %(day)s", {"day": day})
    city.run("insert into audit.build (config_version, code_version, status) values (1, 'test', 'running')")


@contextmanager
def build(city: City, touched: list[str], *, anew: bool = False):
    """What a build does around the facts of these cases, which are in ``mart`` and as built at the end of the block."""
    city.run("truncate build.touched_case")
    keys = [f"k{key}" for key in touched]
    for key in touched:
        city.insert("build.touched_case", case_id=f"k{key}", feed_code="h1", case_no=key, is_rebuilt=True)
    [number] = database.one(city.connection, "select max(build_id) from audit.build")
    counts = Counts(city.connection, anew=anew)
    counts.before()
    yield
    for fact in ("fct_case", "fct_timeliness", "fct_satisfaction"):
        city.run(f"drop table if exists build.{fact}")
        city.run(f"create table build.{fact} as select * from mart.{fact} where case_id = any(%(of)s)", {"of": keys})
    counts.after(number)


def done(city: City) -> None:
    city.run("update audit.build set status = 'succeeded'")


@pytest.mark.parametrize("seed", range(4))
def test_counts_follow_the_facts(scratch, seed):
    chance, settings = Random(seed), scratch()
    reaches = FIRST + timedelta(days=20)
    with City(settings, data_end=str(reaches)) as city:
        city.insert("config.entry", kind="delivery", key="h12345/cases", data=Jsonb({"kind": "case"}), since_version=1)
        for number in range(1, DAYS):  # the calendar begins after the first cases
            told = {"is_workday": True, "is_makeup_workday": False, "workday_no": number, "calendar_status": "official"}
            city.insert("mart.dim_date", date_on=FIRST + number * DAY, **told)
        for code in ("01", "0101", "02"):
            told = {"category_level": len(code) // 2, "level_1_code": code[:2], "level_1_name": code[:2]}
            city.insert("mart.dim_category", category_code=code, category_name=code, **told)
        reach(city, reaches)
        with build(city, []):
            keys = [city.assignment("U1") for _ in range(80)]
            for key in keys:
                change(city, chance, key)
                if chance.random() < 0.4:
                    called = (FIRST + chance.randrange(DAYS) * DAY).strftime("%m-%d 10:00")
                    answer = chance.choice(["satisfied", "neutral", "unrated", None])
                    city.callback("U1", key, "resolved", answer, called=called)
            done(city)
    seen = [len(agree(settings, reaches))]
    for more in (0, 1, 0, 9, -4, 4, 0):
        reaches += more * DAY
        touched = chance.sample(keys, 15)
        with City.__new__(City) as city:
            city.connection, city.rows = database.connect(settings), 1000
            reach(city, reaches)
            with build(city, touched):
                for key in touched[:10]:
                    change(city, chance, key)
                for key in touched[10:12]:
                    city.run("delete from mart.fct_satisfaction where assignment_id = %(key)s", {"key": key})
                    city.run("delete from mart.fct_timeliness where assignment_id = %(key)s", {"key": key})
                if len(seen) == 7:  # a category comes under another, and no case of it is touched
                    city.run("update mart.dim_category set level_1_code = '02' where category_code = '0101'")
                done(city)
            keys = [key for key in keys if key not in touched[10:12]]
        seen.append(len(agree(settings, reaches)))
    assert min(seen) > 500


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    return world.make(scratch, tmp_path_factory.mktemp("board"))


def test_a_build_counts_what_it_applies(city):
    daily = agree(city, world.LAST)
    assert sum(n["intake"] for (grain, *_), n in daily.items() if grain == "city") == len(world.FIRST)


def test_a_unit_reads_what_is_counted_of_itself(city):
    unit = login(city, "b_own", "unit", unit="U1")
    for table in ("agg_day", "agg_week"):
        asked = f"select distinct grain, unit_code from mart.{table} order by 1"
        assert rows(unit, asked) == [("unit", "U1"), ("unit_category", "U1")]
        assert len(rows(login(city, "b_board", "bi"), f"select distinct grain from mart.{table}")) == len(GRAINS)


def test_cells_of_few_cases_are_withheld_and_with_one_the_next():
    hot = [Hot("A", "甲", 40, 30), Hot("B", "乙", 12, 3), Hot("C", "丙", 9, 9), Hot("D", "丁", 0, 0)]
    assert [(one.intake, one.before) for one in of_weeks(hot)] == [(40, 30), (12, None), (9, None), (0, 0)]
    counted = {"U1": (50, 20), "U2": (97, 95), "U3": (9, 9), "U4": (7, 0)}
    late = [Backlog(code, code, *counts) for code, counts in counted.items()]
    told = [(one.open, one.overdue) for one in of_backlogs(late)]
    assert told == [(50, 20), (97, None), (9, 9), (7, None)], "what is left of 97 tells of two"
    few = [Backlog("U5", "U5", 4, 0), *late[:1]]
    assert [(one.open, one.overdue) for one in of_backlogs(few)] == [(None, None), (None, None)]
    assert of_backlogs(late[::2]) == tuple(late[::2]) and of_weeks([]) == ()

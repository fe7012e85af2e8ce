"""Whatever the register learns of a unit's name, and whenever: the facts are as if it had always known."""

from collections import defaultdict
from datetime import date

import pytest

from minhu import database
from minhu.load import load_file
from minhu.warehouse.build import build
from minhu.warehouse.unresolved import unresolved
from tests import given

HEAD = "unit_code,unit_name,unit_kind,linkage_level,peer_group,aliases,valid_from,valid_to\n"
SUCCESSIONS = "old_unit_code,new_unit_code,succession_kind,effective_on\n"
TABLES = ("mart.fct_case", "mart.fct_timeliness", "mart.fct_satisfaction", "mart.fct_violation")
EVIDENCE = ("audit.lifecycle_anomaly", "audit.event_version", "mart.dim_unit_name")
TODAY = {
    "A": "A,工商局,department,2,g,,2020-01-01,",
    "B": "B,质监局,department,2,g,河道办,2020-01-01,",
    "W": "W,水务局,department,2,g,,2020-01-01,",
}
MERGED = "A,C,merged,2026-10-15\nB,C,merged,2026-10-15\n"
STEPS = {
    "an alias is added, another moves, a unit is renamed": (
        {
            "A": "A,工商局,department,2,g,老工商,2020-01-01,",
            "B": "B,质监局,department,2,g,河道办@..2026-10-15,2020-01-01,",
            "W": "W,水务局,department,2,g,,2020-01-01,2026-10-14\n"
            "W,水利局,department,2,g,河道办@2026-10-15..,2026-10-14,",
        },
        "",
    ),
    "a unit ends": (
        {
            "A": "A,工商局,department,2,g,老工商,2020-01-01,2026-10-15",
            "C": "C,市场监管局,department,1,g,,2026-10-15,",
        },
        "",
    ),
    "it is known later who took over, and that another went in": (
        {"B": "B,质监局,department,2,g,,2020-01-01,2026-10-15"},
        MERGED,
    ),
    "the merged unit is split": (
        {
            "C": "C,市场监管局,department,1,g,,2026-10-15,2026-10-20",
            "D": "D,食药局,department,2,g,,2026-10-20,",
            "E": "E,商务局,department,2,g,,2026-10-20,",
        },
        f"{MERGED}C,D,split,2026-10-20\nC,E,split,2026-10-20\n",
    ),
}
NAMES = ("工商局", "老工商", "质监局", "河道办", "水务局", "水利局", "市场监管局", "食药局", "商务局", "C", "无名局")
MOMENTS = ("12 09:00", "14 23:59", "15 00:00", "21 09:00", "26 09:00")


@pytest.fixture
def city(scratch, tmp_path):
    """A case for every name and day of dispatch; each is signed, closed, found at fault and asked about by another.

    The last name's cases know no other: what the register learns never touches them.
    """
    plain = given.CASES | {"milestones": []}
    declared = given.feed(deliveries=[plain, given.EVENTS, given.CALLBACKS])
    settings = scratch(given.config(tmp_path / "config", [declared], units=HEAD, unit_succession=SUCCESSIONS))
    register(settings, TODAY, "")
    cases, events, callbacks = [], [], []
    for at, (name, moment) in enumerate((name, moment) for name in NAMES for moment in MOMENTS):
        number, place = str(at), at // len(MOMENTS)
        others = [NAMES[(place + step * (1 + at % 5)) % 10] if name != NAMES[-1] else name for step in (1, 2, 3, 4)]
        told = [("DISPATCH", moment, name), ("SIGN", "16 10:00", others[0]), ("REWORK", "23 10:00", "")]
        told += [("VIOLATION", "24 10:00", others[1]), ("CLOSE", "26 10:00", others[2])]
        cases.append({"工单编号": number, "来电号码": f"138{at:08}"})
        events += [
            {"case_no": number, "event_type": kind, "occurred_at": f"2026-10-{day}", "unit_name": unit}
            for kind, day, unit in told
        ]
        callbacks.append({"case_no": number, "called_at": "2026-10-27 10:00", "unit_name": others[3]})
    for delivery, path in (
        ("cases", given.case_file(tmp_path / "c.csv", cases)),
        ("events", given.csv_file(tmp_path / "e.csv", events)),
        ("callbacks", given.csv_file(tmp_path / "b.csv", callbacks)),
    ):
        load_file("h1", delivery, path, date(2026, 10, 12), settings=settings)
    with database.connect(settings) as connection:
        connection.execute("update audit.batch set status = 'accepted'")
    return settings


def register(settings, units, successions):
    (settings.config / "units.csv").write_text(HEAD + "\n".join(units.values()) + "\n", encoding="utf-8")
    (settings.config / "unit_succession.csv").write_text(SUCCESSIONS + successions, encoding="utf-8")


def facts(settings):
    with database.connect(settings) as connection:
        return {
            table: [text for (text,) in connection.execute(f"select t::text from {table} as t order by 1")]
            for table in (*TABLES, *EVIDENCE)
        }


DAY = "at time zone 'Asia/Shanghai')::date"
KEYED = f"""
select 'duty', assignment_id, unit_code, unit_key, (dispatched_at {DAY} from mart.fct_timeliness
union all
select 'callback', callback_id, told.unit_code, told.unit_key, (coalesce(dispatched_at, called_at) {DAY}
from mart.fct_satisfaction as told left join mart.fct_timeliness using (assignment_id)
union all
select 'violation', violation_id, told.unit_code, told.unit_key, (coalesce(dispatched_at, found_at) {DAY}
from mart.fct_violation as told left join mart.fct_timeliness using (assignment_id)
"""
"""Of every fact that names a unit: which, and the day by which it is known."""


def keyed(settings):
    with database.connect(settings) as connection:
        return {(kind, key): told for kind, key, _, told, _ in connection.execute(KEYED)}


def reckoned(settings):
    """The version of the unit that had begun by the day, else its first one; nothing where the unit is not known."""
    with database.connect(settings) as connection:
        versions = connection.execute("select unit_code, valid_from, unit_key from mart.dim_unit order by valid_from")
        of_unit = defaultdict(list)
        for code, valid_from, key in versions:
            of_unit[code].append((valid_from, key))
        found = {}
        for kind, key, code, _, day in connection.execute(KEYED):
            begun = [held for valid_from, held in of_unit.get(code, ()) if valid_from <= day]
            found[kind, key] = (begun[-1:] or [held for _, held in of_unit.get(code, ())][:1] or [None])[0]
        return found


def test_every_fact_carries_the_unit_as_it_was_and_joins_it_without_a_date(city):
    units = TODAY | {
        "A": "A,工商局,department,2,g,,2020-01-01,2026-10-15",
        "W": "W,水务局,department,2,g,,2026-10-14,2026-10-20\nW,水利局,department,1,g,水务局@2026-10-20..,2026-10-20,",
    }
    register(city, units, "")
    build(city)
    told = keyed(city)
    assert told == reckoned(city) and len(set(told.values())) > 4
    with database.connect(city) as connection:
        for table in ("fct_timeliness", "fct_satisfaction", "fct_violation"):
            query = f"select count(unit_code), count(dim_unit.unit_key) from mart.{table} as fact"
            named, joined = database.one(
                connection,
                f"{query.replace('(unit_code)', '(fact.unit_code)')} left join mart.dim_unit using (unit_key)",
            )
            assert named == joined > 0, table


def test_the_migration_gives_the_facts_that_stand_the_keys_that_a_build_gives(city):
    build(city)
    told = keyed(city)
    (migration,) = database.MIGRATIONS.glob("252_*.sql")
    _, _, fills = migration.read_text(encoding="utf-8").partition("create temporary table held_unit")
    with database.connect(city) as connection:
        for table in ("fct_timeliness", "fct_satisfaction", "fct_violation"):
            connection.execute(f"update mart.{table} set unit_key = null")
        connection.execute(f"create temporary table held_unit{fills}")
    assert keyed(city) == told and len(set(told.values())) > 3


@pytest.mark.long
def test_after_every_change_of_the_register_incremental_equals_full_refresh(city):
    build(city)
    units, told = dict(TODAY), [facts(city)]
    for step, (changed, successions) in STEPS.items():
        units |= changed
        register(city, units, successions)
        assert 0 < build(city).touched_cases < len(NAMES) * len(MOMENTS), step
        incremental = facts(city)
        build(city, full_refresh=True)
        assert facts(city) == incremental, step
        assert incremental["mart.fct_timeliness"] != told[-1]["mart.fct_timeliness"], step
        assert keyed(city) == reckoned(city), step
        told.append(incremental)
    assert all(told[-1][table] for table in TABLES)


def test_a_name_that_leads_nowhere_says_why_and_who_may_be_meant(city):
    units = TODAY | {
        "A": "A,工商局,department,2,g,,2020-01-01,2026-10-15",
        "B": "B,质监局,department,2,g,,2020-01-01,2026-10-15",
        "D": "D,食药局,department,2,g,,2026-10-15,",
        "E": "E,商务局,department,2,g,,2026-10-15,",
        "F": "F,水利局,department,2,g,,2026-10-20,",
    }
    register(city, units, "A,D,split,2026-10-15\nA,E,split,2026-10-15\n")
    build(city)
    found = {(row["name"], row["reason"]): row for row in unresolved(city)["units"]}
    assert {key: row["candidates"] for key, row in found.items()} == {
        ("工商局", "ended_split"): ["D", "E"],
        ("质监局", "ended"): [],
        ("水利局", "not_yet_valid"): ["F"],
        ("老工商", "unknown"): [],
        ("河道办", "unknown"): [],
        ("市场监管局", "unknown"): [],
        ("C", "unknown"): [],
        ("无名局", "unknown"): [],
    }
    assert found["工商局", "ended_split"]["first_seen_at"] == "2026-10-15T00:00:00+08:00"
    assert found["水利局", "not_yet_valid"]["last_seen_at"] == "2026-10-15T00:00:00+08:00"
    assert found["工商局", "ended_split"]["nearest"] == [] and found["老工商", "unknown"]["nearest"] == ["工商局"]

    register(
        city,
        units | {"D": "D,食药局,department,2,g,工商局@2026-10-15..,2026-10-15,"},
        "A,D,split,2026-10-15\nA,E,split,2026-10-15\n",
    )
    build(city)
    assert "工商局" not in {row["name"] for row in unresolved(city)["units"]}

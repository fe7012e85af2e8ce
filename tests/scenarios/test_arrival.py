"""In whatever order and batches events arrive, and however often is built between, the facts are the same.

dbt takes seconds to start, so an example is not one case but a city of them: it is built at once and in parts.
"""

import random
from collections import defaultdict
from datetime import datetime, timedelta

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from minhu import database
from minhu.feeds.canonical import EVENT_TYPES
from minhu.warehouse.build import build
from tests.given import csv_file
from tests.scenarios import city as world

FIRST = datetime(2026, 10, 12, 9)
UNITS = ["城管局", "市城管局", "交通局", "住建局", "无名局", ""] * 2
UNITS += ["河道办", "水利中心", "招商局", "投资促进局", "工商局", "市场监管局", "园林文物局", "园林局", "文物局"]
COMMON = ["DISPATCH", "REDISPATCH", "ADD_UNIT", "REWORK", "SIGN", "CLOSE", "RETURN_GRANT", "REVIEW_BACK"]
CASES = 60
TABLES = {
    "mart": ("fct_case", "fct_timeliness", "fct_satisfaction", "fct_violation", "fct_event", "agg_day", "agg_week"),
    "audit": ("lifecycle_anomaly", "event_version"),
}


def moment(chance):
    """Steps of ten minutes make ties common, and times within the tolerance of each other."""
    tens = chance.choice([chance.randrange(40), chance.randrange(900)])
    return FIRST + timedelta(minutes=10 * tens, seconds=chance.choice([0, 0, 0, 30]))


def event(chance):
    return {
        "feed": chance.choice(["h12345", "h12345", "resp_units"]),
        "event_type": chance.choice(COMMON * 4 + EVENT_TYPES),
        "at": moment(chance),
        "unit_name": chance.choice(UNITS),
        "unit_role": chance.choice(["", "", "lead", "support"]),
        "due_at": chance.choice(["", moment(chance)]),
        "is_numbered": chance.random() < 0.5,
        "corrected_to": chance.choice([None, None, moment(chance)]),
    }


def case(chance, number):
    return {
        "events": [event(chance) for _ in range(chance.randrange(2, 15))],
        "callbacks": {moment(chance) for _ in range(chance.randrange(3))},
        "upstream": chance.randrange(10) if number > 9 and chance.random() < 0.3 else "",
        "merged_into": chance.randrange(CASES + 5),
    }


def rows_of(chance):
    """What the senders deliver: (feed, delivery, day, row). A correction comes two days after what it corrects,
    and may be taken back two days later by the first version, sent again."""
    rows = []
    for number in range(CASES):
        drawn = case(chance, number)
        upstream = drawn["upstream"]
        rows.append(
            (
                "h12345",
                "cases",
                1,
                {
                    "工单编号": number,
                    "受理时间": FIRST,
                    "上游热线": "h12345" if upstream != "" else "",
                    "上游编号": upstream,
                },
            )
        )
        told = set()  # an event without a number is known by what it says: no sender says it twice
        for place, told_event in enumerate(drawn["events"]):
            row = {
                "case_no": number,
                "event_type": told_event["event_type"],
                "unit_name": told_event["unit_name"],
                "unit_role": told_event["unit_role"],
                "due_at": told_event["due_at"],
                "result_code": drawn["merged_into"] if told_event["event_type"] == "MERGE" else "",
                "source_event_no": f"{number}-{place}" if told_event["is_numbered"] else "",
            }
            identity = (told_event["feed"], told_event["event_type"], told_event["at"], told_event["unit_name"])
            if told_event["is_numbered"] or identity not in told:
                rows.append((told_event["feed"], "events", 1, row | {"occurred_at": told_event["at"]}))
            if told_event["is_numbered"] and told_event["corrected_to"]:
                rows.append((told_event["feed"], "events", 3, row | {"occurred_at": told_event["corrected_to"]}))
                if chance.random() < 0.3:
                    rows.append((told_event["feed"], "events", 5, row | {"occurred_at": told_event["at"]}))
            told.add(identity)
            if chance.random() < 0.3:  # the other sender tells it too
                other = {"h12345": "resp_units", "resp_units": "h12345"}[told_event["feed"]]
                at = told_event["at"] + timedelta(minutes=chance.choice([0, 0, 5, 50]))
                if (other, told_event["event_type"], at, told_event["unit_name"]) not in told:
                    rows.append((other, "events", 1, row | {"occurred_at": at, "source_event_no": "", "due_at": at}))
                told.add((other, told_event["event_type"], at, told_event["unit_name"]))
        for at in drawn["callbacks"]:
            rows.append(
                ("h12345", "callbacks", 1, {"工单编号": number, "回访时间": at, "接通": "是", "满意度": "满意"})
            )
    return rows


def batches(rows, cut):
    """The rows of each feed, delivery and day, as ``cut`` parts them."""
    grouped = defaultdict(list)
    for feed, delivery, day, row in rows:
        grouped[feed, delivery, day].append(row)
    return [(*key, part) for key, group in sorted(grouped.items()) for part in cut(group)]


def load(city, folder, parts):
    folder.mkdir(parents=True)
    for place, (feed, delivery, day, rows) in enumerate(parts):
        csv_file(folder / f"part{place}" / f"{day}_{feed}_{delivery}.csv", rows)
        world.load(city, folder / f"part{place}")


def facts(city):
    """Every row of every fact, without the row of the file that told it."""
    found = {}
    with database.connect(city) as connection:
        for schema, tables in TABLES.items():
            for table in tables:
                rows = connection.execute(
                    "select (to_jsonb(f) - array(select attname::text from pg_attribute where attrelid = %s::regclass"
                    " and (attname like '%%batch_id' or attname like '%%row_number')))::text"
                    f" from {schema}.{table} as f order by 1",
                    [f"{schema}.{table}"],
                )
                found[table] = [text for (text,) in rows]
    return found


@pytest.fixture(scope="module")
def configuration(tmp_path_factory):
    """The scenarios' city; what units and the hotline send comes in our own words."""
    folder = world.configuration(tmp_path_factory.mktemp("arrival") / "config")
    plain = "kind: event\nformat: {type: csv}\n"
    (folder / "layouts" / "events.yml").write_text(plain, encoding="utf-8")
    response = folder / "feeds" / "resp_units.yml"
    text = response.read_text(encoding="utf-8")
    text = text[: text.index("    columns:")] + '    columns: {case_feed_code: {value: "h12345"}}\n'
    response.write_text(text, encoding="utf-8")
    return folder


def steps_of(rows, chance):
    """Three arrivals: most rows, more, and a few latecomers: about one of a case, often a first version sent again."""
    steps = ([], [], [])
    for row in rows:
        is_late = chance.random() < (0.6 if row[2] == 5 else 0.08)
        steps[2 if is_late else chance.choice([0, 0, 1])].append(row)
    return [in_small_batches(step, chance) for step in steps]


def in_small_batches(rows, chance):
    chance.shuffle(rows)

    def cut(group):
        bounds = sorted(chance.sample(range(1, len(group)), min(2, len(group) - 1)))
        return [group[a:b] for a, b in zip([0, *bounds], [*bounds, len(group)], strict=True)]

    parts = batches(rows, cut)
    chance.shuffle(parts)
    return parts


def holds(scratch, configuration, folder, seed):
    """Builds the city of a seed at once, and in three parts of a random order; compares every row."""
    chance = random.Random(seed)
    rows = rows_of(chance)
    at_once, in_parts = scratch(configuration), scratch(configuration)
    load(at_once, folder / "at_once", batches(rows, lambda group: [group]))
    build(at_once)
    wanted = facts(at_once)
    for step, parts in enumerate(steps_of(rows, chance)):
        load(in_parts, folder / f"in_parts_{step}", parts)
        build(in_parts)
    found = facts(in_parts)
    for table, expected in wanted.items():
        assert set(found[table]) ^ set(expected) == set(), table
    assert found == wanted
    assert all(wanted[table] for table in ("fct_timeliness", "fct_satisfaction", "lifecycle_anomaly", "event_version"))


# An example takes many seconds: it is a city of cases, and none is shrunk.
MANY = settings(max_examples=12, deadline=None, database=None, phases=[Phase.generate])


@pytest.mark.long
@MANY
@given(seed=st.integers(0, 2**32))
def test_any_arrival_gives_the_facts_of_the_right_order(scratch, configuration, tmp_path_factory, seed):
    holds(scratch, configuration, tmp_path_factory.mktemp("rows"), seed)

"""What auditors are shown as worth a look: each pattern where it is, and none where it is not."""

import json
import shutil
from datetime import date
from decimal import Decimal

import pytest
from click.testing import CliRunner
from psycopg.types.json import Jsonb

from minhu import config, database
from minhu.cli import minhu
from minhu.errors import BadDeclaration, Refused
from minhu.glossary.cases import GAMING_SIGNAL
from minhu.settings import PROJECT_ROOT
from minhu.watch.gaming import gaming
from tests.scoring.city import City, at

OCTOBER = {
    "min_count": 3,
    "rated_within_seconds": 60,
    "closed_in_one_second": 4,
    "low_reach_pct": 40,
    "last_days": 3,
    "last_hours": 4,
    "jump_factor": 2,
    "reopened_within_days": 7,
}


LATE_DAYS = ("10-29 09:00", "10-30 09:00", "10-31 09:00")


def closed(city, unit, closings, **more):
    return [city.assignment(unit, dispatched="09-20 09:00", closed=when, **more) for when in closings]


def reworked(city, duty, when):
    city.run(
        "update mart.fct_timeliness set reworked_at = %(at)s where assignment_id = %(duty)s",
        {"at": at(when), "duty": duty},
    )


def _closed_late(city):
    """Closed 20:00 and later of limits that end at 24:00, and sent back after them; of the other unit one was 19:59."""
    for unit, first in (("HURRIED", "10-14 20:00"), ("HURRIED_LESS", "10-14 19:59")):
        for duty in closed(city, unit, [first, *["10-14 20:00"] * 2], due="10-15 00:00"):
            reworked(city, duty, "10-25 09:00")
        closed(city, unit, ["10-14 23:00"], due="10-15 00:00")


@pytest.fixture(scope="module")
def watched(scratch):
    """A unit for each pattern, and one beside it that stays just this side of the threshold."""
    settings = scratch()
    with City(settings) as city:
        city.run(
            "insert into mart.dim_date select day, true, false, 1, 'official'"
            " from generate_series(date '2026-09-01', date '2026-11-30', interval '1 day') as day"
        )
        for since, changed in (("2026-01-01", {}), ("2026-11-01", {"closed_in_one_second": 99})):
            data = Jsonb(OCTOBER | changed | {"valid_from": since})
            city.insert("config.entry", kind="gaming", key=since, data=data, since_version=1)
        for unit in ("RATED", "RATED_LATER", "BULK", "BULK_FEWER", "HAPPY", "HAPPY_REACHED", "TALKER", "TALKER_ALWAYS"):
            city.unit(unit, "dept")

        for unit, called in (("RATED", "10-05 10:01:00"), ("RATED_LATER", "10-05 10:01:01")):
            for duty in closed(city, unit, ["10-05 10:00:00"] * 3):
                city.callback(unit, duty, "resolved", "dissatisfied", called=called)

        closed(
            city, "BULK", ["10-05 10:00:07.1", "10-05 10:00:07.2", "10-05 10:00:07.9", "10-05 10:00:07", "10-06 10:00"]
        )
        closed(city, "BULK", ["11-05 10:00:07"] * 4)  # from November on it takes 99
        closed(city, "BULK_FEWER", ["10-05 10:00:07"] * 3 + ["10-05 10:00:08"])

        for unit, reached in (("HAPPY", 3), ("HAPPY_REACHED", 4)):
            (duty,) = closed(city, unit, ["10-01 10:00"])
            city.callback(unit, duty, "resolved", "satisfied", called="10-12 10:00", count=reached)
            city.callback(unit, duty, None, None, called="10-12 10:00", reached=False, count=9 - reached)
        (duty,) = closed(city, "HAPPY_BUT_ONE", ["10-01 10:00"])
        city.callback("HAPPY_BUT_ONE", duty, "resolved", "satisfied", called="10-12 10:00", count=3)
        city.callback("HAPPY_BUT_ONE", duty, "unresolved", "neutral", called="10-12 10:00")
        city.callback("HAPPY_BUT_ONE", duty, None, None, called="10-12 10:00", reached=False, count=9)

        # three of four against one of four; then against two of four: twice is not reached
        for unit, usual in (("TALKER", 1), ("TALKER_ALWAYS", 2)):
            (duty,) = closed(city, unit, ["10-01 10:00"])
            city.callback(unit, duty, "explained", "neutral", called="10-28 23:59", count=usual)
            city.callback(unit, duty, "resolved", "neutral", called="10-12 10:00", count=4 - usual)
            city.callback(unit, duty, "explained", "neutral", called="10-29 00:00", count=3)
            city.callback(unit, duty, "resolved", "neutral", called="10-31 23:59")

        for when in (*LATE_DAYS, "10-12 09:00"):
            city.assignment("RETURNER", voided=when)
        for when in (*LATE_DAYS, *["10-12 09:00"] * 15):
            city.assignment("RETURNER_ALWAYS", voided=when)
        for due in ("10-13 00:00", "10-12 09:00", "10-15 09:00", "10-15 09:01"):
            city.assignment("ESCAPER", voided="10-12 09:00", due=due)
        for due in ("10-13 00:00", "10-12 09:00", "10-15 09:00", "10-15 09:01", "10-12 08:59"):
            city.assignment("ESCAPER_SELDOM", voided="10-12 09:00", due=due)

        excluded = [("EXCLUDER", when) for when in (*LATE_DAYS, "10-12 09:00")]
        excluded += [("EXCLUDER_ALWAYS", when) for when in (*LATE_DAYS, *["10-12 09:00"] * 15)]
        for number, (unit, when) in enumerate(excluded):
            duty = city.assignment(unit, dispatched="09-20 09:00")
            city.insert(
                "mart.fct_exclusion",
                exclusion_id=f"x{number}",
                case_id=f"k{duty}",
                assignment_id=duty if number % 2 else None,
                reason_code="beyond_duty",
                source="decision",
                decided_at=at(when),
            )

        for unit, again in (("REOPENED", "10-12 10:00"), ("REOPENED_LATER", "10-12 10:01")):
            for duty in closed(city, unit, ["10-05 10:00"] * 2):
                reworked(city, duty, again)
            (duty,) = closed(city, unit, ["10-20 10:00"])
            city.run(
                "update mart.fct_timeliness set review_back_count = 1, sent_back_at = %(at)s"
                " where assignment_id = %(duty)s",
                {"at": at("10-19 10:00"), "duty": duty},
            )
        _closed_late(city)
    return settings


def test_each_pattern_is_found_where_it_is_and_nowhere_else(watched):
    found = {(signal.unit_code, signal.signal_code): signal for signal in gaming(watched, "2026-10")}
    assert {key: (one.found, one.of_total, one.found_pct, one.usual_pct) for key, one in found.items()} == {
        ("RATED", "rated_at_once"): (3, 3, 100, None),
        ("BULK", "closed_at_once"): (4, 5, 80, None),
        ("HAPPY", "all_satisfied_few_reached"): (3, 9, Decimal("33.33"), 40),
        ("TALKER", "explained_in_the_last_days"): (3, 4, 75, 25),
        ("EXCLUDER", "excluded_in_the_last_days"): (3, 4, 75, Decimal("9.68")),
        ("RETURNER", "returned_in_the_last_days"): (3, 4, 75, Decimal("9.68")),
        ("ESCAPER", "returned_before_the_limit"): (3, 4, 75, None),
        ("REOPENED", "closed_then_reopened"): (3, 3, 100, None),
        ("HURRIED", "closed_late_then_sent_back"): (3, 4, 75, None),
    }
    assert {signal_code for _, signal_code in found} == set(GAMING_SIGNAL)


def test_the_examples_are_rows_of_the_pattern_and_five_at_most(watched):
    for signal in gaming(watched, "2026-10"):
        assert 1 <= len(signal.example_ids) == min(5, signal.found)
        assert all(
            one.startswith({"callback": "c", "assignment": "a"}[signal.subject_kind]) for one in signal.example_ids
        )
    (told,) = [json.dumps(one.as_json()) for one in gaming(watched, "2026-10") if one.unit_code == "BULK"]
    assert json.loads(told)["signal_zh"] == "同一秒批量办结"
    assert json.loads(told)["unit_name"] == "单位BULK"


def test_a_month_is_judged_by_the_thresholds_of_its_first_day(watched):
    assert gaming(watched, "2026-11") == ()
    assert {one.month_on for one in gaming(watched, "2026")} == {date(2026, 10, 1)}
    with pytest.raises(Refused, match="'2026-1' is no period"):
        gaming(watched, "2026-1")


def test_auditors_may_look_and_nobody_else(watched):
    with database.connect(watched) as connection:
        may = connection.execute(
            "select role, has_table_privilege(role, 'audit.gaming_signal', 'select')"
            " from unnest(array['minhu_bi', 'minhu_evaluator', 'minhu_auditor']) as role"
        ).fetchall()
    assert dict(may) == {"minhu_bi": False, "minhu_evaluator": False, "minhu_auditor": True}


def test_the_thresholds_of_the_city_are_dated_examples_and_decide_over_no_fact():
    entries = config.read_config(PROJECT_ROOT / "config")
    (thresholds,) = [data for (kind, _), data in entries.items() if kind == "gaming"]
    assert set(thresholds) == {*OCTOBER, "valid_from"}
    assert "gaming" not in entries["city", "hangzhou"]
    text = (PROJECT_ROOT / "config" / "city.yml").read_text(encoding="utf-8")
    assert "example: true" in text[text.index("gaming:") :]


def test_thresholds_of_one_day_cannot_be_two(tmp_path):
    shutil.copytree(PROJECT_ROOT / "config", tmp_path / "config")
    path = tmp_path / "config" / "city.yml"
    text = path.read_text(encoding="utf-8")
    entry = "  - valid_from" + text.partition("gaming:\n  - valid_from")[2].partition("# How the data")[0]
    path.write_text(text.replace(entry, entry * 2), encoding="utf-8")
    with pytest.raises(BadDeclaration, match="gaming '2020-01-01' is declared twice"):
        config.read_config(tmp_path / "config")


def test_the_command_lists_what_was_found(watched, monkeypatch):
    monkeypatch.setenv("MINHU_DATABASE_URL", watched.database_url)
    told = CliRunner().invoke(minhu, ["audit", "gaming", "2026-10"])
    assert told.exit_code == 0, told.output
    assert "同一秒批量办结" in told.output and "单位BULK" in told.output
    listed = json.loads(CliRunner().invoke(minhu, ["audit", "gaming", "2026-10", "--json"]).output)
    assert {row["signal_code"] for row in listed} == set(GAMING_SIGNAL)
    assert len(listed) == 9

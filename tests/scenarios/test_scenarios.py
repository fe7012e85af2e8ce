"""Each folder is a life-cycle: raw files in, expected facts out. All are built together, then with what comes later."""

import re

import pytest

from minhu.audit.trace import trace
from minhu.audit.trace_text import render_trace
from minhu.glossary.cases import ANOMALY
from minhu.settings import PROJECT_ROOT
from minhu.warehouse.build import build
from tests.oracle.second_path import SecondPath
from tests.scenarios import city as world

SCENARIOS = world.scenarios()


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    return scratch(world.configuration(tmp_path_factory.mktemp("scenarios") / "config"))


@pytest.fixture(scope="module")
def facts(city):
    """The facts after the first build, after the second, and after everything is built anew; then what the second path
    says otherwise of the first two."""
    for scenario in SCENARIOS:
        world.load(city, scenario / "given")
    build(city)
    first, otherwise = world.read(city), SecondPath(city).facts()
    for scenario in SCENARIOS:
        world.load(city, scenario / "later_given")
        world.reorganise(city, scenario / "later_given")
        world.decide(city, scenario / "later_given")
    build(city)
    second, otherwise = world.read(city), otherwise + SecondPath(city).facts()
    build(city, full_refresh=True)
    return first, second, world.read(city), otherwise


def differences(scenario, folder, facts):
    """What the facts of a scenario's cases say otherwise than its expectation, table by table."""
    numbers, wanted = world.case_numbers(scenario), world.expected(scenario / folder)
    found = {}
    for table in sorted({*wanted, *world.COMPLETE}):
        rows = [row for row in facts[table] if row["case_no"] in numbers]
        names = list(wanted.get(table, rows)[0]) if wanted.get(table, rows) else []
        told = [{name: row[name] for name in names} for row in rows]
        if told != wanted.get(table, []):
            found[table] = {"told": told, "wanted": wanted.get(table, [])}
    return found


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.name)
def test_the_facts_are_as_expected(scenario, facts):
    assert differences(scenario, "expect", facts[0]) == {}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.name)
def test_what_comes_later_changes_what_it_should_and_nothing_else(scenario, facts):
    folder = "later_expect" if (scenario / "later_expect").exists() else "expect"
    assert differences(scenario, folder, facts[1]) == {}


@pytest.mark.parametrize("table", world.QUERIES)
def test_everything_built_anew_is_the_same_to_the_last_column(table, facts):
    assert facts[2][table] == facts[1][table] and facts[1][table]


def test_the_second_path_reckons_the_same_facts(facts):
    assert facts[3] == []


def test_a_trace_tells_what_is_known_of_a_limit_beyond_the_calendar(city, facts):
    told = {}
    for number in ("6201", "6202", "6203", "6204", "6205"):
        lines = [line.strip() for line in render_trace(trace(city, "h12345", number)).splitlines()]
        (closing,) = (line.partition("，规则")[0] for line in lines if line.startswith("办结："))
        told[number] = (closing, *(line for line in lines if line.startswith("原时限")))
    first = "原时限 2027-12-27 24:00"
    assert told == {
        "6201": ("办结：时限未知，办结 2027-12-27 17:00，按时", f"{first}，延期超出工作日历"),
        "6202": ("办结：时限未知，办结 2027-12-30 17:00，未判", f"{first}，延期超出工作日历"),
        "6203": ("办结：时限 2027-12-29 24:00，办结 2027-12-30 17:00，超时", f"{first}，延期至 2027-12-29 24:00"),
        "6204": ("办结：时限未知，办结 2027-12-30 17:00，未判",),
        "6205": (
            "办结：时限 2027-12-30 24:00，办结 2027-12-30 17:00，按时",
            "原时限 超出工作日历，延期至 2027-12-30 24:00",
        ),
    }


def test_every_scenario_says_which_rule_it_shows():
    assert len(SCENARIOS) >= 25
    for scenario in SCENARIOS:
        told = (scenario / "README.md").read_text(encoding="utf-8").strip()
        assert told.endswith(".") and "\n" not in told and len(told) < 200, scenario.name
        assert list(scenario.glob("given/*.csv")) and list(scenario.glob("expect/*.csv")), scenario.name


def test_every_anomaly_is_documented_with_its_effect_and_shown_by_a_scenario(facts):
    model = (PROJECT_ROOT / "dbt_project/models/facts/lifecycle_anomaly.sql").read_text(encoding="utf-8")
    page = (PROJECT_ROOT / "docs/lifecycle.md").read_text(encoding="utf-8")
    effects = dict(re.findall(r"^    \('(\w+)', '(.+)'\)", model, re.MULTILINE))
    assert len(effects) > 10
    assert dict(re.findall(r"^\| `(\w+)` \| .+ \| (.+) \|$", page, re.MULTILINE)) == effects
    assert set(ANOMALY) == set(effects)
    shown = {row["anomaly_code"]: row["effect_on_clock"] for row in facts[1]["anomaly"]}
    assert shown == effects
    evidence = {(row["batch_id"], row["row_number"]) for row in facts[1]["anomaly"]}
    assert ("", "") not in evidence and len(evidence) > 10

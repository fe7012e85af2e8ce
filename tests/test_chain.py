"""The whole chain without the scheduler: a small simulated city from files to explained scores."""

import csv
import io
import json
import re
from datetime import date
from pathlib import Path

import pytest

from bench import moved
from bench.counting import count_records
from minhu import database
from minhu.feeds import load_feeds
from minhu.landing.land import opened
from minhu.load import LoadResult, load_feed_day
from minhu.quality import judge_arrivals, judge_release
from minhu.scoring import explain, score
from minhu.simulate import write_city
from minhu.warehouse.build import build
from minhu.warehouse.deliveries import deliveries, not_in
from tests.scoring import test_wide

SCORES = Path(__file__).parent / "consistency" / "scores.csv"
"""What this city's units scored at the last commit."""
START, DAYS, LAST = date(2026, 10, 9), 16, date(2026, 10, 24)


@pytest.fixture(scope="module")
def city(scratch):
    """Sixteen days of 400 cases, loaded, judged, built and scored."""
    settings = scratch()
    feeds = load_feeds(settings.config)
    settings.drop.mkdir(parents=True)
    write_city(feeds, settings.config, settings.drop, START, DAYS, 400, 3, bundle=True)
    for day in (date(2026, 10, 23), LAST):
        results = [result for feed in feeds for result in load_feed_day(settings, feed, day)]
        assert all(isinstance(result, LoadResult) and result.outcome == "loaded" for result in results), results
    judged = judge_arrivals(settings)
    assert judged.passed and not judged.held
    build(settings)
    return settings


@pytest.fixture(scope="module")
def scored(city):
    return score(city, "2026-10")


def query(city, text, *parameters):
    with database.connect(city) as connection:
        return connection.execute(text, parameters).fetchall()


def test_every_hotline_and_channel_delivered_on_the_last_day(city):
    assert not_in(deliveries(city, LAST, LAST)) == []
    arrived = query(
        city,
        "select count(distinct feed_code) from audit.batch join mart.dim_feed using (feed_code)"
        " where business_date = %s and kind = 'case' and feed_role = 'hotline'",
        LAST,
    )
    assert arrived == [(75,)]


def test_received_rows_agree_with_the_files_the_rejects_and_the_staging_tables(city):
    formats = {(feed.code, d.name): d.format for feed in load_feeds(city.config) for d in feed.deliveries}
    told = {f["path"]: f for f in json.loads((city.drop / "simulation.json").read_text(encoding="utf-8"))["files"]}
    batches = query(
        city,
        "select batch_id, feed_code, delivery, kind, source_name, source_sha256, received_rows, staged_rows,"
        " rejected_rows, duplicate_rows from audit.batch",
    )
    rejected = dict(query(city, "select batch_id, count(*) from audit.rejected_row group by 1"))
    staged = {
        kind: dict(query(city, f"select batch_id, count(*) from staging.{table} group by 1"))
        for kind, table in {"case": "case_record", "event": "case_event", "callback": "callback"}.items()
    }
    assert len(batches) == len(told)
    for batch_id, feed, delivery, kind, name, sha256, received, kept, bad, twice in batches:
        fmt = formats[feed, delivery]
        with opened(city, sha256) as landed:
            assert received == count_records(landed.read_bytes(), fmt.type, fmt) == told[name]["rows"]
        assert received == kept + bad + twice
        assert (bad, twice) == (told[name]["bad_rows"], told[name]["duplicate_rows"])
        assert rejected.get(batch_id, 0) == bad
        assert staged[kind].get(batch_id, 0) == kept


def test_every_case_is_a_fact_and_every_event_of_a_unit_is_attached(city):
    [(staged, facts)] = query(
        city,
        "select (select count(distinct (feed_code, case_no)) from staging.case_record), count(*) from mart.fct_case",
    )
    assert staged == facts
    [(orphans, events)] = query(
        city, "select (select count(*) from audit.orphan), (select count(*) from staging.case_event)"
    )
    assert orphans < events / 100
    # A direct answer closes a case that was never dispatched; every other act belongs to an assignment.
    stray = "select distinct event_type, unit_name from build.int_event__attached where assignment_id is null"
    assert query(city, stray) == [("CLOSE", None)]


def test_lost_points_have_cases_whose_values_sum_to_the_indicator(city, scored):
    wrong = query(
        city,
        "select i.unit_code, i.indicator_code, i.numerator, i.denominator, sum(c.numerator_value),"
        " sum(c.denominator_value) from mart.fct_unit_indicator as i left join mart.fct_indicator_case as c"
        " using (scheme_id, scheme_version, period, unit_code, indicator_code) where i.points < i.points_max"
        " group by 1, 2, 3, 4 having count(c.subject_id) = 0 or i.numerator <> sum(c.numerator_value)"
        " or (not bool_or(i.is_external_denominator) and i.denominator <> sum(c.denominator_value))",
    )
    assert wrong == []
    [(lost,)] = query(city, "select count(*) from mart.fct_unit_indicator where points < points_max")
    assert lost > 20, "a city in which nobody loses a point proves nothing"


def test_whoever_sums_the_wide_marts_gets_what_was_scored(city, scored):
    counted = {pair: len(units) for pair, units in test_wide.hold(city).items()}
    assert {pair for pair, units in counted.items() if units > 20} >= {"on_time", "signed", "satisfied", "resolved"}


def test_no_score_moves_unless_it_is_meant_to(city, scored, request):
    with database.connect(city) as connection:
        now = moved.read(connection, "mart.fct_")
    if request.config.getoption("--accept-scores"):
        moved.write_file(SCORES, now)
    found = moved.moves(moved.read_file(SCORES), now)
    accept = "if it is meant: pytest tests/test_chain.py --accept-scores, and commit the file with the reason"
    assert not found, f"{moved.render(found)}\n{accept}"


def test_all_first_level_units_are_scored_in_their_groups(scored):
    assert {group.peer_group: len(group.units) for group in scored.groups} == {"linan_department": 23, "linan_town": 18}


def test_an_explanation_leads_to_the_row_of_the_file(city, scored):
    towns = next(group for group in scored.groups if group.peer_group == "linan_town")
    loser = min((unit for unit in towns.units if unit.score_100 is not None), key=lambda unit: unit.score_100)
    explained = explain(city, loser.unit_code, "2026-10")
    costs = [cost for part in explained.indicators for cost in part.costs]
    assert costs
    formats = {(feed.code, d.name): d.format for feed in load_feeds(city.config) for d in feed.deliveries}
    looked_at = 0
    for cost in costs:
        for source in cost.sources:
            sha256, feed, delivery = query(
                city,
                "select source_sha256, feed_code, delivery from audit.batch where batch_id = %s",
                source.batch_id,
            )[0]
            fmt = formats[feed, delivery]
            if fmt.type == "csv":
                with opened(city, sha256) as landed:
                    text = landed.read_text("gb18030" if fmt.encoding == "gb18030" else "utf-8-sig")
                rows = [row for row in csv.reader(io.StringIO(text), delimiter=fmt.delimiter) if row]
                assert any(cost.case_no in cell for cell in rows[source.row_number]), source
                looked_at += 1
    assert looked_at


def test_no_phone_and_no_id_number_of_the_files_is_anywhere_but_there(city, scored):
    """Every table that people may read, every column as text; the numbers come from the landed files themselves."""
    number = r"(?<![0-9])(?:1[3-9][0-9]{9}|[1-9][0-9]{5}(?:19|20)[0-9]{9}[0-9Xx])(?![0-9])"
    sent: set[str] = set()
    for (sha256,) in query(city, "select source_sha256 from audit.batch where source_name like '%%.csv'"):
        with opened(city, sha256, "test") as path:
            sent |= set(re.findall(number, path.read_bytes().decode("gb18030", errors="ignore")))
            sent |= set(re.findall(number, path.read_bytes().decode("utf-8", errors="ignore")))
    cases = {no for (no,) in query(city, "select case_no from staging.case_record")}
    sent -= {found for no in cases for found in re.findall(number, no)}
    assert len(sent) > 1_000
    leaked = []
    for schema, table in query(
        city,
        "select table_schema, table_name from information_schema.tables"
        " where table_schema in ('mart', 'staging', 'audit', 'config', 'build')",
    ):
        told = query(city, f'select whole from (select t::text as whole from {schema}."{table}" as t) as _')
        found = sent & {value for (whole,) in told for value in re.findall(number, whole or "")}
        leaked += [f"{schema}.{table}: {len(found)}"] if found else []
    assert leaked == []


def test_the_release_gate_tells_an_unfinished_month(city, scored):
    judged = judge_release(city, "2026-10", scored.scheme_id, scored.scheme_version)
    assert not judged.passed
    assert "release.period_over" in {rule.rule_id for rule in judged.failed_rules}, "the data end on the 24th"

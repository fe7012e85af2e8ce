"""The rows behind a score stay as they were counted, are found quickly, and go when nobody asks for them any more."""

import sys

import psycopg
import pytest

from minhu import database
from minhu.publish import close, publish
from minhu.scoring import score
from minhu.scoring.rows import drop_rows
from minhu.warehouse.build import build
from tests.publish import city as world
from tests.publish.city import IN_TIME, LATE, UNWITNESSED, case, deliver, login, rows

MONTH = "2026-10"
SUMS = """
select unit_code, indicator_code, sum(numerator_value), sum(denominator_value)
from {rows} where excluded_reason is null group by 1, 2 order by 1, 2
"""
SCORED = """
select unit_code, indicator_code, numerator, denominator from mart.fct_unit_indicator
where numerator <> 0 or denominator <> 0 order by 1, 2
"""


def sums(city, told="mart.fct_indicator_case"):
    return rows(city, SUMS.format(rows=told))


def partitions(city):
    return [name for (name,) in rows(city, "select inhrelid::regclass::text from pg_inherits"
            " where inhparent = 'mart.counted_row'::regclass order by inhrelid")]  # fmt: skip


def run_no(city):
    return rows(city, "select run_no from mart.score_run")[0][0]


@pytest.fixture(scope="module")
def scored(scratch, tmp_path_factory):
    made = world.make(scratch, tmp_path_factory.mktemp("rows"))
    score(made, MONTH)
    return made


@pytest.fixture
def city(scored, copied):
    return copied(scored)


def test_they_sum_to_the_score_whatever_the_facts_have_come_to_since(city):
    before = sums(city)
    assert before == rows(city, SCORED) and ("U1", "close_on_time", 4, 6) in before
    deliver(city, [case(9, "城管局", **LATE)])
    build(city)
    assert sums(city) == before == rows(city, SCORED), "what was counted is not counted anew by who looks at it"
    score(city, MONTH)
    assert sums(city) == rows(city, SCORED) != before


def test_a_limit_that_ends_at_midnight_counts_on_the_day_before(city):
    assert rows(
        city,
        "select distinct counted_on::text from mart.fct_indicator_case where indicator_code = 'close_on_time'",
    ) == [("2026-10-19",)]


def test_a_run_that_was_replaced_is_there_for_older_moments_until_the_next_and_then_goes(city):
    first = run_no(city)
    with database.connect(city, at_one_moment=True) as old:
        old.execute("select 1 from mart.score_run")
        score(city, MONTH)
        second = run_no(city)
        assert partitions(city) == [f"mart.counted_row_{first}", f"mart.counted_row_{second}"]
        assert old.execute(SUMS.format(rows="mart.fct_indicator_case")).fetchall() == sums(city) != []
    score(city, MONTH)
    assert partitions(city) == [f"mart.counted_row_{second}", f"mart.counted_row_{run_no(city)}"]


def test_rows_that_somebody_reads_stay_and_nobody_waits(city):
    score(city, MONTH)
    first = partitions(city)[0]
    with database.connect(city) as reader:
        reader.execute(f"select count(*) from {first}")
        with database.connect(city, autocommit=True) as connection:
            assert drop_rows(connection) == []
        reader.rollback()
        with database.connect(city, autocommit=True) as connection:
            assert [f"mart.{name}" for name in drop_rows(connection)] == [first]


def test_the_rows_of_a_release_stay_and_are_those_of_its_numbers(city):
    qian = login(city, "rows_qian", "evaluator")
    world.judge(qian, close(city, MONTH))
    first = publish(city, MONTH, why=UNWITNESSED)
    published = sums(city)
    deliver(city, [case(9, "城管局", **LATE), case(10, "交通局", **IN_TIME)])
    build(city)
    for _ in range(3):
        score(city, MONTH)
    assert sums(city) != published
    assert sums(city, f"(select * from publish.indicator_case where release_id = {first.release_id}) as told") == (
        published
    )
    assert len(partitions(city)) == 3, "of the release, of the last run but one, of the last"


def test_rows_of_a_closing_that_nobody_publishes_go(city):
    close(city, MONTH)
    first = run_no(city)
    close(city, MONTH, why=None)
    score(city, MONTH)
    score(city, MONTH)
    assert f"mart.counted_row_{first}" not in partitions(city)
    assert rows(city, "select count(*) from publish.closing_run") == [(2,)]


def test_who_names_a_period_reads_the_rows_of_its_own_runs_alone(city):
    of_october = run_no(city)
    score(city, "2026")
    plan = "\n".join(
        line for (line,) in rows(
            city, f"explain select sum(numerator_value) from mart.fct_indicator_case where period = '{MONTH}'"
        )
    )  # fmt: skip
    assert f"counted_row_{of_october}" in plan and f"counted_row_{of_october + 1}" not in plan


def test_a_score_that_fails_leaves_the_rows_of_before(city, monkeypatch):
    before, there = sums(city), partitions(city)
    monkeypatch.setattr(sys.modules[score.__module__], "write_law", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        score(city, MONTH)
    assert (sums(city), partitions(city)) == (before, there)
    monkeypatch.undo()
    score(city, MONTH)
    assert sums(city) == before


def test_units_read_neither(city):
    unit = login(city, "rows_u1", "unit", unit="U1")
    for name in ("mart.fct_indicator_case", "mart.counted_row", "publish.indicator_case"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows(unit, f"select 1 from {name}")

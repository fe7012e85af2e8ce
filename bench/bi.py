"""Boards and drag-and-drop over a month, and boards over thirteen; `build.py` has the month, so it calls this.

``bi_max_ms``: the slowest of the boards' queries (minhu/bi), as a login of the group bi asks it, each the median of
three. ``bi_wide_ms``: the slowest of what one drags together from the wide marts: a rate by group and month, one by
category, the backlog of a district. ``indicator_case_ms``: the rows behind all numbers of the month, summed.
``counted_row_mb``, ``rate_mb``: what is kept of a month for that. ``bi_year_max_ms``: the boards' queries, thirteen
months behind them.
"""

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import sqlalchemy

from minhu import database
from minhu.bi import CHARTS, asked
from minhu.database import logins
from minhu.settings import Settings

WIDE = {
    "on time by group and month": "select peer_group_zh, date_trunc('month', on_time_on::timestamp),"
    " sum(on_time_n) / sum(on_time_of) from mart.assignment_wide where on_time_of is not null group by 1, 2",
    "satisfied by category": "select category_zh, sum(satisfied_n) / sum(satisfied_of) from mart.callback_wide"
    " where satisfied_of is not null group by 1",
    "open by district": "select district_zh, count(*) from mart.assignment_wide where is_open and unit_role = 'lead'"
    " group by 1",
    "cases by type and week": "select request_type_zh, date_trunc('week', received_on::timestamp), sum(case_n)"
    " from mart.case_wide group by 1, 2",
}
ROWS = """
select unit_code, indicator_code, sum(numerator_value), sum(denominator_value) from mart.fct_indicator_case
where period = '{month}' and excluded_reason is null group by 1, 2
"""
_SIZES = """
select
    (
        select sum(pg_total_relation_size(inhrelid)) from pg_inherits
        where inhparent = 'mart.counted_row'::regclass
    ) / 1e6,
    (
        pg_total_relation_size('mart.assignment_rate') + pg_total_relation_size('mart.callback_rate')
        + pg_total_relation_size('mart.agg_rate')
    ) / 1e6
"""


def measure_on(month: Settings, scored: str) -> dict[str, float]:
    """Of a built month, whose period ``scored`` has been scored once."""
    with database.connect(month) as owner:
        counted, rates = database.one(owner, _SIZES)
    with reader(month) as connection:
        return {
            "bi_max_ms": boards(connection),
            "bi_wide_ms": wide(connection),
            "indicator_case_ms": _slowest(connection, {"rows behind all numbers": ROWS.format(month=scored)}),
            "counted_row_mb": round(counted),
            "rate_mb": round(rates),
        }


def boards(connection: psycopg.Connection) -> int:
    """The slowest query of all boards."""
    return _slowest(connection, {name: asked.sql(one) for name, one in CHARTS.items()})


def wide(connection: psycopg.Connection) -> int:
    """The slowest of what one drags together."""
    return _slowest(connection, WIDE)


def lay_out_rates(owner: psycopg.Connection, before: int) -> None:
    """Puts the newest 30 days of rates before themselves, and the scores of the month before it."""
    owner.execute(
        "insert into mart.agg_rate (scheme_id, period, grain, day_on, peer_group, category_code, area_code, pair,"
        " numerator, denominator) select scheme_id, period, grain, day_on - 30 * months.number, peer_group,"
        " category_code, area_code, pair, numerator, denominator from mart.agg_rate,"
        " generate_series(1, %s) as months (number) order by grain, pair, 4",
        [before],
    )
    month = "to_char(('2026-09-01'::date - make_interval(months => number)), 'YYYY-MM')"
    for table in ("score_run", "fct_unit_indicator", "fct_unit_score", "dim_scheme", "dim_peer_group", "dim_indicator"):
        columns = [name for name in database.columns(owner, f"mart.{table}") if name != "run_no"]
        told = ", ".join(month if name == "period" else name for name in columns)
        owner.execute(
            f"insert into mart.{table} ({', '.join(columns)}) select {told} from mart.{table},"
            f" generate_series(1, {before}) as months (number) where period = '2026-09'"
        )
    for table in ("agg_rate", "fct_unit_indicator", "fct_unit_score"):
        owner.execute(f"vacuum full analyze mart.{table}")


@contextmanager
def reader(city: Settings) -> Iterator[psycopg.Connection]:
    """A connection as a BI tool has it."""
    with database.connect(city, autocommit=True) as owner:
        password = logins.add_login(owner, "bench_bi", "bi")
    try:
        way = sqlalchemy.make_url(city.database_url or "").set(username="bench_bi", password=password)
        with database.connect(replace(city, database_url=way.render_as_string(hide_password=False))) as connection:
            yield connection
    finally:
        with database.connect(city, autocommit=True) as owner:
            logins.drop_login(owner, "bench_bi")


def _slowest(connection: psycopg.Connection, queries: Mapping[str, str]) -> int:
    return round(max(_median_ms(connection, name, text) for name, text in queries.items()))


def _median_ms(connection: psycopg.Connection, name: str, text: str) -> float:
    taken = []
    for _ in range(3):
        began = time.perf_counter()
        connection.execute(text.encode()).fetchall()
        taken.append((time.perf_counter() - began) * 1000)
    print(f"  {name:36}{statistics.median(taken):8.1f} ms", flush=True)
    return statistics.median(taken)

"""Both gates over a full day: 75 feeds and 8 response channels, 30,000 cases with their events and callbacks.

``gates_s``: the arrival gate over that day with 60 days behind it, and the release gate over the period that it makes,
in a process that has Great Expectations imported; ``gates_import_s``: that import. ``gates_365d_vs_60d``: measuring the
day and learning its limits with a year of earlier profiles against sixty days, which fill the look-back; the best of
three.
"""

import time

from bench import history
from bench.scratch import warehouse
from minhu import database
from minhu.quality import gx, judge_arrivals, judge_release
from minhu.quality.measure import measure as measure_batches
from minhu.scoring import score
from minhu.settings import Settings
from minhu.warehouse.build import build

CASES_PER_DAY = 3_000
COPIES = 10
PERIOD = f"{history.DAY:%Y-%m}"
SHORT, LONG = 60, 365
TURNS = 3


def measure(quick: bool) -> dict[str, float]:
    began = time.perf_counter()
    gx.engine()
    imported = time.perf_counter() - began
    with warehouse() as settings:
        history.load(settings, CASES_PER_DAY // 10 if quick else CASES_PER_DAY)
        history.fill(settings, copies=COPIES, months=0)
        _judge(settings)  # warm
        build(settings)
        scored = score(settings, PERIOD)
        began = time.perf_counter()
        judge_release(settings, PERIOD, scored.scheme_id, scored.scheme_version)
        release_s = time.perf_counter() - began
        _remember(settings, 1, SHORT)
        arrival_s = _judge(settings)
        short = [_measure(settings) for _ in range(TURNS)]
        _remember(settings, SHORT + 1, LONG)
        long = [_measure(settings) for _ in range(TURNS)]
    return {
        "gates_s": round(arrival_s + release_s, 1),
        "gates_arrival_s": round(arrival_s, 1),
        "gates_release_s": round(release_s, 1),
        "gates_import_s": round(imported, 1),
        "gates_measure_s": round(min(short), 2),
        "gates_365d_vs_60d": round(min(long) / min(short), 2),
    }


def _judge(settings: Settings) -> float:
    """Seconds of the arrival gate over the day. Raises unless all of it is let in."""
    _of_the_day(settings, "update audit.batch set status = 'loaded' where business_date = %s")
    began = time.perf_counter()
    result = judge_arrivals(settings)
    seconds = time.perf_counter() - began
    if result.held or not result.accepted:
        raise RuntimeError(f"nothing was measured: {result.held[:1]}")
    return seconds


def _measure(settings: Settings) -> float:
    _of_the_day(settings, "update audit.batch set status = 'loaded' where business_date = %s")
    batches = [
        batch_id for (batch_id,) in _of_the_day(settings, "select batch_id from audit.batch where business_date = %s")
    ]
    began = time.perf_counter()
    measure_batches(settings, batches)
    return time.perf_counter() - began


def _of_the_day(settings: Settings, statement: str) -> list[tuple]:
    with database.connect(settings) as connection:
        cursor = connection.execute(statement, [history.DAY])
        return cursor.fetchall() if cursor.description else []


def _remember(settings: Settings, first: int, last: int) -> None:
    """The day's batches and profiles again on each day from ``first`` to ``last`` days before, accepted.

    The three days before have their rows too: those are what a repeated file is looked for in.
    """
    days = {"day": history.DAY, "first": first, "last": last}
    with database.connect(settings) as connection:
        connection.execute(_BATCHES, days)
        connection.execute(_PROFILES, days)
        connection.execute(_DISTRIBUTIONS, days)
        for table in history.STAGED if first == 1 else ():
            columns = [
                name
                for (name,) in connection.execute(
                    "select column_name from information_schema.columns where table_schema = 'staging'"
                    " and table_name = %s and column_name not in ('batch_id', 'row_hash') order by ordinal_position",
                    [table],
                )
            ]
            connection.execute(
                f"insert into staging.{table} ({', '.join(columns)}, batch_id, row_hash)"
                f" select {', '.join('told.' + name for name in columns)}, batch_id + ago * 1000000,"
                " md5(row_hash || ago)"
                f" from staging.{table} as told join audit.batch using (batch_id)"
                " cross join generate_series(1, 3) as ago where business_date = %(day)s order by ago, batch_id",
                days,
            )
    with database.connect(settings, autocommit=True) as connection:
        connection.execute("vacuum analyze")


_BATCHES = """
insert into audit.batch (
    batch_id, feed_code, delivery, kind, business_date, source_name, source_sha256, source_bytes, received_rows,
    staged_rows, status, order_key, started_at, loaded_at
)
overriding system value
select batch_id + ago * 1000000, feed_code, delivery, kind, business_date - ago, source_name, source_sha256,
    source_bytes, received_rows, staged_rows, 'accepted', order_key - ago, started_at,
    loaded_at - ago * interval '1 day'
from audit.batch cross join generate_series(%(first)s::int, %(last)s::int) as ago
where business_date = %(day)s
"""
_PROFILES = """
insert into audit.batch_profile (batch_id, metric, value)
select batch_id + ago * 1000000, metric, value
from audit.batch_profile inner join audit.batch using (batch_id)
cross join generate_series(%(first)s::int, %(last)s::int) as ago
where business_date = %(day)s
"""
_DISTRIBUTIONS = """
insert into audit.batch_distribution (batch_id, dimension, row_count, codes)
select batch_id + ago * 1000000, dimension, row_count, codes
from audit.batch_distribution inner join audit.batch using (batch_id)
cross join generate_series(%(first)s::int, %(last)s::int) as ago
where business_date = %(day)s
"""

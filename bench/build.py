"""Building, a month side by side with the same joins written by hand, and a day with more and with less behind it.

``build_vs_sql``: the first `minhu build` of a month (0.9 M cases) against by_hand.sql in one database; their facts
are compared, so that neither does less than it says. ``build_s_per_million_rows``: of staged rows.
``day_build_s``: `minhu build` of the day after that month, from its call to its end, with ``day_build_rows`` to take.
``build_12m_vs_1m``: the day's build with twelve months behind it against one, 3,000 cases a day; the two are run in
turn, each on a fresh copy of its database, and the median of the pairs' ratios counts. The month is scored as well,
and boards ask it: score.py, bi.py, board.py.
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg

from bench import bi, board, history, score
from bench.scratch import minhu, warehouse
from minhu import database
from minhu.database import embedded, roles
from minhu.settings import Settings

CASES_PER_DAY = 3_000
COPIES = 10
MONTHS = 12
PAIRS = 3
BY_HAND = Path(__file__).parent / "by_hand.sql"


def measure(quick: bool) -> dict[str, float]:
    with warehouse() as settings:
        settings = replace(settings, config=score.configure(settings.config, settings.home / "config", kinds=True))
        history.load(settings, CASES_PER_DAY // 10 if quick else CASES_PER_DAY)
        return _month(settings) | _year(settings)


def _month(settings: Settings) -> dict[str, float]:
    with _copy(settings, settings, "month") as month:
        history.fill(month, copies=COPIES)
        by_hand = _by_hand(month)
        ours = _build(month)
        print(f"by hand {by_hand:.1f} s, minhu build {ours:.1f} s", flush=True)
        _compare(month)
        [rows] = _one(month, "select sum(staged_rows)::integer from audit.batch where status = 'accepted'")
        day_rows = history.accept_day(month)
        return (
            {
                "build_vs_sql": round(ours / by_hand, 2),
                "build_month_s": round(ours, 1),
                "build_s_per_million_rows": round(ours / rows * 1_000_000, 1),
                "day_build_s": round(_build(month), 1),
                "day_build_rows": day_rows,
            }
            | score.measure_on(month)
            | bi.measure_on(month, score.MONTH)
            | board.measure_on(month, COPIES)
            | score.measure_kinds(month)
        )


def _year(settings: Settings) -> dict[str, float]:
    with _copy(settings, settings, "one") as one:
        history.fill(one)
        _build(one)
        with _copy(settings, one, "twelve") as twelve:
            history.fill(twelve, months=MONTHS, since=1)
            history.remember(twelve, MONTHS)
            pairs = []
            for _ in range(PAIRS):
                pairs.append((_day(settings, one), _day(settings, twelve)))
    return {
        "build_12m_vs_1m": round(statistics.median(long / short for short, long in pairs), 2),
        "build_12m_s": round(statistics.median(long for _, long in pairs), 1),
    }


def _day(settings: Settings, before: Settings) -> float:
    with _copy(settings, before, "trial") as trial:
        history.accept_day(trial)
        return _build(trial)


def _build(settings: Settings) -> float:
    """Seconds of one `minhu build`, a process of its own as an operator starts it."""
    seconds, told = minhu(settings, "build", "--json")
    if not told["touched_cases"]:
        raise RuntimeError("nothing was measured: no case was touched")
    return seconds


def _by_hand(settings: Settings) -> float:
    with database.connect(settings) as connection:
        began = time.perf_counter()
        connection.execute(BY_HAND.read_text())
        connection.commit()
        return time.perf_counter() - began


# What both must agree on, by the key of the fact.
_SAME = {
    "fct_case": ("case_id", "received_at", "first_dispatched_at", "closed_at", "repeat_of_case_id", "is_excluded"),
    "fct_timeliness": ("case_id", "unit_code", "dispatched_at", "signed_at", "due_at", "closed_at"),
    "fct_satisfaction": ("case_id", "unit_code", "called_at", "satisfaction_code"),
    "fct_event": ("case_id", "event_type", "occurred_at", "unit_name_raw"),
}


def _compare(settings: Settings) -> None:
    """Raises unless the facts made by hand are, but for one in a hundred, those of the build."""
    for table, columns in _SAME.items():
        names = ", ".join(columns)
        [share] = _one(
            settings,
            f"select (select count(*) from (select {names} from mart.{table} except all"
            f" select {names} from by_hand.{table}) as lacking)::float / (select count(*) from mart.{table})",
        )
        if share > 0.01:
            raise RuntimeError(f"by_hand.sql does less than it says: {share:.1%} of {table} differ")


def _one(settings: Settings, query: str) -> tuple:
    with database.connect(settings) as connection:
        return database.one(connection, query)


@contextmanager
def _copy(settings: Settings, of: Settings, name: str) -> Iterator[Settings]:
    """A copy of a database on the server of ``settings``, gone afterwards."""
    server = embedded.start(settings)
    [template] = _one(of, "select current_database()")
    with psycopg.connect(server.url("postgres", roles.SUPERUSER), autocommit=True) as connection:
        connection.execute(f"drop database if exists {name} with (force)")
        connection.execute(f"create database {name} template {template} owner {roles.OWNER} strategy file_copy")
        try:
            yield replace(settings, database_url=server.url(name, roles.OWNER))
        finally:
            connection.execute(f"drop database {name} with (force)")

"""Months taken out of staging (minhu/warehouse/detached.py): what that takes and saves, and who feels the rows.

``months_rows``: rows of staging, of ``MONTHS`` months of 3,000 cases a day. ``months_detach_s_per_million_rows`` and
``months_attach_s_per_million_rows``: `minhu months detach` and `attach`, of all months but the newest two.
``months_bytes_per_row``: of the files; ``months_staging_bytes_per_row``: of the tables with their indexes.
``rule_month_x``: the build of another limit for one month's dispatches against a day's build, ``rule_cases`` touched.
``months_day_x``, ``months_score_x``, ``months_wide_x``: a day's build, a score of the newest month and the slowest of
what one drags together from the wide marts, with every row in staging against all but two months out; in turn, on
copies, the median of the ratios.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import yaml

from bench import bi, history, score
from bench.build import _build, _copy, _day, _one
from bench.scratch import minhu, warehouse
from minhu import database
from minhu.settings import Settings

CASES_PER_DAY, MONTHS, PAIRS = 3_000, 24, 3
STAGING = """
select sum(pg_total_relation_size(oid))::bigint from pg_class
where oid in (to_regclass('staging.case_record'), to_regclass('staging.case_event'), to_regclass('staging.callback'))
"""
ROWS = "select " + " + ".join(f"(select count(*) from staging.{table})" for table in history.STAGED)


def measure(quick: bool) -> dict[str, float]:
    months = 4 if quick else MONTHS
    with warehouse() as settings:
        settings = replace(settings, config=score.configure(settings.config, settings.home / "config"))
        history.load(settings, CASES_PER_DAY // 10 if quick else CASES_PER_DAY)
        with _copy(settings, settings, "whole") as whole:
            history.fill(whole)
            _build(whole)
            minhu(whole, "score", score.MONTH, "--json")
            history.fill(whole, months=months, since=1)
            history.remember(whole, months)
            return _measured(settings, whole)


def _measured(settings: Settings, whole: Settings) -> dict[str, float]:
    [rows], [size] = _one(whole, ROWS), _one(whole, STAGING)
    print(f"  {rows:,} rows of staging, {size / 1e6:,.0f} MB", flush=True)
    with _copy(settings, whole, "apart") as apart:
        asked = _months(apart)
        went, bytes_, taken = 0, 0, 0.0
        for month in asked:
            seconds, told = minhu(apart, "months", "detach", month, "--json")
            print(f"  {month}: {told['cases']:,} cases, {told['rows']:,} rows, {seconds:.1f} s", flush=True)
            went, bytes_, taken = went + told["rows"], bytes_ + told["bytes"], taken + seconds
        found = {
            "months_rows": rows,
            "months_detach_s_per_million_rows": round(taken / went * 1e6, 1),
            "months_bytes_per_row": round(bytes_ / went, 1),
            "months_staging_bytes_per_row": round(size / rows),
            "months_day_x": _ratio(lambda of: _day(settings, of), whole, apart),
            "months_score_x": _ratio(_scored, whole, apart),
            "months_wide_x": _ratio(_dragged, whole, apart),
        }
        seconds, [told] = minhu(apart, "months", "attach", asked[-1], "--json")
        found |= {"months_attach_s_per_million_rows": round(seconds / told["rows"] * 1e6, 1)}
    day = _day(settings, whole)
    with _copy(settings, whole, "ruled") as ruled:
        _change_a_limit(ruled)
        seconds, told = minhu(ruled, "build", "--json")
        return found | {"rule_cases": told["touched_cases"], "rule_month_x": round(seconds / day, 2)}


def _change_a_limit(settings: Settings) -> None:
    """One more limit, behind all others, for what was dispatched in one month."""
    path = settings.config / "schemes" / f"{score.SCHEME}.yml"
    told = yaml.safe_load(path.read_text(encoding="utf-8"))
    more = {"amount": 5, "unit": "workday", "starts": "next_day", "text": "of one month"}
    told["limits"].append({"limit_kind": "close", **more, "valid_from": "2026-07-01", "valid_to": "2026-08-01"})
    path.write_text(yaml.safe_dump(told, allow_unicode=True), encoding="utf-8")


def _months(settings: Settings) -> list[str]:
    """All but the newest two, the oldest first."""
    with database.connect(settings) as connection:
        found = connection.execute(
            "select distinct to_char(received_on, 'YYYY-MM') from mart.fct_case where received_on < %s order by 1",
            [date(history.DAY.year, history.DAY.month - 1, 1)],
        )
        return [month for (month,) in found]


def _scored(of: Settings) -> float:
    return minhu(of, "score", score.MONTH, "--json")[0]


def _dragged(of: Settings) -> float:
    with bi.reader(of) as connection:
        return bi.wide(connection)


def _ratio(measured: Callable[[Settings], float], whole: Settings, apart: Settings) -> float:
    began = time.perf_counter()
    pairs = [(measured(whole), measured(apart)) for _ in range(PAIRS)]
    print(f"  {pairs} in {time.perf_counter() - began:.0f} s", flush=True)
    return round(statistics.median(of_whole / of_apart for of_whole, of_apart in pairs), 2)

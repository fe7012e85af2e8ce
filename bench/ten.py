"""A city of ten times the size: 300,000 cases a day, three days of it, and the build of the day after them.

``ten_day_build_s``: `minhu build` of that day, ``ten_day_rows`` staged rows of it; ``ten_day_x``: against the same day
of 30,000 behind three days of 30,000, on the same server in the same run. ``ten_score_x``: a score of the month so
far, likewise. ``ten_staging_gb``, ``ten_mart_gb``: what a day takes of the disk, rows and indexes.
"""

from dataclasses import replace
from unittest.mock import patch

from bench import history, score
from bench.build import _build, _copy, _one
from bench.scratch import minhu, warehouse
from minhu.settings import Settings

CASES_PER_DAY, DAYS = 3_000, 3
SIZES = """
select
    sum(pg_total_relation_size(oid)) filter (where relnamespace = 'staging'::regnamespace)::float,
    sum(pg_total_relation_size(oid)) filter (where relnamespace = 'mart'::regnamespace)::float
from pg_class where relkind in ('r', 'm')
"""


def measure(quick: bool) -> dict[str, float]:
    with patch.object(history, "DAYS", DAYS), warehouse() as settings:
        settings = replace(settings, config=score.configure(settings.config, settings.home / "config"))
        history.load(settings, CASES_PER_DAY // 10 if quick else CASES_PER_DAY)
        one = _lived(settings, 10)
        ten = _lived(settings, 100)
    return {
        "ten_day_build_s": round(ten["day"], 1),
        "ten_day_rows": round(ten["rows"]),
        "ten_day_x": round(ten["day"] / one["day"], 2),
        "ten_score_x": round(ten["score"] / one["score"], 2),
        "ten_staging_gb": round(ten["staging"] / (DAYS + 1) / 1e9, 2),
        "ten_mart_gb": round(ten["mart"] / (DAYS + 1) / 1e9, 2),
    }


def _lived(settings: Settings, copies: int) -> dict[str, float]:
    with _copy(settings, settings, "lived") as city:
        history.fill(city, copies=copies)
        first = _build(city)
        rows = history.accept_day(city)
        found = {"rows": float(rows), "day": _build(city), "score": minhu(city, "score", score.MONTH, "--json")[0]}
        found["staging"], found["mart"] = _one(city, SIZES)
        print(f"  {copies} cities: three days built in {first:.0f} s, {found}", flush=True)
        return found

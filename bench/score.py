"""Scoring a built month, explaining its units, and a what-if; `build.py` has the month, so it calls this.

``score_month_s``: `minhu score` of 0.9 M cases by ten indicators with evidence, a process of its own. ``explain_ms``:
the median of fifty units, ``explain_max_ms`` the unit with the most evidence. ``what_if_s``: one weight changed.
"""

import shutil
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.scratch import minhu
from minhu import database
from minhu.schemes import read_scheme
from minhu.scoring import explain, what_if
from minhu.settings import Settings

SCHEME = "linan"
MONTH = "2026-09"
UNITS = 50
MORE = """\
  - {code: overdue, name_zh: 逾期件, measure: overdue, moment: due_at, aggregate: count, points: 0,
     scoring: {function: per_item_deduction, per_item: 0.1, cap: 5}, note: 第九项, example: true}
  - {code: supervised, name_zh: 督办件, measure: supervised, moment: dispatched_at, aggregate: count, points: 0,
     scoring: {function: per_item_deduction, per_item: 0.1, cap: 5}, note: 第十项, example: true}

"""


def configure(shipped: Path, folder: Path) -> Path:
    """A copy of the shipped configuration whose scheme has ten indicators."""
    shutil.copytree(shipped, folder)
    path = folder / "schemes" / f"{SCHEME}.yml"
    head, limits = path.read_text(encoding="utf-8").split("# Of the limits of one kind")
    path.write_text(f"{head}{MORE}#{limits}", encoding="utf-8")
    return folder


def measure_on(month: Settings) -> dict[str, float]:
    score_s, told = minhu(month, "score", MONTH, "--scheme", SCHEME, "--json")
    if not told["ranked"]:
        raise RuntimeError("nothing was scored")
    units = _units(month)
    explained = [_seconds(partial(explain, month, unit, MONTH)) * 1000 for unit in units]
    draft = month.config / "schemes" / f"{SCHEME}.yml"
    draft.write_text(draft.read_text(encoding="utf-8").replace("target: 95", "target: 90"), encoding="utf-8")
    changed = read_scheme(draft)
    return {
        "score_month_s": round(score_s, 1),
        "score_evidence_rows": _one(month, "select count(*) from mart.fct_evidence"),
        "explain_ms": round(statistics.median(explained)),
        "explain_max_ms": round(max(explained)),
        "what_if_s": round(_seconds(lambda: what_if(month, SCHEME, changed, MONTH)), 1),
    }


def _units(month: Settings) -> list[str]:
    """Units evenly chosen from the one with the most evidence to the one with the least."""
    with database.connect(month) as connection:
        told = connection.execute(
            "select unit_code from mart.fct_evidence group by unit_code order by count(*) desc, unit_code"
        ).fetchall()
    return [unit for (unit,) in told[:: max(len(told) // UNITS, 1)]]


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _one(month: Settings, query: str) -> int:
    with database.connect(month) as connection:
        return database.one(connection, query)[0]

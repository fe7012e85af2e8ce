"""Scoring a built month, explaining its units, and a what-if; `build.py` has the month, so it calls this.

``score_month_s``: `minhu score` of 0.9 M cases by ten indicators with evidence, a process of its own. ``explain_ms``:
the median of fifty units, ``explain_max_ms`` the unit with the most evidence. ``what_if_s``: one weight changed.
``score_kinds_s``: the same month by `kinds.yml`, every kind of rule in one scheme, with ``score_kinds_evidence_rows``.
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
KINDS = Path(__file__).with_name("kinds.yml")
MORE = """\
  - {code: overdue, name_zh: 逾期件, measure: overdue, moment: due_at, aggregate: count, points: 0,
     scoring: {function: per_item_deduction, per_item: 0.1, cap: 5}, note: 第九项, example: true}
  - {code: supervised, name_zh: 督办件, measure: supervised, moment: dispatched_at, aggregate: count, points: 0,
     scoring: {function: per_item_deduction, per_item: 0.1, cap: 5}, note: 第十项, example: true}

"""


def configure(shipped: Path, folder: Path, kinds: bool = False) -> Path:
    """A copy of the shipped configuration whose scheme has ten indicators; with ``kinds`` beside one of every rule."""
    shutil.copytree(shipped, folder)
    path = folder / "schemes" / f"{SCHEME}.yml"
    head, limits = path.read_text(encoding="utf-8").split("# Of the limits of one kind")
    path.write_text(f"{head}{MORE}#{limits}", encoding="utf-8")
    if not kinds:
        return folder
    shutil.copy(KINDS, folder / "schemes")
    city = folder / "city.yml"
    told = city.read_text(encoding="utf-8")
    if f"schemes: [{SCHEME}]" not in told:
        raise RuntimeError("the city is scored by other schemes than this knows")
    city.write_text(told.replace(f"schemes: [{SCHEME}]", f"schemes: [{SCHEME}, kinds]"), encoding="utf-8")
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
    what_if_s = _seconds(lambda: what_if(month, SCHEME, changed, MONTH))
    return {
        "score_month_s": round(score_s, 1),
        "score_evidence_rows": _one(month, "select count(*) from mart.fct_evidence"),
        "explain_ms": round(statistics.median(explained)),
        "explain_max_ms": round(max(explained)),
        "what_if_s": round(what_if_s, 1),
    }


def measure_kinds(month: Settings) -> dict[str, float]:
    """Last of all that is asked of the month: its rows would stand beside those of the one scheme."""
    of_kinds = "select count(*) from mart.fct_evidence where scheme_id = 'kinds'"
    seconds, _ = minhu(month, "score", MONTH, "--scheme", "kinds", "--json")
    return {"score_kinds_s": round(seconds, 1), "score_kinds_evidence_rows": _one(month, of_kinds)}


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

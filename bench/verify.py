"""Verifying a published month: by the owner, who computes it anew, and by an auditor, who checks hashes and witnesses.

The month of `month.py` at 3,000 cases a day, a tenth of a large city's, lived to its release by the command line.
``verify_month_s``: `minhu verify`, everything, one process. ``verify_cases_s``: the same with a sample of
2,000 cases in the place of a full recomputation. ``verify_auditor_s``: by an auditor's login.
"""

import tempfile
import time
from pathlib import Path

from bench import month
from minhu.settings import PROJECT_ROOT

CASES_PER_DAY = 3_000
DRAWN = 2_000


def measure(quick: bool) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="minhu-bench-") as home, month.at_work(PROJECT_ROOT, Path(home)) as city:
        month.simulate(city, CASES_PER_DAY // 10 if quick else CASES_PER_DAY)
        month.live(city)
        password = city.minhu("logins", "add", "bench_auditor", "--group", "auditor").split()[-1]
        auditor = city.address("bench_auditor", password)
        with city.connect() as connection:
            cases, evidence = connection.execute(
                "select (select count(*) from mart.fct_case), (select count(*) from publish.evidence)"
            ).fetchone() or (0, 0)
        return {
            "verify_month_s": _seconds(city),
            "verify_cases_s": _seconds(city, "--cases", str(DRAWN)),
            "verify_auditor_s": _seconds(city, login=auditor),
            "verify_cases": cases,
            "verify_evidence_rows": evidence,
        }


def _seconds(city: month.Installation, *how: str, login: str | None = None) -> float:
    began = time.perf_counter()
    city.minhu("verify", month.PERIOD, *how, login=login)
    return round(time.perf_counter() - began, 1)

"""What the monthly audit report shows, read from the warehouse in one snapshot.

A month is that of the business dates: runs, verdicts and results belong to the month of the batches they judged,
however late that was. Every time comes from the data; ``as_of`` is the newest moment that anything was recorded, and
ages are counted up to it, so that the same state gives the same report on any day.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime

import psycopg
from psycopg.rows import DictRow, dict_row

from minhu import database
from minhu.audit.feeds import FeedScore, month_of, read_scores
from minhu.audit.report import queries
from minhu.audit.sample import Sample, draw_in
from minhu.audit.trace import Rows, Trace, trace_in
from minhu.errors import Refused
from minhu.publish.code import code_version
from minhu.publish.fairness import fairness_of_period
from minhu.schemes.period import Period
from minhu.schemes.plain import plain
from minhu.scoring.fairness import Fairness
from minhu.settings import Settings

MONTHS = 6
"""So many months a trend goes back, the report's own included."""


@dataclass(frozen=True)
class AuditReport:
    """A month. Rows are dicts under the names that the queries give; ``inputs``: what was read → its sha256."""

    city: str
    period: Period
    as_of: datetime
    months: tuple[date, ...]
    totals: dict
    rules: Rows
    dimensions: Rows
    dimension_trend: Rows
    feeds: Rows
    feed_trend: Rows
    scores: tuple[FeedScore, ...]
    score_trend: Rows
    holds: Rows
    waivers: Rows
    findings: Rows
    accounts: Rows
    ladder: Rows
    releases_checked: Rows
    rejected: Rows
    fairness: tuple[Fairness, ...]
    sample: Sample | None
    traces: tuple[Trace, ...]
    builds: Rows
    schemes: Rows
    releases: Rows
    inputs: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """sha256 over all inputs: two reports with the same one show the same."""
        return _digest([f"{name} {value}" for name, value in sorted(self.inputs.items())])


def read_audit(settings: Settings, month: str, *, seed: str, n: int) -> AuditReport:
    """Reads a month, with a sample of ``n`` cases drawn by ``seed``.

    Raises Refused when it is no month, or no delivery of it was ever recorded.
    """
    period = month_of(month)
    with database.connect(settings, rows=dict_row, at_one_moment=True) as connection:
        return _read(connection, settings, period, seed, n)


def _read(
    connection: psycopg.Connection[DictRow], settings: Settings, period: Period, seed: str, n: int
) -> AuditReport:
    asked = {"first": period.first, "last": period.last, "period": period.text, "since": _since(period.first)}

    def rows(query: str, **more: object) -> Rows:
        return tuple(connection.execute(query, asked | more).fetchall())

    totals = rows(queries.TOTALS)[0]
    if not totals["batches"] and not totals["refused"]:
        raise Refused(f"{period.text}: no delivery of this month was recorded; there is nothing to report")
    as_of = rows(queries.AS_OF)[0]["as_of"]
    months = tuple(row["month_on"] for row in rows(queries.MONTHS))
    sample = _sample(connection, period, seed, n)
    traces = tuple(trace_in(connection, settings, one.feed_code, one.case_no) for one in sample.cases) if sample else ()
    releases = rows(queries.RELEASES)
    report = AuditReport(
        city=rows(queries.CITY)[0]["city"],
        period=period,
        as_of=as_of,
        months=months,
        totals=totals,
        rules=rows(queries.RULES),
        dimensions=rows(queries.DIMENSIONS),
        dimension_trend=rows(queries.DIMENSION_TREND),
        feeds=rows(queries.FEEDS),
        feed_trend=rows(queries.FEED_TREND),
        scores=read_scores(connection, period),
        score_trend=rows(queries.SCORE_TREND),
        holds=rows(queries.HOLDS, as_of=as_of),
        waivers=rows(queries.WAIVERS, as_of=as_of),
        findings=rows(queries.FINDINGS, as_of=as_of),
        accounts=rows(queries.ACCOUNTS),
        ladder=rows(queries.LADDER),
        releases_checked=rows(queries.RELEASES_CHECKED),
        rejected=rows(queries.REJECTED),
        fairness=fairness_of_period(connection, period),
        sample=sample,
        traces=traces,
        builds=rows(queries.BUILDS),
        schemes=rows(queries.SCHEMES),
        releases=releases,
        inputs=_inputs(rows, sample, releases),
    )
    return replace(report, inputs=report.inputs | {"shown": _shown(report)})


def _since(first: date) -> date:
    """First day of the earliest month of a trend."""
    months = 12 * first.year + first.month - MONTHS
    return date(months // 12, months % 12 + 1, 1)


def _sample(connection: psycopg.Connection[DictRow], period: Period, seed: str, n: int) -> Sample | None:
    """The sample; none where no case of the month was built."""
    try:
        return draw_in(connection, period.text, n, seed)
    except Refused:
        return None


def _inputs(rows: Callable[[str], Rows], sample: Sample | None, releases: Rows) -> dict[str, str]:
    code = code_version()
    told = {row["name"]: row["sha256"] for row in rows(queries.DIGESTS)}
    told["code"] = code["sha256"]
    if sample:
        told["sample_frame"] = sample.frame.sha256
        told["sample"] = _digest([one.case_id for one in sample.cases])
    if releases:
        told["release_head"] = releases[-1]["chain_head"]
    return told


def _shown(report: AuditReport) -> str:
    """sha256 over everything that the report shows, whatever it was read from."""
    return _digest([json.dumps(plain(report), sort_keys=True, default=str)])


def _digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()

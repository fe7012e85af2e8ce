"""One table of the report as CSV: UTF-8 with a mark, so that Excel reads the Chinese; columns are named as in mart.

Rates, targets and the ends of intervals are in percent, as on the sheets of the workbook.
"""

import csv
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from io import StringIO

from minhu.export.report import Group, Report, Unit

OF_REPORT = ("scheme_id", "scheme_version", "period", "kind", "status", "release_id", "revision", "hash", "as_of")
OF_UNIT = ("peer_group", "peer_group_name", "unit_code", "unit_name")
OF_SCORE = ("raw_points", "score_100", "assessed_points", "band", "rank_in_group", "not_ranked_reason", "listed_on")
OF_INDICATOR = (
    *("indicator_code", "indicator_name", "numerator", "denominator", "value", "target", "points_max", "points"),
    *("wilson_low_pct", "wilson_high_pct", "funnel_flag", "is_suppressed", "shrunken_value"),
)
OF_COST = (
    *("indicator_code", "indicator_name", "lost", "feed_code", "feed_name", "case_no", "finding", "rule"),
    *("received_at", "dispatched_at", "due_at", "occurred_at", "sources"),
    *("subject_kind", "subject_id", "marginal", "marginal_reason", "clock"),
    *("late_working_minutes", "late_natural_minutes", "published_row"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins so would be run as a formula by a spreadsheet."""


def as_csv(report: Report, table: str = "indicators") -> bytes:
    """A line for each unit and indicator, for each unit, or for each row that cost points (``evidence``).

    Every line says what it is of, and whether that was published.
    """
    out = StringIO()
    write = csv.writer(out, lineterminator="\r\n")
    columns, lines = TABLES[table]
    write.writerow((*OF_REPORT, *OF_UNIT, *columns))
    head = _report(report)
    for line in lines(report):
        write.writerow(map(_cell, (*head, *line)))
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _report(report: Report) -> tuple:
    release = report.release
    published = (release.release_id, release.revision, release.hash) if release else (None,) * 3
    status = "published" if release else "draft"
    return (report.scheme_id, report.scheme_version, report.period, report.kind, status, *published, report.as_of)


def _unit(group: Group, unit: Unit) -> tuple:
    return (group.code, group.name, unit.code, unit.name)


def _units(report: Report) -> Iterator[tuple]:
    for group, unit in report.units():
        points = (unit.raw_points, unit.score_100, unit.assessed_points)
        yield (*_unit(group, unit), *points, unit.band, unit.rank, unit.reason, unit.listed_on)


def _indicators(report: Report) -> Iterator[tuple]:
    for group, unit in report.units():
        for one in unit.measured:
            counted = (one.numerator, one.denominator, one.value, one.target, one.points_max, one.points)
            chance = (one.wilson_low_pct, one.wilson_high_pct, one.funnel_flag, one.is_suppressed, one.shrunken_value)
            yield (*_unit(group, unit), one.code, report.names[one.code], *counted, *chance)


def _evidence(report: Report) -> Iterator[tuple]:
    for group, unit, one, cost in report.costs():
        what = (cost.lost, cost.feed_code, cost.feed_name, cost.case_no, cost.finding, cost.rule)
        times = (cost.received_at, cost.dispatched_at, cost.due_at, cost.occurred_at)
        sources = "；".join(cost.sources)
        subject = (cost.subject_kind, cost.subject_id, cost.marginal, cost.marginal_reason)
        clock = cost.clock
        late = (clock.text_zh, clock.late_working_minutes, clock.late_natural_minutes) if clock else (None,) * 3
        yield (
            *_unit(group, unit),
            one.code,
            report.names[one.code],
            *what,
            *times,
            sources,
            *subject,
            *late,
            cost.published_row,
        )


TABLES: dict[str, tuple[tuple[str, ...], Callable[[Report], Iterator[tuple]]]] = {
    "indicators": (OF_INDICATOR, _indicators),
    "units": (OF_SCORE, _units),
    "evidence": (OF_COST, _evidence),
}
"""Each: the columns behind those of report and unit, and the lines."""


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value

"""The reconciliation statement (对账单) of a date: what each delivery promised, sent, and what became of it."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from minhu import database
from minhu.feeds import load_feeds
from minhu.glossary.columns import COLUMN
from minhu.glossary.delivered import BATCH_STATUS
from minhu.settings import Settings

COLUMNS = (
    *("feed_code", "feed_name", "delivery", "status", "batches", "control_total"),
    *("received", "staged", "rejected", "duplicates", "filtered", "pruned", "gap", "reason"),
)
HEADS = tuple(map(COLUMN.zh, COLUMNS))


@dataclass(frozen=True)
class Line:
    """One delivery on one date.

    ``gap``: received rows less the sender's count, where the sender gives one. ``pruned``: rows of the staged and the
    rejected that retention has deleted since.
    """

    feed_code: str
    feed_name: str
    delivery: str
    status: str
    batches: int = 0
    control_total: int | None = None
    received: int = 0
    staged: int = 0
    rejected: int = 0
    duplicates: int = 0
    filtered: int = 0
    pruned: int = 0
    gap: int | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Statement:
    """All deliveries of a date, declared ones first. ``is_whole``: nothing is missing, refused, held or short."""

    business_date: date
    lines: tuple[Line, ...]

    @property
    def is_whole(self) -> bool:
        return all(line.status in ("loaded", "accepted") and not line.gap for line in self.lines)

    def as_json(self) -> dict:
        lines = [line.__dict__ for line in self.lines]
        return {"business_date": self.business_date.isoformat(), "is_whole": self.is_whole, "lines": lines}


def reconcile(settings: Settings, business_date: date) -> Statement:
    """The statement of one date. A delivery that was declared and did not come has a line of its own."""
    found = {}
    with database.connect(settings) as connection:
        for row in connection.execute(_SUMS, [business_date]).fetchall():
            feed, delivery, *figures = row
            found[feed, delivery] = figures
    lines = []
    for feed in load_feeds(settings.config):
        for delivery in feed.deliveries:
            lines.append(_line(feed.code, feed.name, delivery.name, found.pop((feed.code, delivery.name), None)))
    lines += [_line(feed, feed, delivery, figures) for (feed, delivery), figures in sorted(found.items())]
    return Statement(business_date, tuple(lines))


# Rows of refused batches are counted apart: nothing of them was taken.
_SUMS = """
select
    feed_code,
    delivery,
    count(*) filter (where status <> 'refused') as batches,
    (sum(control_total) filter (where status <> 'refused'))::bigint as control_total,
    coalesce(sum(received_rows) filter (where status <> 'refused'), 0)::bigint as received,
    coalesce(sum(staged_rows) filter (where status <> 'refused'), 0)::bigint as staged,
    coalesce(sum(rejected_rows) filter (where status <> 'refused'), 0)::bigint as rejected,
    coalesce(sum(duplicate_rows) filter (where status <> 'refused'), 0)::bigint as duplicates,
    coalesce(sum(filtered_rows) filter (where status <> 'refused'), 0)::bigint as filtered,
    coalesce(sum(pruned.rows), 0)::bigint as pruned,
    (sum(received_rows - control_total) filter (where status <> 'refused'))::bigint as gap,
    array_agg(distinct status) as statuses,
    string_agg(distinct reason, '; ') filter (where status in ('refused', 'held')) as reason
from audit.batch
left join lateral (select sum(rows) as rows from audit.pruned where pruned.batch_id = batch.batch_id) as pruned on true
where business_date = %s and status <> 'superseded'
group by feed_code, delivery
"""


def _line(feed_code: str, feed_name: str, delivery: str, figures: list[Any] | None) -> Line:
    if figures is None:
        return Line(feed_code, feed_name, delivery, "missing")
    *counts, statuses, reason = figures
    worst = next(status for status in ("held", "loaded", "accepted", "refused") if status in statuses)
    return Line(feed_code, feed_name, delivery, worst, *(*counts, reason))


def as_markdown(statement: Statement) -> str:
    """The statement as a Markdown table, with a line of sums."""
    head = f"# 对账单 {statement.business_date}\n\n"
    rows = [list(HEADS), ["---"] * len(COLUMNS), *(_cells(line) for line in statement.lines), _sums(statement)]
    return head + "\n".join(f"| {' | '.join(map(_text, row))} |" for row in rows) + "\n"


def write_xlsx(statement: Statement, path: Path) -> None:
    """The statement as a workbook: one sheet, frozen head, a line of sums."""
    import xlsxwriter

    with xlsxwriter.Workbook(path) as book:
        sheet, bold = book.add_worksheet(f"对账单 {statement.business_date}"), book.add_format({"bold": True})
        sheet.write_row(0, 0, HEADS, bold)
        for at, line in enumerate(statement.lines, 1):
            sheet.write_row(at, 0, _cells(line))
        sheet.write_row(len(statement.lines) + 1, 0, _sums(statement), bold)
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, 1, 22)
        sheet.set_column(2, len(COLUMNS) - 2, 10)
        sheet.set_column(len(COLUMNS) - 1, len(COLUMNS) - 1, 60)


def _cells(line: Line) -> list:
    values = line.__dict__ | {"status": BATCH_STATUS.zh(line.status)}
    return [values[name] for name in COLUMNS]


def _sums(statement: Statement) -> list:
    counted = ("batches", "received", "staged", "rejected", "duplicates", "filtered", "pruned")
    return [
        COLUMN.zh("total")
        if name == "feed_code"
        else sum(getattr(line, name) for line in statement.lines)
        if name in counted
        else ""
        for name in COLUMNS
    ]


def _text(value: object) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")

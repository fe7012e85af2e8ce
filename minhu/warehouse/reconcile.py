"""The reconciliation statement (对账单) of a date: what each delivery promised, sent, and what became of it."""

from dataclasses import dataclass
from datetime import date
from io import BytesIO
from itertools import starmap
from typing import Any

from minhu import database
from minhu.feeds import EVERY_DELIVERY, readable_feeds
from minhu.glossary.columns import COLUMN
from minhu.glossary.delivered import BATCH_STATUS, DOOR_REASON, LOAD_FAILURE
from minhu.settings import Settings

COLUMNS = (
    *("feed_code", "feed_name", "delivery", "status", "batches", "control_total"),
    *("received", "staged", "rejected", "duplicates", "filtered", "pruned", "detached", "gap", "reason"),
)
HEADS = tuple(map(COLUMN.zh, COLUMNS))
TEXTS = ("feed_code", "feed_name", "delivery", "status", "reason")
WIDTHS = (24, 36, 11, 10, 8, 11, *[9] * 8, 36)
"""Of the columns of the workbook: every feed's code and name in one line."""


@dataclass(frozen=True)
class Line:
    """One delivery on one date.

    ``gap``: received rows less the sender's count, where the sender gives one; duplicates may be counted or not.
    ``pruned``: rows of the staged and the rejected that retention has deleted since. ``detached``: staged rows that lie
    in files of months that were taken out of staging.
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
    detached: int = 0
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
        failed = {
            (feed, delivery): "; ".join(starmap(_why, reasons))
            for feed, delivery, reasons in connection.execute(_FAILED, {"date": business_date})
        }
    names, unreadable = _declared(settings)
    failed = {key: why for key, why in failed.items() if key[1] != EVERY_DELIVERY} | unreadable
    keys = [*names, *sorted((found.keys() | failed.keys()) - names.keys())]
    return Statement(
        business_date,
        tuple(_line(key, names.get(key) or key[0], found.get(key), failed.get(key)) for key in keys),
    )


def _declared(settings: Settings) -> tuple[dict[tuple[str, str], str], dict[tuple[str, str], str]]:
    """Feed and delivery → the feed's name, as declared; of the declarations that cannot be read, why."""
    feeds, unreadable = readable_feeds(settings.config)
    names = {(feed.code, delivery.name): feed.name for feed in feeds for delivery in feed.deliveries}
    whys = {(code, EVERY_DELIVERY): _why("BAD_DECLARATION", str(error)) for code, error in unreadable.items()}
    return names | {key: key[0] for key in whys}, whys


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
    coalesce(sum(apart.rows), 0)::bigint as detached,
    (
        sum(greatest(received_rows - duplicate_rows - control_total, 0) + least(received_rows - control_total, 0))
        filter (where status <> 'refused')
    )::bigint as gap,
    array_agg(distinct status) as statuses,
    string_agg(distinct reason, '; ') filter (where status in ('refused', 'held')) as reason
from audit.batch
left join lateral (select sum(rows) as rows from audit.pruned where pruned.batch_id = batch.batch_id) as pruned on true
left join audit.detached_rows as apart on batch.batch_id = apart.batch_id
where business_date = %s and status <> 'superseded'
group by feed_code, delivery
"""


# Failures that nothing has mended since.
_FAILED = """
select feed_code, delivery, array_agg(array[reason_code, coalesce(reason, '')] order by since) as reasons
from audit.failed_loads(%(date)s, %(date)s)
group by feed_code, delivery
"""


def _why(code: str, reason: str) -> str:
    kind = LOAD_FAILURE if code in LOAD_FAILURE else DOOR_REASON
    return f"{kind.said(code)}（{code}）：{reason}"


def _line(key: tuple[str, str], name: str, figures: list[Any] | None, failed: str | None) -> Line:
    feed_code, delivery = key
    if figures is None:
        return Line(feed_code, name, delivery, "failed" if failed else "missing", reason=failed)
    *counts, statuses, reason = figures
    worst = next(status for status in ("held", "loaded", "accepted", "refused") if status in statuses)
    reasons = "; ".join(filter(None, [failed, reason])) or None
    return Line(feed_code, name, delivery, "failed" if failed else worst, *(*counts, reasons))


def as_markdown(statement: Statement) -> str:
    """The statement as a Markdown table, with a line of sums."""
    head = f"# 对账单 {statement.business_date}\n\n"
    rows = [list(HEADS), ["---"] * len(COLUMNS), *(_cells(line) for line in statement.lines), _sums(statement)]
    return head + "\n".join(f"| {' | '.join(map(_text, row))} |" for row in rows) + "\n"


def as_xlsx(statement: Statement) -> bytes:
    """The statement as a workbook: one sheet under its heads, a page wide, a line of sums."""
    import xlsxwriter

    out, title = BytesIO(), f"对账单 {statement.business_date}"
    with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        sheet = book.add_worksheet(title)
        look = {"font_name": "等线", "valign": "vcenter"}
        text, number = book.add_format({**look, "text_wrap": True}), book.add_format({**look, "num_format": "#,##0"})
        title_look = {**look, "bold": True, "text_wrap": True, "bg_color": "#E3EAF2", "bottom": 1}
        heads = book.add_format(title_look), book.add_format({**title_look, "align": "right"})
        total = book.add_format({**look, "bold": True, "top": 1, "num_format": "#,##0"})
        for at, (name, width) in enumerate(zip(COLUMNS, WIDTHS, strict=True)):
            sheet.set_column(at, at, width, text if name in TEXTS else number)
            sheet.write_string(0, at, HEADS[at], heads[name not in TEXTS])
        for at, line in enumerate(statement.lines, 1):
            sheet.write_row(at, 0, _cells(line))
        sheet.write_row(len(statement.lines) + 1, 0, _sums(statement), total)
        sheet.freeze_panes(1, 0)
        sheet.repeat_rows(0)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        sheet.set_header(f"&L{title}&R&P / &N")
    return out.getvalue()


def _cells(line: Line) -> list:
    values = line.__dict__ | {"status": BATCH_STATUS.zh(line.status)}
    return [values[name] for name in COLUMNS]


def _sums(statement: Statement) -> list:
    counted = ("batches", "received", "staged", "rejected", "duplicates", "filtered", "pruned", "detached")
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

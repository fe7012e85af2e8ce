"""The workbook: cover, overview with charts, a table for each peer group, units on request, evidence, notes."""

from collections.abc import Iterable, Iterator
from io import BytesIO

from xlsxwriter.worksheet import Worksheet

from minhu.errors import Refused
from minhu.export.annex import unit_line
from minhu.export.book import ROW, Book, counted, head, line, tall
from minhu.export.figures import arrows, bare, interval
from minhu.export.report import Cost, Group, Indicator, Measured, Report, Unit
from minhu.export.words import Words
from minhu.export.xlsx_ledger import ledger
from minhu.export.xlsx_overview import overview
from minhu.glossary.cases import SUBJECT
from minhu.glossary.decided import PUBLISHED, ROW_CHANGE
from minhu.publish.diff import Diff
from minhu.schemes.words import limit

NARROW, REASON, ACROSS = 8.5, 16, 102.0
"""Of a group's sheet: the width of an indicator's columns and of the reason, and what fits across a page as it is. More
indicators go on further pages, the units' names again before them."""
SCALE, SCALE_OF_MORE = 60, 54
"""At which it prints, in percent; with a second rate in each indicator."""
MOST_ROWS = 1_048_000
"""A sheet holds 1,048,576."""


def as_xlsx(report: Report, words: Words, units: Iterable[str] = ()) -> bytes:
    """The workbook, with a sheet for each of the units (codes) named. The same report gives the same bytes.

    Raises Refused when the evidence does not fit on a sheet.
    """
    wanted, out = set(units), BytesIO()
    book = Book(report, words, out)
    _cover(book)
    overview(book)
    for group in report.groups:
        _group(book, group)
    _apart(book)
    if report.diff:
        _revised(book, report.diff)
        if report.diff.ledger:
            ledger(book, report.diff)
    for group, unit in report.units():
        if unit.code in wanted:
            _unit(book, group, unit)
    if report.has_costs:
        _evidence(book)
    _notes(book)
    book.book.close()
    return out.getvalue()


def _cover(book: Book) -> None:
    report, words = book.report, book.words
    sheet = book.sheet(words("cover"), wide=False)
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 20)
    sheet.set_column(1, 1, 72)
    book.put(sheet, 1, 0, report.title, "title")
    book.put(sheet, 2, 0, words("bulletin_of", period=words.period(report)), "subtitle")
    row = 4
    for notice in words.notices(report):
        sheet.merge_range(row, 0, row, 1, notice, book.format("notice"))
        sheet.set_row(row, tall(notice, 88))
        row += 1
    row += 1
    for name, value in words.identity(report):
        book.put(sheet, row, 0, name, "key")
        book.put(sheet, row, 1, value, "value")
        sheet.set_row(row, tall(value, 72))
        row += 1
    row += 1
    for group in report.groups:
        book.put(sheet, row, 0, group.name, "key")
        listed, apart = len(group.listed), len(group.apart)
        told = words("said_units", all=listed + apart, listed=listed, apart=apart)
        book.put(sheet, row, 1, told, "value")
        row += 1


def _columns(book: Book, indicator: Indicator) -> tuple[str, ...]:
    """What is shown of a unit by an indicator: a rate with its counts, interval and flag, or a count."""
    drawn = ("shrunken_value",) if book.report.is_shrunken else ()
    rate = ("numerator", "denominator", "rate", "wilson_low", "wilson_high", *drawn, "funnel_flag", "points")
    return tuple(book.words(name) for name in (rate if indicator.is_rate else ("count", "points")))


def _group(book: Book, group: Group) -> None:
    """A peer group: every unit, its score first, then each indicator; the sums below."""
    report, words = book.report, book.words
    ranked = ["rank_in_group"] if report.is_ranked else []
    own = [words(key) for key in ("unit_code", "unit", "band", *ranked, "score_100")]
    own.append(words("assessed_of", points=bare(group.points)))
    own += [words("listed_on")] if report.lists else []
    own.append(words("not_ranked_reason"))
    sheet = book.sheet(group.name, freeze=(2, 2), head_rows=2)
    scale = SCALE_OF_MORE if report.is_shrunken else SCALE
    sheet.set_print_scale(scale)
    sheet.repeat_columns(0, 1)
    breaks: list[int] = []
    room = 0.0
    sheet.set_column(0, 0, 13)
    sheet.set_column(1, 1, 32)
    sheet.set_column(2, len(own) - 2, 9)
    sheet.set_column(len(own) - 1, len(own) - 1, REASON)
    sheet.set_row(1, 30)
    for column, title in enumerate(own):
        sheet.merge_range(0, column, 1, column, title, book.format("head"))
    column = len(own)
    for indicator in report.indicators:
        titles = _columns(book, indicator)
        sheet.merge_range(0, column, 0, column + len(titles) - 1, indicator.name, book.format("head"))
        for at, title in enumerate(titles, start=column):
            sheet.write_string(1, at, title, book.format("head"))
        sheet.set_column(column, column + len(titles) - 1, NARROW)
        if room < len(titles) * NARROW:
            breaks, room = [*breaks, column], 100 * ACROSS / scale - 45
        room -= len(titles) * NARROW
        column += len(titles)
    sheet.set_v_pagebreaks(breaks)
    for row, unit in enumerate(group.units, start=2):
        _unit_line(book, sheet, row, unit)
    last = len(group.units) + 2
    book.put(sheet, last, 0, None, "text", is_total=True)
    book.put(sheet, last, 1, words("total"), "text", is_total=True)
    for at in range(2, len(own)):
        book.put(sheet, last, at, None, "text", is_total=True)
    column = len(own)
    for indicator in report.indicators:
        cells = list(_cells(book, indicator, group.total(indicator.code)))
        for at, (value, look) in enumerate(cells, start=column):
            book.put(sheet, last, at, value, look, is_total=True)
        column += len(cells)
    if group.units:
        sheet.autofilter(1, 0, last - 1, column - 1)


def _unit_line(book: Book, sheet: Worksheet, row: int, unit: Unit) -> None:
    report, words = book.report, book.words
    points: list[tuple[object, str]] = [(value, "points") for value in (unit.score_100, unit.assessed_points)]
    if unit.is_suppressed:
        points = [(words("suppressed"), "grey")] * 2
    rank = [(unit.rank, "count")] if report.is_ranked else []
    cells: list[tuple[object, str]] = [(unit.code, "text"), (unit.name, "text"), (unit.band, "grey"), *rank, *points]
    cells += [(unit.listed_on, "grey")] if report.lists else []
    cells.append((words.reason(unit.reason), "text"))
    for indicator in report.indicators:
        cells += _cells(book, indicator, unit.by(indicator.code))
    line(book, sheet, row, 0, cells, (99, 32, *[99] * (len(cells) - 2)))
    if unit.reason:
        sheet.set_row(row, tall(words.reason(unit.reason), REASON))


def _cells(book: Book, indicator: Indicator, one: Measured | None) -> Iterator[tuple[object, str]]:
    words = book.words
    if one is None:
        yield from [(None, "plain")] * len(_columns(book, indicator))
        return
    if indicator.is_rate:
        yield from counted(one, words)
        if book.report.is_shrunken:
            yield (words("suppressed"), "grey") if one.is_suppressed else (one.shrunken_value, "percent2")
        yield arrows(one.funnel_flag) or None, "grey"
    else:
        yield (words("suppressed"), "grey") if one.is_suppressed else (one.value, "plain")
    yield one.points, "points"


def _apart(book: Book) -> None:
    """Units with nothing to judge, with the reason."""
    report, words = book.report, book.words
    sheet = book.sheet(words("apart"), wide=False, freeze=(1, 0), head_rows=1)
    titles = (("unit_code", 14), ("unit", 40), ("peer_group", 12), ("not_ranked_reason", 40))
    head(book, sheet, 0, [words(title) for title, _ in titles])
    for column, (_, width) in enumerate(titles):
        sheet.set_column(column, column, width)
    row = 0
    for row, (group, unit) in enumerate(((g, unit) for g in report.groups for unit in g.apart), start=1):
        for column, value in enumerate((unit.code, unit.name, group.name, words.reason(unit.reason))):
            book.put(sheet, row, column, value, "text")
    if not row:
        book.put(sheet, 1, 0, words("nobody_apart"), "text")


def _revised(book: Book, diff: Diff) -> None:
    """What the revision changed: why, then a line for each number and each row of evidence."""
    report, words = book.report, book.words
    sheet = book.sheet(words("revised"), wide=False, freeze=(4, 0), head_rows=4)
    titles = (("unit_code", 14), ("unit", 30), ("indicator", 18), ("what", 34), ("before", 14), ("after", 14))
    for column, (_, width) in enumerate(titles):
        sheet.set_column(column, column, width)
    causes = words("said_causes", causes=words("semicolon").join(diff.causes)) if diff.causes else ""
    for row, text in enumerate((words.revision(report), causes)):
        sheet.merge_range(row, 0, row, len(titles) - 1, text, book.format("value"))
        sheet.set_row(row, tall(text, 124))
    head(book, sheet, 3, [words(title) for title, _ in titles])
    widths = [width for _, width in titles]
    for row, moved in enumerate(_moves(report, diff, words), start=4):
        line(book, sheet, row, 0, [(value, "text") for value in moved], widths)


def _moves(report: Report, diff: Diff, words: Words) -> Iterator[tuple[str | None, ...]]:
    for one in (*diff.units, *diff.indicators):
        name = report.names.get(one.indicator_code or "", one.indicator_code)
        for change in one.changes:
            yield one.unit_code, one.unit_name, name, change.name_zh, change.before, change.after
    units = {unit.code: unit.name for _, unit in report.units()}
    for row in diff.cases:
        said = words.left_out(row.excluded_reason) or words.of(ROW_CHANGE, row.change)
        told = (
            f"{row.feed_code} {row.case_no}"
            if row.case_no
            else f"{words.of(SUBJECT, row.subject_kind)} {row.subject_id}"
        )
        sides = (said, None) if row.change == "removed" else (None, said)
        name = report.names.get(row.indicator_code, row.indicator_code)
        yield row.unit_code, units.get(row.unit_code), name, told, *sides


def _unit(book: Book, group: Group, unit: Unit) -> None:
    """A unit's own sheet: its result, its indicators, and the rows that cost it points."""
    report, words = book.report, book.words
    sheet = book.sheet(unit.name)
    _cost_columns(sheet, 0)
    book.put(sheet, 0, 0, unit.name, "title")
    book.put(sheet, 1, 0, unit_line(group, unit, words), "subtitle")
    titles = (
        "indicator",
        "numerator",
        "denominator",
        "value",
        "interval",
        "funnel_flag",
        "target",
        "points_max",
        "points",
        "lost_points",
        *(["shrunken_value"] if report.is_shrunken else []),
    )
    head(book, sheet, 3, [words(title) for title in titles])
    sheet.set_row(3, 2 * ROW)
    row = 4
    for indicator in report.indicators:
        if (one := unit.by(indicator.code)) is None:
            continue
        line(book, sheet, row, 0, _indicator_cells(indicator, one, report, words), WIDTHS)
        row += 1
    row += 1
    book.put(sheet, row, 0, words.of(PUBLISHED, "evidence"), "bold")
    head(book, sheet, row + 1, [words(title) for title in COSTS])
    costs = [(one, cost) for one in unit.measured for cost in one.costs or ()]
    for at, (one, cost) in enumerate(costs, start=row + 2):
        _cost_line(book, sheet, at, 0, one, cost)
    if not costs:
        book.put(sheet, row + 2, 0, words("no_costs"), "text")


def _indicator_cells(indicator: Indicator, one: Measured, report: Report, words: Words) -> tuple[tuple, ...]:
    value = one.value / 100 if indicator.is_rate and one.value is not None else one.value
    return (
        (indicator.name, "text"),
        (one.numerator, "plain"),
        (one.denominator, "plain"),
        (words("not_applicable"), "grey") if value is None else (value, "share" if indicator.is_rate else "plain"),
        (interval(one), "grey"),
        (words.flag(one.funnel_flag), "text"),
        (one.target, "percent"),
        (one.points_max, "plain"),
        (one.points, "points"),
        (one.lost, "points"),
        *([(one.shrunken_value, "percent2")] if report.is_shrunken else []),
    )


COSTS = (
    *("indicator", "lost_points", "feed", "case_no", "published_row", "finding", "limit_rule"),
    *("received_at", "dispatched_at", "due_at", "occurred_at", "marginal", "clock", "source"),
)
WIDTHS = (14, 7, 11, 20, 9, 16, 14, 15.5, 15.5, 15.5, 15.5, 8.5, 60, 34)
"""Of the columns of evidence. The clock and the source are printed on a page of their own, behind the case again."""
EVIDENCE_SCALE = 60


def _cost_columns(sheet: Worksheet, first: int) -> None:
    """The columns of evidence from the ``first`` on, and how they print."""
    for column, width in enumerate(WIDTHS, start=first):
        sheet.set_column(column, column, width)
    sheet.set_print_scale(EVIDENCE_SCALE)
    sheet.repeat_columns(0, first + COSTS.index("published_row"))
    sheet.set_v_pagebreaks([first + COSTS.index("clock")])


def _cost_line(book: Book, sheet: Worksheet, row: int, column: int, one: Measured, cost: Cost) -> None:
    cells = (
        (book.report.names[one.code], "text"),
        (cost.lost, "points"),
        (cost.feed_name, "text"),
        (cost.case_no, "text"),
        (cost.published_row, "text"),
        (cost.finding, "text"),
        (cost.rule, "text"),
        (cost.received_at, "moment"),
        (cost.dispatched_at, "moment"),
        (limit(cost.due_at) if cost.due_at else None, "text"),
        (cost.occurred_at, "moment"),
        (cost.marginal_reason, "text") if cost.marginal is None else (cost.marginal, "worth"),
        (cost.clock and cost.clock.text_zh, "text"),
        ("；".join(cost.sources), "text"),
    )
    line(book, sheet, row, column, cells, WIDTHS)


def _evidence(book: Book) -> None:
    """Every row that cost points, of the units that were taken apart."""
    report, words = book.report, book.words
    sheet = book.sheet(words.of(PUBLISHED, "evidence"), freeze=(1, 2), head_rows=1)
    titles = ("peer_group", "unit", *COSTS)
    head(book, sheet, 0, [words(title) for title in titles])
    sheet.set_column(0, 0, 8)
    sheet.set_column(1, 1, 16)
    _cost_columns(sheet, 2)
    row = 0
    for row, (group, unit, one, cost) in enumerate(report.costs(), start=1):
        if row > MOST_ROWS:
            raise Refused(f"more than {MOST_ROWS:,} rows of evidence do not fit on a sheet; name units with --unit")
        book.put(sheet, row, 0, group.name, "text")
        book.put(sheet, row, 1, unit.name, "text")
        _cost_line(book, sheet, row, 2, one, cost)
    if row:
        sheet.autofilter(0, 0, row, len(titles) - 1)
    else:
        book.put(sheet, 1, 0, words("no_costs"), "text")


def _notes(book: Book) -> None:
    """What the numbers mean: the rules of each indicator, then the notes."""
    report, words = book.report, book.words
    sheet = book.sheet(words("notes"), wide=False, freeze=(1, 0), head_rows=1)
    sheet.set_column(0, 0, 18)
    sheet.set_column(1, 1, 80)
    head(book, sheet, 0, [words("indicator"), words("rule")])
    row = 1
    for indicator, rule in words.rules(report):
        note = words("note_of", note=indicator.note) if indicator.note else ""
        book.put(sheet, row, 0, indicator.name, "value")
        book.put(sheet, row, 1, f"{rule}{note}", "value")
        sheet.set_row(row, tall(f"{rule}{note}", 80))
        row += 1
    for number, note in enumerate(words.notes(report), start=1):
        sheet.merge_range(row + number, 0, row + number, 1, f"{number}. {note}", book.format("value"))
        sheet.set_row(row + number, tall(note, 94))

"""The workbook: cover, overview with charts, a table for each peer group, indicators, units asked for, rows, notes."""

from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO

from xlsxwriter.worksheet import Worksheet

from minhu.errors import Refused
from minhu.export.annex import unit_line
from minhu.export.book import ROW, UPRIGHT, Book, counted, head, line, tall, wide_enough
from minhu.export.figures import arrows, bare, sides
from minhu.export.report import Cost, Group, Indicator, Measured, Report, Unit
from minhu.export.words import Words
from minhu.export.xlsx_ledger import ledger
from minhu.export.xlsx_overview import overview
from minhu.glossary.cases import SUBJECT
from minhu.glossary.decided import PUBLISHED, ROW_CHANGE
from minhu.publish.diff import Diff
from minhu.schemes.words import limit

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
    _indicators(book)
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
    sheet = book.sheet(words("cover"), wide=False, widths=(20, 72))
    sheet.hide_gridlines(2)
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


def _group(book: Book, group: Group) -> None:
    """A peer group: every unit, its score first, then value and points by each indicator; the sums below."""
    report, words = book.report, book.words
    ranked = ["rank_in_group"] if report.is_ranked else []
    own = [words(key) for key in ("unit_code", "unit", "band", *ranked, "score_100")]
    assessed = len(own)
    own.append(words("assessed_of", points=bare(group.points)))
    own += [words("listed_on")] if report.lists else []
    own.append(words("not_ranked_reason"))
    name = wide_enough((unit.name for unit in group.units), 20)
    widths = [12.5, name, *[8.5] * (len(own) - 3), 14, *[9, 7.5] * len(report.indicators)]
    widths[assessed] = 13
    sheet = book.sheet(group.name, freeze=(2, 2), heads=(0, 1), widths=widths)
    sheet.set_row(1, 2 * ROW)
    for column, title in enumerate(own):
        sheet.merge_range(0, column, 1, column, title, book.format("head"))
    for column, indicator in enumerate(report.indicators):
        at = len(own) + 2 * column
        sheet.merge_range(0, at, 0, at + 1, indicator.name, book.format("head"))
        titles = ("rate" if indicator.is_rate else "count", "points")
        for beside, title in enumerate(titles):
            sheet.write_string(1, at + beside, words(title), book.format("head"))
    for row, unit in enumerate(group.units, start=2):
        _unit_line(book, sheet, row, unit, widths)
    last = len(group.units) + 2
    cells: list[tuple[object, str]] = [(None, "text"), (words("total"), "text"), *[(None, "text")] * (len(own) - 2)]
    for indicator in report.indicators:
        cells += _result(book, indicator, group.total(indicator.code))
    for at, (value, look) in enumerate(cells):
        book.put(sheet, last, at, value, look, is_total=True)
    if group.units:
        sheet.autofilter(1, 0, last - 1, len(cells) - 1)


def _unit_line(book: Book, sheet: Worksheet, row: int, unit: Unit, widths: Sequence[float]) -> None:
    report, words = book.report, book.words
    points: list[tuple[object, str]] = [(value, "points") for value in (unit.score_100, unit.assessed_points)]
    if unit.is_suppressed:
        points = [(words("suppressed"), "grey")] * 2
    rank = [(unit.rank, "count")] if report.is_ranked else []
    cells: list[tuple[object, str]] = [(unit.code, "text"), (unit.name, "text"), (unit.band, "grey"), *rank, *points]
    cells += [(unit.listed_on, "grey")] if report.lists else []
    cells.append((words.reason(unit.reason), "text"))
    for indicator in report.indicators:
        cells += _result(book, indicator, unit.by(indicator.code))
    line(book, sheet, row, 0, cells, widths)


def _result(book: Book, indicator: Indicator, one: Measured | None) -> Iterator[tuple[object, str]]:
    """The value by an indicator, and its points."""
    if one is not None and one.is_suppressed:
        yield book.words("suppressed"), "grey"
    else:
        yield _value(indicator, one)
    yield one and one.points, "points"


def _value(indicator: Indicator, one: Measured | None) -> tuple[object, str]:
    if one is None or one.value is None:
        return None, "plain"
    return (one.value / 100, "share") if indicator.is_rate else (one.value, "plain")


def _indicators(book: Book) -> None:
    """A line for each unit and indicator: counts, rate and interval, points; the sums of each group below its units."""
    report, words = book.report, book.words
    drawn = ["shrunken_value"] if report.is_shrunken else []
    titles = ("peer_group", "unit", "indicator", *COUNTED, *drawn, *JUDGED)
    name = wide_enough((unit.name for _, unit in report.units()), 20)
    widths = (9, name, 14, 8, 8, 9, 9, 9, *[9] * len(drawn), 8, 8, 7, 8, 8)
    sheet = book.sheet(words("indicators"), freeze=(1, 3), heads=(0, 0), widths=widths)
    sheet.set_row(0, 2 * ROW)
    head(book, sheet, 0, [words(title) for title in titles])
    row = 0
    for group in report.groups:
        named = [(unit.name, unit.by, False) for unit in group.units]
        for told, by, is_total in (*named, *([(words("total"), group.total, True)] if named else [])):
            for indicator in report.indicators:
                if (one := by(indicator.code)) is None:
                    continue
                row += 1
                cells = ((group.name, "text"), (told, "text"), *_indicator_cells(indicator, one, report, words))
                for at, (value, look) in enumerate(cells):
                    book.put(sheet, row, at, value, look, is_total=is_total)
    if row:
        sheet.autofilter(0, 0, row, len(titles) - 1)
    else:
        book.put(sheet, 1, 0, words("nobody_assessed"), "bare")


def _apart(book: Book) -> None:
    """Units with nothing to judge, with the reason."""
    report, words = book.report, book.words
    name = wide_enough((unit.name for group in report.groups for unit in group.apart), 40)
    titles = (("unit_code", 14), ("unit", name), ("peer_group", 12), ("not_ranked_reason", 40))
    widths = [width for _, width in titles]
    sheet = book.sheet(words("apart"), wide=sum(widths) > UPRIGHT, freeze=(1, 0), heads=(0, 0), widths=widths)
    head(book, sheet, 0, [words(title) for title, _ in titles])
    row = 0
    for row, (group, unit) in enumerate(((g, unit) for g in report.groups for unit in g.apart), start=1):
        for column, value in enumerate((unit.code, unit.name, group.name, words.reason(unit.reason))):
            book.put(sheet, row, column, value, "text")
    if not row:
        book.put(sheet, 1, 0, words("nobody_apart"), "bare")


def _revised(book: Book, diff: Diff) -> None:
    """What the revision changed: why, then a line for each number and each row of evidence."""
    report, words = book.report, book.words
    name = wide_enough((unit.name for _, unit in report.units()), 30)
    titles = (("unit_code", 14), ("unit", name), ("indicator", 18), ("what", 34), ("before", 14), ("after", 14))
    widths = [width for _, width in titles]
    sheet = book.sheet(words("revised"), freeze=(4, 0), heads=(3, 3), widths=widths)
    causes = words("said_causes", causes=words("semicolon").join(diff.causes)) if diff.causes else ""
    for row, text in enumerate((words.revision(report), causes)):
        sheet.merge_range(row, 0, row, len(titles) - 1, text, book.format("value"))
        sheet.set_row(row, tall(text, sum(widths)))
    head(book, sheet, 3, [words(title) for title, _ in titles])
    for row, moved in enumerate(_moves(report, diff, words), start=4):
        line(book, sheet, row, 0, [(value, "text") for value in moved], widths)


def _moves(report: Report, diff: Diff, words: Words) -> Iterator[tuple[str | None, ...]]:
    for one in (*diff.units, *diff.indicators):
        name = report.names.get(one.indicator_code or "", one.indicator_code)
        for change in one.changes:
            moved = sides(change, is_rate=report.is_rate(one.indicator_code))
            yield one.unit_code, one.unit_name, name, words(change.column), *moved
    units = {unit.code: unit.name for _, unit in report.units()}
    for row in diff.cases:
        said = words.left_out(row.excluded_reason) or words.of(ROW_CHANGE, row.change)
        told = (
            f"{row.feed_code} {row.case_no}"
            if row.case_no
            else f"{words.of(SUBJECT, row.subject_kind)} {row.subject_id}"
        )
        moved = (said, None) if row.change == "removed" else (None, said)
        name = report.names.get(row.indicator_code, row.indicator_code)
        yield row.unit_code, units.get(row.unit_code), name, told, *moved


def _unit(book: Book, group: Group, unit: Unit) -> None:
    """A unit's own sheet: its result, its indicators, and the rows that cost it points."""
    report, words = book.report, book.words
    measured = [(indicator, one) for indicator in report.indicators if (one := unit.by(indicator.code))]
    costs = [(one, cost) for one in unit.measured for cost in one.costs or ()]
    first = len(measured) + 5
    sheet = book.sheet(unit.name, heads=(first + 1, first + 1) if costs else None, widths=WIDTHS)
    book.put(sheet, 0, 0, unit.name, "title")
    book.put(sheet, 1, 0, unit_line(group, unit, words), "subtitle")
    drawn = ["shrunken_value"] if report.is_shrunken else []
    head(book, sheet, 3, [words(title) for title in ("indicator", *COUNTED, *drawn, *JUDGED)])
    sheet.set_row(3, 2 * ROW)
    for row, (indicator, one) in enumerate(measured, start=4):
        line(book, sheet, row, 0, _indicator_cells(indicator, one, report, words), WIDTHS)
    book.put(sheet, first, 0, words.of(PUBLISHED, "evidence"), "bold")
    head(book, sheet, first + 1, [words(title) for title in COSTS])
    for at, (one, cost) in enumerate(costs, start=first + 2):
        _cost_line(book, sheet, at, 0, one, cost, WIDTHS)
    if not costs:
        book.put(sheet, first + 2, 0, words("no_costs"), "bare")


COUNTED = ("numerator", "denominator", "value", "wilson_low", "wilson_high")
JUDGED = ("funnel_flag", "target", "points_max", "points", "lost_points")


def _indicator_cells(
    indicator: Indicator, one: Measured, report: Report, words: Words
) -> tuple[tuple[object, str], ...]:
    """The indicator by name, then what stands under COUNTED, the second rate where it is shown, and JUDGED."""
    counts = list(counted(one, words))
    if not one.is_suppressed:
        counts[2] = (words("not_applicable"), "grey") if one.value is None else _value(indicator, one)
    return (
        (indicator.name, "text"),
        *counts,
        *([(one.shrunken_value, "percent2")] if report.is_shrunken else []),
        (arrows(one.funnel_flag) or None, "grey"),
        (one.target, "percent"),
        (one.points_max, "plain"),
        (one.points, "points"),
        (one.lost, "points"),
    )


COSTS = (
    *("indicator", "lost_points", "marginal", "feed", "case_no", "published_row", "finding", "limit_rule"),
    *("received_at", "dispatched_at", "due_at", "occurred_at", "clock", "source"),
)
WIDTHS = (11, 8, 8.5, 12, 20, 9, 16, 20, 11.5, 11.5, 11.5, 11.5, 54, 46)
"""Of the columns of evidence: a case and its clock stand in one line of one page. The long texts are the last: a unit's
own sheet has its indicators above, in the same columns."""


def _cost_line(
    book: Book, sheet: Worksheet, row: int, column: int, one: Measured, cost: Cost, widths: Sequence[float]
) -> None:
    cells = (
        (book.report.names[one.code], "text"),
        (cost.lost, "points"),
        (cost.marginal_reason, "text") if cost.marginal is None else (cost.marginal, "worth"),
        (cost.feed_name, "text"),
        (cost.case_no, "text"),
        (cost.published_row, "text"),
        (cost.finding, "text"),
        (cost.rule, "text"),
        (cost.received_at, "moment"),
        (cost.dispatched_at, "moment"),
        (limit(cost.due_at) if cost.due_at else None, "text"),
        (cost.occurred_at, "moment"),
        (cost.clock and cost.clock.text_zh, "text"),
        ("；".join(cost.sources), "text"),
    )
    line(book, sheet, row, column, cells, widths)


def _evidence(book: Book) -> None:
    """Every row that cost points, of the units that were taken apart."""
    report, words = book.report, book.words
    titles = ("peer_group", "unit", *COSTS)
    name = wide_enough((unit.name for _, unit, _, _ in report.costs()), 16)
    sheet = book.sheet(words.of(PUBLISHED, "evidence"), freeze=(1, 2), heads=(0, 0), widths=(7, name, *WIDTHS))
    head(book, sheet, 0, [words(title) for title in titles])
    row = 0
    for row, (group, unit, one, cost) in enumerate(report.costs(), start=1):
        if row > MOST_ROWS:
            raise Refused(f"more than {MOST_ROWS:,} rows of evidence do not fit on a sheet; name units with --unit")
        book.put(sheet, row, 0, group.name, "text")
        book.put(sheet, row, 1, unit.name, "text")
        _cost_line(book, sheet, row, 2, one, cost, WIDTHS)
    if row:
        sheet.autofilter(0, 0, row, len(titles) - 1)
    else:
        book.put(sheet, 1, 0, words("no_costs"), "bare")


def _notes(book: Book) -> None:
    """What the numbers mean: the rules of each indicator, then the notes."""
    report, words = book.report, book.words
    sheet = book.sheet(words("notes"), wide=False, freeze=(1, 0), heads=(0, 0), widths=(18, 80))
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

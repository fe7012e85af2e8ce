"""The ledger of a revision as a sheet: unit, decision or batch, case, indicator, points; each unit's sum below it."""

from minhu.export.book import Book, head, line, wide_enough
from minhu.publish.diff import Diff
from minhu.publish.ledger import side

COLUMNS = (
    *(("unit_code", 14.0), ("unit", 26), ("moved_by", 38), ("feed", 16), ("case_no", 20), ("indicator", 16)),
    *(("before", 12), ("after", 14), ("points_moved", 11)),
)


def ledger(book: Book, diff: Diff) -> None:
    report, words = book.report, book.words
    widths = [width for _, width in COLUMNS]
    widths[1] = wide_enough((unit.unit_name for unit in diff.ledger), widths[1])
    sheet = book.sheet(words("ledger"), freeze=(1, 2), heads=(0, 0), widths=widths)
    head(book, sheet, 0, [words(title) for title, _ in COLUMNS])
    row = 0
    for unit in diff.ledger:
        for cause in unit.causes:
            for one in cause.lines:
                row += 1
                name = report.names.get(one.indicator_code or "", one.indicator_code)
                sides = tuple(side(told, words.lang) if told else None for told in (one.before, one.after))
                told = (unit.unit_code, unit.unit_name, cause.words, one.feed_code, one.case_no, name, *sides)
                line(book, sheet, row, 0, [*((text, "text") for text in told), (one.points, "worth")], widths)
        row += 1
        total = (unit.unit_code, unit.unit_name, words("total"), *[None] * 5)
        line(book, sheet, row, 0, [*((text, "text") for text in total), (unit.points, "worth")], widths, is_total=True)

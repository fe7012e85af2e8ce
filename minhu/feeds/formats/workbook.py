"""XLSX → a frame of text. Dates come as ``2026-10-01 08:00:00``, numbers with all their digits, never as 3.3e17.

What a cell holds otherwise than it shows is told by `minhu.feeds.formats.cells`: what a merged cell covers has its
value, numbers that the spreadsheet rounded are marked, the rest is noted.
"""

import re
from collections.abc import Iterable, Sequence

import polars as pl

from minhu.errors import BadDelivery
from minhu.feeds.formats import Xlsx
from minhu.feeds.formats.cells import Book, Odd, Place, Sheet
from minhu.feeds.formats.common import ROUNDED, Aside, header
from minhu.privacy.file_names import told

_ROW = "__at"
"""The row of the sheet, from 0; under a name that no sheet has for a column."""
_FEW = 50


def read_xlsx(data: bytes, format: Xlsx, aside: Aside) -> pl.DataFrame:
    book = Book(data, format.max_bytes)
    sheet = _chosen(book, data, format, aside)
    grid = _load(data, sheet).with_row_index(_ROW).slice(format.skip_rows)
    filled = _filled(grid)
    if filled.is_empty():
        raise BadDelivery(
            "EMPTY_FILE", f"the sheet {_named(sheet)} has no rows; ask the sender to send it again, with its header"
        )
    rows = _without_footer(filled.slice(1), format)
    _count_lines(filled, rows, format, aside)
    odd = book.odd(sheet)
    rows = _with_merged(rows, odd)
    cells = [name for name in filled.columns if name != _ROW]
    named = [name for name in cells if filled[name][0] or rows[name].is_not_null().any()]
    try:
        names = dict(zip(named, header(filled.select(named).row(0)), strict=True))
    except BadDelivery as refusal:
        raise BadDelivery(refusal.code, f"sheet {_named(sheet)}, row {filled[_ROW][0] + 1}: {refusal}") from None
    _note_cells(rows, odd, dict(enumerate(names.get(name) for name in cells)), aside)
    if book.counts_from_1904:
        aside.note("EPOCH_1904")
    marks = _rounded(rows, odd, dict(enumerate(names.get(name) for name in cells)))
    return rows.select(named).rename(names).with_columns(marks)


# -- which sheet --------------------------------------------------------------------------------------------------


def _chosen(book: Book, data: bytes, format: Xlsx, aside: Aside) -> Sheet:
    """The declared sheet, else the first that is shown and holds anything. Another with the same header is refused."""
    filled = [sheet for sheet in book.sheets if sheet.name == format.sheet or book.is_filled(sheet)]
    chosen = _declared(book, format.sheet) if format.sheet else _first_shown(filled, data, format)
    aside.note("OTHER_SHEETS", sum(sheet is not chosen for sheet in filled))
    return chosen


def _declared(book: Book, name: str) -> Sheet:
    for sheet in book.sheets:
        if sheet.name == name:
            return sheet
    there = ", ".join(map(_named, book.sheets))
    raise BadDelivery("BAD_HEADER", f"there is no sheet {name!r}; the workbook has {there}; mend format.sheet")


def _first_shown(filled: Sequence[Sheet], data: bytes, format: Xlsx) -> Sheet:
    shown = [sheet for sheet in filled if sheet.is_shown]
    if not shown:
        hidden = f", but {len(filled)} hidden ones do: name one with format.sheet, or" if filled else ";"
        raise BadDelivery("EMPTY_FILE", f"no sheet that is shown holds rows{hidden} ask the sender for the right file")
    _refuse_twins(data, shown, format)
    return shown[0]


def _refuse_twins(data: bytes, shown: Sequence[Sheet], format: Xlsx) -> None:
    """Records of one kind on two sheets: whichever is read, the other's would be lost."""
    if len(shown) < 2:
        return
    first, *others = (_filled(_load(data, sheet, _FEW + format.skip_rows).slice(format.skip_rows)) for sheet in shown)
    names = _names(first)
    twins = [sheet for sheet, top in zip(shown[1:], others, strict=True) if top.height > 1 and _names(top) == names]
    if twins and names:
        which = ", ".join(map(_named, [shown[0], *twins]))
        raise BadDelivery(
            "BAD_HEADER",
            f"{1 + len(twins)} sheets hold records under one header ({which}); name one with format.sheet, and declare"
            " a delivery for each, or ask the sender for one sheet",
        )


def _names(top: pl.DataFrame) -> set[str]:
    return {str(cell).strip() for cell in top.row(0) if cell} if top.height else set()


def _named(sheet: Sheet) -> str:
    return repr(told(sheet.name))


# -- its rows -----------------------------------------------------------------------------------------------------


def _load(data: bytes, sheet: Sheet, rows: int | None = None) -> pl.DataFrame:
    """All cells from the sheet's first row on, and from the first column that holds anything."""
    import fastexcel

    try:
        read = fastexcel.read_excel(data).load_sheet(
            sheet.name, header_row=None, skip_rows=0, n_rows=rows, dtypes="string", dtype_coercion="coerce"
        )
        return read.to_polars().cast(pl.String)
    except (fastexcel.FastExcelError, pl.exceptions.PanicException):
        raise BadDelivery(
            "UNREADABLE",
            f"the sheet {_named(sheet)} cannot be read: it is damaged; ask the sender to save it as .xlsx again",
        ) from None


def _filled(grid: pl.DataFrame) -> pl.DataFrame:
    """The rows in which a cell holds anything."""
    cells = pl.exclude(_ROW)
    if not set(grid.columns) - {_ROW}:
        return grid.clear()
    return grid.filter(~pl.all_horizontal((cells.is_null() | (cells == "")).fill_null(True)))


def _without_footer(rows: pl.DataFrame, format: Xlsx) -> pl.DataFrame:
    rows = rows.head(max(0, rows.height - format.footer_rows))
    while format.footer_pattern and rows.height:
        first = next((cell.strip() for cell in rows.drop(_ROW).row(-1) if cell and cell.strip()), "")
        if not re.match(format.footer_pattern, first):
            break
        rows = rows.head(rows.height - 1)
    return rows


def _count_lines(filled: pl.DataFrame, rows: pl.DataFrame, format: Xlsx, aside: Aside) -> None:
    first, last = filled[_ROW][0], filled[_ROW][-1]
    aside.note("TITLE_LINES", format.skip_rows)
    aside.note("FOOTER_LINES", filled.height - 1 - rows.height)
    aside.note("BLANK_LINES", last - first + 1 - filled.height)


# -- its odd cells ------------------------------------------------------------------------------------------------


def _with_merged(rows: pl.DataFrame, odd: Odd) -> pl.DataFrame:
    """What a cell that is merged over rows covers has its value, in its own column."""
    at = {row: index for index, row in enumerate(rows[_ROW])}
    columns = [name for name in rows.columns if name != _ROW]
    for merged in odd.merged:
        column = merged.first[1] - odd.first_column
        covered = [at[row] for row in range(merged.first[0] + 1, merged.last[0] + 1) if row in at]
        if covered and merged.first[0] in at and 0 <= column < len(columns):
            name = columns[column]
            rows = rows.with_columns(rows[name].scatter(covered, rows[name][at[merged.first[0]]]))
    return rows


def _note_cells(rows: pl.DataFrame, odd: Odd, names: dict[int, str | None], aside: Aside) -> None:
    at = set(rows[_ROW])
    for merged in odd.merged:
        if merged.first[0] in at:
            name = names.get(merged.first[1] - odd.first_column) or ""
            place = f"row {merged.first[0] + 1}"
            covered = sum(row in at for row in range(merged.first[0] + 1, merged.last[0] + 1))
            aside.note("MERGED_CELLS", covered, name, place)
            aside.note("WIDE_CELLS", int(merged.last[1] > merged.first[1]), name, place)
    found: dict[str, Iterable[Place]] = {
        "ERROR_CELLS": odd.errors,
        "UNCOMPUTED_CELLS": odd.uncomputed,
        "ROUNDED_NUMBERS": odd.rounded,
    }
    for code, places in found.items():
        for row, column in places:
            if row in at:
                aside.note(code, 1, names.get(column - odd.first_column) or "", f"row {row + 1}")


def _rounded(rows: pl.DataFrame, odd: Odd, names: dict[int, str | None]) -> list[pl.Series]:
    """The mark ROUNDED, where a row needs it."""
    columns: dict[int, list[str]] = {}
    for row, column in odd.rounded:
        if name := names.get(column - odd.first_column):
            columns.setdefault(row, []).append(name)
    marks = [columns.get(row) for row in rows[_ROW]]
    return [pl.Series(ROUNDED, marks, dtype=pl.List(pl.String))] if any(marks) else []

"""The file of a trial as rows of text with their lines: CSV, or a workbook that somebody filled in by hand."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from minhu.errors import BadDelivery, Refused, foreign
from minhu.feeds.formats.cells import Book, Cell, Place, Sheet
from minhu.text_file import decoded

COLUMNS = ("unit", "peer_group", "period", "indicator_code", "numerator", "denominator", "value")
NUMBERS = COLUMNS[4:]
SHEETS = ("inputs", "试算")
"""The sheet that is read, where there are several; else the first that is shown."""
_WORKBOOK = b"PK\x03\x04"
_MOST_BYTES = 200 * 1024**2

Rows = Iterator[tuple[int, dict[str, str]]]


def rows(path: Path) -> Rows:
    """The lines of the file with their numbers, cells stripped. Raises Refused naming file, line and column."""
    with foreign.told("read text", file=path):
        raw = path.read_bytes()
    return _of_workbook(path, raw) if raw.startswith(_WORKBOOK) else _of_csv(path, decoded(raw, str(path)))


def _of_csv(path: Path, text: str) -> Rows:
    reader = csv.DictReader(io.StringIO(text, newline=""), restval="", strict=True)
    header = [name.strip() for name in reader.fieldnames or ()]
    _judge_header(path, 1, header)
    reader.fieldnames = header
    try:
        for row in reader:
            if None in row:
                raise Refused(f"{path}:{reader.line_num}: more cells than columns")
            cells = {name: (row.get(name) or "").strip() for name in COLUMNS}
            if any(cells.values()):
                yield reader.line_num, cells
    except csv.Error as error:
        raise Refused(f"{path}:{reader.line_num}: {error}") from None


def _judge_header(path: Path, line: int, header: Sequence[str]) -> None:
    if unknown := [name for name in header if name not in COLUMNS]:
        raise Refused(f"{path}:{line}: {unknown[0]!r} is no column; the columns are {', '.join(COLUMNS)}")
    if missing := [name for name in COLUMNS[:4] if name not in header]:
        raise Refused(f"{path}:{line}: the column {missing[0]} is missing")
    if twice := [name for name in header if header.count(name) > 1]:
        raise Refused(f"{path}:{line}: the column {twice[0]} is given twice")


# -- a workbook -----------------------------------------------------------------------------------------------------


def _of_workbook(path: Path, raw: bytes) -> Rows:
    try:
        book = Book(raw, _MOST_BYTES)
        sheet = _sheet(path, book)
        table: dict[int, dict[int, Cell]] = defaultdict(dict)
        for cell in book.cells(sheet):
            table[cell.place[0]][cell.place[1]] = cell
        merged = book.odd(sheet).merged
    except BadDelivery as refusal:
        raise Refused(f"{path}: {refusal}") from None
    filled = [row for row in sorted(table) if any(cell.text.strip() for cell in table[row].values())]
    if not filled:
        raise Refused(f"{path}:1: the sheet {sheet.name!r} is empty")
    first = filled[0]
    names = {column: cell.text.strip() for column, cell in table[first].items() if cell.text.strip()}
    _judge_header(path, first + 1, list(names.values()))
    covered: dict[Place, Place] = {}
    for one in merged:
        if one.first[0] > first:
            covered |= _covered(path, one.first, one.last, names)
    for row in filled[1:]:
        cells = dict.fromkeys(COLUMNS, "")
        for column, name in names.items():
            at = covered.get((row, column), (row, column))
            if at[1] in table.get(at[0], {}):
                cells[name] = _told(path, name, table[at[0]][at[1]])
        if any(cell.text.strip() for column, cell in table[row].items() if column not in names):
            raise Refused(f"{path}:{row + 1}: more cells than columns")
        yield row + 1, cells


def _sheet(path: Path, book: Book) -> Sheet:
    named = [sheet for sheet in book.sheets if sheet.name.strip().casefold() in SHEETS]
    shown = [sheet for sheet in book.sheets if sheet.is_shown]
    if not (named or shown):
        raise Refused(f"{path}: the workbook shows no sheet")
    return (named or shown)[0]


def _covered(path: Path, first: Place, last: Place, names: dict[int, str]) -> dict[Place, Place]:
    """Cells that a merged one covers: a unit that stands once beside its indicators. A number stands for itself."""
    for column in range(first[1], last[1] + 1):
        if names.get(column) in (*NUMBERS, "indicator_code") or column != first[1]:
            raise Refused(f"{path}:{first[0] + 1}: {names.get(column, 'a cell')}: is merged; write each cell by itself")
    return {(row, first[1]): first for row in range(first[0] + 1, last[0] + 1)}


def _told(path: Path, name: str, cell: Cell) -> str:
    """A cell as the CSV would write it: 85 of 85 %, held as 0.85; 2026-10 of the day that a spreadsheet made of it."""
    where = f"{path}:{cell.place[0] + 1}: {name}:"
    if cell.is_broken:
        raise Refused(
            f"{where} holds an error, or a formula without a saved result; save the workbook in a spreadsheet program,"
            " or write the number"
        )
    if cell.is_percent:
        if name != "value":
            raise Refused(f"{where} is a percentage; counts are plain numbers")
        return f"{Decimal(cell.text) * 100:f}"
    if cell.is_day:
        if name != "period":
            raise Refused(f"{where} is a date")
        return cell.text[:7]
    return cell.text.strip()

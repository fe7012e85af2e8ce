"""Number cells of a workbook that no longer hold what was typed: a spreadsheet keeps 15 digits of a number.

An 18-digit number that was typed into such a cell ends in zeros from then on, and four cases become one. Text that
looks the same may stand beside it, so that only the workbook itself can tell which cells are numbers.
"""

import io
import re
import zipfile
from decimal import Decimal

import polars as pl

from minhu.feeds.formats.common import ROUNDED

_SHEET = re.compile(r"^xl/worksheets/[^/]+\.xml$")
_LONG = rb"-?[0-9]{16,}(?:\.[0-9]*)?|-?[0-9]+(?:\.[0-9]*)?[Ee]\+?[0-9]+"
_CELL = re.compile(
    rb"<(?:\w+:)?c\b([^>]*)>(?:<(?:\w+:)?f\b[^>]*/>|<(?:\w+:)?f\b[^>]*>[^<]*</(?:\w+:)?f>)?"
    rb"<(?:\w+:)?v>(" + _LONG + rb")</"
)
_TYPE = re.compile(rb"\bt\s*=\s*[\"']([a-zA-Z]+)")
_MOST = 10**15


def marked(rows: pl.DataFrame, workbook: bytes) -> pl.DataFrame:
    """``rows`` with ROUNDED where some cell is such a number; all sheets are asked, whichever is read."""
    numbers = _numbers(workbook)
    if not numbers:
        return rows
    is_rounded = rows.select(pl.all().is_in(list(numbers)).fill_null(False))
    named = [pl.when(pl.col(name)).then(pl.lit(name)) for name in is_rounded.columns if is_rounded[name].any()]
    if not named:
        return rows
    return rows.hstack(is_rounded.select(pl.concat_list(named).list.drop_nulls().alias(ROUNDED)))


def _numbers(workbook: bytes) -> set[str]:
    """The numbers of more than 15 digits, as they are read."""
    found: set[str] = set()
    with zipfile.ZipFile(io.BytesIO(workbook)) as archive:
        for name in filter(_SHEET.match, archive.namelist()):
            for kind, value in _CELL.findall(archive.read(name)):
                told = _TYPE.search(kind)
                if (told is None or told[1] == b"n") and abs(float(value)) >= _MOST:
                    found.add(format(Decimal(repr(float(value))), "f").removesuffix(".0"))
    return found

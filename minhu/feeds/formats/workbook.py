"""XLSX → a frame of text. Dates come as ``2026-10-01 08:00:00``, numbers with all their digits, never as 3.3e17."""

import io
import re
import zipfile

import polars as pl

from minhu.errors import BadDelivery
from minhu.feeds.formats import Xlsx
from minhu.feeds.formats.common import header
from minhu.feeds.formats.rounded import marked


def read_xlsx(data: bytes, format: Xlsx) -> pl.DataFrame:
    _refuse_bomb(data, format)
    sheet = _load(data, format)
    filled = sheet.filter(~pl.all_horizontal(pl.all().is_null() | (pl.all() == ""))) if sheet.width else sheet
    if filled.is_empty():
        raise BadDelivery("EMPTY_FILE", "the sheet has no rows; ask the sender to send it again, with its header")
    rows = _without_footer(filled.slice(1), format)
    named = [name for name in filled.columns if filled[name][0] or rows[name].is_not_null().any()]
    names = header(filled.select(named).row(0))
    return marked(rows.select(named).rename(dict(zip(named, names, strict=True))), data)


def _load(data: bytes, format: Xlsx) -> pl.DataFrame:
    """All cells below the title rows; a sheet's leading blank rows count only where title rows are declared."""
    import fastexcel

    try:
        book = fastexcel.read_excel(data)
        if format.sheet and format.sheet not in book.sheet_names:
            raise BadDelivery(
                "BAD_HEADER", f"there is no sheet {format.sheet!r}; the workbook has {', '.join(book.sheet_names)}"
            )
        sheet = book.load_sheet(
            format.sheet or 0,
            header_row=None,
            skip_rows=format.skip_rows or None,
            dtypes="string",
            dtype_coercion="coerce",
        )
        return sheet.to_polars().cast(pl.String)
    except (fastexcel.FastExcelError, pl.exceptions.PanicException) as error:
        raise BadDelivery("UNREADABLE", f"not a workbook that can be read: {str(error).splitlines()[0]}") from None


def _without_footer(rows: pl.DataFrame, format: Xlsx) -> pl.DataFrame:
    rows = rows.head(max(0, rows.height - format.footer_rows))
    while format.footer_pattern and rows.height:
        first = next((cell.strip() for cell in rows.row(-1) if cell and cell.strip()), "")
        if not re.match(format.footer_pattern, first):
            break
        rows = rows.head(rows.height - 1)
    return rows


def _refuse_bomb(data: bytes, format: Xlsx) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise BadDelivery("UNREADABLE", "not a workbook that can be read: it is damaged or cut short") from None
    if size > format.max_bytes:
        raise BadDelivery("TOO_LARGE", f"the workbook unpacks to {size} bytes, more than {format.max_bytes}")

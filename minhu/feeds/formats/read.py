"""Bytes → rows: reads a landed file by its declared format into a frame of text.

Every format gives the same shape: one string column per source column, in the file's order, blanks as null, one row per
record of the file. Nothing is judged here; a file that cannot be read whole raises BadDelivery and no row of it counts.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import polars as pl

from minhu.errors import BadDelivery
from minhu.feeds.formats import Csv, Format, Json, Xlsx, Xml

FIELD_COUNT = "__field_count"
"""Set by the CSV reader on lines with too many or too few fields; the door rejects them."""


def read(path: Path, format: Format) -> pl.DataFrame:
    """The records of ``path`` as text. Raises BadDelivery: EMPTY_FILE, WRONG_ENCODING, UNREADABLE, BAD_HEADER."""
    if path.stat().st_size == 0:
        raise BadDelivery("EMPTY_FILE", "the file has no bytes; ask the sender to send it again, with its header")
    readers: dict[type, Callable] = {Csv: _read_csv, Xlsx: _read_xlsx, Json: _read_json, Xml: _read_xml}
    return readers[type(format)](path, format)


def _read_csv(path: Path, format: Csv) -> pl.DataFrame:
    text = _decode(path.read_bytes(), format.encoding).rstrip("\r\n")
    names = _header(next(csv.reader(io.StringIO(text), delimiter=format.delimiter, quotechar=format.quote), []))
    try:
        frame = pl.read_csv(text.encode(), separator=format.delimiter, quote_char=format.quote, infer_schema=False)
        if frame.is_empty() or not frame.select(pl.all_horizontal(pl.all().is_null()).any()).item():
            return frame.rename(dict(zip(frame.columns, names, strict=True)))
        return _read_lines(text, format, names)  # only there a blank line is told from a row of blanks
    except pl.exceptions.PolarsError:
        return _read_lines(text, format, names)


def _read_lines(text: str, format: Csv, names: list[str]) -> pl.DataFrame:
    """Line by line, for a file in which a line is blank or has too many fields: that line alone is to be rejected."""
    try:
        lines = list(csv.reader(io.StringIO(text), delimiter=format.delimiter, quotechar=format.quote, strict=True))[1:]
    except csv.Error as error:
        raise BadDelivery("UNREADABLE", f"not a CSV file that can be read: {error}") from None
    width = len(names)
    rows = [line for line in lines if line]
    columns = {name: [row[at] if at < len(row) else None for row in rows] for at, name in enumerate(names)}
    counts = [len(row) if len(row) != width else None for row in rows]
    return pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String)).with_columns(
        pl.Series(FIELD_COUNT, counts, dtype=pl.Int64)
    )


def _decode(data: bytes, declared: str) -> str:
    """The text of ``data``. A mismatch names what was declared and what the bytes look like."""
    found = _looks_like(data)
    fits = {"utf-8": ("ascii", "utf-8", "utf-8-sig"), "utf-8-sig": ("ascii", "utf-8", "utf-8-sig")}
    if found not in fits.get(declared, ("ascii", "gb18030")):
        seen = "neither UTF-8 nor GB18030" if found is None else found.upper()
        raise BadDelivery(
            "WRONG_ENCODING",
            f"declared {declared.upper()}, but the bytes are {seen}; mend format.encoding or ask the sender",
        )
    return data.decode("gb18030" if found == "gb18030" else "utf-8-sig")


def _looks_like(data: bytes) -> str | None:
    """Valid UTF-8 with Chinese in it is UTF-8: GB18030 text that happens to be valid UTF-8 does not occur at length."""
    if data.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    if data.isascii():
        return "ascii"
    for encoding in ("utf-8", "gb18030"):
        try:
            data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return None


def _header(names: Iterable[object]) -> list[str]:
    cleaned = [str(name or "").strip().strip("\ufeff") for name in names]
    twice = sorted({name for name in cleaned if cleaned.count(name) > 1})
    if not any(cleaned) or twice:
        what = f"two columns are named {', '.join(map(repr, twice))}" if twice else "it holds no column name"
        raise BadDelivery("BAD_HEADER", f"the header line cannot be used: {what}")
    return cleaned


def _read_xlsx(path: Path, format: Xlsx) -> pl.DataFrame:
    import fastexcel

    try:
        book = fastexcel.read_excel(path)
        if format.sheet and format.sheet not in book.sheet_names:
            raise BadDelivery(
                "BAD_HEADER", f"there is no sheet {format.sheet!r}; the workbook has {', '.join(book.sheet_names)}"
            )
        sheet = book.load_sheet(format.sheet or 0, header_row=None, dtypes="string", dtype_coercion="coerce")
        frame = sheet.to_polars()
    except fastexcel.FastExcelError as error:
        raise BadDelivery("UNREADABLE", f"not a workbook that can be read: {str(error).splitlines()[0]}") from None
    if frame.is_empty():
        raise BadDelivery("EMPTY_FILE", "the sheet has no rows; ask the sender to send it again, with its header")
    names = _header(frame.row(0))
    return frame.slice(1).rename(dict(zip(frame.columns, names, strict=True))).cast(pl.String)


def _read_json(path: Path, format: Json) -> pl.DataFrame:
    text = _decode(path.read_bytes(), "utf-8")
    try:
        records = json.loads(text, parse_float=str, parse_int=str)  # a number keeps the digits it was sent with
    except json.JSONDecodeError as error:
        raise BadDelivery("UNREADABLE", f"not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from None
    for key in filter(None, format.records.split(".")):
        if not isinstance(records, dict) or key not in records:
            raise BadDelivery("UNREADABLE", f"format.records {format.records!r} does not lead to an array: no {key!r}")
        records = records[key]
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise BadDelivery("UNREADABLE", "expected an array of objects; mend format.records")
    return _frame(records)


def _read_xml(path: Path, format: Xml) -> pl.DataFrame:
    from lxml import etree

    records = []
    try:
        # No entity is expanded and nothing is fetched: a file from outside must not read ours or reach the network.
        for _, element in etree.iterparse(str(path), tag=format.record, resolve_entities=False, no_network=True):
            records.append({child.tag: "".join(child.itertext()) for child in element if isinstance(child.tag, str)})
            element.clear()
    except etree.XMLSyntaxError as error:
        raise BadDelivery("UNREADABLE", f"not XML: {error.msg}") from None
    return _frame(records)


def _frame(records: list[dict]) -> pl.DataFrame:
    names = list(dict.fromkeys(name for record in records for name in record))
    return pl.DataFrame(
        {name: [_as_text(record.get(name)) for record in records] for name in names},
        schema=dict.fromkeys(names, pl.String),
    )


def _as_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)

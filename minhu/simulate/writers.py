"""Rows → the bytes of a file. The same rows give the same bytes: no clock, no machine, no chance."""

import io
import json
from collections.abc import Collection
from datetime import datetime
from xml.sax.saxutils import escape

import polars as pl

from minhu.errors import Refused
from minhu.feeds.formats import Csv, Format, Json, Xlsx, Xml


def to_bytes(rows: pl.DataFrame, format: Format, numeric: Collection[str] = ()) -> bytes:
    """A file of text rows; ``numeric`` columns become numbers where the format has them.

    Raises Refused for a format that no simulated sender writes.
    """
    match format:
        case Csv():
            return _csv(rows, format)
        case Xlsx():
            return _xlsx(rows, format)
        case Json():
            return _json(rows, format, numeric)
        case Xml():
            return _xml(rows, format)
    raise Refused(f"no simulated sender writes {format.type}; declare csv, xlsx, json or xml")


def _csv(rows: pl.DataFrame, format: Csv) -> bytes:
    data = io.BytesIO()
    rows.write_csv(
        data,
        separator=format.delimiter,
        quote_char=format.quote or '"',
        quote_style="necessary" if format.quote else "never",
    )
    if format.encoding == "gb18030":
        return data.getvalue().decode().encode("gb18030")
    mark = b"\xef\xbb\xbf" if format.encoding == "utf-8-sig" else b""
    return mark + data.getvalue()


def _xlsx(rows: pl.DataFrame, format: Xlsx) -> bytes:
    import xlsxwriter

    data = io.BytesIO()
    options = {"in_memory": True, "strings_to_numbers": False, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(data, options) as book:
        book.set_properties({"created": datetime(2020, 1, 1)})
        sheet = book.add_worksheet(format.sheet or "Sheet1")
        sheet.write_row(0, 0, rows.columns)
        for at, row in enumerate(rows.iter_rows(), start=1):
            sheet.write_row(at, 0, row)
    return data.getvalue()


def _json(rows: pl.DataFrame, format: Json, numeric: Collection[str]) -> bytes:
    records: object = [_typed(row, numeric) for row in rows.iter_rows(named=True)]
    for key in reversed(list(filter(None, format.records.split(".")))):
        records = {key: records}
    return json.dumps(records, ensure_ascii=False, separators=(",", ":")).encode()


def _typed(row: dict, numeric: Collection[str]) -> dict:
    for name in numeric:
        value = row[name]
        if value is not None and value.replace(".", "", 1).isdigit():
            row[name] = float(value) if "." in value else int(value)
    return row


def _xml(rows: pl.DataFrame, format: Xml) -> bytes:
    """One element per record, nothing as an empty element."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<{format.record}s>"]
    for row in rows.iter_rows(named=True):
        cells = "".join(
            f"<{name}/>" if value is None else f"<{name}>{escape(value)}</{name}>" for name, value in row.items()
        )
        lines.append(f"  <{format.record}>{cells}</{format.record}>")
    return "\n".join([*lines, f"</{format.record}s>", ""]).encode()

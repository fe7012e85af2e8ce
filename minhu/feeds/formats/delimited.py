"""CSV and TSV → a frame of text.

Polars reads a file ten times as fast as the csv module but pads short lines, and loses count where a quote stands in
the middle of a field. So its answer is taken only where the characters add up: every delimiter and every line break of
the file is either a border or inside a cell. Any other file is read line by line.
"""

import csv
import io
import re

import numpy as np
import polars as pl

from minhu.errors import BadDelivery
from minhu.feeds.formats import Csv
from minhu.feeds.formats.common import FIELD_COUNT, header
from minhu.feeds.formats.encodings import as_utf8

_HEAD = 1 << 20
_WINDOW = 1 << 22
_LONGEST_FIELD = 1 << 30


def read_csv(data: bytes, format: Csv) -> pl.DataFrame:
    text = as_utf8(data, format.encoding)
    try:
        names, start = _names(text, format)
        body = text[start : _end(text, start, format)]
        if not body:
            return pl.DataFrame(schema=dict.fromkeys(names, pl.String))
        frame = _read_fast(body, names, format)
        return _read_lines(body, names, format) if frame is None else frame
    except csv.Error as error:
        raise BadDelivery("UNREADABLE", f"not a CSV file that can be read: {error}") from None


def _names(text: bytes, format: Csv) -> tuple[list[str], int]:
    """The columns' names, and where the first record starts."""
    head = io.StringIO(text[:_HEAD].decode(errors="ignore"), newline="")
    for _ in range(format.skip_rows):
        head.readline()
    line = format.columns or next(filter(None, _reader(head, format)), [])
    return header(line), len(head.getvalue()[: head.tell()].encode())


def _end(text: bytes, start: int, format: Csv) -> int:
    """Where the last record ends: blank lines and the footer do not count."""
    left, frills = format.footer_rows, f"{format.delimiter}{format.quote or ''} \t\r\n\ufeff"
    end = len(text)
    while end > start:
        begin = max(start, text.rfind(b"\n", start, end) + 1)
        line = text[begin:end].decode(errors="replace").strip("\r\n")
        is_footer = left > 0 or (format.footer_pattern and re.match(format.footer_pattern, line.strip(frills)))
        if line and not is_footer:
            return begin + len(text[begin:end].rstrip(b"\r\n"))
        left -= 1 if line else 0
        end = begin - 1 if begin > start else start
    return start


def _reader(lines: io.StringIO, format: Csv):
    csv.field_size_limit(_LONGEST_FIELD)
    how = {"quotechar": format.quote} if format.quote else {"quoting": csv.QUOTE_NONE, "quotechar": None}
    return csv.reader(lines, delimiter=format.delimiter, strict=True, **how)


def _read_fast(data: bytes, names: list[str], format: Csv) -> pl.DataFrame | None:
    """What polars reads, with blanks as null; None where the characters do not add up."""
    if not _is_plain(data, format):
        return None
    try:
        read = pl.read_csv(
            data,
            has_header=False,
            separator=format.delimiter,
            quote_char=format.quote,
            schema={f"column_{at}": pl.String for at in range(len(names))},
        )
    except pl.exceptions.PolarsError:
        return None
    frame = read.rename(dict(zip(read.columns, names, strict=True)))
    return frame if _adds_up(data, frame, format) else None


def _is_plain(data: bytes, format: Csv) -> bool:
    """Line breaks are of one kind, and every quote opens, closes or doubles as RFC 4180 says."""
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        return False
    if format.quote is None or format.quote.encode() not in data:
        return True
    seen = 0
    for start in range(0, len(data), _WINDOW):
        is_last = start + _WINDOW >= len(data)
        window = (data[start - 1 : start] or b"\n") + data[start : start + _WINDOW + 1] + (b"\n" if is_last else b"")
        at = 1 + np.flatnonzero(np.frombuffer(window, np.uint8)[1:-1] == ord(format.quote))
        if not _are_in_place(np.frombuffer(window, np.uint8), at, seen % 2, format):
            return False
        seen += len(at)
    return seen % 2 == 0


def _are_in_place(window: np.ndarray, at: np.ndarray, odd: int, format: Csv) -> bool:
    """Whether what stands before an opening and behind a closing quote is a border or another quote."""
    before, after = window[at[odd::2] - 1], window[at[1 - odd :: 2] + 1]
    border = np.zeros(256, dtype=bool)
    border[[ord(format.delimiter), ord("\n"), ord(format.quote)]] = True
    opens = border[before].all()
    border[ord("\r")] = True
    return bool(opens and border[after].all())


def _adds_up(data: bytes, frame: pl.DataFrame, format: Csv) -> bool:
    """Guards against lines that polars padded, joined or skipped."""
    borders, breaks = frame.height * (frame.width - 1), frame.height - 1
    delimiters, newlines = data.count(format.delimiter.encode()), data.count(b"\n")
    if frame.width == 1 and frame.to_series().has_nulls():
        return False  # a blank line is no record
    if format.quote is None or format.quote.encode() not in data:
        return (delimiters, newlines) == (borders, breaks)
    inside = _inside(frame, (format.delimiter, "\n"))
    return (delimiters, newlines) == (borders + inside[0], breaks + inside[1])


def _inside(frame: pl.DataFrame, marks: tuple[str, ...]) -> tuple[int, ...]:
    counts = [pl.sum_horizontal(pl.all().str.count_matches(mark, literal=True).sum()).alias(mark) for mark in marks]
    return frame.select(counts).row(0)


def _read_lines(body: bytes, names: list[str], format: Csv) -> pl.DataFrame:
    """Line by line: a line with too many or too few fields is to be rejected, and it alone."""
    rows = [line for line in _reader(io.StringIO(body.decode(), newline=""), format) if line]
    width = len(names)
    columns = {name: [(row[at] or None) if at < len(row) else None for row in rows] for at, name in enumerate(names)}
    counts = [len(row) if len(row) != width else None for row in rows]
    frame = pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String))
    return frame.with_columns(pl.Series(FIELD_COUNT, counts, dtype=pl.Int64)) if any(counts) else frame

"""CSV and TSV → frames of text, a part of the file at a time.

Polars reads a file ten times as fast as the csv module but pads short lines, and loses count where a quote stands in
the middle of a field. So its answer is taken only where the characters add up: every delimiter and every line break of
a part is either a border or inside a cell. Any other part is read line by line. From the first part on in which a quote
is not where RFC 4180 puts it, all that follows is, because quotes no longer tell where a record ends.
"""

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice

import numpy as np
import polars as pl

from minhu.errors import BadDelivery
from minhu.feeds.formats import Csv
from minhu.feeds.formats.common import FIELD_COUNT, header
from minhu.feeds.formats.encodings import utf8_blocks
from minhu.feeds.formats.unpack import Readable

_HEAD = 1 << 20
_WINDOW = 1 << 22
_FOOTER = 1 << 20
_LONGEST_RECORD = 1 << 26
_LONGEST_FIELD = 1 << 30
_LINES = 1 << 15


def read_csv(file: Readable, format: Csv) -> Iterator[pl.DataFrame]:
    """The records of ``file`` in parts; one part comes even when there are none. ``file`` can go back to its start."""
    try:
        yield from _parts(utf8_blocks(file, format.encoding), format)
    except csv.Error as error:
        raise BadDelivery("UNREADABLE", f"not a CSV file that can be read: {error}") from None


def _parts(blocks: Iterator[bytes], format: Csv) -> Iterator[pl.DataFrame]:
    """Each block is read up to its last whole record; what follows waits for the next block."""
    pending = next(blocks, b"")
    names, start = _names(pending, format)
    pending, seen = pending[start:], False
    for block in blocks:
        end = _last_border(pending, format)
        if not _is_plain(pending[:end], format) or len(pending) - end > _LONGEST_RECORD:
            rest = b"".join((pending, block, *blocks))
            yield from _slowly(rest[: _end(rest, format)], names, format)
            return
        if body := pending[:end].strip(b"\r\n"):
            yield _read(body, names, format)
            seen = True
        pending = pending[end:] + block
    body = pending[: _end(pending, format)]
    if body and not _is_plain(body, format):
        yield from _slowly(body, names, format)
    elif body or not seen:
        yield _read(body, names, format)


def _names(text: bytes, format: Csv) -> tuple[list[str], int]:
    """The columns' names, and where the first record starts."""
    head = io.StringIO(text[:_HEAD].decode(errors="ignore"), newline="")
    for _ in range(format.skip_rows):
        head.readline()
    line = format.columns or tuple(next(filter(None, _reader(head, format)), ()))
    return header(line), len(head.getvalue()[: head.tell()].encode())


def _last_border(text: bytes, format: Csv) -> int:
    """Behind the last line break outside quotes that no footer follows; 0 where there is none."""
    quote = format.quote.encode() if format.quote else b"\x00"
    end = len(text)
    latest = max(0, end - _FOOTER if format.footer_rows or format.footer_pattern else end)
    is_inside = quote in text and text.count(quote) % 2 == 1
    while (found := text.rfind(b"\n", 0, end)) >= 0:
        is_inside ^= text.count(quote, found, end) % 2 == 1
        if found < latest and not is_inside:
            return found + 1
        end = found
    return 0


def _end(text: bytes, format: Csv) -> int:
    """Where the last record ends: blank lines and the footer do not count."""
    left, frills = format.footer_rows, f"{format.delimiter}{format.quote or ''} \t\r\n\ufeff"
    end = len(text)
    while end > 0:
        begin = text.rfind(b"\n", 0, end) + 1
        line = text[begin:end].decode(errors="replace").strip("\r\n")
        is_footer = left > 0 or (format.footer_pattern and re.match(format.footer_pattern, line.strip(frills)))
        if line and not is_footer:
            return begin + len(text[begin:end].rstrip(b"\r\n"))
        left -= 1 if line else 0
        end = max(begin - 1, 0)
    return 0


def _reader(lines: io.TextIOBase, format: Csv) -> Iterator[list[str]]:
    csv.field_size_limit(_LONGEST_FIELD)
    if format.quote:
        return csv.reader(lines, delimiter=format.delimiter, strict=True, quotechar=format.quote)
    return csv.reader(lines, delimiter=format.delimiter, strict=True, quotechar=None, quoting=csv.QUOTE_NONE)


def _read(body: bytes, names: list[str], format: Csv) -> pl.DataFrame:
    """Records in which quotes are in their places: by polars, or line by line where its characters do not add up."""
    if not body:
        return pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    try:
        read = pl.read_csv(
            body + b"\n",  # at the very end polars would overlook a delimiter too many
            has_header=False,
            separator=format.delimiter,
            quote_char=format.quote,
            schema={f"column_{at}": pl.String for at in range(len(names))},
        )
    except pl.exceptions.PolarsError:
        read = None
    if read is None or not _adds_up(body, read, format):
        return pl.concat(_slowly(body, names, format), how="diagonal")
    return read.rename(dict(zip(read.columns, names, strict=True)))


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
        if not _are_in_place(np.frombuffer(window, np.uint8), at, seen % 2, format.delimiter, format.quote):
            return False
        seen += len(at)
    return seen % 2 == 0


def _are_in_place(window: np.ndarray, at: np.ndarray, odd: int, delimiter: str, quote: str) -> bool:
    """Whether what stands before an opening and behind a closing quote is a border or another quote."""
    before, after = window[at[odd::2] - 1], window[at[1 - odd :: 2] + 1]
    border = np.zeros(256, dtype=bool)
    border[[ord(delimiter), ord("\n"), ord(quote)]] = True
    opens = border[before].all()
    border[ord("\r")] = True
    return bool(opens and border[after].all())


def _adds_up(data: bytes, frame: pl.DataFrame, format: Csv) -> bool:
    """Guards against lines that polars padded, joined or skipped."""
    borders, breaks = frame.height * (frame.width - 1), frame.height - 1
    characters = np.frombuffer(data, np.uint8)
    delimiters, newlines = (int(np.count_nonzero(characters == ord(mark))) for mark in (format.delimiter, "\n"))
    if frame.width == 1 and frame.to_series().has_nulls():
        return False  # a blank line is no record
    if format.quote is None or format.quote.encode() not in data:
        return (delimiters, newlines) == (borders, breaks)
    inside = _inside(frame, (format.delimiter, "\n"))
    return (delimiters, newlines) == (borders + inside[0], breaks + inside[1])


def _inside(frame: pl.DataFrame, marks: tuple[str, ...]) -> tuple[int, ...]:
    counts = [pl.sum_horizontal(pl.all().str.count_matches(mark, literal=True).sum()).alias(mark) for mark in marks]
    return frame.select(counts).row(0)


def _slowly(text: bytes, names: list[str], format: Csv) -> Iterator[pl.DataFrame]:
    """Line by line: a line with too many or too few fields is to be rejected, and it alone."""
    lines = io.TextIOWrapper(io.BytesIO(text), encoding="utf-8", newline="")
    rows, width = filter(None, _reader(lines, format)), len(names)
    part = list(islice(rows, _LINES))
    while True:  # one part comes even without rows
        columns = {
            name: [(row[at] or None) if at < len(row) else None for row in part] for at, name in enumerate(names)
        }
        counts = [len(row) if len(row) != width else None for row in part]
        frame = pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String))
        yield frame.with_columns(pl.Series(FIELD_COUNT, counts, dtype=pl.Int64)) if any(counts) else frame
        if not (part := list(islice(rows, _LINES))):
            return

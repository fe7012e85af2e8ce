"""CSV and TSV → frames of text, a part of the file at a time.

Polars reads a file ten times as fast as the csv module but pads short lines, and loses count where a quote stands in
the middle of a field. So its answer is taken only where the characters add up: every delimiter and every line break of
a part is either a border or inside a cell. Any other part is read line by line. From the first part on in which a quote
is not where RFC 4180 puts it, all that follows is, because quotes no longer tell where a record ends.

A line whose quotes do not pair is set aside alone, and the next line begins a record again.
"""

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
import polars as pl

from minhu.errors import BadDelivery
from minhu.feeds.formats import Csv
from minhu.feeds.formats.common import FAULT, FIELD_COUNT, PLACE, Aside, fit, header
from minhu.feeds.formats.encodings import BAD, Places, utf8_blocks
from minhu.feeds.formats.unpack import Readable

_HEAD = 1 << 20
_WINDOW = 1 << 22
_FOOTER = 1 << 20
_LONGEST_RECORD = 1 << 26
_LONGEST_FIELD = 1 << 30
_LINES = 1 << 15
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")


def read_csv(file: Readable, format: Csv, aside: Aside) -> Iterator[pl.DataFrame]:
    """The records of ``file`` in parts; one part comes even when there are none. ``file`` can go back to its start."""
    places = Places()
    yield from _Reading(format, aside, places).parts(utf8_blocks(file, format.encoding, places))


class _Row(NamedTuple):
    cells: list[str]
    line: int
    fault: str | None = None
    place: str | None = None


class _Reading:
    """How far a file is read: ``_at`` bytes of its text in UTF-8, ``_line`` lines."""

    def __init__(self, format: Csv, aside: Aside, places: Places):
        self._format, self._aside, self._places = format, aside, places
        self._names: list[str] = []
        self._at, self._line = 0, 0

    def parts(self, blocks: Iterator[bytes]) -> Iterator[pl.DataFrame]:
        """Each block is read up to its last whole record; what follows waits for the next block."""
        format, pending, seen = self._format, next(blocks, b""), False
        pending = pending[self._start(pending) :]
        for block in blocks:
            end = _last_border(pending, format)
            body = pending[:end]
            if not _is_plain(body, format) or len(pending) - end > _LONGEST_RECORD:
                rest = b"".join((pending, block, *blocks))
                yield from self._slowly(rest[: self._end(rest)])
                return
            if re.search(rb"[^\r\n]", body):
                yield from self._read(body)
                seen = True
            elif body:
                self._aside.note("BLANK_LINES", _breaks(body))
                self._pass(body, _breaks(body))
            pending = pending[end:] + block
        body = pending[: self._end(pending)]
        if body and not _is_plain(body, format):
            yield from self._slowly(body)
        elif body or not seen:
            yield from self._read(body)

    def _pass(self, text: bytes, breaks: int) -> None:
        self._at += len(text)
        self._line += breaks

    def _start(self, text: bytes) -> int:
        """Reads the columns' names; returns where the first record starts."""
        head = io.StringIO(text[:_HEAD].decode(errors="ignore"), newline="")
        titles = [head.readline() for _ in range(self._format.skip_rows)]
        self._aside.note("TITLE_LINES", sum(map(bool, titles)))
        line: tuple[str, ...] | list[str] = self._format.columns
        try:
            if not line:
                read = list(islice(_through_first(_reader(head, self._format)), _LINES))
                line = read[-1] if read else ()
                self._aside.note("BLANK_LINES", sum(not cells for cells in read))
        except csv.Error:
            raise BadDelivery(
                "BAD_HEADER",
                f"line {len(titles) + 1}: the quotes of the header do not pair; mend format.quote or format.skip_rows,"
                " or ask the sender",
            ) from None
        self._names = header(line)
        start = len(head.getvalue()[: head.tell()].encode())
        self._pass(text[:start], _breaks(text[:start]))
        return start

    def _end(self, text: bytes) -> int:
        """Where the last record ends: blank lines and the footer behind it do not count, and are counted."""
        left, frills = self._format.footer_rows, f"{self._format.delimiter}{self._format.quote or ''} \t\r\n\ufeff"
        pattern, end, found = self._format.footer_pattern, len(text), {"FOOTER_LINES": 0, "BLANK_LINES": 0}
        while end > 0:
            begin = _begin(text, end)
            line = text[begin:end].decode(errors="replace").strip("\r\n")
            if line and not left > 0 and not (pattern and re.match(pattern, line.strip(frills))):
                end = begin + len(text[begin:end].rstrip(b"\r\n"))
                break
            found["FOOTER_LINES" if line else "BLANK_LINES"] += 1
            left -= 1 if line else 0
            end = begin
        for code, lines in found.items():
            self._aside.note(code, lines)
        return end

    def _read(self, body: bytes) -> Iterator[pl.DataFrame]:
        """Records in which quotes are in their places: by polars, or by lines where its characters do not add up."""
        begin, end = _records(body)
        if begin == end:
            yield pl.DataFrame(schema=dict.fromkeys(self._names, pl.String))
            return
        text = body[begin:end] if body[end - 1] in b"\r\n" else body[begin:end] + b"\n"
        found = None if BAD in text else _by_polars(text, len(self._names), self._format)
        if found is None:
            yield from self._slowly(body)
            return
        read, breaks = found
        before, behind = _breaks(body[:begin]), _breaks(body[end:])
        self._aside.note("BLANK_LINES", before + behind)
        read = read.rename(dict(zip(read.columns, self._names, strict=True)))
        if breaks > read.height:
            self._note_stray_quotes(read, self._line + before)
        yield read
        self._pass(body, before + breaks + behind)

    def _note_stray_quotes(self, read: pl.DataFrame, line: int) -> None:
        """A record of several lines each of which would be one without quotes may be several records."""
        width, mark = read.width, self._format.delimiter
        if width < 2 or not self._format.quote:
            return
        has_break = read.select(pl.all().str.contains("\n", literal=True).any()).row(0)
        for at, name in enumerate(read.columns):
            if not has_break[at]:
                continue
            cell = pl.col(name)
            breaks = cell.str.count_matches("\n", literal=True)
            is_odd = (breaks > 0) & (cell.str.count_matches(mark, literal=True) == breaks * (width - 1))
            rows = read.select(is_odd.fill_null(False)).to_series().arg_true().to_list()
            for row in rows:
                inside = [part.count(mark) for part in read[name][row].split("\n")]
                if inside[0] == width - 1 - at and inside[-1] == at and set(inside[1:-1]) <= {width - 1}:
                    before = _inside(read.head(row), ("\n",))[0] if row else 0
                    self._aside.note("STRAY_QUOTE", column=name, place=f"line {line + row + before + 1}")

    def _slowly(self, text: bytes) -> Iterator[pl.DataFrame]:
        """Line by line: a line with too many or too few fields is to be rejected, and it alone."""
        rows = self._rows(text)
        part = list(islice(rows, _LINES))
        while True:  # one part comes even without rows
            yield self._frame(part)
            if not (part := list(islice(rows, _LINES))):
                break
        self._pass(text, _breaks(text))

    def _rows(self, text: bytes) -> Iterator[_Row]:
        lines = _Lines(text)
        while lines.at < len(text):
            at, line = lines.at, lines.number
            reader = _reader(lines, self._format)
            try:
                for cells in reader:
                    if cells:
                        yield self._row(cells, text[at : lines.at], at, line)
                    else:
                        self._aside.note("BLANK_LINES")
                    at, line = lines.at, lines.number
            except csv.Error:
                is_open = lines.at >= len(text)
                lines.back_to(at, line)
                first = next(lines)
                if is_open and not self._goes_on(text, lines.at):
                    raise BadDelivery(
                        "UNREADABLE",
                        f"line {self._line + line + 1}: the file ends within a quoted field that begins here, or may;"
                        " it was cut short: ask the sender to send it again",
                    ) from None
                cells = first.strip("\r\n").split(self._format.delimiter)
                yield _Row([fit(cell) for cell in cells], line, "BAD_QUOTE", f"line {self._line + line + 1}")

    def _row(self, cells: list[str], raw: bytes, at: int, line: int) -> _Row:
        here = f"line {self._line + line + 1}"
        if BAD in raw:
            bad = raw.index(BAD)
            where = f"line {self._line + line + 1 + _breaks(raw[:bad])}, byte {self._places.byte(self._at + at + bad)}"
            return _Row([fit(cell) for cell in cells], line, "BAD_BYTES", where)
        width = len(self._names)
        if len(cells) != width:
            return _Row(cells, line, None, here)
        if width > 1 and _breaks(raw.rstrip(b"\r\n")) and self._format.quote:
            mark = self._format.delimiter.encode()
            if all(one.count(mark) == width - 1 for one in raw.splitlines() if one):
                column = next(
                    name for name, cell in zip(self._names, cells, strict=True) if "\n" in cell or "\r" in cell
                )
                self._aside.note("STRAY_QUOTE", column=column, place=here)
        return _Row(cells, line)

    def _goes_on(self, text: bytes, at: int) -> bool:
        """Whether behind a quote that is never closed a line follows that is a record."""
        mark, width = self._format.delimiter.encode(), len(self._names)
        lines = (found[0].strip(b"\r\n") for found in _LINE.finditer(text, at))
        return any(line and line.count(mark) == width - 1 for line in lines)

    def _frame(self, part: list[_Row]) -> pl.DataFrame:
        width = len(self._names)
        columns: dict[str, list] = {
            name: [(row.cells[at] or None) if at < len(row.cells) else None for row in part]
            for at, name in enumerate(self._names)
        }
        marks = {
            FIELD_COUNT: pl.Series(
                [len(row.cells) if row.fault is None and len(row.cells) != width else None for row in part],
                dtype=pl.Int64,
            ),
            FAULT: pl.Series([row.fault for row in part], dtype=pl.String),
            PLACE: pl.Series([row.place for row in part], dtype=pl.String),
        }
        frame = pl.DataFrame(columns, schema=dict.fromkeys(self._names, pl.String))
        return frame.with_columns(mark.alias(name) for name, mark in marks.items() if mark.null_count() < len(mark))


class _Lines:
    """The lines of a text one after another, whatever they end with; it can go back."""

    def __init__(self, text: bytes):
        self._text, self.at, self.number = text, 0, 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        found = _LINE.match(self._text, self.at)
        if found is None or self.at >= len(self._text):
            raise StopIteration
        self.at = found.end()
        self.number += 1
        return found[0].decode()

    def back_to(self, at: int, number: int) -> None:
        self.at, self.number = at, number


def _breaks(text: bytes) -> int:
    """How many line ends there are, of whatever kind."""
    return text.count(b"\n") + (text.count(b"\r") - text.count(b"\r\n") if b"\r" in text else 0)


def _through_first(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    """Blank lines, and the first that is none."""
    for cells in rows:
        yield cells
        if cells:
            return


def _begin(text: bytes, end: int) -> int:
    """Where the line begins that ends, with its line end, at ``end``."""
    stop = end - 1 - text.endswith(b"\r\n", 0, end) if text[end - 1] in b"\r\n" else end
    newline = text.rfind(b"\n", 0, stop)
    return max(newline, text.rfind(b"\r", newline + 1, stop)) + 1


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


def _reader(lines: Iterator[str], format: Csv) -> Iterator[list[str]]:
    csv.field_size_limit(_LONGEST_FIELD)
    if format.quote:
        return csv.reader(lines, delimiter=format.delimiter, strict=True, quotechar=format.quote)
    return csv.reader(lines, delimiter=format.delimiter, strict=True, quotechar=None, quoting=csv.QUOTE_NONE)


def _records(body: bytes) -> tuple[int, int]:
    """Where the first record begins and where the line of the last one ends; twice the same where there is none."""
    first = re.search(rb"[^\r\n]", body)
    if first is None:
        return 0, 0
    end = len(body)
    while body[end - 1] in b"\r\n":
        end -= 1
    return first.start(), end + (2 if body.startswith(b"\r\n", end) else 1 if end < len(body) else 0)


def _by_polars(text: bytes, width: int, format: Csv) -> tuple[pl.DataFrame, int] | None:
    """The records where the characters add up, and the line ends of ``text``, the last record's too; else None."""
    try:
        read = pl.read_csv(
            text,  # without a line end at the very end polars would overlook a delimiter too many
            has_header=False,
            separator=format.delimiter,
            quote_char=format.quote,
            schema={f"column_{at}": pl.String for at in range(width)},
            raise_if_empty=False,  # to look whether it is would copy it
        )
    except pl.exceptions.PolarsError:
        return None
    breaks = _adds_up(text, read, format)
    return None if breaks is None else (read, breaks)


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


def _adds_up(data: bytes, frame: pl.DataFrame, format: Csv) -> int | None:
    """The line ends of ``data``; None where polars padded, joined or skipped lines."""
    borders, breaks = frame.height * (frame.width - 1), frame.height
    characters = np.frombuffer(data, np.uint8)
    delimiters, newlines = (int(np.count_nonzero(characters == ord(mark))) for mark in (format.delimiter, "\n"))
    if frame.width == 1 and frame.to_series().has_nulls():
        return None  # a blank line is no record
    if format.quote is not None and format.quote.encode() in data:
        inside = _inside(frame, (format.delimiter, "\n"))
        borders, breaks = borders + inside[0], breaks + inside[1]
    return newlines if (delimiters, newlines) == (borders, breaks) else None


def _inside(frame: pl.DataFrame, marks: tuple[str, ...]) -> tuple[int, ...]:
    counts = [pl.sum_horizontal(pl.all().str.count_matches(mark, literal=True).sum()).alias(mark) for mark in marks]
    return frame.select(counts).row(0)

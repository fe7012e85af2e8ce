"""What a workbook says of its sheets, and which of their cells hold something else than they show.

The values come from a reader that tells neither errors nor merged cells nor how a number was written; so the
sheet's own XML is searched for these, and for nothing else.
"""

import io
import lzma
import posixpath
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from lxml import etree

from minhu.errors import BadDelivery

_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, KeyError, RuntimeError),
    etree.LxmlError,
)
Place = tuple[int, int]
"""Row and column of a cell, from 0."""
_MOST_DIGITS = 15
_CHUNK = 1 << 20
_DAYS = {*range(14, 18), 22, *range(27, 32), 36, *range(50, 59)}
_DAY = re.compile("y", re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')
"""What of a format of numbers is shown as it is, or is a colour or a place."""
_CELL = rb"<(?:\w+:)?c\b([^>]*?)>"
_FORMULA = rb"<(?:\w+:)?f\b[^>]*?(?:/>|>[^<]*</(?:\w+:)?f>)\s*"
_ERROR = re.compile(rb"<(?:\w+:)?c\b([^>]*?\bt=[\"']e[\"'][^>]*)>")
_UNCOMPUTED = re.compile(
    _CELL + rb"\s*" + _FORMULA + rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
_LONG = rb"-?\d{16,}[^<]*|-?[\d.]+[eE]\+?\d+"
_LONG_NUMBER = re.compile(_CELL + rb"\s*(?:" + _FORMULA + rb")?<(?:\w+:)?v>\s*(" + _LONG + rb")\s*<")
_MAY_BE_LONG = re.compile(rb"v>\s*(?:" + _LONG + rb")\s*<")
_MERGED = re.compile(rb"<(?:\w+:)?mergeCell\b[^>]*?\bref=[\"']([A-Z]+)(\d+):([A-Z]+)(\d+)[\"']")
_FILLED = re.compile(rb"<(?:\w+:)?c\b[^>]*?\br=[\"']([A-Z]+)\d+[\"'][^>]*(?<!/)>")
_AT = re.compile(rb"\br=[\"']([A-Z]+)(\d+)[\"']")
_TYPE = re.compile(rb"\bt=[\"'](\w+)[\"']")


@dataclass(frozen=True)
class Sheet:
    name: str
    part: str
    is_shown: bool


@dataclass(frozen=True)
class Cell:
    """What one cell holds, as text: a number as a spreadsheet shows it, to 15 digits; a day as 2026-10-01.

    ``is_percent``: the number is shown a hundredfold. ``is_broken``: an error, or a formula without a saved result.
    """

    place: Place
    text: str
    is_percent: bool = False
    is_day: bool = False
    is_broken: bool = False


@dataclass(frozen=True)
class Merged:
    first: Place
    last: Place


@dataclass(frozen=True)
class Odd:
    """Of one sheet. ``first_column``: the leftmost that holds anything, with which a frame of its values begins."""

    errors: tuple[Place, ...] = ()
    uncomputed: tuple[Place, ...] = ()
    rounded: tuple[Place, ...] = ()
    merged: tuple[Merged, ...] = ()
    first_column: int = 0


class Book:
    """A workbook, as far as it is not values. Raises BadDelivery: UNREADABLE where it is none, TOO_LARGE."""

    def __init__(self, data: bytes, max_bytes: int):
        with _whole():
            self._archive = zipfile.ZipFile(io.BytesIO(data))
        size = sum(entry.file_size for entry in self._archive.infolist())
        if size > max_bytes:
            raise BadDelivery(
                "TOO_LARGE",
                f"the workbook unpacks to {size} bytes, more than {max_bytes}; mend format.max_bytes if that is right",
            )
        with _whole():
            self._root = self._target("_rels/.rels", lambda given: given.get("Type", "").endswith("/officeDocument"))
            self._workbook = self._xml(self._root)

    @property
    def counts_from_1904(self) -> bool:
        found = self._workbook.find("{*}workbookPr")
        return found is not None and found.get("date1904", "") in ("1", "true")

    @cached_property
    def sheets(self) -> tuple[Sheet, ...]:
        """The worksheets in their order; charts and macros are none."""
        with _whole():
            return tuple(self._sheets())

    def _sheets(self) -> Iterator[Sheet]:
        for given in self._workbook.iterfind("{*}sheets/{*}sheet"):
            number = next((value for key, value in given.attrib.items() if str(key).endswith("}id")), "")
            part = self._part(str(number))
            if part and "/worksheets/" in f"/{part}":
                yield Sheet(given.get("name", ""), part, given.get("state", "visible") == "visible")

    def is_filled(self, sheet: Sheet) -> bool:
        """Whether a cell of it holds anything."""
        with _whole(), self._archive.open(sheet.part) as file:
            before = b""
            while chunk := file.read(_CHUNK):
                if re.search(rb"<(?:\w+:)?(?:v|is)>[^<]|<(?:\w+:)?is>", before + chunk):
                    return True
                before = chunk[-16:]
        return False

    def odd(self, sheet: Sheet) -> Odd:
        """The cells of a sheet that hold something else than they show."""
        with _whole():
            xml = self._archive.read(sheet.part)
        errors = tuple(_places(_ERROR, xml)) if re.search(rb"\bt=[\"']e[\"']", xml) else ()
        uncomputed = tuple(_places(_UNCOMPUTED, xml, ("n", ""))) if b"<f" in xml or b":f" in xml else ()
        rounded = tuple(_places(_LONG_NUMBER, xml, ("n", ""))) if _MAY_BE_LONG.search(xml) else ()
        merged = tuple(
            Merged((int(found[2]) - 1, _column(found[1])), (int(found[4]) - 1, _column(found[3])))
            for found in _MERGED.finditer(xml)
        )
        if not (errors or uncomputed or rounded or merged):
            return Odd()
        columns = {found[1] for found in _FILLED.finditer(xml)}
        return Odd(errors, uncomputed, rounded, merged, min(map(_column, columns), default=0))

    def cells(self, sheet: Sheet) -> Iterator[Cell]:
        """The cells of a sheet that hold anything, row by row; for sheets that people fill in by hand."""
        with _whole():
            shared, looks = self._shared(), self._looks()
            for given in self._xml(sheet.part).iterfind("{*}sheetData/{*}row/{*}c"):
                if cell := self._cell(given, shared, looks):
                    yield cell

    def _cell(self, given: etree._Element, shared: list[str], looks: list[str]) -> Cell | None:
        at = re.fullmatch(r"([A-Z]+)(\d+)", given.get("r", ""))
        if at is None:
            raise ValueError("a cell without its place")
        place = int(at[2]) - 1, _column(at[1].encode())
        kind, value = given.get("t", "n"), given.findtext("{*}v") or ""
        if kind == "e" or (given.find("{*}f") is not None and not value and kind != "str"):
            return Cell(place, value, is_broken=True)
        if kind in ("s", "inlineStr"):
            value = shared[int(value)] if kind == "s" else _text_of(given.find("{*}is"))
        if kind != "n" or not value:
            return Cell(place, value) if value else None
        look = looks[int(given.get("s", "0"))] if looks else ""
        if _DAY.search(look):
            first = datetime(1904, 1, 1) if self.counts_from_1904 else datetime(1899, 12, 30)
            return Cell(place, f"{first + timedelta(days=float(value)):%Y-%m-%d}", is_day=True)
        return Cell(place, f"{float(value):.{_MOST_DIGITS}g}", is_percent="%" in look)

    def _shared(self) -> list[str]:
        """The texts that cells name by their number."""
        part = self._beside("/sharedStrings")
        return [_text_of(one) for one in self._xml(part).iterfind("{*}si")] if part else []

    def _looks(self) -> list[str]:
        """By the number of a style the format of its numbers, without what it quotes; none for the usual one."""
        part = self._beside("/styles")
        if part is None:
            return []
        root = self._xml(part)
        own = {one.get("numFmtId"): one.get("formatCode", "") for one in root.iterfind("{*}numFmts/{*}numFmt")}
        codes = [one.get("numFmtId", "0") for one in root.iterfind("{*}cellXfs/{*}xf")]
        return [_QUOTED.sub("", own.get(code) or _built_in(int(code))) for code in codes]

    def _beside(self, kind: str) -> str | None:
        """A part of the workbook of some kind, if it has one."""
        folder, name = posixpath.split(self._root)
        relations = f"{folder}/_rels/{name}.rels".lstrip("/")
        try:
            return self._target(relations, lambda given: given.get("Type", "").endswith(kind))
        except KeyError:
            return None

    def _xml(self, part: str) -> etree._Element:
        return etree.fromstring(self._archive.read(part), etree.XMLParser(resolve_entities=False, no_network=True))

    def _target(self, relations: str, fits: Callable[[etree._Element], bool]) -> str:
        """The part that the first fitting relation leads to. Raises KeyError where there is none."""
        target = next((one.get("Target", "") for one in self._xml(relations).iter("{*}Relationship") if fits(one)), "")
        if not target:
            raise KeyError(relations)
        folder = posixpath.dirname(posixpath.dirname(relations))
        return target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))

    def _part(self, number: str) -> str | None:
        folder, name = posixpath.split(self._root)
        relations = f"{folder}/_rels/{name}.rels".lstrip("/")
        try:
            part = self._target(relations, lambda given: given.get("Id") == number)
        except KeyError:
            return None
        return part if part in self._archive.namelist() else None


@contextmanager
def _whole() -> Iterator[None]:
    """What a damaged archive makes of being read, told as ours."""
    try:
        yield
    except _DAMAGE:
        raise BadDelivery(
            "UNREADABLE",
            "not a workbook that can be read: it is damaged, cut short or no .xlsx; ask the sender to save it as .xlsx"
            " again",
        ) from None


def _text_of(given: etree._Element | None) -> str:
    """The text of a cell, its runs put together, without what tells how it is read aloud."""
    if given is None:
        return ""
    runs = [given, *given.iterfind("{*}r")]
    return "".join(one.findtext("{*}t") or "" for one in runs)


def _built_in(code: int) -> str:
    """The format of a number that every spreadsheet knows by its number, as far as it makes a day or a percentage."""
    return "%" if code in (9, 10) else "yyyy" if code in _DAYS else ""


def _places(pattern: re.Pattern[bytes], xml: bytes, types: tuple[str, ...] = ()) -> Iterator[Place]:
    """Where the cells are that ``pattern`` finds; ``types``: of which type they must be."""
    for found in pattern.finditer(xml):
        kind = _TYPE.search(found[1])
        if types and (kind[1].decode() if kind else "") not in types:
            continue
        if found.re is _LONG_NUMBER and abs(float(found[2])) < 10**_MOST_DIGITS:
            continue
        if at := _AT.search(found[1]):
            yield int(at[2]) - 1, _column(at[1])


def _column(letters: bytes) -> int:
    """A is 0, Z 25, AA 26."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number - 1

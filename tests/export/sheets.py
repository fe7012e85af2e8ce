"""A workbook read back without a spreadsheet: its cells, its formulas reckoned by another arithmetic."""

import io
import re
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from zipfile import ZipFile

from lxml import etree

_CELL = re.compile(r"(?:([\u4e00-\u9fff]+)!)?\$?([A-Z]+)\$?(\d+)(?::\$?([A-Z]+)\$?(\d+))?")
_TOKEN = re.compile(rf'{_CELL.pattern}|[A-Z]+(?=\()|"[^"]*"|\d+(?:\.\d+)?|>=|<=|[-+*/(),]')


@dataclass(frozen=True)
class Read:
    """``value``: what is saved in the cell. ``formula``: empty where there is none. ``look``: its format of numbers."""

    value: float | str | None
    formula: str = ""
    look: str = ""


class Book:
    """``cells``: by sheet and place, such as ("计分", "A1")."""

    def __init__(self, content: bytes):
        self.archive = ZipFile(io.BytesIO(content))
        texts = ["".join(one.itertext("{*}t")) for one in self.xml("xl/sharedStrings.xml").iterfind("{*}si")]
        styles = self.xml("xl/styles.xml")
        own = {one.get("numFmtId"): one.get("formatCode") for one in styles.iterfind("{*}numFmts/{*}numFmt")}
        looks = [own.get(one.get("numFmtId"), "") for one in styles.iterfind("{*}cellXfs/{*}xf")]
        self.names = [one.get("name") for one in self.xml("xl/workbook.xml").iterfind("{*}sheets/{*}sheet")]
        self.cells: dict[tuple[str, str], Read] = {}
        self.sheets = {}
        for number, name in enumerate(self.names, start=1):
            self.sheets[name] = self.xml(f"xl/worksheets/sheet{number}.xml")
            for one in self.sheets[name].iterfind("{*}sheetData/{*}row/{*}c"):
                value = one.findtext("{*}v")
                if value is not None:
                    value = texts[int(value)] if one.get("t") == "s" else float(value)
                look = looks[int(one.get("s", "0"))]
                self.cells[name, one.get("r")] = Read(value, one.findtext("{*}f") or "", look)

    def xml(self, part: str) -> etree._Element:
        return etree.fromstring(self.archive.read(part))

    def column(self, sheet: str, title: str) -> str:
        return next(
            re.sub(r"\d", "", at) for (name, at), one in self.cells.items() if name == sheet and one.value == title
        )

    def under(self, sheet: str, title: str) -> dict[int, str]:
        """The places below a head, by their rows."""
        letters = self.column(sheet, title)
        found = [at for name, at in self.cells if name == sheet and re.fullmatch(rf"{letters}\d+", at)]
        return {int(at.removeprefix(letters)): at for at in found if at != f"{letters}1"}

    def change(self, sheet: str, at: str, value: float) -> None:
        """Types another number into a cell."""
        self.cells[sheet, at] = replace(self.cells[sheet, at], value=value, formula="")

    def reckon(self, sheet: str, at: str) -> Decimal | str:
        """What a cell comes to. Of 40 digits, so that what it says is exact where a float is not."""
        with localcontext() as context:
            context.prec = 40
            return _Reckoner(self, sheet).cell(at)


class _Reckoner:
    """The few functions of a spreadsheet that are used, by descent through their grammar."""

    def __init__(self, book: Book, sheet: str):
        self.book, self.sheet = book, sheet

    def cell(self, at: str):
        one = self.book.cells.get((self.sheet, at), Read(None))
        if one.formula:
            tokens = [found[0] for found in _TOKEN.finditer(one.formula)]
            assert "".join(tokens) == one.formula, one.formula
            made = _Parser(self.book, self.sheet, tokens)
            result = made.sum()
            assert not made.left, one.formula
            return result
        return (
            one.value
            if isinstance(one.value, str)
            else Decimal(repr(one.value))
            if one.value is not None
            else Decimal()
        )


class _Parser:
    def __init__(self, book: Book, sheet: str, tokens: list[str]):
        self.book, self.sheet, self.left = book, sheet, tokens

    def take(self, *wanted: str) -> str:
        token = self.left.pop(0)
        assert not wanted or token in wanted, (token, wanted)
        return token

    def sum(self):
        result = self.product()
        while self.left and self.left[0] in "+-":
            result = result + self.product() if self.take() == "+" else result - self.product()
        return result

    def product(self):
        result = self.one()
        while self.left and self.left[0] in "*/":
            result = result * self.one() if self.take() == "*" else result / self.one()
        return result

    def one(self):
        token = self.take()
        if token == "(":
            result = self.sum()
            self.take(")")
            return result
        if token == "-":
            return -self.one()
        if token.startswith('"'):
            return token.strip('"')
        if re.fullmatch(r"\d+(\.\d+)?", token):
            return Decimal(token)
        if _CELL.fullmatch(token):
            return self.of(token)
        return self.call(token)

    def of(self, token: str):
        sheet, letters, row, _, last = _CELL.fullmatch(token).groups()
        reckoner = _Reckoner(self.book, sheet or self.sheet)
        if last is None:
            return reckoner.cell(letters + row)
        return [reckoner.cell(f"{letters}{at}") for at in range(int(row), int(last) + 1)]

    def call(self, name: str):
        self.take("(")
        if name == "IF":
            holds = self.test()
            self.take(",")
            one = self.sum()
            self.take(",")
            other = self.sum()
            self.take(")")
            return one if holds else other
        given = [self.sum()]
        while self.take(",", ")") == ",":
            given.append(self.sum())
        return FUNCTIONS[name](*given)

    def test(self) -> bool:
        one = self.sum()
        sign = self.take(">=", "<=")
        return one >= self.sum() if sign == ">=" else one <= self.sum()


def _rounded(value: Decimal, decimals: Decimal, way: str) -> Decimal:
    shown = Decimal(f"{value:.15g}")  # a spreadsheet rounds what it shows
    return shown.quantize(Decimal(1).scaleb(-int(decimals)), rounding=way)


def _towards(value: Decimal, decimals: Decimal, up: bool) -> Decimal:
    return _rounded(value, decimals, ROUND_CEILING if up == (value >= 0) else ROUND_FLOOR)


def _sumifs(column, criteria, wanted):
    return sum((one for one, kind in zip(column, criteria, strict=True) if kind == wanted), Decimal())


FUNCTIONS = {
    "ROUND": lambda value, decimals: _rounded(value, decimals, ROUND_HALF_UP),
    "ROUNDUP": lambda value, decimals: _towards(value, decimals, up=True),
    "ROUNDDOWN": lambda value, decimals: _towards(value, decimals, up=False),
    "MIN": min,
    "MAX": max,
    "SUMIFS": _sumifs,
}

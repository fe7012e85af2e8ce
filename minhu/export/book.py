"""A workbook in our formats: numbers stay numbers, text stays text, each sheet prints one page wide under its heads."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from io import BytesIO
from math import ceil

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from minhu.export.report import Measured, Report
from minhu.export.words import Words

FONT = "等线"
A4, A3, ONE_PAGE_WIDE = 9, 8, 1
ACROSS = {A4: 102.0, A3: 148.0}
"""How much of columns' width fits across a landscape page as it is."""
SMALLEST = 0.6
"""So far a sheet is shrunk to fit A4; a wider one prints on A3."""
UPRIGHT = 115.0
"""So wide the columns of a sheet may be that prints upright."""
BAD_IN_NAMES = str.maketrans(dict.fromkeys("[]:*?/\\'", "_"))
FORMATS: dict[str, dict[str, object]] = {
    "text": {"valign": "vcenter", "text_wrap": True},
    "bare": {"valign": "vcenter"},
    "key": {"valign": "top", "font_color": "#555555"},
    "value": {"valign": "top", "text_wrap": True},
    "title": {"bold": True, "font_size": 18, "align": "left"},
    "subtitle": {"font_size": 13, "align": "left"},
    "notice": {"font_color": "#A32A22", "text_wrap": True, "valign": "top"},
    "head": {
        "bold": True,
        "bg_color": "#E3EAF2",
        "align": "center",
        "valign": "vcenter",
        "text_wrap": True,
        "border": 1,
        "border_color": "#BFBFBF",
    },
    "share": {"num_format": "0.00%", "valign": "vcenter"},
    "percent": {"num_format": '0.##"%"', "valign": "vcenter"},
    "percent2": {"num_format": '0.00"%"', "valign": "vcenter"},
    "points": {"num_format": "0.00", "valign": "vcenter"},
    "worth": {"num_format": "+0.00_ ;-0.00_ ;0.00_ ", "valign": "vcenter"},
    "count": {"num_format": "#,##0", "valign": "vcenter"},
    "plain": {"num_format": "0.##", "valign": "vcenter"},
    "moment": {"num_format": "mm-dd hh:mm", "align": "center", "valign": "vcenter"},
    "grey": {"font_color": "#666666", "align": "center", "valign": "vcenter"},
    "aside": {"font_color": "#999999", "num_format": "0.00%"},
    "bold": {"bold": True, "font_size": 12},
}
FONTS: dict[str, object] = {"font_name": FONT, "font_size": 10.5}
ROW = 17.0
"""Of one line of text, in points."""
TOTAL: dict[str, object] = {"bold": True, "top": 1, "bg_color": "#F5F7FA"}
Cells = Sequence[tuple[object, str]]


class Book:
    """A workbook with our formats, and the page layout that every sheet shares."""

    def __init__(self, report: Report, words: Words, out: BytesIO):
        self.report, self.words = report, words
        self.book = Workbook(
            out,
            {
                "in_memory": True,
                "default_format_properties": dict(FONTS),  # it takes things out of it
            },
        )
        subject = f"{report.title} {words('bulletin_of', period=words.period(report))}"
        self.book.set_properties({"title": subject, "author": "minhu", "created": report.stamp})
        self.made: dict[tuple[str, bool], Format] = {}
        self.taken: set[str] = set()

    def format(self, name: str, *, is_total: bool = False) -> Format:
        if (name, is_total) not in self.made:
            look: dict[str, object] = (
                {"font_name": FONT, "font_size": 10.5} | FORMATS[name] | (TOTAL if is_total else {})
            )
            self.made[name, is_total] = self.book.add_format(look)
        return self.made[name, is_total]

    def sheet(
        self,
        name: str,
        *,
        wide: bool = True,
        freeze: tuple[int, int] = (0, 0),
        heads: tuple[int, int] | None = None,
        widths: Sequence[float] = (),
    ) -> Worksheet:
        """A new sheet that prints one page wide, with what it is of in its header and page numbers in its footer.

        ``heads``: the first and last row of the titles that stand on every page.
        """
        report, words = self.report, self.words
        sheet = self.book.add_worksheet(self._name(name))
        sheet.set_paper(A3 if wide and sum(widths) * SMALLEST > ACROSS[A4] else A4)
        for column, width in enumerate(widths):
            sheet.set_column(column, column, width)
        if wide:
            sheet.set_landscape()
        sheet.fit_to_pages(ONE_PAGE_WIDE, 0)
        sheet.set_margins(left=0.5, right=0.5, top=0.8, bottom=0.7)
        of = f"{report.title} {words.period(report)}".replace("&", "&&")
        mark = f"&R&KA32A22{words('draft')}" if report.is_draft else ""
        sheet.set_header(f"&L&9{of} · {name}{mark}")
        foot = words.foot(report)
        sheet.set_footer(f"&L&6{foot}&R&9&P / &N" if foot else "&C&9&P / &N")
        if heads:
            sheet.repeat_rows(*heads)
        if any(freeze):
            sheet.freeze_panes(*freeze)
        if report.is_draft:
            sheet.set_tab_color("#A32A22")
        return sheet

    def _name(self, wanted: str) -> str:
        """A name that Excel takes: at most 31 characters, none of its own signs, none twice."""
        name, number = wanted.translate(BAD_IN_NAMES)[:31], 2
        while name.lower() in self.taken:
            name, number = f"{wanted.translate(BAD_IN_NAMES)[:27]} ({number})", number + 1
        self.taken.add(name.lower())
        return name

    def put(self, sheet: Worksheet, row: int, column: int, value: object, name: str, *, is_total: bool = False) -> None:
        """Writes a value as what it is; text never becomes a formula."""
        look = self.format(name, is_total=is_total)
        if value is None or value == "":
            sheet.write_blank(row, column, None, look)
        elif isinstance(value, str):
            sheet.write_string(row, column, value, look)
        elif isinstance(value, datetime):
            sheet.write_datetime(row, column, value.replace(tzinfo=None), look)
        else:
            sheet.write_number(row, column, value, look)


def line(
    book: Book,
    sheet: Worksheet,
    row: int,
    column: int,
    cells: Cells,
    widths: Sequence[float],
    *,
    is_total: bool = False,
) -> None:
    """Writes cells (value, format) from ``column`` on, the row as tall as the longest text wants it.

    Not every program fits a row to wrapped text by itself.
    """
    for at, (value, look) in enumerate(cells, start=column):
        book.put(sheet, row, at, value, look, is_total=is_total)
    texts = [(value, width) for (value, look), width in zip(cells, widths, strict=False) if look == "text" and value]
    height = max((tall(str(text), width) for text, width in texts), default=0)
    if height > ROW:
        sheet.set_row(row, height)


def head(book: Book, sheet: Worksheet, row: int, titles: Sequence[str]) -> None:
    """The heads of columns, from the first on."""
    for column, title in enumerate(titles):
        sheet.write_string(row, column, title, book.format("head"))


def counted(one: Measured, words: Words) -> Iterator[tuple[object, str]]:
    """Numerator, denominator, rate and interval, with their formats; the rate and its ends as shares."""
    if one.is_suppressed:
        yield from ((words("suppressed"), "grey") for _ in range(5))
        return
    yield one.numerator, "plain"
    yield one.denominator, "plain"
    for pct in (one.value, one.wilson_low_pct, one.wilson_high_pct):
        yield (None if pct is None else pct / 100), "share"


def places(text: str) -> int:
    """How many places a text takes; a Chinese character takes two."""
    return 2 * len(text) - len(text.encode("ascii", "ignore"))


def tall(text: str, width: float) -> float:
    """The height in points of a row that holds ``text`` in a column so wide."""
    return ROW * max(1, ceil(places(text) * 1.08 / width))


def wide_enough(names: Iterable[str], at_least: float) -> float:
    """The width of a column in which no name breaks, whatever words it is made of."""
    return max(at_least, *(1.08 * places(name) + 1.5 for name in names), at_least)

"""Blocks as PDF: A4, embedded fonts, vector charts, tables that break over pages under a repeated header.

No page has a third of it blank: a part begins on a new page only where this one is nearly full, and where the last page
would be short the lines stand a little closer or wider, or the last pages share what is on them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from fpdf import FPDF

from minhu.paper.blocks import Block, Column, Cover, Figure, PageBreak, Table, Text, texts
from minhu.paper.charts import Box, Dot, Drawing, Label, Line
from minhu.paper.fonts import Faces
from minhu.paper.lines import wrap

LEFT, TOP, RIGHT, BOTTOM = 25.0, 26.0, 25.0, 24.0
POINT = 25.4 / 72
INK, GREY, RULE, SHADE, RED = (0x22,) * 3, (0x66,) * 3, (0xD5,) * 3, (0xEE, 0xF2, 0xF6), (0xA3, 0x2A, 0x22)


@dataclass(frozen=True)
class Style:
    """``lead``: from line to line; ``indent``: of the first line, in characters. Sizes in points."""

    face: str
    size: float
    lead: float
    before: float = 0
    after: float = 0
    align: str = "left"
    indent: int = 0
    colour: tuple[int, int, int] = INK
    keeps_next: bool = False


STYLES = {
    "title": Style("serif", 19, 28, 6, 0, "center"),
    "subtitle": Style("serif", 16, 24, 2, 6, "center"),
    "meta": Style("sans", 10, 15, 0, 2, "center", colour=GREY),
    "notice": Style("sans", 10, 15, 0, 0, "left", colour=RED),
    "heading": Style("sans", 14, 22, 14, 4, keeps_next=True),
    "subheading": Style("sans", 11.5, 18, 8, 3, keeps_next=True),
    "body": Style("serif", 12, 21, 0, 3, indent=2),
    "item": Style("serif", 10.5, 17, 0, 2),
    "small": Style("sans", 8.5, 13, 4, 0, colour=GREY),
    "seal": Style("serif", 12, 21, 14, 6, "right"),
}
CELL, SUB, PAD, LEADING = 9.0, 7.2, 1.4, 1.35
NEEDS = 32.0
"""What must be free below a heading, in millimetres, so that it does not stand alone at the foot of a page."""
PAGE = "— {} —"
SPARE = 6.0
"""So far below the text, in millimetres, a small print may go, rather than stand alone on a page."""
FULL = 0.69
"""So full is each page of several."""
STRETCHES = (0.97, 1.03, 0.94, 1.06)
"""Of the leading and of what is free in cells: tried in this order where the last page is not full enough as it is."""
SPARES = (0.02, 0.0, 0.04, 0.06, 0.08, 0.1, 0.15)
"""Then the last pages share what is on them evenly, with so much more room on each as rows and figures need."""
Colour = str | tuple[int, int, int]
Wrapped = dict[tuple[str, float, float], list[str]]
"""The lines of cells by text, width and size."""


@dataclass(frozen=True)
class Fit:
    """How a paper is laid out: closer or wider, and from which page on only a share of each is used."""

    stretch: float = 1.0
    since: int = 1
    share: float = 1.0


class Paper(FPDF):
    """A4 with our margins, the page number at the foot and, on a draft, a mark across each page."""

    def __init__(self, faces: Faces, cover: Cover, fit: Fit = Fit(), before: "Paper | None" = None):
        """``before``: the same paper laid out otherwise, whose fonts and wrapped cells serve again."""
        super().__init__("P", "mm", "A4")
        self.cover, self.fit = cover, fit
        self.ends: list[float] = []
        self.wrapped: Wrapped = before.wrapped if before else {}
        self.pad = PAD * fit.stretch
        if before:
            self.fonts.update(before.fonts)
        else:
            for name, face in (("sans", faces.sans), ("serif", faces.serif)):
                self.add_font(name, "", face.path, collection_font_number=face.index)
        self.set_margins(LEFT, TOP, RIGHT)
        self.set_auto_page_break(False)
        self.set_creation_date(cover.dated)
        self.set_title(cover.title)
        self.set_subject(cover.subject)
        self.set_lang("zh-CN" if cover.lang == "zh" else cover.lang)
        self.set_producer("minhu")

    def turn(self) -> None:
        """Begins a new page."""
        self.ends.append(self.get_y())
        self.add_page()

    @property
    def fullness(self) -> list[float]:
        """Of each page, from 0 to 1."""
        return [(y - TOP) / (self.h - BOTTOM - TOP) for y in (*self.ends, self.get_y())]

    def lead(self, style: "Style") -> float:
        return style.lead * POINT * self.fit.stretch

    @property
    def floor(self) -> float:
        room = self.h - BOTTOM - TOP
        return TOP + room * (self.fit.share if self.page_no() >= self.fit.since else 1.0)

    @property
    def free(self) -> float:
        return self.floor - self.get_y()

    def ink(self, colour: Colour) -> tuple[int, int, int]:
        if not isinstance(colour, str):
            return colour
        red, green, blue = bytes.fromhex(colour[1:])
        return red, green, blue

    def write_at(
        self,
        x: float,
        y: float,
        text: str,
        face: str,
        size: float,
        anchor: str = "left",
        colour: str | tuple[int, int, int] = INK,
    ) -> None:
        """Writes one line whose middle is at ``y``; ``x`` is its left, middle or right end."""
        self.set_font(face, size=size)
        self.set_text_color(*self.ink(colour))
        if anchor != "left":
            x -= self.get_string_width(text) * (0.5 if anchor == "middle" else 1)
        self.text(x, y + size * POINT * 0.36, text)

    def header(self) -> None:
        if text := self.cover.mark:
            self.set_font("sans", size=46)
            self.set_text_color(0xF1, 0xE6, 0xE4)
            with self.rotation(38, self.w / 2, self.h / 2):
                self.text((self.w - self.get_string_width(text)) / 2, self.h / 2, text)
        if self.page_no() > 1:
            y = TOP - 9
            self.write_at(LEFT, y, self.cover.head, "sans", 8.5, colour=GREY)
            if self.cover.mark:
                self.write_at(self.w - RIGHT, y, self.cover.mark, "sans", 8.5, "right", RED)
            self.set_draw_color(*RULE)
            self.set_line_width(0.2)
            self.line(LEFT, y + 3, self.w - RIGHT, y + 3)
        self.set_xy(LEFT, TOP)

    def footer(self) -> None:
        self.write_at(self.w / 2, self.h - BOTTOM + 11, PAGE.format(self.page_no()), "serif", 10.5, "middle")
        if foot := self.cover.foot:
            self.write_at(self.w / 2, self.h - BOTTOM + 16.5, foot, "sans", 6.5, "middle", GREY)


def as_pdf(blocks: Sequence[Block], cover: Cover, faces: Faces) -> bytes:
    """The blocks on paper. The same blocks give the same bytes. Raises Refused when a character has no glyph."""
    faces.check([*texts(blocks), PAGE.format("0123456789"), cover.head, cover.mark or "", cover.foot])
    best = _laid(blocks, Paper(faces, cover))
    for fit in _fits(best.fullness):
        if min(best.fullness) >= FULL:
            break
        paper = _laid(blocks, Paper(faces, cover, fit, best))
        best = paper if min(paper.fullness) > min(best.fullness) else best
    return bytes(best.output())


def _fits(fullness: list[float]) -> Iterator[Fit]:
    """What is tried where a paper's last page is short. A single page is as long as it is."""
    if len(fullness) == 1:
        return
    yield from map(Fit, STRETCHES)
    fewest = ceil((1 - fullness[-1]) / (1 - FULL))
    for sharing in (fewest, fewest + 1, fewest + 2):
        share = (sharing - 1 + fullness[-1]) / sharing
        if sharing <= len(fullness):
            yield from (Fit(since=len(fullness) - sharing + 1, share=min(1.0, share + spare)) for spare in SPARES)


def _laid(blocks: Sequence[Block], paper: Paper) -> Paper:
    paper.add_page()
    for at, block in enumerate(blocks):
        match block:
            case Text():
                _text(
                    paper, block, _needs(paper, block, blocks[at + 1 : at + 2]), last_notice=_ends_notices(blocks, at)
                )
            case Table():
                _table(paper, block)
            case Figure(drawing):
                _figure(paper, drawing)
            case PageBreak():
                if paper.fullness[-1] >= FULL:
                    paper.turn()
    return paper


def _ends_notices(blocks: Sequence[Block], at: int) -> bool:
    following = blocks[at + 1] if at + 1 < len(blocks) else None
    return not (isinstance(following, Text) and following.role == "notice")


def _needs(paper: Paper, heading: Text, below: Sequence[Block]) -> float:
    """What a heading wants below it on its page: of a table the header and the first row."""
    following = below[0] if below else None
    if not isinstance(following, Table) or not following.rows:
        return NEEDS
    titles, widths = tuple(column.title for column in following.columns), _widths(paper, following)
    rows = (_height(paper, _cells(paper, cells, widths)) for cells in (titles, following.rows[0].cells))
    return max(NEEDS, paper.lead(STYLES[heading.role]) + sum(rows) + 3)


def _text(paper: Paper, block: Text, needs: float, *, last_notice: bool) -> None:
    style = STYLES[block.role]
    lead, width = paper.lead(style), paper.epw
    paper.set_font(style.face, size=style.size)
    indent = style.indent * style.size * POINT if paper.cover.lang == "zh" else 0
    lines = wrap(block.text, width, paper.get_string_width, indent, paper.cover.names)
    spare = SPARE if block.role == "small" else 0
    whole = len(lines) if block.role == "seal" else min(len(lines), 2)
    if paper.free + spare < style.before * POINT + (needs if style.keeps_next else whole * lead):
        paper.turn()
    elif paper.get_y() > TOP:
        paper.set_y(paper.get_y() + style.before * POINT)
    for at, line in enumerate(lines):
        if paper.free + spare < lead:
            paper.turn()
        _line(paper, line, style, indent if at == 0 else 0, is_last=at == len(lines) - 1)
    paper.set_y(paper.get_y() + style.after * POINT)
    if block.role == "notice" and last_notice:
        y = paper.get_y() + 2
        paper.set_draw_color(*RED)
        paper.set_line_width(0.5)
        paper.line(LEFT, y, paper.w - RIGHT, y)
        paper.set_y(y + 1)


def _line(paper: Paper, line: str, style: Style, indent: float, *, is_last: bool) -> None:
    paper.set_font(style.face, size=style.size)
    paper.set_text_color(*style.colour)
    x, y, width = LEFT + indent, paper.get_y(), paper.epw - indent
    taken = paper.get_string_width(line)
    if style.align != "left":
        x += (width - taken) * (0.5 if style.align == "center" else 1)
    slack = width - taken
    justified = not is_last and style.align == "left" and len(line) > 1 and 0 < slack < 3 * style.size * POINT
    if justified:
        paper.set_char_spacing(slack / POINT / (len(line) - 1))
    paper.text(x, y + paper.lead(style) / 2 + style.size * POINT * 0.36, line)
    if justified:
        paper.set_char_spacing(0)
    paper.set_y(y + paper.lead(style))


def _figure(paper: Paper, drawing: Drawing) -> None:
    caption = 8.0
    if paper.free < drawing.height + caption + 3:
        paper.turn()
    left, top = LEFT + (paper.epw - drawing.width) / 2, paper.get_y() + 3
    for shape in drawing.shapes:
        match shape:
            case Box(x, y, width, height, colour):
                paper.set_fill_color(*paper.ink(colour))
                paper.rect(left + x, top + y, width, height, "F")
            case Line(x1, y1, x2, y2, colour, width):
                paper.set_draw_color(*paper.ink(colour))
                paper.set_line_width(width)
                paper.line(left + x1, top + y1, left + x2, top + y2)
            case Dot(x, y, radius, colour):
                paper.set_fill_color(*paper.ink(colour))
                paper.ellipse(left + x - radius, top + y - radius, 2 * radius, 2 * radius, "F")
            case Label(x, y, text, size, anchor, colour):
                paper.write_at(left + x, top + y, text, "sans", size, anchor, colour)
    paper.write_at(paper.w / 2, top + drawing.height + 3.5, drawing.alt, "sans", 9, "middle", GREY)
    paper.set_y(top + drawing.height + caption)


Lines = list[tuple[str, float]]
"""The lines of a cell with their sizes in points."""


def _table(paper: Paper, table: Table) -> None:
    paper.set_y(paper.get_y() + 1)
    widths = _widths(paper, table)
    head = _cells(paper, tuple(column.title for column in table.columns), widths)
    rows = [_cells(paper, row.cells, widths) for row in table.rows]
    for at, (row, cells) in enumerate(zip(table.rows, rows, strict=True)):
        needs = _height(paper, cells)
        if at == len(rows) - 2:  # the last row does not go to the next page alone
            needs += _height(paper, rows[-1])
        if at == 0:
            if paper.free < _height(paper, head) + needs:
                paper.turn()
            _header(paper, head, table.columns, widths)
        elif paper.free < needs:
            _rule(paper, 0.4)
            paper.turn()
            _header(paper, head, table.columns, widths)
        _row(paper, cells, table.columns, widths, SHADE if row.is_total else None)
    _rule(paper, 0.4)
    paper.set_y(paper.get_y() + 3)


def _widths(paper: Paper, table: Table) -> list[float]:
    share = paper.epw / sum(column.width for column in table.columns)
    return [column.width * share for column in table.columns]


def _rule(paper: Paper, width: float, colour: tuple[int, int, int] = INK, y: float | None = None) -> None:
    """A line over the whole width, here or at ``y``."""
    y = paper.get_y() if y is None else y
    paper.set_draw_color(*colour)
    paper.set_line_width(width)
    paper.line(LEFT, y, paper.w - RIGHT, y)


def _header(paper: Paper, head: list[Lines], columns: tuple[Column, ...], widths: list[float]) -> None:
    top = paper.get_y()
    _row(paper, head, columns, widths, SHADE)
    _rule(paper, 0.25)
    _rule(paper, 0.4, y=top)


def _cells(paper: Paper, texts: tuple[str, ...], widths: list[float]) -> list[Lines]:
    """The lines of each cell: what stands after its first line break is set smaller."""
    cells = []
    for text, width in zip(texts, widths, strict=True):
        lines: Lines = []
        for at, part in enumerate(text.split("\n")):
            if not part and not at and text:
                continue
            size = SUB if at else CELL
            lines += [(line, size) for line in _wrapped(paper, part, width - 2 * PAD, size)]
        cells.append(lines)
    return cells


def _wrapped(paper: Paper, text: str, width: float, size: float) -> list[str]:
    """The lines of a cell; a paper laid out again takes them as they were."""
    key = (text, width, size)
    if key not in paper.wrapped:
        paper.set_font("sans", size=size)
        paper.wrapped[key] = wrap(text, width, paper.get_string_width, names=paper.cover.names)
    return paper.wrapped[key]


def _tall(lines: Lines) -> float:
    return sum(size * POINT * LEADING for _, size in lines)


def _height(paper: Paper, cells: list[Lines]) -> float:
    return max(map(_tall, cells)) + 2 * paper.pad


def _row(
    paper: Paper,
    cells: list[Lines],
    columns: tuple[Column, ...],
    widths: list[float],
    fill: tuple[int, int, int] | None,
) -> None:
    height, x, y = _height(paper, cells), LEFT, paper.get_y()
    if fill:
        paper.set_fill_color(*fill)
        paper.rect(LEFT, y, sum(widths), height, "F")
    for lines, column, width in zip(cells, columns, widths, strict=True):
        at = y + (height - _tall(lines)) / 2
        edge = x + {"left": PAD, "middle": width / 2, "right": width - PAD}[column.align]
        for line, size in lines:
            colour = INK if size == CELL else GREY
            paper.write_at(edge, at + size * POINT * LEADING / 2, line, "sans", size, column.align, colour)
            at += size * POINT * LEADING
        x += width
    paper.set_y(y + height)
    _rule(paper, 0.15, RULE)

"""What a paper is made of: text by its role, tables, figures. Word, PDF and HTML set the same blocks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from minhu.paper.charts import Drawing, Label
from minhu.paper.names import Names

NO_NAMES = Names()

WIDTH = 160.0
"""Of the text, in millimetres: A4 less its margins."""


@dataclass(frozen=True)
class Text:
    """A line or paragraph by its role. ``seal``: who issues a paper, its day, the place of the seal, a line each."""

    role: Literal["title", "subtitle", "meta", "notice", "heading", "subheading", "body", "item", "small", "seal"]
    text: str


@dataclass(frozen=True)
class Column:
    """``width``: its share of the table's width."""

    title: str
    width: float
    align: Literal["left", "middle", "right"] = "left"


@dataclass(frozen=True)
class Row:
    """Cells as text; what stands after a cell's first line break is set smaller, and before it may stand nothing."""

    cells: tuple[str, ...]
    is_total: bool = False


@dataclass(frozen=True)
class Table:
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Figure:
    drawing: Drawing


@dataclass(frozen=True)
class PageBreak:
    """Where a new part begins: on a new page, unless that left more than a third of this one blank."""


@dataclass(frozen=True)
class Cover:
    """What stands around the blocks. ``head``: of every page but the first; ``mark``: across each page; ``foot``: under
    each page's number; ``dated``: the moment that the paper shows, never that of printing; ``names``: of bodies, which
    never break inside a word.
    """

    title: str
    head: str
    subject: str
    dated: datetime
    mark: str | None = None
    foot: str = ""
    lang: Literal["zh", "en"] = "zh"
    names: Names = NO_NAMES


Block = Text | Table | Figure | PageBreak


def settled(blocks: Iterable[Block], lang: Literal["zh", "en"] = "zh") -> list[Block]:
    """The blocks with each table of one row told in a line, and none without a row."""
    told: list[Block] = []
    for block in blocks:
        if not isinstance(block, Table) or len(block.rows) > 1:
            told.append(block)
        elif block.rows:
            told.append(Text("item", _in_a_line(block.columns, block.rows[0], lang)))
    return told


def _in_a_line(columns: tuple[Column, ...], row: Row, lang: str) -> str:
    between, of = ("；", "：") if lang == "zh" else ("; ", ": ")
    cells = ((column.title, cell.split()) for column, cell in zip(columns, row.cells, strict=True))
    return between.join(f"{' '.join(title.split())}{of}{' '.join(words)}" for title, words in cells if words)


def texts(blocks: Iterable[Block]) -> Iterator[str]:
    """Every piece of text in the blocks."""
    for block in blocks:
        if isinstance(block, Text):
            yield block.text
        elif isinstance(block, Table):
            yield from (column.title for column in block.columns)
            yield from (cell for row in block.rows for cell in row.cells)
        elif isinstance(block, Figure):
            yield block.drawing.alt
            yield from (shape.text for shape in block.drawing.shapes if isinstance(shape, Label))

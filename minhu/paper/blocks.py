"""What a paper is made of: text by its role, tables, figures. Word, PDF and HTML set the same blocks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from minhu.paper.charts import Drawing, Label

WIDTH = 160.0
"""Of the text, in millimetres: A4 less its margins."""


@dataclass(frozen=True)
class Text:
    """A line or paragraph by its role."""

    role: Literal["title", "subtitle", "meta", "notice", "heading", "subheading", "body", "item", "small"]
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
    pass


@dataclass(frozen=True)
class Cover:
    """What stands around the blocks. ``head``: of every page but the first; ``mark``: across each page; ``foot``: under
    each page's number; ``dated``: the moment that the paper shows, never that of printing.
    """

    title: str
    head: str
    subject: str
    dated: datetime
    mark: str | None = None
    foot: str = ""
    lang: Literal["zh", "en"] = "zh"


Block = Text | Table | Figure | PageBreak


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

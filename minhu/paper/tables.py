"""Lists of rows as tables: each field says its head and how its cell is written."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from minhu.paper.blocks import Column, Row, Table


@dataclass(frozen=True)
class Field:
    """A column of a list. ``cell``: a pattern over the row's columns, such as ``{rows:,}``, or a function of it."""

    title: str
    width: float
    cell: str | Callable[[Any], object]
    align: Literal["left", "middle", "right"] = "left"

    @property
    def column(self) -> Column:
        return Column(self.title, self.width, self.align)

    def write(self, row: Any) -> str:
        return self.cell.format_map(row) if isinstance(self.cell, str) else str(self.cell(row))


def written(fields: Iterable[Field], row: Mapping[str, object] | object, *, is_total: bool = False) -> Row:
    """A row of the list."""
    return Row(tuple(field.write(row) for field in fields), is_total)


def table(fields: Iterable[Field], rows: Iterable[Any]) -> Table:
    """The whole list."""
    fields = tuple(fields)
    return Table(tuple(field.column for field in fields), tuple(written(fields, row) for row in rows))

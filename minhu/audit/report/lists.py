"""What the chapters share: long lists that are cut with their count."""

from collections.abc import Iterator, Sequence
from typing import Any

from minhu.paper.blocks import Block, Row, Table, Text
from minhu.paper.tables import Field, written

SHOWN = 20
"""So many rows of a long list are shown."""


def capped(
    fields: Sequence[Field], rows: Sequence[Any], rest: str, *, limit: int = SHOWN, total: Row | None = None
) -> Iterator[Block]:
    """A table of at most ``limit`` rows, and where the others are."""
    shown = tuple(written(fields, row) for row in rows[:limit])
    yield Table(tuple(field.column for field in fields), (*shown, *([total] if total else [])))
    if len(rows) > limit:
        yield Text("small", f"共 {len(rows)} 行，其余 {len(rows) - limit} 行未列出，全部见 {rest}。")

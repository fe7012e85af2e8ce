"""What the chapters share: words, and long lists that are cut with their count."""

from collections.abc import Iterator

from minhu.paper.blocks import Block, Column, Row, Table, Text

SHOWN = 20
"""So many rows of a long list are shown."""


def capped(
    columns: tuple[Column, ...], rows: list[Row], rest: str, *, limit: int = SHOWN, total: Row | None = None
) -> Iterator[Block]:
    """A table of at most ``limit`` rows, and where the others are."""
    yield Table(columns, (*rows[:limit], *([total] if total else [])))
    if len(rows) > limit:
        yield Text("small", f"共 {len(rows)} 行，其余 {len(rows) - limit} 行未列出，全部见 {rest}。")

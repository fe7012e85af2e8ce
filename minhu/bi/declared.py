"""What a dataset, a metric, a chart and a board are. Plain data; nothing here knows a tool."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

COUNT, RATE, POINTS = ",d", ".2%", ",.2f"
"""Formats of numbers, as d3 writes them."""


@dataclass(frozen=True)
class Metric:
    """One number over any rows of a dataset. ``sql``: an aggregate; ``about``: what it counts, for who hovers."""

    name: str
    zh: str
    en: str
    sql: str
    shape: str = COUNT
    about: str = ""


@dataclass(frozen=True)
class Dataset:
    """A query of marts. ``time``: its axis of time; ``of``: the table whose words its columns have.

    ``words``: 中文 label and English meaning of columns that the dictionary does not know there.
    """

    name: str
    zh: str
    of: str
    time: str | None
    metrics: tuple[Metric, ...]
    sql: str
    words: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """What stands after ``from``."""
        return f"({self.sql}) as virtual_table"

    def metric(self, name: str) -> Metric:
        return next(one for one in self.metrics if one.name == name)


Kind = Literal["number", "trend", "line", "bars", "ranking", "table", "rows", "heat", "spread"]


@dataclass(frozen=True)
class Filter:
    """``value`` None: that the column is not null; a number: that it is more."""

    column: str
    value: str | int | None = None


@dataclass(frozen=True)
class Chart:
    """``x``: days of a trend, categories of the others; ``by`` groups beside it; ``columns`` are shown as they are.

    ``about`` stands beside the chart: what the number counts, and of when it is.
    """

    name: str
    zh: str
    kind: Kind
    dataset: str
    metrics: tuple[str, ...] = ()
    x: str | None = None
    by: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    order: tuple[tuple[str, bool], ...] = ()
    """Of columns as they are: column, whether upwards."""
    filters: tuple[Filter, ...] = ()
    limit: int = 10_000
    upwards: bool = False
    """Whether a ranking begins with the least."""
    shapes: tuple[tuple[str, str], ...] = ()
    """Formats of columns as they are."""
    about: str = ""


@dataclass(frozen=True)
class Pick:
    """A filter of a board: of time, or of the values of a column of a dataset."""

    zh: str
    dataset: str | None = None
    column: str | None = None


@dataclass(frozen=True)
class Board:
    """``rows`` of (chart, width); the widths of a row sum to twelve. ``about``: what its reader has to know."""

    slug: str
    zh: str
    about: str
    rows: tuple[tuple[tuple[str, int], ...], ...]
    picks: tuple[Pick, ...]

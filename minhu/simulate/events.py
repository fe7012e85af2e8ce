"""A growing log of life-cycle events, kept as vectors until somebody asks for the table."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from minhu.feeds.canonical import EVENT_TYPES

NONE = -1
LEAD, SUPPORT = "lead", "support"
SCHEMA = {
    "case": pl.Int64,
    "type": pl.Int8,
    "at": pl.Int64,
    "unit": pl.Int64,
    "role": pl.String,
    "due": pl.Int64,
    "result": pl.String,
    "reason": pl.String,
    "order": pl.Int64,
}


def type_number(event_type: str) -> int:
    return EVENT_TYPES.index(event_type)


@dataclass
class EventLog:
    """Events in the order in which they were told; ``at``, ``due`` are seconds on the city's clock, −1 for none."""

    parts: list[pl.DataFrame] = field(default_factory=list)

    def add(
        self,
        event_type: str,
        case: np.ndarray,
        at: np.ndarray,
        *,
        unit: np.ndarray | int = NONE,
        role: str | None = None,
        due: np.ndarray | int = NONE,
        result: np.ndarray | str | None = None,
        reason: np.ndarray | str | None = None,
    ) -> None:
        count = len(case)
        if not count:
            return
        columns = {
            "case": case,
            "type": np.full(count, type_number(event_type)),
            "at": at,
            "unit": np.broadcast_to(unit, count),
            "role": _words(role, count),
            "due": np.broadcast_to(due, count),
            "result": _words(result, count),
            "reason": _words(reason, count),
            "order": np.full(count, len(self.parts)),
        }
        self.parts.append(pl.DataFrame(columns, schema_overrides=SCHEMA))

    def table(self, before: int) -> pl.DataFrame:
        """The events that happen before a moment, case by case in order of time."""
        return pl.concat(self.parts).filter(pl.col("at") < before).sort("case", "at", "order", maintain_order=True)


def _words(given: np.ndarray | str | None, count: int) -> pl.Series:
    if given is None or isinstance(given, str):
        return pl.Series([given], dtype=pl.String).new_from_index(0, count)
    return pl.Series(given, dtype=pl.String)

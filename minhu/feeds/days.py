"""Times that tell a day and no time of it: which moment of that day is meant.

| told as a day | moment |
|---|---|
| receipt, DISPATCH, REDISPATCH, ADD_UNIT | its start; the facts put no dispatch before the receipt of that day |
| a limit (``due_at``) | its 24:00 |
| CLOSE, whatever else is done or decided, a callback | its last second |

``day: start`` or ``day: end`` of a column says otherwise, and makes a day of its midnights too: many systems export a
date as 00:00:00. What an event tells as a day is flagged, for its time of day is nobody's (docs/decisions/senders.md,
a-date-is-a-day).
"""

from datetime import time

import polars as pl

from minhu.feeds import times
from minhu.feeds.canonical import Column
from minhu.feeds.feed import Mapping
from minhu.privacy.text import half_width

PRECISION = "occurred_precision"
"""Of an event: ``day`` where its time was told as a day."""
_BEGIN = ("DISPATCH", "REDISPATCH", "ADD_UNIT")
_START = ("received_at", "source_updated_at")
_SECOND = pl.duration(seconds=1)


def told(text: pl.Series, moments: pl.Series, mapping: Mapping, formats: tuple[str, ...], zone: str) -> pl.Series:
    """Whether each value tells a day only."""
    is_day = _read_as_day(text, formats, zone)
    if mapping.day is None:
        return is_day
    is_midnight = (moments.dt.convert_time_zone(zone).dt.time() == time()).fill_null(False)
    is_end_of_day = text.str.contains("24:00", literal=True).fill_null(False)  # a time, of the day before
    return is_day | (is_midnight & ~is_end_of_day)


def _read_as_day(text: pl.Series, formats: tuple[str, ...], zone: str) -> pl.Series:
    """Nearly no value lacks a colon; only those that do are looked at twice."""
    none = pl.Series([False]).new_from_index(0, len(text))
    if not any(map(times.may_tell_day, formats)):
        return none
    few = (~text.str.contains(":", literal=True)).fill_null(False).arg_true()
    if not len(few):
        return none
    plain = half_width(pl.col("text")).str.strip_chars()
    by_format = [
        pl.when(times.read(plain, one, zone).is_not_null()).then(times.tells_day(plain, one)) for one in formats
    ]
    looked_at = text.gather(few).to_frame("text").select(pl.coalesce(*by_format).fill_null(False)).to_series()
    return none.scatter(few, looked_at)


def default_day(column: str, event_type: str | None) -> str:
    """What a date means in a column, of an event's in one of its type: ``start``, ``end`` or ``over`` of its day."""
    if column == "due_at":
        return "over"
    return "start" if column in _START or event_type in _BEGIN else "end"


def meaning(column: Column, mapping: Mapping, event_type: str | pl.Expr | None) -> pl.Expr:
    """``start``, ``end`` (the last second) or ``over`` (24:00) of the day, as declared or by default."""
    if mapping.day:
        return pl.lit("over" if (column.name, mapping.day) == ("due_at", "end") else mapping.day)
    if isinstance(event_type, pl.Expr) and column.name == "occurred_at":
        return pl.when(event_type.is_in(_BEGIN)).then(pl.lit("start")).otherwise(pl.lit("end"))
    return pl.lit(default_day(column.name, event_type if isinstance(event_type, str) else None))


def placed(moment: pl.Expr, is_day: pl.Expr, meant: pl.Expr, zone: str) -> pl.Expr:
    """``moment`` where a time of day is told, else the moment of its day that is meant. In UTC."""
    day = moment.dt.convert_time_zone(zone).dt.replace_time_zone(None).dt.truncate("1d")
    over = _begins(day.dt.offset_by("1d"), zone)
    of_day = (
        pl.when(meant == "start").then(_begins(day, zone)).when(meant == "over").then(over).otherwise(over - _SECOND)
    )
    return pl.when(is_day).then(of_day).otherwise(moment)


def _begins(midnight: pl.Expr, zone: str) -> pl.Expr:
    """The first moment of a day; where the clocks skip midnight, one o'clock."""
    first, second = (
        at.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")
        for at in (midnight, midnight.dt.offset_by("1h"))
    )
    return pl.coalesce(first, second)

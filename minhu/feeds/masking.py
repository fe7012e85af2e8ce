"""Which columns are masked on their way in: every text but keys, those of milestones too.

A masked key would make many cases one; the door for keys refuses what holds a citizen's number (`minhu.feeds.keys`).
"""

from collections.abc import Callable

import polars as pl

from minhu.feeds.canonical import LAYOUTS, NUMBERS, Column
from minhu.feeds.feed import Delivery
from minhu.privacy.coded import mask_coded
from minhu.privacy.text import mask_text

_KEYS = NUMBERS | {"case_feed_code", "upstream_feed_code"}
_TOKENISED = "caller_phone"


def masked(read: pl.DataFrame, delivery: Delivery, milestones: list[str]) -> pl.DataFrame:
    """``read`` with its text masked; ``milestones`` names its struct columns, one for each milestone."""
    is_merge = read["event_type"] == "MERGE" if delivery.kind == "event" else None
    put = [
        _kept(read[column.name], mask(read[column.name]), is_merge if column.name == "result_code" else None)
        for column in delivery.layout_columns
        if (mask := _mask_of(column))
    ]
    for name, milestone in zip(milestones, delivery.milestones, strict=True):
        put.append(_milestone(read[name], is_merge=milestone.event_type == "MERGE"))
    return read.with_columns(put)


def _mask_of(column: Column) -> Callable[[pl.Series], pl.Series] | None:
    if column.type != "text" or column.name in _KEYS or column.name == _TOKENISED:
        return None
    return mask_text if column.is_free else mask_coded


def _kept(given: pl.Series, put: pl.Series, is_key: pl.Series | None) -> pl.Series:
    """The result of a merge is the number of the case that goes on."""
    if is_key is None or not is_key.any():
        return put
    return pl.select(pl.when(is_key).then(given).otherwise(put)).to_series().alias(given.name)


def _milestone(events: pl.Series, *, is_merge: bool) -> pl.Series:
    columns = {column.name: column for column in LAYOUTS["event"]}
    fields = events.struct.unnest()
    put = [
        mask(fields[name])
        for name in fields.columns
        if name in columns and (mask := _mask_of(columns[name])) and not (is_merge and name == "result_code")
    ]
    return fields.with_columns(put).to_struct(events.name) if put else events

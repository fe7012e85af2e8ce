"""Canonical rows → the sender's file: a declaration read backwards."""

from zoneinfo import ZoneInfo

import polars as pl

from minhu.feeds import Delivery, Feed
from minhu.feeds.canonical import LAYOUTS, Column
from minhu.feeds.feed import Mapping
from minhu.simulate.fillers import fill

_STATUS_BESIDE = {"received": "dispatched", "replied": "dispatched", "transferred": "closed", "rejected": "closed"}
_STATUS_BESIDE |= {"merged": "closed", "terminated": "closed"}
_MIXED = 0.04
"""How often a sender writes a time in another of the formats that its declaration lists on purpose."""


def to_source(rows: pl.DataFrame, feed: Feed, delivery: Delivery) -> pl.DataFrame:
    """The rows in the sender's columns, order, words and formats; text throughout, null where nothing is said."""
    if rows.is_empty():
        return pl.DataFrame(schema=dict.fromkeys(source_columns(delivery), pl.String))
    columns: dict[str, pl.Series] = {}
    for column, mapping, name in _written(delivery):
        if mapping.source and mapping.source not in columns and name in rows.columns:
            columns[mapping.source] = _spoken(rows[name], rows["dice"], column, mapping, feed, delivery)
    for source in (*delivery.private, *delivery.kept_columns):
        if source not in columns:
            columns[source] = fill(source, rows)
    return pl.DataFrame(columns).select(source_columns(delivery))


def source_columns(delivery: Delivery) -> list[str]:
    """The columns that a file of the delivery has."""
    mapped = [mapping.source for _, mapping, _ in _written(delivery) if mapping.source]
    return list(dict.fromkeys([*mapped, *delivery.private, *delivery.kept_columns]))


def numeric_columns(delivery: Delivery) -> frozenset[str]:
    """Columns that a typed format writes as numbers where they look like one."""
    return frozenset(
        mapping.source
        for column, mapping, _ in _written(delivery)
        if mapping.source
        and (
            column.type in ("number", "integer")
            or (column.type == "timestamp" and _formats(mapping, delivery)[0].startswith("epoch"))
        )
    )


def time_columns(delivery: Delivery) -> dict[str, str]:
    """Required times: source column → the format it is mostly written in."""
    return {
        mapping.source: _formats(mapping, delivery)[0]
        for column, mapping, _ in _written(delivery)
        if column.type == "timestamp" and column.is_required and mapping.source
    }


def _written(delivery: Delivery) -> list[tuple[Column, Mapping, str]]:
    """Every canonical column that the declaration maps, with the name it has in the canonical rows."""
    columns = {column.name: column for column in delivery.layout_columns}
    events = {column.name: column for column in LAYOUTS["event"]}
    written = [(columns[name], mapping, name) for name, mapping in delivery.columns.items()]
    for milestone in delivery.milestones:
        for name, mapping in milestone.columns.items():
            written.append((events[name], mapping, f"{milestone.event_type}.{name}"))
    return written


def _formats(mapping: Mapping, delivery: Delivery) -> tuple[str, ...]:
    return mapping.formats or delivery.formats


def _spoken(
    values: pl.Series, dice: pl.Series, column: Column, mapping: Mapping, feed: Feed, delivery: Delivery
) -> pl.Series:
    if column.type == "timestamp":
        return _times(values, dice, mapping, feed, delivery)
    if column.type == "boolean":
        values = values.cast(pl.Boolean).replace_strict({True: "true", False: "false"}, return_dtype=pl.String)
    text = values.cast(pl.String)
    return _words(text, column, mapping) if mapping.map else text


def _words(text: pl.Series, column: Column, mapping: Mapping) -> pl.Series:
    """Our codes in the sender's words, the first listed where several mean the same."""
    theirs: dict[str, str] = {}
    for word, code in mapping.map.items():
        if code is not None:
            theirs.setdefault(code, word)
    if column.name == "status":
        theirs |= {
            code: theirs[other] for code, other in _STATUS_BESIDE.items() if code not in theirs and other in theirs
        }
    return text.replace_strict(theirs, default=None if column.codes else text, return_dtype=pl.String)


def _times(values: pl.Series, dice: pl.Series, mapping: Mapping, feed: Feed, delivery: Delivery) -> pl.Series:
    formats = _formats(mapping, delivery)
    text = _write_time(values, formats[0], feed.timezone)
    listed = mapping.formats or ("formats" in delivery.model_fields_set and delivery.formats) or ()
    for at, other in enumerate(listed[1:]):
        start = 65_536 * _MIXED * at
        chosen = (dice >= start) & (dice < start + 65_536 * _MIXED)
        text = pl.select(pl.when(chosen).then(_write_time(values, other, feed.timezone)).otherwise(text)).to_series()
    return text


def _write_time(values: pl.Series, format: str, zone: str) -> pl.Series:
    """Seconds on the sender's clock in its own way of writing."""
    local = pl.from_epoch(values.cast(pl.Int64), "s")
    if format in ("epoch_ms", "epoch_s"):
        moment = local.dt.replace_time_zone(zone).dt.timestamp("ms")
        return (moment if format == "epoch_ms" else moment // 1000).cast(pl.String)
    if format == "iso":
        return local.dt.replace_time_zone(str(ZoneInfo(zone))).dt.strftime("%Y-%m-%dT%H:%M:%S%:z")
    return local.dt.strftime(format)

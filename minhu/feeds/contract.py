"""A delivery's contract, generated from its declaration, and how a file drifts from it.

A contract is never written by hand and never committed: the declaration is the only source.
`minhu.feeds.contract_files` hands it to a sender as an Open Data Contract Standard file.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import partial

import polars as pl

from minhu.business_date import TIMEZONE
from minhu.feeds import times
from minhu.feeds.canonical import LAYOUTS, Column
from minhu.feeds.detect import shape, showable
from minhu.feeds.feed import Delivery, Feed, Mapping
from minhu.feeds.formats.common import MARKS
from minhu.feeds.headers import is_name

KEYS = {
    "case": ("case_no",),
    "event": ("case_no", "event_type", "occurred_at", "unit_name"),
    "callback": ("case_no", "called_at", "unit_name", "round"),
}
"""What tells one record of a kind from another, where the sender gives it no number of its own."""
_BLANKS = " \t\r\n\u3000\u00a0"


@dataclass(frozen=True)
class ContractColumn:
    """What is agreed on one column. ``canonical``: ours, ``DISPATCH.due_at`` on a milestone; null for what we keep."""

    source: str | None
    canonical: str | None
    type: str = "text"
    is_required: bool = False
    is_private: bool = False
    is_free: bool = False
    may_lack: bool = False
    codes: tuple[str, ...] = ()
    code_map: dict[str, str | None] = field(default_factory=dict)
    formats: tuple[str, ...] = ()
    value: str | None = None


@dataclass(frozen=True)
class Contract:
    """What a sender and the warehouse agree on for one delivery. ``key``: canonical columns that name a record."""

    feed: str
    delivery: str
    kind: str
    mode: str
    format: dict
    timezone: str
    columns: tuple[ContractColumn, ...]
    key: tuple[str, ...]
    nulls: tuple[str, ...]
    new_columns: str
    max_rejected_pct: float
    max_shrink_pct: float | None
    tombstone: dict | None
    control_total: str | None


@dataclass(frozen=True)
class Drift:
    """How a file differs from the contract. Words and shapes only, never a citizen's value."""

    new_columns: tuple[str, ...]
    missing_columns: tuple[str, ...]
    renamed: tuple[dict, ...]
    """was, now, similarity: a missing column that a new one resembles."""
    unknown_codes: tuple[dict, ...]
    """column, canonical, word, rows."""
    unread_times: tuple[dict, ...]
    """column, canonical, shape, rows."""
    blank_columns: tuple[dict, ...]
    """column, canonical, blank_pct: required columns with blanks, mapped columns without any value."""

    @property
    def is_none(self) -> bool:
        return not any(vars(self).values())


def contract(feed: Feed, delivery: Delivery) -> Contract:
    """The contract of one delivery."""
    done = getattr(delivery.source, "done_suffix", None)
    key = KEYS[delivery.kind]
    if delivery.kind == "event" and "source_event_no" in delivery.columns:
        key = ("source_event_no",)
    return Contract(
        feed=feed.code,
        delivery=delivery.name,
        kind=delivery.kind,
        mode=delivery.mode,
        format=delivery.format.model_dump(mode="json"),
        timezone=feed.timezone,
        columns=tuple(_columns(delivery)),
        key=key,
        nulls=delivery.nulls,
        new_columns=delivery.new_columns,
        max_rejected_pct=delivery.max_rejected_pct,
        max_shrink_pct=delivery.max_shrink_pct if delivery.mode == "snapshot" else None,
        tombstone=delivery.tombstone.model_dump(mode="json", by_alias=True) if delivery.tombstone else None,
        control_total=f"rows, in the file with the suffix {done}" if done else None,
    )


def _columns(delivery: Delivery) -> list[ContractColumn]:
    found = [
        _column(delivery, column, delivery.mapping(column.name), column.name, column.is_required, source)
        for column in delivery.layout_columns
        if column.name in delivery.columns or column.is_required
        for source in delivery.mapping(column.name).sources or (None,)
    ]
    events = {column.name: column for column in LAYOUTS["event"]}
    for milestone in delivery.milestones:
        for name, mapping in milestone.columns.items():
            told = f"{milestone.event_type}.{name}"
            found.append(_column(delivery, events[name], mapping, told, False, mapping.source))
    mapped = {column.source for column in found}
    found += [ContractColumn(name, None, is_private=True) for name in delivery.private if name not in mapped]
    kept = [name for name in delivery.kept_columns if name not in mapped]
    return found + [ContractColumn(name, None, is_free=True, may_lack=True) for name in kept]


def _column(
    delivery: Delivery, column: Column, mapping: Mapping, name: str, is_required: bool, source: str | None
) -> ContractColumn:
    return ContractColumn(
        source=source,
        canonical=name,
        type=column.type,
        is_required=is_required,
        is_private=source in delivery.private or column.name == "caller_phone",
        is_free=column.is_free,
        may_lack=source in delivery.optional_columns,
        codes=column.codes,
        code_map=mapping.map,
        formats=(mapping.formats or delivery.formats) if column.type == "timestamp" else (),
        value=mapping.value,
    )


# -- drift --------------------------------------------------------------------------------------------------------


def drift(delivery: Delivery, columns_in_file: list[str], rows: pl.DataFrame, timezone: str = TIMEZONE) -> Drift:
    """How a file's columns and values differ from what ``delivery`` declares. ``rows``: text, as a reader gave it."""
    agreed = _columns(delivery)
    present = [name for name in columns_in_file if name not in MARKS]
    known = {column.source for column in agreed} | {column.name for column in delivery.layout_columns}
    new = [name for name in present if name not in known]
    wanted = _must_come(agreed)
    missing = [name for name in wanted if name not in present]
    found = [(column, _text(rows, column.source, delivery)) for column in agreed if column.source in present]
    mapped = [(column, text) for column, text in found if column.canonical]

    def seen(look: Callable[[ContractColumn, pl.Series], list[dict]]) -> tuple[dict, ...]:
        return tuple(row for column, text in mapped for row in look(column, text))

    headless = len(missing) > len(wanted) / 2  # then the header may be a row of data: its cells are values
    names = [] if headless else [name for name in new if is_name(name)]
    return Drift(
        new_columns=tuple(name if name in names else shape(name) for name in new),
        missing_columns=tuple(missing),
        renamed=tuple(_renamed(missing, names)),
        unknown_codes=seen(_unknown_codes),
        unread_times=seen(partial(_unread_times, timezone=timezone)),
        blank_columns=seen(_blank),
    )


def _must_come(agreed: Iterable[ContractColumn]) -> list[str]:
    """The source columns that no file may lack, each once."""
    mapped = (column for column in agreed if column.canonical and not column.may_lack)
    return list(dict.fromkeys(column.source for column in mapped if column.source))


def _text(rows: pl.DataFrame, name: str, delivery: Delivery) -> pl.Series:
    stripped = rows[name].cast(pl.String).str.strip_chars(_BLANKS)
    return stripped.set(stripped.is_in([*delivery.nulls, ""]).fill_null(True), None)


def _renamed(missing: list[str], new: list[str]) -> list[dict]:
    pairs = [(SequenceMatcher(None, was.lower(), now.lower()).ratio(), was, now) for was in missing for now in new]
    found: list[dict] = []
    taken: set[str] = set()
    for ratio, was, now in sorted(pairs, reverse=True):
        if ratio >= 0.5 and not taken & {was, now}:
            taken |= {was, now}
            found.append({"was": was, "now": now, "similarity": round(ratio, 2)})
    return found


def _unknown_codes(column: ContractColumn, text: pl.Series) -> list[dict]:
    if column.type != "code" and not (column.code_map and column.type == "text"):
        return []
    known = {*column.code_map, *column.codes, *filter(None, column.code_map.values())}
    counts = text.drop_nulls().value_counts(sort=True, name="rows").rows()
    unknown = [(word if showable(word) else shape(word), rows) for word, rows in counts if word not in known]
    return [
        {
            "column": column.source,
            "canonical": column.canonical,
            "word": word,
            "rows": sum(n for w, n in unknown if w == word),
        }
        for word in dict.fromkeys(word for word, _ in unknown)
    ][:20]


def _unread_times(column: ContractColumn, text: pl.Series, timezone: str) -> list[dict]:
    if column.type != "timestamp":
        return []
    name = text.name
    read = text.to_frame().select(times.timestamp(pl.col(name), column.formats, timezone)).to_series()
    unread = text.filter(text.is_not_null() & read.is_null()).head(10_000)
    shapes = pl.Series("shape", [shape(value) for value in unread], dtype=pl.String)
    counts = shapes.value_counts(sort=True, name="rows").head(5).rows()
    return [{"column": name, "canonical": column.canonical, "shape": found, "rows": rows} for found, rows in counts]


def _blank(column: ContractColumn, text: pl.Series) -> list[dict]:
    blanks, optional = text.null_count(), "." in (column.canonical or "") or not column.is_required
    if column.value is not None or not blanks or (optional and blanks < len(text)):
        return []
    pct = round(100 * blanks / len(text), 1)
    return [{"column": column.source, "canonical": column.canonical, "blank_pct": pct}]

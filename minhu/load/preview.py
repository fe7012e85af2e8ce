"""What would become of a file, told before anything is loaded: nothing is written, no database is asked.

The file is read by its declaration and judged at the same door as a real load. Values stay in the file: screens show
words of code columns, times, and shapes; private columns show nothing at all.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import polars as pl

from minhu.config import read_config
from minhu.declaration.slips import nearest
from minhu.errors import BadDelivery
from minhu.feeds import door, times
from minhu.feeds.contract import Contract, ContractColumn, Drift, contract, drift
from minhu.feeds.detect import detect_format, shape, showable
from minhu.feeds.feed import Delivery, Feed
from minhu.feeds.formats.read import Aside, read
from minhu.feeds.sources.fetched import UNREAD, control_total, named
from minhu.load.batch import why_no_rows
from minhu.settings import Settings

_KEY = b"preview"  # a preview makes tokens only because the door does; none of them leaves it
_WORDS = {
    "channel",
    "status",
    "category_code",
    "area_code",
    "satisfaction_code",
    "attitude_code",
    "unit_name",
    "result_code",
    "reason_code",
}
"""Text columns whose values are words of a system or names of public bodies, not of citizens."""


@dataclass(frozen=True)
class Preview:
    """What a load of the file would do. ``verdict``: load, hold or refuse; ``reasons`` say why it would not load."""

    feed: str
    delivery: str
    file: str
    detected: dict
    declared: dict
    rows: int = 0
    columns: tuple[dict, ...] = ()
    """source, canonical, type, note, samples: the mapping as it reads this file."""
    staged: int = 0
    duplicates: int = 0
    filtered: int = 0
    rejected: tuple[dict, ...] = ()
    """reason_code, column, rows, first_rows."""
    notes: tuple[dict, ...] = ()
    drift: Drift | None = None
    unknown_units: tuple[dict, ...] = ()
    unknown_categories: tuple[dict, ...] = ()
    verdict: str = "refuse"
    reasons: tuple[str, ...] = ()

    def as_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, indent=2, default=str)


def preview(settings: Settings, feed: Feed, delivery: Delivery, file: Path) -> Preview:
    """Reads and judges ``file`` as a load would. Raises BadDeclaration when the configuration is wrong."""
    given = Preview(
        feed=feed.code,
        delivery=delivery.name,
        file=named(file.name, feed, delivery),
        detected=_detected(file),
        declared=_declared(delivery),
    )
    aside = Aside()
    try:
        rows = door.with_columns(read(file, delivery.format, aside), delivery)
    except BadDelivery as refusal:
        return replace(given, reasons=(f"{refusal.code}: {refusal}",))
    return _judged(_described(given, settings, feed, delivery, rows), feed, delivery, rows, file, aside)


def _declared(delivery: Delivery) -> dict:
    """The declared format as far as it says something, and the encoding even where it is the usual one."""
    said = delivery.format.model_dump(mode="json", exclude_defaults=True)
    encoding = getattr(delivery.format, "encoding", None)
    return said | ({"encoding": encoding} if encoding else {})


def _detected(file: Path) -> dict:
    try:
        return detect_format(file)
    except BadDelivery as refusal:
        return {"type": "unknown", "reason": refusal.code}


def _described(given: Preview, settings: Settings, feed: Feed, delivery: Delivery, rows: pl.DataFrame) -> Preview:
    """The mapping, the drift and the names that no register knows."""
    entries = read_config(settings.config)
    known = {kind: {key for found, key in entries if found == kind} for kind in ("unit_name", "category", "area")}
    agreed = contract(feed, delivery)
    found = drift(delivery, rows.columns, rows, feed.timezone)
    return replace(
        given,
        rows=rows.height,
        columns=tuple(_mapping_row(column, rows, known, agreed) for column in agreed.columns),
        drift=found,
        unknown_units=_unknown(agreed.columns, rows, "unit_name", known["unit_name"], delivery),
        unknown_categories=_unknown(agreed.columns, rows, "category_code", known["category"], delivery),
    )


def _judged(given: Preview, feed: Feed, delivery: Delivery, rows: pl.DataFrame, file: Path, aside: Aside) -> Preview:
    refusals = _refusals(delivery, given.drift) if given.drift else []
    if given.drift and given.drift.missing_columns:
        return replace(given, verdict="refuse", reasons=tuple(refusals))
    lenient = delivery.model_copy(update={"max_rejected_pct": 100.0, "new_columns": "evolve"})
    gate = door.Door(feed, lenient, (_KEY,), _KEY)
    gate.aside = aside
    try:
        judged, tally = gate.judge(rows), gate.close()
    except BadDelivery as refusal:
        return replace(given, reasons=(*refusals, refusal.code))
    rejected = judged.rejected.height
    own = rows.height - judged.filtered
    if 100 * rejected > delivery.max_rejected_pct * own:
        refusals.append(f"TOO_MANY_REJECTED: {rejected} of {own} rows, more than {delivery.max_rejected_pct:g} %")
    held = _held(delivery, file, rows.height)
    if left := why_no_rows(tally):
        held.append(f"{left.code}: {left.reason}")
    return replace(
        given,
        staged=judged.staged.height,
        duplicates=judged.duplicates,
        filtered=judged.filtered,
        rejected=tuple(_rejected(judged.rejected)),
        notes=tuple(note for note in tally.notes if note["code"] != "NEW_COLUMN"),
        verdict="refuse" if refusals else "hold" if held else "load",
        reasons=(*refusals, *held),
    )


def _refusals(delivery: Delivery, found: Drift) -> list[str]:
    slips = []
    if found.missing_columns:
        slips.append(f"MISSING_COLUMN: {', '.join(found.missing_columns)}")
    if found.new_columns and delivery.new_columns == "freeze":
        slips.append(f"NEW_COLUMN: {', '.join(found.new_columns)}")
    return slips


def _held(delivery: Delivery, file: Path, rows: int) -> list[str]:
    """The sender's count beside the file, where it disagrees. What other batches decide is not known here."""
    suffix = getattr(delivery.source, "done_suffix", None)
    done = file.with_name(file.name + suffix) if suffix else None
    if done is None or not done.is_file():
        return []
    count = control_total(done.read_text(encoding="utf-8", errors="replace"))
    if count in (None, rows):
        return []
    if count == UNREAD:
        return ["CONTROL_TOTAL: the sender's count cannot be read"]
    return [f"CONTROL_TOTAL: the sender counts {count} rows, the file holds {rows}"]


def _rejected(rejected: pl.DataFrame) -> list[dict]:
    grouped = rejected.group_by("reason_code", "column_name", maintain_order=True).agg(
        pl.len().alias("rows"), pl.col("row_number").head(5).alias("first_rows")
    )
    return grouped.rename({"column_name": "column"}).sort("rows", descending=True).to_dicts()


# -- the mapping, with samples ------------------------------------------------------------------------------------


def _mapping_row(column: ContractColumn, rows: pl.DataFrame, known: dict[str, set[str]], agreed: Contract) -> dict:
    samples = _samples(column, rows, known, agreed) if column.source in rows.columns else []
    return {
        "source": column.source or f"={column.value}",
        "canonical": column.canonical,
        "type": column.type if column.canonical else None,
        "note": _note(column, rows),
        "samples": samples,
    }


def _note(column: ContractColumn, rows: pl.DataFrame) -> str | None:
    if column.is_private and column.canonical is None:
        return "private"
    if column.source and column.source not in rows.columns:
        return "absent"
    return "payload" if column.canonical is None else "required" if column.is_required else None


def _samples(
    column: ContractColumn, rows: pl.DataFrame, known: dict[str, set[str]], agreed: Contract, most: int = 3
) -> list[str]:
    """The commonest values as far as they may be shown; private and kept columns give none."""
    if column.canonical is None or column.source is None or (column.is_private and column.canonical != "caller_phone"):
        return []
    values = rows[column.source].drop_nulls().str.strip_chars()
    values = values.filter(~values.is_in([*agreed.nulls, ""]))
    if column.type == "timestamp":
        return _time_samples(column, values, agreed.timezone)
    common = [value for value, _ in values.value_counts(sort=True).head(200).rows()]
    words = {*column.code_map, *column.codes, *(word for names in known.values() for word in names)}
    shown = [
        value if _may_show(column, value, words, values.n_unique(), len(values)) else shape(value) for value in common
    ]
    return list(dict.fromkeys(shown))[:most]


def _time_samples(column: ContractColumn, values: pl.Series, timezone: str) -> list[str]:
    """Times as they are written where they read as such; a bare number may be anything and shows its shape."""
    few = values.head(50).to_frame("text")
    read_as = few.select(times.timestamp(pl.col("text"), column.formats, timezone)).to_series()
    shown = [
        text if moment is not None and not text.isdigit() else shape(text)
        for text, moment in zip(few["text"], read_as, strict=True)
    ]
    return list(dict.fromkeys(shown))[:2]


def _may_show(column: ContractColumn, value: str, words: set[str], distinct: int, total: int) -> bool:
    name = (column.canonical or "").rsplit(".", 1)[-1]
    if name in _WORDS or column.type in ("code", "boolean"):
        is_few = distinct <= max(30, total / 5) or name == "unit_name"
        return value in words or (is_few and showable(value))
    return False


# -- names that no register knows ---------------------------------------------------------------------------------


def _unknown(
    columns: tuple[ContractColumn, ...], rows: pl.DataFrame, name: str, known: set[str], delivery: Delivery
) -> tuple[dict, ...]:
    """Values of the columns that fill ``name`` and that ``known`` lacks, with counts and the nearest known ones."""
    filled = {column.source or "": column for column in columns if (column.canonical or "").rsplit(".", 1)[-1] == name}
    counts: dict[str, int] = {}
    for source in filled.keys() & set(rows.columns):
        for value, count in rows[source].str.strip_chars().drop_nulls().value_counts().rows():
            if value not in (*delivery.nulls, "") and filled[source].code_map.get(value, value) not in known:
                shown = value if showable(value) else shape(value)
                counts[shown] = counts.get(shown, 0) + count
    found = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:30]
    return tuple({"name": word, "rows": count, "nearest": nearest(word, known)} for word, count in found)

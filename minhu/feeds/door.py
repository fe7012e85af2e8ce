"""The door: turns a file's rows into the canonical layout and judges each of them.

A row is staged, rejected with a reason, a duplicate of another row of the same file, or none of this delivery's by its
`only`; nothing else can happen to it.
What is odd but usable is accepted with a note. A file as a whole is refused when a column it must have is missing, when
a new column appears where the declaration froze the layout, or when too many of its rows were rejected.

| reason | of a row that is rejected |
|---|---|
| FIELD_COUNT | the line has more or fewer fields than the header |
| BAD_BYTES, BAD_QUOTE, BAD_RECORD | bytes that are no text, quotes that do not pair, a line that is no record |
| MISSING_VALUE | a required column is blank |
| BAD_TIMESTAMP | a required time that no declared format reads, or that no calendar holds |
| TIME_OUT_OF_RANGE | a required time before 1970 or after 2100 |
| TIME_SKIPPED | a required time that the clocks skipped |
| BAD_NUMBER | a round out of its range |
| UNKNOWN_CODE | a required code that the vocabulary does not have |
| BAD_KEY | a number of a case or event, or a code, that lost its shape on the way (`minhu.feeds.keys`) |

| note | of rows that are accepted |
|---|---|
| UNKNOWN_CODE | an optional code is not in the vocabulary; kept in payload, the column stays blank |
| BAD_NUMBER | an optional number cannot be read, or is none of its column; kept in payload, the column stays blank |
| BAD_TIMESTAMP, TIME_OUT_OF_RANGE, TIME_SKIPPED | an optional time cannot be read; as a number |
| KEY_MENDED | a key was freed of what a spreadsheet or a screen had put around it |
| CLOSE_BEFORE_RECEIPT | a milestone closes the case before it was received; the facts do not take it for its close |
| DAY_ONLY | an event of which the day alone is told, in a column that does not say what that means |
| UNNAMED_WORD | a word that no ``map``, ``when`` or ``known`` of its column names |
| NEW_COLUMN | a column the declaration does not know; kept in payload, or dropped where it says `discard` |
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import polars_hash as plh

from minhu.errors import BadDelivery
from minhu.feeds import days, filters, keys, masking, times, wording
from minhu.feeds.canonical import LAYOUTS, Column
from minhu.feeds.feed import Delivery, Feed, Mapping, When
from minhu.feeds.formats.common import FAULT, FIELD_COUNT, MARKS, ROUNDED, Aside
from minhu.feeds.seen import Seen
from minhu.privacy.callers import caller_links, tokenise
from minhu.privacy.text import half_width, mask_text

ROW = "__row"
"""Number of a row in its file, from 1; under a name that no sender uses for a column."""
_TRUE = ("true", "1", "yes", "y", "t", "是", "真")
_FALSE = ("false", "0", "no", "n", "f", "否", "假")
_JSON_NUMBER = r"^-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,9})?$"
_NOBODY = pl.Series("caller_phone", dtype=pl.String)


EFFECTS = {
    "UNKNOWN_CODE": "blanked",
    "BAD_NUMBER": "blanked",
    **dict.fromkeys(times.UNREAD, "blanked"),
    "KEY_MENDED": "mended",
    "CLOSE_BEFORE_RECEIPT": "no_close",
    "DAY_ONLY": "day_meant",
    **dict.fromkeys(("TITLE_LINES", "FOOTER_LINES", "BLANK_LINES", "OTHER_SHEETS"), "no_rows"),
    **dict.fromkeys(("ERROR_CELLS", "UNCOMPUTED_CELLS"), "blanked"),
}
"""What becomes of what is noted; else it is taken as it is."""


@dataclass(frozen=True)
class Judged:
    """What became of some rows of a file.

    ``staged``: the staging table's columns but for the batch's own; ``rejected``: row_number, reason_code, column_name,
    raw (the source row as JSON); ``caller_links``: what the callers were called under earlier keys.
    """

    received: int
    staged: pl.DataFrame
    rejected: pl.DataFrame
    duplicates: int
    filtered: int
    caller_links: pl.DataFrame


@dataclass
class Tally:
    """What became of all rows of a file. ``notes``: what was accepted with a remark, as rows per column and code."""

    received: int = 0
    staged: int = 0
    rejected: int = 0
    duplicates: int = 0
    filtered: int = 0
    notes: tuple[dict, ...] = ()


class Door:
    """Judges the rows of one file, part after part; it remembers what it saw of the parts before.

    ``caller_keys`` as `load.key_ring.key_in_use` gives them, the one that writes first; ``record_key`` is what a
    declaration's hashed keys are hashed under.
    """

    def __init__(
        self, feed: Feed, delivery: Delivery, caller_keys: Sequence[bytes], record_key: bytes | None = None
    ) -> None:
        self.tally = Tally()
        self.aside = Aside()
        """Given to the reader, which counts in it what is no row."""
        self._feed, self._delivery, self._keys, self._record_key = feed, delivery, caller_keys, record_key
        self._seen = Seen()
        self._unknown: list[str] = []
        self._odd: dict[tuple[str, str], int] = {}
        self._told: Counter[str] = Counter()
        self._unnamed: Counter[tuple[str, str]] = Counter()
        self._worst = pl.DataFrame(schema={"row_number": pl.Int64, "reason_code": pl.String, "column_name": pl.String})

    def judge(self, rows: pl.DataFrame) -> Judged:
        """Judges the next rows that the reader gave. Raises BadDelivery: MISSING_COLUMN, NEW_COLUMN."""
        feed, delivery, tally = self._feed, self._delivery, self.tally
        rows = with_columns(rows, delivery)
        if not tally.received:
            self._unknown = _check_columns(rows, delivery)
        source = rows.with_row_index(ROW, offset=1 + tally.received).with_columns(pl.col(ROW).cast(pl.Int64))
        source, cleaned = filters.of_this_delivery(
            source, wording.as_declared(_clean(source, delivery), delivery), delivery
        )
        tidied = keys.tidied(cleaned, delivery, self._record_key)
        cleaned = _moments(tidied, feed, delivery, self.aside.has("EPOCH_1904"))
        read = cleaned.select(
            ROW,
            *_canonical_exprs(feed, delivery, cleaned.columns),
            *_milestone_exprs(feed, delivery, cleaned.columns),
        )
        faults = _faults(cleaned, read, delivery)
        is_good = faults["reason_code"].is_null()
        rejected = _rejected(source, faults)
        if rejected.height:
            cleaned, read = cleaned.filter(is_good), read.filter(is_good)
        self._note(cleaned, read)
        staged, links = _stage(cleaned, read, delivery, self._unknown, self._keys)
        distinct = self._seen.only_new(staged)
        filtered = rows.height - source.height
        part = Judged(rows.height, distinct, rejected, staged.height - distinct.height, filtered, links)
        tally.received += part.received
        tally.staged += distinct.height
        tally.rejected += rejected.height
        tally.duplicates += part.duplicates
        tally.filtered += part.filtered
        self._worst = self._worst.vstack(rejected.drop("raw"))
        return part

    def close(self) -> Tally:
        """The file is over. Raises BadDelivery TOO_MANY_REJECTED."""
        tally, limit = self.tally, self._delivery.max_rejected_pct
        judged = tally.received - tally.filtered
        if judged and 100 * tally.rejected > limit * judged:
            counts = self._worst.group_by("reason_code", "column_name").len().sort("len", descending=True).rows()
            worst = "; ".join(f"{count} × {reason} in {column!r}" for reason, column, count in counts[:3])
            raise BadDelivery(
                "TOO_MANY_REJECTED",
                f"{tally.rejected} of {judged} rows would be rejected, more than {limit:g} %: {worst};"
                f" first at row {self._worst['row_number'][0]}",
            )
        odd = [
            {"code": code, "column": column, "rows": rows}
            | ({"of": self._told[column]} if code in times.UNREAD else {})
            for (code, column), rows in self._odd.items()
        ]
        new = _new_column_notes(self._unknown, tally.received, self._delivery)
        tally.notes = (*odd, *wording.notes(self._unnamed), *new, *self.aside.notes)
        return tally

    def _note(self, cleaned: pl.DataFrame, read: pl.DataFrame) -> None:
        for code, column, rows in _oddities(cleaned, read, self._delivery):
            self._odd[code, column] = self._odd.get((code, column), 0) + rows
        for source in {mapping.source or "" for mapping, _ in _optional_times(self._delivery)} & set(cleaned.columns):
            self._told[source] += cleaned[source].count()
        self._unnamed += wording.unnamed(cleaned, self._delivery)


def judge(rows: pl.DataFrame, feed: Feed, delivery: Delivery, caller_key: bytes) -> Judged:
    """Judges a file of one part, to its end."""
    door = Door(feed, delivery, (caller_key,))
    judged = door.judge(rows)
    door.close()
    return judged


def with_columns(rows: pl.DataFrame, delivery: Delivery) -> pl.DataFrame:
    """``rows``; the declared columns where a delivery without rows names none, as JSON and XML do it."""
    return rows if rows.columns else pl.DataFrame(schema=dict.fromkeys(_sources(delivery), pl.String))


# -- columns of the file ------------------------------------------------------------------------------------------


def _sources(delivery: Delivery) -> dict[str, list[str]]:
    """Source column → what it is declared for."""
    declared: dict[str, list[str]] = {}
    for name, mapping in delivery.columns.items():
        for source in mapping.sources:
            declared.setdefault(source, []).append(name)
    for condition in delivery.only:
        declared.setdefault(condition.source, []).append("only")
    if delivery.tombstone:
        declared.setdefault(delivery.tombstone.source, []).append("tombstone")
    for milestone in delivery.milestones:
        if milestone.when:
            declared.setdefault(milestone.when.source, []).append(f"{milestone.event_type}.when")
        for name, mapping in milestone.columns.items():
            if mapping.source:
                declared.setdefault(mapping.source, []).append(f"{milestone.event_type}.{name}")
    for column in delivery.layout_columns:
        if column.is_required and column.name not in delivery.columns:
            declared.setdefault(column.name, []).append(column.name)
    return declared


def _check_columns(rows: pl.DataFrame, delivery: Delivery) -> list[str]:
    """Refuses a file that lacks a declared column; returns the columns the declaration does not know."""
    present = set(rows.columns) - set(MARKS)
    declared = _sources(delivery)
    missing = [name for name in declared if name not in present and name not in delivery.optional_columns]
    if missing and (rows.height or rows.columns):
        wanted = "; ".join(f"{name!r} (for {', '.join(declared[name])})" for name in missing)
        raise BadDelivery(
            "MISSING_COLUMN", f"the file lacks {wanted}; mend the declaration's columns or ask the sender"
        )
    canonical = {column.name for column in delivery.layout_columns}
    known = {*declared, *delivery.private, *delivery.kept_columns, *canonical}
    unknown = [name for name in rows.columns if name in present - known]
    if unknown and delivery.new_columns == "freeze":
        raise BadDelivery("NEW_COLUMN", f"new columns {', '.join(map(repr, unknown))}, and the layout is frozen")
    return unknown


def _clean(source: pl.DataFrame, delivery: Delivery) -> pl.DataFrame:
    """Without blanks around values, and with null for what the declaration says means nothing."""
    text = pl.col(pl.String)
    stripped = source.with_columns(text.str.strip_chars())
    is_nothing = stripped.select(text.is_in(["", *delivery.nulls]).any(ignore_nulls=True))
    names = [name for name, found in zip(is_nothing.columns, is_nothing.row(0) or [], strict=True) if found]
    return stripped.with_columns(
        pl.when(~pl.col(name).is_in(["", *delivery.nulls])).then(pl.col(name)).alias(name) for name in names
    )


# -- the canonical layout -----------------------------------------------------------------------------------------


def _moments(cleaned: pl.DataFrame, feed: Feed, delivery: Delivery, is_from_1904: bool) -> pl.DataFrame:
    """``cleaned`` and, for each column that is a time, how its text is read, and why not where it is not."""
    is_time = {column.name: column.type == "timestamp" for column in (*delivery.layout_columns, *LAYOUTS["event"])}
    mappings = [delivery.mapping(column.name) for column in delivery.layout_columns if is_time[column.name]]
    for milestone in delivery.milestones:
        mappings += [mapping for name, mapping in milestone.columns.items() if is_time[name]]
    wanted = {_moment_name(mapping): mapping for mapping in mappings}
    texts = cleaned.select(_text(mapping, cleaned.columns).alias(name) for name, mapping in wanted.items())
    return cleaned.with_columns(
        series
        for name, mapping in wanted.items()
        for formats in [times.as_the_book_counts(mapping.formats or delivery.formats, is_from_1904)]
        for series in _moments_of(texts[name], mapping, formats, feed.timezone)
    )


def _moments_of(text: pl.Series, mapping: Mapping, formats: tuple[str, ...], zone: str) -> list[pl.Series]:
    """When each value was, and, where any tells a day only, which do."""
    moments = times.moments(text, formats, zone).alias(text.name)
    is_day = days.told(text, moments, mapping, formats, zone)
    told = [is_day.alias(_is_day(mapping))] if is_day.any() else []
    return [moments, *told, *_why_unread(text, moments, formats, zone, mapping)]


def _moment_name(mapping: Mapping) -> str:
    return f"__moment.{mapping!r}"


def _is_day(mapping: Mapping) -> str:
    return f"__is_day.{mapping!r}"


def _why_name(mapping: Mapping) -> str:
    return f"__why.{mapping!r}"


def _why_unread(
    text: pl.Series, moments: pl.Series, formats: tuple[str, ...], zone: str, mapping: Mapping
) -> list[pl.Series]:
    """Why some of the values are no time, null beside the others; nothing where all are read."""
    unread = (moments.is_null() & text.is_not_null()).arg_true()
    if not len(unread):
        return []
    why = pl.Series([None], dtype=pl.String).new_from_index(0, len(text))
    return [why.scatter(unread, times.why_unread(text.gather(unread), formats, zone)).alias(_why_name(mapping))]


def _canonical_exprs(feed: Feed, delivery: Delivery, present: list[str]) -> list[pl.Expr]:
    """The layout's columns, and of events how exactly their time is told."""
    columns = {column.name: column for column in delivery.layout_columns}
    event_type = _read(columns["event_type"], delivery, present) if delivery.kind == "event" else None
    read = [
        _moment(column, delivery.mapping(column.name), feed.timezone, present, event_type).alias(column.name)
        if column.type == "timestamp"
        else _read(column, delivery, present).alias(column.name)
        for column in delivery.layout_columns
    ]
    if delivery.kind == "event":
        read.append(_precision(delivery.mapping("occurred_at"), present))
    return read


def _milestone_exprs(feed: Feed, delivery: Delivery, present: list[str]) -> list[pl.Expr]:
    """One struct column per milestone, its fields being an event's columns."""
    events = {column.name: column for column in LAYOUTS["event"]}
    structs = []
    for at, milestone in enumerate(delivery.milestones):
        fields = {
            name: _moment(events[name], mapping, feed.timezone, present, milestone.event_type)
            if events[name].type == "timestamp"
            else _read_as(events[name], mapping, present)
            for name, mapping in milestone.columns.items()
        }
        if milestone.when:
            is_met = _text(Mapping(source=milestone.when.source), present).is_in(milestone.when.one_of)
            fields["occurred_at"] = pl.when(is_met).then(fields["occurred_at"])
        precision = _precision(milestone.columns["occurred_at"], present)
        structs.append(
            pl.struct(*(field.alias(name) for name, field in fields.items()), precision).alias(_milestone_name(at))
        )
    return structs


def _moment(
    column: Column, mapping: Mapping, zone: str, present: list[str], event_type: str | pl.Expr | None
) -> pl.Expr:
    """When something was; of what is told as a day the moment that is meant."""
    name = _moment_name(mapping)
    if _is_day(mapping) not in present:
        return pl.col(name)
    return days.placed(pl.col(name), pl.col(_is_day(mapping)), days.meaning(column, mapping, event_type), zone)


def _precision(mapping: Mapping, present: list[str]) -> pl.Expr:
    told = pl.when(pl.col(_is_day(mapping))).then(pl.lit("day")) if _is_day(mapping) in present else None
    return (pl.lit(None, pl.String) if told is None else told).alias(days.PRECISION)


def _milestone_name(at: int) -> str:
    return f"__milestone_{at}"


def _text(mapping: Mapping, present: list[str]) -> pl.Expr:
    """The mapped text of a column, before its type is read."""
    text = pl.col(mapping.source) if mapping.source in present else pl.lit(None, pl.String)
    if mapping.nulls:
        text = pl.when(~text.is_in(mapping.nulls)).then(text)
    if mapping.map:
        text = text.replace(mapping.map)
    return text if mapping.value is None else text.fill_null(mapping.value)


def _read(column: Column, delivery: Delivery, present: list[str]) -> pl.Expr:
    return _read_as(column, delivery.mapping(column.name), present)


def _read_as(column: Column, mapping: Mapping, present: list[str]) -> pl.Expr:
    """A column that is no time."""
    text = _text(mapping, present)
    match column.type:
        case "boolean":
            lower = text.str.to_lowercase()
            return pl.when(lower.is_in(_TRUE)).then(True).when(lower.is_in(_FALSE)).then(False)
        case "number":
            return _within(column, half_width(text).cast(pl.Float64, strict=False))
        case "integer":
            return _within(column, half_width(text).cast(pl.Int64, strict=False))
        case "code" if column.codes:
            return pl.when(text.is_in(column.codes)).then(text)
        case _:
            return text


def _within(column: Column, number: pl.Expr) -> pl.Expr:
    """Only what the column takes: a latitude of 999 is none, nor is what no number is."""
    return pl.when(number.is_between(*column.between)).then(number) if column.between else number


# -- what is wrong ------------------------------------------------------------------------------------------------


def _faults(cleaned: pl.DataFrame, read: pl.DataFrame, delivery: Delivery) -> pl.DataFrame:
    """One row per source row: the first fault's reason_code and column_name (the sender's name), null when good."""
    given = cleaned.hstack(read.drop(ROW).rename(lambda name: f"__read.{name}"))
    checks: list[tuple[pl.Expr, str, str]] = []
    if FAULT in cleaned.columns:
        checks += [(pl.col(FAULT) == fault, fault, "(line)") for fault in cleaned[FAULT].drop_nulls().unique()]
    if FIELD_COUNT in cleaned.columns:
        checks.append((pl.col(FIELD_COUNT).is_not_null(), "FIELD_COUNT", "(line)"))
    for column in delivery.layout_columns:
        mapping = delivery.mapping(column.name)
        read_as = pl.col(f"__read.{column.name}")
        checks += _column_faults(column, mapping, read_as, cleaned.columns, column.is_required)
    events = {column.name: column for column in LAYOUTS["event"]}
    for at, milestone in enumerate(delivery.milestones):
        there = pl.col(f"__read.{_milestone_name(at)}").struct.field("occurred_at").is_not_null()
        for name, mapping in milestone.columns.items():
            field = pl.col(f"__read.{_milestone_name(at)}").struct.field(name)
            faults = _column_faults(events[name], mapping, field, cleaned.columns, is_required=False)
            checks += [(there & test, code, where) for test, code, where in faults]
    reason = pl.coalesce(*(pl.when(test).then(pl.lit(code)) for test, code, _ in checks))
    where = pl.coalesce(*(pl.when(test).then(pl.lit(name)) for test, _, name in checks))
    return given.select(ROW, reason.alias("reason_code"), where.alias("column_name"))


def _column_faults(
    column: Column, mapping: Mapping, read: pl.Expr, present: list[str], is_required: bool
) -> list[tuple[pl.Expr, str, str]]:
    text = _text(mapping, present)
    unread = text.is_not_null() & read.is_null()
    name = mapping.source or column.name
    faults = []
    if keys.bad(name) in present:
        faults.append((pl.col(keys.bad(name)), "BAD_KEY", name))
    if is_required and _why_name(mapping) in present:
        faults += [(pl.col(_why_name(mapping)) == why, why, name) for why in times.UNREAD]
    elif column.type == "integer":  # a round that is a number and none of ours would be taken for the latest one
        faults.append((half_width(text).str.contains(r"^[+-]?[0-9]+$") & read.is_null(), "BAD_NUMBER", name))
    elif column.type == "code" and (is_required or mapping.unknown == "reject"):
        faults.append((unread, "UNKNOWN_CODE", name))
    if is_required:
        faults.append((text.is_null(), "MISSING_VALUE", name))
    return faults


def _rejected(source: pl.DataFrame, faults: pl.DataFrame) -> pl.DataFrame:
    is_bad = faults["reason_code"].is_not_null()
    bad = faults.filter(is_bad)
    if not bad.height:
        return bad.with_columns(raw=pl.lit(None, pl.String)).rename({ROW: "row_number"})
    raw = source.filter(is_bad).drop(ROW, ROUNDED, FAULT, strict=False)
    raws = raw.select(_json_object(raw.columns)).to_series().alias("raw")
    return bad.with_columns(raws).rename({ROW: "row_number"})


def _oddities(cleaned: pl.DataFrame, read: pl.DataFrame, delivery: Delivery) -> list[tuple[str, str, int]]:
    """What the accepted rows hold that is odd: code, column and number of rows."""
    found = [*_unread_times(cleaned, delivery), *keys.notes(cleaned)]
    for column in delivery.layout_columns:
        code = "UNKNOWN_CODE" if column.type in ("code", "boolean") else "BAD_NUMBER"
        source = delivery.mapping(column.name).source or ""
        if column.type in ("code", "boolean", "number", "integer") and source in cleaned.columns:
            mapped = cleaned.select(_text(delivery.mapping(column.name), cleaned.columns)).to_series()
            found.append((code, source, mapped.is_not_null() & read[column.name].is_null()))
    for at, milestone in enumerate(delivery.milestones):
        if milestone.event_type == "CLOSE":
            closed = read[_milestone_name(at)].struct.field("occurred_at")
            found.append(
                ("CLOSE_BEFORE_RECEIPT", milestone.columns["occurred_at"].source or "", closed < read["received_at"])
            )
    found += _told_as_days(read, delivery)
    counted = [(code, source, int(rows.sum() or 0)) for code, source, rows in found]
    return [odd for odd in counted if odd[-1]]


def _told_as_days(read: pl.DataFrame, delivery: Delivery) -> list[tuple[str, str, pl.Series]]:
    """Events of which the day alone is told, where the declaration does not say what that means."""
    told = [
        (milestone.columns["occurred_at"], read[_milestone_name(at)].struct.field(days.PRECISION))
        for at, milestone in enumerate(delivery.milestones)
    ]
    if delivery.kind == "event":
        told.append((delivery.mapping("occurred_at"), read[days.PRECISION]))
    return [("DAY_ONLY", mapping.source or "", told.is_not_null()) for mapping, told in told if mapping.day is None]


def _unread_times(cleaned: pl.DataFrame, delivery: Delivery) -> list[tuple[str, str, pl.Series]]:
    """Optional times that are none, by why and the sender's column; each column once, whatever it is mapped to."""
    found: dict[str, list[pl.Expr]] = {}
    for mapping, when in _optional_times(delivery):
        if _why_name(mapping) in cleaned.columns:  # a time of a row that does not carry the event is not read
            is_told = _text(Mapping(source=when.source), cleaned.columns).is_in(when.one_of) if when else pl.lit(True)
            found.setdefault(mapping.source or "", []).append(pl.when(is_told).then(pl.col(_why_name(mapping))))
    whys = cleaned.select(pl.coalesce(told).alias(source) for source, told in found.items())
    return [(why, source, whys[source] == why) for source in found for why in times.UNREAD]


def _optional_times(delivery: Delivery) -> list[tuple[Mapping, When | None]]:
    """How the times that a row may lack are read, and which rows tell them."""
    events = {column.name: column for column in LAYOUTS["event"]}
    found: list[tuple[Mapping, When | None]] = [
        (delivery.mapping(column.name), None)
        for column in delivery.layout_columns
        if column.type == "timestamp" and not column.is_required
    ]
    for milestone in delivery.milestones:
        times_of = [mapping for name, mapping in milestone.columns.items() if events[name].type == "timestamp"]
        found += [(mapping, milestone.when) for mapping in times_of]
    return found


def _new_column_notes(unknown: list[str], received: int, delivery: Delivery) -> list[dict]:
    return [{"code": "NEW_COLUMN", "column": name, "rows": received, "kept": delivery.new_columns} for name in unknown]


# -- the staging row ----------------------------------------------------------------------------------------------


def _stage(
    cleaned: pl.DataFrame, read: pl.DataFrame, delivery: Delivery, unknown: list[str], caller_keys: Sequence[bytes]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The staging table's columns, free text masked and the caller tokenised, each row with its hash; caller links."""
    read = masking.masked(read, delivery, [_milestone_name(at) for at in range(len(delivery.milestones))])
    canonical = read.select(column.name for column in delivery.layout_columns)
    links = caller_links(canonical["caller_phone"] if delivery.kind == "case" else _NOBODY, caller_keys)
    if delivery.kind == "case":
        caller = tokenise(canonical["caller_phone"], caller_keys[0])
        milestones = read.with_columns(milestones=_milestones(delivery)).select("milestones")
        canonical = canonical.drop("caller_phone").hstack(caller).hstack(milestones)
    payload = _payload(cleaned, read, delivery, unknown)
    staged = canonical.with_columns(payload)
    if delivery.tombstone:
        gone = _text(Mapping(source=delivery.tombstone.source), cleaned.columns).is_in(delivery.tombstone.one_of)
        staged = staged.hstack(cleaned.select(gone.fill_null(False).alias("is_deleted")))
    later = {column.name for column in delivery.layout_columns if column.came_later}
    earlier = (name for name in staged.columns if name not in later)
    text = [pl.col(name).to_physical().cast(pl.String).fill_null("\x00") for name in earlier]
    told_later = [pl.concat_str(pl.lit(f"\x1e{name}="), pl.col(name)).fill_null("") for name in sorted(later)]
    text[-1] = pl.concat_str(text[-1], *told_later)
    if delivery.kind == "event":
        staged, text = _with_precision(staged, read[days.PRECISION], text)
    digest = staged.select(plh.concat_str(text, separator="\x1f").chash.blake3().str.slice(0, 32).alias("row_hash"))
    return staged.hstack([read[ROW].alias("row_number")]).hstack(digest), links


def _with_precision(
    staged: pl.DataFrame, precision: pl.Series, text: list[pl.Expr]
) -> tuple[pl.DataFrame, list[pl.Expr]]:
    """The staging columns with how exactly an event's time is told, and what is hashed of them: a day is another
    content than its last second, and a time as exact as ever hashes as ever."""
    at = staged.columns.index("occurred_at")
    told = pl.concat_str(text[at], pl.col(days.PRECISION).fill_null(""))
    return staged.with_columns(precision), [*text[:at], told, *text[at + 1 :]]


def _milestones(delivery: Delivery) -> pl.Expr:
    """The milestones of a row as a JSON array of events; null where it carries none."""
    if not delivery.milestones:
        return pl.lit(None, pl.String)
    events = [
        pl.when(pl.col(_milestone_name(at)).struct.field("occurred_at").is_not_null()).then(
            _event_json(pl.col(_milestone_name(at)), milestone.event_type, [*milestone.columns, days.PRECISION])
        )
        for at, milestone in enumerate(delivery.milestones)
    ]
    joined = pl.concat_str(events, separator=",", ignore_nulls=True)
    return pl.when(joined != "").then(pl.concat_str(pl.lit("["), joined, pl.lit("]")))


def _event_json(event: pl.Expr, event_type: str, names: list[str]) -> pl.Expr:
    times = {column.name for column in LAYOUTS["event"] if column.type == "timestamp"}
    fields = [
        event.struct.field(name).dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ") if name in times else event.struct.field(name)
        for name in names
    ]
    parts = [_json_pair(field.alias(name), name) for name, field in zip(names, fields, strict=True)]
    inner = pl.concat_str(pl.lit(f'"event_type":"{event_type}"'), *parts, separator=",", ignore_nulls=True)
    return pl.concat_str(pl.lit("{"), inner, pl.lit("}"))


def _payload(cleaned: pl.DataFrame, read: pl.DataFrame, delivery: Delivery, unknown: list[str]) -> pl.Series:
    """What was sent and not mapped, and what could not be read, as a JSON object, masked; null where there is nothing.

    A declared amount is a number of it, everything else is text.
    """
    kept = [] if delivery.new_columns == "discard" else unknown
    names = [name for name in (*delivery.kept_columns, *kept) if name in cleaned.columns]
    amounts = [name for name in names if name in delivery.amounts]
    is_amount = {name: pl.col(name).str.contains(_JSON_NUMBER) for name in amounts}
    pairs = [
        _json_pair(pl.when(~is_amount[name]).then(pl.col(name)).alias(name) if name in amounts else pl.col(name), name)
        for name in names
    ]
    both = cleaned.hstack(read.drop(ROW).rename(lambda name: f"__read.{name}"))
    for column in delivery.layout_columns:
        source = delivery.mapping(column.name).source or ""
        if column.type not in ("code", "number", "integer", "boolean") or source not in cleaned.columns:
            continue
        if (read[column.name].is_null() & cleaned[source].is_not_null()).any():
            unread = pl.when(pl.col(f"__read.{column.name}").is_null()).then(pl.col(source))
            pairs.append(_json_pair(unread.alias(source), source))
    for mapping in {mapping.source: mapping for mapping, _ in _optional_times(delivery)}.values():
        if _why_name(mapping) in cleaned.columns and (source := mapping.source or "") not in names:
            unread = pl.when(pl.col(_why_name(mapping)).is_not_null()).then(pl.col(source))
            pairs.append(_json_pair(unread.alias(source), source))
    if not pairs:
        return pl.Series("payload", [None] * cleaned.height, dtype=pl.String)
    inner = mask_text(both.select(pl.concat_str(pairs, separator=",", ignore_nulls=True).alias("payload"))["payload"])
    if amounts:
        keys_of = {name: pl.lit(f"{json.dumps(name, ensure_ascii=False)}:") for name in amounts}
        numbers = [pl.when(is_amount[name]).then(pl.concat_str(key, pl.col(name))) for name, key in keys_of.items()]
        told = [pl.when(inner != "").then(inner), *numbers]
        inner = both.select(pl.concat_str(told, separator=",", ignore_nulls=True).alias("payload"))["payload"]
    return pl.select(pl.when(inner != "").then(pl.concat_str(pl.lit("{"), inner, pl.lit("}"))).alias("payload"))[
        "payload"
    ]


def _json_pair(value: pl.Expr, name: str) -> pl.Expr:
    """``"name":"value"`` as JSON, null where the value is."""
    encoded = pl.struct(value.alias(name)).struct.json_encode().str.slice(1).str.strip_suffix("}")
    return pl.when(value.is_not_null()).then(encoded)


def _json_object(names: list[str]) -> pl.Expr:
    """A JSON object of all columns with a value; an empty object where there is none."""
    inner = pl.concat_str([_json_pair(pl.col(name), name) for name in names], separator=",", ignore_nulls=True)
    return pl.concat_str(pl.lit("{"), inner, pl.lit("}"))

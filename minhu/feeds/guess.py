"""Guesses what the columns of a sample file of unknown origin mean.

Columns are guessed by their names (`minhu.feeds.names`, and the layouts a city has), times and phones by their shapes,
code maps by known words. What is not recognised is kept as a known column, or as a private one where it looks like a
person's.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from minhu.feeds import days, times
from minhu.feeds.canonical import LAYOUTS, Kind
from minhu.feeds.detect import is_like_name, number_free, shape, showable
from minhu.feeds.feed import Delivery, Mapping
from minhu.feeds.names import Lexicon, code_of, plain
from minhu.privacy.numbers import mask_number

TIMES = (
    *("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "iso", "%Y-%m-%d", "%Y/%m/%d"),
    *(
        "%Y年%m月%d日 %H:%M:%S",
        "%Y年%m月%d日 %H:%M",
        "%Y年%m月%d日 %H时%M分%S秒",
        "%Y年%m月%d日 %H时%M分",
        "%Y年%m月%d日",
    ),
    *(
        "%Y.%m.%d %H:%M:%S",
        "%Y.%m.%d %H:%M",
        "%Y%m%d%H%M%S",
        "%m/%d/%Y %I:%M:%S %p",
        "%m/%d/%Y %H:%M:%S",
        "%m/%d/%Y %H:%M",
    ),
    "%Y-%m-%d %H:%M:%S%.f",
    *("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "epoch_ms", "epoch_s"),
)
_NO_TIMES = tuple(
    day + clock
    for day in ("1900-01-01", "1899-12-30", "0001-01-01", "0000-00-00", "9999-12-31", "1970-01-01")
    for clock in ("", " 00:00:00", " 00:00:00.000", "T00:00:00", "T00:00:00.000")
)
"""What systems write for a time that there is not."""
_NULLS = ("N/A", "NA", "None", "nan", "\\N", "--", "空", "暂无", "(null)", "<null>", *_NO_TIMES)
_TIMES_OF = {kind: {c.name for c in columns if c.type == "timestamp"} for kind, columns in LAYOUTS.items()}
_MAPPED = ("status", "satisfaction_code", "attitude_code", "is_reached")
"""Columns without a vocabulary of their own in the layout whose words are mapped all the same."""


@dataclass
class Guess:
    """What a draft says of the sample. ``columns``: canonical → source; ``milestones``: event → column → source."""

    kind: Kind
    columns: dict[str, str] = field(default_factory=dict)
    milestones: dict[str, dict[str, str]] = field(default_factory=dict)
    formats: dict[str, tuple[str, ...]] = field(default_factory=dict)
    days: set[str] = field(default_factory=set)
    """Source columns of times that tell days: dates, or times that are all midnight."""
    private: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    maps: dict[str, dict[str, str | None]] = field(default_factory=dict)
    nulls: tuple[str, ...] = ()


def guess(rows: pl.DataFrame, known: Lexicon) -> Guess:
    """What the columns of a sample mean."""
    found_nulls = tuple(word for word in _NULLS if any((rows[name] == word).any() for name in rows.columns))
    nulls = (*Delivery.model_fields["nulls"].default, *found_nulls)
    values = {name: _values(rows[name], nulls) for name in rows.columns}
    found = Guess(kind=_kind(rows.columns, known), nulls=nulls if found_nulls else ())
    _by_name(found, values, known)
    _by_shape(found, values, known)
    found.days = {name for name, formats in found.formats.items() if _tells_days(values[name], formats)}
    _complete_milestones(found, values, known)
    _map_codes(found, values, known)
    return found


def _values(column: pl.Series, nulls: tuple[str, ...]) -> pl.Series:
    stripped = column.str.strip_chars(" \t\r\n\u3000\u00a0")
    return stripped.filter(stripped.is_not_null() & ~stripped.is_in(list(nulls)))


def _kind(names: list[str], known: Lexicon) -> Kind:
    """The kind with the most columns recognised; an event or a callback must have what makes it one."""
    scores: dict[Kind, int] = {}
    for kind, columns in known.columns.items():
        matched = {columns[plain(name)] for name in names if plain(name) in columns}
        required = {column.name for column in LAYOUTS[kind] if column.is_required}
        scores[kind] = len(matched) + 4 * (required <= matched) - 8 * (kind != "case" and not required <= matched)
    return max(scores, key=lambda kind: scores[kind])


def _by_name(found: Guess, values: dict[str, pl.Series], known: Lexicon) -> None:
    for name, given in values.items():
        canonical = known.columns[found.kind].get(plain(name), "")
        event_type, _, column = canonical.partition(".") if "." in canonical else ("", "", canonical)
        is_time = column in _TIMES_OF["event" if event_type else found.kind]
        formats = time_formats(given) if is_time else ()
        if not canonical or (is_time and not formats and len(given)):
            continue
        if event_type:
            found.milestones.setdefault(event_type, {}).setdefault(column, name)
        elif column in found.columns:
            continue
        else:
            found.columns[column] = name
        if formats:
            found.formats[name] = formats


def _by_shape(found: Guess, values: dict[str, pl.Series], known: Lexicon) -> None:
    """What no name told: phones, persons, and, where they are still wanted, a number and a time of the record."""
    units = {name for name in values if plain(name) in known.units} if found.kind == "case" else set()
    taken = {*found.columns.values(), *units, *(name for one in found.milestones.values() for name in one.values())}
    for name, given in values.items():
        if name in taken:
            continue
        if found.kind == "case" and "caller_phone" not in found.columns and _share(given, _is_phone) >= 0.5:
            found.columns["caller_phone"] = name
        elif _is_private(name, given, known):
            found.private.append(name)
        elif not _fills_gap(found, name, given):
            found.known.append(name)


def _fills_gap(found: Guess, name: str, given: pl.Series) -> bool:
    wanted = {column.name: column for column in LAYOUTS[found.kind] if column.is_required}.keys() - found.columns.keys()
    time = next(iter(wanted & _TIMES_OF[found.kind]), None)
    if time and (formats := time_formats(given)):
        found.columns[time], found.formats[name] = name, formats
        return True
    is_key = len(given) > 1 and given.n_unique() == len(given) and not given.str.contains(r"\s").any()
    if "case_no" in wanted and is_key:
        found.columns["case_no"] = name
        return True
    return False


def _is_private(name: str, given: pl.Series, known: Lexicon) -> bool:
    if plain(name).endswith(("工号", "人数")):
        return False
    named = plain(name) in known.private or any(plain(part) in plain(name) for part in known.parts_of_private)
    if named or _names_somebody(plain(name)) or re.search(r"电话|手机|号码$|phone|mobile", plain(name)):
        return True
    if re.search(r"单位|部门|机构|类|状态|方式|渠道|意见|结果", name):
        return False
    return _share(given, is_like_name) >= 0.6 or _share(given, lambda text: mask_number(text) != text) >= 0.5


def _names_somebody(name: str) -> bool:
    """``reporter.name``, but not ``service.name``: what has a name and is no person is one of a few."""
    owner, dot, last = name.rpartition(".")
    things = r"service|type|category|unit|dept|department|agency|status|area|district|street|source|channel|group|queue"
    return bool(dot) and last in ("name", "fullname") and not re.search(rf"(?:{things})$", owner)


def _is_phone(text: str) -> bool:
    return bool(re.fullmatch(r"(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}", text))


def _share(given: pl.Series, test: Callable[[str], bool]) -> float:
    few = given.head(500).to_list()
    return sum(map(test, few)) / len(few) if few else 0.0


def time_formats(given: pl.Series) -> tuple[str, ...]:
    """The fewest of ``TIMES`` that read at least 95 % of the values, the commonest first; empty if none do."""
    left, total, zones = given.to_frame("text"), len(given), times.may_name_zones(given)
    chosen: list[str] = []

    def reads(one: str) -> pl.Expr:
        return times.timestamp(pl.col("text"), (one,), "UTC", look_for_zones=zones).is_not_null().alias(one)

    while left.height > 0.05 * total:
        read = left.select(map(reads, TIMES))
        counts = {one: int(read[one].sum()) for one in TIMES}
        best = max(counts, key=lambda one: counts[one])
        if not counts[best]:
            return ()
        chosen.append(best)
        left = left.filter(~read[best])
    return tuple(chosen)


def _tells_days(given: pl.Series, formats: tuple[str, ...]) -> bool:
    """Whether nearly all values of a column of times tell a day only."""
    moments = times.moments(given, formats, "UTC")
    is_day = days.told(given, moments, Mapping(source=given.name, day="end"), formats, "UTC")
    return len(given) > 0 and is_day.sum() >= 0.95 * len(given)


def _complete_milestones(found: Guess, values: dict[str, pl.Series], known: Lexicon) -> None:
    """A milestone needs a time; a unit or a limit was dispatched with, at the latest when the case came in."""
    units = [name for name in values if plain(name) in known.units and name not in found.columns.values()]
    if found.kind != "case":
        return
    is_due = "due_at" in found.milestones.get("DISPATCH", {})
    if (units or is_due) and "received_at" in found.columns:
        found.milestones.setdefault("DISPATCH", {}).setdefault("occurred_at", found.columns["received_at"])
    timed = {event: columns for event, columns in found.milestones.items() if "occurred_at" in columns}
    for event, columns in found.milestones.items():
        if event not in timed:
            found.known += columns.values()
    order = [event for event in ("DISPATCH", "SIGN", "FIRST_CONTACT", "CLOSE", *timed) if event in timed]
    unit = {"unit_name": units[0]} if units else {}
    found.milestones = {event: dict(sorted(timed[event].items(), reverse=True)) | unit for event in order}
    found.known += units[1:]


def _map_codes(found: Guess, values: dict[str, pl.Series], known: Lexicon) -> None:
    """The words of every code column; those nobody knows map to null and are written as comments."""
    codes = {column.name: column.codes for column in LAYOUTS[found.kind] if column.type == "code"}
    required = {column.name for column in LAYOUTS[found.kind] if column.is_required}
    for canonical, source in list(found.columns.items()):
        words = [word for word, _ in values[source].value_counts(sort=True).head(40).rows()]
        if (canonical not in codes and canonical not in _MAPPED) or set(words) <= set(codes.get(canonical, ())):
            continue
        mapped = {word: code_of(known, canonical, word) for word in words}
        if canonical in codes and canonical not in required and words and not any(mapped.values()):
            del found.columns[canonical]  # another thing under that name: its words would reject every row
            found.known.append(source)
            continue
        shown = {word if code or showable(word) else shape(word): code for word, code in mapped.items()}
        found.maps[canonical] = {word: code for word, code in shown.items() if number_free(word)}

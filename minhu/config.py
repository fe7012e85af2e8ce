"""Brings the city's configuration into the database as versioned rows, so that rules reach SQL as data.

A version is a moment at which something differed; an entry keeps the versions between which it held. Reading the same
folder twice makes no new version. Kinds: city, repeat_rule, gaming, quality, feed_quality, feed, feed_unit, delivery,
retention, unit, unit_name, unit_succession, calendar_day, category, area, scheme, limit_rule.
"""

import csv
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, get_args

import psycopg
from psycopg.types.json import Jsonb
from pydantic import Field, model_validator

from minhu import database
from minhu.declaration import Declared, read_declaration
from minhu.errors import BadDeclaration, Refused
from minhu.feeds import load_feeds
from minhu.feeds.canonical import EVENT_TYPES
from minhu.feeds.feed import Retention, ZoneName
from minhu.settings import Settings
from minhu.unit_names import FOREVER, NEVER, Claim, Register, Succession, conflict

Entries = dict[tuple[str, str], dict]
AreaLevel = Literal["city", "district", "town", "village", "grid"]
AREA_LEVELS = get_args(AreaLevel)
Points = Annotated[Decimal, Field(ge=0, le=1000, decimal_places=2)]
ContentMetric = Literal[
    "rejected_pct",
    "duplicate_pct",
    "category_null_pct",
    "request_type_null_pct",
    "area_null_pct",
    "text_null_pct",
    "unknown_category_pct",
    "dispatch_unit_null_pct",
    "outcome_null_pct",
    "unresolved_unit_pct",
]
TimeOfDay = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")]


class RepeatRule(Declared):
    """When a case is a repeat (重复件): of the same caller, within the window, about the same matter at the same place.

    The rule of the day on which the later case was received decides.
    """

    valid_from: date
    valid_to: date | None = None
    """First day on which it no longer holds; that of the next rule unless given."""
    window_days: Annotated[int, Field(ge=1, le=366)]
    matter: Literal["category", "text", "category_or_text", "category_and_text"]
    """What must be the same or alike."""
    category_level: Annotated[int, Field(ge=1, le=5)] | None = None
    """Level of the category tree down to which both agree; the code itself unless given."""
    min_similarity: Annotated[float, Field(gt=0, le=1)]
    """Texts are alike from here on: 2 × shared characters / (characters of one + characters of the other)."""
    filler_words: tuple[Annotated[str, Field(pattern=r"^[a-z0-9\u4e00-\u9fff]+$")], ...] = ()
    """Words of the trade that say nothing of the matter; left out before texts are compared."""
    place: Literal["ignore", "if_told", "required"]
    """Whether places must agree: never, where both cases tell one, or always."""
    area_level: AreaLevel = "town"
    """Level of the area tree down to which both agree; a case that tells a coarser area agrees with all within it."""
    within_metres: Annotated[int, Field(gt=0)] | None = None
    """Coordinates agree up to here; unless given they are not looked at."""
    compare_latest: Annotated[int, Field(ge=1, le=1000)] = 50
    """A case is compared with so many of its caller's latest earlier ones, so that 400 calls a day stay cheap."""
    example: bool = False


class Gaming(Declared):
    """From when on a pattern is shown to auditors as worth a look (``audit.gaming_signal``). A month is judged by the
    entry in force on its first day.
    """

    valid_from: date
    min_count: int = Field(ge=1)
    """Fewer rows are no pattern."""
    rated_within_seconds: int = Field(ge=0)
    """A rating so soon after the closing, by somebody who can hardly have known of it."""
    closed_in_one_second: int = Field(ge=2)
    """So many closings of one unit in the same second."""
    low_reach_pct: float = Field(ge=0, le=100)
    """Everybody was satisfied, and fewer than these were reached."""
    last_days: int = Field(ge=1, le=15)
    """The days before a limit, and at the end of a month."""
    jump_factor: float = Field(gt=0)
    """So many times what was usual."""
    reopened_within_days: int = Field(ge=0)
    """Rework so soon after the closing."""
    example: bool = False


class FeedQuality(Declared):
    """How the data of a feed are scored month by month (``audit.feed_quality``): by the entry in force on a month's
    first day.
    """

    valid_from: date
    completeness_points: Points
    """数据完整: expected deliveries that came."""
    content_points: Points
    """内容完整: cells of the columns in ``content`` that are filled."""
    timeliness_points: Points
    """数据及时: deliveries that came in time."""
    stability_points: Points
    """接口稳定性: calls of the source that were answered with something usable."""
    content: Annotated[tuple[ContentMetric, ...], Field(min_length=1)]
    """Metrics of ``audit.batch_profile``: the share of rows that lack a column, or were rejected."""
    due_days: int = Field(default=1, ge=0)
    due_time: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
    """A delivery is due so many days after its business date, at this time of the city."""


class QualityTerms(Declared):
    """What becomes of what the gates find (``audit.open_finding``). The entry in force on the day on which a finding
    first failed decides over it, that of the day on which a waiver is given over the waiver.
    """

    valid_from: date
    escalate_after_days: int = Field(ge=0)
    """A warning that nobody waived stops a release after so many days."""
    waive_at_most_days: int = Field(ge=1)
    """A waiver ends after so many days at the latest."""
    waivable: tuple[Annotated[str, Field(pattern=r"^(arrival|release)\.[a-z_]+$")], ...] = ()
    """Rules of the release gate, critical ones too, that may be waived for single feeds: their query omits those."""
    example: bool = False


class City(Declared):
    """Whose warehouse this is, and the hours in which its offices work."""

    code: str
    name: str
    timezone: ZoneName = "Asia/Shanghai"
    morning: tuple[TimeOfDay, TimeOfDay] = ("09:00", "12:00")
    afternoon: tuple[TimeOfDay, TimeOfDay] = ("13:30", "17:30")
    repeats: tuple[RepeatRule, ...] = ()
    """When a case repeats an earlier one of its caller; on a day without a rule none does."""
    clock_tolerance_minutes: int = Field(default=30, ge=0)
    """Two senders' times of one event, and a deed and its dispatch, differ by no more than this."""
    unit_tells: tuple[Literal[*EVENT_TYPES], ...] = (
        "SIGN",
        "FIRST_CONTACT",
        "RETURN_REQUEST",
        "EXTEND_REQUEST",
        "REPLY",
        "CLOSE",
    )
    """Events whose time the unit's own system tells best. Of all others the hotline that owns the case does."""
    appeal_workdays: int | None = Field(default=None, ge=1)
    """An appeal is to be decided by 24:00 of this working day after its filing; left out, it has no term."""
    schemes: tuple[str, ...] | None = None
    """The schemes that score this city, by id; the other files in ``schemes/`` can be tried and compared. All unless
    given."""
    retention: Retention = Retention()
    gaming: tuple[Gaming, ...] = ()
    """What auditors are shown, by date."""
    feed_quality: tuple[FeedQuality, ...] = ()
    """How feeds are scored, by date; a month without an entry is not scored."""
    quality: tuple[QualityTerms, ...] = ()
    """What becomes of findings, by date."""
    feeds: dict[Literal["hotline", "response"], int] = Field(default_factory=dict)
    """How many declarations there are to be: `minhu feeds check` tells when one was lost or came unnoticed."""

    def repeat_rules(self) -> dict[str, dict]:
        """The rules as entries of the configuration, by the day from which they hold, each with its end."""
        entries = [rule.model_dump(mode="json", exclude={"example"}) for rule in self.repeats]
        for entry, following in pairwise([*entries, {"valid_from": None}]):
            entry["valid_to"] = entry["valid_to"] or following["valid_from"]
        return {entry["valid_from"]: entry for entry in entries}

    @model_validator(mode="after")
    def _rules_follow_each_other(self) -> "City":
        for rule, following in pairwise([*self.repeats, None]):
            if rule.valid_to and rule.valid_to <= rule.valid_from:
                raise ValueError(f"repeats: valid_to {rule.valid_to} is not after valid_from {rule.valid_from}")
            if following and following.valid_from < (rule.valid_to or rule.valid_from + timedelta(days=1)):
                raise ValueError(f"repeats: the rule from {following.valid_from} begins before the one above it ends")
        return self

    @model_validator(mode="after")
    def _hours_follow_each_other(self) -> "City":
        opens, noon, again, closes = self.morning + self.afternoon
        if not opens < noon <= again < closes:
            raise ValueError(f"the office hours {opens}-{noon}, {again}-{closes} do not follow each other in one day")
        return self


class UnitRow(Declared):
    """A line of ``units.csv``: a unit as it was between two dates. ``aliases`` are separated by semicolons.

    An alias holds as long as its row; ``name@from..to`` (a date may be missing) says that it holds for a part of it.
    """

    unit_code: str = Field(min_length=1)
    unit_name: str = Field(min_length=1)
    unit_kind: str = Field(min_length=1)
    linkage_level: int | None = Field(default=None, ge=1, le=2)
    peer_group: str = Field(min_length=1)
    parent_unit_code: str | None = None
    has_24h_duty: bool = False
    population: int | None = None
    aliases: str | None = None
    valid_from: date
    valid_to: date | None = None


class CalendarRow(Declared):
    date_on: date
    is_workday: bool
    is_makeup_workday: bool
    status: str = Field(pattern="^(official|provisional)$")
    label: str | None = None


class SuccessionRow(Declared):
    """A line of ``unit_succession.csv``: from a day on another unit carries a unit's work on, or several do."""

    old_unit_code: str
    new_unit_code: str
    succession_kind: Literal["renamed", "merged", "split"]
    effective_on: date


class CategoryRow(Declared):
    """A line of ``categories.csv``: a tree of at most five levels."""

    category_code: str = Field(min_length=1)
    category_name: str = Field(min_length=1)
    parent_category_code: str | None = None
    category_level: int = Field(ge=1, le=5)


class AreaRow(Declared):
    """A line of ``areas.csv``."""

    area_code: str = Field(min_length=1)
    area_name: str = Field(min_length=1)
    parent_area_code: str | None = None
    area_level: AreaLevel


def read_config(folder: Path) -> Entries:
    """Everything a city declares, by (kind, key). Raises BadDeclaration naming file, line and key.

    Only ``city.yml`` and ``feeds/`` are required: a register, calendar or scheme that is not there is empty.
    """
    from minhu.scoring.scheme import load_schemes

    entries: Entries = {}
    city = read_declaration(City, folder / "city.yml")
    # Entries of their own: a rule of repeats decides over the cases of its days, the others over no fact.
    own = {"retention", "feeds", "repeats", "schemes", "gaming", "quality", "feed_quality"}
    _put(entries, "city", city.code, city.model_dump(mode="json", exclude=own), folder / "city.yml")
    for key, data in city.repeat_rules().items():
        _put(entries, "repeat_rule", key, data, folder / "city.yml")
    _put(entries, "retention", "*", city.retention.model_dump(mode="json"), folder / "city.yml")
    for feed in load_feeds(folder):
        path = folder / "feeds" / f"{feed.code}.yml"
        _put(entries, "feed", feed.code, _feed_data(feed), path)
        if feed.unit:  # an entry of its own: who runs a feed decides over no fact
            _put(entries, "feed_unit", feed.code, {"feed_code": feed.code, "unit_code": feed.unit}, path)
        _put(entries, "retention", feed.code, feed.retention_under(city.retention).model_dump(mode="json"), path)
        for delivery in feed.deliveries:
            data = {"feed_code": feed.code, "delivery": delivery.name, "kind": delivery.kind, "mode": delivery.mode}
            _put(entries, "delivery", f"{feed.code}/{delivery.name}", data, path)
    _read_register(folder, entries)
    _check_owners(entries, folder)
    for kind, model, name, key in (
        ("calendar_day", CalendarRow, "calendar.csv", "date_on"),
        ("category", CategoryRow, "categories.csv", "category_code"),
        ("area", AreaRow, "areas.csv", "area_code"),
    ):
        for line, row in _read_csv(folder / name, model):
            data = row.model_dump(mode="json")
            _put(entries, kind, str(data[key]), data, folder / name, line)
    _check_tree(entries, "category", "category_level", range(1, 6), folder / "categories.csv")
    _check_tree(entries, "area", "area_level", AREA_LEVELS, folder / "areas.csv")
    _check_calendar(entries, folder / "calendar.csv")
    for scheme in load_schemes(folder, schemes_in_force(folder)):
        for kind, key, data in scheme.entries():
            _put(entries, kind, key, data, folder / "schemes")
    for thresholds in city.gaming:
        data = thresholds.model_dump(mode="json", exclude={"example"})
        _put(entries, "gaming", data["valid_from"], data, folder / "city.yml")
    for terms in city.feed_quality:
        data = terms.model_dump(mode="json", exclude={"example"})
        _put(entries, "feed_quality", data["valid_from"], data, folder / "city.yml")
    for terms in city.quality:
        data = terms.model_dump(mode="json", exclude={"example"})
        _put(entries, "quality", data["valid_from"], data, folder / "city.yml")
    return entries


def schemes_in_force(folder: Path) -> tuple[str, ...]:
    """The ids of the schemes that score the city: those that ``city.yml`` names, or all there are."""
    named = read_declaration(City, folder / "city.yml").schemes
    return tuple(path.stem for path in sorted((folder / "schemes").glob("*.yml"))) if named is None else named


def check_feeds(folder: Path) -> dict[str, int]:
    """Reads the whole configuration and counts it. Raises BadDeclaration, also where `city.yml` counts otherwise."""
    entries, declared = read_config(folder), load_feeds(folder)
    pinned = read_declaration(City, folder / "city.yml").feeds
    counts = {role: sum(feed.role == role for feed in declared) for role in ("hotline", "response")}
    for role, number in pinned.items():
        if counts[role] != number:
            raise BadDeclaration(
                f"{folder / 'city.yml'}: feeds.{role} says {number}, {folder / 'feeds'} holds {counts[role]}; bring the"
                " lost declaration back, or put the new number there"
            )
    return {
        "hotline_feeds": counts["hotline"],
        "response_feeds": counts["response"],
        "deliveries": sum(len(feed.deliveries) for feed in declared),
        "units": len({data["unit_code"] for (kind, _), data in entries.items() if kind == "unit"}),
        "schemes": sum(kind == "scheme" for kind, _ in entries),
    }


def sync(settings: Settings) -> int:
    """Writes what changed in the configuration as a new version; returns the version now in force.

    Raises Refused when the warehouse belongs to another city, BadDeclaration when the configuration is wrong.
    """
    entries = read_config(settings.config)
    digest = hashlib.sha256(json.dumps([[*key, data] for key, data in sorted(entries.items())]).encode()).hexdigest()
    with database.connect(settings) as connection:
        database.lock(connection, database.LOCK_CONFIG)
        newest = connection.execute(
            "select config_version, city, sha256 from config.version order by config_version desc limit 1"
        ).fetchone()
        city = next(key for kind, key in entries if kind == "city")
        if newest and newest[1] != city:
            raise Refused(
                f"this warehouse belongs to the city {newest[1]!r}, but {settings.config} configures {city!r}; "
                "set MINHU_HOME to another folder, or MINHU_CONFIG to the city's own"
            )
        if newest and newest[2] == digest:
            return newest[0]
        version = connection.execute(
            "insert into config.version (city, sha256) values (%s, %s) returning config_version", [city, digest]
        ).fetchone()[0]
        _write(connection, entries, version)
        return version


def _write(connection: psycopg.Connection, entries: Entries, version: int) -> None:
    """Closes the entries that went or changed, opens the new ones."""
    connection.execute("create temp table fresh (kind text, key text, data jsonb) on commit drop")
    with connection.cursor() as cursor, cursor.copy("copy fresh from stdin") as copy:
        for (kind, key), data in entries.items():
            copy.write_row((kind, key, Jsonb(data)))
    connection.execute(
        "update config.entry as old set until_version = %s where until_version is null and not exists"
        " (select from fresh where fresh.kind = old.kind and fresh.key = old.key and fresh.data = old.data)",
        [version],
    )
    connection.execute(
        "insert into config.entry (kind, key, data, since_version) select kind, key, data, %s from fresh"
        " where not exists (select from config.entry as old where old.kind = fresh.kind and old.key = fresh.key"
        " and old.until_version is null)",
        [version],
    )
    connection.execute("analyze config.entry")


def _feed_data(feed) -> dict:
    return {
        "feed_code": feed.code,
        "feed_name": feed.name,
        "owner": feed.owner,
        "feed_role": feed.role,
        "feed_group": feed.group,
        "limit_source": feed.limits,
    }


def _read_register(folder: Path, entries: Entries) -> None:
    """Units, who took over from whom, and what every name means from when to when."""
    path = folder / "units.csv"
    periods: dict[str, list[tuple[date, date]]] = defaultdict(list)
    claims: dict[str, list[Claim]] = defaultdict(list)
    for line, row in _read_csv(path, UnitRow):
        data = row.model_dump(mode="json", exclude={"aliases"})
        _put(entries, "unit", f"{row.unit_code}@{row.valid_from}", data, path, line)
        period = (row.valid_from, row.valid_to or FOREVER)
        _check_period(periods[row.unit_code], period, row.unit_code, f"{path}:{line}")
        periods[row.unit_code].append(period)
        for name, since, until in _names(row, period, f"{path}:{line}"):
            claims[name].append(Claim(row.unit_code, since, until, line))
            if two := conflict(claims[name]):
                raise BadDeclaration(f"{path}:{line}: {_both(name, *two)}")
    register = Register(periods, _read_successions(folder / "unit_succession.csv", entries, periods))
    for name, claimed in claims.items():
        entries["unit_name", name] = {"unit_name": name, "spans": register.history(claimed)}


def _check_owners(entries: Entries, folder: Path) -> None:
    """Every unit that runs a feed is in the register."""
    units = {data["unit_code"] for (kind, _), data in entries.items() if kind == "unit"}
    for (kind, feed), data in entries.items():
        if kind == "feed_unit" and data["unit_code"] not in units:
            path = folder / "feeds" / f"{feed}.yml"
            raise BadDeclaration(f"{path}:1: unit: there is no unit {data['unit_code']!r} in {folder / 'units.csv'}")


def _check_period(earlier: list[tuple[date, date]], period: tuple[date, date], unit: str, where: str) -> None:
    since, until = period
    if until <= since:
        raise BadDeclaration(f"{where}: valid_to: {until} is not after valid_from, {since}")
    for other_since, other_until in earlier:
        if max(since, other_since) < min(until, other_until):
            raise BadDeclaration(
                f"{where}: {unit} has another row from {other_since} that still holds on {max(since, other_since)}; end"
                " one with `valid_to`, the day on which the next begins"
            )


def _names(row: UnitRow, period: tuple[date, date], where: str) -> Iterator[tuple[str, date, date]]:
    """What the unit of a row is called, each name with the days between which it is."""
    yield from ((name, *period) for name in {row.unit_code, row.unit_name})
    for alias in filter(None, map(str.strip, (row.aliases or "").split(";"))):
        name, at, dates = alias.partition("@")
        since, dots, until = dates.partition("..")
        try:
            given = (date.fromisoformat(since) if since else NEVER, date.fromisoformat(until) if until else FOREVER)
        except ValueError:
            given = None
        if not name or given is None or bool(at) != bool(dots):
            raise BadDeclaration(f"{where}: aliases: {alias!r} reads neither `name` nor `name@2026-07-01..2026-12-31`")
        held = max(period[0], given[0]), min(period[1], given[1])
        if held[0] >= held[1]:
            raise BadDeclaration(f"{where}: aliases: {alias!r} holds on no day of this row")
        yield name, *held


def _both(name: str, one: Claim, other: Claim) -> str:
    since, until = max(one.valid_from, other.valid_from), min(one.valid_to, other.valid_to)
    time = f"from {since} on" if until == FOREVER else f"from {since} to before {until}"
    return (
        f"{name!r} names both {one.unit_code} (line {one.line}) and {other.unit_code}, {time}; a name leads to one unit"
        f" at a time: end one row with `valid_to`, or date the alias, as in `{name}@..{since}` for the one and"
        f" `{name}@{since}..` for the other"
    )


def _read_successions(path: Path, entries: Entries, units: dict[str, list[tuple[date, date]]]) -> list[Succession]:
    """Who took over from whom. A unit that was renamed or merged leads to one unit, one that was split to several."""
    found: list[Succession] = []
    parts: dict[str, list[int]] = defaultdict(list)
    led: dict[str, int] = {}
    for line, row in _read_csv(path, SuccessionRow):
        for code in (row.old_unit_code, row.new_unit_code):
            if code not in units:
                raise BadDeclaration(f"{path}:{line}: there is no unit {code!r} in units.csv")
        if row.old_unit_code == row.new_unit_code:
            raise BadDeclaration(f"{path}:{line}: a new name of the same unit is a new row of units.csv, no succession")
        if row.succession_kind == "split":
            parts[row.old_unit_code].append(line)
        elif led.setdefault(row.old_unit_code, line) != line:
            raise BadDeclaration(
                f"{path}:{line}: {row.old_unit_code} already leads to another unit in line {led[row.old_unit_code]};"
                " say `split` where it became several"
            )
        key = f"{row.old_unit_code}>{row.new_unit_code}@{row.effective_on}"
        _put(entries, "unit_succession", key, row.model_dump(mode="json"), path, line)
        found.append(Succession(row.old_unit_code, row.new_unit_code, row.effective_on))
    for old, lines in parts.items():
        if len(lines) == 1 and old not in led and max(until for _, until in units[old]) < FOREVER:
            raise BadDeclaration(
                f"{path}:{lines[0]}: {old} ended and was split into one unit; list the other parts, or say `renamed` or"
                " `merged`"
            )
    return found


def _check_tree(entries: Entries, kind: str, level: str, levels: Sequence, path: Path) -> None:
    """Every parent exists and stands above its children."""
    nodes = {key: data for (found, key), data in entries.items() if found == kind}
    for key, data in nodes.items():
        parent = data[f"parent_{kind}_code"]
        if parent is not None and parent not in nodes:
            raise BadDeclaration(f"{path}: {kind} {key}: there is no {parent!r} above it")
        if parent is not None and levels.index(nodes[parent][level]) >= levels.index(data[level]):
            raise BadDeclaration(f"{path}: {kind} {key}: it lies no level below {parent}")


def _check_calendar(entries: Entries, path: Path) -> None:
    """A day that is missing would be no working day for the clock, and every limit across it a day late."""
    days = sorted(date.fromisoformat(key) for kind, key in entries if kind == "calendar_day")
    for day, following in pairwise(days):
        if following - day > timedelta(days=1):
            raise BadDeclaration(f"{path}:1: date_on: {day + timedelta(days=1)} is missing; every day has one line")


def _read_csv(path: Path, model: type[Declared]) -> Iterator[tuple[int, Declared]]:
    """The lines of a register as models, blanks as null, each with its line number."""
    if not path.exists():
        return
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        for row in reader:
            given = {name: value for name, value in row.items() if value}
            try:
                yield reader.line_num, model.model_validate_strings(given)
            except ValueError as error:
                first = error.errors()[0] if hasattr(error, "errors") else {"loc": ("?",), "msg": str(error)}
                key = ".".join(map(str, first["loc"]))
                raise BadDeclaration(f"{path}:{reader.line_num}: {key}: {first['msg']}") from None


def _put(entries: Entries, kind: str, key: str, data: dict, path: Path, line: int | None = None) -> None:
    if (kind, key) in entries:
        raise BadDeclaration(f"{path}:{line or 1}: {kind} {key!r} is declared twice")
    entries[kind, key] = data

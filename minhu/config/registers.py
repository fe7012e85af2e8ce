"""The registers of a city, line by line: units and their names, successions, the calendar, categories, areas."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field

from minhu.config.city import AREA_LEVELS, AreaLevel
from minhu.config.unit_names import FOREVER, NEVER, Claim, Register, Succession, conflict
from minhu.declaration import Declared
from minhu.errors import BadDeclaration

Entries = dict[tuple[str, str], dict]
"""What a city declares: data by (kind, key)."""


Line = TypeVar("Line", bound=Declared)


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


def read_registers(folder: Path, entries: Entries) -> None:
    """Puts every register of ``folder`` into ``entries``. Raises BadDeclaration naming file and line."""
    _read_units(folder, entries)
    for kind, model, name, key in (
        ("calendar_day", CalendarRow, "calendar.csv", "date_on"),
        ("category", CategoryRow, "categories.csv", "category_code"),
        ("area", AreaRow, "areas.csv", "area_code"),
    ):
        for line, row in _read_csv(folder / name, model):
            data = row.model_dump(mode="json")
            put(entries, kind, str(data[key]), data, folder / name, line)
    _check_tree(entries, "category", "category_level", range(1, 6), folder / "categories.csv")
    _check_tree(entries, "area", "area_level", AREA_LEVELS, folder / "areas.csv")
    _check_calendar(entries, folder / "calendar.csv")


def put(entries: Entries, kind: str, key: str, data: dict, path: Path, line: int | None = None) -> None:
    """Adds an entry. Raises BadDeclaration where it is there already."""
    if (kind, key) in entries:
        raise BadDeclaration(f"{path}:{line or 1}: {kind} {key!r} is declared twice")
    entries[kind, key] = data


def _read_units(folder: Path, entries: Entries) -> None:
    """Units, who took over from whom, and what every name means from when to when."""
    path = folder / "units.csv"
    periods: dict[str, list[tuple[date, date]]] = defaultdict(list)
    claims: dict[str, list[Claim]] = defaultdict(list)
    for line, row in _read_csv(path, UnitRow):
        data = row.model_dump(mode="json", exclude={"aliases"})
        put(entries, "unit", f"{row.unit_code}@{row.valid_from}", data, path, line)
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
        put(entries, "unit_succession", key, row.model_dump(mode="json"), path, line)
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


def _read_csv(path: Path, model: type[Line]) -> Iterator[tuple[int, Line]]:
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

"""The registers of a city, line by line: units and their names, successions, the calendar, categories, areas."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, ValidationError

from minhu.config.city import AREA_LEVELS, AreaLevel
from minhu.config.unit_names import FOREVER, NEVER, Claim, Register, Succession, conflict
from minhu.declaration import Declared
from minhu.declaration.slips import Gathered, Slip, nearest, refuse, slip
from minhu.declaration.wording import unknown_key, worded

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
    grids: int | None = Field(default=None, ge=0)
    """网格数 and the people who handle requests, as rules divide by them."""
    staff: int | None = Field(default=None, ge=0)
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
    """Puts every register of ``folder`` into ``entries``. Raises BadDeclaration naming file and line of every slip."""
    gathered = Gathered()
    with gathered.slips():
        _read_units(folder, entries)
    with gathered.slips():
        _read_register(entries, "calendar_day", CalendarRow, folder / "calendar.csv", "date_on")
        _check_calendar(entries, folder / "calendar.csv")
    with gathered.slips():
        _read_register(entries, "category", CategoryRow, folder / "categories.csv", "category_code")
        _check_tree(entries, "category", "category_level", range(1, 6), folder / "categories.csv")
    with gathered.slips():
        _read_register(entries, "area", AreaRow, folder / "areas.csv", "area_code")
        _check_tree(entries, "area", "area_level", AREA_LEVELS, folder / "areas.csv")
    gathered.tell()


def unit_counts(folder: Path) -> dict[str, int]:
    """How many units the register has in each peer group, today or before. Raises BadDeclaration."""
    units = {(row.peer_group, row.unit_code) for _, row in _read_csv(folder / "units.csv", UnitRow)}
    return dict(sorted(Counter(group for group, _ in units).items()))


def _read_register(entries: Entries, kind: str, model: type[Declared], path: Path, key: str) -> None:
    gathered = Gathered()
    for line, row in _read_csv(path, model):
        data = row.model_dump(mode="json")
        with gathered.slips():
            put(entries, kind, str(data[key]), data, path, line)
    gathered.tell()


def put(entries: Entries, kind: str, key: str, data: dict, path: Path, line: int | None = None) -> None:
    """Adds an entry. Raises BadDeclaration where it is there already."""
    if (kind, key) in entries:
        raise slip(path, line or 1, "", f"{kind} {key!r} is declared twice", f"{key} 写了两次（{kind}）")
    entries[kind, key] = data


def _read_units(folder: Path, entries: Entries) -> None:
    """Units, who took over from whom, and what every name means from when to when."""
    path = folder / "units.csv"
    periods: dict[str, list[tuple[date, date]]] = defaultdict(list)
    claims: dict[str, list[Claim]] = defaultdict(list)
    gathered = Gathered()
    for line, row in _read_csv(path, UnitRow):
        with gathered.slips():
            _read_unit(path, line, row, entries, periods, claims)
    gathered.tell()
    register = Register(periods, _read_successions(folder / "unit_succession.csv", entries, periods))
    for name, claimed in claims.items():
        entries["unit_name", name] = {"unit_name": name, "spans": register.history(claimed)}


def _read_unit(
    path: Path,
    line: int,
    row: UnitRow,
    entries: Entries,
    periods: dict[str, list[tuple[date, date]]],
    claims: dict[str, list[Claim]],
) -> None:
    data = row.model_dump(mode="json", exclude={"aliases"})
    put(entries, "unit", f"{row.unit_code}@{row.valid_from}", data, path, line)
    period = (row.valid_from, row.valid_to or FOREVER)
    _check_period(periods[row.unit_code], period, row.unit_code, path, line)
    periods[row.unit_code].append(period)
    for name, since, until in _names(row, period, path, line):
        claims[name].append(Claim(row.unit_code, since, until, line))
        if two := conflict(claims[name]):
            zh = f"“{name}”同时是 {two[0].unit_code} 和 {two[1].unit_code} 的名称；写 valid_to 或别名的起止日期"
            raise slip(path, line, "", _both(name, *two), zh)


def _check_period(
    earlier: list[tuple[date, date]], period: tuple[date, date], unit: str, path: Path, line: int
) -> None:
    since, until = period
    if until <= since:
        en, zh = f"{until} is not after valid_from, {since}", f"{until} 不晚于 valid_from（{since}）"
        raise slip(path, line, "valid_to", en, zh)
    for other_since, other_until in earlier:
        if (both := max(since, other_since)) < min(until, other_until):
            en = (
                f"{unit} has another row from {other_since} that still holds on {both}; end one with `valid_to`, the"
                " day on which the next begins"
            )
            zh = f"{unit} 从 {other_since} 起的另一行在 {both} 仍有效；用 valid_to 结束其中一行（写下一行开始之日）"
            raise slip(path, line, "", en, zh)


def _names(row: UnitRow, period: tuple[date, date], path: Path, line: int) -> Iterator[tuple[str, date, date]]:
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
            en = f"{alias!r} reads neither `name` nor `name@2026-07-01..2026-12-31`"
            raise slip(path, line, "aliases", en, f"{alias} 应写作“名称”或“名称@2026-07-01..2026-12-31”")
        held = max(period[0], given[0]), min(period[1], given[1])
        if held[0] >= held[1]:
            raise slip(
                path, line, "aliases", f"{alias!r} holds on no day of this row", f"{alias} 在本行有效期内没有一天有效"
            )
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
                raise slip(path, line, "", f"there is no unit {code!r} in units.csv", f"units.csv 里没有 {code}")
        if row.old_unit_code == row.new_unit_code:
            en = "a new name of the same unit is a new row of units.csv, no succession"
            raise slip(path, line, "", en, "同一单位改名是 units.csv 的新一行，不是承继")
        if row.succession_kind == "split":
            parts[row.old_unit_code].append(line)
        elif led.setdefault(row.old_unit_code, line) != line:
            old, at = row.old_unit_code, led[row.old_unit_code]
            en = f"{old} already leads to another unit in line {at}; say `split` where it became several"
            raise slip(path, line, "", en, f"第 {at} 行已写明 {old} 由另一单位承继；一分为几时写 split")
        key = f"{row.old_unit_code}>{row.new_unit_code}@{row.effective_on}"
        put(entries, "unit_succession", key, row.model_dump(mode="json"), path, line)
        found.append(Succession(row.old_unit_code, row.new_unit_code, row.effective_on))
    for old, lines in parts.items():
        if len(lines) == 1 and old not in led and max(until for _, until in units[old]) < FOREVER:
            en = f"{old} ended and was split into one unit; list the other parts, or say `renamed` or `merged`"
            raise slip(path, lines[0], "", en, f"{old} 已结束，却只拆成一个单位；写全各部分，或写 renamed、merged")
    return found


def _check_tree(entries: Entries, kind: str, level: str, levels: Sequence, path: Path) -> None:
    """Every parent exists and stands above its children."""
    nodes = {key: data for (found, key), data in entries.items() if found == kind}
    slips = []
    for line, (key, data) in enumerate(nodes.items(), start=2):  # a row of a register has no line break
        parent = data[f"parent_{kind}_code"]
        if parent is not None and parent not in nodes:
            en = f"there is no {parent!r} above it"
            slips.append(Slip(path, line, f"{kind} {key}", en, f"{key} 的上级 {parent} 不在表里"))
        elif parent is not None and levels.index(nodes[parent][level]) >= levels.index(data[level]):
            slips.append(
                Slip(path, line, f"{kind} {key}", f"it lies no level below {parent}", f"{key} 的级别不低于 {parent}")
            )
    refuse(slips)


def _check_calendar(entries: Entries, path: Path) -> None:
    """A day that is missing would be no working day for the clock, and every limit across it a day late."""
    days = sorted(date.fromisoformat(key) for kind, key in entries if kind == "calendar_day")
    for day, following in pairwise(days):
        if following - day > timedelta(days=1):
            gap = day + timedelta(days=1)
            raise slip(path, 1, "date_on", f"{gap} is missing; every day has one line", f"缺 {gap}；每天一行")


def _read_csv(path: Path, model: type[Line]) -> list[tuple[int, Line]]:
    """The lines of a register as models, blanks as null, each with its line number. Raises BadDeclaration for all that
    are wrong.
    """
    if not path.exists():
        return []
    slips: list[Slip] = []
    rows: list[tuple[int, Line]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            slips += _header_slips(path, reader.fieldnames or (), model)
            for row in () if slips else reader:
                try:
                    rows.append((reader.line_num, model.model_validate_strings(_given(row))))
                except ValidationError as error:
                    slips += _row_slips(path, reader.line_num, error)
    except csv.Error as error:
        slips.append(Slip(path, reader.line_num, "", f"no CSV: {error}", "不是合法的 CSV：看这一行的引号是否成对"))
    except UnicodeDecodeError as error:
        raise slip(
            path, 1, "", f"not UTF-8 (byte {error.start}); save it as UTF-8", "不是 UTF-8；请另存为 UTF-8"
        ) from None
    refuse(slips)
    return rows


def _given(row: dict) -> dict:
    """The cells of a row that hold something; what stands beyond the header under a name of its own."""
    return {name or "(beyond the header)": value for name, value in row.items() if value}


def _header_slips(path: Path, header: Sequence[str], model: type[Declared]) -> Iterator[Slip]:
    known = list(model.model_fields)
    for name in header:
        if name not in known:
            near = next(iter(nearest(name, set(known) - set(header))), None)
            yield Slip(path, 1, name, *unknown_key(name, near, known))
        elif list(header).count(name) > 1:
            yield Slip(path, 1, name, "a column given twice", "这一列写了两次")
    for name, field in model.model_fields.items():
        if field.is_required() and name not in header:
            yield Slip(path, 1, name, "a column that must be there is missing", "缺这一列，必填")


def _row_slips(path: Path, line: int, error: ValidationError) -> Iterator[Slip]:
    for found in error.errors(include_url=False):
        key = ".".join(map(str, found["loc"]))
        yield Slip(path, line, key, *worded(found["type"], found["msg"], found.get("ctx", {}), found["input"]))

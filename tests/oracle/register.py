"""The registers as a person reads them: the files of the configuration folder, line by line, day by day.

What a name means on a day is worked out for that day alone, by the table in config/README.md ("Registers"). A unit's
code and name and its aliases lead to it while their row holds; outside of that the name is followed.
"""

import csv
from dataclasses import dataclass
from datetime import date, time
from functools import cache, cached_property
from pathlib import Path

import yaml

from tests.reference.clock import Calendar

ALWAYS = (date.min, date.max)


@dataclass(frozen=True)
class Unit:
    """A line of units.csv."""

    code: str
    name: str
    level: int | None
    peer_group: str
    has_24h_duty: bool
    population: int | None
    grids: int | None
    staff: int | None
    since: date
    until: date
    names: tuple[tuple[str, date, date], ...]

    def holds(self, day: date) -> bool:
        return self.since <= day < self.until


@dataclass(frozen=True)
class Meaning:
    """``code``: the unit that a name leads to. ``may_be``: every unit it may mean."""

    code: str | None
    may_be: frozenset[str]


class Register:
    def __init__(self, config: Path):
        self.config = config
        self.lines = [_unit(row) for row in rows_of(config / "units.csv")]
        self.successions = [
            (row["old_unit_code"], row["new_unit_code"], date.fromisoformat(row["effective_on"]))
            for row in rows_of(config / "unit_succession.csv")
        ]
        self.city = yaml.safe_load((config / "city.yml").read_text(encoding="utf-8"))
        hours = (self.city.get("morning", ["09:00", "12:00"]), self.city.get("afternoon", ["13:30", "17:30"]))
        shifts = tuple((time.fromisoformat(opens), time.fromisoformat(closes)) for opens, closes in hours)
        self.calendar = Calendar(config / "calendar.csv", shifts)
        self._of_unit: dict[str, list[Unit]] = {}
        for line in self.lines:
            self._of_unit.setdefault(line.code, []).append(line)
        self._claims: dict[str, list[tuple[str, date, date]]] = {}
        for line in self.lines:
            for name, since, until in line.names:
                self._claims.setdefault(name, []).append((line.code, since, until))
        self.meaning = cache(self._meaning)

    @cached_property
    def schemes(self) -> dict[str, dict]:
        """The schemes that score the city: those that city.yml lists, all where it lists none."""
        found = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(self.config.glob("schemes/*.yml"))]
        listed = self.city.get("schemes") or [scheme["id"] for scheme in found]
        return {scheme["id"]: scheme for scheme in found if scheme["id"] in listed}

    def above(self, tree: str, code: str | None) -> set[str]:
        """A code of ``categories`` or ``areas`` and all that it lies beneath; of an unknown code itself alone."""
        found: set[str] = set()
        while code and code not in found:
            found.add(code)
            code = self._trees[tree].get(code)
        return found

    @cached_property
    def _trees(self) -> dict[str, dict[str, str]]:
        named = {"categories": "category_code", "areas": "area_code"}
        return {
            tree: {row[code]: row[f"parent_{code}"] for row in rows_of(self.config / f"{tree}.csv")}
            for tree, code in named.items()
        }

    @cached_property
    def feeds(self) -> dict[str, dict]:
        found = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(self.config.glob("feeds/*.yml"))]
        return {feed["code"]: feed for feed in found}

    def edition(self, day: date) -> int:
        """The edition of the readings that holds for a day; before the first entry the first (readings-by-day)."""
        begun = [entry for entry in self.city.get("readings") or [] if str(entry["valid_from"]) <= str(day)]
        return begun[-1]["edition"] if begun else 1

    def unit(self, code: str | None, day: date) -> Unit | None:
        """The unit as it was on a day; one that had not begun, as it began."""
        lines = self._of_unit.get(code, [])
        for line in lines:
            if line.holds(day):
                return line
        return min(lines, key=lambda line: line.since) if lines and all(line.since > day for line in lines) else None

    def exists(self, code: str, day: date) -> bool:
        return any(line.holds(day) for line in self._of_unit[code])

    def _meaning(self, name: str, day: date) -> Meaning:
        claims = self._claims.get(name, [])
        for code, since, until in claims:
            if since <= day < until:
                return Meaning(code, frozenset([code]))
        past = [claim for claim in claims if claim[2] <= day]
        if past:
            code = max(past, key=lambda claim: claim[2])[0]
            carriers = self.carriers(code, day)
            return Meaning(next(iter(carriers)) if len(carriers) == 1 else None, carriers)
        if claims:
            return self._not_begun(min(claims, key=lambda claim: claim[1])[0], day)
        return Meaning(None, frozenset())

    def _not_begun(self, code: str, day: date) -> Meaning:
        origins = self._origins(code, day)
        if len(origins) == 1:
            return Meaning(next(iter(origins)), origins)
        return Meaning(code, origins | {code}) if origins else Meaning(None, frozenset())

    def carriers(self, code: str, day: date) -> frozenset[str]:
        """Who carries a unit's work on a day: the unit itself while it exists, else those that took over."""
        found, waiting, seen = set(), [code], set()
        while waiting:
            unit = waiting.pop()
            if unit in seen:
                continue
            seen.add(unit)
            if self.exists(unit, day):
                found.add(unit)
            else:
                waiting += [new for old, new, on in self.successions if old == unit and on <= day]
        return frozenset(found)

    def _origins(self, code: str, day: date) -> frozenset[str]:
        """Out of which a unit came that does not exist yet; one alone is followed back."""
        seen = set()
        while not self.exists(code, day):
            seen.add(code)
            begins = min(line.since for line in self._of_unit[code])
            found = {old for old, new, on in self.successions if new == code and day < on <= begins} - seen
            if len(found) != 1:
                return frozenset(found)
            code = found.pop()
        return frozenset([code])


def rows_of(path: Path) -> list[dict]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _unit(row: dict) -> Unit:
    since = date.fromisoformat(row["valid_from"])
    until = date.fromisoformat(row["valid_to"]) if row["valid_to"] else date.max
    names = [(row["unit_code"], since, until), (row["unit_name"], since, until)]
    for alias in (row.get("aliases") or "").split(";"):
        name, _, dates = alias.strip().partition("@")
        first, _, last = dates.partition("..")
        begins, ends = date.fromisoformat(first) if first else since, date.fromisoformat(last) if last else until
        if name:
            names.append((name, max(since, begins), min(until, ends)))
    return Unit(
        code=row["unit_code"],
        name=row["unit_name"],
        level=int(row["linkage_level"]) if row.get("linkage_level") else None,
        peer_group=row["peer_group"],
        has_24h_duty=row.get("has_24h_duty") == "true",
        **{name: int(row[name]) if row.get(name) else None for name in ("population", "grids", "staff")},
        since=since,
        until=until,
        names=tuple(names),
    )

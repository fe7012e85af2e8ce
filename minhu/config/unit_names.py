"""What a unit's name means on a day: the register's dated rows and the reorganisations, as one history per name.

    the unit whose row bears the name on that day             register
    the name is older or newer: its unit, if that exists      other_years
    its unit has ended: the one that carries its work on      successor     (renamed, merged, and on from there)
                        several do, or none does              ended_split, ended: no unit, until somebody decides
    its unit has not begun: the one that it came out of       predecessor
                            several went into it              before_merger: the unit itself, its work is theirs
                            it came out of nothing            not told: the history of the name begins later

Dates are the city's. A period holds from its first day to before its last.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

NEVER, FOREVER = date.min, date.max


@dataclass(frozen=True)
class Claim:
    """A unit bears a name for a time: ``line`` of the register says so."""

    unit_code: str
    valid_from: date
    valid_to: date
    line: int

    def holds(self, day: date) -> bool:
        return self.valid_from <= day < self.valid_to


@dataclass(frozen=True)
class Succession:
    old_unit_code: str
    new_unit_code: str
    effective_on: date


@dataclass(frozen=True)
class Meaning:
    """``unit_code``: the unit a name leads to, None when undecided. ``unit_codes``: all that may be meant."""

    unit_code: str | None
    unit_codes: tuple[str, ...]
    resolution: str


class Register:
    """Which units there are on a day, and which carry on the work of others. ``periods``: (from, to) by unit code."""

    def __init__(self, periods: dict[str, list[tuple[date, date]]], successions: Iterable[Succession]):
        self._periods = periods
        self._heirs, self._forebears = defaultdict(list), defaultdict(list)
        for succession in successions:
            self._heirs[succession.old_unit_code].append(succession)
            self._forebears[succession.new_unit_code].append(succession)

    def history(self, claims: list[Claim]) -> list[dict]:
        """The spans of days on which a name means one thing, ready for JSON; no date stands for no bound."""
        days = sorted({NEVER, *self._turning_days(claims)} - {FOREVER})
        spans: list[dict] = []
        last: Meaning | None = None
        for day in days:
            meaning = self.meaning(claims, day)
            if meaning == last:
                continue
            if last is not None:
                spans[-1]["valid_to"] = str(day)
            if meaning is not None:
                spans.append(
                    {
                        "unit_code": meaning.unit_code,
                        "unit_codes": ";".join(meaning.unit_codes),
                        "resolution": meaning.resolution,
                        "valid_from": None if day == NEVER else str(day),
                        "valid_to": None,
                    }
                )
            last = meaning
        return spans

    def meaning(self, claims: list[Claim], day: date) -> Meaning | None:
        """What a name with these claims means on a day; None before its history begins."""
        for claim in claims:
            if claim.holds(day):
                return Meaning(claim.unit_code, (claim.unit_code,), "register")
        past = [claim for claim in claims if claim.valid_to <= day]
        if past:
            return self._gone_on(max(past, key=lambda claim: claim.valid_to).unit_code, day)
        return self._come_from(min(claims, key=lambda claim: claim.valid_from).unit_code, day)

    def _gone_on(self, unit: str, day: date) -> Meaning:
        carriers = tuple(sorted(self._carriers(unit, day)))
        if len(carriers) == 1:
            return Meaning(carriers[0], carriers, "other_years" if carriers == (unit,) else "successor")
        return Meaning(None, carriers, "ended_split" if carriers else "ended")

    def _come_from(self, unit: str, day: date) -> Meaning | None:
        origins = tuple(sorted(self._origins(unit, day)))
        if len(origins) == 1:
            return Meaning(origins[0], origins, "other_years" if origins == (unit,) else "predecessor")
        return Meaning(unit, (unit, *origins), "before_merger") if origins else None

    def _carriers(self, unit: str, day: date, passed: frozenset[str] = frozenset()) -> set[str]:
        """The unit while it exists, else those that carry its work on, each followed on."""
        if self._exists(unit, day):
            return {unit}
        passed |= {unit}
        heirs = {s.new_unit_code for s in self._heirs[unit] if s.effective_on <= day} - passed
        return set().union(*(self._carriers(heir, day, passed) for heir in heirs))

    def _origins(self, unit: str, day: date, passed: frozenset[str] = frozenset()) -> set[str]:
        """The unit while it exists, else those out of which it began later; a lone one is followed back."""
        if self._exists(unit, day):
            return {unit}
        begins = min(since for since, _ in self._periods[unit])
        passed |= {unit}
        found = {s.old_unit_code for s in self._forebears[unit] if day < s.effective_on <= begins} - passed
        return self._origins(found.pop(), day, passed) if len(found) == 1 else found

    def _exists(self, unit: str, day: date) -> bool:
        return any(since <= day < until for since, until in self._periods[unit])

    def _turning_days(self, claims: list[Claim]) -> set[date]:
        """Every day on which what a name with these claims means may change."""
        days = {day for claim in claims for day in (claim.valid_from, claim.valid_to)}
        waiting, reached = {claim.unit_code for claim in claims}, set()
        while waiting:
            unit = waiting.pop()
            reached.add(unit)
            days |= {day for period in self._periods[unit] for day in period}
            for succession in (*self._heirs[unit], *self._forebears[unit]):
                days.add(succession.effective_on)
                waiting |= {succession.old_unit_code, succession.new_unit_code} - reached
        return days


def conflict(claims: list[Claim]) -> tuple[Claim, Claim] | None:
    """Two claims of different units that hold on one day, the later line second; None where there are none."""
    for at, claim in enumerate(claims):
        for other in claims[:at]:
            overlap = max(claim.valid_from, other.valid_from) < min(claim.valid_to, other.valid_to)
            if overlap and claim.unit_code != other.unit_code:
                return other, claim
    return None

"""What an export shows, as plain values: one reader makes a ``Report``, each format has a writer that only reads it.

Rates, targets and the ends of intervals are in percent, moments carry their time zone, points are exact decimals.
A report holds case numbers, files and findings, and nothing of a citizen: no name, number, address or text.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from math import sqrt
from typing import Literal

from minhu.publish.diff import Diff
from minhu.scoring.clock_words import Clock

Z_95 = 1.959964
"""As in the macro ``wilson`` of the dbt project."""


@dataclass(frozen=True)
class Person:
    """Who stands for a release, as whoever makes logins told it. Never a login."""

    name: str
    office: str | None = None


@dataclass(frozen=True)
class Issuer:
    """The body that issues the bulletin, and the line for its seal."""

    name: str
    seal_line: str | None = None


@dataclass(frozen=True)
class Release:
    """What makes a score official. A report without one is a draft (试算) and says so on every page."""

    release_id: int
    revision: int
    hash: str
    published_at: datetime
    newest_revision: int
    """Of the period: a later one stands in this one's place."""
    why: str | None = None
    """Of a revision."""
    approval_key: str | None = None
    """The public key whose signature approved it; null: by login only."""
    anchor: str | None = None
    """The line by which anybody checks later that it was not rewritten (minhu.publish.anchor)."""
    closed_by: Person | None = None
    approved_by: Person | None = None
    """None where nobody said whose the login is."""

    @property
    def is_first(self) -> bool:
        return self.revision == 1

    @property
    def is_replaced(self) -> bool:
        return self.revision < self.newest_revision


@dataclass(frozen=True)
class Band:
    name: str
    at_least: Decimal


@dataclass(frozen=True)
class Indicator:
    """A line of the scheme's table. ``is_rate``: counted in percent; else a plain number, such as of violations.

    ``has_value``: whether it is counted, or made of parts that are put together to a value; not a sum of points.
    """

    code: str
    name: str
    is_rate: bool
    is_lower_better: bool
    note: str | None = None
    is_example: bool = False
    has_value: bool = True


@dataclass(frozen=True, slots=True)
class Cost:
    """A row that cost points. ``sources``: where each step was told, as ``feed file row``.

    ``marginal``: the points of the indicator without the row less those with it; null where that is not defined, for
    ``marginal_reason``. ``published_row``: its number in the release (明细号). ``clock``: the arithmetic of the limit,
    null where none was judged.
    """

    lost: Decimal
    marginal: Decimal | None
    marginal_reason: str | None
    published_row: str | None
    subject_kind: str
    subject_id: str
    feed_code: str
    feed_name: str
    case_no: str
    finding: str
    rule: str | None
    received_at: datetime | None
    dispatched_at: datetime | None
    due_at: datetime | None
    occurred_at: datetime | None
    clock: Clock | None
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """A unit, or a whole peer group, by one indicator. ``points`` is null where nothing was due.

    ``shrunken_value``: the rate drawn towards that of the peer group, which never takes the place of ``value``.
    ``is_pooled``: few rows were counted with those of earlier periods; the counts are those of all of them.
    ``is_suppressed``: its counts are too small for the public; they and all that tells them are null then.
    ``costs`` is null where nobody asked for them.
    """

    code: str
    numerator: Decimal | None
    denominator: Decimal | None
    value: Decimal | None
    wilson_low_pct: Decimal | None = None
    wilson_high_pct: Decimal | None = None
    target: Decimal | None = None
    points_max: Decimal | None = None
    points: Decimal | None = None
    funnel_flag: str | None = None
    shrunken_value: Decimal | None = None
    is_pooled: bool = False
    is_suppressed: bool = False
    costs: tuple[Cost, ...] | None = None

    @property
    def lost(self) -> Decimal | None:
        return None if self.points is None or self.points_max is None else self.points_max - self.points


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit's line. ``reason``: why it is listed apart, neither banded nor ranked. ``rank`` is null unless shown.

    ``listed_on``: the red or black list (红黑榜) on which it stands.
    """

    code: str
    name: str
    raw_points: Decimal | None
    score_100: Decimal | None
    assessed_points: Decimal | None
    band: str | None
    rank: int | None
    reason: str | None
    measured: tuple[Measured, ...]
    listed_on: str | None = None

    def by(self, code: str) -> Measured | None:
        return next((one for one in self.measured if one.code == code), None)

    @property
    def lost(self) -> Decimal:
        return sum((one.lost or Decimal(0) for one in self.measured), Decimal(0))

    @property
    def is_suppressed(self) -> bool:
        return any(one.is_suppressed for one in self.measured)


@dataclass(frozen=True)
class Group:
    """A peer group. ``rules``: how each indicator scores it, in words. ``totals``: its units' counts in sum."""

    code: str
    name: str
    points: Decimal
    rules: tuple[tuple[str, str], ...]
    units: tuple[Unit, ...]
    totals: tuple[Measured, ...]

    @property
    def listed(self) -> tuple[Unit, ...]:
        """Those that have a band, or a place."""
        return tuple(unit for unit in self.units if unit.reason is None)

    @property
    def apart(self) -> tuple[Unit, ...]:
        return tuple(unit for unit in self.units if unit.reason is not None)

    def total(self, code: str) -> Measured | None:
        return next((one for one in self.totals if one.code == code), None)


@dataclass(frozen=True)
class Report:
    """A scored period by one scheme. ``kind``: ``indicative`` or ``final``; ``is_complete``: the data reach its end.

    Units of a group stand by rank where ranks are shown, else by band and within it by code.
    """

    scheme_id: str
    scheme_version: str
    title: str
    basis: tuple[str, ...]
    has_examples: bool
    period: str
    first: date
    last: date
    kind: Literal["indicative", "final"]
    as_of: datetime
    is_complete: bool
    is_stale: bool
    build_id: int
    config_version: int
    is_ranked: bool
    is_shrunken: bool
    """Whether the scheme shows a second rate."""
    lists: tuple[str, ...]
    """The red and black lists of the scheme, by name."""
    bands: tuple[Band, ...]
    indicators: tuple[Indicator, ...]
    groups: tuple[Group, ...]
    release: Release | None = None
    diff: Diff | None = None
    """What the release changed against the revision before it."""
    issuer: Issuer | None = None
    """Of a release, where the city's configuration names one."""
    number: str | None = None
    """The document number (文号) of the bulletin."""
    is_public: bool = False

    @property
    def is_draft(self) -> bool:
        return self.release is None

    @property
    def dated(self) -> datetime:
        """The moment that a file is stamped with: nothing in it depends on when it was written."""
        return self.release.published_at if self.release else self.as_of

    @property
    def stamp(self) -> datetime:
        """``dated`` as office files hold it: UTC, without saying so."""
        return self.dated.astimezone(UTC).replace(tzinfo=None, microsecond=0)

    @property
    def names(self) -> dict[str, str]:
        """The indicators' names by code."""
        return {one.code: one.name for one in self.indicators}

    def is_rate(self, code: str | None) -> bool:
        """Whether the indicator of this code is counted in percent."""
        return any(one.is_rate for one in self.indicators if one.code == code)

    @property
    def moved_names(self) -> tuple[str, ...]:
        """The units that a revision moved, by name."""
        return tuple(one.unit_name for one in self.diff.units) if self.diff else ()

    @property
    def has_costs(self) -> bool:
        """Whether lost points are taken apart into rows, of any unit."""
        return any(one.costs is not None for _, unit in self.units() for one in unit.measured)

    @property
    def has_flags(self) -> bool:
        """Whether any rate lies outside the control limits of its group, as far as these were computed."""
        return any(one.funnel_flag for _, unit in self.units() for one in unit.measured)

    def on_list(self, name: str) -> list[tuple[Group, Unit]]:
        """The units on a red or black list; a unit of a small group may stand on both (``红榜、黑榜``)."""
        return [(group, unit) for group, unit in self.units() if name in (unit.listed_on or "").split("、")]

    def in_band(self, group: Group) -> Counter[str]:
        return Counter(unit.band for unit in group.listed if unit.band)

    def units(self) -> Iterator[tuple[Group, Unit]]:
        for group in self.groups:
            for unit in group.units:
                yield group, unit

    def costs(self) -> Iterator[tuple[Group, Unit, Measured, Cost]]:
        for group, unit in self.units():
            for one in unit.measured:
                for cost in one.costs or ():
                    yield group, unit, one, cost


def totals(indicators: Iterable[Indicator], units: Iterable[Unit]) -> tuple[Measured, ...]:
    """The counts of all ``units`` in sum, by indicator; a rate with its interval."""
    units = tuple(units)
    return tuple(_total(indicator, [unit.by(indicator.code) for unit in units]) for indicator in indicators)


def _total(indicator: Indicator, parts: list[Measured | None]) -> Measured:
    found = [part for part in parts if part]
    numerator = sum((part.numerator or Decimal() for part in found), Decimal())
    denominator = sum((part.denominator or Decimal() for part in found), Decimal())
    if not indicator.is_rate:  # a count sums up; a mean or a median does not
        sums_up = all(part.value == part.numerator for part in found)
        return Measured(indicator.code, numerator, denominator, numerator if sums_up else None)
    if not denominator:
        return Measured(indicator.code, numerator, denominator, None)
    targets = {part.target for part in found}
    low = high = None
    if any(part.wilson_low_pct is not None for part in found):
        low, high = wilson(numerator, denominator)
    value = (100 * numerator / denominator).quantize(Decimal("0.0001"), ROUND_HALF_UP)
    target = targets.pop() if len(targets) == 1 else None
    return Measured(indicator.code, numerator, denominator, value, low, high, target)


def wilson(numerator: Decimal, denominator: Decimal) -> tuple[Decimal, Decimal]:
    """Wilson's 95 % interval in percent, to two decimals: 6 of 7 is 48.69 to 97.43."""
    count, of = float(numerator), float(denominator)
    middle, spread = count + Z_95**2 / 2, Z_95 * sqrt(count * (of - count) / of + Z_95**2 / 4)
    low, high = (middle - spread) / (of + Z_95**2), (middle + spread) / (of + Z_95**2)
    return Decimal(f"{100 * low:.2f}"), Decimal(f"{100 * high:.2f}")

"""Counts a little otherwise, scored: as chance might have had them, or with one case more. Exact, and quick.

A tally of a city takes a third of a second, and a thousand draws of its counts would take minutes. Of a unit only the
indicators change whose counts are drawn, and of each only as many counts come as are close to its own: each is scored
once, by what scores it in a tally (``minhu.schemes.lines.Whole``). Their sums become scores in whole numbers, which
round nothing. ``tests/scoring/test_fairness.py`` holds all of it against ``tally``, draw by draw. Where a drawn count
is held against those of other units, every draw is a whole tally, and there are fewer.

What is drawn: of each rate of cases that are good or bad as many good ones as its own shrunken rate gives by chance
(binomial), of a count of cases as many as a rare thing that happens so often on average (Poisson). Everything else
stays: how many cases there were, points by hand, minutes, shares, what weighs more because it happens again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from minhu.schemes.arithmetic import SUM_DECIMALS, Peers, Terms, decimals_of, half_up
from minhu.schemes.counts import NOTHING, Given, UnitCounts
from minhu.schemes.language.indicator import Indicator, Line
from minhu.schemes.lines import ScoredIndicator, Whole, kept_decimals, own_value
from minhu.schemes.period import PeriodKind
from minhu.schemes.reference import Reference
from minhu.schemes.scheme import Scheme
from minhu.schemes.tally import ScoredUnit, after_events, band_of, references, tally, with_group_counts

NO_PLACE = -1
"""Stands for the score of a draw in which a unit has no place."""
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Result:
    """What becomes of a unit: its score, its band, and whether it has a place."""

    score: Decimal
    band: str | None
    has_place: bool


@dataclass(frozen=True)
class City:
    """The counts of a period and what a tally makes of them. ``counts`` have those of their groups."""

    scheme: Scheme
    day: date
    kind: PeriodKind
    counts: Mapping[str, UnitCounts]
    scored: Mapping[str, ScoredUnit]

    @classmethod
    def of(cls, scheme: Scheme, day: date, kind: PeriodKind, counts: Mapping[str, UnitCounts]) -> "City":
        whole = with_group_counts(scheme, counts)
        return cls(scheme, day, kind, whole, {one.unit: one for one in tally(scheme, day, whole, None, kind)})

    @cached_property
    def related(self) -> Mapping[tuple[str, str], Reference]:
        """What the values that are compared are held against, by (unit, line)."""
        return references(self.scheme, self.day, self.counts)

    def of_group(self, group: str) -> dict[str, UnitCounts]:
        return {unit: of for unit, of in self.counts.items() if of.peer_group == group}


class UnitAnew:
    """One unit that has a score, with other counts of some of its lines. Whether something was judged, and enough of
    it, rests on how many cases there were, which stays: so does what its points are of.
    """

    def __init__(self, city: City, unit: str):
        self.city, self.unit, self.scored = city, unit, city.scored[unit]
        self.of, self.group = city.counts[unit], city.scored[unit].peer_group
        scheme = city.scheme
        parts = [part for part in self.scored.indicators if part.points is not None]
        self.kept = kept_decimals(scheme)
        self.scale = max(self.kept, *(decimals_of(part.points_max) for part in self.scored.indicators), 0)
        self.wholes = [one for one in scheme.indicators if one.scores(self.group)]
        self.points = {one.code: self.scored.points_of([line.code for line in one.lines]) for one in self.wholes}
        full = {part.code: part.points_max for part in self.scored.indicators}
        self.full = {one.code: self._scaled(full[one.code]) for one in self.wholes}
        told = {part.code for part in parts}
        self.available = sum(self.full[one.code] for one in self.wholes if any(line.code in told for line in one.lines))
        self.whole = sum(self.full.values())

    @cached_property
    def plain(self) -> dict[str, Terms]:
        """The indicators whose points are those of their own value and of nothing else, and the numbers in force."""
        return {
            one.code: one.terms(self.group, self.city.day)
            for one in self.wholes
            if not (one.is_whole or one.is_event or one.compared) and one.applies_in(self.city.kind)
        }

    @property
    def may_be_ranked(self) -> bool:
        """Whether enough was judged, whatever happened."""
        return self.scored.not_ranked_reason in (None, "by_event")

    def _scaled(self, points: Decimal | None) -> int:
        return 0 if points is None else int(points.scaleb(self.scale))

    def line_points(
        self, one: Indicator, given: Mapping[str, Given], related: Mapping[tuple[str, str], Reference] | None = None
    ) -> tuple[int, tuple[ScoredIndicator, ...]]:
        """The points of an indicator for such counts, as a whole number, and the lines that are events."""
        if one.code in self.plain:
            value = own_value(self.city.scheme, one, self.group, self.city.day, given)
            if value is not None:
                return self._scaled(half_up(one.scoring.points(value, self.plain[one.code]), self.kept)), ()
        known = self.city.related if related is None else related
        mine = {line.code: known[self.unit, line.code] for line in one.lines if (self.unit, line.code) in known}
        whole = Whole(self.city.scheme, one, self.group, self.city.day, given, mine)
        if not one.applies_in(self.city.kind):
            lines = tuple(
                replace(line, value=None, points=None, is_empty=True, has_happened=None) for line in whole.lines
            )
            return self._scaled(self.points[one.code]), lines if one.is_event else ()
        return self._scaled(whole.points), tuple(whole.lines) if one.is_event else ()

    def totals(self, earned: npt.NDArray[np.object_], changed: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
        """Scores of 100 as whole numbers of the last decimal, as ``arithmetic.total`` gives them, one by one."""
        decimals = self.city.scheme.rounding.decimals
        above = _to_nine(earned, self.scale) * self.whole + _to_nine(changed, self.scale) * self.available
        below = self.available * self.whole
        above = above * (100 * 10**decimals)
        rounded = (2 * above + below) // (2 * below)  # what lies below 0 is cut off, so that a half goes up
        return np.minimum(np.maximum(rounded, 0), 100 * 10**decimals)

    def result(self, score: int, events: Sequence[ScoredIndicator]) -> Result:
        """What becomes of a score of so many of the last decimal, by what happened."""
        city = self.city
        points = Decimal(int(score)).scaleb(-city.scheme.rounding.decimals)
        cut, worst, may_rank = after_events(city.scheme, city.day, self.group, points, list(events))
        told = points if cut is None else cut
        band = band_of(city.scheme, told, worst) if self.may_be_ranked else None
        return Result(told, band, may_rank and self.may_be_ranked)

    @cached_property
    def events(self) -> dict[str, ScoredIndicator]:
        """The lines of the unit that are events, as they stand."""
        lines = {line.code for line in self.city.scheme.lines if line.is_event}
        return {part.code: part for part in self.scored.indicators if part.code in lines}

    def sums(self) -> tuple[int, int]:
        """What it earned, and what was taken off or added beside that, as it stands."""
        told = {code: self._scaled(points) for code, points in self.points.items()}
        return (
            sum(points for code, points in told.items() if self.full[code]),
            sum(points for code, points in told.items() if not self.full[code]),
        )

    def with_given(
        self, changed: Mapping[str, Given], related: Mapping[tuple[str, str], Reference] | None = None
    ) -> Result:
        """The unit with other counts of these lines."""
        earned, change = self.sums()
        events = dict(self.events)
        given = {**self.of.given, **changed}
        for one in {self.city.scheme.wholes[code].code: self.city.scheme.wholes[code] for code in changed}.values():
            points, told = self.line_points(one, given, related)
            moved = points - self._scaled(self.points[one.code])
            earned, change = (earned + moved, change) if self.full[one.code] else (earned, change + moved)
            events |= {line.code: line for line in told}
        score = self.totals(_objects([earned]), _objects([change]))[0]
        return self.result(score, list(events.values()))

    def draws(self, drawn: Mapping[str, Ints]) -> tuple[Ints, list[str | None]]:
        """Of each draw the score (``NO_PLACE`` where it has no place) and the band. ``drawn``: numerators by line."""
        count = len(next(iter(drawn.values()))) if drawn else 1
        earned, changed = (np.full(count, one, dtype=object) for one in self.sums())
        happened: list[tuple[list[tuple[ScoredIndicator, ...]], Ints]] = []
        for one in self.wholes:
            codes = [line.code for line in one.lines if line.code in drawn]
            if not codes:
                continue
            several, which = np.unique(np.stack([drawn[code] for code in codes]), axis=1, return_inverse=True)
            which = which.reshape(-1)
            told = [self.line_points(one, self._given(codes, column)) for column in several.T.tolist()]
            moved = _objects([points - self._scaled(self.points[one.code]) for points, _ in told])[which]
            earned, changed = (earned + moved, changed) if self.full[one.code] else (earned, changed + moved)
            if one.is_event:
                happened.append(([lines for _, lines in told], which))
        scores = self.totals(earned, changed).astype(np.int64)
        alike, which = np.unique(np.stack([scores, *(event for _, event in happened)]), axis=1, return_inverse=True)
        results = [self._result_of(column, [lines for lines, _ in happened]) for column in alike.T.tolist()]
        decimals = self.city.scheme.rounding.decimals
        points = [int(one.score.scaleb(decimals)) if one.has_place else NO_PLACE for one in results]
        which = which.reshape(-1)
        return np.array(points, dtype=np.int64)[which], [results[at].band for at in which.tolist()]

    def _result_of(self, column: Sequence[int], lines: Sequence[Sequence[tuple[ScoredIndicator, ...]]]) -> Result:
        score, *at = column
        events = dict(self.events)
        for several, chosen in zip(lines, at, strict=True):
            events |= {line.code: line for line in several[chosen]}
        return self.result(score, list(events.values()))

    def _given(self, codes: Sequence[str], numerators: Sequence[int]) -> dict[str, Given]:
        return {**self.of.given, **_with_numerators(self.of, dict(zip(codes, numerators, strict=True)))}


def _with_numerators(of: UnitCounts, numerators: Mapping[str, int]) -> dict[str, Given]:
    return {code: replace(of.given[code], numerator=Fraction(number)) for code, number in numerators.items()}


def _to_nine(points: npt.NDArray[np.object_], scale: int) -> npt.NDArray[np.object_]:
    """Sums rounded to nine decimals, where they have more; a half goes away from zero. In so many of ``scale``."""
    if scale <= SUM_DECIMALS:
        return points
    step = 10 ** (scale - SUM_DECIMALS)
    sign = np.where(points < 0, -1, 1).astype(object)
    return sign * ((2 * np.abs(points) + step) // (2 * step)) * step


def _objects(numbers: Sequence[int]) -> npt.NDArray[np.object_]:
    made = np.empty(len(numbers), dtype=object)
    made[:] = numbers
    return made


# What is drawn


def is_rate(line: Line, given: Given) -> bool:
    """Whether the line is a rate of cases that are good or bad, of which there were some."""
    return (
        line.is_binomial
        and given.numerator is not None
        and bool(given.denominator)
        and given.denominator is not None
        and given.denominator.denominator == 1
        and given.numerator.denominator == 1
        and 0 <= given.numerator <= given.denominator
    )


def is_count(line: Line, given: Given) -> bool:
    """Whether the line counts cases, each once."""
    return (
        not line.is_manual
        and not line.is_whole
        and line.aggregate == "count"
        and line.repeated is None
        and given.numerator is not None
        and given.numerator.denominator == 1
    )


def drawn_lines(city: City) -> set[str]:
    """The codes of the lines that are drawn of a unit."""
    return {line.code for _, line, _, given in _lines(city) if is_rate(line, given) or is_count(line, given)}


def rests_on_other_units(one: Indicator) -> bool:
    """Whether the indicator, or a part of it, is held against other units, so that no unit stands alone."""
    return any(line.compared is not None and line.compared.is_of_group for line in one.lines)


def draws_by_tally(city: City) -> bool:
    """Whether something is drawn that other units are held against."""
    drawn = drawn_lines(city)
    return any(
        rests_on_other_units(one) and any(line.code in drawn for line in one.lines) for one in city.scheme.indicators
    )


def draw(city: City, count: int, seed: int) -> dict[str, dict[str, Ints]]:
    """Numerators by unit and line. The stream of ``RandomState`` is frozen: the same seed draws the same for ever."""
    stream = np.random.RandomState(seed)
    peers: dict[tuple[str, str], list[tuple[Fraction, Fraction]]] = {}
    for _, line, group, given in _lines(city):
        if is_rate(line, given):
            peers.setdefault((group, line.code), []).append(_pair(given))
    taken = {place: Peers.of(told) for place, told in peers.items()}
    drawn: dict[str, dict[str, Ints]] = {unit: {} for unit in city.counts}
    for unit, line, group, given in _lines(city):
        above, below = _pair(given)
        if is_rate(line, given):
            rate = float(taken[group, line.code].shrunken(above, below)) / 100
            drawn[unit][line.code] = stream.binomial(int(below), min(max(rate, 0.0), 1.0), count).astype(np.int64)
        elif is_count(line, given):
            drawn[unit][line.code] = stream.poisson(float(above), count).astype(np.int64)
    return drawn


def _pair(given: Given) -> tuple[Fraction, Fraction]:
    return given.numerator or Fraction(), given.denominator or Fraction()


def _lines(city: City) -> Iterator[tuple[str, Line, str, Given]]:
    """The lines that score each unit, in an order that hangs on nothing else than codes and the scheme."""
    for unit, of in sorted(city.counts.items()):
        for line in city.scheme.lines:
            if line.scores(of.peer_group) and line.applies_in(city.kind):
                yield unit, line, of.peer_group, of.given.get(line.code, NOTHING)


def scores(city: City, drawn: Mapping[str, Mapping[str, Ints]]) -> dict[str, tuple[Ints, list[str | None]]]:
    """Of each unit that has a score, draw by draw: its score (``NO_PLACE`` without a place) and its band."""
    if draws_by_tally(city):
        return by_tally(city, drawn)
    return {
        unit: _of_all(UnitAnew(city, unit).draws(drawn[unit]), _count(drawn))
        for unit, one in city.scored.items()
        if one.score_100 is not None
    }


def _of_all(told: tuple[Ints, list[str | None]], count: int) -> tuple[Ints, list[str | None]]:
    """Of a unit of which nothing was drawn every draw is the one."""
    points, bands = told
    return told if len(points) == count else (np.repeat(points, count), bands * count)


def by_tally(city: City, drawn: Mapping[str, Mapping[str, Ints]]) -> dict[str, tuple[Ints, list[str | None]]]:
    """The same, by a tally of each draw."""
    decimals = city.scheme.rounding.decimals
    known = [unit for unit, one in city.scored.items() if one.score_100 is not None]
    points: dict[str, list[int]] = {unit: [] for unit in known}
    bands: dict[str, list[str | None]] = {unit: [] for unit in known}
    for at in range(_count(drawn)):
        counts = {
            unit: replace(of, given={**of.given, **_with_numerators(of, _at(drawn[unit], at))})
            for unit, of in city.counts.items()
        }
        for one in tally(city.scheme, city.day, counts, None, city.kind):
            if one.unit in points:
                has_place = one.score_100 is not None and one.not_ranked_reason is None
                points[one.unit].append(int((one.score_100 or Decimal()).scaleb(decimals)) if has_place else NO_PLACE)
                bands[one.unit].append(one.band)
    return {unit: (np.array(points[unit], dtype=np.int64), bands[unit]) for unit in known}


def _at(drawn: Mapping[str, Ints], at: int) -> dict[str, int]:
    return {code: int(numbers[at]) for code, numbers in drawn.items()}


def _count(drawn: Mapping[str, Mapping[str, Ints]]) -> int:
    return next((len(numbers) for of in drawn.values() for numbers in of.values()), 1)


def places(points: Mapping[str, Ints]) -> dict[str, Ints]:
    """The place of each unit of a group among them, draw by draw, 1 first, equal ones alike; 0 where it has none."""
    if not points:
        return {}
    whole = np.stack(list(points.values()))
    ordered = np.sort(whole, axis=0)
    better = np.empty_like(whole)
    for at in range(whole.shape[1]):
        better[:, at] = len(whole) - np.searchsorted(ordered[:, at], whole[:, at], side="right")
    told = np.where(whole == NO_PLACE, 0, better + 1)
    return dict(zip(points, told, strict=True))

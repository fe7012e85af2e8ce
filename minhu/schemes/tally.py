"""A scheme applied to counts: points, scores, bands and places of units. The only place where counts become points.

`minhu score` and a verification hand over what SQL counted, a trial (试算) what somebody typed, a what-if the counts of
the last score. Pure: no file, no database, no clock.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

from minhu.schemes import arithmetic
from minhu.schemes.arithmetic import Component, half_up
from minhu.schemes.counts import NOTHING, Given, UnitCounts
from minhu.schemes.language.functions import Event
from minhu.schemes.language.indicator import Line
from minhu.schemes.language.publication import Listing
from minhu.schemes.language.relative import Compared
from minhu.schemes.lines import ScoredIndicator, Whole, is_told, kept_decimals, own_value, rows_behind
from minhu.schemes.period import PeriodKind
from minhu.schemes.reference import Reference, of_group
from minhu.schemes.scheme import Scheme


@dataclass(frozen=True)
class Shorter:
    """What shorter periods gave of which one is a mean, each by its name: of those that gave any, the points by unit
    and indicator, and the scores by unit. ``best``: only so many of a unit's best scores count."""

    points: Mapping[tuple[str, str], Mapping[str, Decimal]]
    scores: Mapping[str, Mapping[str, Decimal]]
    weights: Mapping[str, Fraction]
    best: int | None = None

    def mean_score(self, unit: str) -> Fraction | None:
        return self._mean(self.scores.get(unit, {}), unit)

    def mean_points(self, unit: str, code: str) -> Fraction | None:
        return self._mean(self.points.get((unit, code), {}), unit)

    def _mean(self, given: Mapping[str, Decimal], unit: str) -> Fraction | None:
        counted = set(given)
        if self.best is not None:
            scores = self.scores.get(unit, {})
            ordered = sorted(scores, key=lambda period: (-scores[period], period))
            counted &= set(ordered[: self.best])
        weight = sum((self.weights[period] for period in counted), Fraction())
        whole = sum((self.weights[period] * Fraction(given[period]) for period in counted), Fraction())
        return whole / weight if counted else None


@dataclass(frozen=True)
class ScoredUnit:
    """A unit's line, as ``mart.fct_unit_score`` has it."""

    unit: str
    peer_group: str
    raw_points: Decimal | None
    score_100: Decimal | None
    assessed_points: Decimal | None
    band: str | None
    rank_in_group: int | None
    not_ranked_reason: str | None
    listed_on: str | None
    indicators: tuple[ScoredIndicator, ...]

    @property
    def ranked_by(self) -> Decimal:
        """Its score, which a unit that is ranked has."""
        return self.score_100 or Decimal()

    def points_of(self, codes: Sequence[str]) -> Decimal | None:
        """What the lines of these codes give together; null where none of them applies."""
        told = [part.points for part in self.indicators if part.code in codes and part.points is not None]
        return sum(told, Decimal()) if told else None

    def indicator(self, code: str) -> ScoredIndicator | None:
        return next((part for part in self.indicators if part.code == code), None)


def tally(
    scheme: Scheme,
    day: date,
    units: Mapping[str, UnitCounts],
    shorter: Shorter | None = None,
    kind: PeriodKind | None = None,
) -> list[ScoredUnit]:
    """The scores of ``units`` in the period that begins on ``day``, in the order given.

    ``shorter``: where the period is a mean of shorter ones, what those gave; its own counts stand beside it. ``kind``:
    whether it is a month, a quarter or a year; unless given, every indicator applies.
    """
    counted = with_group_counts(scheme, units)
    peers = _peers(scheme, counted)
    related = references(scheme, day, counted)
    scored = [_unit(scheme, day, unit, of, peers, related, shorter, kind) for unit, of in counted.items()]
    return _placed(scheme, scored)


def with_group_counts(scheme: Scheme, units: Mapping[str, UnitCounts]) -> dict[str, UnitCounts]:
    """The units with the denominators that their peer groups make: of a share, the group's count."""
    shares = [line.code for line in scheme.lines if line.aggregate == "share"]
    whole: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    for of in units.values():
        for code in shares:
            whole[of.peer_group, code] += of.given.get(code, NOTHING).numerator or 0
    filled = {}
    for unit, of in units.items():
        given = {code: of.given.get(code, NOTHING) for code in shares}
        own = {
            code: Given(one.numerator or Fraction(), whole[of.peer_group, code])
            for code, one in given.items()
            if one.denominator is None and one.value is None
        }
        filled[unit] = replace(of, given={**of.given, **own})
    return filled


def references(scheme: Scheme, day: date, units: Mapping[str, UnitCounts]) -> dict[tuple[str, str], Reference]:
    """What the values that are compared are held against, by (unit, line). ``units`` have the counts of their group."""
    related: dict[tuple[str, str], Reference] = {}
    compared = [(one, one.compared) for one in scheme.lines if one.compared is not None]
    if not compared:
        return related
    may_rank = {unit for unit, of in units.items() if _is_enough(scheme, day, of)}
    for line, with_what in compared:
        concerned = {unit: of for unit, of in units.items() if line.scores(of.peer_group)}
        if not with_what.is_of_group:
            for unit, of in concerned.items():
                if (number := _earlier(scheme, line, with_what, of, day)) is not None:
                    related[unit, line.code] = Reference(number=number)
            continue
        groups: dict[str, dict[str, tuple[Fraction, Given]]] = defaultdict(dict)
        for unit, of in concerned.items():
            value = own_value(scheme, line, of.peer_group, day, of.given)
            if value is not None and unit in may_rank:
                groups[of.peer_group][unit] = value, of.given.get(line.code, NOTHING)
        made = {group: of_group(line, members) for group, members in groups.items()}
        for unit, of in concerned.items():
            if one := made.get(of.peer_group, {}).get(unit) or _of_any(with_what, made.get(of.peer_group, {})):
                related[unit, line.code] = one
    return related


def _of_any(with_what: Compared, made: Mapping[str, Reference]) -> Reference | None:
    """What a unit that may not be ranked is held against, too; it has no place."""
    return None if with_what.to == "group_rank" else next(iter(made.values()), None)


def _earlier(scheme: Scheme, line: Line, with_what: Compared, of: UnitCounts, day: date) -> Fraction | None:
    """What the unit's value is held against that it made itself before, or that is set."""
    own = of.given.get(line.code, NOTHING)
    if own.reference is not None:
        return own.reference
    if with_what.is_earlier:
        lines = scheme.wholes[line.code].lines if line.is_whole else (line,)
        given = {
            one.code: Given(before.numerator, before.denominator)
            for one in lines
            for before in of.given.get(one.code, NOTHING).before[:1]
        }
        value = own_value(scheme, line, of.peer_group, day, given) if given else None
        if value is not None:
            return value
    set_down = line.terms(of.peer_group, day).baseline
    return None if set_down is None else Fraction(set_down)


def _is_enough(scheme: Scheme, day: date, of: UnitCounts) -> bool:
    """Whether so much of a unit was judged that it may be ranked."""
    judged: list[Fraction | None] = []
    for indicator in scheme.indicators:
        if not indicator.scores(of.peer_group) or not indicator.terms(of.peer_group, day).points:
            continue
        for line in (line for line in indicator.lines if line.judges and line.scores(of.peer_group)):
            given = of.given.get(line.code, NOTHING)
            if own_value(scheme, line, of.peer_group, day, of.given) is None or not is_told(line, given):
                continue
            if line.is_manual:
                return True
            judged.append(rows_behind(line, given))
    counted = [rows for rows in judged if rows is not None]
    return bool(judged) and (not counted or max(counted) >= scheme.least(of.peer_group, day))


def _peers(scheme: Scheme, units: Mapping[str, UnitCounts]) -> dict[tuple[str, str], arithmetic.Peers]:
    """The rates of a peer group taken together, by (group, line): of those of which something was counted."""
    counts: dict[tuple[str, str], list[tuple[Fraction, Fraction]]] = defaultdict(list)
    rates = {line.code for line in scheme.lines if line.is_binomial}
    for of in units.values():
        for code, given in of.given.items():
            if code in rates and given.numerator is not None and given.denominator:
                counts[of.peer_group, code].append((given.numerator, given.denominator))
    return {place: arithmetic.Peers.of(told) for place, told in counts.items()}


def _unit(
    scheme: Scheme,
    day: date,
    unit: str,
    of: UnitCounts,
    peers: Mapping[tuple[str, str], arithmetic.Peers],
    related: Mapping[tuple[str, str], Reference],
    shorter: Shorter | None,
    kind: PeriodKind | None,
) -> ScoredUnit:
    parts, components = [], []
    kept, is_entered = kept_decimals(scheme), False
    for indicator in scheme.indicators:
        if not indicator.scores(of.peer_group):
            continue
        mine = {line.code: related[unit, line.code] for line in indicator.lines if (unit, line.code) in related}
        whole = Whole(scheme, indicator, of.peer_group, day, of.given, mine)
        lines = whole.lines
        if not indicator.applies_in(kind):
            lines = [replace(one, value=None, points=None, is_empty=True, has_happened=None) for one in lines]
        elif shorter is not None and not indicator.periods and not indicator.is_event:
            lines = [_mean_of(shorter, unit, one, kept) for one in lines]
        judged = [
            line
            for line, one in zip(whole.counted, lines, strict=True)
            if line.judges
            and not (one.is_empty or lines[0].is_empty)
            and is_told(line, of.given.get(line.code, NOTHING))
        ]
        is_entered = is_entered or any(line.is_manual and lines[0].points_max > 0 for line in judged)
        rows = [rows_behind(line, of.given[line.code]) for line in judged if not line.is_manual]
        points = [one.points for one in lines if one.points is not None]
        components.append(
            Component(
                points=sum(points, Decimal()) if points else None,
                points_max=lines[0].points_max,
                is_judged=bool(judged),
                n=max((one for one in rows if one is not None), default=None),
            )
        )
        for line, one in zip(whole.counted, lines, strict=True):
            given = of.given.get(line.code, NOTHING)
            parts.append(_with_statistics(line, one, given, peers.get((of.peer_group, line.code))))
    decimals = scheme.rounding.decimals
    made = arithmetic.total(components, decimals)
    total, judged_rows = made.score_100, made.n
    if shorter is not None:
        total, judged_rows = _of_shorter(scheme, shorter, unit, parts), made.n or Fraction()
    total, worst, may_rank = after_events(scheme, day, of.peer_group, total, parts)
    is_enough = judged_rows is None or judged_rows >= scheme.least(of.peer_group, day) or is_entered
    score = total if is_enough else None
    reason = "too_few" if total is not None else "nothing_due" if of.has_case else "no_case"
    if score is not None and not may_rank:
        reason = "by_event"
    group = scheme.group(of.peer_group)
    return ScoredUnit(
        unit=unit,
        peer_group=of.peer_group,
        raw_points=made.raw_points,
        score_100=total,
        assessed_points=arithmetic.assessed(total, group.points, decimals),
        band=None if score is None else band_of(scheme, score, worst),
        rank_in_group=None,
        not_ranked_reason=reason if score is None or not may_rank else None,
        listed_on=None,
        indicators=tuple(parts),
    )


def _mean_of(shorter: Shorter, unit: str, one: ScoredIndicator, kept: int) -> ScoredIndicator:
    mean = shorter.mean_points(unit, one.code)
    return replace(one, points=None if mean is None else half_up(mean, kept))


def _of_shorter(scheme: Scheme, shorter: Shorter, unit: str, parts: Sequence[ScoredIndicator]) -> Decimal | None:
    """The mean of shorter periods, and on it what the longer one alone adds or takes, of the points of the scheme."""
    mean = shorter.mean_score(unit)
    if mean is None:
        return None
    own = {line.code for line in scheme.lines if line.periods}
    changed = sum((Fraction(part.points) for part in parts if part.code in own and part.points), Fraction())
    full = sum((Fraction(part.points_max) for part in parts), Fraction())
    whole = mean + 100 * changed / full if changed else mean
    return half_up(max(Fraction(), min(Fraction(100), whole)), scheme.rounding.decimals)


def after_events(
    scheme: Scheme, day: date, group: str, score: Decimal | None, parts: Sequence[ScoredIndicator]
) -> tuple[Decimal | None, str | None, bool]:
    """What becomes of a score by what happened: the score, the best band that it may have, whether it has a place."""
    worst, may_rank = None, True
    names = [band.name_zh for band in scheme.bands]
    for part in parts:
        event = scheme.indicator(part.code).scoring
        if not isinstance(event, Event) or not part.has_happened:
            continue
        terms = scheme.indicator(part.code).terms(group, day)
        if score is not None and terms.score_at_most is not None:
            score = min(score, half_up(Fraction(terms.score_at_most), scheme.rounding.decimals))
        if event.band_at_most is not None and (worst is None or names.index(event.band_at_most) > names.index(worst)):
            worst = event.band_at_most
        may_rank = may_rank and event.ranked
    return score, worst, may_rank


def _with_statistics(
    indicator: Line, scored: ScoredIndicator, given: Given, peers: arithmetic.Peers | None
) -> ScoredIndicator:
    if not indicator.is_binomial:
        return scored
    if scored.pooled_numerator is not None and scored.pooled_denominator:
        # the interval is that of all rows; beside its peers' own month a unit's several are not put
        low, high = arithmetic.wilson(Fraction(scored.pooled_numerator), Fraction(scored.pooled_denominator))
        return replace(scored, wilson_low=low, wilson_high=high)
    if given.numerator is None or not given.denominator or peers is None:
        return scored
    low, high = arithmetic.wilson(given.numerator, given.denominator)
    return replace(
        scored,
        wilson_low=low,
        wilson_high=high,
        funnel_flag=arithmetic.funnel(given.numerator, given.denominator, peers.numerator, peers.denominator),
        shrunken_value=peers.shrunken(given.numerator, given.denominator),
    )


def band_of(scheme: Scheme, score: Decimal, worst: str | None) -> str | None:
    """The band of a score, no better than ``worst``."""
    names = [band.name_zh for band in scheme.bands]
    reached = next((band.name_zh for band in scheme.bands if score >= band.at_least), None)
    if reached is None or worst is None:
        return reached
    return names[max(names.index(reached), names.index(worst))]


def _placed(scheme: Scheme, units: list[ScoredUnit]) -> list[ScoredUnit]:
    """The units with their places among their peers and the lists on which they stand."""
    ranked = [unit for unit in units if unit.not_ranked_reason is None]
    places = {
        group.code: arithmetic.ranks(unit.ranked_by for unit in ranked if unit.peer_group == group.code)
        for group in scheme.peer_groups
    }
    named: dict[str, list[str]] = {unit.unit: [] for unit in units}
    for listing in scheme.publication.lists:
        for unit in _listed(listing, ranked):
            named[unit.unit].append(listing.name_zh)
    return [
        replace(
            unit,
            rank_in_group=places[unit.peer_group].get(unit.ranked_by) if unit.not_ranked_reason is None else None,
            listed_on="、".join(named[unit.unit]) or None,
        )
        for unit in units
    ]


def _listed(listing: Listing, ranked: list[ScoredUnit]) -> list[ScoredUnit]:
    """The units on a list: as many as it holds, and those that share the last place."""
    sign = 1 if listing.take == "best" else -1
    pools = defaultdict(list)
    for unit in ranked:
        pools[unit.peer_group if listing.within == "peer_group" else ""].append(unit)
    return [
        unit
        for pool in pools.values()
        for places in [arithmetic.ranks(sign * peer.ranked_by for peer in pool)]
        for unit in pool
        if places[sign * unit.ranked_by] <= listing.count
    ]

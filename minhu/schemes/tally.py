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
from minhu.schemes.language.count import PLAIN, QUANTILES
from minhu.schemes.language.functions import Event
from minhu.schemes.language.indicator import Indicator
from minhu.schemes.language.publication import Listing
from minhu.schemes.period import PeriodKind
from minhu.schemes.scheme import Scheme


@dataclass(frozen=True)
class Given:
    """What is known of a unit by one indicator: counts, or only the value.

    ``value``: a rate in percent, a count, or points entered by hand. ``denominator`` of a share: the group's count,
    filled in by ``tally`` where it is null.
    """

    numerator: Fraction | None = None
    denominator: Fraction | None = None
    value: Fraction | None = None


NOTHING = Given()


@dataclass(frozen=True)
class UnitCounts:
    """A unit with what is known of it, by indicator. ``has_case``: whether a case was dispatched to it."""

    peer_group: str
    given: Mapping[str, Given]
    has_case: bool = True


@dataclass(frozen=True)
class ScoredIndicator:
    """``value``: the rate in percent to four decimals, or the count. ``points`` is null where it does not apply."""

    code: str
    numerator: Decimal | None
    denominator: Decimal | None
    value: Decimal | None
    points_max: Decimal
    points: Decimal | None
    is_empty: bool
    wilson_low: Decimal | None = None
    wilson_high: Decimal | None = None
    funnel_flag: str | None = None
    shrunken_value: Decimal | None = None


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
    counted = _with_group_counts(scheme, units)
    peers = _peers(scheme, counted)
    scored = [_unit(scheme, day, unit, of, peers, shorter, kind) for unit, of in counted.items()]
    return _placed(scheme, scored)


def points_of(scheme: Scheme, indicator: Indicator, peer_group: str, day: date, given: Given) -> Decimal | None:
    """The points of one indicator for what was counted; null where it does not apply. A share has its denominator."""
    return _indicator(scheme, indicator, peer_group, day, given).points


def _with_group_counts(scheme: Scheme, units: Mapping[str, UnitCounts]) -> dict[str, UnitCounts]:
    """The units with the denominators that their peer groups make: of a share, the group's count."""
    shares = [indicator.code for indicator in scheme.indicators if indicator.aggregate == "share"]
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


def _peers(scheme: Scheme, units: Mapping[str, UnitCounts]) -> dict[tuple[str, str], arithmetic.Peers]:
    """The rates of a peer group taken together, by (group, indicator): of those of which something was counted."""
    counts: dict[tuple[str, str], list[tuple[Fraction, Fraction]]] = defaultdict(list)
    rates = {indicator.code for indicator in scheme.indicators if indicator.is_binomial}
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
    shorter: Shorter | None,
    kind: PeriodKind | None,
) -> ScoredUnit:
    parts, components = [], []
    kept, is_entered = _kept_decimals(scheme), False
    for indicator in scheme.indicators:
        if not indicator.scores(of.peer_group):
            continue
        given = of.given.get(indicator.code, NOTHING)
        scored = _indicator(scheme, indicator, of.peer_group, day, given)
        if not indicator.applies_in(kind):
            scored = replace(scored, value=None, points=None, is_empty=True)
        elif shorter is not None and not indicator.periods and not indicator.is_event:
            mean = shorter.mean_points(unit, indicator.code)
            scored = replace(scored, points=None if mean is None else half_up(mean, kept))
        judged = indicator.judges and not scored.is_empty and _is_told(indicator, given)
        is_entered = is_entered or (judged and indicator.is_manual and scored.points_max > 0)
        rows = None if indicator.is_manual else given.denominator
        components.append(Component(scored.points, scored.points_max, judged, rows))
        parts.append(_with_statistics(indicator, scored, given, peers.get((of.peer_group, indicator.code))))
    decimals = scheme.rounding.decimals
    made = arithmetic.total(components, decimals)
    total, judged_rows = made.score_100, made.n
    if shorter is not None:
        total, judged_rows = _of_shorter(scheme, shorter, unit, parts), made.n or Fraction()
    total, worst, may_rank = _after_events(scheme, day, of.peer_group, total, parts)
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
        band=None if score is None else _band(scheme, score, worst),
        rank_in_group=None,
        not_ranked_reason=reason if score is None or not may_rank else None,
        listed_on=None,
        indicators=tuple(parts),
    )


def _indicator(scheme: Scheme, indicator: Indicator, group: str, day: date, given: Given) -> ScoredIndicator:
    terms = indicator.terms(group, day)
    value = _value(scheme, indicator, given)
    if (
        indicator.least(group, day)
        and given.denominator is not None
        and given.denominator < indicator.least(group, day)
    ):
        value = None
    kept = _kept_decimals(scheme)
    if value is not None:
        points = half_up(indicator.scoring.points(value, terms), kept)
    elif indicator.when_empty == "left_out":
        points = None
    else:
        points = half_up(Fraction(terms.points if indicator.when_empty == "full_points" else 0), kept)
    if indicator.is_manual and not indicator.is_event:
        shown = None if value is None else points
    else:
        is_plain = indicator.aggregate in PLAIN or indicator.is_manual
        shown = _decimal(value) if is_plain else _to_four(value)
    return ScoredIndicator(
        code=indicator.code,
        numerator=_decimal(given.numerator),
        denominator=_decimal(given.denominator),
        value=shown,
        points_max=terms.points,
        points=points,
        is_empty=value is None,
    )


def _is_told(indicator: Indicator, given: Given) -> bool:
    """Whether something was counted or entered; changes by hand are told of by none, too."""
    return bool(given.denominator) or given.value is not None or indicator.takes_changes


def _kept_decimals(scheme: Scheme) -> int:
    """To how many decimals an indicator's points are kept before they are added."""
    return scheme.rounding.decimals if scheme.rounding.order == "components_first" else arithmetic.KEPT_DECIMALS


def _of_shorter(scheme: Scheme, shorter: Shorter, unit: str, parts: Sequence[ScoredIndicator]) -> Decimal | None:
    """The mean of shorter periods, and on it what the longer one alone adds or takes, of the points of the scheme."""
    mean = shorter.mean_score(unit)
    if mean is None:
        return None
    own = {indicator.code for indicator in scheme.indicators if indicator.periods}
    changed = sum((Fraction(part.points) for part in parts if part.code in own and part.points), Fraction())
    full = sum((Fraction(part.points_max) for part in parts), Fraction())
    whole = mean + 100 * changed / full if changed else mean
    return half_up(max(Fraction(), min(Fraction(100), whole)), scheme.rounding.decimals)


def _after_events(
    scheme: Scheme, day: date, group: str, score: Decimal | None, parts: Sequence[ScoredIndicator]
) -> tuple[Decimal | None, str | None, bool]:
    """What becomes of a score by what happened: the score, the best band that it may have, whether it has a place."""
    worst, may_rank = None, True
    names = [band.name_zh for band in scheme.bands]
    for part in parts:
        indicator = scheme.indicator(part.code)
        terms, event = indicator.terms(group, day), indicator.scoring
        value = None if part.value is None else Fraction(part.value)
        if not isinstance(event, Event) or not event.has_happened(value, terms):
            continue
        if score is not None and terms.score_at_most is not None:
            score = min(score, half_up(Fraction(terms.score_at_most), scheme.rounding.decimals))
        if event.band_at_most is not None and (worst is None or names.index(event.band_at_most) > names.index(worst)):
            worst = event.band_at_most
        may_rank = may_rank and event.ranked
    return score, worst, may_rank


def _value(scheme: Scheme, indicator: Indicator, given: Given) -> Fraction | None:
    """What the scoring function reads: a rate in percent, a count, a mean, points entered by hand. None: nothing."""
    if indicator.is_manual:
        return given.value if given.value is not None or not indicator.takes_changes else Fraction()
    if indicator.aggregate in PLAIN:
        found = given.numerator if given.numerator is not None else given.value
        return found if found is not None else Fraction()
    rate = given.value
    if given.numerator is not None and given.denominator is not None:
        if not given.denominator:
            return None
        if indicator.aggregate not in QUANTILES:
            rate = indicator.scale * given.numerator / given.denominator
        elif rate is None:
            rate = given.numerator
    if rate is None or scheme.rounding.rate_decimals is None or not indicator.is_percent:
        return rate
    return Fraction(half_up(rate, scheme.rounding.rate_decimals))


def _with_statistics(
    indicator: Indicator, scored: ScoredIndicator, given: Given, peers: arithmetic.Peers | None
) -> ScoredIndicator:
    if not indicator.is_binomial or given.numerator is None or not given.denominator or peers is None:
        return scored
    low, high = arithmetic.wilson(given.numerator, given.denominator)
    return replace(
        scored,
        wilson_low=low,
        wilson_high=high,
        funnel_flag=arithmetic.funnel(given.numerator, given.denominator, peers.numerator, peers.denominator),
        shrunken_value=peers.shrunken(given.numerator, given.denominator),
    )


def _band(scheme: Scheme, score: Decimal, worst: str | None) -> str | None:
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


def _to_four(value: Fraction | None) -> Decimal | None:
    return None if value is None else half_up(value, 4)


def _decimal(value: Fraction | None) -> Decimal | None:
    """A fraction that was read from a decimal number, as one again."""
    return None if value is None else half_up(value, 6).normalize() + 0

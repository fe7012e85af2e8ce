"""How far the order of a scored period may be trusted: what of it is chance, what decides it, who stands on an edge.

Advice: it moves no point, and no rule reads it. Pure: no file, no database, no clock; numbers are drawn by a seed that
stands in the result, so that whoever has the counts gets the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import ceil, exp, floor, isqrt, lgamma, log
from typing import Literal

from minhu.schemes.arithmetic import Z_95, Z_998, Peers, funnel, half_up, shared_out
from minhu.schemes.counts import NOTHING, Given, UnitCounts
from minhu.schemes.language.indicator import Indicator, Line
from minhu.schemes.period import Period
from minhu.schemes.plain import plain
from minhu.schemes.reference import Reference
from minhu.schemes.scheme import Scheme
from minhu.schemes.tally import ScoredUnit, references
from minhu.scoring import resampled
from minhu.scoring.resampled import City, UnitAnew, is_rate
from minhu.scoring.whatif import cost_of_100

SEED = 12345
DRAWS = 1000
DRAWS_BY_TALLY = 100
"""Where units are held against each other by what is drawn, each draw is a whole tally."""
STEADY = Fraction(9, 10)
"""Who keeps its band in so many draws has a steady one."""
RELIABLE = Fraction(8, 10)
AROUND = 12
"""Beyond so many standard deviations nothing is added up: it is less than any decimal that is told."""


@dataclass(frozen=True)
class Noise:
    """A rate of the units of a peer group: how much of what sets them apart is chance.

    ``rate_pct`` of all their rows together. ``noise_pct``: the share of the variance between units that chance alone
    makes, p(1−p)/n; null where they do not differ. ``reliability``: the variance between units that is more than
    chance, of that with chance at the median n; null where there is neither. ``reliable_n``: the n for 0.8, null where
    no n is enough. ``outside_…``: units outside the control limits, and how many chance puts there.
    """

    indicator_code: str
    name_zh: str
    units: int
    rate_pct: Decimal
    noise_pct: Decimal | None
    median_n: Decimal
    reliability: Decimal | None
    reliable_n: int | None
    outside_95: int
    expected_95: Decimal
    outside_99_8: int
    expected_99_8: Decimal


@dataclass(frozen=True)
class Decides:
    """An indicator's part of the variance of the scores of a group, in percent; the parts of a group sum to 100.

    Of ``indicator_code`` null: caps, vetoes and rounding. Below 0: it draws the units together.
    """

    indicator_code: str | None
    name_zh: str
    share_pct: Decimal


@dataclass(frozen=True)
class Stands:
    """A unit over all draws: in how many of them it has its band, and where its place lies in nine of ten."""

    unit_code: str
    unit_name: str
    band: str
    kept_pct: Decimal
    place: int | None
    place_low: int | None
    place_high: int | None


@dataclass(frozen=True)
class Edge:
    """A unit that one case takes into another band: one more good row of the indicator, or one fewer."""

    unit_code: str
    unit_name: str
    peer_group: str
    indicator_code: str
    name_zh: str
    is_more: bool
    was: str
    now: str | None


@dataclass(frozen=True)
class GroupFairness:
    """A peer group. ``steady_pct``: the share of its units in a band that keep it in nine of ten draws."""

    code: str
    name_zh: str
    units: int
    ranked: int
    noise: tuple[Noise, ...]
    decides: tuple[Decides, ...]
    stands: tuple[Stands, ...]
    steady_pct: Decimal | None


@dataclass(frozen=True)
class Fairness:
    """``draws``: 0 where ``not_drawn`` says why no counts are drawn, and no edges are looked for.

    ``drawn``, ``held``: indicators whose counts were drawn, and those that stayed. ``otherwise``: units that these
    counts give another score today than the one that stands.
    """

    scheme_id: str
    scheme_version: str
    title: str
    period: str
    revision: int | None
    shows_ranks: bool
    seed: int
    draws: int
    not_drawn: Literal["of_means"] | None
    drawn: tuple[str, ...]
    held: tuple[str, ...]
    otherwise: int
    groups: tuple[GroupFairness, ...]
    edges: tuple[Edge, ...]

    def as_json(self) -> dict:
        return plain(self)


def fairness(
    scheme: Scheme,
    period: Period,
    units: Mapping[str, ScoredUnit],
    counts: Mapping[str, UnitCounts],
    names: Mapping[str, str],
    *,
    revision: int | None = None,
    draws: int | None = None,
    seed: int = SEED,
) -> Fairness:
    """The report of a scored period: ``units`` as they stand, ``counts`` what was counted of them.

    ``draws``: as many as the city can have in a few seconds unless given.
    """
    is_mean = scheme.parts(period) is not None
    city = None if is_mean else City.of(scheme, scheme.first_day(period), period.kind, counts)
    drawn = resampled.drawn_lines(city) if city else set()
    if city is None:
        draws = 0
    elif draws is None:
        draws = DRAWS_BY_TALLY if resampled.draws_by_tally(city) else DRAWS
    told = resampled.scores(city, resampled.draw(city, draws, seed)) if city else {}
    groups = []
    for group in scheme.peer_groups:
        members = {unit: one for unit, one in sorted(units.items()) if one.peer_group == group.code}
        if not members:
            continue
        stands = tuple(_stands(members, {unit: told[unit] for unit in members if unit in told}, names))
        groups.append(
            GroupFairness(
                code=group.code,
                name_zh=group.name_zh,
                units=len(members),
                ranked=sum(one.not_ranked_reason is None for one in members.values()),
                noise=tuple(_noise(scheme, group.code, {unit: counts[unit] for unit in members if unit in counts})),
                decides=tuple(decides(scheme, list(members.values()))),
                stands=stands,
                steady_pct=_steady(stands),
            )
        )
    titles = {line.code: line.name_zh for line in scheme.lines if not line.is_whole}
    return Fairness(
        scheme_id=scheme.scheme_id,
        scheme_version=scheme.scheme_version,
        title=scheme.title,
        period=period.text,
        revision=revision,
        shows_ranks=scheme.publication.ranking,
        seed=seed,
        draws=draws or 0,
        not_drawn="of_means" if is_mean else None,
        drawn=tuple(name for code, name in titles.items() if code in drawn),
        held=tuple(name for code, name in titles.items() if code not in drawn),
        otherwise=sum(one.score_100 != units[unit].score_100 for unit, one in city.scored.items()) if city else 0,
        groups=tuple(groups),
        edges=tuple(edges(city, units, names)) if city else (),
    )


# What of it is chance


def _noise(scheme: Scheme, group: str, counts: Mapping[str, UnitCounts]) -> Iterator[Noise]:
    for line in scheme.lines:
        if not line.is_binomial or not line.scores(group):
            continue
        told = [of.given.get(line.code, NOTHING) for of in counts.values()]
        pairs = [
            (given.numerator, given.denominator)
            for given in told
            if is_rate(line, given) and given.numerator is not None and given.denominator is not None
        ]
        if len(pairs) > 1:
            yield noise(line, pairs)


def noise(line: Line, pairs: Sequence[tuple[Fraction, Fraction]]) -> Noise:
    """Of the rates of at least two units, given as numerator and denominator above 0."""
    peers = Peers.of(pairs)
    rate = peers.numerator / peers.denominator
    chance = rate * (1 - rate)
    spread = sum((of * (one / of - rate) ** 2 for one, of in pairs), Fraction())
    share = min(Fraction(1), (len(pairs) - 1) * chance / spread) if spread else (Fraction(1) if chance else None)
    middle = median([of for _, of in pairs])
    by_chance = chance / middle
    all_of_it = peers.between_units + by_chance
    enough = RELIABLE / (1 - RELIABLE) * chance / peers.between_units if peers.between_units else None
    flags = [funnel(one, of, peers.numerator, peers.denominator) for one, of in pairs]
    expected = [_outside(int(of), rate) for _, of in pairs]
    return Noise(
        indicator_code=line.code,
        name_zh=line.name_zh,
        units=len(pairs),
        rate_pct=half_up(100 * rate, 4),
        noise_pct=None if share is None else half_up(100 * share, 1),
        median_n=half_up(middle, 1),
        reliability=half_up(peers.between_units / all_of_it, 4) if all_of_it else None,
        reliable_n=max(1, ceil(enough)) if enough is not None else None,
        outside_95=sum(flag is not None for flag in flags),
        expected_95=half_up(Fraction(sum(of_95 for of_95, _ in expected)), 2),
        outside_99_8=sum(flag is not None and flag.endswith("_99_8") for flag in flags),
        expected_99_8=half_up(Fraction(sum(of_998 for _, of_998 in expected)), 2),
    )


def median(numbers: Sequence[Fraction]) -> Fraction:
    """The middle one; of two middle ones their mean."""
    ordered = sorted(numbers)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


@lru_cache(maxsize=4096)
def _outside(n: int, rate: Fraction) -> tuple[float, float]:
    """How likely chance puts a unit of ``n`` rows outside the limits of 95 % and of 99.8 %, as ``funnel`` draws them.

    What lies within is added up, as far from the middle as it weighs anything.
    """
    if rate in (0, 1):
        return 0.0, 0.0
    p = float(rate)
    around = AROUND * (n * p * (1 - p)) ** 0.5 + 1
    inside = []
    for z in (Z_95, Z_998):
        most = isqrt(floor(z**2 * n * rate.numerator * (rate.denominator - rate.numerator)))
        first = max(0, ceil(Fraction(rate.numerator * n - most, rate.denominator)), floor(n * p - around))
        last = min(n, floor(Fraction(rate.numerator * n + most, rate.denominator)), ceil(n * p + around))
        inside.append(sum(_likely(good, n, p) for good in range(first, last + 1)))
    return max(0.0, 1 - inside[0]), max(0.0, 1 - inside[1])


def _likely(good: int, n: int, p: float) -> float:
    ways = lgamma(n + 1) - lgamma(good + 1) - lgamma(n - good + 1)
    return exp(ways + good * log(p) + (n - good) * log(1 - p))


# What decides the order


def decides(scheme: Scheme, units: Sequence[ScoredUnit]) -> Iterator[Decides]:
    """Of the ranked units of a group: each indicator's covariance with the score, of the score's variance.

    Points are taken as what an indicator costs of 100, so that what does not apply to a unit costs it nothing, as in
    the score. What the costs leave of the score, by caps, vetoes and rounding, is a part of its own.
    """
    ranked = [unit for unit in units if unit.not_ranked_reason is None and unit.score_100 is not None]
    scores = [Fraction(unit.score_100 or 0) for unit in ranked]
    whole = _covariance(scores, scores)
    if not whole:
        return
    of_lines = {line.code for one in scheme.indicators for line in one.lines[1:]}
    told: list[tuple[Indicator | None, list[Fraction]]] = []
    for one in scheme.indicators:
        codes = [line.code for line in one.lines]
        costs = [
            -sum((cost_of_100(unit, unit.indicator(code), code in of_lines) for code in codes), Fraction())
            for unit in ranked
        ]
        if any(unit.points_of(codes) is not None for unit in ranked):
            told.append((one, costs))
    rest = [score - sum(costs[at] for _, costs in told) for at, score in enumerate(scores)]
    told.append((None, rest))
    shares = [100 * _covariance(costs, scores) / whole for _, costs in told]
    parts = shared_out(Decimal(100), shares, 1)
    for (what, _), part in sorted(zip(told, parts, strict=True), key=lambda given: -given[1]):
        if what is not None:
            yield Decides(what.code, what.name_zh, part)
        elif part:
            yield Decides(None, "封顶、否决与取整", part)


def _covariance(some: Sequence[Fraction], others: Sequence[Fraction]) -> Fraction:
    """Times the number of units: it is of no interest beside another of the same units."""
    if not some:
        return Fraction()
    middle = sum(some, Fraction()) / len(some)
    return sum(((one - middle) * other for one, other in zip(some, others, strict=True)), Fraction())


# How far bands and places hold


def _stands(
    members: Mapping[str, ScoredUnit],
    told: Mapping[str, tuple[resampled.Ints, list[str | None]]],
    names: Mapping[str, str],
) -> Iterator[Stands]:
    ranked = resampled.places({unit: points for unit, (points, _) in told.items()})
    for unit, (_, bands) in told.items():
        own = members[unit]
        if own.band is None:
            continue
        places = sorted(int(place) for place in ranked[unit] if place)
        yield Stands(
            unit_code=unit,
            unit_name=names.get(unit, unit),
            band=own.band,
            kept_pct=half_up(Fraction(100 * bands.count(own.band), len(bands)), 1),
            place=own.rank_in_group,
            place_low=places[floor(Fraction(5, 100) * (len(places) - 1))] if places else None,
            place_high=places[ceil(Fraction(95, 100) * (len(places) - 1))] if places else None,
        )


def _steady(stands: Sequence[Stands]) -> Decimal | None:
    if not stands:
        return None
    steady = sum(one.kept_pct >= 100 * STEADY for one in stands)
    return half_up(Fraction(100 * steady, len(stands)), 1)


# Who stands on an edge


def edges(city: City, units: Mapping[str, ScoredUnit], names: Mapping[str, str]) -> Iterator[Edge]:
    """The units that stand in a band, and which single case takes each of them into another one."""
    for unit, scored in sorted(units.items()):
        if scored.band is None or unit not in city.scored or city.scored[unit].band != scored.band:
            continue
        anew = UnitAnew(city, unit)
        for line in city.scheme.lines:
            given = anew.of.given.get(line.code, NOTHING)
            if not line.scores(scored.peer_group) or not line.applies_in(city.kind) or not is_rate(line, given):
                continue
            for is_more in (True, False):
                step = 1 if is_more != line.is_lower_better else -1
                above, below = (given.numerator or Fraction()) + step, given.denominator or Fraction()
                if not 0 <= above <= below:
                    continue
                changed = {line.code: replace(given, numerator=above)}
                now = anew.with_given(changed, _related(city, unit, line, changed)).band
                if now != scored.band:
                    yield Edge(
                        unit_code=unit,
                        unit_name=names.get(unit, unit),
                        peer_group=scored.peer_group,
                        indicator_code=line.code,
                        name_zh=line.name_zh,
                        is_more=is_more,
                        was=scored.band,
                        now=now,
                    )


def _related(
    city: City, unit: str, line: Line, changed: Mapping[str, Given]
) -> Mapping[tuple[str, str], Reference] | None:
    """What the units are held against once one of them has another count; None where that stays."""
    if not resampled.rests_on_other_units(city.scheme.wholes[line.code]):
        return None
    group = city.of_group(city.counts[unit].peer_group)
    group[unit] = replace(group[unit], given={**group[unit].given, **changed})
    return references(city.scheme, city.day, group)

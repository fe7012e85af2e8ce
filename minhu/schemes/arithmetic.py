"""From counts to points: exact, in fractions, each number rounded once: 30 × 853 ÷ 2000 is 12.795 and becomes 12.80.

Nothing here reads a file or a database. ``tests/scoring/test_two_paths.py`` draws random schemes and counts and holds
what comes out against a second arithmetic.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor, isqrt
from typing import Literal

KEPT_DECIMALS = 12
"""Components that are added before they are rounded are kept to so many decimals."""
SUM_DECIMALS = 9
"""Their sum is first rounded to so many, so that three thirds are one."""
CENT = Decimal("0.01")
Z_95 = Fraction("1.959964")
Z_998 = Fraction("3.090232")


@dataclass(frozen=True)
class Terms:
    """What a scoring function is told: the numbers in force for a peer group on the first day of a period."""

    points: Decimal
    target: Decimal | None = None
    per_point: Decimal | None = None
    floor: Decimal | None = None
    per_item: Decimal | None = None
    cap: Decimal | None = None
    below: Decimal | None = None
    above: Decimal | None = None
    size: Decimal | None = None
    deduct: Decimal | None = None
    add: Decimal | None = None
    free: Decimal | None = None
    at_least: Decimal | None = None
    score_at_most: Decimal | None = None
    baseline: Decimal | None = None


@dataclass(frozen=True)
class Step:
    """A step of a table: ``points`` from ``bound`` on, or up to it."""

    bound: Decimal
    points: Decimal


def half_up(value: Fraction, decimals: int) -> Decimal:
    """``value`` to so many decimals; a half goes away from zero."""
    scaled = abs(value) * 10**decimals
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return Decimal(whole if value >= 0 else -whole).scaleb(-decimals)


def _known(number: Decimal | None) -> Fraction:
    """A number of the rule; a scheme that lacks one which its function reads is refused."""
    if number is None:
        raise ValueError("the scoring function lacks a number")
    return Fraction(number)


def proportional(value: Fraction, terms: Terms) -> Fraction:
    """points × value ÷ target, full points at most."""
    return min(Fraction(terms.points), Fraction(terms.points) * value / _known(terms.target))


def linear_deduction(value: Fraction, terms: Terms, better: Literal["higher", "lower"]) -> Fraction:
    """Full points at the target, ``per_point`` off for each percentage point on the wrong side, not below ``floor``."""
    short = _known(terms.target) - value if better == "higher" else value - _known(terms.target)
    points = Fraction(terms.points) - _known(terms.per_point) * short
    return max(_known(terms.floor), min(Fraction(terms.points), points))


def per_item_deduction(count: Fraction, terms: Terms) -> Fraction:
    """``per_item`` off for each item, ``cap`` at most."""
    return Fraction(terms.points) - min(_known(terms.cap), _known(terms.per_item) * count)


def per_item_bonus(count: Fraction, terms: Terms) -> Fraction:
    """``per_item`` for each item, ``cap`` at most."""
    return min(_known(terms.cap), _known(terms.per_item) * count)


def per(
    value: Fraction, terms: Terms, count: Literal["exact", "whole", "started"], then: Literal["rest", "each"]
) -> Fraction:
    """Points for each ``size`` beyond a line, off full points or added to 0, within cap and floor."""
    beyond = _known(terms.below) - value if terms.below is not None else value - _known(terms.above)
    sizes = max(Fraction(), beyond) / _known(terms.size)
    sizes = {"exact": sizes, "whole": Fraction(floor(sizes)), "started": Fraction(ceil(sizes))}[count]
    free = _known(terms.free)
    counted = Fraction() if sizes <= free else sizes if then == "each" else sizes - free
    change = counted * _known(terms.deduct if terms.add is None else terms.add)
    if terms.cap is not None:
        change = min(change, Fraction(terms.cap))
    full = Fraction(terms.points)
    points = full - change if terms.add is None else change
    least = Fraction(terms.floor) if terms.floor is not None else Fraction() if full else points
    return max(least, min(points, full) if full else points)


def together(changed: Fraction, terms: Terms, start: Literal["full", "zero"]) -> Fraction:
    """Full points or 0, and what the parts change, within floor and cap."""
    full = Fraction(terms.points)
    points = changed + (full if start == "full" else 0)
    most = Fraction(terms.cap) if terms.cap is not None else points
    least = Fraction(terms.floor) if terms.floor is not None else Fraction() if full else points
    return max(least, min(points, most))


def steps(value: Fraction, table: Sequence[Step], otherwise: Decimal, better: Literal["higher", "lower"]) -> Fraction:
    """The points of the first step that the value reaches."""
    for step in table:
        if value >= step.bound if better == "higher" else value <= step.bound:
            return Fraction(step.points)
    return Fraction(otherwise)


def sloped_steps(
    value: Fraction, table: Sequence[Step], otherwise: Decimal, better: Literal["higher", "lower"]
) -> Fraction:
    """The points of the best step from its bound on, in proportion between two, ``otherwise`` beyond the last."""
    sign = 1 if better == "higher" else -1
    for upper, lower in pairwise((None, *table)):
        if lower is None or sign * value < sign * Fraction(lower.bound):
            continue
        if upper is None:
            return Fraction(lower.points)
        share = (value - Fraction(lower.bound)) / (Fraction(upper.bound) - Fraction(lower.bound))
        return Fraction(lower.points) + share * (Fraction(upper.points) - Fraction(lower.points))
    return Fraction(otherwise)


def manual(given: Fraction, terms: Terms, entry: Literal["earned", "change"]) -> Fraction:
    """Points that a person entered: what was earned, or the changes to full points, within floor and cap."""
    points = given + (Fraction(terms.points) if entry == "change" else 0)
    return max(_known(terms.floor), min(_known(terms.cap), points))


@dataclass(frozen=True)
class Component:
    """One indicator of a unit, scored. ``points`` is null where it does not apply to the unit.

    ``is_judged``: something was judged, so that the unit may be ranked by it. ``n``: how much, null where only a rate
    was given.
    """

    points: Decimal | None
    points_max: Decimal
    is_judged: bool
    n: Fraction | None = None


@dataclass(frozen=True)
class Total:
    """What a unit's components make: ``raw_points`` their sum, rounded; ``score_100`` null where nothing was judged."""

    raw_points: Decimal | None
    score_100: Decimal | None
    n: Fraction | None


def total(components: Iterable[Component], decimals: int) -> Total:
    """Adds components up. What does not apply is left out of both sides; deductions and bonuses come off the whole:

    score_100 = 100 × earned ÷ available + 100 × changed ÷ total, within 0 and 100.
    """
    components = tuple(components)
    weighed = [part for part in components if part.points_max > 0]
    judged = [part for part in weighed if part.is_judged]
    available = _points_max(part for part in weighed if part.points is not None)
    earned = _sum(part.points for part in weighed)
    changed = _sum(part.points for part in components if part.points_max == 0)
    score = None
    if judged and available:
        share = earned / available + changed / _points_max(weighed)
        score = half_up(max(Fraction(), min(Fraction(100), 100 * share)), decimals)
    raw = half_up(_sum(part.points for part in components), decimals) if available or changed else None
    return Total(raw, score, max((part.n for part in judged if part.n is not None), default=None))


def _points_max(components: Iterable[Component]) -> Fraction:
    return sum((Fraction(part.points_max) for part in components), Fraction())


def _sum(points: Iterable[Decimal | None]) -> Fraction:
    """What applies added up, to nine decimals: three thirds that were cut after the twelfth are one."""
    return Fraction(half_up(sum((Fraction(one) for one in points if one is not None), Fraction()), SUM_DECIMALS))


def assessed(score_100: Decimal | None, group_points: Decimal, decimals: int) -> Decimal | None:
    """What a score is worth of the points of its peer group."""
    return None if score_100 is None else half_up(Fraction(group_points) * Fraction(score_100) / 100, decimals)


def ranks(scores: Iterable[Decimal]) -> dict[Decimal, int]:
    """The place of each score, the highest first; equal scores share one, and the next place is left free."""
    ordered = sorted(scores, reverse=True)
    return {score: ordered.index(score) + 1 for score in set(ordered)}


def decimals_of(number: Decimal) -> int:
    """How many decimals a number is written with; below zero where it ends in zeros before the point."""
    return -int(number.as_tuple().exponent)


def shared_out(whole: Decimal, shares: Sequence[Fraction], decimals: int) -> list[Decimal]:
    """``whole`` in parts of so many decimals in proportion to ``shares`` that sum to it, by largest remainder, the
    first before a later one. ``shares`` sum to what ``whole`` was rounded from; any sign."""
    step = Decimal(1).scaleb(-decimals)
    exact = [share / Fraction(step) for share in shares]
    steps_down = [floor(share) for share in exact]
    left = int(whole / step) - sum(steps_down)
    first = sorted(range(len(exact)), key=lambda at: (steps_down[at] - exact[at], at))[:left]
    return [(count + (at in first)) * step for at, count in enumerate(steps_down)]


def split_loss(lost: Decimal, missed: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """``lost`` in parts over the rows that missed, given as (id, by how much).

    Parts are multiples of 0.01 (or of the last decimal of ``lost``) by largest remainder, ties by id: they sum to
    ``lost`` exactly.
    """
    rows = sorted(missed)
    step = min(CENT, Decimal(1).scaleb(-decimals_of(lost)))
    steps, weight = int(lost / step), Fraction(sum(by for _, by in rows))
    exact = {key: steps * Fraction(by) / weight for key, by in rows}
    whole = {key: int(share) for key, share in exact.items()}
    left = steps - sum(whole.values())
    for key in sorted(exact, key=lambda key: (whole[key] - exact[key], key))[:left]:
        whole[key] += 1
    return {key: count * step for key, count in whole.items()}


def wilson(numerator: Fraction, denominator: Fraction) -> tuple[Decimal, Decimal]:
    """Wilson's 95 % interval of a rate as shares of 1, to four decimals: 6 of 7 is 0.4869 to 0.9743."""
    z2 = Z_95**2
    middle = numerator + z2 / 2
    inner = Z_95**2 * (numerator * (denominator - numerator) / denominator + z2 / 4)
    precision = 10**24
    spread = Fraction(isqrt(inner.numerator * precision**2 // inner.denominator), precision)
    return half_up((middle - spread) / (denominator + z2), 4), half_up((middle + spread) / (denominator + z2), 4)


@dataclass(frozen=True)
class Peers:
    """The rates of a peer group taken together. ``between_units``: how much they differ beyond chance, a variance."""

    numerator: Fraction
    denominator: Fraction
    between_units: Fraction

    @classmethod
    def of(cls, counts: Sequence[tuple[Fraction, Fraction]]) -> "Peers":
        """Of numerators and denominators above 0. The variance by the method of moments; 0: all units are alike."""
        above = sum((one for one, _ in counts), Fraction())
        below = sum((one for _, one in counts), Fraction())
        rate = above / below
        spread = sum((one**2 / of for one, of in counts), Fraction()) - above**2 / below
        weight = below - sum((of**2 for _, of in counts), Fraction()) / below
        beyond = spread - (len(counts) - 1) * rate * (1 - rate)
        return cls(above, below, max(Fraction(), beyond / weight) if weight else Fraction())

    def shrunken(self, numerator: Fraction, denominator: Fraction) -> Decimal:
        """A rate drawn towards that of the group, in percent to four decimals, the more the fewer rows stand behind it
        (empirical Bayes): the variance between units against that of chance."""
        rate = self.numerator / self.denominator
        chance = rate * (1 - rate) / denominator
        own = self.between_units / (self.between_units + chance) if self.between_units + chance else Fraction()
        return half_up(100 * (rate + (numerator / denominator - rate) * own), 4)


def funnel(
    numerator: Fraction, denominator: Fraction, all_numerator: Fraction, all_denominator: Fraction
) -> str | None:
    """Whether a unit's rate lies outside the control limits of its peer group, and on which side.

    The limits are those of Spiegelhalter 2005 (doi 10.1002/sim.1970) around the group's own rate: p ± z √(p(1−p)/n)
    with z for 95 % and 99.8 %. Squared and multiplied out, it takes no root and no division.
    """
    if not denominator or not all_denominator:
        return None
    off = numerator * all_denominator - all_numerator * denominator
    spread = denominator * all_numerator * (all_denominator - all_numerator)
    side = "high" if off > 0 else "low"
    if off**2 > Z_998**2 * spread:
        return f"{side}_99_8"
    return f"{side}_95" if off**2 > Z_95**2 * spread else None

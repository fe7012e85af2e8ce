"""An indicator of a unit scored, line by line: its value, what that is held against, the points of it and its parts.

Pure: no file, no database, no clock.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction

from minhu.schemes import arithmetic
from minhu.schemes.arithmetic import half_up
from minhu.schemes.counts import NOTHING, Earlier, Given
from minhu.schemes.language.count import PLAIN, QUANTILES
from minhu.schemes.language.functions import Event, Together
from minhu.schemes.language.indicator import Indicator, Line, Part
from minhu.schemes.reference import Reference
from minhu.schemes.scheme import Scheme


@dataclass(frozen=True)
class ScoredIndicator:
    """A line scored. ``value``: the rate in percent to four decimals, or the count. ``points`` is null where it does
    not apply.

    ``reference`` and ``compared_value``: what the value was held against, and what the rule read of it. ``pooled_…``:
    the counts of few rows with those of earlier periods, and the first of these. ``before``: what was counted in the
    earlier periods that it rests on. ``has_happened``: of an event, whether it did.
    """

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
    reference: Decimal | None = None
    compared_value: Decimal | None = None
    pooled_numerator: Decimal | None = None
    pooled_denominator: Decimal | None = None
    pooled_from: str | None = None
    before: tuple[Earlier, ...] = ()
    has_happened: bool | None = None


def points_of(
    scheme: Scheme,
    indicator: Line,
    peer_group: str,
    day: date,
    given: Mapping[str, Given],
    related: Mapping[str, Reference] | None = None,
) -> Decimal | None:
    """The points of an indicator, or of the one that the line is a part of, for what was counted of its lines; null
    where it does not apply. A share has its denominator. ``related``: what its values are held against."""
    whole = Whole(scheme, scheme.wholes[indicator.code], peer_group, day, given, related or {})
    return whole.points


def line_points(scheme: Scheme, line: Line, peer_group: str, day: date, given: Given) -> Decimal | None:
    """The points of a line by itself, whatever the others of its indicator make of them, and compared with nothing."""
    whole = Whole(scheme, scheme.wholes[line.code], peer_group, day, {line.code: given}, {})
    return whole.by_itself(line)


@dataclass
class Whole:
    """An indicator of a unit, scored: its lines sum to its points."""

    scheme: Scheme
    indicator: Indicator
    group: str
    day: date
    given: Mapping[str, Given]
    related: Mapping[str, Reference]
    lines: list[ScoredIndicator] = field(init=False)

    def __post_init__(self) -> None:
        self.kept = kept_decimals(self.scheme)
        if not self.indicator.is_whole:
            self.lines = [self._line(self.indicator)]
        elif self.indicator.combine:
            self.lines = list(self._combined())
        else:
            self.lines = list(self._together())

    @property
    def parts(self) -> tuple[Part, ...]:
        """Those that concern the unit's group."""
        return tuple(part for part in self.indicator.parts_placed if part.scores(self.group))

    @property
    def counted(self) -> tuple[Line, ...]:
        """The line of each of ``lines``."""
        return self.indicator, *self.parts

    @property
    def points(self) -> Decimal | None:
        told = [one.points for one in self.lines if one.points is not None]
        return sum(told, Decimal()) if told else None

    def by_itself(self, line: Line) -> Decimal | None:
        return self._line(line).points

    def _line(self, line: Line) -> ScoredIndicator:
        """A line by itself, as where there are no parts."""
        terms = line.terms(self.group, self.day)
        own = self._value(line)
        compared = self._compared(line, own)
        read = own if line.compared is None else compared
        points = self._when_empty(line)
        if read is not None:
            points = half_up(line.scoring.points(read, terms), self.kept)
        return self._scored(line, own, points, read is None, compared)

    def _value(self, line: Line) -> Fraction | None:
        return own_value(self.scheme, line, self.group, self.day, self.given)

    def _compared(self, line: Line, own: Fraction | None) -> Fraction | None:
        related = self.related.get(line.code)
        return None if line.compared is None or own is None or related is None else related.read(line.compared, own)

    def _when_empty(self, line: Line) -> Decimal | None:
        if line.when_empty == "left_out":
            return None
        full = line.terms(self.group, self.day).points
        return half_up(Fraction(full if line.when_empty == "full_points" else 0), self.kept)

    def _scored(
        self,
        line: Line,
        own: Fraction | None,
        points: Decimal | None,
        is_empty: bool,
        compared: Fraction | None = None,
    ) -> ScoredIndicator:
        given, terms = self.given.get(line.code, NOTHING), line.terms(self.group, self.day)
        if line.is_manual and not line.is_event:
            shown = None if own is None else points
        else:
            is_plain = (line.aggregate in PLAIN and not line.is_whole) or line.is_manual
            shown = _decimal(own) if is_plain else _to_four(own)
        has_happened = None
        if isinstance(line.scoring, Event):
            has_happened = line.scoring.has_happened(None if shown is None else Fraction(shown), terms)
        related = self.related.get(line.code) if line.compared is not None else None
        pooled = _pooled(line, given)
        return ScoredIndicator(
            code=line.code,
            numerator=_decimal(given.numerator),
            denominator=_decimal(given.denominator),
            value=shown,
            points_max=terms.points,
            points=points,
            is_empty=is_empty,
            reference=None if related is None else _to_four(related.number),
            compared_value=_to_four(compared),
            pooled_numerator=_decimal(pooled.numerator) if pooled else None,
            pooled_denominator=_decimal(pooled.denominator) if pooled else None,
            pooled_from=pooled.before[-1].period if pooled else None,
            has_happened=has_happened,
        )

    def _together(self) -> Iterator[ScoredIndicator]:
        """Each part changes the points; what floor and cap give back or take is shared by those that went beyond."""
        rule, terms = self.indicator.scoring, self.indicator.terms(self.group, self.day)
        if not isinstance(rule, Together):
            raise TypeError(f"{self.indicator.code} is not put together of its parts")
        read, changes = {}, []
        for part in self.parts:
            own = self._value(part)
            compared = self._compared(part, own)
            value = own if part.compared is None else compared
            read[part.code] = own, compared, value is None
            changes.append(
                Fraction() if value is None else part.scoring.points(value, part.terms(self.group, self.day))
            )
        if all(is_empty for _, _, is_empty in read.values()):
            yield self._scored(self.indicator, None, self._when_empty(self.indicator), True)
            for part in self.parts:
                own, compared, _ = read[part.code]
                yield self._scored(part, own, None, True, compared)
            return
        start = half_up(Fraction(terms.points if rule.starts == "full" else 0), self.kept)
        points = half_up(rule.points(sum(changes, Fraction()), terms), self.kept)
        shares = _within(changes, rule.points(sum(changes, Fraction()), terms) - Fraction(start))
        shared = arithmetic.shared_out(points - start, shares, self.kept)
        yield self._scored(self.indicator, None, start, False)
        for part, share in zip(self.parts, shared, strict=True):
            own, compared, is_empty = read[part.code]
            yield self._scored(part, own, None if is_empty else share, is_empty, compared)

    def _combined(self) -> Iterator[ScoredIndicator]:
        """The parts make one value; what its points lack is shared by what each part lacks of its best."""
        whole, terms = self.indicator, self.indicator.terms(self.group, self.day)
        own = self._value(whole)
        compared = self._compared(whole, own)
        read = own if whole.compared is None else compared
        points = self._when_empty(whole)
        if read is not None:
            points = half_up(whole.scoring.points(read, terms), self.kept)
        values = [(part, self._value(part)) for part in self.parts]
        short = [Fraction() if value is None else _short(part, value) for part, value in values]
        lost = Decimal() if points is None else terms.points - points
        base, shared = points, [Decimal() for _ in short]
        if read is not None and lost > 0 and (lacking := sum(short, Fraction())):
            base = terms.points
            shared = arithmetic.shared_out(-lost, [-Fraction(lost) * one / lacking for one in short], self.kept)
        yield self._scored(whole, own, base, read is None, compared)
        for (part, value), share in zip(values, shared, strict=True):
            is_empty = value is None
            yield self._scored(part, value, None if is_empty or points is None else share, is_empty)


def _within(changes: Sequence[Fraction], allowed: Fraction) -> list[Fraction]:
    """The changes of the parts of a whole that may change by ``allowed`` and no more: those that went too far share
    what is cut off in proportion to what they changed."""
    excess = sum(changes, Fraction()) - allowed
    if not excess:
        return list(changes)
    sign = 1 if excess > 0 else -1
    far = sum((one for one in changes if sign * one > 0), Fraction())
    return [one * (far - excess) / far if sign * one > 0 else one for one in changes]


def _short(part: Part, value: Fraction) -> Fraction:
    """By how much a part of a value falls short of its best, weighed. Of items wanted there is no best."""
    if part.is_lower_better:
        return abs(part.weight) * value
    return abs(part.weight) * (100 - value) if part.is_percent else Fraction()


def own_value(scheme: Scheme, line: Line, group: str, day: date, given: Mapping[str, Given]) -> Fraction | None:
    """What was counted of a unit by a line, before it is held against anything; None where it does not apply."""
    if isinstance(line, Indicator) and line.is_whole:
        return _made_of_parts(scheme, line, group, day, given)
    own = given.get(line.code, NOTHING)
    rows, least = rows_behind(line, own), line.least(group, day)
    if least and rows is not None and rows < least:
        return None
    return _value(scheme, line, _pooled(line, own) or own)


def _made_of_parts(
    scheme: Scheme, whole: Indicator, group: str, day: date, given: Mapping[str, Given]
) -> Fraction | None:
    """The value that the parts make together; None where nothing was counted of any. A rate of which nothing was
    counted is left out, its weight goes to the others; or it counts as its ``when_empty`` says."""
    parts = [part for part in whole.parts_placed if part.scores(group)]
    counted = [own_value(scheme, part, group, day, given) for part in parts]
    if not whole.combine or all(value is None for value in counted):
        return None
    told = []
    for part, value in zip(parts, counted, strict=True):
        if value is None and part.when_empty != "left_out":
            value = Fraction(100 if (part.when_empty == "full_points") != part.is_lower_better else 0)
        told.append((part, value))
    known = [(part, value) for part, value in told if value is not None]
    if whole.combine == "product":
        made = Fraction(100)
        for _, value in known:
            made *= value / 100
        return made
    weights = [part.weight for part, _ in told]
    kept = sum((part.weight for part, _ in known), Fraction())
    made = sum((part.weight * value for part, value in known), Fraction())
    if len(known) == len(told):
        return made
    if min(weights) < 0:  # what is taken off is not there: nothing is; what it is taken off from is not: no value
        return made if all(part.weight < 0 for part, value in told if value is None) else None
    return made * sum(weights, Fraction()) / kept


def rows_behind(line: Line, given: Given) -> Fraction | None:
    """How many rows stand behind a value, those of before that are taken together with them among them."""
    pooled = _pooled(line, given)
    return given.denominator if pooled is None else pooled.denominator


def _pooled(line: Line, given: Given) -> Given | None:
    """The counts of few rows with those of as many periods before as it takes; None where there are enough, or none
    before. ``before`` holds the periods that were taken."""
    if line.pooled is None or given.denominator is None or given.numerator is None:
        return None
    above, below, taken = given.numerator, given.denominator, []
    for earlier in given.before[: line.pooled.at_most]:
        if below >= line.pooled.below:
            break
        above, below = above + earlier.numerator, below + earlier.denominator
        taken.append(earlier)
    return Given(above, below, before=tuple(taken)) if taken else None


def is_told(indicator: Line, given: Given) -> bool:
    """Whether something was counted or entered; changes by hand are told of by none, too."""
    return bool(rows_behind(indicator, given)) or given.value is not None or indicator.takes_changes


def kept_decimals(scheme: Scheme) -> int:
    """To how many decimals an indicator's points are kept before they are added."""
    return scheme.rounding.decimals if scheme.rounding.order == "components_first" else arithmetic.KEPT_DECIMALS


def _value(scheme: Scheme, indicator: Line, given: Given) -> Fraction | None:
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


def _to_four(value: Fraction | None) -> Decimal | None:
    return None if value is None else half_up(value, 4)


def _decimal(value: Fraction | None) -> Decimal | None:
    """A fraction that was read from a decimal number, as one again."""
    return None if value is None else half_up(value, 6).normalize() + 0

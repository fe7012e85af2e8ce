"""What is known of units before it becomes points."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Earlier:
    """What was counted of a unit by one line in a period before."""

    period: str
    numerator: Fraction
    denominator: Fraction


@dataclass(frozen=True)
class Given:
    """What is known of a unit by one line: counts, or only the value.

    ``value``: a rate in percent, a count, or points entered by hand. ``denominator`` of a share: the group's count,
    filled in by ``tally`` where it is null. ``before``: what is asked of earlier periods, the last one first: of a
    comparison the one period, of what is pooled as many as may be taken. ``reference``: the value to compare with where
    it is given and not counted.
    """

    numerator: Fraction | None = None
    denominator: Fraction | None = None
    value: Fraction | None = None
    before: tuple[Earlier, ...] = ()
    reference: Fraction | None = None


NOTHING = Given()


@dataclass(frozen=True)
class UnitCounts:
    """A unit with what is known of it, by line. ``has_case``: whether a case was dispatched to it."""

    peer_group: str
    given: Mapping[str, Given]
    has_case: bool = True

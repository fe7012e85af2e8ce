"""Numbers as a rule writes them, in fractions: exact until the one rounding that the rule names."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction


def exact(number: object) -> Fraction:
    """A number of a file, as it is written there."""
    return Fraction(str(number))


def half_up(number: Fraction, decimals: int) -> Decimal:
    """Rounded once; a half goes away from zero."""
    shifted = abs(number) * 10**decimals
    whole = (2 * shifted.numerator + shifted.denominator) // (2 * shifted.denominator)
    return Decimal(whole if number >= 0 else -whole).scaleb(-decimals)


def mean(numbers: Iterable[Decimal | Fraction], decimals: int) -> Decimal | None:
    """The mean, rounded; null of none."""
    numbers = list(map(Fraction, numbers))
    return half_up(sum(numbers) / len(numbers), decimals) if numbers else None

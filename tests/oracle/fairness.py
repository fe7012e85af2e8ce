"""What stands beside a rate: Wilson's interval, the funnel of its peer group, the rate drawn towards the group's."""

from decimal import Decimal
from fractions import Fraction
from math import isqrt

from tests.oracle.numbers import half_up

Z_95, Z_998 = Fraction("1.959964"), Fraction("3.090232")


def wilson(good: int, n: int) -> tuple[Decimal, Decimal]:
    """The 95 % interval of a share (Wilson 1927), to four decimals."""
    share, z = Fraction(good, n), Z_95
    middle, below = share + z * z / (2 * n), 1 + z * z / n
    spread = z * root(share * (1 - share) / n + z * z / (4 * n * n))
    return half_up((middle - spread) / below, 4), half_up((middle + spread) / below, 4)


def root(number: Fraction) -> Fraction:
    """A square root to forty digits."""
    return Fraction(isqrt(number.numerator * number.denominator * 10**80), number.denominator * 10**40)


class Peers:
    """The rates of a peer group, each a pair of good ones and all; only of those that have any."""

    def __init__(self, pairs: list[tuple[int, int]]):
        total = sum(n for _, n in pairs)
        self.rate = p = Fraction(sum(good for good, _ in pairs), total)
        # DerSimonian and Laird 1986: the squares about the group's rate, each unit weighing its n, less what chance
        # alone would make of them
        squares = sum(n * (Fraction(good, n) - p) ** 2 for good, n in pairs)
        free = total - Fraction(sum(n * n for _, n in pairs), total)
        self.between = max(Fraction(0), (squares - (len(pairs) - 1) * p * (1 - p)) / free) if free else Fraction(0)

    def by_chance(self, n: int) -> Fraction:
        return self.rate * (1 - self.rate) / n

    def funnel(self, good: int, n: int) -> str | None:
        """Where a rate lies outside the control limits around the group's: p ± z √(p(1−p) ÷ n), Spiegelhalter 2005."""
        off = Fraction(good, n) - self.rate
        for name, z in (("99_8", Z_998), ("95", Z_95)):
            if off * off > z * z * self.by_chance(n):
                return f"{'high' if off > 0 else 'low'}_{name}"
        return None

    def shrunken(self, good: int, n: int) -> Decimal:
        """A rate in percent, drawn towards the group's by as much as chance explains of the differences."""
        both = self.between + self.by_chance(n)
        trust = self.between / both if both else Fraction(0)
        return half_up(100 * (self.rate + trust * (Fraction(good, n) - self.rate)), 4)

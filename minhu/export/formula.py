"""Spreadsheet formulas that know what they come to: each holds its text and the number that its cell shows.

What is written beside a formula as its saved result is computed from the same parts, in floating point as a
spreadsheet does; nothing here decides a score.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from math import ceil, floor

_SHOWN_DIGITS = 15
"""A spreadsheet rounds by the decimal number that it shows, of so many digits."""


@dataclass(frozen=True)
class Formula:
    """``text`` without the sign of equality. ``binds``: 0 of a sum, 1 of a product, 2 of what needs no brackets."""

    text: str
    value: float
    binds: int = 2

    def within(self, binds: int) -> str:
        return self.text if self.binds >= binds else f"({self.text})"

    def __add__(self, other: "Formula") -> "Formula":
        return Formula(f"{self.text}+{other.text}", self.value + other.value, 0)

    def __sub__(self, other: "Formula") -> "Formula":
        return Formula(f"{self.text}-{other.within(1)}", self.value - other.value, 0)

    def __mul__(self, other: "Formula") -> "Formula":
        return Formula(f"{self.within(1)}*{other.within(2)}", self.value * other.value, 1)

    def __truediv__(self, other: "Formula") -> "Formula":
        return Formula(f"{self.within(1)}/{other.within(2)}", self.value / other.value, 1)


@dataclass(frozen=True)
class Test:
    """A comparison."""

    text: str
    holds: bool


def number(value: Decimal | int) -> Formula:
    return Formula(f"{Decimal(value).normalize():f}", float(value), 2 if value >= 0 else 0)


def at_least(one: Formula, other: Formula) -> Test:
    return Test(f"{one.text}>={other.text}", one.value >= other.value)


def at_most(one: Formula, other: Formula) -> Test:
    return Test(f"{one.text}<={other.text}", one.value <= other.value)


def either(test: Test, one: Formula, other: Formula) -> Formula:
    return Formula(f"IF({test.text},{one.text},{other.text})", one.value if test.holds else other.value)


def least(*given: Formula) -> Formula:
    return Formula(f"MIN({','.join(one.text for one in given)})", min(one.value for one in given))


def most(*given: Formula) -> Formula:
    return Formula(f"MAX({','.join(one.text for one in given)})", max(one.value for one in given))


def rounded(given: Formula, decimals: int) -> Formula:
    return Formula(f"ROUND({given.text},{decimals})", half_up(given.value, decimals))


def whole(given: Formula) -> Formula:
    """Only whole ones count; what is off by the last digits of a float is whole."""
    return _towards("ROUNDDOWN", given, floor)


def started(given: Formula) -> Formula:
    """One that has begun counts."""
    return _towards("ROUNDUP", given, ceil)


def _towards(name: str, given: Formula, way: Callable[[float], int]) -> Formula:
    plain = rounded(given, 9)
    return Formula(f"{name}({plain.text},0)", float(way(plain.value)))


def half_up(value: float, decimals: int) -> float:
    """As a spreadsheet rounds: the decimal number that it shows, a half away from zero."""
    shown = Decimal(f"{value:.{_SHOWN_DIGITS}g}")
    return float(shown.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP))

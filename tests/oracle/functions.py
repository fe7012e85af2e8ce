"""How a value becomes points: every scoring function a plain function in ``FUNCTIONS``; another is one more.

Each is told the numbers in force, the points at most, and a rate in percent, a count, a duration or what was entered.
"""

from collections.abc import Callable
from fractions import Fraction

from tests.oracle.numbers import exact


def proportional(told: dict, points: Fraction, rate: Fraction) -> Fraction:
    return points * min(Fraction(1), rate / exact(told.get("target", 100)))


def linear_deduction(told: dict, points: Fraction, rate: Fraction) -> Fraction:
    short = exact(told["target"]) - rate
    if told.get("better", "higher") == "lower":
        short = -short
    return max(points - exact(told["per_point"]) * max(short, Fraction(0)), exact(told.get("floor", 0)))


def per_item_deduction(told: dict, points: Fraction, count: Fraction) -> Fraction:
    return points - min(exact(told["cap"]), exact(told["per_item"]) * count)


def per_item_bonus(told: dict, points: Fraction, count: Fraction) -> Fraction:
    return min(exact(told["cap"]), exact(told["per_item"]) * count)


def steps(told: dict, points: Fraction, value: Fraction) -> Fraction:
    for step in told["steps"]:
        if value >= exact(step["at_least"]) if "at_least" in step else value <= exact(step["at_most"]):
            return exact(step["points"])
    return exact(told.get("otherwise", 0))


def manual(told: dict, points: Fraction, entered: Fraction) -> Fraction:
    """``earned``: what was entered last; ``change``: full points with all that was entered, within floor and cap."""
    given = entered + points if told.get("entry", "earned") == "change" else entered
    return max(exact(told.get("floor", 0)), min(exact(told.get("cap", points)), given))


FUNCTIONS: dict[str, Callable[[dict, Fraction, Fraction], Fraction]] = {
    "proportional": proportional,
    "linear_deduction": linear_deduction,
    "per_item_deduction": per_item_deduction,
    "per_item_bonus": per_item_bonus,
    "steps": steps,
    "manual": manual,
}

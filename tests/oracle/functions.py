"""How a value becomes points: every scoring function a plain function in ``FUNCTIONS``; another is one more.

Each is told the numbers in force, the points at most, and a rate in percent, a count, a duration or what was entered.
"""

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

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
    if told.get("between") == "linear":
        return sloped(told, value)
    for step in told["steps"]:
        if value >= exact(step["at_least"]) if "at_least" in step else value <= exact(step["at_most"]):
            return exact(step["points"])
    return exact(told.get("otherwise", 0))


def sloped(told: dict, value: Fraction) -> Fraction:
    """A line through the steps: flat beyond the best one, nothing but ``otherwise`` beyond the last."""
    side = 1 if "at_least" in told["steps"][0] else -1
    knots = [(side * exact(step.get("at_least", step.get("at_most"))), exact(step["points"])) for step in told["steps"]]
    at = side * value
    if at >= knots[0][0]:
        return knots[0][1]
    for (high, more), (low, less) in pairwise(knots):
        if low <= at < high:
            return less + (more - less) * (at - low) / (high - low)
    return exact(told.get("otherwise", 0))


def per(told: dict, points: Fraction, value: Fraction) -> Fraction:
    """So many points for each size beyond the line; parts of one as the rule says, the free ones for nothing."""
    if "below" in told:
        beyond = exact(told["below"]) - value
    else:
        beyond = value - exact(told["above"])
    sizes = max(beyond, Fraction(0)) / exact(told.get("size", 1))
    if told.get("count") == "whole":
        sizes = Fraction(sizes.numerator // sizes.denominator)
    if told.get("count") == "started":
        sizes = Fraction(-(-sizes.numerator // sizes.denominator))
    free = exact(told.get("free", 0))
    if sizes <= free:
        sizes = Fraction(0)
    elif told.get("then", "rest") == "rest":
        sizes -= free
    moved = sizes * exact(told.get("deduct") or told["add"])
    if told.get("cap") is not None:
        moved = min(moved, exact(told["cap"]))
    if "add" in told:
        gained = min(moved, points) if points else moved
        return max(gained, exact(told["floor"])) if told.get("floor") is not None else gained
    left = points - moved
    if told.get("floor") is not None:
        return max(left, exact(told["floor"]))
    return max(left, Fraction(0)) if points else left


def manual(told: dict, points: Fraction, entered: Fraction) -> Fraction:
    """``earned``: what was entered last; ``change``: full points with all that was entered, within floor and cap."""
    entered = entered * exact(told.get("times", 1))
    given = entered + points if told.get("entry", "earned") == "change" else entered
    return max(exact(told.get("floor", 0)), min(exact(told.get("cap", points)), given))


def event(told: dict, points: Fraction, value: Fraction) -> Fraction:
    """Gives nothing: what happened decides over the whole."""
    return Fraction(0)


def has_happened(told: dict, value: Fraction | None) -> bool:
    if value is None:
        return False
    if told.get("below") is not None:
        return value < exact(told["below"])
    return value >= exact(told.get("at_least") or 1)


FUNCTIONS: dict[str, Callable[[dict, Fraction, Fraction], Fraction]] = {
    "proportional": proportional,
    "linear_deduction": linear_deduction,
    "per_item_deduction": per_item_deduction,
    "per_item_bonus": per_item_bonus,
    "per": per,
    "steps": steps,
    "manual": manual,
    "event": event,
}

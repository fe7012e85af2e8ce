"""What a value is held against: the group's, one's own of before, a number that is set."""

from collections.abc import Sequence
from fractions import Fraction

from tests.oracle.numbers import exact

OF_GROUP = ("group_mean", "group_median", "group_best", "group_rate", "group_rank")


def reference(
    told: dict, values: Sequence[Fraction], counts: Sequence[tuple[Fraction, Fraction]], scale: int = 100
) -> Fraction | None:
    """Of the units of a group that may be ranked: their values, and what stands above and below in each. None where
    they are too few, and of a place, which is held against nothing."""
    if len(values) < told.get("at_least", 5):
        return None
    match told["to"]:
        case "group_mean":
            return sum(values, Fraction(0)) / len(values)
        case "group_median":
            ordered, half = sorted(values), len(values) // 2
            return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2
        case "group_best":
            return max(values) if told["better"] == "higher" else min(values)
        case "group_rate":
            below = sum((one for _, one in counts), Fraction(0))
            return scale * sum((one for one, _ in counts), Fraction(0)) / below if below else None
    return None


def place(told: dict, own: Fraction, others: Sequence[Fraction]) -> Fraction | None:
    """The place among the values of a group, the own one not among ``others``."""
    if len(others) + 1 < told.get("at_least", 5):
        return None
    ahead = [one for one in others if (one > own if told["better"] == "higher" else one < own)]
    if told.get("ties") == "dense":
        ahead = list(dict.fromkeys(ahead))
    behind_in_tie = others.count(own) if told.get("ties") == "last" else 0
    return Fraction(1 + len(ahead) + behind_in_tie)


def read(told: dict, own: Fraction, against: Fraction | None) -> Fraction | None:
    """What the rule is told of a value; nothing where there is nothing to compare with."""
    if against is None:
        return None
    if told["as"] == "difference":
        return own - against
    if against == 0:
        return None
    return 100 * own / against if told["as"] == "ratio" else 100 * (own - against) / against


def set_down(told: dict) -> Fraction | None:
    return None if told.get("baseline") is None else exact(told["baseline"])

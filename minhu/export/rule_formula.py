"""The rules of a scheme as formulas of a spreadsheet, for whoever wants to see how points come about.

What has none is told with the number alone: parts of an item, values held against others, events.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise

from minhu.export.formula import Formula, at_least, at_most, either, least, most, number, started, whole
from minhu.schemes.arithmetic import Terms
from minhu.schemes.language.functions import LinearDeduction, Manual, Per, Proportional, Step, Steps
from minhu.schemes.language.indicator import Line

ZERO = number(0)
Cells = Mapping[str, Formula]
"""By the name of a term of the rule the cell that holds it: points, line, by, size, free, floor, cap."""


def terms_of(line: Line, terms: Terms) -> dict[str, Decimal | None]:
    """The numbers of a rule as its row shows them: of the line what it is measured by, of what it costs how much."""

    def first(*given: Decimal | None) -> Decimal | None:
        return next((one for one in given if one is not None), None)

    return {
        "points": terms.points,
        "line": first(terms.target, terms.below, terms.above),
        "by": first(terms.per_point, terms.per_item, terms.deduct, terms.add),
        "size": terms.size,
        "free": terms.free,
        "floor": terms.floor,
        "cap": terms.cap,
    }


def points(line: Line, value: Formula, cells: Cells) -> Formula | None:
    """The points for a value, before they are rounded; None where the rule is no formula."""
    if line.is_whole or line.compared is not None:
        return None
    match line.scoring:
        case Proportional():
            return least(cells["points"], cells["points"] * value / cells["line"])
        case LinearDeduction(better=better):
            short = cells["line"] - value if better == "higher" else value - cells["line"]
            return most(cells["floor"], least(cells["points"], cells["points"] - cells["by"] * short))
        case Per() as rule:
            return _per(rule, value, cells)
        case Steps() as rule:
            return _steps(rule, value)
        case Manual():  # the value of what is entered by hand is what it earned
            return most(cells["floor"], least(cells["cap"], value))
        case _ if line.scoring.function == "per_item_deduction":
            return cells["points"] - least(cells["cap"], cells["by"] * value)
        case _ if line.scoring.function == "per_item_bonus":
            return least(cells["cap"], cells["by"] * value)
    return None


def _per(rule: Per, value: Formula, cells: Cells) -> Formula:
    beyond = cells["line"] - value if rule.below is not None else value - cells["line"]
    sizes = most(ZERO, beyond) / cells["size"]
    sizes = {"exact": sizes, "whole": whole(sizes), "started": started(sizes)}[rule.count]
    counted = sizes
    if cells["free"].value:
        beyond_free = sizes if rule.then == "each" else sizes - cells["free"]
        counted = either(at_most(sizes, cells["free"]), ZERO, beyond_free)
    change = counted * cells["by"]
    if "cap" in cells:
        change = least(change, cells["cap"])
    result = cells["points"] - change if rule.deduct is not None else change
    if cells["points"].value:
        return most(cells.get("floor", ZERO), least(result, cells["points"]))
    return most(cells["floor"], result) if "floor" in cells else result


def _steps(rule: Steps, value: Formula) -> Formula:
    reached = at_most if rule.is_lower_better else at_least
    result = number(rule.otherwise)
    ladder: Sequence[tuple[Step | None, Step]] = list(pairwise((None, *rule.steps)))  # type: ignore[arg-type]
    for upper, lower in reversed(ladder):
        here = number(lower.points)
        if rule.between == "linear" and upper is not None:
            share = (value - number(lower.bound)) / number(upper.bound - lower.bound)
            here = here + share * number(upper.points - lower.points)
        result = either(reached(value, number(lower.bound)), here, result)
    return result

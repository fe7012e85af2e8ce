"""The public version: small cells are withheld, and all from which one could be reckoned back.

A cell is a number of cases: what was counted, and what it was counted of, also behind a mean or a median. One from 1
to 4 is small, and so is the rest of a rate: 95 of 97 tells of two. Withheld with it are the rate, the interval, the
points, and the unit's score, from which the points would follow; its band stays. Where only one unit of a group is
withheld by an indicator, the group's sum would tell it: the unit with the next fewest cases goes with it. Rates drawn
towards their group's are left out, since they tell of all its cases, and of what a revision changed all but the bands.
"""

from dataclasses import replace
from decimal import Decimal

from minhu.export.report import Group, Indicator, Measured, Report, Unit
from minhu.privacy.small import hidden, is_small
from minhu.publish.diff import Diff


def suppress(report: Report) -> Report:
    """``report`` as the public may see it: without small cells, and without any row of evidence."""
    groups = tuple(_group(group, report.indicators) for group in report.groups)
    diff = report.diff and _bands(report.diff)
    return replace(report, groups=groups, diff=diff, is_shrunken=False, is_public=True)


def _bands(diff: Diff) -> Diff:
    """Of a difference what no count can be reckoned from."""
    moved = [(one, tuple(change for change in one.changes if change.column == "band")) for one in diff.units]
    units = tuple(replace(one, changes=changes) for one, changes in moved if changes)
    return replace(diff, causes=(), ledger=(), units=units, indicators=(), cases=())


def _group(group: Group, indicators: tuple[Indicator, ...]) -> Group:
    by_code = {one.code: one for one in indicators}
    small = {code: _hidden_units(group, one) for code, one in by_code.items()}
    return replace(
        group,
        units=tuple(_unit(unit, {code for code, of in small.items() if unit.code in of}) for unit in group.units),
        totals=tuple(_withheld(one) if is_small(_counts(one, by_code[one.code])) else one for one in group.totals),
    )


def _hidden_units(group: Group, indicator: Indicator) -> set[str]:
    return hidden({unit.code: _counts(one, indicator) for unit in group.units if (one := unit.by(indicator.code))})


def _counts(one: Measured, indicator: Indicator) -> list[Decimal]:
    """How many cases stand behind the value (of what is counted without a denominator, how many were); the parts."""
    numerator, denominator = one.numerator or Decimal(0), one.denominator or Decimal(0)
    rest = [denominator - numerator] if indicator.is_rate else []
    return [denominator or numerator, numerator, denominator, *rest]


def _unit(unit: Unit, small: set[str]) -> Unit:
    shown = tuple(
        _withheld(one) if one.code in small else replace(one, costs=None, shrunken_value=None) for one in unit.measured
    )
    if not small:
        return replace(unit, measured=shown)
    bare = tuple(replace(one, points=None) for one in shown)
    return replace(unit, measured=bare, raw_points=None, score_100=None, assessed_points=None)


def _withheld(one: Measured) -> Measured:
    return Measured(one.code, None, None, None, target=one.target, points_max=one.points_max, is_suppressed=True)

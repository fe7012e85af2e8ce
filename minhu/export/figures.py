"""How numbers and moments are written."""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from minhu.export.report import Cost, Measured
from minhu.publish.diff import Change


def bare(number: Decimal | None) -> str:
    """A number without trailing zeros; nothing where there is none."""
    return "" if number is None else f"{number.normalize():f}"


def percent(number: Decimal | None) -> str:
    return "" if number is None else f"{fixed(number, 2)}%"


def fixed(number: Decimal, places: int) -> str:
    """A number with so many decimals; a half goes up."""
    return f"{number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):f}"


def interval(one: Measured) -> str:
    if one.wilson_low_pct is None or one.wilson_high_pct is None:
        return ""
    return f"{fixed(one.wilson_low_pct, 1)}–{fixed(one.wilson_high_pct, 1)}%"


def counts(one: Measured, pooled: str) -> str:
    """Numerator and denominator; with ``pooled`` behind where they are those of earlier periods, too."""
    if one.denominator is None:
        return ""
    return f"{bare(one.numerator)}/{bare(one.denominator)}{f' {pooled}' if one.is_pooled else ''}"


def arrows(flag: str | None) -> str:
    """A funnel flag as arrows: ↓ below, ↑ above the 95 % limit, two of them for 99.8 %."""
    side = {"low": "↓", "high": "↑"}.get((flag or "").partition("_")[0], "")
    return side * (2 if (flag or "").endswith("99_8") else 1)


def stamp(when: datetime | None) -> str:
    return "" if when is None else f"{when:%Y-%m-%d %H:%M}"


def worth(cost: Cost) -> str:
    """What a row is worth by itself, with its sign, or why that is not defined."""
    return cost.marginal_reason or "" if cost.marginal is None else f"{cost.marginal:+}"


def sides(change: Change, *, is_rate: bool) -> tuple[str | None, str | None]:
    """What a revision moved, before and after, written as the paper's other numbers; None where there was nothing."""

    def told(side: str | None) -> str | None:
        if side is None or change.column != "value":
            return side
        return percent(Decimal(side)) if is_rate else bare(Decimal(side))

    return told(change.before), told(change.after)

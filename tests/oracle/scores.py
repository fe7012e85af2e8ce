"""Points and ranks, in fractions: exact until the one rounding that the scheme names.

Every scoring function is a plain function in ``FUNCTIONS``; another is one more.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import isqrt

from minhu.scoring.period import Period
from tests.oracle.decisions import Decided
from tests.oracle.lifecycle import City
from tests.oracle.measures import Row, rows
from tests.reference.clock import CITY

ALREADY_HANDED_OUT = ("received_at", "dispatched_at")
"""An indicator counted by these alone gives no rank."""


def exact(number: object) -> Fraction:
    """A number of the scheme's file, as it is written there."""
    return Fraction(str(number))


def half_up(number: Fraction, decimals: int) -> Decimal:
    """Rounded once; a half goes away from zero."""
    shifted = abs(number) * 10**decimals
    whole = (2 * shifted.numerator + shifted.denominator) // (2 * shifted.denominator)
    return Decimal(whole if number >= 0 else -whole).scaleb(-decimals)


# -- functions of a rate in percent, or of a count ---------------------------------------------------------------------


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


FUNCTIONS: dict[str, Callable[[dict, Fraction, Fraction], Fraction]] = {
    "proportional": proportional,
    "linear_deduction": linear_deduction,
    "per_item_deduction": per_item_deduction,
    "per_item_bonus": per_item_bonus,
    "steps": steps,
}


def of_group(indicator: dict, group: str, first_day: date) -> dict | None:
    """An indicator with the numbers in force for a peer group on the first day of a period; null if it scores others.

    Of the entries of a number one that names the group goes before one for all; of those the latest counts.
    """
    if group not in indicator.get("peer_groups", [group]):
        return None

    def in_force(number: object) -> object:
        if not isinstance(number, list) or not number or "value" not in number[0]:
            return number
        fitting = [
            entry
            for entry in number
            if str(entry.get("from") or "") <= str(first_day) and group in (entry.get("peer_groups") or [group])
        ]
        return max(fitting, key=lambda e: (bool(e.get("peer_groups")), str(e.get("from") or "")))["value"]

    scoring = {name: in_force(number) for name, number in indicator["scoring"].items()}
    return {name: in_force(number) for name, number in indicator.items()} | {"scoring": scoring}


@dataclass
class Span:
    """A period and the moment as of which it is judged."""

    starts: datetime
    ends: datetime
    as_of: datetime

    @classmethod
    def of(cls, period: str, last_day) -> "Span":
        told = Period.parse(period)
        starts = datetime(told.first.year, told.first.month, told.first.day, tzinfo=CITY)
        after = told.last + timedelta(days=1)
        ends = datetime(after.year, after.month, after.day, tzinfo=CITY)
        cut = datetime(last_day.year, last_day.month, last_day.day, tzinfo=CITY) + timedelta(days=1)
        return cls(starts, ends, min(ends, cut))

    def holds(self, moment: str, at: datetime | None) -> bool:
        """A limit that ends at 24:00 of the last day belongs to the period; nothing does that lies after the data."""
        if at is None or at > self.as_of:
            return False
        return self.starts < at <= self.ends if moment == "due_at" else self.starts <= at < self.ends


def counted(row: Row, span: Span, indicator: dict) -> tuple[int, int] | None:
    """What a row adds above and below; null where it is not in the period, or not yet."""
    if not span.holds(indicator["moment"], getattr(row, indicator["moment"])):
        return None
    has_happened = row.numerator is not None and (row.occurred_at is None or row.occurred_at <= span.as_of)
    is_awaited = row.is_awaited and indicator.get("aggregate", "rate") == "rate"
    if row.excluded is not None or indicator["code"] in row.spared:
        return 0, 0
    if has_happened:
        return row.numerator, 1
    return (0, 1) if is_awaited and row.due_at is not None and row.due_at <= span.as_of else None


def score(city: City, decided: Decided, scheme: dict, span: Span) -> tuple[dict, dict]:
    """By (unit, indicator) and by unit: every number of fct_unit_indicator and fct_unit_score."""
    first_day, last_day = span.starts.date(), (span.ends - timedelta(days=1)).date()
    weights = {group["code"]: exact(group["points"]) for group in scheme["peer_groups"]}
    table = {
        group: [told for indicator in scheme["indicators"] if (told := of_group(indicator, group, first_day))]
        for group in weights
    }
    groups = {
        line.code: line.peer_group
        for line in city.register.lines
        if line.holds(last_day) and line.peer_group in weights
    }
    sums: dict = defaultdict(lambda: [0, 0])
    for indicator in scheme["indicators"]:
        for row in rows(city, decided, indicator["measure"], indicator.get("support_units") == "in"):
            if row.unit_code in groups and (adds := counted(row, span, indicator)):
                own = sums[row.unit_code, indicator["code"]]
                own[0] += adds[0]
                own[1] += adds[1]
    of_indicator = {
        (unit, told["code"]): _line(told, *sums[unit, told["code"]], scheme.get("rounding", {}))
        for unit, group in groups.items()
        for told in table[group]
    }
    has_case = {
        one.unit_code
        for matter in city.matters.values()
        for one in matter.assignments
        if span.starts <= one.dispatched_at < span.as_of and one.facts["voided_at"] is None
    }
    of_unit = {}
    for unit, group in groups.items():
        lines = [(told, of_indicator[unit, told["code"]]) for told in table[group]]
        of_unit[unit] = {"peer_group": group} | _total(scheme, lines, weights[group], unit in has_case)
    for row in of_unit.values():
        if row["score_100"] is not None:
            peers = [other["score_100"] for other in of_unit.values() if other["peer_group"] == row["peer_group"]]
            row["rank_in_group"] = 1 + sum(peer is not None and peer > row["score_100"] for peer in peers)
    return of_indicator, of_unit


def _line(indicator: dict, numerator: int, denominator: int, rounding: dict) -> dict:
    told, points_max = indicator["scoring"], exact(indicator["points"])
    is_count = indicator.get("aggregate", "rate") == "count"
    if is_count:
        value = Fraction(numerator)
    else:
        value = Fraction(100 * numerator, denominator) if denominator else None
    if value is not None and not is_count and rounding.get("rate_decimals") is not None:
        value = Fraction(half_up(value, rounding["rate_decimals"]))
    if value is not None:
        points = FUNCTIONS[told["function"]](told, points_max, value)
    else:
        points = {"left_out": None, "full_points": points_max, "zero": 0}[indicator.get("when_empty", "left_out")]
    low, high = wilson(numerator, denominator) if not is_count and denominator else (None, None)
    return {
        "numerator": numerator,
        "denominator": denominator,
        "value": None if value is None else half_up(value, 4),
        "target": Decimal(str(told["target"])) if "target" in told else None,
        "points_max": Decimal(str(indicator["points"])),
        "points": None if points is None else half_up(Fraction(points), rounding.get("decimals", 2)),
        "wilson_low": low,
        "wilson_high": high,
    }


def _total(scheme: dict, lines: list[tuple[dict, dict]], weight: Fraction, has_case: bool) -> dict:
    """What does not apply is left out of both sides; deductions and bonuses change the same of every unit."""
    decimals = scheme.get("rounding", {}).get("decimals", 2)
    earned = available = changed = total = Fraction(0)
    is_judged = False
    for indicator, line in lines:
        points_max = exact(indicator["points"])
        total += points_max
        if line["points"] is None:
            continue
        if points_max:
            earned, available = earned + Fraction(line["points"]), available + points_max
            is_judged |= line["denominator"] > 0 and indicator["moment"] not in ALREADY_HANDED_OUT
        else:
            changed += Fraction(line["points"])
    reason = None if is_judged else "nothing_due" if has_case else "no_case"
    hundred = None
    if reason is None:
        whole = 100 * earned / available + 100 * changed / total
        hundred = half_up(min(max(whole, Fraction(0)), Fraction(100)), decimals)
    bands = [band for band in scheme.get("bands", []) if hundred is not None and hundred >= exact(band["at_least"])]
    return {
        "raw_points": half_up(earned + changed, decimals) if available or changed else None,
        "score_100": hundred,
        "assessed_points": None if hundred is None else half_up(weight * Fraction(hundred) / 100, decimals),
        "band": bands[0]["name_zh"] if bands else None,
        "rank_in_group": None,
        "not_ranked_reason": reason,
    }


Z = Fraction("1.959964")


def wilson(numerator: int, denominator: int) -> tuple[Decimal, Decimal]:
    """The 95 % interval of a share, to four decimals."""
    share, n, z = Fraction(numerator, denominator), denominator, Z
    under = share * (1 - share) / n + z * z / (4 * n * n)
    scale = 10**40
    root = Fraction(isqrt(under.numerator * under.denominator * scale**2), under.denominator * scale)
    middle, spread, below = share + z * z / (2 * n), z * root, 1 + z * z / n
    return half_up((middle - spread) / below, 4), half_up((middle + spread) / below, 4)

"""Items of several parts: what each adds or takes, or the one value that they make. Loops over plain dicts."""

from decimal import Decimal
from fractions import Fraction

from tests.oracle.functions import FUNCTIONS
from tests.oracle.numbers import exact, half_up


def lower_is_better(item: dict) -> bool:
    """Whether the item's rule pays the lower of two values."""
    told, compared = item["scoring"], item.get("compared") or {}
    if compared.get("to") == "group_rank":
        return compared["better"] == "lower"
    match told["function"]:
        case "linear_deduction":
            return told.get("better") == "lower"
        case "per":
            return ("above" in told) == ("deduct" in told)
        case "steps":
            return "at_most" in told["steps"][0]
    return False


def costs(part: dict, item: dict) -> bool:
    """Whether the lower value of a part of a value is the better one."""
    return lower_is_better(item) != (exact(part["scoring"].get("weight", 1)) < 0)


def is_percent(part: dict) -> bool:
    return part.get("aggregate", "rate") not in ("count", "sum")


def made(item: dict, values: dict[str, Fraction | None]) -> Fraction | None:
    """The value of an item: the sum of those of its parts, each times its weight, or their product."""
    if all(value is None for value in values.values()):
        return None
    told: dict[str, Fraction | None] = {}
    for part in item["parts"]:
        value = values[part["code"]]
        if value is None and part.get("when_empty") == "full_points":
            value = Fraction(0 if costs(part, item) else 100)
        if value is None and part.get("when_empty") == "zero":
            value = Fraction(100 if costs(part, item) else 0)
        told[part["code"]] = value
    if item["combine"] == "product":
        whole = Fraction(100)
        for value in told.values():
            whole = whole if value is None else whole * value / 100
        return whole
    weights = {part["code"]: exact(part["scoring"].get("weight", 1)) for part in item["parts"]}
    there = [code for code, value in told.items() if value is not None]
    whole = sum((weights[code] * (told[code] or 0) for code in there), Fraction(0))
    missing = [code for code in told if code not in there]
    if missing and any(weight < 0 for weight in weights.values()):
        return None if any(weights[code] > 0 for code in missing) else whole
    if missing and there:
        return whole / sum(weights[code] for code in there) * sum(weights.values())
    return whole


def lacks(item: dict, values: dict[str, Fraction | None]) -> dict[str, Fraction]:
    """By how much each part falls short of its best, weighed; of items that are wanted there is no best."""
    found = {}
    for part in item["parts"]:
        value, weight = values[part["code"]], abs(exact(part["scoring"].get("weight", 1)))
        short = Fraction(0)
        if value is not None and costs(part, item):
            short = value
        elif value is not None and is_percent(part):
            short = 100 - value
        found[part["code"]] = weight * short
    return found


def changes(item: dict, read: dict[str, Fraction | None]) -> dict[str, Fraction]:
    """What each part adds or takes by its own rule."""
    return {
        part["code"]: Fraction(0)
        if read[part["code"]] is None
        else FUNCTIONS[part["scoring"]["function"]](part["scoring"], Fraction(0), read[part["code"]])
        for part in item["parts"]
    }


def bounded(item: dict, changed: dict[str, Fraction]) -> tuple[Fraction, Fraction, dict[str, Fraction]]:
    """What an item starts from, what it gives, and what of that each part changed: beyond a bound those that went that
    way give back in proportion."""
    told, full = item["scoring"], exact(item["points"])
    start = full if told.get("starts", "full") == "full" else Fraction(0)
    free = start + sum(changed.values(), Fraction(0))
    least = exact(told["floor"]) if told.get("floor") is not None else Fraction(0) if full else free
    most = exact(told["cap"]) if told.get("cap") is not None else full or free
    given = max(least, min(free, most))
    kept = dict(changed)
    if given != free:
        went = [code for code, one in changed.items() if (one > 0 if given < free else one < 0)]
        together = sum((changed[code] for code in went), Fraction(0))
        for code in went:
            kept[code] = changed[code] * (together + given - free) / together
    return start, given, kept


def in_hundredths(whole: Decimal, shares: dict[str, Fraction], decimals: int) -> dict[str, Decimal]:
    """A rounded number in parts that sum to it: each cut down to its last decimal, the largest remainders first."""
    one = Fraction(1, 10**decimals)
    cut = {code: share // one for code, share in shares.items()}
    left = int(Fraction(whole) / one) - sum(cut.values())
    order = sorted(shares, key=lambda code: cut[code] * one - shares[code])
    for code in order[:left]:
        cut[code] += 1
    return {code: half_up(count * one, decimals) for code, count in cut.items()}

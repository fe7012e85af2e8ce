"""Random schemes of the whole scheme language: any measure by any of its moments and aggregates, any function, any
numbers, points by hand, lists.
"""

import random

from minhu.schemes.catalogue import measures

ROWS = {
    "feeds": [["h12345"], ["h96345"], ["h12345", "h96345"]],
    "categories": [["11"], ["1201"], ["120101", "1103"]],
    "areas": [["3301"], ["330102"], ["33"]],
    "request_types": [["complaint", "help", "consult", "report"], ["suggest", "praise", "other"]],
    "urgencies": [["urgent", "emergency"], ["normal"]],
    "dispatch_sources": [["province", "nation"], ["city"]],
    "confidential": [True, False, False],
}
BOUNDS = {
    "rate": 100,
    "share": 100,
    "mean": 1,
    "median": 3000,
    "p90": 3000,
    "per_10k": 4,
    "count": 4,
    "sum": 3000,
    "per": 1,
}
"""About how large a value may be, where a scoring function reads it in steps."""
PLAIN = ("count", "sum")
PER = ("intake", "overdue", "urged")
"""Measures of which some are divided by what the register says of a unit."""


def rate(chance: random.Random, points: float, group: str) -> dict:
    """A scoring function of percent."""
    if chance.random() < 0.4:
        target = chance.choice([100, 90, 66.5, 3, varied(chance, 100, 80, group)])
        return {"function": "proportional"} | chance.choice([{}, {"target": target}])
    return {
        "function": "linear_deduction",
        "target": chance.choice(
            [0, 2, 10, 50, 90, 95, 98.5, 100, varied(chance, 90, 70.5, group), varied(chance, 5, 60, group)]
        ),
        "per_point": chance.choice([0.05, 0.3, 0.5, 1, 1.75, 3]),
        "floor": chance.choice([0, 0, round(points / 2, 2), points]),
        "better": chance.choice(["higher", "lower"]),
    }


def steps(chance: random.Random, points: float, most: float) -> dict:
    """A table of a value that is about ``most`` at most."""
    best = round(most * chance.choice([1, 0.8, 0.5]), 6)
    half = round(points / 2, 2)
    downward = [{"at_least": best, "points": points}, {"at_least": round(best / 2, 6), "points": half}]
    upward = [{"at_most": round(most - best, 6), "points": points}, {"at_most": round(most, 6), "points": half}]
    drawn = {"function": "steps", "steps": chance.choice([downward, upward]), "otherwise": chance.choice([0, 1.25])}
    return drawn | chance.choice([{}, {"between": "linear"}])


def items(chance: random.Random, points: float, most: float) -> dict:
    """A deduction or a bonus for each item."""
    cap = chance.choice([points, round(points / 3, 2)]) if points else chance.choice([3, 12.5])
    per_item = round(chance.choice([0.25, 1, 3.3]) * 4 / most, 5)
    if chance.random() < 0.3:
        return {"function": "per_item_bonus", "per_item": per_item, "cap": points or cap}
    return {"function": "per_item_deduction", "per_item": per_item, "cap": cap}


def per(chance: random.Random, points: float, most: float) -> dict:
    """Points for each so much beyond a line."""
    line, way = chance.choice(["below", "above"]), chance.choice(["deduct", "add"])
    drawn = {"function": "per", line: round(most * chance.choice([0, 0.3, 0.9, 1]), 4)}
    drawn[way] = chance.choice([0.2, 0.5, 1, 1.75])
    drawn |= chance.choice([{}, {"size": max(round(most / chance.choice([20, 7, 3]), 6), 0.00001)}])
    drawn |= chance.choice([{}, {"count": chance.choice(["exact", "whole", "started"])}])
    drawn |= chance.choice([{}, {"free": chance.choice([1, 2, 0.5]), "then": chance.choice(["rest", "each"])}])
    drawn |= chance.choice([{}, {"cap": round(points / 2, 2) or 3.3}])
    return drawn | chance.choice([{}, {"floor": chance.choice([0, -2, round(points / 4, 2)])}])


def rows(chance: random.Random, known: dict[str, list]) -> dict:
    """Only some rows, by one key or two."""
    return {key: chance.choice(known[key]) for key in chance.sample(sorted(known), chance.choice([1, 1, 2]))}


def varied(chance: random.Random, before: float, since: float, group: str) -> list[dict]:
    """A number that changes with a month, or is another one for a peer group."""
    other = {"from": chance.choice(["2026-09-01", "2026-10-01", "2026-11-01"])}
    if chance.random() < 0.3:
        other = chance.choice([{}, other]) | {"peer_groups": [group]}
    return [{"value": before}, other | {"value": since}]


def answers(chance: random.Random, known: tuple[str, ...], aggregate: str) -> dict:
    """Which answers count, and what they weigh; the best 1, and of some nothing is said."""
    drawn = {}
    if aggregate == "mean" and chance.random() < 0.7:
        some = [code for code in known[1:] if chance.random() < 0.8]
        drawn["weights"] = {known[0]: 1} | {code: chance.choice([0, 0.333, 0.6, 0.8]) for code in some}
    if chance.random() < 0.4:
        drawn["recheck"] = list(known[-chance.choice([1, 1, 2]) :])
    if chance.random() < 0.5:
        drawn["take"] = chance.choice(["last"] if "recheck" in drawn else ["every", "first", "last"])
    return {"answers": drawn} if drawn else {}


def indicator(
    chance: random.Random, code: str, measure: str, aggregate: str, group: str, choices: dict[str, list]
) -> dict:
    known = measures()[measure]
    drawn = {"code": code, "name_zh": code, "measure": measure, "moment": chance.choice(known.moments)}
    drawn |= {"aggregate": aggregate, "support_units": chance.choice(["out", "out", "in"])}
    if known.answers:
        drawn |= answers(chance, known.answers, aggregate)
    points = chance.choice([2.5, 5, 7.75, 10, 20, 30])
    is_percent = aggregate in ("rate", "share") or "weights" in drawn.get("answers", {})
    if aggregate in ("rate", "mean", "median", "p90") and chance.random() < 0.3:
        drawn["min_n"] = chance.choice([2, 4, varied(chance, 1, 3, group)])
    most = 100 if is_percent else BOUNDS[aggregate] * (5 if measure == "good_rating" else 1)
    if measure == "good_rating" and aggregate == "median":
        most = 5
    if chance.random() < 0.35:
        drawn["rows"] = rows(chance, choices)
    if aggregate == "count" and known.is_yes_or_no and chance.random() < 0.5:
        same, within = chance.choice(["case", "category", "request_type"]), chance.choice(["month", "quarter", "year"])
        drawn["repeated"] = {"same": same, "within": within} | chance.choice([{}, {"times": 1.5}])
    if aggregate == "per":
        drawn["denominator"] = chance.choice(["population", "grids", "staff"])
        most = {"population": 0.001, "grids": 2, "staff": 1}[drawn["denominator"]]
    if chance.random() < (0.7 if aggregate == "per" else 0.3):
        points = chance.choice([0, points])
        drawn |= {"when_empty": chance.choice(["left_out", "zero"])}
        return drawn | {"points": points, "scoring": per(chance, points, most)}
    if aggregate in PLAIN and chance.random() < 0.8:
        points = chance.choice([0, 0, points])
        return drawn | {"points": points, "scoring": items(chance, points, most)}
    drawn["when_empty"] = chance.choice(["left_out", "left_out", "full_points", "zero"])
    if is_percent and chance.random() < 0.75:
        return drawn | {"points": points, "scoring": rate(chance, points, group)}
    return drawn | {"points": points, "scoring": steps(chance, points, most)}


def by_hand(chance: random.Random, group: str) -> list[dict]:
    """Points earned, changes of full points, and changes of the whole."""
    drawn = [
        {"points": 10, "scoring": {"function": "manual", "entry": "earned"}},
        {"points": 7.5, "scoring": {"function": "manual", "entry": "change", "floor": chance.choice([0, 2.5])}},
        {"points": 0, "scoring": {"function": "manual", "entry": "change", "floor": -3}},
    ]
    drawn[0]["scoring"] |= chance.choice([{}, {"times": 0.4}, {"times": "1/15"}])
    drawn[0] |= chance.choice([{}, {"ranks": True}])
    drawn[2]["scoring"]["cap"] = varied(chance, 2, 1.5, group)
    drawn[0]["when_empty"] = chance.choice(["left_out", "full_points", "zero"])
    return [{"code": f"{BY_HAND}{place}", "name_zh": "人工"} | one for place, one in enumerate(drawn)]


BY_HAND = "by_hand_"


def publication(chance: random.Random, groups: list[str]) -> dict:
    lists = [
        {"name_zh": f"{take}{count}", "take": take, "count": count, "within": within}
        for take, within in (("best", "peer_group"), ("worst", "all"), ("worst", "peer_group"), ("best", "all"))
        for count in [chance.choice([1, 2, 5])]
    ]
    drawn = {"ranking": chance.choice([True, False]), "shrunken": True, "lists": chance.sample(lists, 3)}
    least = [{"value": 1}, {"from": "2026-10-01", "value": chance.choice([2, 3])}]
    least.append({"peer_groups": [chance.choice(groups)], "value": chance.choice([0, 4])})
    return drawn | chance.choice([{}, {"min_n": 2}, {"min_n": least}, {"min_n": least}])


def longer(chance: random.Random) -> object:
    """How a year is made of its months."""
    weights = {month: chance.choice([1, 0.5, "1/3", 2]) for month in range(1, 13)}
    told = [{"best": chance.choice([1, 2])}, {"last": 2}, {"weights": weights}]
    return chance.choice(["mean_of_months", {"of": "month"} | chance.choice(told)])


def whole(chance: random.Random) -> list[dict]:
    """What changes the whole: something that is entered, that is counted, and a rate that is too low; and what is taken
    off a year alone."""
    effects = [{"score_at_most": 0}, {"score_at_most": 55.5}, {"band_at_most": "乙"}, {"ranked": False}]
    found = {"measure": "violation_not_handled", "moment": "occurred_at", "aggregate": "count", "points": 0}
    rate = {"measure": "close_on_time", "moment": "due_at", "points": 0}
    year = {"function": "per", "above": 0, "deduct": 0.5}
    drawn = [
        {"points": 0, "scoring": {"function": "event"} | chance.choice(effects)},
        found | {"scoring": {"function": "event", "at_least": 2} | chance.choice(effects)},
        rate | {"scoring": {"function": "event", "below": 20} | chance.choice(effects[1:])},
        found | {"scoring": year, "periods": ["year"]},
    ]
    names = (f"{BY_HAND}3", "happened", "too_low", "of_the_year")
    return [{"code": code, "name_zh": code} | one for code, one in zip(names, drawn, strict=True)]


def draw(
    chance: random.Random,
    scheme_id: str,
    groups: list[str],
    valid_from: str = "2026-01-01",
    of_city: dict[str, list] | None = None,
) -> dict:
    """A scheme of every measure and each of its aggregates, of some by a second moment too.

    A year is a mean of its months; all else is chance. The score of feeds is left out: tests/audit reckons it.
    ``of_city``: what of ROWS a city calls otherwise.
    """
    chosen = [
        (measure, aggregate)
        for measure, known in measures().items()
        for aggregate in (*known.aggregates, *(["per"] if "count" in known.aggregates else []))
        if measure != "data_quality" and (aggregate != "per" or measure in PER)
    ]
    chosen += chance.sample(chosen, 6)
    group = chance.choice(groups)
    drawn = [indicator(chance, f"i{place:02}", *one, group, ROWS | (of_city or {})) for place, one in enumerate(chosen)]
    drawn += by_hand(chance, group)
    drawn += whole(chance)
    drawn[1]["points"] = [{"from": valid_from, "value": drawn[1]["points"]}]
    for one in chance.sample(drawn[1:], 4):
        one["peer_groups"] = chance.sample(groups, chance.choice([1, len(groups) - 1 or 1]))
    order = chance.choice(["components_first", "components_first", "sum_first"])
    return {
        "id": scheme_id,
        "title": scheme_id,
        "legal_basis": [{"title": "drawn by chance"}],
        "valid_from": valid_from,
        "periods": {"month": "indicative", "quarter": "indicative", "year": "final"},
        "aggregation": {"year": longer(chance)},
        "peer_groups": [{"code": group, "name_zh": group, "points": chance.choice([2, 4.5, 33.3])} for group in groups],
        "rounding": {"order": order, "decimals": chance.choice([2, 2, 3] if order == "components_first" else [0, 1, 2])}
        | chance.choice([{}, {"rate_decimals": chance.choice([0, 2])}]),
        "bands": [{"name_zh": name, "at_least": least} for name, least in (("甲", 80), ("乙", 59.5), ("丙", 0))],
        "publication": publication(chance, groups),
        "indicators": drawn,
    }


def limits(chance: random.Random) -> list[dict]:
    """Time limits of every kind, clock and scope, some dated, closing ones with whatever extension."""
    drawn = [limit(chance, kind) for kind in ("sign", "contact", "close") for _ in range(3)]
    last = [{"limit_kind": kind, "amount": 2, "unit": "workday", "starts": "next_day"} for kind in ("sign", "close")]
    return [{"text": "drawn by chance"} | one for one in [*drawn, *last]]


def limit(chance: random.Random, kind: str) -> dict:
    drawn = {"limit_kind": kind, **amount(chance), "starts": chance.choice(["next_day", "at_once"])}
    scopes = {
        "request_types": ["complaint", "help", "consult"],
        "urgencies": ["normal", "emergency"],
        "categories": ["11", "1201"],
        "linkage_levels": [chance.choice([1, 2])],
    }
    for scope in chance.sample(sorted(scopes), chance.choice([1, 1, 2])):
        drawn[scope] = scopes[scope]
    if chance.random() < 0.3:
        drawn[chance.choice(["valid_from", "valid_to"])] = "2026-10-14"
    if kind == "close" and chance.random() < 0.7:
        drawn["extension"] = extension(chance)
    if kind == "close" and chance.random() < 0.5:
        drawn["return"] = returned(chance)
    return drawn


def amount(chance: random.Random) -> dict:
    unit = chance.choice(["workday", "work_hour", "work_minute", "day", "hour", "minute"])
    return {"amount": chance.choice([1, 2, 5]) * (60 if unit.endswith("minute") else 1), "unit": unit}


def returned(chance: random.Random) -> dict:
    """Until when a return is to be asked for, what one asked for after the limit does, or both."""
    drawn: dict = {}
    if chance.random() < 0.6:
        unit = chance.choice(["workday", "day", "hour", "minute"])
        drawn["ask_within"] = {"amount": chance.choice([1, 2, 5]) * (60 if unit == "minute" else 1), "unit": unit}
    if not drawn or chance.random() < 0.5:
        drawn["late"] = chance.choice(["stands", "stands", "lifts"])
    return drawn


def extension(chance: random.Random) -> dict:
    drawn = {**amount(chance), "further": chance.choice(["add", "replace"])}
    if chance.random() < 0.4:
        drawn["max_count"] = chance.choice([1, 2])
    if chance.random() < 0.4:
        drawn["ask_before"] = {"amount": 1, "unit": chance.choice(["workday", "day", "hour", "minute"])}
    return drawn

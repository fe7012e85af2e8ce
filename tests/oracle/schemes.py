"""Random schemes of the whole scheme language: any measure by any of its moments, any function, any numbers."""

import random

from minhu.scoring.catalogue import measures
from tests.oracle.measures import OF_ASSIGNMENTS, OF_CALLBACKS

COUNTED = [code for code in measures() if code in {*OF_ASSIGNMENTS, *OF_CALLBACKS} or code.startswith("violation_")]
"""Measures of which the oracle knows the rows."""


def rate(chance: random.Random, points: float) -> dict:
    """A scoring function of a rate."""
    if chance.random() < 0.25:
        best = chance.choice([100, 80, 50])
        table = [{"at_least": best, "points": points}, {"at_least": best / 2, "points": round(points / 2, 2)}]
        turned = [
            {"at_most": 100 - best, "points": points},
            {"at_most": 100 - best / 2, "points": round(points / 2, 2)},
        ]
        return {"function": "steps", "steps": chance.choice([table, turned]), "otherwise": chance.choice([0, 1.25])}
    if chance.random() < 0.4:
        return {"function": "proportional", "target": chance.choice([100, 90, 66.5, 3])}
    return {
        "function": "linear_deduction",
        "target": chance.choice([0, 2, 10, 50, 90, 95, 98.5, 100, dated(chance, 90, 70.5), dated(chance, 5, 60)]),
        "per_point": chance.choice([0.05, 0.3, 0.5, 1, 1.75, 3]),
        "floor": chance.choice([0, 0, round(points / 2, 2), points]),
        "better": chance.choice(["higher", "lower"]),
    }


def dated(chance: random.Random, before: float, since: float) -> list[dict]:
    """A number that changes with a month."""
    return [{"value": before}, {"from": chance.choice(["2026-09-01", "2026-10-01", "2026-11-01"]), "value": since}]


def indicator(chance: random.Random, code: str, measure: str) -> dict:
    known = measures()[measure]
    drawn = {"code": code, "name_zh": code, "measure": measure, "moment": chance.choice(known.moments)}
    drawn["support_units"] = chance.choice(["out", "out", "in"])
    points = chance.choice([2.5, 5, 7.75, 10, 20, 30])
    offered = [one for one in known.aggregates if one in ("rate", "count")]
    if chance.choice(offered) == "rate":
        when_empty = chance.choice(["left_out", "left_out", "full_points", "zero"])
        return drawn | {"points": points, "scoring": rate(chance, points), "when_empty": when_empty}
    points = chance.choice([0, 0, points])
    cap = chance.choice([points, round(points / 3, 2)]) if points else chance.choice([3, 12.5])
    per_item = chance.choice([0.25, 1, 3.3])
    if chance.random() < 0.3:
        scoring = {"function": "per_item_bonus", "per_item": per_item, "cap": points or cap}
        return drawn | {"points": points, "aggregate": "count", "scoring": scoring}
    return drawn | {
        "points": points,
        "aggregate": "count",
        "scoring": {"function": "per_item_deduction", "per_item": per_item, "cap": cap},
    }


def draw(chance: random.Random, scheme_id: str, groups: list[str]) -> dict:
    """A scheme of every measure once, and of some by a second moment too."""
    chosen = COUNTED + chance.sample(COUNTED, 6)
    drawn = [indicator(chance, f"i{place:02}", measure) for place, measure in enumerate(chosen)]
    return {
        "id": scheme_id,
        "title": scheme_id,
        "legal_basis": [{"title": "drawn by chance"}],
        "valid_from": "2026-01-01",
        "periods": {"month": "indicative", "year": "final"},
        "peer_groups": [{"code": group, "name_zh": group, "points": chance.choice([2, 4.5, 33.3])} for group in groups],
        "rounding": {"decimals": chance.choice([2, 2, 3])}
        | chance.choice([{}, {"rate_decimals": chance.choice([0, 2])}]),
        "bands": [{"name_zh": name, "at_least": least} for name, least in (("甲", 80), ("乙", 59.5), ("丙", 0))],
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
    return drawn


def amount(chance: random.Random) -> dict:
    unit = chance.choice(["workday", "work_hour", "work_minute", "day", "hour", "minute"])
    return {"amount": chance.choice([1, 2, 5]) * (60 if unit.endswith("minute") else 1), "unit": unit}


def extension(chance: random.Random) -> dict:
    drawn = {**amount(chance), "further": chance.choice(["add", "replace"])}
    if chance.random() < 0.4:
        drawn["max_count"] = chance.choice([1, 2])
    if chance.random() < 0.4:
        drawn["ask_before"] = {"amount": 1, "unit": chance.choice(["workday", "day", "hour", "minute"])}
    return drawn

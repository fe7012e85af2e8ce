"""Random small cities: life-cycles in any order, told by two senders and by the case's own row, with whatever scheme.

The lives are those of ``tests/scenarios/test_arrival.py``; here they get what rules and measures look at.
"""

import random
from pathlib import Path

import yaml

from minhu.feeds.canonical import REQUEST_TYPES, URGENCIES, VIOLATIONS
from tests.oracle import schemes
from tests.scenarios import city as world
from tests.scenarios import test_arrival

RATINGS = ["非常满意", "满意", "基本满意", "不满意", "非常不满意", ""]
UNITS = [unit for unit in test_arrival.UNITS if unit]


def configuration(folder: Path, seed: int) -> Path:
    """The scenarios' city with plain layouts, a register of two groups, and two random schemes."""
    chance = random.Random(seed)
    world.configuration(folder)
    (folder / "layouts" / "events.yml").write_text("kind: event\nformat: {type: csv}\n", encoding="utf-8")
    response = folder / "feeds" / "resp_units.yml"
    text = response.read_text(encoding="utf-8")
    text = text[: text.index("    columns:")] + '    columns: {case_feed_code: {value: "h12345"}}\n'
    response.write_text(text, encoding="utf-8")
    cases = yaml.safe_load((folder / "layouts" / "cases.yml").read_text(encoding="utf-8"))
    cases["columns"] |= {name: name for name in ("request_type", "urgency", "category_code")}
    cases["optional_columns"] += ["request_type", "urgency", "category_code"]
    (folder / "layouts" / "cases.yml").write_text(yaml.safe_dump(cases, allow_unicode=True), encoding="utf-8")
    (folder / "schemes" / "scenarios.yml").unlink()
    for scheme_id, limits in (("one", schemes.limits(chance)), ("other", [])):
        drawn = schemes.draw(chance, scheme_id, ["department"]) | {"limits": limits}
        (folder / "schemes" / f"{scheme_id}.yml").write_text(
            yaml.safe_dump(drawn, allow_unicode=True), encoding="utf-8"
        )
    return folder


def rows(chance: random.Random) -> list[tuple]:
    """What the senders deliver, as (feed, delivery, day, row)."""
    found = []
    for feed, delivery, day, row in test_arrival.rows_of(chance):
        added = {}
        if delivery == "cases":
            added = {
                "request_type": chance.choice(["", *REQUEST_TYPES]),
                "urgency": chance.choice(["", *URGENCIES]),
                "category_code": chance.choice(["", "11", "1103", "110303", "12", "1201"]),
            }
            if chance.random() < 0.3:
                added |= {
                    "转办时间": test_arrival.moment(chance),
                    "办理单位": chance.choice(UNITS),
                    "办理期限": chance.choice(["", test_arrival.moment(chance)]),
                    "办结时间": chance.choice(["", test_arrival.moment(chance)]),
                }
        if delivery == "events":
            added = {"reason_code": _reason(chance, row["event_type"]), "limit_kind": _limit_kind(chance, row)}
        if delivery == "callbacks":
            added = {
                "接通": chance.choice(["是", "是", "否"]),
                "满意度": chance.choice(RATINGS),
                "解决情况": chance.choice(["实际解决", "解释说明", "未解决", ""]),
            }
        found.append((feed, delivery, day, row | added))
    return found


def _reason(chance: random.Random, event_type: str) -> str:
    if event_type == "VIOLATION":
        return chance.choice(VIOLATIONS)
    return chance.choice(["statutory_channel", "beyond_duty"]) if event_type.startswith("EXCLUDE") else ""


def _limit_kind(chance: random.Random, row: dict) -> str:
    return chance.choice(["", "", "close", "sign", "contact"]) if row["due_at"] else ""

"""Random small cities: life-cycles in any order, told by two senders and by the case's own row, with whatever scheme.

The lives are those of ``tests/scenarios/test_arrival.py``; here they get what rules, repeats and measures look at, and
beside them stories of a few units to which two hotlines give one matter: told again, handed over, sent back within a
minute, returned late.
"""

import csv
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import yaml

from minhu import assess, database
from minhu.feeds.canonical import DISPATCH_SOURCES, REQUEST_TYPES, SATISFACTION_SCALES, URGENCIES, VIOLATIONS
from minhu.settings import Settings
from tests.oracle import schemes
from tests.scenarios import city as world
from tests.scenarios import test_arrival

UNITS = [unit for unit in test_arrival.UNITS if unit]
GROUPS = ["department", "town"]
CATEGORIES = {"11": "", "1103": "11", "110303": "1103", "12": "", "1201": "12", "120101": "1201"}
AREAS = {"33": ("", "city"), "3301": ("33", "district"), "330101": ("3301", "town"), "330102": ("3301", "town")}
AREAS |= {"3302": ("33", "district"), "330201": ("3302", "town")}
WORDS = ["路灯", "不亮", "垃圾", "没人清运", "文三路", "停水", "两天", "噪声", "夜里", "施工"]
FILLERS = ["市民", "市民来电", "来电", "反映", "没人"]
OF_CASES = (
    "request_type",
    "urgency",
    "category_code",
    "area_code",
    "longitude",
    "latitude",
    "title",
    "content",
    "address",
    "dispatch_source",
    "is_confidential",
)
SAID_BY_FEEDS = {
    "another_lead": ("joins", "joins", "replaces"),
    "return_requests": ("told", "told", "not_told"),
    "extension_requests": ("told", "told", "not_told"),
}
PLOTS = (
    "DISPATCH CLOSE REVIEW_BACK CLOSE",
    "DISPATCH CLOSE REVIEW_BACK REWORK CLOSE",
    "DISPATCH RETURN_REQUEST RETURN_GRANT",
    "DISPATCH RETURN_REQUEST RETURN_DENY RETURN_REQUEST RETURN_GRANT REDISPATCH",
    "DISPATCH EXTEND_GRANT CLOSE",
    "DISPATCH DISPATCH SIGN RETURN_GRANT SIGN CLOSE",
    "DISPATCH REDISPATCH DISPATCH SIGN REDISPATCH CLOSE",
    "DISPATCH SIGN REDISPATCH REDISPATCH CLOSE",
    "DISPATCH DISPATCH DISPATCH FIRST_CONTACT RETURN_GRANT RETURN_GRANT CLOSE",
    "DISPATCH DESIGNATE RETURN_GRANT DISPATCH RETURN_GRANT CLOSE",
)
"""What a story may be about; others go as they like."""
OF_A_STORY = ["DISPATCH", "REDISPATCH", "REDISPATCH", "REWORK", "SIGN", "CLOSE", "CLOSE", "REVIEW_BACK"]
OF_A_STORY += ["RETURN_REQUEST", "RETURN_GRANT", "RETURN_GRANT", "RETURN_DENY", "DESIGNATE", "EXTEND_GRANT"]
STORIES = 60
OF_CALLBACKS = (
    "reach_code",
    "contact_code",
    "resolution_code",
    "satisfaction_scale",
    "satisfaction_code",
    "attitude_code",
)


def configuration(folder: Path, seed: int) -> Path:
    """The scenarios' city with plain layouts, a register of two groups, rules of repeats, and two random schemes."""
    chance = random.Random(seed)
    world.configuration(folder)
    (folder / "layouts" / "events.yml").write_text("kind: event\nformat: {type: csv}\n", encoding="utf-8")
    response = folder / "feeds" / "resp_units.yml"
    text = response.read_text(encoding="utf-8")
    text = text[: text.index("    columns:")] + '    columns: {case_feed_code: {value: "h12345"}}\n'
    response.write_text(text, encoding="utf-8")
    for kind, columns in (("cases", OF_CASES), ("callbacks", OF_CALLBACKS)):
        layout = yaml.safe_load((folder / "layouts" / f"{kind}.yml").read_text(encoding="utf-8"))
        layout["columns"] |= {name: name for name in columns}
        layout["optional_columns"] += columns
        if kind == "cases":
            layout["columns"]["caller_phone"] = "来电号码"
            layout["private"] = ["来电号码"]
        _write(folder / "layouts" / f"{kind}.yml", layout)
    city = yaml.safe_load((folder / "city.yml").read_text(encoding="utf-8"))
    _write(folder / "city.yml", city | {"repeats": repeats(chance), "readings": readings(chance)})
    for code in ("h12345", "h96345"):
        feed = yaml.safe_load((folder / "feeds" / f"{code}.yml").read_text(encoding="utf-8"))
        said = {name: chance.choice(values) for name, values in SAID_BY_FEEDS.items()}
        _write(folder / "feeds" / f"{code}.yml", feed | said)
    _registers(chance, folder)
    (folder / "schemes" / "scenarios.yml").unlink()
    for scheme_id, limits in (("one", schemes.limits(chance)), ("other", [])):
        drawn = schemes.draw(chance, scheme_id, GROUPS, valid_from="2026-10-01") | {"limits": limits}
        _write(folder / "schemes" / f"{scheme_id}.yml", drawn)
    return folder


def _write(path: Path, told: dict) -> None:
    path.write_text(yaml.safe_dump(told, allow_unicode=True), encoding="utf-8")


def _registers(chance: random.Random, folder: Path) -> None:
    with (folder / "units.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    for line in lines:
        line["peer_group"] = GROUPS[int(line["unit_code"][1:]) % 3 == 0]
        line["population"] = chance.choice(["", "8000", "31000"])
        line |= {"grids": chance.choice(["", "2", "3"]), "staff": chance.choice(["1", "5"])}
    _table(folder / "units.csv", lines)
    names = ("category_code", "category_name", "parent_category_code", "category_level")
    _table(
        folder / "categories.csv",
        [dict(zip(names, (code, code, above, len(code) // 2), strict=True)) for code, above in CATEGORIES.items()],
    )
    names = ("area_code", "area_name", "parent_area_code", "area_level")
    _table(folder / "areas.csv", [dict(zip(names, (code, code, *told), strict=True)) for code, told in AREAS.items()])


def _table(path: Path, rows: list[dict]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def repeats(chance: random.Random) -> list[dict]:
    """Two rules of what a repeat is, one after the other."""
    drawn = []
    for since in ("2026-01-01", "2026-10-05"):
        rule = {
            "valid_from": since,
            "window_days": chance.choice([3, 20, 60]),
            "matter": chance.choice(["category", "text", *["category_or_text"] * 3, "category_and_text"]),
            "min_similarity": chance.choice([0.3, 0.5, 0.667]),
            "filler_words": chance.sample(FILLERS, 3),
            "place": chance.choice(["ignore", "if_told", "if_told", "required"]),
            "area_level": chance.choice(["district", "town"]),
            "compare_latest": chance.choice([2, 50]),
        }
        if chance.random() < 0.7:
            rule["category_level"] = chance.choice([1, 2, 3])
        if chance.random() < 0.7:
            rule["within_metres"] = chance.choice([300, 2000])
        drawn.append(rule)
    return drawn


def readings(chance: random.Random) -> list[dict]:
    """The second edition from long ago or from a day in the middle, or the first alone."""
    since = chance.choice(["2020-01-01", "2020-01-01", "2026-10-14", None])
    return [{"valid_from": since, "edition": 2}] if since else []


def rows(chance: random.Random) -> list[tuple]:
    """What the senders deliver, as (feed, delivery, day, row)."""
    found = []
    for feed, delivery, day, row in test_arrival.rows_of(chance):
        if delivery == "callbacks":
            found += [(feed, delivery, day, told) for told in _calls(chance, row)]
            continue
        added = {}
        if delivery == "cases":
            added = _case(chance)
            if chance.random() < 0.3:
                added |= {
                    "转办时间": test_arrival.moment(chance),
                    "办理单位": chance.choice(UNITS),
                    "办理期限": chance.choice(["", test_arrival.moment(chance)]),
                    "办结时间": chance.choice(["", test_arrival.moment(chance)]),
                }
        if delivery == "events":
            added = {"reason_code": _reason(chance, row["event_type"]), "limit_kind": _limit_kind(chance, row)}
        found.append((feed, delivery, day, row | added))
    for number in range(STORIES):
        found += story(chance, str(number) if number < STORIES / 3 else f"S{number}")
    return found


def story(chance: random.Random, number: str) -> list[tuple]:
    """What two hotlines tell of a matter between two units: of one that is there, or of one of its own."""
    numbers, found = [("h12345", number), ("h96345", f"M{number}")][: chance.choice([1, 2, 2])], []
    for feed, case_no in numbers:
        upstream = {"上游热线": "h12345", "上游编号": number} if feed == "h96345" else {}
        if upstream or number.startswith("S"):
            found.append((feed, "cases", 1, {"工单编号": case_no} | upstream | _case(chance)))
    free = " ".join(["DISPATCH", *chance.choices(OF_A_STORY, k=chance.randrange(3, 9))])
    units = chance.sample(["城管局", "交通局", "住建局"], 2)
    likely = chance.choice([[units[0]], [units[0], units[0], units[1], ""]])
    times = moments(chance)
    for place, event_type in enumerate(chance.choice([free, *PLOTS]).split()):
        feed, case_no = chance.choice(numbers)
        at = next(times)
        is_given_on = event_type == "REDISPATCH" and chance.random() < 0.6
        row = dict.fromkeys(("unit_role", "result_code", "reason_code", "limit_kind"), "") | {
            "case_no": case_no,
            "source_event_no": f"{case_no}-story-{place}",
            "event_type": event_type,
            "occurred_at": at,
            "unit_name": units[1] if is_given_on else chance.choice(likely),
            "due_at": at + timedelta(days=3) if event_type == "EXTEND_GRANT" and chance.random() < 0.7 else "",
        }
        found.append((feed, "events", 1, row))
    if chance.random() < 0.5:
        feed, case_no = chance.choice(numbers)
        calls = _calls(chance, {"工单编号": case_no, "回访时间": next(times)})
        found += [(feed, "callbacks", 1, call) for call in calls]
    return found


def moments(chance: random.Random) -> Iterator[datetime]:
    """One after the other, seconds or days apart and never twice the same; many are told to the minute."""
    at = test_arrival.moment(chance) + timedelta(minutes=chance.randrange(1, 10), seconds=3)
    given: set[datetime] = set()
    longest = chance.choice([1, 4, 10])
    while True:
        told = at.replace(second=0) if chance.random() < 0.5 else at
        told = at if told in given else told
        given.add(told)
        yield told
        apart = [timedelta(seconds=7), timedelta(seconds=20), timedelta(minutes=20), timedelta(hours=5)]
        at += chance.choice([*apart, timedelta(days=1), timedelta(days=longest)])


def _case(chance: random.Random) -> dict:
    """Who calls about what, and where: few callers, few words, few places."""
    said = "".join(chance.sample(WORDS, chance.randrange(5)))
    street = chance.choice(["", "", "文三路 12 号", "文三路１２号", "学院路 3 号"])
    near = chance.choice(["", (120.151, 30.251), (120.152, 30.252), (120.151, 30.351), (120, 30)])
    return {
        "受理时间": test_arrival.FIRST
        - timedelta(hours=12 * chance.choice([chance.randrange(20), chance.randrange(60)])),
        "来电号码": chance.choice(["", *(f"1390000000{last}" for last in range(4))]),
        "request_type": chance.choice(["", *REQUEST_TYPES]),
        "urgency": chance.choice(["", *URGENCIES]),
        "category_code": chance.choice(["", "99", *CATEGORIES]),
        "area_code": chance.choice(["", "99", *AREAS]),
        "longitude": near and near[0],
        "latitude": near and near[1],
        "title": chance.choice(["", said[:4], chance.choice(FILLERS)]),
        "content": chance.choice(["", said, f"{chance.choice(FILLERS)}{said}，电话 138****1234，Ａb"]),
        "address": street,
        "dispatch_source": chance.choice(["", *DISPATCH_SOURCES]),
        "is_confidential": chance.choice(["", "true", "false"]),
    }


def _calls(chance: random.Random, row: dict) -> list[dict]:
    """A callback, and often others about the same case, some of them in the same second."""
    calls = []
    for _ in range(chance.choice([1, 1, 2, 3])):
        scale = chance.choice(list(SATISFACTION_SCALES))
        calls.append(
            row
            | {
                "回访时间": row["回访时间"] + timedelta(minutes=chance.choice([0, 30, 60, 3000])),
                "接通": chance.choice(["是", "是", "是", "否"]),
                "满意度": "",
                "解决情况": "",
                "reach_code": chance.choice(["", "", "reached", "refused"]),
                "contact_code": chance.choice(["yes", "no", "unrated", ""]),
                "resolution_code": chance.choice(["resolved", "explained", "unresolved", "unrated", ""]),
                "satisfaction_scale": scale,
                "satisfaction_code": chance.choice([*SATISFACTION_SCALES[scale], "unrated", ""]),
                "attitude_code": chance.choice([*SATISFACTION_SCALES[scale], "unrated", ""]),
            }
        )
    return calls


def _reason(chance: random.Random, event_type: str) -> str:
    if event_type == "VIOLATION":
        return chance.choice(VIOLATIONS)
    return chance.choice(["statutory_channel", "beyond_duty"]) if event_type.startswith("EXCLUDE") else ""


def _limit_kind(chance: random.Random, row: dict) -> str:
    return chance.choice(["", "", "close", "sign", "contact"]) if row["due_at"] else ""


def decide(chance: random.Random, city: Settings) -> None:
    """What people decide before a build: cases excluded for all or for single indicators, and findings on a unit."""
    with database.connect(city) as connection:
        for number in chance.sample(range(test_arrival.CASES), 12):
            connection.execute(
                "insert into assess.exclusion (case_id, indicator_codes, reason_code, reason)"
                " values (%s, %s, 'beyond_duty', '依规定')",
                [assess.case_id("h12345", str(number)), chance.choice([None, ["i03", "i07"], ["i11", "i20", "i25"]])],
            )
        connection.execute(
            "insert into assess.exclusion (case_id, reason_code, reason, revokes_exclusion_id)"
            " select case_id, reason_code, reason, exclusion_id from assess.exclusion order by 1 limit 3"
        )
        for unit in ("U1", "U2", "U3"):
            connection.execute(
                "insert into assess.violation (unit_code, violation_code, found_at, reason, evidence_ref)"
                " values (%s, %s, '2026-10-14 09:00+08', '督查通报', '记录 1')",
                [unit, chance.choice(VIOLATIONS)],
            )
    world.confirm(world.as_evaluator(city, "oracle_second"))


def enter_points(chance: random.Random, city: Settings, scheme_ids: list[str], periods: list[str], count: int) -> None:
    """Points by hand: approved, rejected or left waiting by another login; of the approved some are revoked."""
    with database.connect(city) as owner, database.connect(world.as_evaluator(city, "oracle_evaluator")) as other:
        lasting = "select distinct unit_code from mart.dim_unit where valid_to is null order by 1"
        known = [unit for (unit,) in owner.execute(lasting)]
        units = chance.sample(known, 3)  # few, so that several entries meet
        for place in range(count):
            given = {
                "scheme_id": chance.choice(scheme_ids),
                "period": chance.choice(periods),
                "unit_code": chance.choice(units),
                "indicator_code": f"{schemes.BY_HAND}{chance.randrange(4)}",
                "points": chance.choice(["-1", "-0.555", "-2.345", "1.5", "3", "6.5", "40"]),
                "reason": f"评审 {place}",
                "evidence_ref": f"记录 {place}",
            }
            point = database.act(owner, "assess.enter_manual_point", given)
            owner.commit()
            verdict = _judge(chance, other, point, ["approved", "approved", "approved", "rejected", None])
            if verdict == "approved" and chance.random() < 0.2:
                revoking = {"manual_point_id": point, "reason": "更正", "evidence_ref": "记录"}
                revocation = database.act(owner, "assess.revoke_manual_point", revoking)
                owner.commit()
                _judge(chance, other, revocation, ["approved", "rejected", None])


def _judge(chance: random.Random, other: psycopg.Connection, point: int, verdicts: list[str | None]) -> str | None:
    verdict = chance.choice(verdicts)
    if verdict:
        given = {"subject_kind": "manual_point", "subject_id": str(point), "verdict": verdict, "reason": "核实"}
        database.act(other, "assess.approve", given)
        other.commit()
    return verdict

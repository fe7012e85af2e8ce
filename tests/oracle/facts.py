"""The oracle's numbers beside the warehouse's: every row, every column."""

from collections import defaultdict

from psycopg.rows import dict_row

from minhu import assess, database
from minhu.settings import Settings
from tests.oracle.lifecycle import Assignment, City, level

IDENTITY = ("dispatched_at", "unit_name_raw", "unit_role")
LIMITS_AND_LIFE = (
    "round", "unit_code", "sign_due_at", "signed_at", "contact_due_at", "contacted_at", "due_at", "extended_due_at",
    "due_in_force_at", "closed_at", "voided_at", "void_reason", "is_excluded", "exclusion_reason", "clock",
    "is_calendar_provisional", "is_limit_unknown", "is_signed_on_time", "is_contacted_on_time", "is_closed_on_time",
    "working_minutes_to_close", "natural_minutes_to_close", "return_request_count", "return_deny_count",
    "extension_count", "urge_count", "urged_at", "supervise_count", "supervised_at", "review_back_count",
    "sent_back_at", "reworked_at", "ended_at", "end_reason", "superseded_by_assignment_id", "closed_in_time_at",
    "is_late_at_return", "closed_precision",
)  # fmt: skip
CASE = (
    "request_type", "category_code", "area_code", "channel", "urgency", "received_at", "sender_status",
    "first_dispatched_at", "closed_at", "transferred_from_case_id", "merged_into_case_id", "is_excluded",
    "exclusion_reason", "assignment_count", "return_count", "rework_count", "root_case_id", "repeat_of_case_id",
    "repeat_similarity", "repeat_basis", "dispatch_source", "is_confidential",
)  # fmt: skip
CALLBACK = (
    "unit_code", "round", "is_reached", "reach_code", "contact_code", "resolution_code", "satisfaction_scale",
    "satisfaction_code", "attitude_code", "satisfaction_level", "assignment_id",
)  # fmt: skip


def table(settings: Settings, query: str) -> list[dict]:
    with database.connect(settings) as connection, connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query).fetchall()


Table = dict[tuple, dict]
"""Rows by what makes each of them one; of rows that nothing tells apart each has its number."""


def told(settings: Settings) -> dict[str, list[dict]]:
    """The warehouse's facts as they are."""
    names = ("fct_case", "fct_timeliness", "fct_satisfaction", "fct_violation", "fct_exclusion")
    return {name: table(settings, f"select * from mart.{name}") for name in names}


def case_id(number: tuple[str, str] | None) -> str | None:
    """The name by which the warehouse knows a case."""
    return None if number is None else assess.case_id(*number)


def identify(city: City, told_rows: list[dict]) -> dict[str, Assignment]:
    """The oracle's assignments by the ids of the warehouse, for whatever speaks of an assignment by its id."""
    ids = _numbered(((row["case_id"], *(row[name] for name in IDENTITY)), row["assignment_id"]) for row in told_rows)
    own = _numbered(
        ((case_id(one.case), one.dispatched_at, one.unit_name_raw, one.role), one)
        for matter in city.matters.values()
        for one in matter.assignments
    )
    return {ids[key]: one for key, one in own.items() if key in ids}


def name_callbacks(city: City, told_rows: list[dict]) -> None:
    """Gives every callback of the oracle the id that the warehouse has for it. Those that say the same are the same."""
    answers = ("contact_code", "resolution_code", "satisfaction_scale", "satisfaction_code", "attitude_code")
    names = defaultdict(list)
    for row in sorted(told_rows, key=lambda row: row["callback_id"], reverse=True):
        told = (row["case_id"], row["called_at"], row["reach_code"], *(row[name] for name in answers))
        names[told].append(row["callback_id"])
    for root, matter in city.matters.items():
        for call in matter.callbacks:
            row = call["row"]
            waiting = names[case_id(root), row["called_at"], City.reach(row), *(row[name] for name in answers)]
            call["name"] = waiting.pop() if waiting else None


def compare(city: City, decided, rows: dict[str, list[dict]], ids: dict[str, Assignment]) -> list[str]:
    """Every disagreement over the facts, the warehouse's word first."""
    names = {id(one): name for name, one in ids.items()}
    found = []
    for name, warehouse, oracle in (
        ("fct_timeliness", _timeliness_told(rows), _timeliness(city, decided, names)),
        ("fct_case", _cases_told(rows), _cases(city, decided)),
        ("fct_satisfaction", _callbacks_told(rows), _callbacks(city, names)),
        ("fct_violation", _findings_told(rows), _findings(decided, names)),
        ("fct_exclusion", _exclusions_told(rows), _exclusions(decided, names)),
    ):
        found += [f"{name} {line}" for line in differences(warehouse, oracle)]
    return found


def _timeliness_told(rows: dict) -> Table:
    return _numbered(
        ((row["case_id"], *(row[name] for name in IDENTITY)), {name: row[name] for name in LIMITS_AND_LIFE})
        for row in rows["fct_timeliness"]
    )


def _timeliness(city: City, decided, names: dict[int, str]) -> Table:
    found = []
    for matter in city.matters.values():
        for one in matter.assignments:
            reason = decided.of_assignment(one) or decided.of_case(matter.root)
            facts = one.facts | {
                "round": one.round,
                "unit_code": one.unit_code,
                "is_excluded": reason is not None,
                "exclusion_reason": reason,
                "superseded_by_assignment_id": names.get(id(one.facts["superseded_by"])),
            }
            key = (case_id(one.case), one.dispatched_at, one.unit_name_raw, one.role)
            found.append((key, {name: facts[name] for name in LIMITS_AND_LIFE}))
    return _numbered(found)


def _cases_told(rows: dict) -> Table:
    return {(row["case_id"],): {name: row[name] for name in CASE} for row in rows["fct_case"]}


def _cases(city: City, decided) -> Table:
    found = {}
    for matter in city.matters.values():
        reason = decided.of_case(matter.root)
        for number in matter.numbers:
            record = city.staged.cases[number]
            own = city.told_of(matter, number)
            found[(case_id(number),)] = {
                **{name: record[name] for name in ("request_type", "category_code", "area_code", "channel")},
                "urgency": record["urgency"] or "normal",
                "received_at": record["received_at"],
                "sender_status": record["status"],
                "dispatch_source": record["dispatch_source"],
                "is_confidential": record["is_confidential"],
                **own,
                "transferred_from_case_id": case_id(own["transferred_from_case_id"]),
                "merged_into_case_id": case_id(own["merged_into_case_id"]),
                "repeat_of_case_id": case_id(own["repeat_of_case_id"]),
                "is_excluded": reason is not None,
                "exclusion_reason": reason,
                "root_case_id": case_id(matter.root),
            }
    return found


def _callbacks_told(rows: dict) -> Table:
    return _numbered(
        ((row["case_id"], row["called_at"], row["channel"]), {name: row[name] for name in CALLBACK})
        for row in rows["fct_satisfaction"]
    )


def _callbacks(city: City, names: dict[int, str]) -> Table:
    found = []
    for matter in city.matters.values():
        for call in matter.callbacks:
            row, one = call["row"], call["assignment"]
            told_round = one.round if one else None
            facts = row | {"unit_code": one and one.unit_code, "round": told_round, "assignment_id": names.get(id(one))}
            facts["reach_code"] = city.reach(row)
            facts["satisfaction_level"] = level(row["satisfaction_code"])
            if row["is_reached"] is None and row["reach_code"] is not None:
                facts["is_reached"] = row["reach_code"] == "reached"
            key = (case_id(matter.root), row["called_at"], row["channel"])
            found.append((key, {name: facts[name] for name in CALLBACK}))
    return _numbered(found)


def _findings_told(rows: dict) -> Table:
    return _numbered(
        (
            (row["case_id"], row["found_at"], row["violation_code"], row["unit_code"]),
            {"assignment_id": row["assignment_id"]},
        )
        for row in rows["fct_violation"]
    )


def _findings(decided, names: dict[int, str]) -> Table:
    return _numbered(
        ((case_id(one.case), one.found_at, one.code, one.unit_code), {"assignment_id": names.get(id(one.assignment))})
        for one in decided.findings
    )


def _exclusions_told(rows: dict) -> Table:
    return _numbered(
        (
            (row["case_id"], row["source"], row["decided_at"], row["assignment_id"]),
            {
                "reason_code": row["reason_code"],
                "indicator_codes": row["indicator_codes"] and set(row["indicator_codes"]),
            },
        )
        for row in rows["fct_exclusion"]
    )


def _exclusions(decided, names: dict[int, str]) -> Table:
    return _numbered(
        (
            (case_id(one.case), one.source, one.decided_at, names.get(id(one.assignment))),
            {"reason_code": one.reason, "indicator_codes": one.indicators and set(one.indicators)},
        )
        for one in decided.exclusions
    )


def _numbered(pairs) -> dict:
    found = {}
    for key, value in sorted(pairs, key=lambda pair: (repr(pair[0]), repr(pair[1]))):
        place = 0
        while (*key, place) in found:
            place += 1
        found[*key, place] = value
    return found


def differences(warehouse: Table, oracle: Table) -> list[str]:
    found = []
    for key in sorted({*warehouse, *oracle}, key=repr):
        shown = " ".join(map(str, key))
        if key not in warehouse or key not in oracle:
            found.append(f"{shown}: only {'the oracle' if key in oracle else 'the warehouse'} has it")
            continue
        for name, value in warehouse[key].items():
            if value != oracle[key][name]:
                found.append(f"{shown} {name}: the warehouse {value}, the oracle {oracle[key][name]}")
    return found

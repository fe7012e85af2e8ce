"""Walks one case from the lines of landed files to every score and publication it touched.

    file and line → batch and its gate → versions of the record → events → assignments, callbacks, exclusions
                  → indicators of every scored period → what was published of it

The facts of a chain of transfers stand on its first case, so the whole chain is walked. Rows are plain dicts under the
names of the warehouse's columns; no column that citizens filled, and no free text of anybody, is read.
"""

from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby

import psycopg
from psycopg.rows import DictRow, dict_row

from minhu import database
from minhu.audit import trace_queries as queries
from minhu.errors import MinhuError, Refused
from minhu.glossary.cases import ANOMALY, EVENT_TYPE, LOST_REASON
from minhu.glossary.delivered import ROW_OUTCOME, VERSION_OUTCOME
from minhu.glossary.kind import Kind
from minhu.schemes.plain import plain
from minhu.schemes.words import rule_text
from minhu.settings import Settings

Rows = tuple[dict, ...]


@dataclass(frozen=True)
class Trace:
    """One case, walked.

    ``cases``: the chain it belongs to, the asked one first; a case that no build has taken has no facts.
    ``batches``: every delivery that told anything of it, with ``is_landed`` (null: cannot be seen from here),
    ``verdicts`` and the rules that ``failed``.
    ``versions``, ``events``, ``callbacks``: rows as delivered with what became of each (``outcome``, ``outcome_zh``).
    ``assignments``: with limits and the rule behind each. ``decisions``: appeals, exclusions, findings.
    ``apart``: the months, as ``2024-03``, with which rows of the chain are kept out of staging, and not here.
    ``indicators``: what it counted in each scored period. ``published``: in which revisions its rows came or went.
    """

    feed_code: str
    case_no: str
    case_id: str
    cases: Rows
    batches: Rows
    versions: Rows
    events: Rows
    assignments: Rows
    callbacks: Rows
    decisions: Rows
    indicators: Rows
    published: Rows
    apart: tuple[str, ...] = ()

    def as_json(self) -> dict:
        """Plain values for ``json.dumps``; numbers as decimal strings."""
        return plain(self)


def trace(settings: Settings, feed_code: str, case_no: str) -> Trace:
    """Walks the case that ``feed_code`` knows as ``case_no``. Raises Refused when nobody has told of it."""
    with database.connect(settings, rows=dict_row, at_one_moment=True) as connection:
        return trace_in(connection, settings, feed_code, case_no)


def trace_in(connection: psycopg.Connection[DictRow], settings: Settings, feed_code: str, case_no: str) -> Trace:
    """As ``trace``, on an open connection that gives rows as dicts."""
    asked = {"feed_code": feed_code, "case_no": case_no}
    cases = connection.execute(queries.CASES, asked).fetchall()
    chain = _chain(cases, asked)
    versions, events = (connection.execute(query, chain).fetchall() for query in (queries.VERSIONS, queries.EVENTS))
    callbacks = connection.execute(queries.CALLBACKS, chain).fetchall()
    apart = tuple(row["month"] for row in connection.execute(queries.APART, chain))
    if not (versions or events or callbacks or apart):
        raise Refused(f"nobody has told of a case {case_no!r} of the feed {feed_code!r}")
    told = (*versions, *events, *callbacks)
    wanted = {"batches": sorted({row["batch_id"] for row in told})}
    batches = {row["batch_id"]: row for row in connection.execute(queries.BATCHES, wanted)}
    _with_gates(connection, settings, batches, wanted)
    assignments = _assignments(connection, chain)
    _judge_versions(versions, batches)
    _judge_events(events, batches, assignments, versions)
    for row in callbacks:
        row |= _out(row, batches) or _said("counted" if row["callback_id"] else "outranked")
    return Trace(
        feed_code=feed_code,
        case_no=case_no,
        case_id=database.one(connection, "select md5(%s || '|' || %s) as id", [feed_code, case_no])["id"],
        cases=tuple(cases),
        batches=tuple(batches.values()),
        versions=tuple(versions),
        events=tuple(events),
        assignments=tuple(assignments),
        callbacks=tuple(callbacks),
        decisions=tuple(connection.execute(queries.DECISIONS, chain).fetchall()),
        indicators=tuple(connection.execute(queries.INDICATORS, chain).fetchall()) if cases else (),
        published=tuple(connection.execute(queries.PUBLISHED, chain).fetchall()) if cases else (),
        apart=apart,
    )


def _chain(cases: list[dict], asked: dict[str, str]) -> dict[str, object]:
    """What the case and those it is merged with are known by; where there is no case yet, what was asked for."""
    keys = cases or [asked]
    return {
        "feeds": [case["feed_code"] for case in keys],
        "numbers": [case["case_no"] for case in keys],
        "ids": [case["case_id"] for case in cases],
        "root": cases[0]["root_case_id"] if cases else None,
    }


def _assignments(connection: psycopg.Connection[DictRow], chain: dict[str, object]) -> list[dict]:
    """The assignments, with the rule behind each of their limits in words."""
    rows = connection.execute(queries.ASSIGNMENTS, chain).fetchall()
    rules = {row["key"]: row["data"] for row in connection.execute(queries.RULES)}
    for row in rows:
        for limit in ("sign_limit_rule", "contact_limit_rule", "limit_rule"):
            row[f"{limit}_zh"] = rule_text(row[limit], rules)
    return rows


# What became of each row


def _with_gates(
    connection: psycopg.Connection[DictRow], settings: Settings, batches: dict[int, dict], wanted: dict
) -> None:
    """Adds to each batch its verdicts, the rules it failed, and whether its landed file is there."""
    verdicts, failed = defaultdict(list), defaultdict(list)
    for row in connection.execute(queries.VERDICTS, wanted):
        verdicts[row.pop("batch_id")].append(row)
    for row in connection.execute(queries.FAILED, wanted):
        failed[row.pop("batch_id")].append(row)
    landed = {sha256: is_landed(settings, sha256) for sha256 in {row["source_sha256"] for row in batches.values()}}
    for batch_id, row in batches.items():
        row["is_landed"] = landed[row["source_sha256"]]
        row["verdicts"], row["failed"] = verdicts[batch_id], failed[batch_id]


def is_landed(settings: Settings, sha256: str) -> bool | None:
    """Whether a landed file is still kept; None where the landing zone cannot be seen from here."""
    from minhu.landing.store import store_of  # here: what only reads facts need not carry what reads files

    try:
        if not settings.landing_url and not settings.landing.is_dir():
            return None
        return store_of(settings).find(sha256) is not None
    except (OSError, MinhuError):
        return None


def _said(outcome: str, kind: Kind = ROW_OUTCOME, **names: object) -> dict:
    return {"outcome": outcome, "outcome_zh": kind.zh(outcome).format(**names)}


def _out(row: dict, batches: dict[int, dict]) -> dict | None:
    """Why a row takes no part, where its batch does not; null where it does."""
    batch = batches[row["batch_id"]]
    if batch["status"] in ("held", "loaded"):
        return _said(batch["status"])
    if batch["status"] == "superseded":
        return _said("superseded", by=batch["superseded_by"])
    return None if batch["is_built"] else _said("unbuilt")


def _judge_versions(versions: list[dict], batches: dict[int, dict]) -> None:
    """Which version of each record wins, and why each other one does not."""
    for _, several in groupby(versions, lambda row: (row["feed_code"], row["case_no"])):
        rows = list(several)
        winner = next((row for row in rows if row["is_winning"]), None)
        for row in rows:
            row |= _out(row, batches) or _said(_version_outcome(row, winner), VERSION_OUTCOME)


def _version_outcome(row: dict, winner: dict | None) -> str:
    if row["is_deleted"]:
        return "tombstone"
    if winner is None:
        return "withdrawn" if row["is_withdrawn"] else "waits"
    if row is winner:
        return "counted"
    if row["row_hash"] == winner["row_hash"]:
        return "same"
    mine, best = row["source_updated_at"], winner["source_updated_at"]
    if mine != best and (mine is None or (best is not None and mine < best)):
        return "older_update"
    return "older_batch" if row["order_key"] < winner["order_key"] else "older_row"


def _judge_events(events: list[dict], batches: dict[int, dict], assignments: list[dict], versions: list[dict]) -> None:
    """What became of each event; ``used_for`` names the steps of assignments that rest on it."""
    used = defaultdict(list)
    for duty in assignments:
        for step in _USED:
            if duty[f"{step}_batch_id"]:
                used[duty[f"{step}_batch_id"], duty[f"{step}_row_number"], step].append(duty["assignment_id"])
    standing = {(row["batch_id"], row["row_number"]): row["outcome"] for row in versions}
    told_first: dict[tuple, dict] = {}
    for row in events:
        place = row["batch_id"], row["row_number"]
        row["used_for"] = [step for step in _STEPS.get(row["event_type"], ()) if (*place, step) in used]
        same = told_first.setdefault((row["feed_code"], row["row_hash"], row["event_type"], row["occurred_at"]), row)
        if row["is_milestone"] and standing.get(place) != "counted":
            row |= _said("of_older_version")
        else:
            row |= _out(row, batches) or _event_outcome(row, same)
        row.pop("row_hash")


_USED = {"dispatch": "DISPATCH", "sign": "SIGN", "close": "CLOSE"}
_STEPS = {
    "DISPATCH": ("dispatch",),
    "REDISPATCH": ("dispatch",),
    "ADD_UNIT": ("dispatch",),
    "REWORK": ("dispatch",),
    "SIGN": ("sign",),
    "CLOSE": ("close",),
}


_COUNTED_ALL_THE_SAME = {
    "dispatched_after_end",
    "lead_over_open_lead",
    "merge_target_unknown",
    "return_after_close",
    "sign_after_close",
}


def _event_outcome(row: dict, same: dict) -> dict:
    if row["lost_reason"]:
        stands = f"{row['standing_occurred_at']:%m-%d %H:%M}，批次 {row['standing_batch_id']}"
        text = f"不采用：{LOST_REASON.zh(row['lost_reason'])}（采用 {stands} 第 {row['standing_row_number']} 行）"
        return {"outcome": row["lost_reason"], "outcome_zh": text}
    if row["is_deleted"]:
        return _said("tombstone")
    if row["is_orphan"]:
        return _said("orphan")
    if same is not row and not row["is_milestone"]:
        text = f"与批次 {same['batch_id']} 第 {same['row_number']} 行相同（重复送达）"
        return {"outcome": "same", "outcome_zh": text}
    odd = "；".join(f"异常 {code}：{ANOMALY.zh(code)}" for code in row["anomaly_codes"])
    if not row["used_for"] and set(row["anomaly_codes"]) - _COUNTED_ALL_THE_SAME:
        return {"outcome": "anomaly", "outcome_zh": odd}
    used = "、".join(EVENT_TYPE.zh(_USED[step]) for step in row["used_for"])
    return {
        "outcome": "counted",
        "outcome_zh": f"{ROW_OUTCOME.zh('counted')}{f'，计入{used}' if used else ''}{f'（{odd}）' if odd else ''}",
    }

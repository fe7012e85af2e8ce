"""What is counted: every measure of the catalogue, as docs/metrics.md tells it.

A measure is a plain function from an assignment (or a callback, or a finding) to a row, or to nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from minhu.feeds.canonical import SATISFACTION_SCALES
from tests.oracle.decided import Decided, Exclusion, whole
from tests.oracle.lifecycle import Assignment, City, Matter, level


@dataclass
class Row:
    """``numerator`` null: not known yet. ``due_at``: from then on what has not happened counts 0."""

    unit_code: str | None
    received_at: datetime | None
    dispatched_at: datetime | None
    due_at: datetime | None
    closed_at: datetime | None
    called_at: datetime | None
    occurred_at: datetime | None
    numerator: int | Fraction | None
    excluded: str | None
    spared: frozenset[str] = frozenset()
    """Indicators for which alone it is excluded."""
    is_awaited: bool = True
    """Whether it counts 0 while what is due has not happened. A call that nobody made yet is not missed."""
    assignment: Assignment | None = None
    answer: str | None = None
    """What the citizen answered, where a scheme may weigh or ask again."""
    name: str | None = None
    """The warehouse's id of the callback: of two in one second the order."""
    record: dict | None = None
    """What the case that it counts for says of itself."""


def rows(city: City, decided: Decided, measure: str, with_support: bool = False) -> list[Row]:
    """All rows of a measure; support units answer only where the scheme lets them."""
    found = []
    for matter in city.matters.values():
        excluding = decided.about(matter.root)
        if measure in OF_ASSIGNMENTS:
            for one in matter.assignments:
                found += _of_assignment(city, matter, one, excluding, measure, with_support)
        if measure in OF_CALLBACKS:
            for call in matter.callbacks:
                found += _of_callback(matter, call, excluding, measure, with_support)
    if measure.startswith("violation_"):
        for finding in decided.findings:
            if finding.code == measure.removeprefix("violation_"):
                found.append(_of_finding(city, finding, decided.about(finding.case)))
    return found


# -- assignments -------------------------------------------------------------------------------------------------------


def _limit(one: Assignment) -> datetime | None:
    """The limit that a row stands by: the one in force; where that lies beyond the calendar, the first."""
    return one.facts["due_at" if one.facts["is_limit_unknown"] else "due_in_force_at"]


def _done(one: Assignment) -> datetime | None:
    """When it was closed; where its closing never stood, when rework was ordered."""
    return one.facts["closed_at"] or one.facts["reworked_at"]


def _judged(due: datetime | None, at: datetime | None, is_on_time: bool | None) -> tuple | None:
    return None if due is None else (due, at, None if is_on_time is None else int(is_on_time))


def _answered(one: Assignment) -> datetime | None:
    """When the close was that judges it: the one that stood as the limit passed, else the one that counts (late)."""
    return one.facts["closed_in_time_at"] or one.facts["closed_at"]


def _overdue(one: Assignment) -> tuple | None:
    due, closed = _limit(one), _answered(one)
    if due is None:
        return None
    is_kept = closed is not None and closed <= due
    return due, closed if is_kept else due, int(not is_kept)


def _first_round(one: Assignment, numerator: int) -> tuple | None:
    return (_limit(one), one.dispatched_at, numerator) if one.round == 1 else None


def _closed_once(one: Assignment) -> tuple | None:
    facts = one.facts
    if one.round > 1 or _done(one) is None:
        return None
    spoilt = (
        facts["reworked_at"]
        or facts["review_back_count"]
        or facts["return_request_count"]
        or facts["return_deny_count"]
    )
    return None, _done(one), int(not spoilt)


def _rework(one: Assignment) -> tuple | None:
    return None if _done(one) is None else (None, _done(one), int(one.facts["reworked_at"] is not None))


def _happened(one: Assignment, at: datetime | None) -> tuple:
    return one.dispatched_at, at, int(at is not None)


def _lasted(one: Assignment, minutes: int | None) -> tuple | None:
    """How long what was closed took. What is open has no duration, whatever its limit."""
    return None if minutes is None else (None, one.facts["closed_at"], minutes)


OF_ASSIGNMENTS: dict[str, Callable[[Assignment], tuple | None]] = {
    "close_on_time": lambda one: _judged(_limit(one), _answered(one), one.facts["is_closed_on_time"]),
    "sign_on_time": lambda one: _judged(
        one.facts["sign_due_at"], one.facts["signed_at"], one.facts["is_signed_on_time"]
    ),
    "contact_on_time": lambda one: _judged(
        one.facts["contact_due_at"], one.facts["contacted_at"], one.facts["is_contacted_on_time"]
    ),
    "close_rate": lambda one: (one.dispatched_at, one.facts["closed_at"], 1 if one.facts["closed_at"] else None),
    "closed_once": _closed_once,
    "demand_per_10k": lambda one: _first_round(one, 1),
    "exclusion_rate": lambda one: (_limit(one), None, 0),
    "extension_rate": lambda one: (_limit(one), None, int(one.facts["extension_count"] > 0)) if _limit(one) else None,
    "intake": lambda one: _first_round(one, 1),
    "natural_minutes": lambda one: _lasted(one, one.facts["natural_minutes_to_close"]),
    "overdue": _overdue,
    "repeat_rate": lambda one: _first_round(one, 0),  # 1 where the case repeats another, see below
    "return_rate": lambda one: (_limit(one), None, int(one.facts["return_deny_count"] > 0)),
    "rework_rate": _rework,
    "supervised": lambda one: _happened(one, one.facts["supervised_at"]),
    "urged": lambda one: _happened(one, one.facts["urged_at"]),
    "working_minutes": lambda one: _lasted(one, one.facts["working_minutes_to_close"]),
}
"""Each gives (due_at, occurred_at, numerator)."""
OF_CLOSING_BY_A_LIMIT = ("close_on_time", "overdue")


def _of_assignment(
    city: City, matter: Matter, one: Assignment, excluding: list[Exclusion], measure: str, with_support: bool
) -> list[Row]:
    counted = OF_ASSIGNMENTS[measure](one)
    if counted is None:
        return []
    due_at, occurred_at, numerator = counted
    mine = [exclusion for exclusion in excluding if exclusion.assignment in (None, one)]
    excluded = "void" if one.facts["voided_at"] else whole(mine)
    if measure in OF_CLOSING_BY_A_LIMIT and one.facts["is_late_at_return"]:
        excluded = whole(mine)  # the return does not undo that the limit had passed (late-return)
    if measure == "exclusion_rate":
        numerator, excluded = int(whole(mine) is not None), "void" if one.facts["voided_at"] else None
    if measure == "repeat_rate":
        numerator = int(matter.root in city.repeats)
    if measure in OF_CLOSING_BY_A_LIMIT and one.facts["is_limit_unknown"] and not one.facts["is_closed_on_time"]:
        excluded = excluded or "limit_unknown"
    if _is_superseded(one, measure):
        excluded = excluded or "superseded"
    if one.role == "support" and not with_support:
        excluded = excluded or "support_unit"
    return [
        Row(
            unit_code=one.unit_code,
            received_at=matter.record["received_at"],
            dispatched_at=one.dispatched_at,
            due_at=due_at,
            closed_at=one.facts["closed_at"],
            called_at=None,
            occurred_at=occurred_at,
            numerator=numerator,
            excluded=excluded,
            spared=_single(mine),
            assignment=one,
            record=matter.record,
        )
    ]


def _is_superseded(one: Assignment, measure: str) -> bool:
    """Whether another took its place before the measure asked for anything (superseded): for closing before its limit
    without a close, without a limit always; for signing and contact before their limits, not done. The rate of closes
    also leaves out what was closed in time and sent back."""
    facts = one.facts
    if facts["end_reason"] != "superseded":
        return False
    if measure == "close_rate" and facts["closed_in_time_at"] is not None:
        return True
    if measure in (*OF_CLOSING_BY_A_LIMIT, "close_rate"):
        done, due = facts["closed_in_time_at"], facts["due_in_force_at"]
    elif measure == "sign_on_time":
        done, due = facts["signed_at"], facts["sign_due_at"]
    elif measure == "contact_on_time":
        done, due = facts["contacted_at"], facts["contact_due_at"]
    else:
        return False
    return done is None and (due is None or facts["ended_at"] <= due)


def _single(exclusions: list[Exclusion]) -> frozenset[str]:
    return frozenset().union(*(one.indicators for one in exclusions if one.indicators is not None))


# -- callbacks ---------------------------------------------------------------------------------------------------------


def _given(code: str | None) -> str | None:
    """Null: the citizen gave no answer."""
    return None if code == "unrated" else code


def _stars(call: dict) -> str | None:
    return _given(call["satisfaction_code"]) if call["satisfaction_scale"] == "five" else None


def _two(call: dict) -> str | None:
    """Which of result and treatment pleased; null where one of the two was not answered."""
    levels = [level(call["satisfaction_code"]), level(call["attitude_code"])]
    if None in levels:
        return None
    told = [one in ("satisfied", "basically_satisfied") for one in levels]
    return {(1, 1): "both", (1, 0): "result", (0, 1): "treatment", (0, 0): "neither"}[tuple(map(int, told))]


OF_CALLBACKS: dict[str, tuple[Callable[[dict], str | None], dict[str, int]]] = {
    "attitude": (
        lambda call: _given(call["attitude_code"]),
        dict(zip(SATISFACTION_SCALES["five"], (1, 1, 1, 0, 0), strict=True)) | {"neutral": 0},
    ),
    "both_satisfied": (_two, {"both": 1, "result": 0, "treatment": 0, "neither": 0}),
    "callback_reached": (City.reach, {"reached": 1, "refused": 0, "unreachable": 0}),
    "contacted": (lambda call: _given(call["contact_code"]), {"yes": 1, "no": 0}),
    "explained": (lambda call: _given(call["resolution_code"]), {"resolved": 0, "explained": 1, "unresolved": 0}),
    "good_rating": (
        _stars,
        {"very_satisfied": 5, "satisfied": 4, "basically_satisfied": 3, "dissatisfied": 2, "very_dissatisfied": 1},
    ),
    "one_satisfied": (_two, {"both": 0, "result": 1, "treatment": 1, "neither": 0}),
    "resolved": (lambda call: _given(call["resolution_code"]), {"resolved": 1, "explained": 0, "unresolved": 0}),
    "satisfaction": (
        lambda call: level(call["satisfaction_code"]),
        {"satisfied": 1, "basically_satisfied": 1, "neutral": 0, "dissatisfied": 0},
    ),
}
"""The answer of a callback, and what each is worth."""


def _of_callback(matter: Matter, call: dict, excluding: list[Exclusion], measure: str, with_support: bool) -> list[Row]:
    told, one = call["row"], call["assignment"]
    if measure == "good_rating" and told["satisfaction_scale"] != "five":
        return []
    answered, worth = OF_CALLBACKS[measure]
    answer = answered(told)
    mine = [exclusion for exclusion in excluding if exclusion.assignment is None or exclusion.assignment is one]
    excluded = "void" if one and one.facts["voided_at"] else whole(mine)
    if one and one.role == "support" and not with_support:
        excluded = excluded or "support_unit"
    if measure != "callback_reached":
        if City.reach(told) == "refused":
            excluded = excluded or "refused"
        if City.reach(told) == "unreachable":
            excluded = excluded or "not_reached"
        if answer is None:
            excluded = excluded or "unrated"
    return [
        Row(
            unit_code=one and one.unit_code,
            received_at=matter.record["received_at"],
            dispatched_at=one and one.dispatched_at,
            due_at=one and _limit(one),
            closed_at=one and one.facts["closed_at"],
            called_at=told["called_at"],
            occurred_at=told["called_at"],
            numerator=worth.get(answer),
            excluded=excluded,
            spared=_single(mine),
            is_awaited=False,
            assignment=one,
            answer=answer,
            name=call.get("name"),
            record=matter.record,
        )
    ]


# -- findings ----------------------------------------------------------------------------------------------------------


def _of_finding(city: City, finding, excluding: list[Exclusion]) -> Row:
    """A finding against a support unit counts like any other; a void or an exclusion lifts it."""
    one = finding.assignment
    mine = [exclusion for exclusion in excluding if exclusion.assignment is None or exclusion.assignment is one]
    return Row(
        unit_code=finding.unit_code,
        received_at=city.matters[finding.case].record["received_at"] if finding.case else None,
        record=city.matters[finding.case].record if finding.case else None,
        dispatched_at=one and one.dispatched_at,
        due_at=one and _limit(one),
        closed_at=one and one.facts["closed_at"],
        called_at=None,
        occurred_at=finding.found_at,
        numerator=1,
        excluded="void" if one and one.facts["voided_at"] else whole(mine),
        spared=_single(mine),
        is_awaited=False,
    )

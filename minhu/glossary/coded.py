"""The columns of `mart` that hold codes, and the words of each: what a reader joins instead of guessing.

A vocabulary is named as its column is: a code means the same in every table that has the column.
"""

from collections.abc import Mapping

from minhu.glossary.cases import (
    ANSWER,
    CALENDAR_STATUS,
    CLOCK,
    DISPATCH_SOURCE,
    EVENT_TYPE,
    FACT,
    GRAIN,
    LEFT_OUT,
    LIMIT_KIND,
    NAME_RESOLUTION,
    REACH,
    REQUEST_TYPE,
    TIME_PRECISION,
    UNIT_ROLE,
    URGENCY,
    VIOLATION,
)
from minhu.glossary.delivered import QUALITY_CAUSE, QUALITY_PART
from minhu.glossary.kind import Kind, Word
from minhu.glossary.law import NOT_RANKED


def _some(name: str, of: Kind, *codes: str, **more: Word) -> Kind:
    return Kind(name, more | {code: of[code] for code in codes})


_ENDS = ("returned", "merged", "terminated", "transferred_emergency", "rejected_intake")
_LEVELS = ("satisfied", "basically_satisfied", "neutral", "dissatisfied")
CODED: Mapping[str, Kind] = {
    "request_type": REQUEST_TYPE,
    "urgency": URGENCY,
    "dispatch_source": DISPATCH_SOURCE,
    "unit_role": UNIT_ROLE,
    "event_type": EVENT_TYPE,
    "limit_kind": LIMIT_KIND,
    "clock": CLOCK,
    "closed_precision": TIME_PRECISION,
    "occurred_precision": TIME_PRECISION,
    "void_reason": _some("void_reason", LEFT_OUT, *_ENDS),
    "end_reason": _some("end_reason", LEFT_OUT, *_ENDS, "superseded", closed=EVENT_TYPE["CLOSE"]),
    "exclusion_reason": LEFT_OUT,
    "reach_code": REACH,
    "contact_code": _some("contact_code", ANSWER, "yes", "no", "unrated"),
    "resolution_code": _some("resolution_code", ANSWER, "resolved", "explained", "unresolved", "unrated"),
    "satisfaction_code": _some("satisfaction_code", ANSWER, "very_satisfied", *_LEVELS, "very_dissatisfied", "unrated"),
    "attitude_code": _some("attitude_code", ANSWER, "very_satisfied", *_LEVELS, "very_dissatisfied", "unrated"),
    "satisfaction_level": _some("satisfaction_level", ANSWER, *_LEVELS),
    "violation_code": VIOLATION,
    "resolution": NAME_RESOLUTION,
    "grain": GRAIN,
    "calendar_status": CALENDAR_STATUS,
    "not_ranked_reason": NOT_RANKED,
    "part": QUALITY_PART,
    "cause": QUALITY_CAUSE,
    "fact": FACT,
}
"""In the order of each kind: of levels the best first, of events as they follow each other."""

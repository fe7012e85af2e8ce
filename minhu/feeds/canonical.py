"""The canonical layout: what a case, an event and a callback look like once they are read, and their vocabularies.

Names and meanings are those of the staging tables (``sql/``). Codes are ours; a declaration maps a sender's words to
them. A feed's rows arrive here as text; the type says how the door reads it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from minhu.glossary.cases import DISPATCH_SOURCE, EVENT_TYPE

Kind = Literal["case", "event", "callback"]
ColumnType = Literal["text", "code", "timestamp", "boolean", "number", "integer"]


@dataclass(frozen=True)
class Column:
    """One canonical column. ``codes``: the only values taken (empty: any). ``is_free``: a person wrote it freely.

    ``between``: the least and the greatest number it takes.
    """

    name: str
    type: ColumnType = "text"
    is_required: bool = False
    codes: tuple[str, ...] = ()
    is_free: bool = False
    between: tuple[int, int] | None = None
    came_later: bool = False
    """A row that does not tell it is hashed as it was before the column was known: the same row sent again is no news.
    """


RequestType = Literal["consult", "help", "suggest", "complaint", "report", "praise", "invalid", "other"]
REQUEST_TYPES: tuple[RequestType, ...] = get_args(RequestType)
Urgency = Literal["normal", "urgent", "emergency"]
URGENCIES: tuple[Urgency, ...] = get_args(Urgency)
DISPATCH_SOURCES = tuple(DISPATCH_SOURCE)
if TYPE_CHECKING:
    DispatchSource = str
else:
    DispatchSource = Literal[*DISPATCH_SOURCES]
ACCEPT_MODES = ("direct", "dispatched", "transferred", "rejected")

EVENT_TYPES = list(EVENT_TYPE)
"""Life-cycle events, named after the published rules of hotline work. The glossary lists them; the simulator counts on
their order."""
if TYPE_CHECKING:
    EventType = str
else:
    EventType = Literal[*EVENT_TYPES]

VIOLATIONS = ("not_handled", "late_handling", "improper_handling")
"""不处置, 逾期处置, 处置不当: the reason_code of a VIOLATION event (临安 综合业绩考评)."""

# The phone is read as caller_phone and leaves the loader only as caller_token, caller_key_id and caller_masked.
CASE = (
    Column("case_no", is_required=True),
    Column("upstream_feed_code"),
    Column("upstream_case_no"),
    Column("request_type", "code", codes=REQUEST_TYPES),
    Column("category_code"),
    Column("channel"),
    Column("urgency", "code", codes=URGENCIES),
    Column("received_at", "timestamp", is_required=True),
    Column("title", is_free=True),
    Column("content", is_free=True),
    Column("address", is_free=True),
    Column("area_code"),
    Column("longitude", "number", between=(-180, 180)),
    Column("latitude", "number", between=(-90, 90)),
    Column("caller_phone"),
    Column("is_confidential", "boolean"),
    Column("accept_mode", "code", codes=ACCEPT_MODES),
    Column("status"),
    Column("source_updated_at", "timestamp"),
    Column("dispatch_source", "code", codes=DISPATCH_SOURCES, came_later=True),
)

EVENT = (
    Column("case_feed_code"),
    Column("case_no", is_required=True),
    Column("source_event_no"),
    Column("event_type", "code", is_required=True, codes=tuple(EVENT_TYPES)),
    Column("occurred_at", "timestamp", is_required=True),
    Column("unit_name"),
    Column("unit_role", "code", codes=("lead", "support")),
    Column("due_at", "timestamp"),
    Column("limit_kind", "code", codes=("sign", "contact", "close")),
    Column("result_code"),
    Column("reason_code"),
    Column("note", is_free=True),
)

CALLBACK = (
    Column("case_feed_code"),
    Column("case_no", is_required=True),
    Column("unit_name"),
    Column("round", "integer", between=(0, 9_999)),
    Column("called_at", "timestamp", is_required=True),
    Column("channel"),
    Column("is_reached", "boolean"),
    Column("reach_code", "code", codes=("reached", "refused", "unreachable")),
    Column("contact_code", "code", codes=("yes", "no", "unrated")),
    Column("resolution_code", "code", codes=("resolved", "explained", "unresolved", "unrated")),
    Column("satisfaction_scale"),
    Column("satisfaction_code"),
    Column("reason", is_free=True),
    Column("attitude_code", came_later=True),
)

LAYOUTS: dict[Kind, tuple[Column, ...]] = {"case": CASE, "event": EVENT, "callback": CALLBACK}
STAGING_TABLE: dict[Kind, str] = {
    "case": "staging.case_record",
    "event": "staging.case_event",
    "callback": "staging.callback",
}
EVENT_TIME: dict[Kind, str] = {"case": "received_at", "event": "occurred_at", "callback": "called_at"}
"""The column that says when a row of this kind happened."""

NUMBERS = frozenset({"case_no", "upstream_case_no", "source_event_no"})
NAMES = frozenset({"case_feed_code", "upstream_feed_code", "category_code", "area_code", "unit_name", "result_code"})
"""With the numbers, the columns whose value is a key: the door keeps their shape (`minhu.feeds.keys`). ``result_code``
of a MERGE is the number of the case that goes on."""

SATISFACTION_SCALES: dict[str, tuple[str, ...]] = {
    "five": ("very_satisfied", "satisfied", "basically_satisfied", "dissatisfied", "very_dissatisfied"),
    "four": ("satisfied", "basically_satisfied", "neutral", "dissatisfied"),
}
"""好差评 has five levels; several cities rate 满意/基本满意/一般/不满意. ``unrated`` fits both; best first."""

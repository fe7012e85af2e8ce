"""The order of what is told of a case, and how exactly a time is told."""

from datetime import datetime

from tests.oracle.staged import Event

LIFE = """
    ACCEPT DIRECT REJECT_INTAKE TRANSFER_EMERGENCY DISPATCH ADD_UNIT SIGN RETURN_REQUEST RETURN_DENY RETURN_GRANT
    DESIGNATE REDISPATCH COUNTERSIGN FIRST_CONTACT EXTEND_REQUEST EXTEND_DENY EXTEND_GRANT URGE SUPERVISE REPLY CLOSE
    REVIEW_PASS REVIEW_BACK CALLBACK RATE REWORK TERMINATE MERGE ARCHIVE APPEAL EXCLUDE_GRANT EXCLUDE_DENY VIOLATION
""".split()
"""The order of the life-cycle, which decides between two events of one second."""
RANK = {event_type: place for place, event_type in enumerate(LIFE)}
OPENING = ("DISPATCH", "REDISPATCH", "ADD_UNIT", "REWORK")
ENDS = {
    "MERGE": "merged",
    "TERMINATE": "terminated",
    "TRANSFER_EMERGENCY": "transferred_emergency",
    "REJECT_INTAKE": "rejected_intake",
}
EXTENDING = ("EXTEND_REQUEST", "EXTEND_GRANT", "EXTEND_DENY")
DEEDS = ("SIGN", "FIRST_CONTACT", "RETURN_REQUEST", "EXTEND_REQUEST", "CLOSE")
"""What a unit does about its duty, as told-again lists it."""
AFTER_THE_END = ("SIGN", "FIRST_CONTACT", "CLOSE")
"""What no longer counts once another duty took the place of one (duty-ends)."""
Order = tuple


def order(event: Event) -> Order:
    """Time, then the order of the life-cycle, then something that no order of arrival decides."""
    return (event.at, RANK[event.event_type], event.unit_name or "", event.sender, event.case)


def is_to_the_minute(event: Event) -> bool:
    """A time without seconds says the minute (to-the-minute)."""
    return event.at.second == 0 and event.at.microsecond == 0


def minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)

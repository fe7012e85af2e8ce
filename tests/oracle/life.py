"""What became of a duty: signed, contacted, closed, voided, when and why it ceased to run, how often what was told."""

from datetime import datetime

from tests.oracle.duties import Assignment, closed_by, void
from tests.oracle.events import order


def live(one: Assignment) -> None:
    """Signed, contacted, closed, voided, and how often what was told of it."""
    ended, close = void(one), closed_by(one)

    def first(event_type: str) -> datetime | None:
        for event in one.told(event_type):
            if one.counts(event) and (ended is None or one.place(event) < ended.order):
                return one.done_at(event)
        return None

    def times(event_type: str) -> list[datetime]:
        return [event.at for event in one.told(event_type)]

    closes = one.told("CLOSE")
    sent_back = [event.at for event in one.backs() if closes and order(event) > order(closes[0])]
    one.facts |= {
        "signed_at": first("SIGN"),
        "contacted_at": first("FIRST_CONTACT"),
        "closed_at": None if close is None else one.done_at(close),
        "closed_precision": "day" if close is not None and close.is_day else None,
        "voided_at": None if ended is None else ended.at,
        "void_reason": None if ended is None else ended.reason,
        "return_request_count": len(times("RETURN_REQUEST")),
        "return_deny_count": len(times("RETURN_DENY")),
        "extension_count": len(times("EXTEND_GRANT")),
        "urge_count": len(times("URGE")),
        "urged_at": min(times("URGE"), default=None),
        "supervise_count": len(times("SUPERVISE")),
        "supervised_at": min(times("SUPERVISE"), default=None),
        "review_back_count": len(sent_back),
        "sent_back_at": min(sent_back, default=None),
        "reworked_at": None,
    }
    end(one)


def end(one: Assignment) -> None:
    """When and why it ceased to run, and what took its place (duty-ends)."""
    facts = one.facts
    facts |= {"ended_at": None, "end_reason": None, "superseded_by": None}
    if facts["voided_at"] is not None:
        facts |= {"ended_at": facts["voided_at"], "end_reason": facts["void_reason"]}
    elif facts["closed_at"] is not None:
        facts |= {"ended_at": facts["closed_at"], "end_reason": "closed"}
    elif one.seal is not None:
        facts |= {"ended_at": one.seal.at, "end_reason": "superseded", "superseded_by": one.seal.by}

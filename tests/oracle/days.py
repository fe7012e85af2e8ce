"""Events that tell a day and no time of it, put where the decision a-date-is-a-day says."""

from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime

from tests.oracle.events import RANK, order
from tests.oracle.staged import Event
from tests.reference.clock import CITY

BEGIN = ("DISPATCH", "REDISPATCH", "ADD_UNIT")
FOLLOW = ("REVIEW_PASS", "REVIEW_BACK", "CALLBACK", "RATE", "REWORK")


def day(at: datetime) -> date:
    return at.astimezone(CITY).date()


def placed(events: list[Event], received: dict, called: list[datetime]) -> list[Event]:
    """A matter's events in their order. ``received``: each of its numbers' receipt; ``called``: its callbacks."""
    if not any(event.is_day for event in events):
        return sorted(events, key=order)
    begun = [
        _begun(event, events, received) if event.is_day and event.event_type in BEGIN else event for event in events
    ]
    followed = _followed([event for event in begun if not event.is_day or event.event_type in BEGIN], called)
    found = []
    for event in begun:
        if event.is_day and event.event_type == "CLOSE":
            follows = followed[day(event.at)].pop(0) if followed[day(event.at)] else event.at
            event = replace(event, at=min(event.at, follows))
        found.append(event)
    return sorted(found, key=order)


def _begun(event: Event, events: list[Event], received: dict) -> Event:
    """Not before the receipt of its day; after the dispatch of its day, unless it is one."""
    told = [event.at]
    if day(received[event.case]) == day(event.at):
        told.append(received[event.case])
    if event.event_type != "DISPATCH":
        told += [
            one.at for one in events if one.event_type == "DISPATCH" and not one.is_day and day(one.at) == day(event.at)
        ]
    return replace(event, at=max(told))


def _followed(events: list[Event], called: list[datetime]) -> dict[date, list[datetime]]:
    """Of each round without a close with a time before it: what follows a close first, by day."""
    told = [(event.at, RANK[event.event_type], event.event_type) for event in events]
    told = sorted([*told, *((at, RANK["CALLBACK"], "CALLBACK") for at in called)])
    has_dispatch = any(event_type in BEGIN[:2] for _, _, event_type in told)
    found, waits = defaultdict(list), not has_dispatch
    for at, _, event_type in told:
        if event_type in FOLLOW and waits:
            found[day(at)].append(at)
            waits = False
        if event_type == "CLOSE":
            waits = False
        if event_type in ("DISPATCH", "REDISPATCH", "REWORK"):
            waits = True
    return found

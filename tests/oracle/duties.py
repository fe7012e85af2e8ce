"""A duty (assignment), the dispatches that stand in it, and what of its events makes it open, closed or void."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tests.oracle.events import ENDS, Order, order
from tests.oracle.register import Unit
from tests.oracle.staged import Event, Key


@dataclass(eq=False)
class Dispatch:
    """A unit is given a case, is told it again, or is to do it again.

    ``stands``: the duties in which it stands, each with the place in the order of events from which on.
    """

    event: Event
    unit_code: str | None
    unit_name_raw: str | None
    role: str
    round: int = 1
    stands: list[tuple[Order, "Assignment"]] = field(default_factory=list, repr=False)
    designated: list[Event] = field(default_factory=list)
    is_taken_back: bool = False

    @property
    def who(self) -> str | None:
        return self.unit_code or self.unit_name_raw

    @property
    def hotline(self) -> str:
        """Whose number it was dispatched under."""
        return self.event.case[0]

    @property
    def duty(self) -> "Assignment":
        """In which it stands by now."""
        return self.stands[-1][1]

    def duty_at(self, moment: Order) -> "Assignment":
        """In which it stood; what comes before it looks at the first."""
        begun = [duty for since, duty in self.stands if since <= moment]
        return begun[-1] if begun else self.stands[0][1]


@dataclass
class Seal:
    """Another duty took the place of one: when, which, and the close that stood at that moment."""

    order: Order
    at: datetime
    by: "Assignment"
    close: Event | None


@dataclass(eq=False)
class Assignment:
    """A duty: a unit × a case × a round, and what became of it. ``opened``: where it began in the order of events."""

    case: Key
    opener: Dispatch = field(repr=False)
    dispatched_at: datetime
    opened: Order
    unit_code: str | None
    unit_name_raw: str | None
    unit: Unit | None
    role: str
    round: int
    edition: int
    tolerance: timedelta
    dispatches: list[Dispatch] = field(default_factory=list, repr=False)
    events: list[Event] = field(default_factory=list, repr=False)
    returns: list[Event] = field(default_factory=list, repr=False)
    ends: list[Event] = field(default_factory=list, repr=False)
    taken_over_at: datetime | None = None
    """Where another hotline's word opened it: when what had stood before was taken back."""
    seal: Seal | None = field(default=None, repr=False)
    is_answered: bool = False
    """Whether it was returned and a redispatch answered that (duty-ends)."""
    facts: dict = field(default_factory=dict, repr=False)

    @property
    def opening(self) -> Event:
        """The event that is its identity."""
        return self.opener.event

    @property
    def who(self) -> str | None:
        return self.unit_code or self.unit_name_raw

    def is_of(self, who: str | None) -> bool:
        """Nobody's is of no unit, also not of another nobody."""
        return who is not None and self.who == who

    def told(self, *event_types: str) -> list[Event]:
        return sorted((event for event in self.events if event.event_type in event_types), key=order)

    def counts(self, event: Event) -> bool:
        """Not long before the dispatch (before-the-dispatch)."""
        return self.dispatched_at - event.at <= self.tolerance

    def done_at(self, event: Event) -> datetime:
        """What is done a little before the dispatch is done at it."""
        return max(event.at, self.dispatched_at)

    def place(self, event: Event) -> Order:
        """Where that stands beside what voids: of two done at the dispatch the life-cycle decides (same-second)."""
        return order(replace(event, at=self.done_at(event)))

    def backs(self) -> list[Event]:
        """What review sent back while the duty was its unit's (duty-ends: no review opens it again)."""
        return [event for event in self.told("REVIEW_BACK") if self.seal is None or order(event) < self.seal.order]


@dataclass
class Void:
    at: datetime
    order: Order
    reason: str
    event: Event


def standing_close(one: Assignment) -> Event | None:
    """The first close that no later REVIEW_BACK sent back (late); once another took the duty's place, the one that
    stood then (duty-ends)."""
    if one.seal is not None:
        return one.seal.close
    backs = one.backs()
    for event in one.told("CLOSE"):
        if one.counts(event) and not any(order(event) < order(back) for back in backs):
            return event
    return None


def void(one: Assignment) -> Void | None:
    """The first of its granted returns and of the ends that found it open (first-end-voids)."""
    close = standing_close(one)
    found = [Void(one.done_at(event), one.place(event), "returned", event) for event in one.returns]
    for event in one.ends:
        if close is None or order(event) < one.place(close):
            found.append(Void(event.at, order(event), ENDS[event.event_type], event))
    return min(found, key=lambda void: (void.at, void.order), default=None)


def closed_by(one: Assignment) -> Event | None:
    """The close that counts: what a unit does after the void does not (after-the-void)."""
    close, ended = standing_close(one), void(one)
    return None if close is None or (ended is not None and one.place(close) > ended.order) else close


def is_open(one: Assignment) -> bool:
    """As of what was told so far."""
    return one.seal is None and standing_close(one) is None and void(one) is None


def is_superseded(one: Assignment) -> bool:
    """Another took its place while it was open."""
    return one.seal is not None and one.seal.close is None


def stood_at(one: Assignment, limit: datetime | None) -> datetime | None:
    """When the first close was done that stood as the limit passed: not sent back before it (late)."""
    if limit is None:
        return None
    ended, backs = void(one), one.backs()
    for event in one.told("CLOSE"):
        is_counted = one.counts(event) and (ended is None or one.place(event) < ended.order)
        is_sent_back = any(order(event) < order(back) and back.at < limit for back in backs)
        if is_counted and one.done_at(event) <= limit and not is_sent_back:
            return one.done_at(event)
    return None


def spoken_of(
    duties: list[Assignment], again: Assignment, voided_at: Callable[[Assignment], datetime | None]
) -> Assignment | None:
    """Whom rework speaks of: the lead of the round before it, of several the one that it goes to, else who had the case
    last; rework of a support unit of its own work (rework-speaks-of). What was void by then is nobody's, and what
    another had taken the place of by then is not what was done.
    """
    before = []
    for one in duties:
        ended = voided_at(one)
        is_void = ended is not None and ended <= again.dispatched_at
        is_relieved = one.seal is not None and is_superseded(one) and one.seal.order < again.opened
        is_meant = one.role == again.role and (again.role == "lead" or one.is_of(again.who))
        if is_meant and one.opened < again.opened and not is_void and not is_relieved:
            before.append(one)
    last_round = [one for one in before if one.round == max(other.round for other in before)]
    own = [one for one in last_round if one.who == again.who] or last_round
    return max(own, key=lambda one: one.opened, default=None)

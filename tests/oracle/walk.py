"""A matter from its first event to its last: duties are opened, each event hangs on one, and duties end.

What is told so far decides what comes next: whether a dispatch opens a duty or tells one again, which duty another
takes the place of, and to which of two duties a deed of the minute between them goes.
"""

from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta

from tests.oracle.attribution import Attribution
from tests.oracle.duties import Assignment, Dispatch, Seal, is_open, spoken_of, standing_close, void
from tests.oracle.events import DEEDS, ENDS, OPENING, Order, is_to_the_minute, minute, order
from tests.oracle.register import Register
from tests.oracle.staged import Event, Key
from tests.reference.clock import CITY

WITHIN_ITS_MINUTE = {
    "REWORK": ("CLOSE",),
    "DISPATCH": ("CLOSE", "RETURN_GRANT"),
    "REDISPATCH": ("CLOSE", "RETURN_GRANT"),
}
"""Which deeds of the minute of an opening may have been done before it (to-the-minute)."""


class Walk:
    """``returned``: the hotlines under whose numbers a lead's return was granted since they gave the case to a lead
    last."""

    def __init__(self, register: Register, root: Key, events: list[Event], tolerance: timedelta):
        self.register, self.root, self.events, self.tolerance = register, root, events, tolerance
        self.attribution = Attribution(register)
        self.dispatches = self.attribution.dispatches(events)
        self.duties: list[Assignment] = []
        self.violations: list[tuple[Event, Assignment | None]] = []
        self.returned: set[str] = set()
        self._waiting: dict[int, list[Event]] = defaultdict(list)
        self._placed: set[int] = set()
        self._now: Order = ()
        of_event = {id(one.event): one for one in self.dispatches}
        for event in events:
            self._now = order(event)
            if event.event_type in OPENING:
                self.dispatch(of_event[id(event)])
            elif event.event_type in ENDS:
                self.end(event)
            elif id(event) not in self._placed:
                self.act(event)

    def edition(self, at: datetime) -> int:
        return self.register.edition(at.astimezone(CITY).date())

    # -- what opens a duty, and what tells one again -----------------------------------------------------------------

    def dispatch(self, told: Dispatch) -> None:
        self.place_within_its_minute(told)
        duty = self.told_again(told)
        if duty is None:
            duty = self.open(told, told.event.at)
        else:
            self.stand(told, duty)
        if told.event.event_type == "REWORK":
            self.end_by_rework(duty)
        if told.role == "lead":
            if self.takes_a_place(told):
                self.end_by_dispatch(told, duty)
            self.returned.discard(told.hotline)
        for event in self._waiting[id(told)]:
            self.hang(event, told)

    def told_again(self, told: Dispatch) -> Assignment | None:
        """The open lead duty of the same unit, while which a dispatch opens nothing (told-again)."""
        is_dispatch = told.event.event_type in ("DISPATCH", "REDISPATCH") and told.role == "lead"
        if not is_dispatch or told.unit_name_raw is None or self.edition(told.event.at) < 2:
            return None
        own = [one for one in self.duties if one.role == "lead" and one.is_of(told.who) and is_open(one)]
        return own[-1] if own else None

    def open(self, told: Dispatch, at: datetime) -> Assignment:
        """A duty from a moment on, of the unit of that day (name-of-the-day)."""
        code = told.unit_code
        if at != told.event.at:
            code = self.attribution.meaning(told.unit_name_raw, at).code
        duty = Assignment(
            case=self.root,
            opener=told,
            dispatched_at=at,
            opened=self._now,
            unit_code=code,
            unit_name_raw=told.unit_name_raw,
            unit=self.register.unit(code, at.astimezone(CITY).date()),
            role=told.role,
            round=told.round,
            edition=self.edition(at),
            tolerance=self.tolerance,
        )
        self.duties.append(duty)
        self.stand(told, duty)
        return duty

    def stand(self, told: Dispatch, duty: Assignment) -> None:
        told.stands.append((self._now, duty))
        duty.dispatches.append(told)

    # -- when another takes a duty's place ---------------------------------------------------------------------------

    def seal(self, one: Assignment, by: Assignment) -> None:
        """What stood closed was closed, else it is superseded; from now on nothing opens it again (duty-ends)."""
        one.seal = Seal(self._now, self._now[0], by, standing_close(one))

    def end_by_rework(self, again: Assignment) -> None:
        """Rework ends the lead duty that it speaks of, and the open one of the unit that it goes to (duty-ends)."""
        meant = [one for one in self.duties if one.role == again.role and one.is_of(again.who) and is_open(one)]
        spoken = spoken_of(self.duties, again, self.voided_at) if again.role == "lead" else None
        if spoken is not None:
            meant.append(spoken)
        for one in meant:
            if one is not again and one.edition >= 2 and one.seal is None:
                self.seal(one, again)

    @staticmethod
    def voided_at(one: Assignment) -> datetime | None:
        ended = void(one)
        return None if ended is None else ended.at

    def takes_a_place(self, told: Dispatch) -> bool:
        """A redispatch does, and a dispatch of a feed that says so (duty-ends)."""
        replaces = self.register.feeds[told.hotline].get("another_lead", "joins") == "replaces"
        return told.event.event_type == "REDISPATCH" or (told.event.event_type == "DISPATCH" and replaces)

    def end_by_dispatch(self, told: Dispatch, by: Assignment) -> None:
        """It answers a return that was granted since, and then ends nothing more; else it ends what its hotline gave to
        other units. What another hotline gave ends by that one's record alone (duty-ends)."""
        if told.hotline in self.returned:
            return
        for one in list(self.duties):
            if one is by or one.role != "lead" or one.is_of(told.who) or not is_open(one):
                continue
            given = [word for word in one.dispatches if word.hotline == told.hotline]
            if one.opener not in given:
                self.take_back(given)
            elif one.edition >= 2:
                self.seal(one, by)
                self.take_back(given)
                self.take_over(one, told.event.at)

    @staticmethod
    def take_back(words: list[Dispatch]) -> None:
        for word in words:
            word.is_taken_back = True

    def take_over(self, ended: Assignment, at: datetime) -> None:
        """Another hotline's word that stands opens a duty of its own: at this moment, or from its own dispatch if the
        unit did nothing in between. Of several the one told first; the others tell that duty again (told-again)."""
        standing = [
            word for word in ended.dispatches if not word.is_taken_back and word.hotline != ended.opener.hotline
        ]
        if not standing:
            return
        first = min(standing, key=lambda word: order(word.event))
        deeds = [event for _, duty in first.stands for event in duty.told(*DEEDS)]
        has_acted = any(order(event) > order(first.event) for event in deeds)
        duty = self.open(first, at if has_acted else first.event.at)
        for word in ended.dispatches:
            if word is not first:
                self.stand(word, duty)

    # -- what hangs on a duty ----------------------------------------------------------------------------------------

    def end(self, event: Event) -> None:
        """A merge, termination, emergency transfer or rejection falls on all that was opened before it, but not on what
        another took the place of."""
        for one in self.duties:
            if one.seal is None:
                one.ends.append(event)

    def act(self, event: Event) -> None:
        """Hangs an event on its duty; what answers a dispatch that is yet to come waits for it."""
        told = self.attribution.belongs_to(self.dispatches, event)
        if told is None:
            self.note(event, None)
        elif order(told.event) > order(event):
            self._waiting[id(told)].append(event)
        elif new := self.new_one(event, told):
            self._waiting[id(new)].append(event)
        else:
            self.hang(event, told)

    def hang(self, event: Event, told: Dispatch) -> None:
        """Nothing counts that a unit does about a duty that another took the place of (duty-ends)."""
        duty = told.duty
        if duty.seal is not None and event.event_type in DEEDS:
            return
        duty.events.append(event)
        self.note(event, duty)
        if event.event_type == "DESIGNATE":
            told.designated.append(event.at)
        if event.event_type == "RETURN_GRANT" and duty.counts(event):
            self.grant(event, told)

    def note(self, event: Event, duty: Assignment | None) -> None:
        if event.event_type == "VIOLATION":
            self.violations.append((event, duty))

    def grant(self, event: Event, told: Dispatch) -> None:
        """A granted return takes back what its hotline had told the unit; a hotline that told it nothing takes back
        what opened the duty, with all that the same hotline told (told-again). A designation bars it up to the next
        dispatch to that unit (after-designation)."""
        duty, hotline = told.duty, event.case[0]
        if any(at < event.at for at in told.designated):
            return
        if duty.role == "lead":
            self.returned.add(hotline)
        own = [word for word in duty.dispatches if word.hotline == hotline and order(word.event) < order(event)]
        taken = own or [word for word in duty.dispatches if word.hotline == duty.opener.hotline]
        was_open = is_open(duty)
        self.take_back(taken)
        if duty.opener in taken:
            duty.returns.append(event)
            if was_open:
                self.take_over(duty, duty.done_at(event))

    # -- what is told to the minute of an opening (to-the-minute) ----------------------------------------------------

    def place_within_its_minute(self, told: Dispatch) -> None:
        """What is told after an opening, of its minute, and goes to the duty before it: a CLOSE, if that duty is open,
        and a RETURN_GRANT likewise. It is done at the opening at the latest."""
        earlier = [one for one in self.dispatches if order(one.event) < order(told.event)]
        for event in self.events:
            is_after = order(event) > order(told.event) and id(event) not in self._placed
            if is_after and event.event_type in WITHIN_ITS_MINUTE.get(told.event.event_type, ()):
                before = self.attribution.nearest_before(earlier, event)
                if before is not None and self.is_of_its_minute(event, told, before) and is_open(before.duty):
                    self._placed.add(id(event))
                    self.hang(replace(event, at=told.event.at), before)

    def new_one(self, event: Event, before: Dispatch) -> Dispatch | None:
        """The opening to which a CLOSE goes that is told before it, of its minute: the duty before waits for none."""
        if event.event_type != "CLOSE" or is_open(before.duty):
            return None
        later = [one for one in self.dispatches if order(one.event) > order(event)]
        return next((one for one in later if self.is_of_its_minute(event, one, before)), None)

    def is_of_its_minute(self, event: Event, told: Dispatch, before: Dispatch) -> bool:
        """Whether a deed may as well have been done on the other side of an opening to the same unit."""
        is_told_so = is_to_the_minute(event) or is_to_the_minute(told.event)
        if not is_told_so or minute(event.at) != minute(told.event.at) or self.edition(told.event.at) < 2:
            return False
        if told.event.event_type not in WITHIN_ITS_MINUTE:
            return False
        if event.unit_name is None:
            return told.role == "lead" and told.who is not None and told.who == before.who
        until = [one for one in self.dispatches if order(one.event) <= order(told.event)]
        return self.attribution.nearest_before(until, event) is told

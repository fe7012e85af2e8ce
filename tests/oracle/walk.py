"""A matter from its first event to its last: duties are opened, each event hangs on one, and duties end.

What is told so far decides what comes next: whether a dispatch opens a duty or tells one again, which duty another
takes the place of, and to which of two duties a deed of the minute between them goes.
"""

from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta

from tests.oracle.attribution import Attribution
from tests.oracle.duties import Assignment, Dispatch, Seal, is_open, spoken_of, standing_close, void
from tests.oracle.events import AFTER_THE_END, DEEDS, ENDS, OPENING, Order, is_to_the_minute, minute, order
from tests.oracle.register import Register
from tests.oracle.staged import Event, Key
from tests.reference.clock import CITY

GIVEN = ("DISPATCH", "REDISPATCH", "ADD_UNIT")
"""How a unit is given a case that nobody sends back; of ADD_UNIT only with the role of a lead (told-again)."""


class Walk:
    """``returned``: of each hotline the leads' duties whose return was granted under its number since it gave the case
    to a lead last."""

    def __init__(self, register: Register, root: Key, events: list[Event], tolerance: timedelta):
        self.register, self.root, self.events, self.tolerance = register, root, events, tolerance
        self.attribution = Attribution(register)
        self.dispatches = self.attribution.dispatches(events)
        self.duties: list[Assignment] = []
        self.violations: list[tuple[Event, Assignment | None]] = []
        self.returned: dict[str, list[Assignment]] = defaultdict(list)
        self._hung: list[tuple[Event, Assignment]] = []
        self._told: dict[int, int] = {}
        self._undecided: dict[int, list[tuple[Event, Dispatch]]] = defaultdict(list)
        self._waiting: dict[int, list[tuple[Event, Dispatch | None]]] = defaultdict(list)
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
        self.decide(told)
        self.place_before(told)
        self._told[id(told)] = len(self._hung)
        duty = self.told_again(told)
        if duty is None:
            duty = self.open(told, told.event.at)
        else:
            self.stand(told, duty)
        if told.event.event_type == "REWORK":
            self.end_by_rework(told, duty)
        if told.role == "lead":
            if self.takes_a_place(told):
                self.end_by_dispatch(told, duty)
            self.returned.pop(told.hotline, None)
        for event, before in self._waiting[id(told)]:
            self.hang(event, told, before)

    def told_again(self, told: Dispatch) -> Assignment | None:
        """The open lead duty of the same unit, while which a dispatch opens nothing (told-again)."""
        is_dispatch = told.event.event_type in GIVEN and told.role == "lead"
        if not is_dispatch or told.unit_name_raw is None or self.edition(told.event.at) < 2:
            return None
        own = [one for one in self.duties if one.role == "lead" and one.is_of(told.who) and is_open(one)]
        return own[-1] if own else None

    def open(self, told: Dispatch, at: datetime) -> Assignment:
        """A duty from a moment on, of the unit that its dispatch meant."""
        duty = Assignment(
            case=self.root,
            opener=told,
            dispatched_at=at,
            opened=self._now,
            unit_code=told.unit_code,
            unit_name_raw=told.unit_name_raw,
            unit=self.register.unit(told.unit_code, told.event.at.astimezone(CITY).date()),
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

    def end_by_rework(self, told: Dispatch, again: Assignment) -> None:
        """Rework ends the lead duty that it speaks of, and the open one of the unit that it goes to (duty-ends)."""
        meant = [one for one in self.duties if one.role == again.role and one.is_of(again.who) and is_open(one)]
        spoken = spoken_of(self.duties, again, self.voided_at) if again.role == "lead" else None
        if spoken is not None:
            meant.append(spoken)
        for one in meant:
            if one is not again and one.edition >= 2 and one.seal is None:
                self.close_before(one, told)
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
            for one in self.returned[told.hotline]:
                one.is_answered = True
            return
        for one in list(self.duties):
            if one is by or one.role != "lead" or one.is_of(told.who) or not is_open(one):
                continue
            given = [word for word in one.dispatches if word.hotline == told.hotline]
            if one.opener not in given:
                self.take_back(given)
            elif one.edition >= 2:
                self.close_before(one, told)
                if is_open(one):
                    self.seal(one, by)
                    self.take_back(given)
                    self.take_over(one, told.event.at)

    def bars(self, designation: Event, grant: Event, told: Dispatch) -> bool:
        """Whether a return was granted after a designation (after-designation). One told long before the dispatch that
        it hangs on bars what came before that; of edition 2, up to that dispatch (told-again, before-the-dispatch)."""
        is_long_before = told.event.at - designation.at > self.tolerance
        return designation.at < grant.at and not (is_long_before and self.edition(told.event.at) >= 2)

    def is_barred(self, grant: Event, told: Dispatch) -> bool:
        return any(self.bars(designation, grant, told) for designation in told.designated)

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
        duties = [duty for _, duty in first.stands]
        since = self._hung[self._told[id(first)] :]
        has_acted = any(event.event_type in DEEDS and duty in duties for event, duty in since)
        duty = self.open(first, at if has_acted else first.event.at)
        duty.taken_over_at = at
        for word in self.dispatches:
            if word is not first and word.stands and word.duty is ended:
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
            self._waiting[id(told)].append((event, None))
        elif new := self.new_one(event, told):
            self._undecided[id(new)].append((event, told))
        else:
            self.hang(event, told)

    def hang(self, event: Event, told: Dispatch, before: Dispatch | None = None) -> None:
        """Nothing counts that a unit does about a duty that another took the place of (duty-ends).

        ``before``: what an event of the minute would have gone to by its own second.
        """
        duty = told.duty
        if duty.seal is not None and event.event_type in AFTER_THE_END:
            return
        duty.events.append(event)
        self._hung.append((event, duty))
        self.note(event, duty)
        if event.event_type == "DESIGNATE":
            told.designated.append(event)
        is_barred = before is not None and self.is_barred(event, before)
        if event.event_type == "RETURN_GRANT" and duty.counts(event) and not is_barred:
            self.grant(event, told)

    def note(self, event: Event, duty: Assignment | None) -> None:
        if event.event_type == "VIOLATION":
            self.violations.append((event, duty))

    def grant(self, event: Event, told: Dispatch) -> None:
        """A granted return takes back what its hotline had told the unit of the duty, or of that which it took over
        from; a hotline that told it nothing takes back what the hotline told that opened the duty (told-again). A
        designation bars it up to the next dispatch to that unit (after-designation). The return of what another had
        taken the place of is answered already (duty-ends)."""
        duty, hotline = told.duty, event.case[0]
        if self.is_barred(event, told):
            return
        if duty.role == "lead" and duty.seal is None and not duty.is_answered:
            self.returned[hotline].append(duty)
        own = [word for word in duty.dispatches if word.hotline == hotline]
        taken = own or [word for word in duty.dispatches if word.hotline == duty.opener.hotline]
        was_open = is_open(duty)
        self.take_back(taken)
        if duty.opener in taken:
            duty.returns.append(event)
            if was_open:
                self.take_over(duty, duty.done_at(event))

    # -- what is told to the minute of an opening (to-the-minute) ----------------------------------------------------

    def place_before(self, told: Dispatch) -> None:
        """What is told after an opening, of its minute, and goes to the duty before it if that is open: the CLOSE of
        what rework sends back, the RETURN_GRANT of what is dispatched anew. It is done at the opening at the latest."""
        earlier = [one for one in self.dispatches if order(one.event) < order(told.event)]
        for event in self.told_after(told, "CLOSE" if told.event.event_type == "REWORK" else "RETURN_GRANT"):
            before = self.attribution.nearest_before(earlier, event)
            if before is not None and self.is_to_the_same(event, told, before) and is_open(before.duty):
                self.place(event, told, before)

    def close_before(self, one: Assignment, told: Dispatch) -> None:
        """The CLOSE of an open duty comes before what takes its place in that minute."""
        for event in self.told_after(told, "CLOSE"):
            word = self.attribution.belongs_to(self.dispatches, event)
            if is_open(one) and word is not None and word.stands and word.duty is one:
                self.place(event, told, word)

    def told_after(self, told: Dispatch, event_type: str) -> list[Event]:
        """Of what comes after an opening, that which may as well have been done before it."""
        return [
            event
            for event in self.events
            if event.event_type == event_type
            and order(event) > order(told.event)
            and id(event) not in self._placed
            and self.is_of_its_minute(event, told)
        ]

    def place(self, event: Event, told: Dispatch, before: Dispatch) -> None:
        self._placed.add(id(event))
        self.hang(replace(event, at=told.event.at), before)

    def new_one(self, event: Event, before: Dispatch) -> Dispatch | None:
        """The opening after a deed, of its minute, to which it may go."""
        if event.event_type not in ("CLOSE", "RETURN_GRANT"):
            return None
        later = [one for one in self.dispatches if order(one.event) > order(event)]
        may_be = (one for one in later if self.is_of_its_minute(event, one) and self.is_to_the_same(event, one, before))
        return next(may_be, None)

    def decide(self, told: Dispatch) -> None:
        """What is told before an opening, of its minute: a CLOSE comes after a dispatch; else it goes there where the
        duty before waits for none. A grant that was barred stays barred."""
        for event, before in self._undecided[id(told)]:
            is_after = event.event_type == "CLOSE" and told.event.event_type in GIVEN
            if is_after or not is_open(before.duty):
                self._waiting[id(told)].append((event, before))
            else:
                self.hang(event, before)

    def is_of_its_minute(self, event: Event, told: Dispatch) -> bool:
        """Whether a deed may as well have been done on the other side of an opening."""
        is_told_so = is_to_the_minute(event) or is_to_the_minute(told.event)
        return is_told_so and minute(event.at) == minute(told.event.at) and self.edition(told.event.at) >= 2

    def is_to_the_same(self, event: Event, told: Dispatch, before: Dispatch) -> bool:
        """Whether an opening gives the unit of a deed again what it had in that role; of a dispatch, what it leads."""
        kind = told.event.event_type
        if told.role != before.role or (kind == "REWORK" and event.event_type == "RETURN_GRANT"):
            return False
        if kind in GIVEN and told.role != "lead":
            return False
        if event.unit_name is None:
            return told.who is not None and told.who == before.who
        until = [one for one in self.dispatches if order(one.event) <= order(told.event)]
        return self.attribution.nearest_before(until, event) is told

"""Who was given a case, and whose act an event is: docs/decisions/assignments.md and units.md read aloud."""

from datetime import datetime, timedelta

from tests.oracle.duties import Dispatch
from tests.oracle.events import OPENING, RANK, is_to_the_minute, order
from tests.oracle.register import Meaning, Register
from tests.oracle.staged import Event
from tests.reference.clock import CITY

TO_THE_MINUTE = ("SIGN", "FIRST_CONTACT")


class Attribution:
    def __init__(self, register: Register):
        self.register = register

    def meaning(self, name: str | None, at: datetime) -> Meaning:
        if name is None:
            return Meaning(None, frozenset())
        return self.register.meaning(name, at.astimezone(CITY).date())

    # -- who was given the case -----------------------------------------------------------------------------------

    def dispatches(self, events: list[Event]) -> list[Dispatch]:
        """Whoever was given a case, in order, whether or not a duty is opened by it (what-opens)."""
        found: list[Dispatch] = []
        openings = [event for event in events if event.event_type in OPENING]
        for event in sorted(openings, key=self.asks_who_leads):
            found.append(self.dispatch(found, event))
        found.sort(key=lambda one: openings.index(one.event))
        self.count_rounds(found)
        return found

    @staticmethod
    def asks_who_leads(event: Event) -> tuple:
        """Rework of a support unit that it does not name looks at the lead that begins in its second, too (nobodys)."""
        is_unnamed = event.event_type == "REWORK" and event.unit_name is None and event.unit_role == "support"
        return (event.at, RANK[event.event_type], is_unnamed)

    def dispatch(self, found: list[Dispatch], event: Event) -> Dispatch:
        """Rework that names nobody goes to the lead that had it last (nobodys); without a role it finds the unit in the
        role that it had (role-of-rework)."""
        name, role = event.unit_name, event.unit_role
        code = self.meaning(name, event.at).code
        if event.event_type == "REWORK" and name is None:
            before = [one for one in found if one.role == "lead" and one.unit_name_raw is not None]
            if before:
                name, code = before[-1].unit_name_raw, self.carried_on(before[-1], event.at)
        elif event.event_type == "REWORK" and role is None:
            role = self.last_role(found, event)
        role = role or ("support" if event.event_type == "ADD_UNIT" else "lead")
        return Dispatch(event, code, name, role)

    def last_role(self, found: list[Dispatch], event: Event) -> str | None:
        """What the unit was on the case before, when it was named."""
        who = self.meaning(event.unit_name, event.at).code or event.unit_name
        own = [one for one in found if one.event.unit_name is not None and one.who == who]
        return own[-1].role if own else None

    def carried_on(self, lead: Dispatch, at: datetime) -> str | None:
        """Who carries a lead's work on: of several the one whose name it was given under."""
        carriers = self.acting_for(lead, at)
        if len(carriers) == 1:
            return next(iter(carriers))
        named = self.meaning(lead.unit_name_raw, at).code
        return named if named in carriers else None

    @staticmethod
    def count_rounds(dispatches: list[Dispatch]) -> None:
        """Rework of a lead opens a round, and that of a support unit joins the lead's of its second (rounds)."""
        again = [one for one in dispatches if one.event.event_type == "REWORK"]
        rounds = [one.event for one in again if one.role == "lead"]
        for one in dispatches:
            if one in again and one.role == "support":
                one.round = 1 + sum(event.at <= one.event.at for event in rounds)
            else:
                one.round = 1 + sum(order(event) <= order(one.event) for event in rounds)

    # -- whose act an event is ------------------------------------------------------------------------------------

    def belongs_to(self, dispatches: list[Dispatch], event: Event) -> Dispatch | None:
        """Of the dispatches before it the nearest of whom it names; where there is none, the nearest after it
        (whose-act, earlier-first). A SIGN or FIRST_CONTACT to the minute is told at the end of its minute."""
        until = order(event)
        if event.event_type in TO_THE_MINUTE and is_to_the_minute(event):
            until = (event.at + timedelta(seconds=59, microseconds=999999), *until[1:])
        before = self.nearest_before([one for one in dispatches if order(one.event) <= until], event)
        if before is not None:
            return before
        after = self.candidates([one for one in dispatches if order(one.event) > until], event)
        return min(after, key=lambda one: order(one.event), default=None)

    def nearest_before(self, dispatches: list[Dispatch], event: Event) -> Dispatch | None:
        return max(self.candidates(dispatches, event), key=lambda one: order(one.event), default=None)

    def candidates(self, dispatches: list[Dispatch], event: Event) -> list[Dispatch]:
        """The dispatches of whom an event names; without a name the leads (who-carries-on)."""
        if event.unit_name is None:
            return [one for one in dispatches if one.role == "lead"]
        meaning = self.meaning(event.unit_name, event.at)
        if meaning.code is not None and (own := [one for one in dispatches if one.unit_code == meaning.code]):
            return own
        if own := [one for one in dispatches if one.unit_name_raw == event.unit_name]:
            return own
        own = [one for one in dispatches if meaning.may_be & self.acting_for(one, event.at)]
        if len(meaning.may_be) > 1 and len({one.who for one in own}) > 1:
            return []
        return [one for one in own if one.role == "lead"] or own

    def acting_for(self, one: Dispatch, at: datetime) -> frozenset[str]:
        """Who may act on what was dispatched by now: its unit, and whoever carries its work on."""
        return self.meaning(one.who, at).may_be

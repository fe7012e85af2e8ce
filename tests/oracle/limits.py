"""By when a unit should have signed, called and closed, and whether it did: docs/decisions/limits.md read aloud.

What is sent back and what is returned late is judged here as well (late, late-return), since both ask for the limit.
"""

from datetime import datetime, timedelta

from tests.oracle.duties import Assignment, stood_at, void
from tests.oracle.events import EXTENDING, order
from tests.oracle.register import Register
from tests.oracle.staged import Event, Key
from tests.reference import clock
from tests.reference.clock import CITY

Limit = tuple[datetime | None, bool]
"""When it ends, and whether it rests on unsettled days. Null and unsettled: beyond the calendar."""
IN_HOURS = ("hour", "minute", "work_hour", "work_minute")


class Limits:
    def __init__(self, register: Register, cases: dict[Key, dict]):
        self.register, self.cases = register, cases
        self.rules = [
            limit | {"scheme": scheme} for scheme in register.schemes.values() for limit in scheme.get("limits", [])
        ]

    def judge(self, one: Assignment) -> None:
        """Brings the limits of a duty into its facts, and whether each was kept."""
        facts = one.facts
        ends = {kind: self.first(one, kind) for kind in ("sign", "contact", "close")}
        first = (ends["close"].ends_at, ends["close"].is_provisional)
        moved = self.moved(one, first, one.told(*EXTENDING))
        in_force, is_provisional = moved or first
        facts |= {
            "sign_due_at": ends["sign"].ends_at,
            "contact_due_at": ends["contact"].ends_at,
            "due_at": first[0],
            "extended_due_at": moved[0] if moved else None,
            "due_in_force_at": in_force,
            "clock": ends["close"].clock,
            "is_limit_unknown": in_force is None and is_provisional,
            "is_calendar_provisional": ends["sign"].is_provisional or ends["contact"].is_provisional or is_provisional,
            "is_signed_on_time": _kept(facts["signed_at"], ends["sign"].ends_at),
            "is_contacted_on_time": _kept(facts["contacted_at"], ends["contact"].ends_at),
        }
        self.judge_close(one, first)
        self.measure(one)

    def measure(self, one: Assignment) -> None:
        """How long it took from the dispatch to the close."""
        facts, closed = one.facts, one.facts["closed_at"]
        facts["natural_minutes_to_close"] = facts["working_minutes_to_close"] = None
        if closed is not None and facts["closed_precision"] is None and not one.opening.is_day:
            facts["natural_minutes_to_close"] = (closed - one.dispatched_at) // timedelta(minutes=1)
            facts["working_minutes_to_close"] = clock.working_minutes(self.register.calendar, one.dispatched_at, closed)

    # -- the limit ------------------------------------------------------------------------------------------------

    def first(self, one: Assignment, kind: str) -> clock.Ended:
        """The limit as it was set: by the ticket, else by the first rule that fits (ticket-before-rule)."""
        told, rule = self.on_the_ticket(one, kind), self.rule(one, kind)
        if told is not None:
            return clock.Ended(told, "natural", False)
        if rule is None:
            return clock.Ended(None, "natural", False)
        return self.ends(one, rule["amount"], rule["unit"], rule["starts"])

    @staticmethod
    def on_the_ticket(one: Assignment, kind: str) -> datetime | None:
        """The date that the dispatch told. Of a word that took over it binds where it lies behind that moment; what had
        passed by then would be no limit from there (told-again)."""
        opening = one.opening
        if opening.due_at is None or (opening.limit_kind or "close") != kind:
            return None
        has_passed = one.taken_over_at is not None and opening.due_at <= one.taken_over_at
        return None if has_passed else opening.due_at

    def ends(self, one: Assignment, amount: int, unit: str, starts: str) -> clock.Ended:
        return clock.ends(self.register.calendar, one.dispatched_at, amount, unit, starts, _has_desk(one))

    def rule(self, one: Assignment, kind: str) -> dict | None:
        """The first rule of a kind that fits on the day of dispatch; none where the ticket of a feed alone binds. It
        rests on the number under which the duty was dispatched (first-rule-binds, limit-of-its-number)."""
        if self.register.feeds[one.opening.case[0]].get("limits", "rules") == "ticket":
            return None
        day = one.dispatched_at.astimezone(CITY).date()
        for limit in self.rules:
            since = limit.get("valid_from") or limit["scheme"]["valid_from"]
            until = limit.get("valid_to") or limit["scheme"].get("valid_to")
            is_in_force = str(since) <= str(day) and (until is None or str(day) < str(until))
            if limit["limit_kind"] == kind and is_in_force and self.fits(limit, one):
                return limit
        return None

    def fits(self, limit: dict, one: Assignment) -> bool:
        record = self.cases[one.opening.case]
        level, category = one.unit.level if one.unit else None, record["category_code"] or ""
        return (
            ("request_types" not in limit or record["request_type"] in limit["request_types"])
            and ("urgencies" not in limit or (record["urgency"] or "normal") in limit["urgencies"])
            and ("linkage_levels" not in limit or level in limit["linkage_levels"])
            and ("categories" not in limit or any(category.startswith(str(code)) for code in limit["categories"]))
        )

    def moved(self, one: Assignment, first: Limit, events: list[Event]) -> Limit | None:
        """The limit after what was granted (extensions). A grant under the number of a feed that tells no requests was
        asked for in time (grants-alone)."""
        told = [clock.Event(event.event_type, event.at, event.due_at, self.is_asked(event)) for event in events]
        return clock.extended(self.register.calendar, first, _extension(self.rule(one, "close")), told, _has_desk(one))

    def is_asked(self, event: Event) -> bool:
        feed = self.register.feeds[event.case[0]]
        return event.event_type == "EXTEND_GRANT" and feed.get("extension_requests", "told") == "not_told"

    # -- closing --------------------------------------------------------------------------------------------------

    def judge_close(self, one: Assignment, first: Limit) -> None:
        """Late is the duty for which no close stood when its limit passed; of what is void the close that counts is
        asked (late). A limit extended beyond the calendar can only be kept: by the first one (provisional-calendar)."""
        facts = one.facts
        due, closed = facts["due_in_force_at"], facts["closed_at"]
        known = first[0] if facts["is_limit_unknown"] else due
        stood, is_void = stood_at(one, known), facts["voided_at"] is not None
        kept = stood if one.edition >= 2 and not is_void else closed if _kept(closed, known) else None
        facts["closed_in_time_at"] = kept
        facts["is_late_at_return"] = one.edition >= 2 and stood is None and self.is_late_at_return(one, first)
        is_late = due is not None and (
            (closed is not None and closed > due)
            or (facts["end_reason"] == "superseded" and facts["ended_at"] > due)
            or facts["is_late_at_return"]
        )
        facts["is_closed_on_time"] = True if kept else False if is_late else None

    def is_late_at_return(self, one: Assignment, first: Limit) -> bool:
        """Asked for after its window and after the limit then in force, a return leaves the lateness standing where the
        rule says so. A limit that was moved later on counts as moved: it had not passed (late-return)."""
        asked, in_force = self.return_asked(one), one.facts["due_in_force_at"]
        if asked is None or in_force is None or self.is_within(one, asked):
            return False
        until_then = [event for event in one.told(*EXTENDING) if order(event) < order(asked)]
        then_in_force = (self.moved(one, first, until_then) or first)[0]
        if then_in_force is None or asked.at <= max(then_in_force, in_force):
            return False
        rule = self.rule(one, "close") or {"unit": "day"}  # a limit told on the ticket alone is of days
        usual = "lifts" if rule["unit"] in IN_HOURS else "stands"
        return rule.get("return", {}).get("late", usual) == "stands"

    @staticmethod
    def return_asked(one: Assignment) -> Event | None:
        """The first request since the decision before the return that was granted; null where none was told."""
        ended, asked = void(one), None
        if ended is None or ended.reason != "returned":
            return None
        for event in one.told("RETURN_REQUEST", "RETURN_DENY", "RETURN_GRANT"):
            if one.place(event) >= ended.order:
                break
            asked = (asked or event) if event.event_type == "RETURN_REQUEST" else None
        return asked

    def is_within(self, one: Assignment, asked: Event) -> bool:
        """Whether it was asked for within the window, which counts from the dispatch as a limit does. One that ends
        beyond the calendar has not ended."""
        window = (self.rule(one, "close") or {}).get("return", {}).get("ask_within")
        if window is None:
            return False
        starts = "next_day" if window["unit"] in ("workday", "day") else "at_once"
        ends_at = self.ends(one, window["amount"], window["unit"], starts).ends_at
        return ends_at is None or asked.at <= ends_at


def _has_desk(one: Assignment) -> bool:
    return bool(one.unit and one.unit.has_24h_duty)


def _kept(done: datetime | None, limit: datetime | None) -> bool | None:
    return None if done is None or limit is None else done <= limit


def _extension(rule: dict | None) -> clock.ExtensionRule:
    told = (rule or {}).get("extension")
    if not told:
        return clock.ExtensionRule()
    before = told.get("ask_before")
    return clock.ExtensionRule(
        told["amount"],
        told["unit"],
        told.get("max_count"),
        told.get("further", "add"),
        (before["amount"], before["unit"]) if before else None,
    )

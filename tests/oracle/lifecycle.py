"""The life-cycle of every case, event after event: docs/decisions and docs/lifecycle.md read aloud in plain loops.

chain          which numbers of several hotlines are one matter
standing       of what several senders tell of one event, the best sender's word
opened         which assignments there are: unit, role, round
attached       whose act an event is
lived          signed, contacted, closed, voided, and by when each should have been
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.oracle.register import Meaning, Register, Unit
from tests.oracle.repeats import Repeat, Repeats
from tests.oracle.staged import Event, Key, Staged
from tests.reference import clock
from tests.reference.clock import CITY

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
TO_THE_MINUTE = ("SIGN", "FIRST_CONTACT")
EXTENDING = ("EXTEND_REQUEST", "EXTEND_GRANT", "EXTEND_DENY")
UNIT_TELLS = ("SIGN", "FIRST_CONTACT", "RETURN_REQUEST", "EXTEND_REQUEST", "REPLY", "CLOSE")


@dataclass
class Assignment:
    """A unit × a case × a round, and what became of it."""

    case: Key
    opening: Event
    unit_code: str | None
    unit_name_raw: str | None
    unit: Unit | None
    role: str
    round: int
    events: list[Event] = field(default_factory=list)
    facts: dict = field(default_factory=dict)

    @property
    def dispatched_at(self) -> datetime:
        return self.opening.at


@dataclass
class Matter:
    """A chain of transfers under its first number."""

    root: Key
    record: dict
    numbers: list[Key]
    events: list[Event]
    assignments: list[Assignment]
    callbacks: list[dict] = field(default_factory=list)
    violations: list[dict] = field(default_factory=list)
    excluded_as: str | None = None
    excluded_at: datetime | None = None
    is_excluded: bool = False


def order(event: Event) -> tuple:
    """Time, then the order of the life-cycle, then something that no order of arrival decides."""
    return (event.at, RANK[event.event_type], event.unit_name or "", event.sender, event.case)


class City:
    """All matters of a city."""

    def __init__(self, staged: Staged, register: Register):
        self.staged, self.register = staged, register
        self.tolerance = timedelta(minutes=register.city.get("clock_tolerance_minutes", 30))
        self.unit_tells = register.city.get("unit_tells", UNIT_TELLS)
        self.limits = [
            limit | {"scheme": scheme} for scheme in register.schemes.values() for limit in scheme.get("limits", [])
        ]
        numbers = defaultdict(list)
        for key in sorted(staged.cases):
            numbers[_root(key, staged.cases)].append(key)
        root_of = {number: root for root, chain in numbers.items() for number in chain}
        self.repeats: dict[Key, Repeat] = Repeats(register, staged.cases, root_of).found
        told, calls = defaultdict(list), defaultdict(list)
        for event in staged.events:
            if event.case in root_of:
                told[root_of[event.case]].append(event)
        for callback in staged.callbacks:
            key = (callback["case_feed_code"], callback["case_no"])
            if key in root_of:
                calls[root_of[key]].append(callback)
        self.matters = {
            root: self._matter(root, staged.cases[root], chain, told[root], calls[root])
            for root, chain in numbers.items()
        }

    def has_ties(self) -> bool:
        """Whether a case was dispatched twice in one second. Which of them a later word without a name is about, the
        hash of the events' identities decides, which is the warehouse's own and not known here.
        """
        openings = Counter(
            (root, one.dispatched_at, one.role, alike)
            for root, matter in self.matters.items()
            for one in matter.assignments
            for alike in (RANK[one.opening.event_type], one.unit_name_raw)
        )
        return any(count > 1 for count in openings.values())

    def _matter(self, root: Key, record: dict, numbers: list[Key], told: list[Event], callbacks: list[dict]) -> Matter:
        events = sorted(self.standing(told), key=order)
        matter = Matter(root, record, numbers, events, self.opened(root, events))
        for event in events:
            self.attach(matter, event)
        for assignment in matter.assignments:
            self.live(matter, assignment)
        self.count_rework(matter)
        for callback in sorted(callbacks, key=lambda row: row["called_at"]):
            matter.callbacks.append({"row": callback, "assignment": self.called_about(matter, callback)})
        self.exclude(matter)
        return matter

    # -- one event told by several senders ------------------------------------------------------------------------

    def standing(self, told: list[Event]) -> list[Event]:
        """The events without those that a better sender tells too."""
        lost = set()
        for event in told:
            better = {
                other.sender
                for other in told
                if other.sender != event.sender and self.is_same(event, other) and self.trust(other) < self.trust(event)
            }
            if any(self.twin(event, sender, told) for sender in better):
                lost.add(id(event))
        return [event for event in told if id(event) not in lost]

    def trust(self, event: Event) -> int:
        """Whose word counts, the lowest first (the table of docs/lifecycle.md)."""
        if event.sender == "record":
            return 4
        is_unit = self.register.feeds[event.sender].get("role", "hotline") == "response"
        is_owner = event.sender == event.case[0]
        if event.event_type in self.unit_tells:
            return 1 if is_unit else 2 if is_owner else 3
        return 3 if is_unit else 1 if is_owner else 2

    def twin(self, event: Event, sender: str, told: list[Event]) -> Event | None:
        """What another sender tells of the same event: within the tolerance, each the other's nearest."""

        def nearest(of: Event, among: str) -> Event | None:
            near = [
                other
                for other in told
                if other.sender == among and self.is_same(of, other) and abs(other.at - of.at) <= self.tolerance
            ]
            return min(near, key=lambda other: (abs(other.at - of.at), order(other)), default=None)

        found = nearest(event, sender)
        return found if found is not None and nearest(found, event.sender) is event else None

    def is_same(self, one: Event, other: Event) -> bool:
        """Case, type and unit are the same, or may be; whose a dispatch is says nothing of a redispatch."""
        deeds = {"DISPATCH" if event.event_type == "REDISPATCH" else event.event_type for event in (one, other)}
        if len(deeds) > 1 or one.case != other.case:
            return False
        if one.unit_name is None or other.unit_name is None or one.unit_name == other.unit_name:
            return True
        return bool(self.may_be(one) & self.may_be(other))

    def may_be(self, event: Event) -> frozenset[str]:
        return self.meaning(event.unit_name, event.at).may_be

    def meaning(self, name: str | None, at: datetime) -> Meaning:
        if name is None:
            return Meaning(None, frozenset())
        return self.register.meaning(name, at.astimezone(CITY).date())

    # -- assignments ----------------------------------------------------------------------------------------------

    def opened(self, root: Key, events: list[Event]) -> list[Assignment]:
        found: list[Assignment] = []
        rework = [event for event in events if event.event_type == "REWORK"]
        of_support = set()
        for event in events:
            if event.event_type not in OPENING:
                continue
            name, code, role = event.unit_name, self.meaning(event.unit_name, event.at).code, event.unit_role
            if event.event_type == "REWORK":
                if name is None:
                    before = [one for one in found if one.role == "lead" and one.unit_name_raw is not None]
                    if before:
                        name = before[-1].unit_name_raw
                        code = self.carried_on(before[-1], event.at)
                elif role is None:
                    role = self.last_role(found, event)
            role = role or ("support" if event.event_type == "ADD_UNIT" else "lead")
            if event.event_type == "REWORK" and role == "support":
                of_support.add(id(event))
            found.append(Assignment(root, event, code, name, self.unit(code, event.at), role, 1))
        rounds = [event for event in rework if id(event) not in of_support]
        for one in found:
            is_rework = one.opening.event_type == "REWORK"
            one.round += sum(
                (event.at <= one.dispatched_at)
                if is_rework and one.role == "support"
                else (order(event) <= order(one.opening))
                for event in rounds
            )
        return found

    def last_role(self, found: list[Assignment], event: Event) -> str | None:
        """What the unit was on the case before, when it was named: rework of a support unit joins the lead's round."""
        who = self.meaning(event.unit_name, event.at).code or event.unit_name
        own = [one for one in found if one.opening.unit_name is not None and _who(one) == who]
        return own[-1].role if own else None

    def carried_on(self, lead: Assignment, at: datetime) -> str | None:
        """Who carries a lead's work on: of several the one whose name it was given under."""
        carriers = self.acting_for(lead, at)
        if len(carriers) == 1:
            return next(iter(carriers))
        named = self.meaning(lead.unit_name_raw, at).code
        return named if named in carriers else None

    def unit(self, code: str | None, at: datetime) -> Unit | None:
        return self.register.unit(code, at.astimezone(CITY).date())

    # -- whose act an event is ------------------------------------------------------------------------------------

    def attach(self, matter: Matter, event: Event) -> None:
        """Hangs an event on its assignment. An opening hangs on none, what ends the case on none either."""
        if event.event_type in OPENING or event.event_type in ENDS:
            return
        assignment = self.belongs_to(matter.assignments, event)
        if assignment is not None:
            assignment.events.append(event)
        if event.event_type == "VIOLATION":
            named = self.meaning(event.unit_name, event.at).code
            matter.violations.append({"event": event, "assignment": assignment, "unit_code": named})

    def belongs_to(self, assignments: list[Assignment], event: Event) -> Assignment | None:
        """Of the assignments opened before it the nearest of whom it names; where none was, the nearest after it."""
        until = order(event)
        if event.event_type in TO_THE_MINUTE and event.at.second == 0 and event.at.microsecond == 0:
            until = (event.at + timedelta(seconds=59, microseconds=999999), *until[1:])
        before = self.candidates([one for one in assignments if order(one.opening) <= until], event)
        if before:
            return max(before, key=lambda one: order(one.opening))
        after = self.candidates([one for one in assignments if order(one.opening) > until], event)
        return min(after, key=lambda one: order(one.opening), default=None)

    def candidates(self, assignments: list[Assignment], event: Event) -> list[Assignment]:
        """The assignments of whom an event names; without a name the leads."""
        if event.unit_name is None:
            return [one for one in assignments if one.role == "lead"]
        meaning = self.meaning(event.unit_name, event.at)
        if meaning.code is not None and (own := [one for one in assignments if one.unit_code == meaning.code]):
            return own
        if own := [one for one in assignments if one.unit_name_raw == event.unit_name]:
            return own
        own = [one for one in assignments if meaning.may_be & self.acting_for(one, event.at)]
        if len(meaning.may_be) > 1 and len({one.unit_code or one.unit_name_raw for one in own}) > 1:
            return []
        return [one for one in own if one.role == "lead"] or own

    def acting_for(self, one: Assignment, at: datetime) -> frozenset[str]:
        """Who may act on an assignment by now: its unit, and whoever carries its work on."""
        return self.meaning(one.unit_code or one.unit_name_raw, at).may_be

    # -- the life of an assignment --------------------------------------------------------------------------------

    def live(self, matter: Matter, one: Assignment) -> None:
        opened = one.dispatched_at
        own = one.events

        def counts(event: Event) -> bool:
            """Not long before the dispatch."""
            return opened - event.at <= self.tolerance

        designated = [event.at for event in own if event.event_type == "DESIGNATE"]
        returns = [
            event
            for event in own
            if event.event_type == "RETURN_GRANT" and counts(event) and not any(at < event.at for at in designated)
        ]
        backs = [order(event) for event in own if event.event_type == "REVIEW_BACK"]
        closes = [
            event
            for event in own
            if event.event_type == "CLOSE" and counts(event) and not any(order(event) < back for back in backs)
        ]
        close = closes[0] if closes else None
        voids = [(max(event.at, opened), order(event), "returned") for event in returns]
        for event in matter.events:
            if event.event_type not in ENDS or order(event) < order(one.opening):
                continue
            if close is None or order(event) < order(close):
                voids.append((event.at, order(event), ENDS[event.event_type]))
        void = min(voids, default=None)

        def first(event_type: str) -> datetime | None:
            for event in own:
                if event.event_type == event_type and counts(event) and (void is None or order(event) < void[1]):
                    return max(event.at, opened)
            return None

        if close is not None and void is not None and order(close) > void[1]:
            close = None

        def times(event_type: str) -> list[datetime]:
            return [event.at for event in own if event.event_type == event_type]

        first_close = min((order(event) for event in own if event.event_type == "CLOSE"), default=None)
        sent_back = [
            event.at
            for event in own
            if event.event_type == "REVIEW_BACK" and first_close is not None and order(event) > first_close
        ]
        one.facts |= {
            "signed_at": first("SIGN"),
            "contacted_at": first("FIRST_CONTACT"),
            "closed_at": None if close is None else max(close.at, opened),
            "voided_at": None if void is None else void[0],
            "void_reason": None if void is None else void[2],
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
        self.set_limits(matter, one)

    def set_limits(self, matter: Matter, one: Assignment) -> None:
        calendar, facts, opening = self.register.calendar, one.facts, one.opening
        has_desk = bool(one.unit and one.unit.has_24h_duty)
        ends, rules = {}, {}
        for kind in ("sign", "contact", "close"):
            rules[kind] = self.rule(matter, one, kind)
            if opening.due_at is not None and (opening.limit_kind or "close") == kind:
                ends[kind] = clock.Ended(opening.due_at, "natural", False)
            elif rules[kind] is not None:
                rule = rules[kind]
                ends[kind] = clock.ends(
                    calendar, one.dispatched_at, rule["amount"], rule["unit"], rule["starts"], has_desk
                )
            else:
                ends[kind] = clock.Ended(None, "natural", False)
        first = (ends["close"].ends_at, ends["close"].is_provisional)
        extensions = [
            clock.Event(event.event_type, event.at, event.due_at)
            for event in one.events
            if event.event_type in EXTENDING
        ]
        moved = clock.extended(calendar, first, _extension(rules["close"]), extensions, has_desk)
        in_force, is_provisional = moved or first
        is_unknown = in_force is None and is_provisional
        facts |= {
            "sign_due_at": ends["sign"].ends_at,
            "contact_due_at": ends["contact"].ends_at,
            "due_at": first[0],
            "extended_due_at": moved[0] if moved else None,
            "due_in_force_at": in_force,
            "clock": ends["close"].clock,
            "is_limit_unknown": is_unknown,
            "is_calendar_provisional": ends["sign"].is_provisional or ends["contact"].is_provisional or is_provisional,
            "is_signed_on_time": _kept(facts["signed_at"], ends["sign"].ends_at),
            "is_contacted_on_time": _kept(facts["contacted_at"], ends["contact"].ends_at),
            "working_minutes_to_close": None,
            "natural_minutes_to_close": None,
        }
        closed = facts["closed_at"]
        facts["is_closed_on_time"] = _kept(closed, in_force)
        if is_unknown and closed is not None and first[0] is not None:
            facts["is_closed_on_time"] = True if closed <= first[0] else None
        if closed is not None:
            facts["natural_minutes_to_close"] = (closed - one.dispatched_at) // timedelta(minutes=1)
            facts["working_minutes_to_close"] = clock.working_minutes(calendar, one.dispatched_at, closed)

    def rule(self, matter: Matter, one: Assignment, kind: str) -> dict | None:
        """The first rule of a kind that fits on the day of dispatch; none where the ticket of a feed alone binds."""
        if self.register.feeds[one.opening.case[0]].get("limits", "rules") == "ticket":
            return None
        day, record = one.dispatched_at.astimezone(CITY).date(), self.staged.cases[one.opening.case]
        level = one.unit.level if one.unit else None
        for limit in self.limits:
            since = limit.get("valid_from") or limit["scheme"]["valid_from"]
            until = limit.get("valid_to") or limit["scheme"].get("valid_to")
            is_in_force = str(since) <= str(day) and (until is None or str(day) < str(until))
            if limit["limit_kind"] != kind or not is_in_force:
                continue
            if "request_types" in limit and record["request_type"] not in limit["request_types"]:
                continue
            if "urgencies" in limit and (record["urgency"] or "normal") not in limit["urgencies"]:
                continue
            if "linkage_levels" in limit and level not in limit["linkage_levels"]:
                continue
            category = record["category_code"] or ""
            if "categories" in limit and not any(category.startswith(str(code)) for code in limit["categories"]):
                continue
            return limit
        return None

    # -- what speaks of a case ------------------------------------------------------------------------------------

    def count_rework(self, matter: Matter) -> None:
        """Rework speaks of the lead of the round before it: of the unit that it goes to, if that was one, else of who
        had the case last; rework of a support unit of its own work. What was void by then is nobody's.
        """
        for again in matter.assignments:
            if again.opening.event_type != "REWORK":
                continue
            before = [
                one
                for one in matter.assignments
                if one.role == again.role
                and order(one.opening) < order(again.opening)
                and (one.facts["voided_at"] is None or one.facts["voided_at"] > again.dispatched_at)
                and (again.role == "lead" or _who(one) == _who(again))
            ]
            last_round = [one for one in before if one.round == max(other.round for other in before)]
            own = [one for one in last_round if _who(one) == _who(again)] or last_round
            if own:
                blamed = max(own, key=lambda one: order(one.opening))
                blamed.facts["reworked_at"] = min(
                    blamed.facts["reworked_at"] or again.dispatched_at, again.dispatched_at
                )

    def called_about(self, matter: Matter, callback: dict) -> Assignment | None:
        call = Event(matter.root, callback["feed_code"], "CALLBACK", callback["called_at"], callback["unit_name"])
        return self.belongs_to(matter.assignments, call)

    @staticmethod
    def reach(callback: dict) -> str | None:
        """A feed that only says yes or no gives reached or unreachable."""
        if callback["reach_code"] is not None:
            return callback["reach_code"]
        return {True: "reached", False: "unreachable", None: None}[callback["is_reached"]]

    def told_of(self, matter: Matter, number: Key) -> dict:
        """What fct_case says of one number of a chain; assignments are counted for the first alone."""
        is_first = number == matter.root
        leads = [one for one in matter.assignments if one.role == "lead" and one.facts["voided_at"] is None]
        closes = [one.facts["closed_at"] for one in leads]
        if not matter.assignments:  # the hotline answered it itself
            backs = [order(event) for event in matter.events if event.event_type == "REVIEW_BACK"]
            done = [event for event in matter.events if event.event_type in ("CLOSE", "DIRECT")]
            closes = [event.at for event in done if not any(order(event) < back for back in backs)][:1]
        merges = [event for event in matter.events if event.event_type == "MERGE" and event.case == number]
        target = (number[0], merges[-1].result_code) if merges else None
        record = self.staged.cases[number]
        upstream = (record["upstream_feed_code"], record["upstream_case_no"])
        own = matter.assignments if is_first else []
        repeat = self.repeats.get(number)
        return {
            "repeat_of_case_id": repeat and repeat.of,
            "repeat_similarity": repeat and repeat.similarity,
            "repeat_basis": repeat and repeat.basis,
            "first_dispatched_at": min((one.dispatched_at for one in own), default=None),
            "closed_at": max(closes) if closes and None not in closes else None,
            "transferred_from_case_id": upstream if upstream in self.staged.cases and upstream != number else None,
            "merged_into_case_id": target if target in self.staged.cases and target != number else None,
            "assignment_count": len(own),
            "return_count": sum(one.facts["void_reason"] == "returned" for one in own),
            "rework_count": max((one.round for one in own), default=1) - 1,
        }

    def exclude(self, matter: Matter) -> None:
        """The hotline's newest word on the case."""
        decided = [event for event in matter.events if event.event_type in ("EXCLUDE_GRANT", "EXCLUDE_DENY")]
        if decided and decided[-1].event_type == "EXCLUDE_GRANT":
            last = decided[-1]
            matter.is_excluded, matter.excluded_as, matter.excluded_at = True, last.reason_code, last.at


def level(code: str | None) -> str | None:
    """The place of an answer of either scale on four levels."""
    return {"very_satisfied": "satisfied", "very_dissatisfied": "dissatisfied", "unrated": None}.get(code, code)


def _root(key: Key, cases: dict[Key, dict]) -> Key:
    """The first number of a chain of transfers."""
    seen = {key}
    while True:
        upstream = (cases[key]["upstream_feed_code"], cases[key]["upstream_case_no"])
        if upstream not in cases or upstream in seen:
            return key
        seen.add(upstream)
        key = upstream


def _who(one: Assignment) -> str | None:
    return one.unit_code or one.unit_name_raw


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

"""The life-cycle of every case, event after event: docs/decisions and docs/lifecycle.md read aloud in plain loops.

chain          which numbers of several hotlines are one matter
standing       of what several senders tell of one event, the best sender's word
walked         which duties there are, what hangs on each, and when another takes its place (walk.py)
lived          signed, contacted, closed, voided, ended (life.py), and by when each should have been (limits.py)
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import combinations

from tests.oracle.attribution import Attribution
from tests.oracle.days import day, placed
from tests.oracle.duties import Assignment, Dispatch, is_superseded, spoken_of
from tests.oracle.events import LIFE, RANK, order
from tests.oracle.life import live
from tests.oracle.limits import Limits
from tests.oracle.register import Register
from tests.oracle.repeats import Repeat, Repeats
from tests.oracle.staged import Event, Key, Staged
from tests.oracle.walk import Walk

__all__ = ["LIFE", "Assignment", "City", "Matter", "level"]

UNIT_TELLS = ("SIGN", "FIRST_CONTACT", "RETURN_REQUEST", "EXTEND_REQUEST", "REPLY", "CLOSE")


@dataclass
class Matter:
    """A chain of transfers under its first number."""

    root: Key
    record: dict
    numbers: list[Key]
    events: list[Event]
    assignments: list[Assignment]
    dispatches: list[Dispatch]
    callbacks: list[dict] = field(default_factory=list)
    violations: list[dict] = field(default_factory=list)
    excluded_as: str | None = None
    excluded_at: datetime | None = None
    is_excluded: bool = False


class City:
    """All matters of a city."""

    def __init__(self, staged: Staged, register: Register):
        self.staged, self.register = staged, register
        self.attribution, self.limits = Attribution(register), Limits(register, staged.cases)
        self.meaning = self.attribution.meaning
        self.tolerance = timedelta(minutes=register.city.get("clock_tolerance_minutes", 30))
        self.unit_tells = register.city.get("unit_tells", UNIT_TELLS)
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
        """Whether a case was dispatched twice in one second, or returned under two hotlines' numbers. Which of them a
        later word without a name is about, or which return comes first, the hash of the events' identities decides,
        which is the warehouse's own and not known here.
        """
        seen = Counter(tie for root, matter in self.matters.items() for tie in _may_tie(root, matter))
        return any(count > 1 for count in seen.values())

    def _matter(self, root: Key, record: dict, numbers: list[Key], told: list[Event], callbacks: list[dict]) -> Matter:
        received = {number: self.staged.cases[number]["received_at"] for number in numbers}
        events = placed(self.standing(told), received, [row["called_at"] for row in callbacks])
        walk = Walk(self.register, root, events, self.tolerance)
        matter = Matter(root, record, numbers, events, walk.duties, walk.dispatches)
        for assignment in matter.assignments:
            live(assignment)
            self.limits.judge(assignment)
        self.count_rework(matter)
        for event, assignment in walk.violations:
            named = self.meaning(event.unit_name, event.at).code
            matter.violations.append({"event": event, "assignment": assignment, "unit_code": named})
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
                if other.sender != event.sender and self.is_same(event, other) and self.rank(other) < self.rank(event)
            }
            if any(self.twin(event, sender, told) for sender in better):
                lost.add(id(event))
        return [event for event in told if id(event) not in lost]

    def rank(self, event: Event) -> tuple[bool, int, str]:
        """Who tells the time before who tells the day (a-date-is-a-day), then the better source, equal ones by code."""
        return event.is_day, self.trust(event), event.sender

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
        """What another sender tells of the same event: within the tolerance, each the other's nearest; of equally near
        ones that which names the unit as it does."""

        def nearest(of: Event, among: str) -> Event | None:
            near = [
                other for other in told if other.sender == among and self.is_same(of, other) and self.is_near(of, other)
            ]
            return min(
                near,
                key=lambda other: (abs(other.at - of.at), self.named(of) != self.named(other), order(other)),
                default=None,
            )

        found = nearest(event, sender)
        return found if found is not None and nearest(found, event.sender) is event else None

    def is_near(self, one: Event, other: Event) -> bool:
        is_told_as_day = one.is_day or other.is_day
        return abs(one.at - other.at) <= self.tolerance or (is_told_as_day and day(one.at) == day(other.at))

    def is_same(self, one: Event, other: Event) -> bool:
        """Case, type and unit are the same, or may be; whose a dispatch is says nothing of a redispatch."""
        deeds = {"DISPATCH" if event.event_type == "REDISPATCH" else event.event_type for event in (one, other)}
        if len(deeds) > 1 or one.case != other.case:
            return False
        if one.unit_name is None or other.unit_name is None or one.unit_name == other.unit_name:
            return True
        return bool(self.may_be(one) & self.may_be(other))

    def named(self, event: Event) -> str | None:
        return event.unit_name and (self.meaning(event.unit_name, event.at).code or event.unit_name)

    def may_be(self, event: Event) -> frozenset[str]:
        return self.meaning(event.unit_name, event.at).may_be

    # -- what speaks of a case ------------------------------------------------------------------------------------

    def count_rework(self, matter: Matter) -> None:
        """Brings into the facts of whom rework speaks when it was first ordered."""
        for again in matter.assignments:
            if again.opening.event_type != "REWORK":
                continue
            blamed = spoken_of(matter.assignments, again, lambda one: one.facts["voided_at"])
            if blamed is not None:
                known = blamed.facts["reworked_at"] or again.dispatched_at
                blamed.facts["reworked_at"] = min(known, again.dispatched_at)

    def called_about(self, matter: Matter, callback: dict) -> Assignment | None:
        call = Event(matter.root, callback["feed_code"], "CALLBACK", callback["called_at"], callback["unit_name"])
        told = self.attribution.belongs_to(matter.dispatches, call)
        return None if told is None else told.duty_at(order(call))

    @staticmethod
    def reach(callback: dict) -> str | None:
        """A feed that only says yes or no gives reached or unreachable."""
        if callback["reach_code"] is not None:
            return callback["reach_code"]
        return {True: "reached", False: "unreachable", None: None}[callback["is_reached"]]

    def told_of(self, matter: Matter, number: Key) -> dict:
        """What fct_case says of one number of a chain; assignments are counted for the first alone. It is closed when
        no lead's duty is open and one at least was closed (lead-answers)."""
        is_first = number == matter.root
        leads = [one for one in matter.assignments if one.role == "lead" and one.facts["voided_at"] is None]
        closes = [one.facts["closed_at"] for one in leads if not is_superseded(one)]
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
            matter.is_excluded, matter.excluded_at = True, last.at
            matter.excluded_as = last.reason_code or "unstated"


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


def _may_tie(root: Key, matter: Matter) -> Iterator[tuple]:
    for one in matter.dispatches:
        rank = RANK[one.event.event_type]
        yield from ((root, one.event.at, *alike) for alike in combinations((one.role, rank, one.unit_name_raw), 2))
    for at, _ in {(event.at, event.case[0]) for event in matter.events if event.event_type == "RETURN_GRANT"}:
        yield (root, at)

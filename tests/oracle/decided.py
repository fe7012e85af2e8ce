"""What people decided, read from schema assess, and what of it is in force (docs/appeals-and-approvals.md)."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from minhu.settings import Settings
from tests.oracle.facts import case_id, table
from tests.oracle.lifecycle import Assignment, City
from tests.oracle.staged import Key


@dataclass(frozen=True)
class Exclusion:
    """What is left out. ``assignment`` null: the whole case; ``indicators`` null: for every one."""

    case: Key
    assignment: Assignment | None
    indicators: frozenset[str] | None
    reason: str
    source: str
    decided_at: datetime


@dataclass(frozen=True)
class Finding:
    """A violation: told by a feed or entered by a person."""

    case: Key | None
    assignment: Assignment | None
    unit_code: str | None
    code: str
    found_at: datetime


@dataclass
class Decided:
    exclusions: list[Exclusion]
    findings: list[Finding]

    def of_assignment(self, one: Assignment) -> str | None:
        """Why an assignment alone counts for nobody."""
        return whole([exclusion for exclusion in self.about(one.case) if exclusion.assignment is one])

    def of_case(self, case: Key) -> str | None:
        """Why a whole case counts for nobody."""
        return whole([exclusion for exclusion in self.about(case) if exclusion.assignment is None])

    def about(self, case: Key | None) -> list[Exclusion]:
        return self._by_case.get(case, [])

    @cached_property
    def _by_case(self) -> dict[Key, list[Exclusion]]:
        found = defaultdict(list)
        for exclusion in self.exclusions:
            found[exclusion.case].append(exclusion)
        return found


def read(settings: Settings) -> dict[str, list[dict]]:
    names = ("exclusion", "appeal", "appeal_decision", "violation", "manual_point", "approval")
    return {name: table(settings, f"select * from assess.{name}") for name in names}


def decided(city: City, rows: dict[str, list[dict]], assignments: dict[str, Assignment]) -> Decided:
    """``assignments``: by the id under which people spoke of them."""
    case_of = {case_id(number): root for root, m in city.matters.items() for number in m.numbers}
    revoked = {row["revokes_exclusion_id"] for row in rows["exclusion"]} - {None}
    lifted = {row["revokes_appeal_id"] for row in rows["exclusion"]} - {None}
    granted = {row["appeal_id"]: row for row in rows["appeal_decision"] if row["decision"] == "granted"}
    exclusions = [
        Exclusion(root, None, None, matter.excluded_as, "hotline", matter.excluded_at)
        for root, matter in city.matters.items()
        if matter.is_excluded
    ]
    told = []
    for row in rows["exclusion"]:
        takes_back = row["revokes_exclusion_id"] or row["revokes_appeal_id"]
        if not takes_back and row["exclusion_id"] not in revoked:
            told.append((row, row["reason_code"], "decision", row["decided_at"]))
    for row in rows["appeal"]:
        if row["appeal_id"] in granted and row["appeal_id"] not in lifted:
            decision = granted[row["appeal_id"]]
            told.append((row, decision["reason_code"], "appeal", decision["decided_at"]))
    for row, reason, source, at in told:
        if row["case_id"] in case_of:
            indicators = row["indicator_codes"] and frozenset(row["indicator_codes"])
            exclusions.append(
                Exclusion(
                    case_of[row["case_id"]], assignments.get(row["assignment_id"]), indicators, reason, source, at
                )
            )
    undone = {row["revokes_violation_id"] for row in rows["violation"]} - {None}
    findings = [
        Finding(
            root,
            found["assignment"],
            (found["assignment"] and found["assignment"].unit_code) or found["unit_code"],
            found["event"].reason_code,
            found["event"].at,
        )
        for root, matter in city.matters.items()
        for found in matter.violations
    ]
    findings += [
        Finding(
            case_of.get(row["case_id"]),
            assignments.get(row["assignment_id"]),
            row["unit_code"],
            row["violation_code"],
            row["found_at"],
        )
        for row in rows["violation"]
        if row["revokes_violation_id"] is None and row["violation_id"] not in undone
    ]
    return Decided(exclusions, findings)


def whole(exclusions: list[Exclusion]) -> str | None:
    """Why something counts for nobody: of those for every indicator the newest."""
    in_force = [one for one in exclusions if one.indicators is None]
    return max(in_force, key=lambda one: one.decided_at).reason if in_force else None

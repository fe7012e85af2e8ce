"""Points by hand, read from schema assess, and those of them that are in force (docs/appeals-and-approvals.md)."""

from collections import defaultdict
from fractions import Fraction

Entries = dict[tuple[str, str, str, str], list[Fraction]]
"""By scheme, period, unit and indicator, the oldest first."""


def in_force(points: list[dict], approvals: list[dict]) -> Entries:
    """A point counts once another login approved it and none rejected it; so does its revocation."""
    verdicts = defaultdict(set)
    author = {row["manual_point_id"]: row["entered_by"] for row in points}
    for row in approvals:
        if row["subject_kind"] == "manual_point" and row["approved_by"] != author[int(row["subject_id"])]:
            verdicts[int(row["subject_id"])].add(row["verdict"])
    stands = {number for number, given in verdicts.items() if given == {"approved"}}
    revoked = {row["revokes_manual_point_id"] for row in points if row["manual_point_id"] in stands}
    found: Entries = defaultdict(list)
    for row in sorted(points, key=lambda row: (row["entered_at"], row["manual_point_id"])):
        if row["manual_point_id"] in stands - revoked and row["revokes_manual_point_id"] is None:
            found[row["scheme_id"], row["period"], row["unit_code"], row["indicator_code"]].append(
                Fraction(row["points"])
            )
    return found

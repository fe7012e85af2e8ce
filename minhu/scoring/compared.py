"""A unit beside its group: where the middle half stands, and whose doing the movement of a score is.

Pure: no file, no database, no clock. Nothing here moves a point.

The movement from a period to a later one is taken apart in two steps. The old counts are scored by the rule of the
later period: what the score changes by that is the **rule's**. The rest is what changed in the counts. Of this the mean
change of the units of the peer group that are ranked in both periods is the **group's**, and what the unit changed
beyond it is its **own doing**. The three sum to the change exactly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from minhu.schemes.arithmetic import decimals_of, half_up, shared_out
from minhu.schemes.language.functions import Together
from minhu.schemes.language.indicator import Line
from minhu.schemes.language.relative import FEWEST
from minhu.schemes.lines import ScoredIndicator
from minhu.schemes.period import Period
from minhu.schemes.scheme import Scheme
from minhu.schemes.tally import ScoredUnit, tally
from minhu.scoring.whatif import counts_of, same_counts

MAY_BE_RANKED = (None, "by_event")
"""Reasons for having no place that say nothing against what was counted."""
NotSplit = Literal["of_means", "other_rows", "other_group", "few_peers", "without_score", "unread_entries"]
"""Why a movement is not taken apart; ``NOT_SPLIT`` of the glossary words it."""


@dataclass(frozen=True)
class Quartiles:
    """The middle half of a peer group by one indicator, by linear interpolation. ``units``: how many have a value."""

    indicator_code: str
    units: int
    low: Decimal
    median: Decimal
    high: Decimal


@dataclass(frozen=True)
class Movement:
    """What a score of 100 changed by since ``since``, and whose doing it is; the parts are null where ``not_split``
    says why they cannot be told. ``peers``: how many units the group's part is the mean of."""

    since: str
    was: Decimal
    now: Decimal
    own: Decimal | None = None
    group: Decimal | None = None
    rule: Decimal | None = None
    peers: int | None = None
    not_split: NotSplit | None = None

    @property
    def change(self) -> Decimal:
        return self.now - self.was


@dataclass(frozen=True)
class Scored:
    """A period that was scored: its scheme, and the units of at least one peer group."""

    scheme: Scheme
    period: Period
    units: Mapping[str, ScoredUnit]


Entered = Mapping[str, Mapping[str, Sequence[Decimal | Fraction]]]
"""Points entered by hand, by unit and indicator, the newest last."""


# The middle half


def quartiles(units: Sequence[ScoredUnit], peer_group: str) -> dict[str, Quartiles]:
    """By indicator the quartiles of the units of the group that may be ranked; none of fewer than ``FEWEST``."""
    values: dict[str, list[Fraction]] = {}
    for unit in units:
        if unit.peer_group != peer_group or unit.not_ranked_reason not in MAY_BE_RANKED:
            continue
        for part in unit.indicators:
            if part.value is not None:
                values.setdefault(part.code, []).append(Fraction(part.value))
    return {
        code: Quartiles(code, len(told), *(half_up(_at(sorted(told), Fraction(at, 4)), 4) for at in (1, 2, 3)))
        for code, told in values.items()
        if len(told) >= FEWEST
    }


def _at(ordered: Sequence[Fraction], share: Fraction) -> Fraction:
    """The value below which a share of them lies, between two in proportion."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


# The movement


def is_same_rule(old: Scheme, new: Scheme, before: Period, now: Period) -> bool:
    """Whether both periods are scored by one version, and no number of it changed between their first days."""
    if old.scheme_version != new.scheme_version:
        return False
    days = new.first_day(before), new.first_day(now)
    return not any(min(days) < day <= max(days) for day in new.changes)


def movement(unit: str, before: Scored, now: Scored, entered: Entered | None) -> Movement | None:
    """The movement of a unit's score between two periods of one kind; None where it has none in both.

    ``entered``: what was entered by hand in the earlier one, None where that cannot be read. Both hold the units of the
    unit's peer group.
    """
    was, own = before.units.get(unit), now.units.get(unit)
    if was is None or own is None or was.score_100 is None or own.score_100 is None:
        return None
    told = Movement(since=before.period.text, was=was.score_100, now=own.score_100)
    if why := _cannot(was, own, before, now):
        return _not_split(told, why)
    if is_same_rule(before.scheme, now.scheme, before.period, now.period):
        anew = dict(before.units)
    else:
        sources = same_counts(before.scheme, now.scheme)
        if sources is None:
            return _not_split(told, "other_rows")
        known = entered if entered is not None else _as_entered(before, now)
        if known is None:
            return _not_split(told, "unread_entries")
        counts = counts_of(before.units, known, now.scheme, sources)
        anew = {one.unit: one for one in tally(now.scheme, _day(now), counts, None, now.period.kind)}
    return _split(told, anew, now, unit)


def _not_split(told: Movement, why: NotSplit) -> Movement:
    return Movement(told.since, told.was, told.now, not_split=why)


def _day(of: Scored) -> date:
    return of.scheme.first_day(of.period)


def _cannot(was: ScoredUnit, own: ScoredUnit, before: Scored, now: Scored) -> NotSplit | None:
    if before.scheme.parts(before.period) is not None or now.scheme.parts(now.period) is not None:
        return "of_means"
    return "other_group" if was.peer_group != own.peer_group else None


def _split(told: Movement, anew: Mapping[str, ScoredUnit], now: Scored, unit: str) -> Movement:
    own, middle = now.units[unit], anew.get(unit)
    if middle is None or middle.score_100 is None:
        return _not_split(told, "without_score")
    changes = [
        Fraction(peer.score_100) - Fraction(earlier.score_100)
        for code, peer in sorted(now.units.items())
        for earlier in [anew.get(code)]
        if earlier is not None and peer.peer_group == earlier.peer_group == own.peer_group
        if _is_ranked(peer) and _is_ranked(earlier)
        if peer.score_100 is not None and earlier.score_100 is not None
    ]
    if len(changes) < FEWEST:
        return _not_split(told, "few_peers")
    rest = told.now - middle.score_100
    of_group = sum(changes, Fraction()) / len(changes)
    decimals = max(0, *(decimals_of(score) for score in (told.was, told.now, middle.score_100)))
    own_part, group_part = shared_out(rest, [Fraction(rest) - of_group, of_group], decimals)
    return Movement(
        told.since,
        told.was,
        told.now,
        own=own_part,
        group=group_part,
        rule=middle.score_100 - told.was,
        peers=len(changes),
    )


def _is_ranked(unit: ScoredUnit) -> bool:
    return unit.not_ranked_reason is None


# Points by hand of which only what they gave is known


def _as_entered(before: Scored, now: Scored) -> dict[str, dict[str, list[Fraction]]] | None:
    """What must have been entered, read off the points that it gave; None where those do not tell.

    A unit reads every published score, and of what was entered its own. Where the rule of a line by hand is the same in
    both periods, its points are all that the new rule needs.
    """
    told: dict[str, dict[str, list[Fraction]]] = {}
    for unit in before.units.values():
        given: dict[str, list[Fraction]] = {}
        for line in now.scheme.lines:
            if not line.is_manual or not line.scores(unit.peer_group):
                continue
            if not _gives_alike(before, now, line, unit.peer_group):
                return None
            entry = _entry(line, unit.indicator(line.code), before, unit.peer_group)
            given |= {line.code: [entry]} if entry is not None else {}
        told[unit.unit] = given
    return told


def _gives_alike(before: Scored, now: Scored, line: Line, group: str) -> bool:
    """Whether a line by hand gives the same points for the same entry under both rules, and they are its own."""
    old = next((one for one in before.scheme.lines if one.code == line.code), None)
    is_shared = isinstance(now.scheme.wholes[line.code].scoring, Together)
    return (
        old is not None
        and not is_shared
        and old.scoring == line.scoring
        and before.scheme.rounding == now.scheme.rounding
        and old.terms(group, _day(before)) == line.terms(group, _day(now))
    )


def _entry(line: Line, part: ScoredIndicator | None, before: Scored, group: str) -> Fraction | None:
    """The entry that gives the same points; of an event how often it happened."""
    if part is None or part.value is None:
        return None
    if line.is_event:
        return Fraction(part.value)
    if part.points is None:
        return None
    full = line.terms(group, _day(before)).points if line.takes_changes else Decimal()
    return Fraction(part.points - full) / line.times

"""What hotlines do with a case that a unit has already: give it to another, dispatch it again, have it twice."""

import numpy as np

from minhu.simulate.events import LEAD
from minhu.simulate.life import ENDED, HOUR, MINUTE, Assignments, Life
from minhu.simulate.stream import second_numbers

_MOVED = 0.03
"""Nobody asked to return it; the hotline sees by itself whose it is."""
_MOVED_BACK = 0.2
"""The second unit knows no better, and the hotline gives the case to the first again."""
_LAIN = 0.3
"""Of what is moved: it lay with the unit for days, until somebody at the hotline missed it."""
_AS_DISPATCH = 0.08
"""A clerk writes a second dispatch, though his system has a word for a hand-over."""
_AGAIN = 0.012
"""Somebody presses the button once more, or a citizen who calls again has his ticket sent out again."""


def hand_over(life: Life, own: Assignments) -> Assignments:
    """Some cases are given to another unit without a return, some of these back to the first.

    Takes what nobody has signed yet, and tells the signatures of the relieved. Returns who has each case in the end.
    """
    target = life.city.other_unit(life.cases.leaf[own.case], life.cases.town[own.case], own.unit)
    is_moved = life.chance(_MOVED, len(own)) & (own.urgency == 0) & (target != own.unit)
    is_moved &= life.can(own.case, "REDISPATCH")
    gone = own.where(is_moved)
    there = _relieve(life, gone, target[is_moved])
    is_back = life.chance(_MOVED_BACK, len(there))
    back = _relieve(life, there.where(is_back), gone.unit[is_back])
    return own.where(~is_moved).join(there.where(~is_back)).join(back)


def _relieve(life: Life, gone: Assignments, target: np.ndarray) -> Assignments:
    """Another unit's from here on: hours after the dispatch, or when half the limit and more has gone by."""
    count = len(gone)
    soon = life.spread(2 * HOUR, count) + MINUTE
    slow = (life.rng.uniform(0.5, 1.3, count) * (gone.due - gone.start)).astype(np.int64)
    at = gone.start + np.where(life.chance(_LAIN, count), slow, soon)
    life.sign(gone.where(gone.signed < at))
    opened = life.open(gone.case, target, at, gone.round)
    feed = life.cases.feed[gone.case]
    is_dispatch = life.chance(_AS_DISPATCH, count) & life.senders.log("DISPATCH")[feed]
    is_dispatch |= life.senders.replaces_by_dispatch[feed]
    for event_type, chosen in (("DISPATCH", is_dispatch), ("REDISPATCH", ~is_dispatch)):
        some = opened.where(chosen)
        life.log.add(event_type, some.case, some.start, unit=some.unit, role=LEAD, due=life.written_due(some))
    return opened


def dispatch_twice(life: Life, own: Assignments) -> Assignments:
    """Matters of two hotlines: the second dispatches, minutes later, to the unit that has it from the first.

    The unit does everything once. Of half of them it writes what it does after its signature under the second number.
    """
    second = second_numbers(life.cases)
    place = np.full(len(life.cases), -1)
    place[own.case] = np.arange(len(own))
    spot = place[life.cases.upstream[second]]
    at = np.maximum(
        life.cases.received[second] + life.spread(9 * MINUTE, len(second)),
        own.start[spot] + life.between(2 * MINUTE, 40 * MINUTE, len(second)),
    )
    told = life.open(second, own.unit[spot], at, own.round[spot])
    life.log.add("DISPATCH", second, at, unit=told.unit, role=LEAD, due=life.written_due(told))
    own = own.where(np.ones(len(own), bool))  # a copy of its own to write on
    own.signed[spot] = np.maximum(own.signed[spot], at + MINUTE)
    own.begun[spot] = np.maximum(own.begun[spot], at + MINUTE)
    is_under_second = life.chance(0.5, len(second))
    own.case[spot[is_under_second]] = second[is_under_second]
    own.start[spot[is_under_second]] = at[is_under_second]
    return own


def dispatch_again(life: Life, own: Assignments) -> None:
    """The hotline that gave a case to a unit dispatches it to the same unit once more, before the unit closes it."""
    is_open_long = (own.closed < ENDED) & (own.closed - own.start > 20 * MINUTE)
    chosen = is_open_long & life.chance(_AGAIN, len(own)) & life.senders.log("DISPATCH")[life.cases.feed[own.case]]
    some = own.where(chosen)
    at = some.start + (life.rng.uniform(0.05, 0.9, len(some)) * (some.closed - some.start)).astype(np.int64)
    told = life.open(some.case, some.unit, at, some.round)
    life.log.add("DISPATCH", some.case, at, unit=some.unit, role=LEAD, due=life.written_due(told))

"""How a case enters: answered at once, refused, merged, handed on, or dispatched to a unit that may say "not ours"."""

import numpy as np

from minhu.simulate.events import LEAD
from minhu.simulate.life import HOUR, MINUTE, Assignments, Life
from minhu.simulate.stream import DIRECT, DISPATCHED, MERGED, REJECTED, TRANSFERRED, second_numbers

_TARDY, _LATE = 0.08, 0.05
"""Of those who say "not ours": after the two working days that most rules give for it; only after the limit."""
_UNTOLD = 0.06
"""Granted on the phone: nobody writes down that it was asked for."""


def intake(life: Life) -> np.ndarray:
    """Tells what the hotline does itself; returns the cases that go to a unit, without those that it has already."""
    cases, everyone = life.cases, np.arange(len(life.cases))
    life.log.add("ACCEPT", everyone, cases.received)
    for mode, event_type, low, high in (
        (DIRECT, "DIRECT", 15, 420),
        (REJECTED, "REJECT_INTAKE", 60, 1800),
    ):
        own = everyone[cases.accept_mode == mode]
        life.log.add(event_type, own, cases.received[own] + life.between(low, high, len(own)))
    _direct_closes(life)
    handed_on = np.isin(everyone, cases.upstream)
    emergency = everyone[(cases.accept_mode == TRANSFERRED) & ~handed_on]
    life.log.add("TRANSFER_EMERGENCY", emergency, cases.received[emergency] + life.between(20, 240, len(emergency)))
    _merges(life, everyone[cases.accept_mode == MERGED])
    return np.setdiff1d(everyone[cases.accept_mode == DISPATCHED], second_numbers(cases), assume_unique=True)


def _direct_closes(life: Life) -> None:
    """A hotline whose lines carry the close writes the end of the call as one."""
    own = np.flatnonzero((life.cases.accept_mode == DIRECT) & ~life.senders.carry("DIRECT")[life.cases.feed])
    life.log.add("CLOSE", own, life.cases.received[own] + life.between(20, 300, len(own)))


def _merges(life: Life, own: np.ndarray) -> None:
    target = life.cases.number[life.cases.repeat_of[own]]
    life.log.add("MERGE", own, life.cases.received[own] + life.between(120, 5400, len(own)), result=target)


def dispatch(life: Life, case: np.ndarray) -> Assignments:
    """The first dispatch, minutes after the call."""
    count = len(case)
    at_once = life.cases.received[case] + life.spread(9 * MINUTE, count)
    is_receipt = life.senders.flag("dispatches_on_receipt")[life.cases.feed[case]]
    start = np.where(is_receipt, life.cases.received[case], at_once)
    unit = life.city.competent(life.cases.leaf[case], life.cases.town[case], life.rng)
    opened = life.open(case, unit, start, np.ones(count, dtype=np.int64))
    life.log.add("DISPATCH", case, start, unit=unit, role=LEAD, due=life.written_due(opened))
    return opened


def returns(life: Life, own: Assignments) -> Assignments:
    """Some units say "not ours". A granted return voids the assignment and opens another unit's."""
    wants = life.chance(life.city.units.return_rate[own.unit], len(own)) & (own.urgency == 0)
    wants &= life.can(own.case, "RETURN_REQUEST", "RETURN_GRANT", "RETURN_DENY", "REDISPATCH")
    asked = own.where(wants)
    reason = np.where(life.chance(0.6, len(asked)), "not_our_duty", "wrong_area")
    at = _asking(life, asked)
    decided = life.city.clock.later(at, life.between(300, 4 * HOUR, len(asked)))
    target = life.city.other_unit(life.cases.leaf[asked.case], life.cases.town[asked.case], asked.unit)
    is_granted = life.chance(0.65, len(asked)) & (target != asked.unit)
    is_told = ~(is_granted & life.chance(_UNTOLD, len(asked)))
    is_told &= life.senders.tells_return_requests[life.cases.feed[asked.case]]
    told = asked.where(is_told)
    life.log.add("RETURN_REQUEST", told.case, at[is_told], unit=told.unit, role=LEAD, reason=reason[is_told])
    _deny(life, asked.where(~is_granted), decided[~is_granted])
    own.begun = own.begun.copy()
    own.begun[np.flatnonzero(wants)] = decided
    moved = _redispatch(life, asked.where(is_granted), decided[is_granted], target[is_granted], reason[is_granted])
    is_gone = np.zeros(len(own), bool)
    is_gone[np.flatnonzero(wants)[is_granted]] = True
    return own.where(~is_gone).join(moved)


def _asking(life: Life, asked: Assignments) -> np.ndarray:
    """When it says so: mostly within hours of its signature, some days later, a few when the limit has passed."""
    count, clock = len(asked), life.city.clock
    soon = clock.later(asked.signed, life.between(600, 5 * HOUR, count))
    tardy = clock.later(clock.due(asked.start, 2), life.between(10 * MINUTE, 6 * HOUR, count))
    late = clock.later(asked.due, life.between(20 * MINUTE, 9 * HOUR, count))
    roll = life.rng.random(count)
    return np.maximum(soon, np.select([roll < _LATE, roll < _LATE + _TARDY], [late, tardy], soon))


def _deny(life: Life, denied: Assignments, at: np.ndarray) -> None:
    life.log.add("RETURN_DENY", denied.case, at, unit=denied.unit, role=LEAD)
    named = life.chance(0.3, len(denied)) & life.can(denied.case, "DESIGNATE")
    own = denied.where(named)
    life.log.add("DESIGNATE", own.case, at[named] + life.between(60, 900, len(own)), unit=own.unit, role=LEAD)


def _redispatch(life: Life, gone: Assignments, at: np.ndarray, target: np.ndarray, reason: np.ndarray) -> Assignments:
    life.log.add("RETURN_GRANT", gone.case, at, unit=gone.unit, role=LEAD, reason=reason)
    opened = life.open(gone.case, target, at + life.between(60, 1200, len(gone)), gone.round)
    life.log.add("REDISPATCH", opened.case, opened.start, unit=target, role=LEAD, due=life.written_due(opened))
    life.sign(opened)
    return opened

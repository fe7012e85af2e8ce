"""What a unit does with a case that is its own: contact, extension, reply, close; and who helps it."""

import numpy as np

from minhu.simulate.events import LEAD, SUPPORT
from minhu.simulate.life import ENDED, HOUR, MINUTE, NEVER, Assignments, Life
from minhu.simulate.worktime import DAY

_EXTRA_DAYS = 5
_UNTOLD = 0.08
"""Of the granted: asked for on the phone, so that the grant stands alone."""
_GRANTED_LATE = 0.4
"""Of these: granted when the limit had passed."""


def work(life: Life, own: Assignments) -> Assignments:
    """Contact, extension, reply, close. Returns the assignments with the moment of their close."""
    own.begun = _extend(life, own)
    own.closed = _closing(life, own)
    is_idle = life.chance(0.004, len(own)) & life.can(own.case, "VIOLATION")
    ended = life.chance(0.004, len(own)) & life.can(own.case, "TERMINATE")
    own.closed[is_idle] = NEVER
    own.closed[ended] = ENDED
    stopped = own.where(ended)
    at = life.city.clock.later(stopped.begun, life.between(7 * HOUR, 20 * HOUR, len(stopped)))
    life.log.add("TERMINATE", stopped.case, at, unit=stopped.unit, role=LEAD, reason="statutory_channel")
    _bulk_close(life, own)
    _contact(life, own.where(~ended))
    _reply_and_close(life, own.where(own.closed < ENDED))
    _press(life, own.where(~ended))
    return own


def _extend(life: Life, own: Assignments) -> np.ndarray:
    """Asked before the limit; a granted one moves it. Returns the moment from which the rest of the work counts."""
    begun = own.begun.copy()
    clock = life.city.clock
    asks = life.chance(0.05, len(own)) & (own.urgency == 0) & (own.begun < own.due - 2 * DAY)
    asks &= life.can(own.case, "EXTEND_REQUEST", "EXTEND_GRANT", "EXTEND_DENY")
    asked = own.where(asks)
    left = clock.worked(asked.due) - clock.worked(asked.begun)
    at = clock.later(asked.begun, (left * life.rng.uniform(0.5, 0.8, len(asked))).astype(np.int64))
    decided = clock.later(at, life.between(600, 3 * HOUR, len(asked)))
    is_granted = life.chance(0.85, len(asked))
    extended = clock.due(asked.due - 1, _EXTRA_DAYS)
    is_untold = is_granted & life.chance(_UNTOLD, len(asked))
    after = clock.later(asked.due, life.between(HOUR, 9 * HOUR, len(asked)))
    decided = np.where(is_untold & life.chance(_GRANTED_LATE, len(asked)), after, decided)
    is_told = ~is_untold & life.senders.tells_extension_requests[life.cases.feed[asked.case]]
    told = asked.where(is_told)
    life.log.add("EXTEND_REQUEST", told.case, at[is_told], unit=told.unit, role=LEAD, reason="complex_matter")
    yes, no = asked.where(is_granted), asked.where(~is_granted)
    life.log.add("EXTEND_GRANT", yes.case, decided[is_granted], unit=yes.unit, role=LEAD, due=extended[is_granted])
    life.log.add("EXTEND_DENY", no.case, decided[~is_granted], unit=no.unit, role=LEAD)
    begun[asks] = decided
    own.due[np.flatnonzero(asks)[is_granted]] = extended[is_granted]
    return begun


def _closing(life: Life, own: Assignments) -> np.ndarray:
    """When the unit closes: at a unit's own pace within the limit, or after it."""
    count, begun, clock, units = len(own), own.begun, life.city.clock, life.city.units
    slowness = units.slowness[own.unit]
    pace = life.rng.beta(4 * slowness, 4 * (1 - slowness))
    has_duty = units.has_duty[own.unit]
    left = np.maximum(clock.worked(own.due) - 60 - clock.worked(begun), 0)
    in_office = clock.later(begun, (pace * left).astype(np.int64))
    round_the_clock = begun + (pace * np.maximum(own.due - 300 - begun, 0)).astype(np.int64)
    waking = np.where(own.urgency == 0, _waking(round_the_clock, begun), round_the_clock)
    prompt = np.where(has_duty, waking, in_office)
    late = np.where(
        has_duty,
        _waking(own.due + life.spread(11 * HOUR, count, 0.9), begun),
        clock.later(own.due, life.between(20 * MINUTE, 18 * HOUR, count)),
    )
    is_on_time = life.chance(units.close_rate[own.unit], count)
    closed = np.where(is_on_time, prompt, late)
    at_least = begun + life.between(3 * MINUTE, 15 * MINUTE, count)
    return np.maximum(closed, np.where(has_duty, at_least, clock.later(begun, at_least - begun)))


def _bulk_close(life: Life, own: Assignments) -> None:
    """Once in a while somebody closes everything of a day in one second."""
    candidates = np.flatnonzero((own.closed < life.end) & (own.round == 1))
    for _ in range(1 + len(own) // 20_000 if len(candidates) > 500 else 0):
        picked = candidates[life.rng.integers(len(candidates))]
        same = (own.unit == own.unit[picked]) & (own.closed // DAY == own.closed[picked] // DAY)
        own.closed[same] = own.closed[same].max()


def _contact(life: Life, own: Assignments) -> None:
    called = life.chance(0.78, len(own)) & life.can(own.case, "FIRST_CONTACT")
    some = own.where(called)
    horizon = np.minimum(np.minimum(some.closed, some.signed + 20 * HOUR), some.due + DAY)
    at = some.signed + (life.rng.beta(1.2, 3, len(some)) * np.maximum(horizon - some.signed, 60)).astype(np.int64)
    has_duty = life.city.units.has_duty[some.unit]
    at = np.where(has_duty, at, np.minimum(life.city.clock.later(at, np.zeros_like(at)), some.closed))
    life.log.add("FIRST_CONTACT", some.case, at, unit=some.unit, role=LEAD)


def _reply_and_close(life: Life, own: Assignments) -> None:
    before = np.minimum(life.spread(9 * MINUTE, len(own)), (own.closed - own.signed) // 3)
    life.log.add("REPLY", own.case, own.closed - before, unit=own.unit, role=LEAD)
    life.log.add("CLOSE", own.case, own.closed, unit=own.unit, role=LEAD)


def _press(life: Life, own: Assignments) -> None:
    """The late are urged, some others too; a few are supervised."""
    is_late = own.closed > own.due
    urged = life.chance(np.where(is_late, 0.6, 0.03), len(own)) & life.can(own.case, "URGE")
    supervised = life.chance(np.where(is_late, 0.1, 0.003), len(own)) & life.can(own.case, "SUPERVISE")
    for event_type, chosen in (("URGE", urged), ("SUPERVISE", supervised)):
        some = own.where(chosen)
        horizon = np.maximum(np.minimum(some.closed, some.due + DAY) - some.signed, MINUTE)
        at = some.signed + (life.rng.uniform(0.5, 0.99, len(some)) * horizon).astype(np.int64)
        life.log.add(event_type, some.case, at, unit=some.unit, role=LEAD)


def support(life: Life, own: Assignments) -> None:
    """A second unit helps: it answers to the lead unit and closes its own part before the lead does."""
    helped = life.chance(0.045, len(own)) & (own.urgency == 0) & (own.closed < ENDED)
    lead = own.where(helped & life.can(own.case, "ADD_UNIT", "SIGN", "CLOSE"))
    other = life.city.other_unit(life.cases.leaf[lead.case], life.cases.town[lead.case], lead.unit)
    start = lead.start + life.between(60, 900, len(lead))
    added = life.open(lead.case, other, start, lead.round)
    added.closed = added.signed + ((lead.closed - added.signed) * life.rng.uniform(0.4, 0.9, len(lead))).astype(
        np.int64
    )
    fits = (other != lead.unit) & (added.closed > added.signed + 5 * MINUTE)
    added = added.where(fits)
    has_duty = life.city.units.has_duty[added.unit]
    in_office = life.city.clock.later(added.closed, np.zeros_like(added.closed))
    added.closed = np.where(has_duty, added.closed, in_office)
    life.log.add("ADD_UNIT", added.case, added.start, unit=added.unit, role=SUPPORT, due=life.written_due(added))
    life.sign(added, SUPPORT)
    life.log.add("REPLY", added.case, added.closed - 120, unit=added.unit, role=SUPPORT)
    life.log.add("CLOSE", added.case, added.closed, unit=added.unit, role=SUPPORT)


def _waking(at: np.ndarray, not_before: np.ndarray) -> np.ndarray:
    """Also a desk that never closes writes its replies between 07:30 and 22:00, mostly."""
    second = at % DAY
    moved = np.where(second < 7 * HOUR + 1800, at - second + 7 * HOUR + 1800 + second // 5, at)
    moved = np.where(second > 22 * HOUR, at - (second - 22 * HOUR) * 4, moved)
    return np.maximum(moved, not_before + 5 * MINUTE)

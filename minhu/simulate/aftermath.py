"""What follows a close: review, rework, appeals, findings of the efficiency inspection."""

import numpy as np

from minhu.simulate.events import LEAD
from minhu.simulate.life import ENDED, HOUR, MINUTE, NEVER, Assignments, Life

_BACK = 0.025
"""The reply says too little."""
_SLOW = 0.15
"""Of answers in time that are sent back: read only when the limit has passed."""
_AT_ONCE = 0.008
"""The caller is on the line, or the page is open: sent back within the minute of the close, without a review."""


def review(life: Life, own: Assignments) -> tuple[Assignments, Assignments]:
    """The hotline body checks the reply. Returns what passed (or is not reviewed) and the reworks of the rest."""
    reviewed = life.can(own.case, "REVIEW_PASS", "REVIEW_BACK", "REWORK")
    count, clock = len(own), life.city.clock
    roll = np.where(reviewed & (own.round < 3), life.rng.random(count), 1)
    is_back, is_at_once = roll < _BACK, (roll >= _BACK) & (roll < _BACK + _AT_ONCE)
    at = clock.later(own.closed, life.spread(80 * MINUTE, count))
    after = clock.later(own.due, life.between(HOUR, 12 * HOUR, count))
    at = np.where(is_back & (own.closed <= own.due) & life.chance(_SLOW, count), after, at)
    is_again = is_back | is_at_once
    passed = own.where(reviewed & ~is_again)
    life.log.add("REVIEW_PASS", passed.case, at[reviewed & ~is_again], unit=passed.unit, role=LEAD)
    back = own.where(is_back)
    life.log.add("REVIEW_BACK", back.case, at[is_back], unit=back.unit, role=LEAD, reason="poor_reply")
    later = at + MINUTE + life.spread(8 * MINUTE, count)
    ordered = np.where(is_at_once, own.closed + life.between(3, 40, count), later)
    return own.where(~is_again), rework(life, own.where(is_again), ordered[is_again])


def rework(life: Life, own: Assignments, at: np.ndarray) -> Assignments:
    """Sent back to the same unit: a new round with a limit of its own, opened by REWORK itself."""
    opened = life.open(own.case, own.unit, at, own.round + 1)
    life.log.add("REWORK", own.case, at, unit=own.unit, role=LEAD, due=life.written_due(opened), reason="unresolved")
    life.sign(opened)
    return opened


def appeals(life: Life, own: Assignments) -> None:
    """A unit asks that a case not count against it; the hotline body decides, with the reason."""
    can = life.can(own.case, "APPEAL", "EXCLUDE_GRANT", "EXCLUDE_DENY")
    asked = own.where(life.chance(np.where(own.closed > own.due, 0.1, 0.006), len(own)) & can)
    reasons = np.array(["statutory_channel", "repeat_without_new_facts", "beyond_duty"])
    reason = reasons[life.rng.integers(0, 3, len(asked))]
    at = life.city.clock.later(asked.closed, life.between(3 * HOUR, 16 * HOUR, len(asked)))
    life.log.add("APPEAL", asked.case, at, unit=asked.unit, role=LEAD, reason=reason)
    decided = life.city.clock.later(at, life.between(2 * HOUR, 14 * HOUR, len(asked)))
    granted = life.chance(0.55, len(asked))
    for event_type, chosen in (("EXCLUDE_GRANT", granted), ("EXCLUDE_DENY", ~granted)):
        some = asked.where(chosen)
        life.log.add(event_type, some.case, decided[chosen], unit=some.unit, role=LEAD, reason=reason[chosen])


def violations(life: Life, own: Assignments) -> None:
    """Rare findings of the efficiency inspection: not handled, handled late, handled improperly."""
    can = life.can(own.case, "VIOLATION") & (own.closed != ENDED)
    is_idle = own.closed == NEVER
    very_late = (own.closed < ENDED) & (own.closed > own.due + 12 * HOUR)
    found = can & life.chance(np.select([is_idle, very_late], [0.45, 0.03], 0.0003), len(own))
    some, idle = own.where(found), is_idle[found]
    reason = np.select([idle, very_late[found]], ["not_handled", "late_handling"], "improper_handling")
    after = np.where(idle, some.due, np.minimum(some.closed, life.end))
    at = life.city.clock.later(after, life.between(4 * HOUR, 14 * HOUR, len(some)))
    life.log.add("VIOLATION", some.case, at, unit=some.unit, role=LEAD, reason=reason)

"""What every step of a case's life needs: the city, chance, the log, and assignments with their clocks."""

from dataclasses import dataclass, fields

import numpy as np

from minhu.feeds.canonical import REQUEST_TYPES
from minhu.simulate.city import City
from minhu.simulate.events import LEAD, NONE, EventLog
from minhu.simulate.senders import Senders
from minhu.simulate.stream import Cases

MINUTE, HOUR = 60, 3600
NEVER = np.iinfo(np.int64).max // 4
ENDED = NEVER - 1
"""Closed by nobody: still open for ever, or ended by the hotline body."""
_LIMIT_DAYS, _CONSULT_DAYS = 5, 3
_CONSULT = REQUEST_TYPES.index("consult")


@dataclass
class Assignments:
    """One unit's duty on a case in a round. ``due`` is the limit in force; ``closed``: NEVER, ENDED or a moment."""

    case: np.ndarray
    unit: np.ndarray
    round: np.ndarray
    start: np.ndarray
    due: np.ndarray
    urgency: np.ndarray
    signed: np.ndarray
    begun: np.ndarray
    """From here on it works on the matter: signed, and no longer hoping for a return."""
    closed: np.ndarray

    def __len__(self) -> int:
        return len(self.case)

    def where(self, mask: np.ndarray) -> "Assignments":
        return Assignments(**{field.name: getattr(self, field.name)[mask] for field in fields(self)})

    def join(self, other: "Assignments") -> "Assignments":
        return Assignments(
            **{f.name: np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)}
        )


@dataclass
class Life:
    """Draws the life of all cases into ``log`` and ``callbacks``."""

    city: City
    senders: Senders
    cases: Cases
    rng: np.random.Generator
    end: int
    """Nothing later than this is told, though it may lie in the future of an open case."""
    log: EventLog

    # -- chance ---------------------------------------------------------------------------------------------------

    def chance(self, probability: np.ndarray | float, count: int) -> np.ndarray:
        return self.rng.random(count) < probability

    def spread(self, median: float, count: int, sigma: float = 0.7) -> np.ndarray:
        """Seconds around a median, with a long tail."""
        return (median * np.exp(self.rng.normal(0, sigma, count))).astype(np.int64)

    def between(self, low: float, high: float, count: int) -> np.ndarray:
        return self.rng.uniform(low, high, count).astype(np.int64)

    def can(self, case: np.ndarray, *event_types: str) -> np.ndarray:
        return self.senders.carry(*event_types)[self.cases.feed[case]]

    # -- assignments ----------------------------------------------------------------------------------------------

    def open(self, case: np.ndarray, unit: np.ndarray, start: np.ndarray, round: np.ndarray) -> Assignments:
        """New assignments with their limit: working days, or natural hours where it is urgent."""
        urgency = self.cases.urgency[case]
        days = np.where(self.cases.request_type[case] == _CONSULT, _CONSULT_DAYS, _LIMIT_DAYS)
        due = np.select(
            [urgency == 2, urgency == 1], [start + 2 * HOUR, start + 24 * HOUR], self.city.clock.due(start, days)
        )
        opened = Assignments(case, unit, round, start, due, urgency, start, start, np.full(len(case), NEVER))
        opened.signed = opened.begun = self._sign(opened)
        return opened

    def written_due(self, assignments: Assignments) -> np.ndarray:
        return np.where(self.senders.writes_due[self.cases.feed[assignments.case]], assignments.due, NONE)

    def _sign(self, own: Assignments) -> np.ndarray:
        """A desk that never closes signs within minutes, an office on its next hours; some forget."""
        count = len(own)
        clock, units = self.city.clock, self.city.units
        has_duty = units.has_duty[own.unit]
        quick = own.start + np.minimum(self.spread(7 * MINUTE, count, 0.6), 27 * MINUTE)
        slow = own.start + self.spread(5 * HOUR, count, 0.8) + 40 * MINUTE
        office = clock.later(own.start, np.minimum(self.spread(35 * MINUTE, count, 0.9), 6 * HOUR))
        forgotten = clock.later(own.start, self.between(14, 30, count) * HOUR)
        is_prompt = self.chance(units.sign_rate[own.unit], count)
        return np.where(has_duty, np.where(is_prompt, quick, slow), np.where(is_prompt, office, forgotten))

    def sign(self, own: Assignments, role: str = LEAD) -> None:
        self.log.add("SIGN", own.case, own.signed, unit=own.unit, role=role)

"""Callbacks: the hotline asks the citizen whether somebody called, whether it is solved, how satisfied he is."""

from dataclasses import dataclass, fields

import numpy as np

from minhu.feeds.canonical import SATISFACTION_SCALES
from minhu.simulate.life import Assignments, Life
from minhu.simulate.worktime import DAY

RESOLUTIONS = ("resolved", "explained", "unresolved", "unrated")
CONTACTS = ("yes", "no", "unrated")
UNRATED = -1
_MOODS = {  # by resolution: how the five levels are given
    0: (0.46, 0.36, 0.12, 0.05, 0.01),
    1: (0.16, 0.34, 0.28, 0.17, 0.05),
    2: (0.01, 0.06, 0.16, 0.45, 0.32),
}


@dataclass
class Callbacks:
    """One place per callback. ``mood`` 0 … 4 from best to worst; −1: not rated."""

    case: np.ndarray
    unit: np.ndarray
    round: np.ndarray
    at: np.ndarray
    is_reached: np.ndarray
    contact: np.ndarray
    resolution: np.ndarray
    mood: np.ndarray

    def __len__(self) -> int:
        return len(self.case)

    def where(self, mask: np.ndarray) -> "Callbacks":
        return Callbacks(**{field.name: getattr(self, field.name)[mask] for field in fields(self)})


def join_callbacks(parts: list[Callbacks]) -> Callbacks:
    return Callbacks(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Callbacks)})


def draw_callbacks(life: Life, own: Assignments) -> tuple[Callbacks, np.ndarray, np.ndarray]:
    """Callbacks on closed assignments; which of these are sent back because of them, and when."""
    chosen = life.senders.has_callbacks[life.cases.feed[own.case]] & life.chance(0.82, len(own))
    some = own.where(chosen)
    count = len(some)
    at = _moments(life, some)
    is_reached = life.chance(0.84, count)
    resolution = _resolutions(life, some, is_reached)
    contact = np.where(~is_reached, 2, np.where(life.chance(0.9, count), 0, np.where(life.chance(0.6, count), 1, 2)))
    mood = np.where(resolution < 3, _moods(life, resolution), UNRATED)
    callbacks = Callbacks(some.case, some.unit, some.round, at, is_reached, contact, resolution, mood)
    unhappy = (resolution == 2) & (mood >= 3) & (some.round < 3)
    again = unhappy & life.chance(0.35, count) & life.can(some.case, "REWORK")
    back = np.zeros(len(own), bool)
    back[np.flatnonzero(chosen)[again]] = True
    return callbacks, back, at[again] + life.between(300, 7200, int(again.sum()))


def _moments(life: Life, some: Assignments) -> np.ndarray:
    """Within three days, between nine and eight in the evening; now and then in the very second of the close."""
    count = len(some)
    day = some.closed // DAY + 1 + life.rng.integers(0, 3, count)
    at = day * DAY + 9 * 3600 + life.between(0, 11 * 3600, count)
    return np.where(life.chance(0.03, count), some.closed, at)


def _resolutions(life: Life, some: Assignments, is_reached: np.ndarray) -> np.ndarray:
    count = len(some)
    is_late = some.closed > some.due
    solved = life.chance(life.city.units.solving[some.unit] - 0.2 * is_late, count)
    explained = life.chance(0.45, count)
    answer = np.where(solved, 0, np.where(explained, 1, 2))
    return np.where(is_reached & life.chance(0.96, count), answer, 3)


def _moods(life: Life, resolution: np.ndarray) -> np.ndarray:
    steps = np.cumsum([_MOODS[min(number, 2)] for number in range(4)], axis=1)[resolution]
    return (life.rng.random((len(resolution), 1)) >= steps).sum(axis=1).clip(0, 4)


def satisfaction_codes(scale: str) -> np.ndarray:
    """Codes of a scale by mood: five moods onto five levels, or onto the four from satisfied to dissatisfied."""
    levels = SATISFACTION_SCALES[scale]
    return np.array(levels if len(levels) == 5 else (levels[0], levels[0], levels[1], levels[2], levels[3]))

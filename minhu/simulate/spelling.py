"""What feeds call a unit: its name of the day, another it goes by, its code; rarely a name that nobody knows."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from minhu.simulate.city import Units
from minhu.simulate.stream import Cases
from minhu.simulate.texts import pick
from minhu.simulate.worktime import DAY

_UNKNOWN = ["城中片区综合服务站", "民生联络专班", "大桥指挥部", "东片联合工作组", "老城改造办", "园区服务专员组"]
_UNKNOWN_RATE = 0.0015
_OLD = 0.3
"""After a renaming: clerks and lists of choice hold on to the old name."""
_TOO_SOON, _TOO_SOON_DAYS = 0.1, 10
"""So many days before it: some have heard of the new name already."""


@dataclass(frozen=True)
class Spellings:
    """All spellings in one list, unit by unit, then those of the renamed anew; the place of the first, and how many."""

    flat: list[str]
    first: np.ndarray
    size: np.ndarray
    renamed_on: np.ndarray
    later: np.ndarray
    """The place among ``first`` and ``size`` of what the unit is called later; its own where nothing changes."""
    cases: Cases

    @classmethod
    def of(cls, units: Units, cases: Cases) -> "Spellings":
        is_renamed = units.renamed_on >= 0
        each = [*units.names, *filter(None, units.later_names)]
        later = np.where(is_renamed, len(is_renamed) + np.cumsum(is_renamed) - 1, np.arange(len(is_renamed)))
        size = np.array([len(names) for names in each])
        first = np.concatenate([[0], np.cumsum(size)[:-1]])
        return cls([name for names in each for name in names], first, size, units.renamed_on, later, cases)

    def write(self, unit: np.ndarray, case: np.ndarray, at: np.ndarray, dice: np.ndarray) -> pl.Series:
        """One spelling per row, null where there is no unit. A case with an unknown name keeps it throughout."""
        known = self._of_the_day(np.maximum(unit, 0), at, dice)
        aliases = self.size[known] - 2
        alias = np.where(aliases > 0, 1 + (dice * 9973).astype(int) % np.maximum(aliases, 1), 0)
        spelling = np.select([dice < 0.6, dice < 0.98], [0, alias], self.size[known] - 1)
        chosen = pl.Series(self.flat, dtype=pl.String).gather(self.first[known] + spelling)
        is_unknown = pl.Series(self.cases.dice[case, 22] < 65_536 * _UNKNOWN_RATE)
        unknown = pick(_UNKNOWN, self.cases.dice[case, 23])
        name = pl.when(pl.Series(unit) >= 0).then(pl.when(is_unknown).then(unknown).otherwise(chosen))
        return pl.select(name).to_series()

    def _of_the_day(self, unit: np.ndarray, at: np.ndarray, dice: np.ndarray) -> np.ndarray:
        """Where the spellings of each unit stand on the day, or on another that its sender has in mind."""
        days, slip = at // DAY - self.renamed_on[unit], dice * 7919 % 1
        is_new = np.where(days >= 0, slip >= _OLD, (days >= -_TOO_SOON_DAYS) & (slip < _TOO_SOON))
        return np.where(is_new, self.later[unit], unit)

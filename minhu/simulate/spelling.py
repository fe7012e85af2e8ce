"""What feeds call a unit: its name, another name it goes by, its code; rarely a name that nobody knows."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from minhu.simulate.city import Units
from minhu.simulate.stream import Cases
from minhu.simulate.texts import pick

_UNKNOWN = ["城中片区综合服务站", "民生联络专班", "大桥指挥部", "东片联合工作组", "老城改造办", "园区服务专员组"]
_UNKNOWN_RATE = 0.0015


@dataclass(frozen=True)
class Spellings:
    """All spellings of all units in one list: name, aliases, code; the place of each unit's first, and how many."""

    flat: list[str]
    first: np.ndarray
    size: np.ndarray
    cases: Cases

    @classmethod
    def of(cls, units: Units, cases: Cases) -> "Spellings":
        each = [
            [name, *aliases, code] for name, aliases, code in zip(units.name, units.aliases, units.code, strict=True)
        ]
        size = np.array([len(names) for names in each])
        first = np.concatenate([[0], np.cumsum(size)[:-1]])
        return cls([name for names in each for name in names], first, size, cases)

    def write(self, unit: np.ndarray, case: np.ndarray, dice: np.ndarray) -> pl.Series:
        """One spelling per row, null where there is no unit. A case with an unknown name keeps it throughout."""
        known = np.maximum(unit, 0)
        aliases = self.size[known] - 2
        alias = np.where(aliases > 0, 1 + (dice * 9973).astype(int) % np.maximum(aliases, 1), 0)
        spelling = np.select([dice < 0.6, dice < 0.98], [0, alias], self.size[known] - 1)
        chosen = pl.Series(self.flat, dtype=pl.String).gather(self.first[known] + spelling)
        is_unknown = pl.Series(self.cases.dice[case, 22] < 65_536 * _UNKNOWN_RATE)
        unknown = pick(_UNKNOWN, self.cases.dice[case, 23])
        name = pl.when(pl.Series(unit) >= 0).then(pl.when(is_unknown).then(unknown).otherwise(chosen))
        return pl.select(name).to_series()

"""Working time as vectors. A moment is seconds since 1970 on the city's clock; worked time is office seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from minhu.errors import BadDeclaration

DAY = 86_400
_EPOCH = date(1970, 1, 1)


def day_number(day: date) -> int:
    return (day - _EPOCH).days


@dataclass(frozen=True)
class WorkClock:
    """The office hours of a calendar. ``first``: number of its first day; ``is_workday``: one flag per day."""

    first: int
    is_workday: np.ndarray
    shifts: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, calendar: pl.DataFrame, shifts: Sequence[tuple[str, str]]) -> "WorkClock":
        """From the lines of ``calendar.csv`` and hours such as ("09:00", "12:00")."""
        days = calendar["date_on"].str.to_date().to_list()
        if len(days) != (days[-1] - days[0]).days + 1:
            raise BadDeclaration("calendar.csv: a day is missing or given twice; every day has one line")
        flags = (calendar["is_workday"] == "true").to_numpy()
        return cls(day_number(days[0]), flags, tuple((_seconds(start), _seconds(end)) for start, end in shifts))

    @property
    def last(self) -> int:
        return self.first + len(self.is_workday) - 1

    @property
    def per_day(self) -> int:
        return sum(end - start for start, end in self.shifts)

    @property
    def _workdays(self) -> np.ndarray:
        return np.flatnonzero(self.is_workday) + self.first

    def _before(self, day: np.ndarray) -> np.ndarray:
        """Working days before ``day``."""
        return np.searchsorted(self._workdays, day)

    def worked(self, at: np.ndarray) -> np.ndarray:
        """Office seconds since the calendar began."""
        day, second = np.divmod(at, DAY)
        today = sum(np.clip(second - start, 0, end - start) for start, end in self.shifts)
        return self._before(day) * self.per_day + today * self.is_workday[day - self.first]

    def moment(self, worked: np.ndarray) -> np.ndarray:
        """The moment in office hours at which so many seconds have been worked."""
        whole, rest = np.divmod(worked, self.per_day)
        second = np.full_like(rest, self.shifts[0][0])
        for start, end in self.shifts:
            second = np.where(rest >= 0, start + np.clip(rest, 0, end - start), second)
            rest = np.where(rest >= end - start, rest - (end - start), -1)
        return self._workdays[whole] * DAY + second

    def later(self, at: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        """The moment after so many office seconds, at the next opening where ``at`` lies outside office hours."""
        return self.moment(self.worked(at) + np.asarray(seconds, dtype=np.int64))

    def due(self, at: np.ndarray, working_days: np.ndarray | int) -> np.ndarray:
        """24:00 of the n-th working day, counted from the day after ``at`` (徐州 rule)."""
        through_today = self._before(at // DAY + 1)
        return (self._workdays[through_today + working_days - 1] + 1) * DAY


def _seconds(time_of_day: str) -> int:
    hours, minutes = time_of_day.split(":")
    return int(hours) * 3600 + int(minutes) * 60

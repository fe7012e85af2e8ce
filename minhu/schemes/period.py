"""The periods that are scored: a month ``2026-10``, a quarter ``2026-Q4`` or a year ``2026``."""

import calendar
import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from minhu.errors import Refused

PeriodKind = Literal["month", "quarter", "year"]

_WRITTEN = re.compile(r"(?P<year>20\d\d)(-(?:Q(?P<quarter>[1-4])|(?P<month>0[1-9]|1[0-2])))?", re.ASCII)


@dataclass(frozen=True)
class Period:
    """A stretch of whole days. ``first`` and ``last`` belong to it."""

    text: str
    kind: PeriodKind
    first: date
    last: date

    @classmethod
    def parse(cls, text: str) -> "Period":
        """The period written as YYYY-MM, YYYY-Qn or YYYY. Raises Refused."""
        match = _WRITTEN.fullmatch(text)
        if not match:
            raise Refused(f"{text!r} is no period; write a month as 2026-10, a quarter as 2026-Q4 or a year as 2026")
        year = int(match["year"])
        if match["quarter"]:
            return cls(text, "quarter", *_months(year, 3 * int(match["quarter"]) - 2, 3))
        if match["month"]:
            return cls(text, "month", *_months(year, int(match["month"]), 1))
        return cls(text, "year", *_months(year, 1, 12))

    def parts(self, kind: PeriodKind) -> list["Period"]:
        """The months or quarters that it consists of."""
        year, length = self.first.year, {"month": 1, "quarter": 3}[kind]
        starts = range(self.first.month, self.last.month + 1, length)
        written = (f"{year}-{month:02}" if kind == "month" else f"{year}-Q{(month + 2) // 3}" for month in starts)
        return [Period.parse(text) for text in written]

    def first_of(self, kind: PeriodKind) -> date:
        """The first day of the month, quarter or year in which it begins."""
        month = {"month": self.first.month, "quarter": 3 * ((self.first.month - 1) // 3) + 1, "year": 1}[kind]
        return date(self.first.year, month, 1)

    @property
    def previous(self) -> "Period":
        """The one of its kind before it."""
        day = self.first - timedelta(days=1)
        return Period.parse(self._written(day))

    @property
    def year_before(self) -> "Period":
        """The same of the year before."""
        return Period.parse(self._written(self.first.replace(year=self.first.year - 1)))

    def _written(self, day: date) -> str:
        """The period of its kind in which a day lies."""
        if self.kind == "year":
            return f"{day.year}"
        return f"{day.year}-{day.month:02}" if self.kind == "month" else f"{day.year}-Q{(day.month + 2) // 3}"

    def bounds(self, timezone: str) -> tuple[datetime, datetime]:
        """Its first moment and the first moment after it."""
        return day_start(self.first, timezone), day_start(self.last + timedelta(days=1), timezone)


def _months(year: int, first: int, count: int) -> tuple[date, date]:
    """The first and the last day of so many months."""
    last = first + count - 1
    return date(year, first, 1), date(year, last, calendar.monthrange(year, last)[1])


def day_start(day: date, timezone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(timezone))

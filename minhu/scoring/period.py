"""The periods that are scored: a month ``2026-10`` or a year ``2026``."""

import calendar
import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from minhu.errors import Refused

PeriodKind = Literal["month", "year"]

_WRITTEN = re.compile(r"(?P<year>20\d\d)(-(?P<month>0[1-9]|1[0-2]))?", re.ASCII)


@dataclass(frozen=True)
class Period:
    """A stretch of whole days. ``first`` and ``last`` belong to it."""

    text: str
    kind: PeriodKind
    first: date
    last: date

    @classmethod
    def parse(cls, text: str) -> "Period":
        """The period written as YYYY-MM or YYYY. Raises Refused."""
        match = _WRITTEN.fullmatch(text)
        if not match:
            raise Refused(f"{text!r} is no period; write a month as 2026-10 or a year as 2026")
        year = int(match["year"])
        if match["month"] is None:
            return cls(text, "year", date(year, 1, 1), date(year, 12, 31))
        month = int(match["month"])
        return cls(text, "month", date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1]))

    def bounds(self, timezone: str) -> tuple[datetime, datetime]:
        """Its first moment and the first moment after it."""
        return day_start(self.first, timezone), day_start(self.last + timedelta(days=1), timezone)


def day_start(day: date, timezone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(timezone))

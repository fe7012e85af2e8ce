"""Which date or period a run is about, where nobody said so; and the day that a moment closes."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

TIMEZONE = "Asia/Shanghai"
"""Of a city that does not say."""


def business_date(given: str | None, moment: datetime, timezone: str = TIMEZONE) -> date:
    """The date ``given``, else the day before ``moment`` in the city: what a night's deliveries are about."""
    if given:
        return date.fromisoformat(given)
    return moment.astimezone(ZoneInfo(timezone)).date() - timedelta(days=1)


def day_and_time(when: datetime) -> tuple[date, str]:
    """A limit as people write it: what ends at midnight ends at 24:00 of that day, not at 00:00 of the next."""
    is_midnight = when.hour == when.minute == when.second == when.microsecond == 0
    return (when.date() - timedelta(days=1), "24:00") if is_midnight else (when.date(), f"{when:%H:%M}")


def month(day: date) -> str:
    """The period that ``day`` lies in, as 2026-10."""
    return f"{day:%Y-%m}"


def assessed_month(given: str | None, moment: datetime, timezone: str = TIMEZONE) -> str:
    """The period ``given``, else the last month that was over at ``moment`` in the city."""
    return given or month(moment.astimezone(ZoneInfo(timezone)).date().replace(day=1) - timedelta(days=1))

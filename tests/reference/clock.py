"""The clock as a person counts it: one day, one stretch of office hours, one grant after the other.

Slow and obvious on purpose. It shares nothing with the SQL: it reads the calendar's file and walks. The tests of the
warehouse compare the two.
"""

import csv
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path

CITY = timezone(timedelta(hours=8))
DAY = timedelta(days=1)
NATURAL = {"day": timedelta(hours=24), "hour": timedelta(hours=1), "minute": timedelta(minutes=1)}
WORKING = {"work_hour": timedelta(hours=1), "work_minute": timedelta(minutes=1)}
ROUND_THE_CLOCK = NATURAL | WORKING


class OffCalendar(Exception):
    """The calendar does not know this day."""


@dataclass(frozen=True)
class Ended:
    """When a limit ends. ``ends_at`` is null where the calendar does not reach."""

    ends_at: datetime | None
    clock: str
    is_provisional: bool


class Calendar:
    def __init__(self, path: Path, hours: tuple[tuple[time, time], ...]):
        with path.open(encoding="utf-8") as file:
            rows = {date.fromisoformat(row["date_on"]): row for row in csv.DictReader(file)}
        self.workdays = {day: row["is_workday"] == "true" for day, row in rows.items()}
        self.unsettled = {day for day, row in rows.items() if row["status"] != "official"}
        self.hours = hours

    def is_workday(self, day: date) -> bool:
        if day not in self.workdays:
            raise OffCalendar(day)
        return self.workdays[day]

    def stretches(self, day: date) -> list[tuple[datetime, datetime]]:
        """The office hours of a day, from when to when; none on a day off."""
        if not self.is_workday(day):
            return []
        return [
            (datetime.combine(day, opens, CITY), datetime.combine(day, closes, CITY)) for opens, closes in self.hours
        ]

    def is_unsettled(self, first: date, last: date) -> bool:
        """Whether any day from the first to the last still waits for its notice."""
        day = first
        while day <= last:
            if day in self.unsettled:
                return True
            day += DAY
        return False


def midnight_after(day: date) -> datetime:
    """24:00 of a day."""
    return datetime.combine(day + DAY, time(), CITY)


def ends(
    calendar: Calendar, moment: datetime, amount: int, unit: str, starts: str, has_24h_duty: bool = False
) -> Ended:
    """When a limit ends that begins at a moment."""
    moment = moment.astimezone(CITY)
    is_working = unit == "workday" or (unit in WORKING and not has_24h_duty)
    if not is_working:
        begins = midnight_after(moment.date()) if starts == "next_day" else moment
        return Ended(begins + amount * ROUND_THE_CLOCK[unit], "natural", False)
    try:
        calendar.is_workday(moment.date())
        if unit == "workday":
            last = _nth_workday(calendar, moment.date() + (DAY if starts == "next_day" else timedelta()), amount)
            ends_at = midnight_after(last)
        else:
            begins = midnight_after(moment.date()) if starts == "next_day" else moment
            ends_at = _after_working(calendar, begins, amount * WORKING[unit])
            last = ends_at.date()
    except OffCalendar:
        return Ended(None, "working", True)
    return Ended(ends_at, "working", calendar.is_unsettled(moment.date(), last))


def _nth_workday(calendar: Calendar, day: date, number: int) -> date:
    """The Nth working day, the given day being the first if it is one."""
    while True:
        if calendar.is_workday(day):
            number -= 1
        if number == 0:
            return day
        day += DAY


def _after_working(calendar: Calendar, moment: datetime, left: timedelta) -> datetime:
    """The moment at which so much office time has passed."""
    day = moment.date()
    while True:
        for opens, closes in calendar.stretches(day):
            begins = max(opens, moment)
            if begins >= closes:
                continue
            if left <= closes - begins:
                return begins + left
            left -= closes - begins
        day += DAY


def working_minutes(calendar: Calendar, earlier: datetime, later: datetime) -> int | None:
    """Whole minutes of office time between two moments; below zero when they stand the other way round."""
    earlier, later = earlier.astimezone(CITY), later.astimezone(CITY)
    if later < earlier:
        worked = _worked(calendar, later, earlier)
        return None if worked is None else -worked // timedelta(minutes=1)
    worked = _worked(calendar, earlier, later)
    return None if worked is None else worked // timedelta(minutes=1)


def _worked(calendar: Calendar, earlier: datetime, later: datetime) -> timedelta | None:
    total, day = timedelta(), earlier.date()
    try:
        while day <= later.date():
            for opens, closes in calendar.stretches(day):
                total += max(min(closes, later) - max(opens, earlier), timedelta())
            day += DAY
    except OffCalendar:
        return None
    return total


def counted_minutes(calendar: Calendar, earlier: datetime, later: datetime) -> int:
    """Office minutes between two whole minutes, each minute looked at."""
    minute, count = earlier.astimezone(CITY), 0
    while minute < later:
        clock = minute.time()
        if calendar.is_workday(minute.date()) and any(opens <= clock < closes for opens, closes in calendar.hours):
            count += 1
        minute += timedelta(minutes=1)
    return count


@dataclass(frozen=True)
class ExtensionRule:
    """What the limit's rule says of extensions; ``amount`` null: nothing."""

    amount: int | None = None
    unit: str | None = None
    max_count: int | None = None
    further: str = "add"
    ask_before: tuple[int, str] | None = None


@dataclass(frozen=True)
class Event:
    """``is_asked``: a grant of a feed that tells no requests; it was asked for in time."""

    event_type: str
    at: datetime
    due_at: datetime | None = None
    is_asked: bool = False


NO_LIMIT = (None, False)
"""Without a limit there is nothing to extend; one beyond the calendar is provisional."""
ORDER = ["EXTEND_REQUEST", "EXTEND_DENY", "EXTEND_GRANT"]


def extended(
    calendar: Calendar,
    first: tuple[datetime | None, bool],
    rule: ExtensionRule,
    events: list[Event],
    has_24h_duty: bool = False,
) -> tuple[datetime | None, bool] | None:
    """The limit after all that was granted, and whether it is provisional; null where nothing moved it.

    ``first``: the limit as it was set and whether it is provisional.
    """
    in_force, moved, asked, grants = first, False, None, 0
    for event in sorted(events, key=lambda event: (event.at, ORDER.index(event.event_type))):
        if event.event_type == "EXTEND_REQUEST":
            asked = asked or event.at
            continue
        if event.event_type == "EXTEND_DENY":
            asked = None
            continue
        grants += 1
        if not (event.is_asked and in_force != NO_LIMIT) and not _in_time(calendar, asked or event.at, in_force, rule):
            break
        asked = None
        if event.due_at:
            in_force, moved = (event.due_at, False), True
        elif rule.amount and (rule.max_count is None or grants <= rule.max_count):
            in_force = _later(calendar, first if rule.further == "replace" else in_force, rule, has_24h_duty)
            moved = True
    return in_force if moved else None


def _in_time(calendar: Calendar, asked: datetime, limit: tuple[datetime | None, bool], rule: ExtensionRule) -> bool:
    ends_at, is_provisional = limit
    if ends_at is None:
        return is_provisional  # beyond the calendar, hence not passed; without a limit there is nothing to extend
    if rule.ask_before is None:
        return asked <= ends_at
    amount, unit = rule.ask_before
    if unit in NATURAL:
        return asked <= ends_at - amount * NATURAL[unit]
    try:
        day = _last_date(ends_at)
        while not calendar.is_workday(day):
            day -= DAY
        while amount:
            day -= DAY
            amount -= calendar.is_workday(day)
    except OffCalendar:
        return asked <= ends_at
    return asked <= midnight_after(day)


def _later(
    calendar: Calendar, limit: tuple[datetime | None, bool], rule: ExtensionRule, has_24h_duty: bool
) -> tuple[datetime | None, bool]:
    ends_at, is_provisional = limit
    if ends_at is None:
        return None, is_provisional
    if rule.unit == "workday":
        later = ends(
            calendar, datetime.combine(_last_date(ends_at), time(12), CITY), rule.amount, "workday", "next_day"
        )
    else:
        later = ends(calendar, ends_at, rule.amount, rule.unit, "at_once", has_24h_duty)
    return later.ends_at, later.is_provisional or is_provisional


def _last_date(ends_at: datetime) -> date:
    """The day a limit ends in; one that ends at 24:00 ends in the day before midnight."""
    ends_at = ends_at.astimezone(CITY)
    return (ends_at - timedelta(microseconds=1)).date()

"""The arithmetic of a limit in words: dispatched, counted how, over which special days, due, and late by how much.

Pure: no file, no database. Moments are timestamptz and told in the city's time. Working time is that of
``working_minutes_to_close``: office hours of the city on working days, whole minutes, the remainder cut.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from minhu.business_date import TIMEZONE, day_and_time
from minhu.glossary.cases import LEFT_OUT
from minhu.glossary.law import LIMIT_START, LIMIT_UNIT
from minhu.schemes.words import span

WEEKDAYS = "一二三四五六日"
MAX_SPECIAL_DAYS = 4
"""More groups of special days than these are only counted."""
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Day:
    """A row of ``mart.dim_date``. ``workday_no``: working days up to this one, itself counted."""

    date_on: date
    is_workday: bool
    is_makeup_workday: bool
    workday_no: int
    label_zh: str | None


@dataclass(frozen=True)
class Calendar:
    """The city's days and its office hours, each from when to when, as spans from midnight."""

    days: Mapping[date, Day]
    hours: tuple[tuple[timedelta, timedelta], ...]
    zone: ZoneInfo

    told: dict[tuple[date, date], tuple[str, ...]] = field(default_factory=dict, compare=False)
    """The special days between two dates, once told."""

    @classmethod
    def of(cls, days: Iterable[Day], city: Mapping) -> "Calendar":
        """From the rows of ``mart.dim_date`` and the entry of the city in the configuration."""
        hours = tuple((_since_midnight(a), _since_midnight(b)) for a, b in (city["morning"], city["afternoon"]))
        return cls({day.date_on: day for day in days}, hours, ZoneInfo(city.get("timezone", TIMEZONE)))

    def working_minutes(self, earlier: datetime, later: datetime) -> int | None:
        """Whole minutes of office time between two moments; None where the calendar does not reach."""
        before, after = self._worked(earlier), self._worked(later)
        return None if before is None or after is None else (after - before) // timedelta(minutes=1)

    def _worked(self, moment: datetime) -> timedelta | None:
        """Office time from the calendar's start to a moment."""
        local = moment.astimezone(self.zone)
        day = self.days.get(local.date())
        if day is None:
            return None
        length = sum((closes - opens for opens, closes in self.hours), timedelta())
        before = (day.workday_no - day.is_workday) * length
        if not day.is_workday:
            return before
        clock = local.replace(tzinfo=None) - datetime.combine(local.date(), time())
        return before + sum((min(max(clock, opens), closes) - opens for opens, closes in self.hours), timedelta())

    def special_days(self, first: date, last: date) -> tuple[str, ...]:
        """Make-up workdays and named holidays between two dates, both included, in words; no plain weekends."""
        if (first, last) not in self.told:
            self.told[first, last] = self._special_days(first, last)
        return self.told[first, last]

    def _special_days(self, first: date, last: date) -> tuple[str, ...]:
        known = [self.days[first + n * DAY] for n in range((last - first).days + 1) if first + n * DAY in self.days]
        told = []
        for (_, label), run in groupby(known, key=lambda day: (day.is_workday, _special(day))):
            if label:
                of = list(run)
                until = f" 至 {of[-1].date_on:%m-%d}" if len(of) > 1 else f" 周{WEEKDAYS[of[0].date_on.weekday()]}"
                told.append(f"{of[0].date_on:%m-%d}{until} {label}")
        if len(told) <= MAX_SPECIAL_DAYS:
            return tuple(told)
        return (*told[:MAX_SPECIAL_DAYS], f"等共 {len(told)} 段节假日和调休")


@dataclass(frozen=True, slots=True)
class Clock:
    """What a limit counted. ``clock``: working or natural.

    ``first_due_at``: the limit before extensions, null where none moved it. ``until``: when it was done, when the duty
    ended without it, or as of when it is open. ``late_working_minutes`` is null on the natural clock and where the
    calendar does not reach.
    """

    dispatched_at: datetime
    counting_zh: str
    clock: str
    special_days_zh: tuple[str, ...]
    extensions: int
    first_due_at: datetime | None
    due_at: datetime
    until: datetime
    is_open: bool
    late_working_minutes: int | None
    late_natural_minutes: int
    text_zh: str


def clock(row: Mapping, rule: Mapping | None, act: str, as_of: datetime, calendar: Calendar | None) -> Clock:
    """The clock of one late row.

    ``row``: dispatched_at, due_at (the limit judged), occurred_at, and of a closing first_due_at and extension_count;
    has_24h_duty of the unit; is_ticket where the ticket named the limit; ended_at and end_reason of a duty that ended
    otherwise, if it did. ``rule``: amount, unit and starts; None where
    no rule is known, and time is natural then. ``act``: 办结.
    """
    due, done = row["due_at"], row["occurred_at"]
    is_open = done is None or done > as_of
    ended: datetime | None = row.get("ended_at") if is_open else None
    until = as_of if is_open else done
    is_over = ended is not None and due < ended <= as_of
    if ended is not None and is_over:
        until = ended
    is_working = rule is not None and (
        rule["unit"] == "workday" or (rule["unit"] in ("work_hour", "work_minute") and not row["has_24h_duty"])
    )
    special: tuple[str, ...] = ()
    if is_working and calendar:
        first = row["dispatched_at"].astimezone(calendar.zone).date()
        special = calendar.special_days(first, day_and_time(due.astimezone(calendar.zone))[0])
    first_due = row["first_due_at"] if row["first_due_at"] != due else None
    working = calendar.working_minutes(due, until) if is_working and calendar else None
    counting = _counting(rule, row["is_ticket"], row["has_24h_duty"])
    extended = _extended(row["extension_count"], first_due)
    end = f"截至 {_limit(until)} 未{act}，已超" if is_open else f"{_moment(until)} {act}，逾期"
    if is_over:
        end = f"{_moment(until)} {LEFT_OUT.said(row['end_reason'])}，至此未{act}，已超"
    parts = [f"{_moment(row['dispatched_at'])} 派单", counting, *special, *extended, f"应于 {_limit(due)} 前{act}"]
    return Clock(
        dispatched_at=row["dispatched_at"],
        counting_zh=counting,
        clock="working" if is_working else "natural",
        special_days_zh=special,
        extensions=row["extension_count"],
        first_due_at=first_due,
        due_at=due,
        until=until,
        is_open=is_open,
        late_working_minutes=working,
        late_natural_minutes=(until - due) // timedelta(minutes=1),
        text_zh="；".join([*parts, f"{end}{_length(is_working, working, until - due)}"]),
    )


def _counting(rule: Mapping | None, is_ticket: bool, has_24h_duty: bool) -> str:
    if rule is None:
        return "工单载明期限" if is_ticket else "时限规则未载明"
    amount, unit = rule["amount"], rule["unit"]
    of_first_day = unit == "workday" and rule["starts"] == "at_once"
    starts = "派单当日为第 1 日" if of_first_day else LIMIT_START.zh(rule["starts"])
    duty = "（24 小时值守，昼夜连续计算）" if has_24h_duty and unit in ("work_hour", "work_minute") else ""
    return f"{amount} 个{LIMIT_UNIT.zh(unit)}{duty}，{starts}"


def _extended(count: int, first_due: datetime | None) -> list[str]:
    if first_due is not None:
        return [f"原时限 {_limit(first_due)}，准予延期 {max(1, count)} 次"]
    return [f"延期 {count} 次未改变时限"] if count else []


def _length(is_working: bool, working: int | None, natural: timedelta) -> str:
    """By how much, and by which clock; beside working time the natural one, as the finding tells it."""
    if working is not None:
        return f"{f' {working} 个' if working else '不足 1 个'}工作分钟（自然时 {span(natural)}）"
    told = span(natural)
    return f"{' ' if told[0].isdigit() else ''}{told}（自然时{'，工作日历未及' if is_working else ''}）"


def _special(day: Day) -> str | None:
    if day.is_makeup_workday:
        return "调休上班"
    return f"{day.label_zh}放假" if day.label_zh and not day.is_workday else None


def _moment(when: datetime) -> str:
    return f"{_day(when.date())} {when:%H:%M}"


def _limit(when: datetime) -> str:
    day, time = day_and_time(when)
    return f"{_day(day)} {time}"


def _day(day: date) -> str:
    return f"{day:%Y-%m-%d} 周{WEEKDAYS[day.weekday()]}"


def _since_midnight(clock: str) -> timedelta:
    hours, minutes = clock.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))

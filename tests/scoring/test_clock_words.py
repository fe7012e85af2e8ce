"""The arithmetic of limits in words, and working minutes against the clock that counts them one by one."""

import csv
import random
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path

import pytest

from minhu.scoring.clock_words import Calendar, Day, clock
from minhu.settings import PROJECT_ROOT
from tests.reference import clock as reference

CITY = timezone(timedelta(hours=8))
FILE = PROJECT_ROOT / "config" / "calendar.csv"
FIVE_DAYS = {"amount": 5, "unit": "workday", "starts": "next_day"}
END = datetime(2026, 11, 1, tzinfo=CITY)


def days(path: Path = FILE) -> list[Day]:
    read, count = [], 0
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            is_workday = row["is_workday"] == "true"
            count += is_workday
            makeup = row["is_makeup_workday"] == "true"
            read.append(Day(date.fromisoformat(row["date_on"]), is_workday, makeup, count, row["label"] or None))
    return read


CALENDAR = Calendar.of(days(), {"morning": ["09:00", "12:00"], "afternoon": ["13:30", "17:30"]})


def at(written: str) -> datetime:
    return datetime.strptime(f"2026-{written}", "%Y-%m-%d %H:%M").replace(tzinfo=CITY)


def told(
    dispatched, due, done, rule=FIVE_DAYS, *, first_due=None, extensions=0, duty=False, calendar=CALENDAR, ended=None
):
    row = {
        "dispatched_at": at(dispatched),
        "due_at": at(due),
        "occurred_at": done and at(done),
        "first_due_at": at(first_due or due),
        "extension_count": extensions,
        "has_24h_duty": duty,
        "is_ticket": rule is None,
        "ended_at": ended and at(ended[0]),
        "end_reason": ended and ended[1],
    }
    return clock(row, rule, "办结", END, calendar)


def test_a_make_up_workday_counts_and_is_named():
    found = told("10-09 16:40", "10-16 00:00", "10-16 09:12")
    assert found.text_zh == (
        "2026-10-09 周五 16:40 派单；5 个工作日，自次日起算；10-10 周六 调休上班；应于 2026-10-15 周四 24:00 前办结；"
        "2026-10-16 周五 09:12 办结，逾期 12 个工作分钟（自然时 9 小时 12 分钟）"
    )
    assert (found.late_working_minutes, found.late_natural_minutes, found.clock) == (12, 552, "working")


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (
            ("10-19 10:00", "superseded"),
            "2026-10-19 周一 10:00 责任已由后一派单接替，至此未办结，已超 480 个工作分钟（自然时 3 天 10 小时）",
        ),
        (
            ("10-19 10:00", "returned"),
            "10:00 退单，至此未办结，已超 480 个工作分钟（自然时 3 天 10 小时）",
        ),
        (("11-02 10:00", "superseded"), "截至 2026-10-31 周六 24:00 未办结，已超 4620 个工作分钟（自然时 16 天）"),
    ],
)
def test_what_ended_unclosed_is_late_up_to_its_end(ended, words):
    """16 October is a Friday: 420 minutes, and 60 of the Monday; up to the end of the month eleven working days."""
    found = told("10-09 16:40", "10-16 00:00", None, ended=ended)
    assert found.text_zh.rpartition("；")[2].endswith(words) and found.is_open


def test_office_hours_from_eight_make_it_seventy_two():
    early = Calendar.of(days(), {"morning": ["08:00", "12:00"], "afternoon": ["13:30", "17:30"]})
    assert told("10-09 16:40", "10-16 00:00", "10-16 09:12", calendar=early).late_working_minutes == 72


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("09-29 10:00", "10-10 00:00", "10-10 10:00"), "；10-01 至 10-07 国庆节放假；应于 2026-10-09 周五 24:00"),
        (
            ("10-12 10:00", "10-20 00:00", None),
            "10-31 周六 24:00 未办结，已超 3780 个工作分钟（自然时 12 天）",
        ),
        (
            ("10-12 10:00", "10-17 00:00", "10-18 10:00"),
            "10:00 办结，逾期不足 1 个工作分钟（自然时 1 天 10 小时）",
        ),
        (("10-12 10:00", "10-14 12:00", "10-14 12:30", None), "工单载明期限；应于 2026-10-14 周三 12:00 前办结"),
        (("10-12 10:00", "10-14 12:00", "10-14 12:30", None), "逾期 30 分钟（自然时）"),
        (
            ("10-12 10:00", "10-12 12:00", "10-12 13:40", {"amount": 2, "unit": "work_hour", "starts": "at_once"}),
            "2 个工作小时，自派单时起算；应于 2026-10-12 周一 12:00 前办结；"
            "2026-10-12 周一 13:40 办结，逾期 10 个工作分钟（自然时 1 小时 40 分钟）",
        ),
        (
            ("10-12 10:00", "10-12 10:30", "10-12 11:00", {"amount": 30, "unit": "minute", "starts": "at_once"}),
            "30 个自然分钟，自派单时起算",
        ),
        (("10-08 10:00", "10-15 00:00", "10-16 00:00"), "；2026-10-16 周五 00:00 办结"),  # a deed is not a day's end
    ],
)
def test_each_rule_has_its_words(given, words):
    assert words in told(*given).text_zh


def test_a_unit_on_duty_round_the_clock_counts_every_minute_of_working_hours():
    rule = {"amount": 2, "unit": "work_hour", "starts": "at_once"}
    found = told("10-12 11:00", "10-12 13:00", "10-12 13:40", rule, duty=True)
    assert "24 小时值守" in found.text_zh
    assert (found.clock, found.late_working_minutes, found.late_natural_minutes) == ("natural", None, 40)


def test_extensions_are_told_with_the_limit_before():
    moved = told("10-09 16:40", "10-23 00:00", "10-23 10:00", first_due="10-16 00:00", extensions=1)
    assert "；原时限 2026-10-15 周四 24:00，准予延期 1 次；应于 2026-10-22 周四 24:00 前办结" in moved.text_zh
    assert "延期 1 次未改变时限" in told("10-09 16:40", "10-16 00:00", "10-23 10:00", extensions=1).text_zh


def test_a_long_range_stays_short():
    assert CALENDAR.special_days(date(2026, 1, 1), date(2026, 12, 31))[-1].startswith("等共 ")
    assert len(CALENDAR.special_days(date(2026, 1, 1), date(2026, 12, 31))) == 5


def test_beyond_the_calendar_only_natural_time_is_told():
    found = told("10-09 16:40", "10-16 00:00", "10-16 09:12", calendar=None)
    assert found.text_zh.endswith("逾期 9 小时 12 分钟（自然时，工作日历未及）")


def test_working_minutes_are_those_that_a_person_counts():
    hours = ((time(9), time(12)), (time(13, 30), time(17, 30)))
    slow, draw = reference.Calendar(FILE, hours), random.Random(5)
    for _ in range(300):
        earlier = at("09-20 00:00") + timedelta(seconds=draw.randrange(30 * 86400))
        later = earlier + timedelta(seconds=draw.randrange(20 * 86400))
        assert CALENDAR.working_minutes(earlier, later) == reference.working_minutes(slow, earlier, later)

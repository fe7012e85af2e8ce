"""A run's date is the city's yesterday, whatever zone its moment is written in."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from minhu.business_date import assessed_month, business_date, day_and_time, month

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("given", "moment", "expected"),
    [
        ("2026-10-31", datetime(2026, 11, 22, 3, tzinfo=SHANGHAI), date(2026, 10, 31)),
        (None, datetime(2026, 11, 1, 3, 5, tzinfo=SHANGHAI), date(2026, 10, 31)),
        ("", datetime(2026, 11, 1, 3, 5, tzinfo=SHANGHAI), date(2026, 10, 31)),
        (None, datetime(2026, 10, 31, 15, 59, tzinfo=UTC), date(2026, 10, 30)),
        (None, datetime(2026, 10, 31, 16, 0, tzinfo=UTC), date(2026, 10, 31)),
        (None, datetime(2028, 3, 1, 0, 0, tzinfo=SHANGHAI), date(2028, 2, 29)),
    ],
)
def test_a_date_that_is_not_given_is_the_day_before_in_the_city(given, moment, expected):
    assert business_date(given, moment) == expected


@pytest.mark.parametrize(
    ("given", "moment", "expected"),
    [
        ("2026-02", datetime(2026, 11, 3, 6, tzinfo=SHANGHAI), "2026-02"),
        (None, datetime(2026, 11, 3, 6, tzinfo=SHANGHAI), "2026-10"),
        (None, datetime(2027, 1, 3, 6, tzinfo=SHANGHAI), "2026-12"),
        (None, datetime(2026, 10, 31, 16, 0, tzinfo=UTC), "2026-10"),
        (None, datetime(2026, 10, 31, 15, 59, tzinfo=UTC), "2026-09"),
    ],
)
def test_a_period_that_is_not_given_is_the_last_month_that_is_over(given, moment, expected):
    assert assessed_month(given, moment) == expected


def test_a_month_is_written_as_schemes_write_it():
    assert month(date(2026, 3, 9)) == "2026-03"


@pytest.mark.parametrize(
    ("when", "told"),
    [
        (datetime(2026, 12, 5), (date(2026, 12, 4), "24:00")),
        (datetime(2027, 1, 1, tzinfo=SHANGHAI), (date(2026, 12, 31), "24:00")),
        (datetime(2026, 12, 5, 0, 0, 1), (date(2026, 12, 5), "00:00")),
        (datetime(2026, 12, 4, 17, 30), (date(2026, 12, 4), "17:30")),
    ],
)
def test_a_limit_at_midnight_is_that_of_the_day_it_ends(when, told):
    assert day_and_time(when) == told

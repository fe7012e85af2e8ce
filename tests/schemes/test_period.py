"""Periods are months, quarters and years of whole days."""

from datetime import date

import pytest

from minhu.errors import Refused
from minhu.schemes.period import Period


@pytest.mark.parametrize(
    ("text", "kind", "first", "last"),
    [
        ("2026-10", "month", date(2026, 10, 1), date(2026, 10, 31)),
        ("2024-02", "month", date(2024, 2, 1), date(2024, 2, 29)),
        ("2026-Q4", "quarter", date(2026, 10, 1), date(2026, 12, 31)),
        ("2024-Q1", "quarter", date(2024, 1, 1), date(2024, 3, 31)),
        ("2026", "year", date(2026, 1, 1), date(2026, 12, 31)),
    ],
)
def test_a_period_is_whole_days(text, kind, first, last):
    assert Period.parse(text) == Period(text, kind, first, last)


def test_its_bounds_are_midnights_of_the_scheme_s_zone():
    starts_at, ends_at = Period.parse("2026-10").bounds("Asia/Shanghai")
    assert (starts_at.isoformat(), ends_at.isoformat()) == ("2026-10-01T00:00:00+08:00", "2026-11-01T00:00:00+08:00")


@pytest.mark.parametrize(
    "text",
    ["2026-13", "2026-00", "2026-1", "26-10", "2026-10-01", "2026Q1", "2026-Q5", "2026-Q", "", "２０２６", "1926"],
)
def test_anything_else_is_refused_in_one_line(text):
    with pytest.raises(Refused, match="is no period; write a month as 2026-10, a quarter as 2026-Q4 or a year as 2026"):
        Period.parse(text)


@pytest.mark.parametrize(
    ("text", "kind", "parts"),
    [
        ("2026-Q4", "month", ["2026-10", "2026-11", "2026-12"]),
        ("2026", "quarter", ["2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4"]),
    ],
)
def test_a_longer_period_consists_of_shorter_ones(text, kind, parts):
    assert [part.text for part in Period.parse(text).parts(kind)] == parts
    assert len(Period.parse("2026").parts("month")) == 12

"""A close that is told as a day counts on that day: at a month's end, and where the data end with that very day."""

from datetime import date

import pytest

from minhu.scoring import score
from tests.publish import city as world
from tests.publish.city import case


@pytest.mark.parametrize(
    ("closed", "cut", "in_time"),
    [
        ("2026-10-19", date(2026, 10, 19), (1, 1)),  # the limit's own day, told by a file of that afternoon
        pytest.param("2026-10-19", date(2026, 10, 31), (1, 1), marks=pytest.mark.long),
        pytest.param("2026-10-20", date(2026, 10, 20), (0, 1), marks=pytest.mark.long),
        ("2026-10-31", date(2026, 10, 31), (0, 1)),  # late, and closed in October all the same
    ],
)
def test_a_close_of_the_last_day_counts(scratch, tmp_path, closed, cut, in_time):
    city = world.make(scratch, tmp_path, [case(1, "交通局", 办结时间=closed)], cut)
    score(city, "2026-10")
    counted = world.rows(
        city,
        "select numerator::int, denominator::int from mart.fct_unit_indicator"
        " where unit_code = 'U2' and indicator_code = 'close_on_time'",
    )
    assert counted == [in_time]
    facts = "select closed_at::date, closed_precision, natural_minutes_to_close from mart.fct_timeliness"
    assert world.rows(city, facts) == [(date.fromisoformat(closed), "day", None)]

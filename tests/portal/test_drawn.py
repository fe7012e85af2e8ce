"""What pages draw is what the numbers say."""

from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from lxml import html

from minhu.portal import drawn
from minhu.publish.standing import Scored
from minhu.scoring.compared import Quartiles


def shapes(markup, name: str) -> list[dict]:
    return [dict(one.attrib) for one in html.fromstring(str(markup)).iter(name)]


@pytest.mark.parametrize(
    ("value", "of", "width"), [(25, 100, 25.0), (100, 100, 100.0), (120, 100, 100.0), (1, 3, 33.33)]
)
def test_a_bar_is_as_long_as_its_share(value, of, width):
    [one] = shapes(drawn.bar(value, of), "rect")
    assert float(one["width"]) == width


@pytest.mark.parametrize("nothing", [(0, 10), (None, 10), (3, 0), (3, None)])
def test_of_nothing_there_is_no_bar(nothing):
    assert shapes(drawn.bar(*nothing), "rect") == []


def test_a_fall_goes_from_where_the_one_before_ended():
    [one] = shapes(drawn.fall(Decimal(95), Decimal(90), 80, 100), "rect")
    assert (one["class"], float(one["x"]), float(one["width"])) == ("loss", 50.0, 25.0)
    [one] = shapes(drawn.fall(Decimal(90), Decimal(92), 80, 100), "rect")
    assert (one["class"], float(one["x"]), float(one["width"])) == ("gain", 50.0, 10.0)


def part(**how):
    told = {"is_percent": True, "value": Decimal(90), "target": Decimal(95), "wilson_low": 0.85, "wilson_high": 0.94}
    return SimpleNamespace(**told | how)


def test_an_interval_lies_on_the_scale_that_it_shares_with_its_target():
    low = drawn.spread(part(wilson_low=0.92, wilson_high=1.0, value=Decimal(96)), None)
    [interval, target] = shapes(low, "line")
    assert (float(interval["x1"]), float(interval["x2"]), float(target["x1"])) == (20.0, 100.0, 50.0)
    peers = Quartiles("x", 9, Decimal(91), Decimal(95), Decimal(99))
    wide = shapes(drawn.spread(part(), peers), "rect")
    assert [one["class"] for one in wide] == ["peers", "value"]


@pytest.mark.parametrize("how", [{"is_percent": False}, {"value": None}, {"wilson_low": None}])
def test_what_is_no_rate_has_no_interval(how):
    assert drawn.spread(part(**how), None) == ""


def test_one_period_makes_no_line():
    one = Scored("2026-10", 1, Decimal(90), "优秀", None, Decimal(88))
    assert drawn.months([one], "城管局", "中位数", "得分") == ""
    two = Scored("2026-09", 1, None, None, None, Decimal(80))
    assert "<svg" in drawn.months([two, one], "城管局", "中位数", "得分")


def case(**how):
    at = datetime(2026, 10, 12, 9, tzinfo=UTC)
    duty = SimpleNamespace(
        **{
            "unit_name": "杭州市临安区人力资源和社会保障局", "dispatched_at": at, "until": None,
            "sign_due_at": None, "signed_at": None, "is_signed_on_time": None, "contact_due_at": None,
            "contacted_at": None, "is_contacted_on_time": None, "due_in_force_at": at.replace(day=14),
            "closed_at": None, "closed_in_time_at": None, "is_closed_on_time": None,
        } | how
    )  # fmt: skip
    return SimpleNamespace(
        case=SimpleNamespace(received_at=at),
        events=[],
        callbacks=[],
        duties=[duty],
        days=[SimpleNamespace(date_on=date(2026, 10, 13), is_workday=False)],
        as_of=at.replace(day=16),
    )


NAMES = {"events": "事件", "sign": "签收", "contact": "联系", "close": "办结"}


@pytest.mark.parametrize(
    ("how", "is_late"),
    [
        ({}, True),
        (
            {"due_in_force_at": datetime(2026, 10, 15, tzinfo=UTC), "until": datetime(2026, 10, 13, tzinfo=UTC)},
            False,
        ),
        ({"closed_at": datetime(2026, 10, 15, tzinfo=UTC), "is_closed_on_time": False}, True),
        ({"closed_at": datetime(2026, 10, 13, tzinfo=UTC), "is_closed_on_time": True}, False),
    ],
)
def test_what_goes_past_its_limit_is_drawn_so(how, is_late):
    told = drawn.line_of(case(**how), NAMES, "全程")
    assert (drawn.LATE in told) is is_late
    assert drawn.OFF in told and 'role="img"' in told


def test_a_name_cannot_put_markup_into_a_page():
    assert "<script" not in drawn.line_of(case(unit_name="<script>x"), NAMES, "<b>")

"""A unit over its months, of what is published."""

from datetime import date
from decimal import Decimal

import pytest

from minhu.publish import close, publish, revise
from minhu.publish.standing import scores_before, standing
from minhu.warehouse.build import build
from tests.publish import city as world
from tests.publish.city import UNWITNESSED, case, login

OCTOBER, SEPTEMBER = "2026-10", "2026-09"


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    """September and October published, October twice."""
    september = {"受理时间": "2026-09-07 08:30:00", "转办时间": "2026-09-07 09:00:00", "办理期限": ""}
    rows = [
        *(case(n, "城管局", **september, 办结时间="2026-09-08 10:00:00") for n in range(20, 25)),
        *(case(n, "交通局", **september, 办结时间="2026-09-29 10:00:00") for n in range(25, 30)),
    ]
    city = world.make(scratch, tmp_path_factory.mktemp("standing"), rows=rows, day=date(2026, 9, 30))
    world.deliver(city, world.FIRST)
    build(city)
    judge = login(city, "standing_shen", "evaluator")
    for period in (SEPTEMBER, OCTOBER):
        world.judge(judge, close(city, period))
        publish(city, period, why=UNWITNESSED)
    return city


def scores(city, period: str) -> dict[str, Decimal]:
    told = "select unit_code, score_100 from publish.unit_score where period = %s"
    return dict(world.rows(city, told, period))


def test_each_period_stands_with_the_median_of_its_group(city):
    told = standing(city, "U1", "linan", OCTOBER)
    assert [one.period for one in told] == [SEPTEMBER, OCTOBER]
    for one in told:
        points = scores(city, one.period)
        assert one.score_100 == points["U1"]
        assert abs(one.median_100 - sum(points.values()) / 2) <= Decimal("0.005")
        assert one.place is None, "the example scheme publishes no places"


def test_what_came_later_is_not_told(city):
    assert [one.period for one in standing(city, "U1", "linan", SEPTEMBER)] == [SEPTEMBER]


def test_the_period_before_is_the_last_published_of_its_length(city):
    assert scores_before(city, "linan", OCTOBER) == (SEPTEMBER, scores(city, SEPTEMBER))
    assert scores_before(city, "linan", SEPTEMBER) == (None, {})
    assert scores_before(city, "linan", "2026") == (None, {})


def test_nothing_published_is_nothing_told(city):
    assert standing(city, "U1", "linan", "2026-08") == ()
    assert standing(city, "U9", "linan", OCTOBER) == ()


@pytest.mark.long
def test_a_revision_stands_in_the_place_of_what_it_revises(city):
    world.deliver(city, [case(31, "城管局", **world.LATE)])
    build(city)
    closing = revise(city, OCTOBER, why="补报")
    world.judge(login(city, "standing_shen", "evaluator"), closing)
    publish(city, OCTOBER, why=UNWITNESSED)
    assert [one.revision for one in standing(city, "U1", "linan", OCTOBER)] == [1, 2]

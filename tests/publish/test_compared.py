"""A unit beside its group, read from two published months of seven departments; and who may read of it."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from statistics import mean, quantiles

import pytest

from minhu.errors import Refused
from minhu.publish.compared import compared
from minhu.publish.fairness import fairness
from minhu.scoring import score
from minhu.warehouse.build import build
from tests.publish import city as world
from tests.publish import seven
from tests.publish import test_wholes as wholes
from tests.publish.city import login
from tests.publish.seven import OCTOBER, SEPTEMBER

CLOSED = "scoring: {function: linear_deduction, target: 95, per_point: 1, floor: 0}\n    note: 办结时限"


def harder(text: str) -> str:
    """By the rule of October closing late costs half a point less for each percentage point."""
    assert CLOSED in text
    return text.replace(CLOSED, CLOSED.replace("per_point: 1", "per_point: 0.5"))


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    return seven.make(scratch, tmp_path_factory.mktemp("compared"), "compared", harder)


@pytest.fixture(scope="module")
def unit(city):
    return login(city, "compared_u1", "unit", unit="U1")


def published(city, period: str) -> dict[str, Decimal]:
    return dict(world.rows(city, "select unit_code, score_100 from publish.unit_score where period = %s", period))


def test_the_parts_of_every_unit_s_movement_sum_to_it_and_the_group_s_is_the_same_for_all(city):
    was, now = published(city, SEPTEMBER), published(city, OCTOBER)
    groups = set()
    for code in now:
        moved = compared(city, code, "linan", OCTOBER).movement
        assert (moved.since, moved.was, moved.now, moved.not_split) == (SEPTEMBER, was[code], now[code], None)
        assert moved.own + moved.group + moved.rule == now[code] - was[code] == moved.change
        groups.add(moved.group)
    assert len(groups) <= 2, "a cent apart by rounding, no more"


def test_the_rule_s_part_is_what_the_old_counts_gain_by_it(city):
    """U1 had 2 of 12 late in September, 83.33 %: 11.67 points short of 30 by the old rule, 5.83 by the new one."""
    moved = compared(city, "U1", "linan", OCTOBER).movement
    [(full, points)] = world.rows(
        city,
        "select sum(points_max) filter (where points is not null), sum(points) from publish.unit_indicator"
        " where unit_code = 'U1' and period = %s",
        SEPTEMBER,
    )
    anew = round(100 * (points + Decimal("11.67") - Decimal("5.83")) / full, 2)
    assert moved.was == round(100 * points / full, 2)
    assert abs(moved.rule - (anew - moved.was)) <= Decimal("0.02") and moved.rule > 5
    rest = [compared(city, code, "linan", OCTOBER).movement for code in published(city, OCTOBER)]
    assert abs(moved.group - Decimal(str(mean(float(one.now - one.was - one.rule) for one in rest)))) < Decimal("0.01")


def test_quartiles_are_those_of_the_units_of_the_group(city):
    told = compared(city, "U1", "linan", OCTOBER).quartiles["close_on_time"]
    values = world.rows(
        city,
        "select value from publish.unit_indicator where period = %s and indicator_code = 'close_on_time'",
        OCTOBER,
    )
    low, middle, high = quantiles([float(value) for (value,) in values], n=4, method="inclusive")
    assert [float(one) for one in (told.low, told.median, told.high)] == pytest.approx([low, middle, high], abs=1e-4)
    assert told.units == 7


def test_a_unit_is_told_of_itself_what_an_auditor_is_told_and_of_another_nothing(city, unit):
    assert compared(unit, "U1", "linan", OCTOBER) == compared(city, "U1", "linan", OCTOBER)
    with pytest.raises(Refused, match="not of U2"):
        compared(unit, "U2", "linan", OCTOBER)


def test_before_the_first_period_there_is_no_movement(city):
    assert compared(city, "U1", "linan", SEPTEMBER).movement is None
    assert compared(city, "U9", "linan", SEPTEMBER) == compared(city, "U9", "linan", OCTOBER)


def test_a_draft_is_told_against_what_was_published_before(city):
    score(city, OCTOBER)
    draft = compared(city, "U1", "linan", OCTOBER, is_draft=True).movement
    assert draft == compared(city, "U1", "linan", OCTOBER).movement


def test_the_fairness_report_is_for_evaluators_and_auditors(city, unit):
    bi = login(city, "compared_bi", "bi")
    for who in (unit, bi):
        with pytest.raises(Refused, match="for evaluators and auditors"):
            fairness(who, OCTOBER)
    told = [fairness(login(city, f"compared_{one}", one), OCTOBER) for one in ("evaluator", "auditor")]
    assert told[0] == told[1] == fairness(city, OCTOBER)
    assert (told[0].revision, told[0].otherwise) == (1, 0)
    assert replace(fairness(city, OCTOBER, is_draft=True), revision=1) == told[0]


def test_a_score_of_parts_references_and_pooled_rows_comes_out_again(scratch):
    """What was counted of earlier periods stands with the score, so that its counts make it anew; a place among others
    is drawn by whole tallies. Three units are no group to be compared with."""
    scheme = wholes.GIVEN.read_text("utf-8")
    first, last = wholes.cases(SEPTEMBER), date(2026, 9, 30)
    city = world.anew(scratch, first, last, scheme, units=wholes.UNITS)
    world.deliver(city, wholes.cases(OCTOBER))
    build(city)
    for period in (SEPTEMBER, OCTOBER):
        score(city, period)
    told = fairness(city, OCTOBER)
    assert (told.otherwise, told.draws, told.revision) == (0, 100, None)
    assert {one.unit_code for group in told.groups for one in group.stands} == {"U1", "U2", "U3"}
    assert sum(one.share_pct for one in told.groups[0].decides) == 100
    found = compared(city, "U1", "linan", OCTOBER, is_draft=True)
    assert found.quartiles == {} and found.movement.not_split == "few_peers"

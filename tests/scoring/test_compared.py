"""Whose doing a movement is: three parts that sum to it, of drawn counts and drawn rules; and where nobody can say."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from statistics import quantiles

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minhu.schemes import Scheme
from minhu.schemes.counts import Given, UnitCounts
from minhu.schemes.period import Period
from minhu.schemes.tally import ScoredUnit, tally
from minhu.scoring.compared import Movement, Scored, movement, quartiles
from tests.scoring.test_fairness import RATE, scheme_of, units_of

SEPTEMBER, OCTOBER, YEAR, LAST = (Period.parse(text) for text in ("2026-09", "2026-10", "2026", "2025"))
MANUAL = {"name_zh": "人工", "points": 10, "scoring": {"function": "manual", "floor": 2}}


def scored(scheme: Scheme, period: Period, counts: dict[str, UnitCounts]) -> Scored:
    made = tally(scheme, scheme.first_day(period), counts, None, period.kind)
    return Scored(scheme, period, {one.unit: one for one in made})


def linear(target: object, **more: object) -> dict:
    return RATE | {"scoring": {"function": "linear_deduction", "target": target, "per_point": 1}} | more


def moved(old: Scheme, new: Scheme, was: dict, now: dict, unit: str = "u00", entered: object = None) -> Movement | None:
    return movement(unit, scored(old, SEPTEMBER, was), scored(new, OCTOBER, now), entered)


def seven(*of_hundred: int) -> dict[str, UnitCounts]:
    return units_of(*[((above, 100),) for above in of_hundred])


def test_a_movement_is_taken_apart_as_on_paper():
    """The target goes from 90 to 95, so that all lose 5 by the rule. By the new rule u00 goes from 85 to 90, the others
    from 85 to 87: the group gains (5 + 6 × 2) ÷ 7 = 2.43 on average, and u00 does 2.57 beyond it."""
    old, new = scheme_of(linear(90)), scheme_of(linear(95))
    told = moved(old, new, seven(*[80] * 7), seven(85, *[82] * 6))
    assert (told.was, told.now, told.change) == (90, 90, 0)
    assert (told.rule, told.group, told.own, told.peers) == (-5, Decimal("2.43"), Decimal("2.57"), 7)


def test_who_is_not_ranked_moves_nothing_of_the_group():
    """An eighth unit of three cases, where ten are asked for, falls from all to nothing: the others gain the same."""
    rate = scheme_of(RATE, publication={"min_n": 10})
    was, now = seven(*[80] * 7), seven(85, *[82] * 6)
    few = [UnitCounts("dept", {"line_0": Given(Fraction(above), Fraction(3))}) for above in (3, 0)]
    told = moved(rate, rate, was | {"u99": few[0]}, now | {"u99": few[1]})
    assert told == moved(rate, rate, was, now) and told.peers == 7
    own = moved(rate, rate, was | {"u99": few[0]}, now | {"u99": few[1]}, "u99")
    assert (own.change, own.group) == (-100, told.group), "it is told of itself all the same"


rates = st.lists(st.integers(0, 200), min_size=7, max_size=7)


@settings(max_examples=150, deadline=None)
@given(rates, rates, st.integers(50, 100), st.integers(50, 100), st.sampled_from([0, 1, 2, 3]), st.integers(1, 60))
def test_the_parts_sum_exactly_and_without_a_new_rule_its_part_is_nothing(
    was, now, old_target, target, decimals, points
):
    rounding = {"rounding": {"order": "sum_first", "decimals": decimals}}
    lines = [linear(old_target, points=points), RATE | {"points": 61 - points}]
    old = scheme_of(*lines, **rounding)
    new = scheme_of(linear(target, points=points), lines[1], **rounding)

    def rows(numbers):
        return units_of(*[((one, 200), (200 - one // 2, 200)) for one in numbers])

    told = moved(old, new, rows(was), rows(now))
    assert told.not_split is None
    assert told.own + told.group + told.rule == told.now - told.was == told.change
    if old.scheme_version == new.scheme_version:
        assert told.rule == 0
    if was == now:
        assert (told.own, told.group) == (0, 0) and told.rule == told.change
    all_of_group = [moved(old, new, rows(was), rows(now), f"u{at:02}") for at in range(7)]
    assert len({one.group for one in all_of_group}) <= 2
    assert abs(sum((one.own for one in all_of_group), Decimal())) <= 7 * Decimal(1).scaleb(-decimals)


def test_a_number_that_changes_within_the_version_is_the_rule_s_doing():
    scheme = scheme_of(linear([{"value": 90}, {"from": "2026-10-01", "value": 95}]))
    told = moved(scheme, scheme, seven(*[80] * 7), seven(*[80] * 7))
    assert (told.rule, told.group, told.own) == (-5, 0, 0)


def cannot(old: Scheme, new: Scheme, was: dict, now: dict, **how: object) -> str | None:
    told = moved(old, new, was, now, **how)
    assert told.own is None and told.group is None and told.rule is None
    return told.not_split


def test_where_nobody_can_say_it_is_not_guessed():
    rate = scheme_of(RATE)
    other = scheme_of(RATE | {"support_units": "in"})
    counts = seven(*range(80, 87))
    assert cannot(rate, other, counts, counts) == "other_rows"
    assert cannot(rate, rate, seven(80, 81, 82, 83), counts) == "few_peers"
    two = {"peer_groups": [{"code": code, "name_zh": code, "points": 100} for code in ("dept", "town")]}
    both = scheme_of(RATE, **two)
    elsewhere = {"u00": UnitCounts("town", counts["u00"].given)}
    assert cannot(both, both, counts | elsewhere, counts) == "other_group"
    least = scheme_of(RATE | {"min_n": 200})
    assert cannot(rate, least, counts, units_of(*[((above, 200),) for above in range(160, 167)])) == "without_score"


def test_who_has_no_score_in_both_has_no_movement():
    rate = scheme_of(RATE)
    assert moved(rate, rate, {}, seven(80)) is None
    assert moved(rate, rate, units_of(((0, 0),)), seven(80)) is None


def test_a_mean_of_shorter_periods_is_not_taken_apart():
    scheme = scheme_of(RATE, aggregation={"year": "mean_of_months"}, valid_from="2025-01-01")
    counts = seven(*range(80, 87))
    assert movement("u00", scored(scheme, LAST, counts), scored(scheme, YEAR, counts), None).not_split == "of_means"


def with_entries(*given_: int | None) -> dict[str, UnitCounts]:
    counts = seven(*[80] * 7)
    return {
        unit: UnitCounts("dept", {**of.given, "line_1": Given(value=None if one is None else Fraction(one))})
        for (unit, of), one in zip(counts.items(), given_, strict=True)
    }


@pytest.mark.parametrize("rule", [{}, {"times": "0.5"}, {"entry": "change"}], ids=["earned", "times", "changes"])
def test_what_was_entered_is_read_off_its_points_where_its_rule_stays(rule):
    """A unit's login reads no entry of others; the parts are those that who reads all is told."""
    manual = MANUAL | {"scoring": MANUAL["scoring"] | rule}
    old, new = scheme_of(linear(90), manual), scheme_of(linear(95), manual)
    entries = (-3, 0, 1, 7, 12, None, 30)
    was, now = with_entries(*entries), with_entries(5, *[4] * 6)
    entered = {unit: {"line_1": [Decimal(one)]} for unit, one in zip(was, entries, strict=True) if one is not None}
    for unit in was:
        assert moved(old, new, was, now, unit) == moved(old, new, was, now, unit, entered)


def test_what_was_entered_cannot_be_read_off_where_its_rule_changes():
    old, new = scheme_of(RATE, MANUAL), scheme_of(RATE, MANUAL | {"points": 12})
    counts = with_entries(*range(2, 9))
    assert cannot(old, new, counts, counts) == "unread_entries"
    entered = {unit: {"line_1": [Decimal(at)]} for at, unit in enumerate(counts, start=2)}
    assert moved(old, new, counts, counts, entered=entered).not_split is None


# The middle half


def unit(number: int, value: object, **how: object) -> ScoredUnit:
    told = {"line_0": Given(Fraction(value), Fraction(100))} if value is not None else {}
    counts = {f"u{number}": UnitCounts("dept", told)}
    [made] = tally(scheme_of(RATE), date(2026, 10, 1), counts)
    return ScoredUnit(**{**vars(made), **how})


@given(st.lists(st.integers(0, 100), min_size=1, max_size=12))
def test_quartiles_are_those_of_five_or_more_by_interpolation(values):
    told = quartiles([unit(at, value) for at, value in enumerate(values)], "dept")
    if len(values) < 5:
        assert told == {}
        return
    found = told["line_0"]
    by_hand = quantiles(values, n=4, method="inclusive")
    assert [float(one) for one in (found.low, found.median, found.high)] == pytest.approx(by_hand, abs=1e-4)
    assert found.units == len(values)


def test_who_may_not_be_ranked_makes_no_quartile_and_who_is_vetoed_does():
    five = [unit(at, 80 + at) for at in range(5)]
    few = [*five[:4], unit(4, 84, not_ranked_reason="too_few")]
    assert quartiles(few, "dept") == {}
    vetoed = [*five[:4], unit(4, 84, not_ranked_reason="by_event")]
    assert quartiles(vetoed, "dept")["line_0"].median == 82
    assert quartiles([*five[:4], unit(4, None)], "dept") == {}
    assert quartiles(five, "town") == {}

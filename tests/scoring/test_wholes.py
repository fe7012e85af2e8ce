"""Items of parts, and values held against others, reckoned on paper."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from minhu.schemes.arithmetic import shared_out
from minhu.schemes.counts import Earlier, Given, UnitCounts
from minhu.schemes.tally import tally
from tests.scoring.test_two_paths import FOUND, rate, scheme_of

DAY = date(2026, 10, 1)
D = Decimal
FULL = rate("full", 100, {"function": "proportional"})


def counts(above: int, below: int) -> Given:
    return Given(Fraction(above), Fraction(below))


def part(code: str, scoring: dict, **more: object) -> dict:
    told = {"code": code, "name_zh": code, "measure": "close_on_time", "moment": "due_at"}
    return told | {"scoring": scoring} | more


def points(scheme, given, **units):
    """The points of each line of a unit beside others."""
    all_units = {"u": UnitCounts("city", given)} | units
    (scored, *_) = tally(scheme, DAY, all_units)
    return {line.code: line.points for line in scored.indicators}


SHORT = {"function": "per", "below": 100, "deduct": "0.5"}
PROMPT = {
    "code": "prompt",
    "name_zh": "及时",
    "points": 10,
    "scoring": {"function": "together"},
    "parts": [part("signed", SHORT), part("closed", SHORT)],
}


def test_what_a_floor_gives_back_is_shared_by_those_that_went_below():
    """84 and 88 of 100: 8 and 6 points of 10. 10 × 8 ÷ 14 is 5.714, 10 × 6 ÷ 14 is 4.286."""
    found = points(scheme_of(PROMPT), {"signed": counts(84, 100), "closed": counts(88, 100)})
    assert found == {"prompt": D(10), "signed": D("-5.71"), "closed": D("-4.29")}


def test_a_cap_takes_from_what_was_gained_alone():
    """+ 8, + 6 and − 1 from 0, 10 at most: 3 too many, of 14 gained."""
    praise = {"function": "per", "above": 0, "add": 2}
    told = PROMPT | {
        "scoring": {"function": "together", "starts": "zero"},
        "parts": [
            part("praised", praise, **FOUND),
            part("thanked", praise, **FOUND),
            part("fined", {"function": "per", "above": 0, "deduct": 1}, **FOUND),
        ],
    }
    given = {"praised": counts(4, 4), "thanked": counts(3, 3), "fined": counts(1, 1)}
    found = points(scheme_of(FULL, told), given)
    assert found | {"full": None} == {
        "full": None,
        "prompt": D(0),
        "praised": D("6.29"),  # 8 × 11 ÷ 14 = 6.2857
        "thanked": D("4.71"),
        "fined": D("-1.00"),
    }


def test_an_item_is_rounded_once_and_its_parts_sum_to_it():
    """2/3 and 1/3: 16.6667 and 33.3333 of 100 short, at 0.5 each a third: 8.3333 + 16.6667 is 25 exactly."""
    told = PROMPT | {"points": 30}
    found = points(scheme_of(told), {"signed": counts(5, 6), "closed": counts(4, 6)})
    assert sum(found.values()) == D(5) and found["signed"] == D("-8.33") and found["closed"] == D("-16.67")


def test_parts_of_which_nothing_was_counted_leave_the_item_out_or_as_it_says():
    assert points(scheme_of(FULL, PROMPT), {"full": counts(1, 1)}) == {
        "full": D(100),
        "prompt": None,
        "signed": None,
        "closed": None,
    }
    full = PROMPT | {"when_empty": "full_points"}
    assert points(scheme_of(FULL, full), {"full": counts(1, 1)})["prompt"] == D(10)
    assert points(scheme_of(FULL, PROMPT), {"signed": counts(9, 10)})["signed"] == D("-5.00")


def test_a_part_concerns_its_own_groups():
    told = PROMPT | {"parts": [PROMPT["parts"][0], PROMPT["parts"][1] | {"peer_groups": ["town"]}]}
    found = points(scheme_of(told, groups=("city", "town")), {"signed": counts(9, 10), "closed": counts(0, 10)})
    assert found == {"prompt": D(10), "signed": D("-5.00")}


WEIGHED = {"function": "weighed"}
COMPOSITE = {
    "code": "composite",
    "name_zh": "综合",
    "points": 30,
    "combine": "sum",
    "scoring": {"function": "proportional"},
    "parts": [part("signed", WEIGHED | {"weight": "1/3"}), part("closed", WEIGHED | {"weight": "2/3"})],
}


def test_what_a_value_lacks_is_shared_by_what_its_parts_lack():
    """60 % ÷ 3 + 90 % × 2 ÷ 3 = 80 %: 24 of 30. The first lacks 40 ÷ 3, the second 20 ÷ 3."""
    found = points(scheme_of(COMPOSITE), {"signed": counts(6, 10), "closed": counts(9, 10)})
    assert found == {"composite": D(30), "signed": D("-4.00"), "closed": D("-2.00")}


def test_a_part_of_which_nothing_was_counted_leaves_its_weight_or_counts_as_it_says():
    signed, closed = COMPOSITE["parts"]
    for when_empty, composite in (("left_out", 27), ("full_points", 28), ("zero", 18)):
        told = COMPOSITE | {"parts": [signed | {"when_empty": when_empty}, closed]}
        found = points(scheme_of(FULL, told), {"closed": counts(9, 10)})
        assert sum(found[code] or 0 for code in ("composite", "signed", "closed")) == composite, when_empty
        nothing = points(scheme_of(FULL, told), {"full": counts(1, 1), "closed": counts(0, 0)})
        assert nothing["composite"] is None, when_empty


def test_what_is_taken_off_counts_against_its_part():
    """90 % − 0.5 × 20 % = 80 %: the first lacks 10, the second takes 10."""
    told = COMPOSITE | {"parts": [part("closed", WEIGHED), part("returned", WEIGHED | {"weight": "-0.5"})]}
    found = points(scheme_of(told), {"closed": counts(9, 10), "returned": counts(2, 10)})
    assert found == {"composite": D(30), "closed": D("-3.00"), "returned": D("-3.00")}
    assert points(scheme_of(told), {"closed": counts(9, 10)})["composite"] == D(30)  # 90 %, and nothing taken off
    assert points(scheme_of(FULL, told), {"full": counts(1, 1), "returned": counts(2, 10)})["composite"] is None


def test_a_value_whose_lower_is_better_turns_its_parts():
    """2 % + 4 % against 3 % at most: 3 points; each bears what it is."""
    told = COMPOSITE | {
        "scoring": {"function": "linear_deduction", "target": 3, "per_point": 1, "better": "lower"},
        "parts": [part("returned", WEIGHED), part("reworked", WEIGHED)],
    }
    scheme = scheme_of(told)
    assert all(line.is_lower_better for line in scheme.lines)
    found = points(scheme, {"returned": counts(2, 100), "reworked": counts(4, 100)})
    assert found == {"composite": D(30), "returned": D("-1.00"), "reworked": D("-2.00")}


def test_counts_are_put_together_with_counts():
    """3 late and 2 × 1 not handled: 5 items, each 0.5."""
    told = COMPOSITE | {
        "points": 0,
        "scoring": {"function": "per", "above": 0, "deduct": "0.5"},
        "parts": [part("late", WEIGHED, **FOUND), part("unhandled", WEIGHED | {"weight": 2}, **FOUND)],
    }
    found = points(scheme_of(FULL, told), {"late": counts(3, 3), "unhandled": counts(1, 1)})
    assert sum(found[code] for code in ("composite", "late", "unhandled")) == D("-2.50")
    assert (found["late"], found["unhandled"]) == (D("-1.50"), D("-1.00"))


def test_of_several_parts_that_were_not_counted_one_that_is_taken_off_from_leaves_no_value():
    told = COMPOSITE | {
        "parts": [
            part("closed", WEIGHED),
            part("signed", WEIGHED),
            part("returned", WEIGHED | {"weight": "-0.5"}),
        ]
    }
    found = points(scheme_of(FULL, told), {"full": counts(1, 1), "closed": counts(9, 10)})
    assert found["composite"] is None  # signed is missing as well, not returned alone


def test_parts_of_an_item_that_does_not_apply_judge_nobody():
    """One unit makes no mean: its 1 of 2 gives no points, and intake alone gives no place."""
    share = {"measure": "intake", "moment": "received_at", "aggregate": "share"}
    told = COMPOSITE | {"parts": [part("signed", WEIGHED)], "compared": {"to": "group_mean", "as": "ratio"}}
    scheme = scheme_of(rate("intake", 10, {"function": "proportional"}, **share), told)
    given = {"intake": Given(Fraction(3)), "signed": counts(1, 2)}
    (scored,) = tally(scheme, DAY, {"u": UnitCounts("city", given)})
    assert (scored.score_100, scored.not_ranked_reason) == (None, "nothing_due")


def test_the_value_of_a_part_that_cannot_be_compared_is_shown():
    told = PROMPT | {"parts": [part("signed", SHORT, compared={"to": "group_mean", "as": "difference"})]}
    (scored,) = tally(scheme_of(FULL, told), DAY, {"u": UnitCounts("city", {"signed": counts(1, 2)})})
    line = scored.indicator("signed")
    assert (line.value, line.points, line.is_empty) == (D(50), None, True)


# Beside others


def beside(to: str, **more: object):
    how = {} if to == "group_rank" else {"as": "difference"}
    scoring = {"function": "per", "above": 1, "deduct": 1} if to == "group_rank" else SHORT | {"below": 0}
    return rate("beside", 50, scoring, compared={"to": to} | how | more)


def others(*above: int, below: int = 100) -> dict[str, UnitCounts]:
    return {f"o{no}": UnitCounts("city", {"beside": counts(one, below)}) for no, one in enumerate(above)}


def read(scheme, own, peers):
    """What the unit is held against, and what its rule reads."""
    (scored, *_) = tally(scheme, DAY, {"u": UnitCounts("city", {"beside": own})} | peers)
    line = scored.indicator("beside")
    return line.reference, line.compared_value


@pytest.mark.parametrize(
    ("to", "own", "reference", "value"),
    [
        ("group_mean", (80, 100), "88", "-8"),
        ("group_median", (80, 100), "90", "-10"),
        ("group_rate", (80_000, 100_000), "80.0398", "-0.0398"),  # 80,360 of 100,400
    ],
)
def test_a_mean_a_median_and_the_rate_of_all(to, own, reference, value):
    """Beside four units with 90 of 100 each."""
    found = read(scheme_of(beside(to)), counts(*own), others(90, 90, 90, 90))
    assert found == (D(reference), D(value))


def test_the_best_is_the_highest_or_the_lowest():
    peers = others(95, 90, 70, 60)
    assert read(scheme_of(beside("group_best", better="higher")), counts(80, 100), peers) == (D(95), D(-15))
    assert read(scheme_of(beside("group_best", better="lower")), counts(80, 100), peers) == (D(60), D(20))


def test_a_group_is_made_by_those_that_may_be_ranked():
    """With at least ten cases: the two with one good case each make neither the best value nor a place."""
    scheme = scheme_of(beside("group_best", better="higher"), publication={"min_n": 10})
    small = {f"s{no}": UnitCounts("city", {"beside": counts(1, 1)}) for no in range(2)}
    assert read(scheme, counts(80, 100), others(90, 90, 90, 90) | small) == (D(90), D(-10))
    assert read(scheme, counts(80, 100), others(90, 90, 90) | small) == (None, None)  # four of five may be ranked
    assert read(scheme, counts(1, 1), others(90, 90, 90, 90, 90)) == (D(90), D(10))  # held against them all the same
    placed = scheme_of(beside("group_rank", better="higher"), publication={"min_n": 10})
    assert read(placed, counts(80, 100), others(90, 90, 90, 90) | small) == (None, D(5))
    assert read(placed, counts(1, 1), others(90, 90, 90, 90, 90)) == (None, None)


@pytest.mark.parametrize(("ties", "place"), [("shared", 3), ("dense", 2), ("last", 4)])
def test_equal_values_share_a_place_as_the_scheme_says(ties, place):
    scheme = scheme_of(beside("group_rank", better="higher", ties=ties))
    assert read(scheme, counts(90, 100), others(95, 95, 90, 80)) == (None, D(place))
    down = scheme_of(beside("group_rank", better="lower"))
    assert read(down, counts(1, 100), others(2, 3, 4, 5)) == (None, D(1))


def test_what_cannot_be_compared_is_empty():
    """A change from nothing, and a period that the unit does not have."""
    told = rate("beside", 50, SHORT | {"below": 0}, compared={"to": "previous", "as": "change"})
    none, zero = counts(5, 10), replace(counts(5, 10), before=(Earlier("2026-09", Fraction(), Fraction(4)),))
    for given in (none, zero):
        (scored,) = tally(scheme_of(FULL, told), DAY, {"u": UnitCounts("city", {"full": none, "beside": given})})
        line = scored.indicator("beside")
        assert (line.points, line.value, line.is_empty) == (None, D(50), True)
    (scored,) = tally(
        scheme_of(FULL, told | {"when_empty": "full_points"}),
        DAY,
        {"u": UnitCounts("city", {"full": none, "beside": none})},
    )
    assert scored.indicator("beside").points == D(50)


def test_whole_and_parts_by_largest_remainder():
    assert shared_out(D("-10.00"), [Fraction(-80, 14), Fraction(-60, 14)], 2) == [D("-5.71"), D("-4.29")]
    assert shared_out(D("1.00"), [Fraction(1, 3)] * 3, 2) == [D("0.34"), D("0.33"), D("0.33")]
    assert shared_out(D("0.00"), [Fraction(1, 300), Fraction(-1, 300)], 2) == [D("0.00"), D("0.00")]

"""How far an order may be trusted: reckoned by hand where that can be done, held against whole tallies where not."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import comb

import numpy as np
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from minhu.cli import minhu
from minhu.publish.fairness import fairness as read
from minhu.schemes import Scheme
from minhu.schemes.arithmetic import Component, funnel, total
from minhu.schemes.counts import Given, UnitCounts
from minhu.schemes.period import Period
from minhu.schemes.tally import tally
from minhu.scoring import resampled
from minhu.scoring.fairness import SEED, decides, edges, fairness, noise
from minhu.scoring.resampled import NO_PLACE, City, UnitAnew
from tests.scoring.test_two_paths import counted, schemes

DAY, PERIOD = date(2026, 10, 1), Period.parse("2026-10")
RATE = {"measure": "close_on_time", "moment": "due_at"}
COUNT = {"measure": "violation_not_handled", "moment": "occurred_at", "aggregate": "count"}


def scheme_of(*indicators: dict, **more: object) -> Scheme:
    """A scheme of one peer group; an indicator is a rate of 100 points in proportion unless it says otherwise."""
    told = [
        {"code": f"line_{at}", "name_zh": f"指标{at}", "points": 100, "scoring": {"function": "proportional"}} | one
        for at, one in enumerate(indicators)
    ]
    return Scheme.model_validate(
        {
            "id": "made",
            "title": "手算",
            "legal_basis": [{"title": "made up"}],
            "valid_from": "2026-01-01",
            "periods": {"month": "indicative", "year": "final"},
            "peer_groups": [{"code": "dept", "name_zh": "部门", "points": 100}],
            "bands": [{"name_zh": "好", "at_least": 90}, {"name_zh": "差", "at_least": 0}],
            "indicators": told,
        }
        | more
    )


def units_of(*rows: tuple[tuple[int, int], ...]) -> dict[str, UnitCounts]:
    """Units u00, u01 … with (numerator, denominator) of each line."""
    return {
        f"u{at:02}": UnitCounts(
            "dept", {f"line_{no}": Given(Fraction(above), Fraction(below)) for no, (above, below) in enumerate(row)}
        )
        for at, row in enumerate(rows)
    }


def report(scheme: Scheme, counts: dict[str, UnitCounts], **how: object):
    scored = {one.unit: one for one in tally(scheme, DAY, counts, None, "month")}
    return fairness(scheme, PERIOD, scored, counts, {}, **how)


# Chance


def pairs(*told: tuple[int, int]) -> list[tuple[Fraction, Fraction]]:
    return [(Fraction(one), Fraction(of)) for one, of in told]


LINE = scheme_of(RATE).indicators[0]


def test_what_is_chance_of_two_rates_is_reckoned_by_hand():
    """80 and 60 of 100: p = 0.7. Their spread is 2 × 100 × 0.1² = 2, chance makes 0.21 of it: 10.5 %. Between units
    lies (2 − 0.21) ÷ (200 − 20000 ÷ 200) = 0.0179, chance at n = 100 is 0.0021: 0.0179 ÷ 0.02 = 0.895. For 0.8 it takes
    4 × 0.21 ÷ 0.0179 = 46.9 rows."""
    told = noise(LINE, pairs((80, 100), (60, 100)))
    assert (told.rate_pct, told.noise_pct, told.reliability) == (Decimal("70.0000"), Decimal("10.5"), Decimal("0.8950"))
    assert (told.median_n, told.reliable_n, told.units) == (100, 47, 2)
    assert (told.outside_95, told.outside_99_8) == (2, 0)


def test_of_units_that_differ_by_less_than_chance_all_is_chance():
    told = noise(LINE, pairs(*[(90, 100), (91, 100), (89, 100), (90, 100)]))
    assert (told.noise_pct, told.reliability, told.reliable_n) == (100, 0, None)
    assert told.outside_95 == 0


def test_of_units_that_are_all_perfect_there_is_nothing_to_tell():
    told = noise(LINE, pairs((5, 5), (9, 9)))
    assert (told.noise_pct, told.reliability, told.reliable_n, told.expected_95) == (None, None, None, 0)


def test_drawn_by_chance_alone_the_reliability_is_near_nothing_and_apart_near_one():
    stream = np.random.RandomState(7)
    alike = [(int(stream.binomial(400, 0.9)), 400) for _ in range(300)]
    apart = [(int(stream.binomial(400, rate)), 400) for rate in stream.uniform(0.5, 1, 300)]
    assert noise(LINE, pairs(*alike)).reliability < Decimal("0.15")
    assert noise(LINE, pairs(*alike)).noise_pct > 85
    told = noise(LINE, pairs(*apart))
    assert told.reliability > Decimal("0.9") and told.noise_pct < 10


@given(st.integers(1, 60), st.data())
@settings(max_examples=60, deadline=None)
def test_as_many_are_expected_outside_the_limits_as_all_outcomes_of_chance_say(n, data):
    good = data.draw(st.integers(0, n))
    p = good / n
    likely = [comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    flags = [funnel(Fraction(k), Fraction(n), Fraction(good), Fraction(n)) for k in range(n + 1)]
    told = noise(LINE, pairs((good, n), (good, n)))
    for expected, endings in ((told.expected_95, ("5", "8")), (told.expected_99_8, ("8",))):
        by_hand = sum(weight for weight, flag in zip(likely, flags, strict=True) if flag and flag.endswith(endings))
        assert abs(float(expected) - 2 * by_hand) < 0.006


# What decides


def test_what_decides_the_order_is_reckoned_by_hand():
    """Of two indicators of 50 points the second is the same for all: the first decides everything."""
    scheme = scheme_of(RATE | {"points": 50}, RATE | {"points": 50})
    counts = units_of(((80, 100), (90, 100)), ((60, 100), (90, 100)), ((70, 100), (90, 100)))
    told = list(decides(scheme, tally(scheme, DAY, counts)))
    assert [(one.indicator_code, one.share_pct) for one in told] == [("line_0", 100), ("line_1", 0)]


def test_a_cap_is_told_apart_and_the_parts_sum():
    veto = COUNT | {"points": 0, "scoring": {"function": "event", "score_at_most": 50}}
    scheme = scheme_of(RATE, veto)
    counts = units_of(((80, 100), (0, 0)), ((90, 100), (1, 1)), ((70, 100), (0, 0)))
    told = {one.indicator_code: one.share_pct for one in decides(scheme, tally(scheme, DAY, counts))}
    assert sum(told.values()) == 100
    assert told[None] > 100 and told["line_0"] < 0, "the best was cut below the others"


@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(data=st.data())
def test_the_parts_of_what_decides_sum_to_all(data):
    scheme = Scheme.model_validate(data.draw(schemes()))
    counts = data.draw(counted(scheme))
    for group in ("group_a", "group_b"):
        of_group = [one for one in tally(scheme, DAY, counts) if one.peer_group == group]
        told = list(decides(scheme, of_group))
        scores = {one.score_100 for one in of_group if one.not_ranked_reason is None}
        assert sum((one.share_pct for one in told), Decimal()) == (100 if len(scores) > 1 else 0)


# Draws: the quick path is a tally


def assert_alike(city: City, count: int, seed: int) -> None:
    drawn = resampled.draw(city, count, seed)
    quick, thorough = resampled.scores(city, drawn), resampled.by_tally(city, drawn)
    assert quick.keys() == thorough.keys()
    for unit, (points, bands) in thorough.items():
        assert quick[unit][0].tolist() == points.tolist(), unit
        assert quick[unit][1] == bands, unit


@settings(
    max_examples=80,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(data=st.data())
def test_the_quick_path_gives_what_a_tally_gives(data):
    scheme = Scheme.model_validate(data.draw(schemes()))
    city = City.of(scheme, DAY, "month", data.draw(counted(scheme)))
    assert_alike(city, 4, data.draw(st.integers(0, 2**32 - 1)))
    for unit, scored in city.scored.items():
        if scored.score_100 is None:
            continue
        for code, given_ in city.counts[unit].given.items():
            line = scheme.indicator(code)
            if not line.scores(scored.peer_group) or not resampled.is_rate(line, given_):
                continue
            above = given_.numerator - 1 if given_.numerator else given_.numerator + 1
            changed = {code: replace(given_, numerator=above)}
            counts = {**city.counts, unit: replace(city.counts[unit], given={**city.counts[unit].given, **changed})}
            by_tally = next(one for one in tally(scheme, DAY, counts, None, "month") if one.unit == unit)
            told = UnitAnew(city, unit).with_given(changed)
            assert (told.score, told.band) == (by_tally.score_100, by_tally.band)
            assert told.has_place == (by_tally.not_ranked_reason is None)


points = st.integers(-(10**13), 10**14).map(lambda number: Decimal(number).scaleb(-12))


@settings(max_examples=300, deadline=None)
@given(points, points, st.integers(0, 4))
@example(Decimal("12.342499999999"), Decimal(), 2)  # of 50 it is 24.685 once it is rounded to nine decimals
@example(Decimal("12.3425"), Decimal("-0.000000000001"), 2)
def test_a_sum_becomes_the_score_that_a_total_gives(earned, changed, decimals):
    half = [RATE | {"points": 50}, RATE | {"points": 50}]
    scheme = scheme_of(*half, rounding={"order": "sum_first", "decimals": decimals})
    city = City.of(scheme, DAY, "month", units_of(((80, 100), (0, 0))))
    anew = UnitAnew(city, "u00")
    parts = [
        Component(earned, Decimal(50), is_judged=True),
        Component(None, Decimal(50), is_judged=False),
        Component(changed, Decimal(), is_judged=False),
    ]
    [told] = anew.totals(*(np.array([int(one.scaleb(12))], dtype=object) for one in (earned, changed)))
    assert Decimal(told).scaleb(-decimals) == total(parts, decimals).score_100


TOGETHER = {
    "code": "line_1",
    "name_zh": "违规",
    "points": 20,
    "scoring": {"function": "together"},
    "parts": [
        COUNT | {"code": "part_a", "name_zh": "甲", "scoring": {"function": "per", "above": 0, "deduct": 3}},
        RATE | {"code": "part_b", "name_zh": "乙", "scoring": {"function": "per", "below": 95, "deduct": "0.7"}},
    ],
}
PRODUCT = {
    "code": "line_2",
    "name_zh": "合成",
    "points": 30,
    "combine": "product",
    "scoring": {"function": "proportional"},
    "parts": [
        RATE | {"code": "part_c", "name_zh": "丙", "scoring": {"function": "weighed"}},
        RATE | {"code": "part_d", "name_zh": "丁", "scoring": {"function": "weighed"}},
    ],
}
PEERS = RATE | {
    "code": "line_3",
    "points": 10,
    "scoring": {"function": "per", "below": 0, "deduct": 1},
    "compared": {"to": "group_mean", "as": "difference"},
}


def with_parts(*more: dict) -> tuple[Scheme, dict[str, UnitCounts]]:
    scheme = scheme_of(RATE | {"points": 40}, TOGETHER, PRODUCT, *more)
    codes = [line.code for line in scheme.lines if not line.is_whole]
    stream = np.random.RandomState(3)
    counts = {}
    for unit in range(7):
        told = {}
        for code in codes:
            below = int(stream.randint(20, 90))
            above = int(stream.randint(0, 4)) if code == "part_a" else below - int(stream.randint(0, 9))
            told[code] = Given(Fraction(above), Fraction(below))
        counts[f"u{unit}"] = UnitCounts("dept", told)
    return scheme, counts


def test_parts_and_values_made_of_others_are_drawn_as_a_tally_scores_them():
    scheme, counts = with_parts()
    city = City.of(scheme, DAY, "month", counts)
    assert not resampled.draws_by_tally(city)
    assert_alike(city, 60, 1)


def test_what_is_held_against_other_units_is_drawn_by_whole_tallies_and_says_so():
    scheme, counts = with_parts(PEERS)
    city = City.of(scheme, DAY, "month", counts)
    assert resampled.draws_by_tally(city)
    told = report(scheme, counts)
    assert told.draws == 100
    own = {unit: one.score_100 for unit, one in city.scored.items()}
    for unit in counts:  # one more good row moves the mean that all are held against
        given_ = counts[unit].given["line_3"]
        changed = {"line_3": replace(given_, numerator=given_.numerator - 1)}
        anew = {**counts, unit: replace(counts[unit], given={**counts[unit].given, **changed})}
        by_tally = next(one for one in tally(scheme, DAY, anew, None, "month") if one.unit == unit)
        related = resampled.references(scheme, DAY, anew)
        assert UnitAnew(city, unit).with_given(changed, related).score == by_tally.score_100
        assert own[unit] is not None


def test_what_is_drawn_twice_by_one_seed_is_the_same_and_by_another_it_is_not():
    scheme, counts = scheme_of(RATE), units_of(*[((n, 100),) for n in range(80, 95)])
    first, again, other = (report(scheme, counts, draws=200, seed=seed) for seed in (SEED, SEED, 9))
    assert first == again and first.groups[0].stands != other.groups[0].stands
    assert first.seed == SEED and first.draws == 200


def test_a_seed_draws_the_same_for_ever():
    """Numbers of a report that is kept must come out again in years."""
    city = City.of(scheme_of(RATE), DAY, "month", units_of(((80, 100),), ((60, 100),)))
    drawn = resampled.draw(city, 6, SEED)
    assert drawn["u00"]["line_0"].tolist() == FROZEN[0] and drawn["u01"]["line_0"].tolist() == FROZEN[1]


FROZEN = ([73, 81, 83, 82, 78, 78], [62, 60, 66, 55, 67, 65])


def test_who_is_far_from_a_line_keeps_its_band_and_who_is_near_does_not():
    """Who is at 90.2 of 1000 cases is as good as on the line: it keeps its band in about half of all draws."""
    scheme = scheme_of(RATE)
    counts = units_of(((990, 1000),), ((902, 1000),), ((700, 1000),))
    [group] = report(scheme, counts).groups
    kept = {one.unit_code: one.kept_pct for one in group.stands}
    assert kept["u00"] == kept["u02"] == 100
    assert 45 < kept["u01"] < 70
    assert group.steady_pct == Decimal("66.7")
    places = {one.unit_code: (one.place, one.place_low, one.place_high) for one in group.stands}
    assert places == {"u00": (1, 1, 1), "u01": (2, 2, 2), "u02": (3, 3, 3)}


def test_places_are_those_of_a_tally():
    points = {"a": np.array([5, 7, 3]), "b": np.array([5, NO_PLACE, 9]), "c": np.array([1, 8, 3])}
    told = {unit: places.tolist() for unit, places in resampled.places(points).items()}
    assert told == {"a": [1, 2, 2], "b": [1, 0, 1], "c": [3, 1, 2]}


# Edges


def test_a_unit_on_the_line_of_a_band_is_found_and_one_a_case_further_is_not():
    scheme = scheme_of(RATE)
    counts = units_of(((90, 100),), ((91, 100),), ((89, 100),), ((88, 100),))
    told = [(one.unit_code, one.is_more, one.was, one.now) for one in report(scheme, counts, draws=1).edges]
    assert told == [("u00", False, "好", "差"), ("u02", True, "差", "好")]


def test_of_a_rate_that_is_better_low_a_good_row_more_is_a_bad_one_less():
    low = {"function": "linear_deduction", "target": 0, "per_point": 1, "better": "lower"}
    scheme = scheme_of(RATE | {"scoring": low})
    told = report(scheme, units_of(((11, 100),)), draws=1).edges
    assert [(one.is_more, one.was, one.now) for one in told] == [(True, "差", "好")]


def test_who_has_all_cannot_have_one_more():
    scheme = scheme_of(RATE)
    city = City.of(scheme, DAY, "month", units_of(((9, 9),), ((0, 9),)))
    assert [one.unit_code for one in edges(city, city.scored, {})] == ["u00"]  # 8 of 9 is 88.89


# The report


def test_a_mean_of_shorter_periods_is_not_drawn_and_says_why():
    scheme = scheme_of(RATE, aggregation={"year": "mean_of_months"})
    counts = units_of(((80, 100),), ((60, 100),))
    scored = {one.unit: one for one in tally(scheme, DAY, counts)}
    told = fairness(scheme, Period.parse("2026"), scored, counts, {})
    assert (told.not_drawn, told.draws, told.edges) == ("of_means", 0, ())
    assert told.groups[0].noise and told.groups[0].decides and told.groups[0].steady_pct is None


def test_nothing_scored_is_nothing_told():
    told = report(scheme_of(RATE), {})
    assert (told.groups, told.edges) == ((), ())
    [group] = report(scheme_of(RATE), units_of(((0, 0),))).groups
    assert (group.ranked, group.noise, group.decides, group.stands, group.steady_pct) == (0, (), (), (), None)


def test_points_by_hand_stay_and_are_named():
    manual = {"name_zh": "人工", "points": 10, "scoring": {"function": "manual"}}
    scheme = scheme_of(RATE, manual)
    counts = {
        unit: UnitCounts("dept", {**of.given, "line_1": Given(value=Fraction(7))})
        for unit, of in units_of(((80, 100),), ((60, 100),)).items()
    }
    told = report(scheme, counts, draws=5)
    assert (told.drawn, told.held) == (("指标0",), ("人工",))


def test_a_scored_city_is_told_and_scored_again_as_it_stands(october):
    before = october.rows("select * from mart.fct_unit_score order by 1, 2, 3, 4")
    found = read(october.settings, "2026-10")
    assert (found.otherwise, found.revision, found.draws) == (0, None, 1000)
    stands = {one.unit_code: one for group in found.groups for one in group.stands}
    banded = dict(october.rows("select unit_code, band from mart.fct_unit_score where band is not null"))
    assert {unit: one.band for unit, one in stands.items()} == banded and len(banded) > 5
    # 30 × 3 ÷ 16 of 30 points and 12.5 of 25: T4 has 32.95 of 100 and stays where it is, whatever chance does
    assert stands["T4"].kept_pct == 100
    assert october.rows("select * from mart.fct_unit_score order by 1, 2, 3, 4") == before


def test_the_command_tells_it_in_words_and_as_json(october, monkeypatch):
    monkeypatch.setenv("MINHU_DATABASE_URL", october.settings.database_url)
    monkeypatch.setenv("MINHU_HOME", str(october.settings.home))
    told = CliRunner().invoke(minhu, ["fairness", "2026-10"])
    assert told.exit_code == 0, told.output
    for words in ("不改变任何得分", "种子 12345", "偶然占比", "得分差异的来源：", "一件之差就换档", "部门（"):
        assert words in told.output
    as_json = json.loads(CliRunner().invoke(minhu, ["fairness", "2026-10", "--json", "--draft"]).output)
    assert {"seed", "draws", "groups", "edges"} <= set(as_json) and as_json["seed"] == SEED
    wrong = CliRunner().invoke(minhu, ["fairness", "2026-10", "--revision", "1", "--draft"])
    assert wrong.exit_code == 2
    never = CliRunner().invoke(minhu, ["fairness", "2026-09"])
    assert "2026-09 has not been scored" in str(never.exception)

"""A scheme with items of parts, values held against others and few rows pooled: from its text to what is published,
explained, proven, and told of when an earlier month is revised."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from minhu import assess
from minhu.errors import Refused
from minhu.export import FORMATS, Asked, export
from minhu.publish import close, publish, revise, verify
from minhu.publish.diff import diff
from minhu.publish.render import render_closing
from minhu.publish.stored_release import explain_release
from minhu.schemes import read_scheme, try_scheme
from minhu.scoring import explain, render, score, what_if
from minhu.warehouse.build import build
from tests.publish import city as world
from tests.publish.city import UNWITNESSED, deliver, login, rows
from tests.publish.city import judge as approve

GIVEN = Path(__file__).parent / "given" / "wholes.yml"
SEPTEMBER, OCTOBER = "2026-09", "2026-10"
D = Decimal
UNITS = """unit_code,unit_name,unit_kind,linkage_level,peer_group,has_24h_duty,aliases,valid_from
U1,城管局,department,2,linan_department,false,,2020-01-01
U2,交通局,department,2,linan_department,false,,2020-01-01
U3,水务局,department,2,linan_department,false,,2020-01-01
"""
NAMES = {"U1": "城管局", "U2": "交通局", "U3": "水务局"}
COUNTED = {  # in time and late
    SEPTEMBER: {"U1": (2, 2), "U2": (3, 0), "U3": (1, 0)},
    OCTOBER: {"U1": (5, 1), "U2": (1, 1), "U3": (4, 0)},
}


def cases(month: str) -> list[dict]:
    """Dispatched on the 8th at 9:00, closed on the 9th or, late, on the 28th."""
    told = []
    for unit, (good, late) in COUNTED[month].items():
        for number in range(good + late):
            place = len(told) + 1
            told.append(
                {
                    "工单编号": f"3301{month.replace('-', '')}{place:06}",
                    "办理单位": NAMES[unit],
                    "受理时间": f"{month}-08 08:30:00",
                    "转办时间": f"{month}-08 09:00:00",
                    "办结时间": f"{month}-{'09' if number < good else '28'} 10:00:00",
                    "办理期限": "",
                }
            )
    return told


POINTS = {  # of the October lines, unit by unit; reckoned on paper
    "prompt": ("10.00", "10.00", "10.00"),
    "closed": ("-1.67", "-5.00", "0.00"),
    "overdue_items": ("-1.00", "-1.00", "0.00"),
    "praised": ("1.00", "0.00", "0.00"),
    "composite": ("30.00", "30.00", "30.00"),  # 30 − 0.5 × (95 − 83.33) = 24.17, and 7.50
    "by_limit": ("-3.50", "-13.50", "0.00"),
    "by_dispatch": ("-2.33", "-9.00", "0.00"),
    "place": ("18.00", "16.00", "20.00"),
    "than_before": ("3.00", "0.00", "0.00"),  # 50 % in September, 83.33 % in October: + 3.33, 3 at most
    "fewer": ("7.50", "10.00", "0.00"),  # 4 → 6 is + 50 %, 3 → 2 no more, 1 → 4 + 300 %
    "pooled": ("25.00", "24.00", "30.00"),  # of 2 with the 3 of September: 4 of 5
    "struck": ("0.00", "0.00", "0.00"),
}
SCORES = {"U1": D("86.00"), "U2": D("61.50"), "U3": D("90.00")}


@pytest.fixture(scope="module")
def city(scratch):
    """September and October built, and a praise of U1 entered; nothing scored."""
    october = cases(OCTOBER)
    settings = world.anew(scratch, cases(SEPTEMBER), world.date(2026, 9, 30), GIVEN.read_text("utf-8"), units=UNITS)
    deliver(settings, october)
    build(settings)
    return settings


@pytest.fixture(scope="module")
def shen(city):
    return login(city, "w_shen", "evaluator")


@pytest.fixture(scope="module")
def september(city, shen):
    with pytest.raises(Refused, match="2026-09, which holds data and has not been scored: run `minhu score 2026-09"):
        score(city, OCTOBER)
    return released(city, shen, SEPTEMBER)


@pytest.fixture(scope="module")
def october(city, shen, september):
    about = {"scheme_id": "linan", "period": OCTOBER, "unit_code": "U1", "indicator_code": "praised"}
    entry = assess.record(city, "enter_manual_point", **about, points=1, reason="通报表扬", evidence_ref="通报 1 号")
    assess.record(
        shen, "approve", subject_kind="manual_point", subject_id=str(entry), verdict="approved", reason="属实"
    )
    return released(city, shen, OCTOBER)


def released(city, shen, month):
    closing = close(city, month)
    approve(shen, closing)
    return publish(shen, month, why=UNWITNESSED)


def lines(city, month, columns="points"):
    told = rows(
        city,
        f"select indicator_code, unit_code, {columns} from publish.unit_indicator where period = %s and revision = ("
        " select max(revision) from publish.release where release.period = unit_indicator.period)",
        month,
    )
    return {(code, unit): rest[0] if len(rest) == 1 else tuple(rest) for code, unit, *rest in told}


def test_every_line_comes_out_as_on_paper_and_sums_to_the_score(city, october):
    found = lines(city, OCTOBER)
    expected = {(code, unit): D(one) for code, three in POINTS.items() for unit, one in zip(NAMES, three, strict=True)}
    assert found == expected
    scored = dict(rows(city, "select unit_code, score_100 from publish.unit_score where period = %s", OCTOBER))
    assert scored == SCORES
    assert {unit: sum(found[code, unit] for code in POINTS) for unit in NAMES} == SCORES


def test_a_trial_of_the_same_counts_comes_out_the_same(tmp_path):
    """September stands in the same file."""
    told = ["unit,peer_group,period,indicator_code,numerator,denominator,value"]
    for month, counted in COUNTED.items():
        for unit, (good, late) in counted.items():
            place, many = f"{unit},部门,{month}", good + late
            for code in ("closed", "by_limit", "by_dispatch", "place", "than_before", "pooled"):
                told.append(f"{place},{code},{good},{many},")
            told += [f"{place},fewer,{many},,", f"{place},overdue_items,{late},,", f"{place},struck,{late},,"]
    told.append(f"U1,部门,{OCTOBER},praised,,,1")
    inputs = tmp_path / "counts.csv"
    inputs.write_text("\n".join(told) + "\n", encoding="utf-8")
    tried = [one.scored for one in try_scheme(read_scheme(GIVEN), inputs).units if one.period == OCTOBER]
    assert {unit.unit: unit.score_100 for unit in tried} == SCORES
    assert {(line.code, unit.unit): line.points for unit in tried for line in unit.indicators} == {
        (code, unit): D(one) for code, three in POINTS.items() for unit, one in zip(NAMES, three, strict=True)
    }


def test_a_line_says_what_it_was_held_against_and_from_where(city, september, october):
    told = lines(city, OCTOBER, "value, reference_value, compared_value, earlier")
    value, reference, compared, earlier = told["than_before", "U1"]
    assert (value, reference, compared) == (D("83.3333"), D(50), D("33.3333"))
    (one,) = earlier
    assert (one["period"], one["numerator"], one["denominator"]) == (SEPTEMBER, "2", "4")
    assert (one["release_id"], one["revision"]) == (september.release_id, 1)
    assert told["place", "U2"][2:] == (3, None)
    pooled = lines(city, OCTOBER, "pooled_numerator, pooled_denominator, denominator, value")
    assert pooled["pooled", "U2"] == (4, 5, 2, D(80)) and pooled["pooled", "U1"][:2] == (None, None)
    named = dict(rows(city, "select indicator_code, part_of from publish.indicator where period = %s", OCTOBER))
    assert {code: whole for code, whole in named.items() if whole} == {
        "closed": "prompt",
        "overdue_items": "prompt",
        "praised": "prompt",
        "by_limit": "composite",
        "by_dispatch": "composite",
    }


def test_a_unit_reads_why(city, october):
    found = explain_release(city, "U1", OCTOBER)
    by_code = {part.code: part for part in found.indicators}
    assert by_code["closed"].part_of == "prompt" and by_code["closed"].name_zh == "及时性·按时办结率"
    assert sum(cost.lost for cost in by_code["by_limit"].costs) == D("3.50")
    (cost,) = by_code["closed"].costs
    assert (cost.lost, cost.marginal) == (D("1.67"), D("1.67"))
    (entry,) = by_code["praised"].entries
    assert entry.marginal == D("-1.00")
    text = render(found)
    assert "上期（2026-09 第 1 次发布） 50%，差额 +33.3333 个百分点" in text
    assert "同组第 2 名" in text
    other = render(explain(city, "U2", OCTOBER))
    assert "本期 2 件，与 2026-09 第 1 次发布 合并为 4/5" in other


def test_what_struck_a_unit_has_its_rows(city, october):
    """U1 has 86 points and an overdue case: no better than 良."""
    assert dict(rows(city, "select unit_code, band from publish.unit_score where period = %s", OCTOBER)) == {
        "U1": "良",
        "U2": "良",
        "U3": "优",
    }
    told = lines(city, OCTOBER, "has_happened")
    assert [told["struck", unit] for unit in NAMES] == [True, True, False] and told["place", "U1"] is None
    part = next(one for one in explain_release(city, "U1", OCTOBER).indicators if one.code == "struck")
    assert [cost.lost for cost in part.costs] == [D("0.00")] and part.costs[0].case_no
    assert "逾期件 发生（发生 1 次以上的，不得评为“良”以上）" in render(explain_release(city, "U1", OCTOBER))


def test_what_was_published_is_proven_from_what_it_recorded(city, october):
    found = verify(city, OCTOBER)
    assert found.is_ok and found.differences == ()
    drawn = verify(city, OCTOBER, cases=100)
    assert drawn.is_ok and drawn.differences == ()


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_it_is_exported_in_every_format(city, october, tmp_path, form):
    out = tmp_path / f"out.{form}"
    export(city, OCTOBER, out, Asked(form))
    assert out.stat().st_size > 500
    if form == "json":
        assert "及时性·按时办结率" in json.dumps(json.loads(out.read_text("utf-8")), ensure_ascii=False)


def test_a_change_of_the_rule_is_simulated(city, october, tmp_path):
    told = yaml.safe_load(GIVEN.read_text("utf-8"))
    told["indicators"][0]["parts"][1]["scoring"]["per_item"] = 3
    told["indicators"][2]["compared"]["to"] = "group_mean"
    told["indicators"][2]["compared"] = {"to": "group_mean", "as": "difference", "at_least": 3}
    told["indicators"][2]["scoring"] = {"function": "per", "below": 0, "deduct": 1}
    draft = tmp_path / "draft.yml"
    draft.write_text(yaml.safe_dump(told, allow_unicode=True), encoding="utf-8")
    found = what_if(city, "linan", read_scheme(draft), OCTOBER)
    assert not found.is_recounted
    moves = {move.unit_code: move for move in found.moves}
    # U1: one overdue at 3, and 83.33 is above the mean of 77.78: 86 − 2 + 2
    assert moves["U1"].now.score_100 == D("86.00") and moves["U1"].change == 0
    # U2: one overdue at 3, and 27.78 below the mean: 20 points lost of 20, where the place cost 4
    assert moves["U2"].now.score_100 == D("43.50")
    told["indicators"][5]["pooled"] = {"below": 7, "at_most": 1}  # other earlier rows: counted anew
    draft.write_text(yaml.safe_dump(told, allow_unicode=True), encoding="utf-8")
    assert what_if(city, "linan", read_scheme(draft), OCTOBER).is_recounted


def test_who_revises_a_month_is_told_what_rests_on_it(city, shen, october):
    """Another case of September comes in, late: October took other numbers, and stays as it is."""
    deliver(city, [cases(SEPTEMBER)[0] | {"工单编号": "3301202609000099", "办结时间": "2026-09-28 10:00:00"}])
    build(city)
    closing = revise(city, SEPTEMBER, why="补报一件")
    (later,) = closing.later
    assert (later.period, later.revision, later.units) == (OCTOBER, 1, 1)
    assert "后期    2026-10 第 1 次发布：1 家单位所用的本期数据有变" in render_closing(closing)
    approve(shen, closing)
    publish(shen, SEPTEMBER, why=UNWITNESSED)
    before = verify(city, OCTOBER)
    assert before.is_ok and before.differences == ()  # proven from the release that it names
    again = revise(city, OCTOBER, why="九月已修订")
    moved = diff(city, OCTOBER, again.revision, "linan")
    assert {one.unit_code for one in moved.units} == {"U1"}
    approve(shen, again)
    publish(shen, OCTOBER, why=UNWITNESSED)
    # 2 of 5 in September: 43.33 more, the cap of 3 holds; 5 → 6 cases is 20 % more: 9 points
    assert lines(city, OCTOBER)["fewer", "U1"] == D("9.00")
    assert verify(city, OCTOBER).differences == ()

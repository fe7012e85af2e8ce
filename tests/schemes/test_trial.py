"""A trial gives the published results back, and says what it assumed. No database is asked."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from minhu.cli import minhu
from minhu.errors import Refused
from minhu.schemes import find_scheme, try_scheme
from minhu.scoring import render_trial
from minhu.settings import PROJECT_ROOT

CONFIG = PROJECT_ROOT / "config"
HEADER = "unit,peer_group,period,indicator_code,numerator,denominator,value"


@pytest.fixture
def tried(tmp_path: Path):
    """Tries a shipped scheme on lines of the file."""

    def run(scheme: str, *lines: str, header: str = HEADER, encoding: str = "utf-8"):
        path = tmp_path / "counts.csv"
        path.write_text("\n".join((header, *lines)) + "\n", encoding=encoding)
        return try_scheme(find_scheme(CONFIG, scheme), path)

    return run


def points(trial, unit: str) -> dict[str, str | None]:
    (found,) = (one for one in trial.as_json()["units"] if one["unit"] == unit)
    return {part["indicator_code"]: part["points"] for part in found["indicators"]}


def total(trial, unit: str) -> str:
    return next(one["total"] for one in trial.as_json()["units"] if one["unit"] == unit)


# 连云港: what its bulletins published


def test_tower_of_august_2021(tried):
    trial = tried(
        "lianyungang",
        "铁塔,市直,2021-08,sign_on_time,6,7,",
        "铁塔,市直,2021-08,close_on_time,5,6,",
        "铁塔,市直,2021-08,satisfaction,,,100",
        "铁塔,市直,2021-08,reply_quality,,,10",
        "铁塔,市直,2021-08,other,,,34",
    )
    assert points(trial, "铁塔") == {
        "sign_on_time": "0.71",
        "close_on_time": "8.33",
        "satisfaction": "25.00",
        "reply_quality": "10.00",
        "other": "34.00",
    }
    assert total(trial, "铁塔") == "78.04"
    assert trial.notes == ()


def test_what_is_not_given_costs_nothing_and_is_told(tried):
    trial = tried(
        "lianyungang",
        "碱业,municipal,2021-07,close_on_time,4,5,",
        "碱业,municipal,2021-07,other,,,34",
        "碱业,municipal,2021-07,satisfaction,,,",
    )
    assert total(trial, "碱业") == "84.00"
    assert points(trial, "碱业")["close_on_time"] == "5.00"
    assert trial.notes == (
        "及时签收率（sign_on_time）未给出数据，按满分计：碱业（2021-07）",
        "回访满意率（satisfaction）未给出数据，按满分计：碱业（2021-07）",
        "答复规范（reply_quality）未给出数据，按无加减分计：碱业（2021-07）",
    )
    text = render_trial(trial)
    assert "合计 84.00 分" in text and "注：答复规范" in text and "及时签收率（未给出）" in text


def test_the_sports_bureau_of_february_2022(tried):
    trial = tried(
        "lianyungang",
        "体育局,市直,2022-02,sign_on_time,,,80",
        "体育局,市直,2022-02,satisfaction,,,50%",
        "体育局,市直,2022-02,reply_quality,,,9",
        "体育局,市直,2022-02,other,,,34",
    )
    assert total(trial, "体育局") == "75.50"


@pytest.mark.parametrize(
    ("unit", "period", "given", "published"),
    [
        ("连职院", "2021-07", {"sign_on_time": "6,7,"}, "89.71"),
        ("万联能源", "2022-02", {"sign_on_time": ",,77.27", "satisfaction": ",,70.59"}, "76.80"),
        ("碱业", "2022-02", {"close_on_time": ",,66.67", "satisfaction": ",,66.67"}, "66.50"),
        ("农发集团", "2023-01", {"satisfaction": ",,50"}, "86.50"),
    ],
)
def test_more_of_its_bulletins(tried, unit, period, given, published):
    scheme = "lianyungang" if period < "2022-08" else "lianyungang_2022"
    given |= {"other": ",,34"}
    trial = tried(scheme, *(f"{unit},市直,{period},{code},{counts}" for code, counts in given.items()))
    assert total(trial, unit) == published


@pytest.mark.parametrize(
    ("scheme", "period", "given", "expected"),
    [
        ("lianyungang_2022", "2022-08", ",,75", "13.50"),
        ("lianyungang_2022", "2022-08", ",,71.43", "12.50"),
        ("lianyungang_2022", "2022-08", "5,7,", "12.50"),
        ("lianyungang_2022", "2022-08", "7,8,87.50", "19.75"),
        ("lianyungang_2022", "2023-01", ",,83.33", "17.67"),  # 新奥燃气
        ("lianyungang", "2022-07", "7,8,", "21.25"),  # 95 % until July: 25 − 0.5 × 7.5
        ("lianyungang_2022", "2026-10", ",,98", "25.00"),
    ],
)
def test_the_target_rose_in_august_2022_and_is_of_the_province_s_dispatches(tried, scheme, period, given, expected):
    trial = tried(scheme, f"某局,市直,{period},satisfaction,{given}")
    assert points(trial, "某局")["satisfaction"] == expected
    rows = find_scheme(CONFIG, scheme).indicator("satisfaction").rows
    assert (rows and rows.dispatch_sources) == (("province",) if scheme.endswith("2022") else None)


def test_close_on_time_of_january_2023(tried):
    trial = tried("lianyungang_2022", "交通局,市直,2023-01,close_on_time,,,89.82")
    assert points(trial, "交通局")["close_on_time"] == "14.82"


@pytest.mark.parametrize(
    ("unit", "rates", "published"),
    [
        ("大洼区", (98.06, 99.00, 100, 100), "99.3"),
        ("盘山县", (98.44, 98.37, 100, 100), "99.2"),
        ("兴隆台区", (97.95, 98.44, 100, 99.96), "99.1"),
        ("双台子区", (96.21, 94.01, 100, 100), "97.4"),
        ("高新区", (100, 100, 100, 100), "100.0"),
        ("辽滨经开区", (99.25, 97.02, 100, 100), "99.0"),
    ],
)
def test_panjin_of_january_to_april_2023(tried, unit, rates, published):
    codes = ("closed", "satisfaction", "feedback", "called_back")
    trial = tried("panjin", *(f"{unit},,2023-04,{code},,,{rate}" for code, rate in zip(codes, rates, strict=True)))
    assert total(trial, unit) == published


def test_a_county_s_result_weighs_one_and_a_half_times_as_much(tried):
    trial = tried("lianyungang", "某县,县,2022-02,sign_on_time,6,7,", "某区,区,2022-02,sign_on_time,6,7,")
    county, district = trial.as_json()["units"]
    assert (county["total"], county["assessed_points"], county["group_points"]) == ("90.71", "136.07", "150")
    assert (district["total"], district["assessed_points"], district["peer_group_code"]) == (
        "90.71",
        "90.71",
        "district",
    )
    assert county["rank_in_group"] == district["rank_in_group"] == 1  # groups are ranked apart


# 赵巷镇: reckoned by hand


def test_zhaoxiang_by_formula(tried):
    trial = tried(
        "zhaoxiang",
        "甲村,村居,2023-05,intake,30,,",  # 30 of 120: a quarter of 5
        "甲村,村居,2023-05,contacted,7,9,",  # 30 × 7/9
        "甲村,村居,2023-05,resolved,1,8,",  # one is enough
        "甲村,村居,2023-05,satisfaction,2.4,4,",  # 1 + 0.8 + 0.6 + 0 of 4
        "甲村,村居,2023-05,overdue,2,,",
        "乙村,村居,2023-05,intake,90,,",
        "乙村,村居,2023-05,resolved,0,3,",
        "丙科,科室,2023-05,intake,5,,",
    )
    assert points(trial, "甲村") == {
        "intake": "1.25",
        "contacted": "23.33",
        "resolved": "20.00",
        "satisfaction": "24.00",
        "overdue": "-2.00",
    }
    assert total(trial, "甲村") == "66.58"
    assert points(trial, "乙村")["intake"] == "3.75"
    assert points(trial, "乙村")["resolved"] == "0.00"
    assert points(trial, "乙村")["contacted"] is None  # left out of both sides
    assert points(trial, "丙科")["intake"] == "5.00"  # alone in its group


def test_sanlv_weighs_30_35_35(tried):
    trial = tried("sanlv", *(f"某镇,镇街,2024-03,{code},9,10," for code in ("response", "resolved", "satisfaction")))
    assert points(trial, "某镇") == {"response": "27.00", "resolved": "31.50", "satisfaction": "31.50"}
    assert trial.units[0].scored.rank_in_group == 1
    few = tried("sanlv", "某镇,镇街,2024-03,resolved,3,4,")
    assert few.units[0].scored.not_ranked_reason == "too_few"
    assert few.units[0].scored.score_100 == Decimal("75.00")


def test_yulin_lists_the_first_five_of_a_group_and_the_last_five_of_all(tried):
    counties = [f"县{n},县市区,2023-01,close_on_time,{80 + n},100," for n in range(1, 8)]
    departments = [f"局{n},市直部门,2023-01,close_on_time,{90 + n},100," for n in range(1, 4)]
    trial = tried("yulin", *counties, *departments)
    listed = {unit.scored.unit: unit.scored.listed_on for unit in trial.units}
    assert [unit for unit, on in listed.items() if on and "黑榜" in on] == ["县1", "县2", "县3", "县4", "县5"]
    red = [unit for unit, on in listed.items() if on and "红榜" in on]
    assert red == ["县3", "县4", "县5", "县6", "县7", "局1", "局2", "局3"]


def test_linan_weighs_departments_and_towns_differently(tried):
    trial = tried("linan", "甲局,部门,2026-10,close_on_time,96,100,", "甲镇,linan_town,2026-10,close_on_time,90,100,")
    assert [unit.scored.assessed_points for unit in trial.units] == [Decimal("4.50"), Decimal("1.67")]


# Statistics


def test_rates_stand_with_their_interval_and_their_funnel(tried):
    trial = tried(
        "lianyungang",
        "甲,市直,2022-01,close_on_time,6,7,",
        "乙,市直,2022-01,close_on_time,20,22,",
        "丙,市直,2022-01,close_on_time,150,200,",
        "丁,市直,2022-01,close_on_time,400,400,",
    )
    parts = {unit.scored.unit: unit.scored.indicator("close_on_time") for unit in trial.units}
    assert (parts["甲"].wilson_low, parts["甲"].wilson_high) == (Decimal("0.4869"), Decimal("0.9743"))
    assert (parts["乙"].wilson_low, parts["乙"].wilson_high) == (Decimal("0.7219"), Decimal("0.9747"))
    assert {unit: part.funnel_flag for unit, part in parts.items()} == {
        "甲": None,
        "乙": None,
        "丙": "low_99_8",
        "丁": "high_99_8",
    }


# The file


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("某局,市直,2021-13,other,,,34", r":2: period: '2021-13' is no period"),
        (
            "某局,市直,2020-12,other,,,34",
            r":2: period: 2020-12 is not scored: .* from 2021-01-01 until before 2022-08-01, by month",
        ),
        ("某局,市直,2021,other,,,34", r":2: period: 2021 is not scored"),
        (",市直,2021-08,other,,,34", r":2: unit: is empty"),
        (
            "某局,镇街,2021-08,other,,,34",
            r":2: peer_group: '镇街' is none of county \(县\), district \(区\), municipal",
        ),
        ("某局,市直,2021-08,speed,,,34", r":2: indicator_code: 'speed' is none of sign_on_time, close_on_time, "),
        ("某局,市直,2021-08,other,34,35,", r":2: numerator: other is entered by hand"),
        ("某局,市直,2021-08,other,,,36", r":2: value: other has points from 0 to 35"),
        ("某局,市直,2021-08,sign_on_time,8,7,", r":2: numerator: is above the denominator"),
        ("某局,市直,2021-08,sign_on_time,8,,", r":2: denominator: is empty: give numerator and"),
        ("某局,市直,2021-08,sign_on_time,,,101", r":2: value: is above 100 percent"),
        ("某局,市直,2021-08,sign_on_time,-1,7,", r":2: numerator: is below 0"),
        ("某局,市直,2021-08,sign_on_time,six,7,", r":2: numerator: 'six' is no number"),
        ("某局,市直,2021-08,sign_on_time,NaN,7,", r":2: numerator: 'NaN' is no number that"),
        ("某局,市直,2021-08,sign_on_time,6,7,85", r":2: value: 85 is not what the counts make: 85.71"),
        ("某局,市直,2021-08,sign_on_time,6,7,,9", r":2: more cells than columns"),
    ],
)
def test_what_is_wrong_in_the_file_is_told_with_line_and_column(tried, line, complaint):
    with pytest.raises(Refused, match=complaint):
        tried("lianyungang", line)


def test_a_unit_has_one_group_and_each_indicator_once(tried):
    first = "某局,市直,2021-08,other,,,34"
    with pytest.raises(Refused, match=r":3: indicator_code: other of 某局 in 2021-08 is given twice"):
        tried("lianyungang", first, first)
    with pytest.raises(Refused, match=r":3: peer_group: 某局 is in 市直 in an earlier line"):
        tried("lianyungang", first, "某局,区,2021-08,reply_quality,,,9")
    with pytest.raises(Refused, match=r":2: no row"):
        tried("lianyungang")
    with pytest.raises(Refused, match=r":1: 'points' is no column"):
        tried("lianyungang", header=HEADER + ",points")
    with pytest.raises(Refused, match=r":1: the column period is missing"):
        tried("lianyungang", header="unit,peer_group,indicator_code,value")


def test_a_spreadsheet_s_encodings_are_read(tried):
    line = "某局, 市直 ,2021-08,other,,,34"
    for encoding in ("utf-8-sig", "gb18030"):
        assert total(tried("lianyungang", line, encoding=encoding), "某局") == "99.00"


def test_the_command_prints_decimal_strings(tmp_path):
    path = tmp_path / "counts.csv"
    path.write_text(f"{HEADER}\n某局,市直,2021-08,satisfaction,853,2000,\n", encoding="utf-8")
    told = CliRunner().invoke(minhu, ["schemes", "try", "lianyungang", "--inputs", str(path), "--json"])
    assert told.exit_code == 0, told.output
    (unit,) = json.loads(told.output)["units"]
    assert {"unit": "某局", "peer_group": "市直", "period": "2021-08", "total": "87.50"}.items() <= unit.items()
    assert {"indicator_code": "satisfaction", "points": "12.50"}.items() <= unit["indicators"][2].items()
    assert "某局 · 市直" in CliRunner().invoke(minhu, ["schemes", "try", "lianyungang", "--inputs", str(path)]).output

"""What readers are told of a scheme beside its scores: the law as it held in the period."""

from decimal import Decimal

import pytest
import yaml

from minhu.schemes import Scheme, load_scheme
from minhu.schemes.period import Period
from minhu.scoring.law import LAW, law
from minhu.settings import PROJECT_ROOT
from tests.scoring.city import GIVEN

EXAM = yaml.safe_load((GIVEN / "exam.yml").read_text(encoding="utf-8"))


def told(changed: dict, period: str = "2026-10") -> dict:
    return law(Scheme.model_validate(EXAM | changed), Period.parse(period))


def changed(code: str, **more: object) -> dict:
    """The scheme with an indicator that says more."""
    indicators = [one | more if one["code"] == code else one for one in EXAM["indicators"]]
    return {"indicators": indicators}


def one_of(rows: list[dict], code: str) -> dict:
    return next(row for row in rows if row["indicator_code"] == code)


def test_an_indicator_is_told_with_its_numbers_and_its_rule():
    scheme = load_scheme(PROJECT_ROOT / "config" / "schemes" / "linan.yml")
    row = one_of(law(scheme, Period.parse("2026-10"))["dim_indicator"], "return_rate")
    assert (row["indicator_no"], row["indicator_name_zh"], row["indicator_name_en"]) == (5, "退单率", "Denied returns")
    assert (row["value_unit"], row["value_unit_zh"], row["better"]) == ("percent", "百分比", "lower")
    assert (row["points_max"], row["target"], row["is_example"]) == (Decimal(10), Decimal(2), True)
    assert row["formula_zh"].endswith("；满分 10 分，目标 2%，每高于目标 1 个百分点扣 1 分，最低 0 分")
    assert (
        one_of(law(scheme, Period.parse("2026-10"))["dim_indicator"], "violation_not_handled")["value_unit"] == "items"
    )


def test_a_number_that_differs_by_group_is_told_in_words_alone():
    groups = [group["code"] for group in EXAM["peer_groups"]]
    target = [{"value": 95}, {"value": 90, "peer_groups": [groups[1]]}]
    rule = {"function": "linear_deduction", "target": target, "per_point": 1, "floor": 0}
    row = one_of(told(changed("close_on_time", scoring=rule))["dim_indicator"], "close_on_time")
    assert row["target"] is None and row["points_max"] is not None
    names = [group["name_zh"] for group in EXAM["peer_groups"]]
    assert f"{names[0]}：" in row["formula_zh"] and f"{names[1]}：" in row["formula_zh"]
    assert "目标 95%" in row["formula_zh"] and "目标 90%" in row["formula_zh"]


def test_a_number_is_that_of_the_period():
    target = [{"value": 95}, {"value": 98, "from": "2026-10-01"}]
    rule = {"function": "linear_deduction", "target": target, "per_point": 1, "floor": 0}
    scheme = changed("close_on_time", scoring=rule)
    found = {month: one_of(told(scheme, month)["dim_indicator"], "close_on_time") for month in ("2026-09", "2026-10")}
    assert {month: row["target"] for month, row in found.items()} == {"2026-09": Decimal(95), "2026-10": Decimal(98)}
    assert {row["scheme_version"] for row in found.values()} == {Scheme.model_validate(EXAM | scheme).scheme_version}


def test_a_band_says_where_it_ends():
    bands = told({"bands": [{"name_zh": "好", "name_en": "good", "at_least": 80}, {"name_zh": "差", "at_least": 0}]})
    assert [(row["band"], row["band_name_en"], row["at_least"], row["below"]) for row in bands["dim_band"]] == [
        ("好", "good", Decimal(80), None),
        ("差", None, Decimal(0), Decimal(80)),
    ]


@pytest.mark.parametrize("given", [{}, {"name_en": "On time"}])
def test_an_english_name_is_kept_and_one_that_is_not_given_changes_no_entry(given):
    scheme = Scheme.model_validate(EXAM | changed("close_on_time", **given))
    (_, _, data), *_ = scheme.entries()
    part = next(one for one in data["indicators"] if one["code"] == "close_on_time")
    assert {"name_en": part["name_en"]} == given if given else "name_en" not in part
    assert Scheme.from_entry(data) == scheme
    row = one_of(law(scheme, Period.parse("2026-10"))["dim_indicator"], "close_on_time")
    assert row["indicator_name_en"] == given.get("name_en", "Closed on time")


def test_scores_join_the_law_without_a_row_lost_or_doubled(october):
    joined = october.rows(
        "select count(*), count(i.indicator_code), count(g.peer_group), count(s.title_zh),"
        " count(*) filter (where f.points_max is distinct from i.points_max and i.points_max is not null),"
        " (select count(*) from mart.fct_unit_indicator)"
        " from mart.fct_unit_indicator as f"
        " left join mart.dim_indicator as i using (scheme_id, scheme_version, period, indicator_code)"
        " left join mart.fct_unit_score as u using (scheme_id, scheme_version, period, unit_code)"
        " left join mart.dim_peer_group as g using (scheme_id, scheme_version, period, peer_group)"
        " left join mart.dim_scheme as s using (scheme_id, scheme_version, period)"
    )
    ((rows, *told),) = joined
    assert rows > 20 and told == [rows, rows, rows, 0, rows]
    banded = "select count(*), count(b.band_no) from mart.fct_unit_score left join mart.dim_band as b"
    ((units, found),) = october.rows(f"{banded} using (scheme_id, scheme_version, period, band) where band is not null")
    assert units == found > 0


def test_every_table_of_the_law_is_written(october):
    for table in LAW:
        ((written,),) = october.rows(f"select count(*) from mart.{table}")
        scheme = load_scheme(GIVEN / "exam.yml")
        assert written == len(law(scheme, Period.parse("2026-10"))[table]) > 0, table

"""Every lost point leads to the rows that cost it, each with its case number, file and row."""

import json
from decimal import Decimal

import pytest

from minhu import database
from minhu.errors import Refused
from minhu.scoring import explain, render, render_scores
from tests.scoring.test_score import POINTS


@pytest.mark.parametrize("unit", sorted(POINTS))
def test_the_parts_sum_to_the_loss_exactly(october, unit):
    for part in explain(october.settings, unit, "2026-10").indicators:
        assert sum(cost.lost for cost in part.costs) == (part.lost or 0), part.code
        assert part.lost is None or part.lost == part.points_max - part.points


@pytest.mark.parametrize("unit", ["D1", "D6"])
def test_each_length_of_lateness_says_its_clock(october, unit):
    """What the finding says in natural time, the arithmetic says too, beside working time where it knows it."""
    costs = [
        cost for part in explain(october.settings, unit, "2026-10").indicators for cost in part.costs if cost.clock
    ]
    late = [cost for cost in costs if cost.finding_zh.startswith("超时")]
    assert late
    for cost in late:
        length, is_told, _ = cost.finding_zh.removeprefix("超时 ").partition("（自然时）")
        said = cost.clock.text_zh.rpartition("；")[2]
        assert is_told and (f"{length}（自然时" in said or said.endswith(f" 个工作分钟（自然时 {length}）")), said


def part_of(october, unit, indicator):
    (part,) = explain(october.settings, unit, "2026-10", indicator).indicators
    return part


def test_a_late_closing_is_told_with_its_rule_its_times_and_where_they_were_read(october):
    part = part_of(october, "D1", "close_on_time")
    (cost,) = part.costs
    assert (part.numerator, part.denominator, part.points, part.lost) == (5, 6, Decimal("8.33"), Decimal("11.67"))
    assert part.rule_zh == "满分 20 分，目标 95%，每低于目标 1 个百分点扣 1 分，最低 0 分"
    assert cost.lost == Decimal("11.67")
    assert (cost.feed_code, cost.case_no) == ("h12345", "NOa0008")
    assert cost.finding_zh == "超时 4 天 9 小时（自然时）办结"
    assert cost.rule_zh == "5 个工作日内办结"
    assert f"{cost.dispatched_at:%m-%d %H:%M} {cost.due_at:%m-%d %H:%M} {cost.occurred_at:%m-%d %H:%M}" == (
        "10-09 09:00 10-16 00:00 10-20 09:00"
    )
    assert [(source.step_zh, source.source_name, source.row_number) for source in cost.sources] == [
        ("派单", "events.csv", 1008),
        ("办结", "events.csv", 3008),
    ]


@pytest.mark.parametrize(
    ("unit", "indicator", "findings"),
    [
        (
            "D6",
            "close_on_time",
            {"a0015": "超时 9 小时 12 分钟（自然时）办结", "a0016": "截至 2026-10-31 24:00 未办结"},
        ),
        ("D6", "sign_on_time", {"a0015": "超时 15 小时（自然时）签收", "a0016": "截至 2026-10-31 24:00 未签收"}),
        ("D6", "resolved", {"c0017": "回访：未解决，非常不满意"}),
        ("D6", "return_rate", {"a0016": "退单申请被驳回 2 次"}),
        ("D7", "resolved", {"c0023": "回访：解释说明，基本满意"}),
        ("T1", "improper", {"v0031": "效能督查认定：处置不当"}),
        ("T3", "close_on_time", {"a0037": "截至 2026-10-31 24:00 未办结"}),  # closed after the period
        ("D2", "close_on_time", {}),
    ],
)
def test_each_finding_is_told_in_words(october, unit, indicator, findings):
    assert {cost.subject_id: cost.finding_zh for cost in part_of(october, unit, indicator).costs} == findings


def test_a_cap_is_split_over_all_that_ran_into_it(october):
    part = part_of(october, "T1", "not_handled")
    assert [cost.lost for cost in part.costs] == [Decimal("4.00")] * 3
    assert [source.step_zh for source in part.costs[0].sources] == ["派单", "效能督查认定"]
    assert {source.row_number for cost in part.costs for source in cost.sources[1:]} == {4028, 4029, 4030}


def test_a_loss_that_does_not_divide_is_split_to_the_cent(october):
    part = part_of(october, "T4", "resolved")
    assert part.lost == Decimal("24.37")  # over 13 callbacks: 1.87 each leaves 0.06
    assert [str(cost.lost) for cost in part.costs] == ["1.88"] * 6 + ["1.87"] * 7
    assert part.costs[0].sources[-1].source_name == "callbacks.csv"


def test_a_unit_is_found_by_its_code_and_by_any_of_its_names(october):
    with database.connect(october.settings) as connection:
        connection.execute(
            "insert into mart.dim_unit_name (unit_name, valid_from, valid_to, unit_code, unit_codes, resolution)"
            " values ('某局', null, '2026-11-01', 'D1', 'D1', 'register'),"
            " ('某局', '2026-11-01', null, 'D2', 'D2', 'register')"
        )
    found = [explain(october.settings, name, "2026-10") for name in ("D1", "单位D1", "某局")]
    assert found[0] == found[1] == found[2]
    assert (found[0].unit_name, found[0].rank_in_group, found[0].ranked_in_group) == ("单位D1", 4, 5)


def test_the_text_names_the_score_the_loss_and_the_rows(october):
    text = render(explain(october.settings, "D1", "2026-10"))
    assert text.startswith(
        "单位D1（D1） 2026-10 手算办法\n部门 · 得分 53.42 / 100 · 月度参考折算 2.40 / 4.5 分 · 不合格"
    )
    assert "按时办结率 失 11.67 分" in text
    assert "  -11.67  12345 热线 NOa0008：超时 4 天 9 小时（自然时）办结\n" in text
    assert "时限 2026-10-15 24:00 · 办结 2026-10-20 09:00 · 规则：5 个工作日内办结" in text
    assert "来源：派单 events.csv 第 1008 行；办结 events.csv 第 3008 行" in text
    assert "48.7%–97.4%" in text


def test_the_text_of_many_rows_is_short_unless_one_indicator_is_asked_for(october):
    every = render(explain(october.settings, "T4", "2026-10"), limit_rows=3)
    one = render(explain(october.settings, "T4", "2026-10", "resolved"), limit_rows=3)
    assert "其余 10 行未列出：加 --indicator resolved 查看全部" in every
    assert one.count("回访 callbacks.csv") == 13


def test_units_that_are_not_ranked_are_told_why(october):
    assert "部门 · 本期无到期事项，不参加排名" in render(explain(october.settings, "D4", "2026-10"))
    assert "部门 · 本期无派单，不参加排名" in render(explain(october.settings, "D5", "2026-10"))
    table = render_scores(october.result)
    assert "排名 9 个单位，不排名 4 个" in table
    assert "本期无派单，不参加排名" in table
    assert "其余 7 个未列出" in render_scores(october.result, limit_units=1)


def test_the_json_holds_exact_numbers(october):
    told = json.loads(json.dumps(explain(october.settings, "D1", "2026-10", "sign_on_time").as_json()))
    (part,) = told["indicators"]
    assert (part["points"], part["lost"], part["costs"][0]["lost"]) == ("0.71", "9.29", "9.29")
    assert part["costs"][0]["due_at"] == "2026-10-10T18:00:00+08:00"
    assert told["score_100"] == "53.42"


def test_facts_built_after_the_scoring_are_pointed_out(october):
    assert not explain(october.settings, "D1", "2026-10").is_stale
    with database.connect(october.settings) as connection:
        connection.execute(
            "insert into audit.build (config_version, code_version, status) values (1, 'test', 'succeeded')"
        )
    try:
        found = explain(october.settings, "D1", "2026-10")
        assert found.is_stale
        assert "评分之后事实已有更新，请重新运行 minhu score 2026-10" in render(found)
    finally:
        with database.connect(october.settings) as connection:
            connection.execute("delete from audit.build where build_id > 1")


@pytest.mark.parametrize(
    ("unit", "period", "indicator", "complaint"),
    [
        ("某某局", "2026-10", None, "no unit is called '某某局'"),
        ("X1", "2026-10", None, "X1 was not scored in 2026-10: it is in no peer group"),
        ("D1", "2026-09", None, "2026-09 has not been scored: run `minhu score 2026-09` first"),
        ("D1", "2026-9", None, "'2026-9' is no period"),
        ("D1", "2026-10", "punctuality", "exam has no indicator 'punctuality'; it has sign_on_time, close_on_time"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_one_line(october, unit, period, indicator, complaint):
    with pytest.raises(Refused, match=complaint):
        explain(october.settings, unit, period, indicator)

"""A sentence of a 考核办法 finds how it is said; a slip says so where it is plain what was meant, and only there."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from minhu.cli import minhu
from minhu.errors import BadDeclaration
from minhu.schemes import read_scheme
from minhu.schemes.sayings import kinds, say, sayings, vocabulary

HEAD = """\
id: draft
title: 草案
legal_basis: [{title: 办法}]
valid_from: 2026-01-01
periods: {month: final}
peer_groups: [{code: town, name_zh: 镇街, points: 100}]
bands: [{name_zh: 优, at_least: 90}, {name_zh: 差, at_least: 0}]
indicators:
  - {code: full, name_zh: 满分, measure: close_on_time, moment: due_at, points: 100, scoring: {function: proportional}}
"""


def refusal(tmp_path: Path, indicator: str) -> str:
    """What is said of a scheme with one more indicator."""
    path = tmp_path / "draft.yml"
    path.write_text(f"{HEAD}  - {indicator}\n", encoding="utf-8")
    with pytest.raises(BadDeclaration) as refused:
        read_scheme(path)
    return str(refused.value)


@pytest.mark.parametrize("saying", sayings(), ids=lambda saying: saying.sentence)
def test_each_sentence_finds_itself_first(saying):
    near = say(saying.sentence)
    assert near[0].saying is saying
    assert len(near) <= 3 and all(one.nearness < near[0].nearness for one in near[1:])


@pytest.mark.parametrize("saying", sayings(), ids=lambda saying: saying.sentence)
def test_each_is_found_by_what_people_try(saying):
    assert saying.tried
    for word in saying.tried:
        assert saying in [near.saying for near in say(word)], word


def test_a_sentence_and_a_word_tried_stand_once():
    sentences = [saying.sentence for saying in sayings()]
    tried = [word for saying in sayings() for word in saying.tried]
    assert len(set(sentences)) == len(sentences)
    assert len(set(tried)) == len(tried)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("满意率每高 1 个百分点加 0.2 分", "both"),
        ("满意率低于全市平均值的扣分", "below_mean"),
        ("环比下降扣分", "better"),
        ("同比上升的每1%扣0.1分", "fewer"),
        ("年度排名第一得 10 分，每降一个名次扣 1 分", "place"),
        ("总分封顶 100", "unhappy"),
        ("加倍扣分", "late_again"),
        ("不足１个百分点按１个百分点计", "provincial"),  # full-width, as papers are typed
        ("发现弄虚作假一票否决", "fraud"),
        ("每件扣1分，上限5分", "not_handled"),
        ("响应率占10%，解决率占45%，满意率占45%", "composite"),
        ("受理量占全组比重", "load"),
        ("被通报批评的取消评优资格", "late_twice"),
    ],
)
def test_what_another_city_writes_finds_it(asked, code):
    assert say(asked)[0].saying.indicator["code"] == code


@pytest.mark.parametrize(
    "asked",
    ["今天天气很好", "公务员年休假五天", "领导重视、经费保障到位", "工作人员态度", "召开会议次数", "95%", "zzz"],
)
def test_what_nobody_writes_finds_nothing(asked):
    assert say(asked) == []


def test_the_command_tells_the_yaml_or_the_kinds_that_there_are():
    told = CliRunner().invoke(minhu, ["schemes", "say", "满意率每高", "1", "个百分点加", "0.2", "分"])
    assert told.exit_code == 0
    assert "scoring: {function: per, above: 90, add: 0.2}\n  # 93/100 → 0.6" in told.output
    nothing = CliRunner().invoke(minhu, ["schemes", "say", "今天天气很好"]).output
    assert nothing.startswith("没有与“今天天气很好”相近的说法")
    assert all(f"\n{kind.name_zh}：" in nothing for kind in kinds())
    as_json = json.loads(CliRunner().invoke(minhu, ["schemes", "say", "一票否决", "--json"]).output)
    assert as_json["nearest"][0]["says"].startswith("code: fraud")
    assert len(as_json["kinds"]) == len(kinds())


# Beside a slip


@pytest.mark.parametrize(
    ("indicator", "hint"),
    [
        (
            "{code: x1, name_zh: 加分, measure: satisfaction, moment: called_at, points: 0,"
            " scoring: {function: bonus_above_target, target: 90}}",
            "scoring: {function: per, above: 90, add: 0.2}",
        ),
        ("{code: x1, name_zh: 弄虚作假, points: 0, veto: true, scoring: {function: manual}}", "score_at_most: 0"),
        ("{code: x1, name_zh: 违规, points: 0, scoring: {function: veto}}", "score_at_most: 0"),
        (
            "{code: x1, name_zh: 满意率, measure: satisfaction, moment: called_at, points: 10,"
            " scoring: {function: rank}}",
            "compared: {to: group_rank",
        ),
        (
            "{code: x1, name_zh: 逾期, measure: overdue, moment: due_at, aggregate: count, points: 0, double: true,"
            " scoring: {function: per, above: 0, deduct: 1}}",
            "repeated: {same: case",
        ),
        (
            "{code: x1, name_zh: 办结率, note: 环比提高的，每提高1个百分点加0.2分, measure: close_on_time,"
            " moment: due_at, points: 0, scoring: {function: improved_by}}",
            "compared: {to: previous",
        ),
    ],
)
def test_a_slip_says_how_what_was_meant_is_said(tmp_path, indicator, hint):
    told = refusal(tmp_path, indicator).splitlines()
    (line,) = [one for one in told if "这样写" in one]
    assert hint in line and line.startswith("    这样写（say it so）：")
    assert told[told.index(line) - 2].startswith(f"{tmp_path}/draft.yml:10: indicators.1")  # below its own slip


@pytest.mark.parametrize(
    "indicator",
    [
        # typos of the language, though the words beside them would find something
        "{code: x1, name_zh: 满意率, note: 每高1个百分点加0.2分, mesure: satisfaction, moment: called_at, points: 0,"
        " scoring: {function: per, above: 90, add: 0.2}}",
        "{code: x1, name_zh: 满意率, note: 每高1个百分点加0.2分, measure: satisfaction, moment: called_at, points: 0,"
        " scoring: {function: per, abov: 90, add: 0.2}}",
        "{code: x1, name_zh: 满意率, note: 按比例得分, measure: satisfaction, moment: called_at, points: 9,"
        " scoring: {function: proportionl}}",
        "{code: x1, name_zh: 得分, points: 9, rank: true, scoring: {function: manual}}",  # ranks
        # numbers, measures and moments that are wrong
        "{code: x1, name_zh: 满意率, note: 每高1个百分点加0.2分, measure: satisfied, moment: called_at, points: 0,"
        " scoring: {function: per, above: 90, add: 0.2}}",
        "{code: x1, name_zh: 满意率, note: 每低1个百分点扣1分, measure: satisfaction, moment: called_at, points: -1,"
        " scoring: {function: linear_deduction, target: 90, per_point: 1}}",
        # said so already
        "{code: x1, name_zh: 满意率, note: 每高于90% 1个百分点加0.2分, measure: satisfaction, moment: called_at,"
        " points: 0, scoring: {function: per, above: 90, below: 80, add: 0.2}}",
        "{code: x1, name_zh: 满意率, note: 每高1个百分点加0.2分, measure: satisfaction, moment: called_at,"
        " points: 0, colour: red, scoring: {function: per, above: 90, add: 0.2}}",
        # nothing is near
        "{code: x1, name_zh: 会议, points: 0, scoring: {function: meetings}}",
    ],
)
def test_a_slip_of_another_kind_is_told_as_it_was(tmp_path, indicator):
    told = refusal(tmp_path, indicator)
    assert "这样写" not in told and f"{tmp_path}/draft.yml:10: indicators.1" in told


def test_a_hint_stands_once_for_an_indicator_and_elsewhere_too(tmp_path):
    twice = refusal(tmp_path, "{code: x1, name_zh: 违规, points: 0, veto: true, scoring: {function: veto}}")
    assert twice.count("这样写") == 1
    path = tmp_path / "draft.yml"
    path.write_text(HEAD + "veto: [弄虚作假]\n", encoding="utf-8")
    with pytest.raises(BadDeclaration, match=r"这样写.*score_at_most: 0"):
        read_scheme(path)


def test_what_is_wrong_everywhere_is_told_all_the_same(tmp_path):
    path = tmp_path / "draft.yml"
    for listed in ("indicators: veto", "indicators: [veto]", "indicators: {rank: 1}", "indicators: []"):
        path.write_text(HEAD.partition("indicators:")[0] + listed + "\n", encoding="utf-8")
        with pytest.raises(BadDeclaration, match="indicators"):
            read_scheme(path)


def test_what_people_try_is_no_key_of_the_language_where_it_is_tried():
    functions = {saying.indicator["scoring"]["function"] for saying in sayings()}
    assert functions <= vocabulary() and {"per_item", "compared", "weighed", "grids"} & vocabulary()
    assert {word for saying in sayings() for word in saying.tried} & functions == set()

"""A scheme told back: whoever signed the paper finds each of its sentences again."""

from datetime import date

import pytest
from click.testing import CliRunner

from minhu.cli import minhu
from minhu.schemes import load_schemes, read_scheme
from minhu.schemes.told import told
from minhu.settings import PROJECT_ROOT
from tests.scoring.city import GIVEN

SENTENCES = [
    "自 2026-01-01 起施行。",
    "年度（正式），由若干最好月份的平均而得：取得分最高的 2 个",
    "2. 省派工单按时办结率",
    "只计：省级平台",
    "计分：满分 10 分，低于 95% 的部分每 1 个百分点扣 1 分，不足的按一个计",
    "只计：急办、紧急；热线 h12345；分类（含下级） 11；区域（含下级） 330112；未要求保密",
    "计分：满分 10 分，≥95 得 10 分，≥45 得 5 分，按比例插值，其余 0 分",
    "计分：超过 30% 的部分每 1 个百分点加 0.2 分，不足的不计",
    "计分：每 1 件扣 0.5 分，2 以内不扣，超过后计超出部分",
    "计分：每 1 件扣 0.5 分，2 以内不扣，超过后计全部",
    "加重：同一工单在同一季度内再次发生的，自第二次起按 2 倍计",
    "计数：受理量，首轮主办派单数；平均到网格",
    "计分：满分 40 分，人工评分，录入的得分 × 0.4，0–40 分，附依据",
    "计分：发生 1 次以上的，一票否决，不参加排名",
    "计分：发生 2 次以上的，总分不高于 50.5 分，不得评为“合格”以上",
    "12. 年度扣分（只在年度）",
    "优秀 ≥ 90，合格 ≥ 40，不合格 ≥ 0。",
]


def test_each_rule_stands_in_it_in_the_order_of_the_file():
    text = told(read_scheme(GIVEN / "rules.yml"))
    at = 0
    for sentence in SENTENCES:
        found = text.find(sentence, at)
        assert found >= 0, sentence
        at = found


@pytest.mark.parametrize("scheme", load_schemes(PROJECT_ROOT / "config"), ids=lambda one: one.scheme_id)
def test_every_scheme_that_ships_is_told_whole(scheme):
    text = told(scheme)
    assert all(one.name_zh in text for one in (*scheme.peer_groups, *scheme.indicators, *scheme.bands))
    assert all(limit.text in text for limit in scheme.limits) and "None" not in text


def test_the_numbers_are_those_of_the_day(tmp_path):
    text = (PROJECT_ROOT / "config" / "schemes" / "linan.yml").read_text(encoding="utf-8")
    risen = text.replace(
        "target: 95, per_point: 1, floor: 0", "target: [{value: 95}, {value: 98, from: 2026-08-01}], per_point: 1"
    )
    draft = tmp_path / "draft.yml"
    draft.write_text(risen, encoding="utf-8")
    scheme = read_scheme(draft)
    assert "目标 95%，每低于目标 1 个百分点扣 1 分" in told(scheme)
    assert "目标 98%，每低于目标 1 个百分点扣 1 分" in told(scheme, date(2026, 8, 1))


def test_the_command_tells_a_file():
    shown = CliRunner().invoke(minhu, ["schemes", "explain", str(GIVEN / "rules.yml"), "--on", "2026-10-01"])
    assert shown.exit_code == 0 and shown.output.startswith("各地常见条款\n（rules，版本 ")
    assert "按 2026-10-01 有效的数值" in shown.output

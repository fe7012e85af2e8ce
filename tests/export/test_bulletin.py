"""The bulletin says what it must, in order, and says nothing that the scheme does not publish."""

from dataclasses import replace
from string import Formatter

import pytest

from minhu.export.blocks import Table, Text, texts
from minhu.export.bulletin import bulletin
from minhu.export.public import suppress
from minhu.export.words import TEXT, Words
from tests.export.given import RELEASE, moment, ranked, report

ZH = Words("zh")


def headings(blocks):
    return [block.text for block in blocks if isinstance(block, Text) and block.role == "heading"]


def tables(blocks):
    return [block for block in blocks if isinstance(block, Table)]


def all_text(blocks):
    return "\n".join(texts(blocks))


def test_the_chapters_come_in_the_order_of_a_bulletin():
    told = headings(bulletin(report(), ZH))
    assert told == ["一、总体情况", "二、分组得分", "三、主要指标", "四、扣分较多的单位", "五、说明"]


def test_a_draft_says_so_and_names_no_release():
    told = all_text(bulletin(report(), ZH))
    assert "未发布·试算稿" in told and "发布编号" not in told


def test_a_release_tells_its_number_revision_hash_approver_and_date():
    told = all_text(bulletin(report(release=RELEASE), ZH))
    assert "发布编号 7　修订号 2　审批人 reviewer1　发布时间 2026-11-05 09:30" in told
    assert f"结果哈希 {RELEASE.hash}" in told
    assert "试算" not in told


def test_an_unfinished_period_and_newer_facts_are_told():
    told = all_text(bulletin(report(is_complete=False, is_stale=True, as_of=moment(20, 0)), ZH))
    assert "本期数据未满：统计截止 2026-10-19 24:00，期末为 2026年10月31日。" in told
    assert "评分之后事实已有更新" in told and "统计截止2026年10月19日24时" in told
    assert "本期数据未满" not in all_text(bulletin(report(), ZH))


def test_flags_are_explained_only_where_there_are_any():
    told = all_text(bulletin(report(), ZH))
    assert "↑↓ 为漏斗图标记" in told and "漏斗标记：" in told
    calm = replace(report(), groups=report().groups[1:])
    assert "漏斗" not in all_text(bulletin(calm, ZH))


def test_an_indicative_month_says_so_and_a_final_year_does_not():
    assert "本期得分为参考，不是年度考评结果。" in all_text(bulletin(report(), ZH))
    assert "本期得分为参考" not in all_text(bulletin(report(kind="final"), ZH))


def test_without_ranking_units_stand_by_band_and_no_place_is_told():
    blocks = bulletin(report(), ZH)
    first = tables(blocks)[0]
    assert [column.title for column in first.columns] == ["单位", "档次", "得分（百分制）", "折算（4 分）"]
    assert [row.cells[0] for row in first.rows] == ["单位D1", "单位D2", "单位D3"]
    assert "先后不代表名次" in all_text(blocks)


def test_where_the_scheme_ranks_the_places_are_told():
    first = tables(bulletin(ranked(report()), ZH))[0]
    assert first.columns[0].title == "名次"
    assert [row.cells[0] for row in first.rows] == ["1", "2", "3"]


def test_a_unit_without_a_case_is_listed_apart_with_its_reason():
    apart = tables(bulletin(report(), ZH))[2]
    assert [row.cells for row in apart.rows] == [("单位D4", "部门", "本期无派单，不参加排名")]
    assert "单位D4" not in {row.cells[0] for table in tables(bulletin(report(), ZH))[:2] for row in table.rows}


def test_beside_every_rate_stand_its_counts_and_its_interval():
    departments = tables(bulletin(report(), ZH))[3]
    cells = {row.cells[0]: row.cells[1:] for row in departments.rows}
    assert cells["单位D1"] == ("75.00%\n18/24\n55.1–88.0%", "0.00%\n0/24\n0.0–13.8%", "0")
    assert cells["单位D3"][0] == "66.67%↓↓\n60/90\n56.4–75.6%"
    assert cells["单位D4"] == ("—", "—", "0")
    assert cells["合计"] == ("73.75%\n118/160\n66.4–80.0%", "8.44%\n13/154\n5.0–13.9%", "5")


def test_who_lost_most_comes_first_with_what_cost_it():
    lost = tables(bulletin(report(), ZH))[5]
    assert [row.cells for row in lost.rows[:2]] == [
        ("单位D3", "合格", "27.00", "按时办结率 −20.00（60/90）；不处置 −5.00（5）；退单率 −2.00（7/70）"),
        ("单位D1", "良好", "7.50", "按时办结率 −7.50（18/24）"),
    ]


def test_the_notes_say_how_each_group_is_scored():
    rules = {row.cells[0]: row.cells for row in tables(bulletin(report(), ZH))[-1].rows}
    told = "部门，部门的规则：目标 95%；镇街，镇街的规则：目标 95%（在时限内办结的比例。）"
    assert rules["按时办结率"] == ("按时办结率", "20", told)


def test_an_annex_takes_the_points_of_a_unit_apart():
    told = all_text(bulletin(report(), ZH, annexes=["D1"]))
    assert "附件1　单位D1失分明细" in told
    assert "12345 热线\nNO202610090001234" in told and "超时 9 小时 12 分钟办结\n5 个工作日内办结" in told
    assert "2026-10-15 24:00" in told  # the end of a day, not 0:00 of the next


def test_the_public_version_names_no_worst_and_withholds_small_counts():
    blocks = bulletin(suppress(report()), ZH)
    assert headings(blocks)[-1] == "四、说明" and "扣分较多的单位" not in all_text(blocks)
    towns = tables(blocks)[1]
    assert [row.cells for row in towns.rows] == [("单位T1", "优秀", "＊", "＊"), ("单位T2", "良好", "＊", "＊")]
    assert "6/7\n" not in all_text(blocks) and "8.33" not in all_text(blocks)


def test_in_english_nothing_of_ours_is_chinese():
    blocks = bulletin(report(), Words("en"))
    ours = [*headings(blocks), *(column.title for column in tables(blocks)[0].columns)]
    assert all(text.isascii() for text in ours)


@pytest.mark.parametrize("key", sorted(TEXT))
def test_both_languages_say_the_same_with_the_same_values(key):
    chinese, english = ({name for _, name, *_ in Formatter().parse(text) if name} for text in TEXT[key])
    fields = [{name.partition(".")[0] for name in names} for names in (chinese, english)]
    assert fields[0] == fields[1]
    assert not any("\u4e00" <= one <= "\u9fff" for one in TEXT[key][1])

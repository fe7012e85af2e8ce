"""The bulletin says what it must, in order, and says nothing that the scheme does not publish."""

import re
from dataclasses import replace
from string import Formatter

from minhu.export.bulletin import bulletin
from minhu.export.public import suppress
from minhu.export.report import Issuer
from minhu.export.words import TEXT, Words
from minhu.paper.blocks import PageBreak, Table, Text, texts
from minhu.publish.diff import Change, Moved
from tests.export.given import DIFF, LATE, RELEASE, group, moment, ranked, report, rich

ZH = Words("zh")
OFFICE = Issuer("某某市综合业绩考评办公室", "（盖章）")


def headings(blocks):
    return [block.text for block in blocks if isinstance(block, Text) and block.role == "heading"]


def tables(blocks):
    return [block for block in blocks if isinstance(block, Table)]


def all_text(blocks):
    return "\n".join(texts(blocks))


def test_the_chapters_come_in_the_order_of_a_bulletin():
    told = headings(bulletin(report(), ZH))
    assert told == ["一、总体情况", "二、分组得分", "三、主要指标", "四、扣分较多的单位", "五、说明"]


def test_a_draft_says_so_and_names_no_release_and_nobody_issues_it():
    told = all_text(bulletin(report(issuer=OFFICE), ZH))
    assert "未发布·试算稿" in told and "发布编号" not in told
    assert OFFICE.name not in told and OFFICE.seal_line not in told


def test_a_first_publication_has_no_revision_to_tell():
    first = replace(RELEASE, revision=1, newest_revision=1, why=None)
    assert "修订" not in all_text(bulletin(report(release=first), ZH))
    assert "修订" not in ZH.foot(report(release=first)) and "修订号 2" in ZH.foot(report(release=RELEASE))
    assert "修订号" not in dict(ZH.identity(report(release=first)))
    assert "revision" not in all_text(bulletin(report(release=first), Words("en")))


def test_who_issues_it_the_day_and_the_seal_stand_at_its_end_before_the_annexes():
    blocks = bulletin(report(release=RELEASE, issuer=OFFICE), ZH, annexes=["D1"])
    at = next(at for at, block in enumerate(blocks) if isinstance(block, Text) and block.role == "seal")
    assert blocks[at].text == "某某市综合业绩考评办公室\n2026年11月5日\n（盖章）"
    assert isinstance(blocks[at + 1], PageBreak) and blocks[at + 2].text == "附件1　单位D1失分明细"
    bare = bulletin(report(release=RELEASE), ZH)
    assert not any(isinstance(block, Text) and block.role == "seal" for block in bare)


def test_who_is_not_registered_by_name_is_never_told_by_login():
    told = all_text(bulletin(report(release=replace(RELEASE, approved_by=None)), ZH))
    assert "审批 姓名未登记（仅凭登录）" in told


def test_no_table_has_one_row():
    alone = replace(report(), groups=(group("town", "镇街", report().groups[1].units[0]),))
    for given in (report(), rich(), alone, suppress(rich()), ranked(report())):
        for words in (ZH, Words("en")):
            blocks = bulletin(given, words, annexes=["D1", "T1"])
            assert [len(table.rows) for table in tables(blocks) if len(table.rows) < 2] == []
    assert "单位：单位T1；档次：优秀；百分制得分：100.00；折算（4 分）：4.00" in all_text(bulletin(alone, ZH))
    assert not any(row.is_total for table in tables(bulletin(alone, ZH)) for row in table.rows)


def test_a_release_tells_its_number_revision_hash_approver_and_date():
    told = all_text(bulletin(report(release=RELEASE), ZH))
    assert "发布编号 7　修订号 2　审批 考评科 乙某（仅凭登录）　发布时间 2026-11-05 09:30" in told
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
    assert [column.title for column in first.columns] == ["单位", "档次", "百分制得分", "折算（4 分）"]
    assert [row.cells[0] for row in first.rows] == ["单位D1", "单位D2", "单位D3"]
    assert "先后不代表名次" in all_text(blocks)


def test_where_the_scheme_ranks_the_places_are_told():
    first = tables(bulletin(ranked(report()), ZH))[0]
    assert first.columns[0].title == "名次"
    assert [row.cells[0] for row in first.rows] == ["1", "2", "3"]


def test_a_unit_without_a_case_is_listed_apart_with_its_reason():
    assert Text("item", "单位：单位D4；同类组：部门；不排名原因：本期无派单，不参加排名") in bulletin(report(), ZH)
    assert "单位D4" not in {row.cells[0] for table in tables(bulletin(report(), ZH))[:2] for row in table.rows}


def test_beside_every_rate_stand_its_counts_and_its_interval():
    departments = tables(bulletin(report(), ZH))[2]
    cells = {row.cells[0]: row.cells[1:] for row in departments.rows}
    assert cells["单位D1"] == ("75.00%\n18/24\n55.1–88.0%", "0.00%\n0/24\n0.0–13.8%", "0")
    assert cells["单位D3"][0] == "66.67%↓↓\n60/90\n56.4–75.6%"
    assert cells["单位D4"] == ("—", "—", "0")
    assert cells["合计"] == ("73.75%\n118/160\n66.4–80.0%", "8.44%\n13/154\n5.0–13.9%", "5")


def test_a_period_without_units_says_so_and_has_no_empty_line():
    empty = replace(report(), groups=tuple(group(one.code, one.name) for one in report().groups))
    blocks = bulletin(empty, ZH)
    assert [block for block in blocks if isinstance(block, Text) and not block.text] == []
    assert Text("body", "本期没有纳入考评的单位。") in blocks and "每格依次为" not in all_text(blocks)


def test_who_lost_most_comes_first_with_what_cost_it():
    lost = tables(bulletin(report(), ZH))[4]
    assert [row.cells for row in lost.rows[:2]] == [
        ("单位D3", "合格", "27.00", "按时办结率 −20.00（60/90）；不处置 −5.00（5）；退单率 −2.00（7/70）"),
        ("单位D1", "良好", "7.50", "按时办结率 −7.50（18/24）"),
    ]


def test_a_revision_tells_who_moved_by_which_indicator_and_why():
    blocks = bulletin(rich(), ZH)
    assert headings(blocks)[1] == "二、修订情况"
    told = all_text(blocks)
    assert "与第 1 次发布相比，2 个单位的得分或档次有变化。修订原因：补报一批。" in told
    assert "2 个单位的得分、名次或档次有变化" in all_text(bulletin(ranked(rich()), ZH))
    assert "输入变化：新到批次 9：h12345 events 2026-10-31，1 行。" in told
    assert re.search("单位D1.*新到批次 9：h12345 events 2026-10-31，1 行.*1.*\\+5.00", told), (
        "one line, no table of one row"
    )
    assert [row.cells for row in tables(blocks)[0].rows] == [
        ("单位D1", "—", "百分制得分 80.00 → 85.00、档次 合格 → 良好"),
        ("单位D2", "—", "百分制得分 88.00 → 88.50"),
        ("单位D1", "按时办结率", "分子 17 → 18"),
    ]


def test_what_moved_is_written_as_all_other_numbers_and_in_the_language_of_the_paper():
    moved = (Change("value", "指标值", "87.5000", "89.3617"), Change("points", "得分", None, "24.36"))
    given = rich(diff=replace(DIFF, indicators=(Moved("D1", "单位D1", "close_on_time", moved),)))
    assert "指标值 87.50% → 89.36%、得分 无 → 24.36" in all_text(bulletin(given, ZH))
    told = all_text(bulletin(given, Words("en")))
    assert "Value 87.50% → 89.36%, Points none → 24.36" in told and "Band 合格 → 良好" in told
    plain = rich(diff=replace(DIFF, indicators=(Moved("D1", "单位D1", "not_handled", moved[:1]),)))
    assert "指标值 87.5 → 89.3617" in all_text(bulletin(plain, ZH))


def test_a_revision_that_another_replaced_says_so():
    told = all_text(bulletin(report(release=replace(RELEASE, newest_revision=4)), ZH))
    assert "本件为第 2 次发布，已由第 4 次发布取代。" in told
    assert "取代" not in all_text(bulletin(report(release=RELEASE), ZH))


def test_lists_and_second_rates_are_shown_only_where_the_scheme_has_them():
    blocks = bulletin(rich(), ZH, annexes=["D1"])
    at = next(at for at, block in enumerate(blocks) if block == Text("subheading", "黑榜"))
    assert blocks[at + 1] == Text("item", "单位：单位D3；同类组：部门；百分制得分：61.25")
    told = all_text(blocks)
    assert "75.00%\n18/24\n55.1–88.0%\n收缩 76.50%" in told and "同类组收缩值：" in told
    plain = all_text(bulletin(report(), ZH, annexes=["D1"]))
    assert "收缩" not in plain and "红黑榜" not in plain


def test_the_notes_say_how_each_group_is_scored():
    rules = {row.cells[0]: row.cells for row in tables(bulletin(report(), ZH))[-1].rows}
    told = "部门，部门的规则：目标 95%；镇街，镇街的规则：目标 95%（在时限内办结的比例。）"
    assert rules["按时办结率"] == ("按时办结率", "20", told)


def test_an_annex_takes_the_points_of_a_unit_apart():
    told = all_text(bulletin(report(), ZH, annexes=["D1"]))
    assert "附件1　单位D1失分明细" in told
    assert "12345 热线\nNO202610090001234" in told and "超时 9 小时 12 分钟（自然时）办结\n5 个工作日内办结" in told
    assert "2026-10-15 24:00" in told  # the end of a day, not 0:00 of the next
    assert "4.00\n+4.17" in told and f"5 个工作日内办结\n{LATE.text_zh}" in told


def test_the_public_version_names_no_worst_and_withholds_small_counts():
    blocks = bulletin(suppress(report()), ZH)
    assert headings(blocks)[-1] == "四、说明" and "扣分较多的单位" not in all_text(blocks)
    towns = tables(blocks)[1]
    assert [row.cells for row in towns.rows] == [("单位T1", "优秀", "＊", "＊"), ("单位T2", "良好", "＊", "＊")]
    assert "6/7\n" not in all_text(blocks) and "8.33" not in all_text(blocks)
    revised = all_text(bulletin(suppress(rich()), ZH))
    assert "1 个单位的档次有变化" in revised and "档次 合格 → 良好" in revised
    assert "88.00 → 88.50" not in revised and "17 → 18" not in revised and "批次 9" not in revised


def test_in_english_nothing_of_ours_is_chinese():
    blocks = bulletin(report(), Words("en"))
    ours = [*headings(blocks), *(column.title for column in tables(blocks)[0].columns)]
    assert all(text.isascii() for text in ours)


def test_both_languages_say_the_same_with_the_same_values():
    for key, both in TEXT.items():
        chinese, english = ({name for _, name, *_ in Formatter().parse(text) if name} for text in both)
        fields = [{name.partition(".")[0] for name in names} for names in (chinese, english)]
        assert fields[0] == fields[1], key
        assert not any("\u4e00" <= one <= "\u9fff" for one in both[1]), key

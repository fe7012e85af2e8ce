"""The commands and the files that people enter decisions with, each by a login of his own."""

import json

import pytest

from minhu import assess
from minhu.errors import MinhuError, Refused
from tests.scenarios.city import confirm


@pytest.fixture(scope="module")
def world_of(make_world):
    return make_world()


def test_an_appeal_from_filing_to_the_score_by_the_command_line(world_of):
    filed = world_of.cli(
        "d1", "appeals", "file", "h12345", "1", "--period", "2026-10", "--grounds", "mis_dispatched",
        "--statement", "来电人13812345678重复反映", "--evidence", "2026-17", "--indicator", "按时办结率",
    )  # fmt: skip
    assert filed == "申诉 1 已提交\n"
    (listed,) = json.loads(world_of.cli("d1", "appeals", "list", "--json"))
    assert (listed["state"], listed["statement"]) == ("filed", "来电人138****5678重复反映")
    assert listed["indicator_codes"] == ["close_on_time"]
    with pytest.raises(Refused, match="may not do this"):
        world_of.cli("d1", "appeals", "decide", "1", "granted", "--reason-code", "x", "--reason", "x")
    granted = world_of.cli(
        "ping", "appeals", "decide", "1", "granted", "--reason-code", "mis_dispatched", "--reason", "属实"
    )
    assert granted == "申诉 1 获准；待另一人复核：minhu approvals add appeal 1 --reason …\n"
    world_of.cli("gu", "exclusions", "add", "h12345", "2", "--reason-code", "outage", "--reason", "系统故障")
    waiting = json.loads(world_of.cli("shen", "approvals", "waiting", "--json"))
    assert [(one["subject_kind"], one["subject_id"], one["case_no"]) for one in waiting] == [
        ("appeal", 1, "1"),
        ("exclusion", 1, "2"),
    ]
    assert "minhu approvals add exclusion 1 --reason" in assess.waiting(world_of.city)
    assert world_of.cli("zhao", "approvals", "add", "appeal", "1", "--reason", "已复核") == "appeal 1 is approved\n"
    world_of.cli("zhao", "approvals", "add", "exclusion", "1", "--reason", "已复核")
    assert "(none)" in world_of.cli("shen", "approvals", "waiting")
    told = world_of.cli("owner", "build")
    assert "2 decisions, 2 cases touched" in told
    assert world_of.counts()["close_on_time"] == "0/4"
    table = world_of.cli("shen", "exclusions", "list")
    assert "appeal:1" in table and "decision:1" in table and "in_force" in table
    world_of.cli("gu", "exclusions", "revoke", "decision:1", "--reason", "复核后恢复")
    confirm(world_of.people["zhao"])
    states = {
        one["exclusion_id"]: one["state"] for one in json.loads(world_of.cli("gu", "exclusions", "list", "--json"))
    }
    assert states == {"appeal:1": "in_force", "decision:1": "revoked"}
    world_of.cli("d1", "appeals", "file", "h12345", "3", "--period", "2026-10", "--grounds", "x", "--statement", "x",
                 "--evidence", "x")  # fmt: skip
    assert world_of.cli("d1", "appeals", "withdraw", "2", "--reason", "不再申诉") == "申诉 2 已撤回\n"
    world_of.cli("ping", "appeals", "file", "h12345", "3", "--period", "2026-10", "--grounds", "x", "--statement", "x",
                 "--evidence", "x", "--unit", "U1", "--decide-by", "2030-01-04")  # fmt: skip
    assert "2030-01-04 24:00" in world_of.cli("ping", "appeals", "list") and "2030-01-05" in world_of.cli(
        "ping", "appeals", "list", "--json"
    )
    world_of.cli("ping", "violations", "add", "U1", "late_handling", "--found", "2026-10-21", "--reason", "督查通报",
                 "--case", "h12345", "6")  # fmt: skip
    told = world_of.cli("gu", "violations", "revoke", "1", "--reason", "不成立")
    assert told.startswith("violation 2 revokes 1; another login confirms it")
    confirm(world_of.people["zhao"])
    (listed,) = json.loads(world_of.cli("shen", "violations", "list", "--json"))
    assert (listed["case_no"], listed["state"]) == ("6", "revoked")


def test_manual_points_from_a_file_to_approval_by_the_command_line(world_of, tmp_path):
    path = tmp_path / "points.csv"
    path.write_text(
        "考核办法,考核周期,单位代码,指标代码,分值,理由,佐证材料\n"
        "scenarios,2026-10,U1,reply_quality,-2,通报扣分,3号\nscenarios,2026-10,U2,reply_quality,1.5,表扬加分,4号\n",
        encoding="gb18030",
    )
    assert "2 manual points await approval: 1, 2" in world_of.cli("ping", "manual-points", "load", str(path))
    with pytest.raises(Refused, match="line 2: the same was entered already, as manual point 1"):
        world_of.cli("gu", "manual-points", "load", str(path))
    with pytest.raises(Refused, match="another person"):
        world_of.cli("ping", "approvals", "add", "manual_point", "1", "--reason", "好")
    assert world_of.cli("gu", "approvals", "add", "manual_point", "1", "--reason", "与通报一致") == (
        "manual_point 1 is approved\n"
    )
    world_of.cli("gu", "approvals", "add", "manual_point", "2", "--reject", "--reason", "缺少依据")
    states = {
        one["manual_point_id"]: (one["state"], one["points"])
        for one in json.loads(world_of.cli("shen", "manual-points", "list", "--json"))
    }
    assert states == {1: ("in_force", "-2"), 2: ("rejected", "1.5")}
    assert "通报扣分" in world_of.cli("shen", "manual-points", "list")
    told = world_of.cli("ping", "manual-points", "revoke", "1", "--reason", "已撤销", "--evidence", "5号")
    assert told == "manual point 3, which revokes 1, awaits approval\n"
    verdicts = json.loads(world_of.cli("gu", "approvals", "list", "--json"))
    told = [one["verdict"] for one in verdicts if one["subject_kind"] == "manual_point"]
    assert told == ["approved", "rejected"]


HEADER = "考核周期,热线代码,工单编号,指标代码,申诉理由,情况说明,佐证材料\n"


def test_appeals_of_a_file_enter_together_or_not_at_all(world_of, tmp_path):
    path = tmp_path / "appeals.csv"
    path.write_text(
        HEADER
        + "2026-10,h12345,4,close_on_time,mis_dispatched,非本单位职责,2026-17\n"
        + "2026年10月,h12345,2,,mis_dispatched,非本单位职责,2026-18\n"
        + "2026-10,h12345,777,,mis_dispatched,非本单位职责,2026-19\n"
        + "2026-10,h12345,3,,,,2026-20\n"
        + "2026-10,h12345,4,,mis_dispatched,13812345678,多了,一格\n",
        encoding="utf-8-sig",
    )
    with pytest.raises(MinhuError) as refused:
        world_of.cli("d1", "appeals", "file", "--file", str(path))
    assert str(refused.value).splitlines() == [
        "appeals.csv: nothing was entered; mend and send it again",
        "  line 3, column period 考核周期: is no period; write a month as 2026-10, a quarter as 2026-Q4 or a year as"
        " 2026",
        "  line 4: 该热线没有这个工单编号 / no case of this hotline has this number",
        "  line 5, column grounds_code 申诉理由: is blank; it must be filled",
        "  line 5, column statement 情况说明: is blank; it must be filled",
        "  line 6: has 8 cells where the header has 7; quote commas",
    ]
    assert world_of.rows("select case_no from assess.appeal where case_no in ('4', '5')") == []
    path.write_text(
        HEADER
        + '2026-10,h12345,4,close_on_time；sign_on_time,mis_dispatched,"第一行\n第二行，电话13812345678",2026-17\n\n'
        + "2026-10,h12345,5,,mis_dispatched,非本单位职责,2026-18\n",
        encoding="utf-8",
    )
    assert world_of.cli("d1", "appeals", "file", "--file", str(path)).startswith("appeals.csv：已提交 2 件申诉：")
    filed = world_of.rows(
        "select unit_code, case_no, indicator_codes, statement from assess.appeal where case_no > '3' order by 2"
    )
    assert filed == [
        ("U1", "4", ["close_on_time", "sign_on_time"], "第一行\n第二行，电话138****5678"),
        ("U1", "5", None, "非本单位职责"),
    ]

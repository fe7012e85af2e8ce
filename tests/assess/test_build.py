"""What decisions do to facts and scores: with the next build, the same whether it is incremental or a full refresh."""

import pytest

from minhu import assess
from minhu.scoring import explain, render
from minhu.warehouse import build as build_module
from minhu.warehouse.build import BuildFailed, build
from minhu.warehouse.dbt import DbtRun, NodeResult
from tests.anew import same_anew
from tests.assess.conftest import WHY
from tests.scenarios.city import confirm, login_of


@pytest.fixture
def world_of(make_world):
    return make_world()


def test_decisions_enter_facts_and_scores_with_the_next_build(world_of):
    before = world_of.facts()
    assert world_of.counts() == {"close_on_time": "0/6", "sign_on_time": "6/6", "late": "0/0", "reply_quality": "0/0"}

    world_of.decide("ping", "exclude", 1, reason_code="statutory_channel", reason="已进入诉讼程序")
    world_of.appeal(2, "granted")
    world_of.appeal(3, "granted", indicator_codes=["close_on_time"])
    world_of.decide("gu", "exclude", 4, indicator_codes=["close_on_time"], reason_code="outage", reason="系统故障")
    world_of.appeal(5, "denied")
    violation = world_of.decide(
        "ping", "enter_violation", 6, unit_code="U1", violation_code="late_handling", found_at="2026-10-21 09:00+08",
        reason="督查通报", assignment_id=world_of.assignment(6),
    )  # fmt: skip
    on_unit = world_of.decide(
        "ping", "enter_violation", unit_code="U1", violation_code="late_handling", found_at="2026-10-22 09:00+08",
        reason="督查通报",
    )  # fmt: skip
    assert world_of.facts() == before, "a decision waits for the next build"

    built = build(world_of.city)
    assert (built.taken, built.decisions, built.touched_cases) == (0, 7, 5)
    assert world_of.counts() == {"close_on_time": "0/2", "sign_on_time": "4/4", "late": "2/2", "reply_quality": "0/0"}
    assert world_of.excluded() == {
        ("1", "close_on_time", "statutory_channel"),
        ("1", "sign_on_time", "statutory_channel"),
        ("2", "close_on_time", "mis_dispatched"),
        ("2", "sign_on_time", "mis_dispatched"),
        ("3", "close_on_time", "mis_dispatched"),
        ("4", "close_on_time", "outage"),
    }
    assert world_of.rows("select violation_id, case_id is null, entered_by from mart.fct_violation order by 1") == [
        (f"violation:{violation}", False, login_of(world_of.people["ping"])),
        (f"violation:{on_unit}", True, login_of(world_of.people["ping"])),
    ]
    told = render(explain(world_of.city, "U1", "2026-10", "late"))
    login = login_of(world_of.people["ping"])
    assert (
        "12345 热线 6：效能督查认定：逾期处置\n      " in told and f"认定 人工录入（{login}） 第 {violation} 条" in told
    )
    assert "未关联工单：效能督查认定：逾期处置" in told and f"认定 人工录入（{login}） 第 {on_unit} 条" in told
    assert build(world_of.city).build_id is None
    same_anew(world_of.city, world_of.facts)


def test_what_is_revoked_leaves_no_trace_in_the_facts(world_of):
    before = world_of.facts()
    excluded = world_of.decide("ping", "exclude", 1, **WHY)
    filed = world_of.appeal(2, "granted", indicator_codes=["close_on_time"])
    found = {"unit_code": "U1", "violation_code": "late_handling", "found_at": "2026-10-21 09:00+08", "reason": "督查"}
    entered = [
        world_of.decide("ping", "enter_violation", 3, **found),
        world_of.decide("ping", "enter_violation", **found),
    ]
    build(world_of.city)
    assert world_of.counts() == {"close_on_time": "0/4", "sign_on_time": "5/5", "late": "2/2", "reply_quality": "0/0"}
    world_of.decide("gu", "revoke_exclusion", exclusion_id=f"decision:{excluded}", reason="复核后恢复")
    world_of.decide("gu", "revoke_exclusion", exclusion_id=f"appeal:{filed}", reason="复核后恢复")
    for one in entered:
        world_of.decide("gu", "revoke_violation", violation_id=one, reason="复核不成立")
    build(world_of.city)
    assert world_of.facts() == before
    same_anew(world_of.city, world_of.facts)


def test_a_failed_build_leaves_the_decisions_for_the_next(world_of, monkeypatch):
    before = world_of.facts()
    world_of.decide("ping", "exclude", 1, **WHY)
    broken = DbtRun((NodeResult("model.fct_case", "error", 0.1, None, "broken on purpose"),))
    with monkeypatch.context() as patched:
        patched.setattr(build_module.dbt, "run", lambda *_, **__: broken)
        with pytest.raises(BuildFailed, match="broken on purpose"):
            build(world_of.city)
    assert world_of.facts() == before
    built = build(world_of.city)
    assert (built.decisions, built.touched_cases) == (1, 1)
    assert world_of.rows("select case_no from mart.fct_case where is_excluded") == [("1",)]
    taken = world_of.rows(
        "select status, kind from audit.build_decision join audit.build using (build_id) order by build_id"
    )
    assert taken == [("failed", "exclusion"), ("succeeded", "exclusion")]


def test_a_build_takes_what_two_persons_decided(world_of):
    before = world_of.facts()
    made = assess.record(world_of.people["ping"], "exclude", feed_code="h12345", case_no="1", **WHY)
    assert build(world_of.city).build_id is None and world_of.facts() == before
    confirm(world_of.people["gu"])
    assert build(world_of.city).decisions == 1
    assert world_of.rows("select case_no from mart.fct_case where is_excluded") == [("1",)]
    assess.record(world_of.people["gu"], "revoke_exclusion", exclusion_id=f"decision:{made}", reason="复核后恢复")
    assert build(world_of.city).build_id is None
    assert world_of.rows("select case_no from mart.fct_case where is_excluded") == [("1",)]
    confirm(world_of.people["ping"])
    assert build(world_of.city).decisions == 1 and world_of.facts() == before


@pytest.mark.long
def test_a_decision_made_during_a_build_waits_for_the_next(world_of, monkeypatch):
    real = build_module.dbt.run

    def run(*arguments, **named):
        world_of.decide("ping", "exclude", 2, **WHY)
        return real(*arguments, **named)

    world_of.decide("ping", "exclude", 1, **WHY)
    with monkeypatch.context() as patched:
        patched.setattr(build_module.dbt, "run", run)
        assert build(world_of.city).decisions == 1
    assert world_of.rows("select case_no from mart.fct_case where is_excluded") == [("1",)]
    listed = {one["case_no"]: one["state"] for one in assess.listing(world_of.people["ping"], "exclusions")}
    assert listed == {"1": "in_force", "2": "next_build"}
    assert build(world_of.city).decisions == 1
    assert world_of.rows("select case_no from mart.fct_case where is_excluded order by 1") == [("1",), ("2",)]

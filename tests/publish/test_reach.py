"""What is computed anew to prove a period: each case that can count in it, as staging tells, and not all there are."""

import pytest

from minhu import assess, database
from minhu.publish import close, publish, recompute, verify
from minhu.warehouse.build import build
from tests.publish import city as world
from tests.publish.city import UNWITNESSED, case, deliver, login, rows

MONTH = "2026-10"
NO = {"转办时间": "", "办结时间": "", "办理期限": ""}


def old(number, day, **how):
    """A case whose events come by themselves."""
    return case(number, "城管局", **{"受理时间": f"{day} 08:30:00", **NO, "来电号码": f"1390000{number:04}", **how})


def told(number, event_type, at, unit="城管局", **more):
    return {
        "case_no": case(number, "")["工单编号"],
        "event_type": event_type,
        "occurred_at": at,
        "unit_name": unit,
    } | more


COUNT = {  # cases that count in October, and by what
    20: "closed in September; its limit, by the rule, ends in October",
    22: "dispatched in March; the ticket says a day of October",
    24: "dispatched in June; twice extended into October",
    25: "closed in March; the citizen is asked in October",
    26: "closed in March; inspectors find in October what was wrong",
    27: "dispatched in March; urged and closed in October, by which another scheme may count",
}


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    made = world.make(scratch, tmp_path_factory.mktemp("reach"))
    days = {20: "2026-09-24", 22: "2026-03-02", 23: "2026-03-03", 24: "2026-06-01", 25: "2026-03-04", 26: "2026-03-05",
            27: "2026-03-06", 28: "2026-09-28"}  # fmt: skip
    again = {"来电号码": "13800009999"}
    deliver(made, [old(number, day, **(again if number == 28 else {})) for number, day in days.items()])
    deliver(made, [case(29, "城管局", 来电号码="13800009999", 受理时间="2026-10-09 08:30:00")])
    events = [
        *(told(number, "DISPATCH", f"{day} 09:00:00") for number, day in days.items() if number != 22),
        told(22, "DISPATCH", "2026-03-02 09:00:00", due_at="2026-10-20 00:00:00", limit_kind="close"),
        *(told(number, "CLOSE", f"{days[number]} 15:00:00") for number in (20, 23, 25, 26)),
        told(24, "EXTEND_REQUEST", "2026-06-02 09:00:00", due_at="2026-10-14 18:00:00"),
        told(24, "EXTEND_GRANT", "2026-06-02 10:00:00", due_at="2026-10-14 18:00:00"),
        told(27, "URGE", "2026-10-10 09:00:00"),
        told(27, "CLOSE", "2026-10-11 09:00:00"),
    ]
    deliver(made, events, delivery="events")
    called = {"case_no": case(25, "")["工单编号"], "called_at": "2026-10-22 10:00:00", "unit_name": "城管局",
              "is_reached": "true", "resolution_code": "unresolved", "satisfaction_code": "dissatisfied"}  # fmt: skip
    deliver(made, [called], delivery="callbacks")
    build(made)
    gu, qian = login(made, "reach_gu", "evaluator"), login(made, "reach_qian", "evaluator")
    found = {"unit_code": "U1", "violation_code": "late_handling", "found_at": "2026-10-21 09:00+08", "reason": "督查"}
    about = {"feed_code": "h1", "case_no": case(26, "")["工单编号"]}
    assess.record(gu, "enter_violation", **found, **about)
    with database.connect(made) as connection:
        waiting = connection.execute("select violation_id from assess.violation").fetchall()
    for (number,) in waiting:
        approval = {"subject_kind": "violation", "subject_id": str(number), "verdict": "approved", "reason": "已核对"}
        assess.record(qian, "approve", **approval)
    build(made)
    world.judge(qian, close(made, MONTH))
    publish(made, MONTH, why=UNWITNESSED)
    return made


@pytest.fixture
def computed(monkeypatch):
    """What was computed of each verification: the cases, and the rows that were counted."""
    seen = []
    real = recompute._compare

    def look(connection, *rest):
        counted = "select indicator_code, unit_code, subject_id, numerator_value, denominator_value, excluded_reason"
        touched = connection.execute("select case_id from minhu_verify.touched_case where is_rebuilt").fetchall()
        seen.append(
            (
                {one for (one,) in touched},
                sorted(connection.execute(f"{counted} from minhu_verify.counted_row"), key=str),
            )
        )
        return real(connection, *rest)

    monkeypatch.setattr(recompute, "_compare", look)
    return seen


def test_all_that_counts_is_computed_and_what_cannot_is_not(city, computed):
    assert verify(city, MONTH).is_ok
    assert verify(city, MONTH, every_case=True).is_ok
    (some, counted), (every, counted_of_all) = computed
    ids = {case_no: case_id for case_id, case_no in rows(city, "select case_id, case_no from mart.fct_case")}
    assert counted == counted_of_all != []
    assert {number: ids[case(number, "")["工单编号"]] in some for number in COUNT} == dict.fromkeys(COUNT, True)
    assert every - some == {ids[case(23, "")["工单编号"]]}, "dispatched and closed in March, and of no more"
    of_cases = {case_id for (case_id,) in rows(city, "select distinct case_id from mart.fct_indicator_case")}
    assert {ids[case(number, "")["工单编号"]] for number in COUNT if number != 27} <= of_cases, "they do count"


def test_a_case_that_was_kept_out_of_the_facts_is_missed(city):
    """What is computed is told by staging: facts that were altered before a closing do not say what to look at."""
    with database.connect(city) as connection:
        connection.execute("delete from mart.fct_timeliness where case_id in (select case_id from mart.fct_case"
                           " where case_no = %s)", [case(20, "")["工单编号"]])  # fmt: skip
    assert verify(city, MONTH).is_ok, "the release stands by what was sent"

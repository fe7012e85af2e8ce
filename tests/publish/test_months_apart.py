"""A published period whose rows were taken out of staging: what is proven without them, and how it is revised."""

from datetime import date

import pytest

from minhu import database
from minhu.audit.trace import trace
from minhu.audit.trace_text import render_trace
from minhu.errors import Refused
from minhu.publish import close, publish, revise, verify
from minhu.warehouse.build import build
from minhu.warehouse.detached import attach, detach, read
from tests.publish import city as world
from tests.publish.city import UNWITNESSED, case, deliver, login, rows

MONTH = "2026-10"
MARCH, OCTOBER = date(2026, 3, 1), date(2026, 10, 1)


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    made = world.make(scratch, tmp_path_factory.mktemp("months"))
    march = {"受理时间": "2026-03-03 08:30:00", "转办时间": "2026-03-03 09:00:00", "办结时间": "2026-03-04 09:00:00"}
    deliver(made, [case(40, "城管局", **march, 来电号码="13900000040", 办理期限="2026-03-09 00:00")])
    build(made)
    world.judge(login(made, "months_gu", "evaluator"), close(made, MONTH))
    publish(made, MONTH, why=UNWITNESSED)
    return made


def notes(found):
    return [note for note in found.notes if "移出" in note]


def test_without_the_rows_hashes_are_checked_and_the_files_are_named(city):
    number = case(1, "")["工单编号"]
    detach(city, MARCH)
    assert verify(city, MONTH).differences == (), "nothing of March counts in October"
    assert verify(city, MONTH, every_case=True).differences is None, "whoever asks for every case needs March, too"
    detach(city, OCTOBER)
    found = verify(city, MONTH)
    with database.connect(city) as connection:
        months = {f"{one.month_on:%Y-%m}": one for one in read(connection)}
    [note] = notes(found)
    assert "2026-10" in note and all(file.sha256[:12] in note for file in months[MONTH].files)
    assert found.differences is None and found.is_ok and found.changed_inputs == (), "every row is accounted for"
    assert notes(verify(city, MONTH, cases=3)) == [note]
    told = render_trace(trace(city, "h1", number))
    assert "接入数据已随 2026-10 移出" in told and "minhu months attach 2026-10" in told


def test_a_revision_brings_back_what_it_needs_by_itself(city):
    """Runs after the one above: October and March are out."""
    late = {"case_no": case(5, "")["工单编号"], "event_type": "REWORK", "occurred_at": "2026-10-28 09:00:00"}
    deliver(city, [late | {"unit_name": "城管局"}], date(2026, 11, 20), "events")
    before = rows(city, "select to_jsonb(t)::text from mart.fct_timeliness as t order by 1")
    assert build(city).left_cases == 1
    assert rows(city, "select to_jsonb(t)::text from mart.fct_timeliness as t order by 1") == before
    with pytest.raises(Refused, match="months attach"):
        revise(login(city, "months_zhou", "evaluator"), MONTH, why="退回重办迟到")
    closing = revise(city, MONTH, why="退回重办迟到")
    assert rows(city, "select to_char(month_on, 'YYYY-MM') from audit.detached_month where attached_at is null") == [
        ("2026-03",)
    ], "and no more than it needs"
    assert rows(city, "select count(*) from audit.arrived_after_freeze") == [(0,)]
    assert rows(city, "select rework_count from mart.fct_case where case_no = %s", late["case_no"]) == [(1,)]
    world.judge(login(city, "months_gu", "evaluator"), closing)
    publish(city, MONTH, why=UNWITNESSED)
    assert verify(city, MONTH).differences == () == verify(city, MONTH, 1).differences
    attach(city, MARCH)
    build(city)
    assert verify(city, MONTH, every_case=True).differences == ()

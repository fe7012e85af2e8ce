"""What stands beside a row that cost points: the clock, the events, what it is worth by itself, and points by hand."""

import json
from decimal import Decimal

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from minhu import database
from minhu.scoring import explain, render, score
from tests.scoring.city import GIVEN, GOOD, LATE, City, at, fill
from tests.scoring.test_clock_words import days
from tests.scoring.test_language import enter

HOURS = {"morning": ["09:00", "12:00"], "afternoon": ["13:30", "17:30"], "timezone": "Asia/Shanghai"}


def with_calendar(city: City) -> None:
    city.insert("config.entry", kind="city", key="test", data=Jsonb(HOURS), since_version=1)
    for day in days():
        city.insert(
            "mart.dim_date",
            date_on=day.date_on,
            is_workday=day.is_workday,
            is_makeup_workday=day.is_makeup_workday,
            workday_no=day.workday_no,
            calendar_status="official",
            label_zh=day.label_zh,
        )


@pytest.fixture(scope="module")
def told(scratch):
    """October with its calendar; of one late case a closing was corrected and an extension asked too late."""
    settings = scratch()
    with City(settings) as city:
        fill(city)
        with_calendar(city)
        late = city.assignment("D2", **LATE | {"dispatched": "10-09 16:40"})
        city.run("update mart.fct_timeliness set unit_name_raw = '单位D2' where assignment_id = %(id)s", {"id": late})
        city.insert(
            "audit.event_version",
            event_id="e1",
            case_id=f"k{late}",
            event_type="CLOSE",
            occurred_at=at("10-15 17:00"),
            unit_name="单位D2",
            source="h12345",
            lost_reason="corrected",
            batch_id=2,
            row_number=77,
            standing_event_id="e1",
            standing_occurred_at=at("10-16 09:12"),
            standing_batch_id=2,
            standing_row_number=78,
        )
        city.insert(
            "audit.lifecycle_anomaly",
            anomaly_code="extension_asked_late",
            event_id="e2",
            case_id=f"k{late}",
            assignment_id=late,
            event_type="EXTEND_REQUEST",
            occurred_at=at("10-16 08:00"),
            effect_on_clock="Not counted",
            batch_id=2,
            row_number=79,
        )
    score(settings, "2026-10")
    return settings


def part_of(settings, unit, indicator, period="2026-10"):
    (part,) = explain(settings, unit, period, indicator).indicators
    return part


def test_a_late_closing_is_told_with_its_arithmetic_and_its_events(told):
    (cost,) = part_of(told, "D2", "close_on_time").costs
    assert cost.clock.text_zh == (
        "2026-10-09 周五 16:40 派单；5 个工作日，自次日起算；10-10 周六 调休上班；应于 2026-10-15 周四 24:00 前办结；"
        "2026-10-16 周五 09:12 办结，逾期 12 个工作分钟（自然时 9 小时 12 分钟）"
    )
    assert [(event.event_type, f"{event.at:%m-%d %H:%M}") for event in cost.events] == [
        ("DISPATCH", "10-09 16:40"),
        ("SIGN", "10-11 09:00"),
        ("CLOSE", "10-16 09:12"),
    ]
    text = render(explain(told, "D2", "2026-10", "close_on_time"))
    assert "      事件：派单 2026-10-09 16:40 · 签收 2026-10-11 09:00 · 办结 2026-10-16 09:12\n" in text
    assert "      未采用：2026-10-15 17:00 办结（报送方已更正），events.csv 第 77 行\n" in text
    assert "      未采用：2026-10-16 08:00 申请延期（申请时已过时限），events.csv 第 79 行\n" in text
    assert "      若无此件：+20.00 分\n" in text


def test_an_event_is_told_only_where_the_limit_rests_on_it(told):
    (cost,) = part_of(told, "D2", "sign_on_time").costs
    assert cost.unused_events == ()


def test_the_json_holds_all_of_it(told):
    (part,) = json.loads(json.dumps(explain(told, "D2", "2026-10", "close_on_time").as_json()))["indicators"]
    (cost,) = part["costs"]
    assert (cost["marginal"], cost["marginal_reason_zh"]) == ("20.00", None)
    assert cost["clock"]["due_at"] == "2026-10-16T00:00:00+08:00"
    assert (cost["clock"]["late_working_minutes"], cost["clock"]["is_open"]) == (12, False)
    assert [event["reason_code"] for event in cost["unused_events"]] == ["corrected", "extension_asked_late"]
    assert part["entries"] == []


@pytest.fixture(scope="module")
def rich(scratch):
    """The rich scheme with points by hand: changes up and down, and an entry that replaces another."""
    settings = scratch()
    with City(settings) as city:
        city.run("delete from config.entry")
        city.scheme(GIVEN / "rich.yml")
        with_calendar(city)
        for unit in ("D1", "D2", "D3"):
            city.unit(unit, "dept")
        for unit in ("D1", "D1", "D2"):
            city.assignment(unit, **LATE)
        town = city.assignment("D1", **GOOD)
        for answers in (("explained", "neutral"), ("unresolved", "dissatisfied"), ("resolved", "satisfied")):
            city.callback("D1", city.assignment("D1", **GOOD), *answers)
        city.callback("D1", town, "unresolved", "dissatisfied")
        for unit, code, points in (
            ("D1", "reply_quality", -1),
            ("D1", "reply_quality", "-1.55"),
            ("D1", "reply_quality", "0.5"),
            ("D1", "knowledge", 3),
            ("D1", "knowledge", "3.5"),
            ("D2", "reply_quality", -50),
            ("D2", "knowledge", 2),
            ("D3", "knowledge", 5),
        ):
            enter(city, unit, code, points)
    score(settings, "2026-10")
    return settings


@pytest.mark.parametrize("unit", ["D1", "D2", "D3"])
def test_the_parts_sum_to_the_loss_with_points_by_hand(rich, unit):
    """A share, a median and what is empty have no rows that fell short."""
    for part in explain(rich, unit, "2026-10").indicators:
        if part.costs:
            assert sum(cost.lost for cost in part.costs) == part.lost, part.code
        else:
            assert not part.lost or part.code in ("intake", "speed", "resolved"), part.code


def test_points_by_hand_are_told_with_who_entered_and_who_approved_them(rich):
    part = part_of(rich, "D1", "reply_quality")
    assert [(str(cost.lost), str(cost.marginal), cost.finding_zh) for cost in part.costs] == [
        ("1.25", "1.55", "-1.55 分，评审（依据 记录 1）"),
        ("0.80", "1.00", "-1 分，评审（依据 记录 1）"),
    ]
    assert [str(entry.marginal) for entry in part.entries] == ["1.00", "1.55", "-0.50"]
    entry = part.entries[0]
    assert (entry.reason, entry.evidence_ref) == ("评审", "记录 1")
    assert entry.entered_by and entry.approved_by == (entry.entered_by,)
    text = render(explain(rich, "D1", "2026-10", "reply_quality"))
    assert f"  人工计分第 {entry.manual_point_id} 条 -1 分：评审 · 依据 记录 1 · {entry.entered_by} " in text
    assert f"{entry.approved_by[0]} 审批\n" in text


def test_of_points_earned_only_the_newest_entry_counts(rich):
    part = part_of(rich, "D1", "knowledge")
    assert [entry.is_counted for entry in part.entries] == [False, True]
    assert [entry.marginal for entry in part.entries] == [Decimal(0), Decimal("-0.50")]
    assert [(cost.lost, cost.subject_id) for cost in part.costs] == [
        (Decimal("1.50"), str(part.entries[1].manual_point_id))
    ]
    assert part_of(rich, "D2", "knowledge").entries[0].marginal_reason_zh == "无此条则本指标未评分"
    assert "（已被后来的评分取代）" in render(explain(rich, "D1", "2026-10", "knowledge"))


def test_without_its_only_change_a_unit_has_all_points_again(rich):
    (cost,) = part_of(rich, "D2", "reply_quality").costs
    assert (cost.lost, cost.marginal) == (Decimal("10.00"), Decimal("10.00"))


def test_a_loss_without_rows_says_so(rich):
    assert "失分不落在单件上" in render(explain(rich, "D3", "2026-10", "resolved"))


# Every marginal value against the scheme applied again


def take_away(settings, subject):
    """Removes one row from the facts."""
    table, key = {
        "a": ("fct_timeliness", "assignment_id"),
        "c": ("fct_satisfaction", "callback_id"),
        "v": ("fct_violation", "violation_id"),
    }[subject[0]]
    with database.connect(settings) as connection:
        assert connection.execute(f"delete from mart.{table} where {key} = %s", [subject]).rowcount == 1


def test_a_marginal_value_is_what_scoring_again_without_the_row_gives(scratch):
    settings = scratch()
    with City(settings) as city:
        fill(city)
    score(settings, "2026-10")
    removed = []
    for unit, indicator in (
        ("D1", "close_on_time"),
        ("D6", "close_on_time"),
        ("D6", "sign_on_time"),
        ("T1", "not_handled"),
        ("T1", "improper"),
        ("T4", "resolved"),
        ("T4", "satisfaction"),
        ("T3", "close_on_time"),
    ):
        part = part_of(settings, unit, indicator)
        removed.append((unit, indicator, part.points, part.costs[0]))
    assert [str(cost.marginal) for *_, cost in removed] == [
        "11.67",
        "0.00",
        "0.00",
        "2.00",
        "10.00",
        "0.37",
        "0.00",
        "20.00",
    ]
    for subject in {cost.subject_id for *_, cost in removed}:
        take_away(settings, subject)
    score(settings, "2026-10")
    for unit, indicator, points, cost in removed:
        assert part_of(settings, unit, indicator).points - points == cost.marginal, (unit, indicator)


def test_rows_that_are_worth_the_same_are_told_as_any_one_of_them(scratch):
    settings = scratch()
    with City(settings) as city:
        fill(city)
    score(settings, "2026-10")
    part = part_of(settings, "T1", "not_handled")
    assert [(cost.marginal_alike, str(cost.marginal)) for cost in part.costs] == [(3, "2.00")] * 3
    text = render(explain(settings, "T1", "2026-10", "not_handled"))
    assert text.count("      若无这 3 件中的任意一件：+2.00 分\n") == 3 and "若无此件：" not in text


def test_an_explanation_reads_what_a_row_cost_and_computes_it_of_rows_from_before(scratch):
    settings = scratch()
    with City(settings) as city:
        fill(city)
    score(settings, "2026-10")
    told = {unit: explain(settings, unit, "2026-10") for unit in ("D1", "D6", "T1", "T4")}
    change(settings, "lost_points = null, marginal_points = null")
    assert {unit: explain(settings, unit, "2026-10") for unit in told} == told
    change(settings, "lost_points = 7, marginal_points = 5")
    assert {(cost.lost, cost.marginal) for cost in part_of(settings, "D1", "close_on_time").costs} == {(7, 5)}


def change(settings, what):
    with database.connect(settings) as connection:
        assert connection.execute(f"update mart.fct_evidence set {what} where excluded_reason is null").rowcount > 10


# At the size of a city


def asked(monkeypatch, settings, unit) -> list[tuple]:
    """The queries of an explanation, with their parameters."""
    queries, execute = [], psycopg.Connection.execute

    def noted(self, query, params=None, **more):
        queries.append((query, params))
        return execute(self, query, params, **more)

    with monkeypatch.context() as patched:
        patched.setattr(psycopg.Connection, "execute", noted)
        explain(settings, unit, "2026-10")
    return [(query, params) for query, params in queries if " mart." in query or " audit." in query]


def test_any_unit_takes_the_same_queries(told, monkeypatch):
    counts = {unit: len(asked(monkeypatch, told, unit)) for unit in ("D1", "D6", "T1", "T4")}
    assert len(set(counts.values())) == 1, counts


def test_no_query_scans_a_fact(scratch, monkeypatch):
    """With 60,000 rows in each fact every one of them is reached by an index condition."""
    settings = scratch()
    with City(settings) as city:
        fill(city)
    score(settings, "2026-10")
    with database.connect(settings) as connection:
        connection.row_factory = dict_row
        for statement in _CROWD:
            connection.execute(statement)
        connection.execute("analyze")
        connection.commit()
        queries = asked(monkeypatch, settings, "D6")
        assert len(queries) > 5
        for query, parameters in queries:
            (row,) = connection.execute(f"explain (format json) {query}", parameters).fetchall()
            for node in _nodes(row["QUERY PLAN"][0]["Plan"]):
                if node.get("Relation Name", "") in FACTS:
                    assert "Index Cond" in node or "Recheck Cond" in node, (node["Relation Name"], query)


FACTS = {
    "fct_case",
    "fct_timeliness",
    "fct_satisfaction",
    "fct_violation",
    "fct_evidence",
    "event_version",
    "lifecycle_anomaly",
}
_MANY = "generate_series(1, 60000) as n"
_CROWD = (
    "insert into mart.fct_case (case_id, feed_code, case_no, received_at, is_excluded, assignment_count, return_count,"
    " rework_count, root_case_id, source_batch_id, source_row_number)"
    f" select 'x' || n, 'h12345', 'x' || n, '2026-09-01', false, 1, 0, 0, 'x' || n, 1, n from {_MANY}",
    "insert into mart.fct_timeliness (assignment_id, case_id, unit_code, unit_role, round, dispatched_at, clock,"
    " is_calendar_provisional, return_request_count, return_deny_count, extension_count, dispatch_batch_id,"
    " dispatch_row_number) select 'x' || n, 'x' || n, 'X1', 'lead', 1, '2026-09-01', 'working', false, 0, 0, 0, 2, n"
    f" from {_MANY}",
    "insert into mart.fct_satisfaction (callback_id, assignment_id, case_id, unit_code, called_at, source_batch_id,"
    f" source_row_number) select 'x' || n, 'x' || n, 'x' || n, 'X1', '2026-09-02', 3, n from {_MANY}",
    "insert into mart.fct_violation (violation_id, case_id, unit_code, violation_code, found_at, source_batch_id,"
    f" source_row_number) select 'x' || n, 'x' || n, 'X1', 'not_handled', '2026-09-02', 2, n from {_MANY}",
    "insert into mart.fct_evidence select scheme_id, scheme_version, period, 'X' || n % 100, indicator_code,"
    " subject_kind, 'x' || n, 'x' || n, 'x' || n, null, 0, 1, null, due_at, occurred_at, 0.01, 0.01"
    f" from (select * from mart.fct_evidence where indicator_code = 'close_on_time' limit 1) as one, {_MANY}",
    "insert into audit.event_version select 'x' || n, 'x' || n, 'CLOSE', '2026-09-02', null, null, null, 'h12345',"
    f" 'corrected', 2, n, 'x', '2026-09-02', 2, n from {_MANY}",
    "insert into audit.lifecycle_anomaly select 'after_void', 'x' || n, 'x' || n, 'x' || n, 'CLOSE', '2026-09-02',"
    f" null, null, 'x', 2, n from {_MANY}",
)


def _nodes(plan: dict):
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)

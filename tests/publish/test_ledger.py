"""A revision as a ledger: each unit's lines sum to the difference of its points, and each names its cause and case."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minhu import assess, database
from minhu.errors import Refused
from minhu.publish import close, diff, publish, render_diff, revise
from minhu.publish.ledger import Counted, Line, Step, walk
from minhu.warehouse.build import build
from tests.publish import city as world
from tests.publish.city import IN_TIME, LATE, UNWITNESSED, case, deliver, judge, login, rows
from tests.scenarios.city import confirm

MONTH = "2026-10"
WHY = {"reason_code": "mis_dispatched", "reason": "核实为错派"}
SAID = {"grounds_code": "mis_dispatched", "statement": "非本单位职责", "evidence_ref": "2026-17"}
GIVEN = [
    *(case(number, "城管局", **IN_TIME) for number in range(1, 5)),
    case(5, "城管局", **LATE),
    case(6, "城管局", **LATE),
    *(case(number, "交通局", **IN_TIME) for number in range(11, 31)),
    case(8, "交通局", **LATE),
    case(9, "交通局", **LATE),
]


def line(cause, number):
    return Line("U1", "x", None, cause, number, "assignment", str(number), None, None, None, None, None, Decimal(0))


counts = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda told: (min(told), max(told)))
moves = st.lists(st.tuples(st.integers(-1, 1), st.integers(-1, 1)), max_size=12)


@given(counts, moves, st.integers(0, 40), st.decimals("0", "30", places=2))
def test_lines_sum_to_the_difference_whatever_moved(start, moved, gap, off):
    """Also where rows do not explain the counts: what is left stands in a line of its own, and only then is one."""

    def points(numerator, denominator):
        if denominator <= 0:
            return None
        return max(
            Decimal(0),
            (Decimal(30) - 30 * (1 - Decimal(numerator.numerator) / (numerator.denominator * denominator.numerator))),
        ).quantize(Decimal("0.01"))

    steps = [Step(line("batch", number), Fraction(n), Fraction(d)) for number, (n, d) in enumerate(moved)]
    numerator, denominator = start[0] + sum(n for n, _ in moved), start[1] + sum(d for _, d in moved)
    end = points(Fraction(numerator), Fraction(denominator))
    before = Counted(Decimal(start[0]), Decimal(start[1]), points(Fraction(start[0]), Fraction(start[1])))
    after = Counted(Decimal(numerator), Decimal(denominator), end if gap else off)
    lines = walk("U1", "x", before, after, steps, points)
    assert sum(one.points for one in lines) == (after.points or 0) - (before.points or 0)
    if gap and (numerator, denominator) != start:
        assert not [one for one in lines if one.cause_kind == "no_row"]


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    return world.make(scratch, tmp_path_factory.mktemp("ledger"), GIVEN)


@pytest.fixture(scope="module")
def people(city):
    names = {"shen": "evaluator", "gu": "evaluator", "ping": "evaluator", "wu": "auditor", "u1": "unit"}
    return {
        name: login(city, f"g_{name}", group, unit="U1" if group == "unit" else None) for name, group in names.items()
    }


@pytest.fixture(scope="module")
def moved(city, people):
    """Two appeals, one withdrawn; an exclusion; a late batch, one of another month, and late callbacks."""
    judge(people["shen"], close(city, MONTH))
    publish(city, MONTH, why=UNWITNESSED)
    granted = assess.record(
        people["u1"], "file_appeal", period=MONTH, feed_code="h1", case_no=case(5, "")["工单编号"], **SAID
    )
    other = assess.record(
        people["u1"], "file_appeal", period=MONTH, feed_code="h1", case_no=case(6, "")["工单编号"], **SAID
    )
    assess.record(people["u1"], "withdraw_appeal", appeal_id=other, reason="不再申诉")
    assess.record(people["gu"], "decide_appeal", appeal_id=granted, decision="granted", **WHY)
    assess.record(people["gu"], "exclude", feed_code="h1", case_no=case(8, "")["工单编号"], **WHY)
    confirm(people["ping"])
    batches = {
        "late": deliver(city, [case(40, "交通局", **LATE), case(41, "城管局", **IN_TIME)]),
        "elsewhere": deliver(
            city,
            [case(50, "交通局", 受理时间="2026-08-03 08:30:00", 转办时间="2026-08-03 09:00:00",
                  办理期限="2026-08-11 00:00", 办结时间="2026-08-05 10:00:00")],
        ),
        "callbacks": deliver(
            city,
            [{"case_no": case(number, "")["工单编号"], "called_at": "2026-10-28 10:00:00", "unit_name": "城管局",
              "is_reached": "true", "resolution_code": "resolved", "satisfaction_code": told}
             for number, told in ((1, "satisfied"), (2, "dissatisfied"), (3, "very_satisfied"))],
            delivery="callbacks",
        ),
    }  # fmt: skip
    build(city)
    closing = revise(city, MONTH, why="申诉获准，补报")
    return closing, batches, diff(city, MONTH, closing.revision)


def test_the_lines_of_each_unit_sum_to_the_difference_of_the_two_revisions_exactly(city, moved):
    closing, _, told = moved
    published = dict(rows(city, "select unit_code, raw_points from publish.unit_score where revision = 1"))
    frozen = dict(
        rows(
            city,
            "select data ->> 'unit_code', (data ->> 'raw_points')::numeric from publish.frozen_row"
            " where closing_id = %s and kind = 'unit_score'",
            closing.closing_id,
        )
    )
    of_ledger = {one.unit_code: sum(line.points for cause in one.causes for line in cause.lines) for one in told.ledger}
    assert set(of_ledger) == {"U1", "U2"}
    for unit in frozen:
        assert of_ledger[unit] == frozen[unit] - published[unit]
    assert of_ledger["U1"] != 0 and any(
        cause.points for one in told.ledger if one.unit_code == "U2" for cause in one.causes
    )
    causes = {cause.kind for one in told.ledger for cause in one.causes}
    assert {"appeal_decision", "exclusion", "batch"} <= causes and not causes & {"no_row", "sum_rounded"}, causes


def test_a_cause_leads_to_its_cases_and_decisions_come_first(moved):
    _, batches, told = moved
    u1, u2 = told.ledger
    first, second = u1.causes[0], u2.causes[0]
    assert (first.kind, first.words) == ("appeal_decision", "申诉 1：获准（核实为错派，g_gu）")
    assert {(line.case_no[-2:], line.after) for line in first.lines} == {("05", "mis_dispatched")}
    [on_time] = [line for line in first.lines if line.indicator_code == "close_on_time"]
    assert (on_time.before, on_time.after) == ("0/1", "mis_dispatched") and on_time.points > 0
    assert second.kind == "exclusion" and {line.case_no[-2:] for line in second.lines} == {"08"}
    late = next(cause for cause in u2.causes if cause.kind == "batch" and cause.number == batches["late"])
    [line] = [line for line in late.lines if line.indicator_code == "close_on_time"]
    assert (line.case_no[-2:], line.before, line.after) == ("40", None, "0/1") and line.points < 0
    called = next(cause for cause in u1.causes if cause.number == batches["callbacks"])
    assert {line.case_no[-2:] for line in called.lines} == {"01", "02", "03"}, "those that lost nothing too"
    assert [(line.after, line.points < 0) for line in called.lines if line.case_no.endswith("02")].count(
        ("0/1", True)
    ) >= 1


def test_only_batches_that_tell_of_the_period_are_causes_and_behind_the_decisions(moved):
    _, batches, told = moved
    kinds = [cause.partition(" ")[0] for cause in told.causes]
    assert kinds[:3] == ["申诉", "申诉", "剔除"] and all(kind.startswith(("新到批次", "另有")) for kind in kinds[3:])
    text = "\n".join(told.causes)
    assert f"批次 {batches['late']}：" in text and f"批次 {batches['callbacks']}：" in text and "涉及本期 3 件" in text
    assert f"批次 {batches['elsewhere']}：" not in text and "另有 1 个批次未涉及本期工单" in text


@pytest.mark.long
def test_a_row_that_costs_nothing_any_more_says_so(city, people, scratch, tmp_path):
    """Four of six in time and one excluded, then forty more in time: the other late row's indicator loses nothing."""
    town = world.make(scratch, tmp_path, GIVEN)
    by = login(town, "g_by", "evaluator")
    judge(by, close(town, MONTH))
    publish(town, MONTH, why=UNWITNESSED)
    deliver(town, [case(number, "城管局", **IN_TIME) for number in range(100, 160)])
    build(town)
    told = diff(town, MONTH, revise(town, MONTH, why="补报").revision)
    gone = [one for one in told.cases if one.indicator_code == "close_on_time" and one.unit_code == "U1"]
    assert {(one.change, one.case_no[-1]) for one in gone} == {("removed", "5"), ("removed", "6")}
    assert all("（本件未变，不再扣分）" in str(one) for one in gone)
    [unit] = [one for one in told.ledger if one.unit_code == "U1"]
    [same] = [cause for cause in unit.causes if cause.kind == "row_unchanged"]
    assert same.points == 0 and {line.case_no[-1] for line in same.lines} >= {"5", "6"} and unit.causes[-1] == same
    assert {line.after for line in same.lines} == {"costs_nothing"} and "0/1 → 不再扣分" in render_diff(told)


def test_who_may_see_the_ledger_and_a_ledger_that_was_changed_is_refused(city, people, moved):
    closing, _, told = moved
    assert diff(people["wu"], MONTH, closing.revision).ledger == diff(people["shen"], MONTH, closing.revision).ledger
    assert diff(people["shen"], MONTH, closing.revision).ledger == told.ledger
    assert rows(people["u1"], "select 1 from publish.ledger") == [], "not published yet"
    judge(people["shen"], closing)
    publish(city, MONTH, why=UNWITNESSED)
    (own,) = diff(people["u1"], MONTH).ledger
    assert (own.unit_code, own.points) == ("U1", told.ledger[0].points)
    assert own.causes[0].words == "申诉 1：获准（核实为错派）" and all(
        "g_gu" not in cause.words for cause in own.causes
    )
    with database.connect(city) as owner, pytest.raises(Exception, match="is written already"):
        owner.execute("select publish.keep_ledger(%s, '[]')", [closing.closing_id])
    with database.connect(city) as owner, pytest.raises(Exception, match="append-only"):
        owner.execute("update publish.ledger set points = 0")
    with database.connect(city) as owner:
        owner.execute("set session_replication_role = replica")
        owner.execute("update publish.ledger set points = points + 1 where line_no = 1")
    try:
        with pytest.raises(Refused, match="does not sum to the difference"):
            diff(people["shen"], MONTH)
    finally:
        with database.connect(city) as owner:
            owner.execute("set session_replication_role = replica")
            owner.execute("update publish.ledger set points = points - 1 where line_no = 1")


def test_it_reads_decision_case_indicator_points(moved):
    told = render_diff(moved[2])
    assert told.index("台账") < told.index("单位（") and "  城管局（U1）得分合计 " in told
    assert "申诉 1：获准（核实为错派，g_gu）\n" in told and "按时办结率  0/1 → 错派" in told
    figures = told.partition("指标（")[2]
    assert "按时办结率" in figures and "close_on_time" not in figures, "an indicator has one name on a screen"

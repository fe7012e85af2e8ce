"""An appeal from a row of what is published to the revision that it names."""

import csv
import re
from datetime import date, datetime
from io import StringIO

import pytest
from click.testing import CliRunner

from minhu import assess, database
from minhu.assess import listing
from minhu.cli import minhu
from minhu.errors import MinhuError, Refused
from minhu.export import read_report
from minhu.export.to_csv import as_csv
from minhu.publish import close, publish, revise
from minhu.publish.stored_release import explain_release
from minhu.scoring import explain, render
from minhu.warehouse.build import build
from tests.publish import city as world
from tests.publish.city import IN_TIME, LATE, UNWITNESSED, case, deliver, judge, login, rows
from tests.scenarios.city import confirm

MONTH = "2026-10"
SAID = {"grounds_code": "错派", "statement": "非本单位职责", "evidence_ref": "2026-17"}
WHY = {"reason_code": "错派", "reason": "核实为错派"}
TWICE = case(7, "城管局")["工单编号"]
"""Dispatched to U1, on to U2, and back to U1, who was late both times."""
BACK_AND_FORTH = [
    {"case_no": TWICE, "event_type": "REDISPATCH", "occurred_at": "2026-10-20 09:00:00", "unit_name": "交通局"},
    {"case_no": TWICE, "event_type": "REDISPATCH", "occurred_at": "2026-10-20 15:00:00", "unit_name": "城管局",
     "due_at": "2026-10-27 00:00:00"},
    {"case_no": TWICE, "event_type": "CLOSE", "occurred_at": "2026-10-28 10:00:00", "unit_name": "城管局"},
]  # fmt: skip
GIVEN = [
    *(case(number, "城管局", **IN_TIME) for number in range(1, 5)),
    case(5, "城管局", **LATE),
    case(6, "城管局", **LATE),
    case(7, "城管局", 办结时间=""),
    case(8, "交通局", **LATE),
]


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    city = world.make(scratch, tmp_path_factory.mktemp("appeals"), GIVEN)
    deliver(city, BACK_AND_FORTH, delivery="events")
    build(city)
    return city


@pytest.fixture(scope="module")
def people(city):
    names = {"shen": "evaluator", "gu": "evaluator", "ping": "evaluator", "u1": "unit", "u2": "unit"}
    return {
        name: login(city, f"a_{name}", group, unit={"u1": "U1", "u2": "U2"}.get(name)) for name, group in names.items()
    }


def file(who, case_no=None, **given):
    about = {"feed_code": "h1", "case_no": case_no} if case_no else {}
    return assess.record(who, "file_appeal", **SAID | about | given)


def test_before_the_publication_a_case_is_appealed_for_the_period_in_which_it_counts(city, people):
    assert rows(city, "select 1 from publish.release") == []
    number = case(5, "")["工单编号"]
    with pytest.raises(Refused, match=r"该件没有计入 2026-09 的事项.* / nothing of this case counts in 2026-09"):
        file(people["u1"], number, period="2026-09")
    with pytest.raises(Refused, match="nothing of this case counts in 2026-Q3"):
        file(people["ping"], number, period="2026-Q3", unit_code="U1")
    filed = file(people["u1"], number, period="2026-Q4")
    told = rows(city, "select published_rows, grounds_code from assess.appeal where appeal_id = %s", filed)
    assert told == [(None, "mis_dispatched")]
    assess.record(people["u1"], "withdraw_appeal", appeal_id=filed, reason="待公布后再提")


def test_of_two_dispatches_the_time_names_one(city, people):
    with pytest.raises(Refused, match="请写明派单时间：2026-10-12 09:00，2026-10-20 15:00") as refused:
        file(people["u1"], TWICE, period=MONTH)
    assert not re.search("[0-9a-f]{32}", str(refused.value))
    filed = file(people["u1"], TWICE, period=MONTH, dispatched_at=datetime(2026, 10, 20, 15))
    told = "select to_char(dispatched_at at time zone 'Asia/Shanghai', 'MM-DD HH24:MI') from mart.fct_timeliness"
    asked = f"{told} where assignment_id = (select assignment_id from assess.appeal where appeal_id = %s)"
    assert rows(city, asked, filed) == [("10-20 15:00",)]
    assess.record(people["u1"], "withdraw_appeal", appeal_id=filed, reason="待公布后再提")
    with pytest.raises(Refused, match="has no assignment on this case, or none of this dispatch"):
        file(people["u1"], TWICE, period=MONTH, dispatched_at=datetime(2026, 10, 21, 15))


@pytest.fixture(scope="module")
def first(city, people):
    build(city)  # what was withdrawn
    judge(people["shen"], close(city, MONTH))
    return publish(city, MONTH, why=UNWITNESSED)


@pytest.fixture(scope="module")
def shown(city, people, first):
    """The rows of the unit's own list of lost points, as its CSV tells them."""
    report = read_report(people["u1"], MONTH, explained=["U1"])
    told = list(csv.DictReader(StringIO(as_csv(report, "evidence").decode("utf-8-sig"))))
    assert told and all(re.fullmatch(r"R1-[0-9]+", row["published_row"]) for row in told)
    return {
        (row["indicator_code"], row["case_no"][-1], row["dispatched_at"][8:16]): row["published_row"] for row in told
    }


def test_every_export_and_the_explanation_show_the_number_of_a_row(city, people, first, shown):
    told = render(explain_release(people["u1"], "U1", MONTH))
    assert all(f"明细 {number} " in told for number in shown.values())
    assert "明细 R" not in render(explain(people["shen"], "U1", MONTH)), "the newest score is not published"
    kept = rows(city, "select 'R' || release_id || '-' || row_no from publish.evidence where unit_code = 'U1'")
    assert set(shown.values()) <= {number for (number,) in kept}


def test_an_appeal_starts_from_a_row_and_asks_for_that_row(city, people, shown):
    number = shown["close_on_time", "7", "20 15:00"]
    filed = file(people["u1"], published_row=number.lower())
    told = rows(
        city,
        "select asked.period, asked.scheme_id, asked.unit_code, asked.case_no, asked.indicator_codes,"
        " asked.published_rows, to_char(duty.dispatched_at at time zone 'Asia/Shanghai', 'DD HH24:MI')"
        " from assess.appeal as asked join mart.fct_timeliness as duty using (assignment_id) where appeal_id = %s",
        filed,
    )
    assert told == [(MONTH, "linan", "U1", TWICE, ["close_on_time"], [number], "20 15:00")]
    with pytest.raises(Refused, match=f"asked by appeal {filed}"):
        file(people["ping"], published_row=number)
    assess.record(people["u1"], "withdraw_appeal", appeal_id=filed, reason="另提")


def test_by_its_case_it_is_about_what_is_published_of_it(city, people, shown):
    first_time, second_time = shown["close_on_time", "7", "12 09:00"], shown["close_on_time", "7", "20 15:00"]
    with pytest.raises(Refused) as refused:
        file(people["u1"], TWICE, period=MONTH, indicator_codes=["按时办结率"])
    told = str(refused.value)
    assert f"明细 {first_time} close_on_time（2026-10-12 09:00 派单）" in told and second_time in told
    assert not re.search("[0-9a-f]{32}", told)
    filed = file(
        people["u1"], TWICE, period=MONTH, dispatched_at=datetime(2026, 10, 12, 9), indicator_codes=["按时办结率"]
    )
    told = rows(city, "select published_rows from assess.appeal where appeal_id = %s", filed)
    assert told == [([first_time],)]
    assess.record(people["u1"], "withdraw_appeal", appeal_id=filed, reason="另提")


ON_TIME = {"case_no": case(1, "")["工单编号"], "period": MONTH, "indicator_codes": ["close_on_time"]}


@pytest.mark.parametrize(
    ("who", "given", "told"),
    [
        ("u1", ON_TIME, "no row on this case costs the unit U1 points"),
        ("u1", {"case_no": case(5, "")["工单编号"], "period": "2026-09"}, "nothing of this case counts in 2026-09"),
        ("u1", {"published_row": "R1-999999"}, "没有明细 R1-999999"),
        ("u1", {"published_row": "1-3"}, "没有明细 1-3"),
        ("u2", {"published_row": "own"}, "does not speak for the unit 'U1'"),
        ("u1", {"published_row": "own", "period": "2026-09"}, "is of another unit, period, scheme or case"),
        ("ping", {"published_row": "own", "unit_code": "U2"}, "is of another unit, period, scheme or case"),
        ("u1", {"published_row": "own", "evidence_ref": " "}, "佐证材料未填写"),
        ("u1", {"case_no": "777", "period": MONTH}, "该热线没有这个工单编号"),
    ],
)
def test_what_did_not_cost_the_unit_points_in_the_period_is_refused(people, shown, who, given, told):
    if given.get("published_row") == "own":
        given = given | {"published_row": shown["close_on_time", "5", "12 09:00"]}
    with pytest.raises(Refused, match=told):
        file(people[who], given.get("case_no"), **{key: value for key, value in given.items() if key != "case_no"})


def test_what_is_refused_uses_no_number(city, people, shown, tmp_path):
    last = max(number for (number,) in rows(city, "select appeal_id from assess.appeal"))
    path = tmp_path / "appeals.csv"
    number = shown["close_on_time", "6", "12 09:00"]
    path.write_text(
        f"明细号,申诉理由,情况说明,佐证材料\n{number},错派,非本单位职责,2026-17\nR1-999999,错派,非本单位职责,2026-18\n",
        encoding="utf-8",
    )
    with pytest.raises(MinhuError, match="line 3: 没有明细 R1-999999"):
        assess.record_file(people["u1"], "file_appeal", path)
    for broken in ({"evidence_ref": ""}, {"statement": "来电人13812345678"}):
        with pytest.raises(Refused), database.connect(people["u1"]) as connection:
            database.act(connection, "assess.file_appeal", SAID | {"published_row": number} | broken)
    path.write_text(f"明细号,申诉理由,情况说明,佐证材料\n{number},错派,非本单位职责,2026-17\n", encoding="utf-8")
    assert assess.record_file(people["u1"], "file_appeal", path) == [last + 1]
    assess.record(people["u1"], "withdraw_appeal", appeal_id=last + 1, reason="另提")
    decided = [number for (number,) in rows(city, "select decision_id from assess.appeal_decision order by 1")]
    assert decided == list(range(1, len(decided) + 1))


def test_the_window_runs_from_the_publication_in_working_days(city, people, shown):
    """Published on Friday 9 October, before a make-up Saturday: three working days end with Tuesday the 13th."""
    ends_at = "assess.term_of_appeals('appeal_file_workdays', %s) at time zone 'Asia/Shanghai'"
    term = f"select to_char({ends_at}, 'MM-DD HH24:MI')"
    number = shown["close_on_time", "5", "12 09:00"]
    entry = '{"valid_from": "%s", "appeal_file_workdays": %s, "appeal_decide_workdays": 1}'
    with database.connect(city) as owner:
        for day, workdays in (("2020-01-01", "3"), ("2026-10-10", "null")):
            owner.execute(
                "insert into config.entry (kind, key, since_version, data) select 'appeal_term', %s,"
                " max(config_version), %s from config.version",
                [day, entry % (day, workdays)],
            )
        assert owner.execute(term, ["2026-10-09 17:00+08"]).fetchone() == ("10-14 00:00",)
        assert owner.execute(term, ["2026-10-10 17:00+08"]).fetchone() == (None,), "from then on there is no end"
        owner.execute("set local session_replication_role = replica")
        owner.execute("update publish.release set published_at = '2026-10-09 17:00+08' where release_id = 1")
        owner.execute("set local session_replication_role = origin")
        act = (
            "select assess.file_appeal(published_row => %s, grounds_code => 'x', statement => 'x', evidence_ref => 'x')"
        )
        with pytest.raises(Exception, match=f"申诉期已于 2026-10-13 24:00 届满：明细 {number} "), owner.transaction():
            owner.execute(act, [number])
        owner.execute("delete from config.entry where kind = 'appeal_term' and key = '2020-01-01'")
        assert owner.execute(act, [number]).fetchone()
        owner.rollback()


def test_a_grant_names_a_revision_that_is_still_to_come_and_that_one_holds_it(city, people, shown):
    number = shown["close_on_time", "5", "12 09:00"]
    filed = file(people["u1"], published_row=number)
    for revision in (1, 0):
        with pytest.raises(Refused, match=r"a grant counts from revision 2 on|counted from 1"):
            assess.record(
                people["gu"], "decide_appeal", appeal_id=filed, decision="granted", **WHY, from_revision=revision
            )
    assess.record(people["gu"], "decide_appeal", appeal_id=filed, decision="granted", **WHY)
    (told,) = [one for one in listing(people["u1"], "appeals") if one["appeal_id"] == filed]
    assert (told["state"], told["from_revision"], told["published_rows"]) == ("filed", None, [number])
    deliver(city, [case(9, "交通局", **LATE)])
    build(city)
    closing = revise(city, MONTH, why="补报一批")  # without the grant, which nobody has confirmed yet
    judge(people["shen"], closing)
    confirm(people["ping"])
    (told,) = [one for one in listing(people["u1"], "appeals") if one["appeal_id"] == filed]
    assert (told["state"], told["from_revision"]) == ("granted", 2)
    with pytest.raises(Refused, match=f"申诉 {filed} 获准自本次发布起，关账时尚未计入"):
        publish(city, MONTH, why=UNWITNESSED)
    build(city)
    judge(people["shen"], revise(city, MONTH, why="补报一批，申诉获准"))
    assert publish(city, MONTH, why=UNWITNESSED).revision == 2


@pytest.fixture(scope="module")
def second(city, people, shown):
    assert rows(city, "select max(revision) from publish.release") == [(2,)]


def test_a_row_that_stays_keeps_its_number_and_one_that_went_is_not_appealed(city, people, shown, second):
    report = read_report(people["u1"], MONTH, explained=["U1"])
    told = {row["published_row"] for row in csv.DictReader(StringIO(as_csv(report, "evidence").decode("utf-8-sig")))}
    gone = shown["close_on_time", "5", "12 09:00"]
    assert gone not in told and told and told <= set(shown.values())
    with pytest.raises(Refused, match="no row on this case costs the unit U1 points"):
        file(people["u1"], published_row=gone)
    new = rows(city, "select published_row from publish.row_of_release where unit_code = 'U2' and told_in = 2")
    assert new and all(number.startswith("R2-") for (number,) in new)


def test_what_was_granted_for_a_revision_that_is_out_by_now_is_decided_anew(city, people, shown, second):
    filed = file(people["u1"], published_row=shown["close_on_time", "6", "12 09:00"])
    assess.record(people["gu"], "decide_appeal", appeal_id=filed, decision="granted", **WHY)
    deliver(city, [case(10, "交通局", **LATE)], date(2026, 10, 31))
    build(city)
    judge(people["shen"], revise(city, MONTH, why="再补报一批"))
    assert publish(city, MONTH, why=UNWITNESSED).revision == 3
    with pytest.raises(Refused, match="获准自第 3 次发布起，而该次发布已在裁定之后公布"):
        confirm(people["ping"])
    about = {"subject_kind": "appeal", "subject_id": str(filed), "reason": "已过该次发布"}
    assess.record(people["ping"], "approve", **about, verdict="rejected")
    assess.record(people["gu"], "decide_appeal", appeal_id=filed, decision="granted", **WHY)
    confirm(people["ping"])
    (told,) = [one for one in listing(people["u1"], "appeals") if one["appeal_id"] == filed]
    assert (told["state"], told["from_revision"]) == ("granted", 4)


def test_the_command_speaks_chinese_and_says_what_it_needs(people, second):
    def said(*arguments):
        who = people["u1"]
        environment = {
            "MINHU_HOME": str(who.home),
            "MINHU_CONFIG": str(who.config),
            "MINHU_DATABASE_URL": who.database_url,
        }
        return CliRunner().invoke(minhu, ["appeals", *arguments], env=environment | {"COLUMNS": "250"})

    told = said("file", "--row", "R1-1", "--grounds", "错派", "--statement", "x")
    assert told.exit_code == 2 and "an appeal needs --evidence" in told.output
    assert "Required: where the evidence is kept" in " ".join(said("file", "--help").output.split())
    table = said("list").output
    assert all(word in table for word in ("裁定期限", "明细号", "获准", "错派", "撤回")) and "granted" not in table

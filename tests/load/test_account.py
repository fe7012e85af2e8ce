"""The account of a file: every row is staged, rejected, a duplicate or another delivery's, whatever it holds."""

import json
from datetime import date
from typing import Any

import psycopg
import pytest

from minhu import database, quality
from minhu.errors import BadDelivery
from minhu.load import load_delivery, replay
from minhu.warehouse.reconcile import as_markdown, reconcile
from tests import given

DAY = date(2026, 10, 12)
CASES: dict[str, Any] = dict(given.CASES)


@pytest.fixture
def city(scratch, tmp_path):
    """An installation whose one delivery differs from `given.CASES`, with a file of rows."""

    def make(rows, **changes):
        delivery = given.CASES | changes
        installation = scratch(given.config(tmp_path / "config", [given.feed(deliveries=[delivery])]))
        given.case_file(installation.drop / "h1" / "cases_20261012.csv", rows)
        return installation

    return make


def load(installation):
    [result] = load_delivery("h1", "cases", DAY, settings=installation)
    return result


def query(installation, text):
    with database.connect(installation) as connection:
        return connection.execute(text).fetchall()


OWN = {"from": "来电类别", "one_of": ["投诉"]}


def test_rows_of_others_are_counted_and_no_more_is_made_of_them(city):
    rows = [
        {},
        {},
        {"工单编号": "2", "来电类别": "咨询"},
        {"工单编号": "", "来电类别": ""},
        {"工单编号": "3", "来电类别": " 投诉　"},
        {"工单编号": "", "来电类别": "投诉"},
    ]
    installation = city(rows, only=OWN)
    result = load(installation)
    assert (result.received, result.staged, result.rejected, result.duplicates, result.filtered) == (6, 2, 1, 1, 2)
    [account] = query(installation, "select received_rows, filtered_rows, status from audit.batch")
    assert account == (6, 2, "loaded")
    assert query(installation, "select row_number from audit.rejected_row") == [(6,)]
    assert quality.judge_arrivals(installation).accepted == (result.batch_id,)
    [line] = reconcile(installation, DAY).lines
    assert (line.received, line.filtered) == (6, 2) and "| 不取 |" in as_markdown(reconcile(installation, DAY))
    again = replay(installation, result.batch_id)
    assert (again.received, again.filtered) == (6, 2)


def test_the_database_holds_the_account_to_its_sum(city):
    installation = city([{}])
    load(installation)
    with pytest.raises(psycopg.errors.CheckViolation, match="every_row_is_accounted_for"):
        query(installation, "update audit.batch set filtered_rows = 1")


def test_rejections_are_a_share_of_the_deliverys_own_rows(city):
    rows = [{"工单编号": str(at), "来电类别": "咨询"} for at in range(20)] + [{"工单编号": ""}, {}]
    installation = city(rows, only=OWN, max_rejected_pct=10)
    with pytest.raises(BadDelivery, match="1 of 2 rows would be rejected"):
        load(installation)


def test_a_condition_on_a_column_that_is_not_there_refuses_the_file(city):
    installation = city([{}], only={"from": "来源", "one_of": ["12345"]})
    with pytest.raises(BadDelivery, match="'来源'"):
        load(installation)


def test_an_optional_time_that_is_none_is_a_note_and_a_blank(city):
    rows = [
        {"办结时间": "1900-01-01 00:00:00"},
        {"工单编号": "2", "办结时间": "昨天"},
        {"工单编号": "3", "办理期限": "1986-05-04 02:30"},
        {"工单编号": "4", "受理时间": "1900-01-01 00:00:00"},
        {"工单编号": "5", "受理时间": "1986-05-04 02:30:00"},
    ]
    installation = city(rows, max_rejected_pct=50)
    result = load(installation)
    assert (result.staged, result.rejected) == (3, 2)
    notes = {(note["code"], note["column"], note["rows"], note["of"]) for note in result.notes}
    assert notes == {
        ("TIME_OUT_OF_RANGE", "办结时间", 1, 3),
        ("BAD_TIMESTAMP", "办结时间", 1, 3),
        ("TIME_SKIPPED", "办理期限", 1, 3),
    }
    assert query(installation, "select reason_code, column_name from audit.rejected_row order by row_number") == [
        ("TIME_OUT_OF_RANGE", "受理时间"),
        ("TIME_SKIPPED", "受理时间"),
    ]
    kept = query(installation, "select milestones, payload from staging.case_record order by row_number")
    assert [[event["event_type"] for event in told] for told, _ in kept] == [
        ["DISPATCH"],
        ["DISPATCH"],
        ["DISPATCH", "CLOSE"],
    ]
    assert kept[2][0][0].get("due_at") is None
    assert [payload for _, payload in kept] == [
        {"办结时间": "1900-01-01 00:00:00"},
        {"办结时间": "昨天"},
        {"办理期限": "1986-05-04 02:30"},
    ]


def test_a_stand_in_of_one_column_means_nothing_there_and_only_there(city):
    columns = {"occurred_at": {"from": "办结时间", "nulls": ["1900-01-01 00:00:00"]}, "unit_name": "办理单位"}
    milestones = [CASES["milestones"][0], {"event_type": "CLOSE", "columns": columns}]
    rows = [{"办结时间": "1900-01-01 00:00:00"}, {"工单编号": "2", "办理期限": "1900-01-01 00:00:00"}]
    result = load(city(rows, milestones=milestones))
    assert [(note["code"], note["column"]) for note in result.notes] == [("TIME_OUT_OF_RANGE", "办理期限")]


def test_a_time_of_a_row_that_does_not_tell_the_event_is_not_read(city):
    close = CASES["milestones"][1] | {"when": OWN}
    rows = [{"来电类别": "咨询", "办结时间": "昨天"}, {"工单编号": "2", "办结时间": "昨天"}]
    result = load(city(rows, milestones=[close]))
    assert [note["rows"] for note in result.notes if note["code"] == "BAD_TIMESTAMP"] == [1]


def test_closings_in_another_way_of_writing_hold_the_batch(city):
    installation = city([{"工单编号": str(at), "办结时间": "10/13/26 10:00"} for at in range(6)])
    result = load(installation)
    [held] = quality.judge_arrivals(installation).held
    assert result.staged == 6 and held.rule_ids == ("arrival.times_legible",)


@pytest.mark.parametrize("place", ["999", "-180.1", "nan", "inf", "1e5"])
def test_a_number_that_is_no_coordinate_is_a_note_and_a_blank(city, place):
    installation = city([{"经度": place}])
    result = load(installation)
    assert [(note["code"], note["rows"]) for note in result.notes] == [("BAD_NUMBER", 1)]
    assert query(installation, "select longitude, payload from staging.case_record") == [(None, {"经度": place})]


def test_a_round_that_no_duty_can_have_rejects_its_row(scratch, tmp_path):
    columns = {"case_no": "n", "called_at": "t", "round": "r"}
    delivery = given.CALLBACKS | {"columns": columns, "max_rejected_pct": 100}
    installation = scratch(given.config(tmp_path / "config", [given.feed(deliveries=[given.CASES, delivery])]))
    rows = [
        {"n": f"A{at}", "t": "2026-10-12 08:00:00", "r": round}
        for at, round in enumerate(["1", "2147483648", "", "甲"])
    ]
    path = installation.drop / "h1" / "callbacks_20261012.csv"
    given.csv_file(path, rows)
    [result] = load_delivery("h1", "callbacks", DAY, settings=installation)
    assert (result.staged, result.rejected) == (3, 1)
    assert query(installation, "select row_number, reason_code, column_name from audit.rejected_row") == [
        (2, "BAD_NUMBER", "r")
    ]


def test_what_a_sender_does_not_have_stands_in_the_manifest(city):
    columns = {name: mapping for name, mapping in CASES["columns"].items() if name != "category_code"}
    rows = [{"工单编号": str(at)} for at in range(6)]
    installation = city(rows, columns=columns, known_columns=["备注", "分类"], has_no=["category_code"])
    result = load(installation)
    assert query(installation, "select has_no from audit.batch") == [(["category_code"],)]
    assert quality.judge_arrivals(installation).accepted == (result.batch_id,)


def test_a_hashed_number_is_the_same_in_every_delivery_and_after_the_callers_key_was_rotated(city):
    from minhu.load.key_ring import rotate

    columns = CASES["columns"] | {"case_no": {"of": ["来电号码", "受理时间"], "key": "hashed"}}
    installation = city([{}], columns=columns)
    first = load(installation)
    rotate(installation)
    replay(installation, first.batch_id)
    numbers = query(installation, "select distinct case_no from staging.case_record")
    assert len(numbers) == 1 and "13800001111" not in json.dumps(numbers)

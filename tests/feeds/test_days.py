"""A date is a day: which moment of it is meant, and that its time of day is nobody's."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError

from minhu.feeds.door import Door, judge
from minhu.feeds.draft import draft
from minhu.feeds.feed import Feed

KEY = b"0" * 32


def feed(delivery: dict, **more) -> Feed:
    common = {"name": "records", "source": {"type": "drop_folder", "path": "x/{date}.csv"}, "format": {"type": "csv"}}
    given = {"code": "h1", "name": "热线", "owner": "市热线办", "schedule": "0 2 * * *"} | more
    return Feed.model_validate(given | {"deliveries": [common | delivery]})


def cases(rows: list[dict], close: dict | str = "办结", zone: str = "Asia/Shanghai", **columns):
    columns = {"case_no": "工单", "received_at": "受理"} | columns
    milestones = [
        {"event_type": "DISPATCH", "columns": {"occurred_at": "派单", "due_at": "期限", "unit_name": "单位"}},
        {"event_type": "CLOSE", "columns": {"occurred_at": close}},
    ]
    given = feed({"kind": "case", "columns": columns, "milestones": milestones}, timezone=zone)
    blank = {"工单": "1", "受理": "2026-10-12 09:00:00", "派单": None, "期限": None, "单位": "城管局", "办结": None}
    frame = pl.DataFrame([blank | row for row in rows], schema=dict.fromkeys(blank, pl.String))
    return given, judge(frame, given, given.deliveries[0], KEY)


def told(judged, event_type: str) -> list[dict]:
    milestones = pl.Series([*judged.staged["milestones"]], dtype=pl.String).str.json_decode(
        pl.List(pl.Struct(dict.fromkeys(("event_type", "occurred_at", "due_at", "occurred_precision"), pl.String))),
    )
    return [event for events in milestones.to_list() for event in events or [] if event["event_type"] == event_type]


@pytest.mark.parametrize(
    ("close", "text", "moment", "precision"),
    [
        ("办结", "2026-10-12", "2026-10-12T15:59:59.000000Z", "day"),
        ("办结", "2026-10-31", "2026-10-31T15:59:59.000000Z", "day"),  # the last second of a month
        ("办结", "2026-10-12 00:00:00", "2026-10-11T16:00:00.000000Z", None),  # midnight, unless the column tells days
        ({"from": "办结", "day": "end"}, "2026-10-12 00:00:00", "2026-10-12T15:59:59.000000Z", "day"),
        ({"from": "办结", "day": "end"}, "2026-10-12 10:00:00", "2026-10-12T02:00:00.000000Z", None),
        ({"from": "办结", "day": "start"}, "2026-10-12", "2026-10-11T16:00:00.000000Z", "day"),
        ({"from": "办结", "formats": ["cn"]}, "2026年10月12日", "2026-10-12T15:59:59.000000Z", "day"),
        ({"from": "办结", "formats": ["cn"]}, "2026年10月12日 9时", "2026-10-12T01:00:00.000000Z", None),
        ({"from": "办结", "formats": ["excel"]}, "46307", "2026-10-12T15:59:59.000000Z", "day"),
        ({"from": "办结", "formats": ["excel"]}, "46307.5", "2026-10-12T04:00:00.000000Z", None),
        ({"from": "办结", "formats": ["%Y%m%d%H%M%S", "%Y%m%d"]}, "20261012", "2026-10-12T15:59:59.000000Z", "day"),
        (
            {"from": "办结", "formats": ["%Y%m%d%H%M%S", "%Y%m%d"]},
            "20261012100000",
            "2026-10-12T02:00:00.000000Z",
            None,
        ),
        (
            {"from": "办结", "formats": ["%Y.%m.%d %H.%M", "iso"]},
            "2026.10.12 10.00",
            "2026-10-12T02:00:00.000000Z",
            None,
        ),
        ({"from": "办结", "formats": ["%d/%m/%Y"]}, "12/10/2026", "2026-10-12T15:59:59.000000Z", "day"),
    ],
)
def test_a_close_of_a_day_is_its_last_second(close, text, moment, precision):
    _, judged = cases([{"办结": text}], close)
    assert [(event["occurred_at"], event["occurred_precision"]) for event in told(judged, "CLOSE")] == [
        (moment, precision)
    ]


def test_receipt_and_dispatch_begin_and_a_limit_ends_a_day():
    row = {"受理": "2026-10-12", "派单": "2026-10-12", "期限": "2026-10-15"}
    _, judged = cases([row])
    dispatch = told(judged, "DISPATCH")[0]
    assert judged.staged["received_at"][0] == datetime(2026, 10, 11, 16, tzinfo=UTC)
    assert (dispatch["occurred_at"], dispatch["occurred_precision"]) == ("2026-10-11T16:00:00.000000Z", "day")
    assert dispatch["due_at"] == "2026-10-15T16:00:00.000000Z"  # 24:00


def test_a_day_has_as_many_hours_as_the_clocks_give_it():
    rows = [{"受理": "2026-03-01 09:00:00", "办结": day} for day in ("2026-03-08", "2026-11-01")]
    _, judged = cases(rows, zone="America/New_York")
    assert [event["occurred_at"] for event in told(judged, "CLOSE")] == [
        "2026-03-09T03:59:59.000000Z",
        "2026-11-02T04:59:59.000000Z",
    ]


def test_a_day_that_begins_at_one_because_the_clocks_skip_midnight():
    """Cairo, 2026-04-24: midnight is skipped, so that 2026-04-23 ends an hour before one o'clock of the next day."""
    _, judged = cases([{"受理": "2026-04-20 09:00:00", "办结": "2026-04-23"}], zone="Africa/Cairo")
    assert told(judged, "CLOSE")[0]["occurred_at"] == "2026-04-23T21:59:59.000000Z"


def events(rows: list[tuple[str, str, str]]):
    given = feed({"kind": "event", "columns": {"case_no": "工单", "event_type": "环节", "occurred_at": "时间"}})
    frame = pl.DataFrame(rows, schema={"工单": pl.String, "环节": pl.String, "时间": pl.String}, orient="row")
    return judge(frame, given, given.deliveries[0], KEY).staged


def test_an_event_means_what_its_type_means():
    staged = events([("1", kind, "2026-10-12") for kind in ("DISPATCH", "SIGN", "CLOSE", "REDISPATCH", "REWORK")])
    local = staged["occurred_at"].dt.convert_time_zone("Asia/Shanghai").dt.strftime("%H:%M:%S").to_list()
    assert local == ["00:00:00", "23:59:59", "23:59:59", "00:00:00", "23:59:59"]
    assert staged["occurred_precision"].to_list() == ["day"] * 5


def test_a_day_is_not_the_same_content_as_its_last_second_and_a_time_hashes_as_ever():
    day, second = (events([("1", "CLOSE", text)]) for text in ("2026-10-12", "2026-10-12 23:59:59"))
    assert day["occurred_at"][0] == second["occurred_at"][0] and day["row_hash"][0] != second["row_hash"][0]
    beside_a_day = events([("1", "CLOSE", "2026-10-12 23:59:59"), ("2", "CLOSE", "2026-10-12")])
    assert beside_a_day["row_hash"][0] == second["row_hash"][0] == "a7fac9d760024bbae00d9cc19e2127fd"


@pytest.mark.parametrize(("close", "noted"), [("办结", 2), ({"from": "办结", "day": "end"}, 0)])
def test_days_are_noted_where_the_declaration_does_not_say_what_they_mean(close, noted):
    given, _ = cases([{}], close)
    door = Door(given, given.deliveries[0], (KEY,))
    rows = [("1", "2026-10-12"), ("2", "2026-10-13"), ("3", "2026-10-13 08:00:00"), ("4", "2026-10-11 08:00:00")]
    frame = pl.DataFrame(
        [
            {"工单": no, "受理": "2026-10-12 09:00:00", "派单": None, "期限": None, "单位": None, "办结": at}
            for no, at in rows
        ],
        schema=dict.fromkeys(("工单", "受理", "派单", "期限", "单位", "办结"), pl.String),
    )
    door.judge(frame)
    notes = {note["code"]: note["rows"] for note in door.close().notes}
    assert notes.get("DAY_ONLY", 0) == noted
    assert notes["CLOSE_BEFORE_RECEIPT"] == 1  # only the one of the day before


def test_a_declaration_says_start_or_end():
    with pytest.raises(ValidationError, match="day"):
        cases([{}], {"from": "办结", "day": "noon"})


@pytest.mark.parametrize("written", ["2026-10-1{}", "2026-10-1{} 00:00:00", "2026-10-1{}T00:00:00.000"])
def test_a_draft_says_what_a_column_of_days_means(tmp_path: Path, written: str):
    rows = [f"{n},2026-10-1{n} 0{n}:15:00,{written.format(n)},城管局,{written.format(n + 1)}" for n in range(1, 8)]
    file = tmp_path / "sample.csv"
    file.write_text("\n".join(["工单编号,受理时间,办结时间,承办单位,办理期限", *rows]) + "\n", encoding="utf-8")
    text = draft(file, "h1")
    assert "occurred_at: {from: 办结时间, day: end}" in text and "按当日最后一秒计" in text
    assert "due_at: {from: 办理期限, day: end}" in text and "按当日24时计" in text
    assert "received_at: 受理时间" in text

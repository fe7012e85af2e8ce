"""Every text column is masked on its way in; a key is refused where it is a citizen's number, and never masked."""

import json

import polars as pl
import pytest
from pydantic import ValidationError

from minhu.feeds.canonical import LAYOUTS
from minhu.feeds.door import judge
from minhu.feeds.feed import Feed

KEY = b"0" * 32
PHONE, HIDDEN = "13800001234", "138****1234"
TIME = "2026-10-12 09:00:00"


def feed(kind: str, columns: dict, **delivery) -> Feed:
    source = {"type": "drop_folder", "path": "x/{date}.csv"}
    given = {"name": "rows", "kind": kind, "format": {"type": "csv"}, "columns": columns, "source": source} | delivery
    return Feed.model_validate(
        {"code": "h1", "name": "热线", "owner": "市热线办", "schedule": "0 2 * * *", "deliveries": [given]}
    )


def judged(given: Feed, **row: str):
    return judge(pl.DataFrame({name: [value] for name, value in row.items()}), given, given.deliveries[0], KEY)


def test_codes_and_names_of_a_case_are_masked_and_keys_stay():
    names = ("category_code", "channel", "area_code", "status")
    given = feed("case", {name: name for name in ("case_no", "received_at", *names)})
    row = dict.fromkeys(names, PHONE) | {"case_no": "2026-1", "received_at": TIME}
    staged = judged(given, **row).staged
    assert staged.select(names).row(0) == (HIDDEN,) * 4
    assert staged["case_no"].to_list() == ["2026-1"]


def test_a_unit_that_no_register_knows_stays_masked():
    given = feed("event", {name: name for name in ("case_no", "event_type", "occurred_at", "unit_name", "reason_code")})
    row = {"case_no": "1", "event_type": "DISPATCH", "occurred_at": TIME}
    staged = judged(given, **row, unit_name=f"城管局（{PHONE}）", reason_code=PHONE).staged
    assert staged.select("unit_name", "reason_code").row(0) == (f"城管局（{HIDDEN}）", HIDDEN)


def test_the_number_of_a_merge_is_a_key_and_another_result_is_not():
    given = feed("event", {name: name for name in ("case_no", "event_type", "occurred_at", "result_code")})
    row = {"case_no": "1", "occurred_at": TIME, "result_code": PHONE}
    results = [judged(given, **row, event_type=event).staged["result_code"][0] for event in ("MERGE", "CLOSE")]
    assert results == [PHONE, HIDDEN]


def test_a_satisfaction_is_masked():
    given = feed("callback", {name: name for name in ("case_no", "called_at", "satisfaction_code", "channel")})
    staged = judged(given, case_no="1", called_at=TIME, satisfaction_code=PHONE, channel="微信：13800001234").staged
    assert staged.select("satisfaction_code", "channel").row(0) == (HIDDEN, f"微信：{HIDDEN}")


@pytest.mark.parametrize(("unknown", "staged", "reasons"), [("blank", [None], []), ("reject", [], ["UNKNOWN_CODE"])])
def test_a_declaration_says_what_becomes_of_a_row_whose_code_no_list_has(unknown, staged, reasons):
    columns = {"case_no": "n", "received_at": "t", "urgency": {"from": "u", "unknown": unknown}}
    given = feed("case", columns, max_rejected_pct=100)
    found = judged(given, n="1", t=TIME, u="很急")
    assert found.staged["urgency"].to_list() == staged and found.rejected["reason_code"].to_list() == reasons


@pytest.mark.parametrize(
    ("kind", "name", "unknown", "says"),
    [
        ("case", "channel", "reject", "channel has none"),
        ("event", "event_type", "blank", "event_type is required"),
    ],
)
def test_what_cannot_be_said_of_an_unknown_code_is_refused(kind, name, unknown, says):
    columns = {column: column for column in ("case_no", "received_at", "occurred_at", "event_type")}
    columns = {column: column for column in columns if column in [one.name for one in LAYOUTS[kind]]}
    with pytest.raises(ValidationError, match=says):
        feed(kind, columns | {name: {"from": name, "unknown": unknown}})


def test_a_declared_amount_is_kept_as_a_number_and_is_nobodys():
    given = feed("case", {"case_no": "n", "received_at": "t"}, known_columns=["备注"], amounts=["金额", "面{积"])
    row = {"n": "1", "t": TIME, "备注": PHONE}
    told = judged(given, **row, 金额=PHONE, **{"面{积": "-12.50"}).staged["payload"][0]
    assert told == f'{{"备注":"{HIDDEN}","金额":{PHONE},"面{{积":-12.50}}'
    told = judged(given, **row, 金额=f"电话{PHONE}", **{"面{积": "007"}).staged["payload"][0]
    assert json.loads(told) == {"备注": HIDDEN, "金额": f"电话{HIDDEN}", "面{积": "007"}


def test_a_private_column_is_no_amount():
    with pytest.raises(ValidationError, match="金额 is private"):
        feed("case", {"case_no": "n", "received_at": "t"}, amounts=["金额"], private=["金额"])


def test_a_code_that_no_list_has_is_blanked_and_masked_in_payload():
    given = feed("case", {name: name for name in ("case_no", "received_at", "urgency")})
    staged = judged(given, case_no="1", received_at=TIME, urgency=PHONE).staged
    assert (staged["urgency"][0], staged["payload"][0]) == (None, f'{{"urgency":"{HIDDEN}"}}')


def test_milestones_are_masked():
    close = {"event_type": "CLOSE", "columns": {"occurred_at": "closed", "unit_name": "unit", "note": "note"}}
    given = feed("case", {"case_no": "case_no", "received_at": "received_at"}, milestones=[close])
    row = {"case_no": "1", "received_at": TIME, "closed": "2026-10-13 09:00:00"}
    told = judged(given, **row, unit=f"街道{PHONE}", note="回电138－0000－1234").staged["milestones"][0]
    assert HIDDEN in told and PHONE not in told and "138****1234" in told and "0000" not in told.split("note")[1]


@pytest.mark.parametrize(("shape", "reason"), [(None, "BAD_KEY"), ("[0-9]{11}", None), ("GD[0-9]+", "BAD_KEY")])
def test_a_key_that_is_a_phone_is_refused_unless_it_has_the_declared_shape(shape, reason):
    number = {"from": "case_no"} | ({"shape": shape} if shape else {})
    given = feed("case", {"case_no": number, "received_at": "received_at"}, max_rejected_pct=100)
    found = judged(given, case_no=PHONE, received_at=TIME)
    assert found.rejected["reason_code"].to_list() == ([reason] if reason else [])
    assert found.staged["case_no"].to_list() == ([] if reason else [PHONE])


def test_a_shape_is_a_regular_expression():
    with pytest.raises(ValidationError, match="no regular expression"):
        feed("case", {"case_no": {"from": "case_no", "shape": "["}, "received_at": "received_at"})

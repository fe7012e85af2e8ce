"""Words of a declaration are found in any case, width and spacing; what no list names is noted."""

import polars as pl
import pytest
from pydantic import ValidationError

from minhu.feeds.door import Door, judge
from minhu.feeds.feed import Feed

KEY = b"0" * 32
STATUS = {"from": "Status", "map": {"Closed": "closed", "In Progress": "open"}}


def feed(**delivery) -> Feed:
    common = {"name": "cases", "kind": "case", "format": {"type": "csv"}, "known_columns": ["Status", "Updated"]}
    source = {"type": "drop_folder", "path": "x/{date}.csv"}
    close = {"event_type": "CLOSE", "when": {"from": "Status", "one_of": ["Closed"], "known": ["Open", "在办"]}}
    close["columns"] = {"occurred_at": "Updated"}
    columns = {"case_no": "No", "received_at": "Opened"}
    given = common | {"source": source, "columns": columns, "milestones": [close]} | delivery
    return Feed.model_validate(
        {"code": "h1", "name": "热线", "owner": "市热线办", "schedule": "0 2 * * *", "deliveries": [given]}
    )


def rows(*words: str) -> pl.DataFrame:
    names = ("No", "Opened", "Updated", "Status")
    told = [(str(n), "2026-10-12 09:00:00", "2026-10-13 09:00:00", word) for n, word in enumerate(words)]
    return pl.DataFrame(told, schema=dict.fromkeys(names, pl.String), orient="row")


def notes(given: Feed, frame: pl.DataFrame) -> dict:
    door = Door(given, given.deliveries[0], (KEY,))
    door.judge(frame)
    return {(note["column"], note.get("word")): note["rows"] for note in door.close().notes}


def closed(given: Feed, *words: str) -> list[bool]:
    return judge(rows(*words), given, given.deliveries[0], KEY).staged["milestones"].is_not_null().to_list()


def test_a_when_is_met_however_the_word_is_written():
    words = ("Closed", "closed", "CLOSED", " Closed ", "Ｃｌｏｓｅｄ", "clo sed", "close", "Open")
    assert closed(feed(), *words) == [True] * 6 + [False] * 2


def test_a_map_is_met_however_the_word_is_written():
    given = feed(columns={"case_no": "No", "received_at": "Opened", "status": STATUS})
    staged = judge(
        rows("Closed", "closed", "IN  PROGRESS", "In\u3000Progress", "Held"), given, given.deliveries[0], KEY
    )
    assert staged.staged["status"].to_list() == ["closed", "closed", "open", "open", "Held"]


def test_a_word_that_nothing_names_is_noted_with_its_count():
    assert notes(feed(), rows("Closed", "OPEN", "在办", "Complete", "Complete", "Void")) == {
        ("Status", "Complete"): 2,
        ("Status", "Void"): 1,
    }


def test_a_word_that_may_be_somebody_is_noted_by_its_shape():
    assert notes(feed(), rows("13800001111", "13900002222", "张三")) == {("Status", "9{11}"): 2, ("Status", "字字"): 1}


def test_words_of_parts_are_counted_together():
    given = feed()
    door = Door(given, given.deliveries[0], (KEY,))
    for _ in range(3):
        door.judge(rows("Void"))
    assert [note["rows"] for note in door.close().notes if note["code"] == "UNNAMED_WORD"] == [3]


def test_a_column_with_a_map_may_know_more_words():
    columns = {"case_no": "No", "received_at": "Opened", "channel": {"from": "Status", "map": {"Closed": "closed"}}}
    assert notes(feed(columns=columns, milestones=[]), rows("Web", "web")) == {
        ("Status", "Web"): 1,
        ("Status", "web"): 1,
    }
    columns["channel"]["known"] = ["Web"]
    assert notes(feed(columns=columns, milestones=[]), rows("Web", "web", "CLOSED")) == {}


def test_codes_and_registers_are_told_elsewhere():
    columns = {"case_no": "No", "received_at": "Opened", "urgency": {"from": "Status", "map": {"急": "urgent"}}}
    given = feed(columns=columns, milestones=[])
    assert notes(given, rows("缓")) == {("Status", None): 1}  # UNKNOWN_CODE, once
    columns = {"case_no": "No", "received_at": "Opened", "category_code": {"from": "Status", "map": {"水": "A1"}}}
    assert notes(feed(columns=columns, milestones=[]), rows("火")) == {}


def test_a_tombstone_is_met_however_the_word_is_written():
    given = feed(tombstone={"from": "Status", "one_of": ["Deleted"]}, milestones=[])
    assert judge(rows("DELETED", "x"), given, given.deliveries[0], KEY).staged["is_deleted"].to_list() == [True, False]


def test_one_word_has_one_code():
    columns = {"case_no": "No", "received_at": "Opened", "status": {"from": "S", "map": {"Closed": "a", "CLOSED": "a"}}}
    feed(columns=columns)
    columns["status"]["map"]["CLOSED"] = "b"
    with pytest.raises(ValidationError, match="'Closed' and 'CLOSED' are one word"):
        feed(columns=columns)

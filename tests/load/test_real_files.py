"""Files as people really send them, down to the manifest: held where a person must look, and named for nobody."""

import json
import os
from datetime import date

import pytest

from minhu import database
from minhu.errors import BadDelivery
from minhu.feeds import read_feed
from minhu.load import load_delivery, load_file, replay
from minhu.load.preview import preview
from tests import given
from tests.feeds.cases import CASES, FEED, NAMES, A, row, text, zipped

DAY = date(2026, 10, 12)


@pytest.fixture
def city(scratch, tmp_path):
    """A city of one feed, whose delivery a test declares."""

    def declared(**differently):
        delivery = FEED["deliveries"][0] | differently
        return scratch(given.config(tmp_path / "config", [FEED | {"deliveries": [delivery]}]))

    return declared


def drop(city, name: str | bytes, data: bytes):
    folder = city.drop / "real"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / os.fsdecode(name)
    path.write_bytes(data)
    return path


def query(city, text):
    with database.connect(city) as connection:
        return connection.execute(text).fetchall()


SOURCE = {"type": "drop_folder", "path": "real/*{date}*", "settle_seconds": 0}


def test_a_count_that_cannot_be_read_holds_the_batch_and_its_replay(city):
    home = city(source=SOURCE | {"done_suffix": ".done"})
    drop(home, "cases_20261012.csv", A.encode())
    drop(home, "cases_20261012.csv.done", b"3 / 4")
    [result] = load_delivery("real", "cases", DAY, settings=home)
    assert (result.outcome, result.staged) == ("held", 3)
    assert "cannot be read" in result.reason and "bare number" in result.reason
    assert query(home, "select status, reason_code, control_total from audit.batch") == [
        ("held", "CONTROL_TOTAL", None)
    ]
    assert replay(home, result.batch_id).outcome == "held"


def test_a_count_in_words_agrees_with_the_rows(city):
    home = city(source=SOURCE | {"done_suffix": ".done"})
    drop(home, "cases_20261012.csv", A.encode())
    drop(home, "cases_20261012.csv.done", "３ 行".encode())
    assert load_delivery("real", "cases", DAY, settings=home)[0].outcome == "loaded"


def test_what_is_no_row_stands_in_the_manifest_and_a_file_of_nothing_else_waits(city):
    home = city(source=SOURCE, format={"type": "csv", "skip_rows": 1, "footer_pattern": "合计"})
    path = drop(home, "cases_20261012.csv", ("十月\n" + text(("合计", "0", "", "", ""))).encode())
    feed = read_feed(home, "real")
    told = preview(home, feed, feed.delivery("cases"), path)
    assert (told.verdict, told.reasons[0].partition(":")[0]) == ("hold", "NO_ROWS")
    result = load_file("real", "cases", path, DAY, settings=home)
    assert (result.outcome, result.received) == ("held", 0)
    assert query(home, "select reason_code, notes from audit.batch") == [
        (
            "NO_ROWS",
            [{"code": "TITLE_LINES", "column": "", "rows": 1}, {"code": "FOOTER_LINES", "column": "", "rows": 1}],
        )
    ]


@pytest.mark.parametrize(
    "name", ["an empty array", "an empty array at its path", "blank lines for records", "an empty list in XML"]
)
def test_a_delivery_without_rows_is_a_batch_of_none(name, city):
    home = city(source=SOURCE, format=CASES[name].format)
    result = load_file("real", "cases", drop(home, "cases_20261012", CASES[name].data), DAY, settings=home)
    assert (result.outcome, result.received) == ("loaded", 0)


def test_a_row_of_bad_bytes_is_rejected_with_its_line_and_byte(city):
    home = city(source=SOURCE, format={"type": "csv", "encoding": "gb18030"})
    data = A.encode("gb18030").replace(b"A3,", b"A3\x80,")
    load_file("real", "cases", drop(home, "cases_20261012.csv", data), DAY, settings=home)
    [(number, reason, raw)] = query(home, "select row_number, reason_code, raw from restricted.rejected_row")
    told = raw if isinstance(raw, dict) else json.loads(raw)
    assert (number, reason, told["__place"]) == (3, "BAD_BYTES", f"line 4, byte {data.index(0x80) + 1}")
    assert told[NAMES[0]] == "A3\ufffd"


def test_no_manifest_and_no_message_tells_a_name_or_a_phone_that_a_file_is_called_after(city):
    home = city(source=SOURCE)
    drop(home, "张三13800001111_20261012.csv", A.encode())
    drop(home, "李四投诉_20261012.csv", b"\xff\xfe\xff" * 9)
    with pytest.raises(BadDelivery) as refusal:
        load_delivery("real", "cases", DAY, settings=home)
    told = str(refusal.value) + str(query(home, "select source_name, reason, notes from audit.batch"))
    told += str(query(home, "select * from audit.attempt"))
    assert not any(word in told for word in ("张三", "李四", "138"))
    assert "real/＊_20261012.csv" in told


def test_names_in_bytes_of_gbk_are_loaded_in_a_folder_and_in_an_archive(city):
    home = city(source=SOURCE, format={"type": "csv", "compression": "auto", "member": "工单*"})
    drop(home, "工单_20261012.csv".encode("gbk"), A.encode())
    drop(home, "工单_20261012.zip".encode("gbk"), zipped("工单1.csv".encode("gbk"), text(row("B1")).encode()))
    results = load_delivery("real", "cases", DAY, settings=home)
    assert [(result.outcome, result.staged) for result in results] == [("loaded", 3), ("loaded", 1)]
    assert query(home, "select source_name from audit.batch order by 1") == [
        ("real/工单_20261012.csv",),
        ("real/工单_20261012.zip",),
    ]

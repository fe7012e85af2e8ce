"""A drafted declaration loads the sample it was drafted from, and holds nobody's value."""

import csv
import gzip
import io
import json
import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from minhu.declaration import read_yaml
from minhu.errors import BadDelivery
from minhu.feeds import load_feed, load_feeds
from minhu.feeds.draft import draft
from minhu.load.preview import preview
from minhu.settings import PROJECT_ROOT, Settings
from minhu.simulate import write_city
from tests import given
from tests.test_examples import BOSTON, CASES

CONFIG = PROJECT_ROOT / "config"
LAYOUTS = sorted(path.stem for path in (CONFIG / "layouts").glob("*.yml"))
CODED = {"callback_four", "event_full", "portal_case"}
"""Their words are codes that only the city knows; all others are recognised by the built-in words alone."""


@pytest.fixture(scope="module")
def samples(tmp_path_factory) -> dict[str, tuple]:
    """One simulated file with rows for each layout: the delivery that sends it, and the file."""
    out = tmp_path_factory.mktemp("simulated")
    feeds = load_feeds(CONFIG)
    write_city(feeds, CONFIG, out, date(2026, 10, 1), 2, 1500, 7)
    found = {}
    for feed in feeds:
        declared = read_yaml(CONFIG / "feeds" / f"{feed.code}.yml")["deliveries"]
        for delivery, written in zip(feed.deliveries, declared, strict=True):
            for file in sorted(out.glob(delivery.source.path.replace("{date}", "*"))):
                if file.stat().st_size > found.get(written["layout"], (None, file, 0))[2]:
                    found[written["layout"]] = (delivery, file, file.stat().st_size)
    return found


def drafted(tmp_path: Path, file: Path, learned: Path | None = None):
    """The feed a draft of ``file`` declares, and the preview of the same file."""
    folder = given.config(tmp_path / "config")
    (folder / "feeds" / "h1.yml").unlink()
    (folder / "feeds" / "sample.yml").write_text(draft(file, "sample", learned), encoding="utf-8")
    feed = load_feed(folder / "feeds" / "sample.yml")
    settings = Settings(home=tmp_path / "home", config=folder, drop=tmp_path / "drop", database_url=None)
    return feed.deliveries[0], preview(replace(settings), feed, feed.deliveries[0], file)


def mapped(delivery) -> dict[str, str]:
    return {name: mapping.source for name, mapping in delivery.columns.items() if mapping.source}


@pytest.mark.parametrize(
    ("layout", "taught"),
    [*((layout, True) for layout in LAYOUTS), *((layout, False) for layout in LAYOUTS if layout not in CODED)],
    ids=lambda given: given if isinstance(given, str) else "as the city declared" if given else "by built-in words",
)
def test_a_draft_loads_its_own_sample(samples, tmp_path, layout, taught):
    declared, file, _ = samples[layout]
    delivery, told = drafted(tmp_path, file, CONFIG if taught else None)
    assert (told.verdict, told.reasons) == ("load", ())
    assert told.rows > 0 and not told.drift.new_columns and not told.drift.missing_columns
    assert (delivery.kind, mapped(delivery)) == (declared.kind, mapped(declared))
    assert {m.event_type for m in delivery.milestones} == {m.event_type for m in declared.milestones}
    assert set(delivery.private) >= set(declared.private)


def test_a_draft_holds_nobodys_value(samples, tmp_path):
    for declared, file, _ in samples.values():
        text = draft(file, "sample", CONFIG)
        if file.suffix != ".csv" or not declared.private:
            continue
        with file.open(encoding=declared.format.encoding, newline="") as rows:
            for row in csv.DictReader(rows):
                persons = [row[name] for name in (*declared.private, mapped(declared).get("caller_phone")) if name]
                assert [
                    text.find(one) for one in persons if one.strip() and one not in declared.nulls and one in text
                ] == []


def test_a_file_of_another_city_is_drafted(tmp_path):
    file = tmp_path / "boston_2022-01-06.csv"
    with file.open("w", encoding="ascii", newline="") as out:
        writer = csv.DictWriter(out, BOSTON, restval=" ")
        writer.writeheader()
        for number, opened, target, closed in CASES:
            times = {"case_enquiry_id": number, "open_dt": opened, "target_dt": target, "closed_dt": closed}
            writer.writerow(times | {"department": "PWDx", "case_status": "Closed" if closed else "Open"})
    delivery, told = drafted(tmp_path, file)
    assert (told.verdict, told.staged) == ("load", 5)
    assert delivery.source.path == "sample/boston_{date}.csv"
    assert mapped(delivery)["case_no"] == "case_enquiry_id"
    due, closed = delivery.milestones
    assert {name: m.source for name, m in due.columns.items()} == {
        "occurred_at": "open_dt", "due_at": "target_dt", "unit_name": "department"
    }  # fmt: skip
    assert (closed.event_type, closed.columns["occurred_at"].source) == ("CLOSE", "closed_dt")


def test_unknown_columns_are_guessed_by_their_values(tmp_path):
    rows = [
        {"序列": f"X-{at}", "何时": f"2026年10月{at + 1}日 08时30分", "甲": f"1391234567{at}", "乙": name, "丙": "随便"}
        for at, name in enumerate(("王小明", "李女士", "欧阳锋", "赵某"))
    ]
    delivery, told = drafted(tmp_path, given.csv_file(tmp_path / "x.csv", rows))
    assert mapped(delivery) == {"case_no": "序列", "received_at": "何时", "caller_phone": "甲"}
    assert (delivery.private, delivery.known_columns) == (("乙",), ("丙",))
    assert delivery.formats == ("%Y年%m月%d日 %H时%M分",)
    assert (told.verdict, told.staged) == ("load", 4)


def test_words_nobody_knows_are_left_to_fill_in(tmp_path):
    rows = [
        {"工单编号": str(at), "受理时间": "2026-10-01 08:00:00", "诉求类型": word}
        for at, word in enumerate("投诉 咨询 点赞".split())
    ]
    text = draft(given.csv_file(tmp_path / "x.csv", rows), "sample")
    assert "投诉: complaint" in text and "# 点赞: 核对" in text


@pytest.mark.parametrize("delimiter", ["\t", ";", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-8-sig"])
def test_delimiters_and_encodings_are_found(tmp_path, delimiter, encoding):
    lines = [
        ("工单编号", "受理时间", "诉求内容"),
        ("1", "2026-10-01 08:00:00", "路灯,不亮"),
        ("2", "2026-10-01 09:00:00", ""),
    ]
    file = tmp_path / "x.txt"
    file.write_bytes("\n".join(delimiter.join(line) for line in lines).encode(encoding))
    delivery, told = drafted(tmp_path, file)
    assert (delivery.format.delimiter, delivery.format.encoding) == (delimiter, encoding)
    assert (told.verdict, told.staged) == ("load", 2)


def test_json_lines_are_found(tmp_path):
    rows = [{"service_request_id": str(at), "requested_datetime": "2026-10-01T08:00:00+08:00"} for at in range(3)]
    file = tmp_path / "x.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert drafted(tmp_path, file)[1].staged == 3


HEADER = ("工单编号", "受理时间", "诉求内容", "备注")
LINES = [HEADER, ("1", "2026-10-01 08:00:00", "路灯,不亮", ""), ("2", "2026-10-01 09:00:00", "", "急")]
TEXT = "\n".join(",".join(f'"{cell}"' for cell in line) for line in LINES)


def packed(text: bytes, how: str) -> bytes:
    if how == "gzip":
        return gzip.compress(text)
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("工单.csv", text)
    return data.getvalue()


def workbook(path: Path, rows: dict[int, tuple], sheet: str = "工单", before: tuple[str, ...] = ()) -> Path:
    """A workbook with the rows at the given places, merged where a row has one cell."""
    with xlsxwriter.Workbook(path) as book:
        for name in before:
            book.add_worksheet(name).write(0, 0, "说明")
        page = book.add_worksheet(sheet)
        for at, row in rows.items():
            if len(row) == 1:
                page.merge_range(at, 0, at, 3, row[0])
            else:
                page.write_row(at, 0, row)
    return path


@pytest.mark.parametrize("how", ["gzip", "zip"])
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_packed_file_is_drafted_as_packed(tmp_path, how, encoding):
    file = tmp_path / f"cases_20261012.csv.{how}"
    file.write_bytes(packed(f"十月工单\n\n{TEXT}".encode(encoding), how))
    delivery, told = drafted(tmp_path, file)
    format = delivery.format
    assert (format.type, format.compression, format.encoding, format.skip_rows) == ("csv", how, encoding, 2)
    assert (told.verdict, told.staged) == ("load", 2)
    assert told.detected == {"type": "csv", "encoding": encoding, "skip_rows": 2, "compression": how}


def test_a_zip_of_several_files_is_not_drafted(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.csv", TEXT)
        archive.writestr("b.csv", TEXT)
    with pytest.raises(BadDelivery, match="holds 2 files"):
        draft(tmp_path / "x.zip", "sample")


@pytest.mark.parametrize("how", ["none", "gzip"])
def test_a_parquet_file_is_drafted(tmp_path, how):
    data = io.BytesIO()
    pl.DataFrame(LINES[1:], schema=list(HEADER), orient="row").write_parquet(data)
    file = tmp_path / "cases_20261012.parquet"
    file.write_bytes(data.getvalue() if how == "none" else packed(data.getvalue(), how))
    delivery, told = drafted(tmp_path, file)
    assert (delivery.format.type, delivery.format.compression) == ("parquet", how)
    assert (told.verdict, told.staged) == ("load", 2)


@pytest.mark.parametrize(
    ("titles", "skipped"),
    [
        ("", 0),
        ("\n", 0),
        (",,,\n", 1),
        ("十月工单\n", 1),
        ("十月工单,,,\n", 1),
        ("十月工单,,,\n,,,\n制表：热线办,,单位：件,\n\n", 4),
        ('"十月\n工单",,,\n', 2),
        ("导出时间：2026-10-01 08:00,共2条\n", 1),
    ],
)
@pytest.mark.parametrize("delimiter", [",", pytest.param("\t", marks=pytest.mark.long)])
def test_title_lines_before_the_header_of_a_csv_are_skipped(tmp_path, titles, skipped, delimiter):
    text = (titles + TEXT).replace(",", delimiter)
    file = tmp_path / "x.csv"
    stray = delimiter.join("3" * 10)  # a line with too many fields is no header
    file.write_text(f"{text}\n{stray}\n", encoding="utf-8")
    delivery, told = drafted(tmp_path, file)
    assert (delivery.format.skip_rows, delivery.format.delimiter) == (skipped, delimiter)
    assert mapped(delivery)["case_no"] == "工单编号" and told.rows == 3
    assert ("核对：表头前有几行标题" in draft(file, "sample")) == (skipped > 0)


@pytest.mark.parametrize(
    ("titles", "first", "skipped"),
    [((), 0, 0), ((), 3, 0), ((0,), 1, 1), ((0, 1), 4, 4), ((5, 7), 8, 8)],
    ids=["none", "blank rows only", "one title", "titles and blank rows", "blank rows and titles"],
)
@pytest.mark.parametrize("before", [(), ("说明",)], ids=["first sheet", "second sheet"])
def test_title_rows_before_the_header_of_a_workbook_are_skipped(tmp_path, titles, first, skipped, before):
    rows = dict.fromkeys(titles, ("十月工单",)) | dict(enumerate(LINES, start=first))
    delivery, told = drafted(tmp_path, workbook(tmp_path / "x.xlsx", rows, before=before))
    assert (delivery.format.skip_rows, delivery.format.sheet) == (skipped, "工单" if before else None)
    assert (told.verdict, told.staged) == ("load", 2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,13912345678,王某\n2,13812345678,李某\n",
        "十月工单\n1,13912345678,王某\n2,13812345678,李某\n",
        "1,,\n2,13812345678,李某\n3,13912345678,王某\n",
    ],
    ids=["empty", "without a header", "a title without a header", "without a header, its first line almost blank"],
)
def test_a_file_that_cannot_be_drafted_is_refused_without_a_value(tmp_path, text):
    file = tmp_path / "x.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadDelivery) as refusal:
        draft(file, "sample")
    assert "139" not in str(refusal.value) and "王" not in str(refusal.value)


# -- names are judged by another rule than values -------------------------------------------------------------------


def test_names_with_signs_that_values_must_not_have_are_a_header(tmp_path):
    rows = [
        {"unique_key": f"A{at}", "created_date": f"2026-10-0{at}T09:00:00.000", ":@region_7qbp": "7"} for at in (1, 2)
    ]
    delivery, told = drafted(tmp_path, given.csv_file(tmp_path / "x.csv", rows))
    assert (told.verdict, told.staged, delivery.known_columns) == ("load", 2, (":@region_7qbp",))


def test_attributes_of_xml_and_keys_of_json_are_names(tmp_path):
    file = tmp_path / "x.xml"
    file.write_text(
        '<list xmlns:i="http://www.w3.org/2001/XMLSchema-instance">'
        + "".join(
            f'<case id="B{at}"><opened>2026-10-0{at} 09:00:00.{at}7</opened><closed i:nil="true"/></case>'
            for at in (1, 2)
        )
        + "</list>",
        encoding="utf-8",
    )
    delivery, told = drafted(tmp_path, file)
    assert mapped(delivery) == {"case_no": "@id", "received_at": "opened"}
    assert (told.verdict, told.staged) == ("load", 2)
    assert delivery.known_columns == ()  # what says that an element is nothing is no data
    rows = [{"properties": {"case_id": f"C{at}", "open_dt": f"2026-10-0{at} 09:00:00"}, "@graph": "x"} for at in (1, 2)]
    (tmp_path / "x.json").write_text(json.dumps(rows), encoding="utf-8")
    delivery, told = drafted(tmp_path / "json", tmp_path / "x.json")
    assert mapped(delivery) == {"case_no": "properties.case_id", "received_at": "properties.open_dt"}
    assert (told.verdict, told.staged) == ("load", 2)


@pytest.mark.parametrize(
    "cell",
    ["13900001111", "139-0000-1111", "2026-10-01 08:00:00", "someone@mail.example", "文一路12号", "08:30", " "],
)
def test_a_row_of_values_is_no_header(tmp_path, cell):
    file = tmp_path / "x.csv"
    file.write_text(f"A1,{cell},投诉\nA2,{cell},咨询\n", encoding="utf-8")
    with pytest.raises(BadDelivery, match=r"x\.csv: the first line is not a header of column names") as refusal:
        draft(file, "sample")
    assert refusal.value.code == "BAD_HEADER" and not (cell.strip() and cell in str(refusal.value))


def test_keys_that_are_values_are_told_as_such(tmp_path):
    file = tmp_path / "x.json"
    file.write_text(json.dumps([{"13900001111": "a", "b": "c"}]), encoding="utf-8")
    with pytest.raises(BadDelivery, match="the records' keys are values, not names") as refusal:
        draft(file, "sample")
    assert "first line" not in str(refusal.value) and "1390" not in str(refusal.value)


# -- words that real exports have -----------------------------------------------------------------------------------


def test_the_names_of_foreign_exports_are_known(tmp_path):
    rows = [
        {
            "CaseID": f"C{at}", "Opened": "10/01/2026 09:00:00 AM", "CloseDate": "10/02/2026 09:00:00 AM",
            "SRStatus": word, "Closure reason": "done", "requester.name": "A B", "service.name": "Pot hole",
            "E-Mail": "x", "Priority": "High", "Request Type": "Graffiti",
        }
        for at, word in enumerate(("Closed", "In Progress", "Unresolved"))
    ]  # fmt: skip
    file = given.csv_file(tmp_path / "x.csv", rows)
    delivery, told = drafted(tmp_path, file)
    assert mapped(delivery) == {
        "case_no": "CaseID",
        "received_at": "Opened",
        "status": "SRStatus",
        "urgency": "Priority",
    }
    [close] = delivery.milestones
    assert {name: one.source for name, one in close.columns.items()} == {
        "occurred_at": "CloseDate", "note": "Closure reason"
    }  # fmt: skip
    assert delivery.private == ("requester.name", "E-Mail")
    assert delivery.known_columns == ("service.name", "Request Type")
    assert delivery.columns["status"].map == {"Closed": "closed", "In Progress": "dispatched"}
    assert delivery.columns["urgency"].map == {"High": "urgent"}
    assert (told.verdict, told.staged) == ("load", 3)


def test_a_message_board_is_known(tmp_path):
    rows = [
        {
            "留言编号": f"L{at}", "留言用户": "某某", "留言主题": "路灯", "留言详情": "不亮",
            "留言时间": "2026-10-01 09:00:00", "答复单位": "市城管局", "答复时间": "2026-10-02 09:00:00",
            "答复内容": "已修",
        }
        for at in (1, 2)
    ]  # fmt: skip
    delivery, told = drafted(tmp_path, given.csv_file(tmp_path / "x.csv", rows))
    assert mapped(delivery) == {
        "case_no": "留言编号", "received_at": "留言时间", "title": "留言主题", "content": "留言详情"
    }  # fmt: skip
    assert delivery.private == ("留言用户",)
    assert [milestone.event_type for milestone in delivery.milestones] == ["DISPATCH", "CLOSE"]
    assert (told.verdict, told.staged) == ("load", 2)


def test_a_date_expected_of_nobody_in_particular_is_a_limit(tmp_path):
    rows = [
        {"service_request_id": f"{at}", "requested_datetime": "2026-10-01T08:00:00+08:00", "expected_datetime": when}
        for at, when in enumerate(("2026-10-05T08:00:00+08:00", "1900-01-01T00:00:00"))
    ]
    delivery, told = drafted(tmp_path, given.csv_file(tmp_path / "x.csv", rows))
    [dispatch] = delivery.milestones
    assert {name: one.source for name, one in dispatch.columns.items()} == {
        "occurred_at": "requested_datetime", "due_at": "expected_datetime"
    }  # fmt: skip
    assert "1900-01-01T00:00:00" in delivery.nulls
    assert (told.verdict, told.staged, told.rejected) == ("load", 2, ())

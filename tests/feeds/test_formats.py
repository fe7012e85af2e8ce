"""Readers: one shape from every format, every record counted, and a clear refusal of what cannot be read."""

import csv
import gzip
import io
import json
import re
import signal
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree

import polars as pl
import pytest
import xlsxwriter
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from minhu.errors import BadDelivery, Refused
from minhu.feeds.door import judge
from minhu.feeds.feed import Feed
from minhu.feeds.formats import Csv, Format, Json, Parquet, Xlsx, Xml, encodings
from minhu.feeds.formats.common import ROUNDED
from minhu.feeds.formats.read import FAULT, FIELD_COUNT, MARKS, Aside, read
from minhu.settings import PROJECT_ROOT
from minhu.simulate.writers import to_bytes

ROWS = [("1", "路灯不亮"), ("2", None)]
REFUSALS = {"EMPTY_FILE", "WRONG_ENCODING", "UNREADABLE", "BAD_HEADER", "TOO_LARGE"}
TEXT = "编号,内容\n1,路灯不亮\n2,\n"
RECORDS = [{"编号": 1, "内容": "路灯不亮"}, {"编号": 2}]


def workbook(rows, start=0) -> bytes:
    data = io.BytesIO()
    with xlsxwriter.Workbook(data) as book:
        sheet = book.add_worksheet("工单")
        for at, row in enumerate(rows, start):
            sheet.write_row(at, 0, row)
    return data.getvalue()


def parquet(**columns) -> bytes:
    data = io.BytesIO()
    pl.DataFrame(columns).write_parquet(data)
    return data.getvalue()


def zipped(**files: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def frame_of(data: bytes, format: Format, folder: Path) -> pl.DataFrame:
    (folder / "file").write_bytes(data)
    return read(folder / "file", format)


XML = "<列表><项><编号>1</编号><内容>路灯不亮</内容></项><项><编号>2</编号><内容/></项></列表>"
FILES = {
    "csv": (Csv(type="csv"), TEXT.encode()),
    "csv with BOM": (Csv(type="csv"), TEXT.encode("utf-8-sig")),
    "csv in gb18030": (Csv(type="csv", encoding="gb18030", delimiter="\t"), TEXT.replace(",", "\t").encode("gb18030")),
    "csv found to be gb18030": (Csv(type="csv", encoding="auto"), TEXT.encode("gb18030")),
    "csv in utf-16": (Csv(type="csv", encoding="utf-16"), TEXT.encode("utf-16")),
    "csv with old line ends": (Csv(type="csv"), TEXT.replace("\n", "\r").encode()),
    "csv between title and footer": (
        Csv(type="csv", skip_rows=1, footer_pattern="合计"),
        f"十月工单\n{TEXT}合计,,2\n\n".encode(),
    ),
    "csv with a footer of two lines": (Csv(type="csv", footer_rows=2), f"{TEXT}合计,2\n制表人\n".encode()),
    "csv without header": (Csv(type="csv", columns=("编号", "内容")), TEXT.split("\n", 1)[1].encode()),
    "csv without quotes": (Csv(type="csv", quote=None), TEXT.encode()),
    "csv in gzip": (Csv(type="csv", compression="gzip"), gzip.compress(TEXT.encode())),
    "csv in zip": (
        Csv(type="csv", compression="auto", member="工单*.csv"),
        zipped(**{"工单1.csv": TEXT.encode(), "说明.txt": b"x"}),
    ),
    "xlsx": (Xlsx(type="xlsx", sheet="工单"), workbook([("编号", "内容"), *ROWS])),
    "xlsx between title and footer": (
        Xlsx(type="xlsx", skip_rows=2, footer_pattern="合计"),
        workbook([("十月工单",), ("编号", "内容"), *ROWS, (), ("合计", 2)], start=1),
    ),
    "xlsx in gzip": (Xlsx(type="xlsx", compression="auto"), gzip.compress(workbook([("编号", "内容"), *ROWS]))),
    "json": (Json(type="json", records="data.rows"), json.dumps({"data": {"rows": RECORDS}}).encode()),
    "json lines": (Json(type="json", lines=True), "\n\n".join(map(json.dumps, RECORDS)).encode()),
    "xml": (Xml(type="xml", record="项"), XML.encode()),
    "xml by path": (Xml(type="xml", record="列表/项"), XML.encode()),
    "xml in a namespace": (Xml(type="xml", record="项"), XML.replace("<列表>", '<列表 xmlns="urn:a">').encode()),
    "xml by prefix": (
        Xml(type="xml", record="a:项", namespaces={"a": "urn:a"}),
        XML.replace("<列表>", '<列表 xmlns="urn:a">').encode(),
    ),
    "xml in gb18030": (
        Xml(type="xml", record="项"),
        f'<?xml version="1.0" encoding="gb18030"?>{XML}'.encode("gb18030"),
    ),
    "parquet": (Parquet(type="parquet"), parquet(编号=[1.0, 2.0], 内容=["路灯不亮", None])),
}


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_frame_of_text(name, tmp_path):
    format, data = FILES[name]
    frame = frame_of(data, format, tmp_path)
    assert frame.columns == ["编号", "内容"]
    assert [(number, text or None) for number, text in frame.rows()] == ROWS


BOMB = b'<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">%s]><l><r b="&%s;"/></l>'
LEVELS = b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%s;" % (str(n - 1).encode() if n else b"") * 10) for n in range(12))


@pytest.mark.parametrize(
    ("format", "content", "code"),
    [
        pytest.param(Xlsx(type="xlsx"), b"PK\x03\x04truncated", "UNREADABLE", id="truncated workbook"),
        pytest.param(Xlsx(type="xlsx"), FILES["xlsx"][1][:-200], "UNREADABLE", id="workbook without its end"),
        pytest.param(Xlsx(type="xlsx", max_bytes=100), FILES["xlsx"][1], "TOO_LARGE", id="workbook bomb"),
        pytest.param(Json(type="json"), b'[{"a": 1},', "UNREADABLE", id="truncated json"),
        pytest.param(Json(type="json"), b'{"a": 1}', "UNREADABLE", id="json without an array"),
        pytest.param(Json(type="json"), b"[{}, {}]", "UNREADABLE", id="json records without a field"),
        pytest.param(Json(type="json"), b'[{"a": 1, "a": 2}]', "UNREADABLE", id="json key twice"),
        pytest.param(Json(type="json"), b'[{"a.b": 1, "a": {"b": 2}}]', "UNREADABLE", id="json name twice"),
        pytest.param(Json(type="json"), b"[" * 100_000, "UNREADABLE", id="json nested too deep"),
        pytest.param(Json(type="json", lines=True), b'{"a": 1}\n{"a"', "UNREADABLE", id="truncated json line"),
        pytest.param(Xml(type="xml", record="r"), b"<a><r><b>1</b></r>", "UNREADABLE", id="truncated xml"),
        pytest.param(Xml(type="xml", record="r"), b"<a><r><r/></r></a>", "UNREADABLE", id="xml record in a record"),
        pytest.param(Xml(type="xml", record="r"), BOMB % (LEVELS, b"a11"), "UNREADABLE", id="xml entity bomb"),
        pytest.param(Xml(type="xml", record="r"), "<a>编</a>".encode("gb18030"), "WRONG_ENCODING", id="xml encoding"),
        pytest.param(Parquet(type="parquet"), FILES["parquet"][1][:-9], "UNREADABLE", id="truncated parquet"),
        pytest.param(Csv(type="csv"), b'a,b\n1,"x\n', "UNREADABLE", id="quote never closed"),
        pytest.param(Csv(type="csv"), b"a,\x00\n1,2\n", "BAD_HEADER", id="a NUL in the header"),
        pytest.param(Csv(type="csv"), b",,\n1,2,3\n", "BAD_HEADER", id="no column name"),
        pytest.param(Csv(type="csv"), "编号\n1\n".encode("gb18030"), "WRONG_ENCODING", id="gb18030 for utf-8"),
        pytest.param(Csv(type="csv", encoding="gb18030"), TEXT.encode(), "WRONG_ENCODING", id="utf-8 for gb18030"),
        pytest.param(Csv(type="csv", encoding="auto"), b"a\n\xff\xff\n", "WRONG_ENCODING", id="no encoding at all"),
        pytest.param(Csv(type="csv"), b"", "EMPTY_FILE", id="no bytes"),
        pytest.param(Csv(type="csv"), gzip.compress(b"a\n1\n"), "UNREADABLE", id="gzip undeclared"),
        pytest.param(Csv(type="csv", compression="gzip"), b"a\n1\n", "UNREADABLE", id="gzip declared only"),
        pytest.param(Csv(type="csv", compression="gzip"), gzip.compress(b"a\n1")[:-9], "UNREADABLE", id="cut gzip"),
        pytest.param(Csv(type="csv", compression="zip"), zipped(a=b"a", b=b"b"), "UNREADABLE", id="two files in a zip"),
        pytest.param(Csv(type="csv", compression="zip"), zipped(a=b"a" * 99)[:-9], "UNREADABLE", id="cut zip"),
        pytest.param(
            Csv(type="csv", compression="zip"),
            zipped(a=b"a,b\n1,2\n").replace(b"\x00\x00\x00\x00a", b"\x00\x00\x00\x00\x00"),
            "UNREADABLE",
            id="a file without a name in the zip",
        ),
        pytest.param(Csv(type="csv", compression="zip", max_bytes=9), zipped(a=b"a" * 10), "TOO_LARGE", id="zip bomb"),
        pytest.param(Csv(type="csv", compression="zip"), zipped(a=b""), "EMPTY_FILE", id="nothing in the zip"),
    ],
)
def test_what_cannot_be_read_is_refused(format, content, code, tmp_path):
    with pytest.raises(BadDelivery) as refusal:
        frame_of(content, format, tmp_path)
    assert refusal.value.code == code
    assert re.search(r"mend|ask the sender|say |declare it|name one", str(refusal.value))


@pytest.mark.parametrize(
    ("record", "content"),
    [
        ("r", "<l/>"),
        ("r", "<l count='0'>\n  <!-- none today -->\n</l>"),
        ("a:r", "<l xmlns='urn:a'/>"),
        ("d/l/r", "<d><total>0</total><l></l></d>"),
        ("l/r", "<d><total>0</total><l/><l/></d>"),
    ],
)
def test_an_xml_file_with_an_empty_list_has_no_rows(record, content, tmp_path):
    format = Xml(type="xml", record=record, namespaces={"a": "urn:a"})
    assert frame_of(content.encode(), format, tmp_path).height == 0


@pytest.mark.parametrize(
    ("record", "content", "there"),
    [
        ("r", "<l><R><b>1</b></R></l>", "l, R, b"),
        ("r", "<l><total>0</total><rows/></l>", "l, total, rows"),
        ("r", "<error>no such day</error>", "error"),
        ("l/r", "<l><R/></l>", "l, R"),
        ("l/r", "<d><code>500</code></d>", "d, code"),
        ("l/r", "<d><l/><l><R/></l></d>", "d, l, R"),
        ("d/l/r", "<l><r><b>1</b></r></l>", "l, r, b"),
        ("d/l/r", "<x><l/><e/></x>", "x, l, e"),
        ("a:r", "<l xmlns='urn:b'><r/></l>", "l, r"),
        ("r", f"<l>{''.join(f'<e{at}/>' for at in range(20))}</l>", "l, e0, .*, e8 and 11 more"),
    ],
)
def test_an_xml_file_without_the_declared_record_is_refused_by_what_it_holds(record, content, there, tmp_path):
    format = Xml(type="xml", record=record, namespaces={"a": "urn:a"})
    with pytest.raises(BadDelivery, match=f"no element {record!r} in the file; it holds {there}; mend") as refusal:
        frame_of(content.encode(), format, tmp_path)
    assert refusal.value.code == "UNREADABLE"


@pytest.mark.parametrize(
    ("records", "content", "told"),
    [
        ("data.rows", '{"data": {"list": [{"a": 1}], "total": 1}}', "no 'rows'; there is list, total"),
        ("data.rows", '{"code": 500}', "no 'data'; there is code"),
        ("rows", '{"13912345678": {}, "code": 500}', "there is …, code"),
        ("rows", json.dumps(dict.fromkeys("abcdefghijkl")), "there is a, .*, j and 2 more"),
        ("rows", "[]", "no 'rows'; there is no object"),
        ("rows", '{"rows": null}', "expected an array of objects"),
        ("rows", '{"rows": {"a": 1}}', "expected an array of objects"),
    ],
)
def test_a_json_file_without_the_declared_records_is_refused_by_what_it_holds(records, content, told, tmp_path):
    with pytest.raises(BadDelivery, match=told) as refusal:
        frame_of(content.encode(), Json(type="json", records=records), tmp_path)
    assert refusal.value.code == "UNREADABLE"


def test_a_json_file_with_an_empty_array_has_no_rows(tmp_path):
    assert frame_of(b'{"rows": []}', Json(type="json", records="rows"), tmp_path).height == 0


def test_a_wrong_encoding_names_both(tmp_path):
    with pytest.raises(BadDelivery, match=r"declared UTF-8, but the bytes are UTF-16"):
        frame_of(TEXT.encode("utf-16"), Csv(type="csv"), tmp_path)


def test_a_short_file_that_two_encodings_fit_is_read_as_declared(tmp_path):
    assert frame_of("一\n1\n".encode("gb18030"), Csv(type="csv", encoding="gb18030"), tmp_path).columns == ["一"]


def test_an_entity_of_an_xml_file_reads_nothing_of_ours(tmp_path):
    (tmp_path / "secret").write_text("do not read")
    file = f'<!DOCTYPE r [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]><l><r><a>&x;</a></r></l>'
    with pytest.raises(BadDelivery) as refusal:
        frame_of(file.encode(), Xml(type="xml", record="r"), tmp_path)
    assert "do not read" not in str(refusal.value)


def test_blank_lines_are_no_records_and_rows_of_blanks_are(tmp_path):
    assert frame_of(b"a,b\n1,2\n\n,\n3,4\n\n\n", Csv(type="csv"), tmp_path).height == 3


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("1,2,3\n4,5\n6,7,\n", [None, 2, None]),
        ('1,2,3\n4,"5,x"\n6,7,\n', [None, 2, None]),
        ("1,2,3\n4,5\n6,7,8,9\n", [None, 2, 4]),
        ('1,5" pipe,3\n2,6" pipe\n', [None, 2]),
        ("1,2,3\r\n4\r\n", [None, 1]),
    ],
)
def test_a_line_with_too_few_or_too_many_fields_is_marked_and_it_alone(lines, expected, tmp_path):
    assert frame_of(f"a,b,c\n{lines}".encode(), Csv(type="csv"), tmp_path)[FIELD_COUNT].to_list() == expected


def test_cells_of_a_workbook_keep_their_digits_dates_and_lines(tmp_path):
    data = io.BytesIO()
    with xlsxwriter.Workbook(data) as book:
        sheet, date = book.add_worksheet(), book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        sheet.write_row(0, 0, ["id", "number", "at", "serial", "text"])
        sheet.write_row(1, 0, ["330102199001011234", 123456789012345])
        sheet.write_datetime(1, 2, datetime(2026, 10, 1, 8, 5), date)
        sheet.write_row(1, 3, [46296.5, "一\n二"])
    row = frame_of(data.getvalue(), Xlsx(type="xlsx"), tmp_path).row(0)
    assert row == ("330102199001011234", "123456789012345", "2026-10-01 08:05:00", "46296.5", "一\n二")


def test_milliseconds_of_a_workbook_are_shown_and_none_are_made_up(tmp_path):
    data = io.BytesIO()
    with xlsxwriter.Workbook(data) as book:
        sheet, date = book.add_worksheet(), book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"})
        sheet.write_row(0, 0, ["at", "sharp"])
        sheet.write_datetime(1, 0, datetime(2026, 10, 1, 8, 0, 5, 123000), date)
        sheet.write_datetime(1, 1, datetime(2026, 10, 1, 8, 0, 7), date)
    row = frame_of(data.getvalue(), Xlsx(type="xlsx"), tmp_path).row(0)
    assert row == ("2026-10-01 08:00:05.123", "2026-10-01 08:00:07")


def test_odd_cells_are_told_by_their_column_and_row_wherever_the_table_begins(tmp_path):
    data = io.BytesIO()
    with xlsxwriter.Workbook(data) as book:
        sheet, plain = book.add_worksheet(), book.add_format()
        sheet.write_row(4, 2, ["编号", "区域", "内容"])
        for at in (5, 7, 8):
            sheet.write_row(at, 2, [f"A{at}", "", "x"])
        sheet.write_number(5, 2, 330108202610120001)
        sheet.merge_range(7, 3, 8, 3, "滨江", plain)
        sheet.write_formula(8, 4, "=NA()", plain, "#N/A")
    aside = Aside()
    (tmp_path / "file").write_bytes(data.getvalue())
    rows = read(tmp_path / "file", Xlsx(type="xlsx"), aside)
    assert rows.rows() == [
        ("330108202610120000", None, "x", ["编号"]),
        ("A7", "滨江", "x", None),
        ("A8", "滨江", None, None),
    ]
    assert rows.columns[-1] == ROUNDED
    told = {note["code"]: (note["column"], note["rows"], note.get("first")) for note in aside.notes}
    assert told == {
        "BLANK_LINES": ("", 1, None),
        "MERGED_CELLS": ("区域", 1, "row 8"),
        "ERROR_CELLS": ("内容", 1, "row 9"),
        "ROUNDED_NUMBERS": ("编号", 1, "row 6"),
    }


@pytest.mark.parametrize("name", ["张三", "13800001111"])
def test_a_sheet_that_is_called_after_somebody_is_not_named(name, tmp_path):
    data = io.BytesIO()
    with xlsxwriter.Workbook(data) as book:
        book.add_worksheet(name).write_row(0, 0, ["a"])
    with pytest.raises(BadDelivery, match="there is no sheet '工单'; the workbook has '＊'"):
        frame_of(data.getvalue(), Xlsx(type="xlsx", sheet="工单"), tmp_path)


@pytest.mark.parametrize(
    ("lines", "first"),
    [
        ('1,"x,3\n4,y",6\n', "line 2"),
        ('1,2,"x\n4,5,y"\n', "line 2"),
        ('1,"一\n二",3\n\n4,"x,6\n7,y",9\n', "line 5"),
        ('1,"x,3\r4,y",6\r', "line 2"),
        ('1,5" pipe,3\n1,"x,3\n4,y",6\n', "line 3"),
    ],
)
def test_a_record_that_may_be_two_is_noted_with_its_line(lines, first, tmp_path):
    aside = Aside()
    (tmp_path / "file").write_bytes(f"a,b,c\n{lines}".encode())
    read(tmp_path / "file", Csv(type="csv"), aside)
    assert [(note["rows"], note["first"]) for note in aside.notes if note["code"] == "STRAY_QUOTE"] == [(1, first)]


@pytest.mark.parametrize("lines", ['1,"一\n二",3\n', '1,"a,b\nc",3\n', '1,"a,b",3\n', '1,"x\n\ny",3\n'])
def test_a_cell_of_several_lines_is_none(lines, tmp_path):
    aside = Aside()
    (tmp_path / "file").write_bytes(f"a,b,c\n{lines}".encode())
    read(tmp_path / "file", Csv(type="csv"), aside)
    assert aside.notes == ()


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "auto"])
def test_bytes_that_are_no_text_are_told_by_line_and_byte(encoding, tmp_path, monkeypatch):
    """Also behind a mark, a blank line, a cell of two lines; wherever a block ends."""
    written = "utf-8-sig" if encoding == "utf-8" else "gb18030"
    text = '编号,内容\n\n1,"一\n二"\n' + "".join(f"{at},路灯不亮\n" for at in range(2, 40))
    data = text.encode(written).replace(b"30,", b"30\xff,")
    for block in (16, 64, 1 << 20):
        monkeypatch.setattr(encodings, "BLOCK", block)
        rows = frame_of(data, Csv(type="csv", encoding=encoding), tmp_path)
        [bad] = rows.filter(pl.col(FAULT).is_not_null()).rows(named=True)
        assert (bad["编号"], bad[FAULT]) == ("30\ufffd", "BAD_BYTES")
        assert bad["__place"] == f"line 33, byte {data.rindex(0xFF) + 1}"


def test_nested_fields_get_dotted_names_and_numbers_keep_their_digits(tmp_path):
    data = b'[{"caller": {"phone": 13800000000, "at": {"x": 120.10}}, "tags": ["a"], "b": true, "u": "\\ud800"}]'
    frame = frame_of(data, Json(type="json"), tmp_path)
    assert frame.columns == ["caller.phone", "caller.at.x", "tags", "b", "u"]
    assert frame.row(0) == ("13800000000", "120.10", '["a"]', "true", "\ufffd")


def test_attributes_nested_and_repeated_elements_of_xml_have_names(tmp_path):
    data = b'<l><r id="7"><c k="v"><p>1</p></c><t>a</t><t>b<!-- no --></t></r></l>'
    frame = frame_of(data, Xml(type="xml", record="r"), tmp_path)
    assert frame.row(0, named=True) == {"@id": "7", "c.@k": "v", "c.p": "1", "t": '["a", "b"]'}


def test_parquet_gives_iso_times_whole_ids_and_dotted_structs(tmp_path):
    at = [datetime(2026, 10, 1, 8, tzinfo=UTC)]
    data = parquet(id=[123456789012345.0], at=at, day=[at[0].date()], x=[1.5], c=[{"p": "1"}], t=[["a"]])
    frame = frame_of(data, Parquet(type="parquet"), tmp_path)
    assert frame.columns == ["id", "at", "day", "x", "c.p", "t"]
    assert re.fullmatch(r"2026-10-01T08:00:00(\.0*)?\+00:00", frame["at"][0])
    assert frame.drop("at").row(0) == ("123456789012345", "2026-10-01", "1.5", "1", '["a"]')


# -- counted apart: what another library wrote and read ----------------------------------------------------------

SAMPLES = Path(__file__).parent / "samples"
BOOK = Xlsx(type="xlsx", sheet="工单", skip_rows=2, footer_pattern="合计|制表")


@pytest.mark.parametrize(
    ("name", "format"), [("cases.xlsx", BOOK), ("cases.parquet", Parquet(type="parquet"))], ids=["xlsx", "parquet"]
)
@pytest.mark.parametrize("packed", ["none", "gzip", "zip"])
def test_a_file_of_another_library_gives_the_rows_and_cells_that_it_reads_itself(name, format, packed, tmp_path):
    """See samples/make.py: merged titles, text ids, dates and serials, a footer; row groups, zones, nested fields."""
    names, *rows = json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))
    data = pack((SAMPLES / name).read_bytes(), packed)
    frame = frame_of(data, format.model_copy(update={"compression": packed, "member": "工单*"}), tmp_path)
    assert frame.columns == names
    assert len(rows) == frame.height == 150
    assert frame.rows() == list(map(tuple, rows))


def pack(data: bytes, how: str) -> bytes:
    """As the standard library packs: a gzip in two parts, a zip with a folder and other files."""
    if how == "gzip":
        return gzip.compress(data[:99]) + gzip.compress(data[99:])
    if how == "none":
        return data
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("十月/", "__MACOSX/工单一", "说明.txt"):
            archive.writestr(name, b"")
        archive.writestr("工单一", data)
    return packed.getvalue()


def tricky_rows(count: int) -> list[dict[str, str]]:
    """Rows whose text holds what formats are written with."""
    texts = ["路灯不亮", "<b>&amp;</b> ]]>", '"引号",\\', " 前后空格 ", "一\n二", "0012", "１２３", "😀"]
    return [{"编号": f"33010020261001{at:04}", "内容": texts[at % len(texts)]} for at in range(count)]


@pytest.mark.parametrize("packed", ["none", "gzip", "zip"])
def test_an_xml_file_gives_the_rows_that_elementtree_counts(packed, tmp_path):
    """Namespaces, a nested path, elements of the same name elsewhere, a count at the end."""
    root = ElementTree.Element("{urn:a}data")
    ElementTree.SubElement(root, "{urn:a}case").text = "no record: not below cases"
    cases = ElementTree.SubElement(root, "{urn:a}cases")
    for row in tricky_rows(500):
        case = ElementTree.SubElement(cases, "{urn:a}case")
        for name, text in row.items():
            ElementTree.SubElement(case, f"{{urn:b}}{name}").text = text
        ElementTree.SubElement(ElementTree.SubElement(case, "{urn:a}history"), "{urn:a}case").text = "inner"
    ElementTree.SubElement(root, "{urn:a}total").text = "500"
    data = ElementTree.tostring(root, encoding="gb18030", xml_declaration=True)
    paths = {"record": "a:cases/a:case", "namespaces": {"a": "urn:a"}}
    format = Xml(type="xml", compression=packed, member="工单*", **paths)
    frame = frame_of(pack(data, packed), format, tmp_path)
    read_apart = ElementTree.fromstring(data.decode("gb18030")).findall("a:cases/a:case", {"a": "urn:a"})  # noqa: S314
    assert frame.height == len(read_apart) == 500
    told = [tuple(element.text for element in one.findall("{urn:b}*")) for one in read_apart]
    assert frame.select("编号", "内容").rows() == told
    assert frame.columns == ["编号", "内容", "history.case"]


@pytest.mark.parametrize("packed", ["none", "gzip", "zip"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("lines", [False, True], ids=["array", "lines"])
def test_a_json_file_gives_the_rows_that_the_json_module_counts(lines, encoding, packed, tmp_path):
    """A nested path beside other arrays, numbers as numbers, escaped and plain text."""
    rows = [row | {"次数": at, "坐标": {"x": at / 8}} for at, row in enumerate(tricky_rows(500))]
    whole = {"rows": [{"编号": "no record"}], "data": {"rows": rows, "total": 500}}
    text = "\n".join(json.dumps(row, ensure_ascii=at % 2 > 0) for at, row in enumerate(rows)) if lines else ""
    data = (text or json.dumps(whole, ensure_ascii=False)).encode(encoding)
    where = {"lines": True} if lines else {"records": "data.rows"}
    format = Json(type="json", encoding=encoding, compression=packed, member="工单*", **where)
    frame = frame_of(pack(data, packed), format, tmp_path)
    text = data.decode(encoding)
    read_apart = list(map(json.loads, text.split("\n"))) if lines else json.loads(text)["data"]["rows"]
    assert frame.height == len(read_apart) == 500
    told = [(row["编号"], row["内容"], str(row["次数"]), str(row["坐标"]["x"])) for row in read_apart]
    assert frame.select("编号", "内容", "次数", "坐标.x").rows() == told


@pytest.mark.parametrize(
    "format",
    [
        Csv(type="csv", encoding="gb18030"),
        Xlsx(type="xlsx"),
        Json(type="json", records="data.rows"),
        Xml(type="xml", record="case"),
    ],
    ids=lambda format: format.type,
)
def test_what_the_simulator_writes_is_read_back(format, tmp_path):
    rows = pl.DataFrame(tricky_rows(20)).with_columns(备注=pl.lit(None, pl.String))
    frame = frame_of(to_bytes(rows, format), format, tmp_path)
    assert frame.with_columns(pl.all().replace("", None)).rows() == rows.rows()


def test_the_simulator_writes_no_format_that_it_does_not_know():
    with pytest.raises(Refused, match="no simulated sender writes parquet"):
        to_bytes(pl.DataFrame(tricky_rows(1)), Parquet(type="parquet"))


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(CELL | st.sampled_from([",", '"', "\n", '","']), min_size=2, max_size=4), max_size=8))
def test_the_csv_reader_gives_what_the_csv_module_wrote(rows, tmp_path):
    text = io.StringIO()
    csv.writer(text).writerows([["a", "b", "c"], *rows])
    frame = frame_of(text.getvalue().encode(), Csv(type="csv"), tmp_path)
    cells = frame.drop(MARKS, strict=False).rows()
    assert [[cell or "" for cell in row] for row in cells] == [[*row, "", ""][:3] for row in rows]


@pytest.mark.parametrize(
    "slip",
    [
        {"type": "csv", "delimiter": '"'},
        {"type": "csv", "delimiter": "；"},
        {"type": "csv", "footer_pattern": "("},
        {"type": "json", "lines": True, "records": "a"},
        {"type": "xml", "record": "a:row"},
        {"type": "xml", "record": "row[1]"},
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(slip):
    with pytest.raises(ValidationError):
        TypeAdapter(Format).validate_python(slip)


def test_every_example_of_the_documentation_is_a_declaration():
    text = (PROJECT_ROOT / "docs" / "formats.md").read_text("utf-8")
    examples = [yaml.safe_load(block)["format"] for block in re.findall(r"```yaml\n(.*?)```", text, re.S)]
    formats = [TypeAdapter(Format).validate_python(example) for example in examples]
    assert {type(format) for format in formats} == set(get_args(get_args(Format)[0]))


# -- mutants: real-shaped files, damaged at random ---------------------------------------------------------------

FEED = Feed.model_validate(
    {
        "code": "h1",
        "name": "一号",
        "owner": "局",
        "schedule": "0 1 * * *",
        "deliveries": [
            {
                "name": "cases",
                "kind": "case",
                "source": {"type": "drop_folder", "path": "x_{date}"},
                "format": {"type": "csv"},
                "columns": {"case_no": "工单编号", "received_at": "受理时间", "content": "主要内容"},
                "max_rejected_pct": 100,
            }
        ],
    }
)
TABLE = [
    (f"33010{n}", f"2026-10-0{n % 9 + 1} 08:00:05", f'路灯"{n}",不亮\n请处理' if n % 3 else None) for n in range(9)
]
NAMES = ["工单编号", "受理时间", "主要内容"]


def _csv_text(**how) -> str:
    text = io.StringIO()
    csv.writer(text, **how).writerows([NAMES, *TABLE])
    return text.getvalue()


DICTS = [dict(zip(NAMES, row, strict=True)) for row in TABLE]
CELLS = "".join(f"<r>{''.join(f'<{k}>{v or str()}</{k}>' for k, v in row.items())}</r>" for row in DICTS)
SEEDS = {
    "csv": (Csv(type="csv"), _csv_text().encode()),
    "tsv": (Csv(type="csv", encoding="auto", delimiter="\t"), _csv_text(delimiter="\t").encode("gb18030")),
    "gzip": (Csv(type="csv", compression="gzip"), gzip.compress(_csv_text().encode(), 0)),
    "zip": (Csv(type="csv", compression="zip"), zipped(a=_csv_text().encode())),
    "xlsx": (Xlsx(type="xlsx", footer_pattern="合计"), workbook([NAMES, *TABLE])),
    "json": (Json(type="json", records="rows"), json.dumps({"rows": DICTS}, ensure_ascii=False).encode()),
    "lines": (Json(type="json", lines=True), "\n".join(map(json.dumps, DICTS)).encode()),
    "xml": (Xml(type="xml", record="r"), f"<l>{CELLS}</l>".encode()),
    "parquet": (
        Parquet(type="parquet"),
        parquet(**{name: [row[name] for row in DICTS] for name in NAMES}),
    ),
}
HOSTILE = [
    b'"',
    b",",
    b"\n",
    b"\r",
    b"\x00",
    b"\xff\xfe",
    b"\t",
    b"<",
    b"&",
    b"{",
    b"]",
    b"\\u0000",
    b"\\ud800",
    b"1e999",
]
PLACE = st.integers(0, 5000)
MUTATION = st.tuples(
    st.sampled_from(["cut", "drop", "double", "insert", "flip"]), PLACE, PLACE, st.sampled_from(HOSTILE) | st.binary()
)


def mutate(data: bytes, mutations) -> bytes:
    for kind, at, length, extra in mutations:
        at, length = at % (len(data) + 1), length % 60
        match kind:
            case "cut":
                data = data[:at]
            case "drop":
                data = data[:at] + data[at + length :]
            case "double":
                data = data[: at + length] + data[at:]
            case "insert":
                data = data[:at] + extra + data[at:]
            case "flip":
                data = data[:at] + bytes(byte ^ 1 << length % 8 for byte in data[at : at + 1]) + data[at + 1 :]
    return data


def check_mutant(name: str, mutations, folder: Path) -> None:
    """The outcome is clean: rows that add up, or a refusal."""
    format, seed = SEEDS[name]
    data = mutate(seed, mutations)
    try:
        frame = frame_of(data, format, folder)
        judged = judge(frame, FEED, FEED.deliveries[0], b"k" * 32)
    except BadDelivery as refusal:
        assert refusal.code in REFUSALS | {"MISSING_COLUMN", "NEW_COLUMN", "TOO_MANY_REJECTED"}
        return
    assert judged.received == frame.height == judged.staged.height + judged.rejected.height + judged.duplicates
    if FAULT in frame.columns and "BAD_QUOTE" in frame[FAULT]:
        return  # where a record ends after a stray quote is anybody's guess
    if (counted := count_apart(name, data)) is not None:
        assert frame.height == counted


def count_apart(name: str, data: bytes) -> int | None:
    """Records as another reader counts them."""
    if name == "csv":
        rows = csv.reader(io.StringIO(data.decode("utf-8-sig", errors="replace"), newline=""))
        return max(0, sum(map(bool, rows)) - 1)
    if name == "json":
        return len(json.loads(data.decode("utf-8-sig"))["rows"])
    return sum(map(bool, map(str.strip, data.decode("utf-8-sig").split("\n")))) if name == "lines" else None


MUTATIONS = st.lists(MUTATION, min_size=1, max_size=4)
MUTANTS = {"name": st.sampled_from(list(SEEDS)), "mutations": MUTATIONS}
MANY = {"name": st.sampled_from([name for name in SEEDS if name != "parquet"]), "mutations": MUTATIONS}
ON_DISK = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=60, deadline=None, suppress_health_check=ON_DISK)
@given(**MUTANTS)
def test_a_damaged_file_is_read_in_full_or_refused(name, mutations, tmp_path):
    check_mutant(name, mutations, tmp_path)


@pytest.mark.long
@settings(max_examples=20_000, deadline=None, suppress_health_check=ON_DISK)
@given(**MANY)
def test_many_damaged_files_are_read_in_full_or_refused(name, mutations, tmp_path):
    check_mutant(name, mutations, tmp_path)


@pytest.mark.long
@settings(max_examples=400, deadline=None, suppress_health_check=ON_DISK)
@given(mutations=MUTATIONS)
def test_many_damaged_parquet_files_are_read_in_full_or_refused(mutations, tmp_path):
    """Fewer: each is read by a process of its own."""
    check_mutant("parquet", mutations, tmp_path)


def test_a_file_that_would_take_all_memory_ends_nobody(tmp_path):
    """One bit is wrong: the decoder asks for 2^61 bytes, and its process is gone."""
    format, seed = SEEDS["parquet"]
    wrong = bytearray(seed)
    wrong[68] ^= 1
    told = subprocess.run(
        [sys.executable, "-c", "import sys, io, polars; polars.read_parquet(io.BytesIO(sys.stdin.buffer.read()))"],
        input=bytes(wrong),
        capture_output=True,
        check=False,
    )
    assert told.returncode == -signal.SIGABRT, "polars reads this one now: find another, or decode here again"
    with pytest.raises(BadDelivery) as refused:
        frame_of(bytes(wrong), format, tmp_path)
    assert refused.value.code == "UNREADABLE"


def test_a_small_file_of_many_rows_is_refused(tmp_path):
    many = io.BytesIO()
    pl.DataFrame({"a": pl.repeat(0, 10_000_000, dtype=pl.Int8, eager=True)}).write_parquet(many)
    with pytest.raises(BadDelivery) as refused:
        frame_of(many.getvalue(), Parquet(type="parquet", max_bytes=100_000_000), tmp_path)
    assert refused.value.code == "TOO_LARGE" and len(many.getvalue()) < 100_000


@settings(max_examples=60, deadline=None, suppress_health_check=ON_DISK)
@given(data=st.binary(max_size=300), format=st.sampled_from([format for format, _ in FILES.values()]))
def test_any_bytes_are_read_or_refused(data, format, tmp_path):
    try:
        frame_of(data, format, tmp_path)
    except BadDelivery as refusal:
        assert refusal.code in REFUSALS

"""Readers: one shape from every format, and a clear refusal of what cannot be read."""

import json
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minhu.errors import BadDelivery
from minhu.feeds.formats import Csv, Json, Xlsx, Xml
from minhu.feeds.formats.read import read

ROWS = [("1", "路灯不亮"), ("2", None)]


def write_xlsx(path: Path) -> None:
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("工单")
        sheet.write_row(0, 0, ["编号", "内容"])
        for at, row in enumerate(ROWS, 1):
            sheet.write_row(at, 0, row)


def write_xml(path: Path) -> None:
    path.write_text("<列表><项><编号>1</编号><内容>路灯不亮</内容></项><项><编号>2</编号><内容/></项></列表>", "utf-8")


WRITERS = {
    "csv": (Csv(type="csv"), lambda p: p.write_text("编号,内容\n1,路灯不亮\n2,\n", "utf-8")),
    "csv with BOM": (Csv(type="csv"), lambda p: p.write_text("编号,内容\n1,路灯不亮\n2,\n", "utf-8-sig")),
    "csv in gb18030": (
        Csv(type="csv", encoding="gb18030", delimiter="\t"),
        lambda p: p.write_text("编号\t内容\n1\t路灯不亮\n2\t\n", "gb18030"),
    ),
    "xlsx": (Xlsx(type="xlsx", sheet="工单"), write_xlsx),
    "json": (
        Json(type="json", records="data.rows"),
        lambda p: p.write_text(json.dumps({"data": {"rows": [{"编号": 1, "内容": "路灯不亮"}, {"编号": 2}]}}), "utf-8"),
    ),
    "xml": (Xml(type="xml", record="项"), write_xml),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_frame_of_text(name, tmp_path):
    format, write = WRITERS[name]
    write(tmp_path / "file")
    frame = read(tmp_path / "file", format)
    assert frame.columns == ["编号", "内容"]
    assert [(number, text or None) for number, text in frame.rows()] == ROWS


@pytest.mark.parametrize(
    ("format", "content", "code"),
    [
        pytest.param(Xlsx(type="xlsx"), b"PK\x03\x04truncated", "UNREADABLE", id="truncated workbook"),
        pytest.param(Json(type="json"), b'[{"a": 1},', "UNREADABLE", id="truncated json"),
        pytest.param(Json(type="json"), b'{"a": 1}', "UNREADABLE", id="json without an array"),
        pytest.param(Xml(type="xml", record="r"), b"<a><r><b>1</b></r>", "UNREADABLE", id="truncated xml"),
        pytest.param(Csv(type="csv"), b'a,b\n1,"x\n', "UNREADABLE", id="quote never closed"),
        pytest.param(Csv(type="csv"), b",,\n1,2,3\n", "BAD_HEADER", id="no column name"),
        pytest.param(Csv(type="csv"), "编号\n1\n".encode("gb18030"), "WRONG_ENCODING", id="gb18030 for utf-8"),
        pytest.param(Csv(type="csv"), b"", "EMPTY_FILE", id="no bytes"),
    ],
)
def test_what_cannot_be_read_is_refused(format, content, code, tmp_path):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(BadDelivery) as refusal:
        read(tmp_path / "file", format)
    assert refusal.value.code == code


def test_an_entity_of_an_xml_file_reads_nothing_of_ours(tmp_path):
    (tmp_path / "secret").write_text("do not read")
    (tmp_path / "file").write_text(
        f'<!DOCTYPE r [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]><l><r><a>&x;</a></r></l>'
    )
    frame = read(tmp_path / "file", Xml(type="xml", record="r"))
    assert "do not read" not in str(frame.rows())


def test_blank_lines_are_no_records_and_rows_of_blanks_are(tmp_path):
    (tmp_path / "file").write_text("a,b\n1,2\n\n,\n3,4\n\n\n", "utf-8")
    assert read(tmp_path / "file", Csv(type="csv")).height == 3


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300), format=st.sampled_from([given[0] for given in WRITERS.values()]))
def test_any_bytes_are_read_or_refused(data, format, tmp_path):
    (tmp_path / "file").write_bytes(data)
    try:
        read(tmp_path / "file", format)
    except BadDelivery as refusal:
        assert refusal.code in ("EMPTY_FILE", "WRONG_ENCODING", "UNREADABLE", "BAD_HEADER")

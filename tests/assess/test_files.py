"""A file of acts says what it means, or its lines are told with what is wrong."""

import io
from datetime import datetime

import fastexcel
import pytest
import xlsxwriter

from minhu.assess.blank_sheet import blank_sheet
from minhu.assess.files import LAYOUTS, read_rows, read_table, refusal
from minhu.errors import Refused

HEADER = "考核办法,考核周期,单位代码,指标代码,分值,理由,佐证材料\n"
ROW = "exam,2026-10,D1,close_on_time,-2,通报扣分,3号\n"


def read(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "points.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return read_rows("enter_manual_point", path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_headers_are_chinese_or_ours_in_any_order_and_encoding(tmp_path, encoding):
    rows, problems = read(tmp_path, HEADER + ROW, encoding)
    turned = "evidence_ref,理由,points,indicator_code,单位代码,period,scheme_id\n"
    turned += "3号,通报扣分,-2,close_on_time,D1,2026-10,exam\n"
    assert problems == [] and rows == read(tmp_path, turned, encoding)[0]
    assert [(line, row["reason"], str(row["points"])) for line, row in rows] == [(2, "通报扣分", "-2")]


def test_lines_are_those_of_the_file_whatever_a_cell_holds(tmp_path):
    text = HEADER + ROW.replace("通报扣分", '"两\n行"') + "\n" + ROW.replace("-2", "two") + ROW
    rows, problems = read(tmp_path, text)
    assert [line for line, _ in rows] == [2, 6]
    assert [str(problem) for problem in problems] == ["line 5, column points 分值: is no number; write -2 or 1.5"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", r"line 1: the header lacks scheme_id 考核办法, period"),
        (HEADER.replace("分值", "分数") + ROW, "lacks points 分值"),
        (HEADER.replace("\n", ",备注\n") + ROW, "has a name we do not know in column 8"),
        (HEADER.replace("\n", ",points\n") + ROW, "has a column twice"),
        (HEADER, "no row below its header"),
        (HEADER + '"exam', "line 2: is no CSV"),
        (b"\xff\xff\xff", "neither UTF-8 nor GB18030"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path, text, told):
    with pytest.raises(Refused, match=told):
        read(tmp_path, text)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(Refused, match="cannot be read"):
        read_rows("file_appeal", tmp_path / "none.csv")


def test_of_very_many_wrong_rows_the_first_are_told(tmp_path):
    _, problems = read(tmp_path, HEADER + ROW.replace("-2", "two") * 30)
    told = str(refusal("points.csv", problems)).splitlines()
    assert len(told) == 22 and told[-1] == "  and 10 more"


def test_no_cell_is_quoted_in_what_is_told(tmp_path):
    secret = "13812345678"
    _, problems = read(tmp_path, HEADER + ",".join([secret] * 4 + ["x", "y", "z"]) + "\n" + ",".join([secret] * 9))
    assert problems and secret not in " ".join(map(str, problems))


def test_a_yes_is_a_yes_and_codes_are_parted_by_any_comma(tmp_path):
    path = tmp_path / "appeals.csv"
    header = ",".join(column.name_zh for column in LAYOUTS["file_appeal"])
    cells = ["", "2026", "U1", "h1", "1", "2026/10/12 09:00", "", "是", "a；b、c", "x", "说明", "1号", ""]
    path.write_text(f"{header}\n{','.join(cells)}\n", encoding="utf-8")
    ((_, row),), problems = read_rows("file_appeal", path)
    assert problems == [] and row["is_whole_case"] is True and row["indicator_codes"] == ["a", "b", "c"]
    assert row["dispatched_at"] == datetime(2026, 10, 12, 9)
    path.write_text(f"{header}\n{','.join(cells).replace('是', '也许')}\n", encoding="utf-8")
    assert "is neither yes nor no" in str(read_rows("file_appeal", path)[1][0])


def workbook(*rows: list) -> bytes:
    made = io.BytesIO()
    book = xlsxwriter.Workbook(made, {"in_memory": True})
    sheet = book.add_worksheet()
    for line, cells in enumerate(rows):
        for place, cell in enumerate(cells):
            sheet.write(line, place, cell)
    book.close()
    return made.getvalue()


def test_a_workbook_says_the_same_as_a_csv(tmp_path):
    head, row = HEADER.strip().split(","), ROW.strip().split(",")
    row[4] = -2  # a number of the sheet's own
    rows, problems = read_table("enter_manual_point", "points.xlsx", workbook(head, row, [], row))
    assert problems == [] and [line for line, _ in rows] == [2, 4]
    assert rows[0][1] == read(tmp_path, HEADER + ROW)[0][0][1]


def test_a_cell_beside_the_header_is_told(tmp_path):
    head, row = HEADER.strip().split(","), ROW.strip().split(",")
    rows, problems = read_table("enter_manual_point", "points.xlsx", workbook(head, [*row, "", "aside"]))
    assert rows == [] and str(problems[0]) == "line 2: has 9 cells where the header has 7; quote commas"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"PK\x03\x04 no workbook", "is no workbook that can be read"),
        (workbook(), "line 1: the header lacks"),
        (workbook(["x"]), "line 1: the header lacks"),
    ],
)
def test_what_is_no_workbook_is_refused(content, told):
    with pytest.raises(Refused, match=told):
        read_table("enter_manual_point", "points.xlsx", content)


def test_a_workbook_that_asks_for_all_memory_there_is_takes_nobody_along():
    """Two cells at the corners of a sheet: seventeen thousand million empty ones between them."""
    with pytest.raises(Refused, match="is no workbook that can be read"):
        read_table("enter_manual_point", "points.xlsx", corners())


def corners() -> bytes:
    made = io.BytesIO()
    book = xlsxwriter.Workbook(made, {"in_memory": True})
    sheet = book.add_worksheet()
    sheet.write(0, 0, "x")
    sheet.write(1_048_575, 16_383, "x")
    book.close()
    return made.getvalue()


def test_a_file_of_more_rows_than_are_entered_at_a_time_is_refused():
    content = (HEADER + ROW * 6).encode()
    assert len(read_table("enter_manual_point", "points.csv", content, 6)[0]) == 6
    wrong = (HEADER + ROW.replace("-2", "two").replace("exam", "") * 6).encode()
    assert len(read_table("enter_manual_point", "points.csv", wrong, 6)[1]) == 12, "two things wrong are one row"
    with pytest.raises(Refused, match="holds more than 5 rows"):
        read_table("enter_manual_point", "points.csv", content, 5)


def test_a_character_that_no_text_has_is_told(tmp_path):
    _, problems = read(tmp_path, HEADER + ROW.replace("通报", "通\0报"))
    assert "holds a character that no text has" in str(problems[0])


@pytest.mark.parametrize("act", LAYOUTS)
def test_the_blank_sheet_is_one_that_is_read(act):
    [[_, *heads]] = [
        [None, *row] for row in fastexcel.read_excel(blank_sheet(act)).load_sheet(0, header_row=None).to_polars().rows()
    ]
    assert heads == [column.name_zh for column in LAYOUTS[act]]
    with pytest.raises(Refused, match="holds no row below its header"):
        read_table(act, "blank.xlsx", blank_sheet(act))


def test_a_word_that_the_list_of_the_sheet_offers_is_its_code():
    head = ["热线代码", "工单编号", "理由类别", "理由"]
    rows, _ = read_table("exclude", "out.xlsx", workbook(head, ["h1", "20261012000123", "错派", "x"]))
    assert (rows[0][1]["reason_code"], rows[0][1]["case_no"]) == ("mis_dispatched", "20261012000123")

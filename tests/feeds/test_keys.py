"""Keys: what can be mended without a guess is, and all else is no key, so that no two cases become one."""

import io
import re
from typing import Any

import polars as pl
import pytest
import xlsxwriter

from minhu.errors import BadDeclaration
from minhu.feeds import Feed, door
from minhu.feeds.door import Door
from minhu.feeds.feed import load_feed
from minhu.feeds.formats import Xlsx
from minhu.feeds.formats.read import read
from minhu.feeds.keys import tidy
from minhu.glossary.delivered import DOOR_MEND
from tests import given
from tests.feeds.test_feed import declared, write

CALLER_KEY, RECORD_KEY = b"0" * 32, b"1" * 32
CASES: dict[str, Any] = dict(given.CASES) | {"max_rejected_pct": 100}


def judged(rows, record_key=RECORD_KEY, **changes):
    """What the door makes of case rows, each told by how it differs from a good one."""
    feed = Feed.model_validate(given.feed(deliveries=[CASES | changes]))
    frame = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame([given.ROW | row for row in rows])
    gate = Door(feed, feed.deliveries[0], (CALLER_KEY,), record_key)
    return gate.judge(frame), gate.close()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        pytest.param("330108202610120001", "330108202610120001", id="eighteen digits as text"),
        pytest.param("市长信箱〔2026〕12号", "市长信箱〔2026〕12号", id="a number with brackets"),
        pytest.param("2026/10-12.A1 甲", "2026/10-12.A1 甲", id="signs and a blank within"),
        pytest.param("'330108202610120001", "330108202610120001", id="an apostrophe before it"),
        pytest.param('="330108202610120003"', "330108202610120003", id="a text formula"),
        pytest.param("20261012.0", "20261012", id="an integer cell written out"),
        pytest.param("\u200bA1", "A1", id="a zero-width blank"),
        pytest.param("\ufeffA\u00ad1\u2060", "A1", id="a BOM, a soft hyphen, a word joiner"),
        pytest.param("\u3000Ａ１２\u00a0", "A12", id="full-width letters and digits between wide blanks"),
        pytest.param("A\x001", "A1", id="a NUL"),
        pytest.param("12E5", "12E5", id="letters that only look like an exponent"),
        pytest.param("1.5", "1.5", id="a decimal"),
        pytest.param("3.30108E+17", None, id="a number in E-notation"),
        pytest.param("3.30108202610120e17", None, id="as programs write it"),
        pytest.param("3E+17", None, id="a round one"),
        pytest.param("330108202610120002.0", None, id="a floating number of eighteen digits"),
        pytest.param("A1\nA2", None, id="two numbers in a cell"),
        pytest.param("A1\u2028A2", None, id="another line break"),
        pytest.param("A" * 128, "A" * 128, id="as long as a number may be"),
        pytest.param("A" * 129, None, id="one longer"),
        pytest.param("#N/A", None, id="an error of a sheet"),
        pytest.param("########", None, id="a column too narrow"),
        pytest.param("NaN", None, id="what a program writes for nothing"),
    ],
)
def test_a_number_is_mended_or_none(text, key):
    assert tidy(text, is_number=True) == key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        pytest.param("供水（停水）", "供水（停水）", id="full-width signs of a name stay"),
        pytest.param("\u200b城管局 ", "城管局", id="an invisible character"),
        pytest.param("3.0", "3.0", id="a code of a tree"),
        pytest.param("330108000001.0", "330108000001", id="a long code out of a number cell"),
        pytest.param("城管局\n水务局", None, id="two units in a cell"),
        pytest.param("局" * 501, None, id="a story instead of a name"),
        pytest.param("1.1E+16", None, id="a code in E-notation"),
        pytest.param("nan", "nan", id="a word that nobody knows is left to the registers"),
    ],
)
def test_a_code_or_name_is_mended_or_none(text, key):
    assert tidy(text, is_number=False) == key


def test_damaged_numbers_are_rejected_and_mended_ones_noted():
    numbers = ["3.30108E+17", "3.30108E+17", "'1", "2.0", '="3"', "\u200bA4", "8" * 8000]
    part, tally = judged([{"工单编号": number} for number in numbers])
    assert part.staged["case_no"].to_list() == ["1", "2", "3", "A4"]
    assert part.rejected.select("row_number", "reason_code", "column_name").rows() == [
        (1, "BAD_KEY", "工单编号"),
        (2, "BAD_KEY", "工单编号"),
        (7, "BAD_KEY", "工单编号"),
    ]
    assert {"code": "KEY_MENDED", "column": "工单编号", "rows": 4} in tally.notes


def test_one_number_written_in_four_ways_is_one_case():
    part, _ = judged([{"工单编号": number} for number in ("\u200bA1", "\ufeffA1", "\u00a0A1 ", "Ａ1")])
    assert part.staged["case_no"].to_list() == ["A1"] and part.duplicates == 3


def test_a_number_of_which_nothing_is_left_is_missing():
    part, _ = judged([{"工单编号": "\u200b\ufeff"}, {"工单编号": "\u200b-"}])
    assert part.rejected["reason_code"].to_list() == ["MISSING_VALUE"] * 2


def test_a_damaged_unit_matters_only_where_its_event_is_told():
    part, _ = judged([{"办理单位": "局\n局"}, {"工单编号": "2", "办理单位": "局\n局", "转办时间": "", "办结时间": ""}])
    assert part.rejected.select("reason_code", "column_name").rows() == [("BAD_KEY", "办理单位")]
    assert part.staged["case_no"].to_list() == ["2"]


def test_a_damaged_category_is_no_other_category():
    part, _ = judged([{"分类": "8" * 8000}, {"工单编号": "2", "分类": "\u200b0101"}])
    assert part.rejected["column_name"].to_list() == ["分类"] and part.staged["category_code"].to_list() == ["0101"]


def test_a_number_cell_of_a_workbook_holds_no_eighteen_digits(tmp_path):
    data = io.BytesIO()
    with xlsxwriter.Workbook(data) as book:
        sheet = book.add_worksheet()
        for at, row in enumerate([list(given.COLUMNS), *(list(given.ROW.values()) for _ in range(4))]):
            sheet.write_row(at, 0, row)
        sheet.write_number(1, 0, 330108202610120001)
        sheet.write_number(2, 0, 330108202610120002)
        sheet.write_number(3, 0, 20261012000123)
        sheet.write_number(4, 3, 1e21)  # a number of the text is nobody's key
    path = tmp_path / "cases.xlsx"
    path.write_bytes(data.getvalue())
    part, tally = judged(read(path, Xlsx(type="xlsx")))
    assert part.rejected.select("row_number", "reason_code", "column_name").rows() == [
        (1, "BAD_KEY", "工单编号"),
        (2, "BAD_KEY", "工单编号"),
    ]
    assert part.staged["case_no"].to_list() == ["20261012000123", "330100202610010001"]
    assert "__rounded" not in part.rejected["raw"][0] and "__rounded" not in str(tally.notes)


# -- keys that are put together -----------------------------------------------------------------------------------


def test_several_columns_are_one_number():
    columns = CASES["columns"] | {"case_no": {"of": ["工单编号", "来电类别"]}}
    rows = [{}, {"来电类别": "咨询"}, {"工单编号": ""}, {"工单编号": "1|2"}, {"工单编号": "3.3E+17"}]
    part, _ = judged(rows, columns=columns)
    assert part.staged["case_no"].to_list() == ["330100202610010001|投诉", "330100202610010001|咨询"]
    assert part.rejected.select("reason_code", "column_name").rows() == [
        ("MISSING_VALUE", "工单编号 + 来电类别"),
        ("BAD_KEY", "工单编号 + 来电类别"),
        ("BAD_KEY", "工单编号 + 来电类别"),
    ]


def test_a_hash_of_named_columns_tells_rows_without_a_number_apart():
    columns = CASES["columns"] | {"case_no": {"of": ["受理时间", "主要内容", "来电号码"], "key": "hashed"}}
    rows = [{}, {"主要内容": "路灯\u200b不亮"}, {"主要内容": "路灯又不亮"}, {"主要内容": "", "来电号码": ""}]
    part, _ = judged(rows, columns=columns)
    numbers = part.staged["case_no"].to_list()
    assert numbers[0] == numbers[1] and len(set(numbers)) == 3
    assert all(len(number) == 32 and "13800001111" not in number for number in numbers)
    again, _ = judged(rows, columns=columns)
    assert again.staged["case_no"].to_list() == numbers
    elsewhere, _ = judged(rows, record_key=b"2" * 32, columns=columns)
    assert not set(numbers) & set(elsewhere.staged["case_no"])


def test_a_hashed_number_without_its_secret_is_never_made():
    columns = CASES["columns"] | {"case_no": {"from": "来电号码", "key": "hashed"}}
    with pytest.raises(ValueError, match="secret"):
        judged([{}], record_key=None, columns=columns)


def test_a_private_column_may_be_hashed_and_never_joined(tmp_path):
    hashed = CASES | {"columns": CASES["columns"] | {"case_no": {"of": ["来电人", "受理时间"], "key": "hashed"}}}
    load_feed(write(tmp_path, declared(deliveries=[hashed])))
    joined = CASES | {"columns": CASES["columns"] | {"case_no": {"of": ["来电人", "受理时间"]}}}
    with pytest.raises(BadDeclaration, match=r"private columns are mapped to case_no .it reads 来电人"):
        load_feed(write(tmp_path, declared(deliveries=[joined])))


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        pytest.param({"title": {"of": ["a", "b"]}}, "title cannot be put together", id="no key"),
        pytest.param({"case_no": {"of": ["a", "b"], "from": "c"}}, "say one of the two", id="both"),
        pytest.param({"case_no": {"key": "hashed"}}, "say one of the two", id="a hash of nothing"),
    ],
)
def test_a_slip_in_a_key_is_told(mapping, told, tmp_path):
    delivery = CASES | {"columns": CASES["columns"] | mapping}
    with pytest.raises(BadDeclaration, match=told):
        load_feed(write(tmp_path, declared(deliveries=[delivery])))


def test_every_reason_of_a_rejected_row_says_how_it_is_mended():
    table = (door.__doc__ or "").split("| note |")[0]
    reasons = re.findall(r"^\| ([A-Z_]+) \|", table, re.MULTILINE)
    assert len(reasons) >= 8 and {f"mend_{reason.lower()}" for reason in reasons} == set(DOOR_MEND)

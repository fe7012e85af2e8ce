"""A trial reads a workbook as it reads a CSV; what a spreadsheet does to a cell is undone or told, never guessed."""

import csv
import io
from datetime import date
from pathlib import Path

import pytest
from xlsxwriter import Workbook

from minhu.errors import Refused
from minhu.schemes import find_scheme, try_scheme
from minhu.schemes.trial_rows import COLUMNS
from minhu.settings import PROJECT_ROOT

SCHEME = find_scheme(PROJECT_ROOT / "config", "lianyungang")
LINES = [
    ["铁塔", "市直", "2021-08", "sign_on_time", 6, 7, None],
    ["铁塔", "市直", "2021-08", "satisfaction", None, None, 87.5],
    ["铁塔", "市直", "2021-08", "reply_quality", None, None, 10],
    ["=某局", "区", "2021-08", "other", None, None, 34],
]


@pytest.fixture
def written(tmp_path: Path):
    """Writes a workbook with a sheet of lines under the header; ``edit`` changes it before it is closed."""

    def write(lines, edit=lambda book, sheet: None, sheets=("Sheet1",), header=COLUMNS) -> Path:
        path = tmp_path / "counts.xlsx"
        with Workbook(path, {"strings_to_formulas": False}) as book:
            for name in sheets:
                sheet = book.add_worksheet(name)
                for row, line in enumerate([header, *lines] if name == sheets[-1] else [["别的"]]):
                    for column, value in enumerate(line):
                        if value is not None:
                            sheet.write(row, column, value)
                edit(book, sheet) if name == sheets[-1] else None
        return path

    return write


def as_csv(path: Path, lines) -> Path:
    text = io.StringIO()
    csv.writer(text).writerows([COLUMNS, *lines])
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


def points(path: Path) -> dict:
    return {(one["unit"], part["indicator_code"]): part["points"] for one in of(path) for part in one["indicators"]}


def of(path: Path) -> list[dict]:
    return try_scheme(SCHEME, path).as_json()["units"]


def test_it_gives_what_the_csv_gives(written, tmp_path):
    assert of(written(LINES)) == of(as_csv(tmp_path / "counts.csv", LINES))
    assert points(written(LINES))["铁塔", "satisfaction"] == "21.25"


@pytest.mark.parametrize("name", ["inputs", "试算", "Inputs "])
def test_the_sheet_of_that_name_goes_before_the_first(written, name):
    assert len(of(written(LINES, sheets=("封面", name)))) == 2
    with pytest.raises(Refused, match=r":1: '别的' is no column"):
        of(written(LINES, sheets=("封面", "数据")))


def test_a_percentage_is_what_it_shows_and_not_its_hundredth(written):
    def percent(book, sheet):
        sheet.write(2, 6, 0.875, book.add_format({"num_format": "0.0%"}))

    assert points(written(LINES, percent))["铁塔", "satisfaction"] == "21.25"

    def of_a_count(book, sheet):
        sheet.write(1, 4, 0.06, book.add_format({"num_format": 10}))

    with pytest.raises(Refused, match=r":2: numerator: is a percentage"):
        of(written(LINES, of_a_count))


@pytest.mark.parametrize("look", ["yyyy-mm", "mmm-yy", 'yyyy"年"m"月"', 17])
def test_a_month_that_became_a_day_is_that_month(written, look):
    def day(book, sheet):
        for row in range(1, 5):
            sheet.write_datetime(row, 2, date(2021, 8, 1), book.add_format({"num_format": look}))

    assert {one["period"] for one in of(written(LINES, day))} == {"2021-08"}


def test_a_day_elsewhere_an_error_and_a_formula_without_its_result_are_refused(written):
    def day(book, sheet):
        sheet.write_datetime(1, 4, date(2021, 8, 1), book.add_format({"num_format": "m-d-yyyy"}))

    def error(book, sheet):
        sheet.write_formula(1, 4, "=1/0", None, "#DIV/0!")

    def uncomputed(book, sheet):
        sheet.write_formula(2, 6, "=SUM(A1:A2)", None, "")

    for edit, told in ((day, r":2: numerator: is a date"), (error, r":2: numerator: holds an error")):
        with pytest.raises(Refused, match=told):
            of(written(LINES, edit))
    try:
        found = points(written(LINES, uncomputed))["铁塔", "satisfaction"]
    except Refused as refusal:
        assert ":3: value: holds an error, or a formula without a saved result" in str(refusal)
    else:
        raise AssertionError(found)


def test_a_formula_s_saved_result_counts_as_a_spreadsheet_shows_it(written):
    def formula(book, sheet):
        sheet.write_formula(2, 6, "=70+17.5", None, 87.49999999999999999)
        sheet.write_formula(3, 6, "=33.4*3-90.2", None, 10.000000000000014)  # 10 at most

    found = points(written(LINES, formula))
    assert (found["铁塔", "satisfaction"], found["铁塔", "reply_quality"]) == ("21.25", "10.00")


def test_a_unit_that_stands_once_beside_its_indicators_stands_for_all(written):
    lines = [LINES[0], [None, None, *LINES[1][2:]], [None, None, *LINES[2][2:]], LINES[3]]

    def merged(book, sheet):
        sheet.merge_range(1, 0, 3, 0, "铁塔")
        sheet.merge_range(1, 1, 3, 1, "市直")

    assert points(written(lines, merged)) == points(written(LINES))
    with pytest.raises(Refused, match=r":3: unit: is empty"):
        of(written(lines))
    numbers = [[*LINES[0][:4], None, None, None], [*LINES[1][:4], None, None, None]]
    with pytest.raises(Refused, match=r":2: value: is merged"):
        of(written(numbers, lambda book, sheet: sheet.merge_range(1, 6, 2, 6, 80)))


@pytest.mark.parametrize(
    ("lines", "header", "told"),
    [
        (LINES, COLUMNS[:3], r":1: the column indicator_code is missing"),
        (LINES, (*COLUMNS, "points"), r":1: 'points' is no column"),
        (LINES, (*COLUMNS, "value"), r":1: the column value is given twice"),
        ([[*LINES[0], "备注"]], COLUMNS, r":2: more cells than columns"),
        ([], COLUMNS, r":2: no row"),
        ([[], [], ["铁塔", "市直", "2021-13", "other", None, None, 1]], COLUMNS, r":4: period: '2021-13' is no period"),
    ],
)
def test_what_is_wrong_is_told_with_its_row(written, lines, header, told):
    with pytest.raises(Refused, match=told):
        of(written(lines, header=header))


def test_what_is_no_workbook_is_refused(tmp_path):
    path = tmp_path / "counts.xlsx"
    path.write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(Refused, match="not a workbook that can be read"):
        of(path)


def test_a_unit_s_name_may_begin_like_a_formula(written):
    assert ("=某局", "other") in points(written(LINES))

"""What a day came to: sources that are settled, counts that agree, statements that name who is missing."""

import csv
import json
import threading
import time
from datetime import date
from io import BytesIO
from zipfile import ZipFile

import fastexcel
import pytest
from click.testing import CliRunner

from minhu import cli, database
from minhu.errors import Refused, Retryable
from minhu.load import load_delivery
from minhu.load.rejects import export_rejects
from minhu.warehouse.reconcile import as_markdown, as_xlsx, reconcile
from tests import given

DAY = date(2026, 10, 12)


@pytest.fixture
def city(scratch, tmp_path):
    def make(**source):
        delivery = given.CASES | {"source": given.CASES["source"] | {"settle_seconds": 0} | source}
        return scratch(given.config(tmp_path / "config", [given.feed(deliveries=[delivery, given.EVENTS])]))

    return make


def load(city):
    return load_delivery("h1", "cases", DAY, settings=city)


def query(city, text):
    with database.connect(city) as connection:
        return connection.execute(text).fetchall()


def test_every_file_that_fits_the_pattern_is_a_batch(city):
    installation = city(path="h1/cases_{date}*.csv")
    given.case_file(installation.drop / "h1" / "cases_20261012_1.csv", [{"工单编号": "1"}])
    given.case_file(installation.drop / "h1" / "cases_20261012_2.csv", [{"工单编号": "2"}])
    given.case_file(installation.drop / "h1" / "cases_20261013_1.csv", [{"工单编号": "3"}])
    assert [result.outcome for result in load(installation)] == ["loaded", "loaded"]
    assert [result.outcome for result in load(installation)] == ["already_loaded"] * 2


def test_a_refused_file_does_not_keep_the_next_from_loading(city):
    installation = city(path="h1/cases_{date}*.csv")
    (installation.drop / "h1").mkdir(parents=True)
    (installation.drop / "h1" / "cases_20261012_1.csv").touch()
    given.case_file(installation.drop / "h1" / "cases_20261012_2.csv", [{}])
    with pytest.raises(Refused, match="no bytes"):
        load(installation)
    assert query(installation, "select status from audit.batch order by 1") == [("loaded",), ("refused",)]


def test_a_file_that_still_grows_is_read_when_it_stands_still(city):
    installation = city(settle_seconds=0.4)
    path = given.case_file(installation.drop / "h1" / "cases_20261012.csv", [{}])
    rows = given.case_file(installation.drop / "more.csv", [{"工单编号": str(at)} for at in range(5)]).read_bytes()

    def grow():
        for line in rows.splitlines(keepends=True)[1:]:
            time.sleep(0.1)
            with path.open("ab") as file:
                file.write(line)

    growing = threading.Thread(target=grow)
    growing.start()
    [result] = load(installation)
    growing.join()
    assert result.received == 6


def test_a_done_file_is_waited_for_and_its_count_must_agree(city):
    installation = city(done_suffix=".done")
    path = given.case_file(installation.drop / "h1" / "cases_20261012.csv", [{}, {"工单编号": "2"}])
    with pytest.raises(Retryable, match="has not finished"):
        load(installation)
    done = path.with_name(path.name + ".done")
    done.write_text('{"rows": 3}')
    [result] = load(installation)
    assert result.outcome == "held" and "3 rows, 2 arrived (-1)" in result.reason
    assert query(installation, "select control_total, reason_code from audit.batch") == [(3, "CONTROL_TOTAL")]


def test_a_loaded_file_moves_to_the_archive_and_nothing_is_deleted(city):
    installation = city(archive="archive")
    path = installation.drop / "h1" / "cases_20261012.csv"
    for number in ("1", "2"):
        given.case_file(path, [{"工单编号": number}])
        assert [result.outcome for result in load(installation)] == ["loaded"]
        assert not path.exists()
    kept = sorted(file.name for file in (installation.drop / "archive" / "h1").iterdir())
    assert kept == ["cases_20261012.2.csv", "cases_20261012.csv"]
    # killed between commit and archive: the next run finds it loaded and archives it
    given.case_file(path, [{"工单编号": "1"}])
    assert [result.outcome for result in load(installation)] == ["already_loaded"]
    assert not path.exists()


def test_the_statement_names_who_is_missing_and_what_became_of_every_row(city, tmp_path):
    installation = city()
    given.case_file(installation.drop / "h1" / "cases_20261012.csv", [{}, {}, {"工单编号": ""}])
    load(installation)
    statement = reconcile(installation, DAY)
    cases, events = statement.lines
    assert (cases.status, cases.received, cases.staged, cases.rejected, cases.duplicates) == ("loaded", 3, 1, 1, 1)
    assert events.status == "missing" and not statement.is_whole
    text = as_markdown(statement)
    assert "未送达" in text and "| 合计 |" in text
    book = as_xlsx(statement)
    sheet = fastexcel.read_excel(book).load_sheet(0)
    assert sheet.height == 3 and sheet.available_columns()[0].name == "热线代码"
    with ZipFile(BytesIO(book)) as members:
        page, whole = (members.read(f"xl/{name}").decode() for name in ("worksheets/sheet1.xml", "workbook.xml"))
    assert 'orientation="landscape"' in page and 'fitToHeight="0"' in page
    assert "_xlnm.Print_Titles" in whole, "the heads stand on every page"
    assert json.loads(json.dumps(statement.as_json()))["lines"][0]["received"] == 3


def test_rejected_rows_go_back_to_the_sender_in_his_own_columns(city, tmp_path):
    installation = city()
    given.case_file(installation.drop / "h1" / "cases_20261012.csv", [{}, {"工单编号": "", "备注": "=1+1"}])
    [result] = load(installation)
    path = tmp_path / "rejected.csv"
    assert export_rejects(installation, result.batch_id, path, "退回更正") == 1
    [head, row] = csv.reader(path.read_text(encoding="utf-8-sig").splitlines())
    assert row[:3] == ["2", "必填项为空（MISSING_VALUE）：请来件方补全", "工单编号"]
    assert dict(zip(head, row, strict=True))["备注"] == "'=1+1", "no sheet takes it for a formula"
    assert path.stat().st_mode & 0o077 == 0
    assert query(installation, "select subject, why from audit.access_log") == [("rejected_rows", "退回更正")]
    with pytest.raises(Refused, match="say why"):
        export_rejects(installation, result.batch_id, path, " ")
    given.case_file(installation.drop / "h1" / "cases_20261012.csv", [{"工单编号": "9"}])
    [clean] = load(installation)
    with pytest.raises(Refused, match="rejected no row"):
        export_rejects(installation, clean.batch_id, path, "退回更正")


def test_a_statement_that_cannot_be_written_says_so_in_a_line(city, tmp_path):
    made = city()
    at = {"HOME": made.home, "CONFIG": made.config, "DROP": made.drop, "DATABASE_URL": made.database_url}
    environment = {f"MINHU_{name}": str(value) for name, value in at.items()}
    asked = ["reconcile", "--date", "2026-10-12", "--xlsx"]
    told = CliRunner().invoke(cli.minhu, [*asked, "/proc/day.xlsx"], env=environment)
    assert told.exit_code == 1 and isinstance(told.exception, Refused)
    told = CliRunner().invoke(cli.minhu, [*asked, str(tmp_path / "day.xlsx")], env=environment)
    assert told.exit_code == 0 and [path.name for path in tmp_path.glob("*.xlsx")] == ["day.xlsx"]

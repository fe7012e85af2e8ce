"""What a load leaves behind: every row accounted for, once, and nothing of a citizen outside the loader."""

import csv
import io
import json
import os
import random
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta

import polars as pl
import pytest
from click.testing import CliRunner

from minhu import database
from minhu.cli import minhu
from minhu.errors import BadDelivery
from minhu.feeds.formats import encodings
from minhu.load import batch, load_delivery, load_file
from minhu.settings import PROJECT_ROOT
from tests import given

DAY = date(2026, 10, 12)


@pytest.fixture
def city(scratch, tmp_path):
    return scratch(given.config(tmp_path / "config", [given.feed(deliveries=[given.CASES, given.EVENTS])]))


def load(city, rows, *, name="cases_20261012.csv", day=DAY, **how):
    file = given.case_file(city.drop / "h1" / name, rows, **how)
    return load_file("h1", "cases", file, day, settings=city)


def query(city, text, *parameters):
    with database.connect(city) as connection:
        return connection.execute(text, parameters).fetchall()


def everything(city):
    """The state a load leaves, without the clock."""
    return {
        "batch": query(
            city,
            "select feed_code, delivery, business_date, source_sha256, received_rows, staged_rows, rejected_rows,"
            " duplicate_rows, status from audit.batch order by 1, 2, 3, 4",
        ),
        "staging": query(city, "select case_no, row_number, row_hash, milestones from staging.case_record order by 2"),
        "rejected": query(city, "select row_number, reason_code, column_name from audit.rejected_row order by 1"),
        "landed": sorted(path.name for path in city.landing.rglob("*") if path.is_file()),
    }


def test_every_row_is_staged_rejected_or_a_duplicate(city):
    result = load(
        city,
        [
            {},
            {},  # the same line again
            {"工单编号": ""},
            {"工单编号": "2", "受理时间": "2026-02-30 08:00:00"},
            {"工单编号": "3.0E+17"},
            {"工单编号": "4", "来电人": "李某"},
        ],
    )
    assert (result.received, result.staged, result.rejected, result.duplicates) == (6, 2, 3, 1)
    assert query(city, "select row_number, reason_code, column_name from audit.rejected_row order by 1") == [
        (3, "MISSING_VALUE", "工单编号"),
        (4, "BAD_TIMESTAMP", "受理时间"),
        (5, "BAD_KEY", "工单编号"),
    ]
    assert query(city, "select row_number from staging.case_record order by 1") == [(1,), (6,)]


def test_a_case_row_becomes_the_canonical_layout(city):
    load(city, [{"来电类别": "咨询", "备注": "急"}])
    [row] = query(
        city,
        "select case_no, request_type, to_char(received_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'), longitude,"
        " payload, milestones from staging.case_record",
    )
    assert row[:5] == ("330100202610010001", "consult", "2026-10-12 00:30", 120.1, {"备注": "急"})
    assert row[5] == [
        {
            "event_type": "DISPATCH",
            "occurred_at": "2026-10-12T01:00:00.000000Z",
            "unit_name": "城管局",
            "due_at": "2026-10-19T16:00:00.000000Z",
        },
        {"event_type": "CLOSE", "occurred_at": "2026-10-13T02:00:00.000000Z", "unit_name": "城管局"},
    ]


def test_nothing_of_the_caller_leaves_the_loader(city):
    planted = {
        "来电人": "欧阳某某",
        "来电号码": "１３８ ０００１-1111",
        "主要内容": "回电13900002222或330106199001011236",
    }
    load(city, [planted, {"工单编号": "2", "来电号码": "+8613800011111", "备注": "打13900002222"}])
    rows = query(city, "select to_jsonb(r)::text, caller_token, caller_masked from staging.case_record as r order by 1")
    text = "".join(row[0] for row in rows)
    for secret in ("欧阳", "13800011111", "13900002222", "330106199001011236", "１３８"):
        assert secret not in text
    assert "139****2222" in text and "3301**************" in text
    assert rows[0][1] == rows[1][1] and len(rows[0][1]) == 32, "one caller, one token, however it is spelt"
    assert rows[0][2] == "138****1111"


def test_a_file_loaded_twice_is_one_batch_and_a_recorded_attempt(city):
    first = load(city, [{}])
    again = load(city, [{}])
    assert (first.outcome, again.outcome, again.batch_id) == ("loaded", "already_loaded", first.batch_id)
    assert query(city, "select outcome, batch_id from audit.attempt") == [("already_loaded", first.batch_id)]


def test_the_same_bytes_under_another_date_are_held(city):
    load(city, [{}])
    other = load(city, [{}], day=date(2026, 10, 13))
    assert other.outcome == "held" and "2026-10-12" in other.reason
    assert query(city, "select status, reason_code from audit.batch order by batch_id") == [
        ("loaded", None),
        ("held", "SAME_FILE_OTHER_DATE"),
    ]


def test_empty_files_of_two_dates_are_two_batches(city):
    assert [load(city, [], day=date(2026, 10, day)).outcome for day in (12, 13)] == ["loaded", "loaded"]


def test_two_loads_of_one_file_at_once_are_one_batch(city):
    with ThreadPoolExecutor(4) as pool:
        file = given.case_file(city.drop / "h1" / "cases_20261012.csv", [{}, {"工单编号": "2"}])
        loads = [pool.submit(load_file, "h1", "cases", file, DAY, settings=city) for _ in range(4)]
    outcomes = sorted(load.result().outcome for load in loads)
    assert outcomes == ["already_loaded"] * 3 + ["loaded"]
    assert query(city, "select count(*) from staging.case_record") == [(2,)]


def test_nothing_delivered_is_told_and_recorded(city):
    [result] = load_delivery("h1", "cases", DAY, settings=city)
    assert result.outcome == "nothing_delivered"
    assert query(city, "select outcome, batch_id from audit.attempt") == [("nothing_delivered", None)]


def test_odd_but_usable_rows_are_accepted_with_a_note(city):
    result = load(
        city,
        [
            {"办结时间": "2026-10-12 08:29:40"},
            {"工单编号": "2", "来电类别": "新类别", "经度": "东经"},
            {"工单编号": "3", "备注": "NULL", "分类": " "},
        ],
    )
    assert {(note["code"], note["column"], note["rows"]) for note in result.notes} == {
        ("CLOSE_BEFORE_RECEIPT", "办结时间", 1),
        ("UNKNOWN_CODE", "来电类别", 1),
        ("BAD_NUMBER", "经度", 1),
    }
    kept = query(city, "select request_type, payload, category_code from staging.case_record order by row_number")
    assert kept[1] == (None, {"来电类别": "新类别", "经度": "东经"}, "0101")
    assert kept[2] == ("complaint", None, None)


def refused(city, write, code):
    """A file that cannot be taken is a refused batch with a reason, and leaves no row."""
    path = city.drop / "h1" / "cases_20261012.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path)
    with pytest.raises(BadDelivery) as refusal:
        load_delivery("h1", "cases", DAY, settings=city)
    assert refusal.value.code == code
    assert query(city, "select status, reason_code from audit.batch") == [("refused", code)]
    assert query(city, "select count(*) from staging.case_record") == [(0,)]
    message = str(refusal.value)
    assert "h1/cases" in message and path.name in message and "13800001111" not in message
    return message


def test_a_file_in_another_encoding_is_refused_and_both_are_named(city):
    message = refused(city, lambda path: given.case_file(path, [{}], "utf-8"), "WRONG_ENCODING")
    assert "GB18030" in message and "UTF-8" in message


def test_a_missing_column_is_refused_by_name(city):
    text = ",".join(name for name in given.COLUMNS if name != "受理时间")
    message = refused(city, lambda path: path.write_bytes((text + "\n1\n").encode("gb18030")), "MISSING_COLUMN")
    assert "受理时间" in message and "received_at" in message


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(b"", "EMPTY_FILE", id="no bytes"),
        pytest.param(b"\xff\xfe\x00\x81\xff", "WRONG_ENCODING", id="no text"),
        pytest.param("工单编号,工单编号\n1,2\n".encode("gb18030"), "BAD_HEADER", id="one name twice"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(city, content, code):
    refused(city, lambda path: path.write_bytes(content), code)


def test_too_many_bad_rows_refuse_the_batch(city):
    rows = [{"工单编号": ""}, {"工单编号": ""}, {}]
    assert "2 of 3" in refused(city, lambda path: given.case_file(path, rows), "TOO_MANY_REJECTED")


def test_a_new_column_is_kept_and_noted_or_refused_as_declared(city, tmp_path, scratch):
    def write(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [",".join([*given.COLUMNS, "新列"]), ",".join([*(given.ROW[name] for name in given.COLUMNS), "值"])]
        path.write_bytes("\n".join(lines).encode("gb18030"))
        return path

    result = load_file("h1", "cases", write(city.drop / "h1" / "new.csv"), DAY, settings=city)
    assert [note["code"] for note in result.notes] == ["NEW_COLUMN"]
    assert query(city, "select payload from staging.case_record") == [({"新列": "值"},)]
    frozen = scratch(
        given.config(tmp_path / "frozen", [given.feed(deliveries=[given.CASES | {"new_columns": "freeze"}])])
    )
    assert "'新列'" in refused(frozen, write, "NEW_COLUMN")


def test_a_line_with_too_many_fields_is_rejected_alone(city):
    path = given.case_file(city.drop / "h1" / "cases_20261012.csv", [{}, {"工单编号": "2", "备注": "a,b"}])
    result = load_file("h1", "cases", path, DAY, settings=city)
    assert (result.received, result.staged, result.rejected) == (2, 1, 1)
    assert query(city, "select row_number, reason_code from audit.rejected_row") == [(2, "FIELD_COUNT")]


def test_a_refused_file_loads_once_its_declaration_is_mended(city):
    refused(city, lambda path: given.case_file(path, [{}], "utf-8"), "WRONG_ENCODING")
    given.config(
        city.config,
        [given.feed(deliveries=[given.CASES | {"format": {"type": "csv", "encoding": "utf-8"}}, given.EVENTS])],
    )
    assert [result.outcome for result in load_delivery("h1", "cases", DAY, settings=city)] == ["loaded"]


KILLER = """
import os, signal, sys
from datetime import date, datetime, timedelta
from minhu.load import batch, load_delivery
import minhu.load as load
import minhu.feeds.formats.read as formats

def killing(module, name, after):
    real = getattr(module, name)
    def step(*args, **kwargs):
        result = real(*args, **kwargs) if after else None
        os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(module, name, step)

step, after = sys.argv[1], sys.argv[2] == "after"
module = {"land": load, "read_parts": formats, "commit": batch, "copy_rows": batch, "_insert_batch": batch}[step]
killing(module, step, after)
load_delivery("h1", "cases", date(2026, 10, 12))
"""


@pytest.mark.parametrize(
    "moment",
    [
        "land after",
        "copy_rows after",
        *(
            pytest.param(moment, marks=pytest.mark.long)
            for moment in (
                "land before",
                "read_parts before",
                "_insert_batch after",
                "copy_rows before",
                "commit after",
            )
        ),
    ],
)
def test_a_killed_load_run_again_leaves_what_an_undisturbed_one_leaves(city, scratch, monkeypatch, moment):
    monkeypatch.setenv("MINHU_CALLER_KEY", "00" * 32)  # two installations, one key: the same tokens
    rows = [{"工单编号": str(at)} for at in range(500)] + [{"工单编号": ""}]
    undisturbed = scratch(city.config)
    load(undisturbed, rows)
    given.case_file(city.drop / "h1" / "cases_20261012.csv", rows)
    world = {
        **os.environ,
        "MINHU_HOME": str(city.home),
        "MINHU_CONFIG": str(city.config),
        "MINHU_DATABASE_URL": city.database_url,
    }
    killed = subprocess.run([sys.executable, "-c", KILLER, *moment.split()], env=world, cwd=PROJECT_ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert query(city, "select count(*) from audit.batch") == [(0,)], "nothing half-way is visible"
    command = [sys.executable, "-m", "minhu", "load", "h1", "--delivery", "cases", "--date", "2026-10-12", "--json"]
    again = subprocess.run(command, env=world, cwd=PROJECT_ROOT, check=True, capture_output=True, text=True)
    assert json.loads(again.stdout)[0]["staged"] == 500
    assert everything(city) == everything(undisturbed)


def test_a_range_is_loaded_day_by_day_and_again_changes_nothing(city):
    for day in (10, 11, 12):
        given.case_file(city.drop / "h1" / f"cases_202610{day}.csv", [{"工单编号": f"{day}"}])
    at = {"HOME": city.home, "CONFIG": city.config, "DROP": city.drop, "DATABASE_URL": city.database_url}
    world = {f"MINHU_{name}": str(value) for name, value in at.items()}

    def run(*options):
        told = CliRunner().invoke(minhu, ["load", "h1", "--delivery", "cases", "--json", *options], env=world)
        return told, [(one["business_date"], one["outcome"]) for one in json.loads(told.stdout or "[]")]

    days = [f"2026-10-{day}" for day in (10, 11, 12)]
    span = ("--date", days[0], "--until", days[-1])
    assert run(*span)[1] == [(day, "loaded") for day in days]
    assert run(*span)[1] == [(day, "already_loaded") for day in days]
    told, found = run("--date", days[-1], "--until", days[0])
    assert told.exit_code == 2 and "--until ends a range" in told.stderr and not found
    told, found = run("--until", days[0])
    assert told.exit_code == 2 and not found
    tomorrow = datetime.now(city.zone).date() + timedelta(days=1)
    told, found = run("--date", f"{tomorrow}", "--until", f"{tomorrow}")
    assert told.exit_code == 1 and "lies in the future" in told.stderr and not found


def test_every_character_arrives_as_it_was_sent(city):
    texts = ["a\tb", "a\nb", "a\r\nb", "\\", "\\N", "\\.", "\\t", 'say "你"', "a,b", "𠮷", "\\n\t\\", "末尾\\"]
    written = io.StringIO(newline="")
    sheet = csv.DictWriter(written, given.COLUMNS)
    sheet.writeheader()
    sheet.writerows(given.ROW | {"工单编号": str(at), "主要内容": text} for at, text in enumerate(texts))
    path = city.drop / "cases_20261012.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(written.getvalue().encode("gb18030"))
    load_file("h1", "cases", path, DAY, settings=city)
    assert [text for (text,) in query(city, "select content from staging.case_record order by row_number")] == texts


def test_a_file_of_many_parts_is_one_batch(city, monkeypatch):
    rows = [{"工单编号": str(at % 600), "受理时间": f"2026-10-12 08:{at % 60:02}:00"} for at in range(2_000)]
    rows += [{"工单编号": ""}, {"工单编号": "x", "受理时间": "昨天"}]
    monkeypatch.setattr(encodings, "BLOCK", 1 << 14)
    result = load(city, rows)
    distinct = len({(row["工单编号"], row.get("受理时间")) for row in rows[:2_000]})
    assert (result.received, result.staged, result.rejected) == (2_002, distinct, 2)
    assert result.duplicates == 2_000 - distinct > 0
    assert query(city, "select row_number from audit.rejected_row order by 1") == [(2_001,), (2_002,)]
    found = query(city, "select count(*), count(distinct batch_id), max(row_number) from staging.case_record")
    assert found[0][:2] == (distinct, 1)


def test_a_file_refused_at_its_end_leaves_no_row_of_its_beginning(city, monkeypatch):
    monkeypatch.setattr(encodings, "BLOCK", 1 << 14)
    good = [{"工单编号": str(at)} for at in range(1_000)]
    with pytest.raises(BadDelivery, match="1500 of 2500 rows would be rejected"):
        load(city, [*good, *[{"工单编号": ""}] * 1_500])
    assert query(city, "select count(*) from staging.case_record") == [(0,)]
    assert query(city, "select status, reason_code, received_rows from audit.batch") == [
        ("refused", "TOO_MANY_REJECTED", 2_500)
    ]
    path = city.drop / "h1" / "cases_20261013.csv"
    given.case_file(path, good)
    path.write_bytes(path.read_bytes() + b'"never closed')
    with pytest.raises(BadDelivery) as refusal:
        load_file("h1", "cases", path, date(2026, 10, 13), settings=city)
    assert refusal.value.code == "UNREADABLE"
    assert query(city, "select count(*) from staging.case_record") == [(0,)]


def test_moments_are_written_alike_few_or_many(city):
    draw = random.Random(3)
    moments = [None if at % 7 == 0 else draw.randrange(0, 4_102_444_800) * 10**6 for at in range(6_000)]
    for seconds in (moments, [*moments[1:], 1], [None] * 6_000):
        column = pl.Series("at", seconds, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
        told = batch._moment_text(column).str.replace(r"\.0+\+", "+")
        assert told.equals(column.dt.to_string("%Y-%m-%d %H:%M:%S%.f+00"))

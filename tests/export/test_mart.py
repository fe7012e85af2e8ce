"""The marts as Parquet: a reader counts in the files what the database holds, and only what changed is written."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import polars
import pytest
from click.testing import CliRunner

from minhu import database
from minhu.cli import minhu
from minhu.errors import Refused
from minhu.export.mart import export_mart, folder, parts, tables
from minhu.scoring import score
from minhu.settings import PROJECT_ROOT
from minhu.warehouse.build import build
from tests.publish.city import IN_TIME, case, deliver, login, rows
from tests.scoring.test_wide import made

WHY = "月度分析"
NONE = "month=__HIVE_DEFAULT_PARTITION__"
MONTHS = ("2026-09", "2026-10")
ODD = '又是"路灯",\n第二行\\N'


@pytest.fixture(scope="module")
def scored(scratch, tmp_path_factory):
    city = made(scratch, tmp_path_factory.mktemp("mart"))
    build(city)
    for month in MONTHS:
        score(city, month)
    return city


@pytest.fixture
def city(scored, copied):
    return copied(scored)


@pytest.fixture(scope="module")
def whole(scored, tmp_path_factory):
    """A city of which nothing changes, exported."""
    out = tmp_path_factory.mktemp("whole") / "marts"
    export_mart(scored, out, why=WHY)
    return out


def told(out: Path) -> dict:
    return json.loads((out / "manifest.json").read_text(encoding="utf-8"))


def lying(out: Path) -> dict[str, tuple[bytes, int]]:
    """Every file with its bytes, and when it was written."""
    files = (path for path in out.rglob("*") if path.is_file())
    return {path.relative_to(out).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def content(out: Path) -> dict[str, bytes]:
    return {path: held for path, (held, _) in lying(out).items()}


def change(city, *statements: str) -> None:
    with database.connect(city) as owner:
        for statement in statements:
            owner.execute(statement)


def duck(out: Path, query: str) -> list[tuple]:
    """A query of which `{name}` is a table of the folder."""
    files = {name: f"read_parquet('{out}/{name}/**/*.parquet')" for name in told(out)["tables"]}
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'Asia/Shanghai'")
        return connection.execute(query.format(**files)).fetchall()


def again(city, out: Path, tmp_path: Path):
    """A second export into the folder, which holds thereafter what a first one makes elsewhere, to the byte."""
    before = lying(out)
    done = export_mart(city, out, why=WHY)
    fresh = tmp_path / "fresh"
    export_mart(city, fresh, why=WHY)
    assert content(out) == content(fresh)
    after = lying(out)
    untouched = before.keys() & after.keys() - {*done.written, "manifest.json"}
    assert {path: before[path] for path in untouched} == {path: after[path] for path in untouched}
    assert {*before} - {*after} == {*done.removed}
    return done


def test_every_row_of_every_mart_is_in_its_files_and_sums_are_the_databases(scored, whole):
    manifest = told(whole)
    asked = {*tables.BY_MONTH} - {*tables.NAMED_ONLY}
    assert {*manifest["tables"]} >= asked | {"relationship", "dim_unit", "dim_code", "dim_indicator"}
    assert not {*manifest["tables"]} & {*tables.NAMED_ONLY}
    with database.connect(scored) as connection:
        dims = connection.execute(
            "select relname from pg_class where relnamespace = 'mart'::regnamespace and relname ~ '^dim_'"
            " and relkind in ('r', 'v')"
        ).fetchall()
        assert {name for (name,) in dims} < {*manifest["tables"]}
        for name, table in manifest["tables"].items():
            (count,) = database.one(connection, f"select count(*) from mart.{name}")
            assert table["rows"] == sum(file["rows"] for file in table["files"]) == count
            assert duck(whole, f"select count(*) from {{{name}}}") == [(count,)]
    by_month = "sum(on_time_n), sum(on_time_of), count(unit_code), max(closed_at), min(dispatched_on)"
    assert duck(whole, f"select month, {by_month} from {{assignment_wide}} group by 1 order by 1") == rows(
        scored,
        f"select to_char(dispatched_on, 'YYYY-MM'), {by_month} from mart.assignment_wide group by 1 order by 1",
    )


def test_what_is_dear_to_read_whole_is_written_where_it_is_named(scored, tmp_path):
    export_mart(scored, tmp_path / "marts", tables=tables.NAMED_ONLY, why=WHY)
    assert {*told(tmp_path / "marts")["tables"]} == {*tables.NAMED_ONLY}


def test_every_value_of_every_column_comes_back_as_it_was(scored, whole):
    """By DuckDB: decimals to the last digit, moments as moments, days as days, null as null."""
    for name, table in told(whole)["tables"].items():
        columns = ", ".join(f'"{column["name"]}"' for column in table["columns"])
        of_files = duck(whole, f"select {columns} from {{{name}}}")
        of_mart = rows(scored, f"select {columns} from mart.{name}")
        assert sorted(map(repr, _plain(of_files))) == sorted(map(repr, _plain(of_mart))), name


def _plain(lines: list[tuple]) -> list[tuple]:
    def one(value):
        if isinstance(value, Decimal):
            return value.normalize()
        return value.timestamp() if isinstance(value, datetime) else value

    return [tuple(map(one, line)) for line in lines]


def test_what_is_hard_to_write_comes_back(city, tmp_path):
    odd = ODD.replace("'", "''")
    change(
        city,
        f"update mart.fct_case set sender_status = '{odd}', channel = '', urgency = null,"
        " repeat_similarity = 0.123456789012345678, closed_at = '2026-10-13 00:30:00.000001+08'"
        " where case_no like '%1'",
        "insert into mart.fct_exclusion (exclusion_id, case_id, reason_code, source, decided_at, indicator_codes)"
        " select 'x', case_id, 'x', 'appeal', '2026-09-30 23:59:59+08', array['a', 'b,\"c', '甲'] from mart.fct_case"
        " where case_no like '%1'",
    )
    out = tmp_path / "marts"
    export_mart(city, out, why=WHY, tables=["fct_case", "fct_exclusion"])
    columns = "sender_status, channel, urgency, repeat_similarity, closed_at = '2026-10-13 00:30:00.000001+08'"
    found = duck(out, f"select {columns} from {{fct_case}} where case_no like '%1'")
    assert found == [(ODD, "", None, Decimal("0.123456789012345678"), True)]
    assert duck(out, "select month, indicator_codes from {fct_exclusion}") == [("2026-09", ["a", 'b,"c', "甲"])]
    by_polars = polars.read_parquet(out / "fct_case", hive_partitioning=True)
    row = by_polars.filter(polars.col("sender_status") == ODD).row(0, named=True)
    assert row["closed_at"].date() == date(2026, 10, 13), "in the city's zone, where UTC has the day before"
    assert (row["received_on"], row["month"]) == (date(2026, 10, 12), "2026-10")


def test_a_number_that_would_lose_a_digit_is_refused_and_nothing_is_written(city, tmp_path):
    for number in ("0.1234567890123456789", "123456789012345678901", "'NaN'"):
        change(city, f"update mart.fct_case set repeat_similarity = {number} where case_no like '%1'")
        with pytest.raises(Refused, match=r"fct_case.repeat_similarity holds a number of more than 20 digits"):
            export_mart(city, tmp_path / "marts", why=WHY)
        assert lying(tmp_path / "marts") == {}


def test_the_manifest_tells_columns_labels_files_and_how_far_the_data_reach(whole):
    manifest = told(whole)
    assert manifest["minhu"] and manifest["timezone"] == "Asia/Shanghai" and manifest["left_out"] == []
    assert manifest["as_of"]["reaches_on"] == "2026-10-31" and manifest["as_of"]["built_at"]
    assert {(one["feed_code"], one["fact"]) for one in manifest["as_of"]["freshness"]} > {("h1", "fct_case")}
    wide = manifest["tables"]["case_wide"]
    assert wide["label_zh"] == "诉求件宽表" and wide["description"].startswith("One row per case")
    assert wide["partitioned_by"] == "received_on" and manifest["tables"]["dim_unit"]["partitioned_by"] is None
    columns = {column["name"]: column for column in wide["columns"]}
    assert columns["received_on"] == {
        "name": "received_on", "type": "date", "label_zh": "受理日期",
        "description": "The day it was received, in the city.",
    }  # fmt: skip
    assert columns["received_at"]["type"] == "timestamp(us, Asia/Shanghai)"
    lines = []
    for table in manifest["tables"].values():
        assert all(column["label_zh"] for column in table["columns"])
        for file in table["files"]:
            held = (whole / file["path"]).read_bytes()
            assert (len(held), hashlib.sha256(held).hexdigest()) == (file["bytes"], file["sha256"])
            lines.append(f"{file['path']} {file['sha256']}\n")
    assert {*content(whole)} == {line.split(" ")[0] for line in lines} | {"manifest.json"}
    assert manifest["sha256"] == hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def test_months_are_folders_rows_without_a_day_have_their_own_and_the_small_ones_are_whole(city, tmp_path):
    change(city, "update mart.fct_timeliness set dispatched_on = null where unit_code = 'U2'")
    out = tmp_path / "marts"
    export_mart(city, out, why=WHY)
    files = [file["path"] for file in told(out)["tables"]["fct_timeliness"]["files"]]
    assert files == ["fct_timeliness/month=2026-10/part-0.parquet", f"fct_timeliness/{NONE}/part-0.parquet"]
    assert duck(out, "select distinct month from {fct_timeliness} where unit_code = 'U2'") == [(None,)]
    assert polars.read_parquet(out / "fct_timeliness", hive_partitioning=True)["month"].null_count() == 3
    assert {*content(out)} > {"dim_unit/part-0.parquet", "relationship/part-0.parquet"}
    empty = told(out)["tables"]["fct_violation"]["files"]
    assert [(file["path"], file["rows"]) for file in empty] == [(f"fct_violation/{NONE}/part-0.parquet", 0)]
    assert duck(out, "select count(*), count(found_at) from {fct_violation}") == [(0, 0)]


def test_a_month_of_many_rows_is_several_files(scored, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "ROWS", 4)
    out = tmp_path / "marts"
    export_mart(scored, out, why=WHY)
    files = told(out)["tables"]["fct_case"]["files"]
    assert [(file["path"].partition("/")[2], file["rows"]) for file in files] == [
        ("month=2026-09/part-0.parquet", 1),
        ("month=2026-10/part-0.parquet", 4),
        ("month=2026-10/part-1.parquet", 4),
        ("month=2026-10/part-2.parquet", 1),
    ]
    query = "select * from {fct_case} order by case_id"
    assert duck(out, query) == duck(whole, query)
    monkeypatch.undo()
    again(scored, out, tmp_path)
    assert content(out) == content(whole)


def test_the_same_data_give_the_same_bytes_however_their_rows_lie(city, tmp_path):
    export_mart(city, tmp_path / "a", why=WHY)
    change(
        city,
        "create temp table kept as select * from mart.fct_case order by case_id desc",
        "delete from mart.fct_case",
        "insert into mart.fct_case select * from kept",
        "update mart.agg_rate set numerator = numerator",
    )
    export_mart(city, tmp_path / "b", why=WHY)
    assert content(tmp_path / "a") == content(tmp_path / "b")


def test_where_nothing_changed_nothing_is_written(scored, tmp_path):
    out = tmp_path / "marts"
    first = export_mart(scored, out, why=WHY)
    before = lying(out)
    assert (len(first.written), first.kept) == (first.files, 0)
    done = export_mart(scored, out, why=WHY)
    assert (done.written, done.removed, done.kept) == ((), (), first.files)
    assert done.sha256 == first.sha256
    assert lying(out) == before


def test_a_case_that_changed_writes_its_month_alone(city, tmp_path):
    out = tmp_path / "marts"
    export_mart(city, out, why=WHY)
    deliver(city, [case(9, "城管局", **IN_TIME)])
    build(city)
    done = again(city, out, tmp_path)
    assert {path.split("/")[0] for path in done.written} >= {"fct_case", "case_wide", "assignment_wide", "agg_day"}
    assert {path.split("/")[1] for path in done.written} == {"month=2026-10"}
    assert done.removed == ()


def test_a_case_that_moves_from_a_month_writes_both(city, tmp_path):
    out = tmp_path / "marts"
    export_mart(city, out, why=WHY)
    moved = "received_at = received_at - interval '1 month', received_on = date '2026-09-12'"
    change(city, f"update mart.fct_case set {moved} where case_no like '%1'")
    done = again(city, out, tmp_path)
    for name in ("fct_case", "case_wide"):
        assert {path for path in done.written if path.startswith(f"{name}/")} == {
            f"{name}/month={month}/part-0.parquet" for month in MONTHS
        }
    assert duck(out, "select month, count(*) from {fct_case} group by 1 order by 1") == [("2026-09", 2), ("2026-10", 8)]


def test_a_month_whose_rows_vanished_is_removed(city, tmp_path):
    out = tmp_path / "marts"
    export_mart(city, out, why=WHY)
    (out / "fct_case" / "notes.txt").write_text("somebody's", encoding="utf-8")
    change(city, "delete from mart.fct_case where received_on < '2026-10-01'")
    done = export_mart(city, out, why=WHY)
    assert {path for path in done.removed if "wide" not in path} == {"fct_case/month=2026-09/part-0.parquet"}
    assert not (out / "fct_case" / "month=2026-09").exists() and (out / "fct_case" / "notes.txt").exists()
    assert duck(out, "select count(*) from {fct_case}") == [(9,)]


@pytest.mark.parametrize("harm", ["cut", "changed", "gone"])
def test_a_file_that_is_not_as_it_was_written_is_written_again(scored, whole, tmp_path, harm):
    out = tmp_path / "marts"
    export_mart(scored, out, why=WHY)
    path = "dim_code/part-0.parquet"
    held = (out / path).read_bytes()
    match harm:
        case "cut":
            (out / path).write_bytes(held[:-1])
        case "changed":
            (out / path).write_bytes(held[:-1] + b"?")
        case "gone":
            (out / path).unlink()
    assert export_mart(scored, out, why=WHY).written == (path,)
    assert content(out) == content(whole)


def test_all_tables_are_of_one_moment(city, tmp_path, monkeypatch):
    """A case that goes while the export reads is still in every table."""
    real, seen = parts.parts, []

    def slow(connection, table, *given):
        if table.name == "assignment_wide":
            change(city, "delete from mart.fct_case where case_no like '%1'")
        seen.append(table.name)
        return real(connection, table, *given)

    monkeypatch.setattr(parts, "parts", slow)
    export_mart(city, tmp_path / "marts", why=WHY)
    assert seen.index("case_wide") < seen.index("assignment_wide") < seen.index("fct_case")
    told_by = "select (select count(*) from {case_wide}), (select count(*) from {fct_case})"
    assert duck(tmp_path / "marts", told_by) == [(10, 10)] and rows(city, "select count(*) from mart.fct_case") == [
        (9,)
    ]


KILLED = """
import os, signal, sys
from pathlib import Path
from minhu.export.mart import export_mart, folder, parts
from minhu.settings import Settings
real, left = {what}, [{after}]
def killed(*given):
    done = real(*given)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return done
{what} = killed
out = Path(sys.argv[1])
export_mart(Settings.from_env(), out, why="x")
"""


def kill(city, out: Path, what: str, after: int) -> None:
    env = {"MINHU_HOME": str(city.home), "MINHU_DATABASE_URL": city.database_url, "MINHU_CONFIG": str(city.config)}
    program = KILLED.format(what=what, after=after)
    done = subprocess.run([sys.executable, "-c", program, str(out)], env=os.environ | env, check=False)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("what", "after"),
    [("parts.write", 1), ("parts.write", 20), ("Path.replace", 1), ("Path.replace", 12)],
    ids=["with the first file", "among the files", "before they are put in place", "while they are"],
)
def test_a_killed_export_looks_like_none_and_the_next_one_is_whole(scored, whole, tmp_path, what, after):
    out = tmp_path / "marts"
    kill(scored, out, what, after)
    assert lying(out) and not (out / "manifest.json").exists()
    export_mart(scored, out, why=WHY)
    assert content(out) == content(whole)


@pytest.mark.parametrize(("what", "after"), [("parts.write", 2), ("Path.replace", 1), ("Path.replace", 3)])
def test_a_second_export_that_is_killed_leaves_the_first_or_no_manifest(city, tmp_path, what, after):
    out = tmp_path / "marts"
    export_mart(city, out, why=WHY)
    before = content(out)
    change(
        city,
        "update mart.fct_case set channel = 'web' where case_no like '%1'",
        "delete from mart.fct_case where received_on < '2026-10-01'",
    )
    kill(city, out, what, after)
    if what == "parts.write":
        lies = {path: held for path, held in content(out).items() if not path.startswith(folder.NEXT)}
        assert lies == before
    else:
        assert not (out / "manifest.json").exists()
    again_whole = export_mart(city, out, why=WHY)
    export_mart(city, tmp_path / "fresh", why=WHY)
    assert content(out) == content(tmp_path / "fresh")
    assert again_whole.sha256 == told(tmp_path / "fresh")["sha256"]


def test_a_login_takes_what_it_may_read_and_the_manifest_names_the_rest(scored, tmp_path):
    unit = login(scored, "mart_u1", "unit", unit="U1")
    out = tmp_path / "marts"
    done = export_mart(unit, out, why=WHY)
    assert {"case_wide", "assignment_wide", "score_wide", "agg_rate", "dim_scheme"} <= {*done.left_out}
    manifest = told(out)
    assert manifest["left_out"] == [*done.left_out] and manifest["login"] == "mart_u1"
    assert not {*manifest["tables"]} & {*done.left_out}
    assert duck(out, "select distinct unit_code from {fct_timeliness}") == [("U1",)]
    assert duck(out, "select count(*) from {fct_case}") == rows(unit, "select count(*) from mart.fct_case") == [(7,)]
    with pytest.raises(Refused, match=r"mart_u1 does not read mart.case_wide: leave out --table case_wide"):
        export_mart(unit, tmp_path / "named", why=WHY, tables=["fct_case", "case_wide"])
    assert not (tmp_path / "named").exists()


def test_a_citys_own_row_policy_holds_in_the_files(city, tmp_path):
    bi = login(city, "mart_narrow", "bi")
    with database.connect(city, autocommit=True) as owner:
        owner.execute(
            "create policy few on mart.fct_case as restrictive for select to mart_narrow using (case_no like '%1')"
        )
    out = tmp_path / "marts"
    assert export_mart(bi, out, why=WHY).left_out == ()
    assert duck(out, "select count(*) from {case_wide}") == [(1,)] == duck(out, "select count(*) from {fct_case}")
    with pytest.raises(Refused, match="holds what the login mart_narrow may read, and you are"):
        export_mart(city, out, why=WHY)


def test_a_table_that_the_login_no_longer_reads_goes_from_his_folder(city, tmp_path):
    bi = login(city, "mart_revoked", "bi")
    out = tmp_path / "marts"
    export_mart(bi, out, why=WHY)
    change(city, "revoke select on mart.dim_code from minhu_bi")
    done = export_mart(bi, out, why=WHY)
    wide = ("case_wide", "assignment_wide", "callback_wide", "score_wide")
    assert done.left_out == (*wide, "dim_code"), "views that look at it in his name go with it"
    assert {path.split("/")[0] for path in done.removed} == {*done.left_out} and done.written == ()
    assert not (out / "dim_code").exists()


def test_it_stands_in_the_access_log_before_a_row_is_read_with_login_and_reason(city, tmp_path, monkeypatch):
    bi = login(city, "mart_bi", "bi")
    logged = "select accessed_by, subject, about, why from audit.access_log order by entry_id desc limit 1"
    real = parts.parts

    def looking(*given):
        assert rows(city, logged) == [("mart_bi", "export", "mart parquet: case_wide, dim_unit", "月度分析")]
        return real(*given)

    monkeypatch.setattr(parts, "parts", looking)
    export_mart(bi, tmp_path / "marts", why=WHY, tables=["dim_unit", "case_wide"])
    monkeypatch.undo()
    export_mart(city, tmp_path / "all", why="回拨 13800001111 之前")
    assert rows(city, logged)[0][1:3] == ("export", "mart parquet: every table")
    assert "13800001111" not in rows(city, logged)[0][3]


def test_without_a_reason_it_is_refused_and_logged_nowhere(scored, tmp_path):
    count = "select count(*) from audit.access_log"
    before = rows(scored, count)
    with pytest.raises(Refused, match="say why the marts are taken away"):
        export_mart(scored, tmp_path / "marts", why="  ")
    assert rows(scored, count) == before and not (tmp_path / "marts").exists()


def test_a_folder_of_somebody_else_is_left_alone(scored, tmp_path):
    out = tmp_path / "marts"
    out.mkdir()
    (out / "thesis.txt").write_text("x", encoding="utf-8")
    with pytest.raises(Refused, match="holds files, and no manifest of ours: name a new folder"):
        export_mart(scored, out, why=WHY)
    (out / "manifest.json").write_text("[]", encoding="utf-8")
    with pytest.raises(Refused, match=r"manifest.json is no manifest of ours"):
        export_mart(scored, out, why=WHY)
    (out / "manifest.json").write_text('{"format": "minhu-mart/9", "login": "x", "asked": null}', encoding="utf-8")
    with pytest.raises(Refused, match="was written in the form minhu-mart/9"):
        export_mart(scored, out, why=WHY)
    assert {*content(out)} == {"thesis.txt", "manifest.json"}
    with pytest.raises(Refused, match="it is a file, and the marts are a folder"):
        export_mart(scored, out / "thesis.txt", why=WHY)
    with pytest.raises(Refused, match="there is no folder"):
        export_mart(scored, out / "a" / "b", why=WHY)


def test_a_folder_keeps_to_the_tables_that_it_was_asked_for(scored, tmp_path):
    out = tmp_path / "marts"
    export_mart(scored, out, why=WHY, tables=["dim_unit", "dim_feed"])
    assert {*told(out)["tables"]} == {"dim_unit", "dim_feed"}
    with pytest.raises(Refused, match="was asked for dim_feed, dim_unit: ask for the same"):
        export_mart(scored, out, why=WHY)
    assert export_mart(scored, out, why=WHY, tables=["dim_feed", "dim_unit"]).written == ()
    with pytest.raises(Refused, match=r"there is no 'dim_units' among the marts to export; there are case_wide, "):
        export_mart(scored, out, why=WHY, tables=["dim_units"])


def test_two_exports_at_once_do_not_write_into_one_folder(scored, tmp_path):
    out = tmp_path / "marts"
    with (
        folder.held_folder(out, "x", None),
        pytest.raises(Refused, match="another export is writing into"),
    ):
        export_mart(scored, out, why=WHY)


def test_no_mart_by_month_has_a_column_of_that_name(whole):
    """Readers take the month from the name of the folder; a column beside it would be in its way."""
    by_month = [table for table in told(whole)["tables"].values() if table["partitioned_by"]]
    assert len(by_month) == len(tables.BY_MONTH) - len(tables.NAMED_ONLY)
    assert not any(column["name"] == "month" for table in by_month for column in table["columns"])


def test_the_command_tells_what_it_wrote_and_leaves_the_command_of_a_period_as_it_was(city, tmp_path):
    env = {"MINHU_HOME": str(city.home), "MINHU_DATABASE_URL": city.database_url, "MINHU_CONFIG": str(city.config)}

    def run(*asked: str):
        return CliRunner().invoke(minhu, ["export", *asked], env=env)

    out = str(tmp_path / "marts")
    asked = ("mart", "--format", "parquet", "--partition", "month", "--out", out, "--why", WHY)
    first = run(*asked)
    assert first.exit_code == 0, first.output
    assert " files written, 0 removed, 0 as they were" in first.output and "month=" not in first.output
    change(city, "update mart.fct_violation set violation_code = 'x'", "delete from mart.dim_area")
    change(city, "update mart.fct_case set channel = 'web' where case_no like '%1'")
    second = run(*asked)
    assert "  case_wide/month=2026-10/part-0.parquet\n" in second.stdout and "2026-09" not in second.stdout
    third = json.loads(run(*asked, "--json").stdout)
    assert third["written"] == third["removed"] == [] and third["kept"] == third["files"] > 20
    assert third["sha256"] == told(tmp_path / "marts")["sha256"]
    assert run("mart", "--out", out).exit_code == 2
    assert "Missing option '--why'" in run("mart", "--out", out).output
    assert run("2026-10", "--out", str(tmp_path / "scores.csv")).exit_code == 0
    assert "Usage: minhu export [OPTIONS] PERIOD" in run("--help").output
    assert "Missing argument 'PERIOD'" in run().output


def test_the_examples_of_the_page_run(city, tmp_path, monkeypatch, capsys):
    page = (PROJECT_ROOT / "docs" / "exports.md").read_text(encoding="utf-8").partition("## Marts as Parquet\n")[2]
    query, program = (re.search(rf"```{kind}\n(.*?)```", page, re.DOTALL)[1] for kind in ("sql", "python"))
    monkeypatch.chdir(tmp_path)
    export_mart(city, Path("marts"), why=WHY)
    with duckdb.connect() as connection:
        found = connection.execute(query).fetchall()
    asked = "to_char(dispatched_on, 'YYYY-MM'), unit_zh, sum(on_time_n), sum(on_time_of) from mart.assignment_wide"
    assert found == sorted(rows(city, f"select {asked} where on_time_of is not null group by 1, 2"))
    assert len(found) == 3
    exec(program, {})  # noqa: S102 # of our own page
    assert "城管局" in capsys.readouterr().out

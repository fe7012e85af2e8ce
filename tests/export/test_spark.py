"""The marts beyond a server: one SQL for Spark, DuckDB and PostgreSQL, and a cluster to which its job is submitted."""

import importlib
import shutil
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from minhu.errors import Refused, Retryable
from minhu.export.mart import export_mart, spark
from minhu.scoring import score
from minhu.settings import PROJECT_ROOT, Settings
from minhu.warehouse.build import build
from tests.publish.city import LATE, case, deliver, rows
from tests.scoring.test_wide import made
from tests.test_house import imports

FOLDER = PROJECT_ROOT / "examples" / "spark"
sys.path.insert(0, str(FOLDER))
job, multiply, start, cluster = (importlib.import_module(name) for name in ("job", "multiply", "start", "cluster"))
sys.path.remove(str(FOLDER))
ENVIRONMENT = PROJECT_ROOT / ".scale"
MONTHS = ("2026-09", "2026-10")


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    """Two months, with duties that are open and overdue at the end of both, and callbacks."""
    city = made(scratch, tmp_path_factory.mktemp("spark"))
    of_september = {
        "受理时间": "2026-09-14 08:30:00",
        "转办时间": "2026-09-14 09:00:00",
        "办理期限": "2026-09-22 00:00",
    }
    deliver(city, [case(11, "城管局", **of_september, **LATE), case(12, "城管局", **of_september, 办结时间="")])
    build(city)
    for month in MONTHS:
        score(city, month)
    return city


@pytest.fixture(scope="module")
def marts(city, tmp_path_factory):
    out = tmp_path_factory.mktemp("marts") / "marts"
    export_mart(city, out, why="月度分析", tables=[*job.TABLES])
    return out


def by_measure(answer: list[tuple]) -> dict[str, list[tuple]]:
    found: dict[str, list[tuple]] = {"on_time": [], "satisfied": [], "backlog": []}
    for measure, city, unit, on, above, below in sorted(answer):
        found[measure].append((city, unit, f"{on:%Y-%m}", int(above), int(below)))
    return found


def test_the_files_say_what_mart_says_to_the_last_digit(city, marts):
    """The job's SQL by DuckDB over the files, by PostgreSQL over mart, and what mart says by itself was open."""
    answer, _ = start.of_duckdb(marts, 1)
    assert start.of_mart(city, marts, answer) == []
    found = by_measure(answer)
    assert found["backlog"] == [
        ("", "U1", "2026-09", 2, 2),  # past their limit: one is closed in October, the other stays
        ("", "U1", "2026-10", 2, 2),
        ("", "U2", "2026-09", 1, 1),
    ]
    assert {(unit, month) for _, unit, month, *_ in found["on_time"]} >= {("U1", "2026-09"), ("U2", "2026-10")}
    scored = rows(
        city,
        "select unit_code, period, numerator, denominator from mart.score_wide where measure_code = 'close_on_time'",
    )
    assert {one[1:] for one in found["on_time"]} == {*scored}
    assert found["satisfied"] == [("", "U1", "2026-10", 1, 2), ("", "U2", "2026-10", 1, 1)]


def test_a_digit_that_differs_is_told(city, marts):
    answer, _ = start.of_duckdb(marts, 1)
    *others, (measure, of, unit, on, above, below) = sorted(answer)
    wrong = start.of_mart(city, marts, [*others, (measure, of, unit, on, above + 1, below)])
    assert len(wrong) == 1 and unit in wrong[0]
    backlog = next(one for one in answer if one[0] == "backlog")
    assert (
        len(start.of_mart(city, marts, [one for one in answer if one != backlog])) == 3
    )  # SQL, agg_day, fct_backlog_day


def test_the_last_month_is_counted_as_far_as_the_data_reach_and_a_month_ends_at_the_citys_midnight():
    assert [*job.month_ends(date(2026, 1, 31), date(2026, 3, 5))] == [
        (date(2026, 1, 1), date(2026, 1, 31)),
        (date(2026, 2, 1), date(2026, 2, 28)),
        (date(2026, 3, 1), date(2026, 3, 5)),
    ]
    assert "timestamp '2026-11-01 00:00:00+08:00'" in job.months(date(2026, 10, 1), date(2026, 10, 31), "Asia/Shanghai")
    summer = job.months(date(2026, 3, 1), date(2026, 3, 31), "Europe/Berlin", "timestamptz")
    assert "timestamptz '2026-04-01 00:00:00+02:00'" in summer


def test_what_runs_on_the_cluster_imports_nothing_but_spark():
    assert imports(FOLDER / "job.py") - {*sys.stdlib_module_names} == {"pyspark"}
    assert (FOLDER / "requirements.txt").read_text(encoding="utf-8").count("--hash=sha256:") >= 2


def test_cities_are_links_to_one_and_each_counts_what_the_first_does(marts, tmp_path):
    told = multiply.multiplied(marts, tmp_path / "year", months=3, size=2, cities=3)
    newest = [one for one in rows_of(marts, "assignment_wide") if one["dispatched_on"] >= date(2026, 10, 1)]
    assert told["assignment_wide"] == len(newest) * 3 * 2 * 3
    first, other = (
        next((tmp_path / "year" / "assignment_wide" / f"city=00{one}").rglob("*.parquet")) for one in (1, 3)
    )
    assert first.stat().st_ino == other.stat().st_ino or not first.samefile(other)
    answer, _ = start.of_duckdb(tmp_path / "year", 1)
    of_cities = {number: [one[1:] for one in sorted(answer, key=str) if one[1] == number] for number in "123"}
    assert len(of_cities["1"]) > 4 and len({str([one[1:] for one in of]) for of in of_cities.values()}) == 1
    keys = [one["assignment_id"] for one in rows_of(tmp_path / "year", "assignment_wide/city=001")]
    assert len(keys) == len({*keys})


def rows_of(marts: Path, table: str) -> list[dict]:
    import polars

    return polars.read_parquet(marts / table, hive_partitioning=False).to_dicts()


@pytest.fixture
def submitting(tmp_path, monkeypatch):
    """An installation with a cluster and an exported folder, and a spark-submit that tells what it was given."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "shared" / "marts").mkdir(parents=True)
    (tmp_path / "shared" / "marts" / "manifest.json").write_text("{}")
    program = tmp_path / "bin" / "spark-submit"
    told = 'import json, os, sys\nprint("noise")\nprint(json.dumps({"given": sys.argv[1:], "world": [*os.environ]}))\n'
    program.write_text(f"#!{sys.executable}\n{told}")
    program.chmod(0o755)
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    world = {"MINHU_HOME": f"{tmp_path / 'home'}", "MINHU_SPARK_FOLDER": f"{tmp_path / 'shared'}"}
    return SimpleNamespace(
        program=program, settings=Settings.from_env(world | {"MINHU_SPARK_MASTER": "spark://127.0.0.1:7077"})
    )


def test_the_job_is_submitted_as_a_process_that_is_given_nothing_of_ours(submitting, monkeypatch):
    monkeypatch.setenv("MINHU_DATABASE_URL", "postgresql://somebody:secret@127.0.0.1/x")
    told = spark.submit(submitting.settings)
    folder = submitting.settings.spark_folder
    assert told["given"] == [
        *("--master", "spark://127.0.0.1:7077", str(FOLDER / "job.py")),
        *("--marts", str(folder / "marts"), "--out", str(folder / "units_by_month")),
    ]
    assert "SPARK_HOME" in told["world"] and not [one for one in told["world"] if one.startswith("MINHU_")]


def test_a_job_that_fails_may_be_tried_again_and_what_is_missing_is_refused(submitting, monkeypatch):
    submitting.program.write_text("#!/bin/sh\necho 'Connection refused' >&2\nexit 1\n")
    with pytest.raises(Retryable, match="spark-submit: Connection refused"):
        spark.submit(submitting.settings)
    submitting.program.unlink()
    with pytest.raises(Refused, match="there is no spark-submit"):
        spark.submit(submitting.settings)
    submitting.program.touch(mode=0o755)
    (submitting.settings.spark_folder / "marts" / "manifest.json").unlink()
    with pytest.raises(Refused, match=r"minhu export mart --out .*marts --why"):
        spark.submit(submitting.settings)
    with pytest.raises(Refused, match="MINHU_SPARK_MASTER"):
        spark.submit(Settings.from_env({"MINHU_HOME": str(submitting.settings.home)}))


@pytest.mark.long
@pytest.mark.skipif(not (ENVIRONMENT / "bin" / "python").exists(), reason="no .scale: `make scale` makes it")
@pytest.mark.skipif(not shutil.which("java"), reason="Spark needs Java 17, and there is no java here")
def test_spark_with_two_workers_says_what_mart_says_and_listens_on_loopback_alone(city, marts, tmp_path):
    multiply.multiplied(marts, tmp_path / "year", months=3, cities=2)
    with cluster.cluster(ENVIRONMENT) as running:
        listening = [
            one.laddr.ip
            for process in running.processes()
            for one in process.net_connections()
            if one.status == "LISTEN"
        ]
        assert len(running.started) == 3 and listening
        assert {one.removeprefix("::ffff:") for one in listening} == {"127.0.0.1"}
        answer, told = start.of_spark(running, marts, tmp_path / "answer", 1)
        assert told["rows"] == len(answer)
        assert start.of_mart(city, marts, answer) == []
        by_duckdb, _ = start.of_duckdb(tmp_path / "year", 1)
        assert job.compared(start.of_spark(running, tmp_path / "year", tmp_path / "of_year", 1)[0], by_duckdb) == []
    assert not running.folder.exists() and running.processes() == []

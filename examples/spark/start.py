"""Spark on this machine against the marts of a home: the job of job.py must say what `mart` says. `make scale` runs it.

    export → Spark, two workers → the same as PostgreSQL says of mart, to the last digit
    a year of several cities, made of it → the same by Spark, DuckDB and PostgreSQL; how long each took

The home is that of MINHU_HOME where it is set, and nothing is changed there but its access log; else a month of a
small city is made. All that is written lies in a folder that is gone in the end.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import cluster
import duckdb
import job
import multiply
import polars as pl
import psycopg

from bench import month
from minhu import database
from minhu.database.temporary import temporary
from minhu.errors import MinhuError
from minhu.export.mart import export_mart
from minhu.settings import PROJECT_ROOT, Settings

HERE = Path(__file__).parent

TYPES = {"unit_code": "text", "unit_role": "text", "is_limit_unknown": "boolean", "city": "smallint"}
"""Of a column in PostgreSQL; what ends in `_at` is a moment, in `_on` a day, and the rest are numbers."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--environment", type=Path, default=PROJECT_ROOT / ".scale", help="where pyspark is installed")
    parser.add_argument("--cases", type=int, default=100, help="a day, of the city that is made where no home is named")
    parser.add_argument("--size", type=int, default=1, help="how often a month's rows stand in its files")
    parser.add_argument("--cities", type=int, default=3, help="how many cities a year is made of")
    parser.add_argument("--times", type=int, default=2, help="how often each is asked; the first time warms up")
    parser.add_argument("--spark-only", action="store_true", help="of the year, ask Spark and DuckDB alone")
    asked = parser.parse_args()
    try:
        with _folder() as folder, _home(folder, asked.cases) as settings:
            if wrong := show(settings, folder, asked):
                sys.exit("make scale: they differ\n" + "\n".join(wrong[:20]))
    except MinhuError as error:
        sys.exit(f"make scale: {error}")


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="minhu-scale-") as folder:
        Path(folder).chmod(0o711)  # a server in it runs as an unprivileged user where we are root
        yield Path(folder)


@contextmanager
def _home(folder: Path, cases: int) -> Iterator[Settings]:
    """The home that is named, or one with a month that is made for it and stopped in the end."""
    if os.environ.get("MINHU_HOME"):
        yield Settings.from_env()
        return
    print(f"A month of {cases} cases a day is made", flush=True)
    with month.at_work(PROJECT_ROOT, folder / "home") as city:
        month.simulate(city, cases)
        for day in (month.DAY_BEFORE, month.LAST):
            city.minhu("load", "--all", "--date", day)
        for command in (("quality", "run"), ("build",), ("score", month.PERIOD)):
            city.minhu(*command)
        yield Settings.from_env({"MINHU_HOME": str(city.home), "MINHU_DROP": str(city.drop)})


def show(settings: Settings, folder: Path, asked: argparse.Namespace) -> list[str]:
    """Prints what each was asked and how long it took; returns what differs."""
    marts, year = folder / "marts", folder / "year"
    export_mart(settings, marts, tables=[*job.TABLES], why="make scale: Spark says what mart says")
    began = time.perf_counter()
    with cluster.cluster(asked.environment) as spark:
        print(f"Spark: a master and {cluster.WORKERS} workers in {time.perf_counter() - began:.0f} s", flush=True)
        by_spark = Asked("Spark", lambda: of_spark(spark, marts, folder / "by_spark", 1))
        wrong = of_mart(settings, marts, by_spark())
        print(f"mart: {by_spark.rows} rows of answer, {'equal' if not wrong else 'NOT equal'}", flush=True)
        told = multiply.multiplied(marts, year, size=asked.size, cities=asked.cities)
        print(f"a year of {asked.cities} cities: {json.dumps(told)}", flush=True)
        answer = Asked("Spark", lambda: of_spark(spark, year, folder / "by_spark_year", asked.times))()
    others = [Asked("DuckDB", lambda: of_duckdb(year, asked.times))]
    if not asked.spark_only:
        others.append(Asked("PostgreSQL", lambda: of_postgres(settings, year, asked.times)))
    for other in others:
        wrong += [f"{other.name}: {line}" for line in job.compared(answer, other())]
    print("all equal, to the last digit" if not wrong else "NOT equal", flush=True)
    return wrong


class Asked:
    """Asks once, prints how long it took, and keeps how many rows came."""

    def __init__(self, name: str, ask: Callable[[], tuple[list[tuple], dict]]) -> None:
        self.name, self._ask, self.rows = name, ask, 0

    def __call__(self) -> list[tuple]:
        began = time.perf_counter()
        rows, told = self._ask()
        self.rows = len(rows)
        whole = time.perf_counter() - began
        print(f"  {self.name}: {json.dumps(told)}, {whole:.1f} s in all", flush=True)
        return rows


def of_spark(spark, marts: Path, out: Path, times: int) -> tuple[list[tuple], dict]:  # type: ignore[no-untyped-def]
    printed = spark.submit(HERE / "job.py", "--marts", str(marts), "--out", str(out), "--times", str(times))
    told = json.loads(printed.strip().splitlines()[-1])
    read = pl.read_parquet(out / "*.parquet").select(job.COLUMNS).with_columns(pl.col("city").cast(pl.String))
    return read.rows(), told


def of_mart(settings: Settings, marts: Path, answer: list[tuple]) -> list[str]:
    """What differs from the same SQL over mart, and from what mart itself says was open at each month's end."""
    manifest = manifest_of(marts)
    with database.connect(settings, at_one_moment=True) as connection:
        connection.execute("set local search_path to mart")
        asked = job.question(manifest, job.first_of(manifest), "timestamptz")
        wrong = job.compared(answer, connection.execute(asked).fetchall())
        ends = dict(job.month_ends(job.first_of(manifest), date.fromisoformat(manifest["as_of"]["reaches_on"])))
        ours = {
            (unit, ends[on]): (int(below), int(above))
            for measure, _, unit, on, above, below in answer
            if measure == "backlog"
        }
        for name, query in BACKLOG.items():
            theirs = {
                (unit, day): (number, overdue)
                for unit, day, number, overdue in connection.execute(query, [[*ends.values()]])
            }
            wrong += [
                f"{name}: {key}" for key in sorted(ours.keys() | theirs, key=str) if ours.get(key) != theirs.get(key)
            ]
    return wrong


BACKLOG = {
    "agg_day": """
        select unit_code, day_on, sum(open)::bigint, sum(overdue)::bigint from mart.agg_day
        where grain = 'unit' and day_on = any(%s) and open > 0 group by 1, 2""",
    "fct_backlog_day": """
        select unit_code, day_on, count(*), count(*) filter (where is_overdue) from mart.fct_backlog_day
        where unit_role = 'lead' and day_on = any(%s) group by 1, 2""",
}
"""What mart says was open and overdue: asked of others than the facts that the job counts."""


def of_duckdb(marts: Path, times: int) -> tuple[list[tuple], dict]:
    """The answer of DuckDB in this process, over the same files."""
    manifest, seconds = manifest_of(marts), []
    city = "cast(cast(city as integer) as varchar)" if _has_cities(marts) else "''"
    asked = job.question(manifest, job.first_of(manifest), "timestamptz", city)
    with duckdb.connect() as connection:
        connection.execute(f"set timezone = '{manifest['timezone']}'")
        for table in job.TABLES:
            files = f"read_parquet('{marts}/{table}/**/*.parquet', hive_partitioning = true)"
            connection.execute(f"create view {table} as select * from {files}")
        for _ in range(times):
            began = time.perf_counter()
            rows = connection.execute(asked).fetchall()
            seconds.append(round(time.perf_counter() - began, 2))
    return rows, {"rows": len(rows), "asked_s": seconds}


def of_postgres(settings: Settings, marts: Path, times: int) -> tuple[list[tuple], dict]:
    """The answer of a PostgreSQL for a while, into which the columns that are asked for were copied first."""
    manifest, seconds = manifest_of(marts), []
    asked = job.question(manifest, job.first_of(manifest), "timestamptz", "city::text")
    began = time.perf_counter()
    with temporary(settings, manifest["timezone"]) as server, database.connect(server, autocommit=True) as connection:
        for table, columns in job.TABLES.items():
            _copied(connection, marts, table, [*columns, "city"])
        loaded = time.perf_counter() - began
        connection.execute("set work_mem = '256MB'")
        for _ in range(times):
            began = time.perf_counter()
            rows = connection.execute(asked).fetchall()
            seconds.append(round(time.perf_counter() - began, 2))
    return rows, {"rows": len(rows), "loaded_s": round(loaded, 1), "asked_s": seconds}


def _copied(connection: psycopg.Connection, marts: Path, table: str, columns: list[str]) -> None:
    made = ", ".join(f"{name} {_type(name)}" for name in columns)
    connection.execute(f"create unlogged table {table} ({made})")
    for folder in sorted((marts / table).glob("city=*")):
        for file in sorted(folder.rglob("*.parquet")):
            lines = pl.read_parquet(file, columns=columns[:-1], hive_partitioning=False)
            lines = lines.with_columns(pl.lit(int(folder.name.removeprefix("city="))).alias("city"))
            with connection.cursor().copy(f"copy {table} ({', '.join(columns)}) from stdin (format csv)") as copy:
                copy.write(lines.write_csv(include_header=False, datetime_format="%FT%T%.6f%:z").encode())
    connection.execute(f"analyze {table}")


def _type(name: str) -> str:
    ends = {"at": "timestamptz", "on": "date"}
    return TYPES.get(name) or ends.get(name.rpartition("_")[2], "numeric")


def manifest_of(marts: Path) -> dict:
    told: dict = json.loads((marts / "manifest.json").read_text(encoding="utf-8"))
    return told


def _has_cities(marts: Path) -> bool:
    return any((marts / "assignment_wide").glob("city=*"))


if __name__ == "__main__":
    main()

"""Loading, side by side with COPY of the same file into a plain table, in one run on one server.

`load_vs_copy`: read, check, tokenise, scan, hash, account and commit, against COPY of the source file's own columns,
typed, into a table without payload, hash or index. Each is run in turn; the median of the pairs' ratios counts.
"""

import statistics
import tempfile
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import psycopg
from psycopg import sql

from bench.case_file import FEED, make
from minhu import database
from minhu.feeds import Delivery
from minhu.load import load_file
from minhu.settings import Settings

PAIRS = 5


def measure(settings: Settings, rows: int) -> dict[str, float]:
    """The ratios of loading ``rows`` rows. ``settings`` names a scratch warehouse."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cases_20261012.csv"
        _, delivery = make(path, rows)
        ratios, seconds = [], []
        for at in range(PAIRS + 1):
            plain = _copy(settings, path, delivery)
            ours = _load(settings, path, date(2026, 1, 1 + at))
            if at:  # the first pair warms caches up
                ratios.append(ours / plain)
                seconds.append(ours)
    return {
        "load_vs_copy": round(statistics.median(ratios), 2),
        "load_rows_per_s": round(rows / statistics.median(seconds)),
    }


def _load(settings: Settings, path: Path, day: date) -> float:
    _empty(settings)
    began = time.perf_counter()
    result = load_file(FEED, "cases", path, day, settings=settings)
    seconds = time.perf_counter() - began
    if result.outcome != "loaded":
        raise RuntimeError(f"nothing was measured: {result.outcome} {result.reason}")
    return seconds


def _empty(settings: Settings) -> None:
    with database.connect(settings) as connection:
        connection.execute(
            "truncate audit.batch, staging.case_record, restricted.rejected_row, audit.attempt restart identity cascade"
        )


def _copy(settings: Settings, path: Path, delivery: Delivery) -> float:
    """COPY of the file's own columns, each in its type."""
    with database.connect(settings) as connection:
        names = path.open(encoding=delivery.format.encoding).readline().strip().lstrip("\ufeff").split(",")
        table = sql.SQL("create table bench_plain ({})").format(
            sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(name), _type(name, delivery)) for name in names)
        )
        connection.execute("drop table if exists bench_plain")
        connection.execute(table)
        connection.commit()
        began = time.perf_counter()
        _send(connection, path)
        connection.commit()
        return time.perf_counter() - began


def _type(name: str, delivery: Delivery) -> sql.SQL:
    types = {column.name: column.type for column in delivery.layout_columns}
    canonical = {mapping.source: types[target] for target, mapping in delivery.columns.items()}
    return sql.SQL({"number": "double precision", "timestamp": "timestamptz"}.get(canonical.get(name), "text"))


def _send(connection: psycopg.Connection, path: Path) -> None:
    command = "copy bench_plain from stdin (format csv, header, encoding 'utf8')"
    with connection.cursor() as cursor, cursor.copy(command) as copy, path.open("rb") as file:
        while chunk := file.read(1 << 20):
            copy.write(chunk)


if __name__ == "__main__":
    import sys

    from minhu import postgres

    home = Path(tempfile.mkdtemp(prefix="minhu-bench-"))
    home.chmod(0o755)
    base = Settings.from_env()
    scratch = replace(base, home=home, drop=home / "drop", database_url=None)
    postgres.start(scratch)
    try:
        database.migrate(scratch)
        print(measure(scratch, int(sys.argv[1])))
    finally:
        postgres.stop(scratch)

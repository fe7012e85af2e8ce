"""Loading, side by side with COPY of the same file into a plain table and with dlt, in one run on one server.

``load_vs_copy``: read, check, tokenise, scan, hash, account and commit, against COPY of the source file's own columns,
typed, into a table without payload, hash or index. The two are run in turn; the median of the pairs' ratios counts.
``load_vs_dlt``: against dlt reading the same file, ``load_vs_dlt_import``: against dlt handing the file unread to COPY.
``load_3m_vs_300k``: rows a second at ten times the size, as a share. ``load_peak_mb``: memory that
that one takes, a file of 1.3 GB.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import psycopg
from psycopg import sql

from bench.case_file import FEED, csv_of, make
from bench.scratch import warehouse
from minhu import database
from minhu.feeds import Delivery
from minhu.load import load_file
from minhu.settings import Settings

PAIRS = 5
ROWS = 300_000
DLT = Path(__file__).parent.parent / ".bench" / "bin" / "python"
_PEAK = """
import re, sys
from datetime import date
from pathlib import Path
from minhu.load import load_file
assert load_file("h12345", "cases", Path(sys.argv[1]), date(2026, 1, 1)).outcome == "loaded"
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
"""


def measure(quick: bool) -> dict[str, float | None]:
    rows = ROWS // 10 if quick else ROWS
    with tempfile.TemporaryDirectory() as folder, warehouse() as settings:
        path = Path(folder) / "cases_20261012.csv"
        _, delivery = make(path, rows)
        pairs = [_pair(settings, path, delivery, at) for at in range(PAIRS + 1)][1:]  # the first warms caches up
        ours = statistics.median(mine for mine, _ in pairs)
        results = {
            "load_vs_copy": round(statistics.median(mine / plain for mine, plain in pairs), 2),
            "load_rows_per_s": round(rows / ours),
            "load_vs_dlt": _vs_dlt("arrow", settings, path, delivery),
            "load_vs_dlt_import": _vs_dlt("import", settings, path, delivery),
        }
        big = Path(folder) / "big_20261012.csv"
        make(big, 10 * rows)
        results["load_3m_vs_300k"] = round(10 * ours / _load(settings, big, date(2026, 2, 1)), 2)
        results["load_peak_mb"] = _peak(settings, big)
    return results


def _pair(settings: Settings, path: Path, delivery: Delivery, at: int) -> tuple[float, float]:
    plain = _copy(settings, path, delivery)
    return _load(settings, path, date(2026, 1, 1) + timedelta(at)), plain


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
        table = sql.SQL("create table bench_plain ({})").format(
            sql.SQL(", ").join(
                sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(type_))
                for name, type_ in _columns(path, delivery).items()
            )
        )
        connection.execute("drop table if exists bench_plain")
        connection.execute(table)
        connection.commit()
        began = time.perf_counter()
        _send(connection, path)
        connection.commit()
        return time.perf_counter() - began


def _columns(path: Path, delivery: Delivery) -> dict[str, str]:
    """The file's columns and their PostgreSQL types."""
    types = {column.name: column.type for column in delivery.layout_columns}
    canonical = {mapping.source or "": types[target] for target, mapping in delivery.columns.items()}
    names = path.open(encoding=csv_of(delivery).encoding).readline().strip().lstrip("\ufeff").split(",")
    known = {"number": "double precision", "timestamp": "timestamptz"}
    return {name: known.get(canonical.get(name, ""), "text") for name in names}


def _send(connection: psycopg.Connection, path: Path) -> None:
    command = "copy bench_plain from stdin (format csv, header, encoding 'utf8')"
    with connection.cursor() as cursor, cursor.copy(command) as copy, path.open("rb") as file:
        while chunk := file.read(1 << 20):
            copy.write(chunk)


def _vs_dlt(mode: str, settings: Settings, path: Path, delivery: Delivery) -> float | None:
    """The median of three pairs; null where dlt is not installed (`make bench` installs it)."""
    if not DLT.exists():
        return None
    columns = json.dumps(_columns(path, delivery), ensure_ascii=False)
    command: list[str | Path] = [
        DLT,
        Path(__file__).parent / "dlt_load.py",
        mode,
        path,
        database.url(settings),
        columns,
    ]
    ratios = []
    for at in range(3):
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        ratios.append(_load(settings, path, date(2026, 3, 1) + timedelta(at)) / float(told.split()[-1]))
    return round(statistics.median(ratios), 2)


def _peak(settings: Settings, path: Path) -> int:
    """Megabytes that a process of its own needs at most to load ``path``. Linux passes ru_maxrss on to children."""
    _empty(settings)
    world = {"MINHU_HOME": str(settings.home), "MINHU_DROP": str(settings.drop), "MINHU_CONFIG": str(settings.config)}
    told = subprocess.run([sys.executable, "-c", _PEAK, path], env=world, capture_output=True, text=True, check=True)
    return int(told.stdout.split()[-1])

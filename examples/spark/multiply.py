"""A year of many cities, made of one month that was exported: what a larger city, or a province, would cost.

    python multiply.py MARTS OUT --months 12 --size 10 --cities 20

The newest month is moved back, a file for each month. ``--size`` repeats its rows in each file, with keys of their own:
a larger city. Cities are links to the files of the first, so that a hundred take the room of one, and whoever reads
them reads a hundred times as much. What the numbers say means nothing; how many they are does.
"""

import argparse
import json
import os
from datetime import date
from pathlib import Path

import polars as pl

DAY = {"assignment_wide": "dispatched_on", "callback_wide": "called_on", "fct_timeliness": "dispatched_on"}
KEYS = ("assignment_id", "callback_id", "case_id")
ROWS = 100_000
"""Of a file at most, as `minhu export mart` has it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("marts", type=Path, help="a folder of `minhu export mart`")
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--months", type=int, default=12)
    parser.add_argument("--size", type=int, default=1, help="how often the rows of a month stand in its files")
    parser.add_argument("--cities", type=int, default=1)
    asked = parser.parse_args()
    print(json.dumps(multiplied(asked.marts, asked.out, asked.months, asked.size, asked.cities)))


def multiplied(marts: Path, out: Path, months: int = 12, size: int = 1, cities: int = 1) -> dict[str, int]:
    """Writes ``out``, a new folder, with a manifest as far as job.py reads one; returns the rows of each table."""
    out.mkdir(parents=True)
    manifest = json.loads((marts / "manifest.json").read_text(encoding="utf-8"))
    tables, rows = {}, {}
    for table, day in DAY.items():
        first = out / table / "city=001"
        month, lines = _newest(pl.read_parquet(marts / table, hive_partitioning=False), day)
        files = [file for back in range(months) for file in _month(lines, month, back, size, first)]
        for number in range(2, cities + 1):
            _link(first, out / table / f"city={number:03}")
        rows[table] = cities * sum(file["rows"] for file in files)
        tables[table] = {"files": files}
    told = {"timezone": manifest["timezone"], "as_of": manifest["as_of"], "tables": tables}
    (out / "manifest.json").write_text(json.dumps(told), encoding="utf-8")
    return rows


def _newest(lines: pl.DataFrame, day: str) -> tuple[date, pl.DataFrame]:
    """The newest month of a table, and its rows."""
    months = lines[day].dt.truncate("1mo")
    newest = months.max()
    if not isinstance(newest, date):
        raise SystemExit(f"no row with a {day}: export a month in which something happened")
    return newest, lines.filter(months == newest)


def _month(lines: pl.DataFrame, month: date, back: int, size: int, city: Path) -> list[dict]:
    """Writes the month ``back`` months before, ``size`` times as large, in files as an export has them."""
    on = month.year * 12 + month.month - 1 - back
    name = f"{on // 12}-{on % 12 + 1:02}"
    moments = [column for column, kind in lines.schema.items() if isinstance(kind, pl.Date | pl.Datetime)]
    keys = [key for key in KEYS if key in lines.columns]
    moved = lines.with_columns(pl.col(moments).dt.offset_by(f"-{back}mo"))
    grown = pl.concat(moved.with_columns(pl.col(keys) + f"-{back}-{copy}") for copy in range(size))
    folder = city / f"month={name}"
    folder.mkdir(parents=True)
    files = []
    for number, start in enumerate(range(0, grown.height, ROWS)):
        part = grown.slice(start, ROWS)
        part.write_parquet(folder / f"part-{number}.parquet", compression="zstd", row_group_size=ROWS)
        files.append({"month": name, "rows": part.height})
    return files


def _link(city: Path, other: Path) -> None:
    for file in sorted(city.rglob("*.parquet")):
        place = other / file.relative_to(city)
        place.parent.mkdir(parents=True, exist_ok=True)
        os.link(file, place)


if __name__ == "__main__":
    main()

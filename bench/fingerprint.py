"""`python -m bench.fingerprint make OUT.json`, then `compare BEFORE.json AFTER.json`: what a change of code changes.

``make`` lives the demo's month with a checkout (month.py) and hashes every table and view of `mart`, `publish` and
`audit`, its rows in the order of the key. ``compare`` tells which tables, columns and rows differ between two of those.
Beside OUT.json, OUT.rows/ keeps the rows that were hashed, so that a difference can be shown and not only told.
"""

import csv
import gzip
import hashlib
import json
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
import psycopg
from psycopg import sql

from bench import month

ROOT = Path(__file__).resolve().parent.parent
SCHEMAS = ("mart", "publish", "audit")
CLOCK = "a clock's time"
CODE = "a hash that contains the code's fingerprint"
CHAIN = "a hash that contains a clock's time"
LEFT_OUT = {
    "audit.access_head": {"hash": CHAIN, "since": CLOCK},
    "audit.access_log": {"accessed_at": CLOCK, "hash": CHAIN, "previous_hash": CHAIN},
    "audit.attempt": {"attempted_at": CLOCK},
    "audit.batch": {"started_at": CLOCK, "loaded_at": CLOCK},
    "audit.batch_verdict": {"decided_at": CLOCK},
    "audit.build": {
        "started_at": CLOCK,
        "finished_at": CLOCK,
        "fingerprint": CODE,
        "code_version": "the version of the package",
    },
    "audit.build_node": {"seconds": "how long a model took"},
    "audit.open_finding": {"first_failed_at": CLOCK, "last_failed_at": CLOCK, "age_days": "counted to today"},
    "audit.pruned": {"pruned_at": CLOCK},
    "audit.quality_rule": {"since": CLOCK, "until": CLOCK},
    "audit.quality_run": {"started_at": CLOCK, "finished_at": CLOCK},
    "audit.source_cursor": {"written_at": CLOCK},
    "mart.score_run": {"scored_at": CLOCK},
    "publish.anchor_delivery": {"recorded_at": CLOCK, "line": CHAIN},
    "publish.closing": {"closed_at": CLOCK, "input_fingerprint": CODE, "content_hash": CODE},
    "publish.release": {
        "closed_at": CLOCK,
        "approved_at": CLOCK,
        "published_at": CLOCK,
        "input_fingerprint": CODE,
        "content_hash": CODE,
        "hash": CHAIN,
    },
}
"""Columns that are not compared, each with its reason. Numbers of batches and runs are: the commands have one order."""
COMPARED_IN_PART = {
    "audit.access_log": {"about": ("regexp_replace(about, '[0-9a-f]{64}', '')", "it ends with a release's hash")},
    "audit.batch_profile": {"value": ("case when metric <> 'delay_hours' then value end", "hours until the load")},
    "audit.quality_result": {"observed": ("observed - 'delay_hours'", "hours until the load")},
    "publish.closing": {"inputs": ("inputs - 'code'", "the code's fingerprint")},
    "publish.release": {"inputs": ("inputs - 'code'", "the code's fingerprint")},
}
"""Columns of which a part is not compared: how the rest is read, and the reason."""
NULL = "\\N"


@click.group()
def main() -> None:
    """Hashes of the demo's month, before and after a change of code."""


@main.command()
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--checkout", type=click.Path(path_type=Path, exists=True), default=ROOT, help="This one unless given.")
@click.option("--home", type=click.Path(path_type=Path), required=True, help="A new folder; it is kept.")
@click.option("--cases-per-day", type=click.IntRange(1), default=month.CASES_PER_DAY, show_default=True)
def make(out: Path, checkout: Path, home: Path, cases_per_day: int) -> None:
    """Live the month in HOME and write its hashes to OUT."""
    if home.exists() and any(home.iterdir()):
        raise click.UsageError(f"{home} is not empty")
    with month.at_work(checkout, home) as city:
        month.simulate(city, cases_per_day)
        month.live(city)
        with city.connect() as connection:
            told = fingerprint(connection, rows_of(out))
    out.write_text(json.dumps(told, indent=1) + "\n")
    click.echo(f"{out}: {len(told)} tables, {sum(table['rows'] for table in told.values())} rows")


def rows_of(out: Path) -> Path:
    """The folder of the rows that ``out`` holds the hashes of."""
    return out.with_suffix(".rows")


def fingerprint(connection: psycopg.Connection, folder: Path) -> dict[str, dict]:
    """Of each table its compared columns, its key, the number and the hash of its rows; the rows go to ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {}
    for table, columns, key in connection.execute(_TABLES, {"schemas": list(SCHEMAS)}).fetchall():
        compared = sorted(set(columns) - set(LEFT_OUT.get(table, ())))
        digest = hashlib.sha256()
        with gzip.open(_file(folder, table), "wb", compresslevel=1) as file, connection.cursor() as cursor:
            with cursor.copy(_rows_in_order(table, compared, key or compared)) as rows:
                for row in rows:
                    digest.update(row)
                    file.write(row)
            told[table] = {"columns": compared, "key": key, "rows": cursor.rowcount, "sha256": digest.hexdigest()}
    return told


def _rows_in_order(table: str, columns: list[str], key: list[str]) -> sql.Composed:
    parts = COMPARED_IN_PART.get(table, {})
    return sql.SQL(
        'copy (select {} from {} order by row({})::text collate "C") to stdout (format csv, null {})'
    ).format(
        sql.SQL(", ").join(sql.SQL(parts[name][0]) if name in parts else sql.Identifier(name) for name in columns),
        sql.Identifier(*table.split(".")),
        sql.SQL(", ").join(map(sql.Identifier, key)),
        sql.Literal(NULL),
    )


def _file(folder: Path, table: str) -> Path:
    return folder / f"{table}.csv.gz"


# A table's key is its primary key, else its unique constraint; a view has none, and neither have some tables.
_TABLES = """
select nspname || '.' || relname, columns, coalesce(key, '{}')
from pg_class
inner join pg_namespace on pg_namespace.oid = relnamespace
cross join lateral (
    select array_agg(attname::text order by attnum) as columns from pg_attribute
    where attrelid = pg_class.oid and attnum > 0 and not attisdropped
) as told
left join lateral (
    select (
        select array_agg(attname::text order by place) from unnest(conkey) with ordinality as keyed (attnum, place)
        inner join pg_attribute on attrelid = conrelid and pg_attribute.attnum = keyed.attnum
    ) as key
    from pg_constraint where conrelid = pg_class.oid and contype in ('p', 'u') order by contype, conname limit 1
) as keyed on true
where nspname = any(%(schemas)s) and relkind in ('r', 'p', 'v', 'm')
order by 1
"""


@main.command()
@click.argument("before", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("after", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--every", is_flag=True, help="Every distinct change of a column, not the first alone.")
def compare(before: Path, after: Path, every: bool) -> None:
    """Tell what differs. Exits 1 on a difference; tables and columns that only AFTER has are listed and are none."""
    old, new = (json.loads(path.read_text()) for path in (before, after))
    differ = [table for table in sorted(old.keys() | new.keys()) if _tell(table, before, after, old, new, every)]
    equal = len(old.keys() & new.keys()) - len(set(differ) & new.keys())
    click.echo(f"{equal} tables equal, {len(differ)} differ")
    if differ:
        raise click.exceptions.Exit(1)


@main.command()
@click.argument("home", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--checkout", type=click.Path(path_type=Path, exists=True), default=ROOT, help="This one unless given.")
def upgrade(home: Path, checkout: Path) -> None:
    """Verify with CHECKOUT what other code has published in HOME, on a copy of it. Exits 1 on a finding."""
    with tempfile.TemporaryDirectory(prefix="minhu-upgrade-") as folder:
        Path(folder).chmod(0o755)  # the server's user passes it
        copy = Path(folder, "home")
        subprocess.run(["cp", "-a", home, copy], check=True)  # the server's user owns its data
        with month.at_work(checkout, copy) as city:
            verified = month.upgrade(city)
    click.echo(verified.stdout + verified.stderr)
    if verified.returncode:
        raise click.exceptions.Exit(1)


def _tell(table: str, before: Path, after: Path, old: dict, new: dict, every: bool) -> bool:
    """Prints how a table differs; whether it does."""
    if table not in new or table not in old:
        click.echo(f"{table}: only {'before' if table in old else 'after'}")
        return table in old
    sides = old[table], new[table]
    gone, come = (sorted(set(one["columns"]) - set(other["columns"])) for one, other in (sides, sides[::-1]))
    if not gone and not come and sides[0]["sha256"] == sides[1]["sha256"]:
        return False
    both = sorted(set(sides[0]["columns"]) & set(sides[1]["columns"]))
    has_key = sides[0]["key"] == sides[1]["key"] and set(sides[0]["key"]) <= set(both)
    key = (has_key and sides[0]["key"]) or both
    was, now = (_read(path, table, side["columns"], both) for path, side in ((before, sides[0]), (after, sides[1])))
    lines = [f"  -{name}" for name in gone] + [f"  +{name}, not compared" for name in come]
    changed = list(_changes(was, now, both, key, every))
    if lines or changed:
        click.echo("\n".join([f"{table}: {sides[0]['rows']} rows, {sides[1]['rows']} after", *lines, *changed]))
    return bool(gone or changed)


def _read(out: Path, table: str, columns: list[str], wanted: list[str]) -> list[tuple[str, ...]]:
    places = [columns.index(name) for name in wanted]
    with gzip.open(_file(rows_of(out), table), "rt", encoding="utf-8", newline="") as file:
        return [tuple(row[place] for place in places) for row in csv.reader(file)]


def _changes(before: list[tuple], after: list[tuple], columns: list[str], key: list[str], every: bool) -> Iterator[str]:
    """Lines on the rows of one side alone, and on the columns of rows that both sides have."""
    places = [columns.index(name) for name in key]
    old, new = (Counter(rows) for rows in (before, after))
    lost, found = ({tuple(row[place] for place in places): row for row in some} for some in (old - new, new - old))
    for word, some in (("before", lost.keys() - found.keys()), ("after", found.keys() - lost.keys())):
        if some:
            yield f"  {len(some)} rows only {word}, first {_said(key, min(some))}"
    moved = [(one, lost[one], found[one]) for one in sorted(lost.keys() & found.keys())]
    for place, column in enumerate(columns):
        pairs: dict[tuple[str, str], list[tuple]] = {}
        for one, was, now in moved:
            if was[place] != now[place]:
                pairs.setdefault((was[place], now[place]), []).append(one)
        if pairs:
            yield f"  {column}: {sum(map(len, pairs.values()))} rows differ, in {len(pairs)} ways"
        for (stood, stands), keys in list(pairs.items())[: None if every else 1]:
            yield f"    {len(keys)} rows, first {_said(key, keys[0])}:\n      {stood}\n      {stands}"


def _said(key: list[str], values: tuple[str, ...]) -> str:
    return " ".join(f"{name}={value}" for name, value in zip(key, values, strict=True))


if __name__ == "__main__":
    main()

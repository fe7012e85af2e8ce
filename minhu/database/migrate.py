"""The migrations of ``sql/``: what dbt does not own in the database."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import psycopg

from minhu.database import adopt
from minhu.database.connect import connect, one
from minhu.errors import Refused
from minhu.settings import PROJECT_ROOT, Settings

MIGRATIONS = PROJECT_ROOT / "sql"
LATER = "200"
"""Migrations numbered below this are the baseline: the schema as it was when earlier migrations were gathered."""


def migrate(settings: Settings, folder: Path = MIGRATIONS) -> list[str]:
    """Applies the migrations not yet applied, in order, each recorded with its sha256; returns their names.

    Forward only. Safe to run twice and from two processes at once. A database that the chain before the baseline made
    is adopted first: the baseline is recorded and not applied. Raises Refused when a migration already applied has been
    changed since, or the database is not what the baseline makes.
    """
    with connect(settings) as connection:
        if one(connection, "select to_regclass('public.minhu_migration') is null")[0]:
            connection.execute(_FIRST)
        connection.execute("lock table public.minhu_migration in share row exclusive mode")
        files = _files(folder)
        baseline = {name: text for name, text in files.items() if name < LATER}
        before, fresh = applied(connection), []
        if _is_of_the_chain_before(before, files):
            adopt.check(connection, before, list(baseline.values()), folder)
            _record(connection, baseline)
            before = applied(connection)
        for name, text in files.items():
            if name not in before:
                connection.execute(text)
                _record(connection, {name: text})
                fresh.append(name)
            elif before[name] != _sha256(text):
                raise Refused(
                    f"sql/{name} was changed after it was applied to this database; "
                    "restore the file and put the change into a new migration"
                )
        return fresh


# Of a database that nobody else enters yet: there is no row to lock.
_FIRST = """
select pg_advisory_xact_lock(hashtextextended('minhu:migrate', 0));
create table if not exists public.minhu_migration (
    name text primary key, sha256 text not null, applied_at timestamptz not null default clock_timestamp()
)
"""


def outstanding(connection: psycopg.Connection, folder: Path = MIGRATIONS) -> list[str]:
    """The migrations that `migrate` would apply, by name, in order."""
    before, files = applied(connection), _files(folder)
    first = LATER if _is_of_the_chain_before(before, files) else ""
    return [name for name in files if name not in before and name >= first]


def applied(connection: psycopg.Connection) -> dict[str, str]:
    """The migrations this database has, by name, with the sha256 each was applied with."""
    if one(connection, "select to_regclass('public.minhu_migration')")[0] is None:
        return {}
    return dict(connection.execute("select name, sha256 from public.minhu_migration").fetchall())


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("[0-9]*.sql"))}


def _is_of_the_chain_before(before: Mapping[str, str], files: Mapping[str, bytes]) -> bool:
    return bool(before) and before.keys().isdisjoint(name for name in files if name < LATER)


def _record(connection: psycopg.Connection, files: dict[str, bytes]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into public.minhu_migration (name, sha256) values (%s, %s)",
            [(name, _sha256(text)) for name, text in files.items()],
        )


def _sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()

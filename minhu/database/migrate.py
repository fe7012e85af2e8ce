"""The migrations of ``sql/``: what dbt does not own in the database."""

import hashlib
from pathlib import Path

import psycopg

from minhu.database.connect import LOCK_MIGRATE, connect, lock
from minhu.errors import Refused
from minhu.settings import PROJECT_ROOT, Settings

MIGRATIONS = PROJECT_ROOT / "sql"


def migrate(settings: Settings, folder: Path = MIGRATIONS) -> list[str]:
    """Applies the migrations not yet applied, in order, each recorded with its sha256; returns their names.

    Forward only. Safe to run twice and from two processes at once. Raises Refused when a migration already applied
    has been changed since.
    """
    with connect(settings) as connection:
        lock(connection, LOCK_MIGRATE)
        connection.execute(
            "create table if not exists public.minhu_migration ("
            " name text primary key, sha256 text not null, applied_at timestamptz not null default clock_timestamp())"
        )
        before, fresh = applied(connection), []
        for path in sorted(folder.glob("[0-9]*.sql")):
            text = path.read_bytes()
            digest = hashlib.sha256(text).hexdigest()
            if path.name not in before:
                connection.execute(text)
                connection.execute(
                    "insert into public.minhu_migration (name, sha256) values (%s, %s)", [path.name, digest]
                )
                fresh.append(path.name)
            elif before[path.name] != digest:
                raise Refused(
                    f"sql/{path.name} was changed after it was applied to this database; "
                    "restore the file and put the change into a new migration"
                )
        return fresh


def applied(connection: psycopg.Connection) -> dict[str, str]:
    """The migrations this database has, by name, with the sha256 each was applied with."""
    if connection.execute("select to_regclass('public.minhu_migration')").fetchone()[0] is None:
        return {}
    return dict(connection.execute("select name, sha256 from public.minhu_migration").fetchall())

"""The warehouse database: where it is, how to reach it, and its migrations.

The embedded server is started on the first call that needs it. Every connection runs in Asia/Shanghai, so that a date
cut from a ``timestamptz`` is the city's date whatever the server's own zone.
"""

import hashlib
from pathlib import Path

import psycopg
import sqlalchemy
from psycopg import sql

from minhu import postgres
from minhu.business_date import TIMEZONE
from minhu.errors import Refused, Retryable
from minhu.settings import PROJECT_ROOT, Settings

MIGRATIONS = PROJECT_ROOT / "sql"

# Advisory locks. A build, a migration and a load of one feed each exclude only their like.
LOCK_MIGRATE = "minhu:migrate"
LOCK_BUILD = "minhu:build"
LOCK_CONFIG = "minhu:config"


def url(settings: Settings, database: str = "warehouse") -> str:
    """libpq URL of a database; starts the embedded server where no other is configured."""
    if settings.database_url:
        parsed = sqlalchemy.make_url(settings.database_url).set(drivername="postgresql")
        if database != "warehouse":
            parsed = parsed.set(database=f"{parsed.database}_{database}")
        return parsed.render_as_string(hide_password=False)
    return postgres.start(settings).url(database)


_reached: dict[Settings, str] = {}
"""Where an installation's warehouse was last reached, so that a connection need not ask for the server first."""


def connect(settings: Settings, *, autocommit: bool = False) -> psycopg.Connection:
    """A connection to the warehouse. Raises Retryable when the server cannot be reached."""
    how = {"autocommit": autocommit, "options": f"-c timezone={TIMEZONE}", "application_name": "minhu"}
    if settings in _reached:
        try:
            return psycopg.connect(_reached[settings], **how)
        except psycopg.OperationalError:
            del _reached[settings]  # it may have been restarted elsewhere
    try:
        target = url(settings)
        connection = psycopg.connect(target, **how)
    except psycopg.OperationalError as error:
        raise Retryable(f"the warehouse database cannot be reached: {str(error).splitlines()[0]}") from None
    _reached[settings] = target
    return connection


def engine(settings: Settings) -> sqlalchemy.Engine:
    """SQLAlchemy engine on the warehouse, for queries and for Great Expectations."""
    target = sqlalchemy.make_url(url(settings)).set(drivername="postgresql+psycopg")
    return sqlalchemy.create_engine(target, connect_args={"options": f"-c timezone={TIMEZONE}"})


def lock(connection: psycopg.Connection, name: str) -> None:
    """Waits for the lock ``name``; the transaction's end gives it back."""
    connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def act(connection: psycopg.Connection, name: str, given: dict[str, object]) -> int:
    """Does what a person decides: calls the function ``schema.act`` with the arguments by name; returns its id.

    The function records the login of the connection. Arguments that are None are left to their defaults. Raises Refused
    with the reason that the function gives, or when the login may not do this.
    """
    arguments = {key: value for key, value in given.items() if value is not None}
    call = sql.SQL("select {}({})").format(
        sql.Identifier(*name.split(".")),
        sql.SQL(", ").join(sql.SQL("{} => {}").format(sql.Identifier(key), sql.Placeholder(key)) for key in arguments),
    )
    try:
        return connection.execute(call, arguments).fetchone()[0]
    except psycopg.errors.RaiseException as error:
        raise Refused(error.diag.message_primary) from None
    except psycopg.errors.InsufficientPrivilege:
        raise Refused(f"the login {connection.info.user} may not do this ({name}); see `minhu logins list`") from None


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

"""Connections to the warehouse database: where it is, and what is asked of every connection.

The embedded server is started on the first call that needs it. Every connection runs in the city's time zone, so that a
date cut from a ``timestamptz`` is the city's date whatever the server's own zone.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, overload

import psycopg
from psycopg import sql
from psycopg.abc import Params, QueryNoTemplate
from psycopg.rows import Row, RowFactory, tuple_row

from minhu.database import embedded, pool, roles
from minhu.errors import foreign
from minhu.settings import Settings

# Rows that no login of a group reaches. A build and a load of one feed each exclude only their like.
LOCK_BUILD = "minhu:build"
LOCK_CONFIG = "minhu:config"


def url(settings: Settings, database: str = "warehouse") -> str:
    """libpq URL of a database; starts the embedded server where no other is configured."""
    if settings.database_url:
        from sqlalchemy import make_url  # here: who uses the embedded server need not wait for it

        is_given = database == "airflow" and settings.airflow_url
        parsed = make_url(is_given or settings.database_url).set(drivername="postgresql")
        if database != "warehouse" and not is_given:
            parsed = parsed.set(database=f"{parsed.database}_{database}")
        return parsed.render_as_string(hide_password=False)
    return embedded.start(settings).url(database, roles.AIRFLOW if database == "airflow" else settings.login)


def without_password(url: str) -> tuple[str, str | None]:
    """``url`` as it may stand in a command line, which everybody on the machine reads; and its password."""
    from sqlalchemy import URL, make_url

    at = make_url(url)
    bare = URL.create(at.drivername, at.username, None, at.host, at.port, at.database, at.query)
    return bare.render_as_string(), None if at.password is None else str(at.password)


_reached: dict[Settings, str] = {}
"""Where an installation's warehouse was last reached, so that a connection need not ask for the server first."""


@overload
def connect(settings: Settings, *, autocommit: bool = False, at_one_moment: bool = False) -> psycopg.Connection: ...
@overload
def connect(
    settings: Settings, *, autocommit: bool = False, at_one_moment: bool = False, rows: RowFactory[Row]
) -> psycopg.Connection[Row]: ...
def connect(
    settings: Settings,
    *,
    autocommit: bool = False,
    at_one_moment: bool = False,
    rows: RowFactory[Any] = tuple_row,
) -> psycopg.Connection[Any]:
    """A connection to the warehouse that gives rows as ``rows`` makes them.

    ``at_one_moment``: what a transaction reads is of one moment, whatever others commit meanwhile. With an asker it
    comes from a pool, goes back when it is closed, and its first transaction has begun for him: of a second he is
    nobody's. Raises Retryable when the server cannot be reached, NotSignedIn where the asker's session is none.
    """
    if settings.asker:
        return pool.connection(url(settings), settings.timezone, settings.asker, at_one_moment, rows)
    connection = _connection(settings, autocommit, rows)
    if at_one_moment:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    return connection


def default_zone(settings: Settings) -> str:
    """The time zone of whoever enters the warehouse and names none. Raises as `connect`."""
    with (
        foreign.told("connect", what="the warehouse database"),
        psycopg.Connection[tuple[str]].connect(url(settings), application_name="minhu") as connection,
    ):
        return one(connection, "show timezone")[0]


def _connection(settings: Settings, autocommit: bool, rows: RowFactory[Row]) -> psycopg.Connection[Row]:
    if settings in _reached:
        try:
            return _connect(_reached[settings], settings, autocommit, rows)
        except psycopg.OperationalError:
            _reached.pop(settings, None)  # it may have been restarted elsewhere
    with foreign.told("connect", what="the warehouse database"):
        target = url(settings)
        connection = _connect(target, settings, autocommit, rows)
    _reached[settings] = target
    return connection


def _connect(target: str, settings: Settings, autocommit: bool, rows: RowFactory[Row]) -> psycopg.Connection[Row]:
    connection = psycopg.Connection[Row].connect(
        target,
        autocommit=True,
        row_factory=rows,
        options=f"-c timezone={settings.timezone}",
        application_name="minhu",
    )
    if settings.is_at_work:
        connection.execute(_TO_WORK)
    connection.autocommit = autocommit
    return connection


_TO_WORK = (
    f"select set_config('role', '{roles.WORK}', false)"
    f" where pg_has_role(session_user, to_regrole('{roles.WORK}'), 'set')"
)


def one(
    asked: psycopg.Connection[Row] | psycopg.Cursor[Row],
    query: QueryNoTemplate,
    given: Params | None = None,
    *,
    binary: bool = False,
) -> Row:
    """The first row of a query that always gives one. ``binary``: bytes come as they are, not as digits."""
    row = asked.execute(query, given, binary=binary).fetchone()
    if row is None:
        raise LookupError("a query that always gives a row gave none")
    return row


def columns(connection: psycopg.Connection, table: str, *, without: Iterable[str] = ()) -> list[str]:
    """The names of the columns of ``schema.table``, in their order."""
    asked = "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped"
    found = connection.execute(f"{asked} and attname <> all(%s) order by attnum", [table, list(without)])
    return [name for (name,) in found.fetchall()]


def lock(connection: psycopg.Connection, name: str, *, is_shared: bool = False) -> None:
    """Waits for the lock ``name``; the transaction's end gives it back. Shared ones exclude only those that are not."""
    connection.execute("select audit.hold(%s, %s)", [name, is_shared])


@contextmanager
def held(settings: Settings, name: str, *, is_shared: bool = False) -> Iterator[psycopg.Connection]:
    """Holds the lock ``name`` on a connection of its own: it outlives other transactions and dies with the process.

    Yields that connection, for `assert_unbroken`.
    """
    with connect(settings) as keeper:
        lock(keeper, name, is_shared=is_shared)
        yield keeper


def assert_unbroken(keeper: psycopg.Connection) -> None:
    """Raises Retryable where the server broke off since ``keeper`` was opened.

    A crash empties unlogged tables, and whoever connects anew computes with what is left without an error. To be asked
    once the connection is open on which the results are read: what breaks off later breaks that one too.
    """
    with foreign.told("unbroken"):
        keeper.execute("select 1")


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
    with foreign.told("act", user=connection.info.user, act=name):
        return one(connection, call, arguments)[0]

"""Reading apart: on a standby where one is named, else on the primary, with a line that says so.

For who only reads and writes nothing, not even that he read: BI tools, extracts of `mart`. Loads, builds, scores,
closings and the portal never come here, and connections of somebody's session are the primary's.

A standby that lost its primary answers as before with what it has, so it is asked whether it follows, and what it says
of its lag is not believed where it does not. One that is none any more, since somebody promoted it, is nobody's.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import psycopg
from psycopg.rows import dict_row, tuple_row

from minhu.database import connect as primary
from minhu.database import standby
from minhu.errors import MinhuError
from minhu.glossary.watched import STANDBY
from minhu.settings import Settings

MOST_SECONDS = 300
"""What is further behind is no place to read: the primary is asked instead, and somebody is told."""
TRIES = 3
"""So often a query is asked of a standby that cancels it; then of the primary."""
WAITS = 0.5
"""Seconds until it is asked again: the standby replays meanwhile what it was cancelled for."""

LOOKS_AGAIN = 2.0
"""Seconds until one that seems behind, or lost since it or its primary was just started, is asked once more."""

Tell = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True)
class Standing:
    """How a standby stands. Moments have a zone; what it could not be asked is None.

    ``trouble``: a code of `minhu.glossary.watched.STANDBY` that says why nobody should read there; None: all is well.
    ``behind_seconds``: at most so far; where it does not follow, since the last that it has.
    """

    where: str
    trouble: str | None
    behind_seconds: float | None = None
    replayed_at: datetime | None = None
    built_at: datetime | None = None

    @property
    def zh(self) -> str:
        return f"{self.where} {STANDBY.zh(self.trouble or 'well')}{self._lag('，落后 {:.0f} 秒')}"

    @property
    def en(self) -> str:
        return f"{self.where} {STANDBY[self.trouble or 'well'].en}{self._lag(', {:.0f} s behind')}"

    def _lag(self, words: str) -> str:
        return words.format(self.behind_seconds) if self.behind_seconds is not None else ""


def read_url(settings: Settings) -> str | None:
    """Where who only reads enters, with the login and password of ``settings`` unless it names its own; None where no
    standby is named or made. It need not run.
    """
    if not settings.read_url:
        return standby.url(settings)
    from sqlalchemy import make_url  # here: who has no standby need not wait for it

    at = make_url(settings.read_url).set(drivername="postgresql")
    if not (at.username and at.database):
        own = make_url(primary.url(settings))
        at = at.set(database=at.database or own.database)
        at = at if at.username else at.set(username=own.username, password=own.password)
    return at.render_as_string(hide_password=False)


def reading(settings: Settings, tell: Tell = lambda _: None) -> psycopg.Connection[Any]:
    """A connection for reading whose transactions are of one moment: on the standby where there is one that can be
    reached and is not too far behind, else on the primary; ``tell`` is given a line that says so.

    Raises Retryable where neither can be reached.
    """
    if settings.asker:
        return primary.connect(settings, at_one_moment=True)  # his first transaction has begun, as he may
    if target := read_url(settings):
        try:
            connection = _enter(target, settings)
            if (found := _asked(connection, _where(target))).trouble is None:
                return _of_one_moment(connection)
            connection.close()
        except psycopg.OperationalError:
            found = Standing(_where(target), "away")
        tell(f"reading on the primary: the standby {found.en}")
    return _of_one_moment(primary.connect(settings, at_one_moment=True))


def read(settings: Settings, ask: Callable[[psycopg.Connection[Any]], T], tell: Tell = lambda _: None) -> T:
    """What ``ask`` reads on a connection of `reading`. Where the standby cancels it, to replay what is in its way, or
    ends under it, it is asked anew and begins from nothing; after `TRIES` times on the primary.
    """
    for attempt in range(1, TRIES + 1):
        with reading(settings, tell) as connection:
            is_apart = connection.info.parameter_status("in_hot_standby") == "on"
            try:
                return ask(connection)
            except psycopg.Error as error:
                if not (is_apart and is_cancelled(error)):
                    raise
        tell(f"the standby broke off what was read: asked again ({attempt} of {TRIES})")
        time.sleep(WAITS)
    with _of_one_moment(primary.connect(settings, at_one_moment=True)) as connection:
        return ask(connection)


def is_cancelled(error: psycopg.Error) -> bool:
    """Whether a standby cancelled a query for what it had to replay, or was stopped or killed under it. A limit of
    time that ran out is none of these. What only reads meets 40001 nowhere else.
    """
    if error.sqlstate in ("40001", "40P01", "57P01", "57P02", "57P03", "57P04"):
        return True
    if error.sqlstate is None:  # the connection broke
        return isinstance(error, psycopg.OperationalError)
    return error.sqlstate == "57014" and bool(re.search("conflict with recovery", str(error)))


def standing(settings: Settings, owner: psycopg.Connection[Any] | None = None) -> Standing | None:
    """How the standby stands, None where there is none. ``owner``: a connection to the primary, to compare whose
    standby it is. One that is in trouble is asked twice: where all was quiet, a moment's lag is told as an hour's.
    """
    try:
        target = read_url(settings)
    except MinhuError:
        return None  # of a primary that is away others tell
    if target is None:
        return None
    where = _where(target)
    try:
        with _enter(target, settings) as connection:
            found = _asked(connection, where)
            if found.trouble in ("behind", "not_following"):
                time.sleep(LOOKS_AGAIN)
                found = _asked(connection, where)
            if owner is not None and found.trouble in (None, "behind") and _is_other(connection, owner):
                return Standing(where, "stranger")
            return found
    except psycopg.OperationalError:
        return Standing(where, "away")


def _enter(target: str, settings: Settings) -> psycopg.Connection[Any]:
    return psycopg.connect(
        target,
        autocommit=True,
        connect_timeout=5,
        options=f"-c timezone={settings.timezone}",
        application_name="minhu reads",
    )


def _of_one_moment(connection: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    connection.autocommit = False
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    return connection


def _asked(connection: psycopg.Connection[Any], where: str) -> Standing:
    try:
        with connection.cursor(row_factory=dict_row) as cursor:
            row = primary.one(cursor, "select * from mart.standby")
    except psycopg.Error as error:
        if isinstance(error, psycopg.OperationalError):
            raise
        return Standing(where, "behind")  # the view has not come there yet
    if not row["is_standby"]:
        return Standing(where, "stranger")
    behind = row["behind_seconds"]
    trouble = None
    if not row["is_following"]:
        trouble = "not_following"
    elif behind is None or behind > MOST_SECONDS:
        trouble = "behind"
    return Standing(where, trouble, behind, row["replayed_at"], row["built_at"])


def _is_other(connection: psycopg.Connection[Any], owner: psycopg.Connection[Any]) -> bool:
    """Whether it is a copy of another server, or its database another one."""
    asked = "select system_identifier, current_database() from pg_control_system()"
    with connection.cursor(row_factory=tuple_row) as there, owner.cursor(row_factory=tuple_row) as here:
        return primary.one(there, asked) != primary.one(here, asked)


def _where(target: str) -> str:
    given = psycopg.conninfo.conninfo_to_dict(target)
    return f"{given.get('host')}:{given.get('port') or 5432}"

"""The one way to citizens' data as they were sent, and the log of who read them, took results away or let them out.

A reading is recorded and committed before it is answered; so is an export. Releases of held batches, waivers, closings,
approvals and publications are recorded by the database itself, in the transaction of the act (`sql/`),
whatever program acts. `minhu.publish.access_log_chain` checks the chain of the rows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import psycopg
from psycopg.rows import dict_row

from minhu import database
from minhu.errors import Refused, foreign
from minhu.privacy.line import mask_line
from minhu.settings import Settings


@contextmanager
def reading(
    settings: Settings, subject: str, why: str, *, batch_id: int | None = None, about: str | None = None
) -> Iterator[psycopg.Connection]:
    """A connection on which citizens' data may be read: the log row is committed when it is handed out.

    ``batch_id`` is null for what is of no batch. Raises Refused without a reason, and when there is no such batch.
    """
    if not why.strip():
        raise Refused("say why citizens' data is to be read")
    with database.connect(settings) as connection:
        with foreign.told("read citizens' data", user=connection.info.user):
            connection.execute(
                "insert into audit.access_log (subject, batch_id, about, why) values (%s, %s, %s, %s)",
                [subject, batch_id, about, mask_line(why.strip())],
            )
            connection.commit()
        yield connection


def may_write(connection: psycopg.Connection) -> None:
    """Lets a login that only reads record what it does. On a connection of the portal who asks has said he acts."""
    if connection.read_only is None:
        connection.read_only = False


def record_owner_session(settings: Settings, why: str) -> None:
    """Records that somebody enters as the owner. Raises Refused without a reason, and for a login that is not he."""
    if not why.strip():
        raise Refused("say why the owner's rights are needed: --why …; without --as-owner you look and change nothing")
    with (
        database.connect(settings) as connection,
        foreign.told("act", user=connection.info.user, act="psql --as-owner"),
    ):
        connection.execute(
            "insert into audit.access_log (subject, about, why) values ('owner_session', 'psql', %s)",
            [mask_line(why.strip())],
        )


def record_export(settings: Settings, about: str, why: str | None = None) -> int:
    """Records, for any login, that results leave the warehouse; returns the row's number. Commits before it returns."""
    with database.connect(settings) as connection:
        may_write(connection)
        return database.act(connection, "audit.log_export", {"about": about, "why": why and mask_line(why)})


def entries(
    settings: Settings,
    *,
    since: date | None = None,
    until: date | None = None,
    subject: str | None = None,
    by: str | None = None,
    batch_id: int | None = None,
) -> list[dict]:
    """Rows of the log in their order, of the days from ``since`` to ``until`` (both included), ready for JSON.

    Raises Refused where the login does not read it.
    """
    wanted = {"since": since, "until": until, "subject": subject, "by": by, "batch_id": batch_id}
    with (
        database.connect(settings) as connection,
        connection.cursor(row_factory=dict_row) as cursor,
        foreign.told("read", user=connection.info.user, what="the access log", instead="an auditor's does"),
    ):
        return cursor.execute(_ENTRIES, wanted).fetchall()


_ENTRIES = """
select access_id, accessed_at, accessed_by, subject, batch_id, act_id, about, why, hash
from audit.access_log
where (%(since)s::date is null or accessed_at >= %(since)s::date::timestamptz)
    and (%(until)s::date is null or accessed_at < (%(until)s::date + 1)::timestamptz)
    and (%(subject)s::text is null or subject = %(subject)s)
    and (%(by)s::text is null or accessed_by = %(by)s)
    and (%(batch_id)s::bigint is null or batch_id = %(batch_id)s)
order by access_id nulls last, entry_id
"""

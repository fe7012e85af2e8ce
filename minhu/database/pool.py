"""Connections of the portal: shared by all people of a group, each transaction of them one person's.

Who that is says the database: `portal.begin` verifies the session before anything else of a transaction happens
(docs/decisions/people.md, portal-person).
"""

import atexit
from functools import cache
from typing import Any

import psycopg
from psycopg.rows import RowFactory
from psycopg_pool import ConnectionPool

from minhu.errors import foreign
from minhu.settings import Asker

MOST = 20
"""Connections at once of one process and group; a login of the portal has thirty."""
WAITS = 10.0
"""Seconds that a request waits for one."""


def connection(
    target: str, timezone: str, asker: Asker, at_one_moment: bool, rows: RowFactory[Any]
) -> psycopg.Connection[Any]:
    """One on which ``asker`` acts until its transaction ends.

    Raises Retryable where none is to be had in time, NotSignedIn where the session is unknown, ended or expired.
    """
    with foreign.told("connect", what="the warehouse database"):
        found = _pool(target, timezone).getconn(WAITS)
    try:
        found.row_factory = rows
        found.read_only = asker.reads
        found.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ if at_one_moment else None
        with foreign.told("session"):
            if asker.job is None:
                found.execute("select portal.begin(%s)", [asker.token])
            else:
                found.execute("select portal.begin_job(%s, %s)", [asker.job, asker.token])
    except BaseException:
        found.close()
        raise
    return found


class _Shared(psycopg.Connection[Any]):
    """Goes back to the pool at the end of its ``with``, where one of our own would be closed."""

    def __exit__(self, *ended: Any) -> None:
        super().__exit__(*ended)
        self.close()


@cache
def _pool(target: str, timezone: str) -> ConnectionPool[_Shared]:
    pool = ConnectionPool(
        target,
        connection_class=_Shared,
        min_size=0,
        max_size=MOST,
        kwargs={"options": f"-c timezone={timezone}", "application_name": "minhu portal"},
        check=ConnectionPool.check_connection,
        close_returns=True,
        open=True,
    )
    atexit.register(pool.close, 1)
    return pool

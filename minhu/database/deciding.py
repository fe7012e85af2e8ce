"""The one transaction that decides, of an act that took long: where a job of the portal asked, its asker acts in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg.types.json import Jsonb

from minhu.database.connect import connect, one
from minhu.errors import Refused, foreign
from minhu.settings import Settings


@dataclass
class Decision:
    """``result``: what the job tells its asker, where there is one."""

    connection: psycopg.Connection
    result: dict[str, object] = field(default_factory=dict)


@contextmanager
def deciding(settings: Settings) -> Iterator[Decision]:
    """A connection for one transaction. For ``settings.job`` its asker acts in it, if he still may and what he asked by
    still stands, and the job is done with it: both or neither.

    Raises Refused where that is not so any more; nothing is decided then.
    """
    job = settings.job
    with connect(settings) as connection:
        decision = Decision(connection)
        if job:
            with foreign.told("act", user=connection.info.user, act="portal.begin_job"):
                connection.execute("select portal.begin_job(%s, %s)", [job.number, job.claim])
        yield decision
        if job:
            given = [job.number, job.claim, Jsonb(decision.result)]
            if not one(connection, "select portal.finish_job(%s, %s, 'done', null, %s)", given)[0]:
                raise Refused("another runner has taken this job: nothing is decided here")

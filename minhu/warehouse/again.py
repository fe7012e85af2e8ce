"""Whether the warehouse is to be built again: batches came or were released after the night's build."""

from datetime import datetime, time, timedelta

import psycopg

from minhu import database
from minhu.business_date import business_date
from minhu.config.city import City
from minhu.declaration import read_declaration
from minhu.settings import Settings


def to_build_again(settings: Settings, now: datetime | None = None) -> dict:
    """The business date to build for, how many batches wait and since when; empty where nothing is to be done.

    Nothing while the night's build is still to come, while a build runs, or in the minute in which a batch came: the
    rest of its delivery may follow. Nor where the last build failed over the same batches: it would fail again.
    """
    now = (now or datetime.now(settings.zone)).astimezone(settings.zone)
    terms = read_declaration(City, settings.config / "city.yml").build
    begins, ends = (
        datetime.combine(now.date(), time.fromisoformat(at), settings.zone) for at in (terms.earliest, terms.cut_off)
    )
    with database.connect(settings) as connection:
        waiting, since, newest, is_running, last, failed = database.one(connection, _WAITING, {"before": None})
    was_built = last is not None and last >= begins
    is_night = begins <= now < ends + timedelta(minutes=terms.grace_minutes) and not was_built
    has_failed = failed is not None and (last is None or failed > last) and bool(waiting) and failed >= newest
    if not waiting or is_running or is_night or has_failed or newest > now - timedelta(minutes=1):
        return {}
    on = business_date(None, now, settings.timezone)
    return {"business_date": on.isoformat(), "batches": waiting, "since": since.astimezone(settings.zone).isoformat()}


def forgotten(connection: psycopg.Connection, before: datetime) -> tuple[int, datetime | None]:
    """How many batches may be built since before that moment and no build has taken, and since when."""
    return database.one(connection, _WAITING, {"before": before})[:2]


# A build takes and withdraws: what was replayed since waits too.
_WAITING = """
with waiting as (
    select batch.batch_id, coalesce(verdict.decided_at, batch.loaded_at) as at
    from audit.batch
    left join (
        select batch_id, max(decided_at) as decided_at from audit.batch_verdict group by batch_id
    ) as verdict on batch.batch_id = verdict.batch_id
    where
        batch.status in ('loaded', 'accepted')
        and not exists (
            select from audit.build_batch as taken
            inner join audit.build on taken.build_id = build.build_id
            where taken.batch_id = batch.batch_id and taken.action = 'take' and build.status = 'succeeded'
        )
)

select
    count(*),
    min(at),
    max(at),
    (select count(*) > 0 from audit.build where status = 'running'),
    (select max(started_at) from audit.build where status = 'succeeded'),
    (select max(started_at) from audit.build where status = 'failed')
from waiting
where %(before)s::timestamptz is null or at < %(before)s
"""

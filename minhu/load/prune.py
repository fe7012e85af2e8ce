"""Retention: deletes what has been kept long enough and records each deletion in ``audit.pruned``.

- A **landed file** goes when every batch that refers to it is older than its feed's ``landed_days``.
- **Rejected rows** go when their batch is older than ``rejected_days``.
- An **attachment** of an appeal or a decision loses its content after ``attachment_days``, once that is decided; what
  it was and when it went stay (``assess.attachment_removal``).
- A row of staging goes when its batch is older than ``identical_days`` and it is an **identical version in between**:
  the version of the record before it and the one after it say the same, and all three are of accepted, built batches
  whose delivery is no snapshot. The first version of such a run stays, since the facts name it as their source, and
  the last one stays, since it decides what is newest: no fact changes, and either may still be replayed. An event or a
  callback stays while its case has not arrived, or while its place among its like in the file is a part of its name.

Nothing of a batch that still waits for a verdict is deleted.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import psycopg
from psycopg.types.json import Jsonb

from minhu import config, database
from minhu.declaration import read_declaration
from minhu.feeds import load_feeds
from minhu.feeds.feed import Retention
from minhu.landing.store import STRAY_AFTER, Store, sha256_of, store_of
from minhu.settings import Settings

LOCK_PRUNE = "minhu:prune"
DAY = 24 * 3600
LANDED, REJECTED, IDENTICAL, ATTACHMENT = "landed_file", "rejected_rows", "identical_rows", "attachment"


@dataclass(frozen=True)
class Pruned:
    """What went of one feed; ``feed_code`` is null for landed files of no batch. ``count``: files or rows."""

    what: str
    feed_code: str | None
    count: int
    kept_days: int

    def summary(self) -> dict:
        return self.__dict__


@dataclass(frozen=True)
class Terms:
    """The retention in force: the city's, and each feed's."""

    city: Retention
    feeds: dict[str, Retention]

    def days(self, name: str, feed_code: str | None = None) -> int | None:
        """A feed that is declared no more is kept as the city says."""
        return getattr(self.feeds.get(feed_code or "", self.city), name)

    def all_days(self, connection: psycopg.Connection, name: str) -> Jsonb:
        """The days of every feed that has batches, as SQL reads them; without those that are kept for ever."""
        codes = [code for (code,) in connection.execute("select distinct feed_code from audit.batch").fetchall()]
        return Jsonb({code: days for code in codes if (days := self.days(name, code))})


def read_terms(settings: Settings) -> Terms:
    city = read_declaration(config.City, settings.config / "city.yml").retention
    return Terms(city, {feed.code: feed.retention_under(city) for feed in load_feeds(settings.config)})


STEPS = ("landed files", "attachments", "rejected rows", "case_record", "case_event", "callback")


def prune(
    settings: Settings, *, dry_run: bool = False, advance: Callable[[str], None] = lambda step: None
) -> list[Pruned]:
    """Deletes what is past retention; with ``dry_run`` tells what would go. ``advance`` hears of each of `STEPS`.

    Killed at any step and run again it deletes the rest. Raises Retryable when the landing zone is away.
    """
    terms = read_terms(settings)
    gone: list[Pruned] = []
    with database.held(settings, LOCK_PRUNE), database.connect(settings, autocommit=True) as connection:
        gone += _landed(connection, store_of(settings), terms, dry_run)
        advance(STEPS[0])
        if (kept := terms.days("attachment_days")) is not None:
            with connection.transaction(force_rollback=dry_run):
                count = database.one(connection, _ATTACHMENTS, {"days": kept})[0]
            gone += [Pruned(ATTACHMENT, None, count, kept)] if count else []
        advance(STEPS[1])
        for step, name, statement in (
            ("rejected rows", "rejected_days", _REJECTED),
            *((table, "identical_days", _identical(table)) for table in ("case_record", "case_event", "callback")),
        ):
            with connection.transaction(force_rollback=dry_run):
                # No build runs beside: it would see some of the rows in one model and not in the next.
                database.lock(connection, database.LOCK_BUILD)
                days = terms.all_days(connection, name)
                gone += [Pruned(*row) for row in connection.execute(statement, {"days": days}).fetchall()]
            advance(step)
    return _summed(gone)


def _summed(gone: list[Pruned]) -> list[Pruned]:
    """One line for each feed and kind of thing."""
    counts: dict[tuple[str, str | None, int], int] = {}
    for one in gone:
        place = one.what, one.feed_code, one.kept_days
        counts[place] = counts.get(place, 0) + one.count
    ordered = sorted(counts, key=lambda place: (place[0], place[1] or "", place[2]))
    return [Pruned(what, feed_code, counts[what, feed_code, days], days) for what, feed_code, days in ordered]


def _landed(connection: psycopg.Connection, store: Store, terms: Terms, dry_run: bool) -> Iterator[Pruned]:
    """The record is written before the file goes: killed in between, the next run finds the file again."""
    batches = connection.execute(
        "select source_sha256, batch_id, feed_code, status in ('loaded', 'held'),"
        " extract(epoch from clock_timestamp() - loaded_at)::float from audit.batch order by source_sha256, batch_id"
    ).fetchall()
    months = {sha256 for (sha256,) in connection.execute(_MONTHS)}
    referring = {sha256: [row[1:] for row in rows] for sha256, rows in groupby(batches, key=itemgetter(0))}
    for name in store.names():
        sha256 = sha256_of(name)
        found = referring.get(sha256, [])
        newest_feed = found[-1][1] if found else None
        days = terms.days("landed_days", newest_feed)
        if sha256 in months or days is None or not _is_past(store, name, found, terms):
            continue
        if not dry_run:
            with connection.transaction():
                for batch_id in [batch_id for batch_id, *_ in found] or [None]:
                    connection.execute(
                        "insert into audit.pruned (batch_id, what, source_sha256, kept_days) values (%s, %s, %s, %s)",
                        [batch_id, LANDED, sha256, days],
                    )
            store.remove(name)
        yield Pruned(LANDED, newest_feed, 1, days)


_MONTHS = """
select file.sha256 from audit.detached_month, jsonb_to_recordset(files) as file (sha256 text)
where attached_at is null or built_in is null
"""
"""Files that hold rows of staging: nobody else has them."""


def _is_past(store: Store, name: str, batches: list[tuple], terms: Terms) -> bool:
    """Whether a landed file may go. One that landed today may be of a load at work, whatever its batches."""
    if not batches:
        days, age = terms.days("landed_days"), store.age(name)
        return days is not None and age is not None and age > days * DAY
    for _, feed_code, is_waiting, seconds in batches:
        days = terms.days("landed_days", feed_code)
        if is_waiting or days is None or seconds <= days * DAY:
            return False
    age = store.age(name)
    return age is None or age > STRAY_AFTER


_ATTACHMENTS = """
with past as (
    select told.attachment_id
    from assess.attachment as told
    where
        told.added_at < clock_timestamp() - %(days)s * interval '1 day'
        and assess.is_decided(told.subject_kind, told.subject_id)
),
gone as (
    delete from restricted.attachment_content as kept using past
    where kept.attachment_id = past.attachment_id
    returning kept.attachment_id
),
told as (
    insert into assess.attachment_removal (attachment_id, reason)
    select attachment_id, format('kept for %%s days', %(days)s) from gone
    returning attachment_id
)
select count(*) from told
"""

_RECORDED = """,
recorded as (
    insert into audit.pruned (batch_id, what, rows, kept_days)
    select batch_id, '{what}', count(*), (%(days)s ->> batch.feed_code)::integer
    from gone inner join audit.batch using (batch_id)
    group by batch_id, batch.feed_code
    returning batch_id, rows, kept_days
)
select '{what}', batch.feed_code, sum(recorded.rows)::bigint, recorded.kept_days
from recorded inner join audit.batch using (batch_id)
group by batch.feed_code, recorded.kept_days
"""

_IS_OLD = "batch.loaded_at < clock_timestamp() - (%(days)s ->> batch.feed_code)::integer * interval '1 day'"

_REJECTED = f"""
with gone as (
    delete from restricted.rejected_row using audit.batch
    where rejected_row.batch_id = batch.batch_id and batch.status not in ('loaded', 'held') and {_IS_OLD}
    returning rejected_row.batch_id
){_RECORDED.format(what=REJECTED)}"""

# What names a record among the rows of its case, and the order of its versions: as the models of the build have it.
# ``siblings``: rows of one file that only their ordinal tells apart; to delete one would rename the others.
_RECORDS = {
    "case_record": """
        select *, feed_code as of_feed, '' as identity, 1 as siblings, coalesce(caller_token, '') as caller,
            coalesce(source_updated_at, '-infinity') as told_at
        from staging.case_record""",
    "case_event": """
        select *, case_feed_code as of_feed, '' as caller, '-infinity'::timestamptz as told_at,
            coalesce(
                'no|' || feed_code || '|' || source_event_no,
                concat_ws('|', 'at', feed_code, event_type, extract(epoch from occurred_at), coalesce(unit_name, ''))
            ) as identity,
            case when source_event_no is null then count(*) over (
                partition by batch_id, case_feed_code, case_no, event_type, occurred_at, unit_name, source_event_no
            ) else 1 end as siblings
        from staging.case_event""",
    "callback": """
        select *, case_feed_code as of_feed, '' as caller, '-infinity'::timestamptz as told_at,
            concat_ws('|', extract(epoch from called_at), coalesce(unit_name, ''), round) as identity,
            count(*) over (
                partition by batch_id, case_feed_code, case_no, called_at, unit_name, round
            ) as siblings
        from staging.callback""",
}

# Rows of held and waiting batches stand in the order too: one between two identical versions parts them.
_IDENTICAL = """
with built as (
    select build_batch.batch_id
    from audit.build_batch inner join audit.build using (build_id)
    where build.status = 'succeeded'
    group by build_batch.batch_id
    having bool_and(build_batch.action = 'take')
),
batches as (
    select
        batch.batch_id,
        batch.order_key,
        coalesce({is_old}, false) as is_old,
        batch.status = 'accepted' and built.batch_id is not null and coalesce(entry.data ->> 'mode', '') <> 'snapshot'
            as is_settled
    from audit.batch
    left join built using (batch_id)
    left join config.entry on entry.kind = 'delivery' and entry.until_version is null
        and entry.key = batch.feed_code || '/' || batch.delivery
    where batch.status not in ('refused', 'superseded')
),
versions as (
    select
        record.batch_id,
        record.row_number,
        batches.is_old,
        record.of_feed,
        record.case_no,
        record.identity,
        record.told_at,
        batches.order_key,
        case when batches.is_settled and record.siblings = 1 then record.row_hash || '|' || record.caller end
            as content
    from ({record}) as record inner join batches using (batch_id)
),
neighbours as (
    select
        *,
        lag(content) over in_order as before,
        lead(content) over in_order as after
    from versions
    window in_order as (partition by of_feed, case_no, identity order by told_at, order_key, row_number)
),
gone as (
    delete from staging.{table} as record using neighbours
    where
        record.batch_id = neighbours.batch_id
        and record.row_number = neighbours.row_number
        and neighbours.is_old
        and neighbours.content = neighbours.before
        and neighbours.content = neighbours.after
        and not exists (
            select from audit.orphan
            where orphan.batch_id = record.batch_id and orphan.row_number = record.row_number
        )
    returning record.batch_id
)"""


def _identical(table: str) -> str:
    return _IDENTICAL.format(table=table, record=_RECORDS[table], is_old=_IS_OLD) + _RECORDED.format(what=IDENTICAL)

"""Commits one delivery: its rows, its rejects and its manifest in one transaction, or nothing at all."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from itertools import chain
from typing import cast

import polars as pl
import psycopg
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from minhu import database
from minhu.errors import BadDelivery, Refused, Retryable, foreign
from minhu.feeds.canonical import STAGING_TABLE
from minhu.feeds.door import Door, Judged, Tally
from minhu.feeds.feed import EVERY_DELIVERY, Delivery, Feed
from minhu.feeds.formats.common import NO_ROWS
from minhu.feeds.sources.fetched import UNREAD
from minhu.glossary.delivered import DOOR_REASON
from minhu.load.links import write_links

SAME_FILE = "SAME_FILE_OTHER_DATE"
CONTROL_TOTAL = "CONTROL_TOTAL"
_MANY = 5_000
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\x00": ""}


@dataclass(frozen=True)
class Source:
    """Which bytes arrived for what: the identity of a batch."""

    feed: Feed
    delivery: Delivery
    business_date: date
    name: str
    sha256: str
    bytes: int
    started_at: datetime
    content: str | None = None
    """What stands for the content where an API's bytes differ from pull to pull; the bytes' own sha256 unless given."""

    @property
    def identity(self) -> dict:
        return {
            "feed_code": self.feed.code,
            "delivery": self.delivery.name,
            "business_date": self.business_date,
            "source_sha256": self.sha256,
            "content": self.content or self.sha256,
            "content_sha256": self.content,
        }


def not_landed(feed: Feed, delivery: Delivery, business_date: date, name: str = "") -> Source:
    """What a load is about while no bytes of it have landed."""
    return Source(feed, delivery, business_date, name, "", 0, now())


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Batch:
    """A row of the manifest, as far as a replay needs it."""

    batch_id: int
    feed_code: str
    delivery: str
    business_date: date
    source_name: str
    source_sha256: str
    source_bytes: int
    control_total: int | None
    status: str
    reason_code: str | None
    reason: str | None
    order_key: int
    received_rows: int
    staged_rows: int
    is_as_counted: bool | None
    """Its file holds as many rows as the sender counts, be they different or not."""


@dataclass(frozen=True)
class LoadResult:
    """What a load did. ``outcome``: loaded, held, already_loaded, nothing_delivered."""

    feed_code: str
    delivery: str
    business_date: date
    outcome: str
    batch_id: int | None = None
    received: int = 0
    staged: int = 0
    rejected: int = 0
    duplicates: int = 0
    filtered: int = 0
    reason: str | None = None
    notes: tuple[dict, ...] = ()

    def summary(self) -> dict:
        return {**self.__dict__, "business_date": self.business_date.isoformat(), "notes": list(self.notes)}


@dataclass(frozen=True)
class Hold:
    """Why a batch waits for a person instead of a gate."""

    code: str
    reason: str


def find(connection: psycopg.Connection, batch_id: int, *, replaced: bool = False) -> Batch:
    """A batch of the manifest. Raises Refused when there is none, or when another one stands in for it, unless
    ``replaced`` ones are wanted too.
    """
    with connection.cursor(row_factory=class_row(Batch)) as cursor:
        found = cursor.execute(
            "select batch_id, feed_code, delivery, business_date, source_name, source_sha256, source_bytes,"
            " control_total, status, reason_code, reason, order_key, received_rows, staged_rows,"
            " received_rows = control_total as is_as_counted"
            " from audit.batch where batch_id = %s",
            [batch_id],
        ).fetchone()
    if found is None:
        raise Refused(f"there is no batch {batch_id}")
    if found.status == "superseded" and not replaced:
        raise Refused(f"batch {batch_id} was superseded; replay the batch that stands in for it")
    return found


_SAME_CONTENT = (
    "feed_code = %(feed_code)s and delivery = %(delivery)s and coalesce(content_sha256, source_sha256) = %(content)s"
    " and status not in ('refused', 'superseded')"
)


def find_loaded(connection: psycopg.Connection, source: Source) -> int | None:
    """The batch that holds this content for this feed, delivery and date, if there is one."""
    row = connection.execute(
        f"select batch_id from audit.batch where {_SAME_CONTENT} and business_date = %(business_date)s",
        source.identity,
    ).fetchone()
    return row[0] if row else None


def date_of(connection: psycopg.Connection, feed_code: str, delivery: str, sha256: str) -> date | None:
    """The date under which these very bytes were loaded before."""
    parameters = {"feed_code": feed_code, "delivery": delivery, "content": sha256}
    return database.one(connection, f"select max(business_date) from audit.batch where {_SAME_CONTENT}", parameters)[0]


def read_cursor(connection: psycopg.Connection, feed_code: str, delivery: str) -> str | None:
    """Where the last committed fetch of a delivery ended."""
    row = connection.execute(
        "select cursor_value from audit.source_cursor where feed_code = %s and delivery = %s", [feed_code, delivery]
    ).fetchone()
    return row[0] if row else None


def commit(
    connection: psycopg.Connection,
    source: Source,
    door: Door,
    parts: Iterable[Judged],
    *,
    control_total: int | None = None,
    arrived: int | None = None,
    cursor: str | None = None,
    replays: Batch | None = None,
) -> LoadResult:
    """Writes the batch as ``door`` judges it, part by part; the caller's transaction makes it visible or undoes it.

    A lock per feed keeps two loads of it apart.
    """
    database.lock(connection, f"minhu:load:{source.feed.code}")
    if replays is None and (batch_id := find_loaded(connection, source)) is not None:
        return record_attempt(connection, source, "already_loaded", batch_id)
    batch_id = database.one(connection, "select nextval(pg_get_serial_sequence('audit.batch', 'batch_id'))")[0]
    rejected, links = [], []

    def staged() -> Iterator[pl.DataFrame]:
        for part in parts:
            rejected.append(part.rejected)
            links.append(part.caller_links)
            yield staging_frame(source, part.staged, batch_id)

    copy_rows(connection, STAGING_TABLE[source.delivery.kind], staged())
    tally = door.close()
    hold = _short(control_total, arrived, tally, replays) or _why_hold(connection, source, tally, replays)
    if replays:
        _withdraw(connection, replays)
    _insert_batch(connection, batch_id, source, tally, hold, control_total, replays)
    copy_rows(
        connection, "restricted.rejected_row", (frame.with_columns(batch_id=pl.lit(batch_id)) for frame in rejected)
    )
    write_links(connection, pl.concat(links))
    if replays:
        connection.execute(
            "update audit.batch set superseded_by = %s where batch_id = %s", [batch_id, replays.batch_id]
        )
    if cursor is not None:
        _write_cursor(connection, source, cursor, batch_id)
    return LoadResult(
        source.feed.code,
        source.delivery.name,
        source.business_date,
        "held" if hold else "loaded",
        batch_id,
        tally.received,
        tally.staged,
        tally.rejected,
        tally.duplicates,
        tally.filtered,
        hold.reason if hold else None,
        tally.notes,
    )


def _short(control_total: int | None, arrived: int | None, tally: Tally, replays: Batch | None) -> Hold | None:
    """Where what arrived is not what the sender counts. The rows of a file that is read anew tell of no missing one."""
    if control_total == UNREAD or (control_total is None and _was_held(replays, CONTROL_TOTAL)):
        return Hold(
            CONTROL_TOTAL,
            f"the sender's count of rows cannot be read, {tally.received} arrived: compare, and release the batch, or"
            " ask the sender to write a bare number",
        )
    if replays and _was_held(replays, CONTROL_TOTAL) and replays.is_as_counted:
        return Hold(CONTROL_TOTAL, replays.reason or "")
    if control_total is None or control_total == (tally.received if arrived is None else arrived):
        return None
    if arrived is None or arrived == tally.received:
        gap = tally.received - control_total
        return Hold(CONTROL_TOTAL, f"the sender counts {control_total} rows, {tally.received} arrived ({gap:+})")
    return Hold(CONTROL_TOTAL, f"the sender counts {control_total} rows, {arrived} different ones arrived; load again")


def _why_hold(connection: psycopg.Connection, source: Source, tally: Tally, replays: Batch | None) -> Hold | None:
    """What else a person must look at before the batch counts, if anything."""
    if replays and _was_held(replays, SAME_FILE):
        return Hold(SAME_FILE, replays.reason or "")
    if hold := why_no_rows(tally):
        return hold
    if replays is None and tally.received and (other := _same_content_other_date(connection, source)):
        return Hold(SAME_FILE, f"the same bytes were already delivered for {other}; release the batch if that is right")
    return _shrunk_snapshot(connection, source, tally)


def _was_held(replays: Batch | None, code: str) -> bool:
    return replays is not None and replays.status == "held" and replays.reason_code == code


def why_no_rows(tally: Tally) -> Hold | None:
    """A file without rows that holds more than a header: what was left aside may have been the records."""
    left = [note for note in tally.notes if note["code"] in NO_ROWS]
    if tally.received or not left:
        return None
    told = ", ".join(f"{note['rows']} {DOOR_REASON.said(note['code'], 'en')}" for note in left)
    return Hold(
        "NO_ROWS", f"the file holds no rows, but {told}: look at format, or release the batch if there were none"
    )


def _shrunk_snapshot(connection: psycopg.Connection, source: Source, tally: Tally) -> Hold | None:
    """A snapshot says of every record it lacks that it is gone: one that was cut short would wipe them out."""
    if source.delivery.mode != "snapshot":
        return None
    row = connection.execute(
        "select staged_rows from audit.batch where feed_code = %(feed_code)s and delivery = %(delivery)s"
        " and status in ('loaded', 'accepted') and business_date <= %(business_date)s order by order_key desc limit 1",
        source.identity,
    ).fetchone()
    before = row[0] if row else 0
    if tally.staged >= before * (100 - source.delivery.max_shrink_pct) / 100:
        return None
    return Hold("SNAPSHOT_SHRANK", f"{tally.staged} rows, the snapshot before had {before}")


def _withdraw(connection: psycopg.Connection, old: Batch) -> None:
    """Takes a batch out of force; its rows stay, and the next build takes them out of the facts."""
    changed = connection.execute(
        "update audit.batch set status = 'superseded' where batch_id = %s and status not in ('refused', 'superseded')",
        [old.batch_id],
    )
    if not changed.rowcount and old.status != "refused":
        raise Retryable(f"batch {old.batch_id} was replayed by somebody else at this moment")


def _write_cursor(connection: psycopg.Connection, source: Source, cursor: str, batch_id: int) -> None:
    connection.execute(
        "insert into audit.source_cursor (feed_code, delivery, cursor_value, batch_id) values (%s, %s, %s, %s)"
        " on conflict (feed_code, delivery) do update set cursor_value = excluded.cursor_value,"
        " batch_id = excluded.batch_id, written_at = clock_timestamp()",
        [source.feed.code, source.delivery.name, cursor, batch_id],
    )


def refuse(connection: psycopg.Connection, source: Source, error: BadDelivery, received: int | None) -> int:
    """Records a delivery that was refused whole; the file stays in the landing zone. Returns the batch."""
    return database.one(
        connection,
        "insert into audit.batch (feed_code, delivery, kind, business_date, source_name, source_sha256, content_sha256,"
        " source_bytes, received_rows, status, reason_code, reason, order_key, started_at) values (%(feed_code)s,"
        " %(delivery)s, %(kind)s, %(business_date)s, %(name)s, %(source_sha256)s, %(content_sha256)s, %(bytes)s,"
        " %(received)s, 'refused', %(code)s, %(reason)s, 0, %(started_at)s) returning batch_id",
        {**_facts(source), "received": received, "code": error.code, "reason": str(error)},
    )[0]


def record_attempt(
    connection: psycopg.Connection,
    source: Source,
    outcome: str,
    batch_id: int | None = None,
    code: str | None = None,
    reason: str | None = None,
) -> LoadResult:
    """Records a load that changed nothing; of one that failed the code and the words too.

    Of looks that found nothing the first and the last are kept: what is missing is looked for every few minutes.
    """
    result = LoadResult(source.feed.code, source.delivery.name, source.business_date, outcome, batch_id)
    if outcome == "nothing_delivered" and connection.execute(_LOOKED_AGAIN, _facts(source)).rowcount:
        return result
    connection.execute(
        "insert into audit.attempt (feed_code, delivery, business_date, source_name, source_sha256, batch_id, outcome,"
        " reason_code, reason) values (%(feed_code)s, %(delivery)s, %(business_date)s, %(name)s, %(source_sha256)s,"
        " %(batch_id)s, %(outcome)s, %(code)s, %(reason)s)",
        {**_facts(source), "batch_id": batch_id, "outcome": outcome, "code": code, "reason": reason},
    )
    return result


_LOOKED_AGAIN = """
update audit.attempt set attempted_at = clock_timestamp()
where attempt_id = (
    select max(attempt_id) from audit.attempt
    where
        feed_code = %(feed_code)s and delivery = %(delivery)s and business_date = %(business_date)s
        and outcome = 'nothing_delivered'
    having count(*) > 1
)
"""


def record_undeclared(
    connection: psycopg.Connection, feed_code: str, business_date: date, code: str, reason: str
) -> None:
    """Records that nothing of a feed was loaded, under all its deliveries: no one knows which it has."""
    connection.execute(
        "insert into audit.attempt (feed_code, delivery, business_date, source_name, outcome, reason_code, reason)"
        " values (%s, %s, %s, '', 'failed', %s, %s)",
        [feed_code, EVERY_DELIVERY, business_date, code, reason],
    )


def _facts(source: Source) -> dict:
    return {
        **source.identity,
        "kind": source.delivery.kind,
        "name": source.name,
        "bytes": source.bytes,
        "started_at": source.started_at,
    }


def _same_content_other_date(connection: psycopg.Connection, source: Source) -> date | None:
    return database.one(
        connection,
        f"select max(business_date) from audit.batch where {_SAME_CONTENT} and business_date <> %(business_date)s",
        source.identity,
    )[0]


def _insert_batch(
    connection: psycopg.Connection,
    batch_id: int,
    source: Source,
    tally: Tally,
    hold: Hold | None,
    control_total: int | None,
    replays: Batch | None,
) -> None:
    """The manifest row. Its order_key puts versions of a record in the order of business dates, then of batches.

    A replay inherits the one of the batch it replays; a batch that was refused has none to inherit.
    """
    connection.execute(
        "insert into audit.batch (batch_id, feed_code, delivery, kind, business_date, source_name, source_sha256,"
        " content_sha256, source_bytes, received_rows, staged_rows, rejected_rows, duplicate_rows,"
        " filtered_rows, has_no, control_total,"
        " status, reason_code, reason, notes, order_key, replays_batch_id, started_at) overriding system value"
        " values (%(batch_id)s, %(feed_code)s, %(delivery)s, %(kind)s, %(business_date)s, %(name)s, %(source_sha256)s,"
        " %(content_sha256)s, %(bytes)s, %(received)s, %(staged)s, %(rejected)s, %(duplicates)s,"
        " %(filtered)s, %(has_no)s, %(control_total)s,"
        " %(status)s, %(code)s, %(reason)s, %(notes)s, coalesce(nullif(%(order_key)s, 0),"
        " to_char(%(business_date)s::date, 'YYYYMMDD')::bigint * 10000000000 + %(batch_id)s), %(replays)s,"
        " %(started_at)s)",
        {
            **_facts(source),
            "batch_id": batch_id,
            "received": tally.received,
            "staged": tally.staged,
            "rejected": tally.rejected,
            "duplicates": tally.duplicates,
            "filtered": tally.filtered,
            "has_no": list(source.delivery.has_no),
            "control_total": None if control_total == UNREAD else control_total,
            "status": "held" if hold else "loaded",
            "code": hold.code if hold else None,
            "reason": hold.reason if hold else None,
            "notes": Jsonb(list(tally.notes)),
            "order_key": replays.order_key if replays else 0,
            "replays": replays.batch_id if replays else None,
        },
    )


def staging_frame(source: Source, staged: pl.DataFrame, batch_id: int) -> pl.DataFrame:
    added = [pl.lit(batch_id).alias("batch_id"), pl.lit(source.feed.code).alias("feed_code")]
    if source.delivery.kind != "case":
        added.append(pl.col("case_feed_code").fill_null(source.feed.code))
    return staged.with_columns(added)


def copy_rows(connection: psycopg.Connection, table: str, frames: Iterable[pl.DataFrame]) -> None:
    """COPY of frames that have the same columns."""
    frames = (frame for frame in frames if frame.height)
    if (first := next(frames, None)) is None:
        return
    command = sql.SQL("copy {} ({}) from stdin").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(map(sql.Identifier, first.columns))
    )
    with foreign.told("copy", table=table), connection.cursor() as cursor, cursor.copy(command) as copy:
        for frame in chain([first], frames):
            copy.write(_copy_text(frame.select(first.columns)))


def _copy_text(frame: pl.DataFrame) -> memoryview:
    """Rows in COPY's text format, which the server reads faster than CSV. PostgreSQL takes no NUL, so those go."""
    texts = frame.select(pl.col(pl.String).str.contains(r"[\\\t\n\r\x00]").any())
    frame = frame.with_columns(
        *(
            pl.col(name).str.replace_many(list(_ESCAPES), list(_ESCAPES.values()))
            for name, found in zip(texts.columns, texts.row(0), strict=True)
            if found
        ),
        *(_moment_text(frame[name]) for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)),
    )
    buffer = io.BytesIO()
    frame.write_csv(buffer, include_header=False, separator="\t", quote_style="never", null_value="\\N")
    return buffer.getbuffer()


def _moment_text(moments: pl.Series) -> pl.Series:
    """Moments as text in UTC. Whole seconds of many rows are put together from the texts of days and times of day."""
    if len(moments) < _MANY or (moments.to_physical() % 1_000_000 != 0).any():
        return moments.dt.to_string("%Y-%m-%d %H:%M:%S%.6f+00")
    days, seconds = moments.dt.date().to_physical(), moments.to_physical() // 1_000_000 % 86_400
    first, last = (cast("int | None", end) or 0 for end in (days.min(), days.max()))
    names = pl.int_range(first, last + 1, eager=True).cast(pl.Int32).cast(pl.Date).cast(pl.String)
    return pl.select(
        pl.concat_str(names.gather(days - first), _times_of_day().gather(seconds)).alias(moments.name)
    ).to_series()


@cache
def _times_of_day() -> pl.Series:
    nanoseconds = pl.int_range(0, 86_400 * 10**9, 10**9, eager=True)
    return nanoseconds.cast(pl.Time).dt.to_string(" %H:%M:%S+00")

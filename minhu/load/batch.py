"""Commits one delivery: its rows, its rejects and its manifest in one transaction, or nothing at all."""

import io
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from minhu import database
from minhu.errors import BadDelivery
from minhu.feeds.canonical import STAGING_TABLE
from minhu.feeds.door import Judged
from minhu.feeds.feed import Delivery, Feed


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

    @property
    def identity(self) -> dict:
        return {
            "feed_code": self.feed.code,
            "delivery": self.delivery.name,
            "business_date": self.business_date,
            "source_sha256": self.sha256,
        }


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
    reason: str | None = None
    notes: tuple[dict, ...] = ()

    def summary(self) -> dict:
        return {**self.__dict__, "business_date": self.business_date.isoformat(), "notes": list(self.notes)}


def find_loaded(connection: psycopg.Connection, source: Source) -> int | None:
    """The batch that holds these bytes for this feed, delivery and date, if there is one."""
    row = connection.execute(
        "select batch_id from audit.batch where feed_code = %(feed_code)s and delivery = %(delivery)s"
        " and business_date = %(business_date)s and source_sha256 = %(source_sha256)s"
        " and status not in ('refused', 'superseded')",
        source.identity,
    ).fetchone()
    return row[0] if row else None


def commit(connection: psycopg.Connection, source: Source, judged: Judged) -> LoadResult:
    """Writes the batch. The caller's transaction makes it visible; a lock per feed keeps two loads of it apart."""
    database.lock(connection, f"minhu:load:{source.feed.code}")
    if (batch_id := find_loaded(connection, source)) is not None:
        return record_attempt(connection, source, "already_loaded", batch_id)
    other_date = _same_bytes_other_date(connection, source) if judged.received else None
    batch_id = _insert_batch(connection, source, judged, other_date)
    _copy(connection, STAGING_TABLE[source.delivery.kind], _staging_frame(source, judged.staged, batch_id))
    _copy(
        connection,
        "restricted.rejected_row",
        judged.rejected.select(pl.lit(batch_id).alias("batch_id"), *judged.rejected.columns),
    )
    return LoadResult(
        source.feed.code,
        source.delivery.name,
        source.business_date,
        "held" if other_date else "loaded",
        batch_id,
        judged.received,
        judged.staged.height,
        judged.rejected.height,
        judged.duplicates,
        _held_reason(other_date) if other_date else None,
        judged.notes,
    )


def refuse(connection: psycopg.Connection, source: Source, error: BadDelivery, received: int | None) -> None:
    """Records a delivery that was refused whole; the file stays in the landing zone."""
    connection.execute(
        "insert into audit.batch (feed_code, delivery, kind, business_date, source_name, source_sha256, source_bytes,"
        " received_rows, status, reason_code, reason, order_key, started_at) values (%(feed_code)s, %(delivery)s,"
        " %(kind)s, %(business_date)s, %(name)s, %(source_sha256)s, %(bytes)s, %(received)s, 'refused', %(code)s,"
        " %(reason)s, 0, %(started_at)s)",
        {**_facts(source), "received": received, "code": error.code, "reason": str(error)},
    )


def record_attempt(
    connection: psycopg.Connection, source: Source, outcome: str, batch_id: int | None = None
) -> LoadResult:
    """Records a load that changed nothing."""
    connection.execute(
        "insert into audit.attempt (feed_code, delivery, business_date, source_name, source_sha256, batch_id, outcome)"
        " values (%(feed_code)s, %(delivery)s, %(business_date)s, %(name)s, %(source_sha256)s, %(batch_id)s,"
        " %(outcome)s)",
        {**_facts(source), "batch_id": batch_id, "outcome": outcome},
    )
    return LoadResult(source.feed.code, source.delivery.name, source.business_date, outcome, batch_id)


def _facts(source: Source) -> dict:
    return {
        **source.identity,
        "kind": source.delivery.kind,
        "name": source.name,
        "bytes": source.bytes,
        "started_at": source.started_at,
    }


def _same_bytes_other_date(connection: psycopg.Connection, source: Source) -> date | None:
    row = connection.execute(
        "select max(business_date) from audit.batch where feed_code = %(feed_code)s and delivery = %(delivery)s"
        " and source_sha256 = %(source_sha256)s and business_date <> %(business_date)s"
        " and status not in ('refused', 'superseded')",
        source.identity,
    ).fetchone()
    return row[0]


def _held_reason(other_date: date) -> str:
    return f"the same bytes were already delivered for {other_date}; release the batch if that is right"


def _insert_batch(connection: psycopg.Connection, source: Source, judged: Judged, other_date: date | None) -> int:
    """The manifest row. Its order_key puts versions of a record in the order of business dates, then of batches."""
    return connection.execute(
        "with fresh as (select nextval(pg_get_serial_sequence('audit.batch', 'batch_id')) as batch_id)"
        " insert into audit.batch (batch_id, feed_code, delivery, kind, business_date, source_name, source_sha256,"
        " source_bytes, received_rows, staged_rows, rejected_rows, duplicate_rows, status, reason_code, reason, notes,"
        " order_key, started_at) overriding system value"
        " select batch_id, %(feed_code)s, %(delivery)s, %(kind)s, %(business_date)s, %(name)s, %(source_sha256)s,"
        " %(bytes)s, %(received)s, %(staged)s, %(rejected)s, %(duplicates)s, %(status)s, %(code)s, %(reason)s,"
        " %(notes)s, to_char(%(business_date)s::date, 'YYYYMMDD')::bigint * 10000000000 + batch_id, %(started_at)s"
        " from fresh returning batch_id",
        {
            **_facts(source),
            "received": judged.received,
            "staged": judged.staged.height,
            "rejected": judged.rejected.height,
            "duplicates": judged.duplicates,
            "status": "held" if other_date else "loaded",
            "code": "SAME_FILE_OTHER_DATE" if other_date else None,
            "reason": _held_reason(other_date) if other_date else None,
            "notes": Jsonb(list(judged.notes)),
        },
    ).fetchone()[0]


def _staging_frame(source: Source, staged: pl.DataFrame, batch_id: int) -> pl.DataFrame:
    added = [pl.lit(batch_id).alias("batch_id"), pl.lit(source.feed.code).alias("feed_code")]
    if source.delivery.kind != "case":
        added.append(pl.col("case_feed_code").fill_null(source.feed.code))
    return staged.with_columns(added)


def _copy(connection: psycopg.Connection, table: str, frame: pl.DataFrame) -> None:
    """COPY. Blank is null; the frames hold no empty strings and PostgreSQL takes no NUL, so those go."""
    if frame.is_empty():
        return
    frame = frame.with_columns(pl.col(pl.String).str.replace_all("\x00", "", literal=True))
    buffer = io.BytesIO()
    frame.write_csv(buffer, include_header=False, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ")
    command = sql.SQL("copy {} ({}) from stdin (format csv)").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(map(sql.Identifier, frame.columns))
    )
    with connection.cursor() as cursor, cursor.copy(command) as copy:
        copy.write(buffer.getbuffer())

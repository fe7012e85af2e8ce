"""Reads landed files again and compares what they say with what lies in staging, row by row and column by column.

The file is the sender's, and its sha256 stands in the manifest and under every release: a row of staging that somebody
changed, added or took away after the load is told by its file and line. Every column is compared, since whoever changes
one need not change the row's hash. A file is read by today's declaration.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from minhu import database
from minhu.errors import BadDelivery, MinhuError
from minhu.feeds import read_feed
from minhu.feeds.canonical import STAGING_TABLE
from minhu.feeds.door import Door
from minhu.feeds.formats import read
from minhu.hashing import file_sha256
from minhu.landing.land import landed_file
from minhu.landing.store import store_of
from minhu.load import batch
from minhu.load.batch import Batch, Source, now
from minhu.load.key_ring import key_in_use, record_key
from minhu.privacy.keys import key_id
from minhu.settings import Settings

SHOWN = 20
"""So many rows of a file are named."""


@dataclass(frozen=True)
class Deviation:
    """A row of staging that is not what the landed file says; ``row_number`` is null where it is the whole file."""

    batch_id: int
    feed_code: str
    delivery: str
    source_name: str
    row_number: int | None
    what_zh: str

    def __str__(self) -> str:
        row = f" 第 {self.row_number} 行" if self.row_number is not None else ""
        return f"{self.feed_code}/{self.delivery} {self.source_name}{row}（批次 {self.batch_id}）：{self.what_zh}"


@dataclass(frozen=True)
class Reread:
    """``files`` of ``of_files`` were read, ``rows`` compared. ``seed``: draws the same files again."""

    seed: str | None
    files: int
    of_files: int
    rows: int
    deviations: tuple[Deviation, ...]
    notes: tuple[str, ...] = ()


def drawn(batch_ids: Sequence[int], seed: str, number: int) -> list[int]:
    """``number`` of the batches: those with the smallest sha256(seed | batch_id)."""
    return sorted(sorted(batch_ids, key=lambda one: hashlib.sha256(f"{seed}|{one}".encode()).digest())[:number])


def reread(
    settings: Settings,
    batch_ids: Sequence[int],
    why: str,
    *,
    seed: str | None = None,
    number: int | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Reread:
    """Reads the landed files of the batches again, or ``number`` of them drawn by ``seed``, and compares their rows.

    Each reading stands in the access log with ``why``. What retention took is not compared, and a note says so.
    """
    with database.connect(settings, autocommit=True) as connection:
        kept = [one for (one,) in connection.execute(_KEPT, [list(batch_ids)])]
        chosen = drawn(kept, seed, number) if seed is not None and number is not None else kept
        found, rows = [], 0
        for at, batch_id in enumerate(chosen, start=1):
            tell(f"重读落地文件 {at}/{len(chosen)}：批次 {batch_id}")
            counted, deviations = _compare(connection, settings, batch_id, why)
            rows += counted
            found += deviations
        (apart,) = database.one(connection, _APART, [list(batch_ids)])
    notes = []
    if apart:
        notes.append(f"{apart} 个批次有行随旧月份移出，未重读；接回后可核对：minhu months list")
    if gone := len(set(batch_ids)) - len(kept) - apart:
        notes.append(f"{gone} 个批次的落地文件或重复行已按保存期限清除，未重读")
    if found:
        notes.append("文件按今日的声明重读：声明在接入之后改过的，不符可能由此而来，重放该批次后再核对")
    return Reread(seed, len(chosen), len(set(batch_ids)), rows, tuple(found), tuple(notes))


_KEPT = """
select batch.batch_id from audit.batch
where batch.batch_id = any(%s)
    and not exists (
        select from audit.pruned
        where (pruned.batch_id = batch.batch_id and pruned.what <> 'rejected_rows')
            or (pruned.what = 'landed_file' and pruned.source_sha256 = batch.source_sha256)
    )
    and not exists (select from audit.detached_rows as apart where apart.batch_id = batch.batch_id)
order by batch.batch_id
"""
_APART = "select count(*) from audit.detached_rows where batch_id = any(%s)"


def _compare(
    connection: psycopg.Connection, settings: Settings, batch_id: int, why: str
) -> tuple[int, list[Deviation]]:
    """How many rows the file has, and what deviates."""
    old = batch.find(connection, batch_id, replaced=True)

    def told(what: str, row: int | None = None) -> Deviation:
        return Deviation(batch_id, old.feed_code, old.delivery, old.source_name, row, what)

    if store_of(settings).find(old.source_sha256) is None:
        return 0, [told("落地文件不在了，也没有清除登记")]
    try:
        with landed_file(settings, batch_id, why) as path:
            if file_sha256(path) != old.source_sha256:
                return 0, [told("落地文件的内容不是接入时的（sha256 与清单不符）")]
            return _rows(connection, settings, old, path, told)
    except BadDelivery as error:
        return 0, [told(f"文件现在读不出：{error.code}")]
    except MinhuError as error:
        return 0, [told(str(error))]


def _rows(
    connection: psycopg.Connection, settings: Settings, old: Batch, path: Path, told: Callable[..., Deviation]
) -> tuple[int, list[Deviation]]:
    """The file through the door again, into a table that goes with the transaction; what it says against staging."""
    feed = read_feed(settings, old.feed_code)
    delivery = feed.delivery(old.delivery)
    source = Source(feed, delivery, old.business_date, old.source_name, old.source_sha256, old.source_bytes, now())
    table = STAGING_TABLE[delivery.kind]
    with key_in_use(settings) as keys, connection.transaction(force_rollback=True):
        in_order, left_out = _as_loaded(connection, old, table, keys)
        door = Door(feed, delivery, in_order, record_key(settings) if delivery.hashes_keys else None)
        connection.execute(
            sql.SQL("create temporary table reread (like {} including defaults) on commit drop").format(
                sql.Identifier(*table.split("."))
            )
        )
        parts = (door.judge(rows) for rows in read.read_parts(path, delivery.format, door.aside))
        batch.copy_rows(
            connection, "pg_temp.reread", (batch.staging_frame(source, part.staged, old.batch_id) for part in parts)
        )
        tally = door.close()
        names = database.columns(connection, table, without=left_out)
        compared = sql.SQL(_COMPARED).format(
            table=sql.Identifier(*table.split(".")), names=sql.SQL(", ").join(map(sql.Identifier, names))
        )
        given = {"batch_id": old.batch_id, "some": SHOWN}
        found = [
            told(_said(in_file, in_staging), row) for row, in_file, in_staging in connection.execute(compared, given)
        ]
    counted = old.received_rows, old.staged_rows
    if counted != (tally.received, tally.staged) and not found:
        found.append(
            told(f"清单记收到 {counted[0]} 行、入库 {counted[1]} 行，重读得 {tally.received} 行、{tally.staged} 行")
        )
    return tally.staged, found


def _as_loaded(
    connection: psycopg.Connection, old: Batch, table: str, keys: tuple[bytes, ...]
) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
    """The caller keys with the one of the load first; and which columns cannot be compared where that is not kept."""
    if table != STAGING_TABLE["case"]:
        return keys, ()
    query = "select mode() within group (order by caller_key_id) from staging.case_record where batch_id = %s"
    used = database.one(connection, query, [old.batch_id])[0]
    first = [key for key in keys if key_id(key) == used]
    if used is not None and not first:
        return keys, ("caller_token", "caller_key_id")
    return (*first, *(key for key in keys if key not in first)), ()


# Rows that stand on one side alone, by their number; of one that stands on both otherwise, the columns that differ.
_COMPARED = """
with file as (select {names} from pg_temp.reread),
staged as (select {names} from {table} where batch_id = %(batch_id)s),
only_file as (select * from file except all select * from staged),
only_staged as (select * from staged except all select * from file)
select coalesce(only_file.row_number, only_staged.row_number) as row_number,
    case when only_file.row_number is not null then to_jsonb(only_file) end,
    case when only_staged.row_number is not null then to_jsonb(only_staged) end
from only_file
full join only_staged on only_file.row_number = only_staged.row_number
order by 1
limit %(some)s
"""


def _said(in_file: dict | None, in_staging: dict | None) -> str:
    """What deviates, by the names of columns: never a value."""
    if in_staging is None:
        return "文件中有，暂存表中没有"
    if in_file is None:
        return "暂存表中有，文件中没有"
    changed = sorted(name for name, value in in_file.items() if in_staging[name] != value)
    return f"暂存表的 {'、'.join(changed)} 与文件不符"

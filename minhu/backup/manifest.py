"""What a backup says of itself: what was measured when it was taken, and by what its parts are known again."""

import hashlib
import json
from enum import StrEnum
from pathlib import Path

import psycopg
from psycopg.rows import dict_row

from minhu.errors import Refused, foreign

MANIFEST = "backup.json"


def measured(connection: psycopg.Connection, upto: dict | None = None) -> dict:
    """What only grows: the account of all batches so far, the ends of the chains. So a later state holds it too.

    ``upto``: what was measured then: no more than that is looked at now.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        bounds = {name: upto[name] if upto else None for name in ("batches", "release", "access")}
        found = cursor.execute(_MEASURE, bounds).fetchone()
    return found or {}


_MEASURE = """
select
    coalesce(max(batch.batch_id), 0) as batches,
    coalesce(sum(batch.received_rows), 0)::bigint as received,
    coalesce(sum(batch.staged_rows), 0)::bigint as staged,
    coalesce(sum(batch.rejected_rows), 0)::bigint as rejected,
    (
        select release_id from publish.release
        where %(release)s::bigint is null or release_id <= %(release)s order by release_id desc limit 1
    ) as release,
    (
        select hash from publish.release
        where %(release)s::bigint is null or release_id <= %(release)s order by release_id desc limit 1
    ) as release_hash,
    (
        select access_id from audit.access_log
        where access_id is not null and (%(access)s::bigint is null or access_id <= %(access)s)
        order by access_id desc limit 1
    ) as access,
    (
        select hash from audit.access_log
        where access_id is not null and (%(access)s::bigint is null or access_id <= %(access)s)
        order by access_id desc limit 1
    ) as access_hash
from audit.batch
where %(batches)s::bigint is null or batch.batch_id <= %(batches)s
"""


class Means(StrEnum):
    """What was measured, in words."""

    batches = "最大批次号"
    received = "收到行数"
    staged = "入库行数"
    rejected = "拒收行数"
    release = "最近一次发布"
    release_hash = "发布链末端哈希"
    access = "访问日志最近一条"
    access_hash = "访问日志末端哈希"


def read(folder: Path) -> dict:
    file = folder / MANIFEST
    if not file.is_file():
        raise Refused(f"{folder} is no backup that was finished: it has no {MANIFEST}")
    with foreign.told("read file", file=file):
        return json.loads(file.read_text(encoding="utf-8"))


def print_of(file: Path) -> str:
    """Names a secret without telling it."""
    return hashlib.sha256(b"minhu backup" + file.read_bytes()).hexdigest()[:16]


def digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    parts = [f"{path.relative_to(folder)}\n{hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()

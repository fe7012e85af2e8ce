"""Checks the access log: each row's hash, the chain through them, its end, and that every act has its row.

Hashes the typed columns in Python; nothing of the database's own hashing is used.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from psycopg.rows import dict_row

from minhu import database
from minhu.errors import Refused
from minhu.publish.row_hash import BEFORE_THE_FIRST, canonical, link
from minhu.settings import Settings


@dataclass(frozen=True)
class AccessFinding:
    """What of the log is not as it was written. ``access_id`` is null where it is no single row."""

    access_id: int | None
    what_zh: str

    def __str__(self) -> str:
        return f"audit.access_log{f' 第 {self.access_id} 行' if self.access_id else ''}：{self.what_zh}"


@dataclass(frozen=True)
class AccessCheck:
    """``head``: number and hash of the last row, as ``12:ab…``. Noted elsewhere, it proves later that none was cut.

    ``rows`` counts those in the chain; ``unsealed`` ones get their place there within seconds.
    """

    rows: int
    unsealed: int
    head: str
    findings: tuple[AccessFinding, ...]

    @property
    def is_ok(self) -> bool:
        return not self.findings


def check(settings: Settings, head: str | None = None) -> AccessCheck | None:
    """Checks the whole log; ``head``: what an earlier check told, to be found again. Null where the login reads no log.

    Raises Refused when ``head`` is malformed.
    """
    if head is not None and not re.fullmatch(r"[0-9]{1,18}:[0-9a-f]{64}", head):
        raise Refused(
            f"{head!r} is no end of the log; it reads 12:<64 hex digits>, as `minhu verify --access` tells it"
        )
    with database.connect(settings, at_one_moment=True) as connection:
        if not database.one(connection, "select has_table_privilege('audit.access_log', 'select')")[0]:
            return None
        return check_log(connection, head)


def check_log(connection: psycopg.Connection, head: str | None = None) -> AccessCheck:
    """`check` as the transaction of ``connection`` sees it."""
    findings = tuple(_faults(connection, head))
    rows, unsealed, last = database.one(connection, _LAST)
    return AccessCheck(rows, unsealed, last or f"0:{BEFORE_THE_FIRST}", findings)


def _faults(connection: psycopg.Connection, head: str | None) -> Iterator[AccessFinding]:
    chain, expected, seen = BEFORE_THE_FIRST, 0, {}
    with connection.cursor("access_log", row_factory=dict_row) as cursor:
        cursor.execute("select * from audit.access_log where access_id is not null order by access_id")
        for row in cursor:
            expected += 1
            del row["entry_id"]
            access_id, stored, previous = row["access_id"], row.pop("hash"), row.pop("previous_hash")
            if access_id != expected:
                yield AccessFinding(expected, f"缺失（其后一行编号 {access_id}）")
                expected = access_id
            elif previous != chain:
                yield AccessFinding(access_id, "与上一行的哈希不衔接")
            if link(previous, canonical(row)) != stored:
                yield AccessFinding(access_id, "内容被改动")
            chain = stored
            if head and head.startswith(f"{access_id}:"):
                seen[access_id] = stored
    end = connection.execute("select access_id, hash from audit.access_head").fetchall()
    if end != [(expected, chain)]:
        told = f"登记的末端为第 {end[0][0]} 行" if end else "末端登记缺失"
        yield AccessFinding(None, f"末尾有行被删除或插入：现至第 {expected} 行，{told}")
    if head and [head] != [f"{number}:{hash_}" for number, hash_ in seen.items()]:
        yield AccessFinding(int(head.partition(":")[0]), "与先前记下的末端不符：其后的日志被截断或重写")
    for subject, act_id, is_logged in connection.execute(_ACTS):
        told = "日志有记录而该行为的登记不存在或不符" if is_logged else "该行为没有日志"
        yield AccessFinding(None, f"{subject} {act_id}：{told}")


_LAST = """
select count(access_id), count(*) - count(access_id),
    (select access_id || ':' || hash from audit.access_log where hash is not null order by access_id desc limit 1)
from audit.access_log
"""
# Both ways: an act without its row, and a row whose act is not there or another's. What the log says of the content of
# an act (the hash that was closed, approved, published) is what the act says: a chain of releases that is written anew
# does not fit a log that is not.
_ACTS = """
with act as (
    select 'batch_release' as subject, verdict_id as act_id, decided_by as who, decided_at as at,
        null::text as content
    from audit.batch_verdict where quality_run_id is null
    union all
    select case when revokes_waiver_id is null then 'waiver' else 'waiver_revocation' end, waiver_id, waived_by,
        waived_at, null
    from assess.waiver
    union all
    select case when revision = 1 then 'closing' else 'revision' end, closing_id, closed_by, closed_at, content_hash
    from publish.closing
    union all
    select 'approval', approval_id, approved_by, approved_at, content_hash from assess.approval
    union all
    select 'publication', release_id, published_by, published_at, hash from publish.release
),
logged as (
    select subject, act_id, accessed_by as who, substring(about from ' ([0-9a-f]{64})$') as content
    from audit.access_log where act_id is not null
)
select coalesce(act.subject, logged.subject), coalesce(act.act_id, logged.act_id), logged.subject is not null
from act
full join logged on act.subject = logged.subject and act.act_id = logged.act_id and act.who = logged.who
    and act.content is not distinct from logged.content
where (act.subject is null or logged.subject is null)
    and (act.at is null or act.at >= (select max(since) from audit.access_head))
order by 1, 2
"""

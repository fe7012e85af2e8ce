"""Checks every release from the first: each row's hash, the chain through them, the approval, what was frozen.

Reads the tables with their types and hashes them in Python; nothing of the database's own hashing is used. A login that
reads only some rows checks those, and of the others that their hashes hang together.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import merge

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from minhu.publish.row_hash import BEFORE_THE_FIRST, canonical, digest, link, read_json
from minhu.publish.signed import Statement, is_signed

TABLES = ("unit_score", "unit_indicator", "evidence", "scheme", "peer_group", "band", "indicator")
_KEYS = ("unit_code", "indicator_code", "subject_kind", "subject_id")
_KEYS_OF_LAW = ("indicator_code", "peer_group", "band")


@dataclass(frozen=True)
class Finding:
    """The first thing of a release that is not as it was published. ``row_no`` is null where it is no row."""

    release_id: int
    period: str
    revision: int
    table: str
    row_no: int | None
    what_zh: str

    def __str__(self) -> str:
        row = f" 第 {self.row_no} 行" if self.row_no else ""
        release = f"{self.period} 第 {self.revision} 次发布（release {self.release_id}）"
        return f"{release}：publish.{self.table}{row}：{self.what_zh}"


def check_chain(
    connection: psycopg.Connection, tell: Callable[[str], None] = lambda line: None, *, sees_all: bool = True
) -> tuple[int, str, list[Finding]]:
    """How many releases there are, the hash of the last one, and the first finding of each release that has one.

    ``sees_all``: whether the login reads every row; one that does not is told the hashes of the others.
    """
    set_json_loads(read_json, connection)
    with connection.cursor(row_factory=dict_row) as cursor:
        releases = cursor.execute("select * from publish.release order by release_id").fetchall()
    findings, before = [], BEFORE_THE_FIRST
    revisions: dict[tuple, int] = {}
    for release in releases:
        tell(f"校验 {release['period']} 第 {release['revision']} 次发布：{release['row_count']} 行")
        where = release["release_id"], release["period"], release["revision"]
        found = next(_faults(connection, release, before, revisions, sees_all), None)
        if found:
            findings.append(Finding(*where, *found))
        before = release["hash"]
        revisions[release["scheme_id"], release["period"]] = release["revision"]
    findings += [Finding(*found) for found in connection.execute(_ORPHANS)]
    return len(releases), before, findings


def check_alone(
    connection: psycopg.Connection, release_id: int, tell: Callable[[str], None] = lambda line: None
) -> list[Finding]:
    """What is wrong first of one release, where those before it are not at hand: its own chain, from where it began."""
    set_json_loads(read_json, connection)
    with connection.cursor(row_factory=dict_row) as cursor:
        release = cursor.execute("select * from publish.release where release_id = %s", [release_id]).fetchone()
    if release is None:
        return []
    tell(f"校验 {release['period']} 第 {release['revision']} 次发布：{release['row_count']} 行")
    where = release["release_id"], release["period"], release["revision"]
    before = {(release["scheme_id"], release["period"]): release["revision"] - 1}
    found = next(_faults(connection, release, release["previous_hash"], before, True), None)
    return [Finding(*where, *found)] if found else []


def _faults(
    connection: psycopg.Connection, release: dict, before: str, revisions: dict, sees_all: bool
) -> Iterator[tuple[str, int | None, str]]:
    """What is wrong, first things first: (table, row, in words)."""
    if release["previous_hash"] != before:
        yield "release", None, "与上一次发布的哈希不衔接：其间有发布被删除、插入或改动"
    if release["revision"] != revisions.get((release["scheme_id"], release["period"]), 0) + 1:
        yield "release", None, "修订号不连续：有修订被删除或插入"
    chain, expected = release["previous_hash"], 0
    rows = _rows(connection, release["release_id"])
    for table, row in rows if sees_all else _with_unseen(connection, release["release_id"], rows):
        expected += 1
        keys = _KEYS if "unit_code" in row and "indicator_no" not in row else _KEYS_OF_LAW
        what = " ".join(str(row[key]) for key in keys if row.get(key) is not None) or row.get("scheme_id", "")
        stored, previous = row.pop("hash"), row.pop("previous_hash")
        if row["row_no"] != expected:
            yield table, expected, f"行缺失或重复（其后一行：{what}）"
        if previous != chain:
            yield table, row["row_no"], f"与上一行的哈希不衔接（{what}）"
        if not row.get("is_unseen") and link(chain, canonical(row)) != stored:
            yield table, row["row_no"], f"内容被改动（{what}）"
        chain = stored
    if expected != release["row_count"]:
        yield "release", None, f"应有 {release['row_count']} 行，实有 {expected} 行"
    stored = release["hash"]
    if link(chain, canonical({name: value for name, value in release.items() if name != "hash"})) != stored:
        yield "release", None, "发布记录被改动"
    if digest(canonical(release["inputs"])) != release["input_fingerprint"]:
        yield "release", None, "输入指纹与所记输入不符"
    if sees_all:
        yield from _approval_faults(connection, release)


def _approval_faults(connection: psycopg.Connection, release: dict) -> Iterator[tuple[str, None, str]]:
    *approval, content, signature, key = (
        connection.execute(_APPROVAL, [release["approval_id"]]).fetchone() or [None] * 6
    )
    if approval != ["approved", release["approved_by"], str(release["closing_id"])]:
        yield "release", None, "审批记录与发布不符"
    if content not in (None, release["content_hash"]):  # null: before approvals said what they cover
        yield "release", None, "审批的内容与发布的内容不符"
    if signature or key:
        told = {name: release[name] for name in ("closing_id", "scheme_id", "period", "revision", "content_hash")}
        if not (signature and key and is_signed(Statement(**told, login=release["approved_by"]), key, signature)):
            yield "release", None, "审批签名与发布的内容、审批人或公钥不符"
    closed_by, content = connection.execute(
        "select closed_by, content_hash from publish.closing where closing_id = %s", [release["closing_id"]]
    ).fetchone() or (None, None)
    if (closed_by, content) != (release["closed_by"], release["content_hash"]):
        yield "release", None, "关账记录与发布不符"
    chain = release["input_fingerprint"]
    frozen = connection.execute(
        "select kind, data from publish.frozen_row where closing_id = %s order by row_no", [release["closing_id"]]
    )
    for kind, data in frozen:
        chain = link(chain, canonical({"kind": kind, "data": data}))
    if chain != release["content_hash"]:
        yield "release", None, "发布的内容与审批时冻结的内容不符"


_APPROVAL = """
select given.verdict, given.approved_by, given.subject_id, given.content_hash, given.signature, registered.public_key
from assess.approval as given
left join assess.approver_key as registered on registered.key_id = given.key_id
where given.approval_id = %s and given.subject_kind = 'closing'
"""


def _rows(connection: psycopg.Connection, release_id: int) -> Iterator[tuple[str, dict]]:
    """The rows of a release, of all its tables, in the order of the chain."""

    def of(table: str) -> Iterator[tuple[str, dict]]:
        with connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(f"select * from publish.{table} where release_id = %s order by row_no", [release_id])
            yield from ((table, row) for row in cursor)

    return merge(*map(of, TABLES), key=lambda pair: pair[1]["row_no"])


def _with_unseen(
    connection: psycopg.Connection, release_id: int, rows: Iterator[tuple[str, dict]]
) -> Iterator[tuple[str, dict]]:
    """``rows``, and in the places of those that the login does not read their hashes."""
    links = connection.execute("select * from publish.links_of(%s)", [release_id]).fetchall()
    seen = next(rows, None)
    for table, row_no, previous, stored in links:
        while seen and seen[1]["row_no"] < row_no:
            yield seen  # a row that the links do not tell: the count will not fit
            seen = next(rows, None)
        if seen and seen[1]["row_no"] == row_no:
            yield seen
            seen = next(rows, None)
        else:
            yield table, {"row_no": row_no, "previous_hash": previous, "hash": stored, "is_unseen": True}
    if seen:
        yield seen
    yield from rows


# Rows of a release that is not there: it was deleted, or they were slipped in.
_ORPHANS = " union all ".join(
    f"(select release_id, min(period), min(revision), '{table}', min(row_no), '所属发布不存在'"
    f" from publish.{table}"
    f" where not exists (select from publish.release where release.release_id = {table}.release_id)"
    " group by release_id order by release_id limit 1)"
    for table in TABLES
)

"""What whoever runs the warehouse can do: after a published row was changed, every hash is written anew."""

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from minhu.publish.chain import _rows as rows_of_release
from minhu.publish.row_hash import BEFORE_THE_FIRST, canonical, link, read_json


def write_hashes_anew(owner: psycopg.Connection) -> None:
    """Every hash of the chain is made anew: what was frozen, approved and published."""
    set_json_loads(read_json, owner)
    owner.execute("set session_replication_role = replica")
    with owner.cursor(row_factory=dict_row) as cursor:
        releases = cursor.execute("select * from publish.release order by release_id").fetchall()
    before = BEFORE_THE_FIRST
    for release in releases:
        content = release["input_fingerprint"]
        frozen = "select kind, data from publish.frozen_row where closing_id = %s order by row_no"
        for kind, data in owner.execute(frozen, [release["closing_id"]]):
            content = link(content, canonical({"kind": kind, "data": data}))
        at_closing = [content, release["closing_id"]]
        owner.execute("update publish.closing set content_hash = %s where closing_id = %s", at_closing)
        owner.execute("update assess.approval set content_hash = %s where subject_id = %s::text", at_closing)
        chain, number = before, 0
        for number, (table, row) in enumerate(list(rows_of_release(owner, release["release_id"])), start=1):
            told = {name: value for name, value in row.items() if name not in ("hash", "previous_hash")}
            made = link(chain, canonical(told | {"row_no": number}))
            owner.execute(
                f"update publish.{table} set row_no = %s, previous_hash = %s, hash = %s"
                " where release_id = %s and row_no = %s",
                [number, chain, made, release["release_id"], row["row_no"]],
            )
            chain = made
        release |= {"content_hash": content, "previous_hash": before, "row_count": number}
        del release["hash"]
        before_this, before = before, link(chain, canonical(release))
        owner.execute(
            "update publish.release set content_hash = %s, previous_hash = %s, hash = %s, row_count = %s"
            " where release_id = %s",
            [content, before_this, before, number, release["release_id"]],
        )


def write_the_log_anew(owner: psycopg.Connection) -> None:
    """The access log tells the new hashes, and its own are made anew."""
    was = "substring(logged.about from '[0-9a-f]{64}$')"
    for subjects, table, key, content in (
        ("'closing', 'revision'", "publish.closing", "closing_id", "content_hash"),
        ("'approval'", "assess.approval", "approval_id", "content_hash"),
        ("'publication'", "publish.release", "release_id", "hash"),
    ):
        owner.execute(
            f"update audit.access_log as logged set about = replace(about, {was}, act.{content}) from {table} as act"
            f" where logged.subject in ({subjects}) and logged.act_id = act.{key} and {was} is not null"
        )
    chain = BEFORE_THE_FIRST
    with owner.cursor(row_factory=dict_row) as cursor:
        logged = cursor.execute(
            "select * from audit.access_log where access_id is not null order by access_id"
        ).fetchall()
    for row in logged:
        told = {name: value for name, value in row.items() if name not in ("hash", "previous_hash", "entry_id")}
        made = link(chain, canonical(told))
        owner.execute(
            "update audit.access_log set previous_hash = %s, hash = %s where access_id = %s",
            [chain, made, row["access_id"]],
        )
        chain = made
    owner.execute("update audit.access_head set hash = %s", [chain])

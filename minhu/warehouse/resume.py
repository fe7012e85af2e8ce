"""Continues a failed build where it stopped, when nothing that it rests on has changed since.

A fingerprint tells: of the code, the configuration, the batches and decisions taken, the cases touched, the links of
callers and what was pruned. That serves outages: the database gone, a disk full, a time-out, a process killed.
"""

import hashlib

import psycopg
from psycopg import sql

from minhu import database
from minhu.warehouse import dbt

# All that a model reads, beside its own text. A link of callers that changes leaves a row until a build succeeds.
_RESTS_ON = """
select concat_ws(
    ' ',
    build.is_full_refresh,
    build.config_version,
    build.readings,
    (select max(build_id) from audit.build where status = 'succeeded'),
    (select string_agg(batch_id || action, ',' order by batch_id, action)
        from audit.build_batch where build_id = build.build_id),
    (select string_agg(kind || decision_id, ',' order by kind, decision_id)
        from audit.build_decision where build_id = build.build_id),
    (select count(*) || ':' || sum(hashtextextended(case_id || is_rebuilt, 0)) from build.touched_case),
    (select count(*) || ':' || sum(hashtextextended(earlier_token || current_token, 0))
        from restricted.caller_link_change),
    (select max(pruned_id) from audit.pruned)
)
from audit.build where build_id = %(build_id)s
"""


def mark(connection: psycopg.Connection, build_id: int) -> None:
    """Writes the fingerprint of a build whose batches, decisions and cases have been chosen."""
    rests_on = database.one(connection, _RESTS_ON, {"build_id": build_id})[0]
    connection.execute(
        "update audit.build set fingerprint = %s where build_id = %s",
        [hashlib.sha256(f"{dbt.code_hash()} {rests_on}".encode()).hexdigest(), build_id],
    )


def take_over(connection: psycopg.Connection, build_id: int) -> set[str]:
    """Nodes that the build before this one passed, when it failed, rested on the same, and its tables are all there."""
    before = connection.execute(
        "select before.build_id from audit.build as before inner join audit.build as this"
        " on before.fingerprint = this.fingerprint and before.status = 'failed'"
        " where this.build_id = %s and before.build_id = (select max(build_id) from audit.build where build_id < %s)",
        [build_id, build_id],
    ).fetchone()
    if before is None:
        return set()
    failed = before[0]
    passed = connection.execute(
        "select node, status, rows from audit.build_node where build_id = %s and status = any(%s)",
        [failed, ["success", "pass", "warn"]],  # of a model, of a test
    ).fetchall()
    if not passed or not all(_is_there(connection, node, rows) for node, status, rows in passed if status == "success"):
        return set()
    connection.execute("update audit.build set continues_build_id = %s where build_id = %s", [failed, build_id])
    connection.execute(
        "insert into audit.build_node (build_id, node, status, seconds, rows, message, ran_in_build_id)"
        " select %s, node, status, seconds, rows, message, coalesce(ran_in_build_id, build_id) from audit.build_node"
        " where build_id = %s and node = any(%s)",
        [build_id, failed, [node for node, *_ in passed]],
    )
    return {node for node, *_ in passed}


def _is_there(connection: psycopg.Connection, model: str, rows: int | None) -> bool:
    """Whether what a model made is there with its rows: a crash of the server empties unlogged tables."""
    kind = connection.execute("select relkind from pg_class where oid = to_regclass(%s)", [f"build.{model}"]).fetchone()
    if kind is None or kind[0] == "v":
        return kind is not None
    query = sql.SQL("select count(*) from {}").format(sql.Identifier("build", model))
    return database.one(connection, query)[0] == rows

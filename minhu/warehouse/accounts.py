"""What became of a feed's batches and of the builds, for pages that show them."""

import psycopg
from psycopg.rows import dict_row


def batches(connection: psycopg.Connection, feed_code: str) -> list[dict]:
    """The last batches of a feed, the newest day first; those that another took the place of are left out."""
    return _rows(connection, _BATCHES, [feed_code])


def rejected(connection: psycopg.Connection, batch_ids: list[int]) -> dict[int, list[dict]]:
    """Of each batch why rows were rejected: reason_code, column_name, rows; the most frequent first. No row is told."""
    found: dict[int, list[dict]] = {}
    for row in _rows(connection, _REJECTED, [batch_ids]):
        found.setdefault(row.pop("batch_id"), []).append(row)
    return found


def builds(connection: psycopg.Connection) -> list[dict]:
    """The last builds, the newest first, with the seconds that each of their steps took."""
    return _rows(connection, _BUILDS, [])


def feed_name(connection: psycopg.Connection, feed_code: str) -> str:
    """What a feed is called; its code where no build has named it."""
    found = connection.execute("select feed_name from mart.dim_feed where feed_code = %s", [feed_code]).fetchone()
    return found[0] if found else feed_code


def _rows(connection: psycopg.Connection, query: str, given: list) -> list[dict]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, given).fetchall()


_BATCHES = """
select batch_id, business_date, delivery, source_name, received_rows, staged_rows, rejected_rows, duplicate_rows,
    status, reason
from audit.batch
where feed_code = %s and status <> 'superseded'
order by business_date desc, batch_id desc
limit 60
"""
_BUILDS = """
select build.build_id, build.status, build.started_at, build.touched_cases, build.message,
    extract(epoch from build.finished_at - build.started_at)::float as seconds,
    (select count(*) from audit.build_batch as taken where taken.build_id = build.build_id) as batches,
    (
        select array_agg(jsonb_build_array(spent.step, spent.seconds) order by spent.step_no)
        from audit.build_step as spent where spent.build_id = build.build_id
    ) as steps
from audit.build
order by build.build_id desc
limit 20
"""

_REJECTED = """
select
    batch_id,
    reason_code,
    column_name,
    count(*) as rows
from audit.rejected_row
where batch_id = any(%s::bigint[])
group by batch_id, reason_code, column_name
order by batch_id, rows desc, reason_code
"""

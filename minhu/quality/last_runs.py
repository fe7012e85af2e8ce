"""What the gates said last, for pages that show it."""

import psycopg
from psycopg.rows import dict_row


def last_runs(connection: psycopg.Connection, most: int = 10) -> list[dict]:
    """The last runs, the newest first: quality_run_id, gate, subject, finished_at, is_passed, and how many results
    ``failed`` and ``passed``.
    """
    return _rows(connection, _RUNS, {"most": most})


def failures(connection: psycopg.Connection, run_id: int) -> list[dict]:
    """What did not pass in a run, the severest first: rule_id, title_zh, owner, basis, severity, subject, feed_code,
    delivery, batch_id, outcome, failed_rows, reproduce_sql. No row of a citizen is told.
    """
    return _rows(connection, _FAILURES, {"run": run_id})


def _rows(connection: psycopg.Connection, query: str, given: dict) -> list[dict]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, given).fetchall()


_RUNS = """
with last as (
    select quality_run_id, gate, subject, finished_at, is_passed
    from audit.quality_run
    order by quality_run_id desc
    limit %(most)s
)

select
    last.*,
    count(result.rule_id) filter (where not result.is_passed) as failed,
    count(result.rule_id) filter (where result.is_passed) as passed
from last
left join audit.quality_result as result on last.quality_run_id = result.quality_run_id
group by last.quality_run_id, last.gate, last.subject, last.finished_at, last.is_passed
order by last.quality_run_id desc
"""

_FAILURES = """
select
    result.rule_id,
    coalesce(rule.title_zh, result.rule_id) as title_zh,
    rule.owner,
    rule.basis,
    result.severity,
    result.subject,
    result.feed_code,
    result.delivery,
    result.batch_id,
    result.outcome,
    result.failed_rows,
    result.reproduce_sql
from audit.quality_result as result
left join audit.quality_rule as rule on result.rule_id = rule.rule_id and rule.until is null
where result.quality_run_id = %(run)s and not result.is_passed
order by
    case result.severity when 'critical' then 1 when 'warning' then 2 else 3 end, result.rule_id, result.feed_code
"""

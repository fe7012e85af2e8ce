"""The rows behind scores: each run hands its own over to ``mart.counted_row`` whole, and those nobody asks for go."""

import psycopg
from psycopg import sql

_MADE = sql.Identifier("build", "counted_row")
_WHOLE = sql.Identifier("mart", "counted_row")


def keep_rows(connection: psycopg.Connection, run_no: int, key: dict[str, str]) -> None:
    """Makes ``build.counted_row`` the partition of the run, inside the caller's transaction.

    The table moves as it lies: nothing is written twice. Its checks let a reader who names scheme and period pass over
    the partitions of all others.
    """
    name = f"counted_row_{run_no}"
    part = sql.Identifier("mart", name)
    checks = sql.SQL(" and ").join(
        sql.SQL("{} = {}").format(sql.Identifier(column), sql.Literal(value))
        for column, value in ({"run_no": run_no} | {one: key[one] for one in ("scheme_id", "period")}).items()
    )
    for statement in (
        sql.SQL("alter table {} rename to {}").format(_MADE, sql.Identifier(name)),
        sql.SQL("alter table {} set schema mart").format(sql.Identifier("build", name)),
        sql.SQL("alter table {} add check ({}), {}").format(
            part,
            checks,
            sql.SQL(", ").join(
                sql.SQL("alter {} set not null").format(sql.Identifier(column))
                for column in ("run_no", "scheme_id", "period")
            ),
        ),
        sql.SQL("create index on {} (case_id)").format(part),
        sql.SQL("create index on {} (unit_code, indicator_code)").format(part),
        sql.SQL("alter table {} attach partition {} for values in ({})").format(_WHOLE, part, sql.Literal(run_no)),
    ):
        connection.execute(statement)


def drop_rows(connection: psycopg.Connection) -> list[str]:
    """Drops the partitions of runs that nobody asks for, on a connection in autocommit; returns their names.

    Asked for before a run is scored, so that the run that was replaced last still answers whoever looks at an older
    moment. A partition that somebody reads stays until the next time.
    """
    names = [name for (name,) in connection.execute(_FORGOTTEN)]
    dropped = []
    for name in names:
        try:
            with connection.transaction():
                connection.execute("set local lock_timeout = '2s'")
                connection.execute(sql.SQL("drop table {}").format(sql.Identifier("mart", name)))
            dropped.append(name)
        except psycopg.errors.LockNotAvailable:
            continue
    return dropped


_FORGOTTEN = """
select part.relname
from pg_inherits
inner join pg_class as part on pg_inherits.inhrelid = part.oid
left join mart.run_kept as kept on part.relname = 'counted_row_' || kept.run_no
where pg_inherits.inhparent = 'mart.counted_row'::regclass and kept.run_no is null
order by part.relname
"""

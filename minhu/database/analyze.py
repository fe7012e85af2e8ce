"""Statistics for the planner where dbt gathers none and autovacuum comes too late, since a build follows the loads."""

import psycopg
from psycopg import sql

# As autovacuum judges: a tenth of the rows came, changed or went since the last time, or there was none.
_CHANGED = """
select schemaname, relname
from pg_stat_user_tables
where schemaname = any(%s) and n_mod_since_analyze > 0.1 * n_live_tup
order by 1, 2
"""


def analyze_changed(connection: psycopg.Connection, *schemas: str) -> list[str]:
    """Analyzes the tables of ``schemas`` that changed much, on a connection in autocommit; returns their names.

    Sees what others have committed: a writer that needs it at once calls ``tell_changes`` before it commits.
    """
    tables = connection.execute(_CHANGED, [list(schemas)]).fetchall()
    for table in tables:
        connection.execute(sql.SQL("analyze {}").format(sql.Identifier(*table)))
    return [".".join(table) for table in tables]


def tell_changes(connection: psycopg.Connection) -> None:
    """Has the server count this transaction's changes when it commits, and not some time later."""
    connection.execute("select pg_stat_force_next_flush()")

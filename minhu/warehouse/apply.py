"""Moves what dbt computed in schema ``build`` into the tables that people read, inside the caller's transaction."""

import psycopg
from psycopg import sql


def replace_rows(
    connection: psycopg.Connection, table: str, stale: str, *, parameters: dict | None = None, schema: str = "mart"
) -> int:
    """Deletes the rows of ``schema.table`` that the condition ``stale`` names, inserts all of ``build.table``.

    Columns are matched by name; a column that the build table has and the target lacks is an error, never dropped.
    Returns the number of rows inserted.
    """
    columns = sql.SQL(", ").join(
        sql.Identifier(name)
        for (name,) in connection.execute(
            "select attname from pg_attribute where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped"
            " order by attnum",
            [f"build.{table}"],
        )
    )
    target = sql.Identifier(schema, table)
    connection.execute(sql.SQL("delete from {} where {}").format(target, sql.SQL(stale)), parameters or {})
    inserted = connection.execute(
        sql.SQL("insert into {} ({}) select {} from {}").format(
            target, columns, columns, sql.Identifier("build", table)
        )
    )
    return inserted.rowcount

"""Moves what dbt computed in schema ``build`` into the tables that people read, inside the caller's transaction."""

import psycopg
from psycopg import sql

from minhu import database


def replace_rows(
    connection: psycopg.Connection,
    table: str,
    stale: str,
    *,
    parameters: dict | None = None,
    schema: str = "mart",
    keeps_same: bool = True,
    in_order_of: str | None = None,
) -> int:
    """Puts all of ``build.table`` in the place of the rows of ``schema.table`` that the condition ``stale`` names.

    With ``keeps_same`` rows that are the same as before, by their primary key and in every column, stay as they lie:
    readers' caches, indexes and the log are spared them. Columns are matched by name; a column that the build table has
    and the target lacks is an error, never dropped. ``in_order_of``: columns in whose order the rows are written, which
    fills an index on them quicker and lays together what is read together. Returns how many rows ``build.table`` has.
    """
    target, built = sql.Identifier(schema, table), sql.Identifier("build", table)
    columns = database.columns(connection, f"build.{table}")
    key = _key(connection, f"{schema}.{table}") if keeps_same else []
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    same = _kept(connection, target, built, columns, key, sql.SQL(stale), parameters) if key else sql.SQL("false")
    connection.execute(
        sql.SQL("delete from {} as rows where ({}) and not {}").format(target, sql.SQL(stale), same), parameters or {}
    )
    ordered = sql.SQL(f" order by {in_order_of}" if in_order_of else "")
    inserted = connection.execute(
        sql.SQL("insert into {} ({}) select {} from {} as rows where not {}{}").format(
            target, names, names, built, same, ordered
        )
    ).rowcount
    if not key:
        return inserted
    (kept,) = database.one(connection, "select count(*) from kept_row")
    connection.execute("drop table kept_row")
    return inserted + kept


def _kept(
    connection: psycopg.Connection,
    target: sql.Identifier,
    built: sql.Identifier,
    columns: list[str],
    key: list[str],
    stale: sql.SQL,
    parameters: dict | None,
) -> sql.Composable:
    """Writes the keys of stale rows that are built as they are; a condition that a row is one of them."""
    names = sql.SQL(", ").join(map(sql.Identifier, key))
    old, new = (
        sql.SQL(", ").join(sql.SQL("{}.{}").format(sql.Identifier(side), sql.Identifier(name)) for name in columns)
        for side in ("old", "new")
    )
    connection.execute(
        sql.SQL(
            "create temporary table kept_row on commit drop as select {} from (select * from {} where {}) as old"
            " inner join {} as new using ({}) where row({}) is not distinct from row({})"
        ).format(names, target, stale, built, names, old, new),
        parameters or {},
    )
    connection.execute("analyze kept_row")
    matches = sql.SQL(" and ").join(sql.SQL("kept.{0} = rows.{0}").format(sql.Identifier(name)) for name in key)
    return sql.SQL("exists (select from kept_row as kept where {})").format(matches)


def _key(connection: psycopg.Connection, table: str) -> list[str]:
    return [
        name
        for (name,) in connection.execute(
            "select attname from pg_index inner join pg_attribute on attrelid = indrelid and attnum = any(indkey)"
            " where indrelid = to_regclass(%s) and indisprimary",
            [table],
        )
    ]

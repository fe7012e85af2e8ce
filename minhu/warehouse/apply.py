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
    if not key:
        connection.execute(sql.SQL("delete from {} as rows where {}").format(target, sql.SQL(stale)), parameters or {})
        is_new: sql.Composable = sql.SQL("true")
    else:
        _look_at_stale(connection, target, built, columns, key, sql.SQL(stale), parameters)
        is_it = sql.SQL(" and ").join(sql.SQL("stale.{0} = rows.{0}").format(sql.Identifier(name)) for name in key)
        connection.execute(
            sql.SQL("delete from {} as rows using stale_row as stale where not stale.is_same and {}").format(
                target, is_it
            )
        )
        is_new = sql.SQL("not exists (select from stale_row as stale where stale.is_same and {})").format(is_it)
    ordered = sql.SQL(f" order by {in_order_of}" if in_order_of else "")
    inserted = connection.execute(
        sql.SQL("insert into {} ({}) select {} from {} as rows where {}{}").format(
            target, names, names, built, is_new, ordered
        )
    ).rowcount
    if not key:
        return inserted
    (kept,) = database.one(connection, "select count(*) from stale_row where is_same")
    connection.execute("drop table stale_row")
    return inserted + kept


def _look_at_stale(
    connection: psycopg.Connection,
    target: sql.Identifier,
    built: sql.Identifier,
    columns: list[str],
    key: list[str],
    stale: sql.SQL,
    parameters: dict | None,
) -> None:
    """Writes the keys of stale rows, and which of them are built as they are: the target is read for that once."""
    same = sql.SQL(" and ").join(sql.SQL("old.{0} = new.{0}").format(sql.Identifier(name)) for name in key)
    old, new = (
        sql.SQL(", ").join(sql.SQL("{}.{}").format(sql.Identifier(side), sql.Identifier(name)) for name in columns)
        for side in ("old", "new")
    )
    keys = sql.SQL(", ").join(sql.SQL("old.{}").format(sql.Identifier(name)) for name in key)
    connection.execute(
        sql.SQL(
            "create temporary table stale_row on commit drop as select {}, new.{} is not null and row({}) is not"
            " distinct from row({}) as is_same from (select * from {} where {}) as old left join {} as new on {}"
        ).format(keys, sql.Identifier(key[0]), old, new, target, stale, built, same),
        parameters or {},
    )
    connection.execute("analyze stale_row")


def _key(connection: psycopg.Connection, table: str) -> list[str]:
    return [
        name
        for (name,) in connection.execute(
            "select attname from pg_index inner join pg_attribute on attrelid = indrelid and attnum = any(indkey)"
            " where indrelid = to_regclass(%s) and indisprimary",
            [table],
        )
    ]

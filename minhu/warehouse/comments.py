"""Puts the dbt project's descriptions on the tables people read: 中文 label first, English after it."""

from collections.abc import Mapping

import psycopg

from minhu.settings import Settings
from minhu.warehouse import dbt


def comment_columns(connection: psycopg.Connection, settings: Settings, variables: Mapping[str, object]) -> int:
    """Writes the comments that differ from the project's as ``variables`` shape it; returns their number."""
    known = {
        (table, column): comment
        for table, column, comment in connection.execute(
            "select relname, coalesce(attname, ''), col_description(pg_class.oid, attnum)"
            " from pg_class inner join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped"
            " where relnamespace = 'mart'::regnamespace and relkind in ('r', 'p', 'v')"
        )
    }
    written = 0
    for (table, column), text in dbt.descriptions(settings, variables).items():
        if text and known.get((table, column), text) != text:
            connection.execute("select mart.describe(%s, %s, %s)", [table, column, text])
            written += 1
    return written

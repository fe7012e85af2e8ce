"""Puts the dbt project's descriptions on the tables people read: 中文 label first, English after it."""

import json

import psycopg
from psycopg import sql

from minhu.settings import Settings


def comment_columns(connection: psycopg.Connection, settings: Settings) -> int:
    """Writes the comments that differ from the project's; returns their number."""
    manifest = json.loads((settings.home / "dbt" / "target" / "manifest.json").read_text(encoding="utf-8"))
    known = {
        (table, column): comment
        for table, column, comment in connection.execute(
            "select relname, coalesce(attname, ''), col_description(pg_class.oid, attnum)"
            " from pg_class inner join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped"
            " where relnamespace = 'mart'::regnamespace and relkind in ('r', 'p', 'v')"
        )
    }
    models = {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}
    written = 0
    for node in (*models.values(), *manifest["sources"].values()):
        columns = models["measured_row"]["columns"] if "measure" in node["tags"] else node["columns"]
        for name, column in columns.items():
            text = _comment(column)
            if text and known.get((node["name"], name), text) != text:
                place = sql.Identifier("mart", node["name"], name)
                connection.execute(sql.SQL("comment on column {} is {}").format(place, sql.Literal(text)))
                written += 1
    return written


def _comment(column: dict) -> str:
    label = (column.get("config", {}).get("meta") or column.get("meta") or {}).get("label_zh", "")
    return " — ".join(filter(None, (label, column.get("description", "").strip())))

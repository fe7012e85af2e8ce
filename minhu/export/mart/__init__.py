"""The marts as Parquet, by month: for who counts with DuckDB, polars or Spark what schema ``mart`` holds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from minhu import database
from minhu.errors import Refused, foreign
from minhu.export.mart import parts
from minhu.export.mart.folder import FORMAT, Folder, held_folder, sha256_of
from minhu.export.mart.tables import Table, readable, worded
from minhu.hashing import file_sha256
from minhu.privacy import access_log
from minhu.progress import progress
from minhu.schemes.plain import plain
from minhu.settings import Settings


@dataclass(frozen=True)
class Exported:
    """What an export came to. ``written``, ``removed``: paths in ``out``; ``kept``: how many files stayed as they lay.

    ``left_out``: the tables that the login does not read. ``sha256``: over all files.
    """

    out: Path
    tables: int
    rows: int
    files: int
    bytes: int
    written: tuple[str, ...]
    removed: tuple[str, ...]
    left_out: tuple[str, ...]
    sha256: str

    @property
    def kept(self) -> int:
        return self.files - len(self.written)

    def as_json(self) -> dict:
        return plain(self) | {"out": str(self.out), "kept": self.kept}


def export_mart(
    settings: Settings,
    out: Path,
    *,
    why: str,
    tables: Sequence[str] = (),
    tell: Callable[[str], None] = lambda line: None,
) -> Exported:
    """Writes the marts that the login reads, or ``tables`` of them, as Parquet into the folder ``out``.

    All of one moment, and as the login: his rights, his row policies. Into a folder that has an earlier export only
    the files go whose rows changed; the others stay as they lie. It stands in the access log before a row is read.
    Read on the standby where there is one; ``tell`` hears where it is not, or breaks off.

    Raises Refused without a reason, for a table that is unknown or not the login's to read, and for a folder that is
    not one of his; Retryable where the server breaks off.
    """
    if not why.strip():
        raise Refused("say why the marts are taken away: --why …; it stands in the access log")
    asked = sorted({*tables}) or None
    logged: list[int] = []

    def log() -> None:
        if not logged:  # of what is asked anew it is there
            about = f"mart parquet: {', '.join(asked) if asked else 'every table'}"
            logged.append(access_log.record_export(settings, about, why))

    with foreign.told("unbroken"):
        return database.read(settings, lambda connection: _exported(connection, settings, out, asked, log), tell)


def _exported(
    connection: psycopg.Connection, settings: Settings, out: Path, asked: list[str] | None, log: Callable[[], None]
) -> Exported:
    connection.execute("set local statement_timeout = 0")  # a login's limit is for questions, not for acts
    (login,) = database.one(connection, "select session_user::text")
    read, left_out = readable(connection, asked or ())
    with held_folder(out, login, asked) as folder:
        log()
        manifest = {
            "format": FORMAT,
            "minhu": version("minhu"),
            "login": login,
            "asked": asked,
            "timezone": settings.timezone,
            "as_of": _as_of(connection),
            "left_out": left_out,
            "tables": _written(connection, folder, read, settings.timezone),
        }
        files = [file for table in manifest["tables"].values() for file in table["files"]]
        manifest["sha256"] = sha256_of(iter(files))
        removed = folder.change(manifest)
    return Exported(
        out=out,
        tables=len(read),
        rows=sum(file["rows"] for file in files),
        files=len(files),
        bytes=sum(file["bytes"] for file in files),
        written=tuple(folder.fresh),
        removed=tuple(removed),
        left_out=tuple(left_out),
        sha256=manifest["sha256"],
    )


def _written(connection: psycopg.Connection, folder: Folder, tables: list[Table], zone: str) -> dict[str, Any]:
    """Makes the files whose rows changed; returns what the manifest tells of every table."""
    told = {}
    with progress(len(tables), "export mart") as advance:
        for table in tables:
            files = [_file(folder, part, table, zone) for part in parts.parts(connection, table)]
            rows = sum(file["rows"] for file in files)
            told[table.name] = {
                **worded(table.comment),
                "partitioned_by": table.day,
                "rows": rows,
                "columns": [one.told(zone) for one in table.columns],
                "files": files,
            }
            advance(f"{table.name}: {rows:,} rows")
    return told


def _file(folder: Folder, part: parts.Part, table: Table, zone: str) -> dict[str, Any]:
    """What the manifest tells of a file; it is made unless it lies there, made of the same rows."""
    path = part.path(table)
    made_of = parts.fingerprint(part, table, zone)
    if known := folder.file(path, made_of):
        return known
    place = folder.place_for(path)
    parts.write(part, table, zone, place)
    return {
        "path": path,
        "month": part.month,
        "rows": part.rows,
        "bytes": place.stat().st_size,
        "sha256": file_sha256(place),
        "rows_sha256": made_of,
    }


def _as_of(connection: psycopg.Connection) -> dict[str, Any]:
    """How far the data reach: the newest build that took something, and every feed and fact by itself."""
    with connection.cursor(row_factory=dict_row) as cursor:
        feeds = plain(cursor.execute(_FRESHNESS).fetchall())
    built = [one["built_at"] for one in feeds if one["built_at"]]
    reached = [one["reaches_on"] for one in feeds if one["reaches_on"]]
    return {"built_at": max(built, default=None), "reaches_on": max(reached, default=None), "freshness": feeds}


_FRESHNESS = """
select feed_code, fact, reaches_on, built_at, waiting_batches, waiting_from_on
from mart.freshness
order by feed_code collate "C", fact collate "C"
"""

__all__ = ["Exported", "export_mart"]

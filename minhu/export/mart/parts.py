"""Rows as the server sends them, cut into parts of a month, and a part as a Parquet file.

The server sends one row after the other (COPY) and waits while a part is written: memory holds one part, however large
a table is. A cursor would do the same at a fraction of the speed, since every value would become an object of Python.
"""

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from minhu.database import columnar
from minhu.errors import Refused
from minhu.export.mart.tables import Table

if TYPE_CHECKING:
    import polars as pl

ROWS = 100_000
"""Of a part at most: what of a month is more goes into another file."""


@dataclass(frozen=True)
class Part:
    """Rows of one month as CSV, each behind its month. ``month``: None for rows without a day and whole tables."""

    month: str | None
    number: int
    rows: int
    text: bytes

    def path(self, table: Table) -> str:
        """Where it lies, from the folder on: Spark, DuckDB and polars read a null out of the name of no month."""
        folder = f"month={self.month or '__HIVE_DEFAULT_PARTITION__'}/" if table.day else ""
        return f"{table.name}/{folder}part-{self.number}.parquet"


def parts(connection: psycopg.Connection, table: Table, most: int | None = None) -> Iterator[Part]:
    """The rows of a table, month by month, those without a day last. An empty table is a part without rows."""
    most = most or ROWS
    month, number, rows, text = b"", 0, 0, io.BytesIO()
    with connection.cursor() as cursor, cursor.copy(_copied(table)) as sent:
        for row in sent:  # the protocol sends each row as a message of its own
            line = bytes(row)
            of = line[: line.index(b",")]
            if rows and (of != month or rows == most):
                yield Part(month.decode() or None, number, rows, text.getvalue())
                number = number + 1 if of == month else 0
                rows, text = 0, io.BytesIO()
            month = of
            text.write(line)
            rows += 1
    yield Part(month.decode() or None, number, rows, text.getvalue())


def _copied(table: Table) -> sql.Composed:
    return sql.SQL("copy ({}) to stdout (format csv)").format(table.query())


def fingerprint(part: Part, table: Table, zone: str) -> str:
    """sha256 of all that a file is made of: rows, columns, writer. What is made of the same need not be made again."""
    made_of = [version("polars"), zone, [[one.name, one.type] for one in table.columns]]
    whole = hashlib.sha256(json.dumps(made_of, ensure_ascii=False).encode())
    whole.update(part.text)
    return whole.hexdigest()


def write(part: Part, table: Table, zone: str, file: Path) -> None:
    """A part as a Parquet file. The same rows give the same bytes.

    Raises Refused where a number does not fit: it is written to the last digit or not at all.
    """
    read = _read(part, table)
    if read.height != part.rows:
        raise AssertionError(f"{table.name}: {part.rows} rows were sent and {read.height} read")
    _assert_exact(read, table)
    made = read.select(columnar.exact(one.name, one.type, zone) for one in table.columns)
    made.write_parquet(file, compression="zstd", statistics=True, row_group_size=ROWS)


def _read(part: Part, table: Table) -> "pl.DataFrame":
    import polars as pl

    schema: dict[str, type[pl.DataType]] = {
        "": pl.String,
        **{one.name: columnar.parsed(one.type) for one in table.columns},
    }
    if not part.rows:
        return pl.DataFrame(schema=schema)
    return pl.read_csv(io.BytesIO(part.text), has_header=False, schema=schema)


def _assert_exact(read: "pl.DataFrame", table: Table) -> None:
    import polars as pl

    most = columnar.DIGITS - columnar.DECIMALS
    fits = rf"^-?\d{{1,{most}}}(\.\d{{1,{columnar.DECIMALS}}}0*)?$"
    for column in (one.name for one in table.columns if one.type == "numeric"):
        if not read.select(pl.col(column).str.contains(fits).all()).item():
            raise Refused(
                f"{table.name}.{column} holds a number of more than {most} digits or {columnar.DECIMALS} decimals,"
                " which no file would hold as it is: leave the table out by naming others with --table, and tell who"
                " maintains minhu"
            )

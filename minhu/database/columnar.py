"""How a column of PostgreSQL travels into a Parquet file, to the last digit, and back."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Kind:
    """How a type travels. ``written``: what the server writes of a column; ``told``: what it is in a file.

    ``read``: the polars type that is parsed, by name.
    """

    told: str
    written: str
    read: str


TEXT = Kind("string", '{} collate "C"', "String")
DECIMALS, DIGITS = 18, 38
"""Every numeric is of one type, the widest that readers share; Spark takes a numeric of no precision for the same."""
KINDS = {
    "text": TEXT,
    "boolean": Kind("boolean", "{}::integer", "Int8"),
    "smallint": Kind("int16", "{}", "Int16"),
    "integer": Kind("int32", "{}", "Int32"),
    "bigint": Kind("int64", "{}", "Int64"),
    "numeric": Kind(f"decimal({DIGITS}, {DECIMALS})", "{}", "String"),
    "date": Kind("date", "{} - date '1970-01-01'", "Int32"),
    "timestamp with time zone": Kind("timestamp(us, {zone})", "(extract(epoch from {}) * 1000000)::bigint", "Int64"),
    "text[]": Kind("list<string>", 'array_to_json({})::text collate "C"', "String"),
}
ELSE = Kind("string", '{}::text collate "C"', "String")
"""Whatever else a table may get, as the server spells it."""


def kind(of_type: str) -> Kind:
    return KINDS.get(of_type, ELSE)


def parsed(of_type: str) -> "type[pl.DataType]":
    """The polars type as which the server's text of a column is read."""
    import polars as pl

    found: type[pl.DataType] = getattr(pl, kind(of_type).read)
    return found


def exact(name: str, of_type: str, zone: str) -> "pl.Expr":
    """What a file holds, of what was read."""
    import polars as pl

    read = pl.col(name)
    match of_type:
        case "boolean":
            return read.cast(pl.Boolean)
        case "numeric":
            return read.cast(pl.Decimal(DIGITS, DECIMALS))
        case "date":
            return read.cast(pl.Date)
        case "timestamp with time zone":
            return read.cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone)
        case "text[]":
            return read.str.json_decode(pl.List(pl.String))
        case _:
            return read


def spelled(name: str, of_type: str) -> "pl.Expr":
    """What the server reads of a file's column, as CSV; of the types that `exact` leaves as they are, or times."""
    import polars as pl

    read = pl.col(name)
    match of_type:
        case "timestamp with time zone":
            return read.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
        case "boolean":
            return read.cast(pl.Int8)
        case _:
            return read

"""Parquet → a frame of text: times as ISO with their zone, structs dotted, lists as JSON."""

import io
import json

import polars as pl

from minhu.errors import BadDelivery
from minhu.feeds.formats import Parquet
from minhu.feeds.formats.common import header

_DAMAGE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)


def read_parquet(data: bytes, format: Parquet) -> pl.DataFrame:
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except _DAMAGE as error:
        raise BadDelivery("UNREADABLE", f"not a Parquet file: {(str(error).splitlines() or ['damaged'])[0]}") from None
    columns = [flat for column in frame.iter_columns() for flat in _flatten(column)]
    names = header(column.name for column in columns)
    return pl.DataFrame([_text(column).alias(name) for column, name in zip(columns, names, strict=True)])


def _flatten(column: pl.Series) -> list[pl.Series]:
    if not isinstance(column.dtype, pl.Struct):
        return [column]
    fields = column.struct.fields
    return [flat for name in fields for flat in _flatten(column.struct.field(name).alias(f"{column.name}.{name}"))]


def _text(column: pl.Series) -> pl.Series:
    match column.dtype:
        case pl.Datetime(time_zone=zone):
            return column.dt.to_string("%Y-%m-%dT%H:%M:%S%.f%:z" if zone else "%Y-%m-%dT%H:%M:%S%.f")
        case pl.Float32() | pl.Float64():
            return _digits(column.cast(pl.Float64))
        case pl.List() | pl.Array():
            items = [
                None if item is None else json.dumps(item.to_list(), ensure_ascii=False, default=str) for item in column
            ]
            return pl.Series(column.name, items, dtype=pl.String)
        case pl.Binary | pl.Object:
            raise BadDelivery("UNREADABLE", f"column {column.name!r} holds {column.dtype}, not text; ask the sender")
        case _:
            return column.cast(pl.String)


def _json(items: pl.Series | None) -> str | None:
    return None if items is None else json.dumps(items.to_list(), ensure_ascii=False, default=str)


def _digits(column: pl.Series) -> pl.Series:
    """Whole numbers without exponent or ``.0``: ids often travel as floats."""
    value = pl.col(column.name)
    is_whole = (value == value.round()) & (value.abs() < 2**63)
    whole = pl.when(is_whole).then(value).cast(pl.Int64, strict=False).cast(pl.String)
    return column.to_frame().select(whole.fill_null(value.cast(pl.String)))[column.name]

"""Parquet → a frame of text: times as ISO with their zone, structs dotted, lists as JSON."""

import io
import json

import polars as pl

from minhu.errors import BadDelivery
from minhu.feeds.formats import Parquet
from minhu.feeds.formats.common import Aside, header

_DAMAGE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)


def read_parquet(data: bytes, format: Parquet, aside: Aside) -> pl.DataFrame:
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except _DAMAGE:
        raise BadDelivery(
            "UNREADABLE",
            "not a Parquet file that can be read: it is damaged or cut short, or holds types that no reader"
            " here knows; ask the sender to send it again, with text, numbers and times only",
        ) from None
    columns = [flat for column in frame.iter_columns() for flat in _flatten(column)]
    names = header(column.name for column in columns)
    return pl.DataFrame(
        [_text(column, at).alias(name) for at, (column, name) in enumerate(zip(columns, names, strict=True), start=1)]
    )


def _flatten(column: pl.Series) -> list[pl.Series]:
    if not isinstance(column.dtype, pl.Struct):
        return [column]
    fields = column.struct.fields
    return [flat for name in fields for flat in _flatten(column.struct.field(name).alias(f"{column.name}.{name}"))]


def _text(column: pl.Series, at: int) -> pl.Series:
    match column.dtype:
        case pl.Datetime(time_zone=zone):
            return column.dt.to_string("%Y-%m-%dT%H:%M:%S%.f%:z" if zone else "%Y-%m-%dT%H:%M:%S%.f")
        case pl.Float32() | pl.Float64():
            return _digits(column.cast(pl.Float64))
        case pl.List() | pl.Array():
            return pl.Series(column.name, [_json(item) for item in column], dtype=pl.String)
        case pl.Binary | pl.Object:
            raise _no_text(column, at)
        case _:
            try:
                return column.cast(pl.String)
            except pl.exceptions.PolarsError:
                raise _no_text(column, at) from None


def _no_text(column: pl.Series, at: int) -> BadDelivery:
    return BadDelivery(
        "UNREADABLE", f"column {at} holds {column.dtype}, which is no text; ask the sender for text, or to leave it out"
    )


def _json(items: pl.Series | None) -> str | None:
    return None if items is None else json.dumps(items.to_list(), ensure_ascii=False, default=str)


def _digits(column: pl.Series) -> pl.Series:
    """Whole numbers without exponent or ``.0``: ids often travel as floats."""
    value = pl.col(column.name)
    is_whole = (value == value.round()) & (value.abs() < 2**63)
    whole = pl.when(is_whole).then(value).cast(pl.Int64, strict=False).cast(pl.String)
    return column.to_frame().select(whole.fill_null(value.cast(pl.String)))[column.name]

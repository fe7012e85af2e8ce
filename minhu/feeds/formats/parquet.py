"""Parquet → a frame of text: times as ISO with their zone, structs dotted, lists as JSON.

It is decoded by a process of its own, of bounded memory: one bit wrong in what a file says of itself makes the decoder
ask for more memory than there is, which ends the process that asks.
"""

import json
import os
import signal
import subprocess
import sys

import polars as pl

from minhu.errors import BadDelivery
from minhu.feeds.formats import Parquet
from minhu.feeds.formats.common import Aside, header

_BASE = 2 << 30
"""Bytes of addresses that the decoder takes for itself."""
_CELL = 16
"""Bytes that a cell takes as text, however short."""
_TOO_LARGE = 3
_NOT_STARTED = 4
_SECONDS = 300
"""Of a core; a file that takes longer is one of millions of rows, or made to take long."""
_DECODE = f"""
import io, resource, sys
most = int(sys.argv[1])
limits = (resource.RLIMIT_AS, {_BASE} + 3 * most), (resource.RLIMIT_CPU, {_SECONDS}), (resource.RLIMIT_CORE, 0)
for limit, top in limits:
    resource.setrlimit(limit, (top, top))
try:
    import polars
except BaseException:
    sys.exit({_NOT_STARTED})
data = io.BytesIO(sys.stdin.buffer.read())
rows = polars.scan_parquet(data).select(polars.len()).collect().item()
if rows * len(polars.read_parquet_schema(data)) * {_CELL} > most:
    sys.exit({_TOO_LARGE})
frame = polars.read_parquet(data)
if frame.estimated_size() > most:
    sys.exit({_TOO_LARGE})
frame.write_ipc(sys.stdout.buffer)
"""


def read_parquet(data: bytes, format: Parquet, aside: Aside) -> pl.DataFrame:
    """Raises BadDelivery UNREADABLE; TOO_LARGE for what unpacks to more than declared."""
    frame = _decoded(data, format)
    columns = [flat for column in frame.iter_columns() for flat in _flatten(column)]
    names = header(column.name for column in columns)
    return pl.DataFrame(
        [_text(column, at).alias(name) for at, (column, name) in enumerate(zip(columns, names, strict=True), start=1)]
    )


def _decoded(data: bytes, format: Parquet) -> pl.DataFrame:
    told = subprocess.run(
        [sys.executable, "-I", "-c", _DECODE, str(format.max_bytes)],
        input=data,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"POLARS_MAX_THREADS": "1", "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", "")},
        check=False,
    )
    if told.returncode in (_TOO_LARGE, -signal.SIGXCPU, -signal.SIGKILL):
        raise BadDelivery(
            "TOO_LARGE",
            f"the file unpacks to more than {format.max_bytes} bytes; mend format.max_bytes if that is right",
        )
    if told.returncode == _NOT_STARTED:
        raise OSError("the process that reads Parquet files does not start")
    if told.returncode:
        raise BadDelivery(
            "UNREADABLE",
            "not a Parquet file that can be read: it is damaged or cut short, or holds types that no reader"
            " here knows; ask the sender to send it again, with text, numbers and times only",
        )
    return pl.read_ipc(told.stdout)


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

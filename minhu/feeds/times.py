"""How times are written: declared formats, read into UTC.

A format is a strftime pattern, or one of ``iso``, ``epoch_s``, ``epoch_ms``. What carries no zone is the feed's local time.
"""

import polars as pl

from minhu.privacy import half_width


def timestamp(text: pl.Expr, formats: tuple[str, ...], zone: str) -> pl.Expr:
    """``text`` as a moment in UTC by the first of ``formats`` that reads it; null where none does."""
    plain = half_width(text)
    read = pl.coalesce(*(_read_format(plain, format, zone) for format in formats))
    return pl.when(read.dt.year().is_between(1970, 2100)).then(read)


def _read_format(text: pl.Expr, format: str, zone: str) -> pl.Expr:
    match format:
        case "epoch_s" | "epoch_ms":
            unit = 1_000_000 if format == "epoch_s" else 1_000
            number = pl.when(text.str.contains(r"^-?[0-9]{9,14}$")).then(text).cast(pl.Int64, strict=False)
            return (number * unit).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        case "iso":
            with_zone = text.str.to_datetime("%+", time_zone="UTC", time_unit="us", strict=False)
            return with_zone.fill_null(_local(text, "%Y-%m-%dT%H:%M:%S%.f", zone))
        case _ if "%z" in format:
            return text.str.to_datetime(format, time_zone="UTC", time_unit="us", strict=False)
        case _:
            return _local(text, format, zone)


def _local(text: pl.Expr, format: str, zone: str) -> pl.Expr:
    has_time = any(mark in format for mark in ("%H", "%I", "%T", "%R"))
    naive = (
        text.str.to_datetime(format, time_unit="us", strict=False)
        if has_time
        else text.str.to_date(format, strict=False).cast(pl.Datetime("us"))
    )
    local = naive.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC")

"""What real files do to good rows: literal NULLs, blanks that are a space, wide digits, duplicates, rows to reject."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from minhu.feeds import Delivery
from minhu.simulate.invert import time_columns

_DUPLICATES = 0.001
_BAD = 0.0005
_ENOUGH_ROWS = 200
"""Only in a file of some length can a bad row never make the whole file refused."""
_WIDE = dict(zip("0123456789", "０１２３４５６７８９", strict=True))


@dataclass(frozen=True)
class Spoilt:
    """The rows as they are sent; how many of them must be rejected, and how many are exact copies of another."""

    rows: pl.DataFrame
    bad_rows: int
    duplicate_rows: int


def spoil(rows: pl.DataFrame, delivery: Delivery, rng: np.random.Generator) -> Spoilt:
    rows = _wide_phones(rows, delivery, rng)
    bad = _bad_rows(rows, delivery, rng)
    copies = (
        rows[np.sort(rng.choice(rows.height, _count(rows.height, _DUPLICATES, rng), replace=False))]
        if rows.height
        else rows
    )
    both = _blanks(pl.concat([rows, bad]), delivery, rng)
    return Spoilt(pl.concat([both, _blanks(copies, delivery, rng)]), bad.height, copies.height)


def _count(rows: int, rate: float, rng: np.random.Generator) -> int:
    return int(rng.binomial(rows, rate))


def _wide_phones(rows: pl.DataFrame, delivery: Delivery, rng: np.random.Generator) -> pl.DataFrame:
    """Three phones in a thousand are typed in full-width digits."""
    column = delivery.columns["caller_phone"].source if "caller_phone" in delivery.columns else None
    if column not in rows.columns:
        return rows
    wide = pl.Series(rng.random(rows.height) < 0.003)
    return rows.with_columns(pl.when(wide).then(pl.col(column).str.replace_many(_WIDE)).otherwise(column).alias(column))


def _blanks(rows: pl.DataFrame, delivery: Delivery, rng: np.random.Generator) -> pl.DataFrame:
    """Nothing is written as NULL in one cell of twelve, as a single space in one of thirty, else as nothing."""
    if delivery.format.type in ("json", "xml") or "NULL" not in delivery.nulls:
        return rows
    spoilt = []
    for name in rows.columns:
        roll = pl.Series(rng.random(rows.height))
        word = pl.when(roll < 0.08).then(pl.lit("NULL")).when(roll < 0.113).then(pl.lit(" "))
        spoilt.append(pl.coalesce(pl.col(name), word).alias(name))
    return rows.with_columns(spoilt)


def _bad_rows(rows: pl.DataFrame, delivery: Delivery, rng: np.random.Generator) -> pl.DataFrame:
    """Copies of good rows with a day that no calendar holds, or without a case number."""
    if rows.height < _ENOUGH_ROWS:
        return rows.clear()
    most = int(rows.height * delivery.max_rejected_pct / 400)
    wanted = min(_count(rows.height, _BAD, rng) + int(rng.random() < 0.2), most)
    number = delivery.mapping("case_no").source or ""
    made = []
    for place in rng.choice(rows.height, wanted, replace=False):
        copy = rows[int(place)]
        column, impossible = _impossible_time(delivery, rng)
        spoilt = pl.lit(None, pl.String).alias(number) if column is None else pl.lit(impossible).alias(column)
        made.append(copy.with_columns(spoilt))
    return pl.concat(made) if made else rows.clear()


def _impossible_time(delivery: Delivery, rng: np.random.Generator) -> tuple[str | None, str]:
    """A column and a thirtieth of February in its format; no column where the case number is to be missing."""
    written = [(name, format) for name, format in time_columns(delivery).items() if not format.startswith("epoch")]
    if not written or rng.random() < 0.4:
        return None, ""
    name, format = written[0]
    if format == "iso":
        return name, "2026-02-30T09:30:00+08:00"
    for mark, value in {"%Y": "2026", "%m": "02", "%d": "30", "%H": "09", "%M": "30", "%S": "00"}.items():
        format = format.replace(mark, value)
    return name, format

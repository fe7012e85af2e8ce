"""Which rows of a file are a delivery's own: those that fulfil every condition of its ``only``.

A file may hold the rows of several hotlines, or of what no case is. What another delivery takes, or none, is counted in
the batch's account and no more is made of it.
"""

import polars as pl

from minhu.feeds.feed import Delivery
from minhu.feeds.formats.common import FAULT, FIELD_COUNT


def of_this_delivery(
    source: pl.DataFrame, cleaned: pl.DataFrame, delivery: Delivery
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both frames without the rows that are not the delivery's. A broken line stays: nobody knows whose it is."""
    tests = [pl.col(name.source).is_in(name.one_of) for name in delivery.only if name.source in cleaned.columns]
    if not tests:
        return source, cleaned
    is_own = pl.all_horizontal(tests).fill_null(False)
    for mark in {FIELD_COUNT, FAULT} & set(cleaned.columns):
        is_own = is_own | pl.col(mark).is_not_null()
    kept = cleaned.select(is_own).to_series()
    return source.filter(kept), cleaned.filter(kept)

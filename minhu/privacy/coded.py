"""Codes and names that a register knows: few of them, and nearly none holds a number of a citizen's.

Each is looked at once. A bare code of digits and letters is masked only where the strict rule finds a number in it, so
that a category of eleven digits is not taken for a telephone; whatever has words in it is masked as text.
"""

import polars as pl

from minhu.privacy.strict import holds_number
from minhu.privacy.text import mask_text

_HINT = r"[0-9０-９〇零一二三四五六七八九幺壹贰叁肆伍陆柒捌玖]|@|＠|[A-Za-z]|女士|先生|联系人"
_BARE = r"^[0-9A-Za-z._:-]*$"


def mask_coded(values: pl.Series) -> pl.Series:
    """The values, those that hold a citizen's number masked as in text; null stays null."""
    distinct = values.unique().drop_nulls()
    distinct = distinct.filter(distinct.str.contains(_HINT))
    distinct = distinct.filter(~distinct.str.contains(_BARE) | holds_number(distinct))
    if not len(distinct):
        return values
    masked = mask_text(distinct)
    changed = (masked != distinct).arg_true()
    if not len(changed):
        return values
    return values.replace(distinct.gather(changed), masked.gather(changed))

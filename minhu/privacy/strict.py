"""Whether a value that must not be changed, a key, holds a citizen's number.

Stricter than the masking of text: to refuse a case because its number looks like somebody's costs a case. A mobile
stands alone between signs that are neither digits nor letters. An ID number has a district that was given out, the
right check digit, and a birth on a day of the calendar from 1920 to 1999: numbers made of a city, today's date and a
counter have no such day in that place.
"""

import re

import polars as pl
from stdnum import numdb
from stdnum.cn import ric
from stdnum.exceptions import ValidationError

_MAY_BE = (
    r"(?:^|[^0-9A-Za-z.])(?:(?:\+|00)86[ -]?|\+?)(?:1[3-9][0-9]{9}"
    r"|[1-9][0-9]{5}19[2-9][0-9][01][0-9][0-3][0-9]{4}[0-9Xx])(?:$|[^0-9A-Za-z])"
)
_ID = r"(?:^|[^0-9A-Za-z.])([1-9][0-9]{16}[0-9Xx])(?:$|[^0-9A-Za-z])"


def holds_number(texts: pl.Series) -> pl.Series:
    """Where a value holds a mobile or an ID number; null holds none."""
    may_be = texts.str.contains(_MAY_BE).fill_null(False)
    if not may_be.any():
        return may_be
    looked_at = texts.filter(may_be).unique()
    ids = looked_at.str.extract(_ID)
    found = [text for text, number in zip(looked_at, ids, strict=True) if number is None or _is_given(number)]
    return may_be & texts.is_in(found).fill_null(False)


def _is_given(number: str) -> bool:
    try:
        ric.get_birth_date(number)
    except ValidationError:
        return False
    return number[-1].upper() == ric.calc_check_digit(number[:17]) and _has_district(number[:6])


def _has_district(code: str) -> bool:
    """Whether the code was given out at some time since there are ID numbers, 1984."""
    told = {name: value for _, properties in numdb.get("cn/loc").info(code) for name, value in properties.items()}
    ends = [re.match(r"\[[0-9]*-([0-9]+)\]", county) for county in told.get("county", "").split(",") if county]
    return any(end is None or int(end[1]) >= 1984 for end in ends)

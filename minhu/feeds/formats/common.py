"""What the readers share: names of columns, records as a frame of text."""

import json
import re
from collections.abc import Iterable

import polars as pl

from minhu.errors import BadDelivery

FIELD_COUNT = "__field_count"
"""Set by the CSV reader on lines with too many or too few fields; the door rejects them."""
ROUNDED = "__rounded"
"""Set by the workbook reader: the columns of a row whose cell is a number of more digits than a spreadsheet keeps."""
MARKS = (FIELD_COUNT, ROUNDED)
"""Columns that a reader adds and no sender may use."""
_UNFIT = re.compile("[\x00\ud800-\udfff]")


def header(names: Iterable[object]) -> list[str]:
    """The names of the columns. Raises BadDelivery BAD_HEADER where they cannot tell columns apart."""
    cleaned = [str(name or "").strip().strip("\ufeff") for name in names]
    twice = sorted({name for name in cleaned if cleaned.count(name) > 1})
    if not any(cleaned) or twice or set(MARKS) & set(cleaned):
        what = f"two columns are named {', '.join(map(repr, twice))}" if twice else "it holds no usable column name"
        raise BadDelivery("BAD_HEADER", f"the header line cannot be used: {what}")
    return cleaned


def frame(records: list[dict]) -> pl.DataFrame:
    """Records of text as a frame; a field that a record lacks is null."""
    names = list(dict.fromkeys(name for record in records for name in record))
    if records and not names:
        raise BadDelivery("UNREADABLE", f"none of the {len(records)} records holds a field")
    if taken := set(MARKS) & set(names):
        raise BadDelivery("BAD_HEADER", f"a field cannot be named {', '.join(taken)}")
    columns = {name: [as_text(record.get(name)) for record in records] for name in names}
    try:
        return pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String))
    except UnicodeEncodeError:  # half of a surrogate pair, from an escape that was cut
        mended = {fit(name): [value and fit(value) for value in values] for name, values in columns.items()}
        return pl.DataFrame(mended, schema=dict.fromkeys(mended, pl.String))


def fit(text: str) -> str:
    """``text`` without what no database holds: NUL and lone surrogates become the replacement character."""
    return _UNFIT.sub("\ufffd", text)


def as_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)

"""What the readers share: names of columns, records as a frame of text, what stands beside the records."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import polars as pl

from minhu.errors import BadDelivery

FIELD_COUNT = "__field_count"
"""Set by the CSV reader on lines with too many or too few fields; the door rejects them."""
ROUNDED = "__rounded"
"""Set by the workbook reader: the columns of a row whose cell holds a number of more digits than a sheet keeps."""
FAULT = "__fault"
"""Set by a reader: why this row cannot be read, although the next one can; the door rejects it for that reason."""
PLACE = "__place"
"""Set beside FAULT: where in the file that is."""
MARKS = (FIELD_COUNT, ROUNDED, FAULT, PLACE)
"""Columns that a reader adds and no sender may use."""
NO_ROWS = ("FOOTER_LINES", "OTHER_SHEETS")
"""Notes of what may have been records: a file with such and no rows waits for a person."""
_UNFIT = re.compile("[\x00\ud800-\udfff]")


class Aside:
    """What of a file is no row, and what is odd about how its rows are written: counted, for the manifest.

    | note | what is counted |
    |---|---|
    | TITLE_LINES, FOOTER_LINES, BLANK_LINES | lines that are no records |
    | OTHER_SHEETS | sheets with something in them that were not read |
    | STRAY_QUOTE | records in which a quote that was never meant as one may have swallowed the next |
    | ERROR_CELLS, UNCOMPUTED_CELLS | cells with an error, formulas without a saved result: read as blank |
    | MERGED_CELLS | cells that a merged one covers, filled with its value |
    | WIDE_CELLS | merged cells that go over several columns: only the first holds the value |
    | ROUNDED_NUMBERS | number cells of more than 15 digits, which the spreadsheet had rounded |
    | EPOCH_1904 | a workbook whose serial days count from 1904 |
    """

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], str] = {}

    def note(self, code: str, rows: int = 1, column: str = "", place: str = "") -> None:
        """Counts ``rows`` more; ``place``: where they are, of which the first is told."""
        if rows:
            self._counts[code, column] += rows
            self._first.setdefault((code, column), place)

    @property
    def notes(self) -> tuple[dict, ...]:
        return tuple(
            {"code": code, "column": column, "rows": rows} | ({"first": place} if (place := self._first[one]) else {})
            for one, rows in self._counts.items()
            for code, column in [one]
        )

    def has(self, *codes: str) -> bool:
        return any(code in codes for code, _ in self._counts)


def header(names: Iterable[object]) -> list[str]:
    """The names of the columns. Raises BadDelivery BAD_HEADER where they cannot tell columns apart.

    A message tells columns by their places: a file without a header has a citizen's data in that line.
    """
    cleaned = [str(name or "").strip().strip("\ufeff") for name in names]
    twice = [str(at) for at, name in enumerate(cleaned, start=1) if cleaned.count(name) > 1]
    if any("\x00" in name for name in cleaned):
        raise BadDelivery(
            "BAD_HEADER", "the header line holds bytes that are no text; ask the sender to send the file again"
        )
    if not any(cleaned) or twice or set(MARKS) & set(cleaned):
        what = f"its columns {', '.join(twice)} share a name" if twice else "it holds no usable column name"
        raise BadDelivery(
            "BAD_HEADER",
            f"the header line cannot be used: {what}; mend format.skip_rows, or ask the sender for a header whose"
            " names differ",
        )
    return cleaned


def frame(records: list[dict], faults: Mapping[int, str] = MappingProxyType({})) -> pl.DataFrame:
    """Records of text as a frame; a field that a record lacks is null.

    ``faults``: which of them (from 0) are no records, and where they stand.
    """
    names = list(dict.fromkeys(name for record in records for name in record))
    if records and not names:
        raise BadDelivery(
            "UNREADABLE", f"none of the {len(records)} records holds a field; ask the sender to send the file again"
        )
    if taken := set(MARKS) & set(names):
        raise BadDelivery(
            "BAD_HEADER", f"a field cannot be named {', '.join(sorted(taken))}; ask the sender to rename it"
        )
    columns = {name: [as_text(record.get(name)) for record in records] for name in names}
    if faults:
        columns[FAULT] = ["BAD_RECORD" if at in faults else None for at in range(len(records))]
        columns[PLACE] = [faults.get(at) for at in range(len(records))]
    try:
        return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
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

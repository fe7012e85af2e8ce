"""Bytes → rows: reads a landed file by its declared format into a frame of text.

Every format gives the same shape: one string column per source column, in the file's order, null or empty where nothing
stands, one row per record of the file. Nothing is judged here; a file that cannot be read whole raises BadDelivery and
no row of it counts. A file comes in parts, so that what follows need not wait for its end.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from minhu.errors import BadDelivery
from minhu.feeds.formats import Csv, Format, Json, Parquet, Xlsx, Xml
from minhu.feeds.formats.common import FAULT as FAULT
from minhu.feeds.formats.common import FIELD_COUNT as FIELD_COUNT
from minhu.feeds.formats.common import MARKS as MARKS
from minhu.feeds.formats.common import Aside as Aside
from minhu.feeds.formats.delimited import read_csv
from minhu.feeds.formats.json_records import read_json
from minhu.feeds.formats.parquet import read_parquet
from minhu.feeds.formats.signatures import refuse_other
from minhu.feeds.formats.unpack import unpacked
from minhu.feeds.formats.workbook import read_xlsx
from minhu.feeds.formats.xml_records import read_xml

_ROWS = 1 << 15
_HEAD = 1 << 16
_READERS: dict[type, Callable[[bytes, Any, Aside], pl.DataFrame]] = {  # each is given a format of its own type
    Xlsx: read_xlsx,
    Json: read_json,
    Xml: read_xml,
    Parquet: read_parquet,
}


def read(path: Path, format: Format, aside: Aside | None = None) -> pl.DataFrame:
    """The records of ``path`` as text, all at once; see `read_parts`."""
    return pl.concat(read_parts(path, format, aside), how="diagonal")


def read_parts(path: Path, format: Format, aside: Aside | None = None) -> Iterator[pl.DataFrame]:
    """The records of ``path`` as text, in the file's order, some at a time; at least one part, be it without rows.

    A row that cannot be read although the next one can says why in FAULT; what is no row is counted in ``aside``, whole
    once the last part is given. CSV is read as it comes and never is in memory whole; the other formats are. Raises
    BadDelivery: EMPTY_FILE, WRONG_ENCODING, UNREADABLE, BAD_HEADER, and TOO_LARGE for what unpacks to too much.
    """
    aside = Aside() if aside is None else aside
    if not path.stat().st_size:
        raise BadDelivery("EMPTY_FILE", "the file has no bytes; ask the sender to send it again, with its header")
    with unpacked(path, format) as file:
        if isinstance(format, Csv):
            refuse_other(file.read(_HEAD), format.type)
            yield from read_csv(file, format, aside)
        else:
            data = file.read()
            refuse_other(data, format.type)
            rows = _READERS[type(format)](data, format, aside)
            yield from rows.iter_slices(_ROWS) if rows.height else [rows]

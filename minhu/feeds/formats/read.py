"""Bytes → rows: reads a landed file by its declared format into a frame of text.

Every format gives the same shape: one string column per source column, in the file's order, blanks as null, one row per
record of the file. Nothing is judged here; a file that cannot be read whole raises BadDelivery and no row of it counts.
"""

from collections.abc import Callable
from pathlib import Path

import polars as pl

from minhu.errors import BadDelivery
from minhu.feeds.formats import Csv, Format, Json, Parquet, Xlsx, Xml
from minhu.feeds.formats.common import FIELD_COUNT as FIELD_COUNT
from minhu.feeds.formats.delimited import read_csv
from minhu.feeds.formats.json_records import read_json
from minhu.feeds.formats.parquet import read_parquet
from minhu.feeds.formats.unpack import unpack
from minhu.feeds.formats.workbook import read_xlsx
from minhu.feeds.formats.xml_records import read_xml

_READERS: dict[type, Callable[[bytes, Format], pl.DataFrame]] = {
    Csv: read_csv,
    Xlsx: read_xlsx,
    Json: read_json,
    Xml: read_xml,
    Parquet: read_parquet,
}


def read(path: Path, format: Format) -> pl.DataFrame:
    """The records of ``path`` as text.

    Raises BadDelivery: EMPTY_FILE, WRONG_ENCODING, UNREADABLE, BAD_HEADER, and TOO_LARGE for what unpacks to too much.
    """
    data = path.read_bytes()
    if not data:
        raise BadDelivery("EMPTY_FILE", "the file has no bytes; ask the sender to send it again, with its header")
    return _READERS[type(format)](unpack(data, format), format)

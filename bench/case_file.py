"""Makes the case file that loading is measured with: a simulated hotline's lines, day after day."""

import tempfile
from datetime import date
from pathlib import Path

import polars as pl

from minhu.feeds import Delivery, Feed, door, load_feeds
from minhu.feeds.formats import Csv
from minhu.feeds.formats.read import read
from minhu.feeds.sources import DropFolder
from minhu.settings import PROJECT_ROOT
from minhu.simulate import write_city

FEED = "h12345"
FIRST_DAY = date(2026, 9, 1)
_DAILY = 12_000
_DAYS = 27


def feed_of(config: Path = PROJECT_ROOT / "config") -> tuple[Feed, Delivery]:
    feed = next(feed for feed in load_feeds(config) if feed.code == FEED)
    return feed, feed.delivery("cases")


def make(path: Path, rows: int) -> tuple[Feed, Delivery]:
    """Writes ``rows`` case rows as the feed's declaration says: its columns, its encoding, Chinese text.

    Only rows that the door accepts, blanks left blank: a typed COPY must be able to read the file too. Beyond some
    300,000 rows the days come again, under other case numbers.
    """
    config = PROJECT_ROOT / "config"
    feed, delivery = feed_of(config)
    source, format = delivery.source, csv_of(delivery)
    if not isinstance(source, DropFolder):
        raise TypeError(f"{feed.code} does not come as files")
    days = min(_DAYS, -(-rows // 11_000))
    with tempfile.TemporaryDirectory() as folder:
        write_city((feed,), config, Path(folder), FIRST_DAY, days, _DAILY, 5, bundle=False)
        files = sorted((Path(folder) / source.path).parent.glob("cases_*.csv"))
        month = pl.concat(_good(read(file, delivery.format), feed, delivery) for file in files)
    number = delivery.mapping("case_no").source or ""
    with path.open("wb") as file:
        for at, start in enumerate(range(0, rows, month.height)):
            part = month.head(rows - start).with_columns(pl.col(number) + f"{at:03}")
            text = part.write_csv(separator=format.delimiter, include_header=start == 0)
            file.write(text.encode(format.encoding))
    return feed, delivery


def csv_of(delivery: Delivery) -> Csv:
    """How the delivery's files are written."""
    if not isinstance(delivery.format, Csv):
        raise TypeError(f"{delivery.name} does not come as CSV")
    return delivery.format


def _good(day: pl.DataFrame, feed: Feed, delivery: Delivery) -> pl.DataFrame:
    kept = door.judge(day, feed, delivery, bytes(32)).staged["row_number"] - 1
    return day[kept].select(pl.when(~pl.all().str.strip_chars().is_in([*delivery.nulls, ""])).then(pl.all()))

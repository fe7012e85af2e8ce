"""Makes the case file that loading is measured with: a simulated hotline's lines under ever new case numbers."""

import tempfile
from datetime import date
from pathlib import Path

import polars as pl

from minhu.feeds import Delivery, Feed, door, load_feeds
from minhu.feeds.formats.read import read
from minhu.settings import PROJECT_ROOT
from minhu.simulate import write_city

FEED = "h12345"


def feed_of(config: Path = PROJECT_ROOT / "config") -> tuple[Feed, Delivery]:
    feed = next(feed for feed in load_feeds(config) if feed.code == FEED)
    return feed, feed.delivery("cases")


def make(path: Path, rows: int) -> tuple[Feed, Delivery]:
    """Writes ``rows`` case rows as the feed's declaration says: its columns, its encoding, Chinese text.

    Only rows that the door accepts, blanks left blank: a typed COPY must be able to read the file too.
    """
    config = PROJECT_ROOT / "config"
    feed, delivery = feed_of(config)
    with tempfile.TemporaryDirectory() as folder:
        write_city((feed,), config, Path(folder), date(2026, 10, 12), 1, 12_000, 5, bundle=False)
        source = Path(folder) / delivery.source.path.replace("{date}", "20261012")
        day = read(source, delivery.format)
    good = door.judge(day, feed, delivery, bytes(32)).staged["row_number"] - 1
    day = day[good].select(pl.when(~pl.all().str.strip_chars().is_in([*delivery.nulls, ""])).then(pl.all()))
    number = delivery.mapping("case_no").source
    times = -(-rows // day.height)
    parts = [day.with_columns(pl.col(number) + f"{at:03}") for at in range(times)]
    whole = pl.concat(parts).head(rows)
    encoding = delivery.format.encoding
    path.write_bytes(whole.write_csv(separator=delivery.format.delimiter).encode(encoding))
    return feed, delivery

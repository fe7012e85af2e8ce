"""Deliveries that a sender posts: what is declared of them, and how much may come at once."""

from dataclasses import dataclass

from minhu.errors import Refused
from minhu.feeds.feed import Delivery, Feed, read_feed
from minhu.feeds.sources import Push
from minhu.privacy import file_names
from minhu.settings import Settings

_LONGEST_NAME = 100


class TooLarge(Refused):
    """More than the declaration lets come at once."""


@dataclass(frozen=True)
class Posted:
    """A delivery that is declared as posted. ``most``: bytes of one body."""

    feed: Feed
    delivery: Delivery
    most: int

    def check(self, size: int) -> None:
        """Raises TooLarge."""
        if size > self.most:
            told = f"{self.feed.code}/{self.delivery.name}"
            raise TooLarge(f"{told}: more than {self.most / 1_000_000:g} MB at once; send smaller parts")


def posted(settings: Settings, feed_code: str, delivery: str) -> Posted:
    """Raises BadDeclaration for a feed that is not declared, Refused for a delivery that is not posted."""
    feed = read_feed(settings, feed_code)
    declared = feed.delivery(delivery)
    if not isinstance(declared.source, Push):
        raise Refused(f"{feed_code}/{delivery} is not posted: its source is {declared.source.type}")
    return Posted(feed, declared, most_of(declared.source))


def most_of(source: Push) -> int:
    return int(source.max_mb * 1_000_000)


def told_name(name: str) -> str:
    """The name that the sender gave, without folders, and what may be a citizen's in it hidden."""
    return file_names.told(name.replace("\\", "/").rpartition("/")[2])[:_LONGEST_NAME] or "delivery"

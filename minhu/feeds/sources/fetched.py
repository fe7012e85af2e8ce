"""What is asked of a source, and what comes of it: the words that every kind of source speaks."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeVar

from minhu.declaration import Declared
from minhu.feeds.feed import Delivery, Feed
from minhu.privacy.file_names import told
from minhu.settings import Settings

Kind = TypeVar("Kind", bound=Declared)


@dataclass(frozen=True)
class Wanted:
    """What is asked of a source. ``cursor``: what the last committed fetch of this delivery left behind, if anything.

    ``folder``: a private folder of this fetch, for what is downloaded; it is removed afterwards.
    """

    settings: Settings
    feed: Feed
    delivery: Delivery
    business_date: date
    cursor: str | None
    folder: Path

    def source(self, kind: type[Kind]) -> Kind:
        """The declared source, which is of this kind: `fetch` chose by it."""
        if not isinstance(self.delivery.source, kind):
            raise TypeError(f"{self.delivery.source.type} is no {kind.__name__}")
        return self.delivery.source


@dataclass(frozen=True)
class Fetched:
    """One file that arrived. ``name`` tells where it came from; it never holds a secret, and people see it as `named`.

    ``control_total``: how many rows the sender says there are. ``arrived``: how many of these came, where not every row
    of the file is one of them: pages that shift while they are read give a row twice and another never. ``cursor``:
    where the next fetch goes on; it is stored in the transaction that commits the batch. ``identity``: a sha256 that
    stands for the content where the bytes differ from pull to pull (an API's canonical rows); the bytes' own unless
    given. ``after_commit`` runs once the rows are safe, also when they were already; it may be run again.
    """

    path: Path
    name: str
    control_total: int | None = None
    arrived: int | None = None
    cursor: str | None = None
    identity: str | None = None
    after_commit: Callable[[], None] | None = None


@dataclass(frozen=True)
class NotFetched:
    """One file of several that could not be had; the others come all the same."""

    name: str
    error: Exception


def named(name: str, feed: Feed, delivery: Delivery) -> str:
    """``name`` of a file as people may see it; what the declaration says itself is nobody's."""
    declared = delivery.source.model_dump(include={"path", "url", "endpoint", "host"})
    return told(name, (feed.name, feed.owner, *map(str, declared.values())))


def control_total(written: str) -> int | None:
    """The number of rows a done file tells: bare, or ``rows`` of a JSON object; None where it tells none."""
    text = written.strip()
    if text.startswith("{"):
        try:
            text = str(json.loads(text).get("rows", ""))
        except json.JSONDecodeError:
            return None
    return int(text) if text.isascii() and text.isdigit() else None

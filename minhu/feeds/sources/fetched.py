"""What is asked of a source, and what comes of it: the words that every kind of source speaks."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeVar

from minhu.declaration import Declared
from minhu.feeds.feed import Delivery, Feed
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
    """One file that arrived. ``name`` tells people where it came from; it never holds a secret.

    ``control_total``: how many rows the sender says there are. ``cursor``: where the next fetch goes on; it is stored
    in the transaction that commits the batch. ``identity``: a sha256 that stands for the content where the bytes differ
    from pull to pull (an API's canonical rows); the bytes' own unless given. ``after_commit`` runs once the rows are
    safe, also when they were already; it may be run again.
    """

    path: Path
    name: str
    control_total: int | None = None
    cursor: str | None = None
    identity: str | None = None
    after_commit: Callable[[], None] | None = None


def control_total(told: str) -> int | None:
    """The number of rows a done file tells: bare, or ``rows`` of a JSON object; None where it tells none."""
    text = told.strip()
    if text.startswith("{"):
        try:
            text = str(json.loads(text).get("rows", ""))
        except json.JSONDecodeError:
            return None
    return int(text) if text.isascii() and text.isdigit() else None

"""What is asked of a source, and what comes of it: the words that every kind of source speaks."""

import json
import re
import unicodedata
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


UNREAD = -1
"""A count that a sender told and nobody can read: it holds the batch, for a check that is off in silence is none."""
_KEYS = ("rows", "row_count", "count", "total", "records", "行数", "记录数", "总数", "条数")
_NUMBER = re.compile(r"[0-9]{1,3}(?:[,'][0-9]{3})+|[0-9]+")
_CHECKSUM = re.compile(r"\b[0-9a-f]{32,128}\b", re.IGNORECASE)
_IN_WORDS = re.compile(r"[一二三四五六七八九十百千万零两]+\s*[行条件笔]")


def control_total(written: str) -> int | None:
    """The number of rows that a done file tells; None where it tells none, UNREAD where nobody can say which.

    Bare (``1000``, ``1,000``, ``１０００``), with a word around it (``1000 行``), or of a JSON object under ``rows`` or
    its like. Words without a number are no count, nor is a checksum.
    """
    text = unicodedata.normalize("NFKC", written.replace("\x00", "")).strip("\ufeff\u200b\ufffd \t\r\n")
    if not text.startswith("{"):
        return _count(text)
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        return UNREAD
    found = [given[key] for key in _KEYS if key in given]
    return _count(str(found[0])) if found else None


def _count(text: str) -> int | None:
    bare = _CHECKSUM.sub("", text)
    numbers = _NUMBER.findall(bare)
    if len(numbers) == 1 and not re.search(r"[-.+]\s*[0-9]|[0-9]\s*[.,]\s*$|[0-9][.]", bare) and len(numbers[0]) < 16:
        return int(re.sub("[,']", "", numbers[0]))
    is_count = bare == text and (numbers or _IN_WORDS.search(bare))
    return UNREAD if is_count else None

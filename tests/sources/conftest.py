"""Real servers on loopback, and what a source is asked."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from minhu.feeds.feed import Feed
from minhu.feeds.sources import http
from minhu.feeds.sources.fetch import fetch
from minhu.feeds.sources.fetched import Fetched, NotFetched, Wanted
from minhu.settings import Settings
from tests import given
from tests.sources.web import Web

DAY = date(2026, 10, 12)


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as served:
        yield served


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    """The waits between attempts, told instead of waited."""
    told: list[float] = []
    monkeypatch.setattr(http, "sleep", told.append)
    return told


@pytest.fixture
def pull(tmp_path) -> Callable[..., list[Fetched]]:
    """Fetches what a declared source holds; raises what one of its files could not be had for."""

    def ask(source: dict, cursor: str | None = None, day: date = DAY) -> list[Fetched]:
        given = list(fetch(wanted(tmp_path, source, cursor, day)))
        if failed := [one for one in given if isinstance(one, NotFetched)]:
            raise failed[0].error
        return given

    return ask


def wanted(folder: Path, source: dict, cursor: str | None = None, day: date = DAY) -> Wanted:
    feed = Feed.model_validate(given.feed(deliveries=[given.CASES | {"source": source}]))
    settings = Settings(home=folder / "home", config=folder, drop=folder / "drop", database_url=None)
    (folder / "fetched").mkdir(exist_ok=True)
    return Wanted(settings, feed, feed.delivery("cases"), day, cursor, folder / "fetched")

"""Open311 GeoReport v2 servers: the service requests of the last days, window by window, and their services.

The standard's limits (https://wiki.open311.org/GeoReport_v2/): a window of at most 90 days, at most 1000 requests.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from minhu.errors import BadDelivery, Refused
from minhu.feeds.sources import Open311
from minhu.feeds.sources.fetched import Fetched, Wanted
from minhu.feeds.sources.http import Connection, shown
from minhu.feeds.sources.pages import Gathered
from minhu.feeds.sources.rest import pages_of

_SHORTEST = timedelta(minutes=1)
Window = tuple[datetime, datetime]


def fetch_open311(wanted: Wanted) -> Iterator[Fetched]:
    """One file with the requests of all windows up to the end of the business date; none when there is no request.

    Windows meet at their edges: a request that two of them hold counts as a duplicate row. Raises as `fetch_rest`.
    """
    source = wanted.source(Open311)
    pages = pages_of(source.format, "request" if source.format == "xml" else "", wanted.delivery)
    gathered = Gathered(wanted.folder / f"requests.{source.format}", pages, source.volatile)
    url = _address(source, "requests")
    with gathered, Connection(source, url) as connection:
        for window in _windows(wanted):
            for rows in _window(source, connection, url, pages, window):
                gathered.add(rows)
            gathered.new_window()
        identity = gathered.finish()
    if gathered.count:
        yield Fetched(gathered.path, shown(httpx.URL(url)), identity=identity)


def discover(source: Open311) -> list[dict]:
    """The services that the server offers, one mapping each with the standard's names (``service_code``, …)."""
    pages, url = pages_of(source.format, "service" if source.format == "xml" else ""), _address(source, "services")
    with Connection(source, url) as connection:
        page, _ = connection.ask(url, _jurisdiction(source), pages.parse)
    if source.format == "json":
        return list(pages.rows(page))
    return [{child.tag: child.text for child in row if isinstance(child.tag, str)} for row in pages.rows(page)]


def _address(source: Open311, what: str) -> str:
    return f"{source.endpoint.rstrip('/')}/{what}.{source.format}"


def _jurisdiction(source: Open311) -> dict[str, str]:
    return {"jurisdiction_id": source.jurisdiction} if source.jurisdiction else {}


def _windows(wanted: Wanted) -> Iterator[Window]:
    """From the first day asked for to the end of the business date, in days of the feed's zone."""
    source, zone = wanted.source(Open311), ZoneInfo(wanted.feed.timezone)
    first, past = wanted.business_date - timedelta(source.lookback_days), wanted.business_date + timedelta(1)
    while first < past:
        until = min(first + timedelta(source.window_days), past)
        yield datetime.combine(first, time(), zone), datetime.combine(until, time(), zone)
        first = until


def _window(source: Open311, connection: Connection, url: str, pages: Any, window: Window) -> Iterator[list]:
    """The pages of one window. Without paging, a window that the server fills to its limit is asked for in halves."""
    params = _params(source, window)
    if source.paged:
        yield from _paged(source, connection, url, pages, params)
        return
    page, _ = connection.ask(url, params, pages.parse)
    rows, (start, end) = pages.rows(page), window
    if len(rows) < source.most:
        yield rows
    elif end - start <= _SHORTEST:
        raise BadDelivery("MISSING_PAGE", f"{len(rows)} requests in one minute: more than the server gives at once")
    else:
        middle = start + (end - start) / 2
        yield from _window(source, connection, url, pages, (start, middle))
        yield from _window(source, connection, url, pages, (middle, end))


def _paged(source: Open311, connection: Connection, url: str, pages: Any, params: dict[str, str]) -> Iterator[list]:
    for number in range(1, source.max_pages + 1):
        place = {"page": str(number), "page_size": str(source.page_size)}
        page, _ = connection.ask(url, params | place, pages.parse)
        if not (rows := pages.rows(page)):
            return
        yield rows
    raise Refused(f"more than {source.max_pages} pages; raise max_pages if that is right")


def _params(source: Open311, window: Window) -> dict[str, str]:
    start, end = (at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for at in window)
    codes = {"service_code": ",".join(source.service_codes)} if source.service_codes else {}
    return _jurisdiction(source) | codes | {"start_date": start, "end_date": end}

"""HTTP interfaces in JSON or XML: asks for every page, keeps all records in one file."""

from collections.abc import Iterator
from typing import Any

import httpx

from minhu.errors import BadDelivery, Refused
from minhu.feeds.feed import Delivery
from minhu.feeds.sources import ByCursor, ByLink, ByOffset, ByPage, Rest
from minhu.feeds.sources.cursors import latest, since
from minhu.feeds.sources.dated import dated
from minhu.feeds.sources.fetched import Fetched, Wanted
from minhu.feeds.sources.http import Connection, shown
from minhu.feeds.sources.pages import Gathered, JsonPages, XmlPages


def fetch_rest(wanted: Wanted) -> Iterator[Fetched]:
    """One file with the records of all pages; none when there is no record.

    Raises Retryable, Refused, BadDelivery (WRONG_CONTENT_TYPE, UNREADABLE, REPEATED_PAGE, MISSING_PAGE, BAD_CURSOR).
    """
    source, zone = wanted.source(Rest), wanted.feed.timezone
    pages = pages_of(source.format, source.records, wanted.delivery)
    gathered = Gathered(wanted.folder / f"records.{source.format}", pages, source.volatile, _key(wanted.delivery))
    total, cursor = None, wanted.cursor
    url = dated(source.url, wanted.business_date)
    with gathered, Connection(source, url) as connection:
        for page in _pages(wanted, connection, url, pages):
            rows = pages.rows(page)
            gathered.add(rows)
            if source.cursor:
                values = (pages.value(row, source.cursor.field) for row in rows)
                cursor = latest(values, cursor, source.cursor, zone, wanted.business_date)
            if source.total:
                total = _total(pages.value(page, source.total), source.total)
            if _all_arrived(source, gathered.different, total):
                break
        identity = gathered.finish()
    if total is not None and gathered.count < total:
        raise BadDelivery("MISSING_PAGE", f"the sender counts {total} rows, {gathered.count} came: a page is missing")
    if gathered.count:
        reached = cursor if source.cursor else None
        yield Fetched(gathered.path, shown(httpx.URL(url)), total, gathered.different, reached, identity)


def _key(delivery: Delivery) -> str | None:
    """The field that tells one case from another; a list that is only ever added to may tell of one case often."""
    return delivery.mapping("case_no").source if delivery.kind == "case" and delivery.mode != "append" else None


def pages_of(format: str, records: str, delivery: Delivery | None = None) -> JsonPages | XmlPages:
    """How answers are read: as a file of the delivery is."""
    kind = XmlPages if format == "xml" else JsonPages
    encoding = getattr(delivery.format, "encoding", None) if delivery and delivery.format.type == format else None
    return kind(records, encoding) if encoding else kind(records)


def _pages(wanted: Wanted, connection: Connection, url: str, pages: JsonPages | XmlPages) -> Iterator[Any]:
    """Page after page, up to an empty one or one that names none after it."""
    source = wanted.source(Rest)
    place, params = _first(source), _params(wanted)
    asked: set[tuple[str, ...]] = set()
    received = 0
    for _ in range(source.max_pages):
        page, headers = connection.ask(url, params | place, pages.parse, source.method)
        yield page
        asked.add((url, *place.values()))
        rows = len(pages.rows(page))
        received += rows
        if isinstance(source.pagination, ByLink):
            url, params = _linked(headers), {}
            following: dict[str, str] | None = {} if url else None
        else:
            following = _next(source, pages, page, rows, received, place)
        if following is None:
            return
        place = following
        if (url, *place.values()) in asked:
            raise BadDelivery("REPEATED_PAGE", "the answer names as its next page one that came before")
    raise Refused(f"more than {source.max_pages} pages; raise max_pages if that is right")


def _params(wanted: Wanted) -> dict[str, str]:
    source = wanted.source(Rest)
    params = {name: dated(value, wanted.business_date) for name, value in source.params.items()}
    if source.cursor:
        start = since(source.cursor, wanted.cursor, wanted.feed.timezone)
        params |= {source.cursor.param: start} if start is not None else {}
    return params


def _first(source: Rest) -> dict[str, str]:
    match source.pagination:
        case ByPage(param=param, first=first) as by:
            return {param: str(first)} | ({by.size_param: str(by.size)} if by.size_param else {})
        case ByOffset(param=param) as by:
            return {param: "0"} | ({by.size_param: str(by.size)} if by.size_param else {})
    return {}


def _next(
    source: Rest, pages: JsonPages | XmlPages, page: Any, rows: int, received: int, place: dict[str, str]
) -> dict[str, str] | None:
    """The parameters of the page after this one, or None at the end."""
    match source.pagination:
        case ByPage(param=param) if rows:
            return place | {param: str(int(place[param]) + 1)}
        case ByOffset(param=param) if rows:
            return place | {param: str(received)}
        case ByCursor(param=param, next=path) if token := pages.value(page, path):
            return {param: token}
    return None


def _linked(headers: httpx.Headers) -> str:
    """The address of the next page in the Link header; empty when there is none."""
    return httpx.Response(200, headers=headers).links.get("next", {}).get("url", "")


def _total(told: str | None, path: str) -> int:
    if told is None or not told.isdecimal():
        raise BadDelivery("UNREADABLE", f"the answer has no count of rows at {path!r}; mend source.total")
    return int(told)


def _all_arrived(source: Rest, count: int, total: int | None) -> bool:
    """By page or offset the count ends the pull; a cursor or link tells the end itself."""
    return total is not None and count >= total and isinstance(source.pagination, ByPage | ByOffset)

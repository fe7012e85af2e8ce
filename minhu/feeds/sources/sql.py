"""Another database through SQLAlchemy: the rows of a query as a CSV file in UTF-8, read with a server-side cursor."""

import csv
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy
from sqlalchemy import exc
from sqlalchemy.engine import URL, Connection, Engine, make_url

from minhu.errors import BadDelivery, Refused, foreign
from minhu.feeds.sources import Increment, SqlQuery
from minhu.feeds.sources.cursors import latest, point, since
from minhu.feeds.sources.fetched import Fetched, Wanted
from minhu.feeds.sources.secrets import secret

_CHUNK = 10_000
_DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
}


def fetch_sql(wanted: Wanted) -> Iterator[Fetched]:
    """One CSV file with the query's rows; none when there is no row.

    Raises Retryable when the database is away, Refused when it does not let us in or the query is wrong.
    """
    source = wanted.source(SqlQuery)
    path = wanted.folder / "rows.csv"
    url = _address(source)
    with foreign.told("sql", where=url.host or url.drivername, driver=url.drivername):
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool, connect_args=_connect_args(url))
        with engine.connect() as connection:
            count, cursor, identity = _write(connection, engine, wanted, path)
    if count:
        yield Fetched(path, f"{url.host or url.drivername}/{url.database or ''}", cursor=cursor, identity=identity)


def _address(source: SqlQuery) -> URL:
    text = source.url or secret(source.secret or "")
    try:
        url = make_url(text)
    except (exc.ArgumentError, ValueError):
        raise Refused("the database's address cannot be read: it must be like postgresql://user@host/base") from None
    if source.url and source.secret:
        url = url.set(password=secret(source.secret))
    return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))


def _connect_args(url: URL) -> dict[str, Any]:
    """PyMySQL writes a password that is text in Latin-1; the server knows it in UTF-8."""
    return {"password": url.password.encode()} if url.drivername == "mysql+pymysql" and url.password else {}


def _write(connection: Connection, engine: Engine, wanted: Wanted, path: Any) -> tuple[int, str | None, str]:
    """Writes the file; returns the number of rows, the new cursor, and what stands for the content."""
    source, hashes, cursor = wanted.source(SqlQuery), [], wanted.cursor
    options = {"stream_results": True, "max_row_buffer": _CHUNK}
    if engine.dialect.name == "postgresql":
        options["postgresql_readonly"] = True
    if engine.dialect.name in ("mysql", "mariadb"):
        with suppress(exc.DBAPIError):  # some of MySQL's kin, such as TiDB, know no read-only transaction
            connection.exec_driver_sql("set session transaction read only")
    rows = connection.execution_options(**options).execute(sqlalchemy.text(source.query), _binds(wanted))
    names = list(rows.keys())
    at = _position(names, source)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")  # so that a lone CR in a value is quoted as LF is
        writer.writerow(names)
        for chunk in rows.partitions(_CHUNK):
            texts = [[_text(value) for value in row] for row in chunk]
            writer.writerows(texts)
            hashes += [_hash(row) for row in texts]
            if at is not None and source.cursor:
                values, zone = (row[at] for row in texts), wanted.feed.timezone
                cursor = latest(values, cursor, source.cursor, zone, wanted.business_date)
    identity = hashlib.sha256(b"".join([_hash(names), *sorted(hashes)])).hexdigest()
    return len(hashes), cursor if source.cursor else None, identity


def _binds(wanted: Wanted) -> dict[str, Any]:
    """What the query names of ``:date`` and ``:cursor``; a cursor is bound as the number or time that it is."""
    source = wanted.source(SqlQuery)
    binds: dict[str, Any] = {"date": wanted.business_date}
    if source.cursor:
        start = since(source.cursor, wanted.cursor, wanted.feed.timezone)
        binds["cursor"] = _bound(start, source.cursor, wanted.feed.timezone) if start is not None else None
    named = sqlalchemy.text(source.query).compile().params
    if missing := sorted(set(named) - set(binds)):
        raise Refused(f"the query names :{missing[0]}, which is neither :date nor a declared :cursor")
    return {name: binds[name] for name in named}


def _bound(start: str, cursor: Increment, zone: str) -> Any:
    if cursor.format == "iso":
        at, naive = point(start, cursor, zone), datetime.fromisoformat(start).tzinfo is None
        return at.replace(tzinfo=None) if naive else at
    if cursor.format == "number":
        return int(start) if start.lstrip("-").isdecimal() else Decimal(start)
    return start


def _position(names: list[str], source: SqlQuery) -> int | None:
    if source.cursor is None:
        return None
    if source.cursor.field not in names:
        raise Refused(f"the query has no column {source.cursor.field!r}, which cursor.field names")
    return names.index(source.cursor.field)


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat(sep=" ")
        case date() | time():
            return value.isoformat()
        case timedelta():
            return _duration(value)
        case Decimal():
            return format(value, "f")
        case bytes() | memoryview():
            raise BadDelivery("UNREADABLE", "the query yields binary data; leave that column out")
        case dict() | list():
            return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return str(value)


def _duration(value: timedelta) -> str:
    """MySQL's times of day and everybody's intervals: ``08:30:00``, ``-26:00:00``."""
    whole, rest = divmod(abs(value), timedelta(seconds=1))
    told = f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}" + (f".{rest.microseconds:06}" if rest else "")
    return f"-{told}" if value < timedelta(0) else told


def _hash(row: Sequence[str]) -> bytes:
    return hashlib.sha256(json.dumps(row).encode()).digest()

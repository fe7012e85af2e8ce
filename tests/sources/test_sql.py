"""Other databases: PostgreSQL on the test server, SQLite beside it."""

import csv
import sqlite3

import psycopg
import pytest
import sqlalchemy

from minhu.errors import Refused, Retryable
from minhu.feeds.formats import Csv
from minhu.feeds.formats.read import read
from tests.sources.conftest import DAY

CURSOR = {"field": "changed_at", "initial": "2000-01-01"}


@pytest.fixture(scope="module")
def other(warehouse) -> str:
    """The address of a PostgreSQL database with 25,000 requests, one a minute up to 08:00 of the day."""
    with psycopg.connect(warehouse.database_url) as connection:
        connection.execute(
            "create table request as select number as id, '路灯,\"不亮\"' || number as content,"
            " 1.50::numeric as amount,"
            " timestamptz '2026-10-12 08:00:00+08' - number * interval '1 minute' as changed_at,"
            " case when number % 2 = 0 then 'x' end as note from generate_series(0, 24999) as number"
        )
        connection.execute("create sequence counted")
    return warehouse.database_url


@pytest.fixture
def secret(monkeypatch, other):
    monkeypatch.setenv("MINHU_SECRET_OTHER", other)


def source(**changes) -> dict:
    return {"type": "sql", "secret": "other", "query": "select * from request order by id"} | changes


def rows(fetched) -> list[dict]:
    with fetched.path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_query_is_a_csv_that_the_format_reads(secret, pull):
    [fetched] = pull(source())
    frame = read(fetched.path, Csv(type="csv"))
    assert frame.height == 25_000
    first = frame.row(0, named=True)
    assert (first["id"], first["content"], first["amount"], first["note"]) == ("0", '路灯,"不亮"0', "1.50", "x")
    assert first["changed_at"].startswith("2026-10-12 ") and "@" not in fetched.name


def test_a_pull_goes_on_after_the_last_time_less_the_lag(secret, pull):
    query = "select id, changed_at from request where changed_at > :cursor and changed_at < :date ::date + 1"
    [first] = pull(source(query=query, cursor=CURSOR))
    assert len(rows(first)) == 25_000
    assert pull(source(query=query, cursor=CURSOR), first.cursor) == []
    [overlap] = pull(source(query=query, cursor=CURSOR | {"lag_minutes": 10}), first.cursor)
    assert len(rows(overlap)) == 10
    assert overlap.cursor == first.cursor


def test_a_pull_goes_on_by_key(secret, pull):
    cursor = {"field": "id", "format": "number", "initial": "0", "lag": 2}
    [fetched] = pull(source(query="select id from request where id > :cursor", cursor=cursor), "24990")
    assert len(rows(fetched)) == 11 and fetched.cursor == "24999"


def test_the_content_is_the_same_in_whatever_order(secret, pull):
    one = pull(source(query="select id, note from request order by id"))[0].identity
    assert pull(source(query="select id, note from request order by id desc"))[0].identity == one
    assert pull(source(query="select id, note from request where id > 0"))[0].identity != one


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("select nothing from request", "UndefinedColumn 42703"),
        ("select nextval('counted')", "ReadOnlySqlTransaction 25006"),
        ("select :what from request", "neither :date nor"),
        ("with gone as (delete from request returning id) select id from gone", "FeatureNotSupported 0A000"),
    ],
)
def test_a_wrong_query_is_refused(secret, pull, query, told):
    with pytest.raises(Refused, match=told):
        pull(source(query=query))


def test_a_wrong_password_or_a_server_away_tells_no_secret(pull, other, monkeypatch):
    away = sqlalchemy.make_url("mysql://reader@127.0.0.1:1/base").render_as_string()
    monkeypatch.setenv("MINHU_SECRET_OTHER", "s3cr3t-value")
    for url in (away, "postgresql://reader@127.0.0.1:1/base"):
        with pytest.raises(Retryable) as failure:
            pull(source(url=url))
        assert "s3cr3t" not in str(failure.value)
    monkeypatch.setenv("MINHU_SECRET_OTHER", "nonsense s3cr3t-value")
    with pytest.raises(Refused) as refusal:
        pull(source())
    assert "s3cr3t" not in str(refusal.value)


def test_sqlite_too(pull, tmp_path):
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("create table request (id integer, day text)")
        connection.execute("insert into request values (1, '2026-10-12'), (2, '2026-10-11')")
    connection.close()
    query = "select id from request where day = :date"
    [fetched] = pull(source(url=f"sqlite:///{tmp_path / 'other.db'}", secret=None, query=query), day=DAY)
    assert rows(fetched) == [{"id": "1"}]

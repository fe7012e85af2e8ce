"""Other databases: PostgreSQL on the test server, MariaDB where it is installed, SQLite beside them."""

import csv
import sqlite3
from collections.abc import Iterator

import psycopg
import pymysql
import pytest
import sqlalchemy
from sqlalchemy import exc

from minhu.errors import BadDelivery, Refused, Retryable, foreign
from minhu.feeds.formats import Csv
from minhu.feeds.formats.read import read
from minhu.feeds.sources import sql
from tests.sources import servers
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


# -- MariaDB, by a MySQL address ----------------------------------------------------------------------------------

REQUESTS = """
create database hotline character set utf8mb4;
create table hotline.request (id bigint unsigned primary key, content text, amount decimal(9, 2), is_open tinyint(1),
    changed_at datetime(3), day date, opens time, details json, photo blob);
insert into hotline.request select seq, concat('路灯,"不亮"😀\\n', seq), 1.5, null,
    timestamp '2026-10-12 08:00:00.250' - interval seq minute, '2026-10-12', '08:30:00', '{"级": 1}', null
    from hotline.seq_0_to_24999;
create user reader@127.0.0.1 identified by 'pässw0rd';
create sequence hotline.counted;
grant select, insert on hotline.* to reader@127.0.0.1;
"""


@pytest.fixture(scope="module")
def mysql(home) -> Iterator[int]:
    """The port of a server with 25,000 requests, one a minute up to 08:00 of the day."""
    folder = home / "mariadb"
    folder.mkdir()
    with servers.mariadb(folder) as port:
        with pymysql.connect(host="127.0.0.1", port=port, user="root", autocommit=True) as connection:
            cursor = connection.cursor()
            for statement in REQUESTS.strip().split(";\n"):
                cursor.execute(statement)
        yield port


@pytest.fixture
def from_mysql(mysql, monkeypatch):
    monkeypatch.setenv("MINHU_SECRET_OTHER", "pässw0rd")

    def make(query: str, **changes) -> dict:
        return source(url=f"mysql://reader@127.0.0.1:{mysql}/hotline", query=query) | changes

    return make


def test_mysql_gives_a_csv_that_the_format_reads(from_mysql, pull, mysql):
    [fetched] = pull(from_mysql("select * from request order by id"))
    frame = read(fetched.path, Csv(type="csv"))
    assert frame.height == 25_000
    assert frame.row(7) == (
        *("7", '路灯,"不亮"😀\n7', "1.50", None, "2026-10-12 07:53:00.250000", "2026-10-12"),
        *("08:30:00", '{"级": 1}', None),
    )
    assert fetched.name == "127.0.0.1/hotline"
    by_its_name = from_mysql(
        "select * from request order by id desc", url=f"mariadb://reader@127.0.0.1:{mysql}/hotline"
    )
    assert pull(by_its_name)[0].identity == fetched.identity


def test_durations_have_hours_not_days(secret, pull):
    query = "select interval '26:00:00' as a, interval '-1 day -2:30' as b, interval '0.5 second' as c"
    assert rows(pull(source(query=query))[0]) == [{"a": "26:00:00", "b": "-26:30:00", "c": "00:00:00.500000"}]


def test_mysql_still_sends_while_the_first_rows_are_written(from_mysql, pull, mysql, monkeypatch):
    """Were the result fetched whole, the server would have done with the query by then."""
    states, of = [], sql._hash

    def look(row):
        if not states:
            with pymysql.connect(host="127.0.0.1", port=mysql, user="root") as connection:
                cursor = connection.cursor()
                cursor.execute("select command, info from information_schema.processlist where user = 'reader'")
                states.extend(cursor.fetchall())
        return of(row)

    monkeypatch.setattr(sql, "_CHUNK", 100)
    monkeypatch.setattr(sql, "_hash", look)
    query = "select id, repeat('路灯不亮', 500) as content from request"
    [fetched] = pull(from_mysql(query))
    assert len(rows(fetched)) == 25_000
    assert states == [("Query", query)]


@pytest.mark.parametrize(("code", "told"), [(1205, Retryable), (1317, Retryable), (2013, Retryable), (1054, Refused)])
def test_an_error_of_mysql_that_passes_is_asked_again_later(code, told):
    failure = exc.OperationalError("select 1", {}, pymysql.err.OperationalError(code, "s3cr3t-value"))
    answer = foreign.as_ours(failure, "sql", where="here")
    assert isinstance(answer, told) and f"here: OperationalError {code}" in str(answer) and "s3cr3t" not in str(answer)


def test_mysql_goes_on_after_the_last_time_less_the_lag(from_mysql, pull):
    query = "select id, changed_at from request where changed_at > :cursor and changed_at < :date + interval 1 day"
    [first] = pull(from_mysql(query, cursor=CURSOR))
    assert (len(rows(first)), first.cursor) == (25_000, "2026-10-12 08:00:00.250000")
    assert pull(from_mysql(query, cursor=CURSOR), first.cursor) == []
    [overlap] = pull(from_mysql(query, cursor=CURSOR | {"lag_minutes": 10}), first.cursor)
    assert (len(rows(overlap)), overlap.cursor) == (10, first.cursor)
    by_key = {"field": "id", "format": "number", "initial": "0", "lag": 2}
    [fetched] = pull(from_mysql("select id from request where id > :cursor", cursor=by_key), "24990")
    assert (len(rows(fetched)), fetched.cursor) == (11, "24999")


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("select nothing from request", "1054"),
        ("select 1 from nowhere", "1146"),
        ("select from where", "1064"),
        ("select nextval(counted)", "1792"),
        ("select photo from request union select x'00'", "binary data"),
    ],
)
def test_a_wrong_query_is_refused_by_mysql(from_mysql, pull, query, told):
    with pytest.raises((Refused, BadDelivery), match=told):
        pull(from_mysql(query))


def test_mysql_that_does_not_let_in_tells_no_secret(from_mysql, mysql, pull, monkeypatch):
    with pytest.raises(Refused, match="1044: it does not let us in"):
        pull(from_mysql("select 1", url=f"mysql://reader@127.0.0.1:{mysql}/elsewhere"))
    with pytest.raises(Refused, match="does not let us in"):
        pull(from_mysql("select 1 from mysql.user"))
    monkeypatch.setenv("MINHU_SECRET_OTHER", "s3cr3t-value")
    with pytest.raises(Refused, match="does not let us in") as refusal:
        pull(from_mysql("select 1"))
    assert "s3cr3t" not in str(refusal.value)

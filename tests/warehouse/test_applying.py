"""A build's tables enter beside its models: in one transaction, of which the first complaint is told."""

import time
from threading import Event

import psycopg
import pytest

from minhu import database
from minhu.warehouse.applying import DIMENSIONS, EVIDENCE, FACTS, Applying


@pytest.fixture
def connection(scratch):
    with database.connect(scratch()) as connection:
        yield connection


def test_the_first_complaint_is_told(connection, monkeypatch):
    asked = []
    monkeypatch.setattr("minhu.warehouse.applying.replace_rows", lambda _, table, *rest, **more: asked.append(table))

    def fail():
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), Applying(connection) as applying:
        applying.begin(fail)
        applying.made("fct_case")
        applying.finish()
    assert asked[0] == "fct_case"


def test_each_table_is_applied_once_and_in_the_order_in_which_they_were_made(connection, monkeypatch):
    asked = []

    def replace(_, table, *rest, **more):
        asked.append(table)
        return len(table)

    monkeypatch.setattr("minhu.warehouse.applying.replace_rows", replace)
    with Applying(connection) as applying:
        for table in ("dim_date", "int_case__winning", "fct_event", "dim_date"):
            applying.made(table)
        rows = applying.finish()
    assert asked[:2] == ["dim_date", "fct_event"]
    assert sorted(asked) == sorted((*FACTS, *EVIDENCE, *DIMENSIONS))
    assert rows == {table: len(table) for table in (*FACTS, *DIMENSIONS)}


def test_who_leaves_it_by_an_exception_waits_for_nothing(connection):
    runs, cancelled = Event(), []

    def work():
        runs.set()
        try:
            connection.execute("select pg_sleep(60)")
        except psycopg.errors.QueryCanceled as error:
            cancelled.append(error)
            raise

    with pytest.raises(ValueError, match="a model failed"), Applying(connection) as applying:
        applying.begin(work)
        applying.made("fct_case")
        runs.wait()
        time.sleep(0.5)  # the server has begun
        raise ValueError("a model failed")
    assert len(cancelled) == 1
    connection.rollback()
    with pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("select from build.fct_case")

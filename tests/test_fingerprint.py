"""What `python -m bench.fingerprint` says of two states of a warehouse."""

import json

import pytest
from click.testing import CliRunner

from bench import month
from bench.fingerprint import COMPARED_IN_PART, LEFT_OUT, compare, fingerprint, rows_of
from minhu import database


@pytest.fixture(scope="module")
def connection(warehouse):
    with database.connect(warehouse, autocommit=True) as connection:
        connection.execute("create table mart.tried (number integer primary key, amount numeric, words text)")
        connection.execute("insert into mart.tried values (10, 1.50, '一'), (9, null, '二')")
        connection.execute("create view mart.tried_shown as select words from mart.tried")
        connection.execute("insert into audit.attempt (feed_code, delivery, business_date, source_name, outcome)"
                           " values ('h1', 'cases', '2026-10-01', 'x', 'nothing_delivered')")  # fmt: skip
        yield connection


@pytest.fixture
def told(connection, tmp_path):
    """What is said when a statement has been run between two fingerprints, and undone."""

    def run(statement, *options):
        outs = tmp_path / "before.json", tmp_path / "after.json"
        with connection.transaction(force_rollback=True):
            for out in outs:
                out.write_text(json.dumps(fingerprint(connection, rows_of(out))))
                connection.execute(statement)
        found = CliRunner().invoke(compare, [*map(str, outs), *options])
        return found.exit_code, found.output

    return run


def test_the_same_rows_are_equal_in_whatever_order_they_lie(told):
    code, said = told("update mart.tried set words = words where number = 10")
    assert code == 0 and said.endswith("tables equal, 0 differ\n") and said.count("\n") == 1


def test_a_change_is_told_with_its_key_and_both_values(told):
    code, said = told("update mart.tried set amount = 1.5 where number = 10")
    assert code == 1
    assert "mart.tried: 2 rows, 2 after\n  amount: 1 rows differ, in 1 ways\n" in said
    assert "    1 rows, first number=10:\n      1.50\n      1.5\n" in said


def test_rows_that_come_and_go_are_counted(told):
    code, said = told("update mart.tried set number = 11 where number = 10")
    assert code == 1 and "1 rows only before, first number=10\n  1 rows only after, first number=11\n" in said


def test_every_distinct_change_is_told_when_asked(told):
    statement = "update mart.tried set words = words || '!'"
    assert "      二!\n" not in told(statement)[1]
    code, said = told(statement, "--every")
    assert code == 1 and "      一!\n" in said and "      二!\n" in said
    assert "mart.tried_shown: 2 rows, 2 after\n  2 rows only before, first words=一\n" in said


def test_a_new_column_is_listed_and_the_rest_compared(told):
    code, said = told("alter table mart.tried add column if not exists extra text default 'x'")
    assert code == 0 and "+extra, not compared" in said and "rows differ" not in said
    code, said = told("alter table mart.tried drop column if exists amount")
    assert code == 1 and "  -amount" in said


def test_a_clock_is_not_compared(told):
    assert told("update audit.attempt set attempted_at = attempted_at + interval '1 hour'")[0] == 0


def test_every_column_that_is_left_out_exists(connection):
    columns = connection.execute(
        "select table_schema || '.' || table_name, column_name from information_schema.columns"
    ).fetchall()
    listed = {(table, column) for some in (LEFT_OUT, COMPARED_IN_PART) for table in some for column in some[table]}
    assert listed - set(columns) == set()


def test_the_owner_is_found_where_newer_and_older_code_has_him(tmp_path, monkeypatch):
    city = month.Installation(tmp_path, tmp_path, tmp_path)
    monkeypatch.setattr(month.Installation, "minhu", lambda *_: '{"postgres": {"address": "127.0.0.1:5432"}}')
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "postgres-password").write_text("old\n")
    assert city.address() == "postgresql://minhu:old@127.0.0.1:5432/warehouse"
    (secrets / "minhu_owner-password").write_text("new\n")
    assert city.address() == "postgresql://minhu_owner:new@127.0.0.1:5432/warehouse"
    assert city.address("gu", "p@ss") == "postgresql://gu:p%40ss@127.0.0.1:5432/warehouse"

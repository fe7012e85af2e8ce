"""Moving what was built into what is read: only what changed is written, and nothing is lost."""

import psycopg
import pytest

from minhu import database
from minhu.warehouse.apply import replace_rows

STALE = "case_id in (select case_id from build.touched_case where is_rebuilt)"


@pytest.fixture
def made(scratch):
    """A table of mart with cases a to d, of which build touched a, b and c and made a as it was, b anew, d never."""
    settings = scratch()
    with database.connect(settings) as connection:
        connection.execute(
            """
            create table mart.made (case_id text, at integer primary key, said text, on_day date);
            insert into mart.made values
                ('a', 1, null, '2026-10-01'), ('b', 2, 'old', null), ('c', 3, 'gone', null), ('d', 4, 'far', null);
            create table build.made (said text, on_day date, case_id text, at bigint);
            insert into build.made values (null, '2026-10-01', 'a', 1), ('new', null, 'b', 2), ('more', null, 'b', 5);
            truncate build.touched_case;
            insert into build.touched_case (case_id, feed_code, case_no, is_rebuilt)
            values ('a', 'h1', 'a', true), ('b', 'h1', 'b', true), ('c', 'h1', 'c', true), ('d', 'h1', 'd', false)
            """
        )
        yield connection
        connection.rollback()


def lying(connection):
    return {at: (where, said) for at, where, said in connection.execute("select at, ctid::text, said from mart.made")}


def test_rows_that_are_as_they_were_stay_where_they_lie(made):
    before = lying(made)
    assert replace_rows(made, "made", STALE) == 3
    after = lying(made)
    assert after[1] == before[1] and after[4] == before[4]
    assert after[2][1] == "new" and after[2][0] != before[2][0]
    assert sorted(after) == [1, 2, 4, 5]
    assert replace_rows(made, "made", STALE) == 3
    assert lying(made) == after


def test_a_key_that_a_case_left_alone_has_already_is_an_error(made):
    made.execute("update build.made set at = 4 where at = 5")
    with pytest.raises(psycopg.errors.UniqueViolation):
        replace_rows(made, "made", STALE)


def test_a_table_without_a_key_is_written_anew(made):
    made.execute("alter table mart.made drop constraint made_pkey")
    before = lying(made)
    assert replace_rows(made, "made", STALE) == 3
    after = lying(made)
    assert sorted(after) == [1, 2, 4, 5] and after[1][0] != before[1][0]

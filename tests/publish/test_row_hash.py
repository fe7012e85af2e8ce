"""What the database hashes and what Python hashes are the same text, whatever the values."""

import json
import string
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minhu import database
from minhu.publish.row_hash import canonical, link, read_json

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20) | st.text(
    "民呼热线，“”\\\"'\n\t\x01\x7f\u2028é" + string.ascii_letters, max_size=20
)
NUMBERS = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=6
) | st.sampled_from(
    [
        Decimal(text)
        for text in ("0", "-0", "0.00", "1.50", "100", "1E+3", "-7.0", "0.000001", "12345678901234567890.10", "NaN")
    ]
)
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)) | st.sampled_from(
    [datetime(2026, 10, 31, 16, tzinfo=UTC), datetime(2026, 1, 1, 0, 0, 0, 500000, tzinfo=UTC)]
)
ROWS = st.tuples(
    st.none() | TEXTS,
    st.none() | NUMBERS,
    st.none() | MOMENTS,
    st.none() | st.booleans(),
    st.none() | st.integers(-(2**62), 2**62),
    st.none() | st.lists(TEXTS, max_size=3),
    st.dictionaries(
        TEXTS, st.none() | st.integers(-5, 5) | TEXTS | st.lists(st.integers(0, 9), max_size=3), max_size=4
    ),
)


@pytest.fixture(scope="module")
def connection(warehouse):
    with database.connect(warehouse) as connection:
        connection.execute(
            "create temporary table tried (words text, amount numeric, at timestamptz, is_so boolean, number bigint,"
            " several text[], nested jsonb)"
        )
        connection.execute("set timezone = 'UTC'")
        yield connection


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS)
def test_the_text_of_a_row_is_the_same_in_sql_and_in_python(connection, row):
    *plain, nested = row
    told, kept = connection.execute(
        "with tried as (insert into tried values (%s, %s, %s, %s, %s, %s, %s::jsonb) returning tried.*)"
        " select publish.canonical(to_jsonb(tried)), nested::text from tried",
        [*plain, json.dumps(nested)],
    ).fetchone()
    names = ("words", "amount", "at", "is_so", "number", "several", "nested")
    assert canonical(dict(zip(names, [*plain, read_json(kept)], strict=True))) == told


@settings(max_examples=50, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_the_chain_is_the_same_in_sql_and_in_python(connection, texts):
    (told,) = connection.execute(
        "select publish.chain('start', text order by no) from unnest(%s::text[]) with ordinality as rows (text, no)",
        [texts],
    ).fetchone()
    expected = "start"
    for text in texts:
        expected = link(expected, text)
    assert told == expected


def test_a_column_that_comes_later_changes_no_hash_and_zeros_do_not_count():
    assert canonical({"b": Decimal("1.50"), "a": None}) == canonical({"b": Decimal("1.5")}) == '{"b":1.5}'

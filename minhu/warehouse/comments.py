"""Puts words on what people read: of tables and columns the dbt project's, 中文 label first; of codes ours."""

from collections.abc import Mapping

import psycopg

from minhu.glossary.coded import CODED
from minhu.settings import Settings
from minhu.warehouse import dbt


def comment_columns(connection: psycopg.Connection, settings: Settings, variables: Mapping[str, object]) -> int:
    """Writes the comments that differ from the project's as ``variables`` shape it; returns their number."""
    known = {
        (table, column): comment
        for table, column, comment in connection.execute(
            "select relname, coalesce(attname, ''), col_description(pg_class.oid, attnum)"
            " from pg_class inner join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped"
            " where relnamespace = 'mart'::regnamespace and relkind in ('r', 'p', 'v')"
        )
    }
    written = 0
    for (table, column), text in dbt.descriptions(settings, variables).items():
        if text and known.get((table, column), text) != text:
            connection.execute("select mart.describe(%s, %s, %s)", [table, column, text])
            written += 1
    return written


def word_codes(connection: psycopg.Connection) -> int:
    """Writes `mart.dim_code` as the glossary has it; returns how many rows changed."""
    words = [
        (vocabulary, code, word.zh, word.en, place)
        for vocabulary, kind in CODED.items()
        for place, (code, word) in enumerate(kind.items(), start=1)
    ]
    columns = [list(column) for column in zip(*words, strict=True)]
    return connection.execute(_WORD, columns).rowcount


_WORD = """
with said as (
    select * from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::integer[])
    as said (vocabulary, code, label_zh, label_en, sort_no)
),

unsaid as (
    select vocabulary, code from mart.dim_code
    except
    select vocabulary, code from said
),

gone as (
    delete from mart.dim_code as known using unsaid
    where known.vocabulary = unsaid.vocabulary and known.code = unsaid.code
)

insert into mart.dim_code as known (vocabulary, code, label_zh, label_en, sort_no)
select * from said
on conflict (vocabulary, code) do update
set label_zh = excluded.label_zh, label_en = excluded.label_en, sort_no = excluded.sort_no
where (known.label_zh, known.label_en, known.sort_no) <> (excluded.label_zh, excluded.label_en, excluded.sort_no)
"""

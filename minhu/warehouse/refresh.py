"""A full refresh in chunks: months of receipt, whole under links, each a build of its own.

    plan      every case with its month; months are put together until a chunk has `CHUNK_CASES`
    chunk 1   the build that was asked for: it takes what was accepted, as every build does
    the rest  builds that take nothing: they see the batches and decisions that the first one saw

Killed in between, the next build goes on with the chunks that are left. Where the configuration, the readings or the
code have changed meanwhile it begins anew, since no fact may rest on what held before. Until the last one is through,
facts of two computations stand side by side, each whole under its links; no period is closed.
"""

import psycopg

from minhu import database
from minhu.warehouse import dbt, months

CHUNK_CASES = 1_000_000
"""A month of 30,000 cases a day. Fewer than that are one chunk, and one build, as any other."""

_CASES = """
select cases.case_id, cases.feed_code, cases.case_no,
    date_trunc('month', coalesce(sent.received_at, fact.received_at) at time zone current_setting('timezone'))::date
        as month_on
from build.touched_case as cases
left join (
    select feed_code, case_no, max(received_at) as received_at from staging.case_record group by feed_code, case_no
) as sent using (feed_code, case_no)
left join mart.fct_case as fact on fact.case_id = cases.case_id
"""
_FILL = """
insert into build.refresh_case (chunk_no, case_id, feed_code, case_no)
select of_month.chunk_no, case_month.case_id, case_month.feed_code, case_month.case_no
from case_month
inner join unnest(%(months)s::date[], %(chunks)s::integer[]) as of_month (month_on, chunk_no)
    on of_month.month_on is not distinct from case_month.month_on
order by of_month.chunk_no
"""
_UNDER_WAY = """
select refresh.config_version, refresh.code_hash,
    (select sum(cases) from audit.refresh_chunk as chunk where chunk.refresh_id = refresh.refresh_id)
    = (select count(*) from build.refresh_case) as is_whole,
    coalesce((
        select array_agg(chunk.chunk_no order by chunk.chunk_no) from audit.refresh_chunk as chunk
        left join audit.build on build.build_id = chunk.build_id and build.status = 'succeeded'
        where chunk.refresh_id = refresh.refresh_id and build.build_id is null
    ), '{}') as chunks
from audit.refresh as refresh
where refresh.ended_at is null
"""
# A chunk that was built by other rules than the rest stays so until everything is: in chunks, or by one full build.
_OWED = """
with begun as (
    select refresh.refresh_id, refresh.is_through, max(build.build_id) as build_id,
        count(build.build_id) as done, count(*) as chunks
    from audit.refresh as refresh
    inner join audit.refresh_chunk as chunk using (refresh_id)
    left join audit.build on build.build_id = chunk.build_id and build.status = 'succeeded'
    group by refresh.refresh_id, refresh.is_through
    having count(build.build_id) > 0
),
newest as (
    select * from begun order by refresh_id desc limit 1
)
select newest.done, newest.chunks
from newest
where not newest.is_through and newest.done < newest.chunks and not exists (
    select from audit.build as full_build
    left join audit.refresh_chunk as chunk on chunk.build_id = full_build.build_id
    where full_build.status = 'succeeded' and full_build.is_full_refresh and chunk.build_id is null
        and full_build.build_id > (select build_id from newest)
)
"""


def plan(connection: psycopg.Connection, build_id: int, config_version: int) -> int:
    """Plans the refresh that ``build_id`` begins, of the cases in ``build.touched_case``; how many chunks it has.

    With more than one, those of the first alone stay there.
    """
    end(connection)
    if database.one(connection, "select count(*) from build.touched_case")[0] <= CHUNK_CASES:
        return 1
    months.find_links(connection)
    months.lay_out(connection, _CASES)
    chunks = _chunks(months.months(connection))
    if len(chunks) == 1:
        return 1
    (refresh_id,) = database.one(
        connection,
        "insert into audit.refresh (config_version, code_hash) values (%s, %s) returning refresh_id",
        [config_version, dbt.code_hash()],
    )
    of_month = [(month, number) for number, chunk in enumerate(chunks, start=1) for month, _ in chunk]
    connection.execute("truncate build.refresh_case")
    connection.execute(_FILL, {"months": [m for m, _ in of_month], "chunks": [number for _, number in of_month]})
    connection.execute("analyze build.refresh_case")
    for number, chunk in enumerate(chunks, start=1):
        connection.execute(
            "insert into audit.refresh_chunk (refresh_id, chunk_no, first_month_on, last_month_on, cases)"
            " values (%s, %s, %s, %s, %s)",
            [refresh_id, number, chunk[0][0], chunk[-1][0], sum(cases for _, cases in chunk)],
        )
    fill(connection, build_id, 1)
    return len(chunks)


def fill(connection: psycopg.Connection, build_id: int, chunk_no: int) -> None:
    """Puts the cases of a chunk into ``build.touched_case``, in the place of all others; ``build_id`` computes it."""
    connection.execute("truncate build.touched_case")
    connection.execute(
        "insert into build.touched_case (case_id, feed_code, case_no, is_rebuilt)"
        " select case_id, feed_code, case_no, true from build.refresh_case where chunk_no = %s",
        [chunk_no],
    )
    connection.execute("analyze build.touched_case")
    connection.execute(
        "update audit.refresh_chunk set build_id = %s where chunk_no = %s"
        " and refresh_id = (select refresh_id from audit.refresh where ended_at is null)",
        [build_id, chunk_no],
    )


def left(connection: psycopg.Connection, config_version: int) -> tuple[list[int], bool]:
    """The chunks that are left of a refresh under way; and whether one has to begin anew.

    One whose first build did not succeed has changed nothing, and is forgotten. One that was begun and that nothing
    full followed is owed, however often what was to follow it failed.
    """
    if found := connection.execute(_UNDER_WAY).fetchone():
        version, code_hash, is_whole, chunks = found
        is_same = (version, code_hash, is_whole) == (config_version, dbt.code_hash(), True)
        if chunks and 1 not in chunks and is_same:
            return chunks, False
        end(connection, is_through=not chunks)
    return [], owed(connection) is not None


def owed(connection: psycopg.Connection) -> tuple[int, int] | None:
    """How many chunks are done, and of how many, of a refresh that was begun and is not through; null where none is."""
    return connection.execute(_OWED).fetchone()


def is_under_way(connection: psycopg.Connection) -> bool:
    return connection.execute("select from audit.refresh where ended_at is null").fetchone() is not None


def end(connection: psycopg.Connection, *, is_through: bool = False) -> None:
    """Ends what is under way; unless it ``is_through``, since what it rests on has changed."""
    connection.execute(
        "update audit.refresh set ended_at = clock_timestamp(), is_through = %s where ended_at is null", [is_through]
    )


def _chunks(found: list[tuple[object, int]]) -> list[list[tuple[object, int]]]:
    """Months put together in their order, until a chunk has `CHUNK_CASES` or would have more."""
    chunks: list[list[tuple[object, int]]] = []
    for month, cases in found:
        if chunks and sum(number for _, number in chunks[-1]) + cases <= CHUNK_CASES:
            chunks[-1].append((month, cases))
        else:
            chunks.append([(month, cases)])
    return chunks

"""Cases by the month of their receipt, whole under links: what is computed anew, or kept elsewhere, month by month.

Cases that were transferred or merged rest on each other. Those so linked, however far, are one group, and a group goes
by the last month of its cases: whatever a month is done with, no link leads out of it.
"""

import psycopg
from psycopg import sql

# As records and events tell them, and as they were built; both ways, so that a step follows each.
_LINKS = """
create temporary table month_link on commit drop as
with told as (
    select md5(r.feed_code || '|' || r.case_no) as one_id,
        md5(r.upstream_feed_code || '|' || r.upstream_case_no) as other_id
    from staging.case_record as r
    where r.upstream_case_no is not null
    union
    select md5(e.case_feed_code || '|' || e.case_no), md5(e.case_feed_code || '|' || e.result_code)
    from staging.case_event as e
    where e.event_type = 'MERGE' and e.result_code is not null
    union
    select f.case_id, f.root_case_id from mart.fct_case as f where f.root_case_id <> f.case_id
    union
    select f.case_id, f.merged_into_case_id from mart.fct_case as f where f.merged_into_case_id is not null
)
select one_id as case_id, other_id as linked_id from told where one_id <> other_id
union
select other_id, one_id from told where one_id <> other_id
"""

_TABLE = """
create temporary table case_month on commit drop as
select cases.case_id, cases.feed_code, cases.case_no, cases.month_on::date as month_on from ({cases}) as cases
"""

_LINKED = """
create temporary table linked_month on commit drop as
select case_id, month_on from case_month inner join (select distinct case_id from month_link) as linked using (case_id)
"""
_FURTHER = """
update linked_month as mine set month_on = theirs.month_on
from (
    select month_link.case_id, max(linked_month.month_on) as month_on
    from month_link inner join linked_month on linked_month.case_id = month_link.linked_id
    group by month_link.case_id
) as theirs
where mine.case_id = theirs.case_id and (mine.month_on is null or mine.month_on < theirs.month_on)
"""
_MOVED = """
update case_month set month_on = linked_month.month_on from linked_month
where linked_month.case_id = case_month.case_id and linked_month.month_on is distinct from case_month.month_on
"""


def find_links(connection: psycopg.Connection) -> None:
    """Makes ``month_link``, a temporary table: case_id, linked_id, every link there is or was built, both ways."""
    connection.execute(_LINKS)
    connection.execute("analyze month_link")


def lay_out(connection: psycopg.Connection, cases: str) -> None:
    """Makes ``case_month``, a temporary table, of ``cases``: a query of case_id, feed_code, case_no, month_on.

    ``month_on`` is the first day of the month, null for a case of which no record has come; ``infinity`` keeps a case,
    and all of its group, out of every month. `find_links` comes before; a link to what is not among the cases is passed
    over.
    """
    connection.execute(sql.SQL(_TABLE).format(cases=sql.SQL(cases)))
    connection.execute("analyze case_month")
    connection.execute(_LINKED)
    connection.execute("analyze linked_month")
    while connection.execute(_FURTHER).rowcount:
        pass
    connection.execute(_MOVED)
    connection.execute("analyze case_month")


def months(connection: psycopg.Connection) -> list[tuple[object, int]]:
    """The months laid out and how many cases each has, the earliest first, those of no month before them."""
    return connection.execute(
        "select month_on, count(*) from case_month group by month_on order by month_on nulls first"
    ).fetchall()

"""Which tokens are one caller across a rotation (``minhu.load.key_ring``): pairs that a load writes with its batch."""

import io

import polars as pl
import psycopg

# Gone with the transaction.
_SENT = """
create temporary table if not exists caller_link_sent (
    earlier_token text not null, earlier_key_id text not null, current_token text not null
) on commit drop;
truncate pg_temp.caller_link_sent
"""

# Every pair leads straight to the token that stands for the caller. ``sent``: where that one leads already, if a key
# came back or a load with an older one was late. ``behind``: earlier pairs that led to what is an earlier token now. In
# the order of the tokens, so that no two loads wait for each other; what stands already is not locked.
_WRITE = """
with sent as (
    select s.earlier_token, s.earlier_key_id, coalesce(onward.current_token, s.current_token) as current_token
    from pg_temp.caller_link_sent as s
    left join restricted.caller_link as onward on onward.earlier_token = s.current_token
),
behind as (
    select link.earlier_token, link.earlier_key_id, sent.current_token
    from sent inner join restricted.caller_link as link on link.current_token = sent.earlier_token
),
due as (
    select pairs.*
    from (select * from sent union all select * from behind) as pairs
    left join restricted.caller_link as known on known.earlier_token = pairs.earlier_token
    where pairs.earlier_token <> pairs.current_token
        and known.current_token is distinct from pairs.current_token
)
insert into restricted.caller_link (earlier_token, earlier_key_id, current_token)
select distinct on (earlier_token) earlier_token, earlier_key_id, current_token
from due
order by earlier_token
on conflict (earlier_token) do update
set current_token = excluded.current_token, written_at = excluded.written_at
where caller_link.current_token <> excluded.current_token
"""


def write_links(connection: psycopg.Connection, links: pl.DataFrame) -> int:
    """Writes what ``privacy.caller_links`` found, in the caller's transaction; how many pairs are new or changed.

    Once for each transaction, with all pairs of it: two calls could lock the rows in an order that another load's
    calls do not keep.
    """
    if links.is_empty():
        return 0
    pairs = io.BytesIO()
    links.select("earlier_token", "earlier_key_id", "current_token").write_csv(pairs, include_header=False)
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(_SENT)
        with cursor.copy("copy pg_temp.caller_link_sent from stdin (format csv)") as copy:
            copy.write(pairs.getbuffer())
        cursor.execute("analyze pg_temp.caller_link_sent")
        return cursor.execute(_WRITE).rowcount

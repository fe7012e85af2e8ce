"""Names that no register knows: they drop no row; once an alias is added, the next build resolves them."""

import psycopg

from minhu import database
from minhu.feeds.detect import shape, showable
from minhu.feeds.preview import nearest
from minhu.settings import Settings

_UNITS = """
with known as (
    select distinct data ->> 'unit_name' as unit_name from config.entry
    where kind = 'unit_name' and until_version is null
),

seen as (
    select
        fct.unit_name_raw as name,
        cases.feed_code,
        'assignment' as seen_as,
        fct.dispatched_at as seen_at
    from mart.fct_timeliness as fct
    inner join mart.fct_case as cases using (case_id)
    where fct.unit_code is null and fct.unit_name_raw is not null
    union all
    select
        callback.unit_name,
        callback.feed_code,
        'callback',
        callback.called_at
    from staging.callback as callback
    inner join audit.batch as batch using (batch_id)
    left join known on callback.unit_name = known.unit_name
    where callback.unit_name is not null and known.unit_name is null and batch.status = 'accepted'
)

select
    name,
    count(*) as rows,
    array_agg(distinct feed_code order by feed_code) as feeds,
    array_agg(distinct seen_as order by seen_as) as seen_as,
    min(seen_at) as first_seen_at,
    max(seen_at) as last_seen_at
from seen
group by name
order by rows desc, name
"""

_CATEGORIES = """
select
    cases.category_code as name,
    count(*) as rows,
    array_agg(distinct cases.feed_code order by cases.feed_code) as feeds,
    min(cases.received_at) as first_seen_at,
    max(cases.received_at) as last_seen_at
from mart.fct_case as cases
left join mart.dim_category as category on cases.category_code = category.category_code
where cases.category_code is not null and category.category_code is null
group by cases.category_code
order by rows desc, name
"""


def unresolved(settings: Settings) -> dict[str, list[dict]]:
    """Unit names and category codes of the last build that lead nowhere, the most frequent first.

    Rows are ready for JSON: name, rows, feeds, first_seen_at and last_seen_at (ISO, the city's time), nearest (known
    names that resemble it). A unit that is written like a person's name is shown as its shape.
    """
    with database.connect(settings) as connection:
        units = _names(connection, "select data ->> 'unit_name' from config.entry where kind = 'unit_name'")
        categories = _names(connection, "select data ->> 'category_code' from config.entry where kind = 'category'")
        return {
            "units": [_row(row, units) for row in _rows(connection, _UNITS)],
            "categories": [_row(row, categories) for row in _rows(connection, _CATEGORIES)],
        }


def _names(connection: psycopg.Connection, query: str) -> set[str]:
    return {name for (name,) in connection.execute(f"{query} and until_version is null") if name}


def _rows(connection: psycopg.Connection, query: str) -> list[dict]:
    cursor = connection.execute(query)
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _row(row: dict, known: set[str]) -> dict:
    can_show = showable(row["name"])
    return row | {
        "name": row["name"] if can_show else shape(row["name"]),
        "first_seen_at": row["first_seen_at"].isoformat(),
        "last_seen_at": row["last_seen_at"].isoformat(),
        "nearest": nearest(row["name"], known) if can_show else [],
    }

"""Names that lead to no unit: they drop no row; once the register says who is meant, the next build resolves them.

unknown        no row of the register bears the name                       add it to the unit's aliases
not_yet_valid  its unit begins later and came out of none that was there   begin the unit's row earlier
ended_split    its unit was split                                          say which part is meant: name@from..
ended          its unit ended, and nobody took over                        say who did: unit_succession.csv
"""

import psycopg

from minhu import database
from minhu.declaration.slips import nearest
from minhu.feeds.detect import shape, showable
from minhu.settings import Settings

_UNITS = """
with meaning as (
    select
        unit_name,
        unit_code,
        unit_codes,
        resolution,
        coalesce(valid_from, '-infinity') as valid_from,
        coalesce(valid_to, 'infinity') as valid_to
    from mart.dim_unit_name
),

first_meaning as (
    select distinct on (unit_name)
        unit_name,
        unit_codes
    from meaning
    order by unit_name, valid_from
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
    left join meaning
        on
            callback.unit_name = meaning.unit_name
            and (callback.called_at at time zone current_setting('timezone'))::date >= meaning.valid_from
            and (callback.called_at at time zone current_setting('timezone'))::date < meaning.valid_to
    where callback.unit_name is not null and meaning.unit_code is null and batch.status = 'accepted'
),

-- Rework without a unit may be that of a lead whose unit ended, while the name has gone to another unit since.
explained as (
    select
        seen.*,
        case
            when first_meaning.unit_name is null then 'unknown'
            when meaning.unit_name is null then 'not_yet_valid'
            when meaning.unit_code is not null then 'ended'
            else meaning.resolution
        end as reason,
        string_to_array(coalesce(meaning.unit_codes, first_meaning.unit_codes, ''), ';') as candidates
    from seen
    left join first_meaning on seen.name = first_meaning.unit_name
    left join meaning
        on
            seen.name = meaning.unit_name
            and (seen.seen_at at time zone current_setting('timezone'))::date >= meaning.valid_from
            and (seen.seen_at at time zone current_setting('timezone'))::date < meaning.valid_to
)

select
    name,
    reason,
    candidates,
    count(*) as rows,
    array_agg(distinct feed_code order by feed_code) as feeds,
    array_agg(distinct seen_as order by seen_as) as seen_as,
    min(seen_at) as first_seen_at,
    max(seen_at) as last_seen_at
from explained
group by name, reason, candidates
order by rows desc, name, reason
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
    names that resemble it). Units also tell the reason and the candidates (codes of the units that may be meant). A
    unit that is written like a person's name is shown as its shape.
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
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _row(row: dict, known: set[str]) -> dict:
    can_show = showable(row["name"])
    is_unknown = row.get("reason", "unknown") == "unknown"
    return row | {
        "name": row["name"] if can_show else shape(row["name"]),
        "first_seen_at": row["first_seen_at"].isoformat(),
        "last_seen_at": row["last_seen_at"].isoformat(),
        "nearest": nearest(row["name"], known) if can_show and is_unknown else [],
    }

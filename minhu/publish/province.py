"""What a province reads of its cities (federation.py), as pages show it: the copies alone, so that no city is asked."""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Province:
    """``cities``: how each stands, with what was open at the end of the day that its data reach.

    ``periods`` that any has published, the newest first; ``groups``: peer groups with units in ``period``; ``ranks``:
    of one of them every unit with its published score and its place over all cities, or why it has none.
    """

    cities: Rows
    periods: tuple[str, ...]
    period: str | None
    groups: tuple[tuple[str, str], ...]
    group: str | None
    ranks: Rows


def is_joined(connection: psycopg.Connection[Any]) -> bool:
    """Whether any city has joined."""
    return connection.execute("select from province.city limit 1").fetchone() is not None


def province(connection: psycopg.Connection[Any], period: str | None = None, group: str | None = None) -> Province:
    """The province as it was read last; the newest period and the first group unless others are asked for."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cities = cursor.execute(_CITIES).fetchall()
        periods = tuple(row["period"] for row in cursor.execute(_PERIODS))
        chosen = period if period in periods else next(iter(periods), None)
        groups = tuple((row["peer_group"], row["name"]) for row in cursor.execute(_GROUPS, [chosen]))
        of_group = group if group in dict(groups) else next((code for code, _ in groups), None)
        ranks = cursor.execute(_RANKS, [chosen, of_group]).fetchall()
    return Province(cities, periods, chosen, groups, of_group, ranks)


# A day of which nothing is counted has no row.
_CITIES = """
select city.city_code, city.city_name, city.is_reachable, city.trouble, city.troubled_since, city.read_at,
    city.reaches_on, city.releases,
    case when city.reaches_on is not null then coalesce(day.intake, 0) end as intake,
    case when city.reaches_on is not null then coalesce(day.open, 0) end as open,
    case when city.reaches_on is not null then coalesce(day.overdue, 0) end as overdue
from province.city
left join province.agg_day as day
    on city.city_code = day.city_code and day.grain = 'city' and city.reaches_on = day.day_on
order by city.city_code
"""
_PERIODS = "select distinct period from province.unit_rank order by period desc"
_GROUPS = """
select peer_group, min(coalesce(peer_group_name_zh, peer_group)) as name
from province.unit_rank where period = %s group by peer_group order by peer_group
"""
_RANKS = """
select city_name, unit_code, coalesce(unit_name, unit_code) as unit_name, score_100,
    case when shows_ranks then rank_in_group end as rank_in_group,
    case when shows_ranks then rank_in_province end as rank_in_province,
    ranked_units, ranked_cities, coalesce(not_ranked_reason, case when not shows_ranks then 'not_shown' end)
        as not_ranked_reason
from province.unit_rank
where period = %s and peer_group = %s
order by case when shows_ranks then rank_in_province end nulls last, score_100 desc nulls last, city_code, unit_code
"""

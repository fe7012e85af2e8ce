"""Why a unit has its score: score → indicators → points lost → the rows that cost them, with file and row of each."""

from collections.abc import Iterator, Sequence

import psycopg
from psycopg.rows import DictRow, dict_row

from minhu import database
from minhu.database.logins import group_of
from minhu.errors import Refused
from minhu.schemes.period import Period
from minhu.scoring.behind import Behind
from minhu.scoring.explanation import Explanation
from minhu.scoring.score import is_stale, stored_runs
from minhu.scoring.stored import Stored
from minhu.settings import Settings

AT_ONCE = 200
"""Units that are explained by one round of queries: bounds the memory, whatever the size of the city."""


def explain(
    settings: Settings, unit: str, period: str, indicator: str | None = None, *, scheme_id: str | None = None
) -> Explanation:
    """Explains the newest score of ``unit`` (a code, or any name that the register knows) in ``period``.

    Raises Refused when there is no such unit, score or indicator.
    """
    wanted = Period.parse(period)
    with database.connect(settings, rows=dict_row) as connection:
        code = find_unit(connection, unit, wanted)
        (found,) = explain_units(connection, _newest(connection, code, wanted, scheme_id), [code], indicator)
        return found


def explain_units(
    connection: psycopg.Connection[DictRow], stored: Stored, units: Sequence[str], indicator: str | None = None
) -> Iterator[Explanation]:
    """Explains a stored score of each of ``units`` (codes, each of which has one), ``AT_ONCE`` by the same few queries.

    ``connection`` gives rows as dicts. Raises Refused when ``indicator`` is unknown or does not score a unit.
    """
    scheme, run = stored.run.scheme, stored.run
    asked = scheme.indicator(indicator).lines if indicator else scheme.lines
    behind, has_newer_facts = Behind(connection, stored), is_stale(connection, run)
    ranked = {row["peer_group"]: row["ranked"] for row in connection.execute(stored.sql(_PEERS), stored.key)}
    for at in range(0, len(units), AT_ONCE):
        some = list(units[at : at + AT_ONCE])
        found = connection.execute(stored.sql(_SCORES), stored.key | {"units": some, "last_day": run.period.last})
        scores = {row["unit_code"]: row for row in found}
        parts = behind.parts({unit: scores[unit]["peer_group"] for unit in some}, asked)
        for unit in some:
            group = scheme.group(scores[unit]["peer_group"])
            if not parts[unit]:
                name = scores[unit]["unit_name"]
                raise Refused(f"the indicator {indicator} does not score {group.name_zh}, to which {name} belongs")
            yield Explanation(
                **run.key,
                **scores[unit],
                title=scheme.title,
                kind=scheme.standing(run.period, run.as_of == run.ends_at),
                as_of=run.as_of,
                build_id=run.build_id,
                revision=stored.revision,
                is_stale=has_newer_facts,
                peer_group_zh=group.name_zh,
                peer_group_points=group.points,
                ranked_in_group=ranked[group.code],
                shows_ranks=scheme.publication.ranking,
                shows_shrunken=scheme.publication.shrunken,
                indicators=parts[unit],
            )


# Reading


def find_unit(connection: psycopg.Connection[DictRow], unit: str, period: Period) -> str:
    """The code of a unit given by its code or by any name that it has in the period. Raises Refused."""
    found = connection.execute(_UNIT, {"unit": unit, "last_day": period.last}).fetchall()
    if not found:
        raise Refused(f"no unit is called {unit!r}; give its code or a name from the register")
    if len(found) > 1:
        raise Refused(f"{unit!r} names {' and '.join(row['unit_code'] for row in found)}; give the code")
    return found[0]["unit_code"]


def refuse_of_others(connection: psycopg.Connection[DictRow], units: Sequence[str]) -> None:
    """Raises Refused where the login is a unit's and asks for the rows of another: it would see a loss and no row."""
    if group_of(connection) != "unit":
        return
    own = {row["unit"] for row in connection.execute("select own as unit from assess.own_units() as own")}
    if others := sorted(set(units) - own):
        raise Refused(
            f"this login reads the rows behind the points of its own units ({', '.join(sorted(own)) or 'none'}), not of"
            f" {', '.join(others)}; what every unit got is told by `minhu releases show`"
        )


_UNIT = """
select unit_code from mart.dim_unit where unit_code = %(unit)s
union
select unit_code
from mart.dim_unit
where unit_name = %(unit)s and valid_from <= %(last_day)s and (valid_to is null or valid_to > %(last_day)s)
union
select unit_code
from mart.dim_unit_name
where
    unit_name = %(unit)s
    and unit_code is not null
    and (valid_from is null or valid_from <= %(last_day)s)
    and (valid_to is null or valid_to > %(last_day)s)
order by unit_code
"""


def _newest(connection: psycopg.Connection[DictRow], unit_code: str, period: Period, scheme_id: str | None) -> Stored:
    """The newest score of the unit in the period, of whatever scheme unless one is named."""
    wanted = {"unit_code": unit_code, "period": period.text, "scheme_id": scheme_id}
    if newest := connection.execute(_NEWEST, wanted).fetchone():
        runs = stored_runs(connection, period, newest["scheme_id"])
        return Stored.newest(next(run for run in runs if run.key.items() >= newest.items()))
    by = f" by the scheme {scheme_id}" if scheme_id else ""
    if connection.execute("select 1 from mart.score_run where period = %s limit 1", [period.text]).fetchone():
        raise Refused(f"the unit {unit_code} was not scored in {period.text}{by}: it is in no peer group of a scheme")
    raise Refused(f"{period.text} has not been scored{by}: run `minhu score {period.text}` first")


_NEWEST = """
select
    run.scheme_id,
    run.scheme_version
from mart.fct_unit_score as scores
inner join mart.score_run as run using (scheme_id, scheme_version, period)
where
    scores.unit_code = %(unit_code)s
    and run.period = %(period)s
    and (%(scheme_id)s::text is null or run.scheme_id = %(scheme_id)s)
order by run.scored_at desc, run.scheme_id
limit 1
"""

_PEERS = """
select
    peer_group,
    count(rank_in_group) as ranked
from {scores}
where {condition}
group by peer_group
"""

_SCORES = """
select
    scores.unit_code,
    coalesce(units.unit_name, scores.unit_code) as unit_name,
    scores.peer_group,
    scores.raw_points,
    scores.score_100,
    scores.assessed_points,
    scores.band,
    scores.rank_in_group,
    scores.not_ranked_reason,
    scores.listed_on
from {scores} as scores
left join mart.dim_unit as units
    on
        scores.unit_code = units.unit_code
        and units.valid_from <= %(last_day)s
        and (units.valid_to is null or units.valid_to > %(last_day)s)
where {condition} and scores.unit_code = any(%(units)s::text[])
"""

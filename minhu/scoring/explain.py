"""Why a unit has its score: score → indicators → points lost → the rows that cost them, with file and row of each."""

import psycopg
from psycopg.rows import dict_row

from minhu import database
from minhu.errors import Refused
from minhu.scoring.behind import Behind
from minhu.scoring.explanation import Explanation
from minhu.scoring.period import Period
from minhu.scoring.scheme import Scheme
from minhu.settings import Settings


def explain(
    settings: Settings, unit: str, period: str, indicator: str | None = None, *, scheme_id: str | None = None
) -> Explanation:
    """Explains the newest score of ``unit`` (a code, or any name that the register knows) in ``period``.

    Raises Refused when there is no such unit, score or indicator.
    """
    wanted = Period.parse(period)
    with database.connect(settings) as connection:
        connection.row_factory = dict_row
        code = _unit_code(connection, unit, wanted)
        run = _run(connection, code, wanted, scheme_id)
        scheme, is_complete = Scheme.from_entry(run.pop("data")), run.pop("is_complete")
        config_version = run.pop("config_version")
        group = next(group for group in scheme.peer_groups if group.code == run["peer_group"])
        asked = [scheme.indicator(indicator)] if indicator else scheme.indicators
        indicators = [one for one in asked if one.scores(group.code)]
        if not indicators:
            raise Refused(f"the indicator {indicator} does not score {group.name_zh}, to which {unit} belongs")
        return Explanation(
            **run,
            title=scheme.title,
            kind=scheme.standing(wanted, is_complete),
            peer_group_zh=group.name_zh,
            peer_group_points=group.points,
            shows_ranks=scheme.publication.ranking,
            shows_shrunken=scheme.publication.shrunken,
            indicators=Behind(connection, run, scheme, wanted, config_version).parts(indicators),
        )


# Reading


def _unit_code(connection: psycopg.Connection, unit: str, period: Period) -> str:
    found = connection.execute(_UNIT, {"unit": unit, "last_day": period.last}).fetchall()
    if not found:
        raise Refused(f"no unit is called {unit!r}; give its code or a name from the register")
    if len(found) > 1:
        raise Refused(f"{unit!r} names {' and '.join(row['unit_code'] for row in found)}; give the code")
    return found[0]["unit_code"]


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


def _run(connection: psycopg.Connection, unit_code: str, period: Period, scheme_id: str | None) -> dict:
    """The newest score of the unit in the period, with the scheme it was made by."""
    wanted = {"unit_code": unit_code, "period": period.text, "last_day": period.last, "scheme_id": scheme_id}
    run = connection.execute(_RUN, wanted).fetchone()
    if run:
        return run | connection.execute(_PEERS, run).fetchone()
    by = f" by the scheme {scheme_id}" if scheme_id else ""
    if connection.execute("select 1 from mart.score_run where period = %s limit 1", [period.text]).fetchone():
        raise Refused(f"the unit {unit_code} was not scored in {period.text}{by}: it is in no peer group of a scheme")
    raise Refused(f"{period.text} has not been scored{by}: run `minhu score {period.text}` first")


_RUN = """
select
    run.scheme_id,
    run.scheme_version,
    run.period,
    run.as_of,
    run.as_of = run.ends_at as is_complete,
    run.build_id,
    run.config_version,
    run.build_id < (select max(build_id) from audit.build where status = 'succeeded') as is_stale,
    scores.unit_code,
    coalesce(units.unit_name, scores.unit_code) as unit_name,
    scores.peer_group,
    scores.raw_points,
    scores.score_100,
    scores.assessed_points,
    scores.band,
    scores.rank_in_group,
    scores.not_ranked_reason,
    scores.listed_on,
    scheme.data
from mart.fct_unit_score as scores
inner join mart.score_run as run using (scheme_id, scheme_version, period)
inner join config.entry as scheme
    on
        scheme.kind = 'scheme'
        and scheme.key = run.scheme_id
        and scheme.since_version <= run.config_version
        and (scheme.until_version is null or scheme.until_version > run.config_version)
left join mart.dim_unit as units
    on
        scores.unit_code = units.unit_code
        and units.valid_from <= %(last_day)s
        and (units.valid_to is null or units.valid_to > %(last_day)s)
where
    scores.unit_code = %(unit_code)s
    and run.period = %(period)s
    and (%(scheme_id)s::text is null or run.scheme_id = %(scheme_id)s)
order by run.scored_at desc, run.scheme_id
limit 1
"""


_PEERS = """
select count(rank_in_group) as ranked_in_group
from mart.fct_unit_score
where
    scheme_id = %(scheme_id)s
    and scheme_version = %(scheme_version)s
    and period = %(period)s
    and peer_group = %(peer_group)s
"""

"""A unit beside its group, of what is published or of the newest score: quartiles, and whose doing a movement is.

A unit's login reads every published score, and of what was entered by hand its own; it is told of its group what no
single other unit can be read off.
"""

from dataclasses import dataclass, field

import psycopg
from psycopg.rows import DictRow, dict_row

from minhu import database
from minhu.database.logins import group_of
from minhu.publish.close import find_release
from minhu.publish.standing import ALIKE
from minhu.publish.stored_release import stored_release, stored_score
from minhu.schemes.period import Period
from minhu.scoring.compared import Movement, Quartiles, Scored, movement, quartiles
from minhu.scoring.explain import refuse_of_others
from minhu.scoring.score import stored_runs
from minhu.scoring.stored import Stored
from minhu.scoring.whatif import entered_points, stored_units
from minhu.settings import Settings


@dataclass(frozen=True)
class Compared:
    """``quartiles`` by indicator, of a group that is large enough. ``movement``: since the last period of its kind."""

    quartiles: dict[str, Quartiles] = field(default_factory=dict)
    movement: Movement | None = None


def compared(
    settings: Settings,
    unit_code: str,
    scheme_id: str,
    period: str,
    revision: int | None = None,
    *,
    is_draft: bool = False,
) -> Compared:
    """How a unit stands beside its group in a period.

    Of what is published it is told against what was published before; of a draft against the newest score, or what was
    published of it. Raises Refused where the period has no such score, or a unit asks of another one.
    """
    wanted = Period.parse(period)
    with database.connect(settings, rows=dict_row, at_one_moment=True) as connection:
        refuse_of_others(connection, [unit_code])
        stored = stored_score(connection, wanted, scheme_id, revision=revision, is_draft=is_draft)
        group = _group(connection, stored, unit_code)
        if group is None:
            return Compared()
        now = Scored(stored.run.scheme, wanted, stored_units(connection, stored, group))
        earlier = _before(connection, wanted, scheme_id, is_draft=stored.revision is None)
        moved = _moved(connection, unit_code, earlier, now) if earlier else None
    return Compared(quartiles(list(now.units.values()), group), moved)


def _moved(connection: psycopg.Connection[DictRow], unit: str, earlier: Stored, now: Scored) -> Movement | None:
    group = _group(connection, earlier, unit)
    if group is None:
        return None
    before = Scored(earlier.run.scheme, earlier.run.period, stored_units(connection, earlier, group))
    is_read = group_of(connection) != "unit"
    return movement(unit, before, now, entered_points(connection, earlier) if is_read else None)


def _group(connection: psycopg.Connection[DictRow], stored: Stored, unit: str) -> str | None:
    """The peer group in which the unit was scored."""
    query = "select peer_group from {scores} where {condition} and unit_code = %(unit)s"
    row = connection.execute(stored.sql(query), stored.key | {"unit": unit}).fetchone()
    return row["peer_group"] if row else None


def _before(connection: psycopg.Connection[DictRow], period: Period, scheme_id: str, is_draft: bool) -> Stored | None:
    """The last period of the kind before this one that was published; for a draft, that was scored at all."""
    asked = {"scheme": scheme_id, "period": period.text, "alike": ALIKE[period.kind]}
    told = connection.execute(_RELEASED, asked).fetchone()
    newest = connection.execute(_SCORED, asked).fetchone() if is_draft else None
    if newest and (told is None or newest["period"] > told["period"]):
        return Stored.newest(stored_runs(connection, Period.parse(newest["period"]), scheme_id)[0])
    return stored_release(connection, find_release(connection, told["period"], None, scheme_id)) if told else None


_RELEASED = """
select period
from publish.release
where scheme_id = %(scheme)s and period ~ %(alike)s and period < %(period)s
order by period desc
limit 1
"""
_SCORED = """
select period
from mart.score_run
where scheme_id = %(scheme)s and period ~ %(alike)s and period < %(period)s
order by period desc
limit 1
"""

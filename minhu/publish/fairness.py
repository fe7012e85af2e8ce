"""The fairness report of a scored period, read from what is published of it or from its newest score.

For evaluators and auditors: it names units that one case takes into another band, and whoever knows that of a unit
knows where a single decision would pay.
"""

import psycopg
from psycopg.rows import DictRow, dict_row

from minhu import database
from minhu.database.logins import group_of
from minhu.errors import Refused
from minhu.publish.stored_release import stored_score
from minhu.schemes.period import Period
from minhu.scoring import fairness as scoring
from minhu.scoring.fairness import Fairness
from minhu.scoring.stored import Stored
from minhu.scoring.whatif import counts_of, entered_points, names_of, stored_units
from minhu.settings import Settings

READERS = (None, "evaluator", "auditor")
"""The owner of the warehouse is of no group."""


def fairness(
    settings: Settings,
    period: str,
    scheme_id: str | None = None,
    *,
    revision: int | None = None,
    is_draft: bool = False,
) -> Fairness:
    """The report of what is published of ``period``; of its newest score where nothing is, or for a draft.

    Raises Refused where it was not scored, several schemes scored it and none is named, or the login is of another
    group than evaluators and auditors.
    """
    wanted = Period.parse(period)
    with database.connect(settings, rows=dict_row, at_one_moment=True) as connection:
        if group_of(connection) not in READERS:
            raise Refused("the fairness report is for evaluators and auditors")
        stored = stored_score(connection, wanted, scheme_id, revision=revision, is_draft=is_draft)
        return fairness_of(connection, stored)


def fairness_of(connection: psycopg.Connection[DictRow], stored: Stored) -> Fairness:
    """The report of a stored score. ``connection`` gives rows as dicts."""
    scheme, units = stored.run.scheme, stored_units(connection, stored)
    lines = {line.code: line.code for line in scheme.lines if not line.is_whole}
    counts = counts_of(units, entered_points(connection, stored), scheme, lines)
    names = names_of(connection, stored.run.period)
    return scoring.fairness(scheme, stored.run.period, units, counts, names, revision=stored.revision)


def fairness_of_period(connection: psycopg.Connection[DictRow], period: Period) -> tuple[Fairness, ...]:
    """The reports of a period by every scheme that scored it; nothing where none did."""
    schemes = {row["scheme_id"] for row in connection.execute(_SCHEMES, {"period": period.text})}
    return tuple(fairness_of(connection, stored_score(connection, period, scheme)) for scheme in sorted(schemes))


_SCHEMES = """
select scheme_id
from mart.score_run
where period = %(period)s
union
select scheme_id
from publish.release
where period = %(period)s
"""

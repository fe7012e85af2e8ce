"""Scores a period by a scheme: dbt computes in schema ``build``, one transaction moves the result to ``mart``.

    lock → choose (scheme, period, data cut) → dbt build of tag:scoring, tests → apply (one transaction)

The lock is that of a build, so the facts stand still meanwhile. Readers see the score run of before or the new one
whole: the run itself is computed in schema ``build`` and moves with its results.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Any

import psycopg
from psycopg.rows import class_row, tuple_row

from minhu import database, lineage
from minhu.database.analyze import analyze_changed, tell_changes
from minhu.errors import Refused
from minhu.schemes.counting import as_variable
from minhu.schemes.period import Period, day_start
from minhu.schemes.plain import plain
from minhu.schemes.scheme import Scheme
from minhu.scoring.earlier import standing_now
from minhu.scoring.law import LAW, write_law
from minhu.scoring.points import compute
from minhu.scoring.rates import write_rates
from minhu.scoring.rows import drop_rows, keep_rows
from minhu.settings import Settings
from minhu.warehouse import dbt
from minhu.warehouse.apply import replace_rows
from minhu.warehouse.applying import FACTS
from minhu.warehouse.comments import comment_columns

RESULTS = ("score_run", "fct_unit_indicator", "fct_unit_score", "fct_evidence")
OF_RUN = "scheme_id = %(scheme_id)s and scheme_version = %(scheme_version)s and period = %(period)s"


@dataclass(frozen=True)
class Run:
    """What is scored: a scheme, a period, the facts of a build, and the moment as of which lateness is judged."""

    scheme: Scheme
    period: Period
    starts_at: datetime
    ends_at: datetime
    as_of: datetime
    build_id: int
    config_version: int
    run_no: int = 0
    """Names its rows in ``mart.counted_row``; 0 of a run that keeps none, or from before they were kept."""
    parts: tuple[dict[str, str], ...] = ()
    """The scores that a longer period is the mean of: scheme_version and period of each."""

    @property
    def key(self) -> dict[str, Any]:
        return {
            "scheme_id": self.scheme.scheme_id,
            "scheme_version": self.scheme.scheme_version,
            "period": self.period.text,
        }

    @property
    def since(self) -> datetime:
        """From when on rows are looked at: of what counts more when it happens again, from before the period on."""
        return day_start(self.scheme.looks_back_to(self.period), self.scheme.timezone)

    @property
    def variables(self) -> dict[str, object]:
        """The vars of the dbt models. ``moments``: which measures the scheme counts, and by which moments.

        ``asked_again``: of which of them other answers about an assignment decide what counts; ``filtered``: of which
        the case decides.
        """
        moments: dict[str, list[str]] = {}
        counted = [one for one in self.scheme.lines if one.measure]
        for one in counted:
            if one.moment and one.moment not in moments.setdefault(str(one.measure), []):
                moments[str(one.measure)].append(one.moment)
        return {
            **self.key,
            "starts_at": self.starts_at.isoformat(),
            "ends_at": self.ends_at.isoformat(),
            "as_of": self.as_of.isoformat(),
            "build_id": self.build_id,
            "config_version": self.config_version,
            "run_no": self.run_no,
            "counting": as_variable(self.scheme, self.period.kind),
            "since": self.since.isoformat(),
            "repeating": any(one.repeated for one in counted),
            "filtered": sorted({str(one.measure) for one in counted if one.rows or one.repeated}),
            "asked_again": sorted({str(one.measure) for one in counted if one.asks_again}),
            "moments": moments,
            "parts": list(self.parts),
        }

    def by_dbt(self, settings: Settings) -> Callable[[str, Sequence[str]], dbt.DbtRun]:
        """Has dbt make of the run what ``select`` names, in schema ``build``."""
        return lambda select, exclude: dbt.run(settings, select, self.variables, exclude=exclude)


@dataclass(frozen=True)
class UnitScore:
    """One unit's line of the score table."""

    peer_group: str
    unit_code: str
    unit_name: str
    raw_points: Decimal | None
    score_100: Decimal | None
    assessed_points: Decimal | None
    band: str | None
    rank_in_group: int | None
    not_ranked_reason: str | None
    listed_on: str | None


@dataclass(frozen=True)
class GroupScores:
    """A peer group's table: ranked units from the first on, then those not ranked."""

    peer_group: str
    name_zh: str
    points: Decimal
    units: tuple[UnitScore, ...]


@dataclass(frozen=True)
class ScoreResult:
    """What was scored. ``kind``: ``indicative``, or ``final`` for a whole year."""

    scheme_id: str
    scheme_version: str
    title: str
    period: str
    kind: str
    as_of: datetime
    build_id: int
    shows_ranks: bool
    groups: tuple[GroupScores, ...]

    @property
    def ranked(self) -> int:
        return sum(unit.rank_in_group is not None for group in self.groups for unit in group.units)

    @property
    def not_ranked(self) -> int:
        return sum(len(group.units) for group in self.groups) - self.ranked

    def as_json(self) -> dict:
        """Plain values for ``json.dumps``; points as decimal strings."""
        return plain(self) | {"ranked": self.ranked, "not_ranked": self.not_ranked}


def score(settings: Settings, period: str, scheme_id: str | None = None) -> ScoreResult:
    """Scores ``period`` by the scheme, or by the only one in force, replacing an earlier score of the same version.

    Raises Refused when the period is malformed, no build has succeeded, the data end before the period, the scheme is
    unknown or not in force, or a model or test fails; nothing is changed then.
    """
    settings = settings.at_work
    with lineage.job(settings, "score") as told:
        scored = _score(settings, Period.parse(period), scheme_id)
        told.reads(*(f"mart.{table}" for table in FACTS))
        for table in (*RESULTS, *LAW):
            told.writes(f"mart.{table}")
        told.writes(f"score/{scored.scheme_id}/{scored.period}")
        return scored


def _score(settings: Settings, wanted: Period, scheme_id: str | None) -> ScoreResult:
    with database.held(settings, database.LOCK_BUILD) as held:
        with database.connect(settings) as connection:
            run = _choose(connection, wanted, scheme_id)
        with database.connect(settings, autocommit=True) as connection:
            drop_rows(connection)
        computed = compute(settings, run.by_dbt(settings), run.scheme, run.period, run.key, run.parts, standing_now)
        if not computed.is_ok:
            raise Refused(f"scoring {wanted.text} failed and changed nothing: {computed.complaint}")
        with database.connect(settings) as connection:
            database.assert_unbroken(held)
            for table in RESULTS:  # anew, though it be the same: from now on it is a score of its own time
                replace_rows(connection, table, OF_RUN, parameters=run.key, keeps_same=False)
            keep_rows(connection, run.run_no, run.key)
            write_rates(connection, run.scheme, run.period, _in_force(connection), run.run_no)
            write_law(connection, run.scheme, run.period)
            comment_columns(connection, settings, run.variables)
            result = _result(connection, run)
            tell_changes(connection)
        with database.connect(settings, autocommit=True) as connection:
            analyze_changed(connection, "mart")
        return result


def last_score(settings: Settings, period: str) -> ScoreResult:
    """What ``period`` was scored last, read and not computed. Raises Refused when it never was."""
    wanted = Period.parse(period)
    with database.connect(settings) as connection:
        return _result(connection, stored_runs(connection, wanted)[0])


def stored_runs(connection: psycopg.Connection[Any], period: Period, scheme_id: str | None = None) -> list[Run]:
    """The runs that scored ``period``, by all schemes or by one, newest first. Raises Refused when there is none."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        found = cursor.execute(_STORED, {"period": period.text, "scheme_id": scheme_id}).fetchall()
    if not found:
        by, option = (f" by the scheme {scheme_id}", f" --scheme {scheme_id}") if scheme_id else ("", "")
        raise Refused(f"{period.text} has not been scored{by}: run `minhu score {period.text}{option}` first")
    return [Run(Scheme.from_entry(data), period, *rest) for data, *rest in found]


def is_stale(connection: psycopg.Connection[Any], run: Run) -> bool:
    """Whether the facts were built anew after they were scored."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return database.one(
            cursor, "select %s < max(build_id) from audit.build where status = 'succeeded'", [run.build_id]
        )[0]


# The text of a scheme is that of its version, whichever configuration brought it.
_STORED = """
select (
        select entry.data from config.entry
        where entry.kind = 'scheme' and entry.key = run.scheme_id
            and entry.data ->> 'scheme_version' = run.scheme_version
        order by entry.since_version desc limit 1
    ), run.starts_at, run.ends_at, run.as_of, run.build_id, run.config_version, coalesce(run.run_no, 0)
from mart.score_run as run
where run.period = %(period)s and (%(scheme_id)s::text is null or run.scheme_id = %(scheme_id)s)
order by run.scored_at desc
"""


def _choose(connection: psycopg.Connection, period: Period, scheme_id: str | None) -> Run:
    config_version = database.one(connection, "select max(config_version) from config.version")[0]
    scheme = _scheme(connection, period, scheme_id)
    build_id, last_day = database.one(connection, _BUILT)
    if build_id is None:
        raise Refused("no build has succeeded yet: run `minhu build` first")
    starts_at, ends_at = period.bounds(scheme.timezone)
    if last_day is None or last_day < period.first:
        have = f"end on {last_day}" if last_day else "hold no batch"
        raise Refused(f"the built facts {have}, before the period {period.text} begins")
    as_of = min(ends_at, day_start(last_day + timedelta(days=1), scheme.timezone))
    parts = _parts(connection, scheme, period, last_day)
    run_no = database.one(connection, "select nextval('mart.score_run_no')")[0]
    return Run(scheme, period, starts_at, ends_at, as_of, build_id, config_version, run_no, parts)


def _parts(connection: psycopg.Connection, scheme: Scheme, period: Period, last_day: date) -> tuple[dict, ...]:
    """The newest score of each shorter period that has begun, where the scheme takes their mean.

    Raises Refused when one was not scored, or a number of the scheme changes inside a period that is computed anew.
    """
    parts = scheme.parts(period)
    if parts is None:
        if day := scheme.changes_within(period):
            raise Refused(
                f"the numbers of {scheme.scheme_id} change on {day}, inside {period.text}: score the shorter periods,"
                f" or let {period.text} be their mean (`aggregation: {{{period.kind}: mean_of_months}}`)"
            )
        return ()
    begun = [part.text for part in parts if part.first <= last_day]
    newest: dict[str, str] = dict(
        connection.execute(
            "select distinct on (period) period, scheme_version from mart.score_run where scheme_id = %s"
            " and period = any(%s) order by period, scored_at desc",
            [scheme.scheme_id, begun],
        ).fetchall()
    )
    if missing := [part for part in begun if part not in newest]:
        raise Refused(
            f"{period.text} is the mean of its {parts[0].kind}s, and {', '.join(missing)} has not been scored: run"
            f" `minhu score {missing[0]} --scheme {scheme.scheme_id}` first"
        )
    return tuple({"scheme_version": version, "period": part} for part, version in sorted(newest.items()))


_BUILT = """
with succeeded as (
    select build_id from audit.build where status = 'succeeded'
)
select
    (select max(build_id) from succeeded),
    (
        select max(batch.business_date)
        from audit.batch
        inner join audit.build_batch on batch.batch_id = build_batch.batch_id and build_batch.action = 'take'
        inner join succeeded on build_batch.build_id = succeeded.build_id
        where batch.status = 'accepted'
    )
"""


def _scheme(connection: psycopg.Connection, period: Period, scheme_id: str | None) -> Scheme:
    """The scheme named, or the only one that scores the period, as the configuration in the warehouse has it."""
    schemes = {scheme.scheme_id: scheme for scheme in _in_force(connection)}
    if scheme_id is None:
        fitting = [known for known, scheme in schemes.items() if scheme.covers(period)]
        if len(fitting) != 1:
            found = f"{', '.join(fitting)} do; name one" if fitting else "none does"
            raise Refused(f"one scheme must score {period.text}, but {found} (of {', '.join(schemes) or 'no scheme'})")
        return schemes[fitting[0]]
    if scheme_id not in schemes:
        raise Refused(f"there is no scheme {scheme_id!r}; the warehouse has {', '.join(schemes) or 'none'}")
    scheme = schemes[scheme_id]
    if not scheme.covers(period):
        until = f" until before {scheme.valid_to}" if scheme.valid_to else ""
        raise Refused(
            f"the scheme {scheme_id} does not score {period.text}: it is in force from {scheme.valid_from}{until} "
            f"and scores by {' and '.join(scheme.periods)}"
        )
    return scheme


def _in_force(connection: psycopg.Connection) -> list[Scheme]:
    """The schemes of the configuration in the warehouse. Raises Refused where one is not what its version says."""
    entries = connection.execute(
        "select data from config.entry where kind = 'scheme' and until_version is null order by key"
    ).fetchall()
    schemes = [Scheme.from_entry(data) for (data,) in entries]
    for scheme, (data,) in zip(schemes, entries, strict=True):
        if scheme.scheme_version != data["scheme_version"]:
            raise Refused(
                f"the scheme {scheme.scheme_id} stands in the warehouse as version {data['scheme_version']}, and its"
                f" text is version {scheme.scheme_version}: run `minhu build`, which reads the configuration anew"
            )
    return schemes


def _result(connection: psycopg.Connection, run: Run) -> ScoreResult:
    with connection.cursor(row_factory=class_row(UnitScore)) as cursor:
        cursor.execute(_TABLE, run.key | {"last_day": run.period.last})
        of_group = {code: tuple(units) for code, units in groupby(cursor, attrgetter("peer_group"))}
    return ScoreResult(
        **run.key,
        title=run.scheme.title,
        kind=run.scheme.standing(run.period, run.as_of == run.ends_at),
        as_of=run.as_of,
        build_id=run.build_id,
        shows_ranks=run.scheme.publication.ranking,
        groups=tuple(
            GroupScores(group.code, group.name_zh, group.points, of_group.get(group.code, ()))
            for group in run.scheme.peer_groups
        ),
    )


_TABLE = f"""
select
    scores.peer_group,
    scores.unit_code,
    coalesce(units.unit_name, scores.unit_code) as unit_name,
    scores.raw_points,
    scores.score_100,
    scores.assessed_points,
    scores.band,
    scores.rank_in_group,
    scores.not_ranked_reason,
    scores.listed_on
from mart.fct_unit_score as scores
left join mart.dim_unit as units
    on
        scores.unit_code = units.unit_code
        and units.valid_from <= %(last_day)s
        and (units.valid_to is null or units.valid_to > %(last_day)s)
where {OF_RUN}
order by scores.peer_group, scores.rank_in_group nulls last, scores.unit_code
"""

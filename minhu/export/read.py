"""Reads the score of a period into a ``Report``: what is published of it, else the newest score as a draft.

Both are stored in the same columns (``Stored``), so both are read by the same queries.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.rows import DictRow, dict_row

from minhu import database
from minhu.errors import Refused
from minhu.export.report import Band, Cost, Group, Indicator, Issuer, Measured, Person, Release, Report, Unit, totals
from minhu.progress import progress
from minhu.publish.close import find_release, read_releases
from minhu.publish.diff import diff
from minhu.publish.stored_release import stored_release
from minhu.schemes.period import Period
from minhu.schemes.scheme import Scheme
from minhu.schemes.words import scoring_rule
from minhu.scoring import explanation
from minhu.scoring.explain import explain_units, find_unit, refuse_of_others
from minhu.scoring.score import Run, is_stale, stored_runs
from minhu.scoring.stored import Stored
from minhu.settings import Settings

Costs = dict[str, dict[str, tuple[Cost, ...]]]
"""Of each unit that was taken apart the rows that cost it points, by indicator."""


def read_report(
    settings: Settings,
    period: str,
    scheme_id: str | None = None,
    *,
    revision: int | None = None,
    is_draft: bool = False,
    explained: Sequence[str] | None = (),
    number: str | None = None,
) -> Report:
    """What is published of ``period`` by the scheme, or by the only one; its newest score where nothing is.

    ``revision``: of what is published, the newest unless given. ``is_draft``: the newest score, published or not.
    ``explained``: the units, by code or name, whose lost points are taken apart into rows; None is every unit.
    Raises Refused when the period was not scored or has no such revision, when several schemes scored it and none is
    named, or when a unit is unknown.
    """
    wanted = Period.parse(period)
    with database.connect(settings, rows=dict_row, at_one_moment=True) as connection:
        stored, release = _stored(connection, wanted, scheme_id, revision, is_draft)
        has_newer_facts = is_stale(connection, stored.run)
        units = _units(connection, stored)
        told = _costs(connection, stored, units, explained)
        issuer = _issuer(connection, release)
    units = {code: [_with_costs(unit, told, explained is None) for unit in members] for code, members in units.items()}
    run, scheme = stored.run, stored.run.scheme
    indicators = tuple(
        Indicator(one.code, one.name_zh, one.is_percent, one.is_lower_better, one.note, one.example, one.has_value)
        for one in scheme.lines
    )
    return Report(
        scheme_id=scheme.scheme_id,
        scheme_version=scheme.scheme_version,
        title=scheme.title,
        basis=tuple(f"《{one.title}》{f'（{one.number}）' if one.number else ''}" for one in scheme.legal_basis),
        has_examples=_has_examples(scheme),
        period=wanted.text,
        first=wanted.first,
        last=wanted.last,
        kind=scheme.standing(wanted, run.as_of == run.ends_at),
        as_of=run.as_of,
        is_complete=run.as_of == run.ends_at,
        is_stale=has_newer_facts,
        build_id=run.build_id,
        config_version=run.config_version,
        is_ranked=scheme.publication.ranking,
        is_shrunken=scheme.publication.shrunken,
        lists=tuple(one.name_zh for one in scheme.publication.lists),
        bands=tuple(Band(one.name_zh, one.at_least) for one in scheme.bands),
        indicators=indicators,
        groups=tuple(_groups(stored.run, indicators, units)),
        release=release,
        diff=None
        if release is None or release.is_first
        else diff(settings, period, release.revision, scheme.scheme_id, is_for_all=True),
        issuer=issuer,
        number=number,
    )


def _has_examples(scheme: Scheme) -> bool:
    """Whether a part that decides points stands for something no public source gives."""
    of_indicators = any(one.example for one in scheme.lines)
    return of_indicators or any(one.example for one in scheme.bands) or scheme.rounding.example


def _groups(run: Run, indicators: tuple[Indicator, ...], units: dict[str, list[Unit]]) -> Iterator[Group]:
    """The groups with the rules by which they are scored, their units in the order of its table."""
    scheme = run.scheme
    order = {band.name_zh: place for place, band in enumerate(scheme.bands)}
    for group in scheme.peer_groups:
        members = tuple(sorted(units.get(group.code, ()), key=lambda unit: _place(unit, order)))
        scoring = [one for one in scheme.lines if members and one.scores(group.code)]
        rules = tuple((one.code, scoring_rule(one, group.code, scheme.first_day(run.period))) for one in scoring)
        yield Group(group.code, group.name_zh, group.points, rules, members, totals(indicators, members))


def _stored(
    connection: psycopg.Connection[DictRow], period: Period, scheme_id: str | None, revision: int | None, is_draft: bool
) -> tuple[Stored, Release | None]:
    """The score that is shown, and the release that it is, if it is one."""
    of_period = "period = %(period)s and (%(scheme)s::text is null or scheme_id = %(scheme)s)"
    key = {"period": period.text, "scheme": scheme_id}
    if not is_draft and (revision or read_releases(connection, of_period, key)):
        release = find_release(connection, period.text, revision, scheme_id)
        newest = find_release(connection, period.text, None, release.scheme_id)
        return stored_release(connection, release), Release(
            release_id=release.release_id,
            revision=release.revision,
            hash=release.hash,
            published_at=release.published_at,
            newest_revision=newest.revision,
            why=release.why,
            approval_key=release.approval_key,
            anchor=release.anchor,
            **_people(connection, release.release_id),
        )
    runs = stored_runs(connection, period, scheme_id)
    schemes = sorted({run.scheme.scheme_id for run in runs})
    if len(schemes) > 1:
        raise Refused(f"{period.text} was scored by {' and '.join(schemes)}; name one with --scheme")
    return Stored.newest(runs[0]), None


def _people(connection: psycopg.Connection[DictRow], release_id: int) -> dict[str, Person]:
    """Who closed and who approved, as far as anybody said whose their logins are."""
    told = connection.execute("select act, name, office from publish.people_of(%s)", [release_id])
    return {f"{row['act']}_by": Person(row["name"], row["office"]) for row in told}


def _issuer(connection: psycopg.Connection[DictRow], release: Release | None) -> Issuer | None:
    """Who issues on the day of the publication. A draft is issued by nobody."""
    if release is None:
        return None
    row = connection.execute(_ISSUER, {"day": release.published_at.date()}).fetchone()
    return Issuer(row["issued_by"], row["seal_line"]) if row else None


_ISSUER = """
select data ->> 'issued_by' as issued_by, data ->> 'seal_line' as seal_line
from config.entry
where kind = 'bulletin' and until_version is null and (data ->> 'valid_from')::date <= %(day)s
order by (data ->> 'valid_from')::date desc
limit 1
"""


def _place(unit: Unit, bands: dict[str, int]) -> tuple:
    """Where a unit stands in its group's table: by rank where there is one, else by band, those listed apart last."""
    return (unit.reason is not None, unit.rank or 0, bands.get(unit.band or "", len(bands)), unit.code)


def _units(connection: psycopg.Connection[DictRow], stored: Stored) -> dict[str, list[Unit]]:
    """The units by peer group, with their indicators in the order of the scheme."""
    scheme, key = stored.run.scheme, stored.key | {"last_day": stored.run.period.last}
    measured = defaultdict(list)
    asked = connection.cursor()
    asked.adapters.register_loader("numeric", _SharedNumber)
    for row in asked.execute(stored.sql(_MEASURED), key):
        row["shrunken_value"] = row["shrunken_value"] if scheme.publication.shrunken else None
        row["code"] = sys.intern(row["code"])
        measured[row.pop("unit_code")].append(Measured(**row))
    place = {one.code: at for at, one in enumerate(scheme.lines)}
    groups = defaultdict(list)
    for row in connection.execute(stored.sql(_SCORES), key):
        parts = tuple(sorted(measured[row["code"]], key=lambda one: place.get(one.code, len(place))))
        rank = row.pop("rank")
        shown = rank if scheme.publication.ranking else None
        groups[row.pop("peer_group")].append(Unit(**row, rank=shown, measured=parts))
    return groups


class _SharedNumber(Loader):
    """Numbers written alike are one object: targets and full points of a city are a few, its units' a thousand."""

    def load(self, data: Buffer) -> Decimal:
        return _number(bytes(data))


@lru_cache(maxsize=20_000)
def _number(written: bytes) -> Decimal:
    return Decimal(written.decode())


_SCORES = """
select
    scores.peer_group,
    scores.unit_code as code,
    coalesce(units.unit_name, scores.unit_code) as name,
    scores.raw_points,
    scores.score_100,
    scores.assessed_points,
    scores.band,
    scores.rank_in_group as rank,
    scores.not_ranked_reason as reason,
    scores.listed_on
from {scores} as scores
left join mart.dim_unit as units
    on
        scores.unit_code = units.unit_code
        and units.valid_from <= %(last_day)s
        and (units.valid_to is null or units.valid_to > %(last_day)s)
where {condition}
"""
_MEASURED = """
select
    unit_code,
    indicator_code as code,
    coalesce(pooled_numerator, numerator) as numerator,
    coalesce(pooled_denominator, denominator) as denominator,
    pooled_denominator is not null as is_pooled,
    value,
    round(100 * wilson_low, 2) as wilson_low_pct,
    round(100 * wilson_high, 2) as wilson_high_pct,
    target,
    points_max,
    points,
    funnel_flag,
    shrunken_value
from {indicators}
where {condition}
"""


def _costs(
    connection: psycopg.Connection[DictRow],
    stored: Stored,
    units: dict[str, list[Unit]],
    explained: Sequence[str] | None,
) -> Costs:
    """The rows behind the lost points of the units named, or of all that lost any; read a few hundred units at a time.

    Only what is shown of a row is kept: a large city has hundreds of thousands.
    """
    scored = [unit for members in units.values() for unit in members]
    if explained is None:
        wanted = sorted(unit.code for unit in scored if any(one.lost for one in unit.measured))
    else:
        wanted = sorted({find_unit(connection, named, stored.run.period) for named in explained})
        if missing := set(wanted) - {unit.code for unit in scored}:
            named = ", ".join(sorted(missing))
            raise Refused(f"the unit {named} has no score in {stored.run.period.text}: it is in no peer group")
    refuse_of_others(connection, wanted)
    told: Costs = {}
    with progress(len(wanted), "taking lost points apart") as advance:
        for found in explain_units(connection, stored, wanted):
            told[found.unit_code] = {part.code: tuple(map(_cost, part.costs)) for part in found.indicators}
            advance(found.unit_code)
    return told


def _with_costs(unit: Unit, told: Costs, is_every: bool) -> Unit:
    """The unit with the rows that cost it points, if it was taken apart; with none if it had nothing to lose."""
    if unit.code not in told and not is_every:
        return unit
    costs = told.get(unit.code, {})
    return replace(unit, measured=tuple(replace(one, costs=costs.get(one.code, ())) for one in unit.measured))


def _cost(cost: explanation.Cost) -> Cost:
    return Cost(
        lost=cost.lost,
        marginal=cost.marginal,
        marginal_reason=cost.marginal_reason_zh,
        published_row=cost.published_row,
        subject_kind=cost.subject_kind,
        subject_id=cost.subject_id,
        feed_code=cost.feed_code,
        feed_name=cost.feed_name,
        case_no=cost.case_no,
        finding=cost.finding_zh,
        rule=cost.rule_zh,
        received_at=cost.received_at,
        dispatched_at=cost.dispatched_at,
        due_at=cost.due_at,
        occurred_at=cost.occurred_at,
        clock=cost.clock,
        sources=tuple(
            f"{one.step_zh} {one.source_name} 第 {one.row_number} {'行' if one.batch_id else '条'}"
            for one in cost.sources
        ),
    )

"""What each rate counts, by the row and by the day: `mart.assignment_rate`, `callback_rate` and `agg_rate`.

Taken from the rows that the score has just been made of, in its transaction, so that sums of them are the score's. A
pair of columns stands for a measure; which indicator of which scheme fills it says `filled`.
"""

from collections.abc import Iterable, Mapping, Sequence

import psycopg
from psycopg import sql

from minhu.schemes.catalogue import measures
from minhu.schemes.period import Period
from minhu.schemes.scheme import Scheme

TABLES = {"assignment": "assignment_rate", "callback": "callback_rate"}


def pairs() -> dict[str, tuple[str, ...]]:
    """The pairs of each kind of row, as the catalogue of measures names them."""
    named = [one for one in measures().values() if one.pair]
    return {
        kind: tuple(str(one.pair) for one in named if one.is_of_callbacks == (kind == "callback")) for kind in TABLES
    }


def filled(schemes: Iterable[Scheme], period: Period) -> dict[tuple[str, str], tuple[str, str]]:
    """By peer group and pair the scheme and the indicator that fill it in ``period``.

    Of the schemes that score the period the first by its id that has a rate of the measure for the group, of its
    indicators the first. A scheme fills pairs by the shortest of its periods alone, so that no row counts twice.
    """
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for scheme in sorted(schemes, key=lambda one: one.scheme_id):
        if not scheme.covers(period) or period.kind != scheme.shortest:
            continue
        for one in scheme.lines:
            pair = measures()[one.measure].pair if one.measure and one.is_percent and one.aggregate != "share" else None
            for group in scheme.peer_groups if pair else ():
                if one.scores(group.code):
                    found.setdefault((group.code, str(pair)), (scheme.scheme_id, one.code))
    return found


def write_rates(
    connection: psycopg.Connection, scheme: Scheme, period: Period, schemes: Iterable[Scheme], run_no: int
) -> None:
    """Puts what the run counted in the place of what was said of the period before; rows that stay are not written."""
    if period.kind != scheme.shortest:
        return
    by = filled(schemes, period)
    mine = [(group, pair, code) for (group, pair), (whose, code) in by.items() if whose == scheme.scheme_id]
    others = [(group, pair) for (group, pair), (whose, _) in by.items() if whose != scheme.scheme_id]
    given = {
        "run_no": run_no,
        "scheme_id": scheme.scheme_id,
        "period": period.text,
        "first": period.first,
        "last": period.last,
        "groups": [group for group, _, _ in mine],
        "pairs": [pair for _, pair, _ in mine],
        "codes": [code for _, _, code in mine],
    }
    connection.execute(_RATED, given)
    connection.execute("analyze rated")
    kept = _units_of_others(connection, others, period)
    for kind, of_kind in pairs().items():
        connection.execute(_merge(TABLES[kind], kind, of_kind, kept), given)
    connection.execute(_FORGET_DAYS, given)
    for grain in ("peer_group", "category", "area"):
        connection.execute(_days(grain), given)
    connection.execute("drop table rated")


def _units_of_others(
    connection: psycopg.Connection, others: Sequence[tuple[str, str]], period: Period
) -> dict[str, list[str]]:
    """By pair the units whose group another scheme fills: what stands there is not ours to take away."""
    kept: dict[str, list[str]] = {}
    for group, pair in others:
        units = connection.execute(
            "select distinct unit_code from mart.dim_unit where peer_group = %s and valid_from <= %s"
            " and (valid_to is null or valid_to > %s)",
            [group, period.last, period.last],
        )
        kept.setdefault(pair, []).extend(unit for (unit,) in units)
    return kept


_RATED = """
create temporary table rated on commit drop as
select
    counted.subject_kind,
    counted.subject_id,
    counted.case_id,
    counted.unit_code,
    units.peer_group,
    filled.pair,
    counted.numerator_value as numerator,
    counted.denominator_value as denominator,
    counted.counted_on
from mart.counted_row as counted
inner join build.int_scoring__units as units on counted.unit_code = units.unit_code
inner join unnest(%(groups)s::text[], %(pairs)s::text[], %(codes)s::text[]) as filled (peer_group, pair, indicator_code)
    on units.peer_group = filled.peer_group and counted.indicator_code = filled.indicator_code
where counted.run_no = %(run_no)s and counted.period = %(period)s and counted.excluded_reason is null
"""

_FORGET_DAYS = "delete from mart.agg_rate where scheme_id = %(scheme_id)s and period = %(period)s"


def _merge(table: str, kind: str, of_kind: Sequence[str], kept: Mapping[str, list[str]]) -> sql.Composed:
    """Writes the rows of one kind that say something else than before.

    Of a row that counts in this period by no pair of ours any more the pair is emptied; pairs of other periods stay.
    """
    key = sql.Identifier(f"{kind}_id")
    columns = [f"{pair}_{part}" for pair in of_kind for part in ("n", "of", "on")]
    source = {"n": "numerator", "of": "denominator", "on": "counted_on"}
    told = [
        sql.SQL("(array_agg({}) filter (where pair = {}))[1] as {}").format(
            sql.Identifier(source[part]), sql.Literal(pair), sql.Identifier(f"{pair}_{part}")
        )
        for pair in of_kind
        for part in ("n", "of", "on")
    ]

    def gone(row: str, pair: str) -> sql.Composed:
        """Whether what the row says of the pair is ours to take away: of this period, and of no other scheme."""
        day = sql.Identifier(row, f"{pair}_on")
        ours = sql.SQL("{} between %(first)s and %(last)s").format(day)
        if units := kept.get(pair):
            ours += sql.SQL(" and {} <> all({})").format(sql.Identifier(row, "unit_code"), sql.Literal(units))
        return sql.SQL("coalesce({}, false)").format(ours)

    same = sql.SQL(" and ").join(
        sql.SQL(
            "case when new.{of} is null then not {gone}"
            " else (new.{n}, new.{of}, new.{on}) is not distinct from (old.{n}, old.{of}, old.{on}) end"
        ).format(gone=gone("old", pair), **{part: sql.Identifier(f"{pair}_{part}") for part in source})
        for pair in of_kind
    )
    become = sql.SQL(", ").join(
        sql.SQL("{column} = case when excluded.{of} is not null then excluded.{column} {gone} end").format(
            column=sql.Identifier(f"{pair}_{part}"),
            of=sql.Identifier(f"{pair}_of"),
            gone=sql.SQL("when not {} then known.{}").format(gone("known", pair), sql.Identifier(f"{pair}_{part}")),
        )
        for pair in of_kind
        for part in source
    )
    return sql.SQL(
        "with old as (select * from mart.{table} where {in_period}),"
        " new as (select subject_id, min(unit_code) as unit_code, {told} from rated where subject_kind = {kind}"
        " group by subject_id)"
        " insert into mart.{table} as known ({key}, unit_code, {columns})"
        " select coalesce(new.subject_id, old.{key}), coalesce(new.unit_code, old.unit_code), {new}"
        " from new full join old on new.subject_id = old.{key}"
        " where old.{key} is null or new.unit_code <> old.unit_code or not ({same})"
        " on conflict ({key}) do update set unit_code = excluded.unit_code, {become}"
    ).format(
        table=sql.Identifier(table),
        in_period=sql.SQL(" or ").join(
            sql.SQL("{} between %(first)s and %(last)s").format(sql.Identifier(f"{pair}_on")) for pair in of_kind
        ),
        told=sql.SQL(", ").join(told),
        kind=sql.Literal(kind),
        key=key,
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        new=sql.SQL(", ").join(sql.Identifier("new", column) for column in columns),
        same=same,
        become=become,
    )


def _days(grain: str) -> str:
    """Sums the rates of the run by day and one member more: the peer group, or the category or area of the case."""
    member = "peer_group" if grain == "peer_group" else f"{grain}_code"
    of = "rated" if grain == "peer_group" else "cases"
    join = "" if grain == "peer_group" else "inner join mart.fct_case as cases on rated.case_id = cases.case_id"
    return f"""
insert into mart.agg_rate (scheme_id, period, grain, day_on, {member}, pair, numerator, denominator)
select
    %(scheme_id)s, %(period)s, '{grain}', rated.counted_on, {of}.{member}, rated.pair,
    sum(rated.numerator), sum(rated.denominator)
from rated
{join}
group by rated.counted_on, {of}.{member}, rated.pair
"""

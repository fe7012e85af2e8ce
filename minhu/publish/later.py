"""Which later results rest on one that is about to change: what they took of it, and what it would say now.

A release stays as it is when what it was compared with is revised: it says what it took, and from which revision. That
it would come out otherwise now is told to whoever revises; whether it is revised, too, people decide.
"""

from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True)
class Later:
    """The newest release of a later period that took something of a closing's period which is now otherwise; of how
    many units."""

    scheme_id: str
    period: str
    revision: int
    units: int

    def __str__(self) -> str:
        return f"{self.period} 第 {self.revision} 次发布：{self.units} 家单位所用的本期数据有变，需要时另行修订"


def resting_on(connection: psycopg.Connection, closing_id: int) -> tuple[Later, ...]:
    """The releases that rest on the period of a closing and took other numbers than it holds, by period."""
    with connection.cursor(row_factory=class_row(Later)) as cursor:
        return tuple(cursor.execute(_LATER, {"closing": closing_id}))


# Of a median its value is what was taken.
_LATER = """
with closed as (
    select * from publish.closing where closing_id = %(closing)s
),
frozen as (
    select told.data ->> 'unit_code' as unit_code, told.data ->> 'indicator_code' as indicator_code,
        (told.data ->> 'numerator')::numeric as numerator, (told.data ->> 'denominator')::numeric as denominator,
        (told.data ->> 'value')::numeric as value
    from publish.frozen_row as told
    where told.closing_id = %(closing)s and told.kind = 'unit_indicator'
),
newest as (
    select distinct on (release.scheme_id, release.period) release.*
    from publish.release
    inner join closed on release.scheme_id = closed.scheme_id and release.starts_at > closed.starts_at
    order by release.scheme_id, release.period, release.revision desc
),
taken as (
    select newest.scheme_id, newest.period, newest.revision, newest.starts_at, told.unit_code, told.indicator_code,
        was.numerator, was.denominator, law.aggregate
    from newest
    inner join closed on true
    inner join publish.unit_indicator as told on newest.release_id = told.release_id and told.earlier is not null
    cross join lateral jsonb_to_recordset(told.earlier) as was (period text, numerator text, denominator text)
    left join publish.indicator as law
        on newest.release_id = law.release_id and told.indicator_code = law.indicator_code
    where was.period = closed.period
)
select taken.scheme_id, taken.period, taken.revision, count(distinct taken.unit_code) as units
from taken
left join frozen using (unit_code, indicator_code)
where case
    when taken.aggregate in ('median', 'p90')
        then taken.numerator is distinct from trim_scale(frozen.value)::text
    else (taken.numerator, taken.denominator) is distinct from
        (trim_scale(frozen.numerator)::text, trim_scale(coalesce(frozen.denominator, 0))::text)
end
group by taken.scheme_id, taken.period, taken.revision
order by min(taken.starts_at)
"""

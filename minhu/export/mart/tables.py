"""What is exported of schema ``mart``: which tables, and the day that says their month."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from minhu.database import columnar
from minhu.errors import Refused

_FIRST_DAY = """case
        when period like '%Q%' then make_date(left(period, 4)::integer, 3 * right(period, 1)::integer - 2, 1)
        when period like '____-__' then to_date(period, 'YYYY-MM')
        else make_date(period::integer, 1, 1)
    end"""

BY_MONTH = {
    "case_wide": ("received_on", "received_on"),
    "assignment_wide": ("dispatched_on", "dispatched_on"),
    "callback_wide": ("called_on", "called_on"),
    "score_wide": ("period_on", "period_on"),
    "fct_case": ("received_on", "received_on"),
    "fct_timeliness": ("dispatched_on", "dispatched_on"),
    "fct_satisfaction": ("called_on", "called_on"),
    "fct_violation": ("found_at", "found_at::date"),
    "fct_exclusion": ("decided_at", "decided_at::date"),
    "fct_event": ("occurred_at", "occurred_at::date"),
    "fct_backlog_day": ("day_on", "day_on"),
    "fct_unit_score": ("period", _FIRST_DAY),
    "fct_unit_indicator": ("period", _FIRST_DAY),
    "agg_day": ("day_on", "day_on"),
    "agg_rate": ("day_on", "day_on"),
}
"""The tables that are laid out by month: the column that says which, and its day. A connection cuts the city's days."""
NAMED_ONLY = ("fct_backlog_day",)
"""What is written only where it is asked for by name: read whole, it holds each day against each duty."""
WHOLE = ("relationship",)
"""Beside every ``dim_…``: what is small and of no month."""


@dataclass(frozen=True)
class Column:
    """``type``: as PostgreSQL says it. ``comment``: its Chinese label and what it means, with a dash between."""

    name: str
    type: str
    comment: str | None

    def told(self, zone: str) -> dict[str, str | None]:
        """The column in the words of the manifest."""
        return {"name": self.name, "type": columnar.kind(self.type).told.format(zone=zone), **worded(self.comment)}


@dataclass(frozen=True)
class Table:
    """``day``: the column that says the month of a row; None for a table that is written whole."""

    name: str
    comment: str | None
    columns: tuple[Column, ...]

    @property
    def day(self) -> str | None:
        return BY_MONTH[self.name][0] if self.name in BY_MONTH else None

    def query(self) -> sql.Composed:
        """Its rows, each behind its month, in the order of the day and then of all columns: one order for one content.

        Texts are compared by their bytes, so that no other locale of a server turns rows around.
        """
        day = sql.SQL(BY_MONTH[self.name][1] if self.day else "null::date")
        written = [sql.SQL(columnar.kind(one.type).written).format(sql.Identifier(one.name)) for one in self.columns]
        return sql.SQL("select to_char({day}, 'YYYY-MM'), {columns} from {table} order by {day}, {places}").format(
            day=day,
            columns=sql.SQL(", ").join(written),
            table=sql.Identifier("mart", self.name),
            places=sql.SQL(", ").join(sql.Literal(place) for place in range(2, len(written) + 2)),
        )


def worded(comment: str | None) -> dict[str, str | None]:
    """The Chinese label and the English words of a comment ``中文 — English``."""
    label, dash, said = (comment or "").partition(" — ")
    return {"label_zh": label if dash else None, "description": (said if dash else label) or None}


def readable(connection: psycopg.Connection, names: Collection[str]) -> tuple[list[Table], list[str]]:
    """The tables that the login reads, of ``names`` or of all but `NAMED_ONLY`; and those it does not read.

    Raises Refused where one of ``names`` is no table to export, or one that the login does not read.
    """
    found = list(_listed(connection))
    if unknown := sorted({*names} - {one.name for one in found}):
        there = ", ".join(one.name for one in found)
        raise Refused(f"there is no {unknown[0]!r} among the marts to export; there are {there}")
    wanted = [one for one in found if (one.name in names if names else one.name not in NAMED_ONLY)]
    tables = [one for one in wanted if _reads(connection, one.name)]
    left_out = [one.name for one in wanted if one not in tables]
    if names and left_out:
        user = connection.info.user
        raise Refused(
            f"the login {user} does not read mart.{left_out[0]}: leave out --table {left_out[0]}, or ask who makes"
            " logins for another group"
        )
    if not tables:
        raise Refused(f"the login {connection.info.user} reads no mart; see `minhu logins list`")
    return tables, left_out


def _reads(connection: psycopg.Connection, name: str) -> bool:
    """Whether the login reads it, and what it looks at in the asker's name: the server is asked, no list of ours."""
    try:
        with connection.transaction():
            connection.execute(sql.SQL("select * from {} limit 0").format(sql.Identifier("mart", name)))
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


def _listed(connection: psycopg.Connection) -> Iterator[Table]:
    """All there are to export: those by month in their order, then the small ones by name."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_COLUMNS, [[*BY_MONTH, *WHOLE]]).fetchall()
    names = {row["table_name"]: row["table_comment"] for row in rows}
    for name in (*(name for name in BY_MONTH if name in names), *sorted(names.keys() - BY_MONTH.keys())):
        columns = (Column(one["name"], one["type"], one["comment"]) for one in rows if one["table_name"] == name)
        yield Table(name, names[name], tuple(columns))


_COLUMNS = """
select
    tables.relname as table_name,
    obj_description(tables.oid, 'pg_class') as table_comment,
    columns.attname as name,
    format_type(columns.atttypid, null) as type,
    col_description(tables.oid, columns.attnum) as comment
from pg_class as tables
inner join pg_attribute as columns on tables.oid = columns.attrelid
where tables.relnamespace = 'mart'::regnamespace
    and tables.relkind in ('r', 'p', 'v', 'm')
    and (tables.relname = any(%s) or starts_with(tables.relname, 'dim_'))
    and columns.attnum > 0
    and not columns.attisdropped
order by tables.relname, columns.attnum
"""

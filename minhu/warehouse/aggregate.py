"""Keeps `mart.agg_day` and `mart.agg_week` in step with the facts, inside the transaction that applies a build.

    what the touched cases count for  →  the build's facts take their place  →  what they count for now
    the difference, by cell and day, is added to agg_day; from the first day that changed, or that the data did not
    reach before, what was open is summed up anew; the weeks of those cells and days are summed from their days

A *cell* is a grain with its members: the whole city, one unit, one unit's cases of one category. A row that would hold
nothing but zeros is not there. Rows beyond the reach of the data tell what falls due then; what is open there is null.
"""

from datetime import date

import psycopg

from minhu import database

GRAINS: dict[str, tuple[str, ...]] = {
    "feed_request_type": ("feed_code", "request_type"),
    "category": ("category_code",),
    "unit_category": ("unit_code", "unit_key", "level_1_code"),
    "area_category": ("area_code", "level_1_code"),
    "city": (),
    "feed": ("feed_code",),
    "request_type": ("request_type",),
    "area": ("area_code",),
    "unit": ("unit_code", "unit_key"),
}
"""What `mart.agg_day` counts by. A pair has categories of the first level: with all of them it would have nearly as
many rows as there are cases. One more takes a line here, one in the table's check, and a full refresh."""

_FINER = {
    "city": "feed_request_type",
    "feed": "feed_request_type",
    "request_type": "feed_request_type",
    "area": "area_category",
    "unit": "unit_category",
}
"""What need not be summed from the facts, as a finer grain holds it."""

_DIMENSIONS = ("feed_code", "unit_code", "unit_key", "category_code", "area_code", "request_type")
_CELL = ("cell", "grain", *_DIMENSIONS)
_FLOWS = (
    "intake",
    "repeats",
    "dispatched",
    "closed",
    "closed_on_time",
    "returned",
    "reworked",
    "called_back",
    "rated",
    "satisfied",
    "open_change",
    "overdue_change",
)
_LEVELS = ("open", "overdue")
_ALL = f"array{list(GRAINS)}"
"""So that a day is found by the index of grain and day."""


class Counts:
    """The counts on the connection that applies a build: ``before`` its facts take their place, and ``after``.

    ``anew``: all of them are counted again, as they are where there are none yet, the data reach less far, or
    what they rest on has changed.
    """

    def __init__(self, connection: psycopg.Connection, *, anew: bool) -> None:
        self._connection, self._anew = connection, anew

    def before(self) -> None:
        """What the touched cases count for as they stand."""
        self._reached, self._stood_on = _reach_of_last(self._connection), _stands_on(self._connection)
        self._anew = self._anew or self._reached is None
        self._connection.execute(_MOVED)
        if not self._anew:
            _count(self._connection, "-", "mart", _OF_TOUCHED)

    def after(self, build_id: int) -> None:
        """The difference to what they count for now, added; ``build_id`` has succeeded."""
        connection, reached = self._connection, self._reached
        reaches = database.one(connection, "select max(reaches_on) from mart.freshness")[0]
        stands_on = _stands_on(connection)
        if self._anew or (reached and (reaches is None or reaches < reached or stands_on != self._stood_on)):
            reached = None
            connection.execute("truncate moved")
            connection.execute("delete from mart.agg_day")
            connection.execute("delete from mart.agg_week")
            _count(connection, "+", "mart")
        else:
            _count(connection, "+", "build")  # what was built is of the touched cases, and all of theirs
        _add(connection, reached=reached, reaches=reaches, begins=stands_on[0])
        connection.execute("update audit.build set reaches_on = %s where build_id = %s", [reaches, build_id])


def _reach_of_last(connection: psycopg.Connection) -> date | None:
    """How far the counts that stand say what was open; null where there are none."""
    return database.one(
        connection,
        "select max(reaches_on) from audit.build where build_id ="
        " (select max(build_id) from audit.build where status = 'succeeded')",
    )[0]


def _stands_on(connection: psycopg.Connection) -> tuple:
    """What counts rest on beside the facts: the first day of the calendar, and which category is under which."""
    return database.one(
        connection,
        "select (select min(date_on) from mart.dim_date),"
        " (select array_agg((category_code, level_1_code)::text order by category_code) from mart.dim_category)",
    )


def _add(connection: psycopg.Connection, **asked: date | None) -> None:
    """Adds what moved to the days and weeks.

    ``reached`` and ``reaches``: how far the data did and do; ``begins``: the first day of the calendar.
    """
    for statement in (_DELTA, "analyze delta", _CELLS, "analyze cell_since", _SUM_UP, "analyze level_of_day", _CHANGED):
        connection.execute(statement, asked)
    for statement in (_DROP, _WRITE, _REACHED_WITHOUT, _WEEKS, "analyze week_of_cell", _FORGET_WEEKS, _SUM_WEEKS):
        connection.execute(statement, asked)
    connection.execute("drop table moved, delta, cell_since, level_of_day, changed, week_of_cell")


def _names(columns: tuple[str, ...], form: str = "{0}") -> str:
    return ", ".join(form.format(name) for name in columns)


_MOVED = f"""
create temporary table moved (
    day_on date, grain text, {_names(_DIMENSIONS, "{0} text")}, {_names(_FLOWS, "{0} bigint")}
) on commit drop
"""

_OF_TOUCHED = """
inner join (select case_id from build.touched_case where is_rebuilt) as touched on {table}.case_id = touched.case_id
"""

# What ends at 24:00 ends on that day: its last moment decides. A duty is overdue from the end of the day of its limit
# on, until it ends; one that ended before that day's end never was.
_COUNTED = """
with zone as materialized (select mart.city_zone() as name),

duty as materialized (
    select
        cases.feed_code,
        duty.unit_code,
        duty.unit_key,
        cases.category_code,
        cases.area_code,
        cases.request_type,
        (duty.round = 1)::integer as intake,
        (duty.round = 1 and cases.repeat_of_case_id is not null)::integer as repeats,
        opened.opened_on,
        greatest(
            ((duty.ended_at - interval '1 microsecond') at time zone zone.name)::date, opened.opened_on
        ) as ended_on,
        duty.ended_at is not null as is_ended,
        greatest(
            ((duty.due_in_force_at - interval '1 microsecond') at time zone zone.name)::date, opened.opened_on
        ) as due_on,
        duty.due_in_force_at is not null and duty.closed_in_time_at is null and not duty.is_limit_unknown as is_missed,
        (duty.closed_at at time zone zone.name)::date as closed_on,
        coalesce(duty.is_closed_on_time, false)::integer as closed_on_time,
        case when duty.end_reason = 'returned' then (duty.ended_at at time zone zone.name)::date end as returned_on,
        (duty.reworked_at at time zone zone.name)::date as reworked_on
    from {facts}.fct_timeliness as duty
    {of_duties}
    left join {facts}.fct_case as cases on duty.case_id = cases.case_id
    cross join zone
    cross join lateral (select (duty.dispatched_at at time zone zone.name)::date as opened_on) as opened
    where duty.unit_role = 'lead'
),

overdue as (
    select * from duty
    where is_missed and (not is_ended or due_on < ended_on)
),

flow (day_on, {dimensions}, {flows}, unit_intake, unit_repeats) as (
{flow}
),

placed as materialized (
    select
        flow.*,
        coalesce(named.level_1_code, flow.category_code) as level_1_code
    from flow
    left join mart.dim_category as named on flow.category_code = named.category_code
)
"""

_PLACES = {name: name for name in _DIMENSIONS}
_OF_CASE = {name: f"cases.{name}" for name in _DIMENSIONS} | {"unit_code": "null::text", "unit_key": "null::text"}
_OF_CALL = _OF_CASE | {"unit_code": "calls.unit_code", "unit_key": "calls.unit_key"}
_IS_REPEAT = "(cases.repeat_of_case_id is not null)::integer"
_GOOD = "calls.satisfaction_code in ('very_satisfied', 'satisfied', 'basically_satisfied')"
_BY_DAY = "({0} at time zone zone.name)::date"


def _moving(source: str, day: str, places: dict[str, str], **flows: str) -> str:
    """What each row of ``source`` adds to which flows on which day."""
    told = ", ".join(flows.get(name, "0") for name in (*_FLOWS, "unit_intake", "unit_repeats"))
    return f"select {day}, {', '.join(places.values())}, {told} from {source}"


_FLOW = " union all ".join(
    (
        _moving(
            "{facts}.fct_case as cases {of_cases} cross join zone",
            _BY_DAY.format("cases.received_at"),
            _OF_CASE,
            intake="1",
            repeats=_IS_REPEAT,
        ),
        _moving(
            "duty", "opened_on", _PLACES, unit_intake="intake", unit_repeats="repeats", dispatched="1", open_change="1"
        ),
        _moving("duty where is_ended", "ended_on", _PLACES, open_change="-1"),
        _moving("overdue", "due_on", _PLACES, overdue_change="1"),
        _moving("overdue where is_ended", "ended_on", _PLACES, overdue_change="-1"),
        _moving("duty where closed_on is not null", "closed_on", _PLACES, closed="1", closed_on_time="closed_on_time"),
        _moving("duty where returned_on is not null", "returned_on", _PLACES, returned="1"),
        _moving("duty where reworked_on is not null", "reworked_on", _PLACES, reworked="1"),
        _moving(
            "{facts}.fct_satisfaction as calls {of_calls} left join {facts}.fct_case as cases"
            " on calls.case_id = cases.case_id cross join zone",
            _BY_DAY.format("calls.called_at"),
            _OF_CALL,
            called_back="1",
            rated="(calls.satisfaction_level is not null)::integer",
            satisfied=f"coalesce({_GOOD}, false)::integer",
        ),
    )
)


_TABLES = {"of_cases": "cases", "of_duties": "duty", "of_calls": "calls"}


def _count(connection: psycopg.Connection, sign: str, facts: str, of_touched: str = "") -> None:
    """Inserts into ``moved`` what the facts of this schema count for now, by the finest grains, with this sign."""
    only = {of: of_touched.format(table=table) for of, table in _TABLES.items()} | {"facts": facts}
    counted = _COUNTED.format(
        of_duties=only["of_duties"],
        facts=facts,
        dimensions=_names(_DIMENSIONS),
        flows=_names(_FLOWS),
        flow=_FLOW.format(**only),
    )
    summed = " union all ".join(_summed(grain, sign) for grain in GRAINS if grain not in _FINER)
    # Cells are few and their rows many, which the planner cannot know: hashed, a month takes half the time of sorted.
    connection.execute("set local enable_sort = off")
    connection.execute(f"{counted} insert into moved {summed}")
    connection.execute("set local enable_sort = on")


def _summed(grain: str, sign: str) -> str:
    members = GRAINS[grain]
    # by unit, a first duty is what came in
    of_units = {"intake": "unit_intake", "repeats": "unit_repeats"} if "unit_key" in members else {}
    flows = ", ".join(f"{sign}sum({of_units.get(name, name)}) as {name}" for name in _FLOWS)
    by = ", ".join(("day_on", *members))
    return f"select day_on, '{grain}' as grain, {_columns(grain)}, {flows} from placed group by {by}"


def _columns(grain: str) -> str:
    """The dimensions of a row of this grain: null what it does not count by."""
    members = GRAINS[grain]
    told = {name: name if name in members else "null::text" for name in _DIMENSIONS}
    if "level_1_code" in members:
        told["category_code"] = "level_1_code"
    return _names(tuple(f"{what} as {name}" for name, what in told.items()))


def _coarser(grain: str) -> str:
    flows = _names(_FLOWS, "sum({0}) as {0}")
    by = ", ".join(("day_on", *GRAINS[grain]))
    return (
        f"select day_on, '{grain}', {_columns(grain)}, {flows} from moved where grain = '{_FINER[grain]}' group by {by}"
    )


_DELTA = f"""
create temporary table delta on commit drop as
select
    concat_ws('/', grain, {_names(_DIMENSIONS, "coalesce({0}, '')")}) as cell,
    grain, {_names(_DIMENSIONS)}, day_on, {_names(_FLOWS, "sum({0})::integer as {0}")}
from (select * from moved union all {" union all ".join(map(_coarser, _FINER))}) as moved
group by grain, {_names(_DIMENSIONS)}, day_on
having {" or ".join(f"sum({name}) <> 0" for name in _FLOWS)}
"""

# Since which day what was open in a cell is to be summed up. Before the calendar begins nothing says what was open.
_CELLS = f"""
create temporary table cell_since on commit drop as
select {_names(_CELL)}, greatest(min(since), %(begins)s::date) as since
from (
    select {_names(_CELL)}, min(day_on) as since from delta
    where open_change <> 0 or overdue_change <> 0
    group by {_names(_CELL)}
    union all
    select {_names(_CELL)}, %(reached)s::date + 1 from mart.agg_day
    where grain = any({_ALL}) and day_on = %(reached)s::date and (open <> 0 or overdue <> 0)
    union all
    select {_names(_CELL)}, %(reached)s::date + 1 from mart.agg_day
    where
        grain = any({_ALL}) and day_on > %(reached)s::date and day_on <= %(reaches)s::date
        and (open_change <> 0 or overdue_change <> 0)
) as cells
group by {_names(_CELL)}
having min(since) <= %(reaches)s::date
"""

_SUM_UP = f"""
create temporary table level_of_day on commit drop as
with change as (
    select cell, day_on, sum(open_change) as open_change, sum(overdue_change) as overdue_change
    from (
        select agg.cell, agg.day_on, agg.open_change, agg.overdue_change
        from cell_since
        inner join mart.agg_day as agg on cell_since.cell = agg.cell
        where agg.day_on >= cell_since.since or cell_since.since = %(begins)s::date
        union all
        select cell, day_on, open_change, overdue_change from delta
    ) as changes
    group by cell, day_on
),

base as (
    select agg.cell, agg.open, agg.overdue
    from cell_since
    inner join mart.agg_day as agg on cell_since.cell = agg.cell and agg.day_on = cell_since.since - 1
    where cell_since.since > %(begins)s::date
    union all
    select change.cell, sum(change.open_change), sum(change.overdue_change)
    from cell_since
    inner join change on cell_since.cell = change.cell and change.day_on < cell_since.since
    where cell_since.since = %(begins)s::date
    group by change.cell
)

select
    {_names(_CELL, "cell_since.{0}")},
    days.date_on as day_on,
    coalesce(base.open, 0) + sum(coalesce(change.open_change, 0)) over of_cell as open,
    coalesce(base.overdue, 0) + sum(coalesce(change.overdue_change, 0)) over of_cell as overdue
from cell_since
left join base on cell_since.cell = base.cell
inner join mart.dim_date as days on days.date_on >= cell_since.since and days.date_on <= %(reaches)s::date
left join change on cell_since.cell = change.cell and days.date_on = change.day_on
window of_cell as (partition by cell_since.cell order by days.date_on)
"""

_CHANGED = f"""
create temporary table changed on commit drop as
select
    {_names(_CELL, "coalesce(delta.{0}, level.{0}) as {0}")},
    day_on,
    {_names(_FLOWS, "coalesce(agg.{0}, 0) + coalesce(delta.{0}, 0) as {0}")},
    {_names(_LEVELS, "case when day_on <= %(reaches)s::date then coalesce(level.{0}, agg.{0}, 0) end as {0}")}
from delta
full join level_of_day as level using (cell, day_on)
left join mart.agg_day as agg using (cell, day_on)
"""

_EMPTY = " and ".join(f"changed.{name} = 0" for name in _FLOWS) + "".join(
    f" and coalesce(changed.{name}, 0) = 0" for name in _LEVELS
)
_DROP = f"""
delete from mart.agg_day as agg using changed
where agg.cell = changed.cell and agg.day_on = changed.day_on and {_EMPTY}
"""

# Written grain by grain: who reads one of them then reads few pages.
_WRITE = f"""
insert into mart.agg_day ({_names(_CELL)}, day_on, {_names(_FLOWS + _LEVELS)})
select {_names(_CELL)}, day_on, {_names(_FLOWS + _LEVELS)} from changed
where not ({_EMPTY})
order by grain, cell, day_on
on conflict (cell, day_on) do update set {_names(_FLOWS + _LEVELS, "{0} = excluded.{0}")}
"""

# Days that the data reach now, of cells in which nothing was open.
_REACHED_WITHOUT = f"""
update mart.agg_day set open = 0, overdue = 0
where
    grain = any({_ALL}) and day_on <= %(reaches)s::date and open is null
    and (day_on > %(reached)s::date or %(reached)s::date is null)
"""

_WEEKS = f"""
create temporary table week_of_cell on commit drop as
select distinct cell, date_trunc('week', day_on)::date as week_on
from (
    select cell, day_on from changed
    union all
    select cell, day_on from mart.agg_day
    where
        grain = any({_ALL}) and day_on > %(reached)s::date
        and day_on < date_trunc('week', %(reaches)s::date)::date + 7 and %(reaches)s::date > %(reached)s::date
) as days
"""

_FORGET_WEEKS = """
delete from mart.agg_week as agg using week_of_cell as changed
where agg.cell = changed.cell and agg.week_on = changed.week_on
"""

_SUM_WEEKS = f"""
insert into mart.agg_week ({_names(_CELL)}, week_on, {_names(_FLOWS)}, {_names(_LEVELS)})
select
    {_names(_CELL, "agg.{0}")}, changed.week_on, {_names(_FLOWS, "sum(agg.{0})")},
    {
    _names(
        _LEVELS,
        "case when changed.week_on <= %(reaches)s::date then"
        " coalesce(sum(agg.{0}) filter (where agg.day_on = least(changed.week_on + 6, %(reaches)s::date)), 0) end",
    )
}
from week_of_cell as changed
inner join mart.agg_day as agg
    on changed.cell = agg.cell and agg.day_on >= changed.week_on and agg.day_on <= changed.week_on + 6
group by {_names(_CELL, "agg.{0}")}, changed.week_on
order by agg.grain, agg.cell, changed.week_on
"""

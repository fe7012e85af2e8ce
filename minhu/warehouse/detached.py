"""Old months out of staging into files of the landing zone, and back; facts stay where they are.

    detach   cases received in a month, whole under links  →  a Parquet file for each table of staging, read back and
             compared before a row is deleted  →  one transaction: rows leave, accounts say where they are
    attach   the files  →  staging, row by row as it was  →  the next build computes the cases anew

A case of which a row is elsewhere is never rebuilt from what is left: what arrives for it is staged and accounted for,
listed in ``audit.arrived_after_freeze`` and told, and its facts change once its month is attached again (touch.py).
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from minhu import database
from minhu.database import columnar
from minhu.errors import Refused, foreign
from minhu.landing.land import land, opened
from minhu.landing.store import private_folder
from minhu.settings import Settings
from minhu.warehouse import months, refresh

Tell = Callable[[str], None]
TABLES = {"case_record": "feed_code", "case_event": "case_feed_code", "callback": "case_feed_code"}
"""Tables of staging and the column that, with case_no, says whose a row is."""
ROWS = 100_000
"""Of a row group of a file."""
STAYS = ("open", "waits", "snapshot", "appeal", "arrived")
"""Why a case stays in staging, however old: a duty of it is open, something of it is not built, the next snapshot of
its sender would withdraw it, an appeal is undecided, or something arrived for it that waits for another month."""


@dataclass(frozen=True)
class File:
    """Rows of a table in a file of the landing zone. ``rows_hash``: the sum of the hashes of its rows as text."""

    table: str
    rows: int
    bytes: int
    sha256: str
    rows_hash: str


@dataclass(frozen=True)
class Month:
    """A month that was taken out. ``state``: ``detached``; ``attached``, until a build has taken it; ``built``."""

    part_id: int
    month_on: date
    state: str
    cases: int
    rows: int
    bytes: int
    arrived: int
    detached_at: datetime
    detached_by: str
    attached_at: datetime | None
    files: tuple[File, ...]

    def summary(self) -> dict:
        return asdict(self) | {
            "month": f"{self.month_on:%Y-%m}",
            "month_on": self.month_on.isoformat(),
            "detached_at": self.detached_at.isoformat(timespec="seconds"),
            "attached_at": self.attached_at and self.attached_at.isoformat(timespec="seconds"),
        }


@dataclass(frozen=True)
class Detached:
    """What a detachment came to, or would. ``part_id`` is null where nothing went. ``stays``: cases by `STAYS`.

    ``rest``: cases received after the month that may repeat one of it; they are not rebuilt either meanwhile.
    """

    part_id: int | None
    month_on: date
    cases: int
    rows: int
    stays: dict[str, int]
    rest: int
    bytes: int = 0

    def summary(self) -> dict:
        return asdict(self) | {"month_on": self.month_on.isoformat()}


def detach(settings: Settings, month_on: date, *, dry_run: bool = False, tell: Tell = lambda line: None) -> Detached:
    """Takes the cases received in a month out of staging; with ``dry_run`` says what would go.

    Cases that are linked go by the last month of them. Killed at any step and run again it begins anew: rows leave in
    the transaction that records where they are. Raises Refused where something accepted or decided is not built,
    Retryable when a disk is full or the landing zone away.
    """
    owner, settings, month_on = settings, settings.at_work, month_on.replace(day=1)
    with (
        database.held(settings, database.LOCK_BUILD),
        database.connect(settings) as connection,
        private_folder(settings, "detached") as folder,
    ):
        connection.execute("set local timezone to 'UTC'")
        _refuse_what_is_not_built(connection)
        tell(f"{month_on:%Y-%m}：选定工单")
        stays = _choose(connection, month_on, settings.timezone)
        cases, rest = database.one(connection, _COUNTED)
        rows = sum(_rows(connection, table) for table in TABLES)
        found = Detached(None, month_on, cases, rows, stays, rest)
        if dry_run or not cases:
            connection.rollback()
            return found
        files = []
        for table in TABLES:
            tell(f"{month_on:%Y-%m}：写出 {table}")
            files += _written(settings, connection, table, folder)
        (part_id,) = database.one(
            connection,
            "insert into audit.detached_month (month_on, cases, files) values (%s, %s, %s) returning part_id",
            [month_on, cases, Jsonb([asdict(file) for file in files])],
        )
        tell(f"{month_on:%Y-%m}：移出")
        connection.execute(_RECORD_CASES, [part_id])
        for table, feed in TABLES.items():
            names = {"table": sql.Identifier("staging", table), "feed": sql.Identifier(feed)}
            connection.execute(sql.SQL(_RECORD_ROWS).format(**names), [part_id])
            connection.execute(sql.SQL(_DELETE).format(**names))
        connection.commit()
    _tidy(owner, tell)
    return Detached(part_id, month_on, cases, rows, stays, rest, sum(file.bytes for file in files))


def attach(settings: Settings, month_on: date, *, tell: Tell = lambda line: None) -> list[Month]:
    """Brings back all that was taken out of a month; the next build computes its cases anew. Returns what came back.

    One transaction for each part. Raises Refused where nothing of the month is out, or a file is not what was written;
    BadDelivery where it is gone; Retryable when the landing zone is away or the disk full.
    """
    owner, settings, month_on = settings, settings.at_work, month_on.replace(day=1)
    with database.held(settings, database.LOCK_BUILD), database.connect(settings) as connection:
        parts = [one for one in read(connection) if one.month_on == month_on and one.state == "detached"]
        if not parts:
            raise Refused(f"nothing of {month_on:%Y-%m} is out of staging; see `minhu months list`")
        for part in parts:
            connection.execute("set local timezone to 'UTC'")
            for file in part.files:
                tell(f"{month_on:%Y-%m}：接回 {file.table}，{file.rows:,} 行")
                _bring_back(settings, connection, file)
            connection.execute(_ATTACHED, [part.part_id])
            connection.commit()
        came = {part.part_id for part in parts}
        found = [one for one in read(connection) if one.part_id in came]
    _tidy(owner, tell)
    return found


def read(connection: psycopg.Connection) -> list[Month]:
    """Every month that was taken out, the latest part of the latest month first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_MONTHS).fetchall()
    return [Month(**row | {"files": tuple(File(**one) for one in row["files"])}) for row in rows]


def arrived(connection: psycopg.Connection) -> list[dict]:
    """Cases that something arrived for while rows that they rest on are out, and the month to attach: at most 1,000."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_LISTED).fetchall()


def lacking(connection: psycopg.Connection, cases: str, given: dict[str, object]) -> list[Month]:
    """The months whose rows ``cases``, a query of case_id, need and that are out of staging."""
    if not database.one(connection, "select exists (select from audit.detached_month where attached_at is null)")[0]:
        return []
    query = sql.SQL(_LACKING).format(cases=sql.SQL(cases))
    needed = {part_id for (part_id,) in connection.execute(query, given)}
    return [one for one in read(connection) if one.part_id in needed]


_MONTHS = """
select part_id, month_on, month.cases, detached_at, detached_by, attached_at, files,
    case when attached_at is null then 'detached' when built_in is null then 'attached' else 'built' end as state,
    (select coalesce(sum(rows), 0) from jsonb_to_recordset(files) as file (rows bigint))::bigint as rows,
    (select coalesce(sum(bytes), 0) from jsonb_to_recordset(files) as file (bytes bigint))::bigint as bytes,
    coalesce(arrived.cases, 0) as arrived
from audit.detached_month as month
left join (
    select month_on, count(*) as cases from audit.arrived_after_freeze group by month_on
) as arrived using (month_on)
order by month_on desc, part_id desc
"""
_LISTED = """
select to_char(month_on, 'YYYY-MM') as month, feed_code, case_no, rests_on, first_build_id, last_build_id, arrived_at
from audit.arrived_after_freeze
order by month_on, feed_code, case_no
limit 1000
"""
_LACKING = """
with asked as ({cases})
select distinct part_id
from asked
inner join audit.detached_case as detached on detached.case_id = asked.case_id::uuid
inner join audit.detached_month as month using (part_id)
where month.attached_at is null
"""


def _refuse_what_is_not_built(connection: psycopg.Connection) -> None:
    waiting = database.one(
        connection,
        "select exists (select from audit.batch_to_build) or exists (select from audit.decision_to_build)"
        " or exists (select from audit.detached_month where attached_at is not null and built_in is null)",
    )
    if waiting[0] or refresh.owed(connection):
        raise Refused("something is not built yet: run `minhu build`, then take months out")


# Which cases go

# Of the month itself, and all that is linked to whatever: a group goes by its last month, however it hangs together.
_CANDIDATES = """
create temporary table candidate on commit drop as
select f.case_id, f.feed_code, f.case_no, date_trunc('month', f.received_at at time zone %(zone)s)::date as month_on,
    null::text as stays
from mart.fct_case as f
where not exists (select from audit.detached_case as gone where gone.case_id = f.case_id::uuid)
    and (
        (
            f.received_at >= %(month_on)s::date::timestamp at time zone %(zone)s
            and f.received_at < (%(month_on)s::date + interval '1 month') at time zone %(zone)s
        )
        or exists (select from month_link where month_link.case_id = f.case_id)
    )
"""
_KEPT = """
update candidate set stays = %(why)s from ({cases}) as cases
where candidate.stays is null and cases.feed_code = candidate.feed_code and cases.case_no = candidate.case_no
"""
_ROWS_OF = """
with batches as ({batches})
select r.feed_code, r.case_no from staging.case_record as r inner join batches using (batch_id)
union
select e.case_feed_code, e.case_no from staging.case_event as e inner join batches using (batch_id)
union
select c.case_feed_code, c.case_no from staging.callback as c inner join batches using (batch_id)
"""
_WHY = {
    "open": "select candidate.feed_code, candidate.case_no from candidate"
    " inner join mart.fct_timeliness using (case_id) where ended_at is null",
    "waits": _ROWS_OF.format(batches="select batch_id from audit.batch where status in ('loaded', 'held')"),
    "snapshot": _ROWS_OF.format(
        batches="select batch_id from audit.batch inner join config.entry on entry.kind = 'delivery'"
        " and key = batch.feed_code || '/' || batch.delivery and until_version is null"
        " where data ->> 'mode' = 'snapshot' and status = 'accepted'"
    ),
    "appeal": "select feed_code, case_no from assess.appeal left join assess.appeal_decision using (appeal_id)"
    " where decision_id is null",
    "arrived": "select feed_code, case_no from audit.arrived_after_freeze",
}
_LAID_OUT = """
select case_id, feed_code, case_no, case when stays is null then month_on else 'infinity' end as month_on from candidate
"""
_GOING = """
create temporary table going on commit drop as
select case_id, feed_code, case_no from case_month where month_on = %s
"""
_STAYING = """
select coalesce(candidate.stays, 'linked'), count(*)
from candidate inner join case_month using (case_id)
where candidate.month_on = %s and case_month.month_on > candidate.month_on
group by 1 order by 1
"""


def _choose(connection: psycopg.Connection, month_on: date, zone: str) -> dict[str, int]:
    """Makes the temporary table ``going``; returns how many cases of the month stay, by why."""
    months.find_links(connection)
    connection.execute(_CANDIDATES, {"month_on": month_on, "zone": zone})
    connection.execute("analyze candidate")
    for why in STAYS:
        connection.execute(sql.SQL(_KEPT).format(cases=sql.SQL(_WHY[why])), {"why": why})
    months.lay_out(connection, _LAID_OUT)
    connection.execute(_GOING, [month_on])
    connection.execute("create unique index on going (feed_code, case_no)")
    connection.execute("analyze going")
    return dict(connection.execute(_STAYING, [month_on]).fetchall())


# Callers of the cases that go, within the widest window of a repeat after them.
_COUNTED = """
with windows as (
    select coalesce(max((data ->> 'window_days')::integer), 0) as days from config.entry where kind = 'repeat_rule'
),
called as (
    select coalesce(link.current_token, mine.caller_token) as caller_id, mine.received_at
    from going
    inner join staging.case_record as mine using (feed_code, case_no)
    left join restricted.caller_link as link on link.earlier_token = mine.caller_token
    where mine.caller_token is not null
),
tokens as (
    select distinct caller_id, caller_id as caller_token from called
    union
    select caller_id, earlier_token from called inner join restricted.caller_link on current_token = caller_id
),
later as (
    select distinct other.feed_code, other.case_no
    from called
    inner join tokens using (caller_id)
    inner join restricted.case_caller as other on other.caller_token = tokens.caller_token
        and other.received_at between called.received_at
            and called.received_at + (select days from windows) * interval '1 day'
    left join going on going.feed_code = other.feed_code and going.case_no = other.case_no
    where going.case_id is null
)
select (select count(*) from going), (select count(*) from later)
"""


# Rows, files and back

_OF_GOING = "staging.{table} as r inner join going on going.feed_code = r.{feed} and going.case_no = r.case_no"
_RECORD_CASES = "insert into audit.detached_case (case_id, part_id) select case_id::uuid, %s from going"
_RECORD_ROWS = """
insert into audit.detached_batch (part_id, batch_id, rows)
select %s, r.batch_id, count(*) from {table} as r
inner join going on going.feed_code = r.{feed} and going.case_no = r.case_no
group by r.batch_id
"""
_DELETE = "delete from {table} as r using going where going.feed_code = r.{feed} and going.case_no = r.case_no"
_ATTACHED = """
update audit.detached_month set attached_at = clock_timestamp(), attached_by = session_user where part_id = %s
"""
_HASHED = "select count(*), coalesce(sum(hashtextextended(row({columns})::text, 0)), 0)::text from {rows}"


def _rows(connection: psycopg.Connection, table: str) -> int:
    query = f"select count(*) from {_OF_GOING.format(table=table, feed=TABLES[table])}"
    return int(database.one(connection, query)[0])


def _types(connection: psycopg.Connection, table: str) -> dict[str, str]:
    """The columns of a table of staging and their types."""
    found = connection.execute(
        "select attname, format_type(atttypid, null) from pg_attribute"
        " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum",
        [f"staging.{table}"],
    )
    return dict(found.fetchall())


def _written(settings: Settings, connection: psycopg.Connection, table: str, folder: Path) -> list[File]:
    """The rows of ``going`` in a landed file; none where there are none. What the file holds is read back first."""
    types = _types(connection, table)
    going = sql.SQL(_OF_GOING).format(table=sql.Identifier(table), feed=sql.Identifier(TABLES[table]))
    count, rows_hash = _hashed(connection, list(types), going)
    if not count:
        return []
    text, file = folder / f"{table}.csv", folder / f"{table}.parquet"
    with foreign.told("write file", file=file):
        _copy_out(connection, going, types, text)
        _as_parquet(text, types, settings.timezone, file)
        text.unlink()
        _read_back(connection, table, types, file, text)
    if _hashed(connection, list(types), _READ_BACK) != (count, rows_hash):
        raise AssertionError(f"staging.{table}: the file does not hold the rows that were written into it")
    landed = land(settings, file)
    file.unlink()
    return [File(table, count, landed.bytes, landed.sha256, rows_hash)]


def _bring_back(settings: Settings, connection: psycopg.Connection, file: File) -> None:
    types = _types(connection, file.table)
    with (
        opened(settings, file.sha256, f"the file of staging.{file.table}") as path,
        private_folder(settings, "attached") as folder,
        foreign.told("write file", file=folder),
    ):
        held = _columns_of(path)
        if gone := sorted(held - types.keys()):
            raise Refused(f"staging.{file.table} has no column {gone[0]} any more, and its file holds one")
        there = {name: of_type for name, of_type in types.items() if name in held}
        _read_back(connection, file.table, there, path, folder / "rows.csv")
    if _hashed(connection, list(there), _READ_BACK) != (file.rows, file.rows_hash):
        raise Refused(
            f"the file {file.sha256} does not hold the rows of staging.{file.table} that were written into it"
        )
    names = sql.SQL(", ").join(map(sql.Identifier, there))
    connection.execute(
        sql.SQL("insert into {} ({}) select {} from read_back order by batch_id, row_number").format(
            sql.Identifier("staging", file.table), names, names
        )
    )


_READ_BACK = sql.SQL("read_back as r")


def _hashed(connection: psycopg.Connection, columns: list[str], rows: sql.Composable) -> tuple[int, str]:
    """How many ``rows`` (a table called r) there are, and the sum of the hashes of them as text, in whatever order."""
    names = sql.SQL(", ").join(sql.Identifier("r", name) for name in columns)
    count, told = database.one(connection, sql.SQL(_HASHED).format(columns=names, rows=rows))
    return int(count), told


def _copy_out(connection: psycopg.Connection, going: sql.Composable, types: dict[str, str], text: Path) -> None:
    written = [
        sql.SQL(columnar.kind(of_type).written).format(sql.Identifier("r", name)) for name, of_type in types.items()
    ]
    query = sql.SQL("copy (select {} from {} order by r.batch_id, r.row_number) to stdout (format csv)").format(
        sql.SQL(", ").join(written), going
    )
    with connection.cursor() as cursor, cursor.copy(query) as sent, text.open("wb") as file:
        for block in sent:
            file.write(block)


def _as_parquet(text: Path, types: dict[str, str], zone: str, file: Path) -> None:
    import polars as pl

    schema: dict[str, type[pl.DataType]] = {name: columnar.parsed(of_type) for name, of_type in types.items()}
    made = pl.scan_csv(text, has_header=False, schema=schema).select(
        columnar.exact(name, of_type, zone) for name, of_type in types.items()
    )
    made.sink_parquet(file, compression="zstd", statistics=True, row_group_size=ROWS)


def _read_back(connection: psycopg.Connection, table: str, types: dict[str, str], file: Path, text: Path) -> None:
    """Makes the temporary table ``read_back`` of the rows of a file; ``text``: a place for them on their way."""
    import polars as pl

    connection.execute("drop table if exists pg_temp.read_back")
    connection.execute(
        sql.SQL("create temporary table read_back (like {} including defaults) on commit drop").format(
            sql.Identifier("staging", table)
        )
    )
    columns = (columnar.spelled(name, of_type) for name, of_type in types.items())
    pl.scan_parquet(file).select(columns).sink_csv(text, include_header=False)
    query = sql.SQL("copy read_back ({}) from stdin (format csv)").format(
        sql.SQL(", ").join(map(sql.Identifier, types))
    )
    with connection.cursor() as cursor, cursor.copy(query) as sent, text.open("rb") as rows:
        while block := rows.read(1 << 20):
            sent.write(block)
    text.unlink()


def _columns_of(file: Path) -> set[str]:
    import polars as pl

    return set(pl.scan_parquet(file).collect_schema().names())


def _tidy(settings: Settings, tell: Tell) -> None:
    """Room that rows left is used again, and the ranges by which builds find batches are told anew."""
    with database.connect(settings, autocommit=True) as connection:
        for table in TABLES:
            tell(f"整理 staging.{table}")
            connection.execute(sql.SQL("vacuum (analyze) {}").format(sql.Identifier("staging", table)))
            connection.execute(
                sql.SQL("reindex index concurrently {}").format(sql.Identifier("staging", f"{table}_batch"))
            )

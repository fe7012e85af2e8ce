"""A province: what each of its cities has published, copied city by city, each row held against its hash.

A city that is away, changed or of another version takes nothing from who reads the others: its figures stay those of
the last reading, with since when. Of a release that was copied nothing is taken again; that its hash is still the one
that was copied is asked each time, so that a province is a witness of what its cities published.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date, datetime
from heapq import merge
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from minhu import database
from minhu.database import federation, logins
from minhu.errors import Refused
from minhu.glossary.watched import CITY
from minhu.publish.row_hash import canonical, digest, link, read_json
from minhu.settings import Settings

PROVEN = ("unit_score", "unit_indicator", "scheme", "peer_group", "band", "indicator")
"""What has a hash of its own for each row, in the tables of a release."""
BUILT = ("agg_day", "agg_rate", "unit", "feed", "category", "area")
"""What every build makes anew."""
EVIDENCE = ("evidence_rows", "evidence_first_row_no", "evidence_previous_hash", "evidence_hash")
OURS = ("city_code", "has_why", "copied_at", *EVIDENCE)
"""Columns of a copied release that its hash does not cover; nor does what is copied have a reason in words."""

ANSWERS_WITHIN, PATIENCE = "10s", "10min"
"""To connect and say who it is, and for each statement then: one that fell silent holds up those behind it no longer.

postgres_fdw has no limit of its own: it does not heed libpq's ``connect_timeout``.
"""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Standing:
    """How a city stands by the last time it was asked. Moments have a zone.

    ``trouble``: a code of `minhu.glossary.watched.CITY`, ``told`` which release or row it is about; its figures are
    those of ``read_at`` then. ``period`` and ``revision``: of what it published last.
    """

    city_code: str
    city_name: str
    place: str
    is_reachable: bool
    trouble: str | None
    told: str | None
    troubled_since: datetime | None
    tried_at: datetime | None
    read_at: datetime | None
    built_at: datetime | None
    reaches_on: date | None
    releases: int
    period: str | None
    revision: int | None
    published_at: datetime | None

    def as_json(self) -> dict:
        return asdict(self)

    @property
    def en(self) -> str:
        words = CITY[self.trouble or "well"].en
        told = f" ({self.told})" if self.told else ""
        newest = f"; newest release {self.period} revision {self.revision}" if self.period else "; nothing published"
        reach = f"; its data reach to {self.reaches_on}" if self.reaches_on else ""
        since = f"; its figures are those of {self.read_at:%Y-%m-%d %H:%M}" if self.trouble and self.read_at else ""
        return f"{self.city_code} {self.city_name}: {words}{told}{since}{reach}{newest}"


class _Trouble(Exception):
    """Why a city's figures are not taken."""

    def __init__(self, code: str, told: str | None = None):
        self.code, self.told = code, told

    @property
    def en(self) -> str:
        return f"{CITY[self.code].en} ({self.told})" if self.told else CITY[self.code].en


def grant(settings: Settings, name: str) -> str:
    """Makes a login by which a province reads this city; its password, which is told once."""
    with database.connect(settings) as owner:
        if found := federation.beyond(owner):
            raise Refused(f"the group of provinces may do more than it should here: {'; '.join(found)}")
        return logins.add_login(owner, name, "province")


def join(settings: Settings, code: str, url: str, password: str, tell: Tell = lambda _: None) -> Standing:
    """Joins a city and reads it. Raises Refused where the URL leads to no city of that code, or it lets nobody in."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,49}", code):
        raise Refused(f"{code!r} is no code of a city: small letters, digits and _, as `code:` of its city.yml says")
    address = federation.read_address(url)
    federation.prepare(settings)
    with _owner(settings) as owner, owner.transaction():
        federation.make_server(owner, code, address, password)
        trouble, city = _answer(owner, code)
        if trouble:
            raise Refused(f"{address.place}: {trouble.en}; nothing was joined")
        owner.execute(
            "insert into province.joined_city (city_code, city_name, timezone, place)"
            " values (%(city_code)s, %(city_name)s, %(timezone)s, %(place)s) on conflict (city_code) do update"
            " set city_name = excluded.city_name, timezone = excluded.timezone, place = excluded.place,"
            " joined_by = excluded.joined_by, joined_at = excluded.joined_at",
            city | {"place": address.place},
        )
    return refresh(settings, [code], tell)[0]


def leave(settings: Settings, code: str) -> None:
    """Removes a city with all that was copied of it."""
    with _owner(settings) as owner, owner.transaction():
        _hold(owner, code)
        found = owner.execute("delete from province.joined_city where city_code = %s", [code])
        if not found.rowcount:
            raise Refused(f"there is no city {code!r} here; see `minhu federation list`")
        federation.drop_server(owner, code)


def cities(settings: Settings) -> list[Standing]:
    """The cities as they stood when they were last asked."""
    with _owner(settings) as owner:
        return _standings(owner)


def refresh(settings: Settings, codes: Sequence[str] = (), tell: Tell = lambda _: None) -> list[Standing]:
    """Reads the cities named, or all, each in a transaction of its own; how they stand then.

    Whatever one of them raises is its own trouble, written down beside the figures that it had. Raises Refused where
    one that is named is not joined.
    """
    with _owner(settings) as owner:
        joined = [one.city_code for one in _standings(owner)]
    if unknown := sorted(set(codes) - set(joined)):
        raise Refused(f"there is no city {unknown[0]!r} here; see `minhu federation list`")
    for code in codes or joined:
        with _owner(settings) as owner:
            _refresh(owner, code, tell)
    with _owner(settings) as owner:
        return [one for one in _standings(owner) if not codes or one.city_code in codes]


def check(settings: Settings, tell: Tell = lambda _: None) -> list[str]:
    """What is not as it should be, in words; nothing where all is well. Changes nothing.

    Of this warehouse as a city: what the group of provinces may do beyond reading what is given. As a province: who
    beside the owner reaches a city's server; each copied row against its hash; each city as it answers now, and each
    hash there against the one that was copied.
    """
    with _owner(settings) as owner:
        found = [f"the group of provinces: {line}" for line in federation.beyond(owner)]
        found += federation.strangers(owner)
        for city in _standings(owner):
            tell(f"{city.city_code}: {city.releases} releases")
            found += [f"{city.city_code}: {fault}" for fault in _faults_of(owner, city.city_code)]
            found += [f"{city.city_code}: {moved}" for moved in _now(owner, city.city_code)]
        return found


def _owner(settings: Settings) -> psycopg.Connection[dict[str, Any]]:
    """In autocommit: what is of one moment says so."""
    connection = database.connect(settings, autocommit=True, rows=dict_row)
    set_json_loads(read_json, connection)
    return connection


def _hold(owner: psycopg.Connection[Any], code: str) -> None:
    database.lock(owner, f"minhu:federation:{code}")


def _standings(owner: psycopg.Connection[dict[str, Any]]) -> list[Standing]:
    return [Standing(**row) for row in owner.execute(_STANDINGS)]


_STANDINGS = """
with newest as (
    select distinct on (city_code)
        city_code,
        period,
        revision
    from province.copied_release
    order by city_code asc, published_at desc, release_id desc
)

select
    city.city_code,
    city.city_name,
    joined.place,
    city.is_reachable,
    city.trouble,
    joined.told,
    city.troubled_since,
    city.tried_at,
    city.read_at,
    city.built_at,
    city.reaches_on,
    city.releases,
    newest.period,
    newest.revision,
    city.published_at
from province.city
inner join province.joined_city as joined on city.city_code = joined.city_code
left join newest on city.city_code = newest.city_code
order by city.city_code
"""


def _refresh(owner: psycopg.Connection[dict[str, Any]], code: str, tell: Tell) -> None:
    try:
        with owner.transaction():
            _hold(owner, code)
            _take(owner, code, tell)
    except (_Trouble, psycopg.Error) as error:
        trouble = _trouble(owner, error)
        tell(f"{code}: {trouble.en}")
        owner.execute(
            "update province.joined_city set trouble = %(trouble)s, told = %(told)s, tried_at = clock_timestamp(),"
            " troubled_since = coalesce(case when trouble = %(trouble)s then troubled_since end, clock_timestamp())"
            " where city_code = %(city)s",
            {"trouble": trouble.code, "told": trouble.told, "city": code},
        )


def _take(owner: psycopg.Connection[dict[str, Any]], code: str, tell: Tell) -> None:
    """All that is read of a city is of one moment there: its server keeps one snapshot for one transaction here."""
    city = _city(owner, code)
    _assert_known(owner, code)
    new = _heads(owner, code)
    if new:
        tell(f"{code}: {len(new)} new releases")
        for table in ("release", *PROVEN):
            _copy(owner, code, table, "release_id = any(%(releases)s)", {"releases": new})
        if fault := next(_faults_of(owner, code, new), None):
            raise _Trouble("changed", fault)
    before = owner.execute("select build_id from province.joined_city where city_code = %s", [code]).fetchone()
    tables = ("freshness",) if before and before["build_id"] == city["build_id"] else ("freshness", *BUILT)
    for table in tables:
        owner.execute(sql.SQL("delete from {} where city_code = %s").format(_copied(table)), [code])
        _copy(owner, code, table)
    owner.execute(
        "update province.joined_city set city_name = %(city_name)s, timezone = %(timezone)s, build_id = %(build_id)s,"
        " built_at = %(built_at)s, reaches_on = %(reaches_on)s, tried_at = clock_timestamp(),"
        " read_at = clock_timestamp(), trouble = null, told = null, troubled_since = null"
        " where city_code = %(city_code)s",
        city,
    )


def _answer(
    owner: psycopg.Connection[dict[str, Any]], code: str, also: Callable[[], object] = lambda: None
) -> tuple[_Trouble | None, dict[str, Any]]:
    """Why a city does not answer as it should, else None and what it says of itself."""
    try:
        with owner.transaction():
            city = _city(owner, code)
            also()
            return None, city
    except (_Trouble, psycopg.Error) as error:
        return _trouble(owner, error), {}


def _city(owner: psycopg.Connection[dict[str, Any]], code: str) -> dict[str, Any]:
    """What the city says of itself, its tables imported as they are there by now. Within a transaction."""
    _give(owner, ANSWERS_WITHIN)
    federation.import_tables(owner, code)
    city = owner.execute(sql.SQL("select * from {}").format(_there(code, "city"))).fetchone()
    _give(owner, PATIENCE)
    if city is None or city["city_code"] != code:
        raise _Trouble("other_city", city["city_code"] if city else None)
    return city | {"city_name": city["city_name"] or code}


def _give(owner: psycopg.Connection[Any], time: str) -> None:
    owner.execute("select set_config('statement_timeout', %s, true)", [time])


def _there(code: str, table: str) -> sql.Identifier:
    return sql.Identifier(federation.name_of(code), table)


def _copied(table: str) -> sql.Identifier:
    return sql.Identifier("province", f"copied_{table}")


def _columns(owner: psycopg.Connection[dict[str, Any]], table: sql.Identifier) -> list[str]:
    found = owner.execute(
        "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped"
        " order by attnum",
        [table.as_string(owner)],
    )
    return [row["attname"] for row in found]


def _assert_known(owner: psycopg.Connection[dict[str, Any]], code: str) -> None:
    """A city of a later version gives columns that this one has no place for: their hashes would not fit."""
    for table in ("release", *PROVEN, "freshness", *BUILT):
        more = set(_columns(owner, _there(code, table))) - set(_columns(owner, _copied(table)))
        if more:
            raise _Trouble("newer", f"{table}: {', '.join(sorted(more))}")


def _copy(
    owner: psycopg.Connection[dict[str, Any]], code: str, table: str, where: str = "true", given: dict | None = None
) -> None:
    """Rows of a city's table into the copy, by name; what an earlier version does not give stays null."""
    names = [name for name in _columns(owner, _there(code, table)) if name in _columns(owner, _copied(table))]
    listed = sql.SQL(", ").join(map(sql.Identifier, names))
    owner.execute(
        sql.SQL("insert into {} (city_code, {}) select %(city)s, {} from {} where ").format(
            _copied(table), listed, listed, _there(code, table)
        )
        + sql.SQL(where),
        {"city": code} | (given or {}),
    )


def _heads(owner: psycopg.Connection[dict[str, Any]], code: str) -> list[int]:
    """The releases that are not copied yet. Raises where one that is copied is gone, or has another hash by now."""
    asked = sql.SQL("select release_id, period, revision, hash from {} order by release_id").format
    there = {row["release_id"]: row["hash"] for row in owner.execute(asked(_there(code, "release")))}
    here = owner.execute(
        sql.SQL("select release_id, period, revision, hash from {} where city_code = %s order by release_id").format(
            _copied("release")
        ),
        [code],
    ).fetchall()
    for row in here:
        if there.get(row["release_id"]) != row["hash"]:
            raise _Trouble("rewritten", _release_zh(row))
    return sorted(set(there) - {row["release_id"] for row in here})


def _now(owner: psycopg.Connection[dict[str, Any]], code: str) -> list[str]:
    """Why a city does not answer as it should, or what there is otherwise than it was copied. Changes nothing."""
    moved: list[str] = []
    with owner.transaction(force_rollback=True):
        trouble, _ = _answer(owner, code, lambda: moved.extend(_moved(owner, code)))
    return [trouble.en] if trouble else moved


def _moved(owner: psycopg.Connection[dict[str, Any]], code: str) -> Iterator[str]:
    """Rows that are there otherwise than they were copied, or not any more; raises where a release is."""
    _heads(owner, code)
    for table in PROVEN:
        query = sql.SQL(
            "select row_no, period, revision from {here} as here left join {there} as there"
            " using (release_id, row_no, period, revision)"
            " where here.city_code = %s and here.hash is distinct from there.hash order by release_id, row_no limit 1"
        ).format(here=_copied(table), there=_there(code, table))
        for row in owner.execute(query, [code]):
            yield f"{_release_zh(row)}：{table} 第 {row['row_no']} 行：{CITY['rewritten'].zh}"


def _faults_of(owner: psycopg.Connection[dict[str, Any]], code: str, of: Sequence[int] | None = None) -> Iterator[str]:
    """The first thing of each copied release that does not fit its hashes, and each that does not follow its last."""
    before: str | None = None
    releases = owner.execute(
        sql.SQL("select * from {} where city_code = %s order by release_id").format(_copied("release")), [code]
    ).fetchall()
    for release in releases:
        if before not in (None, release["previous_hash"]):
            yield f"{_release_zh(release)}：与上一次发布的哈希不衔接"
        before = release["hash"]
        if of is None or release["release_id"] in of:
            with suppress(StopIteration):
                yield next(_faults(release, _rows(owner, code, release["release_id"])))


def _rows(owner: psycopg.Connection[dict[str, Any]], code: str, release_id: int) -> Iterator[tuple[str, dict]]:
    """What is copied of a release, of all its tables, in the order of the chain."""

    def of(table: str) -> Iterator[tuple[str, dict]]:
        query = sql.SQL("select * from {} where city_code = %s and release_id = %s order by row_no")
        found = owner.execute(query.format(_copied(table)), [code, release_id]).fetchall()
        return ((table, row) for row in found)

    return merge(*map(of, PROVEN), key=lambda pair: pair[1]["row_no"])


def _faults(release: dict[str, Any], rows: Iterator[tuple[str, dict]]) -> Iterator[str]:
    """What is wrong of a release, first things first. Its evidence stays in the city: the chain leaps over it."""
    where, chain, expected = _release_zh(release), release["previous_hash"], 1
    first = release["evidence_first_row_no"]
    for table, row in rows:
        if expected == first:
            if chain != release["evidence_previous_hash"]:
                yield f"{where}：证据与上一行的哈希不衔接"
            chain, expected = release["evidence_hash"], expected + release["evidence_rows"]
        stored, previous = row.pop("hash"), row.pop("previous_hash")
        del row["city_code"]
        if row["row_no"] != expected:
            yield f"{where}：{table} 第 {expected} 行缺失或重复"
        if previous != chain:
            yield f"{where}：{table} 第 {row['row_no']} 行：与上一行的哈希不衔接"
        if link(chain, canonical(row)) != stored:
            yield f"{where}：{table} 第 {row['row_no']} 行：内容被改动"
        chain, expected = stored, expected + 1
    if expected == first:
        chain, expected = release["evidence_hash"], expected + release["evidence_rows"]
    if expected != release["row_count"] + 1:
        yield f"{where}：应有 {release['row_count']} 行，实有 {expected - 1} 行"
    if digest(canonical(release["inputs"])) != release["input_fingerprint"]:
        yield f"{where}：输入指纹与所记输入不符"
    told = {name: value for name, value in release.items() if name not in (*OURS, "hash")}
    if not release["has_why"] and link(chain, canonical(told)) != release["hash"]:
        yield f"{where}：发布记录被改动"


def _release_zh(row: dict[str, Any]) -> str:
    return f"{row['period']} 第 {row['revision']} 次发布"


def _trouble(owner: psycopg.Connection[Any], error: _Trouble | psycopg.Error) -> _Trouble:
    """What an error means; the words of servers may name who and where, and are told to nobody.

    What broke off this warehouse's own connection is raised again.
    """
    if isinstance(error, _Trouble):
        return error
    if owner.broken or owner.closed:
        raise error
    state = error.sqlstate or ""
    if state == "42501" or re.search(r"authentication failed|not permitted to log in|pg_hba|password", str(error)):
        return _Trouble("locked_out")
    if re.match("08|57|53", state):
        return _Trouble("silent")
    if state in ("HV00Q", "HV00R", "42P01", "3F000"):
        return _Trouble("older")
    return _Trouble("failed", f"{type(error).__name__}{f' {state}' if state else ''}")

"""Logins for people and tools: each belongs to one group and is stopped when it asks too much.

| group | reads | decides |
|---|---|---|
| ``bi`` | `mart`, what is published | |
| ``evaluator`` | `mart`, `config`, `assess`, `publish`, what explains a score | `assess`, held batches, publication |
| ``auditor`` | `mart`, `audit`, `config`, `assess`, `publish` | |
| ``unit`` | its appeals, all published results, the cases behind its own | files and withdraws its unit's appeals |
| ``engineer`` | `mart`, `audit`, `config`, `assess`, `publish` | what Airflow runs, and when |
| ``sender`` | what it has posted, where its feeds stand | posts the deliveries of its feeds |
| ``province`` | of its city what is published and counted by day, no case | |
| ``signin`` | | opens and ends the sessions of the portal, for people of the groups above |

A login of the portal belongs to a group too: it may what that group may, for whoever ``portal.begin`` has verified.

Nobody writes a table: deciding is calling a function of `assess` or `publish`.
"""

import re
import secrets
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row, tuple_row

from minhu.database.connect import one
from minhu.errors import Refused, foreign
from minhu.glossary.decided import ACT

GROUPS = ("bi", "evaluator", "auditor", "unit", "signin", "engineer", "sender", "province")
SEES = {"evaluator": "mart, assess", "unit": "assess", "signin": "portal", "sender": "portal"}
"""Search paths other than `mart`. These groups record what they do, so their sessions are not read-only."""
READS = {"province": "federation"}
"""Search paths other than `mart` of groups that only read."""
TIMEOUT = "60s"
TIMEOUTS = {"province": "10min"}
"""Of groups that take whole tables out."""
EXTRACTS = {"timeout": "30min", "connections": 2, "cursor_tuple_fraction": "1"}
"""Of a login that takes whole marts out instead of drawing boards: long statements, few at a time, and a cursor planned
for all of its rows, not for the first of them."""
CONNECTIONS = {"bi": 20, "signin": 5, "province": 4}
"""How many sessions one login has at a time; ten in other groups, thirty for a login of the portal."""


def add_login(
    connection: psycopg.Connection,
    name: str,
    group: str,
    timeout: str | None = None,
    unit: str | None = None,
    *,
    feeds: Sequence[str] = (),
    is_portal: bool = False,
    extracts: bool = False,
    connections: int | None = None,
    password: str | None = None,
) -> str:
    """Makes a login of ``group``; its password, which is told once. Raises Refused when the name is taken or unfit.

    ``password``: a new one unless given.
    ``timeout``: how long one statement may run, as PostgreSQL writes it (``60s``, ``5min``); `TIMEOUT` unless given, or
    that of `EXTRACTS` where ``extracts`` says that the login takes whole marts out. ``unit``: code of the unit
    that a login of the group ``unit`` speaks for. ``feeds``: codes of those whose deliveries a login of the group
    ``sender`` posts. ``is_portal``: the portal's connections for people of that group use
    it; by itself it is nobody. ``connections``: how many sessions it has at a time; see `CONNECTIONS`.
    """
    if is_portal and group == "signin":
        raise Refused(f"the portal has no pages for {group}: a login of it belongs to a group that reads or decides")
    if is_portal and group == "province":
        raise Refused("a province reads by a login of its own, not through the portal")
    if is_portal and unit is not None:
        raise Refused("a login of the portal speaks for no unit: whoever signs in does")
    if (group == "unit" and not is_portal) != (unit is not None):
        raise Refused("a login of the group unit speaks for one unit, and no other login does: name it with --unit")
    if (group == "sender" and not is_portal) != bool(feeds):
        raise Refused("a login of the group sender posts for feeds, and no other login does: name them with --feed")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name) or name.startswith(("pg_", "minhu")):
        raise Refused(f"{name!r} is no name for a login: small letters, digits and _, not beginning with pg_ or minhu")
    if extracts and (group != "bi" or is_portal):
        raise Refused("extracts are taken by a login of the group bi; others have no use for long statements")
    timeout = timeout or str(EXTRACTS["timeout"] if extracts else TIMEOUTS.get(group, TIMEOUT))
    if not re.fullmatch(r"[1-9][0-9]{0,5}(ms|s|min|h)", timeout):
        raise Refused(f"{timeout!r} is no time limit; write 60s or 5min")
    password = password or secrets.token_urlsafe(24)
    login = sql.Identifier(name)
    belongs = sql.SQL(", ").join(
        sql.Identifier(f"minhu_{one}") for one in ([group, "portal"] if is_portal else [group])
    )
    usual = EXTRACTS["connections"] if extracts else 30 if is_portal else CONNECTIONS.get(group, 10)
    limit = connections or usual
    with foreign.told("make login", name=name, user=connection.info.user):
        connection.execute(
            sql.SQL("create role {} login password {} connection limit {} in role {}").format(
                login, sql.Literal(password), sql.Literal(limit), belongs
            )
        )
    for key, value in {
        "statement_timeout": timeout,
        "idle_in_transaction_session_timeout": "10min",
        "default_transaction_read_only": "off" if group in SEES else "on",
        "timezone": one(connection, "select mart.city_zone()")[0],  # a day is the city's, wherever the server stands
        **({"cursor_tuple_fraction": EXTRACTS["cursor_tuple_fraction"]} if extracts else {}),
    }.items():
        connection.execute(sql.SQL("alter role {} set {} = {}").format(login, sql.SQL(key), sql.Literal(value)))
    path = sql.SQL((SEES | READS).get(group, "mart"))
    connection.execute(sql.SQL("alter role {} set search_path = {}").format(login, path))
    if unit:
        _speaks_for(connection, name, unit, is_active=True)
    for feed in feeds:
        sends_for(connection, name, feed)
    return password


def ways_in(url: str, name: str) -> list[tuple[str, str]]:
    """How tools reach the warehouse at ``url`` as the login ``name``: (what, how); PASSWORD stands for its password."""
    from sqlalchemy import make_url  # here: the portal holds no SQLAlchemy

    at = make_url(url)
    place = f"{at.host}:{at.port or 5432}/{at.database}"
    return [
        ("host", f"{at.host}  port {at.port or 5432}  database {at.database}  user {name}"),
        ("SQLAlchemy, Superset", f"postgresql+psycopg2://{name}:PASSWORD@{place}"),
        ("JDBC: Metabase, FineBI, Tableau", f"jdbc:postgresql://{place}?user={name}&ApplicationName=bi"),
        (
            "ODBC: Excel, Power BI",
            f"Driver={{PostgreSQL Unicode}};Server={at.host};Port={at.port or 5432};Database={at.database};Uid={name}",
        ),
        ("psql, DuckDB", f"postgresql://{name}@{place}"),
    ]


def _speaks_for(connection: psycopg.Connection, name: str, unit: str, *, is_active: bool) -> None:
    with foreign.told("act", user=connection.info.user, act="assess.set_unit_login"):
        connection.execute("select assess.set_unit_login(%s, %s, %s)", [name, unit, is_active])


def sends_for(connection: psycopg.Connection, name: str, feed: str, *, is_active: bool = True) -> None:
    """Says that the login ``name`` of the group ``sender`` posts the deliveries of a feed, or no longer."""
    with foreign.told("act", user=connection.info.user, act="assess.set_sender"):
        connection.execute("select assess.set_sender(%s, %s, %s)", [name, feed, is_active])


def identify(connection: psycopg.Connection, name: str, method: str, identity: str, *, is_active: bool = True) -> None:
    """Says that who is authenticated by ``method`` as ``identity`` is the login ``name``, or no longer.

    ``method`` as `pg_hba.conf` names it (``cert``, ``ldap``, ``gss``, ``peer``), ``identity`` as the server tells it:
    ``select system_user`` in that person's session gives both. A password needs none of this.
    """
    with foreign.told("act", user=connection.info.user, act="assess.set_identity"):
        connection.execute("select assess.set_identity(%s, %s, %s, %s)", [method, identity, name, is_active])


def register_key(connection: psycopg.Connection, name: str, public_key: str, *, is_active: bool = True) -> None:
    """Says that the login ``name`` signs its approvals with the Ed25519 key of this public half in hex, or not."""
    if not re.fullmatch("[0-9a-fA-F]{64}", public_key):
        raise Refused(f"{public_key!r} is no public key: 64 hexadecimal digits, as `minhu keys approver` shows them")
    with foreign.told("act", user=connection.info.user, act="assess.set_approver_key"):
        connection.execute("select assess.set_approver_key(%s, %s, %s)", [name, bytes.fromhex(public_key), is_active])


def group_of(connection: psycopg.Connection[Any]) -> str | None:
    """The group that the connection's login belongs to; None for the owner, who belongs to all, and for several."""
    query = (
        "select coalesce(array_agg(name), '{}') from unnest(%s::text[]) as name"
        " where pg_has_role(session_user, 'minhu_' || name, 'member')"
    )
    with connection.cursor(row_factory=tuple_row) as cursor:
        found = one(cursor, query, [list(GROUPS)])[0]
    return found[0] if len(found) == 1 else None


def rights(connection: psycopg.Connection) -> list[dict]:
    """What each group, and each login of the house but the owner, may do, as the database's own grants say it.

    group; reads: readable relations of each schema; acts: functions that write, by name; writes: whether it changes
    tables itself.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_RIGHTS, [[*GROUPS, "portal", "work"]]).fetchall()


def told(rights: list[dict]) -> list[str]:
    """What `rights` gives in words, two lines for each group."""
    lines = []
    for of in rights:
        reads = "、".join(f"{schema} {count}" for schema, count in sorted(of["reads"].items())) or "—"
        acts = "、".join(ACT.zh(act) for act in of["acts"]) or "—"
        lines += [
            f"{of['group']:<10} 读表与视图  {reads}{'；并直接写表' if of['writes'] else ''}",
            f"{'':10} 可办理      {acts}",
        ]
    return lines


# Schemas that belong to sql/; whether a function writes is what PostgreSQL calls volatile.
_RIGHTS = """
with house as (
    select oid, nspname from pg_namespace
    where nspname = any('{config,audit,restricted,staging,build,mart,assess,publish,portal,federation,province}')
),
of_group as (
    select name, to_regrole('minhu_' || name)::oid as role, place
    from unnest(%s::text[]) with ordinality as of (name, place)
)
select
    of_group.name as "group",
    coalesce((
        select jsonb_object_agg(readable.nspname, readable.relations)
        from (
            select house.nspname, count(*) as relations
            from pg_class
            inner join house on house.oid = pg_class.relnamespace
            where pg_class.relkind in ('r', 'v', 'm', 'p') and has_schema_privilege(role, house.oid, 'usage')
                and (has_table_privilege(role, pg_class.oid, 'select')
                    or has_any_column_privilege(role, pg_class.oid, 'select'))
            group by house.nspname
        ) as readable
    ), '{}') as reads,
    coalesce((
        select array_agg(distinct pg_proc.proname::text order by pg_proc.proname::text)
        from pg_proc
        inner join house on house.oid = pg_proc.pronamespace
        where pg_proc.provolatile = 'v' and pg_proc.prorettype <> 'trigger'::regtype
            and has_schema_privilege(role, house.oid, 'usage') and has_function_privilege(role, pg_proc.oid, 'execute')
    ), '{}') as acts,
    exists (
        select from pg_class inner join house on house.oid = pg_class.relnamespace
        where pg_class.relkind in ('r', 'p') and has_schema_privilege(role, house.oid, 'usage')
            and has_table_privilege(role, pg_class.oid, 'insert, update, delete, truncate')
    ) as writes
from of_group
where role is not null
order by place
"""


def set_password(connection: psycopg.Connection, name: str, password: str) -> None:
    with foreign.told("make login", name=name, user=connection.info.user):
        connection.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(name), sql.Literal(password)))


def name_person(connection: psycopg.Connection, login: str, name: str, office: str | None = None) -> None:
    """Says whose a login is: what bulletins call who closed and approved. An earlier row stays with what it signed."""
    with foreign.told("act", user=connection.info.user, act="assess.set_person"):
        connection.execute("select assess.set_person(%s, %s, %s)", [login, name, office])


def same_person(connection: psycopg.Connection, login: str, person: str, *, is_active: bool = True) -> None:
    """Says that ``login`` is another login of the person for whom ``person`` stands, or is so no longer.

    What is done under either is done by that person, and "another person" is neither of them. Raises Refused where one
    of them is told of already, or there is no such login.
    """
    with foreign.told("act", user=connection.info.user, act="assess.set_same_person"):
        connection.execute("select assess.set_same_person(%s, %s, %s)", [login, person, is_active])


def drop_login(connection: psycopg.Connection, name: str) -> None:
    """Removes a login that `add_login` made. Raises Refused when it is none of those.

    What it decided stays with its name; a later login of that name speaks for no unit unless it is made to.
    """
    known = {login["name"]: login for login in logins(connection)}
    if name not in known:
        raise Refused(f"there is no login {name!r}; see `minhu logins list`")
    for unit in filter(None, known[name]["units"].split()):
        _speaks_for(connection, name, unit, is_active=False)
    connection.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


def logins(connection: psycopg.Connection) -> list[dict]:
    """name, group, person (the login that stands for him), units and feeds (codes with a space between),
    statement_timeout and is_portal of every login of a group.
    """
    rows = connection.execute(
        "select member.rolname, substr(grp.rolname, 7), coalesce((select person"
        "   from assess.same_person_in_force where login = member.rolname), member.rolname),"
        " coalesce((select string_agg(unit_code, ' ' order by unit_code)"
        "   from assess.unit_login_in_force where login = member.rolname), ''),"
        " array_to_string(assess.feeds_of(member.rolname::text), ' '), coalesce("
        "   (select split_part(setting, '=', 2) from pg_db_role_setting cross join unnest(setconfig) as setting"
        "    where setrole = member.oid and setdatabase = 0 and setting like 'statement\\_timeout=%%'), ''),"
        " exists (select from pg_auth_members as other where other.member = member.oid"
        "   and other.roleid = to_regrole('minhu_portal'))"
        " from pg_auth_members as membership join pg_roles as grp on grp.oid = membership.roleid"
        " join pg_roles as member on member.oid = membership.member"
        " where grp.rolname = any(%s) and member.rolcanlogin and membership.inherit_option order by 1",
        [[f"minhu_{group}" for group in GROUPS]],
    ).fetchall()
    names = ("name", "group", "person", "units", "feeds", "statement_timeout", "is_portal")
    return [dict(zip(names, row, strict=True)) for row in rows]

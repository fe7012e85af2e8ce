"""Logins for people and tools: each belongs to one group of readers, reads only, and is stopped when it asks too much.

| group | reads |
|---|---|
| ``bi`` | `mart` |
| ``evaluator`` | `mart` |
| ``auditor`` | `mart`, `audit`, `config` |
"""

import re
import secrets

import psycopg
from psycopg import sql

from minhu.errors import Refused

GROUPS = ("bi", "evaluator", "auditor")
TIMEOUT = "60s"


def add_login(connection: psycopg.Connection, name: str, group: str, timeout: str = TIMEOUT) -> str:
    """Makes a login of ``group``; its password, which is told once. Raises Refused when the name is taken or unfit.

    ``timeout``: how long one statement may run, as PostgreSQL writes it (``60s``, ``5min``).
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name) or name.startswith(("pg_", "minhu")):
        raise Refused(f"{name!r} is no name for a login: small letters, digits and _, not beginning with pg_ or minhu")
    if not re.fullmatch(r"[1-9][0-9]{0,5}(ms|s|min|h)", timeout):
        raise Refused(f"{timeout!r} is no time limit; write 60s or 5min")
    password = secrets.token_urlsafe(24)
    login = sql.Identifier(name)
    try:
        connection.execute(
            sql.SQL("create role {} login password {} in role {}").format(
                login, sql.Literal(password), sql.Identifier(f"minhu_{group}")
            )
        )
    except psycopg.errors.DuplicateObject:
        raise Refused(f"there is a login {name!r} already") from None
    for key, value in {
        "statement_timeout": timeout,
        "idle_in_transaction_session_timeout": "10min",
        "default_transaction_read_only": "on",
        "search_path": "mart",
    }.items():
        connection.execute(sql.SQL("alter role {} set {} = {}").format(login, sql.SQL(key), sql.Literal(value)))
    return password


def drop_login(connection: psycopg.Connection, name: str) -> None:
    """Removes a login that `add_login` made. Raises Refused when it is none of those."""
    if name not in {login["name"] for login in logins(connection)}:
        raise Refused(f"there is no login {name!r}; see `minhu logins list`")
    connection.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


def logins(connection: psycopg.Connection) -> list[dict]:
    """name, group and statement_timeout of every login of a group of readers."""
    rows = connection.execute(
        "select member.rolname, substr(grp.rolname, 7), coalesce("
        "   (select split_part(setting, '=', 2) from pg_db_role_setting cross join unnest(setconfig) as setting"
        "    where setrole = member.oid and setdatabase = 0 and setting like 'statement\\_timeout=%%'), '')"
        " from pg_auth_members as membership join pg_roles as grp on grp.oid = membership.roleid"
        " join pg_roles as member on member.oid = membership.member"
        " where grp.rolname = any(%s) and member.rolcanlogin order by 1",
        [[f"minhu_{group}" for group in GROUPS]],
    ).fetchall()
    return [{"name": name, "group": group, "statement_timeout": timeout} for name, group, timeout in rows]

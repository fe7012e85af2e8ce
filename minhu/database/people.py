"""Who somebody is, by the password of his own login, and whether that login still stands.

Nothing is kept: PostgreSQL is asked, so a login that is locked, dropped or taken out of its group is so here too.
"""

import psycopg
from psycopg import conninfo

from minhu.database.connect import connect, url
from minhu.database.logins import GROUPS
from minhu.errors import Refused, foreign
from minhu.settings import Settings

ASKS_FOR_A_PASSWORD = "scram-sha-256,md5,password"  # noqa: S105 - methods, as libpq names them
"""Where the server lets somebody in without one (trust, a certificate, the account of this process), that proves
nothing of whoever typed the name. Directories (ldap, pam, radius) ask for it as ``password``."""
LONGEST = 1000
HAS_MANY = "too many connections for role"
"""A server that speaks another language says it otherwise: such a one is not let in, as with a wrong password."""
HOUSE = "minhu"
"""Logins that begin so are of the house, held by processes: they are nobody."""


def prove(settings: Settings, name: str, password: str) -> None:
    """Returns once the server has let ``name`` in with that password.

    Raises Refused with the server's words where it does not, for whatever reason; Retryable where it is away.
    """
    # Without a password libpq would look for one of this process: in its environment, in a file.
    is_fit = 0 < len(name) < 64 and 0 < len(password) <= LONGEST and "\0" not in name + password
    if not is_fit or name.startswith(HOUSE):
        raise Refused("that is no login of a person")
    with foreign.told("connect", what="the warehouse database"):
        there = url(settings)
    at = conninfo.make_conninfo(
        there,
        user=name,
        password=password,
        require_auth=ASKS_FOR_A_PASSWORD,
        connect_timeout=5,
        application_name="minhu sign-in",
    )
    try:
        with foreign.told("sign in", name=name):
            psycopg.connect(at).close()
    except Refused as refused:
        if HAS_MANY in str(refused):  # said to whom the server has let in, of the sessions that he has already
            return
        groups_of(settings, name)  # raises Retryable where it is the server that is away
        raise


def groups_of(settings: Settings, name: str) -> frozenset[str]:
    """The groups whose rights the login has now; none where it may not log in, is of the house, or is no person's.

    Raises Retryable where the server cannot be reached.
    """
    if name.startswith(HOUSE):
        return frozenset()
    with connect(settings, autocommit=True) as connection:
        found = connection.execute(_GROUPS, {"groups": list(GROUPS), "name": name}).fetchall()
    return frozenset(group for (group,) in found)


# A superuser would belong to all; a login of the portal is whoever asks through it.
_GROUPS = """
select of_group
from pg_roles
cross join unnest(%(groups)s::text[]) as of_group
where
    rolname = %(name)s
    and rolcanlogin
    and not rolsuper
    and (rolvaliduntil is null or rolvaliduntil > now())
    and has_database_privilege(pg_roles.oid, current_database(), 'connect')
    and pg_has_role(pg_roles.oid, to_regrole('minhu_' || of_group), 'usage')
    and not coalesce(pg_has_role(pg_roles.oid, to_regrole('minhu_portal'), 'usage'), false)
"""

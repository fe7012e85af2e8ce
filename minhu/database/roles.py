"""Who may do what to the server: logins of the house, none of whose processes holds another's password.

| login | may | used by |
|---|---|---|
| ``postgres`` | everything | starting, stopping, extensions; every statement of it is in the server's log |
| ``minhu_owner`` | owns what `sql/` makes; makes logins | ``minhu`` at the terminal |
| ``minhu_work`` | writes what was sent, facts and scores; owns schema `build` | tasks; loads, builds, scores |
| ``minhu_airflow`` | owns Airflow's database, cannot enter the warehouse | Airflow |
| ``minhu_engineer`` | reads what holds no words of citizens | ``minhu psql`` |

What each may do in the warehouse is granted by `sql/`. On a server of somebody else ``postgres`` is theirs, and the
owner is whom ``MINHU_DATABASE_URL`` names.
"""

import secrets
from collections.abc import Callable

import psycopg
from psycopg import sql

VERSION = "2\n"
"""Of what `make_all` makes: an embedded server of another one is brought to it at its next start."""
SUPERUSER, OWNER, WORK, AIRFLOW, ENGINEER = "postgres", "minhu_owner", "minhu_work", "minhu_airflow", "minhu_engineer"
LOGINS = {
    # Tasks read and write all rows, whatever row policy a city adds; whoever keeps the server ends sessions.
    OWNER: "createrole bypassrls in role pg_signal_backend, pg_read_all_stats, pg_use_reserved_connections",
    WORK: "bypassrls in role pg_use_reserved_connections",
    AIRFLOW: "in role pg_use_reserved_connections",
    ENGINEER: "connection limit 10",
}
DATABASES = {"warehouse": OWNER, "airflow": AIRFLOW}
BEFORE = "minhu"
"""The superuser that owned and did everything before there were others."""

Enter = Callable[[str, str], psycopg.Connection]
"""Makes a connection in autocommit: to a database, as a login; or as a login with a password."""


def make_all(enter: Enter, password: Callable[[str], str]) -> None:
    """Makes the logins and their databases on the embedded server, and gives them what the superuser owned.

    ``password``: gives the secret of a name, ``<login>-password``. Safe to run again, after being killed too.
    """
    with enter("postgres", SUPERUSER) as connection:
        connection.execute(sql.SQL("alter role {} set log_statement = 'all'").format(sql.Identifier(SUPERUSER)))
        for login, what in LOGINS.items():
            _make(connection, login, password(f"{login}-password"), what)
        present = {name for (name,) in connection.execute("select datname from pg_database")}
        for database, owner in DATABASES.items():
            how = "alter database {} owner to {}" if database in present else "create database {} owner {}"
            connection.execute(sql.SQL(how).format(sql.Identifier(database), sql.Identifier(owner)))
        connection.execute(_ENTRY)
    for database, owner in DATABASES.items():
        with enter(database, SUPERUSER) as connection, connection.transaction():
            connection.execute("select set_config('minhu.owner', %s, true)", [owner])
            connection.execute(_GIVE)
            if owner == OWNER:
                connection.execute(_WITHHOLD)


def settle_superuser(enter: Enter, password: str) -> psycopg.Connection:
    """A connection as the superuser of a server whose logins may not be made; `BEFORE` is renamed.

    No role can rename itself: another one does, and is gone again.
    """
    try:
        return enter(SUPERUSER, password)
    except psycopg.OperationalError as error:
        if "password authentication failed" not in str(error):
            raise
    aside, its_own = "minhu_renaming", secrets.token_hex(32)
    with enter(BEFORE, password) as connection:
        _make(connection, aside, its_own, "superuser")
    with enter(aside, its_own) as connection:
        connection.execute(sql.SQL("alter role {} rename to {}").format(*map(sql.Identifier, (BEFORE, SUPERUSER))))
    connection = enter(SUPERUSER, password)
    connection.execute(sql.SQL("drop role {}").format(sql.Identifier(aside)))
    return connection


def _make(connection: psycopg.Connection, name: str, password: str, what: str) -> None:
    """Makes a login, or gives it this password again; the server hears, and may log, only what verifies it."""
    attributes, _, groups = what.partition("in role ")
    known = connection.execute("select 1 from pg_roles where rolname = %s", [name]).fetchone()
    verifier = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    connection.execute(
        sql.SQL("{} role {} login {} password {}").format(
            sql.SQL("alter" if known else "create"), sql.Identifier(name), sql.SQL(attributes), sql.Literal(verifier)
        )
    )
    if groups:
        connection.execute(sql.SQL("grant {} to {}").format(sql.SQL(groups), sql.Identifier(name)))


# Who may enter: nobody who is not named. Whoever could before, still can; Airflow never could need to.
_ENTRY = """
do $$
declare
    known record;
begin
    for known in
        select rolname from pg_roles
        where not rolsuper and has_database_privilege(oid, 'warehouse', 'connect') and case
            when rolcanlogin then rolname !~ '^minhu_' and not exists (
                select from pg_auth_members where member = pg_roles.oid and roleid::regrole::text ~ '^minhu_'
            )
            else rolname ~ '^minhu_'
        end
    loop
        execute format('grant connect on database warehouse to %I', known.rolname);
    end loop;
    revoke connect, temporary on database warehouse from public;
    revoke connect, temporary on database airflow from public;
    revoke connect, temporary on database postgres from public;
    grant connect, temporary on database warehouse to minhu_work;
    grant connect on database warehouse to minhu_engineer;
    grant minhu_work to minhu_owner with admin true, inherit true, set true;
    grant minhu_engineer to minhu_owner with admin true, inherit false, set false;
    alter role minhu_engineer set default_transaction_read_only = on;
end
$$
"""

# What everybody may call and one caller can stop all others by: the table of locks holds so many, the disk so much,
# and a login of the portal is several people's.
_WITHHOLD = r"""
do $$
declare
    known record;
begin
    for known in
        select oid::regprocedure as name, proname ~ '^pg_(terminate|cancel)_backend$' as is_signal
        from pg_proc
        where pronamespace = 'pg_catalog'::regnamespace and (
            proname ~ '^pg_(try_)?advisory_(xact_)?(lock|unlock)'
            or proname in ('pg_terminate_backend', 'pg_cancel_backend', 'lowrite')
            or proname ~ '^lo_(create|creat|from_bytea|put|open|truncate|truncate64|import|export)$'
        )
    loop
        execute format('revoke execute on function %s from public', known.name);
        execute format('grant execute on function %s to minhu_owner', known.name);
        if not known.is_signal then
            execute format('grant execute on function %s to minhu_work', known.name);
        end if;
    end loop;
end
$$
"""

# All that the superuser owns in this database and that is no part of PostgreSQL or an extension, what he grants when
# he makes something, and the say over the groups and their members.
_GIVE = r"""
do $$
declare
    heir constant text := current_setting('minhu.owner');
    owned record;
begin
    for owned in
        select format('schema %I', nspname) as told
        from pg_namespace
        where nspowner = 10 and nspname !~ '^pg_' and nspname <> 'information_schema'
        union all
        select format(
            '%s %s', case relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence'
                when 'f' then 'foreign table' else 'table' end, oid::regclass
        )
        from pg_class
        where relowner = 10 and relkind in ('r', 'p', 'v', 'm', 'f', 'S') and oid >= 16384
            and not exists (
                select from pg_depend
                where classid = 'pg_class'::regclass and objid = pg_class.oid and deptype in ('a', 'i', 'e')
                    and (deptype = 'e' or pg_class.relkind = 'S')
            )
        union all
        select format('routine %s', oid::regprocedure)
        from pg_proc
        where proowner = 10 and oid >= 16384
            and not exists (
                select from pg_depend where classid = 'pg_proc'::regclass and objid = pg_proc.oid and deptype = 'e'
            )
        union all
        select format('type %s', oid::regtype)
        from pg_type
        where typowner = 10 and oid >= 16384 and typelem = 0
            and (typtype in ('e', 'd', 'r')
                or (typtype = 'c' and exists (select from pg_class where oid = typrelid and relkind = 'c')))
            and not exists (
                select from pg_depend where classid = 'pg_type'::regclass and objid = pg_type.oid and deptype = 'e'
            )
    loop
        execute format('alter %s owner to %I', owned.told, heir);
    end loop;
    for owned in
        select
            coalesce(format('in schema %I', nspname), '') as place,
            case defaclobjtype
                when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'routines' when 'T' then 'types'
                else 'schemas'
            end as kind,
            privilege_type as privilege,
            case grantee when 0 then 'public' else quote_ident(grantee::regrole::text) end as reader
        from pg_default_acl
        cross join lateral aclexplode(defaclacl)
        left join pg_namespace on pg_namespace.oid = defaclnamespace
        where defaclrole = 10 and grantee <> 10
    loop
        execute format(
            'alter default privileges for role %I %s grant %s on %s to %s', heir, owned.place, owned.privilege,
            owned.kind, owned.reader
        );
        execute format(
            'alter default privileges for role %I %s revoke %s on %s from %s', current_user, owned.place,
            owned.privilege, owned.kind, owned.reader
        );
    end loop;
    if heir = 'minhu_owner' then
        for owned in
            select distinct rolname from pg_roles
            where not rolsuper and (
                rolname ~ '^minhu_(bi|evaluator|auditor|unit|portal|signin)$'
                or exists (
                    select from pg_auth_members where member = pg_roles.oid
                        and roleid::regrole::text ~ '^minhu_(bi|evaluator|auditor|unit|portal|signin)$'
                        and rolname <> heir
                )
            )
        loop
            execute format('grant %I to %I with admin true, inherit false, set false', owned.rolname, heir);
        end loop;
    end if;
end
$$
"""

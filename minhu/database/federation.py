"""Other warehouses as this one reaches them, by postgres_fdw: a city's server, its login, its tables.

A city gives what stands in its schema ``federation`` to logins of the group ``province``. Here it is a server
``city_<code>`` and foreign tables in a schema of that name, which the owner alone reads: whoever asks for figures of a
city finds copies (`minhu.publish.federation`), and the password is told to nobody else.
"""

from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import conninfo, sql
from psycopg.rows import tuple_row

from minhu.database import embedded, roles
from minhu.database.connect import one
from minhu.errors import Refused, foreign
from minhu.settings import Settings

GIVEN = "federation"
"""The schema that a city gives; the queries below name it, too."""
OPTIONS = {
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
    "application_name": "minhu federation",
    "fetch_size": "10000",
    "updatable": "false",
}
"""Of a city's server. That a machine behind it is gone is seen in a minute; what else falls silent its caller gives up.
"""
TAKEN = ("sslmode", "sslrootcert", "sslcert", "sslkey")
"""What else a URL may say."""


@dataclass(frozen=True)
class Address:
    """Where a city's warehouse is, and as whom it is read."""

    login: str
    options: dict[str, str]

    @property
    def place(self) -> str:
        return f"{self.options['host']}:{self.options['port']}/{self.options['dbname']}"


def read_address(url: str) -> Address:
    """``postgresql://LOGIN@HOST:PORT/DATABASE?sslmode=…``. Raises Refused where it is none, or names a password."""
    with foreign.told("read a city's url"):  # its words may quote a password
        given = {key: str(value) for key, value in conninfo.conninfo_to_dict(url).items()}
    if given.pop("password", None):
        raise Refused(f"a URL with a password is read by everybody on this machine: {foreign.CITY_URL}")
    login = given.pop("user", None)
    if not (login and given.get("host") and given.get("dbname")):
        raise Refused(f"that names no login, host or database: {foreign.CITY_URL}")
    if unknown := sorted(set(given) - {"host", "port", "dbname", *TAKEN}):
        raise Refused(f"{', '.join(unknown)} cannot be said of a city's warehouse; {', '.join(TAKEN)} can")
    return Address(login, {"port": "5432"} | given)


def name_of(code: str) -> str:
    """Of its server here, and of the schema of its foreign tables."""
    return f"city_{code}"


def _tuples(connection: psycopg.Connection[Any], query: LiteralString) -> list[tuple]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(query).fetchall()


def prepare(settings: Settings) -> None:
    """Makes the extension where this login may not and the server is ours; elsewhere tells what its superuser says."""
    from minhu.database.connect import connect

    with connect(settings) as owner:
        login, database, is_there, may = one(
            owner,
            "select current_user, current_database(), ready.wrapper is not null, coalesce("
            "has_foreign_data_wrapper_privilege(ready.wrapper, 'usage'), false) from (select"
            " (select oid from pg_foreign_data_wrapper where fdwname = 'postgres_fdw') as wrapper) as ready",
        )
        if is_there and may:
            return
        if one(owner, "select rolsuper from pg_roles where rolname = current_user")[0]:
            owner.execute("create extension if not exists postgres_fdw schema public")
            return
    said = sql.SQL("grant usage on foreign data wrapper postgres_fdw to {}").format(sql.Identifier(login))
    if settings.database_url:
        raise Refused(
            f"a superuser of this server says in the database {database}: create extension if not exists postgres_fdw;"
            f" {said.as_string()}"
        )
    server = embedded.start(settings)
    with psycopg.connect(server.url(database, roles.SUPERUSER), autocommit=True) as superuser:
        superuser.execute("create extension if not exists postgres_fdw schema public")
        superuser.execute(said)


def make_server(owner: psycopg.Connection[Any], code: str, address: Address, password: str) -> None:
    """The server of a city and the login by which it is read, made anew where they are there. Nothing is asked of it.

    Raises Refused where this server would write the password into its log.
    """
    if _tuples(
        owner,
        "select 1 where current_setting('log_statement') = 'all'"
        " or current_setting('log_min_duration_statement') = '0'",
    ):
        raise Refused(
            "this server writes whatever is said into its log, a password too: a superuser says"
            f" alter role {owner.info.user} set log_statement = 'none', log_min_duration_statement alike; then join"
        )
    name = sql.Identifier(name_of(code))
    with foreign.told("join a city", city=code):
        drop_server(owner, code)
        owner.execute(
            sql.SQL("create server {} foreign data wrapper postgres_fdw options ({})").format(
                name,
                sql.SQL(", ").join(
                    sql.SQL("{} {}").format(sql.Identifier(key), sql.Literal(value))
                    for key, value in (OPTIONS | address.options).items()
                ),
            )
        )
        owner.execute("select province.let_in(%s, %s, %s)", [name_of(code), address.login, password])


def drop_server(owner: psycopg.Connection[Any], code: str) -> None:
    name = sql.Identifier(name_of(code))
    owner.execute(sql.SQL("drop schema if exists {} cascade").format(name))
    owner.execute(sql.SQL("drop server if exists {} cascade").format(name))


def import_tables(owner: psycopg.Connection[Any], code: str) -> None:
    """The city's tables as it gives them by now: its version may be another than when they were last read."""
    name = sql.Identifier(name_of(code))
    owner.execute(sql.SQL("drop schema if exists {} cascade").format(name))
    owner.execute(sql.SQL("create schema {}").format(name))
    owner.execute(sql.SQL("import foreign schema {} from server {} into {}").format(sql.Identifier(GIVEN), name, name))


def beyond(owner: psycopg.Connection[Any]) -> list[str]:
    """What a login of the group ``province`` may do here beyond reading what is given, as the catalogue says it.

    In words, one line for each relation, column, function or group; nothing where all is as it should be.
    """
    return [line for (line,) in _tuples(owner, _BEYOND)]


_BEYOND = """
with own as (
    select
        pg_class.oid,
        pg_namespace.nspname,
        pg_class.oid::regclass::text as name
    from pg_class
    inner join pg_namespace on pg_class.relnamespace = pg_namespace.oid
    where
        pg_class.relkind in ('r', 'v', 'm', 'p', 'f')
        and pg_namespace.nspname !~ '^pg_' and pg_namespace.nspname <> 'information_schema'
)

select 'it reads ' || name
from own
where
    nspname <> 'federation'
    and (has_table_privilege('minhu_province', oid, 'select')
        or has_any_column_privilege('minhu_province', oid, 'select'))
    and has_schema_privilege('minhu_province', nspname, 'usage')
union all
select 'it changes ' || name
from own
where
    has_table_privilege('minhu_province', oid, 'insert, update, delete, truncate')
    or has_any_column_privilege('minhu_province', oid, 'insert, update')
union all
select 'it calls ' || pg_proc.oid::regprocedure
from pg_proc
inner join pg_namespace on pg_proc.pronamespace = pg_namespace.oid
where
    pg_namespace.nspname !~ '^pg_' and pg_namespace.nspname not in ('information_schema', 'public')
    and has_schema_privilege('minhu_province', pg_namespace.oid, 'usage')
    and has_function_privilege('minhu_province', pg_proc.oid, 'execute')
union all
select 'it is a member of ' || roleid::regrole
from pg_auth_members
where member = 'minhu_province'::regrole
order by 1
"""


def strangers(owner: psycopg.Connection[Any]) -> list[str]:
    """Who beside the owner of a city's server may use it, or read its foreign tables, in words."""
    return [line for (line,) in _tuples(owner, _STRANGERS)]


_STRANGERS = """
select concat(pg_roles.rolname, ' may use the server ', pg_foreign_server.srvname)
from pg_foreign_server
cross join pg_roles
where
    pg_foreign_server.srvname ~ '^city_' and not pg_roles.rolsuper
    and not pg_has_role(pg_roles.oid, pg_foreign_server.srvowner, 'usage')
    and has_server_privilege(pg_roles.oid, pg_foreign_server.oid, 'usage')
union all
select concat(pg_roles.rolname, ' reads ', pg_class.oid::regclass)
from pg_class
inner join pg_namespace on pg_class.relnamespace = pg_namespace.oid
cross join pg_roles
where
    pg_class.relkind = 'f' and pg_namespace.nspname ~ '^city_' and not pg_roles.rolsuper
    and pg_roles.rolname !~ '^pg_'
    and not pg_has_role(pg_roles.oid, pg_class.relowner, 'usage')
    and has_schema_privilege(pg_roles.oid, pg_namespace.oid, 'usage')
    and has_table_privilege(pg_roles.oid, pg_class.oid, 'select')
order by 1
"""

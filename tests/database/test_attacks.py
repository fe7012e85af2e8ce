"""Attempts by SQL, of each group and of who looks after the house: each with the refusal that it must meet."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from minhu import database
from minhu.database import embedded, logins, roles
from minhu.settings import PROJECT_ROOT, Settings
from tests.database.test_embedded import installing

GROUPS = ("bi", "evaluator", "auditor", "unit", "signin", "portal")
SCHEMAS = ("config", "audit", "restricted", "staging", "build", "mart", "assess", "publish", "portal", "public")
DENIED, WRONG_KIND, IN_USE, GENERATED = "42501", "42809", "55000", "428C9"
ON_A_RELATION = {  # of every table and view of the house
    "insert into {} default values": {DENIED, IN_USE},
    "update {} set {column} = default": {DENIED, IN_USE, GENERATED},
    "delete from {}": {DENIED, IN_USE},
    "truncate {} cascade": {DENIED, WRONG_KIND},
    "lock table {} in share row exclusive mode": {DENIED},
    "select from {} for update": {DENIED, IN_USE},
    "alter table {} disable trigger all": {DENIED, WRONG_KIND},
    "alter table {} rename to aside": {DENIED},
    "alter table {} owner to current_user": {DENIED},
    "create trigger mine before insert on {} for each row execute function audit.refuse_change()": {DENIED, WRONG_KIND},
    "create policy mine on {} using (true)": {DENIED, WRONG_KIND},
    "alter table {} add column mine integer": {DENIED, WRONG_KIND},
    "drop table {} cascade": {DENIED, WRONG_KIND},
    "drop view {} cascade": {DENIED, WRONG_KIND},
    "comment on table {} is 'x'": {DENIED, WRONG_KIND},
}
ON_A_FUNCTION = {  # of every function of the house
    "alter function {} owner to current_user": {DENIED},
    "alter function {} security invoker": {DENIED},
    "drop function {} cascade": {DENIED},
}
ON_THE_SERVER = {
    # becoming somebody else
    "set role minhu_owner": {DENIED},
    "set role minhu_work": {DENIED},
    "set role postgres": {DENIED},
    "set session authorization minhu_owner": {DENIED},
    "set session authorization 'a_other'": {DENIED},
    "alter role current_user superuser": {DENIED},
    "alter role current_user bypassrls": {DENIED},
    "alter role current_user createrole": {DENIED},
    "alter role current_user connection limit -1": {DENIED},
    "alter role minhu_owner password 'x'": {DENIED},
    "alter role a_other password 'x'": {DENIED},
    "grant minhu_owner to current_user": {DENIED},
    "grant minhu_evaluator to a_bi": {DENIED},
    "create role mine superuser": {DENIED},
    "create role mine": {DENIED},
    "reassign owned by minhu_owner to current_user": {DENIED},
    "drop owned by minhu_owner cascade": {DENIED},
    "alter default privileges for role minhu_owner grant all on tables to public": {DENIED},
    "select * from pg_authid": {DENIED},
    "select * from pg_user_mapping": {DENIED},
    # where own code would run as another
    "create schema mine": {DENIED},
    "create function public.mine() returns integer language sql return 1": {DENIED},
    "create function mart.mine() returns integer language sql return 1": {DENIED},
    "create function assess.actor() returns text language sql return 'a_evaluator'": {DENIED, "42723"},
    "create table public.mine (one integer)": {DENIED},
    "create view mart.mine as select 1 as one": {DENIED},
    "create temporary table actor (one integer)": {DENIED},
    "create extension pg_trgm": {DENIED, "42710"},
    "create language plmine handler plpgsql_call_handler": {DENIED},
    "create event trigger mine on ddl_command_end execute function audit.refuse_change()": {DENIED},
    "create operator public.=== (leftarg = integer, rightarg = integer, function = int4eq)": {DENIED},
    "create cast (text as integer) without function": {DENIED, "42710", "42P17"},
    "load '$libdir/auto_explain'": {DENIED},
    # files, programs, other servers
    "copy (select 1) to '/minhu-mine'": {DENIED},
    "copy (select 1) to program 'true'": {DENIED},
    "select pg_read_file('postgresql.conf')": {DENIED},
    "select pg_read_binary_file('/etc/passwd')": {DENIED},
    "select pg_ls_dir('.')": {DENIED},
    "select pg_ls_logdir()": {DENIED},
    "select pg_stat_file('postgresql.conf')": {DENIED},
    "select lo_import('/etc/passwd')": {DENIED},
    "select lo_export(1, '/minhu-mine')": {DENIED},
    "select lo_from_bytea(0, 'x')": {DENIED},
    "select lo_creat(-1)": {DENIED},
    "create server mine foreign data wrapper postgres_fdw": {DENIED, "42704"},
    "create foreign data wrapper mine": {DENIED},
    "create subscription mine connection 'host=127.0.0.1' publication x": {DENIED},
    "create publication mine for all tables": {DENIED},
    "select pg_create_logical_replication_slot('mine', 'pgoutput')": {DENIED, "55000"},
    # the server itself
    "alter system set log_statement = 'none'": {DENIED},
    "set session_replication_role = replica": {DENIED},
    "set log_statement = 'none'": {DENIED},
    "set temp_file_limit = -1": {DENIED},
    "set lc_messages = 'C'": {DENIED},
    "show hba_file": {DENIED},
    "show data_directory": {DENIED},
    "select * from pg_hba_file_rules": {DENIED},
    "select * from pg_file_settings": {DENIED},
    "select pg_reload_conf()": {DENIED},
    "select pg_rotate_logfile()": {DENIED},
    "select pg_switch_wal()": {DENIED},
    "select pg_promote()": {DENIED},
    "select pg_stat_reset()": {DENIED},
    "select pg_terminate_backend(pg_backend_pid())": {DENIED},
    "select pg_cancel_backend(pg_backend_pid())": {DENIED},
    "select pg_advisory_lock(1)": {DENIED},
    "select pg_try_advisory_xact_lock_shared(1)": {DENIED},
    "checkpoint": {DENIED},
    "drop database warehouse": {DENIED, "55006"},
    "create database mine": {DENIED},
    "alter database warehouse rename to mine": {DENIED, "55006"},
    "alter database warehouse set search_path = mine": {DENIED},
    "drop schema assess cascade": {DENIED},
    "alter schema assess rename to mine": {DENIED},
    "reindex table assess.approval": {DENIED},
    "create index mine on audit.access_log (why)": {DENIED},
    "create statistics mine on feed_code, case_no from mart.fct_case": {DENIED},
    "create rule mine as on insert to assess.approval do instead nothing": {DENIED},
    # what only the house calls
    "select audit.hold('minhu:build')": {DENIED},
    "select audit.seal_access()": {DENIED},
    "select audit.end_sessions_in_the_way()": {DENIED},
    "select audit.let_the_house_in('mart.fct_case')": {DENIED},
    "select mart.describe('fct_case', 'case_no', 'x')": {DENIED},
    "select assess.set_identity('cert', 'x', 'a_evaluator')": {DENIED},
    "select assess.set_unit_login('a_bi', 'U1', true)": {DENIED},
    "select assess.set_approver_key('a_bi', 'x', true)": {DENIED},
    "select publish.chain('x', 'y')": {DENIED, "42883"},
    "select publish.content_of(1, 'x')": {DENIED},
}


def attempts(connection: psycopg.Connection) -> Iterator[tuple[str, set[str]]]:
    """Every attempt on what the house has, with the states of the refusal that it may meet."""
    relations = connection.execute(
        "select format('%%I.%%I', relnamespace::regnamespace::text, relname), ("
        "  select quote_ident(attname) from pg_attribute where attrelid = pg_class.oid and attnum > 0"
        "  and not attisdropped order by attnum limit 1)"
        " from pg_class where relkind in ('r', 'v', 'p') and relnamespace::regnamespace::text = any(%s) order by 1",
        [list(SCHEMAS)],
    )
    for relation, column in relations.fetchall():
        for attempt, states in ON_A_RELATION.items():
            yield attempt.format(relation, column=column), states
    functions = connection.execute(
        "select oid::regprocedure::text from pg_proc where prokind = 'f' and pronamespace::regnamespace::text = any(%s)"
        " order by 1",
        [list(SCHEMAS)],
    )
    for (function,) in functions.fetchall():
        for attempt, states in ON_A_FUNCTION.items():
            yield attempt.format(function), states


@pytest.fixture(scope="module")
def city() -> Iterator[Settings]:
    """A server with the logins of the house, and a login of each group."""
    with installing() as install:
        city = replace(install("attacked"), config=PROJECT_ROOT / "config")
        database.migrate(city)
        yield city


@pytest.fixture(scope="module")
def people(city) -> dict[str, str]:
    """The address of each."""
    url = embedded.start(city).url("warehouse", roles.OWNER)
    found = {}
    with database.connect(city, autocommit=True) as owner:
        owner.execute("alter table assess.unit_login disable trigger user")
        logins.add_login(owner, "a_other", "evaluator")
        for group in GROUPS:
            how = {"is_portal": True} if group == "portal" else {}
            password = logins.add_login(
                owner, f"a_{group}", "evaluator" if how else "bi" if group == "unit" else group, **how
            )
            if group == "unit":  # who speaks for a unit, of a city that has none yet
                owner.execute("revoke minhu_bi from a_unit; grant minhu_unit to a_unit")
            found[group] = psycopg.conninfo.make_conninfo(url, user=f"a_{group}", password=password)
    found["engineer"] = embedded.start(city).url("warehouse", roles.ENGINEER)
    return found


@pytest.mark.parametrize("group", [*GROUPS, "engineer"])
def test_every_attempt_meets_the_refusal_that_it_must(city, people, group):
    with database.connect(city) as owner:
        tried = list(attempts(owner))
    wrong, met = [], Counter()

    def meet(connection: psycopg.Connection, attempt: str, states: set[str]) -> None:
        try:
            connection.execute(attempt)
        except psycopg.Error as error:
            met[error.sqlstate] += 1
            if error.sqlstate not in states:
                wrong.append(f"{attempt}: {error.sqlstate} {error}")
        else:
            wrong.append(f"{attempt}: done")

    with psycopg.connect(people[group]) as connection:
        for attempt, states in tried:
            connection.execute("set transaction read write")
            meet(connection, attempt, states)
            connection.rollback()
    with psycopg.connect(people[group], autocommit=True) as connection:
        connection.execute("set default_transaction_read_only = off")
        for attempt, states in ON_THE_SERVER.items():
            meet(connection, attempt, states)
    tried += ON_THE_SERVER.items()
    assert wrong == [], f"{len(wrong)} of {len(tried)}\n" + "\n".join(wrong[:30])
    assert len(tried) > 1500 and met[DENIED] > 0.8 * len(tried), met


@pytest.mark.parametrize("group", GROUPS)
def test_what_others_ask_is_not_seen(people, group):
    with psycopg.connect(people[group]) as connection:
        told = connection.execute(
            "select distinct query from pg_stat_activity where usename <> session_user and query is not null"
        ).fetchall()
        assert {query for (query,) in told} <= {"<insufficient privilege>", ""}
        assert connection.execute("select rolpassword from pg_roles where rolname = 'minhu_owner'").fetchone() == (
            "********",
        )

"""Who operates owns no more than he needs: a fresh server, and one that an earlier version made and used."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from minhu import database
from minhu.database import embedded, logins, roles
from minhu.database.migrate import MIGRATIONS
from minhu.errors import Refused
from minhu.settings import PROJECT_ROOT, Settings
from tests.database.test_embedded import Install, installing, wait_until

BEFORE = "237"
"""The first migration that an installation of one superuser did not have."""
OF_THE_SUPERUSER = """
select nspname from pg_namespace where nspowner = 10 and nspname !~ '^(pg_|information_schema)'
union all
select oid::regclass::text from pg_class where relowner = 10 and relnamespace::regnamespace::text = any(%(schemas)s)
union all
select oid::regprocedure::text from pg_proc where proowner = 10 and pronamespace::regnamespace::text = any(%(schemas)s)
    and not exists (select from pg_depend where objid = pg_proc.oid and deptype = 'e')
union all
select oid::regtype::text from pg_type where typowner = 10 and typnamespace::regnamespace::text = any(%(schemas)s)
    and not exists (select from pg_depend where objid in (pg_type.oid, pg_type.typelem) and deptype = 'e')
union all
select 'default of ' || defaclnamespace::regnamespace from pg_default_acl where defaclrole = 10
"""
SCHEMAS = "config audit restricted staging build mart assess publish portal public".split()


@contextmanager
def entering(city: Settings, login: str, place: str = "warehouse") -> Iterator[psycopg.Connection]:
    with psycopg.connect(embedded.start(city).url(place, login), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def install() -> Iterator[Install]:
    with installing() as install:
        yield install


@pytest.fixture(scope="module")
def fresh(install) -> Settings:
    city = replace(install("fresh"), config=PROJECT_ROOT / "config")
    database.migrate(city)
    return city


@pytest.fixture(scope="module")
def converted(install, tmp_path_factory) -> Settings:
    """What an earlier version left: one superuser `minhu`, everything his; then started and migrated by this one."""
    city = replace(install("converted"), config=PROJECT_ROOT / "config")
    then = tmp_path_factory.mktemp("then")
    for file in MIGRATIONS.iterdir():
        if file.name < BEFORE or file.suffix != ".sql":
            (then / file.name).symlink_to(file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(roles, "SUPERUSER", roles.BEFORE)
        patch.setattr(roles, "make_all", _as_it_was)
        before = replace(city, login=roles.BEFORE)
        server = embedded.start(before)
        database.migrate(before, then)
        with database.connect(before, autocommit=True) as connection:
            assert connection.execute("select rolsuper from pg_roles where rolname = session_user").fetchone() == (
                True,
            )
            logins.add_login(connection, "ev1", "evaluator")
            connection.execute("create role of_the_city login password 'x'")
            connection.execute("create table public.of_the_city as select 1 as one; create extension pg_trgm")
            connection.execute(
                "create table build.left_over (one int); create view build.seen as table build.left_over"
            )
            connection.execute("create view mart.measured as select 1 as one")
            connection.execute("create function build.walk(a int) returns int language sql return 1")
            connection.execute("comment on view mart.measured is 'definition x'")
            connection.execute("insert into config.version (city, sha256) values ('x', 'y')")
    (server.data_dir.parent / "roles").unlink()
    (city.home / "secrets" / f"{roles.BEFORE}-password").rename(city.home / "secrets" / "postgres-password")
    assert embedded.status(city).running and not (server.data_dir.parent / "roles").exists(), "looking converts nothing"
    embedded.stop(city)
    database.migrate(city)
    return city


def _as_it_was(enter, password) -> None:
    with enter("postgres", roles.BEFORE) as connection:
        for name in roles.DATABASES:
            connection.execute(f"create database {name}")


@pytest.fixture(params=["fresh", "converted"])
def city(request) -> Settings:
    return request.getfixturevalue(request.param)


def test_no_login_but_one_is_a_superuser_and_nothing_of_the_house_is_his(city):
    with entering(city, roles.OWNER) as owner:
        assert owner.execute("select rolname from pg_roles where rolsuper").fetchall() == [("postgres",)]
        assert owner.execute(OF_THE_SUPERUSER, {"schemas": SCHEMAS}).fetchall() == []
        told = owner.execute(
            "select datname, datdba::regrole::text from pg_database where datname = any(%s)", [list(roles.DATABASES)]
        )
        assert dict(told.fetchall()) == roles.DATABASES


def test_what_builds_make_is_theirs_alone(city):
    with entering(city, roles.OWNER) as owner:
        told = owner.execute("select oid::regclass::text from pg_class where relowner = 'minhu_work'::regrole")
        owned = {name for (name,) in told}
        others = owner.execute(
            "select oid::regprocedure::text from pg_proc"
            " where pronamespace = 'build'::regnamespace and proowner <> 'minhu_work'::regrole union all"
            " select oid::regclass::text from pg_class"
            " where relnamespace = 'build'::regnamespace and relowner <> 'minhu_work'::regrole"
        )
        assert others.fetchall() == []
        assert {name.split(".")[0] for name in owned} <= {"build", "mart", "pg_toast"}
        assert owner.execute("select nspowner::regrole::text from pg_namespace where nspname = 'build'").fetchone() == (
            "minhu_work",
        )


@pytest.mark.parametrize(
    "act",
    [
        "insert into assess.approval (subject_kind, subject_id) values ('closing', '1')",
        "update publish.unit_score set release_id = 1",
        "delete from publish.release",
        "truncate publish.closing",
        "insert into audit.access_log (subject, about, why) values ('export', 'x', 'y')",
        "update audit.access_head set access_id = 0",
        "delete from audit.case_reading",
        "alter table publish.release disable trigger all",
        "alter table audit.access_log disable trigger all",
        "drop table assess.appeal",
        "create or replace function assess.actor() returns text language sql as $$ select 'ev1' $$",
        "create function publish.mine() returns int language sql as $$ select 1 $$",
        "create function assess.mine() returns int language sql as $$ select 1 $$",
        "create trigger mine before insert on audit.batch for each row execute function audit.refuse_change()",
        "alter table audit.batch disable trigger user",
        "select * from portal.session",
        "select * from portal.secret",
        "set role minhu_owner",
        "set session authorization minhu_owner",
        "create role mine",
        "alter role minhu_owner password 'x'",
        "select assess.set_identity('cert', 'x', 'minhu_owner')",
        "select pg_read_file('/etc/passwd')",
        "copy mart.fct_case to '/minhu-mine'",
        "copy mart.dim_area from program 'true'",
        "alter system set log_statement = 'none'",
    ],
)
def test_a_task_cannot(fresh, act):
    with entering(fresh, roles.WORK) as work, pytest.raises((errors.InsufficientPrivilege, errors.UndefinedObject)):
        work.execute(act)


@pytest.mark.parametrize("login", [roles.AIRFLOW])
def test_airflow_cannot_enter_the_warehouse_and_nobody_enters_its(city, login):
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"), entering(city, login):
        pass
    for other in (roles.WORK, roles.ENGINEER):
        with (
            pytest.raises(psycopg.OperationalError, match="permission denied for database"),
            entering(city, other, "airflow"),
        ):
            pass
    with entering(city, login, "airflow") as airflow:
        airflow.execute("create table mine (one int); drop table mine")


@pytest.mark.parametrize(
    "act",
    ["table restricted.rejected_row", "table staging.case_record", "table portal.session", "delete from mart.dim_area"],
)
def test_an_engineer_who_looks_reads_no_citizens_words_and_changes_nothing(city, act):
    with entering(city, roles.ENGINEER) as engineer:
        for readable in ("mart.fct_case", "audit.batch", "config.entry", "publish.release", "assess.appeal"):
            engineer.execute(f"select count(*) from {readable}")
        engineer.execute("set default_transaction_read_only = off")
        with pytest.raises(errors.InsufficientPrivilege):
            engineer.execute(act)


def test_a_table_with_row_policies_shows_the_house_every_row(city):
    with entering(city, roles.OWNER) as owner:
        told = owner.execute(
            "select oid::regclass::text from pg_class where relrowsecurity and relnamespace <> 'portal'::regnamespace"
            " and not exists (select from pg_policy where polrelid = pg_class.oid and polname = 'house_rows')"
        )
        assert told.fetchall() == [], "select audit.let_the_house_in(…) in the migration that gives it policies"


def test_what_postgres_does_stands_in_the_servers_log_and_no_password(city):
    server = embedded.start(city)
    with entering(city, roles.SUPERUSER, "postgres") as connection:
        connection.execute("select 'looked in'")
    logs = server.data_dir.parent / "log"
    wait_until(lambda: "select 'looked in'" in "".join(log.read_text() for log in logs.glob("server-*.log")))
    said = "".join(log.read_text() for log in logs.glob("server-*.log"))
    assert not any(city.secret(f"{login}-password") in said for login in (*roles.LOGINS, roles.SUPERUSER))


def test_who_makes_logins_also_ends_those_made_before(converted):
    with database.connect(converted, autocommit=True) as owner:
        assert [login["name"] for login in logins.logins(owner)] == ["ev1"]
        logins.add_login(owner, "ev2", "evaluator")
        for name in ("ev1", "ev2"):
            logins.drop_login(owner, name)
        assert logins.logins(owner) == []


def test_whoever_could_enter_before_still_can(converted):
    url = embedded.start(converted).url("warehouse", roles.OWNER)
    with psycopg.connect(url, user="of_the_city", password="x") as connection:
        connection.execute("select 1")
    with database.connect(converted) as owner:
        assert owner.execute("table public.of_the_city").fetchall() == [(1,)]
        assert owner.execute("select city from config.version").fetchall() == [("x",)]


def psql(city: Settings, *command: str) -> subprocess.CompletedProcess[str]:
    given = {"MINHU_HOME": str(city.home), "MINHU_CONFIG": str(city.config), "PATH": os.environ["PATH"]}
    program = Path(sys.executable).with_name("minhu")
    return subprocess.run([program, "psql", *command], env=given, capture_output=True, text=True, check=False)


def test_psql_looks_unless_the_owner_says_why(fresh):
    who = ("-Atc", "select session_user, current_setting('transaction_read_only')")
    assert psql(fresh, *who).stdout == "minhu_engineer|on\n"
    refused = psql(fresh, "--as-owner", *who)
    assert (refused.returncode, refused.stdout) != (0, "") and "--why" in refused.stderr
    assert psql(fresh, "--as-owner", "--why", "换 13812345678 的单位", *who).stdout == "minhu_owner|off\n"
    with database.connect(fresh) as owner:
        told = owner.execute("select accessed_by, subject, about, why from audit.access_log order by access_id desc")
        assert told.fetchone()[:3] == ("minhu_owner", "owner_session", "psql")
        assert owner.execute("select count(*) from audit.access_log where why like '%138123%'").fetchone() == (0,)


@pytest.mark.parametrize(
    "grab",
    [
        "create temporary table big as select 1 as one",
        "select pg_advisory_lock(generate_series(1, 100000))",
        "select lo_from_bytea(0, 'x')",
        "select pg_terminate_backend(pg_backend_pid())",
        "select pg_cancel_backend(pg_backend_pid())",
        "set temp_file_limit = -1",
    ],
)
def test_what_one_could_stop_all_by_is_withheld(city, grab):
    with database.connect(city, autocommit=True) as owner:
        password = logins.add_login(owner, "grabs", "evaluator")
    try:
        url = embedded.start(city).url("warehouse", roles.OWNER)
        with (
            psycopg.connect(url, user="grabs", password=password) as connection,
            pytest.raises(errors.InsufficientPrivilege),
        ):
            connection.execute(grab)
    finally:
        with database.connect(city, autocommit=True) as owner:
            logins.drop_login(owner, "grabs")


def test_a_login_that_the_house_does_not_know_is_refused(fresh):
    with pytest.raises(Refused, match="MINHU_LOGIN"):
        embedded.start(replace(fresh, login="nobody"))

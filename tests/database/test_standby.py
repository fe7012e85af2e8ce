"""Readers apart: a real primary and its standby on this machine, with a small city that was built."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from click.testing import CliRunner
from psycopg import sql

from minhu import database, doctor
from minhu.cli import minhu
from minhu.config import sync
from minhu.database import apart, embedded, logins, roles, standby
from minhu.errors import NotSignedIn, Refused
from minhu.export.mart import export_mart, parts
from minhu.load import load_file
from minhu.portal.desk import Desk
from minhu.portal.serve import serve
from minhu.services import control
from minhu.settings import Asker, Settings
from minhu.warehouse.build import build
from minhu.watch import faults as faults_module
from minhu.watch.incidents import incidents, look
from tests import given
from tests.database.test_embedded import installing

SIGN_IN = {"open_session", "end_session", "waits", "note_failure", "forget_failures", "factor_of", "enrol_factor"} | {
    "use_step"
}
"""What the login that signs people in may call."""


@pytest.fixture(scope="module")
def city() -> Iterator[Settings]:
    """A home whose server has a standby; its cases of the 12th were built before that was made."""
    with installing() as install:
        home = install("city")
        city = replace(home, config=given.config(home.home.parent / "config"))
        with (embedded.start(city).data_dir / "postgresql.conf").open("a") as own:
            own.write("fsync = off\n")
        embedded.stop(city)
        database.migrate(city)
        sync(city)
        deliver(city, 1, 12)
        build(city)
        standby.make(city)
        try:
            yield city
        finally:
            standby.stop(city)


def deliver(city: Settings, number: int, day: int) -> None:
    file = given.case_file(city.drop / "h1" / f"cases_{number}.csv", [{"工单编号": str(number)}])
    load_file("h1", "cases", file, date(2026, 10, day), settings=city)
    with database.connect(city) as owner:
        owner.execute("update audit.batch set status = 'accepted'")


@pytest.fixture(scope="module")
def bi(city) -> Settings:
    """A login of the group bi, as a tool enters the primary."""
    return entering(city, "fenxi", "bi")


def entering(city: Settings, name: str, group: str, **how: object) -> Settings:
    with database.connect(city) as owner:
        password = logins.add_login(owner, name, group, **how)
    url = sqlalchemy.make_url(database.url(city)).set(username=name, password=password)
    return replace(city, database_url=url.render_as_string(hide_password=False), read_url=place(city))


def place(city: Settings) -> str:
    """The standby, as MINHU_READ_URL names it: without a login."""
    at = sqlalchemy.make_url(standby.url(city))
    return f"postgresql://{at.host}:{at.port}/{at.database}"


def superuser(city: Settings) -> psycopg.Connection:
    """On the standby."""
    return psycopg.connect(standby.url(replace(city, login=roles.SUPERUSER)), autocommit=True)


def caught_up(city: Settings) -> None:
    """Waits until the standby has all that the primary has by now."""
    with database.connect(city) as owner:
        written = database.one(owner, "select pg_current_wal_insert_lsn()")[0]
    with superuser(city) as there:
        until(lambda: database.one(there, "select pg_last_wal_replay_lsn() >= %s::pg_lsn", [written])[0])


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_standby(connection: psycopg.Connection) -> bool:
    return database.one(connection, "select pg_is_in_recovery()")[0]


def test_a_bi_login_reads_on_the_standby_everything_that_it_may(city, bi):
    caught_up(city)
    with database.connect(city) as owner:
        readable = owner.execute(
            "select oid::regclass::text, relpersistence::text from pg_class"
            " where relnamespace in ('mart'::regnamespace, 'publish'::regnamespace) and relkind in ('r', 'v', 'm', 'p')"
            " and has_table_privilege('fenxi', oid, 'select')"
        ).fetchall()
    assert {"mart.fct_case", "mart.freshness", "mart.case_wide", "publish.unit_score"} <= {name for name, _ in readable}
    assert [name for name, kept in readable if kept != "p"] == []
    with psycopg.connect(database.read_url(bi), autocommit=True) as reader:
        assert is_standby(reader)
        for name, _ in readable:
            reader.execute(f"select * from {name} limit 1")
        assert database.one(reader, "select count(*) from mart.case_wide")[0] == 1
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="during recovery"):
            reader.execute("set transaction_read_only = off")


def test_a_standby_tells_how_far_it_is_and_the_primary_that_it_is_none(city, bi):
    asked = "select is_standby, is_following, behind_seconds from mart.standby"
    reach = "select reaches_on from mart.freshness where feed_code = 'h1' and fact = 'fct_case'"
    caught_up(city)
    with psycopg.connect(database.read_url(bi), autocommit=True) as reader, superuser(city) as there:
        until(lambda: reader.execute(asked).fetchone() == (True, True, 0))
        before = reader.execute("select built_at from mart.standby").fetchone()
        there.execute("select pg_wal_replay_pause()")
        try:
            deliver(city, 2, 13)
            build(city)
            with database.connect(bi) as primary:
                assert primary.execute(asked).fetchone() == (False, None, 0)
                assert primary.execute(reach).fetchone() == (date(2026, 10, 13),)
            assert reader.execute(reach).fetchone() == (date(2026, 10, 12),)
            assert reader.execute("select built_at from mart.standby").fetchone() == before
            until(lambda: reader.execute(asked).fetchone()[2] > 0)
            _, follows, first = reader.execute(asked).fetchone()
            until(lambda: reader.execute(asked).fetchone()[2] > first)  # it grows, though nothing new comes
            assert follows
        finally:
            there.execute("select pg_wal_replay_resume()")
        until(lambda: reader.execute(reach).fetchone() == (date(2026, 10, 13),))
        until(lambda: reader.execute(asked).fetchone() == (True, True, 0))


def test_who_reads_is_on_the_standby_and_where_that_is_none_on_the_primary_and_told(city, bi, monkeypatch):
    caught_up(city)
    told: list[str] = []
    for settings in (city, bi):
        with database.reading(settings, told.append) as connection:
            assert is_standby(connection) and connection.read_only
            assert database.one(connection, "show transaction_isolation")[0] == "repeatable read"
    assert told == []
    elsewhere = {
        "postgresql://127.0.0.1:1/warehouse": "cannot be reached",
        bi.database_url: "is no standby of this warehouse",
    }
    for url, why in elsewhere.items():
        with database.reading(replace(bi, read_url=url), told.append) as connection:
            assert not is_standby(connection) and connection.read_only
        assert told.pop().startswith("reading on the primary: the standby 127.0.0.1:") and why in why
        assert database.standing(replace(bi, read_url=url)).en.endswith(why)
    monkeypatch.setattr(apart, "MOST_SECONDS", -1)
    with database.reading(bi, told.append) as connection:
        assert not is_standby(connection) and "is too far behind" in told.pop()
    with database.reading(replace(bi, database_url=bi.database_url, read_url=None), told.append) as connection:
        assert not is_standby(connection) and told == []


def test_another_servers_copy_is_a_stranger(city, scratch):
    other = scratch()
    with database.connect(other) as of_another:
        assert database.standing(city, of_another).trouble == "stranger"
    with database.connect(city) as owner:
        assert database.standing(city, owner).trouble is None


def test_marts_are_exported_from_the_standby_and_logged_on_the_primary(city, bi, tmp_path, monkeypatch):
    """Broken off once in the middle it begins anew, and stands in the log once."""
    caught_up(city)
    real, read_on = parts.parts, []

    def breaks_once(connection, table, *more):
        read_on.append(is_standby(connection))
        if len(read_on) == 3:
            raise psycopg.errors.SerializationFailure("canceling statement due to conflict with recovery")
        return real(connection, table, *more)

    monkeypatch.setattr(parts, "parts", breaks_once)
    told: list[str] = []
    done = export_mart(
        bi, tmp_path / "marts", why="抽取", tables=["case_wide", "dim_unit", "dim_feed"], tell=told.append
    )
    assert done.rows > 0 and set(read_on) == {True} and len(read_on) == 6
    assert told == ["the standby broke off what was read: asked again (1 of 3)"]
    with database.connect(city) as owner:
        logged = "select count(*) from audit.access_log where subject = 'export' and accessed_by = 'fenxi'"
        assert owner.execute(logged).fetchone() == (1,)


@pytest.fixture
def impatient(city) -> Iterator[None]:
    """The standby cancels at once what is in its way, and its readers hold up nothing on the primary."""
    told = {"max_standby_streaming_delay": "'50ms'", "hot_standby_feedback": "off"}
    with superuser(city) as there:
        for name, value in told.items():
            there.execute(f"alter system set {name} = {value}")
        there.execute("select pg_reload_conf()")
        yield
        for name in told:
            there.execute(f"alter system reset {name}")
        there.execute("select pg_reload_conf()")


def clash(city: Settings, reader: psycopg.Connection) -> None:
    """Removes on the primary what a reader's transaction still sees, and goes on reading until it is cancelled."""
    reader.execute("select count(*) from mart.of_test")
    with database.connect(city, autocommit=True) as owner:
        owner.execute("update mart.of_test set x = x + 1")
        owner.execute("vacuum mart.of_test")
    for _ in range(200):
        reader.execute("select pg_sleep(0.05), count(*) from mart.of_test")
    raise AssertionError("nothing was cancelled")


@pytest.fixture
def of_test(city, impatient) -> Iterator[None]:
    with database.connect(city, autocommit=True) as owner:
        owner.execute("create table mart.of_test as select generate_series(1, 1000) as x")
        caught_up(city)
        yield
        owner.execute("drop table mart.of_test")


def test_what_a_standby_cancels_is_asked_again_there(city, bi, of_test):
    came: list[bool] = []
    told: list[str] = []

    def ask(reader: psycopg.Connection) -> int:
        came.append(is_standby(reader))
        if len(came) == 1:
            clash(city, reader)
        return database.one(reader, "select sum(x) from mart.of_test")[0]

    assert database.read(bi, ask, told.append) == 501_500  # once more, and of the new rows
    assert came == [True, True]
    assert told == ["the standby broke off what was read: asked again (1 of 3)"]


def test_what_is_cancelled_again_and_again_is_read_on_the_primary(city, bi, of_test):
    came: list[bool] = []

    def ask(reader: psycopg.Connection) -> str:
        came.append(is_standby(reader))
        if came[-1]:
            clash(city, reader)
        return "read"

    assert database.read(bi, ask) == "read"
    assert came == [True] * apart.TRIES + [False]


def test_who_is_thrown_out_of_the_standby_asks_again_and_who_is_of_the_primary_does_not(city, bi):
    came: list[bool] = []

    def ask(reader: psycopg.Connection) -> None:
        came.append(is_standby(reader))
        if len(came) == 1 or not came[-1]:
            target = database.url(replace(city, login=roles.SUPERUSER)) if not came[-1] else None
            with psycopg.connect(target, autocommit=True) if target else superuser(city) as other:
                other.execute("select pg_terminate_backend(%s)", [reader.info.backend_pid])
        reader.execute("select")

    database.read(bi, ask)
    assert came == [True, True]
    came.clear()
    with pytest.raises(psycopg.OperationalError):
        database.read(replace(bi, read_url=None), ask)
    assert came == [False]


def test_what_took_too_long_or_is_wrong_is_not_asked_again(city, bi):
    came: list[int] = []

    def ask(reader: psycopg.Connection) -> None:
        came.append(reader.info.port)
        reader.execute("set local statement_timeout = '50ms'")
        reader.execute("select pg_sleep(5)")

    with pytest.raises(psycopg.errors.QueryCanceled):
        database.read(bi, ask)
    with pytest.raises(psycopg.errors.UndefinedTable):
        database.read(bi, lambda reader: reader.execute("select from nowhere"))
    assert len(came) == 1


@pytest.fixture(scope="module")
def desk(city) -> Desk:
    desk = Desk(replace(city, read_url=place(city)))
    desk.open()
    return desk


def on_standby(desk: Desk) -> Desk:
    """The same house, whose database is named wrongly."""
    return Desk(replace(desk.settings, database_url=standby.url(desk.settings)))


def test_nothing_that_opens_verifies_or_logs_a_session_answers_on_the_standby(city, desk):
    caught_up(city)
    called: dict[str, list[str]] = {}
    with database.connect(city) as owner:
        for login in ("portal_signin", *(f"portal_{group}" for group in ("evaluator", "auditor", "unit", "bi"))):
            called[login] = [
                f"select * from {name}({arguments})"
                for name, arguments in owner.execute(
                    "select oid::regproc::text, (select string_agg('null::' || format_type(of, null), ', ')"
                    "   from unnest(proargtypes) as of) from pg_proc"
                    " where (pronamespace = 'portal'::regnamespace or oid = 'audit.log_export'::regproc)"
                    " and prorettype <> 'trigger'::regtype"
                    " and has_function_privilege(%s, oid, 'execute')",
                    [login],
                )
            ]
            called[login] = [call.replace("(None)", "()") for call in called[login]]
    assert {re.search(r"\.(\w+)", call)[1] for call in called["portal_signin"]} >= SIGN_IN
    assert "select * from portal.begin(null::text)" in called["portal_unit"]
    answered = set()
    for login, calls in called.items():
        group = login.removeprefix("portal_")
        with psycopg.connect(on_standby(desk)._as(group).database_url, autocommit=True) as connection:
            for call in calls:
                try:
                    answered |= {(call, str(row)) for row in connection.execute(call).fetchall()}
                except psycopg.errors.ReadOnlySqlTransaction as error:
                    assert str(error).startswith("this server is a standby: sessions are opened, verified and logged")
    # What tells who is asking tells of nobody, since nobody can begin.
    assert {call for call, row in answered if "None" not in row and "[]" not in row} == set(), answered
    assert {call for call, _ in answered} <= {"select * from portal.whoami()", "select * from portal.own_feeds()"}


def test_the_portal_neither_starts_on_a_standby_nor_knows_a_session_there(city, desk):
    entering(city, "shen", "evaluator")
    session = desk._open_session("shen", "evaluator")
    assert desk.person(session).login == "shen"
    caught_up(city)
    wrong = on_standby(desk)
    with pytest.raises(Refused, match="this server is a standby") as refused:
        wrong.person(session)
    assert not isinstance(refused.value, NotSignedIn)  # nobody is sent to sign in there
    for starts in (wrong.open, lambda: serve(wrong.settings, 0)):
        with pytest.raises(Refused, match="MINHU_DATABASE_URL names the primary, MINHU_READ_URL a standby"):
            starts()
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction, match="this server is a standby"):
        wrong.sign_in("shen", "guessed")
    # a person's connection never leaves the primary, whatever MINHU_READ_URL names
    with database.reading(desk.asks(session)) as connection:
        assert not is_standby(connection)
    with pytest.raises(NotSignedIn):
        database.reading(replace(desk._as("evaluator"), asker=Asker("nobody's")))


def test_that_it_died_is_told_and_that_it_is_back_closes_it(city):
    keeper = replace(city, login=roles.WORK)

    def open_ones() -> list[str]:
        look(keeper)
        return [one.what for one in incidents(city) if one.kind == "standby_off"]

    assert open_ones() == []
    assert checks(city)["readers"].is_ok
    with superuser(city) as there:
        there.execute("select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'walreceiver'")
    standby.stop(city)
    [told] = open_ones()
    assert re.fullmatch(r"127\.0\.0\.1:\d+ 连不上", told)
    assert "cannot be reached" in checks(city)["readers"].found and not checks(city)["readers"].is_ok
    assert standby.is_missing(city)
    assert control._start_standby(city) == ["standby"]  # as the supervisor does
    assert control._start_standby(city) == []
    assert not standby.is_missing(city) and open_ones() == []


def checks(city: Settings) -> dict[str, doctor.Check]:
    return {check.name: check for check in doctor._database(city)}


def test_log_that_is_kept_for_one_that_takes_none_is_bounded_and_told(city, monkeypatch):
    with database.connect(city) as owner:
        assert database.one(owner, "show max_slot_wal_keep_size")[0] == "10GB"
    assert checks(city)["standbys"].found.startswith("1 follow")
    standby.stop(city, for_good=True)
    assert not standby.is_missing(city), "who stopped it for good has it stay so"
    monkeypatch.setattr(faults_module, "KEPT_LOG_GB", 0)
    deliver(city, 3, 14)
    look(city)
    assert any("复制槽 minhu_standby：为它保留日志" in one.what for one in incidents(city))
    as_superuser = replace(city, login=roles.SUPERUSER)
    with database.connect(as_superuser, autocommit=True) as owner:
        owner.execute("alter system set max_slot_wal_keep_size = '1MB'")
        owner.execute("select pg_reload_conf()")
        for _ in range(3):
            owner.execute("select pg_logical_emit_message(false, 'x', repeat('x', 1000000)), pg_switch_wal()")
        owner.execute("checkpoint")
        status = "select wal_status from pg_replication_slots where slot_name = 'minhu_standby'"
        assert owner.execute(status).fetchone() == ("lost",)
        owner.execute("alter system reset max_slot_wal_keep_size")
        owner.execute("select pg_reload_conf()")
    look(city)
    assert any("复制槽 minhu_standby：日志已丢弃，备库须重做" in one.what for one in incidents(city))
    assert "make them anew" in checks(city)["standbys"].found and not checks(city)["standbys"].is_ok


def test_the_commands(city, place_of_another_disk):
    told = {"HOME": city.home, "CONFIG": city.config, "DROP": city.drop}
    environment = {f"MINHU_{name}": str(value) for name, value in told.items()}

    def said(line: str, code: int = 0) -> str:
        done = CliRunner().invoke(minhu, line.split(), env=environment)
        assert done.exit_code == code, done.output
        return done.output

    with pytest.raises(Refused, match="has a standby already: minhu standby drop"):
        standby.make(city)
    # its log is gone: it is made anew, elsewhere
    assert said("standby drop") == "removed\n"
    with database.connect(city) as owner:
        assert not owner.execute("select from pg_roles where rolname = %s", [standby.LOGIN]).fetchone()
        assert not owner.execute("select from pg_replication_slots").fetchone()
    assert "there is no standby" in said("standby status")
    assert "follows, at 127.0.0.1:" in said(f"standby make --at {place_of_another_disk}")
    until(lambda: json.loads(said("standby status --json", 0))["trouble"] is None)
    assert "follows, 0 s behind; built 20" in said("standby status")
    port = sqlalchemy.make_url(standby.url(city)).port
    assert f":{port}/warehouse" in said("logins add tableau --group bi")
    assert f":{port}/" not in said("logins add wu --group auditor")
    texts = said(f"bi superset --out {city.home / 'bundle'}")
    assert "files" in texts
    assert f":{port}/" in (city.home / "bundle" / "databases" / "minhu.yaml").read_text(encoding="utf-8")
    asked = [sys.executable, "-m", "minhu", "psql", "--read", "-Atc", "select is_standby from mart.standby"]
    done = subprocess.run(asked, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.stdout == "t\n", done.stderr
    assert "a standby is looked at alone" in said("psql --read --as-owner --why x", 2)
    assert said("standby down") == "stopped\n"
    assert said("standby down") == "nothing ran\n"
    assert control.status(city)["postgres"]["standby"] == "stopped"
    assert "cannot be reached" in said("standby status", 1)
    assert "follows, at 127.0.0.1:" in said("standby up")


@pytest.fixture
def place_of_another_disk(city) -> Path:
    return city.home.parent / "disk2"


def test_who_streams_may_do_nothing_else(city):
    """After the commands: in a folder of its own, whose files are the server's user's alone."""
    url = sqlalchemy.make_url(database.url(city)).set(
        username=standby.LOGIN, password=city.secret(f"{standby.LOGIN}-password")
    )
    for name in ("warehouse", "airflow", "postgres"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(url.set(database=name).render_as_string(hide_password=False))
    made = standby._made(city)
    assert made.place == (city.home.parent / "disk2").resolve()
    assert (made.place / "passfile").stat().st_mode & 0o077 == 0 and made.data.stat().st_mode & 0o077 == 0
    with database.connect(city) as owner:
        rights = owner.execute(
            sql.SQL(
                "select rolsuper, rolcreaterole, rolcreatedb, rolbypassrls from pg_roles where rolname = {}"
            ).format(sql.Literal(standby.LOGIN))
        ).fetchone()
    assert rights == (False, False, False, False)


def test_another_servers_standby_is_not_made_here(city, bi):
    with pytest.raises(Refused, match="made by who runs it"):
        standby.make(bi)
    assert database.read_url(replace(bi, read_url=None)) is None
    told = sqlalchemy.make_url(
        database.read_url(replace(bi, read_url="postgresql://r:w@db2.city:5433/w?sslmode=require"))
    )
    assert (told.username, told.password, told.host, told.query["sslmode"]) == ("r", "w", "db2.city", "require")

"""Who may read what, tried with logins of their own."""

import psycopg
import pytest
import sqlalchemy
from psycopg import sql

from minhu import cli, database
from minhu.database import logins
from minhu.errors import Refused


@pytest.fixture(scope="module")
def warehouse(either):
    return either


@pytest.fixture
def login(warehouse):
    """``login("bi")`` is a connection of a fresh login of that group."""
    with database.connect(warehouse, autocommit=True) as owner:
        opened = []

        def connect(group: str, **how) -> psycopg.Connection:
            name = f"reader_{group}_{len(opened)}"
            password = logins.add_login(owner, name, group, **how)
            url = sqlalchemy.make_url(database.url(warehouse)).set(username=name, password=password)
            told = url.render_as_string(hide_password=False).replace("postgresql+psycopg", "postgresql")
            opened.append((name, psycopg.connect(told, autocommit=True)))
            return opened[-1][1]

        yield connect
        for name, connection in opened:
            connection.close()
            logins.drop_login(owner, name)


SCHEMAS = ("mart", "audit", "config", "staging", "restricted", "build", "assess", "publish")
READS = {
    "bi": {"mart", "publish"},
    "evaluator": {"mart", "config", "assess", "publish"},
    "auditor": {"mart", "audit", "config", "assess", "publish"},
}
NOT_YET_PUBLISHED = {"closing", "closing_act", "closing_run", "frozen_row", "ledger", "readings_taken"}
AUDITED = (
    *("open_finding", "batch", "build", "event_version", "lifecycle_anomaly"),
    *("delivery_state", "incident", "detached_month", "detached_case", "arrived_after_freeze"),
)
GRANTED = {  # who waives sees what there is to waive; who explains a score, what the rows behind it rest on
    ("evaluator", "audit", table) for table in AUDITED
}


@pytest.mark.parametrize("group", READS)
def test_a_login_reads_its_schemas_and_no_other(login, warehouse, group):
    reader = login(group)
    with database.connect(warehouse) as owner:
        tables = owner.execute(
            "select schemaname, tablename from pg_tables where schemaname = any(%s)"
            " union select schemaname, viewname from pg_views where schemaname = any(%s)",
            [list(SCHEMAS), list(SCHEMAS)],
        ).fetchall()
    assert {schema for schema, _ in tables} >= {"mart", "audit", "config", "staging", "restricted", "assess"}
    for schema, table in tables:
        query = f'select from {schema}."{table}" limit 1'
        reads = schema in READS[group] and not (group == "bi" and table in NOT_YET_PUBLISHED)
        if reads or (group, schema, table) in GRANTED:
            reader.execute(query)
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(query)


@pytest.mark.parametrize("group", READS)
def test_a_login_writes_nothing(login, group):
    reader = login(group)
    for statement in (
        "insert into mart.dim_feed values ('x', 'x', 'x', 'x', 'x', 'x')",
        "delete from mart.fct_case",
        "truncate mart.fct_case",
        "create table mart.mine (x int)",
        "create table public.mine (x int)",
    ):
        for mode in ("on", "off"):  # read-only is a habit, the missing privilege is the wall
            reader.execute(f"set default_transaction_read_only = {mode}")
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
                reader.execute(statement)
        assert reader.execute("show default_transaction_read_only").fetchone() == ("off",)


def test_a_statement_that_asks_too_much_is_stopped(login):
    with pytest.raises(psycopg.errors.QueryCanceled):
        login("bi", timeout="200ms").execute("select pg_sleep(20)")


def test_the_list_tells_group_and_limit(login, warehouse):
    login("auditor", timeout="5min")
    with database.connect(warehouse) as owner:
        found = [one for one in logins.logins(owner) if one["name"] == "reader_auditor_0"]
    told = {"name": "reader_auditor_0", "group": "auditor", "units": "", "feeds": "", "statement_timeout": "5min"}
    told |= {"person": "reader_auditor_0"}
    assert found == [told | {"is_portal": False}]


@pytest.mark.parametrize(
    ("name", "timeout", "told"),
    [
        ("Bi Tool", "60s", "no name for a login"),
        ("pg_x", "60s", "no name for a login"),
        ("minhu_bi", "60s", "no name for a login"),
        ("fine", "0", "no time limit"),
        ("fine", "1s; drop", "no time limit"),
    ],
)
def test_what_is_no_login_is_refused(warehouse, name, timeout, told):
    with database.connect(warehouse) as owner, pytest.raises(Refused, match=told):
        logins.add_login(owner, name, "bi", timeout)


def test_only_logins_of_ours_are_dropped(warehouse):
    with database.connect(warehouse) as owner, pytest.raises(Refused, match="no login"):
        logins.drop_login(owner, "minhu")


def test_what_a_login_may_not_do_is_told_in_one_line(monkeypatch, capsys):
    def refused(*given, **named):
        raise psycopg.errors.InsufficientPrivilege("permission denied for table batch\nLINE 1: select ...")

    monkeypatch.setattr(cli.minhu, "main", refused)
    with pytest.raises(SystemExit) as ended:
        cli.main(["explain", "D1", "2026-10"])
    told = capsys.readouterr().err
    assert ended.value.code == 1
    assert (
        told.startswith("minhu: this login may not do that (permission denied for table batch")
        and told.count("\n") == 1
    )


def test_a_day_is_the_citys_whatever_zone_the_server_has(login, warehouse):
    """By a login made now, and by one of before that the migration found."""
    [script] = database.MIGRATIONS.glob("343_*.sql")
    with database.connect(warehouse, autocommit=True) as owner:
        name = login("bi").info.user
        assert "TimeZone=Asia/Shanghai" in settings_of(owner, name)
        owner.execute(sql.SQL("alter role {} reset timezone").format(sql.Identifier(name)))
        owner.execute(script.read_text(encoding="utf-8"))
        assert "TimeZone=Asia/Shanghai" in settings_of(owner, name)


def settings_of(owner: psycopg.Connection, name: str) -> list[str]:
    return owner.execute("select rolconfig from pg_roles where rolname = %s", [name]).fetchone()[0]


def test_how_tools_connect_is_told_without_the_password(warehouse):
    told = dict(logins.ways_in("postgresql://owner:geheim@db.city:5433/warehouse", "superset"))
    assert told["SQLAlchemy, Superset"] == "postgresql+psycopg2://superset:PASSWORD@db.city:5433/warehouse"
    assert all("superset" in how and "5433" in how and "geheim" not in how for how in told.values())


def test_who_draws_boards_and_who_takes_marts_out_are_stopped_otherwise(login):
    told = "select current_setting('statement_timeout'), current_setting('cursor_tuple_fraction'), rolconnlimit"
    told += " from pg_roles where rolname = current_user"
    assert login("bi").execute(told).fetchone() == ("1min", "0.1", 20)
    assert login("bi", extracts=True).execute(told).fetchone() == ("30min", "1", 2)
    assert login("bi", extracts=True, timeout="2h", connections=4).execute(told).fetchone() == ("2h", "1", 4)
    with pytest.raises(Refused, match="extracts are taken by a login of the group bi"):
        login("auditor", extracts=True)

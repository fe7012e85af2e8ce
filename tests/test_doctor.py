"""doctor: what an installation stands on is examined in order, and what is wrong says what to do."""

from dataclasses import replace

import psycopg
import pytest
import sqlalchemy
from click.testing import CliRunner
from psycopg import sql

from minhu import database, doctor
from minhu.cli import minhu
from minhu.doctor import examine
from tests import given
from tests.database.test_migrate import ADDED


def found(settings):
    return {check.name: check for check in examine(settings)}


def test_a_whole_installation_passes(warehouse):
    checks = found(warehouse)
    assert [check.name for check in checks.values() if not check.is_ok] == []
    assert checks["migrations"].found == "all applied"
    assert checks["readings"].found == "edition 2 from 2020-01-01"


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ("", "edition 1; edition 2 is there: `readings` of city.yml, docs/upgrading.md"),
        ("readings: [{valid_from: 2026-11-01, edition: 2}]\n", "edition 2 from 2026-11-01"),
    ],
)
def test_a_newer_edition_of_the_readings_is_told(scratch, tmp_path, declared, told):
    config = given.config(tmp_path / "config")
    with (config / "city.yml").open("a", encoding="utf-8") as file:
        file.write(declared)
    assert found(scratch(config))["readings"].found == told


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ([], "who decides signs in by a password alone: `portal` of city.yml asks for a second factor"),
        (["evaluator", "auditor"], "evaluator, auditor sign in with a second factor"),
    ],
)
def test_whether_a_second_factor_is_asked_for_is_told(scratch, tmp_path, monkeypatch, groups, told):
    monkeypatch.setitem(given.CITY, "portal", {"second_factor": groups})
    assert found(scratch(given.config(tmp_path / "config")))["pages"].found == told


def test_before_a_database_is_adopted_only_what_the_baseline_lacks_is_to_apply(scratch, before):
    assert found(scratch(template=before))["migrations"].found == f"to apply: {', '.join(ADDED)}"


def test_a_database_that_was_never_migrated_a_zone_and_an_open_landing_zone_are_told(warehouse, server):
    name = "doctor_bare"
    with psycopg.connect(server, autocommit=True) as owner:
        owner.execute(f"drop database if exists {name}")
        owner.execute(f"create database {name} template template0")
    url = sqlalchemy.make_url(warehouse.database_url).set(database=name).render_as_string(hide_password=False)
    warehouse.landing.mkdir(parents=True, exist_ok=True)
    warehouse.landing.chmod(0o755)
    checks = found(replace(warehouse, database_url=url))
    warehouse.landing.chmod(0o700)
    assert checks["migrations"].found.startswith("to apply: 101_") and not checks["migrations"].is_ok
    assert checks["landing zone"].found.endswith("others can read it: chmod 700")


def test_a_server_in_another_zone_is_told_with_how_to_mend_it(scratch):
    """Of who enters without naming one; we name one each time."""
    city = scratch()
    name = sqlalchemy.make_url(str(city.database_url)).database
    with database.connect(city, autocommit=True) as owner:
        owner.execute(sql.SQL("alter database {} set timezone = 'UTC'").format(sql.Identifier(name)))
    check = found(city)["time zone"]
    assert (check.is_ok, check.found) == (False, f"UTC; mend: alter database {name} set timezone = 'Asia/Shanghai'")


def test_a_secret_that_others_read_little_memory_and_a_standby_that_is_lost_are_told(warehouse, server, monkeypatch):
    checks = found(warehouse)
    assert checks["standbys"].found == "none"
    assert checks["log archive"].found.startswith("off: ")
    open_to_all = warehouse.home / "secrets" / "some-password"
    open_to_all.parent.mkdir(exist_ok=True)
    open_to_all.write_text("x")
    open_to_all.chmod(0o644)
    monkeypatch.setattr(doctor, "FREE_MEMORY_GB", 10**6)
    monkeypatch.setattr(doctor, "KEPT_LOG_GB", 0)
    with psycopg.connect(server, autocommit=True) as owner:
        owner.execute("select pg_create_physical_replication_slot('lost', true)")
        owner.execute("select pg_switch_wal()")
        owner.execute("create table of_wal as select generate_series(1, 1000)")
        try:
            checks = found(warehouse)
        finally:
            owner.execute("select pg_drop_replication_slot('lost')")
            owner.execute("drop table of_wal")
            open_to_all.unlink()
    assert "some-password" in checks["secrets"].found and not checks["secrets"].is_ok
    assert not checks["memory"].is_ok
    assert checks["standbys"].found.startswith("1 take no log") and not checks["standbys"].is_ok


def test_what_others_read_and_what_any_login_could_stop_others_by_is_told(warehouse):
    warehouse.home.chmod(0o755)
    assert (found(warehouse)["files"].is_ok, str(warehouse.home) in found(warehouse)["files"].found) == (False, True)
    warehouse.home.chmod(0o711)
    assert found(warehouse)["files"].is_ok
    told = found(warehouse)["rights"].found
    assert "commands enter as a superuser" in told and "set MINHU_WORK_URL" in told and "lo_create" in told
    with psycopg.connect(warehouse.database_url, autocommit=True) as owner:
        owner.execute("create policy hidden on mart.fct_case as restrictive for select to minhu_work using (false)")
        owner.execute("alter role minhu_work nobypassrls")
        assert "a restrictive row policy hides rows from builds" in found(warehouse)["rights"].found
        owner.execute("drop policy hidden on mart.fct_case")
        owner.execute("alter role minhu_work bypassrls")


def test_a_database_that_does_not_answer_ends_the_examination(warehouse):
    nowhere = replace(warehouse, database_url="postgresql://minhu:x@127.0.0.1:1/minhu")
    checks = found(nowhere)
    assert not checks["database"].is_ok and "migrations" not in checks


def test_the_command_exits_1_where_something_is_wrong(warehouse):
    env = {
        "MINHU_HOME": str(warehouse.home),
        "MINHU_CONFIG": str(warehouse.config),
        "MINHU_DATABASE_URL": "postgresql://minhu:x@127.0.0.1:1/minhu",
    }
    told = CliRunner().invoke(minhu, ["doctor"], env=env)
    assert told.exit_code == 1 and "127.0.0.1" in told.output
    assert (
        CliRunner().invoke(minhu, ["doctor"], env=env | {"MINHU_DATABASE_URL": warehouse.database_url}).exit_code == 0
    )

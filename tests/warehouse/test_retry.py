"""A build that failed is continued at the node that failed, unless anything that it rests on has changed."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest

from minhu import database
from minhu.errors import Refused, Retryable
from minhu.settings import PROJECT_ROOT
from minhu.warehouse import applying
from minhu.warehouse import build as build_module
from minhu.warehouse.build import BuildFailed, BuildInterrupted, build
from minhu.warehouse.dbt import DbtRun, NodeResult
from tests.anew import same_anew
from tests.warehouse import test_build
from tests.warehouse.test_build import UNITS, callback, case, event, facts, load, plain, query, query_nothing

city = test_build.city  # the fixture: two hotlines, two units
SATISFACTION = {"fct_satisfaction"}
PASSED = ("success", "pass")


@contextmanager
def outage_at(city, table):
    """Cuts the connection of whoever comes to replace ``build.table``, as a server going down would."""
    over = threading.Event()

    def cut():
        with database.connect(city, autocommit=True) as operator:
            while not over.wait(0.02):
                operator.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
                    " and application_name = 'dbt' and pid in"
                    " (select pid from pg_locks where relation = to_regclass(%s) and not granted)",
                    [f"build.{table}"],
                )

    with database.connect(city) as holder:
        holder.execute(f"lock table build.{table} in access exclusive mode")
        operator = threading.Thread(target=cut)
        operator.start()
        try:
            yield
        finally:
            over.set()
            operator.join()


def nodes(city, build_id, *statuses, reused=False):
    """Nodes that ended so in a build: those that it ran, or those that it took over."""
    text = "select node, ran_in_build_id is not null from audit.build_node where build_id = %s and status = any(%s)"
    return {node for node, is_reused in query(city, text, build_id, [*statuses]) if is_reused == reused}


@pytest.fixture(scope="module")
def cut_off(scratch, tmp_path_factory):
    """One day is built; the build of the next was cut off at fct_satisfaction."""
    city = test_build.made(scratch, tmp_path_factory.mktemp("cut_off"))
    load(city, "cases", [case(1), plain(2)])
    build(city)
    before = facts(city)
    load(city, "cases", [case(3), plain(4)], day=13)
    load(city, "events", [event(4, "DISPATCH", "13 09:00:00"), event(4, "SIGN", "13 10:00:00")], day=13)
    load(city, "callbacks", [callback(3, "14 09:00:00")], day=13)
    with outage_at(city, "fct_satisfaction"), pytest.raises(BuildInterrupted, match="fct_satisfaction: Database Error"):
        build(city)
    assert facts(city) == before, "a failed build leaves nothing for readers"
    return city


@pytest.fixture
def interrupted(cut_off, copied):
    """Such a city, and the failed build's id."""
    city = copied(cut_off)
    return city, query(city, "select max(build_id) from audit.build")[0][0]


def test_a_retry_starts_at_the_failed_node_and_gives_what_a_full_build_gives(interrupted, scratch):
    city, failed = interrupted
    passed = nodes(city, failed, *PASSED)
    left = nodes(city, failed, "error", "skipped")
    assert nodes(city, failed, "error") == SATISFACTION
    assert {"stg_batch", "int_event__attached", "fct_case", "fct_timeliness"} <= passed
    assert any(node.startswith("relationships_fct_satisfaction") for node in left)

    result = build(city)
    assert (result.continues, result.reused, result.taken) == (failed, len(passed), 3)
    assert nodes(city, result.build_id, *PASSED, reused=True) == passed
    assert nodes(city, result.build_id, *PASSED) == left, "only the failed node and those after it run"
    assert query(city, "select status, continues_build_id from audit.build order by build_id") == [
        ("succeeded", None),
        ("failed", None),
        ("succeeded", failed),
    ]
    assert query(city, "select count(*) from mart.fct_satisfaction") == [(1,)]
    retried = facts(city)
    build(city, full_refresh=True)
    assert facts(city) == retried
    assert build(city).build_id is None


def test_a_retry_may_fail_again_and_the_next_one_goes_on_from_there(interrupted, capfd):
    city, failed = interrupted
    with outage_at(city, "fct_satisfaction"), pytest.raises(BuildInterrupted):
        build(city)
    capfd.readouterr()
    result = build(city)
    assert capfd.readouterr().out == "", "what dbt lists of its nodes is nobody's to read"
    assert result.continues == failed + 1
    assert nodes(city, result.build_id, *PASSED, reused=True) == nodes(city, failed, *PASSED)
    assert nodes(city, result.build_id, "success") >= SATISFACTION


def a_batch_arrives(city, monkeypatch):
    load(city, "cases", [case(5)], day=14)


def a_rule_changes(city, monkeypatch):
    (city.config / "units.csv").write_text(UNITS.replace("市城管局", "市城管局;新名局"), encoding="utf-8")


def a_model_is_mended(city, monkeypatch):
    monkeypatch.setattr(build_module.dbt, "code_hash", lambda: "another")


def a_crash_empties_the_tables(city, monkeypatch):
    query_nothing(city, "truncate build.fct_case")


def a_table_is_gone(city, monkeypatch):
    query_nothing(city, "drop table build.int_case__rooted cascade")


def a_link_of_callers_comes(city, monkeypatch):
    query_nothing(
        city,
        "insert into restricted.caller_link (earlier_token, earlier_key_id, current_token) values ('a', 'k', 'b')",
    )


@pytest.mark.parametrize(
    "change",
    [
        a_batch_arrives,
        a_table_is_gone,
        *(
            pytest.param(change, marks=pytest.mark.long)
            for change in (a_rule_changes, a_model_is_mended, a_crash_empties_the_tables, a_link_of_callers_comes)
        ),
    ],
)
def test_everything_runs_when(change, interrupted, monkeypatch):
    city, failed = interrupted
    change(city, monkeypatch)
    result = build(city)
    assert (result.continues, result.reused) == (None, 0)
    assert nodes(city, result.build_id, *PASSED) == nodes(city, failed, *PASSED, "error", "skipped")
    same_anew(city, lambda: facts(city))


def test_a_full_refresh_does_not_continue_a_build_of_a_day(interrupted):
    city, _ = interrupted
    assert build(city, full_refresh=True).continues is None


def test_a_build_that_failed_after_its_last_node_only_applies(city, monkeypatch):
    load(city, "cases", [case(1)])

    def fail(*_, **__):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(applying, "replace_rows", fail)
        with pytest.raises(OSError, match="disk full"):
            build(city)
    result = build(city)
    assert result.reused > 40 and nodes(city, result.build_id, *PASSED) == set()
    assert query(city, "select case_no from mart.fct_case") == [("1",)]


def crash(city):
    """What becomes of a database whose server crashes: nobody's connection stands, unlogged tables are empty."""
    with database.connect(city, autocommit=True) as server:
        server.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
            " and pid <> pg_backend_pid()"
        )
        unlogged = server.execute(
            "select oid::regclass::text from pg_class where relpersistence = 'u' and relkind = 'r'"
        )
        for (table,) in unlogged.fetchall():
            server.execute(f"truncate {table}")


@pytest.mark.parametrize("when", ["before the models", "after the models"])
def test_a_crash_between_two_steps_loses_no_row(city, monkeypatch, when):
    """Nothing runs just then that would fail; what comes after connects anew, and finds empty tables."""
    load(city, "cases", [case(1)])
    build(city)
    load(city, "cases", [case(2), case(3)], day=13)
    real = build_module.dbt.run

    def run(*given, **how):
        if when == "before the models":
            crash(city)
        done = real(*given, **how)
        if when == "after the models":
            crash(city)
        return done

    with monkeypatch.context() as patch:
        patch.setattr(build_module.dbt, "run", run)
        with pytest.raises(Retryable, match="restarted meanwhile"):
            build(city)
    assert query(city, "select case_no from mart.fct_case") == [("1",)]
    again = build(city)
    assert (again.taken, again.touched_cases, again.reused) == (1, 2, 0), "what was computed after it is worth nothing"
    assert query(city, "select case_no from mart.fct_case order by 1") == [("1",), ("2",), ("3",)]
    same_anew(city, lambda: facts(city))


KILLER = """
import os, signal
from minhu.settings import Settings
from minhu.warehouse import build
real = build._record
def record(connection, build_id, node):
    real(connection, build_id, node)
    if node.node == "int_event__winning":
        os.kill(os.getpid(), signal.SIGKILL)
build._record = record
build.build(Settings.from_env())
"""


@pytest.mark.long
def test_a_build_that_was_killed_is_continued_too(city):
    load(city, "cases", [case(1)])
    world = {
        **os.environ,
        "MINHU_HOME": str(city.home),
        "MINHU_CONFIG": str(city.config),
        "MINHU_DATABASE_URL": city.database_url,
    }
    killed = subprocess.run(
        [sys.executable, "-c", KILLER], env=world, cwd=PROJECT_ROOT, check=False, capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL
    elsewhere = replace(city, home=city.home.with_name(city.home.name + "_elsewhere"))  # a worker on another machine
    result = build(elsewhere)
    assert "int_event__winning" in nodes(city, result.build_id, *PASSED, reused=True)
    assert {"fct_case", "fct_timeliness"} <= nodes(city, result.build_id, "success")
    built = facts(city)
    assert query(city, "select count(*) from mart.fct_case") == [(1,)]
    build(city, full_refresh=True)
    assert facts(city) == built


@pytest.mark.parametrize(
    ("run", "raised"),
    [
        (DbtRun((NodeResult("fct_case", "error", 0.1, None, "Database Error\n  division by zero"),)), BuildFailed),
        (DbtRun((NodeResult("unique", "fail", 0.1, None, "Got 1 result"),)), BuildFailed),
        (DbtRun((NodeResult("fct_case", "error", 0.1, None, "No space left on device"),)), BuildInterrupted),
        (DbtRun((), "connection to server at 127.0.0.1 failed"), BuildInterrupted),
        (DbtRun((), "Compilation Error: no such macro"), BuildFailed),
    ],
)
def test_only_what_may_pass_by_itself_is_tried_again_by_the_scheduler(city, monkeypatch, run, raised):
    load(city, "cases", [case(1)])
    monkeypatch.setattr(build_module.dbt, "run", lambda *_: run)
    with pytest.raises(raised) as told:
        build(city)
    assert isinstance(told.value, Refused) == (raised is BuildFailed), "the DAGs give up on what is refused"

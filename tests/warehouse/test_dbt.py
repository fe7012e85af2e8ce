"""dbt reads the project once, works in the database it is given and asks little of the server."""

import pickle

import pytest
import sqlalchemy
from dbt_common import behavior_flags
from dbt_common.events import base_types, event_manager

from minhu.warehouse import dbt
from minhu.warehouse.build import build
from tests.warehouse import test_build, test_readers
from tests.warehouse.test_build import case, load, query

city = test_build.city  # the fixture: two hotlines, two units
project = test_readers.project

KINDS = "select relkind from pg_class where oid = to_regclass('build.stg_batch')"


def test_a_project_is_read_once_for_all_databases_and_schemes(city, scratch, monkeypatch):
    dbt.manifest(city, {})
    monkeypatch.setattr(dbt, "_read", None)
    elsewhere = scratch()
    read = dbt.manifest(elsewhere, {"measures": ["resolved"], "moments": {"resolved": ["closed_at"]}})
    name = sqlalchemy.make_url(elsewhere.database_url).database
    assert {node.database for node in (*read.nodes.values(), *read.sources.values())} == {name}
    assert read.nodes["model.minhu.fct_case"].relation_name == f'"{name}"."build"."fct_case"'


def test_a_changed_project_is_read_anew_and_what_was_not_used_for_longest_goes(city, project, monkeypatch):
    text, kept = project / "score_run.sql", city.home / "dbt" / "read"
    monkeypatch.setattr(dbt, "_read", lambda shape: pickle.dumps((text.read_bytes(), {})))
    before = {path.name for path in kept.iterdir()}
    monkeypatch.setattr(dbt, "_KEPT", len(before) + 2)
    for number in range(3):
        test_readers.change(text, "--", f"-- {number}")
        assert dbt._project(city, {})[0] == text.read_bytes()
    assert len(list(kept.iterdir())) == len(before) + 2
    assert dbt._project(city, {})[0] == text.read_bytes()


@pytest.mark.long
def test_a_model_may_become_a_view_and_a_table_again(city, project):
    load(city, "cases", [case(1)])
    build(city)
    assert query(city, KINDS) == [("r",)]
    model = project.parent / "staging" / "stg_batch.sql"
    test_readers.change(model, "materialized='table', unlogged=true", "materialized='view'")
    build(city, full_refresh=True)
    assert query(city, KINDS) == [("v",)]
    test_readers.change(model, "materialized='view'", "materialized='table', unlogged=true")
    build(city, full_refresh=True)
    assert query(city, KINDS) == [("r",)]


def test_flags_are_named_without_reading_the_source_of_callers(city, monkeypatch):
    def read(*_):
        raise AssertionError("the source of every caller is read")

    dbt._ask_no_callers()
    monkeypatch.setattr(behavior_flags.inspect, "stack", read)
    [flag] = behavior_flags.Behavior([{"name": "a", "default": False, "description": "b"}], {})._flags
    assert flag._behavior_change_event.flag_source == __name__
    assert dbt.run(city, "stg_area", {"build_id": 1, "config_version": 1}).error is None


def test_nodes_are_heard_of_and_little_else(city, monkeypatch):
    made, worded, heard = [], [], []
    real, words = event_manager.msg_from_base_event, base_types.ParseDict
    monkeypatch.setattr(
        event_manager, "msg_from_base_event", lambda event, **given: made.append(event) or real(event, **given)
    )
    monkeypatch.setattr(base_types, "ParseDict", lambda *given: worded.append(given) or words(*given))
    run = dbt.run(city, "stg_area stg_category", {"build_id": 1, "config_version": 1}, heard.append)
    assert {node.node for node in heard} == {node.node for node in run.nodes} == {"stg_area", "stg_category"}
    assert 2 <= len(made) < 20, "dbt tells some hundred things of a run"
    assert len(worded) < 40, "and words each of them before it asks who hears it"


def test_a_build_connects_a_few_times_and_not_for_every_model(city):
    load(city, "cases", [case(1)])
    sessions = "select sessions from pg_stat_database where datname = current_database()"
    ((before,),) = query(city, sessions)
    build(city)
    ((after,),) = query(city, sessions)
    assert 4 < after - before < 25

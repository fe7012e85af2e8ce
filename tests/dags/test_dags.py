"""The DAG files as Airflow reads them: all of them, with their policy, the same every time, and nothing heavy."""

import ast
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from minhu.feeds import load_feeds
from minhu.feeds.arrival import Arrival
from minhu.settings import PROJECT_ROOT

DAGS = PROJECT_ROOT / "dags"
CONFIG = PROJECT_ROOT / "config"
CITY = {"warehouse", "arrivals", "review", "assessment"}
FEED = """\
code: {code}
name: 热线
owner: 某单位
schedule: "{schedule}"
deliveries:
  - name: cases
    kind: case
    source: {{type: drop_folder, path: "{code}/cases_{{date}}.csv"}}
    format: {{type: csv}}
"""


def parse(home: Path, config: Path = CONFIG, seed: int = 0, about: str | None = None, **more: str) -> dict:
    """What Airflow finds in dags/; ``about``: as inside a task of that DAG; ``more``: variables of ours."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "MINHU"))} | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "MINHU_HOME": str(home / "minhu"),
        "MINHU_CONFIG": str(config),
        "PYTHONHASHSEED": str(seed),
    }
    env |= more
    if about:
        env["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = about
    command = [sys.executable, str(Path(__file__).with_name("parse.py")), str(DAGS)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict:
    return parse(tmp_path_factory.mktemp("airflow"))


@pytest.fixture(scope="module")
def dags(parsed: dict) -> dict:
    return parsed["dags"]


@pytest.fixture(scope="module")
def feeds() -> dict:
    return {f"feed_{feed.code}": feed for feed in load_feeds(CONFIG)}


def test_every_declared_feed_is_a_dag_and_nothing_else_but_the_citys(parsed: dict, feeds: dict):
    assert parsed["errors"] == {}
    assert parsed["warnings"] == {}
    assert len(feeds) >= 75
    assert parsed["dags"].keys() == feeds.keys() | CITY


def test_reading_them_imports_nothing_heavy(parsed: dict):
    assert parsed["heavy"] == []


def test_every_task_says_how_long_it_may_take_how_often_it_is_tried_and_when_that_is_vain(dags: dict):
    for dag_id, dag in dags.items():
        for task_id, task in dag["tasks"].items():
            assert 1 <= task["retries"] <= 3, (dag_id, task_id)
            assert 0 < task["timeout"] <= 7200, (dag_id, task_id)
            assert task["gives_up_on"] == ["minhu.errors.Refused"], (dag_id, task_id)


def test_no_dag_catches_up_or_runs_what_was_missed_before_it_existed(dags: dict):
    assert {dag["catchup"] for dag in dags.values()} == {False}
    assert {dag["run_immediately"] for dag in dags.values()} == {"0:00:00"}


def test_the_nightly_order_is_explained_in_chinese(dags: dict):
    for dag_id, dag in dags.items():
        assert dag["doc"], dag_id
        assert any("\u4e00" <= letter <= "\u9fff" for letter in dag["doc"]), dag_id


def test_a_feed_dag_says_whose_it_is_when_it_runs_and_what_it_fills(dags: dict, feeds: dict):
    for dag_id, feed in feeds.items():
        dag = dags[dag_id]
        assert dag["owner"] == feed.owner
        assert dag["tags"] == sorted({feed.group, feed.role})
        assert (dag["cron"], dag["timezone"]) == (feed.schedule, feed.timezone)
        assert dag["max_active_runs"] == 3
        assert dag["params"] == ["business_date"]
        assert feed.name in dag["doc"]
        assert [f"load_{delivery.name}" for delivery in feed.deliveries] == list(dag["tasks"])
        for task in dag["tasks"].values():
            assert task["upstream"] == []  # events and callbacks do not wait for their cases
            assert task["outlets"] == [f"minhu://staging/{feed.code}"]


def test_what_a_declaration_says_of_slots_and_tries_its_task_holds_to(tmp_path: Path):
    config = tmp_path / "config"
    (config / "feeds").mkdir(parents=True)
    said = "arrival: {priority: 40, retries: 1, timeout_minutes: 90}\n"
    (config / "feeds" / "large.yml").write_text(FEED.format(code="large", schedule="0 3 * * *") + said)
    (config / "feeds" / "plain.yml").write_text(FEED.format(code="plain", schedule="0 3 * * *"))
    found = parse(tmp_path / "home", config)["dags"]
    large, plain = (found[f"feed_{code}"]["tasks"]["load_cases"] for code in ("large", "plain"))
    assert (large["priority"], large["retries"], large["timeout"]) == (40, 1, 90 * 60)
    assert (plain["priority"], plain["retries"], plain["timeout"]) == (1, 3, 30 * 60)


def test_what_builds_goes_before_any_load_however_it_is_declared(dags: dict):
    most = Arrival.model_fields["priority"].metadata
    assert any(getattr(one, "le", 0) == 100 for one in most)
    assert {task["priority"] for name in ("warehouse", "arrivals") for task in dags[name]["tasks"].values()} == {1000}


def test_the_warehouse_and_the_assessment_run_their_steps_in_order_one_run_at_a_time(dags: dict):
    steps = {
        "warehouse": ["completeness", "judge_arrivals", "build", "score"],
        "arrivals": ["late", "again", "warehouse"],
        "review": ["waiting", "decide", "build"],
        "assessment": ["close", "approval", "go_ahead", "publish"],
    }
    for dag_id, tasks in steps.items():
        assert dags[dag_id]["max_active_runs"] == 1
        assert dags[dag_id]["owner"] == "minhu"
        assert dags[dag_id]["timezone"] == "Asia/Shanghai"
        for before, after in zip([None, *tasks], tasks, strict=False):
            told = {"close"} if after == "publish" else set()  # what was closed is handed on past the people
            assert set(dags[dag_id]["tasks"][after]["upstream"]) == ({before} if before else set()) | told
        assert len(dags[dag_id]["tasks"]) == len(tasks)


def test_the_dag_of_spark_is_there_only_where_a_cluster_is_named(dags: dict, tmp_path: Path):
    assert "scale" not in dags
    found = parse(tmp_path, about="scale", MINHU_SPARK_MASTER="spark://127.0.0.1:7077")
    assert found["errors"] == {} and found["heavy"] == []
    assert found["dags"].keys() == {"scale", *CITY}
    scale = found["dags"]["scale"]
    assert (scale["max_active_runs"], scale["catchup"], scale["owner"]) == (1, False, "minhu")
    assert scale["tasks"].keys() == {"submit"}
    assert {task["gives_up_on"][0] for task in scale["tasks"].values()} == {"minhu.errors.Refused"}


def test_two_parses_give_the_same(parsed: dict, tmp_path: Path):
    again = parse(tmp_path, seed=4711)
    assert again["dags"].keys() == parsed["dags"].keys()
    for dag_id, dag in parsed["dags"].items():
        assert again["dags"][dag_id]["serialized"] == dag["serialized"], (
            dag_id
        )  # lists in order, as Airflow hashes them


def test_inside_a_task_only_its_own_dag_is_made(dags: dict, feeds: dict, tmp_path: Path):
    dag_id = sorted(feeds)[7]
    found = parse(tmp_path, about=dag_id)
    assert found["dags"].keys() == {dag_id, *CITY}
    assert found["dags"][dag_id]["serialized"] == dags[dag_id]["serialized"]


def test_a_declaration_that_cannot_be_read_fails_alone_and_says_why(tmp_path: Path):
    folder = tmp_path / "config" / "feeds"
    folder.mkdir(parents=True)
    (folder / "good.yml").write_text(FEED.format(code="good", schedule="5 3 * * *"))
    (folder / "unknown_key.yml").write_text(FEED.format(code="unknown_key", schedule="5 3 * * *") + "colour: red\n")
    (folder / "bad_cron.yml").write_text(FEED.format(code="bad_cron", schedule="5 27 * * *"))
    (folder / "坏.yml").write_text("code: [\n")
    found = parse(tmp_path, tmp_path / "config")
    assert found["errors"] == {}
    broken = {dag_id for dag_id, dag in found["dags"].items() if dag["tags"] == ["broken"]}
    assert found["dags"].keys() - broken == {"feed_good", *CITY}
    assert broken == {"feed_unknown_key", "feed_bad_cron", "feed__"}
    assert "unknown_key.yml:10: colour" in found["dags"]["feed_unknown_key"]["doc"]
    assert all(dag["cron"] for dag in found["dags"].values())  # so that somebody notices


@pytest.mark.parametrize("path", sorted(DAGS.glob("*.py")), ids=lambda path: path.stem)
def test_what_a_task_imports_exists(path: Path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("minhu"):
            module = importlib.import_module(node.module)
            for name in node.names:
                assert hasattr(module, name.name) or importlib.import_module(f"{node.module}.{name.name}")

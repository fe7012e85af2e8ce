"""What the machine has decides the settings: reckoned, told, run with, and reckoned anew when the machine changes."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from bench.tune import makespan
from minhu.cli import minhu
from minhu.database import embedded, machine, tuned, tuning
from minhu.database.machine import Machine, limits
from minhu.errors import MinhuError, Refused
from minhu.settings import PROJECT_ROOT
from minhu.warehouse import dbt
from tests.database.test_embedded import ask, installing
from tests.test_docker import ALONE, services

GB = 1024


def reckoned(cores: int, memory_gb: int, told: str = "", *, is_alone: bool = False) -> dict[str, str]:
    found = tuning.reckon(Machine(cores, memory_gb * GB), is_alone=is_alone, told=tuning.read(told))
    return {one.name: one.value for one in found}


def mb(size: str) -> int:
    return tuning.in_mb(size)


@pytest.mark.parametrize(
    ("memory_gb", "shared", "cached", "maintenance"),
    [
        (2, "128MB", "384MB", "64MB"),  # the house needs more than there is
        (4, "336MB", "1019MB", "64MB"),
        (16, "3408MB", "10235MB", "672MB"),
        (64, "8GB", "47099MB", "1GB"),  # no more than that
    ],
)
@pytest.mark.parametrize("cores", [1, 2, 4, 16])
def test_memory_is_shared_out_by_what_the_house_leaves(cores, memory_gb, shared, cached, maintenance):
    found = reckoned(cores, memory_gb)
    assert found["shared_buffers"] == shared
    assert found["effective_cache_size"] == cached
    assert found["maintenance_work_mem"] == maintenance
    assert 4 <= mb(found["work_mem"]) <= 64


@pytest.mark.parametrize(
    ("cores", "threads", "workers", "gather", "processes", "log"),
    [
        (1, "2", "1", "0", "8", "4GB"),
        (2, "4", "2", "1", "8", "4GB"),
        (4, "8", "4", "2", "8", "4GB"),
        (16, "16", "16", "4", "20", "16GB"),
    ],
)
def test_what_runs_at_once_goes_by_cores(cores, threads, workers, gather, processes, log):
    found = reckoned(cores, 16)
    assert (found["threads"], found["max_parallel_workers"], found["max_worker_processes"]) == (
        threads,
        workers,
        processes,
    )
    assert found["max_parallel_workers_per_gather"] == found["max_parallel_maintenance_workers"] == gather
    assert found["max_wal_size"] == log


@pytest.mark.parametrize("cores", [1, 2, 4, 16, 64])
@pytest.mark.parametrize("memory_gb", [4, 8, 16, 64, 512])
def test_all_of_it_at_once_is_no_more_than_there_is(cores, memory_gb):
    """Pages, four sorts or hashes in every process of a build, three vacuums, and the house beside it."""
    found = reckoned(cores, memory_gb)
    at_once = int(found["threads"]) + int(found["max_parallel_workers"])
    wanted = mb(found["shared_buffers"]) + 3 * mb(found["maintenance_work_mem"]) + 4 * at_once * mb(found["work_mem"])
    floor = 4 * at_once * 4  # what PostgreSQL gives by itself
    assert wanted <= max(memory_gb * GB - tuning.taken_mb(False), 1024 + floor)


def test_a_machine_of_its_own_is_the_servers_but_for_the_system():
    assert reckoned(4, 8, is_alone=True)["shared_buffers"] == "1920MB" > reckoned(4, 8)["shared_buffers"]


def test_a_small_disk_is_not_filled_with_log():
    small = tuning.reckon(Machine(16, 64 * GB, disk_mb=40 * GB))
    assert {one.name: one.value for one in small}["max_wal_size"] == "2GB"


def test_what_is_told_stands_and_is_told_as_told():
    found = {one.name: one for one in tuning.reckon(Machine(2, 8 * GB), told=tuning.read("work_mem=1024MB threads=3"))}
    assert (found["work_mem"].value, found["work_mem"].is_own) == ("1GB", True)
    assert (found["threads"].value, found["threads"].why_zh) == ("3", "MINHU_TUNE 指定")
    assert not found["shared_buffers"].is_own
    assert reckoned(2, 8, "cores=16 memory=64GB") == reckoned(16, 64)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("shared_bufers=1GB", "shared_buffers?"),
        ("fsync=off", "fsync is none of"),
        ("shared_buffers=1gb", "shared_buffers=1gb: a size is"),
        ("work_mem=0MB", "work_mem=0MB: a size is"),
        ("work_mem", "work_mem=: a size is"),
        ("threads=0", "threads=0: a number from 1"),
        ("threads=two", "threads=two: a number from 1"),
        ("threads=2 threads=3", "threads is given twice"),
    ],
)
def test_what_cannot_be_meant_is_refused(text, told):
    with pytest.raises(Refused, match=r"MINHU_TUNE|a size is") as refused:
        tuning.read(text)
    assert told in str(refused.value)


# What control groups say


def laid(root: Path, group: str, **files: str) -> Path:
    """A file system in which a process has the groups ``group``, and files of groups, ``/`` written ``__``."""
    (root / "proc" / "self").mkdir(parents=True)
    (root / "proc" / "self" / "cgroup").write_text(group)
    for name, text in files.items():
        path = root / "sys" / "fs" / "cgroup" / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_no_group_bounds_nothing(tmp_path):
    assert limits(tmp_path) == (None, None)


def test_a_container_of_version_2(tmp_path):
    root = laid(tmp_path, "0::/\n", memory_DOT_max="4294967296\n", cpu_DOT_max="150000 100000\n")
    assert limits(root) == (1.5, 4096)


def test_max_bounds_nothing(tmp_path):
    root = laid(tmp_path, "0::/a\n", a__memory_DOT_max="max\n", a__cpu_DOT_max="max 100000\n")
    assert limits(root) == (None, None)


def test_the_tightest_of_nested_groups_counts(tmp_path):
    root = laid(
        tmp_path,
        "0::/city/minhu.service\n",
        city__memory_DOT_max="2147483648\n",
        city__cpu_DOT_max="400000 100000\n",
        city__minhu_DOT_service__memory_DOT_max="max\n",
        city__minhu_DOT_service__cpu_DOT_max="200000 100000\n",
    )
    assert limits(root) == (2.0, 2048)


def test_version_1_with_the_path_of_the_host(tmp_path):
    """Inside the container there is no such folder: the mount itself is the group."""
    root = laid(
        tmp_path,
        "5:memory:/docker/0a1b\n4:cpu,cpuacct:/docker/0a1b\n0::/docker/0a1b\n",
        memory__memory_DOT_limit_in_bytes="3221225472\n",
        **{"cpu,cpuacct__cpu_DOT_cfs_quota_us": "300000\n", "cpu,cpuacct__cpu_DOT_cfs_period_us": "100000\n"},
    )
    assert limits(root) == (3.0, 3072)


def test_version_1_without_a_bound(tmp_path):
    root = laid(
        tmp_path,
        "5:memory:/a\n4:cpu:/a\n",
        memory__a__memory_DOT_limit_in_bytes="9223372036854771712\n",
        cpu__a__cpu_DOT_cfs_quota_us="-1\n",
        cpu__a__cpu_DOT_cfs_period_us="100000\n",
    )
    cores, memory = limits(root)
    assert cores is None and memory is not None and memory > 2**40
    assert machine.look(tmp_path).memory_mb < 2**40  # the hardware has less than that


def test_a_group_of_less_than_a_core_has_one(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "limits", lambda **_: (0.5, 1024))
    found = machine.look(tmp_path)
    assert (found.cores, found.memory_mb) == (1, 1024)
    assert found.bound_by[-2:] == ("cores: cgroup", "memory: cgroup")


# The embedded server


@pytest.fixture(scope="module")
def install():
    with installing() as install:
        yield install


@pytest.fixture(scope="module")
def city(install):
    settings = replace(install("tuned"), tune="memory=3GB cores=4")
    embedded.start(settings)
    return settings


def shows(settings) -> dict[str, str]:
    server = embedded.start(settings)
    return dict(ask(server, "select name, current_setting(name) from pg_settings"))


def wanted(settings) -> dict[str, str]:
    reckoned = tuning.reckon(tuned.here(settings), told=tuning.read(settings.tune))
    return {one.name: one.value for one in tuning.of_server(reckoned)}


def states(settings) -> dict[str, str]:
    return {one.setting.name: one.state for one in tuned.look(settings, tuned.here(settings)) if one.state}


def test_the_server_runs_with_what_was_reckoned_and_anew_after_its_next_start(city):
    assert wanted(city).items() <= shows(city).items()
    assert (states(city), tuned.outdated(city)) == ({}, None)

    more = replace(city, tune="memory=6GB cores=8")
    assert shows(more)["shared_buffers"] == wanted(city)["shared_buffers"] != wanted(more)["shared_buffers"]
    assert set(states(more).values()) == {"restart"}
    assert f"shared_buffers {wanted(city)['shared_buffers']} → {wanted(more)['shared_buffers']}" in tuned.outdated(more)

    embedded.stop(more)
    assert wanted(more).items() <= shows(more).items()
    assert (states(more), tuned.outdated(more)) == ({}, None)
    embedded.stop(more)
    embedded.start(city)


def test_what_somebody_set_above_ours_is_told_as_his(city):
    server = embedded.start(city)
    ask(server, "alter system set work_mem = '5MB'")
    ask(server, "select pg_reload_conf()")
    ask(server, "select pg_sleep(0.5)")
    assert states(city) == {"work_mem": "elsewhere"}
    assert tuned.outdated(city) is None
    ask(server, "alter system reset work_mem")
    ask(server, "select pg_reload_conf()")


def test_a_machine_that_gives_less_than_it_has_still_has_a_database(install, monkeypatch):
    monkeypatch.setattr(machine, "look", lambda place, process=None: Machine(2, 16 * 2**20))
    monkeypatch.setattr(tuning, "MOST_MB", 4 * 2**20)
    settings = replace(install("liar"), tune="")
    assert shows(settings)["shared_buffers"] == "128MB"
    assert states(settings) == {"shared_buffers": "restart"}  # the next start tries again
    embedded.stop(settings)
    with pytest.raises(MinhuError, match="shared memory"):  # what a person told is not made less
        embedded.start(replace(settings, tune="shared_buffers=4194304MB"))


def test_dbt_builds_as_many_models_at_once_as_reckoned(city):
    profile = yaml.safe_load((PROJECT_ROOT / "dbt_project" / "profiles.yml").read_text(encoding="utf-8"))
    assert "MINHU_DBT_THREADS" in profile["minhu"]["outputs"]["warehouse"]["threads"]
    for told, threads in (("cores=8", "16"), ("cores=8 threads=3", "3")):
        with dbt._environment(replace(city, tune=told)):
            assert os.environ["MINHU_DBT_THREADS"] == threads


# The command


def told(settings, monkeypatch, *arguments: str):
    for name, value in (("HOME", settings.home), ("CONFIG", settings.config), ("TUNE", settings.tune)):
        monkeypatch.setenv(f"MINHU_{name}", str(value))
    return CliRunner().invoke(minhu, ["tune", *arguments])


def test_the_command_tells_now_would_be_and_why(city, monkeypatch):
    whole = json.loads(told(city, monkeypatch, "--json").output)
    assert (whole["machine"]["cores"], whole["machine"]["memory_mb"]) == (4, 3072)
    assert whole["machine"]["bound_by"][-2:] == ["cores: told", "memory: told"]
    rows = {row["setting"]: row for row in whole["settings"]}
    assert rows["shared_buffers"]["now"] == rows["shared_buffers"]["would_be"] == wanted(city)["shared_buffers"]
    assert all(row["why_zh"] and row["why_en"] for row in rows.values())
    text = told(city, monkeypatch, "--explain").output
    assert "4 核 cores, 3GB" in text and rows["work_mem"]["why_zh"] in text


def test_another_machine_is_reckoned_without_a_word_on_this_one(city, monkeypatch):
    lines = told(city, monkeypatch, "--cores", "4", "--memory", "8GB", "--alone", "--as", "sql").output.splitlines()
    assert "alter system set shared_buffers = '1920MB';" in lines
    assert lines[-1] == "-- dbt: MINHU_TUNE=threads=8"
    assert "shared_buffers = 1920MB" in told(city, monkeypatch, "--memory", "8GB", "--alone", "--as", "conf").output
    rows = json.loads(told(city, monkeypatch, "--memory", "8GB", "--json").output)["settings"]
    assert {row["now"] for row in rows} == {None}
    refused = told(city, monkeypatch, "--memory", "much")
    assert refused.exit_code == 1 and "--memory=much: a size is" in str(refused.exception)


def test_looking_starts_nothing(install, monkeypatch):
    settings = install("never started")
    assert told(settings, monkeypatch).exit_code == 0
    assert not settings.home.exists()


def test_the_container_of_the_database_has_what_is_reckoned_for_its_bound():
    composed = services(ALONE)["postgres"]
    given = dict(word.split("=", 1) for word in composed["command"] if "=" in word)
    assert int(composed["mem_limit"]) == 8 * 2**30
    found = reckoned(4, 8, is_alone=True)
    memory = ("shared_buffers", "effective_cache_size", "work_mem", "maintenance_work_mem")
    assert {name: given[name] for name in memory} == {name: found[name] for name in memory}


@pytest.mark.parametrize(("cores", "seconds"), [(1, 10), (2, 6), (4, 5), (16, 5)])
def test_more_cores_shorten_a_build_down_to_its_longest_chain(cores, seconds):
    nodes = {"a": 1.0, "b": 3.0, "c": 1.0, "d": 2.0, "e": 2.0, "f": 1.0}
    graph = {"b": {"a"}, "c": {"b", "elsewhere"}, "d": {"a"}, "e": {"a"}, "f": {"a"}}
    assert makespan(nodes, graph, cores) == seconds

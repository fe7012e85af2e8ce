"""A day through Airflow, as a city's night goes: every feed's DAG, then `warehouse`, from their trigger to their end.

``day_load_s``: all 83 feed DAGs of a day of 30,000 cases, triggered at once; ``day_total_s``: the same and `warehouse`
to indicative scores. Before it lies a week. ``day_task_*_s``: what the tasks of feeds took, on average: waiting for a
slot, loading, and all else between their start and end, which is Airflow's and that of imports. ``day_warehouse_*_s``:
the tasks of `warehouse`. ``idle_*``: processor seconds a minute and memory of all processes when nothing is to do.
"""

import os
import statistics
import time
from contextlib import suppress
from datetime import datetime, timedelta

import psutil

from bench import history
from bench.scratch import minhu, warehouse
from minhu import database, services
from minhu.config import sync
from minhu.errors import MinhuError
from minhu.feeds import Feed, load_feeds
from minhu.load import load_feed_day
from minhu.settings import Settings
from minhu.simulate import write_city

CASES_PER_DAY = 30_000
BEFORE = 7
SEED = 7
IDLE_S = 60


def measure(quick: bool) -> dict[str, float]:
    with warehouse() as settings:
        feeds = load_feeds(settings.config)
        start = history.DAY - timedelta(BEFORE)
        cases = CASES_PER_DAY // 10 if quick else CASES_PER_DAY
        write_city(feeds, settings.config, settings.drop, start, BEFORE + 1, cases, SEED, bundle=True)
        sync(settings)
        for feed in feeds:
            for result in load_feed_day(settings, feed, history.DAY - timedelta(1)):
                if isinstance(result, MinhuError):
                    raise result
        minhu(settings, "quality", "run", "--json")
        minhu(settings, "build", "--json")
        try:
            services.up(settings)
            return _day(settings, feeds) | _idle(settings)
        finally:
            services.down(settings)


def _day(settings: Settings, feeds: tuple[Feed, ...]) -> dict[str, float]:
    on = {"business_date": history.DAY.isoformat()}
    began = time.perf_counter()
    loads = _run(settings, [(f"feed_{feed.code}", on) for feed in feeds])
    loaded = time.perf_counter() - began
    built = _run(settings, [("warehouse", on)])
    total = time.perf_counter() - began
    tasks = [task for run in loads for task in _tasks(settings, *run)]
    with database.connect(settings) as connection:
        [loading] = database.one(
            connection,
            "select avg(extract(epoch from loaded_at - started_at))::float from audit.batch where business_date = %s",
            [history.DAY],
        )
    told = {
        "day_load_s": loaded,
        "day_total_s": total,
        "day_task_queued_s": statistics.mean(_seconds(task, "queued_when", "start_date") for task in tasks),
        "day_task_load_s": loading,
        "day_task_rest_s": statistics.mean(_seconds(task, "start_date", "end_date") for task in tasks) - loading,
    }
    for task in _tasks(settings, *built[0]):
        told[f"day_warehouse_{task['task_id']}_s"] = _seconds(task, "start_date", "end_date")
    return {key: round(value, 1) for key, value in told.items()}


def _idle(settings: Settings) -> dict[str, float]:
    """A minute after a while of nothing."""
    time.sleep(IDLE_S / 2)
    before = {process.pid: _cpu(process) for process in _processes(settings)}
    time.sleep(IDLE_S)
    after = _processes(settings)
    spent = sum(_cpu(process) - before.get(process.pid, 0) for process in after)
    memory = sum(process.memory_full_info().pss for process in after)
    return {"idle_cpu_s": round(spent, 1), "idle_mb": round(memory / 1e6)}


def _processes(settings: Settings) -> list[psutil.Process]:
    """All that name the home, and what they started."""
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            of_home = process.environ().get("MINHU_HOME") == str(settings.home)
            if process.pid != os.getpid() and (of_home or str(settings.home) in " ".join(process.cmdline())):
                found |= {process, *process.children(recursive=True)}
    return list(found)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system + times.children_user + times.children_system


def _run(settings: Settings, wanted: list[tuple[str, dict]]) -> list[tuple[str, str]]:
    runs = [(dag_id, services.trigger(settings, dag_id, conf)) for dag_id, conf in wanted]
    states = services.wait(settings, runs, 900)
    if failed := sorted(dag_id for dag_id, state in states.items() if state != "success"):
        raise RuntimeError(f"nothing was measured: {', '.join(failed)} failed")
    return runs


def _tasks(settings: Settings, dag_id: str, run_id: str) -> list[dict]:
    return services.airflow(settings).get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]


def _seconds(task: dict, since: str, until: str) -> float:
    return (datetime.fromisoformat(task[until]) - datetime.fromisoformat(task[since])).total_seconds()

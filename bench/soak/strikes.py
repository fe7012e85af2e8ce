"""The faults that are made while the days go by. Each returns what it did and how long it took to be well again."""

import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from bench import running
from bench.soak.city import HANGS, LATE
from bench.soak.world import Struck, World, ahead, environment
from minhu import services
from minhu.database import embedded
from minhu.errors import MinhuError
from minhu.feeds import load_feeds

RUNNING = "dags/~/dagRuns/~/taskInstances?state=running&limit=100"
STEP_SECONDS = 90
FULL_FOR = 25
"""Seconds that the disk of the logs is full."""
SEEN = ("airflow_silent", "run_failed", "build_failed", "task_queued", "arrived")
"""Kinds that a killed process may bring, if somebody looks before it is back, or before what it did is done again."""


def kill_service(name: str) -> Callable[[World], Struck]:
    def strike(world: World) -> Struck:
        before = running.pids(world.settings)
        if (pid := before[name]) is None:
            return Struck(name, "did not run", is_well=False)
        os.kill(pid, signal.SIGKILL)
        return _back(name, f"pid {pid}", lambda: running.back(world.settings, before, name, seconds=120))

    return strike


def kill_task(world: World) -> Struck:
    """A process in which a task of an ordinary feed runs."""
    ends, ordinary = time.monotonic() + 60, {feed.code for feed in load_feeds(world.settings.config)} - {LATE, HANGS}
    while time.monotonic() < ends:
        processes = running.tasks(world.settings)
        with suppress(MinhuError):
            for task in services.airflow(world.settings).get(RUNNING)["task_instances"] if processes else ():
                if task["id"] in processes and task["dag_id"].removeprefix("feed_") in ordinary:
                    with suppress(psutil.NoSuchProcess):
                        processes[task["id"]].kill()
                        return Struck("task", f"{task['dag_id']}.{task['task_id']}", kinds=SEEN)
        time.sleep(0.05)
    return Struck("task", "no task ran", is_well=False)


def kill_database(world: World) -> Struck:
    before = embedded.status(world.settings).pid
    if before is None:
        return Struck("PostgreSQL", "did not run", is_well=False)
    os.kill(before, signal.SIGKILL)

    def back() -> float:
        began = time.monotonic()
        while True:
            with suppress(MinhuError):
                status = embedded.status(world.settings)
                if status.running and status.pid != before:
                    return time.monotonic() - began
            if time.monotonic() > began + 120:
                raise AssertionError("PostgreSQL is not back")
            time.sleep(0.1)

    return _back("PostgreSQL", f"pid {before}", back)


def _back(name: str, what: str, wait: Callable[[], float]) -> Struck:
    try:
        return Struck(name, what, wait(), kinds=SEEN)
    except AssertionError as error:
        return Struck(name, str(error), kinds=SEEN, is_well=False)


def fill_log_disk(world: World) -> Struck:
    """No byte more can be written to the logs for a while. Without a disk of their own: no file of the services that
    write nothing but logs may grow."""
    if not world.log_disk:
        return _limit_logs(world)
    began, ends, filler = time.monotonic(), threading.Event(), world.settings.logs / "filler"
    filling = threading.Thread(target=_keep_full, args=[filler, ends])
    filling.start()
    time.sleep(5 if world.plan.is_short else FULL_FOR)
    told = world.until_told("disk")
    ends.set()
    filling.join()
    filler.unlink()
    return Struck("log disk", "not a byte free", time.monotonic() - began, kinds=SEEN, told=("disk",), is_well=told)


def _keep_full(filler: Path, ends: threading.Event) -> None:
    """Until the event: logs are removed meanwhile, and what that frees is taken too."""
    with open(filler, "ab", buffering=0) as file:
        while not ends.wait(0.1):
            for size in (1 << 20, 4096, 1):
                with suppress(OSError):
                    while file.write(b"\0" * size) == size:
                        pass


def _limit_logs(world: World) -> Struck:
    limited = [
        process
        for daemon in running.daemons_of(world.settings)
        if daemon.name != "scheduler"  # its tasks write more than logs
        for process in daemon.processes()
    ]
    for process in limited:
        with suppress(psutil.Error, OSError):
            hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)[1]
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1, hard))
    time.sleep(FULL_FOR)
    for process in limited:
        with suppress(psutil.Error, OSError):
            hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)[1]
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
    return Struck("log disk", f"no file may grow, {len(limited)} processes", FULL_FOR, kinds=SEEN)


def step_clock(world: World) -> Struck:
    """The machine of the services dies and comes back with its clock ahead of the database's; then again, set right."""
    began, wrong = time.monotonic(), ahead(STEP_SECONDS) or {}
    if world.plan.is_short:
        told = world.until_told("clock_off", wrong)
        world.look_for_faults()
    else:
        with environment(wrong):
            _start_anew(world)
        told = world.until_told("clock_off")
        _start_anew(world)
    what = f"{STEP_SECONDS} s ahead and back"
    return Struck("clock", what, time.monotonic() - began, kinds=SEEN, told=("clock_off",), is_well=told)


def _start_anew(world: World) -> None:
    """Kills every process of the services, those that keep others alive first, and starts them from here."""
    every = {one.name: one for one in running.daemons_of(world.settings)}
    keepers = [*every["supervisor"].processes(), *every["keeper"].processes()]
    for process in keepers:
        with suppress(psutil.Error):
            process.suspend()  # else the first would be started again by the second
    for process in (*keepers, *(one for daemon in every.values() for one in daemon.processes())):
        with suppress(psutil.Error):
            process.kill()
    services.up(world.settings)


STRIKES: dict[str, Callable[[World], Struck]] = {
    **{name: kill_service(name) for name in ("scheduler", "dag-processor", "triggerer")},
    "task": kill_task,
    "PostgreSQL": kill_database,
    "log disk": fill_log_disk,
    "clock": step_clock,
}


def strike(world: World, name: str) -> None:
    if name == "clock" and ahead(STEP_SECONDS) is None:
        world.skipped.append("clock: libfaketime is not installed (apt-get install libfaketime)")
        world.tell("SKIPPED the clock step: libfaketime is not installed (apt-get install libfaketime)")
        return
    world.tell(f"strike: {name}")
    done = STRIKES[name](world)
    world.struck.append(done)
    world.tell(f"  {name}, {done.what}: {'well' if done.is_well else 'NOT WELL'} after {done.seconds:.1f} s")

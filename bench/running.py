"""What `minhu up` started, seen from outside: who lives, who has come back after being killed."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress

import psutil

from minhu import services
from minhu.errors import MinhuError
from minhu.services import control
from minhu.services.airflow_home import AirflowHome
from minhu.services.daemons import Daemon
from minhu.settings import Settings

SERVICES = (*control.COMMANDS, control.KEEPER, control.SUPERVISOR)
TASK = re.compile(r"airflow worker -- ([0-9a-f]{8}-[0-9a-f-]+)")


def pids(settings: Settings) -> dict[str, int | None]:
    """The first process of each service."""
    told = services.status(settings)
    return {name: told[name].get("pid") for name in SERVICES}


def daemons_of(settings: Settings) -> list[Daemon]:
    home = AirflowHome(settings)
    return [*control._all(home), control._supervisor(home)]


def back(settings: Settings, before: dict[str, int | None], *names: str, seconds: float = 90) -> float:
    """Waits until all of them live again as other processes, and were heard of since; the seconds it took."""
    began = time.monotonic()
    while lacking := [name for name in names if not _is_back(settings, name, before[name])]:
        if time.monotonic() > began + seconds:
            raise AssertionError(f"not back: {lacking}")
        time.sleep(0.1)
    return time.monotonic() - began


def _is_back(settings: Settings, name: str, before: int | None) -> bool:
    daemon = next(one for one in daemons_of(settings) if one.name == name)
    if not daemon.is_well or daemon.session == before:
        return False
    if name not in control.COMMANDS:
        return True
    try:
        health = services.airflow(settings).health()
    except MinhuError:
        return False
    state, heard_at = health.get(name.replace("-", "_"), ("healthy", None))
    return state == "healthy" and (name == control.API_SERVER or (heard_at or daemon.started_at) > daemon.started_at)


def tasks(settings: Settings) -> dict[str, psutil.Process]:
    """The processes in which tasks run now, by the id of what they run."""
    scheduler = next(one for one in daemons_of(settings) if one.name == "scheduler")
    found = {}
    for process in scheduler.processes():
        with suppress(psutil.Error):
            if named := TASK.match(" ".join(process.cmdline())):
                found[named[1]] = process
    return found


def is_task(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return bool(TASK.match(" ".join(process.cmdline())))
    return False


def by_session() -> Iterator[tuple[int, psutil.Process]]:
    """Every living process with the number of its session."""
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError, PermissionError):
            yield os.getsid(process.pid), process

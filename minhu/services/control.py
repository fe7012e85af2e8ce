"""Starts, stops and tells the local services: PostgreSQL, its keeper, the four processes of Airflow, the pages.

With a broker the tasks run on workers, which come and go by themselves (`minhu.services.workers`).

Under ``MINHU_HOME``: ``airflow/`` (settings, port, pid files), ``logs/airflow/`` (one log per process, ``tasks/`` per
attempt). Everything may be killed at any moment; ``up`` mends what is missing and leaves alone what runs.
"""

import fcntl
import importlib.metadata
import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg import conninfo, sql

from minhu import database
from minhu.database import embedded, standby
from minhu.errors import MinhuError, Refused, Retryable, foreign
from minhu.services import daemons, workers
from minhu.services.airflow_api import FINISHED, Airflow
from minhu.services.airflow_home import DAGS, AirflowHome
from minhu.services.daemons import Daemon
from minhu.services.workers import AIRFLOW_PRELOADED
from minhu.settings import Settings

Progress = Callable[[str], None]

API_SERVER = "api-server"
COMMANDS = {
    API_SERVER: [API_SERVER],
    "scheduler": ["scheduler", "--skip-serve-logs"],  # the API server reads the logs from the same disk
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
PORTAL = "portal"  # the pages; only where `with_portal` was called
KEEPER = "keeper"  # beside Airflow: of no use to it, and alive while Airflow is away
SUPERVISOR = "supervisor"
SUPERVISED = "by another"  # by systemd, which runs a supervisor of its own
READY_WITHIN = 120  # seconds
PATIENCE = {
    "triggerer": 2,
    KEEPER: 2,
    SUPERVISOR: 2,
    PORTAL: 5,
}  # it may take ten seconds, and has nothing to lose: triggers are in the database
DRAIN = 60  # seconds that running tasks have to end when all is stopped
LOSSY = "from minhu.services.lossy import install; install(); "
AIRFLOW = f"{LOSSY}from airflow.__main__ import main; main()"
LAUNCH = {
    KEEPER: ["-m", "minhu.watch.keeper"],
    PORTAL: ["-m", "minhu.portal"],
    SUPERVISOR: ["-m", "minhu.services.supervisor"],
    "scheduler": ["-c", LOSSY + AIRFLOW_PRELOADED],
}


def up(
    settings: Settings, progress: Progress = lambda _: None, dags: Path = DAGS, *, is_supervised: bool = False
) -> str:
    """Starts what does not run; Airflow's address, once every DAG can be triggered. Harmless when all of it runs.

    From then on what ends is started again, until ``down``. ``dags`` is the folder of the DAG files;
    ``is_supervised``: who calls keeps it alive himself. Raises Retryable when a service ends or does not come up in
    time, Refused when a DAG file cannot be read.
    """
    home = AirflowHome(settings, dags)
    with _alone(home):
        _prepare(home, progress)
        _start_standby(settings, progress)
        _bring_up(home, progress)
        _wanted(home).write_text(SUPERVISED if is_supervised else "")
        if not is_supervised and not _supervisor(home).is_well:
            _start(home, [_supervisor(home)])
    return home.url


def with_portal(settings: Settings) -> str:
    """From the next ``up`` on the pages are served, too; their address. Whoever calls has made their logins."""
    home = AirflowHome(settings)
    with _alone(home):
        if home.portal_port is None or not _portal(home)[0].is_alive:
            home.choose_portal_port()
    return portal_url(settings) or ""


def portal_url(settings: Settings) -> str | None:
    """Where the pages of this home are; None where it has none."""
    port = AirflowHome(settings).portal_port
    return f"http://127.0.0.1:{port}" if port else None


def prepare(settings: Settings, progress: Progress = lambda _: None) -> None:
    """All of ``up`` but the processes of Airflow: databases, settings, secrets. For containers, which run those."""
    home = AirflowHome(settings)
    with _alone(home):
        _prepare(home, progress)


def down(settings: Settings) -> list[str]:
    """Stops Airflow, then the embedded PostgreSQL, its standby first; returns the names of what ran."""
    home = AirflowHome(settings)
    stopped = []
    if home.folder.exists():
        with _alone(home):
            _wanted(home).unlink(missing_ok=True)
            daemons.stop([_supervisor(home)])
            stopped = _stop_all(home)
    if not settings.database_url:
        if standby.stop(settings):
            stopped.append("standby")
        if embedded.stop(settings):
            stopped.append("PostgreSQL")
    return stopped


def mend(settings: Settings) -> list[str]:
    """Starts again what ``up`` started and has ended since; the names. Nothing while ``up`` or ``down`` is at work.

    What ends again and again is tried less and less often.
    """
    home = AirflowHome(settings)
    if not _wanted(home).exists():
        return []
    with _alone(home, is_patient=False) as is_mine:
        if not is_mine or not _wanted(home).exists():
            return []
        mended = []
        if not settings.database_url and not embedded.is_alive(settings) and _may_try("PostgreSQL"):
            embedded.start(settings)
            mended.append("PostgreSQL")
        is_supervised = _wanted(home).read_text() == SUPERVISED
        every = [*_all(home), *([] if is_supervised else [_supervisor(home)])]
        dead = [daemon for daemon in every if not daemon.is_well and _may_try(daemon.name)]
        _start(home, dead)
        return [*mended, *(daemon.name for daemon in dead), *_start_standby(settings)]


def revive(settings: Settings) -> bool:
    """Whether all that kept this home alive was killed, though nobody took it down; then the supervisor is started."""
    home = AirflowHome(settings)
    if not is_forsaken(settings) or not home.is_ours():
        return False
    with _alone(home, is_patient=False) as is_mine:
        if is_mine and _wanted(home).exists():
            _start(home, [_supervisor(home)])
    return is_mine


def is_forsaken(settings: Settings) -> bool:
    """Whether what `up` started is to live and nobody keeps it alive. Quick."""
    home = AirflowHome(settings)
    if not _wanted(home).exists() or _wanted(home).read_text() == SUPERVISED:
        return False
    return not any(daemon.is_well for daemon in (_supervisor(home), _keeper(home)))


_tried: dict[str, tuple[int, float]] = {}


def _may_try(name: str) -> bool:
    """Whether to start it now: at once, and after so many times in a row no more than once a minute."""
    times, at = _tried.get(name, (0, 0.0))
    now = time.monotonic()
    if now - at > 300:
        times = 0
    if times and now - at < min(60, 2**times):
        return False
    _tried[name] = times + 1, now
    return True


def status(settings: Settings) -> dict[str, dict]:
    """Each service: its state, where it is, what it says of its health. Starts and changes nothing."""
    home = AirflowHome(settings)
    health = {}
    if home.port:
        with suppress(MinhuError):
            health = _client(home).health()
    if settings.database_url:
        server = {"state": "external"}
    else:
        found = asdict(embedded.status(settings))
        server = {"state": "running" if found.pop("running") else "stopped"}
        server |= {key: str(value) for key, value in found.items() if value is not None}
        if standby.is_made(settings):
            server["standby"] = "running" if standby.is_alive(settings) else "stopped"
    told: dict[str, dict[str, Any]] = {
        "home": {"folder": str(settings.home), "logs": str(settings.logs)},
        "postgres": server,
    }
    if settings.broker_url:
        told["workers"] = _workers(settings)
    told["airflow"] = {"address": home.url} if home.port else {"state": "never started"}
    for daemon in [*_all(home), _supervisor(home)]:
        state = "running" if daemon.is_well else "orphaned" if daemon.is_alive else "stopped"
        told[daemon.name] = {"state": state}
        if state == "running":
            told[daemon.name] |= {"pid": daemon.session, "log": str(daemon.log)}
            part = "metadatabase" if daemon.name == API_SERVER else daemon.name.replace("-", "_")
            if daemon.name in COMMANDS:
                told[daemon.name]["health"], _ = health.get(part, ("unknown", None))
    return told


def _workers(settings: Settings) -> dict[str, Any]:
    try:
        return {"answering": ", ".join(workers.answering(settings)) or "none"}
    except MinhuError as error:
        return {"state": "unknown", "why": str(error)}


def airflow(settings: Settings) -> Airflow:
    """A client of the local Airflow."""
    home = AirflowHome(settings)
    if home.port is None:
        raise Refused(f"Airflow has never been started in {settings.home}: run `minhu up`")
    return _client(home)


def trigger(settings: Settings, dag_id: str, conf: dict | None = None) -> str:
    """Starts a run of a DAG and returns its id; ``conf`` overrides the DAG's params."""
    return airflow(settings).trigger(dag_id, conf)


def wait(
    settings: Settings, runs: Iterable[tuple[str, str]], timeout: float, progress: Progress = lambda _: None
) -> dict[str, str]:
    """State of each awaited (dag_id, run_id) by DAG, ``success`` or ``failed``, once all have finished.

    ``progress`` is told how far they are, and of each failed task where its log is. Of several runs of one DAG a failed
    one counts. Raises Retryable after ``timeout`` seconds, naming what is still going on.
    """
    client, told, states, said_at = airflow(settings), set(), {}, 0.0
    for states in client.watch(runs, timeout):
        for run in sorted(run for run, state in states.items() if state == "failed" and run not in told):
            told.add(run)
            for task, log in client.failures(*run).items():
                progress(f"{run[0]} 的任务 {task} 失败，日志：{log}")
        tally = Counter(states.values())
        if FINISHED.issuperset(tally) or time.monotonic() - said_at > 3:
            progress(f"完成 {tally['success']} / {len(states)}，运行中 {tally['running']}，失败 {tally['failed']}")
            said_at = time.monotonic()
    return {dag_id: state for (dag_id, _), state in sorted(states.items(), key=lambda item: item[1] == "failed")}


# Starting and stopping


def _prepare(home: AirflowHome, progress: Progress) -> None:
    progress("启动 PostgreSQL，更新数据库结构")
    database.migrate(home.settings)
    _make_private(home)
    if home.port is None or not _daemons(home)[0].is_alive:
        home.choose_port()
    if home.write() and any(daemon.is_alive for daemon in _all(home)):
        progress("设置有变，停止旧的进程")
        _stop_all(home)
    _migrate(home, progress)
    if home.settings.broker_url:
        workers.make_results(home.settings)


def _start_standby(settings: Settings, progress: Progress = lambda _: None) -> list[str]:
    """Its name, where it shall run, did not, and does now. The rest lives without it: that it is away is told."""
    if not standby.is_missing(settings) or not _may_try("standby"):
        return []
    progress("启动备库")
    try:
        standby.start(settings)
    except MinhuError as error:
        progress(f"备库未能启动：{error}")
        return []
    return ["standby"]


def _make_private(home: AirflowHome) -> None:
    """What lies in the home is its owner's alone; the user of an embedded server passes through to the cluster."""
    of = home.settings
    is_passed = not of.database_url and not (of.home / "postgres").is_symlink() and os.geteuid() == 0
    of.home.chmod(0o711 if is_passed else 0o700)
    for folder in (of.logs, home.folder, home.logs):
        folder.chmod(0o700)
    if not of.drop.exists():
        of.drop.mkdir(mode=0o700, parents=True)


def _bring_up(home: AirflowHome, progress: Progress) -> None:
    """Starts each process that does not run, once, and waits until all are ready."""
    started, deadline = set(), time.monotonic() + READY_WITHIN
    while True:
        dead = [daemon for daemon in _all(home) if not daemon.is_well]
        for daemon in dead:
            if daemon.name in started:
                raise Retryable(f"the {daemon.name} ended while starting; see {daemon.log}")
        if dead:  # later rounds too: one that ran may have been dying, for want of a database
            progress(f"启动 Airflow（{'、'.join(daemon.name for daemon in dead)}）")
            _start(home, dead)
            started |= {daemon.name for daemon in dead}
        missing = _missing(home)
        if missing is None:
            return
        if time.monotonic() > deadline:
            raise Retryable(f"{missing} within {READY_WITHIN} s; see {home.logs}")
        time.sleep(0.25)


def _start(home: AirflowHome, dead: list[Daemon]) -> None:
    daemons.stop(dead, at_once=True)  # what a killed one left behind
    if any(daemon.name == "scheduler" for daemon in dead):
        _end_its_job(home)
    for daemon in dead:
        launch = LAUNCH.get(daemon.name, ["-c", AIRFLOW])
        # Tasks are children of Airflow's processes and need not enter the broker; who tells that it is away must.
        of_house = {"MINHU_BROKER_URL": home.settings.broker_url or ""} if daemon.name not in COMMANDS else {}
        if daemon.name in (KEEPER, SUPERVISOR):  # who tells that it is away; the one starts the other
            of_house["MINHU_READ_URL"] = home.settings.read_url or ""
        env = home.env(daemon.name) | of_house
        more = ["--port", str(home.portal_port)] if daemon.name == PORTAL else COMMANDS.get(daemon.name, [])
        daemon.start([sys.executable, *launch, *more], env)


def _end_its_job(home: AirflowHome) -> None:
    """Says of a scheduler of this machine that is dead that it is: its tasks begin anew with the next one, at once.

    Else they wait until it has not been heard of for minutes. Where the database is away they do.
    """
    with suppress(psycopg.Error, MinhuError), psycopg.connect(database.url(home.settings, "airflow")) as connection:
        connection.execute(
            "update job set state = 'failed', end_date = clock_timestamp()"
            " where job_type = 'SchedulerJob' and state = 'running' and hostname = %s",
            [socket.gethostname()],
        )


def _migrate(home: AirflowHome, progress: Progress) -> None:
    """Brings Airflow's metadata database to the installed version; skipped where the last start did."""
    _make_database(home.settings)
    record, version = home.folder / "metadata.json", importlib.metadata.version("apache-airflow-core")
    if record.exists() and json.loads(record.read_text()) == [version, _revision(home)]:
        return
    progress("更新 Airflow 元数据库")
    log = home.logs / "db-migrate.log"
    log.touch(mode=0o600)
    log.chmod(0o600)  # one of an earlier version
    with log.open("a") as out:
        command = [sys.executable, "-m", "airflow", "db", "migrate"]
        done = subprocess.run(command, env=home.env(), cwd=home.folder, stdout=out, stderr=out, check=False)
    if done.returncode:
        raise Refused(f"Airflow's metadata database could not be migrated; see {log}")
    record.write_text(json.dumps([version, _revision(home)]))


def _make_database(settings: Settings) -> None:
    """Makes Airflow's metadata database beside the warehouse where it is missing and nobody names another."""
    if settings.airflow_url or not settings.database_url:
        return  # it is somebody's, or was made with the embedded server
    name = str(conninfo.conninfo_to_dict(database.url(settings, "airflow"))["dbname"])
    with database.connect(settings, autocommit=True) as connection:
        if not connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
            with foreign.told("make database", user=connection.info.user, name=name):
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))


def _revision(home: AirflowHome) -> str | None:
    """The revision of Airflow's metadata database; None before the first."""
    try:
        with (
            foreign.told("connect", what="Airflow's metadata database"),
            psycopg.connect(database.url(home.settings, "airflow")) as connection,
        ):
            return database.one(connection, "select version_num from alembic_version")[0]
    except psycopg.errors.UndefinedTable:
        return None


def _missing(home: AirflowHome) -> str | None:
    """What keeps a DAG from being run: one thing in words, or None."""
    client = _client(home)
    server, *others = _daemons(home)
    try:
        # What Airflow heard of a process, and what it read, before this one was started says nothing.
        health = client.health()
        for daemon in others:
            state, heard_at = health[daemon.name.replace("-", "_")]
            if state != "healthy" or heard_at is None or heard_at < daemon.started_at:
                return f"the {daemon.name} did not come to life"
        since = next(daemon.started_at for daemon in others if daemon.name == "dag-processor")
        for file, (why, found_at) in client.import_errors().items():
            if found_at > since:
                raise Refused(f"the DAG file {file} cannot be read: {why}")
        unread = home.dag_files - client.files_read(since)
        return f"the DAGs of {', '.join(sorted(unread))} were not read" if unread else None
    except Retryable:
        return f"the {server.name} did not answer at {client.url}"


def _stop_all(home: AirflowHome) -> list[str]:
    server, *others = _daemons(home)
    # Running tasks end by themselves within a while, so that none is tried again for being stopped. Their last words
    # go to the API server: it ends after them.
    patient = [replace(one, patience=DRAIN) if one.name == "scheduler" else one for one in others]
    return daemons.stop(patient) + daemons.stop([server, _keeper(home), *_portal(home)])


def _all(home: AirflowHome) -> list[Daemon]:
    return [*_daemons(home), _keeper(home), *_portal(home)]


def _portal(home: AirflowHome) -> list[Daemon]:
    """The pages, where this home serves them."""
    return [_of_house(home, PORTAL)] if home.portal_port else []


def _keeper(home: AirflowHome) -> Daemon:
    return _of_house(home, KEEPER)


def _supervisor(home: AirflowHome) -> Daemon:
    return _of_house(home, SUPERVISOR)


def _of_house(home: AirflowHome, name: str) -> Daemon:
    return Daemon(name, home.folder, home.settings.logs / f"{name}.log", PATIENCE[name])


def _wanted(home: AirflowHome) -> Path:
    """There from ``up`` to ``down``."""
    return home.folder / "wanted"


def _daemons(home: AirflowHome) -> list[Daemon]:
    """The processes of Airflow, the API server first."""
    return [Daemon(name, home.folder, home.logs / f"{name}.log", PATIENCE.get(name, 10)) for name in COMMANDS]


def _client(home: AirflowHome) -> Airflow:
    return Airflow(home.url, home.signs_with, home.task_logs)


@contextmanager
def _alone(home: AirflowHome, *, is_patient: bool = True) -> Iterator[bool]:
    """One ``up`` or ``down`` of an installation at a time. Who is not patient is told whether it is his turn."""
    for folder in (home.folder, home.logs):
        folder.mkdir(parents=True, exist_ok=True)
    with open(home.folder / "services.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if is_patient else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True

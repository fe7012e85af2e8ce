"""Workers: processes that run Airflow's tasks on other machines, handed to them by a broker (CeleryExecutor).

A worker's home holds keys, files on their way, and logs. Database, landing zone and drop folder are everybody's, and so
none of them has a default here: what a worker would make for itself, the others would not find.
"""

import os
import sys
from collections.abc import Iterable
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from minhu import database
from minhu.database import roles
from minhu.errors import Refused, foreign
from minhu.services.airflow_home import EXECUTION_API, WorkerHome
from minhu.settings import Settings

# Tasks are forks of the processes of a scheduler or a worker. What these import first no task has to: over a second of
# work for each load. dbt and Great Expectations would save a build two seconds and a gate five, once a day, and make
# eight waiting processes 250 MB larger all day: not kept.
PRELOADED = (
    "minhu.load, airflow.providers.standard.decorators.python, "
    "airflow.sdk.execution_time.supervisor, airflow.sdk.execution_time.task_runner"
)
AIRFLOW_PRELOADED = f"import {PRELOADED}; from airflow.__main__ import main; main()"
"""A program that is Airflow's command line, with these imported."""
ANSWERS_WITHIN = 3.0
"""Seconds."""


def assert_complete(settings: Settings, *, has_drop_folders: bool = False) -> None:
    """Raises Refused naming every variable that a worker here lacks. ``has_drop_folders``: some feed reads one."""
    needed = {
        "MINHU_DATABASE_URL": (settings.database_url, "the warehouse, as minhu_work"),
        "MINHU_BROKER_URL": (settings.broker_url, "the broker of the scheduler"),
        "MINHU_LANDING": (settings.landing_zone, "the landing zone that all homes share"),
        EXECUTION_API: (os.environ.get(EXECUTION_API), "the API server, http://MACHINE:PORT/execution/"),
    }
    if has_drop_folders:
        needed["MINHU_DROP"] = (os.environ.get("MINHU_DROP"), "the drop folder that all homes share")
    missing = [f"{name} ({what})" for name, (value, what) in needed.items() if not value]
    if missing:
        raise Refused(f"a worker has no defaults for what all homes share: set {', '.join(missing)}")
    if has_drop_folders and not os.access(settings.drop, os.R_OK | os.X_OK):
        raise Refused(f"the drop folder {settings.drop} cannot be read here: every delivery would be missing")


def work(settings: Settings) -> None:
    """Becomes a worker that runs tasks until it is asked to end; then it ends those that it has. Does not return.

    Airflow itself refuses a second worker of one name, and so of one home.
    """
    home = WorkerHome(settings)
    for folder in (home.folder, home.logs):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.write()
    logs = [] if home.serves_logs else ["--skip-serve-logs"]
    os.chdir(home.folder)
    command = [sys.executable, "-c", AIRFLOW_PRELOADED, "celery", "worker", "--celery-hostname", home.name, *logs]
    os.execve(sys.executable, command, home.env())  # noqa: S606 - it takes this one's place, and its signals


def answering(
    settings: Settings, only: Iterable[str] = (), *, within: float = ANSWERS_WITHIN, enough: int | None = None
) -> list[str]:
    """The workers that answer through the broker within so many seconds, by name; ``only``: of these.

    Nobody is waited for once ``only``, or ``enough``, have answered. Raises Retryable where the broker is away.
    """
    from celery import Celery  # here: only who has a broker needs it

    wanted, url = [f"celery@{name}" for name in only], settings.broker_url or ""
    with foreign.told("broker", where=urlsplit(url).netloc.rpartition("@")[2]):
        app = Celery(broker=url, set_as_current=False)
        with app.connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=ANSWERS_WITHIN)
        replies = app.control.ping(destination=wanted or None, timeout=within, limit=len(wanted) or enough)
    return sorted(node.partition("@")[2] for reply in replies for node in reply)


def name_of(settings: Settings) -> str:
    return WorkerHome(settings).name


def make_results(settings: Settings) -> None:
    """Makes the two tables of Celery's results in Airflow's database; the login of the tasks may use these alone.

    Of Airflow's other tables, among them its users and connections, a worker's login reads none.
    """
    from celery.backends.database.models import ResultModelBase
    from sqlalchemy import create_engine, make_url

    url = database.url(settings, "airflow")
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    ResultModelBase.metadata.create_all(engine)
    engine.dispose()
    logins = [roles.WORK, *([make_url(settings.work_url).username or ""] if settings.work_url else [])]
    with foreign.told("connect", what="Airflow's metadata database"), psycopg.connect(url) as connection:
        for login in set(logins) - {connection.info.user}:
            if connection.execute("select 1 from pg_roles where rolname = %s", [login]).fetchone():
                for granted in _GRANTS:
                    place = {"login": sql.Identifier(login), "database": sql.Identifier(connection.info.dbname)}
                    connection.execute(sql.SQL(granted).format(**place))


_GRANTS = (
    "grant connect on database {database} to {login}",
    "grant select, insert, update, delete on celery_taskmeta, celery_tasksetmeta to {login}",
    "grant usage on sequence task_id_sequence, taskset_id_sequence to {login}",
)

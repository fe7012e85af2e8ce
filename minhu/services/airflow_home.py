"""The local Airflow's home: its settings, its secrets, the environment its processes run in.

Everything is written again at every start, from ``Settings``, the secrets and a port; to change an option for good,
set Airflow's own variable (``AIRFLOW__SECTION__OPTION``), which is stronger than the file. Without a broker tasks run
beside the scheduler (LocalExecutor), with one on workers (CeleryExecutor, `minhu.services.workers`). A city that runs
Airflow on Kubernetes brings its own Airflow configuration and only points it at ``dags/``.
"""

import base64
import hashlib
import os
import socket
import sys
import zlib
from configparser import RawConfigParser
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

from minhu import database
from minhu.database import roles
from minhu.errors import Retryable
from minhu.services import celery
from minhu.settings import PROJECT_ROOT, Settings

HOST = "127.0.0.1"
SLOTS = 8
"""Tasks at once of one machine: of the scheduler's, or of each worker."""
AUTH_MANAGER = "minhu.airflow_users.manager.Manager"
SESSION = 8 * 3600
"""Seconds until somebody who has signed in is asked again."""
RUNS_CODE_OF_OTHERS = ("scheduler", "dag-processor", "triggerer", "worker")
LOG_KEY = "airflow-api"
"""The secret under which the API server asks a worker for logs."""
API_KEY = "AIRFLOW__API__SECRET_KEY"
EXECUTION_API = "AIRFLOW__CORE__EXECUTION_API_SERVER_URL"
# The supervisor of a task may miss its end and then sleeps for this long (5 s by default) before it looks again:
# measured, for a third of all tasks. Whole seconds only.
OF_TASKS: dict[str, object] = {"min_heartbeat_interval": 1, "execution_api_timeout": 30}
CHATTY = (
    "http.access",
    "airflow.api_fastapi.execution_api",
    "airflow.models.dag",
    "airflow.serialization.definitions.dag",
)
DAGS = PROJECT_ROOT / "dags"
ONLY_WITH = {"scale.py": "spark_master"}
"""Files that hold a DAG only where a setting says so."""


@dataclass(frozen=True)
class AirflowHome:
    """Files of the local Airflow of one installation."""

    settings: Settings
    dags: Path = DAGS

    @property
    def dag_files(self) -> set[str]:
        """The names of the files that hold a DAG under these settings."""
        absent = {name for name, needed in ONLY_WITH.items() if not getattr(self.settings, needed)}
        return {path.name for path in self.dags.glob("*.py")} - absent

    @property
    def folder(self) -> Path:
        return self.settings.home / "airflow"

    @property
    def logs(self) -> Path:
        return self.settings.logs / "airflow"

    @property
    def task_logs(self) -> Path:
        return self.logs / "tasks"

    @property
    def signs_with(self) -> str:
        """What tokens of the API are signed with."""
        return os.environ.get("AIRFLOW__API_AUTH__JWT_SECRET") or self.settings.secret("airflow-jwt")

    @property
    def port(self) -> int | None:
        """The port of the API server, as chosen at the last start."""
        file = self.folder / "port"
        return int(file.read_text()) if file.exists() else None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def choose_port(self) -> int:
        """The remembered port if it is free, else one that depends on the folder, so that two homes differ."""
        return self._choose("port", self.port, 0)

    @property
    def portal_port(self) -> int | None:
        """The port of the portal, where this home has one."""
        file = self.folder / "portal-port"
        return int(file.read_text()) if file.exists() else None

    def choose_portal_port(self) -> int:
        return self._choose("portal-port", self.portal_port, 100)

    def _choose(self, name: str, remembered: int | None, apart: int) -> int:
        # Below the ports that a kernel hands out by itself.
        first = 20000 + zlib.crc32(str(self.folder).encode()) % 10000 + apart
        for port in (*filter(None, [remembered]), *range(first, first + 100)):
            if _is_free(port):
                _write(self.folder / name, str(port))
                return port
        raise Retryable(f"no free port between {first} and {first + 99} of this machine")

    def write(self) -> bool:
        """Writes the settings, readable by their owner alone; whether anything has changed."""
        parser, text = RawConfigParser(), StringIO()
        parser.read_dict(_escaped(self._options()))
        parser.write(text)
        note = f"# Written by `minhu up`; Airflow's own variables AIRFLOW__... are stronger. {self._environment()}\n"
        (self.folder / "passwords.json").unlink(missing_ok=True)  # of the one user that there was before
        return _write(self.folder / "airflow.cfg", note + text.getvalue())

    def is_ours(self) -> bool:
        """Whether `up` was called as we are: by another environment, and so perhaps login, nothing is started again."""
        try:
            return self._environment() in (self.folder / "airflow.cfg").read_text(encoding="utf-8").partition("\n")[0]
        except OSError:
            return False

    def _environment(self) -> str:
        installed = sorted(pair for pair in self.env().items() if pair[0].startswith("MINHU"))
        return f"Environment: {hashlib.sha256(repr((sys.executable, installed)).encode()).hexdigest()}"

    def env(self, process: str = "") -> dict[str, str]:
        """What its processes need to find this installation, and what keeps them from calling anyone else.

        ``process``: whose it is. Who runs tasks, or reads DAG files, is not given the secret of the sign-on.
        """
        here = {
            "AIRFLOW_HOME": str(self.folder),
            "MINHU_HOME": str(self.settings.home),
            "MINHU_CONFIG": str(self.settings.config),
            "MINHU_DROP": str(self.settings.drop),
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
            "PYTHONUNBUFFERED": "1",
            "DO_NOT_TRACK": "1",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "GX_ANALYTICS_ENABLED": "false",
        }
        if self.settings.database_url:  # tasks load, build and score: they need not hold the owner's password
            here["MINHU_DATABASE_URL"] = self.settings.work_url or self.settings.database_url
        else:
            here["MINHU_LOGIN"] = roles.WORK
        for name in ("NO_PROXY", "no_proxy"):  # tasks reach the API server over the loopback, never through a proxy
            here[name] = ",".join(filter(None, [os.environ.get(name), HOST, "localhost"]))
        held_back = ["MINHU_DATABASE_URL", "MINHU_WORK_URL", "MINHU_AIRFLOW_URL", "MINHU_BROKER_URL", "MINHU_LOGIN"]
        held_back += ["MINHU_READ_URL"]  # tasks and pages read where they write
        held_back += ["MINHU_OIDC_SECRET"] if process in RUNS_CODE_OF_OTHERS else []
        outside = {name: value for name, value in os.environ.items() if name not in held_back}
        return outside | here

    def _options(self) -> dict[str, dict[str, object]]:
        options: dict[str, dict[str, object]] = {
            "core": {
                "dags_folder": self.dags,
                "plugins_folder": self.folder / "plugins",
                "executor": "CeleryExecutor" if self.settings.broker_url else "LocalExecutor",
                "parallelism": celery.AT_ONCE if self.settings.broker_url else SLOTS,
                "load_examples": False,
                "dags_are_paused_at_creation": False,
                "default_timezone": self.settings.timezone,
                "hostname_callable": "socket.gethostname",  # the default asks the name server
                "fernet_key": base64.urlsafe_b64encode(bytes.fromhex(self.settings.secret("airflow-fernet"))).decode(),
                "auth_manager": AUTH_MANAGER,
                "execution_api_server_url": f"{self.url}/execution/",
            },
            "database": self._database(),
            "logging": self._logging(),
            "api": {
                "host": HOST,
                "port": self.port,
                "base_url": self.url,
                "workers": 1,
                "secret_key": self.settings.secret(LOG_KEY),
                "instance_name": "民呼",
                "dag_cache_size": 0,
            },
            "api_auth": {"jwt_secret": self.settings.secret("airflow-jwt"), "jwt_expiration_time": SESSION},
            "scheduler": {
                # A day's feeds are queued within a loop or two, and a free slot is filled at once. After a loop without
                # anything to do it sleeps a second, as by itself: five a second cost 10 s of a core a minute.
                "max_dagruns_to_create_per_loop": 100,
                "max_dagruns_per_loop_to_schedule": 100,
                "max_tis_per_query": 0,
                "orphaned_tasks_check_interval": 60,
                # A scheduler that was not heard of for so many seconds is taken for dead, by itself too: on a busy
                # machine one round of its loop took longer than the 30 of the default, and it began its own running
                # tasks anew, every minute. Those of a killed one do not wait for this: see `control`.
                "scheduler_health_check_threshold": 180,
                "enable_health_check": False,
            },
            "workers": OF_TASKS,
            "dag_processor": {
                "parsing_processes": 1,
                "min_file_process_interval": 60,
                "print_stats_interval": 0,
                "dag_bundle_storage_path": self.folder / "bundles",  # the default is one folder for all in /tmp
            },
        }
        if self.settings.broker_url:
            options["scheduler"] |= celery.SCHEDULER
            options |= celery.options(self.settings.broker_url, SLOTS)
        return options

    def _logging(self) -> dict[str, object]:
        return {
            "base_log_folder": self.task_logs,
            "dag_processor_child_process_log_directory": self.logs / "dag_processor",
            "colored_console_log": False,
            "file_task_handler_new_folder_permissions": "0o700",
            "file_task_handler_new_file_permissions": "0o600",
            # Each says the same of every request, or of every DAG every minute.
            "namespace_levels": ", ".join(f"{name}=WARNING" for name in CHATTY),
        }

    def _database(self) -> dict[str, object]:
        from sqlalchemy import make_url  # here: `minhu status` has no use for it

        at = make_url(database.url(self.settings, "airflow"))
        # asyncpg reads `ssl` where libpq reads `sslmode`; the values are the same.
        query = {"ssl" if key == "sslmode" else key: value for key, value in at.query.items()}
        sync, awaited = at.set(drivername="postgresql+psycopg2"), at.set(drivername="postgresql+asyncpg", query=query)
        return {
            "sql_alchemy_conn": sync.render_as_string(hide_password=False),
            "sql_alchemy_conn_async": awaited.render_as_string(hide_password=False),
        }


@dataclass(frozen=True)
class WorkerHome(AirflowHome):
    """The same of a worker, which runs tasks and nothing else. It lies beside the other: one home may have both."""

    @property
    def folder(self) -> Path:
        return self.settings.home / "worker"

    @property
    def logs(self) -> Path:
        return self.settings.logs / "worker"

    @property
    def name(self) -> str:
        """How the broker knows it: by the id under which `minhu homes list` has its home."""
        return f"minhu-{self.settings.secret('home-id')[:8]}"

    @property
    def serves_logs(self) -> bool:
        """Whether the API server may ask it for the logs of its tasks: both have the key that signs the question."""
        return API_KEY in os.environ or self._log_key.exists()

    def env(self, process: str = "worker") -> dict[str, str]:
        host = urlsplit(os.environ.get(EXECUTION_API, "")).hostname or ""
        return {
            name: f"{value},{host}" if name.upper() == "NO_PROXY" and host else value
            for name, value in super().env(process).items()
        }

    @property
    def _log_key(self) -> Path:
        return self.settings.home / "secrets" / LOG_KEY

    def _options(self) -> dict[str, dict[str, object]]:
        """No secret of Airflow's but the one that guards logs: a task is let in with a token of its own."""
        options: dict[str, dict[str, object]] = {
            "core": {
                "dags_folder": self.dags,
                "plugins_folder": self.folder / "plugins",
                "executor": "CeleryExecutor",
                "load_examples": False,
                "default_timezone": self.settings.timezone,
                "hostname_callable": "socket.gethostname",
            },
            "database": self._database(),  # of which it may enter Celery's results alone
            "logging": self._logging(),
            "api": {"secret_key": self._log_key.read_text().strip()} if self._log_key.exists() else {},
            "scheduler": {"task_instance_heartbeat_timeout": celery.SCHEDULER["task_instance_heartbeat_timeout"]},
            "workers": OF_TASKS,
            "dag_processor": {"dag_bundle_storage_path": self.folder / "bundles"},
        }
        return options | celery.options(self.settings.broker_url or "", SLOTS)


def _escaped(options: dict[str, dict[str, object]]) -> dict[str, dict[str, str]]:
    return {
        section: {key: str(value).replace("%", "%%") for key, value in of.items()} for section, of in options.items()
    }


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _write(path: Path, text: str) -> bool:
    """Writes a file that only its owner can read, whole or not at all; whether it changed."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
    return True

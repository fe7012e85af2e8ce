"""The installation at work: its services, its Airflow, whom it tells, and what has been done to it so far."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TypeVar

import psycopg

from bench import receivers
from bench.soak.plan import Plan
from minhu import database, services
from minhu.errors import MinhuError, Retryable
from minhu.services.airflow_home import AirflowHome
from minhu.settings import Settings

MAIL, WEB = "值班", "平台"
LOG_DISK = 256 << 20
"""Bytes of the disk of the logs, where it has one of its own."""
FAKETIME = "usr/lib/*-linux-*/faketime/libfaketime.so.1", "usr/lib/faketime/libfaketime.so.1"
POLICY = """\
from datetime import timedelta

def task_policy(task):
    task.retry_delay = task.max_retry_delay = timedelta(seconds={seconds})
"""
Run = tuple[str, str]
"""A DAG and the id of a run."""
T = TypeVar("T")


@dataclass(frozen=True)
class Struck:
    """One fault that was made. ``kinds``: the incidents that it may bring; ``told``: those that it must bring."""

    name: str
    what: str
    seconds: float = 0
    kinds: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    is_well: bool = True


@dataclass
class World:
    settings: Settings
    plan: Plan
    letters: receivers.Letters
    hook: receivers.Hook
    say: Callable[[str], None]
    log_disk: bool
    """Whether the logs have a disk of their own."""
    began: float = field(default_factory=time.monotonic)
    struck: list[Struck] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    later: list[tuple[Callable[[], bool], Callable[[], None]]] = field(default_factory=list)
    """What is done once something holds, whatever is waited for meanwhile."""
    runs: dict[Run, tuple[date, str]] = field(default_factory=dict)
    """Each run that was triggered: for which date, and its state when last seen."""

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.began

    @property
    def left(self) -> float:
        return self.plan.minutes * 60 - self.elapsed

    def tell(self, text: str) -> None:
        minutes, seconds = divmod(int(self.elapsed), 60)
        self.say(f"{minutes:3}:{seconds:02}  {text}")

    def trigger(self, dag_id: str, day: date) -> Run:
        conf = {"business_date": day.isoformat()}
        run = dag_id, self.patiently(lambda: services.trigger(self.settings, dag_id, conf))
        self.runs[run] = day, "queued"
        return run

    def look_at(self, runs: Iterable[Run]) -> dict[Run, str]:
        """The state of each, as Airflow tells it; what it cannot tell just now is as it was."""
        wanted = [run for run in runs if self.runs[run][1] not in ("success", "failed")]
        with suppress(MinhuError):
            for at in range(0, len(wanted), 60):
                for run, state in services.airflow(self.settings).states(wanted[at : at + 60]).items():
                    self.runs[run] = self.runs[run][0], state
        return {run: self.runs[run][1] for run in runs}

    def patiently(self, ask: Callable[[], T], seconds: float = 90) -> T:
        """Asks until it answers: a service or the database may just come back."""
        ends = time.monotonic() + seconds
        while True:
            try:
                return ask()
            except (Retryable, psycopg.OperationalError):
                if time.monotonic() > ends:
                    raise
                time.sleep(0.5)

    def rows(self, query: str, *parameters: object) -> list[tuple]:
        def ask() -> list[tuple]:
            with database.connect(self.settings) as connection:
                return connection.execute(query.encode(), parameters or None).fetchall()

        return self.patiently(ask)

    def until(self, holds: Callable[[], object], seconds: float, every: float = 1.0) -> bool:
        ends = time.monotonic() + min(seconds, max(self.left, 5))
        while not holds():
            if time.monotonic() > ends:
                return False
            self.attend()
            time.sleep(every)
        return True

    def attend(self) -> None:
        """Does what was put off and may be done by now."""
        if self.later and self.plan.is_short:
            self.look_for_faults()
        for one in [one for one in self.later if one[0]()]:
            self.later.remove(one)
            one[1]()

    def look_for_faults(self, more: dict[str, str] | None = None) -> None:
        """As the keeper does by the minute, in another process that may look at the same time."""
        code = "from minhu.watch.keeper import once; from minhu.settings import Settings; once(Settings.from_env())"
        env = AirflowHome(self.settings).env() | (more or {})
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            self.tell(f"faults were not looked for: {(done.stderr.strip() or 'killed').splitlines()[-1][:150]}")

    def is_told(self, kind: str, feed: str | None = None) -> bool:
        """Whether the web server has heard of an incident of this kind."""
        told = [one for body in list(self.hook.taken.values()) for one in body.get("incidents", ())]
        return any(one["kind"] == kind and feed in (None, one["feed_code"]) for one in told)

    def until_told(self, kind: str, more: dict[str, str] | None = None) -> bool:
        """Waits until the web server has heard of one; a short soak has it looked for, as `look_for_faults` does."""

        def is_told() -> bool:
            if self.plan.is_short and not self.is_told(kind):
                self.look_for_faults(more)
            return self.is_told(kind)

        return self.until(is_told, 240)


@contextmanager
def environment(more: dict[str, str]) -> Iterator[None]:
    """What services inherit that are started from here."""
    before = dict(os.environ)
    os.environ.update(more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def log_disk(settings: Settings) -> Iterator[bool]:
    """Gives the logs a small disk of their own where we may; whether."""
    settings.logs.mkdir(mode=0o700, exist_ok=True)
    size = f"size={LOG_DISK},mode=700"
    mount = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(settings.logs)]
    may = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield may
    finally:
        if may:  # what was logged stays with the home
            kept = shutil.copytree(settings.logs, settings.home / "logs.kept", symlinks=True)
            subprocess.run(["umount", "--lazy", str(settings.logs)], capture_output=True, check=False)
            settings.logs.rmdir()
            kept.rename(settings.logs)


def ahead(seconds: int) -> dict[str, str] | None:
    """The variables under which a process takes it to be so much later; null without libfaketime.

    A clock cannot be stepped under a process that runs: without its monotonic clock libfaketime lets nobody sleep.
    """
    found = [library for pattern in FAKETIME for library in Path("/").glob(pattern)]
    return {"LD_PRELOAD": str(found[0]), "FAKETIME": f"+{seconds}s", "FAKETIME_DISABLE_SHM": "1"} if found else None


@contextmanager
def shared(settings: Settings, plan: Plan, say: Callable[[str], None]) -> Iterator[tuple[World, str]]:
    """What stands before the services do, receivers and the disk of the logs; and the address of the source that never
    answers."""
    with ExitStack() as stack:
        letters = stack.enter_context(receivers.mail())
        hook, _ = stack.enter_context(receivers.web())
        disk = stack.enter_context(log_disk(settings))
        yield World(settings, plan, letters, hook, say, disk), hook.url


def shorten_retries(settings: Settings, seconds: int) -> None:
    folder = settings.home / "airflow" / "config"
    folder.mkdir(parents=True)
    (folder / "airflow_local_settings.py").write_text(POLICY.format(seconds=seconds))


def now(settings: Settings) -> datetime:
    return datetime.now(UTC).astimezone(settings.zone)

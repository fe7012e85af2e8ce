"""Programs that stay in the background: started, found again and stopped by any later command.

Each has a file ``<name>.pid``. The program and every process it forks hold that file locked, and so the lock tells
whether one lives: a pid alone cannot, it is reused after a restart. The number in the file is the session that they
all belong to; process groups would not do, since every Airflow task makes one of its own. While a member of a session
lives its number is given to nobody else.
"""

import fcntl
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

LOG_LIMIT = 20 << 20
# The program writes its own number before it is one; what it writes later is its owner's alone.
START = 'umask 077 && cd "$1" && echo $$ > "$2" && shift 2 && exec "$@"'


@dataclass(frozen=True)
class Daemon:
    """One background program of one installation."""

    name: str
    folder: Path
    """Where its pid file lies and where it runs."""
    log: Path
    patience: float = 10
    """Seconds that it has to end by itself."""

    @property
    def pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    @property
    def session(self) -> int | None:
        with suppress(FileNotFoundError, ValueError):
            return int(self.pid_file.read_text())
        return None

    @property
    def started_at(self) -> datetime:
        return datetime.fromtimestamp(self.pid_file.stat().st_mtime, UTC)

    @property
    def is_alive(self) -> bool:
        """Whether any process of it lives, the orphans of a killed one included."""
        try:
            with open(self.pid_file) as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    @property
    def is_well(self) -> bool:
        """Whether its first process lives: the one that the others need."""
        session = self.session if self.is_alive else None
        with suppress(psutil.Error, ProcessLookupError, PermissionError):
            return bool(
                session and os.getsid(session) == session and psutil.Process(session).status() != psutil.STATUS_ZOMBIE
            )
        return False

    def processes(self) -> list[psutil.Process]:
        """The living processes of its session. Empty unless the lock says that the session is still ours."""
        session, found = self.session if self.is_alive else None, []
        for process in psutil.process_iter() if session else ():
            with suppress(psutil.Error, ProcessLookupError, PermissionError):
                if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def start(self, command: list[str], env: dict[str, str]) -> None:
        """Starts it in a session of its own, so that nothing that ends its parent ends it."""
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_name(f"{self.log.name}.1"))
        with open(self.pid_file, "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            lock.truncate(0)
            os.set_inheritable(lock.fileno(), True)
            pid = os.posix_spawn(
                "/bin/sh",
                ["sh", "-c", START, "sh", str(self.folder), str(self.pid_file), *command],
                env,
                setsid=True,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, str(self.log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                ],
            )
            while self.session != pid and os.waitpid(pid, os.WNOHANG) == (0, 0):
                time.sleep(0.005)


def hold_alone() -> None:
    """For a daemon that starts others: they do not inherit its lock, which would tell of it when it is dead."""
    for descriptor in map(int, os.listdir("/dev/fd")):
        with suppress(OSError):
            if descriptor > 2:
                os.set_inheritable(descriptor, False)


def stop(daemons: Iterable[Daemon], *, at_once: bool = False) -> list[str]:
    """Asks them to end, all at the same time, and when their patience is over makes them; returns which ran."""
    running = [daemon for daemon in daemons if daemon.is_alive]
    for daemon in running:
        if daemon.is_well and daemon.session and not at_once:
            with suppress(ProcessLookupError):
                os.kill(daemon.session, signal.SIGTERM)
    asked_at = time.monotonic()
    for daemon in sorted(running, key=lambda daemon: daemon.patience):
        while daemon.is_well and not at_once and time.monotonic() < asked_at + daemon.patience:
            time.sleep(0.05)
        while processes := daemon.processes():  # until a look finds none: one may have forked since the last
            for process in processes:
                with suppress(psutil.Error):
                    process.kill()
            time.sleep(0.02)
        if session := daemon.session:
            with suppress(ChildProcessError):
                os.waitpid(session, os.WNOHANG)  # where we are its parent ourselves
    return [daemon.name for daemon in running]

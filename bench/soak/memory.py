"""What each service and the tasks need while the days go by: memory of their own, and seconds of a core."""

import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench import running
from minhu.database import embedded
from minhu.settings import Settings

EVERY = 3.0
"""Seconds."""
LIMITS_MB = {"PostgreSQL": 4000, "tasks": 6000}
LIMIT_MB = 1500
GROWTH_MB = 100
"""So much a service may hold more at the end than half-way, beside a quarter of what it held then."""
SETTLED = 200
"""Samples of one life, ten minutes: what a service takes up before is no growth, its forks come one by one."""


@dataclass(frozen=True)
class Need:
    """Of one service over the run, in MB. ``per_hour``: the slope of its longest life; null where that was short."""

    service: str
    peak: float
    half_way: float
    end: float
    per_hour: float | None
    is_settled: bool

    @property
    def is_bounded(self) -> bool:
        """Tasks come and go: of them the peak alone tells anything."""
        grown = 0 if self.service == "tasks" or not self.is_settled else self.end - self.half_way
        return self.peak <= LIMITS_MB.get(self.service, LIMIT_MB) and grown <= GROWTH_MB + self.half_way / 4


@dataclass
class Sampler:
    """``samples``: of each service (moment, first process, MB)."""

    settings: Settings
    samples: dict[str, list[tuple[float, int, float]]] = field(default_factory=lambda: defaultdict(list))
    cpu: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Seconds of a core that each service spent, tasks among the scheduler's; a killed one's last are lost."""
    _spent: dict[str, float] = field(default_factory=dict)
    _ends: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        sessions = {one.session: one.name for one in running.daemons_of(self.settings) if one.session}
        server = embedded.status(self.settings).pid
        found: dict[str, float] = defaultdict(float)
        spent: dict[str, float] = defaultdict(float)
        for session, process in running.by_session():
            name = sessions.get(session) or ("PostgreSQL" if server and _is_of(process, server) else None)
            if name:
                found["tasks" if running.is_task(process) else name] += anonymous_mb(process.pid)
                spent[name] += _seconds(process)
        firsts = {name: pid for pid, name in sessions.items()} | {"PostgreSQL": server or 0}
        for name, seconds in spent.items():
            self.cpu[name] += max(seconds - self._spent.get(name, 0.0), 0.0)
        self._spent = dict(spent)
        for name, size in found.items():
            self.samples[name].append((time.monotonic(), firsts.get(name, 0), size))

    def needs(self) -> list[Need]:
        return [need(name, samples) for name, samples in sorted(self.samples.items())]

    def _for_ever(self) -> None:
        while not self._ends.wait(EVERY):
            with suppress(psutil.Error, OSError):
                self.look()


@contextmanager
def sampled(settings: Settings) -> Iterator[Sampler]:
    sampler = Sampler(settings)
    thread = threading.Thread(target=sampler._for_ever, daemon=True)
    thread.start()
    try:
        yield sampler
    finally:
        sampler._ends.set()
        thread.join()


def anonymous_mb(pid: int) -> float:
    """Memory of its own and its part of what it shares with forks; 0 of one that has ended meanwhile."""
    with suppress(OSError, ValueError, IndexError):
        told = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return int(told.partition("Pss_Anon:")[2].split()[0]) / 1024
    return 0.0


def need(service: str, samples: list[tuple[float, int, float]]) -> Need:
    sizes = [size for _, _, size in samples]
    quarter = max(len(sizes) // 4, 1)
    half_way, end = sizes[quarter : 2 * quarter] or sizes, sizes[-quarter:]
    lives: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for at, first, size in samples:
        lives[first].append((at, size))
    longest = max(lives.values(), key=len)
    is_settled = len(longest) >= SETTLED
    return Need(service, max(sizes), statistics.median(half_way), statistics.median(end), _slope(longest), is_settled)


def _slope(life: list[tuple[float, float]]) -> float | None:
    settled = life[len(life) // 4 :]  # what it imports first is no growth
    if len(settled) < 20:
        return None
    return statistics.linear_regression([at for at, _ in settled], [size for _, size in settled]).slope * 3600


def _seconds(process: psutil.Process) -> float:
    """What it spent of a core, and what those of its children did that have ended."""
    with suppress(psutil.Error):
        return sum(process.cpu_times()[:4])
    return 0.0


def _is_of(process: psutil.Process, server: int) -> bool:
    with suppress(psutil.Error):
        return process.pid == server or process.ppid() == server
    return False

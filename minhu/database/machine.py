"""What there is for a server to use: cores, memory and disk, by the tightest of hardware and control groups.

Linux bounds a container, or a service, by control groups: in version 2 by ``memory.max`` and ``cpu.max`` of its group,
in version 1 by ``memory.limit_in_bytes`` and ``cpu.cfs_quota_us``; machines between the two have both. The group of a
process is told by ``/proc/PID/cgroup``. A group within another has no more than that, so each one above counts too.
Inside a container the path that is told may be the host's, which is not to be seen there: then the mount itself is it.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

MB = 2**20


@dataclass(frozen=True)
class Machine:
    """``disk_mb``: all of the disk that the database lies on; None where nobody looked. ``bound_by``: what is less than
    the hardware has, and by what."""

    cores: int
    memory_mb: int
    disk_mb: int | None = None
    bound_by: tuple[str, ...] = ()


def look(place: Path, process: int | None = None) -> Machine:
    """What a process, ourselves unless given, has here, and a database in ``place``."""
    cores, memory = os.cpu_count() or 1, psutil.virtual_memory().total // MB
    allowed, quota, limit, promised = _allowed(cores), *limits(process=process), _promised_mb()
    bounds = {
        "cores: affinity": allowed < cores,
        "cores: cgroup": quota is not None and quota < allowed,
        "memory: cgroup": limit is not None and limit < memory,
        "memory: vm.overcommit_memory=2": promised is not None and promised < min(memory, limit or memory),
    }
    return Machine(
        cores=max(1, int(min(allowed, quota or allowed))),
        memory_mb=min(memory, limit or memory, promised or memory),
        disk_mb=shutil.disk_usage(place).total // MB,
        bound_by=tuple(told for told, is_so in bounds.items() if is_so),
    )


def _allowed(cores: int) -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores


def _promised_mb() -> int | None:
    """What the kernel promises to all processes, where it promises no more than it has."""
    try:
        if Path("/proc/sys/vm/overcommit_memory").read_text().strip() != "2":
            return None
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("CommitLimit:"))
    except (OSError, StopIteration):
        return None


def limits(root: Path = Path("/"), process: int | None = None) -> tuple[float | None, int | None]:
    """Cores and MB of memory that the control groups of a process leave it; None where they bound nothing."""
    cores, memory = [], []
    for folder in _groups(root, process):
        if quota := _quota(folder):
            cores.append(quota)
        memory += [
            limit // MB for name in ("memory.max", "memory.limit_in_bytes") for limit in _numbers(folder / name)[:1]
        ]
    return min(cores, default=None), min(memory, default=None)


def _quota(folder: Path) -> float | None:
    told = _numbers(folder / "cpu.max") or [
        number for part in ("quota", "period") for number in _numbers(folder / f"cpu.cfs_{part}_us")
    ]
    return told[0] / told[1] if len(told) == 2 and min(told) > 0 else None


def _numbers(file: Path) -> list[int]:
    """The numbers in a file of a control group; none where there is no file, or its first word is ``max``."""
    try:
        return [int(word) for word in file.read_text().split()]
    except (OSError, ValueError):
        return []


def _groups(root: Path, process: int | None) -> Iterator[Path]:
    """The folders that bound a process, from its own group up."""
    told: list[str] = []
    with suppress(OSError):
        told = (root / "proc" / str(process or "self") / "cgroup").read_text().splitlines()
    mounts = root / "sys" / "fs" / "cgroup"
    for line in told:
        _, controllers, path = line.split(":", 2)
        named = [controllers, *controllers.split(",")] if controllers else [".", "unified"]
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for name in dict.fromkeys(named):
            if (mounts / name).is_dir():
                yield from (mounts.joinpath(name, *parts[:depth]) for depth in range(len(parts), -1, -1))

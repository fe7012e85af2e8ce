"""What PostgreSQL and dbt are set to on a machine, and why: by its cores, its memory and what else needs that.

Nothing here looks at a machine or a server: `minhu.database.machine` does, `minhu.database.embedded` writes the
settings at each start, `minhu.database.tuned` compares. ``MINHU_TUNE`` says otherwise, a word for each:
``MINHU_TUNE="shared_buffers=512MB threads=2"``; ``cores=`` and ``memory=`` stand for what the machine would have.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from minhu.database.machine import Machine
from minhu.errors import Refused

HOUSE_MB = 1225
"""Processes of Airflow and ours with nothing to do, 1,035 MB, and the portal, 190 MB (bench/README.md)."""
WORK_MB = 1000
"""A build and a gate at work."""
SYSTEM_MB = 512
"""The system, and what people have open."""

FEWEST_MB = 128
"""Pages that PostgreSQL would take by itself."""
MOST_MB = 8192
"""Each table that a build drops has the server look through the heads of all pages, touched or not: 7 ms with 512 MB,
10 with 5 GB, 14 with 16 GB; the heads are 1.8 % more. Beyond this the system's cache serves as well."""
MOST_WORK_MB = 64
"""Builds gain nothing from more: 4, 64 and 256 MB differed by 6 %."""
LEAST_WORK_MB = 4
MOST_THREADS = 16
"""More models than that never are ready at once."""


@dataclass(frozen=True)
class Setting:
    """``value`` as PostgreSQL shows it. ``is_own``: ``MINHU_TUNE`` says so."""

    name: str
    value: str
    why_zh: str
    why_en: str
    is_own: bool = False


def taken_mb(is_alone: bool) -> int:
    """What is not the server's: on a machine of its own the system's share alone."""
    return SYSTEM_MB if is_alone else HOUSE_MB + WORK_MB + SYSTEM_MB


def usable_mb(memory_mb: int, taken: int) -> int:
    """What the server may reckon with; a quarter of the memory where the house needs more than there is."""
    return max(memory_mb - taken, memory_mb // 4)


def reckon(machine: Machine, *, is_alone: bool = False, told: Mapping[str, str] | None = None) -> tuple[Setting, ...]:
    """Every setting for a machine. ``told``: what `read` made of ``MINHU_TUNE``."""
    told = told or {}
    machine = as_told(machine, told)
    reckoned = (*_memory(machine, taken_mb(is_alone)), *_parallel(machine.cores), *_log(machine), _threads(machine))
    return tuple(
        replace(one, value=told[one.name], is_own=True, why_zh="MINHU_TUNE 指定", why_en="MINHU_TUNE says so")
        if one.name in told
        else one
        for one in reckoned
    )


def as_told(machine: Machine, told: Mapping[str, str]) -> Machine:
    """The machine with the cores and the memory that ``MINHU_TUNE`` gives it."""
    if "cores" in told:
        machine = replace(machine, cores=int(told["cores"]), bound_by=(*machine.bound_by, "cores: told"))
    if "memory" in told:
        machine = replace(machine, memory_mb=in_mb(told["memory"]), bound_by=(*machine.bound_by, "memory: told"))
    return machine


def _memory(machine: Machine, taken: int) -> tuple[Setting, ...]:
    usable = usable_mb(machine.memory_mb, taken)
    shared = min(MOST_MB, max(FEWEST_MB, usable // 4 // 16 * 16))
    left = max(0, usable - shared)
    at_once = _threads_of(machine.cores) + machine.cores
    work = min(MOST_WORK_MB, max(LEAST_WORK_MB, left // 2 // (4 * at_once) // 4 * 4))
    maintenance = min(1024, max(64, usable // 20 // 16 * 16))
    of_zh = f"{machine.memory_mb} MB 减去其他进程与系统的 {taken} MB，余 {usable} MB"
    of_en = f"of {machine.memory_mb} MB others and the system need {taken}, {usable} are left"
    most_zh, most_en = f"{FEWEST_MB} 至 {MOST_MB} MB", f"{FEWEST_MB} to {MOST_MB} MB"
    return (
        Setting("shared_buffers", shown(shared), f"{of_zh}，取 25 %，{most_zh}", f"{of_en}: 25 % of them, {most_en}"),
        Setting(
            "effective_cache_size",
            shown(max(FEWEST_MB, usable * 3 // 4)),
            "上述余量的 75 %：规划器据此估计缓存，不占内存",
            "75 % of the same: what the planner takes to be cached, it takes no memory",
        ),
        Setting(
            "work_mem",
            shown(work),
            f"缓存以外的一半，由 {at_once} 个进程各分四份；{LEAST_WORK_MB} 至 {MOST_WORK_MB} MB，再多实测无益",
            f"half of what the pages leave, for {at_once} processes four times each; {LEAST_WORK_MB} to {MOST_WORK_MB}"
            " MB, more bought nothing",
        ),
        Setting(
            "maintenance_work_mem",
            shown(maintenance),
            "上述余量的二十分之一，64 至 1024 MB：建索引、清理",
            "a twentieth of the same, 64 to 1024 MB: indexes and vacuum",
        ),
    )


def _parallel(cores: int) -> tuple[Setting, ...]:
    gather = min(4, cores // 2)
    half_zh, half_en = (
        "核数的一半，至多 4：构建本身已有多个模型并行",
        "half of the cores, 4 at most: models run side by side",
    )
    return (
        Setting(
            "max_worker_processes",
            str(max(8, cores + 4)),
            "核数加 4，至少 8；备库不得少于主库",
            "cores and 4, at least 8; a standby must not have fewer",
        ),
        Setting("max_parallel_workers", str(cores), "每核一个", "one for each core"),
        Setting("max_parallel_workers_per_gather", str(gather), half_zh, half_en),
        Setting("max_parallel_maintenance_workers", str(gather), half_zh, half_en),
    )


def _log(machine: Machine) -> tuple[Setting, ...]:
    by_cores = 4096 * min(4, max(1, machine.cores // 4))
    most = by_cores if machine.disk_mb is None else max(1024, min(by_cores, machine.disk_mb // 16 // 1024 * 1024))
    return (
        Setting(
            "max_wal_size",
            shown(most),
            "每 4 核 4 GB，至多 16 GB，且不超过磁盘的十六分之一：两次检查点之间的日志",
            "4 GB for every 4 cores, 16 GB at most, no more than a sixteenth of the disk: log between checkpoints",
        ),
        Setting(
            "min_wal_size", shown(most // 4), "其四分之一：留着重用的日志", "a quarter of it: log files kept for use"
        ),
    )


def _threads_of(cores: int) -> int:
    return min(MOST_THREADS, max(2, 2 * cores))


def _threads(machine: Machine) -> Setting:
    return Setting(
        "threads",
        str(_threads_of(machine.cores)),
        f"dbt 同时构建的模型：每核两个，2 至 {MOST_THREADS}：一个等磁盘时另一个计算",
        f"models that dbt builds at once: two for each core, 2 to {MOST_THREADS}: one reckons while another waits",
    )


# How settings are written

_SIZES = (
    "shared_buffers", "effective_cache_size", "work_mem", "maintenance_work_mem", "max_wal_size", "min_wal_size",
    "memory",
)  # fmt: skip
_NUMBERS = (
    "max_worker_processes", "max_parallel_workers", "max_parallel_workers_per_gather",
    "max_parallel_maintenance_workers", "threads", "cores",
)  # fmt: skip
_FEWEST = {"threads": 1, "cores": 1}


def read(text: str) -> dict[str, str]:
    """What ``MINHU_TUNE`` says, by name; sizes as PostgreSQL shows them. Raises Refused, naming the word."""
    told: dict[str, str] = {}
    for word in text.split():
        name, _, value = word.partition("=")
        if name not in (*_SIZES, *_NUMBERS):
            near = next(iter(difflib.get_close_matches(name, (*_SIZES, *_NUMBERS))), None)
            raise Refused(
                f"MINHU_TUNE: {name} is none of {', '.join((*_SIZES, *_NUMBERS))}" + (f"; {near}?" if near else "")
            )
        if name in told:
            raise Refused(f"MINHU_TUNE: {name} is given twice")
        if name in _SIZES:
            told[name] = shown(in_mb(value, name))
        elif not value.isdecimal() or not _FEWEST.get(name, 0) <= int(value) <= 1024:
            raise Refused(f"MINHU_TUNE: {name}={value}: a number from {_FEWEST.get(name, 0)} to 1024")
        else:
            told[name] = str(int(value))
    return told


def in_mb(text: str, name: str = "memory") -> int:
    """The MB of a size such as ``512MB`` or ``16GB``."""
    found = re.fullmatch(r"([1-9]\d{0,6})(MB|GB)", text)
    if not found:
        raise Refused(f"{name}={text}: a size is a whole number with MB or GB, such as 512MB")
    return int(found[1]) * (1024 if found[2] == "GB" else 1)


def shown(mb: int) -> str:
    """A size as PostgreSQL shows it."""
    for unit, times in (("TB", 2**20), ("GB", 2**10)):
        if mb and mb % times == 0:
            return f"{mb // times}{unit}"
    return f"{mb}MB"


def conf(settings: tuple[Setting, ...]) -> str:
    """Lines of ``postgresql.conf``; what is dbt's is not among them."""
    return "\n".join(f"{one.name} = {one.value}" for one in of_server(settings))


def alter_system(settings: tuple[Setting, ...]) -> str:
    """The same for psql, as a superuser of another server."""
    return "\n".join(f"alter system set {one.name} = '{one.value}';" for one in of_server(settings))


def of_server(settings: tuple[Setting, ...]) -> tuple[Setting, ...]:
    return tuple(one for one in settings if one.name != "threads")

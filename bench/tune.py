"""What the machine gives: a month built, a day behind it built, the month scored, under settings in turn, in one run.

``tune_month_new_vs_old`` and its like: as `minhu tune` reckons it against what was fixed before; ``…_pages``: only the
server's pages differ, the reckoned against 512 MB; ``…_threads``: two of dbt's threads against one; ``…_workers``: two
parallel workers against none. Seconds of the clock are the least of the rounds, for other work only adds to them; those
with ``cpu`` in their name are seconds of a core, of server and command together, the median. ``tune_noise_pct``: how
far the rounds of one and the same settings lie apart by the clock, the middle of all. ``tune_pages_…_mb``: pages of the
server that hold something in the end.

``tune_serial_pct`` is what of a month's build no further core shortens: what stands before and behind the models, and
of the models the longest chain. ``tune_at_N_x``: how many times as quick as with one core a build of the month would be
with N, reckoned: the models' measured seconds, one at a time, laid on N cores as dbt's graph lets them begin. The same
for two cores stands beside the measured one.
"""

import heapq
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, replace

import psutil
import psycopg

from bench import history
from bench.build import _copy
from bench.scratch import minhu, warehouse
from minhu import database
from minhu.database import embedded, roles
from minhu.settings import Settings
from minhu.warehouse import dbt

CASES_PER_DAY, COPIES, ROUNDS = 1_000, 1, 3
PERIOD = f"{history.DAY:%Y-%m}"
OLD = (
    "threads=4 shared_buffers=512MB effective_cache_size=4GB work_mem=64MB maintenance_work_mem=256MB"
    " max_worker_processes=8 max_parallel_workers=8 max_parallel_workers_per_gather=2"
    " max_parallel_maintenance_workers=2 max_wal_size=4GB min_wal_size=80MB"
)
"""What stood fixed until there was `minhu tune`, on two cores with 8 GB or more."""
WORKERS = "max_parallel_workers={0} max_parallel_workers_per_gather={0} max_parallel_maintenance_workers={0}"
WAYS = {
    "old": OLD,
    "new": "",
    "new_512": "shared_buffers=512MB",
    "one": f"threads=1 {WORKERS.format(0)}",
    "two_threads": f"threads=2 {WORKERS.format(0)}",
    "two_workers": f"threads=1 {WORKERS.format(2)}",
}
RATIOS = {
    "new_vs_old": ("new", "old"),
    "pages": ("new", "new_512"),
    "threads": ("two_threads", "one"),
    "workers": ("two_workers", "one"),
}
PARTS = "month", "day", "score"
CORES = 2, 4, 8, 16


@dataclass(frozen=True)
class Lived:
    """One way lived through. ``seconds`` and ``cpu`` by part; ``nodes``: of the month's models and tests, each alone
    where one thread ran them; ``behind``: seconds of the month's build outside of the models. ``pages_mb``: of the
    server's pages those that hold something in the end; no process need have them mapped, so none tells of them."""

    seconds: dict[str, float]
    cpu: dict[str, float]
    nodes: dict[str, float]
    behind: float
    pages_mb: int


def measure(quick: bool) -> dict[str, float]:
    with warehouse() as settings:
        history.load(settings, CASES_PER_DAY // 10 if quick else CASES_PER_DAY)
        history.fill(settings, copies=COPIES)
        graph = _graph(settings)
        rounds = [_round(settings, turn) for turn in range(ROUNDS)]
    return _told(rounds, graph)


def _round(settings: Settings, turn: int) -> dict[str, Lived]:
    """Every way once; the next round begins with another, for who comes first finds other caches."""
    names = list(WAYS)
    return {name: _live(settings, name) for name in names[turn:] + names[:turn]}


def _live(settings: Settings, name: str) -> Lived:
    embedded.stop(settings)
    settings = replace(settings, tune=WAYS[name])
    embedded.start(settings)
    with _copy(settings, settings, "trial") as trial:
        seconds, cpu = {}, {}
        seconds["month"], cpu["month"], told = _timed(settings, trial, "build")
        with database.connect(trial) as connection:
            ran = connection.execute(
                "select node, seconds::float from audit.build_node where build_id = %s", [told["build_id"]]
            )
            nodes: dict[str, float] = dict(ran.fetchall())
        history.accept_day(trial)
        seconds["day"], cpu["day"], _ = _timed(settings, trial, "build")
        seconds["score"], cpu["score"], _ = _timed(settings, trial, "score", PERIOD)
        behind = seconds["month"] - told["steps"]["models"]
        lived = Lived(seconds, cpu, nodes, behind, _pages_mb(settings))
    parts = "  ".join(f"{part} {seconds[part]:6.1f} s {cpu[part]:6.1f} cpu" for part in PARTS)
    print(f"{name:12} {parts}  pages {lived.pages_mb} MB", flush=True)
    return lived


def _timed(settings: Settings, trial: Settings, *command: str) -> tuple[float, float, dict]:
    before = _cpu(settings)
    seconds, told = minhu(trial, *command, "--json")
    return seconds, _cpu(settings) - before, told


def _cpu(settings: Settings) -> float:
    """Seconds of a core of the server, of its sessions that have ended too, and of the commands that we ran."""
    mine = psutil.Process().cpu_times()
    spent = mine.children_user + mine.children_system
    for at, process in enumerate(_server(settings)):
        times = process.cpu_times()
        spent += times.user + times.system + (times.children_user + times.children_system if at == 0 else 0)
    return spent


def _server(settings: Settings) -> list[psutil.Process]:
    server = psutil.Process(embedded.postmaster(settings))
    return [server, *server.children()]


def _pages_mb(settings: Settings) -> int:
    with psycopg.connect(embedded.start(settings).url("postgres", roles.SUPERUSER), autocommit=True) as connection:
        connection.execute("create extension if not exists pg_buffercache")
        return database.one(connection, "select buffers_used / 128 from pg_buffercache_summary()")[0]


def _graph(settings: Settings) -> dict[str, set[str]]:
    """What each model and test waits for, by the names that a build records."""
    read = dbt.manifest(settings, {"build_id": 1, "config_version": 1})
    read.build_parent_and_child_maps()
    return {dbt._name(one): {dbt._name(parent) for parent in parents} for one, parents in read.parent_map.items()}


# What follows from it


def _told(rounds: list[dict[str, Lived]], graph: dict[str, set[str]]) -> dict[str, float]:
    told: dict[str, float] = {}
    for ratio, (one, other) in RATIOS.items():
        for part in PARTS:
            least = {name: min(r[name].seconds[part] for r in rounds) for name in (one, other)}
            told[f"tune_{part}_{ratio}"] = round(least[one] / least[other], 2)
            told[f"tune_{part}_cpu_{ratio}"] = _median(r[one].cpu[part] / r[other].cpu[part] for r in rounds)
    spreads = [
        (max(found) - min(found)) / statistics.median(found)
        for name in WAYS
        for part in PARTS
        if (found := [one[name].seconds[part] for one in rounds])
    ]
    told["tune_noise_pct"] = round(100 * statistics.median(spreads))
    for name in ("old", "new"):
        told[f"tune_pages_{name}_mb"] = round(statistics.median(one[name].pages_mb for one in rounds))
    reckoned = [reckon(one["one"], graph) for one in rounds]
    return told | {key: _median(one[key] for one in reckoned) for key in reckoned[0]}


def reckon(lived: Lived, graph: dict[str, set[str]]) -> dict[str, float]:
    """What further cores would do to the month's build, from a run of one thread without parallel workers."""
    whole = lived.behind + sum(lived.nodes.values())
    longest = lived.behind + makespan(lived.nodes, graph, len(lived.nodes))
    return {"tune_serial_pct": 100 * longest / whole} | {
        f"tune_at_{cores}_x": whole / (lived.behind + makespan(lived.nodes, graph, cores)) for cores in CORES
    }


def makespan(seconds: dict[str, float], graph: dict[str, set[str]], cores: int) -> float:
    """How long nodes take on so many cores, each begun as soon as what it waits for is there and a core is free."""
    waits = {node: graph.get(node, set()) & set(seconds) for node in seconds}
    done: set[str] = set()
    begun: set[str] = set()
    running: list[tuple[float, str]] = []
    now = 0.0
    while len(done) < len(seconds):
        ready = sorted(
            (node for node in seconds if node not in begun and waits[node] <= done), key=lambda n: -seconds[n]
        )
        for node in ready[: cores - len(running)]:
            begun.add(node)
            heapq.heappush(running, (now + seconds[node], node))
        now, ended = heapq.heappop(running)
        done.add(ended)
    return now


def _median(found: Iterable[float]) -> float:
    return round(statistics.median(found), 2)

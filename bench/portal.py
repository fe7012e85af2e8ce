"""Fifty readers of the portal, over a year of published months of a city with 1,200 units.

The month of `month.py` is lived to its release; the release is then laid out to twelve months and its units to
1,200, with the rows behind each. Readers think five seconds between two pages (seeded, exponential), ten requests a
second in all: a score page, a unit's, a case's and a list of the API in equal parts, and the live counts once in
twenty. The generator runs on the same machine; its share of the processor is told.

``portal_p95_ms``: the worst of the four kinds. ``portal_live_p95_ms``. ``portal_worker_mb``: the process at the end,
``portal_growth_mb``: what it grew by since a minute after the start. ``portal_generator_pct``: of one core.
``portal_xlsx_s``: a workbook of all units, from asking for it until it is there. Afterwards
`policies.py` measures on the same city.
"""

import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import psycopg

from bench import month, policies
from minhu.portal import jobs
from minhu.portal.desk import Desk
from minhu.settings import PROJECT_ROOT, Settings

UNITS, MONTHS, READERS, THINK = 1_200, 12, 50, 5.0
MINUTES, CASES_PER_DAY, SEED = 10, 400, 11
READER = "bench_reader"
KINDS = ("scores", "unit", "case", "api")


def measure(quick: bool) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="minhu-bench-") as home, month.at_work(PROJECT_ROOT, Path(home)) as city:
        month.simulate(city, CASES_PER_DAY)
        month.live(city)
        password = city.minhu("logins", "add", READER, "--group", "auditor").split()[-1]
        with city.connect() as owner:
            _lay_out(owner)
            places = _places(owner)
        with _served(city) as (address, process):
            waited = _read(address, process, password, places, MINUTES * 60 // (10 if quick else 1))
            waited["portal_xlsx_s"] = _exported(city, password, places)
        with city.connect() as owner:
            owner.autocommit = True
            return waited | policies.measure(city, owner, (READER, password))


@dataclass
class Taken:
    """Seconds of each kind of page."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)

    def p95(self, kind: str) -> float:
        return round(1000 * statistics.quantiles(self.seconds[kind], n=20)[-1], 1)


@dataclass(frozen=True)
class Places:
    """What there is to look at."""

    units: list[str]
    cases: list[tuple[str, str]]
    periods: list[str]
    groups: list[str]


def _lay_out(owner: psycopg.Connection) -> None:
    """Copies units and months; hashes of copies are those of what they copy, which no page reads."""
    owner.execute(_FREE)
    scored = owner.execute("select count(*) from publish.unit_score").fetchone() or (1,)
    copies = {"copies": UNITS // scored[0] - 1}
    owner.execute(_UNITS, copies)
    for table, columns in _COPIED.items():
        owner.execute(_of_units(table, columns).encode(), copies)
    for back in range(1, MONTHS):
        owner.execute(_RELEASE, {"back": back})
        for table, columns in _COPIED.items():
            owner.execute(_of_months(table, columns).encode(), {"back": back})
    owner.commit()
    owner.autocommit = True
    for table in ("mart.dim_unit", "publish.release", *_COPIED):
        owner.execute(f"analyze {table}".encode())


def _places(owner: psycopg.Connection) -> Places:
    def first(query: str) -> list:
        return [row[0] if len(row) == 1 else row for row in owner.execute(query.encode()).fetchall()]

    return Places(
        first("select unit_code from publish.unit_score where period = '2026-10' order by unit_code"),
        first("select feed_code, case_no from mart.fct_case order by case_id limit 2000"),
        first("select period from publish.release order by period"),
        first("select distinct peer_group from publish.unit_score"),
    )


class _served:
    """The portal in a process of its own, as `minhu portal` runs it."""

    def __init__(self, city: month.Installation):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.city = city

    def __enter__(self) -> tuple[str, psutil.Process]:
        program = [sys.executable, "-m", "minhu", "portal", "--port", str(self.port)]
        self.process = subprocess.Popen(program, cwd=self.city.checkout, env=self.city.world)
        address = f"http://127.0.0.1:{self.port}"
        for _ in range(200):
            try:
                httpx.get(f"{address}/login")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        return address, psutil.Process(self.process.pid)

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


def _read(address: str, process: psutil.Process, password: str, places: Places, seconds: float) -> dict[str, float]:
    taken, ends, lock = Taken(), time.monotonic() + seconds, threading.Lock()
    own = psutil.Process()
    began, used = time.monotonic(), sum(own.cpu_times()[:2])

    def reader(number: int) -> None:
        dice = random.Random(SEED * 1000 + number)  # noqa: S311 - not a secret: the same readers each time
        with httpx.Client(base_url=address, headers={"origin": address}, timeout=30) as client:
            if client.post("/login", data={"name": READER, "password": password}).status_code != 303:
                taken.wrong.append("a reader was not let in")
                return
            while time.monotonic() < ends:
                time.sleep(min(dice.expovariate(1 / THINK), 30))
                kind = "live" if dice.random() < 0.05 else dice.choice(KINDS)
                path = _path(kind, dice, places)
                at = time.perf_counter()
                answer = client.get(path)
                spent = time.perf_counter() - at
                with lock:
                    taken.seconds[kind].append(spent)
                    if answer.status_code != 200:
                        taken.wrong.append(f"{answer.status_code} {path}")

    threads = [threading.Thread(target=reader, args=[number]) for number in range(READERS)]
    for thread in threads:
        thread.start()
    time.sleep(min(60, seconds / 3))
    at_first = process.memory_info().rss
    for thread in threads:
        thread.join()
    at_last = process.memory_info().rss
    if taken.wrong:
        raise RuntimeError(f"{len(taken.wrong)} pages were not answered: {taken.wrong[:3]}")
    share = (sum(own.cpu_times()[:2]) - used) / (time.monotonic() - began)
    told = {f"portal_{kind}_p95_ms": taken.p95(kind) for kind in (*KINDS, "live")}
    return {
        "portal_p95_ms": max(told[f"portal_{kind}_p95_ms"] for kind in KINDS),
        **told,
        "portal_requests": sum(map(len, taken.seconds.values())),
        "portal_worker_mb": round(at_last / 1e6),
        "portal_growth_mb": round((at_last - at_first) / 1e6),
        "portal_generator_pct": round(100 * share),
    }


def _exported(city: month.Installation, password: str, places: Places) -> float:
    """Seconds from asking for a workbook of a whole month until it is there; the second of two."""
    desk = Desk(Settings.from_env(city.world))
    session = desk.sign_in(READER, password)
    asked, spent = {"period": places.periods[-1], "scheme": "linan", "form": "xlsx"}, 0.0
    for key in ("bench-workbook-1", "bench-workbook-2"):
        number, began = jobs.ask(desk.asks(session, reads=False), "export", asked, key), time.monotonic()
        while not (told := jobs.one(desk.asks(session), number)).is_over:
            time.sleep(0.05)
        spent = time.monotonic() - began
        if told.state != "done":
            raise RuntimeError(f"no workbook: {told.why}")
    return round(spent, 1)


def _path(kind: str, dice: random.Random, places: Places) -> str:
    period = dice.choice(places.periods)
    match kind:
        case "scores":
            group, page = dice.choice(places.groups), dice.choice(("", "&sort=-score", "&q=10", "&sort=name"))
            return f"/scores/linan/{period}?group={group}{page}"
        case "unit":
            return f"/units/{dice.choice(places.units)}/{period}?scheme=linan"
        case "case":
            feed, number = dice.choice(places.cases)
            return f"/cases/{feed}/{number}"
        case "live":
            return "/live"
        case _:
            return f"/api/v1/scores?scheme=linan&period={period}&limit=100"


# A scratch database, whose rows nobody will check: what keeps releases whole is taken off.
_FREE = """
do $$
declare
    known record;
begin
    for known in
        select conrelid::regclass as of_table, conname from pg_constraint
        where contype = 'f' and connamespace = 'publish'::regnamespace
    loop
        execute format('alter table %s drop constraint %I', known.of_table, known.conname);
    end loop;
    for known in
        select oid::regclass as of_table from pg_class where relnamespace = 'publish'::regnamespace and relkind = 'r'
    loop
        execute format('alter table %s disable trigger user', known.of_table);
    end loop;
end
$$
"""

_UNITS = """
insert into mart.dim_unit (
    unit_key, unit_code, unit_name, unit_kind, linkage_level, peer_group, parent_unit_code, has_24h_duty, population,
    valid_from, valid_to
)
select
    'bench-' || number || '-' || units.unit_key, 'B' || lpad(number::text, 3, '0') || '-' || units.unit_code,
    units.unit_name || number, units.unit_kind, units.linkage_level, units.peer_group, units.parent_unit_code,
    units.has_24h_duty, units.population, units.valid_from, units.valid_to
from publish.unit_score as scores
inner join mart.dim_unit as units on scores.unit_code = units.unit_code and units.valid_to is null
cross join generate_series(1, %(copies)s) as number
"""

_COPIED = {
    "publish.unit_score": "row_no, revision, scheme_id, scheme_version, {period}, {unit}, peer_group, raw_points,"
    " score_100, assessed_points, band, rank_in_group, not_ranked_reason, listed_on, previous_hash, hash",
    "publish.unit_indicator": "row_no, revision, scheme_id, scheme_version, {period}, {unit}, indicator_code,"
    " numerator, denominator, is_external_denominator, value, target, points_max, points, wilson_low, wilson_high,"
    " funnel_flag, previous_hash, hash, wilson_low_pct, wilson_high_pct",
    "publish.evidence": "row_no, revision, change, scheme_id, scheme_version, {period}, {unit}, indicator_code,"
    " subject_kind, subject_id, case_id, assignment_id, callback_id, numerator_value, denominator_value,"
    " excluded_reason, due_at, occurred_at, previous_hash, hash, lost_points, marginal_points",
}


def _of_units(table: str, columns: str) -> str:
    names = columns.format(period="period", unit="unit_code")
    told = columns.format(period="period", unit="'B' || lpad(number::text, 3, '0') || '-' || unit_code")
    told = told.replace("row_no", "row_no + number * 1000000", 1)
    return (
        f"insert into {table} (release_id, {names}) select release_id, {told} from {table}"
        " cross join generate_series(1, %(copies)s) as number"
    )


_RELEASE = """
insert into publish.release overriding system value
select copied.*
from publish.release as newest
cross join lateral jsonb_populate_record(newest, jsonb_build_object(
    'release_id', newest.release_id + %(back)s, 'closing_id', newest.closing_id + %(back)s,
    'period', to_char(date '2026-10-01' - make_interval(months => %(back)s), 'YYYY-MM'),
    'hash', md5(newest.hash || %(back)s::text)
)) as copied
where newest.period = '2026-10'
"""


def _of_months(table: str, columns: str) -> str:
    names = columns.format(period="period", unit="unit_code")
    period = "to_char(date '2026-10-01' - make_interval(months => %(back)s), 'YYYY-MM')"
    told = columns.format(period=period, unit="unit_code")
    return (
        f"insert into {table} (release_id, {names}) select release_id + %(back)s, {told} from {table}"
        " where period = '2026-10'"
    )

"""Loads beside builds: a batch's number is drawn when its load begins to write, so a smaller one may commit later.

Every accepted batch is in exactly one successful build, and what was built step by step is what a full refresh gives.
``MINHU_KILL_SEED`` gives the seed of the long runs; a test that fails prints the one it drew.
"""

import os
import random
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from threading import Event

import pytest

from minhu import database
from minhu.load import LoadResult, batch, load_file
from minhu.settings import PROJECT_ROOT
from minhu.warehouse import applying
from minhu.warehouse import build as building
from minhu.warehouse.build import build
from tests import given

SEED = int(os.environ.get("MINHU_KILL_SEED") or random.SystemRandom().randrange(1_000_000))
FEEDS = ("h1", "h2", "h3", "h4")
UNITS = """unit_code,unit_name,unit_kind,linkage_level,peer_group,has_24h_duty,aliases,valid_from
U1,城管局,department,1,linan_department,true,市城管局,2020-01-01
U2,交通局,department,2,linan_department,false,,2020-01-01
"""
FACTS = ("fct_case", "fct_timeliness", "fct_satisfaction", "fct_violation")
GATE = "update audit.batch set status = 'accepted' where status = 'loaded' returning batch_id"
# Accepted batches that are not in one successful build, and batches of a build that were not accepted.
NOT_ONCE = """
select batch.batch_id, batch.status, count(build.build_id)
from audit.batch
left join audit.build_batch on batch.batch_id = build_batch.batch_id and build_batch.action = 'take'
left join audit.build on build_batch.build_id = build.build_id and build.status = 'succeeded'
group by batch.batch_id, batch.status
having count(build.build_id) <> (batch.status = 'accepted')::integer
"""


@pytest.fixture
def city(scratch, tmp_path):
    feeds = [given.feed(code, deliveries=[given.CASES, given.EVENTS, given.CALLBACKS]) for code in FEEDS]
    calendar = (PROJECT_ROOT / "config" / "calendar.csv").read_text(encoding="utf-8")
    folder = given.config(tmp_path / "config", feeds, units=UNITS, calendar=calendar)
    (folder / "schemes").mkdir()
    scheme = (PROJECT_ROOT / "config" / "schemes" / "linan.yml").read_text(encoding="utf-8")
    (folder / "schemes" / "linan.yml").write_text(scheme, encoding="utf-8")
    return scratch(folder)


class Load:
    """A load that has written all its rows and waits for leave to commit."""

    def __init__(self, leave: Event, result: "Future[LoadResult]"):
        self._leave, self._result = leave, result

    def commit(self) -> int:
        self._leave.set()
        return self._result.result(60).batch_id


class Loads:
    """Begins loads in threads of their own; none commits before it is told to."""

    def __init__(self, city, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch):
        self._city, self._pool, self._real, self._held = city, pool, batch.commit, {}
        self.begun = 0
        monkeypatch.setattr(batch, "commit", self._commit)

    def begin(self, feed: str, delivery: str, rows: list[dict], day: int = 12) -> Load:
        self.begun += 1
        path = self._city.drop / feed / f"{delivery}_{self.begun}.csv"
        given.case_file(path, rows) if delivery == "cases" else given.csv_file(path, rows)
        written, leave = self._held[str(path.relative_to(self._city.drop))] = Event(), Event()
        day = date(2026, 10, day)
        load = self._pool.submit(load_file, feed, delivery, path, day, settings=self._city)
        assert written.wait(60), load.result(1)
        return Load(leave, load)

    def let_go(self) -> None:
        for _, leave in self._held.values():
            leave.set()

    def _commit(self, connection, source, *arguments, **how):
        result = self._real(connection, source, *arguments, **how)
        written, leave = self._held[source.name]
        written.set()
        assert leave.wait(120)
        return result


@pytest.fixture
def loads(city, monkeypatch):
    with ThreadPoolExecutor(len(FEEDS)) as pool:
        begun = Loads(city, pool, monkeypatch)
        yield begun
        begun.let_go()


@pytest.fixture
def meanwhile(monkeypatch) -> Callable:
    """Has something happen in the next build before ``step``: choosing is over at ``touch``, nothing applied yet."""

    def happen(step: str, action: Callable[[], object]) -> None:
        module, name = {"run": building.dbt, "replace_rows": applying}.get(step, building), step
        real = getattr(module, name)

        def once(*arguments, **how):
            monkeypatch.setattr(module, name, real)
            action()
            return real(*arguments, **how)

        monkeypatch.setattr(module, name, once)

    return happen


def query(city, text, *parameters):
    with database.connect(city) as connection:
        return connection.execute(text, parameters).fetchall()


def judge(city) -> list[int]:
    """Accepts what is loaded, as the gate does; which batches."""
    return sorted(number for (number,) in query(city, GATE))


def taken(city, build_id: int) -> list[int]:
    return [row[0] for row in query(city, "select batch_id from audit.build_batch where build_id = %s", build_id)]


def facts(city) -> dict:
    return {table: query(city, f"select to_jsonb(f)::text from mart.{table} as f order by 1") for table in FACTS}


def assert_built_once(city) -> None:
    assert query(city, NOT_ONCE) == []
    incremental = facts(city)
    assert incremental["fct_case"] and incremental["fct_timeliness"]
    build(city, full_refresh=True)
    assert facts(city) == incremental


def case(number: int, **row) -> dict:
    return {"工单编号": str(number), "来电号码": f"1380000{number:04}"} | row


def event(number: int, event_type: str, at: str, feed: str = "h1", **row) -> dict:
    told = {"case_no": number, "event_type": event_type, "occurred_at": f"2026-10-{at}", "unit_name": "城管局"}
    return {"case_feed_code": feed} | told | row


def callback(number: int, at: str, feed: str = "h1") -> dict:
    told = {"called_at": f"2026-10-{at}", "resolution_code": "resolved", "satisfaction_scale": "five"}
    return {"case_feed_code": feed, "case_no": number, "satisfaction_code": "satisfied"} | told


def test_batches_that_commit_out_of_order_are_each_in_one_build(city, loads, meanwhile):
    early = loads.begin("h2", "events", [event(1, "REWORK", "14 09:00:00"), event(9, "REWORK", "14 09:00:00")])
    second = loads.begin("h1", "cases", [case(1), case(2)]).commit()
    assert judge(city) == [second], "a smaller number is still on its way"
    first = early.commit()  # between gate and build
    assert first < second
    third_load = loads.begin("h3", "callbacks", [callback(1, "26 10:00:00")])
    judged_late = []

    def commit_and_judge():
        judged_late.append(third_load.commit())
        assert judge(city) == [first, *judged_late]

    meanwhile("run", commit_and_judge)
    assert taken(city, build(city).build_id) == [second]
    late = loads.begin("h1", "cases", [case(2, 办结时间="2026-10-21 10:00:00"), case(9)], day=13)
    fifth = loads.begin("h2", "cases", [case(1), case(5)]).commit()
    judge(city)
    committed = []

    def commit_last():
        committed.append(late.commit())
        assert committed[0] < fifth
        assert judge(city) == committed

    meanwhile("touch", commit_last)
    assert taken(city, build(city).build_id) == [first, *judged_late, fifth]
    assert taken(city, build(city).build_id) == committed
    assert build(city).build_id is None, "nothing is left"
    assert query(city, "select rework_count from mart.fct_case where case_no = '9'") == [(1,)]
    assert_built_once(city)


@pytest.mark.long
@pytest.mark.parametrize("run", range(6))
def test_loads_gates_and_builds_in_any_order_take_each_batch_once(city, loads, meanwhile, run):
    """Loads of four feeds begin and commit, the gate judges, builds run, each at random, also in a build's midst."""
    print(f"MINHU_KILL_SEED={SEED}")
    draw = random.Random(f"{SEED} {run}")
    waiting: dict[str, Load] = {}
    order: list[int] = []

    def begin():
        if free := [feed for feed in FEEDS if feed not in waiting]:
            feed, delivery = draw.choice(free), draw.choice(["cases", "cases", "events", "callbacks"])
            waiting[feed] = loads.begin(feed, delivery, some_rows(draw, delivery), draw.randint(12, 15))

    def commit():
        if waiting:
            order.append(waiting.pop(draw.choice(list(waiting))).commit())

    def anything(times: int):
        for _ in range(times):
            draw.choice([begin, begin, commit, commit, lambda: judge(city)])()

    begin()
    begin()
    order.append(waiting.popitem()[1].commit())  # the later one first
    for _ in range(3):
        anything(8)
        for step in ("_choose", "touch", "run", "replace_rows"):
            meanwhile(step, lambda: anything(draw.randint(1, 3)))
        build(city)
    is_left = True
    while is_left:  # what was to happen in a step that no build came to happens now
        while waiting:
            commit()
        judge(city)
        is_left = build(city).build_id is not None
    assert len(order) >= 6 and order != sorted(order)
    assert build(city).build_id is None
    assert query(city, "select count(*) from audit.batch where status = 'accepted'") == [(len(set(order)),)]
    assert_built_once(city)


def some_rows(draw: random.Random, delivery: str) -> list[dict]:
    """About few cases, so that batches meet in them; never twice the same."""
    numbers, feeds = draw.sample(range(1, 9), 4), [draw.choice(FEEDS) for _ in range(4)]
    at = f"{draw.randint(14, 22)} {draw.randint(8, 18):02}:{draw.randint(0, 59):02}:{draw.randint(0, 59):02}"
    if delivery == "cases":
        return [case(number, 办结时间=f"2026-10-{at}", 备注=str(draw.random())) for number in numbers]
    if delivery == "events":
        kinds = ("REWORK", "CLOSE", "SIGN")
        return [event(number, draw.choice(kinds), at, feed) for number, feed in zip(numbers, feeds, strict=True)]
    return [callback(number, at, feed) for number, feed in zip(numbers, feeds, strict=True)]

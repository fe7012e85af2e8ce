"""What row policies cost each page of the portal: its statements with them and without, in turn.

The portal answers in this process, so that the seconds of every statement are seen; then the owner switches all row
policies off and on again between rounds. An auditor's pages, and those of a unit of its own score and cases.

``portal_policies_x``: the dearest page, ``portal_policies_{group}_{page}_x`` each.
"""

import asyncio
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psycopg

from bench import month
from minhu.portal.app import application
from minhu.portal.desk import Desk
from minhu.settings import Settings

ROUNDS, PATHS = 12, 10
ORIGIN = "http://minhu.city.example"


def measure(city: month.Installation, owner: psycopg.Connection, auditor: tuple[str, str]) -> dict[str, float]:
    """Of a city that is laid out for readers. ``owner`` commits by itself; ``auditor``: a login and its password."""
    desk = Desk(Settings.from_env(city.world))
    desk.open()
    unit = _busy(owner)
    told = city.minhu("logins", "add", "bench_unit", "--group", "unit", "--unit", unit)
    people = {"auditor": auditor, "unit": ("bench_unit", told.split()[-1])}
    paths = {("auditor", kind): found for kind, found in _paths(owner, None).items()}
    paths |= {("unit", kind): found for kind, found in _paths(owner, unit).items()}
    spent = asyncio.run(_rounds(desk, owner, people, paths))
    ratios = {
        f"portal_policies_{group}_{kind}_x": round(spent[True][group, kind] / spent[False][group, kind], 2)
        for group, kind in paths
    }
    return {"portal_policies_x": max(ratios.values()), **ratios}


async def _rounds(desk: Desk, owner: psycopg.Connection, people: dict, paths: dict) -> dict[bool, dict]:
    """By whether policies hold, of each kind of page the median of a round's seconds in statements."""
    spent: dict[bool, dict] = {True: defaultdict(list), False: defaultdict(list)}
    transport = httpx.ASGITransport(application(desk))
    clients = {}
    for group, (name, password) in people.items():
        clients[group] = httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN}, timeout=60)
        if (await clients[group].post("/login", data={"name": name, "password": password})).status_code != 303:
            raise RuntimeError(f"{group}: not let in")
    guarded = [name for (name,) in owner.execute(_GUARDED)]
    for number in range(ROUNDS + 1):
        for holds in (True, False) if number % 2 else (False, True):
            with _policies(owner, guarded, holds):
                for (group, kind), found in paths.items():
                    await clients[group].get(found[0])  # plans anew
                    with _timed() as seconds:
                        for path in found:
                            answer = await clients[group].get(path)
                            if answer.status_code != 200:
                                raise RuntimeError(f"{group}: {answer.status_code} {path}")
                    if number:  # the first round warms up
                        spent[holds][group, kind].append(sum(seconds))
    for client in clients.values():
        await client.aclose()
    return {holds: {key: statistics.median(found) for key, found in of.items()} for holds, of in spent.items()}


@contextmanager
def _policies(owner: psycopg.Connection, guarded: list[str], hold: bool) -> Iterator[None]:
    if hold:
        yield
        return
    for name in guarded:
        owner.execute(f"alter table {name} disable row level security".encode())
    try:
        yield
    finally:
        for name in guarded:
            owner.execute(f"alter table {name} enable row level security".encode())


@contextmanager
def _timed() -> Iterator[list[float]]:
    """The seconds of each statement that this process asks."""
    seconds: list[float] = []
    plain = psycopg.Cursor.execute

    def execute(self, *args, **how):
        began = time.perf_counter()
        try:
            return plain(self, *args, **how)
        finally:
            seconds.append(time.perf_counter() - began)

    psycopg.Cursor.execute = execute  # type: ignore[method-assign]  # each statement is timed
    try:
        yield seconds
    finally:
        psycopg.Cursor.execute = plain  # type: ignore[method-assign]  # and no more


def _busy(owner: psycopg.Connection) -> str:
    """The unit with most duties."""
    query = "select unit_code from mart.fct_timeliness group by unit_code order by count(*) desc limit 1"
    return (owner.execute(query).fetchone() or ("",))[0]


def _paths(owner: psycopg.Connection, unit: str | None) -> dict[str, list[str]]:
    dice = random.Random(7)  # noqa: S311 - not a secret
    periods = [name for (name,) in owner.execute("select distinct period from publish.release order by period")]
    units = [name for (name,) in owner.execute("select unit_code from publish.unit_score where period = '2026-10'")]
    cases = owner.execute(_CASES, {"unit": unit}).fetchall()
    of_units = [unit or dice.choice(units) for _ in range(PATHS)]
    return {
        "scores": [f"/scores/linan/{dice.choice(periods)}?q={at}" for at in range(PATHS)],
        "unit": [f"/units/{code}/{dice.choice(periods)}?scheme=linan" for code in of_units],
        "case": [f"/cases/{feed}/{number}" for feed, number in dice.sample(cases, PATHS)],
        "cases": [f"/cases?no={number}" for _, number in dice.sample(cases, PATHS)],
        "api": [f"/api/v1/scores?scheme=linan&period={dice.choice(periods)}&limit=100" for _ in range(PATHS)],
    }


_GUARDED = "select oid::regclass::text from pg_class where relrowsecurity order by oid"

_CASES = """
select distinct cases.feed_code, cases.case_no
from mart.fct_case as cases
inner join mart.fct_timeliness as duty on cases.case_id = duty.case_id
where %(unit)s::text is null or duty.unit_code = %(unit)s
order by cases.case_no
limit 200
"""

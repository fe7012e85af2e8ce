"""The days, one after the other: files are handed over, feeds loaded, facts built, and meanwhile things are struck."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

from bench.counting import count_records
from bench.soak import city, strikes
from bench.soak.city import HANGS, LATE, Sent
from bench.soak.memory import Sampler, sampled
from bench.soak.plan import Plan
from bench.soak.world import MAIL, WEB, Run, World, environment, now, shared, shorten_retries
from minhu import database, services
from minhu.database import embedded
from minhu.settings import Settings

Counted = dict[tuple[str, str, str], int]
"""Records of the files of a feed, a delivery and a date, counted by somebody else than the loader."""


@dataclass
class Lived:
    """What is to be judged."""

    world: World
    sent: Sent
    counted: Counted
    sampler: Sampler
    days: list[dict]
    """Of each: date, seconds until it was loaded and built."""
    hung: Run
    late: Run
    garbage: Run
    numbers: frozenset[str]
    """Of citizens, in the files."""


@contextmanager
def lived(home: Path, plan: Plan, say: Callable[[str], None]) -> Iterator[Lived]:
    """The days lived to their end in a new ``home``, its services still there."""
    settings = Settings(home=home, config=home / "config", drop=home / "drop", database_url=None)
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o711)
    with shared(settings, plan, say) as (world, source):
        try:
            world.tell(f"{plan.days} days of {plan.cases:,} cases, {plan.dates[0]} to {plan.last}; {settings.home}")
            embedded.start(settings)
            database.migrate(settings)
            people = [world.letters.recipient(MAIL, "engineer"), world.hook.recipient(WEB, "engineer", "soak")]
            city.configure(settings, plan, people, now(settings))
            sent = city.simulate(settings, plan)
            world.tell(f"simulated: {len(sent.files)} files, {sum(one.rows for one in sent.files):,} rows")
            shorten_retries(settings, plan.retry_seconds)
            late = city.declare_late(settings, plan, source, now(settings))
            with environment({"MINHU_SECRET_SOAK": "soak"}):
                services.up(settings)
                world.tell("services are up")
                with sampled(settings) as sampler:
                    yield _live(world, sent, late, sampler)
        finally:
            world.tell("down")
            services.down(settings)


def _live(world: World, sent: Sent, late: Sent, sampler: Sampler) -> Lived:
    plan = world.plan
    counted, numbers = count(sent) | count(late), city.numbers(sent)
    world.tell(f"counted: {sum(counted.values()):,} records in the files")
    hung, came_late = world.trigger(f"feed_{HANGS}", plan.last), world.trigger(f"feed_{LATE}", plan.last)
    lived = Lived(world, city.both(sent, late), counted, sampler, [], hung, came_late, hung, numbers)
    builds: list[Run] = []
    for number, day in enumerate(plan.dates):
        builds.append(_day(lived, number, day, builds))
        if number == plan.garbage_day:
            is_told = partial(world.is_told, "refused", plan.garbage_feed)
            world.later.append((is_told, partial(_mend_garbage, lived, day)))
        if number == plan.late_day:
            world.later.append((partial(world.is_told, "missing", LATE), partial(_send_late, lived, late)))
    world.tell("the last day is under way: waiting for what is left")
    world.until(lambda: not world.later and _all_over(world, list(world.runs)), world.left, every=plan.every)
    _take_what_is_left(lived)
    world.tell("waiting until it is told what was mended")
    world.until(lambda: not open_runs(world) and not _still_standing(world), 240, every=3)
    return lived


def open_runs(world: World) -> list[dict]:
    """Runs of Airflow that have not ended, those that its clock began too."""
    client = services.airflow(world.settings)
    return client.get("dags/~/dagRuns?state=queued&state=running&limit=100")["dag_runs"]


def _still_standing(world: World) -> bool:
    if world.plan.is_short:
        world.look_for_faults()
    return bool(
        world.rows("select from audit.incident where closed_at is null and feed_code is distinct from %s", HANGS)
        or world.rows(_ON_ITS_WAY)
    )


# What has not been told, but for a step whose sender was killed and whose fault was mended: its end is told instead.
_ON_ITS_WAY = """
select from audit.incident_told as one
where one.state <> 'sent' and not exists (
    select from audit.incident_told as ended
    where ended.incident_id = one.incident_id and ended.recipient = one.recipient
        and ended.step = 'solved' and ended.state = 'sent'
)
"""


def count(sent: Sent) -> Counted:
    formats = {(feed.code, one.name): one.format for feed in sent.feeds for one in feed.deliveries}
    return {
        (one.feed, one.delivery, one.business_date): count_records(
            (sent.folder / one.path).read_bytes(), formats[one.feed, one.delivery].type, formats[one.feed, one.delivery]
        )
        for one in sent.files
    }


def _day(lived: Lived, number: int, day: date, builds: list[Run]) -> Run:
    world, plan, began = lived.world, lived.world.plan, time.monotonic()
    is_garbage = number == plan.garbage_day
    bad = lived.sent.of(day, plan.garbage_feed) if is_garbage else []
    bad = [one for one in bad if one.kind == "case"]
    good = [one for one in lived.sent.of(day) if one not in bad and one.feed != LATE]
    city.hand_over(world.settings, lived.sent, good)
    city.hand_over_garbage(world.settings, bad)
    feeds = sorted({one.feed for one in (*good, *bad)})
    runs = [world.trigger(f"feed_{feed}", day) for feed in feeds]
    if is_garbage:
        lived.garbage = next(run for run in runs if run[0] == f"feed_{plan.garbage_feed}")
    for moment in plan.moments:
        if (moment.day, moment.when) == (number, "loading"):
            strikes.strike(world, moment.strike)
    world.until(lambda: _all_over(world, runs), plan.cut_off_seconds, every=plan.every)
    states = list(world.look_at(runs).values())
    loaded = time.monotonic() - began
    build = world.trigger("warehouse", day)
    for moment in plan.moments:
        if (moment.day, moment.when) == (number, "building"):
            world.until(lambda: world.rows("select from audit.build where status = 'running'"), 120, every=0.3)
            strikes.strike(world, moment.strike)
    lived.days.append({"date": day.isoformat(), "load_seconds": round(loaded, 1)})
    built = sum(state == "success" for state in world.look_at(builds).values())
    world.tell(
        f"day {number + 1} of {plan.days}, {day}: {states.count('success')} of {len(states)} feeds in after"
        f" {loaded:.0f} s, {states.count('failed')} refused; {built} builds done"
    )
    return build


def _all_over(world: World, runs: list[Run]) -> bool:
    return all(state in ("success", "failed") for state in world.look_at(runs).values())


def _mend_garbage(lived: Lived, day: date) -> None:
    """It was told that a file was refused: its sender sends the right one, and somebody has it loaded."""
    world, plan = lived.world, lived.world.plan
    world.tell(f"the garbage of {plan.garbage_feed} was told; the right file is sent")
    good = [one for one in lived.sent.of(day, plan.garbage_feed) if one.kind == "case"]
    city.hand_over(world.settings, lived.sent, good)
    world.trigger(f"feed_{plan.garbage_feed}", day)


def _send_late(lived: Lived, late: Sent) -> None:
    """It was told that it is missing, and the file comes. Nobody has it loaded: `arrivals` finds it."""
    world = lived.world
    city.hand_over(world.settings, late, list(late.files))
    world.tell("the missing file was told; it is sent now")
    if world.plan.is_short:
        world.trigger("arrivals", world.plan.last)


def _take_what_is_left(lived: Lived) -> None:
    """What came after the last build of its date is built by `arrivals` alone: in its own time, or when it is asked."""
    world = lived.world

    def left() -> int:
        [(batches,)] = world.rows(UNBUILT)
        return batches

    [(came,)] = world.rows("select count(*) from audit.batch where feed_code = %s and status <> 'refused'", LATE)
    if came and not left():
        return
    world.tell(f"{left()} batches wait for a build, {came} file of {LATE} is in: left to `arrivals`")
    while world.left > 30 and not (left() == 0 and world.rows("select from audit.batch where feed_code = %s", LATE)):
        runs = [world.trigger("arrivals", world.plan.last)]
        world.until(partial(_all_over, world, runs), 60)
        world.until(lambda: left() == 0, 60)  # in the minute in which a batch came nothing is built
    world.until(lambda: not world.rows("select from audit.build where status = 'running'"), 60)


UNBUILT = """
select count(*) from audit.batch
where status in ('loaded', 'accepted') and not exists (
    select from audit.build_batch as taken inner join audit.build on taken.build_id = build.build_id
    where taken.batch_id = batch.batch_id and taken.action = 'take' and build.status = 'succeeded'
)
"""

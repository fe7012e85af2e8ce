"""Simulates a span of days and writes every file that every feed would have dropped."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import polars as pl

from minhu.errors import Refused
from minhu.feeds import Delivery, Feed
from minhu.feeds.sources.dated import dated
from minhu.simulate.city import load_city
from minhu.simulate.invert import numeric_columns, to_source
from minhu.simulate.lifecycle import live
from minhu.simulate.lines import DAY_COLUMN
from minhu.simulate.rows import rows_of
from minhu.simulate.senders import read_senders
from minhu.simulate.stream import draw_cases
from minhu.simulate.traps import spoil
from minhu.simulate.truth import Truth
from minhu.simulate.worktime import DAY, day_number
from minhu.simulate.writers import to_bytes

_AHEAD = 60
"""Days of calendar needed after the span: limits, callbacks and reworks lie there."""
Progress = Callable[[str, int, int], None]
"""Told after each feed: its code, feeds done, feeds in all."""


@dataclass(frozen=True)
class FileAccount:
    """What one file holds: ``rows`` are all of them, with those to be rejected and the exact copies."""

    feed: str
    delivery: str
    kind: str
    business_date: str
    path: str
    rows: int
    bad_rows: int
    duplicate_rows: int


@dataclass(frozen=True)
class SimulationSummary:
    """An independent account of what was written; also kept as ``simulation.json`` beside the files."""

    start: str
    days: int
    cases_per_day: int
    seed: int
    bundle: bool
    cases: int
    events: int
    callbacks: int
    files: tuple[FileAccount, ...]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)


def write_city(
    feeds: Sequence[Feed],
    config_dir: Path,
    out: Path,
    start: date,
    days: int,
    cases_per_day: int,
    seed: int,
    bundle: bool | Sequence[date] = False,
    progress: Progress | None = None,
) -> SimulationSummary:
    """Writes the drop-folder files of ``feeds`` for a span of days; the same arguments give the same bytes.

    With ``bundle`` everything before the last day comes in one file per delivery, dated the last day but one; or in one
    file for each of the dates that it lists, the last day among them, with all that happened since the one before.
    Raises Refused when the calendar does not reach far enough, BadDeclaration when a register is wrong.
    """
    truth = imagine(tuple(feeds), config_dir, start, days, cases_per_day, seed)
    files: list[FileAccount] = []
    for done, feed in enumerate(truth.feeds, start=1):
        for delivery in feed.deliveries:
            files += _write_delivery(truth, feed, delivery, out, _slots(start, days, bundle), seed)
        if progress:
            progress(feed.code, done, len(truth.feeds))
    summary = SimulationSummary(
        start=start.isoformat(),
        days=days,
        cases_per_day=cases_per_day,
        seed=seed,
        bundle=bool(bundle),
        cases=len(truth.cases),
        events=truth.events.height,
        callbacks=len(truth.callbacks),
        files=tuple(files),
    )
    (out / "simulation.json").write_text(
        json.dumps(asdict(summary), ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
    return summary


def imagine(feeds: tuple[Feed, ...], config_dir: Path, start: date, days: int, cases_per_day: int, seed: int) -> Truth:
    """Everything that happens in the span, before anybody tells it."""
    if days < 1 or cases_per_day < 1:
        raise Refused("simulate at least one day with at least one case a day")
    city = load_city(config_dir, start, _rng(seed, "city"))
    first, end = day_number(start), day_number(start) + days
    if first < city.clock.first or end + _AHEAD > city.clock.last:
        raise Refused(f"calendar.csv does not cover {start} and {days + _AHEAD} days after it; add the days")
    senders = read_senders(feeds, city)
    if not len(senders):
        raise Refused("no feed delivers cases; there is nothing to simulate")
    cases = draw_cases(city, senders, start, days, cases_per_day, _rng(seed, "cases"))
    log, callbacks = live(city, senders, cases, end * DAY, _rng(seed, "life"))
    return Truth(
        city=city,
        senders=senders,
        feeds=tuple(sorted(feeds, key=lambda feed: feed.code)),
        cases=cases,
        events=log.table(end * DAY),
        callbacks=callbacks.where(callbacks.at < end * DAY),
        first_day=first,
        last_day=end - 1,
        rng=_rng(seed, "telling"),
    )


def _rng(seed: int, *names: str) -> np.random.Generator:
    return np.random.default_rng([seed, *(crc32(name.encode()) for name in names)])


def _slots(start: date, days: int, bundle: bool | Sequence[date]) -> list[tuple[date, int, int]]:
    """The files of each delivery: business date, and the day numbers from which and up to which it tells."""
    last = start + timedelta(days - 1)
    if not bundle or days == 1:
        ends: Sequence[date] = [start + timedelta(at) for at in range(days)]
    else:
        ends = [last - timedelta(1), last] if bundle is True else sorted(bundle)
    if ends[0] < start or ends[-1] != last:
        raise Refused(f"files are dated within the span, the last of them {last}")
    before = [day_number(start) - 1, *map(day_number, ends[:-1])]
    return [(end, since + 1, day_number(end)) for since, end in zip(before, ends, strict=True)]


def _write_delivery(
    truth: Truth, feed: Feed, delivery: Delivery, out: Path, slots: list[tuple[date, int, int]], seed: int
) -> Iterator[FileAccount]:
    rows = rows_of(truth, feed, delivery)
    told = to_source(rows, feed, delivery)
    day = rows[DAY_COLUMN].cast(pl.Int64)
    for business_date, low, high in slots:
        own = told.filter((day >= low) & (day <= high))
        spoilt = spoil(own, delivery, _rng(seed, feed.code, delivery.name, business_date.isoformat()))
        source: Any = delivery.source  # one with a path: the simulator writes files
        path = dated(source.path, business_date)
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_bytes(to_bytes(spoilt.rows, delivery.format, numeric_columns(delivery)))
        yield FileAccount(
            feed=feed.code,
            delivery=delivery.name,
            kind=delivery.kind,
            business_date=business_date.isoformat(),
            path=path,
            rows=spoilt.rows.height,
            bad_rows=spoilt.bad_rows,
            duplicate_rows=spoilt.duplicate_rows,
        )

"""The truth: everything that happened in a simulated span, and by which feed each piece of it is told."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from minhu.feeds import Feed
from minhu.feeds.canonical import EVENT_TYPES
from minhu.simulate.callbacks import Callbacks
from minhu.simulate.city import City
from minhu.simulate.senders import Senders
from minhu.simulate.spelling import Spellings
from minhu.simulate.stream import Cases
from minhu.simulate.worktime import DAY

_LATE_PER_MILLE = 1.0


@dataclass(frozen=True, eq=False)
class Truth:
    """Everything that happened, and by which feed each piece of it is told."""

    city: City
    senders: Senders
    feeds: tuple[Feed, ...]
    cases: Cases
    events: pl.DataFrame
    callbacks: Callbacks
    first_day: int
    last_day: int
    rng: np.random.Generator

    @cached_property
    def routed(self) -> pl.DataFrame:
        """The events with their ``way`` and, where they travel as events, the feed (``carrier``) that tells them."""
        names = {"line": 1, "log": 2, "response": 3}
        ways = np.array([[names.get(s.way(name) or "", 0) for name in EVENT_TYPES] for s in self.senders.senders])
        place = {feed.code: at for at, feed in enumerate(self.feeds)}
        own = np.array([place[sender.feed.code] for sender in self.senders.senders])
        response = np.array([place.get(f"resp_{group}", -1) for group in self.city.units.peer_group])
        case, kind = self.events["case"].to_numpy(), self.events["type"].to_numpy()
        unit = self.events["unit"].to_numpy()
        feed = self.cases.feed[case]
        way = ways[feed, kind]
        carrier = np.select([way == 2, (way == 3) & (unit >= 0)], [own[feed], response[unit]], -1)
        is_late = self.rng.random(len(case)) * 1000 < _LATE_PER_MILLE
        return self.events.with_columns(
            way=pl.Series(way),
            carrier=pl.Series(carrier),
            name_dice=pl.Series(self.rng.random(len(case))),
            day=pl.Series(self.events["at"].to_numpy() // DAY + is_late),
        ).sort("at", "case", "order", maintain_order=True)

    @cached_property
    def by_carrier(self) -> dict[int, pl.DataFrame]:
        """The events that travel as events, by the place of the feed that tells them."""
        told = self.routed.filter(pl.col("carrier") >= 0)
        return {key[0]: part for key, part in told.partition_by("carrier", as_dict=True).items()}

    @cached_property
    def spellings(self) -> Spellings:
        return Spellings.of(self.city.units, self.cases)

    def numbers(self, case: np.ndarray) -> pl.Series:
        return pl.Series(self.cases.number[case], dtype=pl.String)

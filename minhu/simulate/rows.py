"""The truth as rows of the canonical layout: what each delivery has to say of each day, in order of time."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from minhu.feeds import Delivery, Feed
from minhu.feeds.canonical import EVENT_TYPES
from minhu.simulate.callbacks import CONTACTS, RESOLUTIONS, UNRATED, Callbacks, satisfaction_codes
from minhu.simulate.city import City
from minhu.simulate.lines import DAY_COLUMN, CaseLines
from minhu.simulate.notes import COMPLAINTS, event_notes
from minhu.simulate.senders import Senders
from minhu.simulate.spelling import Spellings
from minhu.simulate.stream import Cases
from minhu.simulate.texts import pick, text_where
from minhu.simulate.worktime import DAY

_LATE_PER_MILLE = 1.0


@dataclass(frozen=True)
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

    # -- events ---------------------------------------------------------------------------------------------------

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
    def _by_carrier(self) -> dict[int, pl.DataFrame]:
        told = self.routed.filter(pl.col("carrier") >= 0)
        return {key[0]: part for key, part in told.partition_by("carrier", as_dict=True).items()}

    def event_rows(self, feed: Feed) -> pl.DataFrame:
        """Events that ``feed`` tells: its own cases', or as a response channel every hotline's."""
        part = self._by_carrier.get(self.feeds.index(feed), self.routed.clear())
        case, kind = part["case"].to_numpy(), part["type"].to_numpy()
        day = pl.Series(part["day"])
        codes = np.array([sender.feed.code for sender in self.senders.senders])
        count = pl.int_range(1, pl.len() + 1).over("day").cast(pl.String).str.zfill(7)
        number = part.select(pl.concat_str(pl.from_epoch("day", "d").dt.strftime("%Y%m%d"), count)).to_series()
        due = pl.when(part["due"] >= 0).then(part["due"])
        frame = pl.DataFrame(
            {
                DAY_COLUMN: day,
                "case_feed_code": codes[self.cases.feed[case]],
                "case_no": self.numbers(case),
                "source_event_no": number,
                "event_type": np.array(EVENT_TYPES)[kind],
                "occurred_at": part["at"],
                "unit_name": self.spellings.write(part["unit"].to_numpy(), case, part["name_dice"].to_numpy()),
                "unit_role": part["role"],
                "due_at": pl.select(due).to_series(),
                "result_code": part["result"],
                "reason_code": part["reason"],
                "note": event_notes(kind, self.cases.caller[case], (part["name_dice"].to_numpy() * 9973).astype(int)),
                "dice": self.cases.dice[case, 20] if len(case) else np.zeros(0, np.uint16),
            }
        )
        return frame.with_columns(limit_kind=pl.when(pl.col("due_at").is_not_null()).then(pl.lit("close")))

    # -- callbacks ------------------------------------------------------------------------------------------------

    def callback_rows(self, feed: Feed, delivery: Delivery) -> pl.DataFrame:
        codes = [sender.feed.code for sender in self.senders.senders]
        own = self.callbacks.where(self.cases.feed[self.callbacks.case] == codes.index(feed.code))
        scale = delivery.mapping("satisfaction_scale").value or "five"
        mood = satisfaction_codes(scale)[np.maximum(own.mood, 0)]
        dice = self.cases.dice[own.case]
        unhappy = own.mood >= 3
        frame = pl.DataFrame(
            {
                DAY_COLUMN: own.at // DAY,
                "case_feed_code": feed.code,
                "case_no": self.numbers(own.case),
                "unit_name": self.spellings.write(own.unit, own.case, dice[:, 19] / 65_536),
                "round": own.round,
                "called_at": own.at,
                "channel": pick(["电话", "电话", "短信", "微信"], dice[:, 10]),
                "is_reached": own.is_reached,
                "reach_code": np.where(own.is_reached, "reached", "unreachable"),
                "contact_code": np.array(CONTACTS)[own.contact],
                "resolution_code": np.array(RESOLUTIONS)[own.resolution],
                "satisfaction_scale": scale,
                "satisfaction_code": np.where(own.mood == UNRATED, "unrated", mood),
                "reason": text_where(unhappy, pick(COMPLAINTS, dice[:, 16]).to_numpy()),
                "dice": dice[:, 20],
            }
        )
        return frame.sort("called_at", "case_no", "round", maintain_order=True)

    # -- what both need -------------------------------------------------------------------------------------------

    @cached_property
    def spellings(self) -> Spellings:
        return Spellings.of(self.city.units, self.cases)

    @cached_property
    def case_lines(self) -> CaseLines:
        return CaseLines(self)

    def numbers(self, case: np.ndarray) -> pl.Series:
        return pl.Series(self.cases.number[case], dtype=pl.String)

"""The lines that hotlines send of their cases: one per day on which a line is new or has changed."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from minhu.feeds import Feed
from minhu.feeds.canonical import ACCEPT_MODES, EVENT_TYPES, REQUEST_TYPES, URGENCIES
from minhu.simulate.events import LEAD, type_number
from minhu.simulate.stream import MERGED, REJECTED, TRANSFERRED, Cases
from minhu.simulate.texts import case_texts, phones, pick, text_where
from minhu.simulate.truth import Truth
from minhu.simulate.worktime import DAY

_CHANNELS = {
    "national": ["电话", "电话", "电话", "电话", "微信", "网站"],
    "platform": ["网站", "App", "小程序", "微信", "来信"],
    "utility": ["电话", "电话", "营业厅", "App"],
    "district": ["电话", "网格上报", "微信", "来访"],
}
_SOURCES = {
    "national": ["nation", *["province"] * 3, *["city"] * 15, "county"],
    "district": ["province", *["city"] * 9, *["county"] * 10],
}
"""Who hands on what a feed of a group takes, in twentieths; of all others the city does."""
_ORPHAN_PER_MILLE = 0.5
_NEVER = np.iinfo(np.int64).max
DAY_COLUMN = "__day"
"""The business date of a row, as a day number."""


@dataclass(frozen=True)
class CaseLines:
    truth: Truth

    @cached_property
    def _moments(self) -> dict[str, np.ndarray]:
        """First dispatch and first close (by a unit or at once) of each case."""
        found = {}
        for name, types in (("dispatched", ["DISPATCH"]), ("closed", ["CLOSE", "DIRECT"])):
            chosen = self.truth.events.filter(
                pl.col("type").is_in([type_number(word) for word in types])
                & (pl.col("role").is_null() | (pl.col("role") == LEAD))
            )
            first = chosen.group_by("case").agg(pl.col("at").min())
            found[name] = np.full(len(self.truth.cases), _NEVER)
            found[name][first["case"].to_numpy()] = first["at"].to_numpy()
        return found

    @cached_property
    def _lines(self) -> dict[str, pl.DataFrame]:
        """Events that stand on the lines of their cases, by type: one row per case."""
        on_line = self.truth.routed.filter(pl.col("way") == 1)
        parts = on_line.partition_by("type", as_dict=True)
        return {
            EVENT_TYPES[key[0]]: part.unique("case", keep="first", maintain_order=True) for key, part in parts.items()
        }

    @cached_property
    def _versions(self) -> dict[int, pl.DataFrame]:
        """By hotline: the days on which each case's line is sent, because it is new or has changed."""
        new = pl.DataFrame({"case": np.arange(len(self.truth.cases)), "day": self.truth.cases.received // DAY})
        changed = [part.select("case", day=pl.col("at") // DAY) for part in self._lines.values()]
        seen = pl.concat([new, *changed]).unique(maintain_order=False).sort("day", "case")
        seen = seen.with_columns(feed=pl.Series(self.truth.cases.feed[seen["case"].to_numpy()]))
        return {key[0]: part for key, part in seen.partition_by("feed", as_dict=True).items()}

    def rows(self, feed: Feed) -> pl.DataFrame:
        """Lines of the hotline's cases, one per day on which a line is new or has changed, as of that day's end."""
        place = [sender.feed.code for sender in self.truth.senders.senders].index(feed.code)
        versions = self._versions.get(place, pl.DataFrame(schema={"case": pl.Int64, "day": pl.Int64}))
        case, day = versions["case"].to_numpy(), versions["day"].to_numpy()
        cases, as_of = self.truth.cases.take(case), (day + 1) * DAY - 1
        late = self._is_orphaning(cases) & (day == cases.received // DAY)
        frame = (
            pl.DataFrame({DAY_COLUMN: day + late})
            .hstack(case_texts(self.truth.city, cases))
            .hstack(self._plain(feed, cases, case))
        )
        frame = frame.hstack(self._state(case, cases, as_of)).hstack(self._line(feed, case, as_of))
        return frame.sort(DAY_COLUMN, "source_updated_at", "case_no", maintain_order=True)

    def _is_orphaning(self, cases: Cases) -> np.ndarray:
        """A few cases arrive a day after their first events."""
        has_log = np.array([sender.delivery("event") is not None for sender in self.truth.senders.senders])
        return has_log[cases.feed] & (cases.dice[:, 17] < 65.536 * _ORPHAN_PER_MILLE)

    def _plain(self, feed: Feed, cases: Cases, case: np.ndarray) -> pl.DataFrame:
        """What of a case never changes."""
        dice, city = cases.dice, self.truth.city
        district_only = dice[:, 14] % 100 < 12
        phone = phones(cases.caller)
        codes = np.array([sender.feed.code for sender in self.truth.senders.senders])
        has_upstream = cases.upstream >= 0
        upstream = np.where(has_upstream, cases.upstream, 0)
        return pl.DataFrame(
            {
                "case_no": self.truth.numbers(case),
                "received_at": cases.received,
                "request_type": np.array(REQUEST_TYPES)[cases.request_type],
                "urgency": np.array(URGENCIES)[cases.urgency],
                "category_code": city.leaf[cases.leaf].astype(str),
                "leaf_name": city.leaf_name[cases.leaf].astype(str),
                "branch_name": city.branch_name[cases.leaf].astype(str),
                "root_name": city.root_name[cases.leaf].astype(str),
                "channel": pick(_CHANNELS.get(feed.group, ["电话"]), dice[:, 15]),
                "area_code": np.where(district_only, city.district[cases.town], city.town[cases.town]).astype(str),
                **self._coordinates(cases),
                "caller_phone": phone.scatter(np.flatnonzero(dice[:, 18] % 100 < 3), None),
                "is_confidential": dice[:, 14] % 1000 >= 940,
                "dispatch_source": pick(_SOURCES.get(feed.group, ["city"]), dice[:, 9]),
                "upstream_feed_code": text_where(has_upstream, codes[self.truth.cases.feed[upstream]]),
                "upstream_case_no": text_where(has_upstream, self.truth.cases.number[upstream]),
                "repeat_no": text_where(cases.repeat_of >= 0, self.truth.cases.number[cases.repeat_of]),
                "dice": dice[:, 20],
                "more_dice": dice[:, 21],
            }
        )

    def _coordinates(self, cases: Cases) -> dict[str, pl.Series]:
        """A place in the town's own tile of the map; one in two hundred is rounded to a whole degree."""
        tile = cases.town.astype(float)
        longitude = 118.5 + (tile * 0.618034 % 1) * 2.1 + cases.dice[:, 12] / 2_000_000
        latitude = 29.3 + (tile * 0.414214 % 1) * 1.2 + cases.dice[:, 13] / 2_000_000
        is_rounded, is_blank = cases.dice[:, 11] % 200 == 0, cases.dice[:, 11] % 5 == 1
        both = {"longitude": longitude, "latitude": latitude}
        return {
            name: pl.Series(np.where(is_rounded, values.round(0), values.round(6))).scatter(
                np.flatnonzero(is_blank), None
            )
            for name, values in both.items()
        }

    def _state(self, case: np.ndarray, cases: Cases, as_of: np.ndarray) -> pl.DataFrame:
        """Status as of a moment, how the case was taken, and the last change."""
        dispatched, closed = self._moments["dispatched"][case], self._moments["closed"][case]
        mode = cases.accept_mode
        status = np.select(
            [mode == TRANSFERRED, mode == REJECTED, mode == MERGED, closed <= as_of, dispatched <= as_of],
            ["transferred", "rejected", "merged", "closed", "dispatched"],
            "received",
        )
        changes = [np.where(moment <= as_of, moment, 0) for moment in (dispatched, closed)]
        return pl.DataFrame(
            {
                "status": status,
                "accept_mode": text_where(mode != MERGED, np.array([*ACCEPT_MODES, ""])[mode]),
                "is_closed": closed <= as_of,
                "source_updated_at": np.maximum.reduce([cases.received, *changes]),
            }
        )

    def _line(self, feed: Feed, case: np.ndarray, as_of: np.ndarray) -> pl.DataFrame:
        """What the line says of handling: columns such as ``DISPATCH.occurred_at``."""
        line = pl.DataFrame({"case": case, "as_of": as_of})
        for milestone in next(d for d in feed.deliveries if d.kind == "case").milestones:
            name = milestone.event_type
            told = self._lines.get(name, self.truth.routed.clear())
            part = pl.DataFrame(
                {
                    "case": told["case"],
                    f"{name}.occurred_at": told["at"],
                    f"{name}.unit_name": self.truth.spellings.write(
                        *(told[name].to_numpy() for name in ("unit", "case", "at", "name_dice"))
                    ),
                    f"{name}.unit_role": told["role"],
                    f"{name}.due_at": pl.select(pl.when(told["due"] >= 0).then(told["due"])).to_series(),
                }
            )
            joined = line.join(part, on="case", how="left", maintain_order="left")
            is_known = pl.col(f"{name}.occurred_at") <= pl.col("as_of")
            line = joined.with_columns(
                pl.when(is_known).then(pl.col(column)).alias(column) for column in part.columns[1:]
            )
        return line.drop("case", "as_of")

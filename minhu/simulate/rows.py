"""The truth as rows of the canonical layout: what each delivery has to say of each day, in order of time."""

from functools import lru_cache

import numpy as np
import polars as pl

from minhu.feeds import Delivery, Feed
from minhu.feeds.canonical import EVENT_TYPES
from minhu.simulate.callbacks import CONTACTS, RESOLUTIONS, UNRATED, satisfaction_codes
from minhu.simulate.lines import DAY_COLUMN, CaseLines
from minhu.simulate.notes import COMPLAINTS, event_notes
from minhu.simulate.texts import pick, text_where
from minhu.simulate.truth import Truth
from minhu.simulate.worktime import DAY


def rows_of(truth: Truth, feed: Feed, delivery: Delivery) -> pl.DataFrame:
    """What a delivery has to say of the whole span, in canonical columns and in the order of its files."""
    if delivery.kind == "event":
        return _event_rows(truth, feed)
    if delivery.kind == "callback":
        return _callback_rows(truth, feed, delivery)
    return _lines(truth).rows(feed)


@lru_cache(maxsize=1)
def _lines(truth: Truth) -> CaseLines:
    """The lines of a truth, which its feeds share."""
    return CaseLines(truth)


def _event_rows(truth: Truth, feed: Feed) -> pl.DataFrame:
    """Events that ``feed`` tells: its own cases', or as a response channel every hotline's."""
    part = truth.by_carrier.get(truth.feeds.index(feed), truth.routed.clear())
    case, kind = part["case"].to_numpy(), part["type"].to_numpy()
    day = pl.Series(part["day"])
    codes = np.array([sender.feed.code for sender in truth.senders.senders])
    count = pl.int_range(1, pl.len() + 1).over("day").cast(pl.String).str.zfill(7)
    number = part.select(pl.concat_str(pl.from_epoch("day", "d").dt.strftime("%Y%m%d"), count)).to_series()
    due = pl.when(part["due"] >= 0).then(part["due"])
    frame = pl.DataFrame(
        {
            DAY_COLUMN: day,
            "case_feed_code": codes[truth.cases.feed[case]],
            "case_no": truth.numbers(case),
            "source_event_no": number,
            "event_type": np.array(EVENT_TYPES)[kind],
            "occurred_at": part["at"],
            "unit_name": truth.spellings.write(
                part["unit"].to_numpy(), case, part["at"].to_numpy(), part["name_dice"].to_numpy()
            ),
            "unit_role": part["role"],
            "due_at": pl.select(due).to_series(),
            "result_code": part["result"],
            "reason_code": part["reason"],
            "note": event_notes(kind, truth.cases.caller[case], (part["name_dice"].to_numpy() * 9973).astype(int)),
            "dice": truth.cases.dice[case, 20] if len(case) else np.zeros(0, np.uint16),
        }
    )
    return frame.with_columns(limit_kind=pl.when(pl.col("due_at").is_not_null()).then(pl.lit("close")))


def _callback_rows(truth: Truth, feed: Feed, delivery: Delivery) -> pl.DataFrame:
    codes = [sender.feed.code for sender in truth.senders.senders]
    own = truth.callbacks.where(truth.cases.feed[truth.callbacks.case] == codes.index(feed.code))
    scale = delivery.mapping("satisfaction_scale").value or "five"
    dice = truth.cases.dice[own.case]
    moods = satisfaction_codes(scale)
    mood = moods[np.maximum(own.mood, 0)]
    kinder = moods[np.maximum(own.mood - (dice[:, 9] % 3 > 0), 0)]  # two of three speak better of people than of it
    unhappy = own.mood >= 3
    frame = pl.DataFrame(
        {
            DAY_COLUMN: own.at // DAY,
            "case_feed_code": feed.code,
            "case_no": truth.numbers(own.case),
            "unit_name": truth.spellings.write(own.unit, own.case, own.at, dice[:, 19] / 65_536),
            "round": own.round,
            "called_at": own.at,
            "channel": pick(["电话", "电话", "短信", "微信"], dice[:, 10]),
            "is_reached": own.is_reached,
            "reach_code": np.where(own.is_reached, "reached", "unreachable"),
            "contact_code": np.array(CONTACTS)[own.contact],
            "resolution_code": np.array(RESOLUTIONS)[own.resolution],
            "satisfaction_scale": scale,
            "satisfaction_code": np.where(own.mood == UNRATED, "unrated", mood),
            "attitude_code": np.where(own.mood == UNRATED, "unrated", kinder),
            "reason": text_where(unhappy, pick(COMPLAINTS, dice[:, 16]).to_numpy()),
            "dice": dice[:, 20],
        }
    )
    return frame.sort("called_at", "case_no", "round", maintain_order=True)

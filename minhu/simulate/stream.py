"""The stream of cases: when, on which hotline, by whom, about what, where; and how the hotline took each of them."""

from dataclasses import dataclass, fields
from datetime import date

import numpy as np
import polars as pl

from minhu.feeds.canonical import ACCEPT_MODES, REQUEST_TYPES
from minhu.simulate.city import FOCUS_DISTRICT, City
from minhu.simulate.senders import Senders
from minhu.simulate.worktime import DAY, day_number

DICE = 24
_HOURS = np.array([5, 4, 3, 3, 3, 5, 10, 26, 62, 92, 94, 78, 52, 58, 80, 88, 84, 72, 52, 44, 38, 30, 18, 9], float)
_WEEKDAYS = np.array([1.16, 1.1, 1.08, 1.06, 1.04, 0.8, 0.76])
_HOLIDAY = 0.7
_TYPES = {"consult": 26, "help": 28, "suggest": 7, "complaint": 27, "report": 6, "praise": 2, "invalid": 3, "other": 1}
_DIRECT = {
    "consult": 0.62,
    "help": 0.12,
    "suggest": 0.15,
    "complaint": 0.04,
    "report": 0.02,
    "praise": 0.9,
    "invalid": 0.4,
    "other": 0.4,
}
_REJECTED = {"invalid": 0.6, "report": 0.02, "complaint": 0.015, "help": 0.01}
_SEASONS = {
    "0701": {6: 1.4, 8: 1.8, 9: 1.5},
    "0902": {7: 1.7, 8: 1.8, 1: 1.3},
    "1202": {6: 2.2, 7: 1.6},
    "0601": {5: 1.3},
}
_SEASONS |= {
    "0703": {10: 1.5, 5: 1.4},
    "1402": {10: 1.3, 4: 1.5},
    "0401": {1: 1.8, 12: 1.4},
    "0802": {11: 1.5, 12: 1.6},
}
DIRECT, DISPATCHED, TRANSFERRED, REJECTED = range(len(ACCEPT_MODES))
MERGED = len(ACCEPT_MODES)
"""Taken together with an earlier case at intake; no accept_mode of the vocabulary says it."""
_KEPT = 0.15
"""Of what is handed on: the first hotline has dispatched it already, so two hotlines have the matter."""


@dataclass
class Cases:
    """One place per case, in order of receipt. Times are seconds on the city's clock; links are places, −1 for none."""

    feed: np.ndarray
    received: np.ndarray
    leaf: np.ndarray
    town: np.ndarray
    request_type: np.ndarray
    urgency: np.ndarray
    accept_mode: np.ndarray
    caller: np.ndarray
    upstream: np.ndarray
    repeat_of: np.ndarray
    dice: np.ndarray
    """case × DICE random numbers: whatever is written of a case follows from them, however often it is written."""
    number: np.ndarray

    def __len__(self) -> int:
        return len(self.feed)

    def take(self, places: np.ndarray) -> "Cases":
        return Cases(**{field.name: getattr(self, field.name)[places] for field in fields(self)})


def second_numbers(cases: Cases) -> np.ndarray:
    """Cases of a second hotline whose first keeps the matter and dispatches it too."""
    return np.flatnonzero((cases.upstream >= 0) & (cases.accept_mode[cases.upstream] == DISPATCHED))


def draw_cases(city: City, senders: Senders, start: date, days: int, per_day: int, rng: np.random.Generator) -> Cases:
    """All cases of the span, about ``per_day`` a day; every hotline has one on every day."""
    transfers = _transfer_share(senders)
    feed, received = _arrivals(city, senders, start, days, round(per_day * (1 - transfers)), rng)
    count = len(feed)
    town = _towns(city, senders, feed, rng)
    leaf = _leaves(city, senders, feed, town, received, rng)
    _hot_topics(city, senders, feed, received, leaf, town, rng)
    cases = Cases(
        feed=feed,
        received=received,
        leaf=leaf,
        town=town,
        request_type=_masked_choice(
            np.array([_TYPES[name] for name in REQUEST_TYPES], float), senders.request_types, feed, rng
        ),
        urgency=_urgencies(senders, feed, rng),
        accept_mode=np.full(count, DISPATCHED),
        caller=rng.integers(0, max(count * 6 // 10, 1), count),
        upstream=np.full(count, -1),
        repeat_of=np.full(count, -1),
        dice=rng.integers(0, 1 << 16, (count, DICE), dtype=np.uint16),
        number=np.empty(count, object),
    )
    _repeats(senders, cases, rng)
    _heavy_callers(senders, cases, rng)
    cases.accept_mode = _accept_modes(senders, cases, rng)
    cases = _with_transfers(
        city, senders, cases, round(count * transfers / (1 - transfers)), (day_number(start) + days) * DAY, rng
    )
    cases.number = _numbers(senders, cases)
    return cases


def _transfer_share(senders: Senders) -> float:
    return 0.015 if _can_send(senders).any() and _can_receive(senders).any() else 0.0


def _can_send(senders: Senders) -> np.ndarray:
    return senders.accept_modes[:, TRANSFERRED]


def _can_receive(senders: Senders) -> np.ndarray:
    return senders.flag("receives_transfers")


def _arrivals(
    city: City, senders: Senders, start: date, days: int, per_day: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Hotline and moment of every call, by day, weekday, holiday and hour."""
    day = day_number(start) + np.arange(days)
    weekday = (day + 3) % 7  # 1970-01-01 was a Thursday
    is_workday = city.clock.is_workday[day - city.clock.first]
    busy = np.where(is_workday | (weekday >= 5), _WEEKDAYS[weekday], _WEEKDAYS[weekday] * _HOLIDAY)
    busy = busy * rng.uniform(0.95, 1.05, days)
    wanted = np.maximum(np.round(per_day * days * busy / busy.sum()).astype(int), len(senders))
    counts = np.array([1 + rng.multinomial(total - len(senders), senders.share) for total in wanted])
    feed = np.tile(np.repeat(np.arange(len(senders)), 1), days).repeat(counts.ravel())
    midnight = (day * DAY).repeat(wanted)
    hour = rng.choice(24, len(feed), p=_HOURS / _HOURS.sum())
    received = midnight + hour * 3600 + rng.integers(0, 3600, len(feed))
    order = np.lexsort((feed, received))
    return feed[order], received[order]


def _towns(city: City, senders: Senders, feed: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    town = rng.choice(len(city.town), len(feed), p=city.town_weight)
    for sender in np.flatnonzero(~senders.town_allowed.all(axis=1)):
        own = feed == sender
        weights = city.town_weight * senders.town_allowed[sender]
        town[own] = rng.choice(len(city.town), own.sum(), p=weights / weights.sum())
    return town


def _leaves(
    city: City, senders: Senders, feed: np.ndarray, town: np.ndarray, received: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """What each case is about: by hotline and month; in the example district also evenly over the departments."""
    leaf = np.zeros(len(feed), dtype=np.int64)
    month = (received // DAY).astype("datetime64[D]").astype("datetime64[M]").astype(int) % 12 + 1
    for number in np.unique(month):
        season = np.ones(len(city.leaf))
        for branch, factors in _SEASONS.items():
            season[[code.startswith(branch) for code in city.leaf]] = factors.get(int(number), 1)
        for sender in range(len(senders)):
            own = (feed == sender) & (month == number)
            weights = senders.leaf_weight[sender] * season
            leaf[own] = rng.choice(len(city.leaf), own.sum(), p=weights / weights.sum())
    levelled = senders.is_general[feed] & (city.district[town] == FOCUS_DISTRICT) & (rng.random(len(feed)) < 0.5)
    leaf[levelled] = rng.choice(len(city.leaf), levelled.sum(), p=city.levelled_weight)
    return leaf


def _hot_topics(
    city: City,
    senders: Senders,
    feed: np.ndarray,
    received: np.ndarray,
    leaf: np.ndarray,
    town: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """For some days many call about the same thing in the same place."""
    day = received // DAY
    for _ in range(1 + (day[-1] - day[0]) // 7):
        first = rng.integers(day[0], day[-1] + 1)
        topic, place = rng.choice(len(city.leaf), p=city.leaf_weight), rng.choice(len(city.town), p=city.town_weight)
        caught = (day >= first) & (day < first + rng.integers(1, 5)) & (rng.random(len(feed)) < 0.035)
        caught &= senders.is_general[feed] & senders.town_allowed[feed, place]
        leaf[caught], town[caught] = topic, place


def _masked_choice(weights: np.ndarray, allowed: np.ndarray, feed: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A choice by ``weights`` for each case, among what its hotline has a word for."""
    masked = weights * allowed
    steps = np.cumsum(masked, axis=1)[feed]
    return (rng.random((len(feed), 1)) * steps[:, -1:] >= steps).sum(axis=1)


def _urgencies(senders: Senders, feed: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _masked_choice(np.array([93.5, 5.7, 0.8]), senders.urgencies, feed, rng)


def _repeats(senders: Senders, cases: Cases, rng: np.random.Generator) -> None:
    """One case in twenty is the same caller's, about the same matter, on the same hotline, within ten days or so."""
    chosen = rng.random(len(cases)) < 0.055
    for sender in range(len(senders)):
        own = np.flatnonzero(cases.feed == sender)
        later = np.flatnonzero(chosen[own])
        if not len(later):
            continue
        earlier = (later * (1 - rng.beta(1, 6, len(later)))).astype(int)
        fresh = (earlier < later) & ~chosen[own[earlier]]
        place, source = own[later[fresh]], own[earlier[fresh]]
        near = cases.received[place] - cases.received[source] < 12 * DAY
        place, source = place[near], source[near]
        cases.repeat_of[place] = source
        for name in ("caller", "leaf", "town", "request_type"):
            getattr(cases, name)[place] = getattr(cases, name)[source]


def _heavy_callers(senders: Senders, cases: Cases, rng: np.random.Generator) -> None:
    """Somebody calls the busiest hotline dozens of times in a day, about one thing."""
    own = np.flatnonzero((cases.feed == senders.busiest) & (cases.repeat_of < 0))
    is_source = np.isin(own, cases.repeat_of)
    own = own[~is_source]
    for _ in range(1 + len(cases) // 12_000):
        if len(own) < 200:
            return
        day = cases.received[rng.choice(own)] // DAY
        today = own[cases.received[own] // DAY == day]
        calls = rng.choice(today, min(len(today) // 4, int(rng.integers(24, 60))), replace=False)
        first = calls.min() if len(calls) else None
        if first is not None:
            cases.caller[calls], cases.leaf[calls], cases.town[calls] = (
                cases.caller[first],
                cases.leaf[first],
                cases.town[first],
            )


def _accept_modes(senders: Senders, cases: Cases, rng: np.random.Generator) -> np.ndarray:
    """Answered at once, refused at intake, handed to an emergency number, or dispatched to a unit."""
    direct = np.array([_DIRECT[name] for name in REQUEST_TYPES])[cases.request_type]
    rejected = np.array([_REJECTED.get(name, 0.0) for name in REQUEST_TYPES])[cases.request_type]
    allowed = senders.accept_modes[cases.feed]
    roll = rng.random(len(cases))
    mode = np.full(len(cases), DISPATCHED)
    mode[(roll < direct) & (cases.urgency == 0) & allowed[:, DIRECT]] = DIRECT
    mode[(roll > 1 - rejected) & allowed[:, REJECTED]] = REJECTED
    emergency = senders.carry("TRANSFER_EMERGENCY")[cases.feed] & allowed[:, TRANSFERRED]
    mode[emergency & (rng.random(len(cases)) < 0.003)] = TRANSFERRED
    mergeable = senders.carry("MERGE")[cases.feed] & (cases.repeat_of >= 0) & (rng.random(len(cases)) < 0.35)
    mode[mergeable] = MERGED
    return mode


def _with_transfers(
    city: City, senders: Senders, cases: Cases, wanted: int, end: int, rng: np.random.Generator
) -> Cases:
    """Adds the receiving hotline's case for those that the first hands on to the competent one, or tells it of."""
    sent = _handed_on(senders, cases, wanted, rng)
    copy = cases.take(sent)
    copy.feed = _receivers(senders, copy)
    copy.upstream = sent
    is_kept = rng.random(len(sent)) < _KEPT
    copy.received = copy.received + rng.integers(180, np.where(is_kept, 3600, 4 * 3600))
    arrives = (copy.feed >= 0) & (copy.received < end)
    copy = copy.take(np.flatnonzero(arrives))
    cases.accept_mode[sent[arrives & ~is_kept]] = TRANSFERRED
    copy.request_type = np.where(
        senders.request_types[copy.feed, copy.request_type],
        copy.request_type,
        senders.request_types[copy.feed].argmax(axis=1),
    )
    copy.urgency = np.where(senders.urgencies[copy.feed, copy.urgency], copy.urgency, 0)
    copy.accept_mode = np.full(len(copy), DISPATCHED)
    both = Cases(**{f.name: np.concatenate([getattr(cases, f.name), getattr(copy, f.name)]) for f in fields(Cases)})
    order = np.lexsort((both.feed, both.received))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    both = both.take(order)
    for name in ("upstream", "repeat_of"):
        link = getattr(both, name)
        setattr(both, name, np.where(link >= 0, place[link], -1))
    return both


def _handed_on(senders: Senders, cases: Cases, wanted: int, rng: np.random.Generator) -> np.ndarray:
    is_original = ~np.isin(np.arange(len(cases)), cases.repeat_of) & (cases.repeat_of < 0)
    may = _can_send(senders)[cases.feed] & (cases.accept_mode == DISPATCHED) & is_original
    places = np.flatnonzero(may)
    return np.sort(rng.choice(places, min(wanted, len(places)), replace=False))


def _receivers(senders: Senders, cases: Cases) -> np.ndarray:
    """The special hotline for the matter where there is one, else the busiest; −1 where that is the sender itself."""
    special = np.flatnonzero(_can_receive(senders) & ~senders.is_general)
    fit = (
        senders.leaf_weight[special][:, cases.leaf] * senders.town_allowed[special][:, cases.town]
        if len(special)
        else None
    )
    hub = senders.busiest if _can_receive(senders)[senders.busiest] else -1
    target = np.full(len(cases), hub)
    if fit is not None:
        target = np.where(fit.max(axis=0) > 0, special[fit.argmax(axis=0)], target)
    target = np.where(target == cases.feed, hub, target)
    return np.where(target == cases.feed, -1, target)


def _numbers(senders: Senders, cases: Cases) -> np.ndarray:
    """Each hotline counts the cases of a day; national ones write 18 digits, so two of them share numbers."""
    prefix = [
        "3301" if sender.feed.group == "national" else f"{sender.feed.group[0].upper()}{at:02d}"
        for at, sender in enumerate(senders.senders)
    ]
    day = (cases.received // DAY).astype("datetime64[D]")
    frame = pl.DataFrame({"feed": cases.feed, "day": day, "prefix": np.array(prefix)[cases.feed]})
    count = pl.int_range(1, pl.len() + 1).over("feed", "day").cast(pl.String).str.zfill(6)
    return frame.select(pl.concat_str("prefix", pl.col("day").dt.strftime("%Y%m%d"), count))["prefix"].to_numpy()

"""What each hotline can say: read off its declarations, so that the city tells it nothing it could not deliver."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import yaml

from minhu.feeds import Delivery, Feed
from minhu.feeds.canonical import ACCEPT_MODES, EVENT_TYPES, REQUEST_TYPES, URGENCIES, Kind
from minhu.simulate.city import City

UNIT_ACTIONS = frozenset({"SIGN", "FIRST_CONTACT", "RETURN_REQUEST", "EXTEND_REQUEST", "REPLY", "CLOSE", "APPEAL"})
"""What a unit does itself; where the hotline's own files do not tell it, the unit's response channel does."""


@dataclass(frozen=True)
class Sender:
    """One hotline and its deliveries."""

    feed: Feed

    def delivery(self, kind: Kind) -> Delivery | None:
        return next((delivery for delivery in self.feed.deliveries if delivery.kind == kind), None)

    @cached_property
    def case(self) -> Delivery:
        return next(delivery for delivery in self.feed.deliveries if delivery.kind == "case")

    def words(self, kind: Kind, column: str) -> frozenset[str] | None:
        """The codes that a column can carry; None: anything; empty: the column is not sent."""
        delivery = self.delivery(kind)
        mapping = delivery.columns.get(column) if delivery else None
        if mapping is None:
            return frozenset()
        return frozenset(filter(None, mapping.map.values())) if mapping.map else None

    def way(self, event_type: str) -> str | None:
        """How an event travels: on the case's ``line``, in the hotline's ``log``, by ``response``, or not at all."""
        if any(milestone.event_type == event_type for milestone in self.case.milestones):
            return "line"
        words = self.words("event", "event_type")
        if words is None or event_type in words:
            return "log"
        return "response" if event_type in UNIT_ACTIONS else None

    @cached_property
    def carries(self) -> frozenset[str]:
        return frozenset(event_type for event_type in EVENT_TYPES if self.way(event_type))

    @cached_property
    def receives_transfers(self) -> bool:
        return "upstream_case_no" in self.case.columns

    @cached_property
    def dispatches_on_receipt(self) -> bool:
        """Its dispatch time is the time of receipt (Open311 knows no other), so every case goes to a unit at once."""
        receipt = self.case.mapping("received_at").source
        return any(
            m.event_type == "DISPATCH" and m.columns["occurred_at"].source == receipt for m in self.case.milestones
        )


@dataclass(frozen=True)
class Senders:
    """All hotlines, one place each, and what they are called about."""

    senders: tuple[Sender, ...]
    share: np.ndarray
    leaf_weight: np.ndarray
    """sender × leaf"""
    is_general: np.ndarray
    """Called about everything."""
    town_allowed: np.ndarray
    """sender × town"""
    request_types: np.ndarray
    """sender × request type: may it be sent?"""
    urgencies: np.ndarray
    accept_modes: np.ndarray
    writes_due: np.ndarray
    """Its tickets carry a due date."""

    def __len__(self) -> int:
        return len(self.senders)

    def carry(self, *event_types: str) -> np.ndarray:
        """One flag per sender: it can tell all of these."""
        return np.array([sender.carries.issuperset(event_types) for sender in self.senders])

    def log(self, event_type: str) -> np.ndarray:
        """One flag per sender: its own log tells it, so that it can be told more than once."""
        return np.array([sender.way(event_type) == "log" for sender in self.senders])

    def flag(self, name: str) -> np.ndarray:
        return np.array([bool(getattr(sender, name)) for sender in self.senders])

    @cached_property
    def has_callbacks(self) -> np.ndarray:
        return np.array([sender.delivery("callback") is not None for sender in self.senders])

    @cached_property
    def replaces_by_dispatch(self) -> np.ndarray:
        """It writes every hand-over as a dispatch."""
        return np.array([sender.feed.another_lead == "replaces" for sender in self.senders])

    @cached_property
    def tells_return_requests(self) -> np.ndarray:
        return np.array([sender.feed.return_requests == "told" for sender in self.senders])

    @cached_property
    def tells_extension_requests(self) -> np.ndarray:
        return np.array([sender.feed.extension_requests == "told" for sender in self.senders])

    @cached_property
    def busiest(self) -> int:
        return int(self.share.argmax())


def read_senders(feeds: tuple[Feed, ...], city: City) -> Senders:
    profile = yaml.safe_load((Path(__file__).parent / "hotlines.yml").read_text(encoding="utf-8"))
    hotlines = [feed for feed in feeds if feed.role == "hotline" and any(d.kind == "case" for d in feed.deliveries)]
    senders = tuple(Sender(feed) for feed in sorted(hotlines, key=lambda feed: feed.code))
    said = [profile["feeds"].get(sender.feed.code, {}) for sender in senders]
    default = [profile["groups"].get(sender.feed.group, 3) for sender in senders]
    share = np.array([own.get("share", usual) for own, usual in zip(said, default, strict=True)], float)
    return Senders(
        senders=senders,
        share=share / share.sum(),
        leaf_weight=np.array([_leaf_weights(s, own, city) for s, own in zip(senders, said, strict=True)]),
        is_general=np.array(
            [
                "about" not in own and s.words("case", "category_code") is None
                for s, own in zip(senders, said, strict=True)
            ]
        ),
        town_allowed=np.array([_towns(sender, city) for sender in senders]),
        request_types=_allowed(senders, "request_type", REQUEST_TYPES, "other"),
        urgencies=_allowed(senders, "urgency", URGENCIES, "normal"),
        accept_modes=_allowed(senders, "accept_mode", ACCEPT_MODES, "dispatched"),
        writes_due=np.array([_writes_due(sender, at) for at, sender in enumerate(senders)]),
    )


def _leaf_weights(sender: Sender, own: dict, city: City) -> np.ndarray:
    """The leaves it is called about, and of them those it has a word for."""
    about = tuple(own.get("about", ("",)))
    weights = np.where([code.startswith(about) for code in city.leaf], city.leaf_weight, 0)
    words = sender.words("case", "category_code")
    if words:
        weights = np.where(np.isin(city.leaf, list(words)), np.maximum(weights, city.leaf_weight / 1000), 0)
    weights = weights if weights.any() else city.leaf_weight
    return weights / weights.sum()


def _towns(sender: Sender, city: City) -> np.ndarray:
    """A district's platform hears of its own towns only; the district's name stands in the feed's."""
    own = np.array([name in sender.feed.name for name in city.district_name])
    return own if own.any() else np.ones(len(city.town), bool)


def _allowed(senders: tuple[Sender, ...], column: str, codes: tuple[str, ...], otherwise: str) -> np.ndarray:
    """sender × code: may it be sent? A column that is not sent leaves only ``otherwise``."""
    rows = []
    for sender in senders:
        words = sender.words("case", column)
        sent = codes if words is None else words or {otherwise}
        rows.append([code in sent for code in codes])
    return np.array(rows)


def _writes_due(sender: Sender, at: int) -> bool:
    """Due dates stand on the ticket where the case's line holds one; of those who send a log, every second does it."""
    dispatches = [m for m in sender.case.milestones if m.event_type == "DISPATCH"]
    if dispatches:
        return "due_at" in dispatches[0].columns
    return sender.feed.limits == "ticket" or (
        at % 2 == 0 and "due_at" in (sender.delivery("event") or sender.case).columns
    )

"""What an explanation says: plain values, as ``--json`` shows them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from minhu.schemes.plain import plain
from minhu.scoring.clock_words import Clock


@dataclass(frozen=True)
class SourceRow:
    """Where a step was told: the data row (header not counted) of a delivered file.

    What a person entered has no batch: ``source_name`` says who, ``row_number`` is the number of the entry.
    """

    step_zh: str
    feed_code: str
    source_name: str
    row_number: int
    batch_id: int | None


@dataclass(frozen=True)
class UsedEvent:
    """A step of the assignment that the facts rest on. ``at`` of an extension: until when it was granted."""

    event_type: str
    event_zh: str
    at: datetime


@dataclass(frozen=True)
class UnusedEvent:
    """What was told of the case and did not count for the unit, and why."""

    event_type: str
    event_zh: str
    at: datetime
    reason_code: str
    reason_zh: str
    source_name: str
    row_number: int
    batch_id: int


@dataclass(frozen=True)
class ManualEntry:
    """Points entered by hand that are in force. ``is_counted``: of points earned only the newest entry counts."""

    manual_point_id: int
    points: Decimal
    reason: str
    evidence_ref: str
    entered_by: str
    entered_at: datetime
    approved_by: tuple[str, ...]
    is_counted: bool
    marginal: Decimal | None
    marginal_reason_zh: str | None


@dataclass(frozen=True)
class Cost:
    """One row that cost points. ``lost`` is its part of the indicator's loss, ``due_at`` the limit that was judged.

    ``marginal``: the indicator's points without the row less those it has, null where that is not defined
    (``marginal_reason_zh``); marginals do not add up to the loss. ``marginal_alike``: how many rows of the indicator
    have the same one, each by itself. ``published_row``: its number in what is published (明细号), from which an appeal
    starts; null of a score that is not. ``clock``: null where no limit was judged.
    """

    lost: Decimal
    marginal: Decimal | None
    marginal_reason_zh: str | None
    marginal_alike: int
    published_row: str | None
    subject_kind: str
    subject_id: str
    case_id: str | None
    feed_code: str
    feed_name: str
    case_no: str
    finding_zh: str
    rule_zh: str | None
    received_at: datetime | None
    dispatched_at: datetime | None
    due_at: datetime | None
    occurred_at: datetime | None
    occurred_zh: str
    clock: Clock | None
    events: tuple[UsedEvent, ...]
    unused_events: tuple[UnusedEvent, ...]
    sources: tuple[SourceRow, ...]


@dataclass(frozen=True)
class IndicatorPart:
    """One indicator, or a part of one (``part_of``). ``points`` and ``lost`` are null where nothing was due.

    The costs sum to ``lost``, unless no row of the unit fell short. ``entries``: points entered by hand, those that
    gave points too. ``compared_zh``: what the value was held against, or with which earlier rows it was counted.
    ``whole_points``: of what is made of parts, what it gives together with them. ``has_happened``: of an event, whether
    it did; its costs are the rows that made it so, each of 0.
    """

    code: str
    name_zh: str
    rule_zh: str
    aggregate: str
    is_percent: bool
    numerator: Decimal | None
    denominator: Decimal | None
    value: Decimal | None
    target: Decimal | None
    points_max: Decimal
    points: Decimal | None
    lost: Decimal | None
    wilson_low: Decimal | None
    wilson_high: Decimal | None
    funnel_flag: str | None
    shrunken_value: Decimal | None
    reference_value: Decimal | None
    compared_value: Decimal | None
    pooled_numerator: Decimal | None
    pooled_denominator: Decimal | None
    part_of: str | None
    compared_zh: str | None
    whole_points: Decimal | None
    has_happened: bool | None
    excluded_rows: int
    costs: tuple[Cost, ...]
    entries: tuple[ManualEntry, ...]


@dataclass(frozen=True)
class Explanation:
    """A unit's score in a period, taken apart.

    ``revision``: of what is published, null of the newest score. ``is_stale``: the facts were built anew since.
    """

    scheme_id: str
    scheme_version: str
    title: str
    period: str
    kind: str
    as_of: datetime
    build_id: int
    revision: int | None
    is_stale: bool
    unit_code: str
    unit_name: str
    peer_group: str
    peer_group_zh: str
    peer_group_points: Decimal
    ranked_in_group: int
    raw_points: Decimal | None
    score_100: Decimal | None
    assessed_points: Decimal | None
    band: str | None
    rank_in_group: int | None
    not_ranked_reason: str | None
    listed_on: str | None
    shows_ranks: bool
    shows_shrunken: bool
    indicators: tuple[IndicatorPart, ...]

    def as_json(self) -> dict:
        """Plain values for ``json.dumps``; points as decimal strings."""
        return plain(self)

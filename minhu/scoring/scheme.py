"""What a scheme is: a published rule set (考核办法) as data, the strict model of one file in ``config/schemes/``.

A scheme says whom it scores (peer groups with the points they carry), over which periods, by which indicators, and
which time limits bind. An **indicator** combines a measure (what is counted), a moment (what puts a row into the
period) and a scoring function (how the count becomes points). ``valid_to`` is the first day without, as in
the register.

A number that no public source gives carries ``example: true``. The version of a scheme is a hash of its content, so a
changed rule can never pass for the one that was published.
"""

import hashlib
import json
from datetime import date
from decimal import Decimal
from functools import cached_property
from itertools import combinations, pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainSerializer, StringConstraints, model_validator

from minhu.declaration import Declared, read_declaration
from minhu.errors import BadDeclaration
from minhu.feeds.canonical import REQUEST_TYPES, URGENCIES
from minhu.feeds.feed import ZoneName
from minhu.scoring.catalogue import Measure, Moment, measures
from minhu.scoring.period import Period, PeriodKind

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,40}$")]
CategoryCode = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]+$")]
Number = Annotated[
    Decimal,
    Field(max_digits=12, decimal_places=6),
    PlainSerializer(lambda value: f"{value.normalize():f}", return_type=str),
]
"""Exact; written as text without trailing zeros, so that 95 and 95.0 make one version."""
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Percent = Annotated[Number, Field(ge=0, le=100)]


class Proportional(Declared):
    """Points in proportion to the rate, full from the target on: points × rate ÷ target."""

    function: Literal["proportional"]
    target: Annotated[Percent, Field(gt=0)] = Decimal(100)

    @property
    def text_zh(self) -> str:
        full = "" if self.target == 100 else f"，达到 {self.target}% 得满分"
        return f"按比例得分{full}"


class LinearDeduction(Declared):
    """Full points at the target; ``per_point`` off for each percentage point short of it, not below ``floor``."""

    function: Literal["linear_deduction"]
    target: Percent
    per_point: Positive
    floor: NotNegative = Decimal(0)
    better: Literal["higher", "lower"] = "higher"

    @property
    def text_zh(self) -> str:
        side = "低于" if self.better == "higher" else "高于"
        return f"目标 {self.target}%，每{side}目标 1 个百分点扣 {self.per_point} 分，最低 {self.floor} 分"


class PerItemDeduction(Declared):
    """``per_item`` off for each item found, ``cap`` at most."""

    function: Literal["per_item_deduction"]
    per_item: Positive
    cap: Positive

    @property
    def text_zh(self) -> str:
        return f"每件扣 {self.per_item} 分，最多扣 {self.cap} 分"


Scoring = Annotated[Proportional | LinearDeduction | PerItemDeduction, Field(discriminator="function")]


def _known_measure(code: str) -> str:
    if code not in measures():
        raise ValueError(f"there is no measure {code!r}; the catalogue has {', '.join(measures())}")
    return code


class Indicator(Declared):
    """One line of the scheme's table. ``points: 0`` makes a pure deduction."""

    code: Code
    name_zh: str
    measure: Annotated[str, AfterValidator(_known_measure)]
    moment: Moment
    aggregate: Literal["rate", "count"] = "rate"
    """``rate``: the numerator in percent of the denominator; ``count``: the numerator itself."""
    points: NotNegative
    scoring: Scoring
    note: str | None = None
    example: bool = False

    @property
    def counts(self) -> Measure:
        return measures()[self.measure]

    @property
    def is_lower_better(self) -> bool:
        return self.scoring.function == "per_item_deduction" or getattr(self.scoring, "better", "higher") == "lower"

    @model_validator(mode="after")
    def _fits(self) -> "Indicator":
        by_item = self.scoring.function == "per_item_deduction"
        offered = self.counts.moments
        if self.moment not in offered:
            raise ValueError(f"the measure {self.measure} has no {self.moment}; it has {', '.join(offered)}")
        if by_item != (self.aggregate == "count"):
            raise ValueError("per_item_deduction goes with `aggregate: count`, every other function with `rate`")
        if not by_item and not self.points:
            raise ValueError(f"{self.scoring.function} needs points above 0; only a per_item_deduction may have none")
        if by_item and self.points and self.scoring.cap > self.points:
            raise ValueError(f"the cap {self.scoring.cap} is above the points {self.points}")
        if getattr(self.scoring, "floor", 0) > self.points:
            raise ValueError(f"the floor {self.scoring.floor} is above the points {self.points}")
        return self


class PeerGroup(Declared):
    """Units that are compared with each other. ``points``: what the item weighs in their yearly assessment."""

    code: Code
    name_zh: str
    points: Positive
    example: bool = False


class Band(Declared):
    """A grade (分档): everybody with at least so many of 100."""

    name_zh: str
    at_least: Percent
    example: bool = False


class Rounding(Declared):
    """Each component is rounded first, then they are added; a half goes up (away from zero)."""

    mode: Literal["half_up"] = "half_up"
    order: Literal["components_first"] = "components_first"
    decimals: Annotated[int, Field(ge=0, le=6)] = 2
    example: bool = False


class Basis(Declared):
    """Where the scheme is written: title, document number, article, and what was read there."""

    title: str
    number: str | None = None
    article: str | None = None
    note: str | None = None


LimitUnit = Literal["workday", "work_hour", "work_minute", "day", "hour", "minute"]
"""Working days end at 24:00. Working hours and minutes count within office hours of the city, and round the clock for a
unit that is on duty round the clock. The rest is natural time."""
Amount = Annotated[int, Field(gt=0)]


class AskBefore(Declared):
    """How long before the limit an extension must be asked for; 1 workday: on an earlier working day than its last."""

    amount: Amount
    unit: Literal["workday", "day", "hour", "minute"]


class Extension(Declared):
    """What a granted extension that names no date adds to the limit in force."""

    amount: Amount
    unit: LimitUnit
    max_count: Amount | None = None
    """Later grants add nothing, unless they name a date."""
    further: Literal["add", "replace"] = "add"
    """Whether a further grant adds to the limit already extended, or again to the first one."""
    ask_before: AskBefore | None = None


class Limit(Declared):
    """A dated time limit. Of the limits of one kind the first that fits binds; an absent list fits everything."""

    limit_kind: Literal["sign", "contact", "close"]
    request_types: Annotated[tuple[Literal[*REQUEST_TYPES], ...], Field(min_length=1)] | None = None
    urgencies: Annotated[tuple[Literal[*URGENCIES], ...], Field(min_length=1)] | None = None
    categories: Annotated[tuple[CategoryCode, ...], Field(min_length=1)] | None = None
    """Each fits itself and what lies below it in the tree: 11 fits 110303."""
    linkage_levels: Annotated[tuple[Literal[1, 2], ...], Field(min_length=1)] | None = None
    amount: Amount
    unit: LimitUnit
    starts: Literal["next_day", "at_once"]
    """Counted from 24:00 of the day of dispatch, or from the moment."""
    extension: Extension | None = None
    valid_from: date | None = None
    """The scheme's own dates unless given."""
    valid_to: date | None = None
    text: str
    """The rule in words, as a unit reads it in an explanation."""
    example: bool = False

    @model_validator(mode="after")
    def _only_closing_is_extended(self) -> "Limit":
        if self.extension and self.limit_kind != "close":
            raise ValueError(f"a limit of the kind {self.limit_kind} has no extension; only one for closing has")
        return self


class Scheme(Declared):
    """One assessment scheme."""

    scheme_id: Code = Field(alias="id")
    title: str
    legal_basis: Annotated[tuple[Basis, ...], Field(min_length=1)]
    valid_from: date
    valid_to: date | None = None
    timezone: ZoneName = "Asia/Shanghai"
    periods: Annotated[dict[PeriodKind, Literal["indicative", "final"]], Field(min_length=1)]
    """What a score of each kind of period is: an indication on the way, or the final one."""
    peer_groups: Annotated[tuple[PeerGroup, ...], Field(min_length=1)]
    indicators: Annotated[tuple[Indicator, ...], Field(min_length=1)]
    bands: tuple[Band, ...] = ()
    rounding: Rounding = Rounding()
    limits: tuple[Limit, ...] = ()

    @model_validator(mode="after")
    def _coherent(self) -> "Scheme":
        for what, codes in (
            ("indicators", [indicator.code for indicator in self.indicators]),
            ("peer groups", [group.code for group in self.peer_groups]),
        ):
            if len(set(codes)) < len(codes):
                raise ValueError(f"two {what} have the same code")
        if not any(indicator.points for indicator in self.indicators):
            raise ValueError("no indicator has points; deductions alone make no score")
        if self.bands and self.bands[-1].at_least:
            raise ValueError("the last band must start at 0, so that every score has one")
        if any(upper.at_least <= lower.at_least for upper, lower in pairwise(self.bands)):
            raise ValueError("bands go from the best down")
        for first, last in (self.dates(), *map(self.dates, self.limits)):
            if last and last <= first:
                raise ValueError(f"valid_to {last} is not after valid_from {first}; it is the first day without")
        return self

    @cached_property
    def scheme_version(self) -> str:
        """The first 12 hex digits of the sha256 of the content, keys sorted."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def dates(self, limit: Limit | None = None) -> tuple[date, date | None]:
        """The first day on which the scheme, or one of its limits, is in force, and the first on which it is not."""
        narrower = (limit.valid_from, limit.valid_to) if limit else (None, None)
        return narrower[0] or self.valid_from, narrower[1] or self.valid_to

    def covers(self, period: Period) -> bool:
        """Whether the scheme scores this kind of period and is in force through all of it."""
        whole = self.valid_from <= period.first and (self.valid_to is None or period.last < self.valid_to)
        return period.kind in self.periods and whole

    def standing(self, period: Period, is_complete: bool) -> Literal["indicative", "final"]:
        """What a score of the period is worth: nothing is final while the period's data are incomplete."""
        return self.periods[period.kind] if is_complete else "indicative"

    def indicator(self, code: str) -> Indicator:
        for indicator in self.indicators:
            if indicator.code == code:
                return indicator
        offered = ", ".join(indicator.code for indicator in self.indicators)
        raise BadDeclaration(f"the scheme {self.scheme_id} has no indicator {code!r}; it has {offered}")

    def entries(self) -> list[tuple[str, str, dict]]:
        """What SQL reads, as rows (kind, key, data) of ``config.entry``."""
        whole = self.model_dump(mode="json") | {"scheme_version": self.scheme_version}
        rules = [(number, limit) for number, limit in enumerate(self.limits, start=1)]
        return [
            ("scheme", self.scheme_id, whole),
            *(("limit_rule", f"{self.scheme_id}/{number:03}", self._rule(number, limit)) for number, limit in rules),
        ]

    @classmethod
    def from_entry(cls, data: dict) -> "Scheme":
        """The scheme that ``entries`` wrote."""
        return cls.model_validate({key: value for key, value in data.items() if key != "scheme_version"})

    def _rule(self, number: int, limit: Limit) -> dict:
        first, last = self.dates(limit)
        return limit.model_dump(mode="json", exclude={"example"}) | {
            "scheme_id": self.scheme_id,
            "rule_no": number,
            "valid_from": first.isoformat(),
            "valid_to": last and last.isoformat(),
            "is_example": limit.example,
        }


def load_scheme(path: Path) -> Scheme:
    """The scheme declared in ``path``. Raises BadDeclaration naming file, line and key."""
    scheme = read_declaration(Scheme, path)
    if scheme.scheme_id != path.stem:
        raise BadDeclaration(f"{path}:1: id: the file of scheme {scheme.scheme_id!r} must be {scheme.scheme_id}.yml")
    return scheme


def load_schemes(config: Path) -> tuple[Scheme, ...]:
    """Every declared scheme, sorted by id. Raises BadDeclaration, also when limits of two schemes bind on one day.

    Which of two limits binds is decided by their order in a file; between two files there is no order.
    """
    schemes = tuple(load_scheme(path) for path in sorted((config / "schemes").glob("*.yml")))
    for one, other in combinations(schemes, 2):
        for limit in one.limits:
            if any(_overlap(one.dates(limit), other.dates(rival)) for rival in other.limits):
                path = config / "schemes" / f"{other.scheme_id}.yml"
                raise BadDeclaration(
                    f"{path}:{_line_of_limits(path)}: limits: they bind on days on which those of "
                    f"{one.scheme_id}.yml bind; keep limits in one scheme, or end one before the other begins"
                )
    return schemes


def _line_of_limits(path: Path) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, start=1) if line.startswith("limits:")), 1)


def _overlap(one: tuple[date, date | None], other: tuple[date, date | None]) -> bool:
    return one[0] < (other[1] or date.max) and other[0] < (one[1] or date.max)

"""Scoring functions: how what was counted becomes points. What each computes stands in ``minhu.schemes.arithmetic``."""

from abc import abstractmethod
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from minhu.declaration import Declared
from minhu.declaration.slips import Wrong
from minhu.glossary.law import CHOICE
from minhu.schemes import arithmetic
from minhu.schemes.arithmetic import Terms
from minhu.schemes.language.values import (
    Entry,
    NotNegative,
    Number,
    Percent,
    Positive,
    PositivePercent,
    SignedWeight,
    Varying,
    Weight,
    constant,
    written,
)

Better = Literal["higher", "lower"]


def said(number: Decimal | None) -> str:
    """A number as a rule says it, without trailing zeros."""
    return "" if number is None else f"{number.normalize():f}"


class Function(Declared):
    """Base of all. ``varies``: its numbers that may differ by peer group and date."""

    varies: ClassVar[tuple[str, ...]] = ()
    of_counts: ClassVar[bool] = False
    """Whether it looks at a number of items and not at a rate."""

    @property
    def is_lower_better(self) -> bool:
        return False

    @abstractmethod
    def points(self, value: Fraction, terms: Terms) -> Fraction:
        """Points for ``value``: a rate in percent, or a count. Not rounded."""

    @abstractmethod
    def text_zh(self, terms: Terms) -> str:
        """The rule in words."""


class Proportional(Function):
    """Points in proportion to the rate, full from the target on: points × rate ÷ target."""

    varies: ClassVar[tuple[str, ...]] = ("target",)
    function: Literal["proportional"]
    target: Varying[Entry[PositivePercent]] = constant(Entry[PositivePercent], 100)

    def points(self, value: Fraction, terms: Terms) -> Fraction:
        return arithmetic.proportional(value, terms)

    def text_zh(self, terms: Terms) -> str:
        full = "" if terms.target == 100 else f"，达到 {said(terms.target)}% 得满分"
        return f"按比例得分{full}"


class LinearDeduction(Function):
    """Full points at the target; ``per_point`` off for each percentage point short of it, not below ``floor``."""

    varies: ClassVar[tuple[str, ...]] = ("target", "per_point", "floor")
    function: Literal["linear_deduction"]
    target: Varying[Entry[Percent]]
    per_point: Varying[Entry[Positive]]
    floor: Varying[Entry[NotNegative]] = constant(Entry[NotNegative], 0)
    better: Better = "higher"

    @property
    def is_lower_better(self) -> bool:
        return self.better == "lower"

    def points(self, value: Fraction, terms: Terms) -> Fraction:
        return arithmetic.linear_deduction(value, terms, self.better)

    def text_zh(self, terms: Terms) -> str:
        side = "低于" if self.better == "higher" else "高于"
        return (
            f"目标 {said(terms.target)}%，每{side}目标 1 个百分点扣 {said(terms.per_point)} 分，"
            f"最低 {said(terms.floor)} 分"
        )


class PerItemDeduction(Function):
    """``per_item`` off for each item found, ``cap`` at most."""

    varies: ClassVar[tuple[str, ...]] = ("per_item", "cap")
    of_counts: ClassVar[bool] = True
    function: Literal["per_item_deduction"]
    per_item: Varying[Entry[Positive]]
    cap: Varying[Entry[Positive]]

    @property
    def is_lower_better(self) -> bool:
        return True

    def points(self, value: Fraction, terms: Terms) -> Fraction:
        return arithmetic.per_item_deduction(value, terms)

    def text_zh(self, terms: Terms) -> str:
        return f"每件扣 {said(terms.per_item)} 分，最多扣 {said(terms.cap)} 分"


class PerItemBonus(Function):
    """``per_item`` for each item, ``cap`` at most. With ``points: 0`` it is added to the score."""

    varies: ClassVar[tuple[str, ...]] = ("per_item", "cap")
    of_counts: ClassVar[bool] = True
    function: Literal["per_item_bonus"]
    per_item: Varying[Entry[Positive]]
    cap: Varying[Entry[Positive]]

    def points(self, value: Fraction, terms: Terms) -> Fraction:
        return arithmetic.per_item_bonus(value, terms)

    def text_zh(self, terms: Terms) -> str:
        return f"每件加 {said(terms.per_item)} 分，最多加 {said(terms.cap)} 分"


class Per(Function):
    """Points for each so much above or below a line: each percentage point, each item, each place.

    ``deduct`` takes them off full points (off 0 where the indicator has none), ``add`` adds them to 0. What is not a
    whole ``size`` counts exactly, not at all or whole, as ``count`` says.
    """

    varies: ClassVar[tuple[str, ...]] = ("below", "above", "size", "deduct", "add", "free", "cap", "floor")
    function: Literal["per"]
    below: Varying[Entry[Number]] | None = None
    """Counted is by how much the value lies below this,"""
    above: Varying[Entry[Number]] | None = None
    """or above this."""
    size: Varying[Entry[Positive]] = constant(Entry[Positive], 1)
    deduct: Varying[Entry[Positive]] | None = None
    add: Varying[Entry[Positive]] | None = None
    count: Literal["exact", "whole", "started"] = "exact"
    """``whole``: only whole sizes count; ``started``: one that has begun counts whole (不足 1 个百分点的按 1 个计)."""
    free: Varying[Entry[NotNegative]] = constant(Entry[NotNegative], 0)
    """So many sizes cost nothing."""
    then: Literal["rest", "each"] = "rest"
    """Once there are more than the free ones: those beyond them count, or each does."""
    cap: Varying[Entry[Positive]] | None = None
    """At most so many points in all; without an end unless given."""
    floor: Varying[Entry[Number]] | None = None
    """Not below these; 0 of an indicator with points, without an end of one without."""

    @model_validator(mode="after")
    def _has_one_line_and_one_way(self) -> "Per":
        if (self.below is None) == (self.above is None):
            raise Wrong("per has one line: below or above", "per 要有一条线：below 或 above，只写一个")
        if (self.deduct is None) == (self.add is None):
            raise Wrong("per goes one way: deduct or add", "per 只有一个方向：deduct 或 add，只写一个")
        return self

    @property
    def is_lower_better(self) -> bool:
        return (self.above is None) == (self.deduct is None)

    def points(self, value: Fraction, terms: Terms) -> Fraction:
        return arithmetic.per(value, terms, self.count, self.then)

    def text_zh(self, terms: Terms, units: tuple[str, str] = ("", ""), compared: bool = False) -> str:
        """``units``: what stands behind the line, and behind a size. ``compared``: read is a distance from another
        value, so that 0 is a line like any other."""
        bound, unit = units
        way, amount = ("扣", terms.deduct) if self.deduct is not None else ("加", terms.add)
        size = f"{said(terms.size)}% " if unit == "%" else f"{said(terms.size)} {unit}"
        if compared and not (terms.above or terms.below):
            side = "低" if terms.below is not None else "高"
            told = [f"每{side} {size}{way} {said(amount)} 分"]
        elif terms.above == 0:
            told = [f"每 {size}{way} {said(amount)} 分"]
        else:
            side = f"低于 {said(terms.below)}" if terms.below is not None else f"超过 {said(terms.above)}"
            told = [f"{side}{bound} 的部分每 {size}{way} {said(amount)} 分"]
        told += [CHOICE.zh(self.count)] if self.count != "exact" else []
        if terms.free:
            told.append(f"{said(terms.free)} 以内不{way}，超过后计{CHOICE.zh(self.then)}")
        told += [f"最多{way} {said(terms.cap)} 分"] if terms.cap is not None else []
        told += [f"最低 {said(terms.floor)} 分"] if terms.floor is not None else []
        return "，".join(told)


class Together(Function):
    """Each part adds to the points or takes from them; the whole stays between ``floor`` and ``cap``."""

    varies: ClassVar[tuple[str, ...]] = ("floor", "cap")
    function: Literal["together"]
    starts: Literal["full", "zero"] = "full"
    """Whether parts change full points, or what they earn from 0 on."""
    floor: Varying[Entry[Number]] | None = None
    """Not below these; 0 of an indicator with points, without an end of one without."""
    cap: Varying[Entry[NotNegative]] | None = None
    """Not above these; its points unless given."""

    def points(self, value: Fraction, terms: Terms) -> Fraction:
        """``value``: what the parts change."""
        return arithmetic.together(value, terms, self.starts)

    def text_zh(self, terms: Terms) -> str:
        begins = f"从 {said(terms.points if self.starts == 'full' else Decimal())} 分起，" if terms.points else ""
        told = [f"{begins}各部分加减后合计"]
        told += [f"最低 {said(terms.floor)} 分"] if terms.floor is not None else ["最低 0 分"] if terms.points else []
        told += [f"最高 {said(terms.cap)} 分"] if terms.cap is not None and terms.cap != terms.points else []
        return "，".join(told)


class Weighed(Function):
    """Of a part: its value, times ``weight``, goes into the value of the whole. A weight below 0 takes it off."""

    function: Literal["weighed"]
    weight: SignedWeight = Fraction(1)

    @property
    def is_lower_better(self) -> bool:
        return self.weight < 0

    def points(self, value: Fraction, terms: Terms) -> Fraction:
        return Fraction()

    def text_zh(self, terms: Terms) -> str:
        return f"按 {written(self.weight)} 计入合成值"


class WeighedAgainst(Weighed):
    """The same of a whole whose lower values are the better ones."""

    @property
    def is_lower_better(self) -> bool:
        return self.weight > 0


class Event(Function):
    """What happened changes what becomes of the whole: a veto, a cap on the score, on the band, no place. No points."""

    varies: ClassVar[tuple[str, ...]] = ("at_least", "below", "score_at_most")
    of_counts: ClassVar[bool] = True
    function: Literal["event"]
    at_least: Varying[Entry[Positive]] | None = None
    """It happened from so many on; from one on unless given."""
    below: Varying[Entry[Positive]] | None = None
    """Of a rate: it happened where the rate lies below this."""
    score_at_most: Varying[Entry[Percent]] | None = None
    """The score of 100 is no more than this; 0: 一票否决."""
    band_at_most: str | None = None
    """The band is no better than this."""
    ranked: bool = True
    """Whether who it happened to has a place."""

    @model_validator(mode="after")
    def _does_something(self) -> "Event":
        if self.score_at_most is None and self.band_at_most is None and self.ranked:
            raise Wrong(
                "an event does something: score_at_most, band_at_most or `ranked: false`",
                "event 要有结果：score_at_most、band_at_most 或 ranked: false",
            )
        if self.at_least is not None and self.below is not None:
            raise Wrong("an event has one line: at_least or below", "event 只有一条线：at_least 或 below")
        return self

    @property
    def is_lower_better(self) -> bool:
        return self.below is None

    def has_happened(self, value: Fraction | None, terms: Terms) -> bool:
        if value is None:
            return False
        return value < terms.below if terms.below is not None else value >= (terms.at_least or 1)

    def points(self, value: Fraction, terms: Terms) -> Fraction:
        return Fraction()

    def text_zh(self, terms: Terms) -> str:
        least = said(terms.at_least or Decimal(1))
        when = f"低于 {said(terms.below)}%" if terms.below is not None else f"发生 {least} 次以上"
        told = ["一票否决" if terms.score_at_most == 0 else f"总分不高于 {said(terms.score_at_most)} 分"]
        told = told if terms.score_at_most is not None else []
        told += [f"不得评为“{self.band_at_most}”以上"] if self.band_at_most else []
        told += [] if self.ranked else ["不参加排名"]
        return f"{when}的，{'，'.join(told)}"


class Step(Declared):
    """A line of a table: so many points from a value on, or up to one."""

    at_least: Number | None = None
    at_most: Number | None = None
    points: NotNegative

    @model_validator(mode="after")
    def _has_one_bound(self) -> "Step":
        if (self.at_least is None) == (self.at_most is None):
            raise Wrong("a step has either at_least or at_most", "一级要么写 at_least，要么写 at_most")
        return self

    @property
    def bound(self) -> Decimal:
        return Decimal(self.at_most or 0) if self.at_least is None else self.at_least


class Steps(Function):
    """The points of the first step reached, best first; ``otherwise`` where none is."""

    function: Literal["steps"]
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    otherwise: NotNegative = Decimal(0)
    between: Literal["flat", "linear"] = "flat"
    """Between two steps: the points of the lower one, or in proportion between the two (区间内按比例得分)."""

    @property
    def is_lower_better(self) -> bool:
        return self.steps[0].at_least is None

    @model_validator(mode="after")
    def _in_order(self) -> "Steps":
        if len({step.at_least is None for step in self.steps}) > 1:
            raise Wrong("either all steps have at_least or all have at_most", "各级要么都写 at_least，要么都写 at_most")
        bounds = [step.bound for step in self.steps]
        downward = [upper > lower for upper, lower in pairwise(bounds)]
        if not all(downward) if not self.is_lower_better else any(upper >= lower for upper, lower in pairwise(bounds)):
            raise Wrong(
                "steps go from the best to the worst, and no bound is given twice", "各级从好到差排列，界限不能重复"
            )
        return self

    def points(self, value: Fraction, terms: Terms) -> Fraction:
        table = [arithmetic.Step(step.bound, step.points) for step in self.steps]
        better: Better = "lower" if self.is_lower_better else "higher"
        if self.between == "linear":
            return arithmetic.sloped_steps(value, table, self.otherwise, better)
        return arithmetic.steps(value, table, self.otherwise, better)

    def text_zh(self, terms: Terms) -> str:
        sign = "≤" if self.is_lower_better else "≥"
        told = "，".join(f"{sign}{said(step.bound)} 得 {said(step.points)} 分" for step in self.steps)
        slope = f"，{CHOICE.zh('linear')}" if self.between == "linear" else ""
        return f"{told}{slope}，其余 {said(self.otherwise)} 分"


class Manual(Function):
    """Points that a person enters with a reason and evidence.

    ``entry: earned``: the entry is what was earned, the newest counts. ``entry: change``: full points, and each entry
    adds to or takes from them. The result stays between ``floor`` and ``cap`` (the indicator's points unless given).
    """

    varies: ClassVar[tuple[str, ...]] = ("floor", "cap")
    function: Literal["manual"]
    entry: Literal["earned", "change"] = "earned"
    times: Weight = Fraction(1)
    """What is entered is multiplied by this: another body's score of 92, times 0.4."""
    floor: Varying[Entry[Number]] = constant(Entry[Number], 0)
    cap: Varying[Entry[NotNegative]] | None = None

    def points(self, value: Fraction, terms: Terms) -> Fraction:
        return arithmetic.manual(self.times * value, terms, self.entry)

    def text_zh(self, terms: Terms) -> str:
        if self.entry == "earned":
            times = "" if self.times == 1 else f"录入的得分 × {written(self.times)}，"
            return f"人工评分，{times}{said(terms.floor)}–{said(terms.cap)} 分，附依据"
        return f"按认定逐项加减分，附依据，{said(terms.floor)}–{said(terms.cap)} 分"


Scoring = Annotated[
    Proportional
    | LinearDeduction
    | PerItemDeduction
    | PerItemBonus
    | Per
    | Steps
    | Manual
    | Event
    | Together
    | Weighed,
    Field(discriminator="function"),
]

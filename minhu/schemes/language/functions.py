"""Scoring functions: how what was counted becomes points. What each computes stands in ``minhu.schemes.arithmetic``."""

from abc import abstractmethod
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from minhu.declaration import Declared
from minhu.declaration.slips import Wrong
from minhu.schemes import arithmetic
from minhu.schemes.arithmetic import Terms
from minhu.schemes.language.values import (
    Entry,
    NotNegative,
    Number,
    Percent,
    Positive,
    PositivePercent,
    Varying,
    constant,
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
        return arithmetic.steps(value, table, self.otherwise, "lower" if self.is_lower_better else "higher")

    def text_zh(self, terms: Terms) -> str:
        sign = "≤" if self.is_lower_better else "≥"
        told = "，".join(f"{sign}{said(step.bound)} 得 {said(step.points)} 分" for step in self.steps)
        return f"{told}，其余 {said(self.otherwise)} 分"


class Manual(Function):
    """Points that a person enters with a reason and evidence.

    ``entry: earned``: the entry is what was earned, the newest counts. ``entry: change``: full points, and each entry
    adds to or takes from them. The result stays between ``floor`` and ``cap`` (the indicator's points unless given).
    """

    varies: ClassVar[tuple[str, ...]] = ("floor", "cap")
    function: Literal["manual"]
    entry: Literal["earned", "change"] = "earned"
    floor: Varying[Entry[Number]] = constant(Entry[Number], 0)
    cap: Varying[Entry[NotNegative]] | None = None

    def points(self, value: Fraction, terms: Terms) -> Fraction:
        return arithmetic.manual(value, terms, self.entry)

    def text_zh(self, terms: Terms) -> str:
        if self.entry == "earned":
            return f"人工评分，{said(terms.floor)}–{said(terms.cap)} 分，附依据"
        return f"按认定逐项加减分，附依据，{said(terms.floor)}–{said(terms.cap)} 分"


Scoring = Annotated[
    Proportional | LinearDeduction | PerItemDeduction | PerItemBonus | Steps | Manual, Field(discriminator="function")
]

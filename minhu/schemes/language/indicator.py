"""An indicator: what is counted (a measure), what puts it into the period (a moment), and how it becomes points."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from minhu.declaration import Declared
from minhu.declaration.slips import Wrong
from minhu.glossary.law import VALUE_UNIT
from minhu.schemes.arithmetic import Terms
from minhu.schemes.catalogue import Aggregate, Measure, Moment, measures
from minhu.schemes.language.functions import Manual, Scoring, Steps
from minhu.schemes.language.values import Code, Entries, Entry, NotNegative, Varying, changes, in_force

PLAIN = ("count", "sum")
"""Aggregates that are the numerator itself."""
INTAKE = ("received_at", "dispatched_at")
"""Moments at which a case comes in: a count by them says nothing about how it was handled."""
DAWN = date(1, 1, 1)


def _known_measure(code: str) -> str:
    if code not in measures():
        raise Wrong(
            f"there is no measure {code!r}; the catalogue has {', '.join(measures())}",
            f"没有 {code} 这个度量；目录里有的见上行",
        )
    return code


class Answers(Declared):
    """Which answers of callbacks count, and what each weighs. The codes are those of the measure."""

    weights: dict[str, Annotated[NotNegative, Field(le=1)]] | None = None
    """For ``aggregate: mean``, with the best answer at 1. An answer without a weight does not count."""
    recheck: tuple[str, ...] = ()
    """不满意复核: such an answer counts only when a later callback about the same assignment was answered so again."""
    take: Literal["every", "first", "last"] = "every"
    """Of several callbacks about one assignment that brought an answer."""

    @model_validator(mode="after")
    def _weighs(self) -> "Answers":
        if self.weights is not None and max(self.weights.values(), default=0) != 1:
            raise Wrong("the best answer weighs 1", "最好的答复权重为 1")
        if self.recheck and self.take == "first":
            raise Wrong("`take: first` leaves nothing to recheck an answer by", "take: first 就没有后一次答复可供复核")
        return self


class Indicator(Declared):
    """One line of the scheme's table. ``points: 0`` makes a pure deduction or bonus."""

    code: Code
    name_zh: str
    name_en: str | None = None
    measure: Annotated[str, AfterValidator(_known_measure)] | None = None
    """What is counted; none where points are entered by hand."""
    moment: Moment | None = None
    aggregate: Aggregate = "rate"
    """What the rows of a unit make. In percent: ``rate``, the numerator of the denominator; ``share``, the numerator of
    that of the whole peer group; ``mean`` with weights, the mean weight of the answers. Plain: ``count``, ``sum``, the
    numerator; ``mean``, ``median`` and ``p90`` of what the rows hold (minutes); ``per_10k``, the numerator per 10,000
    inhabitants of the unit.
    """
    points: Varying[Entry[NotNegative]]
    peer_groups: Annotated[tuple[Code, ...], Field(min_length=1)] | None = None
    """Whom it scores; all groups unless given."""
    scoring: Scoring
    when_empty: Literal["left_out", "full_points", "zero"] = "left_out"
    """What a unit gets of which there was nothing to judge: nothing on either side, all points, or none."""
    support_units: Literal["out", "in"] = "out"
    """Whether support units (协办) answer too, or the lead alone."""
    answers: Answers | None = None
    min_n: Varying[Entry[NotNegative]] | None = None
    """With fewer rows the indicator does not apply (see ``when_empty``)."""
    note: str | None = None
    example: bool = False

    @property
    def counts(self) -> Measure:
        """The measure; none where points are entered by hand."""
        if self.measure is None:
            raise ValueError(f"{self.code} is entered by hand: it counts nothing")
        return measures()[self.measure]

    @property
    def is_manual(self) -> bool:
        return self.scoring.function == "manual"

    @property
    def takes_changes(self) -> bool:
        """Whether what is entered by hand changes full points, and is not what was earned."""
        return isinstance(self.scoring, Manual) and self.scoring.entry == "change"

    @property
    def is_percent(self) -> bool:
        """Whether what it counts is a rate in percent, and not a number of items, minutes or the like."""
        weighed = self.aggregate == "mean" and self.answers is not None and self.answers.weights is not None
        return not self.is_manual and (self.aggregate in ("rate", "share") or weighed)

    @property
    def value_unit(self) -> str:
        """What its value is counted in, a code of the glossary."""
        if self.is_manual:
            return "score"
        if self.is_percent:
            return "percent"
        if self.aggregate == "per_10k":
            return "per_10k"
        by_word = {word.zh: code for code, word in VALUE_UNIT.items()}
        return by_word.get(self.counts.unit_zh, "items")

    @property
    def is_told_by_rows(self) -> bool:
        """Whether a loss falls on single rows: of a mean of minutes, or of a median, none fell short by itself."""
        return self.is_percent or self.aggregate not in ("mean", "median", "p90")

    @property
    def loses_by_rows(self) -> bool:
        """Whether who lost points has rows that cost them: not where a person entered them, where nothing to judge
        gives none, and where a table asks for items of which there were too few."""
        wants_items = self.scoring.function == "per_item_bonus" or (
            self.scoring.function == "steps" and self.aggregate in PLAIN
        )
        return not (self.is_manual or wants_items or self.when_empty == "zero")

    @property
    def asks_again(self) -> bool:
        """Whether other answers about the same assignment decide which of them counts."""
        return self.answers is not None and (self.answers.take != "every" or bool(self.answers.recheck))

    @property
    def scale(self) -> int:
        """What numerator ÷ denominator is multiplied by."""
        return 100 if self.is_percent else 10_000 if self.aggregate == "per_10k" else 1

    @property
    def is_binomial(self) -> bool:
        """Whether it is a share of cases, each of which is good or bad, so that chance can be told from difference."""
        return self.aggregate == "rate" and not self.is_manual and self.counts.is_yes_or_no

    @property
    def is_lower_better(self) -> bool:
        return self.scoring.is_lower_better

    @property
    def judges(self) -> bool:
        """Whether it says how a unit handled its cases, so that a unit may be ranked by it."""
        return self.measure is not None and self.moment not in INTAKE and self.aggregate not in ("share", "per_10k")

    @property
    def parameters(self) -> dict[str, Entries]:
        """Every number that may differ by peer group and date, by its name."""
        named = {"points": self.points, "min_n": self.min_n}
        named |= {name: getattr(self.scoring, name) for name in self.scoring.varies}
        return {name: entries for name, entries in named.items() if entries}

    def scores(self, peer_group: str) -> bool:
        return self.peer_groups is None or peer_group in self.peer_groups

    def terms(self, peer_group: str | None, day: date) -> Terms:
        """The numbers in force for a peer group on a day."""
        numbers: dict[str, Any] = {
            name: in_force(entries, peer_group, day) for name, entries in self.parameters.items() if name != "min_n"
        }
        return Terms(**({"cap": numbers["points"]} if self.is_manual else {}) | numbers)

    def least(self, peer_group: str | None, day: date) -> Decimal:
        """With fewer rows than these the indicator does not apply."""
        return in_force(self.min_n or (), peer_group, day) or Decimal(0)

    def corners(self) -> Iterator[Terms]:
        """The numbers at every day from which one differs, for every peer group that one names."""
        named = {
            group for entries in self.parameters.values() for entry in entries for group in entry.peer_groups or ()
        }
        for day in (DAWN, *changes(self.parameters.values())):
            for group in (None, *sorted(named)):
                terms = self.terms(group, day)
                if all(getattr(terms, name) is not None for name in self.parameters if name != "min_n"):
                    yield terms

    @model_validator(mode="after")
    def _counts_something(self) -> "Indicator":
        if self.is_manual:
            given = [name for name in ("measure", "moment", "answers", "min_n") if getattr(self, name)]
            if given:
                raise Wrong(
                    f"{given[0]}: points that are entered by hand count nothing", f"{given[0]}：手工录入的分值不作统计"
                )
            return self
        if self.measure is None or self.moment is None:
            raise Wrong(
                f"{self.scoring.function} needs a measure and a moment",
                f"{self.scoring.function} 要有 measure 和 moment",
            )
        offered = self.counts.moments
        if self.moment not in offered:
            raise Wrong(
                f"the measure {self.measure} has no {self.moment}; it has {', '.join(offered)}",
                f"度量 {self.measure} 没有 {self.moment}；它有 {'、'.join(offered)}",
            )
        if self.aggregate not in self.counts.aggregates:
            makes = ", ".join(self.counts.aggregates)
            raise Wrong(
                f"the measure {self.measure} makes no {self.aggregate}; it makes {makes}",
                f"度量 {self.measure} 算不出 {self.aggregate}；它能算 {makes}",
            )
        if self.min_n and self.aggregate not in ("rate", "mean", "median", "p90"):
            raise Wrong(
                f"min_n counts the rows behind a rate or a mean; `aggregate: {self.aggregate}` has none",
                f"min_n 数的是比率或均值背后的行数；aggregate: {self.aggregate} 没有",
            )
        return self

    @model_validator(mode="after")
    def _knows_its_answers(self) -> "Indicator":
        if self.is_manual or not self.answers:
            return self
        known = self.counts.answers
        for code in (*(self.answers.weights or ()), *self.answers.recheck):
            if code not in known:
                offered = ", ".join(known)
                raise Wrong(
                    f"the measure {self.measure} has no answer {code!r}; it has {offered or 'none'}",
                    f"度量 {self.measure} 没有 {code} 这个答复；它有 {offered or '（无）'}",
                )
        if self.answers.weights and self.aggregate != "mean":
            raise Wrong("answers.weights go with `aggregate: mean`", "answers.weights 只与 aggregate: mean 合用")
        return self

    @model_validator(mode="after")
    def _function_fits(self) -> "Indicator":
        function = self.scoring.function
        if function in ("per_item_deduction", "per_item_bonus") and self.aggregate not in PLAIN:
            raise Wrong(f"{function} goes with `aggregate: count`", f"{function} 只与 aggregate: count 合用")
        if function in ("proportional", "linear_deduction") and not self.is_percent:
            raise Wrong(
                f"{function} reads percent; it does not go with `aggregate: {self.aggregate}`",
                f"{function} 按百分比计分，不与 aggregate: {self.aggregate} 合用",
            )
        return self

    @model_validator(mode="after")
    def _points_fit(self) -> "Indicator":
        function = self.scoring.function
        for terms in self.corners():
            cap = terms.cap or Decimal()
            match function:
                case "per_item_deduction" | "manual" if terms.points and cap > terms.points:
                    raise Wrong(
                        f"the cap {terms.cap} is above the points {terms.points}",
                        f"上限 {terms.cap} 高于分值 {terms.points}",
                    )
                case "per_item_bonus" if terms.points and cap != terms.points:
                    raise Wrong(
                        f"the cap {terms.cap} must be the points {terms.points}, or the points 0",
                        f"上限 {terms.cap} 要等于分值 {terms.points}，否则分值为 0",
                    )
                case "proportional" | "linear_deduction" | "steps" if not terms.points:
                    raise Wrong(
                        f"{function} needs points above 0; only a deduction or bonus may have none",
                        f"{function} 的分值要大于 0；只有扣分或加分项可以没有",
                    )
            if terms.floor is not None and terms.floor > max(terms.points, cap):
                raise Wrong(
                    f"the floor {terms.floor} is above the points {terms.points}",
                    f"下限 {terms.floor} 高于分值 {terms.points}",
                )
            if isinstance(self.scoring, Steps):
                for step in self.scoring.steps:
                    if max(step.points, self.scoring.otherwise) > terms.points:
                        raise Wrong(
                            f"a step of {step.points} is above the points {terms.points}",
                            f"一级 {step.points} 分高于分值 {terms.points}",
                        )
        return self

"""An indicator: what is counted (a measure), what puts it into the period (a moment), and how it becomes points."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from minhu.declaration.slips import Wrong
from minhu.glossary.law import VALUE_UNIT
from minhu.schemes.arithmetic import Terms
from minhu.schemes.language.count import INTAKE, OF_OTHERS, PLAIN, QUANTILES, Count
from minhu.schemes.language.functions import Event, Manual, Per, Scoring, Steps
from minhu.schemes.language.values import Code, Entries, Entry, NotNegative, Varying, changes, in_force
from minhu.schemes.period import PeriodKind

DAWN = date(1, 1, 1)


class Indicator(Count):
    """One line of the scheme's table. ``points: 0`` makes a pure deduction or bonus."""

    code: Code
    name_zh: str
    name_en: str | None = None
    points: Varying[Entry[NotNegative]]
    peer_groups: Annotated[tuple[Code, ...], Field(min_length=1)] | None = None
    """Whom it scores; all groups unless given."""
    scoring: Scoring
    when_empty: Literal["left_out", "full_points", "zero"] = "left_out"
    """What a unit gets of which there was nothing to judge: nothing on either side, all points, or none."""
    min_n: Varying[Entry[NotNegative]] | None = None
    """With fewer rows the indicator does not apply (see ``when_empty``)."""
    periods: Annotated[tuple[PeriodKind, ...], Field(min_length=1)] | None = None
    """In which periods it applies, as what is taken off a year alone; in all unless given."""
    ranks: bool = False
    """Of points by hand: whether an entry is enough for a unit to be ranked, as where all points are entered so."""
    note: str | None = None
    example: bool = False

    @property
    def is_manual(self) -> bool:
        return self.scoring.function == "manual" or (self.is_event and self.measure is None)

    @property
    def is_event(self) -> bool:
        """Whether it gives no points and changes what becomes of the whole."""
        return isinstance(self.scoring, Event)

    @property
    def times(self) -> Fraction:
        """What is entered by hand is multiplied by this."""
        return self.scoring.times if isinstance(self.scoring, Manual) else Fraction(1)

    @property
    def takes_changes(self) -> bool:
        """Whether what is entered by hand changes full points, and is not what was earned."""
        return self.is_event or (isinstance(self.scoring, Manual) and self.scoring.entry == "change")

    @property
    def is_percent(self) -> bool:
        """Whether what it counts is a rate in percent, and not a number of items, minutes or the like."""
        return not self.is_manual and self.is_share_of_100

    @property
    def value_unit(self) -> str:
        """What its value is counted in, a code of the glossary."""
        if self.is_manual:
            return "items" if self.is_event else "score"
        if self.is_percent:
            return "percent"
        if self.aggregate in ("per_10k", "per"):
            return "per_10k" if self.aggregate == "per_10k" else f"per_{self.denominator}"
        by_word = {word.zh: code for code, word in VALUE_UNIT.items()}
        return by_word.get(self.counts.unit_zh, "items")

    @property
    def is_told_by_rows(self) -> bool:
        """Whether a loss falls on single rows: of a mean of minutes, or of a median, none fell short by itself."""
        return self.is_percent or self.aggregate not in ("mean", *QUANTILES)

    @property
    def loses_by_rows(self) -> bool:
        """Whether who lost points has rows that cost them: not where a person entered them, where nothing to judge
        gives none, and where a table asks for items of which there were too few."""
        counts_items = self.aggregate in PLAIN or self.aggregate == "per"
        is_given = self.scoring.function == "steps" or (isinstance(self.scoring, Per) and self.scoring.add is not None)
        wants_items = counts_items and (is_given or not self.is_lower_better)
        return not (self.is_manual or wants_items or self.when_empty == "zero")

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
        if self.is_manual or self.is_event:
            return self.ranks
        return self.moment not in INTAKE and self.aggregate not in OF_OTHERS

    @property
    def parameters(self) -> dict[str, Entries]:
        """Every number that may differ by peer group and date, by its name."""
        named = {"points": self.points, "min_n": self.min_n}
        named |= {name: getattr(self.scoring, name) for name in self.scoring.varies}
        return {name: entries for name, entries in named.items() if entries}

    def applies_in(self, kind: PeriodKind | None) -> bool:
        return self.periods is None or kind is None or kind in self.periods

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
            counting = ("measure", "moment", "answers", "min_n", "rows", "repeated", "denominator")
            given = [name for name in counting if getattr(self, name)]
            if given:
                raise Wrong(
                    f"{given[0]}: points that are entered by hand count nothing", f"{given[0]}：手工录入的分值不作统计"
                )
            return self
        if self.ranks:
            raise Wrong(
                "ranks is for points by hand; what is counted ranks by itself",
                "ranks 只用于手工录入；统计项自然参与排名",
            )
        if self.measure is None or self.moment is None:
            raise Wrong(
                f"{self.scoring.function} needs a measure and a moment",
                f"{self.scoring.function} 要有 measure 和 moment",
            )
        self.judge_count()
        if self.min_n and self.aggregate not in ("rate", "mean", "median", "p90"):
            raise Wrong(
                f"min_n counts the rows behind a rate or a mean; `aggregate: {self.aggregate}` has none",
                f"min_n 数的是比率或均值背后的行数；aggregate: {self.aggregate} 没有",
            )
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
        if isinstance(self.scoring, Event):
            self._judge_event(self.scoring)
        return self

    def _judge_event(self, event: Event) -> None:
        """Raises Wrong where its line is of another kind than what is counted: 1 of a rate is met by all units, and
        nothing entered lies below any line."""
        if event.below is not None and not self.is_percent:
            raise Wrong(
                "below is the line of a rate in percent; what is counted or entered by hand has at_least",
                "below 是百分比的线；计件或手工录入的写 at_least",
            )
        if event.below is None and not self.is_manual and self.aggregate not in PLAIN:
            raise Wrong(
                f"an event of `aggregate: {self.aggregate}` is no count: a rate in percent has below",
                f"event 的 aggregate: {self.aggregate} 不是件数：百分比要写 below",
            )

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
                case "event" if terms.points:
                    raise Wrong("an event gives no points: write 0", "event 不给分：分值写 0")
                case "proportional" | "linear_deduction" | "steps" if not terms.points:
                    raise Wrong(
                        f"{function} needs points above 0; only a deduction or bonus may have none",
                        f"{function} 的分值要大于 0；只有扣分或加分项可以没有",
                    )
            if isinstance(self.scoring, Per) and terms.points and cap > terms.points:
                raise Wrong(
                    f"the cap {terms.cap} is above the points {terms.points}",
                    f"上限 {terms.cap} 高于分值 {terms.points}",
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

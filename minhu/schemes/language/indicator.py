"""An indicator: what is counted (a measure), what puts it into the period (a moment), and how it becomes points.

One may be made of parts, each of which counts for itself. A **line** is what stands as a row of a unit's result: an
indicator, and each of its parts. The lines of an indicator sum to its points, so that what a row cost is told of a line
as it is where there are no parts.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from minhu.declaration.slips import Wrong
from minhu.glossary.law import VALUE_UNIT
from minhu.schemes.arithmetic import Terms
from minhu.schemes.language.count import INTAKE, OF_OTHERS, PLAIN, QUANTILES, Count
from minhu.schemes.language.functions import Event, Manual, Per, Scoring, Steps, Together, Weighed, WeighedAgainst
from minhu.schemes.language.relative import Compared, Pooled
from minhu.schemes.language.values import Code, Entries, Entry, NotNegative, Varying, changes, constant, in_force
from minhu.schemes.period import PeriodKind

DAWN = date(1, 1, 1)
COUNTING = (
    *("measure", "moment", "answers", "min_n", "rows", "repeated", "denominator"),
    *("compared", "pooled"),
)
"""What says which rows count and what is made of them: it goes with a measure."""
CHANGES = ("per", "per_item_deduction", "per_item_bonus", "manual")
"""Functions of which the parts of an item may change its points."""


class Line(Count):
    """One line of the scheme's table: what stands as a row of a unit's result, and what its rows are told of."""

    code: Code
    name_zh: str
    name_en: str | None = None
    points: Varying[Entry[NotNegative]] = constant(Entry[NotNegative], 0)
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
    compared: Compared | None = None
    """What its value is held against before it is scored; nothing unless given."""
    pooled: Pooled | None = None
    """With which earlier rows few are taken together; none unless given."""
    note: str | None = None
    example: bool = False

    @property
    def is_manual(self) -> bool:
        by_hand = self.scoring.function == "manual" or (self.is_event and self.measure is None)
        return by_hand and not self.is_whole

    @property
    def is_whole(self) -> bool:
        """Whether it is made of parts and counts nothing itself."""
        return False

    @property
    def has_value(self) -> bool:
        """Whether there is a value to show: not of parts that only add their points up."""
        return not isinstance(self.scoring, Together)

    @property
    def lines(self) -> "tuple[Line, ...]":
        """The rows of a unit's result that it makes."""
        return (self,)

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
        """Whether its value is a rate in percent, and not a number of items, minutes or the like."""
        return not self.is_manual and self.is_share_of_100

    @property
    def reads_percent(self) -> bool:
        """Whether its rule reads percent: the value itself, or what it is beside another."""
        if self.compared is not None and self.compared.told != "difference":
            return self.compared.told is not None
        return self.is_percent

    @property
    def value_unit(self) -> str:
        """What its value is counted in, a code of the glossary."""
        if self.measure is None:
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
        return not self.is_whole and (self.is_percent or self.aggregate not in ("mean", *QUANTILES))

    @property
    def loses_by_rows(self) -> bool:
        """Whether who lost points has rows that cost them: not where a person entered them, where nothing to judge
        gives none, and where a table asks for items of which there were too few."""
        counts_items = self.aggregate in PLAIN or self.aggregate == "per"
        is_given = self.scoring.function == "steps" or (isinstance(self.scoring, Per) and self.scoring.add is not None)
        wants_items = counts_items and (is_given or not self.is_lower_better)
        return not (self.measure is None or wants_items or self.when_empty == "zero" or self.rests_on_others)

    @property
    def rests_on_others(self) -> bool:
        """Whether other rows than those of the unit in the period move its points: of other units, or of before."""
        return self.compared is not None or self.pooled is not None

    @property
    def is_binomial(self) -> bool:
        """Whether it is a share of cases, each of which is good or bad, so that chance can be told from difference."""
        return self.measure is not None and self.aggregate == "rate" and self.counts.is_yes_or_no

    @property
    def is_lower_better(self) -> bool:
        """Whether the lower of two values is the better one; of a place the rule says what it is of."""
        if self.compared is not None and self.compared.to == "group_rank":
            return self.compared.better == "lower"
        return self.scoring.is_lower_better

    @property
    def judges(self) -> bool:
        """Whether it says how a unit handled its cases, so that a unit may be ranked by it."""
        if self.measure is None or self.is_event:
            return self.ranks
        return self.moment not in INTAKE and self.aggregate not in OF_OTHERS

    @property
    def parameters(self) -> dict[str, Entries]:
        """Every number that may differ by peer group and date, by its name."""
        named = {"points": self.points, "min_n": self.min_n}
        named |= {name: getattr(self.scoring, name) for name in self.scoring.varies}
        named |= {"baseline": self.compared.baseline} if self.compared else {}
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
        takes_all = self.is_manual or (isinstance(self.scoring, Together) and numbers["points"])
        return Terms(**({"cap": numbers["points"]} if takes_all else {}) | numbers)

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
    def _counts_something(self) -> "Line":
        if self.is_whole:
            return self
        if self.is_manual:
            given = [name for name in COUNTING if getattr(self, name)]
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
        self._judge_relations()
        if self.min_n and self.aggregate not in ("rate", "mean", "median", "p90"):
            raise Wrong(
                f"min_n counts the rows behind a rate or a mean; `aggregate: {self.aggregate}` has none",
                f"min_n 数的是比率或均值背后的行数；aggregate: {self.aggregate} 没有",
            )
        return self

    def _judge_relations(self) -> None:
        """Raises Wrong where there is nothing of the kind to compare with or to take together."""
        if self.pooled and self.aggregate not in ("rate", "mean"):
            raise Wrong(
                f"few rows are taken together of a rate or a mean; not of `aggregate: {self.aggregate}`",
                f"合并计算只用于比率或均值，不用于 aggregate: {self.aggregate}",
            )
        if self.pooled and self.compared:
            raise Wrong(
                "pooled and compared do not go together: earlier rows would be held against themselves",
                "pooled 与 compared 不能合用：以前的数据会和自己比较",
            )
        if self.compared and self.compared.to == "group_rate" and self.aggregate in (*PLAIN, *QUANTILES):
            raise Wrong(
                f"rows of a group taken together make no `aggregate: {self.aggregate}` of a unit; take group_mean",
                f"同组合并后得不出单个单位的 aggregate: {self.aggregate}；用 group_mean",
            )
        if self.compared and self.is_event:
            raise Wrong("an event is not compared", "event 不作比较")

    @model_validator(mode="after")
    def _function_fits(self) -> "Line":
        function = self.scoring.function
        if function in ("per_item_deduction", "per_item_bonus") and self.compared:
            raise Wrong(
                f"{function} counts items; what is compared goes with per", f"{function} 按件计；比较后的值用 per"
            )
        if function in ("per_item_deduction", "per_item_bonus") and self.aggregate not in PLAIN:
            raise Wrong(f"{function} goes with `aggregate: count`", f"{function} 只与 aggregate: count 合用")
        if function in ("proportional", "linear_deduction") and not self.reads_percent:
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
    def _points_fit(self) -> "Line":
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
            if isinstance(self.scoring, Together):
                self._judge_bounds(self.scoring, terms)
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

    @staticmethod
    def _judge_bounds(rule: Together, terms: Terms) -> None:
        """Raises Wrong where what the parts start from lies beyond the bounds of the whole."""
        start = terms.points if rule.starts == "full" else Decimal()
        if (terms.cap is not None and terms.cap < start) or (terms.points and (terms.cap or 0) > terms.points):
            raise Wrong(
                f"the cap {terms.cap} does not fit {terms.points} points from which the parts start",
                f"上限 {terms.cap} 与起评分 {start}、分值 {terms.points} 不符",
            )
        if terms.floor is not None and terms.floor > start:
            raise Wrong(
                f"the floor {terms.floor} is above {start}, from which the parts start",
                f"下限 {terms.floor} 高于起评分 {start}",
            )


class Part(Line):
    """A part of an indicator. It has no points of its own: it changes those of the whole, or weighs in its value."""

    @property
    def weight(self) -> Fraction:
        """What it weighs in the value of the whole."""
        return self.scoring.weight if isinstance(self.scoring, Weighed) else Fraction(1)

    @model_validator(mode="after")
    def _has_no_points_of_its_own(self) -> "Part":
        if any(entry.value for entry in self.points):
            raise Wrong("a part has no points of its own: leave them out", "部分没有自己的分值：去掉 points")
        if self.periods or self.ranks:
            raise Wrong("periods and ranks are said of the whole", "periods、ranks 写在整项上")
        if self.is_event:
            raise Wrong("an event is an indicator of its own", "event 要单独成项")
        return self


class Indicator(Line):
    """One item of the scheme's table. ``points: 0`` makes a pure deduction or bonus."""

    points: Varying[Entry[NotNegative]]
    parts: tuple[Part, ...] = ()
    """Of an item that counts several things: what each of them is."""
    combine: Literal["sum", "product"] | None = None
    """The values of the parts make one value, which ``scoring`` scores: their sum, each times its weight, or their
    product. Unless given each part changes the points by itself (``function: together``)."""

    @property
    def is_whole(self) -> bool:
        return bool(self.parts)

    @property
    def is_percent(self) -> bool:
        return self.parts[0].is_percent if self.combine and self.parts else super().is_percent

    @property
    def value_unit(self) -> str:
        return self.parts[0].value_unit if self.combine and self.parts else super().value_unit

    @cached_property
    def parts_placed(self) -> tuple[Part, ...]:
        """The parts with what the whole says of them: its name, whom and when they concern, which way is better."""
        placed = []
        for part in self.parts:
            of_all: dict[str, Any] = {"periods": self.periods, "peer_groups": part.peer_groups or self.peer_groups}
            of_all["name_zh"] = f"{self.name_zh}·{part.name_zh}"
            if self.name_en and part.name_en:
                of_all["name_en"] = f"{self.name_en}: {part.name_en}"
            if isinstance(part.scoring, Weighed) and self.is_lower_better:
                of_all["scoring"] = WeighedAgainst(function="weighed", weight=part.scoring.weight)
            placed.append(part.model_copy(update=of_all))
        return tuple(placed)

    @property
    def lines(self) -> tuple[Line, ...]:
        """Itself, then its parts."""
        return self, *self.parts_placed

    @model_validator(mode="after")
    def _parts_make_a_whole(self) -> "Indicator":
        is_together, is_combined = isinstance(self.scoring, Together), self.combine is not None
        if not self.parts:
            if is_together or is_combined:
                raise Wrong("what is put together has parts", "合并计分要写 parts")
            if isinstance(self.scoring, Weighed):
                raise Wrong("weighed is the function of a part", "weighed 只用于 parts 里")
            return self
        given = [name for name in (*COUNTING[:-2], "pooled") if getattr(self, name)]
        if given or self.ranks:
            named = (given or ["ranks"])[0]
            raise Wrong(
                f"{named}: an indicator of parts counts nothing itself", f"{named}：由部分组成的指标本身不作统计"
            )
        if isinstance(self.scoring, Manual | Weighed):
            raise Wrong("parts are counted: manual is the function of one of them", "有 parts 的指标不由人工整体评分")
        if is_together == is_combined:
            raise Wrong(
                "parts go with `function: together`, or with combine and a function that scores what they make",
                "parts 要么配 function: together，要么写 combine，再按合成的值计分",
            )
        if is_together and self.compared:
            raise Wrong("what is compared has a value: write combine", "compared 要有一个值：写 combine")
        for part in self.parts:
            fitting = ("weighed",) if is_combined else CHANGES
            if part.scoring.function not in fitting:
                offered = ", ".join(fitting)
                raise Wrong(
                    f"{part.code}: {part.scoring.function}; here a part is scored by {offered}",
                    f"{part.code}：{part.scoring.function}；这里的部分用 {offered}",
                )
        if is_combined:
            self._judge_values()
        return self

    def _judge_values(self) -> None:
        """Raises Wrong where the values of the parts make none."""
        first = self.parts[0]
        for part in self.parts:
            if part.compared:
                raise Wrong(f"{part.code}: compare the whole", f"{part.code}：compared 写在整项上")
            is_count = part.aggregate in PLAIN
            if part.is_percent != first.is_percent or not (part.is_percent or is_count):
                raise Wrong(
                    f"{part.code}: rates in percent are put together with rates, counts with counts",
                    f"{part.code}：百分比与百分比合成，件数与件数合成",
                )
            if self.combine == "product" and (not part.is_percent or part.weight != 1):
                raise Wrong(
                    f"{part.code}: a product is one of rates, without weights",
                    f"{part.code}：乘积只由比率组成，不带权重",
                )
        if self.compared and self.compared.to == "group_rate":
            raise Wrong(
                "rows of several kinds make no rate of a group; take group_mean", "合成值没有同组合并值；用 group_mean"
            )

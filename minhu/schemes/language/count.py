"""What is counted: the rows of a measure, which of them, and what they make."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from minhu.declaration import Declared
from minhu.declaration.slips import Wrong
from minhu.feeds.canonical import DispatchSource, RequestType, Urgency
from minhu.schemes.catalogue import Aggregate, Denominator, Measure, Moment, measures
from minhu.schemes.language.values import Code, NotNegative, Positive

PLAIN = ("count", "sum")
"""Aggregates that are the numerator itself."""
QUANTILES = ("median", "p90")
INTAKE = ("received_at", "dispatched_at")
"""Moments at which a case comes in: a count by them says nothing about how it was handled."""
OF_OTHERS = ("share", "per_10k", "per")
"""Aggregates whose denominator is no count of the unit's own rows."""

CategoryCode = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]+$")]
AreaCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{2,15}$")]


def known_measure(code: str) -> str:
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


class Rows(Declared):
    """Only the rows whose case is such: as its version that stands says it at the cut of the period.

    A key that is left out asks for nothing; of the codes of one key any will do. A case that does not tell what is
    asked for is not among them; whether it is confidential is told by those that are.
    """

    feeds: Annotated[tuple[Code, ...], Field(min_length=1)] | None = None
    channels: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """The feed's own words."""
    categories: Annotated[tuple[CategoryCode, ...], Field(min_length=1)] | None = None
    """These and all below them in the tree."""
    areas: Annotated[tuple[AreaCode, ...], Field(min_length=1)] | None = None
    """These and all within them."""
    request_types: Annotated[tuple[RequestType, ...], Field(min_length=1)] | None = None
    urgencies: Annotated[tuple[Urgency, ...], Field(min_length=1)] | None = None
    dispatch_sources: Annotated[tuple[DispatchSource, ...], Field(min_length=1)] | None = None
    confidential: bool | None = None

    @model_validator(mode="after")
    def _asks_for_something(self) -> "Rows":
        if all(value is None for _, value in self):
            raise Wrong("rows asks for nothing: leave it out", "rows 什么都没有限定：去掉这个键")
        return self


class Repeated(Declared):
    """加倍: what happens again weighs more. The first of the same within the window counts once, each later one
    ``times``."""

    same: Literal["case", "category", "request_type"]
    """What makes two rows of a unit the same."""
    within: Literal["month", "quarter", "year"]
    """The month, quarter or year of the row's moment, from its first day on."""
    times: Annotated[Positive, Field(gt=1)] = Decimal(2)


class Count(Declared):
    """A measure's rows by a moment, and what a unit's rows make."""

    measure: Annotated[str, AfterValidator(known_measure)] | None = None
    """What is counted; none where points are entered by hand."""
    moment: Moment | None = None
    aggregate: Aggregate = "rate"
    """What the rows of a unit make. In percent: ``rate``, the numerator of the denominator; ``share``, the numerator of
    that of the whole peer group; ``mean`` with weights, the mean weight of the answers. Plain: ``count``, ``sum``, the
    numerator; ``mean``, ``median`` and ``p90`` of what the rows hold (minutes); ``per_10k``, the numerator per 10,000
    inhabitants of the unit; ``per``, the numerator for each of what ``denominator`` names.
    """
    denominator: Denominator | None = None
    """With ``aggregate: per``: what the register says of the unit at the end of the period."""
    rows: Rows | None = None
    """Which rows count; all unless given."""
    repeated: Repeated | None = None
    """What counts more because it happens again; nothing unless given."""
    support_units: Literal["out", "in"] = "out"
    """Whether support units (协办) answer too, or the lead alone."""
    answers: Answers | None = None

    @property
    def counts(self) -> Measure:
        """The measure; none where points are entered by hand."""
        if self.measure is None:
            raise ValueError("what is entered by hand counts nothing")
        return measures()[self.measure]

    @property
    def is_share_of_100(self) -> bool:
        """Whether what is counted is a rate in percent, and not a number of items, minutes or the like."""
        weighed = self.aggregate == "mean" and self.answers is not None and self.answers.weights is not None
        return self.measure is not None and (self.aggregate in ("rate", "share") or weighed)

    @property
    def scale(self) -> int:
        """What numerator ÷ denominator is multiplied by."""
        return 100 if self.is_share_of_100 else 10_000 if self.aggregate == "per_10k" else 1

    @property
    def asks_again(self) -> bool:
        """Whether other answers about the same assignment decide which of them counts."""
        return self.answers is not None and (self.answers.take != "every" or bool(self.answers.recheck))

    def counts_like(self, other: "Count") -> bool:
        """Whether another counts the same rows, and makes the same of them."""
        same = ("measure", "moment", "aggregate", "denominator", "rows", "repeated", "support_units", "answers")
        return all(getattr(self, name) == getattr(other, name) for name in same)

    def judge_count(self) -> None:
        """Raises Wrong where the measure has no such moment or answer, or its rows do not make that."""
        offered = self.counts.moments
        if self.moment not in offered:
            raise Wrong(
                f"the measure {self.measure} has no {self.moment}; it has {', '.join(offered)}",
                f"度量 {self.measure} 没有 {self.moment}；它有 {'、'.join(offered)}",
            )
        makes = (*self.counts.aggregates, *(["per"] if "count" in self.counts.aggregates else []))
        if self.aggregate not in makes:
            raise Wrong(
                f"the measure {self.measure} makes no {self.aggregate}; it makes {', '.join(makes)}",
                f"度量 {self.measure} 算不出 {self.aggregate}；它能算 {', '.join(makes)}",
            )
        if (self.aggregate == "per") != (self.denominator is not None):
            raise Wrong(
                "`aggregate: per` and denominator go together: per what is counted",
                "aggregate: per 与 denominator 一起写：按什么平均",
            )
        if (self.rows or self.repeated) and not self.counts.has_cases:
            raise Wrong(
                f"the rows of {self.measure} are of no case: neither rows nor repeated can choose among them",
                f"度量 {self.measure} 的行不属于任何工单：rows、repeated 无从筛选",
            )
        if self.repeated and self.aggregate not in PLAIN:
            raise Wrong(
                "repeated weighs items: it goes with `aggregate: count`",
                "repeated 按件加重，只与 aggregate: count 合用",
            )
        self._judge_answers()

    def _judge_answers(self) -> None:
        if not self.answers:
            return
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

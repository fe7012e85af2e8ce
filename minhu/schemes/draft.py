"""Drafts a scheme from a few answers about the paper, with comments for whoever holds the paper in the other hand.

The answers are a declaration of their own (``--answers FILE.yml``), strict as all are; what the command asks on a
terminal makes the same. A number that nobody gave is there all the same, marked ``example: true`` and named in a
comment. A draft is a scheme that passes ``minhu schemes check``: answers that make none are refused.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, StringConstraints, ValidationError, model_validator

from minhu.declaration import Declared
from minhu.declaration.slips import Wrong
from minhu.declaration.wording import worded
from minhu.declaration.writing import flow
from minhu.glossary.columns import COLUMN
from minhu.glossary.law import CHOICE, PERIOD, STANDING
from minhu.schemes.catalogue import Measure, Moment, measures
from minhu.schemes.language.count import known_measure
from minhu.schemes.language.functions import Better, Step, Steps, said
from minhu.schemes.language.values import Code, NotNegative, Percent, Positive, PositivePercent
from minhu.schemes.period import PeriodKind
from minhu.schemes.scheme import Aggregation, Scheme
from minhu.schemes.words import scoring_rule

Text = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        min_length=1,
        pattern="^[\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]+$",
    ),
]
"""One line of signs that YAML takes."""
Form = Literal["proportional", "linear_deduction", "steps"]
_FORMS: Mapping[str, tuple[str, ...]] = {
    "proportional": ("target",),
    "linear_deduction": ("target", "per_point", "floor"),
    "steps": ("steps", "otherwise", "between"),
}
"""What may be said of each form."""
POINTS, TARGET, BELOW, PER_POINT, PER_ITEM, CAP = map(Decimal, (10, 95, 5, 1, 1, 5))
GROUP_POINTS, MIN_N = Decimal(100), Decimal(5)
BEST_BAND, BAND_STEP, LOWEST_BAND = 90, 10, Decimal()
"""What stands where nobody gave a number."""


class BasisGiven(Declared):
    title: Text
    number: Text | None = None
    """文号."""


class GroupGiven(Declared):
    code: Code
    name_zh: Text | None = None
    points: Positive | None = None


class RateGiven(Declared):
    """A rate of the catalogue and its published form. ``better: lower``: the fewer the better."""

    measure: Annotated[str, AfterValidator(known_measure)]
    name_zh: Text | None = None
    points: Positive | None = None
    moment: Moment | None = None
    better: Better = "higher"
    form: Form = "proportional"
    target: PositivePercent | None = None
    per_point: Positive | None = None
    floor: NotNegative | None = None
    steps: Annotated[tuple[Step, ...], Field(min_length=1)] | None = None
    otherwise: NotNegative | None = None
    between: Literal["flat", "linear"] | None = None

    @model_validator(mode="after")
    def _is_a_rate(self) -> "RateGiven":
        if "rate" not in measures()[self.measure].aggregates:
            raise Wrong(f"{self.measure} makes no rate", f"{self.measure} 算不出比率", "measure")
        _judge_moment(self.measure, self.moment)
        return self

    @model_validator(mode="after")
    def _says_what_its_form_has(self) -> "RateGiven":
        for name in {name for names in _FORMS.values() for name in names} - set(_FORMS[self.form]):
            if getattr(self, name) is not None:
                raise Wrong(f"{name} is not said of `form: {self.form}`", f"form: {self.form} 不写 {name}", name)
        if self.form == "proportional" and self.better == "lower":
            raise Wrong(
                "in proportion more is better: where less is better take linear_deduction or steps",
                "按比例是越高越好；越低越好的用 linear_deduction 或 steps",
                "form",
            )
        if self.floor and self.points is None:
            raise Wrong("a floor goes with its points", "写了 floor 就要写 points", "floor")
        if self.steps is not None:
            built = Steps(function="steps", steps=self.steps)
            if built.is_lower_better != (self.better == "lower"):
                raise Wrong(
                    "steps have at_least where more is better, at_most where less is (`better: lower`)",
                    "越高越好的级写 at_least，越低越好的（better: lower）写 at_most",
                    "steps",
                )
        return self


class ChangeGiven(Declared):
    """An addition or a deduction: item by item by hand, or so much for each item of a measure."""

    name_zh: Text
    way: Literal["add", "deduct"]
    measure: Annotated[str, AfterValidator(known_measure)] | None = None
    """What is counted; entered by hand unless given."""
    moment: Moment | None = None
    per_item: Positive | None = None
    cap: Positive | None = None

    @model_validator(mode="after")
    def _counts_items(self) -> "ChangeGiven":
        if self.measure is None:
            for name in ("per_item", "moment"):
                if getattr(self, name) is not None:
                    raise Wrong(f"{name} goes with a measure", f"{name} 要和 measure 一起写", name)
        elif "count" not in measures()[self.measure].aggregates:
            raise Wrong(f"{self.measure} counts no items", f"{self.measure} 不按件计", "measure")
        else:
            _judge_moment(self.measure, self.moment)
        return self


class BandGiven(Declared):
    name_zh: Text
    at_least: Percent | None = None


class RoundingGiven(Declared):
    order: Literal["components_first", "sum_first"] = "components_first"
    decimals: Annotated[int, Field(ge=0, le=6)] = 2


class Answers(Declared):
    """What somebody read in the paper."""

    scheme_id: Code = Field(alias="id")
    title: Text
    basis: BasisGiven
    valid_from: date
    periods: Annotated[dict[PeriodKind, Literal["indicative", "final"]], Field(min_length=1)]
    aggregation: dict[Literal["quarter", "year"], Aggregation] = Field(default_factory=dict)
    peer_groups: Annotated[tuple[GroupGiven, ...], Field(min_length=1)]
    rates: Annotated[tuple[RateGiven, ...], Field(min_length=1)]
    changes: tuple[ChangeGiven, ...] = ()
    bands: Annotated[tuple[BandGiven, ...], Field(max_length=8)] = ()
    rounding: RoundingGiven | None = None
    ranking: bool = False
    min_n: NotNegative | None = None

    @model_validator(mode="after")
    def _makes_a_scheme(self) -> "Answers":
        given = [band.at_least is not None for band in self.bands[:-1]]
        if any(given) and not all(given):
            raise Wrong("give the lines of all bands or of none", "各档的线要么都写，要么都不写", "bands")
        try:
            Scheme.model_validate(_Draft(self).data)
        except ValidationError as error:
            first = error.errors()[0]
            raise Wrong(*worded(first["type"], first["msg"], first.get("ctx", {}), first["input"])) from None
        return self


def draft(answers: Answers) -> str:
    """The YAML of the scheme, for ``config/schemes/<id>.yml``; what nobody gave is marked."""
    made = _Draft(answers)
    text = "\n".join(made.lines()) + "\n"
    if Scheme.model_validate(yaml.safe_load(text)) != made.scheme:
        raise AssertionError("the text says something else than the answers")
    return text


def rates() -> dict[str, Measure]:
    """The measures of which a rate can be made, by code."""
    return {code: one for code, one in measures().items() if "rate" in one.aggregates}


def counts() -> dict[str, Measure]:
    """The measures whose items can be counted, by code."""
    return {code: one for code, one in measures().items() if "count" in one.aggregates}


def _judge_moment(measure: str, moment: Moment | None) -> None:
    offered = measures()[measure].moments
    if moment is not None and moment not in offered:
        raise Wrong(
            f"the measure {measure} has no {moment}; it has {', '.join(offered)}",
            f"度量 {measure} 没有 {moment}；它有 {'、'.join(offered)}",
            "moment",
        )


def _moment(measure: str) -> Moment:
    """What puts the rows of a rate into a period, where nobody says it. By the close of a case everything would be
    closed: where neither a limit nor a callback decides, it is the dispatch."""
    counted = measures()[measure]
    first: Moment = "due_at" if counted.limit_kind else "called_at" if counted.answers else "dispatched_at"
    return first if first in counted.moments else counted.moments[-1]


@dataclass
class _Item:
    """A mapping of the draft: its values, and the names of those that nobody gave."""

    values: dict[str, Any]
    missing: list[str] = field(default_factory=list)

    def number(self, name: str, given: Decimal | None, example: Decimal) -> Decimal:
        if given is None:
            self.missing.append(name)
        return example if given is None else given

    @property
    def data(self) -> dict[str, Any]:
        return self.values | ({"example": True} if self.missing else {})


class _Draft:
    """The scheme that answers make, part by part."""

    def __init__(self, answers: Answers):
        self.answers = answers
        self.codes: set[str] = set()
        self.groups = [self._group(one) for one in answers.peer_groups]
        self.bands = self._bands()
        self.rounding = self._rounding()
        self.publication = self._publication()
        self.indicators = [*map(self._rate, answers.rates), *map(self._change, answers.changes)]

    @property
    def data(self) -> dict[str, Any]:
        given = self.answers
        basis = {"title": given.basis.title} | ({"number": given.basis.number} if given.basis.number else {})
        return {
            "id": given.scheme_id,
            "title": given.title,
            "legal_basis": [basis],
            "valid_from": given.valid_from,
            "periods": dict(given.periods),
            **({"aggregation": dict(given.aggregation)} if given.aggregation else {}),
            "peer_groups": [one.data for one in self.groups],
            **({"bands": [one.data for one in self.bands]} if self.bands else {}),
            "rounding": self.rounding.data,
            "publication": self.publication.data,
            "indicators": [one.data for one in self.indicators],
        }

    @property
    def scheme(self) -> Scheme:
        return Scheme.model_validate(self.data)

    # -- what was said, and what was not ------------------------------------------------------------------------------

    @staticmethod
    def _group(given: GroupGiven) -> _Item:
        item = _Item({"code": given.code, "name_zh": given.name_zh or given.code})
        item.values["points"] = item.number("points", given.points, GROUP_POINTS)
        return item

    def _bands(self) -> list[_Item]:
        items = []
        for place, given in enumerate(self.answers.bands, start=1):
            item = _Item({"name_zh": given.name_zh})
            is_last = place == len(self.answers.bands)
            example = LOWEST_BAND if is_last else Decimal(BEST_BAND - BAND_STEP * (place - 1))
            line = (given.at_least or example) if is_last else item.number("at_least", given.at_least, example)
            item.values["at_least"] = line
            items.append(item)
        return items

    def _rounding(self) -> _Item:
        given = self.answers.rounding or RoundingGiven()
        missing = [name for name in ("order", "decimals") if name not in given.model_fields_set]
        return _Item({"order": given.order, "decimals": given.decimals}, missing)

    def _publication(self) -> _Item:
        item = _Item({"ranking": True} if self.answers.ranking else {})
        item.values["min_n"] = item.number("min_n", self.answers.min_n, MIN_N)
        return item

    def _code(self, wanted: str) -> str:
        code, number = wanted, 2
        while code in self.codes:
            code, number = f"{wanted}_{number}", number + 1
        self.codes.add(code)
        return code

    def _rate(self, given: RateGiven) -> _Item:
        measure = measures()[given.measure]
        item = _Item({"code": self._code(given.measure), "name_zh": given.name_zh or measure.name_zh})
        most = max((step.points for step in given.steps or ()), default=POINTS)
        item.values |= {"measure": given.measure, "moment": given.moment or _moment(given.measure)}
        item.values["points"] = item.number("points", given.points, max(most, given.otherwise or Decimal()) or POINTS)
        item.values["scoring"] = self._scoring(given, item)
        return item

    @staticmethod
    def _scoring(given: RateGiven, item: _Item) -> dict[str, Any]:
        example = TARGET if given.better == "higher" else BELOW
        if given.form == "proportional":
            return {"function": "proportional"} | ({"target": given.target} if given.target is not None else {})
        if given.form == "linear_deduction":
            target = item.number("target", given.target, example)
            per_point = item.number("per_point", given.per_point, PER_POINT)
            rule: dict[str, Any] = {"function": "linear_deduction", "target": target, "per_point": per_point}
            rule |= {"floor": given.floor} if given.floor is not None else {}
            return rule | ({"better": "lower"} if given.better == "lower" else {})
        bound = "at_least" if given.better == "higher" else "at_most"
        steps = [{bound: one.bound, "points": one.points} for one in given.steps or ()]
        if not steps:
            item.missing.append("steps")
            steps = [{bound: example, "points": item.values["points"]}]
        rule = {"function": "steps", "steps": steps, "otherwise": given.otherwise or Decimal()}
        return rule | ({"between": "linear"} if given.between == "linear" else {})

    def _change(self, given: ChangeGiven) -> _Item:
        is_added = given.way == "add"
        wanted = given.measure or ("bonus" if is_added else "deduction")
        item = _Item({"code": self._code(wanted), "name_zh": given.name_zh})
        if given.measure is None:
            cap = item.number("cap", given.cap, CAP)
            ends = {"cap": cap} if is_added else {"floor": -cap, "cap": Decimal()}
            item.values |= {"points": Decimal(), "scoring": {"function": "manual", "entry": "change"} | ends}
            return item
        counted = measures()[given.measure]
        moment = given.moment or ("due_at" if counted.limit_kind else counted.moments[-1])
        item.values |= {"measure": given.measure, "moment": moment, "aggregate": "count", "points": Decimal()}
        item.values["scoring"] = {
            "function": "per_item_bonus" if is_added else "per_item_deduction",
            "per_item": item.number("per_item", given.per_item, PER_ITEM),
            "cap": item.number("cap", given.cap, CAP),
        }
        return item

    # -- as text ------------------------------------------------------------------------------------------------------

    def lines(self) -> Iterator[str]:
        data = self.data
        yield "# 由 minhu schemes new 起草，逐项与文件对照。"
        yield "# 标 example: true 的数没有人给出：改成文件上的数，再去掉这个键。"
        yield from (f"{key}: {flow(data[key])}" for key in ("id", "title"))
        yield "legal_basis:"
        yield f"  - {flow(data['legal_basis'][0])}  # 还可以写 article 条款、note 说明"
        yield f"valid_from: {data['valid_from']}  # 施行的第一天"
        told = "，".join(f"{PERIOD.zh(kind)}{STANDING.zh(one)}" for kind, one in data["periods"].items())
        yield f"periods: {flow(data['periods'])}  # {told}"
        if "aggregation" in data:
            how = "，".join(f"{PERIOD.zh(kind)}{CHOICE.zh(of)}" for kind, of in data["aggregation"].items())
            yield f"aggregation: {flow(data['aggregation'])}  # {how}"
        yield from ("", "peer_groups:  # 同类组，代码与 units.csv 一致；points：年度综合考评中占的分")
        yield from (f"  - {flow(one.data)}{_unknown(one)}" for one in self.groups)
        if self.bands:
            yield from ("", "bands:  # 分档，从高到低；最后一档从 0 起")
            yield from (f"  - {flow(one.data)}{_unknown(one)}" for one in self.bands)
        yield ""
        order, decimals = CHOICE.zh(self.rounding.values["order"]), self.rounding.values["decimals"]
        told = f"四舍五入到 {decimals} 位，{order}{_unknown(self.rounding, '；')}"
        yield f"rounding: {flow(self.rounding.data)}  # {told}"
        yield from ("", "publication:")
        if self.answers.ranking:
            yield "  ranking: true  # 公布名次"
        least = self.publication.values["min_n"]
        yield f"  min_n: {flow(least)}  # 不足 {said(least)} 件的只列出，不分档、不排名"
        yield from _example(self.publication, "  ")
        yield from ("", "indicators:")
        for at, item in enumerate(self.indicators):
            yield from [""] if at else []
            yield from self._indicator(item)
        yield from ("", "# 时限（limits）没有写：工单自带期限的照算，其余见 config/README.md。")
        yield "# 文件里还有别的规定：minhu schemes say 加上那句话，看它怎么写。"

    def _indicator(self, item: _Item) -> Iterator[str]:
        values = item.values
        line = self.scheme.indicator(values["code"])
        told = {"scoring": scoring_rule(line, self.scheme.peer_groups[0].code, self.scheme.valid_from)}
        if line.measure and line.moment:
            counted = measures()[line.measure]
            told["measure"] = counted.formula_zh or counted.name_zh
            others = "、".join(COLUMN.zh(one) for one in counted.moments if one != line.moment)
            told["moment"] = f"归期：按{COLUMN.zh(line.moment)}；还可以按{others}" if others else ""
        for at, (key, value) in enumerate(values.items()):
            comment = f"  # {told[key]}" if told.get(key) else ""
            yield f"{'    ' if at else '  - '}{key}: {flow(value)}{comment}"
        yield from _example(item, "    ")


def _unknown(item: _Item, mark: str = "  # ") -> str:
    """The names of the numbers that nobody gave, as a comment at the end of a line."""
    return f"{mark}没有给出：{'、'.join(item.missing)}" if item.missing else ""


def _example(item: _Item, indent: str) -> Iterator[str]:
    if item.missing:
        yield f"{indent}example: true{_unknown(item)}"

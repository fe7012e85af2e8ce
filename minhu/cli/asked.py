"""Asks on a terminal what `minhu schemes new` has to know: one thing after another, each again until it can be."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

import click
from pydantic import BaseModel, TypeAdapter, ValidationError

from minhu.declaration.wording import worded
from minhu.glossary.law import CHOICE, PERIOD, SCHEME_FIELD, SCORING
from minhu.schemes.draft import (
    BandGiven,
    ChangeGiven,
    GroupGiven,
    RateGiven,
    Text,
    counts,
    rates,
)
from minhu.schemes.language.values import Code, NotNegative, Percent, Positive, PositivePercent

Given = TypeVar("Given", bound=BaseModel)
SKIP = "回车：先写示例"
_SEVERAL = re.compile(r"[\s,，、;；]+")
_STEP = re.compile(r"(\d+(?:\.\d+)?)%?[=＝:：](\d+(?:\.\d+)?)分?")
_FORMS = ("proportional", "linear_deduction", "steps")


def asked(code: str | None, groups: Mapping[str, str]) -> dict[str, Any]:
    """Answers as a file of answers holds them. ``groups``: the peer groups of the register, what they are called."""
    told: dict[str, Any] = {"id": code or _ask("办法代码（小写字母、数字、下划线，如 nanhu）", Code)}
    told["title"] = _ask("办法名称", Text)
    told["basis"] = _without_none({"title": _ask("依据的文件", Text), "number": _maybe("文号（没有就回车）", Text)})
    told["valid_from"] = _ask("施行的第一天（如 2026-01-01）", date)
    told |= _periods()
    told["peer_groups"] = [*_groups(groups)]
    told |= _rounding()
    told["rates"] = [*_rates()]
    told["changes"] = [*_changes()]
    told["bands"] = [*_bands()]
    told["ranking"] = click.confirm("公布名次吗", default=False)
    return told | _without_none({"min_n": _maybe(f"少于几件的只列出、不分档不排名（{SKIP} 5）", NotNegative)})


def _periods() -> dict[str, Any]:
    kinds = _choose("按什么周期计分", {kind: PERIOD.zh(kind) for kind in PERIOD}, ["month", "year"])
    final = _choose_one("哪个周期的得分是正式的", {kind: PERIOD.zh(kind) for kind in kinds}, kinds[-1])
    told: dict[str, Any] = {"periods": {kind: "final" if kind == final else "indicative" for kind in kinds}}
    aggregation: dict[str, str] = {}
    for kind in ("quarter", "year"):
        shorter = [one for one in ("month", "quarter") if one in kinds and one != kind]
        if kind not in kinds or not shorter or (kind == "quarter" and "month" not in kinds):
            continue
        ways = ["recomputed", *(f"mean_of_{one}s" for one in shorter if (kind, one) != ("quarter", "quarter"))]
        way = _choose_one(f"{PERIOD.zh(kind)}得分怎么来", {one: CHOICE.zh(one) for one in ways}, ways[1])
        aggregation |= {kind: way} if way != "recomputed" else {}
    return told | ({"aggregation": aggregation} if aggregation else {})


def _groups(known: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    if known:
        chosen = _choose("考核哪些同类组（units.csv 里的）", known, [], may_add=Code)
    else:
        chosen = _SEVERAL.split(_ask("同类组的代码（units.csv 里的 peer_group，用逗号隔开）", Text))
    for code in chosen:

        def group(code: str = code) -> dict[str, Any]:
            name = known.get(code, code).partition("（")[0]
            return {
                "code": code,
                "name_zh": _ask(f"{code} 叫什么", Text, default=name),
                "points": _maybe(f"{code} 在年度综合考评中占几分（{SKIP} 100）", Positive),
            }

        yield _again(GroupGiven, group)


def _rounding() -> dict[str, Any]:
    orders = {one: CHOICE.zh(one) for one in ("components_first", "sum_first")}
    order = _choose_one(f"怎么取整（{SKIP}）", orders, None)
    decimals = _maybe(f"保留几位小数（{SKIP} 2）", int)
    return {"rounding": told} if (told := _without_none({"order": order, "decimals": decimals})) else {}


def _rates() -> Iterator[dict[str, Any]]:
    listed = {code: measure.name_zh for code, measure in rates().items()}
    for code in _choose("考核哪些比率", listed, []):

        def rate(code: str = code) -> dict[str, Any]:
            click.echo(f"—— {listed[code]}")
            told: dict[str, Any] = {"measure": code, "name_zh": _ask("名称", Text, default=listed[code])}
            is_higher = click.confirm(CHOICE.zh("higher"), default=True)
            told["better"] = "higher" if is_higher else "lower"
            forms = {form: SCORING.zh(form) for form in _FORMS if is_higher or form != "proportional"}
            told["form"] = _choose_one("怎么得分", forms, next(iter(forms)))
            told["points"] = _maybe(f"满分几分（{SKIP}）", Positive)
            if told["form"] == "linear_deduction":
                told["target"] = _maybe(f"目标是百分之几（{SKIP}）", PositivePercent)
                told["per_point"] = _maybe(f"每差 1 个百分点扣几分（{SKIP} 1）", Positive)
                told["floor"] = _maybe("最低得几分（回车：0）", NotNegative)
            elif told["form"] == "steps":
                told["steps"] = _steps(is_higher)
            return told

        yield _again(RateGiven, rate)


def _steps(is_higher: bool) -> list[dict[str, Any]] | None:
    bound, sign = "at_least" if is_higher else "at_most", "以上" if is_higher else "以下"

    def read(text: str) -> list[dict[str, Any]] | None:
        told = [_STEP.fullmatch(one) for one in _SEVERAL.split(text.strip()) if one]
        if any(one is None for one in told):
            raise click.BadParameter("每级写成 界限=分值，级与级之间空格，如 98=10 95=8")
        return [{bound: Decimal(one[1]), "points": Decimal(one[2])} for one in told if one] or None

    return click.prompt(
        f"各级从好到差，百分之几{sign}=几分，如 98=10 95=8（{SKIP}）", default="", show_default=False, value_proc=read
    )


def _changes() -> Iterator[dict[str, Any]]:
    listed = {code: measure.name_zh for code, measure in counts().items()}
    while name := _maybe("加减分项的名称（没有了就回车）", Text):

        def change(name: str = name) -> dict[str, Any]:
            told: dict[str, Any] = {"name_zh": name}
            told["way"] = _choose_one(
                "加分还是扣分", {one: SCHEME_FIELD.zh(one) for one in ("add", "deduct")}, "deduct"
            )
            told["measure"] = _choose_one("按什么计件（回车：人工逐项认定）", listed, None)
            if told["measure"]:
                told["per_item"] = _maybe(f"每件几分（{SKIP} 1）", Positive)
            told["cap"] = _maybe(f"最多几分（{SKIP} 5）", Positive)
            return told

        yield _again(ChangeGiven, change)


def _bands() -> Iterator[dict[str, Any]]:
    names = _maybe("分档的名称，从高到低，如 优 良 差（不分档就回车）", Text)
    told = _SEVERAL.split(names) if names else []
    for place, name in enumerate(told, start=1):
        band: dict[str, Any] = {"name_zh": name}
        if place < len(told):
            band["at_least"] = _maybe(f"{name}：几分以上（{SKIP}）", Percent)
        yield BandGiven.model_validate(_without_none(band)).model_dump(exclude_none=True)


# -- one thing ------------------------------------------------------------------------------------------------------


def _ask(text: str, kind: Any, default: str | None = None) -> Any:
    return click.prompt(text, default=default, value_proc=_read(kind))


def _maybe(text: str, kind: Any) -> Any:
    """What may be left out; None where it is."""
    read = _read(kind)
    return click.prompt(
        text, default="", show_default=False, value_proc=lambda given: read(given) if given.strip() else None
    )


def _read(kind: Any) -> Callable[[str], Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def read(given: str) -> Any:
        try:
            return adapter.validate_python(given.strip())
        except ValidationError as error:
            raise click.BadParameter(_slip(error)) from None

    return read


def _slip(error: ValidationError) -> str:
    first = error.errors()[0]
    return worded(first["type"], first["msg"], first.get("ctx", {}), first["input"])[1]


def _again(model: type[Given], ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What was asked, once it can be one: else it is told why not, and asked again."""
    while True:
        told = _without_none(ask())
        try:
            model.model_validate(told)
            return told
        except ValidationError as error:
            click.echo(f"这样不行：{_slip(error)}。再来一次。")


def _choose(text: str, listed: Mapping[str, str], default: list[str], may_add: Any = None) -> list[str]:
    """Some of a list, each by its number or its code; ``may_add``: the kind of one that is not in it."""
    codes = list(listed)
    for number, code in enumerate(codes, start=1):
        click.echo(f"  {number:>2} {listed[code]}  {code}")

    def read(given: str) -> list[str]:
        chosen = [_one(word, codes, may_add) for word in _SEVERAL.split(given.strip()) if word]
        if not chosen:
            raise click.BadParameter("至少选一个")
        return list(dict.fromkeys(chosen))

    shown = ",".join(str(codes.index(one) + 1) for one in default) or None
    return click.prompt(f"{text}（编号或代码，用逗号隔开）", default=shown, value_proc=read)


def _choose_one(text: str, listed: Mapping[str, str], default: str | None) -> Any:
    """One of a list; without a default it may be left out."""
    codes = list(listed)
    for number, code in enumerate(codes, start=1):
        click.echo(f"  {number:>2} {listed[code]}  {code}")
    shown = str(codes.index(default) + 1) if default else ""
    return click.prompt(
        text,
        default=shown,
        show_default=bool(default),
        value_proc=lambda given: _one(given.strip(), codes, None) if given.strip() else None,
    )


def _one(word: str, codes: list[str], may_add: Any) -> str:
    if word.isascii() and word.isdigit() and 1 <= int(word) <= len(codes):
        return codes[int(word) - 1]
    if word in codes:
        return word
    if may_add is not None and not word.isdigit():
        return _read(may_add)(word)
    raise click.BadParameter(f"没有“{word}”：写 1 到 {len(codes)} 的编号，或列出的代码")


def _without_none(told: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in told.items() if value is not None}

"""A scheme told back as the 考核办法 that it says, so that who signs the paper can hold the two side by side."""

from collections.abc import Iterator
from datetime import date

from minhu.glossary.cases import DISPATCH_SOURCE, REQUEST_TYPE, URGENCY
from minhu.glossary.columns import COLUMN
from minhu.glossary.law import AGGREGATE, CHOICE, DENOMINATOR, PART_EMPTY, PERIOD, SCHEME_FIELD, STANDING, WHEN_EMPTY
from minhu.schemes.language.count import Rows
from minhu.schemes.language.functions import Weighed, said
from minhu.schemes.language.indicator import Indicator, Line, Part
from minhu.schemes.language.longer import Longer
from minhu.schemes.scheme import Scheme
from minhu.schemes.words import scoring_rule

_NUMERALS = "一二三四五六七八九十"
_CODED = {"request_types": REQUEST_TYPE, "urgencies": URGENCY, "dispatch_sources": DISPATCH_SOURCE}
_PLAIN = ("feeds", "channels", "categories", "areas")
_SUPPORT = "；协办单位一并计入"
_WITH_ALL_BELOW = _PLAIN[2:]


def told(scheme: Scheme, day: date | None = None) -> str:
    """The scheme in Chinese, with the numbers in force on ``day`` (its first unless given)."""
    on = day or scheme.valid_from
    parts = [
        ("依据与施行", [*_basis(scheme)]),
        ("考核对象", [f"{one.name_zh}：年度综合考评占 {said(one.points)} 分" for one in scheme.peer_groups]),
        ("考核周期", [*_periods(scheme)]),
        (
            "考核指标",
            [told for place, one in enumerate(scheme.indicators, 1) for told in _item(scheme, place, one, on)],
        ),
        ("计分与取整", [*_rounding(scheme)]),
        ("分档与公布", [*_publication(scheme, on)]),
        ("时限", [limit.text for limit in scheme.limits] or ["本办法未规定时限。"]),
    ]
    lines = [scheme.title, f"（{scheme.scheme_id}，版本 {scheme.scheme_version}，按 {on} 有效的数值）"]
    for numeral, (title, told_lines) in zip(_NUMERALS, parts, strict=False):
        lines += ["", f"{numeral}、{title}", *(f"  {line}" for line in told_lines)]
    if scheme.examples:
        lines += ["", f"其中以下各项为示例，没有公开出处：{'、'.join(scheme.examples)}"]
    return "\n".join(lines)


def _basis(scheme: Scheme) -> Iterator[str]:
    for basis in scheme.legal_basis:
        where = "，".join(filter(None, (basis.number, basis.article)))
        yield basis.title + (f"（{where}）" if where else "") + (f"：{basis.note}" if basis.note else "")
    until = f"，至 {scheme.valid_to} 前" if scheme.valid_to else ""
    yield f"自 {scheme.valid_from} 起施行{until}。"


def _periods(scheme: Scheme) -> Iterator[str]:
    for kind, standing in scheme.periods.items():
        of = None if kind == "month" else scheme.aggregation.get(kind)
        if isinstance(of, Longer):
            how = f"，由{CHOICE.zh(of.code)}而得{_mean(of)}"
        else:
            how = f"，{CHOICE.zh(of)}" if of else ""
        yield f"{PERIOD.zh(kind)}（{STANDING.zh(standing)}）{how}"


def _mean(of: Longer) -> str:
    if of.best is not None:
        return f"：取得分最高的 {of.best} 个"
    if of.weights is not None:
        return "：" + "，".join(f"第 {place} 个 {weight}" for place, weight in sorted(of.weights.items()))
    return f"：最后一个按 {of.last} 倍计"


def _item(scheme: Scheme, place: int, indicator: Indicator, on: date) -> Iterator[str]:
    """An indicator, and below it its parts."""
    yield from _line(scheme, f"{place}.", indicator, on)
    for part_no, (part, placed) in enumerate(zip(indicator.parts, indicator.parts_placed, strict=True), 1):
        for line in _line(scheme, f"（{part_no}）", placed.model_copy(update={"name_zh": part.name_zh}), on):
            yield f"   {line}"


def _line(scheme: Scheme, number: str, one: Line, on: date) -> Iterator[str]:
    whom = "、".join(group.name_zh for group in scheme.peer_groups if one.scores(group.code))
    only = "" if one.peer_groups is None else f"（只考核{whom}）"
    when = "" if one.periods is None else f"（只在{'、'.join(map(PERIOD.zh, one.periods))}）"
    yield f"{number} {one.name_zh}{only}{when}"
    if one.measure and one.moment:
        counts = one.counts
        yield f"   计数：{counts.name_zh}，{counts.formula_zh or AGGREGATE.zh(one.aggregate)}；{_made(one)}"
        yield f"   归期：按{COLUMN.zh(one.moment)}{_SUPPORT if one.support_units != 'out' else ''}"
        if one.rows:
            yield f"   只计：{_rows(one.rows)}"
        if one.repeated:
            again = one.repeated
            yield (
                f"   加重：同一{CHOICE.zh(again.same)}在同一{PERIOD.zh(again.within)}内再次发生的，"
                f"自第二次起按 {said(again.times)} 倍计"
            )
    rules: dict[str, list[str]] = {}
    for group in scheme.peer_groups:
        if one.scores(group.code):
            rules.setdefault(scoring_rule(one, group.code, on), []).append(group.name_zh)
    for rule, groups in rules.items():
        yield f"   计分：{rule}" if len(rules) == 1 else f"   计分（{'、'.join(groups)}）：{rule}"
    if not (one.is_manual or one.is_event or isinstance(one, Part)):
        yield f"   无可评事项时：{WHEN_EMPTY.zh(one.when_empty)}"
    if isinstance(one.scoring, Weighed):
        yield f"   无可评事项时：{PART_EMPTY.zh(one.when_empty)}"
    if one.ranks:
        yield "   凭录入即可参加排名"
    if one.note:
        yield f"   说明：{one.note}"


def _made(one: Line) -> str:
    if one.denominator:
        return f"{AGGREGATE.zh(one.aggregate)}{DENOMINATOR.zh(one.denominator)}"
    return AGGREGATE.zh(one.aggregate)


def _rows(rows: Rows) -> str:
    """What a row's case must be, key by key."""
    told_keys = []
    for key, kind in _CODED.items():
        if codes := getattr(rows, key):
            told_keys.append("、".join(map(kind.zh, codes)))
    for key in _PLAIN:
        if codes := getattr(rows, key):
            reach = "（含下级）" if key in _WITH_ALL_BELOW else ""
            told_keys.append(f"{SCHEME_FIELD.zh(key)}{reach} {'、'.join(codes)}")
    if rows.confidential is not None:
        told_keys.append(("" if rows.confidential else "未") + SCHEME_FIELD.zh("confidential"))
    return "；".join(told_keys)


def _rounding(scheme: Scheme) -> Iterator[str]:
    rounding = scheme.rounding
    rate = "" if rounding.rate_decimals is None else f"；比率先取 {rounding.rate_decimals} 位小数（百分数）"
    yield f"{CHOICE.zh(rounding.mode)}，保留 {rounding.decimals} 位小数，{CHOICE.zh(rounding.order)}{rate}。"
    yield "百分制得分 = 100 × 得分 ÷ 适用指标的满分，再加减分项按总满分折算，限于 0 至 100。"


def _publication(scheme: Scheme, on: date) -> Iterator[str]:
    if scheme.bands:
        yield "，".join(f"{band.name_zh} ≥ {said(band.at_least)}" for band in scheme.bands) + "。"
    yield "公布名次。" if scheme.publication.ranking else "不公布名次。"
    for group in scheme.peer_groups:
        if least := scheme.least(group.code, on):
            yield f"{group.name_zh}：可评事项不足 {said(least)} 件的只列出，不分档、不排名。"
    for listing in scheme.publication.lists:
        yield f"{listing.name_zh}：{CHOICE.zh(listing.within)}{CHOICE.zh(listing.take)} {listing.count} 个。"

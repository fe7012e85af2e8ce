"""The chapter on how far the order of the month's scores may be trusted. Advice: it moves no point."""

from collections.abc import Iterator

from minhu.audit.report.lists import capped
from minhu.audit.report.read import AuditReport
from minhu.paper.blocks import WIDTH, Block, Figure, Text
from minhu.paper.tables import Field, table
from minhu.paper.trends import shares
from minhu.scoring.fairness import Fairness, GroupFairness
from minhu.scoring.render_fairness import (
    ADVICE,
    LEFT,
    NOISE_TITLES,
    decides_zh,
    drawn_zh,
    edge_zh,
    noise_cells,
    otherwise_zh,
    place_zh,
    shaky,
    steady_zh,
)


def _of_noise(at: int, title: str, width: float) -> Field:
    return Field(title, width, lambda one: noise_cells(one)[at], "right" if at else "left")


WIDTHS = (32, 10, 16, 17, 17, 12, 22, 20, 20)
NOISE = tuple(_of_noise(at, *of) for at, of in enumerate(zip(NOISE_TITLES, WIDTHS, strict=True)))
EDGES = (
    Field("单位", 60, lambda one: one.unit_name),
    Field("变动", 60, edge_zh),
    Field("原档次", 20, lambda one: one.was, "middle"),
    Field("新档次", 20, lambda one: one.now or "—", "middle"),
)


def fair(report: AuditReport) -> Iterator[Block]:
    if not report.fairness:
        yield Text("body", "本月尚未评分，没有先后可说。")
        return
    yield Text("body", ADVICE)
    for found in report.fairness:
        which = f"第 {found.revision} 次发布" if found.revision else "未发布"
        yield Text("subheading", f"{found.title}（{which}，办法版本 {found.scheme_version}）")
        yield Text("item", drawn_zh(found))
        if found.draws:
            yield Text("item", LEFT)
        if told := otherwise_zh(found):
            yield Text("notice", told)
        for group in found.groups:
            yield from _group(found, group)
        yield from _edges(found)


def _group(found: Fairness, group: GroupFairness) -> Iterator[Block]:
    yield Text("subheading", f"{group.name_zh}（{group.units} 个单位，{group.ranked} 个参加排名）")
    if group.noise:
        yield table(NOISE, group.noise)
        yield Text("small", "偶然占比：单位间差别中纯属偶然的部分。超限的单位数后，括号内为纯属偶然时应有的个数。")
    yield Text("body", decides_zh(group))
    rows = [(one.name_zh, one.share_pct) for one in group.decides]
    if drawing := shares(rows, f"{group.name_zh}：各指标占得分差别的比重", WIDTH):
        yield Figure(drawing)
    if not found.draws:
        return
    yield Text("body", steady_zh(group))
    units = shaky(group)
    if units:
        yield from capped(_shaky_fields(found), units, f"minhu fairness {found.period} --json")


def _shaky_fields(found: Fairness) -> tuple[Field, ...]:
    """Places only where the scheme shows them."""
    fields = (
        Field("单位", 60, lambda one: one.unit_name),
        Field("档次", 20, lambda one: one.band, "middle"),
        Field("档次不变的重抽", 30, lambda one: f"{one.kept_pct}%", "right"),
    )
    places = (
        Field("名次", 16, lambda one: "—" if one.place is None else one.place, "right"),
        Field("重抽中的名次", 24, place_zh, "right"),
    )
    return (*fields, *places) if found.shows_ranks else fields


def _edges(found: Fairness) -> Iterator[Block]:
    if found.not_drawn:
        return
    if not found.edges:
        yield Text("body", "没有单位会因多一件或少一件达标而换档。")
        return
    yield Text(
        "body", "一件之差就换档的单位（分母不变，多一件或少一件达标）；这些单位本月的申诉、剔除与更正宜重点复核。"
    )
    yield from capped(EDGES, found.edges, f"minhu fairness {found.period} --json")

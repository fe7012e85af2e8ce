"""The fairness report as text for a terminal, in Chinese; what of it other papers say in the same words."""

from collections.abc import Iterator
from decimal import Decimal

from rich import box
from rich.console import RenderableType
from rich.table import Table

from minhu.glossary.law import NOT_SPLIT
from minhu.scoring.fairness import Edge, Fairness, GroupFairness, Noise, Stands
from minhu.scoring.render import as_text

ADVICE = "本报告只供参考：不改变任何得分、分档或名次，也不构成申诉或免责的依据。"
STEADY_PCT = 90
MOST = 20
"""Units of a list that a screen shows."""
LEFT = "重抽只含抽样的偶然：各指标分别抽取，件数不变；派单是否公平、口径是否合理，不在其内。"


def render_fairness(found: Fairness) -> str:
    """The report as text: by peer group what is chance, what decides, who holds; then who stands on an edge."""
    which = f"第 {found.revision} 次发布" if found.revision else "未发布·试算"
    head = [f"{found.title} {found.period} · 公平性报告 · {which} · 办法版本 {found.scheme_version}", ADVICE]
    return as_text(
        *head, *_notes(found), "", *(part for group in found.groups for part in _group(found, group)), *_edges(found)
    )


def drawn_zh(found: Fairness) -> str:
    """What was drawn, how often and by which seed; or why nothing was."""
    if found.not_drawn:
        return f"没有重抽，也没有逐件试算：{NOT_SPLIT.zh(found.not_drawn)}。"
    held = f"；保持不变的指标：{'、'.join(found.held)}" if found.held else ""
    what = "、".join(found.drawn) or "无"
    return f"重抽 {found.draws} 次，种子 {found.seed}；重抽的指标：{what}{held}。"


def otherwise_zh(found: Fairness) -> str | None:
    """How many units have another score by today's reckoning; nothing where none has."""
    return f"注意：按现有程序重算，{found.otherwise} 个单位的得分与所记不同。" if found.otherwise else None


def noise_cells(one: Noise) -> tuple[str, ...]:
    """An indicator's line of the table of chance."""
    return (
        one.name_zh,
        str(one.units),
        f"{one.rate_pct:.2f}%",
        "—" if one.noise_pct is None else f"{one.noise_pct}%",
        f"{one.median_n.normalize():f}",
        "—" if one.reliability is None else f"{one.reliability:.2f}",
        "达不到" if one.reliable_n is None else f"{one.reliable_n:,}",
        f"{one.outside_95}（{one.expected_95:.1f}）",
        f"{one.outside_99_8}（{one.expected_99_8:.1f}）",
    )


NOISE_TITLES = ("指标", "单位", "总体", "偶然占比", "件数中位", "信度", "信度 0.8 所需", "超 95% 限", "超 99.8% 限")


def decides_zh(group: GroupFairness) -> str:
    """Which indicators decide the order, the largest part first."""
    if not group.decides:
        return "得分没有差异，或参加排名的单位不足两个，看不出由哪个指标决定。"
    return "得分差异的来源：" + "，".join(f"{one.name_zh} {one.share_pct}%" for one in group.decides) + "。"


def steady_zh(group: GroupFairness) -> str:
    """How many units have a steady band."""
    if group.steady_pct is None:
        return "没有分档的单位，不说分档是否稳定。"
    return f"{len(group.stands)} 个分档的单位中，{group.steady_pct}% 在九成以上的重抽中档次不变。"


def shaky(group: GroupFairness) -> list[Stands]:
    """The units whose band is not steady, the shakiest first."""
    told = [one for one in group.stands if one.kept_pct < STEADY_PCT]
    return sorted(told, key=lambda one: (one.kept_pct, one.unit_code))


def edge_zh(one: Edge) -> str:
    """What one case does to a unit."""
    return f"{one.name_zh}{'多' if one.is_more else '少'} 1 件达标"


def _notes(found: Fairness) -> Iterator[str]:
    yield drawn_zh(found)
    if found.draws:
        yield LEFT
    if told := otherwise_zh(found):
        yield told


def _group(found: Fairness, group: GroupFairness) -> Iterator[RenderableType]:
    yield f"{group.name_zh}（{group.units} 个单位，{group.ranked} 个参加排名）"
    if group.noise:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for at, title in enumerate(NOISE_TITLES):
            table.add_column(title, justify="right" if at else "left")
        for one in group.noise:
            table.add_row(*noise_cells(one))
        yield table
        yield "超限的单位数后，括号内为纯属偶然时应有的个数。"
    yield decides_zh(group)
    if found.draws:
        yield steady_zh(group)
        yield from _shaky(found, group)
    yield ""


def _shaky(found: Fairness, group: GroupFairness) -> Iterator[RenderableType]:
    units = shaky(group)
    if not units:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("单位")
    table.add_column("档次")
    table.add_column("档次不变", justify="right")
    if found.shows_ranks:
        table.add_column("名次", justify="right")
        table.add_column("重抽中的名次", justify="right")
    for one in units[:MOST]:
        place = (_or_dash(one.place), place_zh(one)) if found.shows_ranks else ()
        table.add_row(one.unit_name, one.band, f"{one.kept_pct}%", *place)
    yield table
    if len(units) > MOST:
        yield f"其余 {len(units) - MOST} 个未列出，用 --json 查看"


def place_zh(one: Stands) -> str:
    return "—" if one.place_low is None else f"{one.place_low}–{one.place_high}"


def _edges(found: Fairness) -> Iterator[RenderableType]:
    if found.not_drawn:
        return
    if not found.edges:
        yield "没有单位会因多一件或少一件达标而换档。"
        return
    yield "一件之差就换档的单位（分母不变，多一件或少一件达标）"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("单位", "变动", "原档次", "新档次"):
        table.add_column(title)
    for one in found.edges[:MOST]:
        table.add_row(one.unit_name, edge_zh(one), one.was, one.now or "—")
    yield table
    if len(found.edges) > MOST:
        yield f"其余 {len(found.edges) - MOST} 条未列出，用 --json 查看"


def _or_dash(number: int | Decimal | None) -> str:
    return "—" if number is None else str(number)

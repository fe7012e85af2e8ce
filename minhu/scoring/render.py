"""Scores and explanations as text for a terminal, in Chinese."""

from io import StringIO

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table

from minhu.scoring.explain import Cost, Explanation, IndicatorPart
from minhu.scoring.score import GroupScores, ScoreResult
from minhu.scoring.words import KINDS, NOT_RANKED, limit, moment


def render(explanation: Explanation, limit_rows: int | None = 10) -> str:
    """The explanation as text, with at most ``limit_rows`` rows for each of several indicators (all when null)."""
    limit_rows = limit_rows if len(explanation.indicators) > 1 else None
    losses = [line for part in explanation.indicators for line in _loss(part, limit_rows)]
    return _text(*_head(explanation), _table(explanation), *losses)


def render_scores(result: ScoreResult, limit_units: int | None = None) -> str:
    """The score tables by peer group as text, with at most ``limit_units`` units of each (all of them when null)."""
    head = (
        f"{result.title} {result.period}",
        f"统计截止 {limit(result.as_of)} · 办法版本 {result.scheme_version} · 构建 {result.build_id} · "
        f"排名 {result.ranked} 个单位，不排名 {result.not_ranked} 个",
    )
    tables = [part for group in result.groups for part in _group(group, KINDS[result.kind], limit_units)]
    return _text(*head, "", *tables)


def _text(*parts: RenderableType) -> str:
    out = StringIO()
    console = Console(file=out, width=110, color_system=None, emoji=False, markup=False, highlight=False)
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, str))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _group(group: GroupScores, kind: str, limit_units: int | None) -> list[RenderableType]:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("名次", justify="right")
    table.add_column("单位")
    for title in ("得分", f"{kind}折算（{group.points} 分）"):
        table.add_column(title, justify="right")
    table.add_column("档次")
    for unit in group.units[:limit_units]:
        if unit.rank_in_group is None:
            table.add_row("—", unit.unit_name, "—", "—", NOT_RANKED[unit.not_ranked_reason])
        else:
            numbers = (str(unit.score_100), str(unit.assessed_points))
            table.add_row(str(unit.rank_in_group), unit.unit_name, *numbers, unit.band or "")
    hidden = len(group.units) - table.row_count
    more = [f"其余 {hidden} 个未列出", ""] if hidden else []
    return [f"{group.name_zh}（{len(group.units)} 个单位）", table, *more]


def _head(given: Explanation) -> list[str]:
    kind = KINDS[given.kind]
    lines = [f"{given.unit_name}（{given.unit_code}） {given.period} {given.title}"]
    if given.score_100 is None:
        lines.append(f"{given.peer_group_zh} · {NOT_RANKED[given.not_ranked_reason]}")
    else:
        lines.append(
            f"{given.peer_group_zh} · 得分 {given.score_100} / 100 · {kind}折算 {given.assessed_points} / "
            f"{given.peer_group_points} 分 · {given.band or '未分档'} · 第 {given.rank_in_group} 名，"
            f"共 {given.ranked_in_group} 个单位"
        )
    lines.append(f"统计截止 {limit(given.as_of)} · 办法版本 {given.scheme_version} · 构建 {given.build_id}")
    if given.is_stale:
        lines.append(f"注意：评分之后事实已有更新，请重新运行 minhu score {given.period}")
    return lines


def _table(given: Explanation) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("指标")
    for title in ("分子", "分母", "剔除", "指标值", "目标", "95% 区间", "满分", "得分", "失分"):
        table.add_column(title, justify="right")
    for part in given.indicators:
        percent = "%" if part.aggregate == "rate" else ""
        bounds = f"{part.wilson_low:.1%}–{part.wilson_high:.1%}" if part.wilson_low is not None else ""
        table.add_row(
            part.name_zh,
            _number(part.numerator),
            _number(part.denominator) if percent else "",
            str(part.excluded_rows or ""),
            "不适用" if part.value is None else f"{part.value:.2f}{percent}" if percent else _number(part.value),
            "" if part.target is None else f"{_number(part.target)}%",
            bounds,
            _number(part.points_max),
            "—" if part.points is None else str(part.points),
            "—" if part.lost is None else str(part.lost),
        )
    return table


def _loss(part: IndicatorPart, limit_rows: int | None) -> list[str]:
    if not part.costs:
        return []
    lines = [f"{part.name_zh} 失 {part.lost} 分（{part.rule_zh}）"]
    for cost in part.costs[:limit_rows]:
        lines += _cost_lines(part, cost)
    if hidden := len(part.costs[limit_rows:] if limit_rows is not None else ()):
        lines.append(f"  其余 {hidden} 行未列出：加 --indicator {part.code} 查看全部")
    return [*lines, ""]


def _cost_lines(part: IndicatorPart, cost: Cost) -> list[str]:
    times = (
        ("受理", moment, cost.received_at),
        ("派单", moment, cost.dispatched_at),
        ("时限", limit, cost.due_at),
        (cost.occurred_zh, moment, cost.occurred_at),
    )
    told = [f"{name} {write(when)}" for name, write, when in times if when]
    rule = [f"规则：{cost.rule_zh}"] if cost.rule_zh else []
    sources = [
        f"{source.step_zh} {source.source_name} 第 {source.row_number} {'行' if source.batch_id else '条'}"
        for source in cost.sources
    ]
    return [
        f"  -{cost.lost}  {f'{cost.feed_name} {cost.case_no}'.rstrip()}：{cost.finding_zh}",
        f"      {' · '.join(told + rule)}",
        f"      来源：{'；'.join(sources) or '无'}",
    ]


def _number(value: object) -> str:
    return f"{value.normalize():f}"

"""Scores and explanations as text for a terminal, in Chinese."""

from collections.abc import Iterator
from decimal import Decimal
from io import StringIO

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table

from minhu.glossary.law import NOT_RANKED
from minhu.schemes.language.indicator import Line
from minhu.schemes.tally import ScoredIndicator
from minhu.schemes.trial import Trial
from minhu.schemes.words import FUNNEL, limit, moment, standing
from minhu.scoring.explanation import Cost, Explanation, IndicatorPart, ManualEntry
from minhu.scoring.score import GroupScores, ScoreResult
from minhu.scoring.whatif import Move, WhatIf

MAX_UNUSED = 3
"""So many events that did not count are told of a row."""


def render(explanation: Explanation, limit_rows: int | None = 10) -> str:
    """The explanation as text, with at most ``limit_rows`` rows for each of several indicators (all when null)."""
    limit_rows = limit_rows if len(explanation.indicators) > 1 else None
    losses = [line for part in explanation.indicators for line in _loss(part, limit_rows)]
    return as_text(*_head(explanation), _table(explanation), *losses)


def render_scores(result: ScoreResult, limit_units: int | None = None) -> str:
    """The score tables by peer group as text, with at most ``limit_units`` units of each (all of them when null)."""
    head = (
        f"{result.title} {result.period}",
        f"统计截止 {limit(result.as_of)} · 办法版本 {result.scheme_version} · 构建 {result.build_id} · "
        f"排名 {result.ranked} 个单位，不排名 {result.not_ranked} 个",
    )
    tables = [part for group in result.groups for part in _group(group, result, limit_units)]
    return as_text(*head, "", *tables)


def render_trial(trial: Trial) -> str:
    """The trial as text: a table for each unit, and what was assumed."""
    lines: list[RenderableType] = [f"{trial.scheme.title} · 试算 · 办法版本 {trial.scheme.scheme_version}", ""]
    for tried in trial.units:
        scored, group = tried.scored, trial.scheme.group(tried.scored.peer_group)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("指标")
        for title in ("分子", "分母", "指标值", "95% 区间", "满分", "得分"):
            table.add_column(title, justify="right")
        for part in scored.indicators:
            table.add_row(*_tried(part, trial.scheme.indicator(part.code), part.code in tried.assumed))
        score = (
            "未评分"
            if scored.score_100 is None
            else f"百分制 {scored.score_100}，折合 {scored.assessed_points} / {_number(group.points)} 分"
        )
        band = f"，{scored.band}" if scored.band else ""
        why = f"，{NOT_RANKED.zh(scored.not_ranked_reason)}" if scored.not_ranked_reason else ""
        lines += [
            f"{scored.unit} · {group.name_zh} · {tried.period}：合计 {scored.raw_points or '—'} 分，{score}{band}{why}",
            table,
        ]
    return as_text(*lines, *(f"注：{note}" for note in trial.notes))


def _tried(part: ScoredIndicator, indicator: Line, is_assumed: bool) -> Iterator[str]:
    yield indicator.name_zh + ("（未给出）" if is_assumed else "")
    yield from ("" if number is None else f"{number:f}" for number in (part.numerator, part.denominator))
    yield "" if part.value is None else f"{_number(part.value)}{'%' if indicator.is_percent else ''}"
    yield f"{part.wilson_low:.1%}–{part.wilson_high:.1%}" if part.wilson_low is not None else ""
    yield _number(part.points_max)
    yield _or_dash(part.points)


def render_what_if(found: WhatIf, limit_units: int = 50) -> str:
    """What changes in words, and the units that move, the furthest first."""
    moved = [move for move in found.moves if move.is_moved]
    head = [
        f"{found.title} {found.period} · 模拟测算，不影响已有得分",
        f"办法版本 {found.old_version} → {found.new_version} · 统计截止 {limit(found.as_of)}"
        + (" · 计数口径有变，已全部重算" if found.is_recounted else ""),
    ]
    if found.is_stale:
        head.append("注意：评分之后事实已有更新，原得分与测算可能不是同一批事实")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("单位")
    for title in ("原得分", "新得分", "变化", "原名次", "新名次"):
        table.add_column(title, justify="right")
    table.add_column("原档次")
    table.add_column("新档次")
    table.add_column("主要原因")
    for move in moved[:limit_units]:
        table.add_row(*_moved(move))
    counts = f"{len(moved)} 个单位有变化，{len(found.moves) - len(moved)} 个不变"
    hidden = [f"其余 {len(moved) - limit_units} 个未列出，用 --json 查看"] if len(moved) > limit_units else []
    changes = [change.text for change in found.changes] or ["两个版本内容相同"]
    return as_text(*head, "", *changes, "", counts, *([table] if moved else []), *hidden)


def _moved(move: Move) -> Iterator[str]:
    yield move.unit_name
    yield from (_or_dash(number) for number in (move.was.score_100, move.now.score_100))
    yield "—" if move.change is None else f"{move.change:+}"
    yield from (_or_dash(number) for number in (move.was.rank_in_group, move.now.rank_in_group))
    yield from (move.was.band or "", move.now.band or "")
    yield f"{move.reason.name_zh} {move.reason.effect:+}" if move.reason else ""


def _or_dash(number: object) -> str:
    return "—" if number is None else str(number)


def as_text(*parts: RenderableType) -> str:
    """Lines and tables as plain text, in the width of a terminal."""
    out = StringIO()
    console = Console(file=out, width=110, color_system=None, emoji=False, markup=False, highlight=False)
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, str))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _group(group: GroupScores, result: ScoreResult, limit_units: int | None) -> list[RenderableType]:
    """A table of a peer group; with places only where the scheme shows them."""
    kind = standing(result.period, result.kind)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    if result.shows_ranks:
        table.add_column("名次", justify="right")
    table.add_column("单位")
    for title in ("得分", f"{kind}折算（{group.points} 分）"):
        table.add_column(title, justify="right")
    table.add_column("档次")
    for unit in group.units[:limit_units]:
        place = (str(unit.rank_in_group or "—"),) if result.shows_ranks else ()
        numbers = ("—" if number is None else str(number) for number in (unit.score_100, unit.assessed_points))
        told = (unit.band, unit.listed_on, unit.not_ranked_reason and NOT_RANKED.zh(unit.not_ranked_reason))
        table.add_row(*place, unit.unit_name, *numbers, " · ".join(filter(None, told)))
    hidden = len(group.units) - table.row_count
    more = [f"其余 {hidden} 个未列出", ""] if hidden else []
    return [f"{group.name_zh}（{len(group.units)} 个单位）", table, *more]


def _head(given: Explanation) -> list[str]:
    kind = standing(given.period, given.kind)
    lines = [f"{given.unit_name}（{given.unit_code}） {given.period} {given.title}"]
    if given.score_100 is None:
        lines.append(f"{given.peer_group_zh} · {NOT_RANKED.zh(given.not_ranked_reason or '')}")
    else:
        lines.append(
            f"{given.peer_group_zh} · 得分 {given.score_100} / 100 · {kind}折算 {given.assessed_points} / "
            f"{given.peer_group_points} 分 · {_standing(given)}"
        )
    published = f" · 第 {given.revision} 次发布" if given.revision else ""
    lines.append(f"统计截止 {limit(given.as_of)} · 办法版本 {given.scheme_version} · 构建 {given.build_id}{published}")
    if given.is_stale and given.revision:
        lines.append("注意：得分与失分行为发布时所记，发布之后事实已有更新；所列办理过程以现有事实为准")
    elif given.is_stale:
        lines.append(f"注意：评分之后事实已有更新，请重新运行 minhu score {given.period}")
    return lines


def _standing(given: Explanation) -> str:
    if given.not_ranked_reason:
        return NOT_RANKED.zh(given.not_ranked_reason or "")
    place = [f"第 {given.rank_in_group} 名，共 {given.ranked_in_group} 个单位"] if given.shows_ranks else []
    return " · ".join(filter(None, (given.band or "未分档", given.listed_on, *place)))


def _table(given: Explanation) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("指标")
    titles = ("分子", "分母", "剔除", "指标值", "目标", "95% 区间", "满分", "得分", "失分")
    for title in (*titles, "同类组收缩值") if given.shows_shrunken else titles:
        table.add_column(title, justify="right")
    for part in given.indicators:
        percent = "%" if part.is_percent else ""
        bounds = f"{part.wilson_low:.1%}–{part.wilson_high:.1%}" if part.wilson_low is not None else ""
        table.add_row(
            part.name_zh,
            _number(part.numerator),
            _number(part.denominator) if percent and part.denominator is not None else "",
            str(part.excluded_rows or ""),
            "不适用" if part.value is None else f"{part.value:.2f}{percent}" if percent else _number(part.value),
            "" if part.target is None else f"{_number(part.target)}%",
            f"{bounds}{FUNNEL.get(part.funnel_flag or '', '')}",
            _number(part.points_max),
            "—" if part.points is None else f"{part.points}{_together(part)}",
            "—" if part.lost is None else str(part.lost),
            *(["" if part.shrunken_value is None else f"{part.shrunken_value:.2f}%"] if given.shows_shrunken else []),
        )
    return table


def _together(part: IndicatorPart) -> str:
    """What an item of parts gives with them."""
    return "" if part.whole_points is None else f"（合计 {part.whole_points}）"


def _loss(part: IndicatorPart, limit_rows: int | None) -> list[str]:
    if not (part.lost or part.entries or part.compared_zh or part.has_happened):
        return []
    lost = f"失 {part.lost} 分" if part.lost else f"得 {'—' if part.points is None else part.points} 分"
    lost = lost if part.has_happened is None else "发生" if part.has_happened else "未发生"
    lines = [f"{part.name_zh} {lost}（{part.rule_zh}）", *_entry_lines(part.entries)]
    lines += [f"  {part.compared_zh}"] if part.compared_zh else []
    if part.lost and not part.costs:
        lines.append("  失分不落在单件上，由分子、分母和规则得出")
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
    subject = " ".join(filter(None, (cost.feed_name, cost.case_no)))
    number = f"明细 {cost.published_row} " if cost.published_row else ""
    return [
        f"  {f'-{cost.lost}' if cost.lost else '·'}  {number}{subject}：{cost.finding_zh}",
        f"      {' · '.join(told + rule)}",
        *([f"      计时：{cost.clock.text_zh}"] if cost.clock else []),
        *([f"      事件：{_events(cost)}"] if cost.events else []),
        *(
            f"      未采用：{moment(event.at)} {event.event_zh}（{event.reason_zh}），"
            f"{event.source_name} 第 {event.row_number} 行"
            for event in cost.unused_events[:MAX_UNUSED]
        ),
        *(
            [f"      未采用：另 {hidden} 条，用 --json 查看"]
            if (hidden := len(cost.unused_events) - MAX_UNUSED) > 0
            else []
        ),
        f"      来源：{'；'.join(sources) or '无'}",
        f"      {_worth(cost)}",
    ]


def _worth(cost: Cost) -> str:
    """What the row is worth by itself; of rows alike, that it is any one of them and not their sum."""
    if cost.marginal is None:
        return f"若无此件：{cost.marginal_reason_zh}"
    which = "若无此件" if cost.marginal_alike == 1 else f"若无这 {cost.marginal_alike} 件中的任意一件"
    return f"{which}：{cost.marginal:+.2f} 分"


def _events(cost: Cost) -> str:
    return " · ".join(
        f"{event.event_zh}至 {limit(event.at)}"
        if event.event_type == "EXTEND_GRANT"
        else f"{event.event_zh} {moment(event.at)}"
        for event in cost.events
    )


def _entry_lines(entries: tuple[ManualEntry, ...]) -> list[str]:
    return [
        f"  人工计分第 {entry.manual_point_id} 条 {entry.points:+f} 分：{entry.reason}"
        f"{'' if entry.is_counted else '（已被后来的评分取代）'} · 依据 {entry.evidence_ref} · "
        f"{entry.entered_by} {moment(entry.entered_at)} 录入 · {'、'.join(entry.approved_by)} 审批"
        for entry in entries
    ]


def _number(value: Decimal | None) -> str:
    return "" if value is None else f"{value.normalize():f}"

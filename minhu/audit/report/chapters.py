"""The monthly audit report as blocks, in Chinese: a summary of checks, then a chapter for each."""

from collections.abc import Callable, Iterator

from minhu.audit.report.accounts import accounts, open_matters, rejected
from minhu.audit.report.fair import fair
from minhu.audit.report.proof import sample, signatures, versions
from minhu.audit.report.read import AuditReport
from minhu.audit.report.results import coverage, dimensions, feeds, scores
from minhu.paper.blocks import Block, Column, Row, Table, Text, settled
from minhu.schemes.words import moment

NUMBERS = ("一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二")


def chapters(report: AuditReport) -> list[Block]:
    """The whole report as blocks."""
    parts: tuple[tuple[str, Callable[[AuditReport], Iterator[Block]]], ...] = (
        ("总体结论", _summary),
        ("规则覆盖", coverage),
        ("按维度的结果与走势", dimensions),
        ("按热线的结果与走势", feeds),
        ("热线数据质量分", scores),
        ("扣留、豁免与待处置问题", open_matters),
        ("对账", accounts),
        ("拒收行", rejected),
        ("得分的先后有多可信", fair),
        ("抽样溯源", sample),
        ("版本与哈希", versions),
        ("签署", signatures),
    )
    blocks = [*_head(report)]
    for number, (title, tell) in zip(NUMBERS, parts, strict=True):
        blocks += [Text("heading", f"{number}、{title}"), *tell(report)]
    return settled(blocks)


def _head(report: AuditReport) -> Iterator[Block]:
    yield Text("title", "数据质量审计月报")
    yield Text("subtitle", month_zh(report))
    yield Text("meta", f"城市 {report.city}　数据记录截至 {moment(report.as_of)}　输入指纹 {report.fingerprint[:16]}")


def month_zh(report: AuditReport) -> str:
    return f"{report.period.first.year}年{report.period.first.month}月"


def _summary(report: AuditReport) -> Iterator[Block]:
    totals = report.totals
    yield Text(
        "body",
        f"本月业务日期 {totals['first_on']} 至 {totals['last_on']}，{totals['feeds']} 个来源送达 {totals['batches']} 个"
        f"批次，收到 {totals['received']:,} 行；整批拒收 {totals['refused']} 个，仍在扣留 {totals['held']} 个，"
        f"已被重放或新快照取代 {totals['superseded']} 个。",
    )
    columns = (Column("核查事项", 40), Column("结果", 16, "middle"), Column("依据", 64))
    yield Table(columns, tuple(Row(cells) for cells in _checks(report)))


def _checks(report: AuditReport) -> Iterator[tuple[str, str, str]]:
    gaps = sum(1 for row in report.accounts if row["gap"])
    yield _check(
        "收到 = 入库 + 拒收 + 重复 + 不取", gaps == 0, f"{len(report.accounts)} 个来源，{gaps} 个有差额（第七章）"
    )
    short = [row for row in report.ladder if row["one_side"] != row["other_side"]]
    yield _check("清单、暂存表与事实表相符", not short, f"{len(report.ladder)} 项核对，{len(short)} 项不符（第七章）")
    silent = [row["rule_id"] for row in report.rules if not row["runs"]]
    yield _check(
        "现行规则均已执行",
        bool(report.rules) and not silent,
        f"{len(report.rules)} 条规则，{len(silent)} 条本月未执行（第二章）",
    )
    errored = sum(row["errored_runs"] for row in report.rules)
    yield _check("没有规则执行出错", errored == 0, f"出错 {errored} 次；出错按未通过处理（第二章）")
    held = [row for row in report.holds if row["status"] == "held"]
    yield _check("没有未处置的扣留批次", not held, f"{len(held)} 个批次仍在扣留（第六章）")
    urgent = [row for row in report.findings if row["severity"] == "critical"]
    waived = sum(1 for row in report.findings if row["waiver_id"])
    yield _check(
        "没有未处置的严重问题",
        not urgent,
        f"待处置 {len(report.findings)} 项，其中严重 {len(urgent)} 项、已豁免 {waived} 项（第六章）",
    )
    yield _scores_agree(report)
    yield _releases_are_linked(report)


def _scores_agree(report: AuditReport) -> tuple[str, str, str]:
    what = "事实、指标与得分相符"
    if not report.releases_checked:
        return what, "未评分", "本月尚未评分"
    bad = [row for row in report.releases_checked if any(row[name] for name in _ZERO)]
    return _check(what, not bad, f"{len(report.releases_checked)} 次评分，{len(bad)} 次有不符（第七章）")


def _releases_are_linked(report: AuditReport) -> tuple[str, str, str]:
    what = "发布哈希链首尾相接"
    if not report.releases:
        return what, "未发布", "本月结果尚未发布"
    is_whole = all(row["is_linked"] for row in report.releases)
    return _check(what, is_whole, f"{len(report.releases)} 次发布；逐行校验用 minhu verify")


_ZERO = (
    "units_without_indicators",
    "indicators_without_score",
    "points_sum_gaps",
    "case_sum_gaps",
)


def _check(what: str, is_ok: bool, basis: str) -> tuple[str, str, str]:
    return what, "相符" if is_ok else "需核查", basis

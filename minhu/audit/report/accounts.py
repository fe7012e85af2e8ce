"""Chapters on what was decided and what became of every row: holds, waivers, reconciliation, rejected rows."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

from minhu.audit.report.lists import capped
from minhu.audit.report.read import AuditReport
from minhu.audit.trace import Rows
from minhu.glossary.decided import DECISION_STATE
from minhu.glossary.delivered import BATCH_STATUS, DOOR_REASON, RECONCILED, SEVERITY
from minhu.paper.blocks import Block, Column, Row, Table, Text
from minhu.paper.tables import Field, table, written

MOMENT = "%Y-%m-%d %H:%M"


def open_matters(report: AuditReport) -> Iterator[Block]:
    yield Text("body", "天数算至数据记录的最新时刻。谁因何处置，见各清单所指的表。")
    yield from _listed(
        "扣留批次", "本月没有扣留的批次。", HOLDS, report.holds, "minhu quality held、audit.batch_verdict"
    )
    yield from _listed("豁免", "没有涉及本月的豁免。", WAIVERS, report.waivers, "assess.waiver（含理由）")
    yield from _listed("待处置问题", "没有待处置的问题。", FINDINGS, report.findings, "audit.open_finding")


def _listed(heading: str, nothing: str, fields: tuple[Field, ...], rows: Rows, source: str) -> Iterator[Block]:
    """A list under its heading, or the sentence that says there is nothing to list."""
    yield Text("subheading", heading)
    if rows:
        yield from capped(fields, rows, source)
    else:
        yield Text("body", nothing)


def _disposed(row: dict) -> str:
    if row["released_at"]:
        return f"人工放行\n{row['decided_by']} {row['released_at']:%Y-%m-%d %H:%M}"
    if row["superseded_by"]:
        return f"由批次 {row['superseded_by']} 取代"
    return "未处置" if row["status"] == "held" else BATCH_STATUS.zh(row["status"])


HOLDS = (
    Field("批次", 12, "{batch_id}", "right"),
    Field("来源与交付", 36, "{feed_code}/{delivery}"),
    Field("业务日", 24, "{business_date}", "middle"),
    Field("入库行", 15, "{staged_rows:,}", "right"),
    Field("原因", 38, lambda row: row["rule_ids"].replace(" ", "\n")),
    Field("扣留于", 24, f"{{held_at:{MOMENT}}}", "middle"),
    Field("处置", 28, _disposed),
    Field("天数", 12, "{age_days}", "right"),
)
WAIVERS = (
    Field("编号", 10, "{waiver_id}", "right"),
    Field("规则", 44, "{title_zh}\n{rule_id}"),
    Field("对象", 28, "{subject}"),
    Field("作出", 30, f"{{waived_by}}\n{{waived_at:{MOMENT}}}"),
    Field("到期", 20, "{expires_on}", "middle"),
    Field("状态", 20, lambda row: DECISION_STATE.zh(row["state"]), "middle"),
    Field("天数", 12, "{age_days}", "right"),
)
FINDINGS = (
    Field("级别", 10, lambda row: SEVERITY.zh(row["severity"]), "middle"),
    Field("规则", 50, "{title_zh}\n{rule_id}"),
    Field("对象", 34, lambda row: row["subject"] or ""),
    Field("首次未通过", 26, f"{{first_failed_at:{MOMENT}}}", "middle"),
    Field("最近未通过", 26, f"{{last_failed_at:{MOMENT}}}", "middle"),
    Field("天数", 12, "{age_days}", "right"),
    Field("豁免", 12, lambda row: row["waiver_id"] or "—", "middle"),
)
ACCOUNTS = (
    Field("来源", 46, "{feed_name}\n{feed_code}"),
    Field("批次", 12, "{batches:,}", "right"),
    Field("收到", 18, "{received:,}", "right"),
    Field("入库", 18, "{staged:,}", "right"),
    Field("拒收", 14, "{rejected:,}", "right"),
    Field("重复", 14, "{duplicates:,}", "right"),
    Field("不取", 14, "{filtered:,}", "right"),
    Field("已清理", 14, "{pruned:,}", "right"),
    Field("差额", 12, "{gap:,}", "right"),
    Field("与对方计数差", 16, lambda row: f"{row['sender_gap']:+,}" if row["counted_by_sender"] else "—", "right"),
)
_SUMMED = (
    "batches",
    "received",
    "staged",
    "rejected",
    "duplicates",
    "filtered",
    "pruned",
    "gap",
    "sender_gap",
    "counted_by_sender",
)
LADDER = (
    Field("核对", 84, "{step_zh}"),
    Field("一侧", 20, "{one_side:,}", "right"),
    Field("另一侧", 20, "{other_side:,}", "right"),
    Field(
        "结果",
        14,
        lambda row: "相符" if row["one_side"] == row["other_side"] else f"差 {row['one_side'] - row['other_side']:+,}",
        "middle",
    ),
)
REJECTED = (
    Field("原因", 44, lambda row: f"{DOOR_REASON.said(row['reason_code'])}\n{row['reason_code']}"),
    Field("列", 34, lambda row: row["column_name"] or "—"),
    Field("行数", 18, "{rows:,}", "right"),
    Field("占比", 16, lambda row: f"{Decimal(100 * row['rows']) / row['whole']:.1f}%", "right"),
    Field("来源数", 14, "{feeds}", "right"),
    Field("首日", 22, "{first_on}", "middle"),
    Field("末日", 22, "{last_on}", "middle"),
)


def accounts(report: AuditReport) -> Iterator[Block]:
    yield Text("body", "从送达文件到得分逐级核对，每一步的两侧应相等。")
    yield Text("subheading", "收到 = 入库 + 拒收 + 重复 + 不取")
    if report.accounts:
        yield from _received(report)
    else:
        yield Text("body", "本月没有未被拒收、未被取代的批次。")
    yield Text("subheading", "暂存表 ↔ 事实表")
    yield table(LADDER, _first(report.ladder, lambda row: row["one_side"] != row["other_side"]))
    yield Text("subheading", "事实表 ↔ 指标 ↔ 得分")
    if not report.releases_checked:
        yield Text("body", "本月尚未评分。")
        return
    yield Text("body", "前两行为行数，其余均应为零，不为零的排在前面；发布门禁按同一口径核对。")
    runs = report.releases_checked
    counted, zero = list(RECONCILED.items())[:2], list(RECONCILED.items())[2:]
    checked = [*counted, *_first(zero, lambda pair: any(run[pair[0]] for run in runs))]
    columns = (
        Column("核对", 60),
        *(Column(f"{run['scheme_id']}\n{run['scheme_version'][:12]}", 24, "right") for run in runs),
    )
    yield Table(columns, tuple(Row((word.zh, *(f"{run[key]:,}" for run in runs))) for key, word in checked))


def _received(report: AuditReport) -> Iterator[Block]:
    yield Text(
        "body",
        "按来源汇总本月未被拒收、未被取代的批次；不取为按声明不属于该来源的行，已清理为按保存期限删除、已入账的行。末行为合计。",
    )
    sums = {name: sum(row[name] for row in report.accounts) for name in _SUMMED}
    total = written((replace(ACCOUNTS[0], cell="合计"), *ACCOUNTS[1:]), sums, is_total=True)
    yield from capped(
        ACCOUNTS, _first(report.accounts, lambda row: row["gap"]), "minhu reconcile --date 日期", total=total
    )


def _first(rows: Iterable[Any], is_failure: Callable[[Any], object]) -> list[Any]:
    """What failed before what did not, each in its order: a failure is not looked for among the zeros."""
    return sorted(rows, key=lambda row: not is_failure(row))


def rejected(report: AuditReport) -> Iterator[Block]:
    if not report.rejected:
        yield Text("body", "本月没有拒收行。")
        return
    whole = sum(row["rows"] for row in report.rejected)
    yield Text("body", f"拒收 {whole:,} 行，按原因与列汇总；行内容不在本报告中，须说明理由并留痕后方可查看。")
    yield from capped(REJECTED, [row | {"whole": whole} for row in report.rejected], "audit.rejected_row")

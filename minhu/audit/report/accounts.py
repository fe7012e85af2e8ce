"""Chapters on what was decided and what became of every row: holds, waivers, reconciliation, rejected rows."""

from collections.abc import Iterator
from decimal import Decimal

from minhu.audit.report.lists import capped
from minhu.audit.report.read import AuditReport
from minhu.glossary.decided import DECISION_STATE
from minhu.glossary.delivered import BATCH_STATUS, RECONCILED, SEVERITY
from minhu.paper.blocks import Block, Column, Row, Table, Text
from minhu.schemes.words import moment


def open_matters(report: AuditReport) -> Iterator[Block]:
    yield Text("body", "天数算至数据记录的最新时刻。谁因何处置，见各清单所指的表。")
    yield from _listed(
        "扣留批次",
        "本月没有扣留的批次。",
        (
            Column("批次", 12, "right"),
            Column("来源与交付", 36),
            Column("业务日", 24, "middle"),
            Column("入库行", 15, "right"),
            Column("原因", 38),
            Column("扣留于", 24, "middle"),
            Column("处置", 28),
            Column("天数", 12, "right"),
        ),
        [
            (
                str(row["batch_id"]),
                f"{row['feed_code']}/{row['delivery']}",
                str(row["business_date"]),
                f"{row['staged_rows']:,}",
                row["rule_ids"].replace(" ", "\n"),
                moment(row["held_at"]),
                _disposed(row),
                str(row["age_days"]),
            )
            for row in report.holds
        ],
        "minhu quality held、audit.batch_verdict",
    )
    yield from _listed(
        "豁免",
        "没有涉及本月的豁免。",
        (
            Column("编号", 10, "right"),
            Column("规则", 44),
            Column("对象", 28),
            Column("作出", 30),
            Column("到期", 20, "middle"),
            Column("状态", 20, "middle"),
            Column("天数", 12, "right"),
        ),
        [
            (
                str(row["waiver_id"]),
                f"{row['title_zh']}\n{row['rule_id']}",
                row["subject"],
                f"{row['waived_by']}\n{moment(row['waived_at'])}",
                str(row["expires_on"]),
                DECISION_STATE.zh(row["state"]),
                str(row["age_days"]),
            )
            for row in report.waivers
        ],
        "assess.waiver（含理由）",
    )
    yield from _listed(
        "待处置问题",
        "没有待处置的问题。",
        (
            Column("级别", 10, "middle"),
            Column("规则", 50),
            Column("对象", 34),
            Column("首次未通过", 26, "middle"),
            Column("最近未通过", 26, "middle"),
            Column("天数", 12, "right"),
            Column("豁免", 12, "middle"),
        ),
        [
            (
                SEVERITY.zh(row["severity"]),
                f"{row['title_zh']}\n{row['rule_id']}",
                row["subject"] or "",
                moment(row["first_failed_at"]),
                moment(row["last_failed_at"]),
                str(row["age_days"]),
                str(row["waiver_id"] or "—"),
            )
            for row in report.findings
        ],
        "audit.open_finding",
    )


def _listed(
    heading: str, nothing: str, columns: tuple[Column, ...], cells: list[tuple[str, ...]], source: str
) -> Iterator[Block]:
    """A list under its heading, or the sentence that says there is nothing to list."""
    yield Text("subheading", heading)
    if cells:
        yield from capped(columns, [Row(of_one) for of_one in cells], source)
    else:
        yield Text("body", nothing)


def _disposed(row: dict) -> str:
    if row["released_at"]:
        return f"人工放行\n{row['decided_by']} {moment(row['released_at'])}"
    if row["superseded_by"]:
        return f"由批次 {row['superseded_by']} 取代"
    return "未处置" if row["status"] == "held" else BATCH_STATUS.zh(row["status"])


def accounts(report: AuditReport) -> Iterator[Block]:
    yield Text("body", "从送达文件到得分逐级核对，每一步的两侧应相等。")
    yield Text("subheading", "收到 = 入库 + 拒收 + 重复")
    yield Text("body", "按来源汇总本月未被拒收、未被取代的批次；已清理为按保存期限删除、已入账的行。末行为合计。")
    columns: tuple[Column, ...] = (
        Column("来源", 46),
        Column("批次", 12, "right"),
        Column("收到", 18, "right"),
        Column("入库", 18, "right"),
        Column("拒收", 14, "right"),
        Column("重复", 14, "right"),
        Column("已清理", 14, "right"),
        Column("差额", 12, "right"),
        Column("与对方计数差", 16, "right"),
    )
    sums = ("batches", "received", "staged", "rejected", "duplicates", "pruned", "gap")

    def line(name: str, row: dict, *, is_total: bool = False) -> Row:
        sender = f"{row['sender_gap']:+,}" if row["counted_by_sender"] else "—"
        return Row((name, *(f"{row[column]:,}" for column in sums), sender), is_total)

    rows = [line(f"{row['feed_name']}\n{row['feed_code']}", row) for row in report.accounts]
    total = {
        column: sum(row[column] for row in report.accounts) for column in (*sums, "sender_gap", "counted_by_sender")
    }
    yield from capped(columns, rows, "minhu reconcile --date 日期", total=line("合计", total, is_total=True))
    yield Text("subheading", "暂存表 ↔ 事实表")
    columns = (
        Column("核对", 84),
        Column("一侧", 20, "right"),
        Column("另一侧", 20, "right"),
        Column("结果", 14, "middle"),
    )
    yield Table(
        columns,
        tuple(
            Row(
                (
                    row["step_zh"],
                    f"{row['one_side']:,}",
                    f"{row['other_side']:,}",
                    "相符" if row["one_side"] == row["other_side"] else f"差 {row['one_side'] - row['other_side']:+,}",
                )
            )
            for row in report.ladder
        ),
    )
    yield Text("subheading", "事实表 ↔ 指标 ↔ 得分")
    if not report.releases_checked:
        yield Text("body", "本月尚未评分。")
        return
    yield Text("body", "除前两行外均应为零；发布门禁按同一口径核对。")
    runs = report.releases_checked
    columns = (
        Column("核对", 60),
        *(Column(f"{run['scheme_id']}\n{run['scheme_version'][:12]}", 24, "right") for run in runs),
    )
    yield Table(columns, tuple(Row((word.zh, *(f"{run[key]:,}" for run in runs))) for key, word in RECONCILED.items()))


def rejected(report: AuditReport) -> Iterator[Block]:
    if not report.rejected:
        yield Text("body", "本月没有拒收行。")
        return
    whole = sum(row["rows"] for row in report.rejected)
    yield Text("body", f"拒收 {whole:,} 行，按原因与列汇总；行内容不在本报告中，须说明理由并留痕后方可查看。")
    columns: tuple[Column, ...] = (
        Column("原因代码", 44),
        Column("列", 34),
        Column("行数", 18, "right"),
        Column("占比", 16, "right"),
        Column("来源数", 14, "right"),
        Column("首日", 22, "middle"),
        Column("末日", 22, "middle"),
    )
    rows = [
        Row(
            (
                row["reason_code"],
                row["column_name"] or "—",
                f"{row['rows']:,}",
                f"{Decimal(100 * row['rows']) / whole:.1f}%",
                str(row["feeds"]),
                str(row["first_on"]),
                str(row["last_on"]),
            )
        )
        for row in report.rejected
    ]
    yield from capped(columns, rows, "audit.rejected_row")

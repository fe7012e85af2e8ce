"""Chapters that let an auditor check: the sample with its lineage, versions and hashes, the sign-off."""

from collections.abc import Iterator

from minhu.audit.report.lists import capped
from minhu.audit.report.read import AuditReport
from minhu.audit.sample import FRAME_ZH
from minhu.audit.trace import Trace
from minhu.audit.trace_text import NO_LIMIT
from minhu.glossary.delivered import AUDIT_INPUT, BATCH_STATUS, BUILD_STATUS
from minhu.paper.blocks import Block, Column, Row, Table, Text
from minhu.paper.tables import Field
from minhu.schemes.words import limit, moment


def sample(report: AuditReport) -> Iterator[Block]:
    if report.sample is None:
        yield Text("body", "本月没有已构建的工单可供抽样。")
        return
    frame = report.sample.frame
    yield Text(
        "body",
        f"抽样框：{FRAME_ZH}，共 {frame.cases:,} 件（构建 {frame.build_id}），框的 sha256 为 {frame.sha256[:16]}…。"
        f"种子“{report.sample.seed}”，抽取 {len(report.sample.cases)} 件。每件的次序由 "
        "sha256(种子|工单编号) 决定，与行的先后无关；用 minhu audit sample 可重新抽取并比对。",
    )
    columns: tuple[Column, ...] = (
        Column("工单", 42),
        Column("来源文件与行", 48),
        Column("批次与门禁", 26),
        Column("版本与事件", 28),
        Column("派单与时限", 42),
        Column("指标与得分", 44),
    )
    yield Table(columns, tuple(Row(_lineage(no, one)) for no, one in enumerate(report.traces, 1)))
    yield Text("small", "每件的全部步骤（各版本、各事件的取舍，逐次发布）：minhu audit trace 热线 工单编号。")


def _lineage(no: int, one: Trace) -> tuple[str, ...]:
    case = one.cases[0]
    batches = {row["batch_id"]: row for row in one.batches}
    source = batches[case["source_batch_id"]]
    kept = {True: "文件在存", False: "文件已清除", None: "落地区不可见"}[source["is_landed"]]
    gate = "、".join(dict.fromkeys(BATCH_STATUS.zh(row["status"]) for row in one.batches))
    counted = sum(row["outcome"] == "counted" for row in one.events)
    duties = [f"{row['unit_name'] or '未识别单位'}：{_closing(row)}" for row in one.assignments if not row["voided_at"]]
    return (
        f"{no}. {case['feed_code']}\n{case['case_no']}",
        f"{source['source_name']} 第 {case['source_row_number']} 行\nsha256 {source['source_sha256'][:16]}… {kept}",
        f"{'、'.join(str(key) for key in batches)}\n{gate}",
        f"{len(one.versions)} 个版本\n事件 {counted}/{len(one.events)} 采用\n回访 {len(one.callbacks)}",
        "\n".join(["", *(duties or ["无有效派单"])]),
        "\n".join(["", *_scored(one)]),
    )


def _scored(one: Trace) -> Iterator[str]:
    """What counted the case, the scores that rest on it, and the releases that hold them."""
    counted = [f"{row['indicator_zh']} {_counted(row)}" for row in one.indicators]
    yield from counted[:6] or ["未计入任何指标"]
    if len(counted) > 6:
        yield f"另 {len(counted) - 6} 项"
    units = dict.fromkeys((row["period"], row["unit_code"], row["score_100"]) for row in one.indicators)
    yield from (f"{period} {unit} 得分 {score}" for period, unit, score in units if score is not None)
    yield from sorted({f"{row['period']} 第 {row['revision']} 次发布" for row in one.published})


def _closing(row: dict) -> str:
    due = row["due_in_force_at"]
    told = f"{limit(due)[5:]} 限" if due else NO_LIMIT[row["is_limit_unknown"]]
    done = f"{row['closed_at']:%m-%d %H:%M} 办结" if row["closed_at"] else "未办结"
    return f"{moment(row['dispatched_at'])[5:]} 派，{told}，{done}"


def _counted(row: dict) -> str:
    if row["excluded_reason"]:
        return "不计入"
    return f"{row['numerator_value'].normalize():f}/{row['denominator_value'].normalize():f}"


BUILDS = (
    Field("构建", 12, "{build_id}", "right"),
    Field("结果", 14, lambda row: BUILD_STATUS.zh(row["status"]), "middle"),
    Field("全量", 10, lambda row: "是" if row["is_full_refresh"] else "否", "middle"),
    Field("配置版本", 14, "{config_version}", "right"),
    Field("代码版本", 16, "{code_version}", "middle"),
    Field("完成", 28, lambda row: moment(row["finished_at"]) if row["finished_at"] else "—", "middle"),
    Field("采用批次", 16, "{taken}", "right"),
    Field("撤下批次", 16, "{withdrawn}", "right"),
)
RELEASES = (
    Field("发布", 14, "{release_id}", "right"),
    Field("办法与修订", 26, "{scheme_id}\n第 {revision} 次"),
    Field("行数", 16, "{row_count:,}", "right"),
    Field("关账 / 审批", 34, "{closed_by} / {approved_by}"),
    Field("发布时间", 26, "{published_at:%Y-%m-%d %H:%M}", "middle"),
    Field(
        "哈希（前一链节在下）",
        84,
        lambda row: f"{row['hash']}\n{row['previous_hash']}{'' if row['is_linked'] else '（与前一次发布不相接）'}",
    ),
)


def versions(report: AuditReport) -> Iterator[Block]:
    yield Text("body", "本报告只由下列输入得出。输入指纹相同的两份报告逐字节相同；报告中没有生成时刻。")
    columns: tuple[Column, ...] = (Column("输入", 56), Column("sha256", 84))
    yield Table(
        columns,
        (
            *(Row((AUDIT_INPUT.zh(name), value)) for name, value in report.inputs.items()),
            Row(("输入指纹", report.fingerprint), is_total=True),
        ),
    )
    yield Text("subheading", "构建")
    if report.builds:
        yield from capped(BUILDS, report.builds[::-1], "audit.build")
    else:
        yield Text("body", "本月的批次尚未构建。")
    yield Text("subheading", "评分与发布")
    for row in report.schemes:
        yield Text(
            "item",
            f"办法 {row['scheme_id']} 版本 {row['scheme_version']}：构建 {row['build_id']}，配置版本 "
            f"{row['config_version']}（sha256 {row['config_sha256'][:16]}…），统计截止 {limit(row['as_of'])}，"
            f"{row['units']} 个单位。",
        )
    if not report.schemes:
        yield Text("body", "本月尚未评分。")
    if not report.releases:
        yield Text("body", "本月结果尚未发布。")
        return
    yield from capped(RELEASES, report.releases, "minhu releases list")
    head = report.releases[-1]
    yield Text("small", f"哈希链共 {head['releases']} 次发布，末端 {head['chain_head']}。逐行校验：minhu verify。")


def signatures(report: AuditReport) -> Iterator[Block]:
    yield Text("body", "以上内容由下列输入指纹所指的数据得出。签署人对所核查的范围负责，意见可附页。")
    yield Text("meta", report.fingerprint)
    columns: tuple[Column, ...] = (Column("角色", 36), Column("意见", 66), Column("签名", 34), Column("日期", 40))
    roles = ("编制（数据管理）", "复核（数据质量）", "审计", "批准")
    yield Table(
        columns, tuple(Row((role, "\u3000\n\u3000\n\u3000", "", "\u3000\u3000年\u3000月\u3000日")) for role in roles)
    )

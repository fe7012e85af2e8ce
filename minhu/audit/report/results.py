"""Chapters on what the gates found: coverage of rules, results by dimension and feed, data quality of feeds."""

from collections.abc import Callable, Iterator
from decimal import Decimal

from minhu.audit.feeds import FeedScore
from minhu.audit.report.lists import SHOWN, capped
from minhu.audit.report.read import AuditReport
from minhu.glossary.delivered import QUALITY_PART, SEVERITY
from minhu.paper.blocks import WIDTH, Block, Figure, Text
from minhu.paper.tables import Field, table
from minhu.paper.trends import Series, bars, said, trend
from minhu.schemes.feed_words import losses_text

RULES = (
    Field("规则", 44, "{title_zh}\n{rule_id}"),
    Field("维度", 12, "{dimension}", "middle"),
    Field("级别", 10, lambda row: SEVERITY.zh(row["severity"]), "middle"),
    Field("责任", 16, lambda row: row["owner"] or "未登记"),
    Field("运行", 9, "{runs}", "right"),
    Field("未通过", 11, "{failed_runs}", "right"),
    Field("出错", 9, "{errored_runs}", "right"),
    Field("批次", 9, "{failed_batches}", "right"),
    Field("来源", 9, "{failed_feeds}", "right"),
)
DIMENSIONS = (
    Field("维度", 18, "{dimension}"),
    Field("规则", 14, "{rules}", "right"),
    Field("其中严重", 16, "{critical_rules}", "right"),
    Field("未通过规则", 18, "{failed_rules}", "right"),
    Field("严重批次", 16, "{critical_batches}", "right"),
    Field("警告批次", 16, "{warning_batches}", "right"),
    Field("涉及来源", 16, "{feeds}", "right"),
)
FEEDS = (
    Field("来源", 38, "{feed_name}\n{feed_code}"),
    Field("批次", 11, "{batches}", "right"),
    Field("收到行", 15, "{received:,}", "right"),
    Field("拒收行", 14, "{rejected:,}", "right"),
    Field("整批拒收", 17, "{refused}", "right"),
    Field("严重批次", 17, "{critical}", "right"),
    Field("警告批次", 17, "{warnings}", "right"),
    Field("扣留", 11, "{held}", "right"),
    Field("规则", 11, "{failed_rules}", "right"),
)


def _part(name: str, width: float) -> Field:
    return Field(QUALITY_PART.zh(name), width, lambda score: score.part(name).points, "right")


def _why(score: FeedScore) -> str:
    told = [
        f"{QUALITY_PART.zh(part.part)}：{losses_text(part.lost)}"
        for part in score.parts
        if part.points < part.points_max and part.lost
    ]
    return "\n" + "\n".join(told) if told else "无"


SCORES = (
    Field("来源", 36, lambda score: f"{score.feed_name}\n{score.feed_code}"),
    *(_part(name, width) for name, width in zip(QUALITY_PART, (19, 19, 19, 23), strict=True)),
    Field("合计", 13, lambda score: score.points, "right"),
    Field("失分原因（每项最多五条）", 48, _why),
)


def coverage(report: AuditReport) -> Iterator[Block]:
    counted = {name: sum(row["severity"] == name for row in report.rules) for name in SEVERITY}
    if not report.rules:
        yield Text("body", "规则台账为空：门禁尚未运行。")
        return
    yield Text(
        "body",
        f"规则台账现行 {len(report.rules)} 条："
        + "，".join(f"{SEVERITY.zh(name)} {count} 条" for name, count in counted.items())
        + "。下表为每条规则本月的执行与未通过情况；未通过的批次数不含仅提示整次运行的结果。",
    )
    troubled = [row for row in report.rules if row["failed_runs"] or row["errored_runs"] or not row["runs"]]
    for heading, rows in (
        ("有未通过、出错或未执行的规则", sorted(troubled, key=lambda row: list(SEVERITY).index(row["severity"]))),
        ("没有未通过的规则", [row for row in report.rules if row not in troubled]),
    ):
        if rows:
            yield Text("subheading", f"{heading}（{len(rows)} 条）")
            yield from capped(RULES, rows, "audit.quality_rule、audit.quality_result", limit=60)


def dimensions(report: AuditReport) -> Iterator[Block]:
    if not report.dimensions:
        yield Text("body", "本月没有门禁运行。")
        return
    yield Text(
        "body", "维度按 GB/T 36344 划分。批次数为本月至少未通过一条该维度规则的批次，同一批次在多个维度中分别计数。"
    )
    yield table(DIMENSIONS, report.dimensions)
    shares = _series(report, report.dimension_trend, "dimension", _share)
    yield from _over_time(report, shares, "各维度未通过批次占已判定批次的比重（不含提示级）", "%")


def _over_time(report: AuditReport, series: list[Series], alt: str, unit: str) -> Iterator[Block]:
    """A trend; of a single month, where there is none yet, its values in a sentence."""
    known = [at for at, _ in enumerate(report.months) if any(one.values[at] is not None for one in series)]
    if len(known) == 1:
        told = [f"{one.name} {said(value)}{unit}" for one in series if (value := one.values[known[0]]) is not None]
        yield Text("item", f"{alt}：{'，'.join(told)}。")
    elif drawing := trend(series, report.months, alt, unit, WIDTH):
        yield Figure(drawing)


def _share(row: dict) -> Decimal | None:
    return Decimal(100 * row["failed_batches"]) / row["batches"] if row["batches"] else None


def _series(report: AuditReport, rows: tuple[dict, ...], key: str, value: Callable) -> list[Series]:
    """One line for each name in the column ``key``, in the order in which they come."""
    found = {(row[key], row["month_on"]): value(row) for row in rows}
    names = dict.fromkeys(row[key] for row in rows)
    return [Series(str(name), tuple(found.get((name, month)) for month in report.months)) for name in names]


def feeds(report: AuditReport) -> Iterator[Block]:
    troubled = [row for row in report.feeds if row["critical"] or row["refused"] or row["warnings"]]
    yield Text(
        "body",
        f"{len(report.feeds)} 个来源有送达，其中 {len(troubled)} 个有未通过规则或整批拒收的批次；按严重程度排列。",
    )
    if troubled:
        yield from capped(FEEDS, troubled, "audit.batch、audit.quality_result")
    parts = (("整批拒收", "refused"), ("曾被扣留", "held"))
    series = [
        Series(name, tuple(_month(report.feed_trend, month, column) for month in report.months))
        for name, column in parts
    ]
    yield from _over_time(report, series, "整批拒收与曾被扣留的批次数", " 个")


def _month(rows: tuple[dict, ...], month: object, column: str) -> int | None:
    return next((row[column] for row in rows if row["month_on"] == month), None)


def scores(report: AuditReport) -> Iterator[Block]:
    if not report.scores:
        yield Text("body", "本月没有数据质量分：city.yml 的 feed_quality 未在本月生效，或本月批次尚未构建。")
        return
    whole = sum((score.points for score in report.scores), Decimal(0)) / len(report.scores)
    full = report.scores[0].points_max
    through = max(score.through_on for score in report.scores)
    yield Text(
        "body",
        f"{len(report.scores)} 个来源，平均 {whole:.2f} 分（满分 {full.normalize():f}），统计至 {through}。"
        "四项为数据完整、内容完整、数据及时、接口稳定性；每项得分 = 满分 × 分子 ÷ 分母，保留两位小数，失分逐条可查。"
        "按得分由低到高排列。",
    )
    lowest = report.scores[:SHOWN]
    names = [(f"{score.feed_name}", score.points, score.points_max) for score in lowest[:12]]
    if drawing := bars(names, "得分最低的来源", WIDTH):
        yield Figure(drawing)
    yield from capped(SCORES, report.scores, f"minhu audit feeds {report.period.text}")
    parts = _series(report, report.score_trend, "part", lambda row: row["pct"])
    named = [Series(QUALITY_PART.zh(one.name), one.values) for one in parts]
    yield from _over_time(report, named, "各项平均得分率", "%")

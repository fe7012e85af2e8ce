"""The words of explanations in Chinese, as a unit reads them."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from minhu.business_date import day_and_time
from minhu.glossary.cases import ANSWER, LIMIT_KIND, SUBJECT, VIOLATION
from minhu.glossary.delivered import QUALITY_PART
from minhu.glossary.law import CHOICE, COMBINED, COMPARISON, PERIOD, REFERENCE, STANDING, TIES, VALUE_UNIT
from minhu.schemes.feed_words import losses_text
from minhu.schemes.language.count import PLAIN, QUANTILES
from minhu.schemes.language.functions import Per, said
from minhu.schemes.language.indicator import Indicator, Line
from minhu.schemes.language.relative import Compared
from minhu.schemes.language.values import written
from minhu.schemes.period import Period

_OPENS = ("DISPATCH", "REDISPATCH", "ADD_UNIT", "REWORK")
CONCERNED = {
    "sign": (*_OPENS, "SIGN"),
    "contact": (*_OPENS, "FIRST_CONTACT"),
    "close": (*_OPENS, "EXTEND_REQUEST", "EXTEND_GRANT", "EXTEND_DENY", "REVIEW_BACK", "CLOSE"),
}
"""The events that a limit rests on."""
FUNNEL = {"low_95": " ↓", "low_99_8": " ↓↓", "high_95": " ↑", "high_99_8": " ↑↑"}
"""Outside the control limits of the peer group: one arrow for 95 %, two for 99.8 %."""


def standing(period: str, kind: str) -> str:
    """What a score of a period is: 月度参考, 年度."""
    return PERIOD.zh(Period.parse(period).kind) + (STANDING.zh(kind) if kind == "indicative" else "")


def finding(indicator: Line, row: dict, as_of: datetime) -> str:
    """What was found against the unit in one row."""
    if row["subject_kind"] == "callback":
        return f"{SUBJECT.zh('callback')}：{answered(row)}"
    if row["subject_kind"] == "violation":
        code = row["violation_code"]  # none where the finding was taken back after the score
        return f"{SUBJECT.zh('violation')}：{VIOLATION.said(code) if code else '已撤销'}{_again(indicator, row)}"
    if row["subject_kind"] == "feed":
        return f"{QUALITY_PART.zh(row['quality_part'])}：{losses_text(row['quality_lost'])}"
    if indicator.counts.limit_kind is None:
        denied = row["return_deny_count"]
        said_so = f"退单申请被驳回 {denied} 次" if denied else indicator.counts.name_zh
        return said_so + _again(indicator, row)
    act = LIMIT_KIND.zh(indicator.counts.limit_kind)
    if row["occurred_at"] is None or row["occurred_at"] > as_of:
        return f"截至 {limit(as_of)} 未{act}"
    return f"超时 {span(row['occurred_at'] - row['due_at'])}（自然时）{act}"


def _again(indicator: Line, row: Mapping[str, Any]) -> str:
    """That a row counts more because it happened again."""
    if indicator.repeated is None or row["numerator_value"] <= 1:
        return ""
    return f"（{PERIOD.zh(indicator.repeated.within)}内再次发生，按 {said(indicator.repeated.times)} 倍计）"


def answered(row: Mapping[str, Any]) -> str:
    """What the citizen said when he was called back; empty where he said nothing."""
    told = [ANSWER.said(row[name]) for name in ("resolution_code", "satisfaction_code") if row[name]]
    told += [f"态度{ANSWER.said(row['attitude_code'])}"] if row["attitude_code"] else []
    return "，".join(told)


def step(indicator: Line, subject_kind: str) -> str:
    """What it was that happened at a row's occurred_at."""
    if subject_kind == "assignment":
        return LIMIT_KIND.zh(indicator.counts.limit_kind) if indicator.counts.limit_kind else ""
    return "评分月" if subject_kind == "feed" else SUBJECT.zh(subject_kind)


def _units(indicator: Line) -> tuple[str, str]:
    """What stands behind a line and behind a step away from it."""
    if indicator.compared is not None and indicator.compared.to == "group_rank":
        return "", "名"
    if indicator.reads_percent:
        return "%", "个百分点" if indicator.compared is None or indicator.compared.told == "difference" else "%"
    said_so = VALUE_UNIT.zh(indicator.value_unit)
    return (f" {said_so}", said_so) if indicator.aggregate in PLAIN or indicator.aggregate in QUANTILES else ("", "")


def scoring_rule(indicator: Line, peer_group: str, day: date) -> str:
    """How an indicator scores a peer group on a day."""
    terms = indicator.terms(peer_group, day)
    full = f"满分 {said(terms.points)} 分，" if terms.points else ""
    rule = indicator.scoring
    if isinstance(rule, Per):
        told = rule.text_zh(terms, _units(indicator), indicator.compared is not None)
    else:
        told = rule.text_zh(terms)
    return "".join([full, f"{_made(indicator)}，" if _made(indicator) else "", told])


def _made(indicator: Line) -> str:
    """What is done with a value before it is scored: put together of parts, held against another, pooled."""
    told = []
    if isinstance(indicator, Indicator) and indicator.combine:
        weighed = [
            f"{part.name_zh}×{written(part.weight)}" if part.weight != 1 else part.name_zh for part in indicator.parts
        ]
        told.append(f"{'、'.join(weighed)} {COMBINED.zh(indicator.combine)}")
    if with_what := indicator.compared:
        told.append(_against(with_what))
    if pooled := indicator.pooled:
        told.append(f"不足 {pooled.below} 件的与前期合并计算，至多 {pooled.at_most} 期")
    return "，".join(told)


def _against(with_what: Compared) -> str:
    name = REFERENCE.zh(with_what.to)
    if with_what.told is None:
        return f"按{name}（{CHOICE.zh(with_what.better or 'higher')}；同值{TIES.zh(with_what.ties or 'shared')}）"
    return f"与{name}相比的{COMPARISON.zh(with_what.told)}"


def compared_zh(indicator: Line, numbers: Mapping[str, Any]) -> str | None:
    """What a unit's value was held against and what was read of it, or with which earlier rows it was counted; None
    where neither."""
    earlier = [f"{one['period']}{_stood(one)}" for one in numbers["earlier"] or ()]
    if numbers["pooled_denominator"] is not None:
        counts = "/".join(said(numbers[name]) for name in ("pooled_numerator", "pooled_denominator"))
        return f"本期 {said(numbers['denominator'])} 件，与 {'、'.join(earlier)} 合并为 {counts}"
    with_what = indicator.compared
    if with_what is None:
        return None
    if numbers["compared_value"] is None:
        return f"没有可比的{REFERENCE.zh(with_what.to)}"
    read = said(numbers["compared_value"])
    if with_what.told is None:
        return f"同组第 {read} 名"
    unit = "%" if indicator.is_percent else ""
    named = REFERENCE.zh(with_what.to)
    if with_what.is_earlier:
        named = f"{named}（{earlier[0]}）" if earlier else REFERENCE.zh("baseline")
    sign = "+" if with_what.told != "ratio" and numbers["compared_value"] > 0 else ""
    ends = "%" if with_what.told != "difference" else " 个百分点" if indicator.is_percent else ""
    return f"{named} {said(numbers['reference_value'])}{unit}，{COMPARISON.zh(with_what.told)} {sign}{read}{ends}"


def _stood(one: Mapping[str, Any]) -> str:
    """As what an earlier period stood when it was asked."""
    return f" 第 {one['revision']} 次发布" if one["revision"] else " 未发布的得分"


def rule_text(key: str | None, rules: Mapping[str, dict]) -> str | None:
    """The limit rule that was judged, in the words of the scheme."""
    return "工单载明的期限" if key == "ticket" else rules.get(key or "", {}).get("text", key)


def span(length: timedelta) -> str:
    """A length of time on the natural clock. A second late is late."""
    minutes = length // timedelta(minutes=1)
    if minutes < 1:
        return "不足 1 分钟"
    parts = ((minutes // 1440, "天"), (minutes // 60 % 24, "小时"), (minutes % 60, "分钟"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


def moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M}"


def limit(when: datetime) -> str:
    """A moment up to which something is due or counted: 2026-10-19 24:00."""
    day, time = day_and_time(when)
    return f"{day} {time}"

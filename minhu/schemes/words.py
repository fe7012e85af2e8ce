"""The words of explanations in Chinese, as a unit reads them."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from minhu.schemes.feed_words import PARTS, losses_text
from minhu.schemes.language.functions import said
from minhu.schemes.language.indicator import Indicator
from minhu.schemes.period import Period

ANSWERS = {
    "resolved": "实际解决",
    "explained": "解释说明",
    "unresolved": "未解决",
    "very_satisfied": "非常满意",
    "satisfied": "满意",
    "basically_satisfied": "基本满意",
    "neutral": "一般",
    "dissatisfied": "不满意",
    "very_dissatisfied": "非常不满意",
    "unrated": "未评价",
}
VIOLATIONS = {"not_handled": "不处置", "late_handling": "逾期处置", "improper_handling": "处置不当"}
TOLD = {"callback": "回访", "violation": "认定", "feed": "评分月"}
ACTS = {"sign": "签收", "contact": "联系", "close": "办结"}
EVENTS = {
    "DISPATCH": "派单",
    "REDISPATCH": "改派",
    "ADD_UNIT": "增派",
    "REWORK": "重办",
    "SIGN": "签收",
    "FIRST_CONTACT": "首次联系",
    "EXTEND_REQUEST": "申请延期",
    "EXTEND_GRANT": "准予延期",
    "EXTEND_DENY": "驳回延期",
    "REVIEW_BACK": "审核退回",
    "CLOSE": "办结",
}
_OPENS = ("DISPATCH", "REDISPATCH", "ADD_UNIT", "REWORK")
CONCERNED = {
    "sign": (*_OPENS, "SIGN"),
    "contact": (*_OPENS, "FIRST_CONTACT"),
    "close": (*_OPENS, "EXTEND_REQUEST", "EXTEND_GRANT", "EXTEND_DENY", "REVIEW_BACK", "CLOSE"),
}
"""The events that a limit rests on."""
LOST = {
    "corrected": "报送方已更正",
    "retracted": "报送方已撤回",
    "source_of_record": "以权威来源所报为准",
    "after_void": "派单已作废",
    "before_dispatch": "早于派单",
    "closed_again": "以首次有效办结为准",
    "extension_asked_late": "申请时已过时限",
    "review_back_before_close": "尚未办结",
}
"""Why an event does not count: ``audit.event_version.lost_reason`` and the anomalies that take an event off a clock."""
ANOMALIES = {
    "after_void": "不计：派单作废后的动作不归于任何单位",
    "before_dispatch": "不计：签收、联系、办结、退单须在派单之后",
    "closed_again": "不计：以首次未被审核退回的办结为准",
    "dispatched_after_end": "新派单另计时限；终结只作废当时未结的派单",
    "extension_asked_late": "不计：申请时已过的时限不变",
    "lead_over_open_lead": "前后两个主办各计时限，直至各自办结或退回",
    "merge_target_unknown": "与其他并单一样作废未结派单；并入的工单不详",
    "return_after_close": "退单仍使派单作废",
    "return_after_designation": "无效：派单不变，时限照计",
    "review_back_before_close": "不计：以其后的办结为准",
    "sign_after_close": "签收按其时刻计，办结不变",
    "unit_never_dispatched": "不计：该单位在此工单上没有派单",
}
"""What was made of an event that the life-cycle does not allow: ``audit.lifecycle_anomaly.effect_on_clock``."""
NOT_RANKED = {
    "no_case": "本期无派单，不参加排名",
    "nothing_due": "本期无到期事项，不参加排名",
    "too_few": "本期件数过少，不参加排名",
}
FUNNEL = {"low_95": " ↓", "low_99_8": " ↓↓", "high_95": " ↑", "high_99_8": " ↑↑"}
"""Outside the control limits of the peer group: one arrow for 95 %, two for 99.8 %."""
LENGTHS = {"month": "月度", "quarter": "季度", "year": "年度"}


def standing(period: str, kind: str) -> str:
    """What a score of a period is: 月度参考, 年度."""
    return LENGTHS[Period.parse(period).kind] + ("参考" if kind == "indicative" else "")


def finding(indicator: Indicator, row: dict, as_of: datetime) -> str:
    """What was found against the unit in one row."""
    if row["subject_kind"] == "callback":
        answers = (row["resolution_code"], row["satisfaction_code"])
        return "回访：" + "，".join(ANSWERS.get(answer, answer) for answer in answers if answer)
    if row["subject_kind"] == "violation":
        code = row["violation_code"]  # none where the finding was taken back after the score
        return f"效能督查认定：{VIOLATIONS.get(code, code) or '已撤销'}"
    if row["subject_kind"] == "feed":
        return f"{PARTS[row['quality_part']]}：{losses_text(row['quality_lost'])}"
    act = ACTS.get(indicator.counts.limit_kind or "")
    if act is None:
        denied = row["return_deny_count"]
        return f"退单申请被驳回 {denied} 次" if denied else indicator.counts.name_zh
    if row["occurred_at"] is None or row["occurred_at"] > as_of:
        return f"截至 {limit(as_of)} 未{act}"
    return f"超时 {span(row['occurred_at'] - row['due_at'])}{act}"


def step(indicator: Indicator, subject_kind: str) -> str:
    """What it was that happened at a row's occurred_at."""
    return TOLD.get(subject_kind) or ACTS.get(indicator.counts.limit_kind or "", "")


def scoring_rule(indicator: Indicator, peer_group: str, day: date) -> str:
    """How an indicator scores a peer group on a day."""
    terms = indicator.terms(peer_group, day)
    full = f"满分 {said(terms.points)} 分，" if terms.points else ""
    return f"{full}{indicator.scoring.text_zh(terms)}"


def rule_text(key: str | None, rules: Mapping[str, dict]) -> str | None:
    """The limit rule that was judged, in the words of the scheme."""
    return "工单载明的期限" if key == "ticket" else rules.get(key, {}).get("text", key)


def span(length: timedelta) -> str:
    minutes = max(1, int(length.total_seconds() // 60))  # a second late is late
    parts = ((minutes // 1440, "天"), (minutes // 60 % 24, "小时"), (minutes % 60, "分钟"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


def moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M}"


def limit(when: datetime) -> str:
    """The end of a day is 24:00 of that day, not 0:00 of the next."""
    is_midnight = when.hour == when.minute == when.second == 0
    return f"{when - timedelta(days=1):%Y-%m-%d} 24:00" if is_midnight else moment(when)

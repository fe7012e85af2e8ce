"""Two versions of a scheme compared in words, for those who must agree to a change."""

from dataclasses import dataclass
from decimal import Decimal
from itertools import chain

from minhu.declaration import Declared
from minhu.schemes.language.functions import said
from minhu.schemes.language.indicator import Indicator
from minhu.schemes.language.values import Entries, Entry
from minhu.schemes.scheme import Scheme
from minhu.schemes.words import ANSWERS

FIELDS = {
    "title": "名称",
    "legal_basis": "依据",
    "valid_from": "施行日期",
    "valid_to": "失效日期",
    "timezone": "时区",
    "periods": "考核周期",
    "aggregation": "周期汇总",
    "bands": "分档",
    "rounding": "取整",
    "publication": "公布",
    "limits": "时限",
    "name_zh": "名称",
    "measure": "计数口径",
    "moment": "归期时点",
    "aggregate": "汇总方式",
    "points": "分值",
    "peer_groups": "适用同类组",
    "scoring": "计分方法",
    "when_empty": "无数据时",
    "support_units": "协办单位",
    "answers": "回访答复",
    "min_n": "最少件数",
    "note": "说明",
    "example": "示例标记",
    "function": "计分函数",
    "target": "目标",
    "per_point": "每百分点扣分",
    "floor": "保底分",
    "better": "方向",
    "per_item": "每件分值",
    "cap": "上限",
    "steps": "分级表",
    "otherwise": "其余",
    "entry": "录入方式",
    "number": "文号",
    "article": "条款",
    "text": "内容",
    "mode": "方式",
    "order": "次序",
    "decimals": "小数位",
    "rate_decimals": "指标值小数位",
    "ranking": "公布名次",
    "shrunken": "附收缩值",
    "lists": "榜单",
    "take": "取用",
    "within": "范围",
    "weights": "权重",
    "recheck": "复核后计入",
    "at_least": "不低于",
    "at_most": "不高于",
    "limit_kind": "环节",
    "request_types": "诉求类型",
    "urgencies": "紧急程度",
    "categories": "分类",
    "linkage_levels": "联动级别",
    "amount": "数量",
    "unit": "单位",
    "starts": "起算",
    "extension": "延期",
    "max_count": "最多次数",
    "further": "再次延期",
    "ask_before": "提前申请",
}
WORDS = {
    "received_at": "受理时间",
    "dispatched_at": "派单时间",
    "due_at": "时限届满",
    "closed_at": "办结时间",
    "called_at": "回访时间",
    "occurred_at": "发生时间",
    "rate": "比率",
    "count": "件数",
    "sum": "合计",
    "share": "占同组比重",
    "mean": "平均",
    "median": "中位数",
    "p90": "九成位数",
    "per_10k": "每万人",
    "left_out": "不计入",
    "full_points": "按满分",
    "zero": "按 0 分",
    "out": "不计",
    "in": "计入",
    "higher": "越高越好",
    "lower": "越低越好",
    "proportional": "按比例得分",
    "linear_deduction": "按百分点扣分",
    "per_item_deduction": "按件扣分",
    "per_item_bonus": "按件加分",
    "manual": "人工计分",
    "earned": "录入得分",
    "change": "逐项加减",
    "month": "月",
    "quarter": "季",
    "year": "年",
    "indicative": "参考",
    "final": "正式",
    "recomputed": "按全周期重算",
    "mean_of_months": "各月平均",
    "mean_of_quarters": "各季平均",
    "half_up": "四舍五入",
    "components_first": "先逐项取整再相加",
    "sum_first": "先相加再取整",
    "every": "每次",
    "first": "首次",
    "last": "末次",
    "best": "前几名",
    "worst": "后几名",
    "peer_group": "同类组内",
    "all": "全部单位",
    "sign": "签收",
    "contact": "先行联系",
    "close": "办结",
    "workday": "工作日",
    "work_hour": "工作小时",
    "work_minute": "工作分钟",
    "day": "自然日",
    "hour": "小时",
    "minute": "分钟",
    "next_day": "次日起",
    "at_once": "即时起",
    "emergency": "紧急",
    "urgent": "急办",
    "normal": "一般",
    "add": "累加",
    "replace": "从原时限起算",
    True: "是",
    False: "否",
} | ANSWERS


@dataclass(frozen=True)
class Change:
    """One difference. ``where`` is what it is about; ``was`` or ``now`` is null where there is nothing on that side."""

    where: str
    what: str
    was: str | None
    now: str | None

    @property
    def text(self) -> str:
        if self.was is None:
            return f"{self.where}：新增{self.what}（{self.now}）" if self.now else f"{self.where}：新增{self.what}"
        if self.now is None:
            return f"{self.where}：取消{self.what}（{self.was}）" if self.was else f"{self.where}：取消{self.what}"
        return f"{self.where}：{self.what}由 {self.was} 改为 {self.now}"


def compare(old: Scheme, new: Scheme) -> list[Change]:
    """What differs from ``old`` to ``new``, in the order of the file."""
    groups = {group.code: group.name_zh for group in (*old.peer_groups, *new.peer_groups)}
    return [
        *_fields("办法", old, new, groups, leave=("scheme_id", "peer_groups", "indicators")),
        *_listed("同类组", old.peer_groups, new.peer_groups, groups, lambda group: f"{said(group.points)} 分"),
        *_listed("指标", old.indicators, new.indicators, groups, lambda one: _value("points", one.points, groups)),
    ]


def _listed(what: str, old: tuple, new: tuple, groups: dict[str, str], summary) -> list[Change]:
    before, after = ({one.code: one for one in many} for many in (old, new))
    changes = []
    for code in dict.fromkeys(chain(before, after)):
        was, now = before.get(code), after.get(code)
        where = f"{what}“{(now or was).name_zh}”"
        if was is None or now is None:
            changes.append(Change(where, what, was and summary(was), now and summary(now)))
        else:
            changes += _fields(where, was, now, groups, leave=("code", "scoring"))
            if isinstance(was, Indicator):
                changes += _scoring(where, was, now, groups)
    return changes + _order(what, before, after)


def _order(what: str, before: dict, after: dict) -> list[Change]:
    """Whether what stayed stands in another order."""
    was, now = ([code for code in before if code in after], [code for code in after if code in before])
    if was == now:
        return []
    stood, stand = ("、".join(of[code].name_zh for code in codes) for of, codes in ((before, was), (after, now)))
    return [Change(what, "顺序", stood, stand)]


def _scoring(where: str, old: Indicator, new: Indicator, groups: dict[str, str]) -> list[Change]:
    if old.scoring.function == new.scoring.function:
        return _fields(where, old.scoring, new.scoring, groups)
    told = (WORDS.get(scoring.function, "分级计分") for scoring in (old.scoring, new.scoring))
    return [Change(where, FIELDS["scoring"], *told)]


def _fields(where: str, old: object, new: object, groups: dict[str, str], leave: tuple[str, ...] = ()) -> list[Change]:
    changes = []
    for name in type(new).model_fields:
        was, now = getattr(old, name), getattr(new, name)
        if name in leave or was == now:
            continue
        pair = (_value(name, was, groups), _value(name, now, groups))
        changes.append(Change(where, FIELDS.get(name, name), *pair))
    return changes


def _value(name: str, value: object, groups: dict[str, str]) -> str | None:
    """A value as people say it."""
    match value:
        case None | ():
            return None
        case tuple() if name == "peer_groups":
            return "、".join(groups[code] for code in value)
        case (Entry(), *_):
            return _parameter(value, groups)
        case tuple():
            return "；".join(str(_value(name, one, groups)) for one in value)
        case bool() | str():
            return WORDS.get(value, value)
        case dict():
            return "，".join(f"{WORDS.get(key, key)} {_value(key, one, groups)}" for key, one in value.items()) or "无"
        case Declared():
            told = ((FIELDS.get(key, key), _value(key, one, groups)) for key, one in value)
            return "，".join(f"{key} {one}" for key, one in told if one is not None)
        case Decimal():
            return said(value)
    return str(value)


def _parameter(entries: Entries, groups: dict[str, str]) -> str:
    told = []
    for entry in entries:
        whom = "、".join(groups[code] for code in entry.peer_groups or ())
        since = f"{entry.since} 起" if entry.since else ""
        told.append(" ".join(part for part in (whom, since, said(entry.value)) if part))
    return "；".join(told)

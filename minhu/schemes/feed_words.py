"""The words of the data-quality score of feeds, in Chinese, as the unit that runs a feed reads them."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from minhu.business_date import TIMEZONE

PARTS = {"completeness": "数据完整", "content": "内容完整", "timeliness": "数据及时", "stability": "接口稳定性"}
CAUSES = {
    "missing_day": "未送达",
    "empty_column": "内容为空",
    "rejected_rows": "拒收行",
    "late": "迟到",
    "refused": "整批拒收",
    "unreachable": "数据源不可达",
    "nothing_arrived": "全月无送达",
}
METRICS = {
    "rejected_pct": "拒收",
    "duplicate_pct": "重复行",
    "category_null_pct": "事项分类为空",
    "request_type_null_pct": "诉求类型为空",
    "area_null_pct": "区域为空",
    "text_null_pct": "标题与内容为空",
    "unknown_category_pct": "分类代码未登记",
    "dispatch_unit_null_pct": "派单单位为空",
    "outcome_null_pct": "回访结果为空",
    "unresolved_unit_pct": "单位名称未识别",
}
NAMED = 5
"""So many causes are told in one sentence."""


def loss_text(loss: dict) -> str:
    """One cause: an element of ``audit.feed_quality.lost``."""
    cause = CAUSES[loss["cause"]]
    if loss["cause"] == "nothing_arrived":
        return cause
    if metric := loss.get("metric"):
        return f"{loss['delivery']} {METRICS.get(metric, metric)} {loss['missed']}/{loss['of_total']} 行"
    told = f"{loss['delivery']} {loss['on']} {cause}"
    if loss["cause"] == "refused":
        return f"{told}（批次 {loss['batch_id']}，{loss['reason_code']}）"
    at = loss.get("at")
    return f"{told}（{_moment(at)}）" if at else told


def losses_text(lost: Iterable[dict]) -> str:
    """What cost a part its points, the dearest first, the rest as a number."""
    told = [f"{loss_text(loss)} 扣 {loss['points']:.2f}" for loss in lost]
    more = [f"另 {len(told) - NAMED} 项"] if len(told) > NAMED else []
    return "；".join([*told[:NAMED], *more])


def _moment(at: str) -> str:
    return f"{datetime.fromisoformat(at).astimezone(ZoneInfo(TIMEZONE)):%m-%d %H:%M}"

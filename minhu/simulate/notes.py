"""What is noted beside an event or a callback: short official phrases, now and then with a phone in them."""

import numpy as np
import polars as pl

from minhu.feeds.canonical import EVENT_TYPES
from minhu.simulate.texts import phones, pick

_NOTES = {
    "DISPATCH": ["请按职责办理并答复市民", "请核实处理", "请在时限内办结"],
    "SIGN": [""],
    "FIRST_CONTACT": ["已电话联系市民了解情况", "已致电{phone}说明办理安排", "已上门核实"],
    "RETURN_REQUEST": ["经核实不属于本单位管辖，申请退回", "地址不在辖区内，建议转属地办理"],
    "RETURN_GRANT": ["同意退回，另行派发"],
    "RETURN_DENY": ["属于该单位职责，不予退回"],
    "EXTEND_REQUEST": ["涉及多个部门，需现场会商，申请延期", "施工需要周期，申请延期"],
    "URGE": ["市民来电催办", "临近办理期限，请抓紧"],
    "REPLY": [
        "已到现场处理完毕并回复市民",
        "已约谈责任方，责令限期整改",
        "已向市民解释相关政策",
        "已协调施工单位完成修复，来电人表示认可",
    ],
    "CLOSE": ["已办结", "问题已解决", "已解释说明"],
    "REVIEW_BACK": ["答复内容过于简单，请补充"],
    "REWORK": ["市民表示未解决，请重新办理"],
    "TERMINATE": ["已进入法定渠道，终止办理"],
    "VIOLATION": ["经效能督查认定"],
    "APPEAL": ["申请不纳入考核，理由见附件"],
}
REPLIES = _NOTES["REPLY"]
COMPLAINTS = ["问题依旧存在", "答复敷衍", "没有人联系过我", "处理时间太长"]


def event_notes(types: np.ndarray, caller: np.ndarray, dice: np.ndarray) -> pl.Series:
    """One note per event; null where nothing is usually noted."""
    flat = [note for name in EVENT_TYPES for note in _NOTES.get(name, [""])]
    size = np.array([len(_NOTES.get(name, [""])) for name in EVENT_TYPES])
    first = np.concatenate([[0], np.cumsum(size)[:-1]])
    note = pick(flat, first[types] + dice.astype(np.int64) % size[types])
    frame = pl.DataFrame({"note": note, "phone": phones(caller)})
    filled = pl.when(pl.col("note").str.contains("{phone}", literal=True)).then(
        pl.col("note").str.split("{phone}").list.first()
        + pl.col("phone")
        + pl.col("note").str.split("{phone}").list.last()
    )
    return frame.select(pl.coalesce(filled, pl.when(pl.col("note") != "").then("note"))).to_series()

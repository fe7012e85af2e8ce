"""Names of files, of what is in archives, and of sheets, as messages, logs and the manifest may show them.

A sender may call a file after a citizen. What varies in a name is shown as far as it cannot be one: dates, short
numbers, Latin words, the words of a system and the names of public bodies. The rest becomes ＊. Nobody finds a file by
this alone: its sha256 stands beside it.
"""

import os
import re
from collections.abc import Collection

HIDDEN = "＊"
_WORDS = (
    "工单 事件 回访 投诉 举报 诉求 咨询 求助 建议 办理 办件 处置 流转 派单 转办 交办 承办 "
    "督办 催办 退单 延期 办结 结案 受理 登记 满意 满意度 测评 热线 市长 平台 中心 数据 "
    "明细 清单 列表 记录 报表 日报 周报 月报 汇总 统计 合计 导出 下载 查询 结果 全量 增量 "
    "更新 补报 补发 重发 修订 更正 新增 历史 当日 昨日 今日 本月 上月 年度 年 月 日 号 "
    "时 分 秒 上 中 下 旬 第 批 次 期 份 表 页 副本 最终 终版 版 测试 样例 模板 字典 "
    "说明 单位 分类 区域 上午 下午 一 二 三 四 五 六 七 八 九 十 至 到 和 及 与 的 "
    "件"
).split()
_BODY = re.compile(r"[一-鿿]{2,3}?(?:局|委|办|院|所|处|厅|镇|乡|街道|社区|公司|集团|中心|政府|法院|区|县|市|省)")
_RUN = re.compile(r"[一-鿿]+|[0-9]+|[^一-鿿0-9]+")
_DATE = re.compile(r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])(?:\d{2}){0,3}")
_SHORT = 6


def told(name: str, known: Collection[str] = ()) -> str:
    """``name`` as it may be shown. ``known``: texts whose words may be, such as the declared pattern."""
    shown = "".join(_shown(run[0], known) for run in _RUN.finditer(readable(name)))
    return "".join(sign for sign in shown if sign.isprintable())


def readable(name: str) -> str:
    """A name that the system read as bytes: Windows writes it in GB18030 and does not say so."""
    if not any("\ud800" <= sign <= "\udfff" for sign in name):
        return name
    given = os.fsencode(name)
    try:
        return given.decode("gb18030")
    except UnicodeDecodeError:
        return given.decode("utf-8", errors="replace")


def _shown(run: str, known: Collection[str]) -> str:
    if run[0].isdecimal() and run[0].isascii():
        return run if len(run) <= _SHORT or _DATE.fullmatch(run) or any(run in text for text in known) else HIDDEN
    if "一" <= run[0] <= "鿿":
        return run if any(run in text for text in known) or _is_of_words(run) else HIDDEN
    return run if _is_plain(run) else HIDDEN


def _is_of_words(run: str) -> bool:
    """Whether a run of Chinese characters is made of words of a system, behind the name of a public body or not."""
    rest = run
    while rest:
        word = max((word for word in _WORDS if rest.startswith(word)), key=len, default="")
        if not word:
            body = _BODY.match(rest)
            if rest is not run or body is None:
                return False
            word = body[0]
        rest = rest[len(word) :]
    return True


def _is_plain(run: str) -> bool:
    """No digits of other scripts: a phone can be written in them."""
    return not any(sign.isdigit() for sign in run)

"""What people say and write, put together from pieces. Everything about a case follows from its dice.

Names are a surname with 某; phones lie in number blocks that begin with 0000 or 0001; ID numbers carry a district code
that nobody was ever given.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from minhu.feeds.canonical import REQUEST_TYPES
from minhu.simulate.city import City
from minhu.simulate.stream import Cases

_SURNAMES = list("王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧")
_ROADS = tuple(
    "人民 解放 文一 天目山 苕溪 钱王 环城北 江南 建设 新安 滨盛 金城 富春 临平 学林 石镜 广场 万马 青山 科技".split()
)
_ESTATES = tuple(
    "锦绣花园 阳光嘉苑 翠湖新村 西子公寓 春江花苑 云栖雅苑 竹海名庭 滨河家园 玉兰苑 东方郡 紫荆里 桂花城".split()
)
_WHEN = [
    "昨天晚上",
    "今天上午",
    "最近一周",
    "从上个月开始",
    "连续三天",
    "国庆假期以来",
    "前天下午",
    "近半年来",
    "每天清晨",
    "周末",
]
_OPENINGS = ["市民来电反映", "来电人称", "市民表示", "群众反映", "诉求人描述", "市民留言"]
_IMPACTS = [
    "影响周边居民正常生活",
    "存在安全隐患",
    "多次反映没有结果",
    "给老人出行带来不便",
    "希望引起重视",
    "已持续较长时间",
    "之前拨打12345后好转几天又反复",
    "家里有小孩受影响较大",
]
_DEMANDS = {
    "consult": ["请相关部门告知办理流程和所需材料。", "想了解具体政策和办理时间。", "请予以解答。"],
    "help": ["希望尽快派人处理。", "请求帮助协调解决。", "请尽快上门查看并回电。"],
    "suggest": ["建议相关部门研究改进。", "建议增加投入并公开进度。", "希望采纳。"],
    "complaint": ["要求相关单位限期整改并回复。", "要求退还费用并给予说明。", "对此表示不满，要求处理。"],
    "report": ["请依法查处并对举报人信息保密。", "要求核实并公布处理结果。", "请相关部门现场检查。"],
    "praise": ["对工作人员的耐心表示感谢。", "感谢及时解决问题，提出表扬。"],
    "invalid": ["未说明具体诉求后挂断。", "无有效内容。"],
    "other": ["请转相关部门了解情况。", "请记录。"],
}
_TITLES = ["关于{}的{}", "反映{}的{}", "{}{}"]
_PREFIXES = [f"1{second}{third}" for second in "3578" for third in "0123456789"]
_PLATES = "ABCDEFGHJK"
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def pick(words: Sequence[str], dice: np.ndarray) -> pl.Series:
    """One of ``words`` per number."""
    return pl.Series(words, dtype=pl.String).gather(dice.astype(np.int64) % len(words))


def text_where(mask: np.ndarray, values: np.ndarray) -> pl.Series:
    """The values as text where the mask holds, null elsewhere."""
    return pl.select(pl.when(pl.Series(mask, dtype=pl.Boolean)).then(pl.Series(values, dtype=pl.String))).to_series()


def names(dice: np.ndarray) -> pl.Series:
    return pick([f"{surname}{given}" for surname in _SURNAMES for given in ("某", "某某", "女士", "先生")], dice)


def phones(caller: np.ndarray) -> pl.Series:
    """A mobile number per caller; the same caller always has the same."""
    block, last = np.divmod(caller, 10_000)
    middle, prefix = np.divmod(block, len(_PREFIXES))
    return pl.select(pl.concat_str(pick(_PREFIXES, prefix), _digits(middle, 4), _digits(last, 4))).to_series()


def id_numbers(dice: np.ndarray, other: np.ndarray) -> pl.Series:
    """Well-formed ID numbers (with their check digit) of a district code that does not exist."""
    day = (np.datetime64("1950-01-01") + dice.astype(np.int64) % 20_000).astype(str)
    bodies = [f"330199{born.replace('-', '')}{number % 1000:03d}" for born, number in zip(day, other, strict=True)]
    checks = ["10X98765432"[sum(int(d) * w for d, w in zip(body, _ID_WEIGHTS, strict=True)) % 11] for body in bodies]
    return pl.Series([body + check for body, check in zip(bodies, checks, strict=True)], dtype=pl.String)


def _digits(numbers: np.ndarray, width: int) -> pl.Series:
    return pl.Series(numbers.astype(np.int64)).cast(pl.String).str.zfill(width)


def case_texts(city: City, cases: Cases) -> pl.DataFrame:
    """title, content and address of each case."""
    dice = cases.dice
    problem = _problems(city, cases)
    town = pl.Series(city.district_name[cases.town]) + pl.Series(city.town_name[cases.town])
    spot = pick(_ROADS, dice[:, 2]) + "路" + _digits(dice[:, 3] % 480 + 1, 1) + "号"
    estate = pick(_ESTATES, dice[:, 4])
    leaf = pl.Series(city.leaf_name[cases.leaf])
    frame = pl.DataFrame(
        {
            "town": town,
            "spot": spot,
            "estate": estate,
            "leaf": leaf,
            "problem": problem,
            "opening": pick(_OPENINGS, dice[:, 1]),
            "when": pick(_WHEN, dice[:, 9]),
            "impact": pick(_IMPACTS, dice[:, 6]),
            "demand": _demands(cases),
            "extra": _personal(cases),
            "form": dice[:, 5] % 3,
        }
    )
    where = pl.concat_str("town", "spot", "estate")
    at_home = pl.concat_str("opening", pl.lit("："), "when", pl.lit("，"), where, "problem", pl.lit("，"), "impact")
    asked = pl.concat_str("opening", pl.lit("，"), "problem", pl.lit("（"), "town", pl.lit("）"))
    content = pl.when(pl.col("problem").str.starts_with("咨询")).then(asked).otherwise(at_home)
    return frame.select(
        title=pl.when(pl.col("form") == 0)
        .then(pl.concat_str(pl.lit("关于"), "town", "leaf", pl.lit("的诉求")))
        .when(pl.col("form") == 1)
        .then(pl.concat_str("estate", "problem"))
        .otherwise(pl.concat_str("leaf", pl.lit("："), "problem")),
        content=pl.concat_str(content, pl.lit("。"), "extra", "demand"),
        address=pl.concat_str("town", "spot", "estate"),
    )


def _problems(city: City, cases: Cases) -> pl.Series:
    """A question for those who ask, something wrong for the others, where the topic has both."""
    asks = cases.request_type == REQUEST_TYPES.index("consult")
    flat: list[str] = []
    first = np.zeros((len(city.problems), 2), dtype=np.int64)
    size = np.zeros_like(first)
    for leaf, phrases in enumerate(city.problems):
        for kind in (0, 1):
            fitting = [phrase for phrase in phrases if phrase.startswith("咨询") == bool(kind)] or list(phrases)
            first[leaf, kind], size[leaf, kind] = len(flat), len(fitting)
            flat += fitting
    kind = asks.astype(int)
    place = first[cases.leaf, kind] + cases.dice[:, 0] % size[cases.leaf, kind]
    return pick(flat, place)


def _demands(cases: Cases) -> pl.Series:
    flat = [_DEMANDS[name][at % len(_DEMANDS[name])] for name in REQUEST_TYPES for at in range(6)]
    return pick(flat, cases.request_type * 6 + cases.dice[:, 5] % 6)


def _personal(cases: Cases) -> pl.Series:
    """Now and then somebody writes a phone, an ID number, a plate or a name into the text; most do not."""
    kind, some = cases.dice[:, 7] % 100, cases.dice[:, 8]
    phone = phones(cases.caller)
    grouped = phone.str.slice(0, 3) + "-" + phone.str.slice(3, 4) + "-" + phone.str.slice(7)
    ids = np.flatnonzero(kind == 5)
    known = pl.Series([None], dtype=pl.String).new_from_index(0, len(cases))
    if len(ids):
        known = known.scatter(ids, id_numbers(some[ids], cases.dice[ids, 16]))
    plate = "浙A" + pick(list(_PLATES), some) + _digits(some % 10_000, 4)
    frame = pl.DataFrame(
        {"kind": kind, "phone": phone, "grouped": grouped, "id": known, "plate": plate, "name": names(some)}
    )
    said = (
        pl.when(pl.col("kind") < 3)
        .then(pl.concat_str(pl.lit("联系电话"), "phone", pl.lit("。")))
        .when(pl.col("kind") == 3)
        .then(pl.concat_str(pl.lit("请回电"), "grouped", pl.lit("，找"), "name", pl.lit("。")))
        .when(pl.col("kind") == 4)
        .then(pl.concat_str(pl.lit("涉及车辆"), "plate", pl.lit("。")))
        .when(pl.col("kind") == 5)
        .then(pl.concat_str(pl.lit("身份证号"), "id", pl.lit("。")))
        .when(pl.col("kind") < 9)
        .then(pl.lit("此前已拨打12345、96345反映过。"))
        .otherwise(pl.lit(""))
    )
    return frame.select(said).to_series()

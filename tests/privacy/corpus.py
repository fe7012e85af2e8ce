"""A labelled corpus of made-up citizens: sentences with one thing to mask each, and distractors with nothing.

Deterministic. Mobiles lie in blocks that begin with 000; ID numbers carry a district code that nobody was ever given;
names are drawn from a surname and characters by dice.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stdnum import luhn
from stdnum.cn import ric

_SPOKEN = str.maketrans("0123456789", "零一二三四五六七八九")
_WIDE = str.maketrans("0123456789+-", "０１２３４５６７８９＋－")
_AROUND = ["请回电{}谢谢。", "联系电话{}，", "（{}）", "我的号码 {} ", "多次拨打{}无人接听", "a{}b", "：{}；", "{}"]
_LEAD = ["市民反映人民路12号路灯损坏", "来电人称10月3日噪音扰民3次", "小区2栋502室漏水", ""]


@dataclass(frozen=True)
class Said:
    """``kind``, the text, and what of it must not survive (empty: the text must stay as it is)."""

    kind: str
    text: str
    secret: str = ""


def corpus(per_kind: int = 6000, seed: int = 7) -> list[Said]:
    draw = random.Random(seed)
    return [said for make in _MAKERS for said in make(draw, per_kind)]


def _grouped(digits: str, sizes: tuple[int, ...], sign: str) -> str:
    at, parts = 0, []
    for size in sizes:
        parts.append(digits[at : at + size])
        at += size
    return sign.join(parts)


def _say(draw: random.Random, written: str, around: list[str] = _AROUND) -> str:
    return draw.choice(_LEAD) + draw.choice(around).format(written)


def _mobiles(draw: random.Random, count: int) -> Iterator[Said]:
    spellings: list[Callable[[str], str]] = [
        *[lambda n: n] * 4,
        *[lambda n, s=s: _grouped(n, (3, 4, 4), s) for s in (" ", "-", "—", ".", "\u3000", " - ", "  ", "·")],
        *[
            lambda n, z=z: _grouped(n, z, " ")
            for z in ((3, 3, 5), (4, 4, 3), (4, 3, 4), (5, 6), (6, 5), (3, 8), (7, 4))
        ],
        lambda n: _grouped(n, (1,) * 11, " "),
        lambda n: _grouped(n, (1,) * 11, "-"),
        *[lambda n, p=p: p + n for p in ("+86", "86", "0086", "+86 ", "+86-", "(+86)", "（+86）", "0")],
        lambda n: n.translate(_WIDE),
        lambda n: ("+86-" + _grouped(n, (3, 4, 4), "-")).translate(_WIDE),
    ]
    for at in range(count):
        number = f"1{draw.choice('3456789')}{draw.randrange(10)}000{draw.randrange(10)}{draw.randrange(10**4):04}"
        yield Said("mobile", _say(draw, spellings[at % len(spellings)](number)), number)


def _spoken(draw: random.Random, count: int) -> Iterator[Said]:
    for _ in range(count // 4):
        number = f"1{draw.choice('3578')}8000{draw.randrange(10)}{draw.randrange(10**4):04}"
        yield Said("mobile in Chinese numerals", _say(draw, number.translate(_SPOKEN)), number)


def _landlines(draw: random.Random, count: int) -> Iterator[Said]:
    for at in range(count // 2):
        area, size = draw.choice([("0571", 8), ("010", 8), ("021", 8), ("0570", 7), ("0576", 8), ("0934", 7)])
        number = f"{draw.randrange(2, 9)}{draw.randrange(10 ** (size - 1)):0{size - 1}}"
        split = f"{number[:-4]} {number[-4:]}"
        spelt = (
            f"{area}-{number}",
            f"{area}{number}",
            f"({area}){number}",
            f"（{area}）{split}",
            f"{area} {split}",
            f"+86-{area[1:]}-{number}",
            f"{area}-{number}转8001",
            f"{area}—{number}".translate(_WIDE),
        )
        written = spelt[at % len(spelt)]
        yield Said("landline", _say(draw, written), number)
        cue = draw.choice(["电话", "座机：", "联系方式是", "家里电话号码为 ", "电话："])
        yield Said("landline", f"{draw.choice(_LEAD)}{cue}{draw.choice([number, split])}。", number)


def _ids(draw: random.Random, count: int) -> Iterator[Said]:
    for at in range(count):
        year = draw.randrange(1930, 2020)
        body = f"330199{year}{draw.randrange(1, 13):02}{draw.randrange(1, 29):02}{draw.randrange(1000):03}"
        check = ric.calc_check_digit(body) if at % 3 else draw.choice("0123456789X")  # one in three mistyped
        number = body + check
        if at % 10 == 9 and year < 2000:
            number = number[:6] + number[8:17]
            written = number
        else:
            spelt = (
                number,
                number,
                number.lower(),
                number.translate(_WIDE),
                number[:17] + " " + number[17:],
                _grouped(number, (6, 8, 4), "-"),
                *(_grouped(number, sizes, " ") for sizes in ((6, 8, 4), (6, 4, 4, 4), (4, 4, 4, 4, 2))),
            )
            written = spelt[at % len(spelt)]
        yield Said(
            "ID number", _say(draw, written, ["身份证{}，", "身份证号码：{}。", "（{}）", "{}", "本人{}住址"]), number
        )


def _cards(draw: random.Random, count: int) -> Iterator[Said]:
    for at in range(count // 4):
        body = draw.choice(["621000", "622000", "400000", "955880"]) + f"{draw.randrange(10**9):09}"
        if at % 2:
            body += f"{draw.randrange(1000):03}"
        number = body + luhn.calc_check_digit(body)
        yield Said(
            "bank card", _say(draw, draw.choice([number, _grouped(number, (4, 4, 4, 4, 3), " ").strip()])), number
        )


def _plates(draw: random.Random, count: int) -> Iterator[Said]:
    for at in range(count // 4):
        body = f"{draw.randrange(10**5):05}" if at % 3 else draw.choice("DF") + f"{draw.randrange(10**5):05}"
        written = draw.choice("浙京沪苏皖") + draw.choice("ABCDEFGHJKL") + draw.choice(["", "", "·", " "]) + body
        yield Said("licence plate", _say(draw, written, ["车牌{}占道", "{}违停", "车辆（{}）", "有辆{}的车"]), body)


def _permits(draw: random.Random, count: int) -> Iterator[Said]:
    for _ in range(count // 10):
        number = f"{draw.choice(['E', 'EA', 'EJ', 'H', 'M', 'C'])}1{draw.randrange(10**8):08}"[:9]
        yield Said("passport or permit", _say(draw, number, ["护照{}", "持{}入境", "通行证号：{}。"]), number[-8:])


def _names(draw: random.Random, count: int) -> Iterator[Said]:
    given = "小丽建国志强春燕海波文静晓东佳怡子轩梓涵宏伟秀英桂芳明军平红霞玉兰浩然思远来福立业向阳学路"
    families = [*"王李张刘陈杨赵黄周吴徐孙胡朱林何郭马罗" * 5, *"欧阳 诸葛 仇 逄 揭 缑".split()]
    told = (
        "我叫{}，住在",
        "联系人：{}，",
        "联系人{}电话",
        "{}女士来电",
        "姓名：{}",
        "请联系{}先生",
        "本人{}，",
        "找{}师傅",
        "业主{}反映",
        "户主：{}。",
        "联系人姓名为{}",
    )
    untold = ("{}打了人", "邻居{}养狗", "{}和人吵架", "被{}骗了", "儿子{}上学", "居民{}家中漏水")
    for at in range(count // 2):
        name = draw.choice(families) + "".join(draw.sample(given, draw.choice([1, 2, 2])))
        yield Said("name beside a telling word", draw.choice(_LEAD) + told[at % len(told)].format(name), name)
        if at % 4 == 0:
            text = untold[at // 4 % len(untold)].format(name)
            yield Said("name with nothing beside it", draw.choice(_LEAD) + text, name)


_PLACES = (
    "文一西路969号3幢2单元502室 石镜街与万马路口 江南小区业主委员会 王家弄社区 高新区城管局 云A座1203 联系人民法院"
    " 姓名不详 业主高度不满 我是高新区居民 联系人暂无 业主方便时 本人于昨天 业主周边停车难 王女士来电 马路边师傅修车"
).split()


def _distractors(draw: random.Random, count: int) -> Iterator[Said]:
    day = lambda: f"20{draw.randrange(22, 27)}{draw.randrange(1, 13):02}{draw.randrange(1, 29):02}"  # noqa: E731
    iso = lambda: f"2026-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}"  # noqa: E731
    makers: dict[str, Callable[[], str]] = {
        "hotline": lambda: draw.choice(
            [
                "拨打12345无人接听",
                "电话95598报修",
                "拨打110、96345",
                "电话400-800-1234",
                "客服电话4008001234",
                "热线 12345",
            ]
        ),
        "case number": lambda: f"工单号{draw.choice(['', 'GD', 'HZ', '3301'])}{day()}{draw.randrange(10**6):06}",
        "case number like an ID": lambda: f"工单330199{day()}{draw.randrange(10**4):04}",
        "date or time": lambda: draw.choice(
            [f"{iso()} 08:30:00至{iso()}", f"{day()}停水", "10月3日8时30分至11时", f"{iso()} 18-20点", day() + "083000"]
        ),
        "amount": lambda: draw.choice(
            [f"金额{draw.randrange(10**7)}元", f"{draw.randrange(10**6)}.{draw.randrange(100):02}元", "1,380,000.00元"]
        ),
        "coordinates": lambda: f"位置120.{draw.randrange(10**6):06},30.{draw.randrange(10 ** draw.choice([6, 8]))}",
        "place or unit": lambda: draw.choice(_PLACES),
        "meter or order number": lambda: f"户号{draw.randrange(10**9, 10**10)}，订单{draw.randrange(10**15, 10**16)}",
    }
    for kind, make in makers.items():
        for _ in range(count // 6):
            yield Said(kind, f"{draw.choice(_LEAD)}，{make()}。")


_MAKERS = (_mobiles, _spoken, _landlines, _ids, _cards, _plates, _permits, _names, _distractors)

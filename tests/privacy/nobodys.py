"""Texts with numbers that are nobody's, and texts without a name, made by dice. Deterministic."""

import random
from collections.abc import Callable, Iterator

Make = Callable[[random.Random], str]
_WORDS = ("水表读数", "余额分别为", "涉及楼栋", "分别是", "共计", "编制数", "户数")


def _day(draw: random.Random) -> str:
    return f"{draw.randrange(1995, 2028)}-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}"


def _amount(draw: random.Random) -> str:
    whole, cents = draw.randrange(10 ** draw.randrange(1, 9)), f"{draw.randrange(100):02}"
    return f"金额{draw.choice([f'{whole:,}', f'{whole}', f'{whole:,}.{cents}', f'{whole}.{cents}'])}元"


def _date(draw: random.Random) -> str:
    day, clock = _day(draw), f"{draw.randrange(24):02}:{draw.randrange(60):02}:{draw.randrange(60):02}"
    compact = day.replace("-", "")
    year, month, of_month = day.split("-")
    return draw.choice(
        (
            day,
            f"{day} {clock}",
            f"{day}至{_day(draw)}",
            f"{compact}{clock.replace(':', '')}",
            f"{compact} {_day(draw)}",
            f"{day.replace('-', '.')} {clock[:5]}-{draw.randrange(24):02}:00",
            f"{year}年{month}月{of_month}日{clock}",
        )
    )


def _coordinates(draw: random.Random) -> str:
    east, north, places = draw.randrange(73, 136), draw.randrange(18, 54), draw.randrange(4, 15)
    sign = draw.choice([",", "，", " ", ", ", "/"])
    fraction = lambda: f"{draw.randrange(10**places):0{places}}"  # noqa: E731
    return f"{draw.choice(['坐标', '位置', '经纬度：', ''])}{east}.{fraction()}{sign}{north}.{fraction()}"


def _list(draw: random.Random) -> str:
    sign = draw.choice(["、", "，", ",", "/", "、", " ", "-", "; "])
    parts = [str(draw.randrange(10 ** draw.randrange(1, 5))) for _ in range(draw.randrange(3, 12))]
    return draw.choice(_WORDS) + sign.join(parts)


def _order(draw: random.Random) -> str:
    length = draw.choice([8, 9, 10, 12, 13, 14, 15, 16, 17, 18, 19, 20])
    number = str(draw.randrange(10 ** (length - 1), 10**length))
    return draw.choice(["订单号", "运单号：", "快递单号", "订单编号为", "流水号", "户号", "发票号"]) + number


def _licence(draw: random.Random) -> str:
    district = f"3301{draw.choice(['02', '05', '06', '08', '10', '82'])}"
    return draw.choice(
        (
            f"营业执照注册号{district}0000{draw.randrange(10**5):05}",
            f"浙（{draw.randrange(2016, 2027)}）不动产权第{draw.randrange(10**7):07}号",
            f"统一社会信用代码91{district}MA2{draw.randrange(10**6):06}X",
            f"许可证编号JY1{district}{draw.randrange(10**7):07}",
            f"统一社会信用代码91{district}{draw.randrange(10**10):010}",
        )
    )


def _case(draw: random.Random) -> str:
    day = f"{draw.randrange(2015, 2028)}{draw.randrange(1, 13):02}{draw.randrange(1, 29):02}"
    return draw.choice(
        (
            f"工单号{day}{draw.randrange(10**6):06}",
            f"工单编号：330106{day}{draw.randrange(10**4):04}",
            f"工单3301{day}{draw.randrange(10**6):06}",
            f"（{day[:4]}）浙0106民初{draw.randrange(10**5)}号",
            f"GD{day}{draw.randrange(10**5):05}",
        )
    )


NUMBERS: dict[str, Make] = {
    "amounts": _amount,
    "dates and times": _date,
    "coordinates": _coordinates,
    "lists of numbers": _list,
    "order, meter and parcel numbers": _order,
    "licences and titles": _licence,
    "case and file numbers": _case,
}
_AROUND = ("{}", "市民反映，{}，请处理", "（{}）", "{}。", "关于{}的问题")


def numbers(each: int = 5000, seed: int = 23) -> Iterator[tuple[str, str]]:
    for kind, make in NUMBERS.items():
        draw = random.Random(f"{seed} {kind}")
        for _ in range(each):
            yield kind, draw.choice(_AROUND).format(make(draw))


_WHO = (
    "市民 村民 司机 患者 居民 租客 户主 业主 房东 经办人 被投诉人 当事人 法人代表 来电人 负责人 我丈夫 我妻子 我父亲 "
    "我母亲 家属 驾驶员 联系人"
).split()
_DOES = (
    "反映 表示 来电 要求 高度不满 马上离开 方便时 向物业反映 家中漏水 "
    "都很着急 于昨日 常年居住 安全意识差 代表全体居民 强行收费 委员会不作为 全部签字 何时能解决 "
    "周边停车难 万分感谢 应该赔偿 谢绝回访 严重扰民 金额有误 路边等候 连续投诉 车辆被扣 "
    "黄牌警告 方面没有答复 时常加班 温和沟通 白天不在家 关门停业 成立业委会 任意涨价 明确拒绝 "
    "平时不在 单独留下 钱款未退 房屋漏水 毛坯未交付 不在现场 信息有误 已经联系 王女士认可 "
    "和邻居争吵 乱停车 辱骂乘客 自费购药 术后感染 押金未退 户口未迁"
).split()


def texts(each: int = 5000, seed: int = 29) -> Iterator[str]:
    """Sentences in which people are spoken of and nobody is named."""
    draw = random.Random(seed)
    for _ in range(each):
        first, second = (draw.choice(_WHO) + draw.choice(_DOES) for _ in range(2))
        yield f"{first}{draw.choice(('，', '。', '，请核实。'))}{second}。"

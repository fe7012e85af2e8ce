"""How people write phones and ID numbers: a spelling is a name and what it makes of the digits. Deterministic."""

import random
from collections.abc import Callable, Iterator

from stdnum.cn import ric

Spelling = Callable[[str], str]
_WIDE = str.maketrans("0123456789", "０１２３４５６７８９")
_SIMPLE = str.maketrans("0123456789", "零一二三四五六七八九")
_ROUND = str.maketrans("01234567890", "〇一二三四五六七八九〇")
_SPOKEN = str.maketrans("0123456789", "零幺二三四五六七八九")
_FORMAL = str.maketrans("0123456789", "零壹贰叁肆伍陆柒捌玖")
_TRADITIONAL = str.maketrans("0123456789", "零壹貳參肆伍陸柒捌玖")


def parted(number: str, sizes: tuple[int, ...], sign: str) -> str:
    at, parts = 0, []
    for size in sizes:
        parts.append(number[at : at + size])
        at += size
    return sign.join(parts)


def _by(sizes: tuple[int, ...], sign: str) -> Spelling:
    return lambda number: parted(number, sizes, sign)


_SIGNS = {
    "a blank": " ", "three blanks": "   ", "a no-break blank": "\u00a0", "a thin blank": "\u2009",
    "a wide blank": "\u3000",
    "a narrow no-break blank": "\u202f", "a tab": "\t", "a line break": "\n", "a dash": "-", "a full-width dash": "－",
    "U+2011": "\u2011", "an en dash": "–", "an em dash": "—", "a minus sign": "−", "a spaced dash": " - ",
    "a tilde": "~", "a wide tilde": "～", "、": "、", "a wide comma": "，", "a bar": "|",
    "an underscore": "_", "a star": "*",
    "a middle dot": "·", "a slash": "/",
    "U+FEFF": "\ufeff", "a soft hyphen": "\u00ad", "a zero width blank": "\u200b", "a word joiner": "\u2060",
    "&nbsp;": "&nbsp;", "five blanks": "     ",
}  # fmt: skip

MOBILE: dict[str, Spelling] = {
    "plain": str,
    **{f"3-4-4 with {name}": _by((3, 4, 4), sign) for name, sign in _SIGNS.items()},
    "3-4-4 with a dot": _by((3, 4, 4), "."),
    **{
        f"{'-'.join(map(str, sizes))} with a blank": _by(sizes, " ")
        for sizes in ((3, 8), (7, 4), (4, 4, 3), (4, 3, 4), (3, 3, 5), (5, 6), (6, 5), (3, 2, 2, 2, 2), (3, 3, 3, 2))
    },
    "every digit apart": _by((1,) * 11, " "),
    "every digit apart with 、": _by((1,) * 11, "、"),
    "in brackets": lambda n: f"({n[:3]}){n[3:]}",
    **{
        f"after {head!r}": lambda n, head=head: head + n
        for head in ("+86", "86", "0086", "+86 ", "(+86)", "（+86）", "＋８６", "0")
    },
    "full width": lambda n: n.translate(_WIDE),
    "full width in groups": lambda n: parted(n, (3, 4, 4), "－").translate(_WIDE),
    "Chinese digits": lambda n: n.translate(_SIMPLE),
    "Chinese digits with 〇": lambda n: n.translate(_ROUND),
    "Chinese digits with 幺": lambda n: n.translate(_SPOKEN),
    "Chinese digits in groups": lambda n: parted(n, (3, 4, 4), "，").translate(_SIMPLE),
    "formal digits": lambda n: n.translate(_FORMAL),
    "traditional formal digits": lambda n: n.translate(_TRADITIONAL),
    "a Chinese one first": lambda n: "一" + n[1:],
    "a Chinese digit among them": lambda n: n[:2] + n[2].translate(_SIMPLE) + n[3:],
    "half Chinese": lambda n: n[:3] + n[3:].translate(_SIMPLE),
    "in tags": lambda n: f"<b>{n[:3]}</b>{n[3:]}",
    "a tag in every gap": lambda n: parted(n, (3, 4, 4), "</span><span>"),
    "then a time": lambda n: n + "10:30",
    "then a date": lambda n: n + "2026-10-01",
    "then a day in digits": lambda n: n + "20261001",
    "behind a time": lambda n: "10:30" + n,
    "behind a date": lambda n: "2026-10-01" + n,
    "two by a slash": lambda n: f"{n}/{n}",
    "keycaps": lambda n: "".join(d + "\ufe0f\u20e3" for d in n),
}
LANDLINE: dict[str, Spelling] = {
    "plain": lambda n: "0571" + n,
    **{f"with {name}": lambda n, s=sign: f"0571{s}{n}" for name, sign in _SIGNS.items()},
    "in brackets": lambda n: f"(0571){n}",
    "in wide brackets": lambda n: f"（0571）{n[:4]} {n[4:]}",
    "of eight in two": lambda n: f"0571-{n[:4]}-{n[4:]}",
    "after +86": lambda n: f"+86-571-{n}",
    "full width": lambda n: f"0571－{n}".translate(_WIDE),
    "Chinese digits": lambda n: ("0571" + n).translate(_SIMPLE),
    "after a word": lambda n: f"电话{n}",
    "after a word in two": lambda n: f"座机：{n[:4]} {n[4:]}",
    "in tags": lambda n: f"<b>0571</b>-{n}",
}
ID: dict[str, Spelling] = {
    "plain": str,
    "small x": str.lower,
    **{f"6-8-4 with {name}": _by((6, 8, 4), sign) for name, sign in _SIGNS.items()},
    **{
        f"{'-'.join(map(str, sizes))} with a blank": _by(sizes, " ")
        for sizes in ((6, 4, 4, 4), (4, 4, 4, 4, 2), (6, 12), (14, 4), (17, 1), (3, 3, 4, 4, 4), (3,) * 6, (1,) * 18)
    },
    "full width": lambda n: n.translate(_WIDE).replace("X", "Ｘ"),
    "× for X": lambda n: n.replace("X", "×"),
    "Chinese digits": lambda n: n.translate(_SIMPLE),
    "formal digits": lambda n: n.translate(_FORMAL),
    "in tags": lambda n: f"<b>{n[:6]}</b>{n[6:]}",
    "then a time": lambda n: n + " 10:30",
    "a zero width blank anywhere": lambda n: n[:9] + "\u200b" + n[9:],
    "after a word": lambda n: f"身份证号码：{n}",
}
OF_KIND = {"mobile": MOBILE, "landline": LANDLINE, "ID number": ID}
_AROUND = (
    "请回电{}谢谢。",
    "（{}）",
    "我的号码 {} 。",
    "多次拨打{}无人接听",
    "：{}；",
    "{}",
    "在人民路12号，{}",
    "市民反映，号码{}，请处理",
)


def numbers(kind: str, draw: random.Random) -> str:
    if kind == "mobile":
        return f"1{draw.choice('3456789')}{draw.randrange(10)}000{draw.randrange(10)}{draw.randrange(10**4):04}"
    if kind == "landline":
        return f"{draw.randrange(2, 9)}{draw.randrange(10**7):07}"
    birth = f"{draw.randrange(1930, 2012)}{draw.randrange(1, 13):02}{draw.randrange(1, 29):02}"
    body = f"330199{birth}{draw.randrange(1000):03}"
    return body + (ric.calc_check_digit(body) if draw.randrange(4) else draw.choice("0123456789X"))


def sentences(each: int = 300, seed: int = 11) -> Iterator[tuple[str, str, str, str]]:
    """Kind, spelling, sentence, and the digits that must not survive in it."""
    for kind, spellings in OF_KIND.items():
        for name, spell in spellings.items():
            draw = random.Random(f"{seed} {kind} {name}")
            for _ in range(each):
                number = numbers(kind, draw)
                yield kind, name, draw.choice(_AROUND).format(spell(number)), number

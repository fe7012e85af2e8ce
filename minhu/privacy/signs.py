"""What a run of digits says without its spelling: full-width, Chinese and keycap digits, blanks, dashes, tags.

For recognition only: every place of what comes out leads back to the place in the text that it stands for, so that a
mask changes the number and nothing around it.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

NUMERALS = dict(
    zip("〇零○一二三四五六七八九壹贰叁肆伍陆柒捌玖貳參叄陸幺兩两", "000" + "123456789" * 2 + "2336122", strict=True)
)
"""Chinese digits of both scripts, as one reads numbers out."""
_DASHES = "~〜∼—–―−─━ー﹘﹣"
_SIGNS = {**dict.fromkeys("·•∙⋅・｡。．", "."), **dict.fromkeys("、﹐､", ","), **dict.fromkeys("〔【［[〈", "(")}
_SIGNS |= {
    **dict.fromkeys("〕】］]〉", ")"),
    **dict.fromkeys(_DASHES, "-"),
    "~": "~",
    "∼": "~",
    "〜": "~",
    "×": "X",
    "＊": "*",
}
_SIGNS |= {"¦": "|", "∣": "|", "丨": "|", "\\": "/", "＼": "/", "∕": "/", "⁄": "/"}
_DROPPED = ("Cf", "Mn", "Me")  # zero width, soft hyphens, directions, variation selectors, keycaps
_MARKUP = re.compile(
    r"<[/!A-Za-z][^<>\n]{0,80}>|&(?:nbsp|ensp|emsp|thinsp|shy|#[0-9]{1,5}|#x[0-9A-Fa-f]{1,5});|\\[nrt]"
)
_SPACES = {"&shy;": "", "\\n": "\n", "\\r": "\n", "\\t": " "}


@dataclass(frozen=True)
class Read:
    """``signs``: the text as it is recognised; ``starts`` and ``ends``: of each sign, where in the text it stands."""

    signs: str
    starts: list[int] | range
    ends: list[int] | range


def read(text: str, *, numerals: bool) -> Read:
    """The signs of a text. ``numerals``: Chinese digits are digits; else they are words."""
    if text.isascii() and not _MARKUP.search(text):
        return Read(
            text.translate({9: " ", 13: "\n", ord("["): "(", ord("]"): ")", ord("\\"): "/"}),
            range(len(text)),
            range(1, len(text) + 1),
        )
    signs: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    while at < len(text):
        markup = _MARKUP.match(text, at) if text[at] in "<&\\" else None
        end = markup.end() if markup else at + 1
        for sign in _of_markup(markup[0]) if markup else _of_sign(text[at], numerals):
            signs.append(sign)
            starts.append(at)
            ends.append(end)
        at = end
    return Read("".join(signs), starts, ends)


def _of_markup(found: str) -> str:
    """A tag is nothing, an entity the sign it names (as good as a blank)."""
    return "" if found[0] == "<" else _SPACES.get(found, " ")


@cache
def _of_sign(sign: str, numerals: bool) -> str:
    if numerals and sign in NUMERALS:
        return NUMERALS[sign]
    if sign in _SIGNS:
        return _SIGNS[sign]
    category = unicodedata.category(sign)
    if category in _DROPPED:
        return ""
    if sign in "\n\r\u2028\u2029\x0b\x0c\x85":
        return "\n"
    if sign.isspace():
        return " "
    if category == "Pd":
        return "-"
    if category == "Nd":
        return str(unicodedata.digit(sign))
    return "".join(_SIGNS.get(one, one) for one in unicodedata.normalize("NFKC", sign))

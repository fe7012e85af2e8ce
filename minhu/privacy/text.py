"""Rows of free text. Cheap searches say which rows can hold anything; only those are looked at more closely."""

import string
from collections.abc import Callable
from functools import partial

import polars as pl

from minhu.privacy.names import NAME_HINTS, TITLE_HINTS, mask_names
from minhu.privacy.numbers import CARD_CUE, FILLER, ID_CUE, PHONE_CUE, THING_CUE, mask_number
from minhu.privacy.signs import NUMERALS

_WIDE_DIGITS = "０１２３４５６７８９"
_WIDE = {chr(ord(sign) + 0xFEE0): sign for sign in string.digits + string.ascii_letters + "+-"}
FULL_WIDTH = dict(zip("０１２３４５６７８９－（）＋　Ｘｘ", "0123456789-()+ Xx", strict=True))

_BETWEEN = r"[ \-./·()\u00a0\u3000–—,_|*~:]{0,3}"
_CUES = f"{PHONE_CUE}|{ID_CUE}|{CARD_CUE}|{THING_CUE}"
_TAIL = r"(?:[ .-]?[Xx×*]|[:点时月年元万亿块])?"
_CANDIDATE = (  # ten digits, fewer where a word or a plus sign says what they are
    rf"(?:(?:{_CUES}){FILLER}[0-9](?:(?:{_BETWEEN}|[、，,/或和及])[0-9]){{6,}}"
    rf"|\+[0-9](?:{_BETWEEN}[0-9]){{7,}}|\(?[0-9](?:{_BETWEEN}[0-9]){{9,}}){_TAIL}"
)
_DIGIT = rf"[\p{{Nd}}{''.join(NUMERALS)}①-⑨⓪⁰¹²³⁴-⁹₀-₉]"
_ODD_BETWEEN = (
    r"(?:[\s\p{Cf}\p{Mn}\p{Me}\p{Pd}\p{Zs}.,/_|*~:()·•∙⋅・｡。．、，﹐､／＿｜¦＊～∼〜−─━ー：（）\[\]【】+＋]"
    r"|<[/!A-Za-z][^<>\n]{0,80}>|&(?:nbsp|ensp|emsp|thinsp|shy|#[0-9]{1,5}|#x[0-9A-Fa-f]{1,5});|\\[nrt])*"
)
_ODD_CANDIDATE = (
    rf"(?:(?:{_CUES})[号码是为:：=\"'“”\s(（+＋]*)?[+＋]?[(（]?"
    rf"{_DIGIT}(?:(?:{_ODD_BETWEEN}|[或和及]){_DIGIT})+(?:[\s\p{{Cf}}.\p{{Pd}}]*[XxＸｘ×*]|[:：点时月年元万亿块])?"
)
_SEEN = r"\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\ufe0f\u20e3\u00a0\u2000-\u200a\u202f\u205f\u3000"
_ODD_GAP = (  # begins with an ASCII digit: the engine has a fast road to it
    rf"[0-9](?:[{_SEEN}\r\n\t‐‑‒―－−─━ー＿｜¦＊～∼〜、，。．・•／【】（）][ {_SEEN}]?[0-9({_SEEN}]"
    r"|[<&\\]|[ ]{4}"
    rf"|[)）][－‑–—][0-9]|[{''.join(NUMERALS)}][0-9{''.join(NUMERALS)}])"
)
_ODD_DIGITS = "|".join("０１２３４５６７８９")
_READ_OUT = (  # what a number that is read out holds: how a phone begins, the century of a birth
    "[一幺][三四五六七八九3-9]|[零〇][一二三四五六七八九壹贰叁伍柒捌玖貳參]|壹[叁肆伍陆柒捌玖參陸]|[二贰貳][零〇]"
)
_MAY_BE = r"[+]|1[3-9][0-9]{9}|0[1-9][0-9]{8}|[0-9]{15}"
"""What the digits of a candidate hold, if it is one."""
_PLAIN = {  # how nearly everybody writes them: masked without Python
    r"^([^0-9+(]*1[3-9][0-9])[ -]?[0-9]{4}[ -]?([0-9]{4})$": "${1}****${2}",
    r"^([^0-9+(]*[1-9][0-9]{3})[0-9]{2}(?:19[0-9]{2}|20[01][0-9])(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
    r"[0-9]{3}[0-9Xx]$": "${1}" + "*" * 14,
}
_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使"
_PLATE = (
    rf"([{_PROVINCES}][ ]?[A-HJ-Z])[ ·•.\-]?([A-HJ-NP-Za-hj-np-z0-9])(?:[A-HJ-NP-Za-hj-np-z0-9]{{3,4}})"
    r"([A-HJ-NP-Za-hj-np-z0-9挂学警港澳领])([^A-Za-z0-9]|$)"
)
_PLATE_LOWER = rf"([{_PROVINCES}][ ]?[a-hj-z])[ ·•.\-]?([a-z0-9])[a-z0-9]?[0-9]{{3}}([a-z0-9])([^A-Za-z0-9]|$)"
_PERMIT = (
    r"(^|[^A-Za-z0-9])([EHMCKGDSPehmckgdsp][A-HJ-NP-Za-hj-np-z]?)"
    r"(?:[013-9][0-9]|2[1-9])[0-9]{3,6}([0-9]{2})([^A-Za-z0-9]|$)"
)
_PERMIT_CUED = (
    r"((?:护照|通行证|台胞证|回乡证|居住证|永居证|军官证)(?:号码|号)?[是为:：\s\"]{0,4})([A-Za-z]{0,3})"
    r"[0-9]{5,16}([0-9]{2})"
)
_PLATE_HINT = rf"[{_PROVINCES}][ ]?[A-Za-z][ ·•.\-]?[0-9A-Za-z]{{4}}|[EHMCKGDSP][A-HJ-NP-Z]?[0-9]{{7}}|护照|证"
_PLATE_CUED = (
    r"(车牌号?(?:码|[是为:：\s]){0,4})([A-Za-z])[ ·•.\-]?([A-Za-z0-9])[A-Za-z0-9]{3,4}([A-Za-z0-9])([^A-Za-z0-9]|$)"
)
_EMAIL = r"([A-Za-z0-9])[A-Za-z0-9._%+-]*[@＠]([A-Za-z0-9-]+(?:[.．][A-Za-z0-9-]+)+)"
_ACCOUNT_CUE = "微信|WeChat|Wechat|wechat|VX|Vx|vx|加V|加v|QQ|qq|扣扣"
_ACCOUNT = (
    rf"((?:{_ACCOUNT_CUE})(?:(?:号码?|[是为:：])+[\s\"]{{0,2}}|[\s\"]{{0,2}}))([A-Za-z][A-Za-z]?|[1-9])"
    r"[-_A-Za-z0-9]*[0-9_-][-_A-Za-z0-9]{2,18}"
)
_ACCOUNTS = {
    _EMAIL: "${1}***@${2}",
    _ACCOUNT: "${1}${2}***",
    rf"((?:{_ACCOUNT_CUE})号?码?[是为:：][\s\"]{{0,2}})([A-Za-z])[-_A-Za-z0-9]{{5,19}}": "${1}${2}***",
}

_LETTERED = {
    _PLATE_CUED: "${1}${2}${3}***${4}${5}",
    _PLATE: "${1}${2}***${3}${4}",
    _PLATE_LOWER: "${1}${2}***${3}${4}",
    _PERMIT_CUED: "${1}${2}*****${3}",
    _PERMIT: "${1}${2}*****${3}${4}",
}

_NUMBER = rf"[0-9](?:{_BETWEEN}[0-9]){{6}}"
_DIGIT_HINT = f"{_NUMBER}|{_ODD_GAP}"
_HINTS = {  # searches that begin with ASCII, or for whole words, take the regex engine's fast roads; merged they do not
    "ascii": rf"[0-9][0-9A-Za-z]{{3}}|{_DIGIT_HINT}",
    "wide": _ODD_DIGITS,
    "read out": _READ_OUT,
    "account": _ACCOUNT_CUE,
    "name": f"{TITLE_HINTS}|{NAME_HINTS}",
}


def half_width(column: pl.Expr) -> pl.Expr:
    """Full-width digits and signs as their ASCII twins."""
    return column.str.replace_many(list(FULL_WIDTH), list(FULL_WIDTH.values()))


def mask_text(texts: pl.Series) -> pl.Series:
    """Free text with phones, ID, card, permit and plate numbers masked, and names where a pattern gives them away.

    Null stays null, and a text with nothing to mask stays as it is. Hotline numbers are left alone.
    """
    if 2 * texts.to_frame().select(pl.all().approx_n_unique()).item() > len(texts):
        return _masked(texts)
    distinct = texts.unique()
    masked = _masked(distinct)
    changed = (masked != distinct).fill_null(False).arg_true()
    return texts.replace(distinct.gather(changed), masked.gather(changed)) if len(changed) else texts


def _masked(texts: pl.Series) -> pl.Series:
    hints = {name: texts.str.contains(pattern).fill_null(False) for name, pattern in _HINTS.items()}
    is_odd = hints["wide"] | hints["read out"]
    masked = _apply(texts, hints["ascii"] & ~is_odd, _mask_ascii)
    masked = _apply(masked, is_odd, lambda part: _mask_plates(_mask_numbers(part, _ODD_CANDIDATE)))
    masked = _apply(masked, hints["account"] | texts.str.contains("@", literal=True).fill_null(False), _mask_accounts)
    return _apply(masked, hints["name"], mask_names)


def _apply(texts: pl.Series, rows: pl.Series, mask: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """``mask`` on some of the rows."""
    if not rows.any():
        return texts
    if rows.all():
        return mask(texts)
    return texts.clone().scatter(rows.arg_true(), mask(texts.filter(rows)))


def _mask_ascii(texts: pl.Series) -> pl.Series:
    return _mask_plates(_apply(texts, texts.str.contains(_DIGIT_HINT), _mask_digits))


def _mask_digits(texts: pl.Series) -> pl.Series:
    """Rows of ASCII digits: those beside which an odd sign stands are read as such."""
    is_odd = texts.str.contains(_ODD_GAP)
    masked = _apply(texts, ~is_odd, lambda part: _mask_numbers(part, _CANDIDATE))
    return _apply(masked, is_odd, lambda part: _mask_numbers(part, _ODD_CANDIDATE))


def _mask_numbers(texts: pl.Series, candidate: str) -> pl.Series:
    found = texts.str.extract_all(candidate).explode(empty_as_null=False).drop_nulls().unique()
    masks = found.clone()
    is_thing = found.str.contains(THING_CUE)
    for pattern, mask in _PLAIN.items():
        masks = _apply(masks, ~is_thing, partial(_replaced, pattern, mask))
    rest = (masks == found).arg_true()
    rest = rest.filter(_may_be(found.gather(rest))) if len(rest) else rest
    masks = masks.scatter(rest, [mask_number(run) for run in found.gather(rest)]) if len(rest) else masks
    if (masks == found).all():
        return texts
    # Every candidate takes part, harmless ones as themselves, longest first: a part of a longer number never matches.
    order = found.str.len_bytes().arg_sort(descending=True)
    return texts.str.replace_many(found.gather(order).to_list(), masks.gather(order).to_list(), leftmost=True)


def _mask_plates(texts: pl.Series) -> pl.Series:
    return _apply(texts, texts.str.contains(_PLATE_HINT), _mask_letters)


def _mask_accounts(texts: pl.Series) -> pl.Series:
    for pattern, mask in _ACCOUNTS.items():
        texts = texts.str.replace_all(pattern, mask)
    return texts


def _mask_letters(texts: pl.Series) -> pl.Series:
    for pattern, mask in _LETTERED.items():
        texts = texts.str.replace_all(pattern, mask)
    return texts


def _replaced(pattern: str, mask: str, runs: pl.Series) -> pl.Series:
    return runs.str.replace(pattern, mask)


def _may_be(runs: pl.Series) -> pl.Series:
    """Whether a run of digits can hold anything; what a word says what it is, or what is written oddly, always can."""
    is_odd = runs.str.contains(r"[^\x00-\x7f]|^[^0-9(]")
    digits = runs.str.replace_all(r"[^0-9+]", "")
    return is_odd | digits.str.contains(_MAY_BE)

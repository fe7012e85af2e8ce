"""Rows of free text. Cheap searches say which rows can hold anything; only those are looked at more closely."""

import string
from collections.abc import Callable

import polars as pl

from minhu.privacy.names import NAME_HINTS, mask_names
from minhu.privacy.numbers import BLANK, CARD_CUE, FILLER, ID_CUE, PHONE_CUE, mask_number

_WIDE_DIGITS = "０１２３４５６７８９"
_WIDE = {chr(ord(sign) + 0xFEE0): sign for sign in string.digits + string.ascii_letters + "+-"}
FULL_WIDTH = dict(zip("０１２３４５６７８９－（）＋　Ｘｘ", "0123456789-()+ Xx", strict=True))

_BETWEEN = rf"[{BLANK}\-–—./·()（）]{{0,3}}"
_CUES = f"{PHONE_CUE}|{ID_CUE}|{CARD_CUE}"
_CANDIDATE = (  # ten digits, fewer where a word or a plus sign says what they are; ends with an ID number's X
    rf"(?:(?:{_CUES}){FILLER}[0-9](?:(?:{_BETWEEN}|[、，,/或和及])[0-9]){{6,}}"
    rf"|\+[0-9](?:{_BETWEEN}[0-9]){{7,}}|\(?[0-9](?:{_BETWEEN}[0-9]){{9,}})[{BLANK}.-]?[Xx×*]?"
)
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
_PERMIT = r"(^|[^A-Za-z0-9])([EHMCKGDSP][A-HJ-NP-Z]?)(?:[013-9][0-9]|2[1-9])[0-9]{3,6}([0-9]{2})([^A-Za-z0-9]|$)"
_PERMIT_CUED = (
    r"((?:护照|通行证|台胞证|回乡证|居住证|永居证|军官证)(?:号码|号)?[是为:：\s\"]{0,4})([A-Za-z]{0,3})"
    r"[0-9]{5,16}([0-9]{2})"
)
_PLATE_HINT = rf"[{_PROVINCES}][ ]?[A-Za-z][ ·•.\-]?[0-9A-Za-z]{{4}}|[EHMCKGDSP][A-HJ-NP-Z]?[0-9]{{7}}|护照|证"
_NUMERAL = "〇零○一幺二两三四五六七八九"
_SPOKEN = rf"([一幺][三四五六七八九][{_NUMERAL}])[ ，、-]?[{_NUMERAL}]{{4}}[ ，、-]?([{_NUMERAL}]{{4}})"
_SPOKEN_HINTS = "|".join(f"{one}{two}" for one in "一幺" for two in "三四五六七八九")

_LETTERED = {
    _PLATE: "${1}${2}***${3}${4}",
    _PLATE_LOWER: "${1}${2}***${3}${4}",
    _PERMIT_CUED: "${1}${2}*****${3}",
    _PERMIT: "${1}${2}*****${3}${4}",
}

_HINTS = {  # searches for ASCII or for whole words take the regex engine's fast roads
    "wide": "|".join(_WIDE_DIGITS),
    "number": rf"[0-9](?:{_BETWEEN}[0-9]){{6}}",
    "plate": r"[0-9][0-9A-Za-z]{2}",
    "spoken": _SPOKEN_HINTS,
    "name": NAME_HINTS,
}


def half_width(column: pl.Expr) -> pl.Expr:
    """Full-width digits and signs as their ASCII twins."""
    return column.str.replace_many(list(FULL_WIDTH), list(FULL_WIDTH.values()))


def mask_text(texts: pl.Series) -> pl.Series:
    """Free text with phones, ID, card, permit and plate numbers masked, and names where a pattern gives them away.

    Null stays null, and a text with nothing to mask stays as it is. Hotline numbers are left alone.
    """
    hints = texts.to_frame("text").select(
        pl.col("text").str.contains(pattern).fill_null(False).alias(name) for name, pattern in _HINTS.items()
    )
    wide = hints["wide"]
    if wide.any():
        plain = _apply(texts, wide, lambda part: part.str.replace_many(list(_WIDE), list(_WIDE.values())))
    else:
        plain = texts
    masked = _apply(plain, hints["number"] | wide, _mask_numbers)
    masked = _apply(masked, hints["plate"] | wide, _mask_plates)
    masked = _apply(masked, hints["spoken"], _mask_spoken)
    masked = _apply(masked, hints["name"], mask_names)
    if wide.any():  # a text in which nothing was masked keeps its own digits
        kept = (masked == plain).fill_null(True)
        return pl.select(pl.when(kept).then(texts).otherwise(masked)).to_series().alias(texts.name)
    return masked


def _apply(texts: pl.Series, rows: pl.Series, mask: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """``mask`` on some of the rows."""
    if not rows.any():
        return texts
    if rows.all():
        return mask(texts)
    return texts.clone().scatter(rows.arg_true(), mask(texts.filter(rows)))


def _mask_numbers(texts: pl.Series) -> pl.Series:
    found = texts.str.extract_all(_CANDIDATE).explode(empty_as_null=False).drop_nulls().unique()
    masks = found.clone()
    for pattern, mask in _PLAIN.items():
        masks = masks.str.replace(pattern, mask)
    rest = (masks == found).arg_true()
    masks = masks.scatter(rest, [mask_number(run) for run in found.gather(rest)]) if len(rest) else masks
    if (masks == found).all():
        return texts
    # Every candidate takes part, harmless ones as themselves, longest first: a part of a longer number never matches.
    order = found.str.len_bytes().arg_sort(descending=True)
    return texts.str.replace_many(found.gather(order).to_list(), masks.gather(order).to_list(), leftmost=True)


def _mask_plates(texts: pl.Series) -> pl.Series:
    return _apply(texts, texts.str.contains(_PLATE_HINT), _mask_letters)


def _mask_letters(texts: pl.Series) -> pl.Series:
    for pattern, mask in _LETTERED.items():
        texts = texts.str.replace_all(pattern, mask)
    return texts


def _mask_spoken(texts: pl.Series) -> pl.Series:
    return texts.str.replace_all(_SPOKEN, "${1}****${2}")

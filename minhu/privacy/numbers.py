"""One run of digits as people write them: which part of it identifies a person.

Recognition is by shape, not by registers of issued numbers: a citizen's typing error must not unmask a number. A run is
read as groups of digits with signs between them. A number may be spread over groups where people divide numbers of its
kind so, or where a word before it says what it is. What looks alike and is nobody's (hotlines, case numbers, dates,
amounts, coordinates, lists) is left alone; the tests measure both.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stdnum import luhn
from stdnum.cn import ric

from minhu.privacy.signs import NUMERALS, Read, read

PHONE_CUE = (
    r"电话|座机|手机|固话|联系方式|联系号码|联系号|致电|回电|拨打|小灵通|传真"
    r"|热线|微信|QQ|[Tt]el|TEL|[Pp]hone|[Mm]obile"
)
ID_CUE = r"身份证|证件号|证号|idCard|id_card"
CARD_CUE = r"银行卡|卡号|账号|帐号|账户"
THING_CUE = (
    r"订单|单号|工单|编号|户号|表号|流水号|运单|快递|合同|案号|执照|许可证"
    r"|信用代码|税号|发票|注册号|序列号|批次|条码|型号"
)
"""Words that say of a number that it is a thing's: what a checksum alone would call a card or an ID is left alone."""
FILLER = r"""[号码是为:：="'“”\s(（+]{0,8}"""

# How people divide numbers. With blanks, dashes and brackets nearly every way; with other signs the usual ones.
_USUAL = {(11,), (3, 4, 4), (3, 8), (7, 4), (4, 4, 3), (4, 3, 4), (1,) * 11}
_LOOSE = _USUAL | {
    *((3, 3, 5), (5, 6), (6, 5), (8, 3), (4, 7), (3, 2, 2, 2, 2), (3, 3, 3, 2)),
    *((7, 2, 2), (3, 4, 1, 1, 1, 1), (3, 4, 2, 2)),
}  # fmt: skip
_LOCALS = {(8,), (7,), (4, 4), (3, 4), (2, 2, 2, 2), (2, 2, 2, 1), (4, 2, 2), (3, 2, 2), (1,) * 8, (1,) * 7}
_ID_PARTS = {
    *((18,), (6, 8, 4), (6, 4, 4, 4), (4, 4, 4, 4, 2), (6, 12), (14, 4), (17, 1), (10, 8), (6, 4, 2, 2, 4), (6, 6, 6)),
    *((3, 3, 8, 4), (3, 3, 4, 4, 4), (3, 3, 4, 2, 2, 4), (3,) * 6, (2,) * 9, (1,) * 18, (6, 8, 3, 1), (6, 4, 4, 3, 1)),
}  # fmt: skip
_OLD_ID_PARTS = {(15,), (6, 6, 3), (6, 9), (3,) * 5, (1,) * 15}

_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_MOBILE_PREFIX = ("0086", "086", "86", "0", "")
_AREA = re.compile(r"0(?:10|2[0-57-9]|[3-9][0-9]{2})")
_LOCAL = re.compile(r"[1-9][0-9]{6,7}")
_ABROAD = re.compile(
    r"(?:\+|(?<![0-9.])00)(?!86)([1-9][0-9]{0,2})[ .()-]{0,3}[0-9](?:[ .()-]{0,3}[0-9]){6,11}(?![0-9])"
)
_CARD = re.compile(
    r"(?<![0-9])(?<![0-9][ -])[0-9]{4}(?:[ -]{0,3}[0-9]{4}){2}[ -]{0,3}[0-9]{3,4}(?:[ -]{0,3}[0-9]{1,3})?(?![ -]?[0-9])"
)
_AMEX = re.compile(r"(?<![0-9])3[47][0-9]{2}[ -][0-9]{6}[ -][0-9]{5}(?![0-9])")
_BIRTH = re.compile(r"(18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")
_OLD_BIRTH = re.compile(r"[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")
_DAY = re.compile(r"20[0-4][0-9](?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")
_PROVINCE = re.compile(r"1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[123]|91")
_ISSUER = re.compile(r"6[0258]|81|9558|4|5[1-5]|35|3[47]|222[1-9]|2[3-6]|27[01]|2720")
_SERVICE = re.compile(r"(?:400|800)[0-9]{7}|9[56][0-9]{3,6}|1(?:[0-9]{2}|[0-9]{4})")
CUED = re.compile(rf"(?:({PHONE_CUE})|({ID_CUE})|({CARD_CUE})|({THING_CUE})){FILLER}")

_THEN_TIME = (  # what may follow a number at once, or stand before it, without being of it
    r"(?:(?:[01]?[0-9]|2[0-3])(?::[0-5][0-9]|[点时])|(?:0?[1-9]|1[0-2])月|20[0-4][0-9](?:[-/.][01]?[0-9][-/.]|年)"
    r"|20[0-4][0-9](?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?![0-9]))"
)
_GROUP = re.compile(
    rf"(?:(?:(?:00)?86|0)?1[3-9][0-9]{{9}}|[1-9][0-9]{{5}}(?:19|20)[0-9]{{9}}[0-9Xx])(?={_THEN_TIME})"
    r"|(?:(?<=[0-9]:)[0-5][0-9]|(?<=20[0-9][0-9][-/.][01][0-9][-/.])[0-3][0-9])"
    r"(?=(?:1[3-9][0-9]{9}|[1-9][0-9]{16}[0-9Xx])(?![0-9]))"
    r"|[0-9]+"
)
_SOFT = re.compile(r"[ ()-]{1,8}")
_HARD = re.compile(r"[ ()\n.,/_|*~-]{1,8}")
_NUMERAL = re.compile(f"[{''.join(NUMERALS)}]")


@dataclass(frozen=True)
class Group:
    """Digits that stand together; ``gap``: what stands between them and the group before, if both may be one number."""

    digits: str
    start: int
    end: int
    gap: str | None


@dataclass(frozen=True)
class Found:
    """Signs ``start`` to ``end`` are a number: of its digits ``first`` and ``last`` stay, those between become stars.

    ``prefix``: how many digits at its head go with it (+86); a sign before them stays.
    """

    start: int
    end: int
    first: int
    last: int
    prefix: int = 0
    sign: str = ""


def mask_number(text: str) -> str:
    """One run of digits, perhaps after a word such as 电话, with what identifies a person masked; others stay."""
    text = _masked(text, numerals=False)
    return _masked(text, numerals=True) if _NUMERAL.search(text) else text


def _masked(text: str, *, numerals: bool) -> str:
    seen = read(text, numerals=numerals)
    for found in sorted(_find(seen.signs), key=lambda found: found.start, reverse=True):
        start, end = seen.starts[found.start], seen.ends[found.end - 1]
        text = text[:start] + _written(text, seen, found) + text[end:]
    return text


def _written(text: str, seen: Read, found: Found) -> str:
    """The mask; what it keeps is written as it was, but for the width of digits."""
    at = [at for at in range(found.start, found.end) if seen.signs[at] in "0123456789Xx*"][found.prefix :]
    kept = [text[seen.starts[place]] if text[seen.starts[place]] in NUMERALS else seen.signs[place] for place in at]
    last = kept[len(kept) - found.last :]
    return found.sign + "".join(kept[: found.first]) + "*" * (len(kept) - found.first - len(last)) + "".join(last)


def _find(signs: str) -> list[Found]:
    """The numbers of a run that identify a person, none over another."""
    cue = CUED.match(signs)
    groups = list(_groups(signs, cue.end() if cue else 0))
    found = list(_in_groups(signs, groups, cue))
    if not (cue and cue[4]):
        found += [one for one in _cards(signs) if not _overlaps(one, found)]
    if "+" in signs or "00" in signs:
        found += [one for one in _abroad(signs) if not _overlaps(one, found)]
    if cue and cue.end() < len(signs) and (cue[2] or cue[3]):
        found += [one for one in _said(signs, cue) if not _overlaps(one, found)]
    return found


def _overlaps(one: Found, others: list[Found]) -> bool:
    return any(one.start < other.end and other.start < one.end for other in others)


def _groups(signs: str, start: int) -> Iterator[Group]:
    before = None
    for match in _GROUP.finditer(signs, start):
        gap = signs[before : match.start()] if before is not None else None
        if gap is not None and not _HARD.fullmatch(gap):
            gap = None
        yield Group(match[0], match.start(), match.end(), gap)
        before = match.end()


# -- numbers spread over groups ------------------------------------------------------------------------------------


def _in_groups(signs: str, groups: list[Group], cue: re.Match | None) -> Iterator[Found]:
    """From left to right, the longest kind first."""
    at = 0
    while at < len(groups):
        for kind in (_id, _mobile, _landline, _old_id, _service, _local):
            last, found = kind(signs, groups, at, cue)
            if last >= 0:
                if found:
                    yield found
                at = last
                break
        at += 1


_NOTHING = (-1, None)
_Kind = tuple[int, Found | None]


def _windows(groups: list[Group], at: int, longest: int) -> Iterator[tuple[int, str, tuple[int, ...]]]:
    """From group ``at`` on: the last group, the digits and how they are divided; the longest first."""
    windows, digits, sizes = [], "", []
    for last in range(at, min(at + 20, len(groups))):
        if last > at and groups[last].gap is None:
            break
        digits += groups[last].digits
        if len(digits) > longest:
            break
        sizes.append(len(groups[last].digits))
        windows.append((last, digits, tuple(sizes)))
    return reversed(windows)


def _gaps(groups: list[Group], first: int, last: int) -> list[str]:
    return [groups[at].gap or "" for at in range(first + 1, last + 1)]


def _is_soft(gaps: list[str]) -> bool:
    return all(_SOFT.fullmatch(gap) for gap in gaps)


def _is_fraction(groups: list[Group], at: int) -> bool:
    """Decimals of a coordinate or an amount; after one digit and a dot a list goes on: 1.138…"""
    return groups[at].gap == "." and len(groups[at - 1].digits) > 1


def _is_listed(groups: list[Group], first: int, last: int) -> bool:
    """More groups follow or go before with the same sign between them: a list, unless the whole is as long as one."""
    gaps = set(_gaps(groups, first, last))
    extra = 0
    for at in range(first, 0, -1):
        if groups[at].gap not in gaps or _ends_number(groups, at - 1):
            break
        extra += 1
    for at in range(last + 1, len(groups)):
        if groups[at].gap not in gaps or _starts_number(groups, at):
            break
        extra += 1
    return extra > (1 if _is_soft(list(gaps)) else 0)


def _ends_number(groups: list[Group], at: int) -> bool:
    return any(_starts_number(groups[: at + 1], first) for first in (at, at - 1, at - 2) if first >= 0)


def _starts_number(groups: list[Group], at: int) -> bool:
    return any(_MOBILE.fullmatch(digits) and sizes in _USUAL for _, digits, sizes in _windows(groups, at, 11))


def _mobile(signs: str, groups: list[Group], at: int, cue: re.Match | None) -> _Kind:
    if groups[at].digits[0] not in "180" or _is_fraction(groups, at):
        return _NOTHING
    for last, digits, sizes in _windows(groups, at, 15):
        prefix = next(
            (one for one in _MOBILE_PREFIX if digits.startswith(one) and _MOBILE.fullmatch(digits[len(one) :])), None
        )
        if prefix is None or _is_amount(signs, groups[last].end):
            continue
        sizes = _without(sizes, len(prefix))
        first = last - len(sizes) + 1
        start, sign = groups[at].start, ""
        if prefix:
            start, sign = _with_brackets(signs, start)
        is_said = bool(sign or prefix == "0086" or (cue and cue[1]))
        if (first > at and _is_fraction(groups, first)) or (
            len(sizes) > 1 and not _is_mobile(groups, first, last, sizes, is_said=is_said)
        ):
            continue
        return last, Found(start, groups[last].end, 3, 4, len(prefix), sign)
    return _NOTHING


def _is_amount(signs: str, end: int) -> bool:
    return bool(re.match(r"\.[0-9]{1,2}(?![0-9])[ ]?[元万亿块]", signs[end : end + 6]))


def _without(sizes: tuple[int, ...], prefix: int) -> tuple[int, ...]:
    left = list(sizes)
    while prefix:
        taken = min(prefix, left[0])
        left[0] -= taken
        prefix -= taken
        if not left[0]:
            left.pop(0)
    return tuple(left)


def _with_brackets(signs: str, start: int) -> tuple[int, str]:
    """Where a number with a country code begins, and the sign that stays of it."""
    sign = "+" if signs[start - 1 : start] == "+" and start else ""
    return start - len(sign), sign


def _is_mobile(groups: list[Group], first: int, last: int, sizes: tuple[int, ...], *, is_said: bool) -> bool:
    gaps = _gaps(groups, first, last)
    if is_said:
        return True
    if _is_soft(gaps):
        digits = "".join(group.digits for group in groups[first : last + 1])
        is_dated = sizes[-3:] == (4, 2, 2) or (sizes == (3, 4, 2, 2) and _DAY.fullmatch(digits[3:]))
        return sizes in _LOOSE and not is_dated and not _is_listed(groups, first, last)
    if sizes not in _USUAL or (len(sizes) == 2 and gaps[0] in (".", ",")):
        return False
    return not _is_listed(groups, first, last)


def _landline(signs: str, groups: list[Group], at: int, cue: re.Match | None) -> _Kind:
    """With its area code; of +86 the zero may be left out."""
    if groups[at].digits[0] not in "08" or _is_fraction(groups, at):
        return _NOTHING
    for last, digits, sizes in _windows(groups, at, 16):
        abroad = next((one for one in ("0086", "86") if digits.startswith(one)), "")
        rest = digits[len(abroad) :]
        is_abroad = abroad == "0086" or (
            abroad
            and (
                (sizes[0] == 2 and _is_soft(_gaps(groups, at, last)))
                or signs[groups[at].start - 1 : groups[at].start] == "+"
            )
        )
        told = "0" + rest if is_abroad and not rest.startswith("0") else rest
        area = _AREA.match(told)
        if not area or not _LOCAL.fullmatch(told[area.end() :]):
            continue
        head = len(abroad) + len(area[0]) - (told is not rest and told != rest)
        local = _without(sizes, head)
        is_whole = len(sizes) == 1 or (local in _LOCALS and _cut(sizes, head, len(abroad))) or set(sizes) == {1}
        if not is_whole or (local in {(4, 2, 2)} and _DAY.fullmatch(digits[-8:])):
            continue
        start = _place(groups, at, head)
        return last, Found(start, groups[last].end, 0, 2)
    return _NOTHING


def _cut(sizes: tuple[int, ...], head: int, abroad: int) -> bool:
    """Whether the area code, or the ``abroad`` digits of the country and it, stand in groups of their own or in one."""
    return sizes[0] >= head or (sizes[0] == abroad and sum(sizes[:2]) == head)


def _place(groups: list[Group], at: int, head: int) -> int:
    """Where the digit after ``head`` digits stands."""
    while head >= len(groups[at].digits):
        head -= len(groups[at].digits)
        at += 1
    return groups[at].start + head


def _service(signs: str, groups: list[Group], at: int, cue: re.Match | None) -> _Kind:
    """A number that everybody may know is passed over as a whole, so that its end is not taken for a local one."""
    for last, digits, sizes in _windows(groups, at, 10):
        if _SERVICE.fullmatch(digits) and (len(sizes) == 1 or len(digits) == 10):
            return last, None
    return _NOTHING


def _local(signs: str, groups: list[Group], at: int, cue: re.Match | None) -> _Kind:
    """A number without its area code, or with a digit too many or too few: only after a word such as 电话."""
    if not cue or not cue[1] or _is_fraction(groups, at):
        return _NOTHING
    if 7 <= len(groups[at].digits) <= 13:
        return at, Found(groups[at].start, groups[at].end, 0, 2)
    for last, digits, sizes in _windows(groups, at, 8):
        if sizes in _LOCALS and _LOCAL.fullmatch(digits) and not (sizes == (4, 2, 2) and _DAY.fullmatch(digits)):
            return last, Found(groups[at].start, groups[last].end, 0, 2)
    return _NOTHING


def _id(signs: str, groups: list[Group], at: int, cue: re.Match | None) -> _Kind:
    """Case numbers of many hotlines look like the ID of somebody born this year; only those must pass the checksum."""
    if groups[at].digits[0] == "0" or _is_fraction(groups, at):
        return _NOTHING
    for last, digits, sizes in _windows(groups, at, 18):
        end = groups[last].end
        if len(digits) == 17:
            letter = re.match(r"[ ()\n.,/_|*~-]{0,8}?[Xx]|\*(?!\*)", signs[end : end + 9])
            if not letter or not re.match(r"[^A-Za-z0-9]|$", signs[end + letter.end() : end + letter.end() + 1]):
                continue
            digits, sizes, end = (
                digits + "X",
                (*sizes, 1) if letter.end() > 1 else (*sizes[:-1], sizes[-1] + 1),
                end + letter.end(),
            )
        if len(digits) == 18 and is_id(digits, sizes, cue):
            return last, Found(groups[at].start, end, 4, 0)
    return _NOTHING


def is_id(number: str, sizes: tuple[int, ...] = (18,), cue: re.Match | None = None) -> bool:
    """Whether 18 signs are somebody's ID number; ``sizes``: how they are divided, ``cue``: what stands before them."""
    birth = _BIRTH.match(number, 6)
    if not birth:
        return False
    is_right = bool(_PROVINCE.match(number)) and number[-1] == ric.calc_check_digit(number[:17])
    if cue and cue[4]:
        return is_right and "1900" <= birth[0] < "2010"
    if birth[0] >= "2020":
        return is_right
    return (
        is_right or bool(cue and cue[2]) or (sizes in _ID_PARTS and (len(sizes) == 1 or bool(_PROVINCE.match(number))))
    )


def _old_id(signs: str, groups: list[Group], at: int, cue: re.Match | None) -> _Kind:
    """Fifteen digits were given out until 1999; a case number has its date one place further left."""
    if (cue and cue[4]) or _is_fraction(groups, at):
        return _NOTHING
    for last, digits, sizes in _windows(groups, at, 15):
        if (
            len(digits) == 15
            and sizes in _OLD_ID_PARTS
            and _PROVINCE.match(digits)
            and _OLD_BIRTH.fullmatch(digits[6:12])
            and not _DAY.match(digits, 4)
        ):
            return last, Found(groups[at].start, groups[last].end, 4, 0)
    return _NOTHING


# -- numbers that one expression tells -----------------------------------------------------------------------------


def _cards(signs: str) -> Iterator[Found]:
    for match in [*_CARD.finditer(signs), *_AMEX.finditer(signs)]:
        digits = re.sub(r"[^0-9]", "", match[0])
        if 15 <= len(digits) <= 19 and _ISSUER.match(digits) and luhn.is_valid(digits):
            yield Found(match.start(), match.end(), 0, 4)


def _abroad(signs: str) -> Iterator[Found]:
    for match in _ABROAD.finditer(signs):
        if not _SERVICE.fullmatch(match[0]):
            yield Found(match.end(1), match.end(), 0, 2)


def _said(signs: str, cue: re.Match) -> Iterator[Found]:
    """What the word before it says it is, however it is written."""
    first, last, shortest = (4, 0, 14) if cue[2] else (0, 4, 12)
    for match in re.finditer(
        rf"(?<![0-9])[0-9](?:[ \n._/-]{{0,3}}[0-9]){{{shortest - 1},20}}[Xx]?", signs[cue.end() :]
    ):
        yield Found(cue.end() + match.start(), cue.end() + match.end(), first, last)

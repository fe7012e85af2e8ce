"""One run of digits as people write them: which part of it identifies a person.

Recognition is by shape, not by registers of issued numbers: a citizen's typing error must not unmask a number. What
looks alike and is nobody's (hotlines, case numbers, dates, amounts, coordinates) is left alone; the tests measure it.
"""

import re

from stdnum import luhn
from stdnum.cn import ric

BLANK = " \t\u00a0\u3000\u200b"
"""What may stand between two digits of one number besides dashes and dots."""
_GAP = rf"(?:[{BLANK}]?[-–—.·][{BLANK}]?|[{BLANK}]{{1,2}})?"
_START = r"(?<![0-9])(?<![0-9][0-9]\.)"  # nor the decimals of a coordinate
_END = r"(?![0-9])"

PHONE_CUE = r"电话|座机|手机|固话|联系方式|联系号码|致电|回电|拨打|小灵通|传真|微信|QQ|[Tt]el|TEL|[Pp]hone|[Mm]obile"
ID_CUE = r"身份证|证件号|证号|idCard|id_card"
CARD_CUE = r"银行卡|卡号|账号|帐号|账户"
FILLER = r"""[号码是为:："'\s(（+]{0,6}"""

_LOOSE = rf"(?:[{BLANK}]?[-–—][{BLANK}]?|[{BLANK}]{{1,2}})?"
_MOBILE = re.compile(  # 138 0000 1111 in any groups; with dots only as 138.0000.1111, or two amounts would be a phone
    rf"{_START}(?:[(（]?(?:\+|00)?86[)）]?{_GAP}|0{_GAP})?"
    rf"[(（]?1[3-9][0-9][)）]?(?:(?:{_LOOSE}[0-9]){{8}}|{_GAP}[0-9]{{4}}{_GAP}[0-9]{{4}}|/[0-9]{{4}}/[0-9]{{4}}){_END}"
)
_DATED = re.compile(r"20[0-9]{2}[-–—.][01][0-9][-–—.][0-3][0-9]$")
_SPELT = re.compile(rf"{_START}1([{BLANK}.·–—-])[3-9](?:\1[0-9]){{9}}{_END}")
_ABROAD = re.compile(rf"(?:\+|(?<![0-9])00)(?!86)([1-9][0-9]{{0,2}}){_GAP}[0-9](?:{_GAP}[0-9]){{6,11}}{_END}")
_AREA = r"10|2[0-57-9]|[3-9][0-9]{2}"
_LANDLINE = re.compile(
    rf"{_START}((?:\+?86\)?{_GAP}\(?0?(?:{_AREA})|\(?0(?:{_AREA}))[)）]?{_GAP})([1-9](?:{_LOOSE}[0-9]){{6,7}}){_END}"
)
_ID = re.compile(rf"(?<![0-9])[1-9](?:[{BLANK}.-]?[0-9]){{16}}[{BLANK}.-]?[0-9Xx×*]{_END}")
_OLD_ID = re.compile(r"(?<![0-9])[1-9][0-9]{7}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}(?![0-9])")
_CARD = re.compile(
    rf"(?<![0-9])[0-9]{{4}}(?:[{BLANK}-]?[0-9]{{4}}){{2}}[{BLANK}-]?[0-9]{{3,4}}(?:[{BLANK}-]?[0-9]{{1,3}})?{_END}"
)
_AMEX = re.compile(rf"(?<![0-9])3[47][0-9]{{2}}[{BLANK}-][0-9]{{6}}[{BLANK}-][0-9]{{5}}{_END}")
_BIRTH = re.compile(r"(18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")
_DATE = re.compile(r"20[0-4][0-9](?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")
_PROVINCE = re.compile(r"1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[123]|91")
_ISSUER = re.compile(r"6[0258]|81|9558|4|5[1-5]|35|3[47]|222[1-9]|2[3-6]|27[01]|2720")
_SERVICE = re.compile(r"(?:400|800)[0-9]{7}|9[56][0-9]{3,6}|1(?:[0-9]{2}|[0-9]{4})")
_LOCAL = re.compile(  # a service number as a whole first, so that its end is not taken for a local one
    rf"{_START}(?:[48]00{_GAP}[0-9]{{3}}{_GAP}[0-9]{{4}}|[48]00[0-9]{_GAP}[0-9]{{3}}{_GAP}[0-9]{{3}}"
    rf"|[1-9][0-9]{{2,3}}{_GAP}[0-9]{{4}}|[0-9]{{7,13}}){_END}"
)
_CUED = re.compile(rf"(?:({PHONE_CUE})|({ID_CUE})|({CARD_CUE})){FILLER}")


def mask_number(text: str) -> str:
    """One run of digits, perhaps after a word such as 电话, with what identifies a person masked; others stay."""
    if sum(map(str.isdigit, text)) > 14:
        text = _ID.sub(_mask_id, text)
        text = _CARD.sub(_mask_card, text)
        text = _AMEX.sub(_mask_card, text)
        text = _OLD_ID.sub(_mask_old_id, text)
    text = _MOBILE.sub(_mask_mobile, text)
    text = _SPELT.sub(lambda m: _keep_ends(m[0], 3, 4), text)
    if "0" in text or "+" in text:
        text = _ABROAD.sub(_mask_abroad, text)
        text = _LANDLINE.sub(_mask_landline, text)
    cue = _CUED.match(text)
    return cue[0] + _mask_cued(text[cue.end() :], cue) if cue else text


def _mask_cued(run: str, cue: re.Match) -> str:
    """What the word before it says it is, however it is written."""
    if cue[1]:
        return _LOCAL.sub(_mask_local, run)
    keep, shortest = (4, 14) if cue[2] else (0, 12)
    return re.sub(rf"(?<![0-9])[0-9](?:[{BLANK}-]?[0-9]){{{shortest - 1},20}}[Xx]?", lambda m: _hide(m[0], keep), run)


def _hide(number: str, keep: int) -> str:
    digits = re.sub(r"[^0-9Xx]", "", number)
    return digits[:4] + "*" * (len(digits) - 4) if keep else "*" * (len(digits) - 4) + digits[-4:]


def _mask_local(found: re.Match) -> str:
    digits = re.sub(r"[^0-9]", "", found[0])
    return found[0] if _SERVICE.fullmatch(digits) else "*" * (len(digits) - 2) + digits[-2:]


def _keep_ends(number: str, first: int, last: int) -> str:
    digits = re.sub(r"[^0-9]", "", number)
    return digits[:first] + "*" * (len(digits) - first - last) + digits[-last:]


def _mask_mobile(found: re.Match) -> str:
    if _DATED.search(found[0]):
        return found[0]
    digits = re.sub(r"[^0-9]", "", found[0])[-11:]
    sign = "+" if "+" in found[0] else ""
    return f"{sign}{digits[:3]}****{digits[7:]}"


def _mask_landline(found: re.Match) -> str:
    return found[0] if _DATED.search(found[0]) else found[1] + _keep_ends(found[2], 0, 2)


def _mask_abroad(found: re.Match) -> str:
    digits = re.sub(r"[^0-9]", "", found[0])
    return found[0][: found.end(1) - found.start()] + "*" * (len(digits) - len(found[1]) - 2) + digits[-2:]


def _mask_id(found: re.Match) -> str:
    """Case numbers of many hotlines look like the ID of somebody born this year; only those must pass the checksum."""
    number = re.sub(r"[^0-9Xx×*]", "", found[0]).upper().translate({ord("×"): "X", ord("*"): "X"})
    birth = _BIRTH.match(number, 6)
    if not birth:
        return found[0]
    is_id = birth[0] < "2020" or (_PROVINCE.match(number) and number[-1] == ric.calc_check_digit(number[:17]))
    return number[:4] + "*" * 14 if is_id else found[0]


def _mask_old_id(found: re.Match) -> str:
    """Fifteen digits were given out until 1999; a case number has its date one place further left."""
    number = found[0]
    is_id = _PROVINCE.match(number) and not _DATE.match(number, 4)
    return number[:4] + "*" * 11 if is_id else number


def _mask_card(found: re.Match) -> str:
    digits = re.sub(r"[^0-9]", "", found[0])
    if not 15 <= len(digits) <= 19 or not _ISSUER.match(digits) or not luhn.is_valid(digits):
        return found[0]
    return "*" * (len(digits) - 4) + digits[-4:]

"""Keeps citizens' data inside the loader: caller tokens, and masks for numbers in free text.

A caller's phone becomes a keyed HMAC-SHA256 token, so that the same caller can be recognised and nobody can be called,
and a masked form for screens. Numbers that identify a person are masked wherever people wrote them. Python sees only
distinct values; rows go through polars.
"""

import hashlib
import hmac
import re

import polars as pl

FULL_WIDTH = dict(zip("０１２３４５６７８９－（）＋　Ｘｘ", "0123456789-()+ Xx", strict=True))
_HAS_CANDIDATE = r"[0-9][0-9 \-]{5,}[0-9Xx]"


def key_id(key: bytes) -> str:
    """Names a key without telling it."""
    return hashlib.sha256(b"minhu key id" + key).hexdigest()[:8]


def half_width(column: pl.Expr) -> pl.Expr:
    """Full-width digits and signs as their ASCII twins."""
    return column.str.replace_many(list(FULL_WIDTH), list(FULL_WIDTH.values()))


def tokenise(phones: pl.Series, key: bytes) -> pl.DataFrame:
    """Columns caller_token, caller_key_id, caller_masked for a series of phones; null stays null.

    Spelling does not matter: full-width digits, blanks, dashes and a leading +86 are ignored.
    """
    digits = phones.to_frame("phone").select(half_width(pl.col("phone")).str.replace_all(r"[^0-9]", ""))["phone"]
    digits = digits.str.replace(r"^(?:0086|86)(1[0-9]{10})$", "${1}")
    distinct = digits.drop_nulls().unique()
    known = {phone: _token(phone, key) for phone in distinct if phone}
    token = digits.replace_strict(known, default=None, return_dtype=pl.String)
    return pl.DataFrame(
        {
            "caller_token": token,
            "caller_key_id": pl.select(pl.when(token.is_not_null()).then(pl.lit(key_id(key)))).to_series(),
            "caller_masked": digits.replace_strict(
                {phone: mask_phone(phone) for phone in known}, default=None, return_dtype=pl.String
            ),
        }
    )


def _token(phone: str, key: bytes) -> str:
    return hmac.new(key, phone.encode(), hashlib.sha256).hexdigest()[:32]


def mask_phone(digits: str) -> str:
    """138****1234 for a mobile; all but the last two digits hidden otherwise."""
    if len(digits) == 11 and digits.startswith("1"):
        return f"{digits[:3]}****{digits[7:]}"
    return "*" * max(len(digits) - 2, 0) + digits[-2:]


def mask_text(texts: pl.Series) -> pl.Series:
    """Free text with the phones, ID and card numbers in it masked. Hotline numbers are too short to be touched."""
    suspects = texts.str.contains(r"[0-9０-９]{2}[0-9０-９ \-－　]{3,}[0-9０-９ＸｘXx]").fill_null(False)
    if not suspects.any():
        return texts
    plain = texts.filter(suspects).to_frame("text").select(half_width(pl.col("text")))["text"]
    candidates = plain.str.extract_all(_HAS_CANDIDATE).explode(empty_as_null=False).drop_nulls().unique()
    masked = {found: mask_number(found) for found in sorted(candidates, key=len, reverse=True)}
    if all(found == put for found, put in masked.items()):
        return texts
    # Every candidate takes part, harmless ones as themselves, longest first: a part of a longer number never matches.
    cleaned = plain.str.replace_many(list(masked), list(masked.values()), leftmost=True)
    changed = cleaned != plain
    positions = suspects.arg_true().filter(changed)
    return texts.scatter(positions, cleaned.filter(changed)) if changed.any() else texts


_MOBILE = re.compile(r"(?<!\d)(?:\+?(?:00)?86[ -]?)?(1[3-9]\d)([ -]?\d{4})([ -]?)(\d{4})(?!\d)")
_LANDLINE = re.compile(r"(?<!\d)(0\d{2,3}[ -]?)(\d{5,6})(\d{2})(?!\d)")
_ID = re.compile(r"(?<!\d)[1-9]\d{5}((?:18|19|20)\d{2})(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[0-9Xx](?!\d)")
_OLD_ID = re.compile(r"(?<!\d)([1-9]\d{5})(\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3})(?!\d)")
_CARD = re.compile(r"(?<!\d)(\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{1,4}(?:[ -]?\d{1,3})?)(?!\d)")


def mask_number(text: str) -> str:
    """One run of digits, dashes and blanks with what identifies a person in it masked; other numbers as they are."""
    text = _ID.sub(_mask_id, text)
    text = _MOBILE.sub(lambda m: f"{m[1]}****{m[4]}", text)
    text = _OLD_ID.sub(lambda m: m[1][:4] + "*" * 11, text)
    text = _CARD.sub(lambda m: _mask_card(m[1]), text)
    return _LANDLINE.sub(lambda m: m[1] + "*" * len(m[2]) + m[3], text)


def _mask_id(found: re.Match) -> str:
    """Case numbers of many hotlines look like the ID of somebody born this year; only those must pass the checksum."""
    digits = found[0].upper()
    is_id = found[1] < "2020" or digits[-1] == _id_check(digits)
    return digits[:4] + "*" * 14 if is_id else found[0]


def _id_check(digits: str) -> str:
    """The check character of GB 11643-1999 (ISO 7064, MOD 11-2)."""
    weighted = sum(int(digit) * pow(2, 17 - at, 11) for at, digit in enumerate(digits[:17]))
    return "10X98765432"[weighted % 11]


def _mask_card(text: str) -> str:
    digits = re.sub(r"\D", "", text)
    if not 15 <= len(digits) <= 19 or not _luhn(digits):
        return text
    return "*" * (len(digits) - 4) + digits[-4:]


def _luhn(digits: str) -> bool:
    doubled = [int(d) * (2 if at % 2 else 1) for at, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0

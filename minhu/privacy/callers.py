"""Tokens of callers: the same phone under the same key is the same token; without the key nothing leads back."""

import hashlib
from collections.abc import Iterable, Sequence

import polars as pl

from minhu.privacy.keys import key_id
from minhu.privacy.text import half_width

_BLOCK = 64
_LINKS = {"earlier_token": pl.String, "earlier_key_id": pl.String, "current_token": pl.String}


def tokenise(phones: pl.Series, key: bytes) -> pl.DataFrame:
    """Columns caller_token, caller_key_id, caller_masked for a series of phones; null stays null.

    Spelling does not matter: full-width digits, blanks, dashes and a leading +86 are ignored.
    """
    digits = _digits(phones)
    distinct = digits.drop_nulls().unique()
    distinct = distinct.filter(distinct != "")
    tokens = pl.Series(_tokens(distinct, key), dtype=pl.String)
    callers = pl.DataFrame({"digits": distinct, "caller_token": tokens, "caller_masked": _masked(distinct)})
    found = digits.to_frame("digits").join(callers, on="digits", how="left", maintain_order="left")
    is_caller = pl.col("caller_token").is_not_null()
    key_name = pl.when(is_caller).then(pl.lit(key_id(key))).alias("caller_key_id")
    return found.select("caller_token", key_name, "caller_masked")


def caller_links(phones: pl.Series, keys: Sequence[bytes]) -> pl.DataFrame:
    """earlier_token, earlier_key_id, current_token: what the callers of ``phones`` were called under earlier keys.

    ``keys`` as `load.key_ring.key_in_use` gives them, the current one first. One row per distinct caller and earlier
    key; none where there is no earlier key. ``coalesce(current_token, caller_token)`` of a left join on earlier_token
    is then one name per caller on both sides of a rotation.
    """
    current, *earlier = keys
    if not earlier:
        return pl.DataFrame(schema=_LINKS)
    distinct = [phone for phone in _digits(phones).drop_nulls().unique().sort() if phone]
    now = _tokens(distinct, current)
    rows = [
        (then, key_id(key), token)
        for key in earlier
        for then, token in zip(_tokens(distinct, key), now, strict=True)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=_LINKS, orient="row")


def mask_phone(digits: str) -> str:
    """138****1234 for a mobile; all but the last two digits hidden otherwise."""
    if len(digits) == 11 and digits.startswith("1"):
        return f"{digits[:3]}****{digits[7:]}"
    return "*" * max(len(digits) - 2, 0) + digits[-2:]


def _masked(phones: pl.Series) -> pl.Series:
    """``mask_phone`` for a column."""
    mobile = phones.str.replace(r"^(1[0-9]{2})[0-9]{4}([0-9]{4})$", "${1}****${2}")
    others = (mobile == phones).arg_true()
    return mobile.scatter(others, [mask_phone(phone) for phone in phones.gather(others)]) if len(others) else mobile


def _digits(phones: pl.Series) -> pl.Series:
    plain = half_width(pl.col("phone")).str.replace_all(r"[^0-9]", "")
    return phones.to_frame("phone").select(plain.str.replace(r"^(?:0086|86)(1[0-9]{10})$", "${1}"))["phone"]


def _tokens(phones: Iterable[str], key: bytes) -> list[str]:
    """The first half of HMAC-SHA256 of each phone, in hex; the key's two pads (RFC 2104) are hashed once for all."""
    key = hashlib.sha256(key).digest() if len(key) > _BLOCK else key
    inner, outer = (hashlib.sha256(bytes(byte ^ pad for byte in key.ljust(_BLOCK, b"\x00"))) for pad in (0x36, 0x5C))
    tokens = []
    for phone in phones:
        message, whole = inner.copy(), outer.copy()
        message.update(phone.encode())
        whole.update(message.digest())
        tokens.append(whole.hexdigest()[:32])
    return tokens

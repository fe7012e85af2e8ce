"""Bytes → text. A declared encoding wins; a file that is not written in it is refused, and the message names both."""

import codecs

from minhu.errors import BadDelivery

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_FITS = {
    "utf-8": ("ascii", "utf-8", "utf-8-sig"),
    "utf-8-sig": ("ascii", "utf-8", "utf-8-sig"),
    "gb18030": ("ascii", "gb18030"),
    "utf-16": ("utf-16",),
}


def decode(data: bytes, declared: str) -> str:
    return as_utf8(data, declared).decode("utf-8")


def as_utf8(data: bytes, declared: str) -> bytes:
    """``data`` in UTF-8 without a BOM. Raises BadDelivery WRONG_ENCODING naming what was declared and what is seen."""
    found = looks_like(data)
    if declared == "gb18030" and found == "utf-8" and _is_ambiguous(data):
        found = "gb18030"
    if found is None or (declared != "auto" and found not in _FITS[declared]):
        seen = "neither UTF-8 nor GB18030" if found is None else found.upper()
        raise BadDelivery(
            "WRONG_ENCODING",
            f"declared {declared.upper()}, but the bytes are {seen}; mend format.encoding or ask the sender",
        )
    text = data.decode(found).encode() if found in ("gb18030", "utf-16") else data.removeprefix(codecs.BOM_UTF8)
    if b"\x00" in text:
        raise BadDelivery("UNREADABLE", f"there is a NUL byte near byte {text.index(0)}; the file is damaged")
    return text


def looks_like(data: bytes) -> str | None:
    """Valid UTF-8 with Chinese in it is UTF-8: GB18030 text that happens to be valid UTF-8 does not occur at length."""
    if data.startswith(codecs.BOM_UTF8):
        return "utf-8-sig" if _decodes(data, "utf-8") else None
    if data.startswith(_UTF16):
        return "utf-16" if _decodes(data, "utf-16") else None
    if data.isascii():
        return "ascii"
    return next((encoding for encoding in ("utf-8", "gb18030") if _decodes(data, encoding)), None)


def _is_ambiguous(data: bytes) -> bool:
    """As UTF-8 there is no Chinese character in it, and GB18030 reads it too: a few words of a short file."""
    return max(data.decode("utf-8")) < "\u0800" and _decodes(data, "gb18030")


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True

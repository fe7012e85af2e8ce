"""Bytes → text. A declared encoding wins; a file that is not written in it is refused, and the message names both."""

import codecs
import io
from collections.abc import Iterator

import polars as pl

from minhu.errors import BadDelivery
from minhu.feeds.formats.unpack import Readable

BLOCK = 6 << 20
_FITS = {
    "utf-8": ("ascii", "utf-8", "utf-8-sig"),
    "utf-8-sig": ("ascii", "utf-8", "utf-8-sig"),
    "gb18030": ("ascii", "gb18030"),
    "utf-16": ("utf-16",),
}


def decode(data: bytes, declared: str) -> str:
    return b"".join(utf8_blocks(io.BytesIO(data), declared)).decode("utf-8")


def utf8_blocks(file: Readable, declared: str) -> Iterator[bytes]:
    """``file`` in UTF-8 without a BOM, a block at a time; no block ends within a character.

    Raises BadDelivery WRONG_ENCODING naming what was declared and what is seen.
    """
    found = "utf-8" if declared.startswith("utf-8") else _first_look(file)
    if found == "utf-8" and declared == "gb18030" and _is_ambiguous(file):
        found = "gb18030"
    if declared != "auto" and found not in _FITS[declared]:
        raise _wrong(declared, looks_like(file))
    at = 0
    try:
        for text in _decoded(file, found) if found in ("gb18030", "utf-16") else _whole_characters(file):
            if b"\x00" in text:
                place = at + text.index(0)
                raise BadDelivery("UNREADABLE", f"there is a NUL byte near byte {place}; the file is damaged")
            at += len(text)
            yield text
    except UnicodeError:
        raise _wrong(declared, looks_like(file)) from None


def looks_like(file: Readable) -> str | None:
    """The encoding that the whole file is written in; None where it is none that we read."""
    found = _first_look(file)
    return found if found in ("ascii", "utf-8", "utf-8-sig") or _decodes(file, found) else None


def _first_look(file: Readable) -> str:
    """Valid UTF-8 with Chinese in it is UTF-8: GB18030 text that happens to be valid UTF-8 does not occur at length.

    Whether what is not UTF-8 can be read shows in the reading.
    """
    file.seek(0)
    head = file.read(4)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if not _is_utf8(file):
        return "gb18030"
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    return "ascii" if all(block.isascii() for block in _blocks(file)) else "utf-8"


def _wrong(declared: str, seen: str | None) -> BadDelivery:
    what = seen.upper() if seen else "neither UTF-8 nor GB18030"
    return BadDelivery(
        "WRONG_ENCODING",
        f"declared {declared.upper()}, but the bytes are {what}; mend format.encoding or ask the sender",
    )


def _blocks(file: Readable) -> Iterator[bytes]:
    file.seek(0)
    while block := file.read(BLOCK):
        yield block


def _whole_characters(file: Readable) -> Iterator[bytes]:
    """Blocks of UTF-8 without a BOM; the bytes of a character that a block cuts go to the next one.

    Raises UnicodeError. Polars looks at a block ten times as fast as a decoder that makes text of it.
    """
    rest, is_first = b"", True
    for block in _blocks(file):
        whole = rest + (block.removeprefix(codecs.BOM_UTF8) if is_first else block)
        cut = len(whole) - _open_end(whole)
        whole, rest, is_first = whole[:cut], whole[cut:], False
        try:
            pl.Series([whole], dtype=pl.Binary).cast(pl.String)
        except pl.exceptions.PolarsError:
            raise UnicodeError("not UTF-8") from None
        if whole:
            yield whole
    if rest:
        raise UnicodeError("a character is cut short")


def _open_end(block: bytes) -> int:
    """How many bytes at the end begin a character that goes on."""
    for back in range(1, min(4, len(block)) + 1):
        byte = block[-back]
        if byte & 0xC0 != 0x80:
            size = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if back < size else 0
    return 0


def _is_utf8(file: Readable) -> bool:
    try:
        for _ in _whole_characters(file):
            pass
    except UnicodeError:
        return False
    return True


def _decoded(file: Readable, encoding: str) -> Iterator[bytes]:
    """Blocks in another encoding as UTF-8."""
    decoder = codecs.getincrementaldecoder(encoding)()
    for block in _blocks(file):
        if text := decoder.decode(block):
            yield text.encode()
    if text := decoder.decode(b"", final=True):
        yield text.encode()


def _decodes(file: Readable, encoding: str) -> bool:
    try:
        for _ in _decoded(file, encoding):
            pass
    except UnicodeError:  # also half of a surrogate pair in UTF-16
        return False
    return True


def _is_ambiguous(file: Readable) -> bool:
    """As UTF-8 there is no Chinese character in it, and GB18030 reads it too: a few words of a short file."""
    blocks = _whole_characters(file)
    return all(max(block.decode("utf-8"), default="") < "\u0800" for block in blocks) and _decodes(file, "gb18030")

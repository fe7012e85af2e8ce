"""Bytes → text. A declared encoding wins; a file that is not written in it is refused, and the message names both.

A byte here and there that is no text costs its row alone: it becomes a NUL, which no text holds, and `Places` tells
where it stood. Of many the file is in another encoding, or damaged, and is refused.
"""

import codecs
import io
import re
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress

import polars as pl

from minhu.errors import BadDelivery
from minhu.feeds.formats.unpack import Readable

BLOCK = 6 << 20
BAD = b"\x00"
"""Stands for a byte that is no text. A NUL in a file is such a byte itself."""
_FITS = {
    "utf-8": ("ascii", "utf-8", "utf-8-sig"),
    "utf-8-sig": ("ascii", "utf-8", "utf-8-sig"),
    "gb18030": ("ascii", "gb18030"),
    "utf-16": ("utf-16",),
    "utf-16le": ("utf-16le", "utf-16"),
    "utf-16be": ("utf-16be", "utf-16"),
}
_WIDE = {"utf-16": "utf-16", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be"}
_AROUND = 1 << 15
_MOST_BAD = 1_000
_CHINESE = re.compile("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
_BREAK = re.compile(rb"\r\n|\r|\n")
_AGAIN = "ask the sender to send it again"


class Places:
    """Where bytes stand that are no text: how far into the text in UTF-8, and in the file."""

    def __init__(self) -> None:
        self._in_text: list[int] = []
        self._in_file: list[int] = []

    def add(self, in_text: int, in_file: int) -> None:
        self._in_text.append(in_text)
        self._in_file.append(in_file)
        if len(self._in_file) > _MOST_BAD:
            raise BadDelivery(
                "UNREADABLE",
                f"more than {_MOST_BAD} bytes of the file are no text, the first being byte {self.byte(0)}; {_AGAIN}",
            )

    def byte(self, in_text: int) -> int:
        """Which byte of the file, from 1, the first of them is that stands at ``in_text`` or behind."""
        return self._in_file[bisect_left(self._in_text, in_text)] + 1

    def __len__(self) -> int:
        return len(self._in_text)


def decode(data: bytes, declared: str) -> str:
    """A text that can lose no part of itself. Raises BadDelivery, also where a single byte of it is none."""
    places = Places()
    text = b"".join(utf8_blocks(io.BytesIO(data), declared, places))
    if places:
        line = 1 + len(_BREAK.findall(text[: text.index(BAD)]))
        raise BadDelivery("UNREADABLE", f"line {line}, byte {places.byte(0)} is no text: the file is damaged; {_AGAIN}")
    return text.decode("utf-8")


def utf8_blocks(file: Readable, declared: str, places: Places) -> Iterator[bytes]:
    """``file`` in UTF-8 without a BOM, some lines at a time; a byte that is no text is BAD, and in ``places``.

    Raises BadDelivery: WRONG_ENCODING naming what was declared and what is seen, UNREADABLE where the file breaks off.
    """
    found = _taken_for(file, declared)
    if declared != "auto" and found not in _FITS[declared]:
        raise _wrong(declared, file)
    at = 0
    for text in _in_utf16(file, found, places) if found in _WIDE else _in_bytes(file, found, declared, places):
        if text:
            at += len(text)
            yield text
    if at and (nuls := _nuls_at_end(text)):
        where = places.byte(at - nuls)
        raise BadDelivery(
            "UNREADABLE",
            f"from byte {where} on there is nothing but NUL: the file was not written to its end; {_AGAIN}",
        )


def looks_like(file: Readable) -> str | None:
    """The encoding that the whole file is written in; None where it is none that we read."""
    found = _first_look(file)
    return found if found in ("ascii", "utf-8", "utf-8-sig") or _decodes(file, found) else None


# -- which encoding it is -----------------------------------------------------------------------------------------


def _taken_for(file: Readable, declared: str) -> str:
    """What the file is read as. What is declared as UTF-8 is not looked through first: that would cost a pass."""
    head = _head(file)
    if declared.startswith("utf-8") and not _is_wide(head):
        return "utf-8"
    found = _first_look(file)
    if found == "utf-8" and declared == "gb18030" and _is_ambiguous(file):
        return "gb18030"
    return found


def _first_look(file: Readable) -> str:
    """Valid UTF-8 with Chinese in it is UTF-8: GB18030 text that happens to be valid UTF-8 does not occur at length.

    So is what a few bytes only keep from being valid. Whether what is not UTF-8 can be read shows in the reading.
    """
    head = _head(file)
    if wide := _is_wide(head):
        return wide
    is_ascii = True
    for block in _lines(file):
        if (error := _read(block, "utf-8")[1]) and not _is_scratch(block, error, "utf-8", needs_proof=True):
            return "gb18030"
        is_ascii = is_ascii and block.isascii()
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    return "ascii" if is_ascii else "utf-8"


def _head(file: Readable) -> bytes:
    file.seek(0)
    return file.read(4096)


def _is_wide(head: bytes) -> str | None:
    """UTF-16 by its mark, or without one by the NULs that stand at every other place."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head.count(0) < max(3, len(head) // 20):
        return None
    return next((name for name in ("utf-16le", "utf-16be") if _is_plausible(head[: len(head) // 2 * 2], name)), None)


def _is_plausible(head: bytes, name: str) -> bool:
    """Whether nine of ten characters are of those that people here write with."""
    text = head.decode(_WIDE[name], errors="replace")
    usual = sum(" " <= sign <= "~" or sign in "\t\r\n" or bool(_CHINESE.match(sign)) for sign in text)
    return usual >= 0.9 * len(text)


def _is_scratch(
    block: bytes, error: UnicodeDecodeError, encoding: str, *, before: int = 0, needs_proof: bool = False
) -> bool:
    """Whether around ``error`` nearly all is text, or much ``before`` it was.

    ``needs_proof``: some of it must be no ASCII.
    """
    around = block[max(0, error.start - _AROUND) : error.start + _AROUND].decode(encoding, errors="replace")
    bad = around.count("\ufffd")
    good = sum(character > "\x7f" for character in around) - bad
    return bad <= max(0 if needs_proof and not good else 1, good // 10, before // _AROUND)


def _wrong(declared: str, file: Readable, place: str = "") -> BadDelivery:
    seen = looks_like(file)
    if seen is None:
        what = f"neither that nor anything else that we read{place}"
        return BadDelivery("WRONG_ENCODING", f"declared {declared.upper()}, but the bytes are {what}; {_AGAIN}")
    mark = " without a byte-order mark" if seen in ("utf-16le", "utf-16be") else ""
    return BadDelivery(
        "WRONG_ENCODING",
        f"declared {declared.upper()}, but the bytes are {seen.upper()}{mark}; mend format.encoding"
        f" (`encoding: {'utf-8' if seen == 'ascii' else seen}`) or ask the sender",
    )


def _decodes(file: Readable, encoding: str) -> bool:
    try:
        for _ in _in_utf16(file, encoding, Places()) if encoding in _WIDE else _in_bytes(file, encoding, "", Places()):
            pass
    except BadDelivery:
        return False
    return True


def _is_ambiguous(file: Readable) -> bool:
    """As UTF-8 there is no Chinese character in it, and GB18030 reads it too: a few words of a short file."""
    is_strange = all(max(block.decode("utf-8", "replace"), default="") < "\u0800" for block in _lines(file))
    return is_strange and not any(_read(block, "gb18030")[1] for block in _lines(file))


# -- decoding -----------------------------------------------------------------------------------------------------


def _lines(file: Readable) -> Iterator[bytes]:
    """The file's bytes without a BOM of UTF-8, some whole lines at a time: no character goes over a line's end."""
    file.seek(0)
    rest: list[bytes] = []
    is_first = True
    while block := file.read(BLOCK):
        block, is_first = (block.removeprefix(codecs.BOM_UTF8) if is_first else block), False
        end = block.rfind(b"\n") + 1
        if end:
            yield b"".join((*rest, block[:end]))
            rest = []
        rest.append(block[end:])
    if last := b"".join(rest):
        yield last


def _read(block: bytes, codec: str) -> tuple[bytes, UnicodeDecodeError | None]:
    """A block as UTF-8, or why it is not written so. Polars looks at UTF-8 ten times as fast as a decoder."""
    try:
        if codec != "utf-8":
            return block.decode(codec).encode(), None
        with suppress(pl.exceptions.PolarsError):
            pl.Series([block], dtype=pl.Binary).cast(pl.String)
            return block, None
        block.decode()
    except UnicodeDecodeError as error:
        return b"", error
    return block, None


def _in_bytes(file: Readable, encoding: str, declared: str, places: Places) -> Iterator[bytes]:
    """Blocks in UTF-8 or GB18030 as UTF-8."""
    codec = "gb18030" if encoding == "gb18030" else "utf-8"
    in_file, in_text = 3 if _head(file).startswith(codecs.BOM_UTF8) else 0, 0
    for block in _lines(file):
        text, error = _read(block, codec)
        if error or BAD in block:
            place = f" (byte {in_file + error.start + 1})" if error else ""
            if error and error.end == len(block) and error.reason.startswith(("incomplete", "unexpected end")):
                raise BadDelivery("UNREADABLE", f"the file ends within a character{place}: it is cut short; {_AGAIN}")
            if error and not _is_scratch(block, error, codec, before=in_file):
                raise _wrong(declared, file, place) if declared else BadDelivery("WRONG_ENCODING", place)
            text = _scratched(block, codec, in_file, in_text, places)
        in_file += len(block)
        in_text += len(text)
        yield text


def _scratched(block: bytes, codec: str, in_file: int, in_text: int, places: Places) -> bytes:
    """A block as UTF-8, in which some bytes are no text."""
    texts = []
    for line in block.splitlines(keepends=True):
        text, error = _read(line, codec)
        bad: list[int] = []
        if error or BAD in line:
            text, bad = _marked(line, codec)
        for found, at in zip(re.finditer(BAD, text), bad, strict=True):
            places.add(in_text + found.start(), in_file + at)
        texts.append(text)
        in_file += len(line)
        in_text += len(text)
    return b"".join(texts)


def _marked(line: bytes, codec: str) -> tuple[bytes, list[int]]:
    """A line as UTF-8 with BAD for every stretch of bytes that is no text, and where these begin."""
    text, at = [], 0
    bad = [found.start() for found in re.finditer(BAD, line)]
    while error := _read(line[at:], codec)[1]:
        text += [line[at : at + error.start].decode(codec), BAD.decode()]
        bad.append(at + error.start)
        at += error.end
        if len(bad) > _MOST_BAD:
            break
    text.append(line[at:].decode(codec, errors="ignore"))
    return "".join(text).encode(), sorted(bad)


def _in_utf16(file: Readable, encoding: str, places: Places) -> Iterator[bytes]:
    """Blocks in UTF-16 as UTF-8. A unit of it that is no text shifts no other, but half a pair may be anything."""
    file.seek(0)
    decoder, in_file, in_text = codecs.getincrementaldecoder(_WIDE[encoding])(), 0, 0
    try:
        while block := file.read(BLOCK):
            text = decoder.decode(block).encode()
            for found in re.finditer(BAD, text):
                units = len(text[: found.start()].decode().encode("utf-16-le"))
                places.add(in_text + found.start(), in_file + units)
            in_file += len(block)
            in_text += len(text)
            yield text
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        where = f"near byte {in_file + error.start + 1}"
        raise BadDelivery(
            "WRONG_ENCODING", f"the file is not UTF-16 throughout: {where} is no text; {_AGAIN}"
        ) from None


def _nuls_at_end(text: bytes) -> int:
    """How many NULs the text ends with, if more than one: a single one is a byte that is no text, as anywhere."""
    nuls = len(text) - len(text.rstrip(BAD))
    return nuls if nuls > 1 else 0

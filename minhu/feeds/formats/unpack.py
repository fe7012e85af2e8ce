"""Compressed deliveries → the bytes of the one file inside. What unpacks to more than declared is refused early."""

import fnmatch
import gzip
import io
import lzma
import zipfile
import zlib
from typing import BinaryIO

from minhu.errors import BadDelivery
from minhu.feeds.formats import Format

_CHUNK = 1 << 20
_DAMAGE = (EOFError, OSError, RuntimeError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


def unpack(data: bytes, format: Format) -> bytes:
    """The file's own bytes. Raises BadDelivery: UNREADABLE, TOO_LARGE, EMPTY_FILE."""
    seen = _looks_like(data)
    wanted = seen if format.compression == "auto" else format.compression
    if wanted != seen:
        raise BadDelivery(
            "UNREADABLE", f"declared compression {wanted}, but the bytes are {seen}; mend format.compression"
        )
    if wanted == "none":
        return data
    try:
        unpacked = _gunzip(data, format) if wanted == "gzip" else _unzip(data, format)
    except _DAMAGE as error:
        raise BadDelivery("UNREADABLE", f"the {wanted} file is damaged or cut short: {error}") from None
    if not unpacked:
        raise BadDelivery("EMPTY_FILE", f"the file in the {wanted} has no bytes; ask the sender to send it again")
    return unpacked


def _looks_like(data: bytes) -> str:
    """A workbook is a zip too, and is not taken apart."""
    if data.startswith(b"\x1f\x8b"):
        return "gzip"
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")) and b"[Content_Types].xml" not in data[:4096]:
        return "none" if _is_workbook(data) else "zip"
    return "none"


def _is_workbook(data: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return "[Content_Types].xml" in archive.namelist()
    except _DAMAGE:
        return False


def _gunzip(data: bytes, format: Format) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        return _capped(file, format.max_bytes)


def _unzip(data: bytes, format: Format) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = [entry for entry in archive.infolist() if not entry.is_dir() and "__MACOSX/" not in entry.filename]
        fitting = [entry for entry in files if format.member is None or fnmatch.fnmatch(_name(entry), format.member)]
        if len(fitting) != 1:
            which = f" that fit {format.member!r}" if format.member else ""
            raise BadDelivery(
                "UNREADABLE",
                f"the zip holds {len(fitting)} files{which}, not one; mend format.member",
            )
        with archive.open(fitting[0]) as file:
            return _capped(file, format.max_bytes)


def _name(entry: zipfile.ZipInfo) -> str:
    """Windows writes Chinese names in GB18030 and does not say so."""
    if entry.flag_bits & 0x800:
        return entry.filename
    try:
        return entry.filename.encode("cp437").decode("gb18030")
    except UnicodeError:
        return entry.filename


def _capped(file: BinaryIO, max_bytes: int) -> bytes:
    data = bytearray()
    while chunk := file.read(_CHUNK):
        data += chunk
        if len(data) > max_bytes:
            raise BadDelivery("TOO_LARGE", f"the file unpacks to more than {max_bytes} bytes; mend format.max_bytes")
    return bytes(data)

"""Compressed deliveries → the one file inside, unpacked as it is read. What is more than declared is refused early."""

import fnmatch
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from minhu.errors import BadDelivery
from minhu.feeds.formats import Format

_CHUNK = 1 << 20
_DAMAGE = (EOFError, OSError, RuntimeError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


@contextmanager
def unpacked(path: Path, format: Format) -> Iterator["Readable"]:
    """The file's own bytes, to be read and to go back to the start of.

    Raises BadDelivery UNREADABLE; reading raises it too, and TOO_LARGE and EMPTY_FILE.
    """
    with path.open("rb") as file:
        seen = looks_like(file)
        wanted = seen if format.compression == "auto" else format.compression
        if wanted != seen:
            raise BadDelivery(
                "UNREADABLE",
                f"declared compression {wanted}, but the bytes are {'not compressed' if seen == 'none' else seen}; mend"
                f" format.compression (`compression: {seen}`)",
            )
        match wanted:
            case "gzip":
                with gzip.GzipFile(fileobj=file) as inside:
                    yield Inside(inside, wanted, format.max_bytes)
            case "zip":
                with _member(file, format) as inside:
                    yield Inside(inside, wanted, format.max_bytes)
            case _:
                yield file


def looks_like(file: BinaryIO) -> str:
    """``gzip``, ``zip`` or ``none``, by the first bytes. A workbook is a zip too, and is not taken apart."""
    file.seek(0)
    head = file.read(4096)
    file.seek(0)
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")) and b"[Content_Types].xml" not in head:
        return "none" if _is_workbook(file) else "zip"
    return "none"


class Inside:
    """What a compressed file holds, counted as it is read."""

    def __init__(self, file: "IO[bytes] | gzip.GzipFile", kind: str, max_bytes: int):
        self._file, self._kind, self._max_bytes, self._given = file, kind, max_bytes, 0

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            return b"".join(iter(lambda: self.read(_CHUNK), b""))
        try:
            data = self._file.read(size)
        except _DAMAGE as error:
            raise _damaged(self._kind, error, self._given) from None
        self._given += len(data)
        if self._given > self._max_bytes:
            raise BadDelivery(
                "TOO_LARGE",
                f"the file unpacks to more than {self._max_bytes} bytes; mend format.max_bytes if that is right",
            )
        if not self._given and size:
            raise BadDelivery(
                "EMPTY_FILE", f"the file in the {self._kind} has no bytes; ask the sender to send it again"
            )
        return data

    def seek(self, at: int) -> None:
        self._file.seek(at)
        self._given = at


@contextmanager
def _member(file: BinaryIO, format: Format) -> Iterator[IO[bytes]]:
    """The one file of a zip that is meant."""
    try:
        archive = zipfile.ZipFile(file)
        files = [entry for entry in archive.infolist() if not _is_aside(entry.filename)]
        fitting = [entry for entry in files if format.member is None or fnmatch.fnmatch(_name(entry), format.member)]
        if len(fitting) != 1:
            which = f" that fit {format.member!r}" if format.member else ""
            raise BadDelivery("UNREADABLE", f"the zip holds {len(fitting)} files{which}, not one; mend format.member")
        if fitting[0].flag_bits & 1:
            raise BadDelivery("UNREADABLE", "the zip is protected with a password; ask the sender for one without one")
        inside = archive.open(fitting[0])
    except _DAMAGE as error:
        raise _damaged("zip", error) from None
    with archive, inside:
        yield inside


Readable = IO[bytes] | Inside
"""An open file, packed or not: it is read, and goes back to its start."""


def _damaged(kind: str, error: Exception, given: int = 0) -> BadDelivery:
    """The library's own words may hold a member's name, and that a citizen's."""
    if isinstance(error, NotImplementedError):
        return BadDelivery(
            "UNREADABLE", f"the {kind} is packed in a way that nothing here unpacks; ask the sender for a plain one"
        )
    where = f" behind byte {given} of what is in it" if given else ""
    return BadDelivery("UNREADABLE", f"the {kind} file is damaged or cut short{where}; ask the sender to send it again")


def _is_workbook(file: BinaryIO) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return "[Content_Types].xml" in archive.namelist()
    except _DAMAGE:
        return False
    finally:
        file.seek(0)


def _is_aside(name: str) -> bool:
    """A folder, or what macOS packs beside each file. (`ZipInfo.is_dir` knows no entry without a name.)"""
    return name.endswith("/") or "__MACOSX/" in name


def _name(entry: zipfile.ZipInfo) -> str:
    """Windows writes Chinese names in GB18030 and does not say so."""
    if entry.flag_bits & 0x800:
        return entry.filename
    try:
        return entry.filename.encode("cp437").decode("gb18030")
    except UnicodeError:
        return entry.filename

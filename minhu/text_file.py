"""Text that people write by hand or save from a spreadsheet: UTF-8, with or without its mark, or GB18030."""

from pathlib import Path

from minhu.errors import Refused, foreign


def read_text(path: Path) -> str:
    """The whole file. Raises Refused when it cannot be read or is in neither encoding."""
    with foreign.told("read text", file=path):
        raw = path.read_bytes()
    return decoded(raw, str(path))


def decoded(raw: bytes, name: str) -> str:
    """The text of ``raw``, a whole file of this name. Raises Refused when it is in neither encoding."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Refused(f"{name}: is neither UTF-8 nor GB18030; save it as UTF-8 CSV")

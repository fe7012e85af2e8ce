"""Text that people write by hand or save from a spreadsheet: UTF-8, with or without its mark, or GB18030."""

from pathlib import Path

from minhu.errors import Refused


def read_text(path: Path) -> str:
    """The whole file. Raises Refused when it cannot be read or is in neither encoding."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Refused(f"{path}: cannot be read ({error.strerror})") from None
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Refused(f"{path}: is neither UTF-8 nor GB18030; save it as UTF-8 CSV")

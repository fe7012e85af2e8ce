"""What a file is by its first bytes, where it is not what was declared, and how that is mended."""

from minhu.errors import BadDelivery

_PACKED = "unpack it, or ask the sender for a zip or gzip"
_SAVED = "ask the sender to save it as CSV (UTF-8) or .xlsx"
_FIRST: tuple[tuple[bytes, str, str], ...] = (
    (b"Rar!\x1a\x07", "a RAR archive", _PACKED),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _PACKED),
    (b"\xfd7zXZ\x00", "an xz archive", _PACKED),
    (b"BZh", "a bzip2 archive", _PACKED),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", _PACKED),
    (b"%PDF", "a PDF", _SAVED),
    (b"{\\rtf", "a text document (RTF)", _SAVED),
    (b"SQLite format 3\x00", "an SQLite database", _SAVED),
    (b"\x89PNG", "a picture", _SAVED),
    (b"\xff\xd8\xff", "a picture", _SAVED),
    (b"\x1f\x8b", "gzip", "say `compression: gzip` in format"),
    (b"PAR1", "Parquet", "say `type: parquet` in format"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PROTECTED = "EncryptedPackage".encode("utf-16-le")
_PAGES = (b"<!doctype html", b"<html", b"<head", b"<body", b"<table", b"<meta")
_OFFICE_2003 = b"urn:schemas-microsoft-com:office:spreadsheet"
_FITTING = {"parquet": ("Parquet",), "xlsx": ("a zip", "a workbook"), "xml": ("XML", "a page of HTML")}


def refuse_other(data: bytes, declared: str) -> None:
    """Raises BadDelivery UNREADABLE where ``data``, a file or its beginning, plainly is something else."""
    if (seen := seen_in(data)) and seen[0] not in _FITTING.get(declared, ()):
        raise BadDelivery("UNREADABLE", f"declared {declared}, but the file is {seen[0]}; {seen[1]}")
    if declared == "xlsx" and seen is None:
        raise BadDelivery(
            "UNREADABLE",
            f"declared xlsx, but the file is no workbook; if it is text, say `type: csv` in format, else {_SAVED}",
        )


def seen_in(data: bytes) -> tuple[str, str] | None:
    """What it is, and the mend; None for text, or what nobody knows."""
    for first, what, mend in _FIRST:
        if data.startswith(first):
            return what, mend
    if data.startswith(_OLE):
        return _of_office(data)
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(data)
    start = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(_PAGES):
        return "a page of HTML", f"it may be a login or an error, or a table that was named .xls; {_SAVED}"
    if start.startswith(b"<?xml"):
        is_book = _OFFICE_2003 in data[:4096]
        return ("a workbook in XML (2003)", _SAVED) if is_book else ("XML", "say `type: xml` in format")
    return None


def _of_office(data: bytes) -> tuple[str, str]:
    if _PROTECTED in data:
        return "a workbook with a password", "ask the sender for one without one"
    return "an old workbook (.xls) or document", "ask the sender to save it as .xlsx or CSV (UTF-8)"


def _zip(data: bytes) -> tuple[str, str]:
    if b"[Content_Types].xml" in data[:4096] or b"xl/workbook.xml" in data:
        return "a workbook", "say `type: xlsx` in format"
    return "a zip", "say `compression: zip` in format"

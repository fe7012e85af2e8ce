"""Pages of records in JSON or XML, and the one file they become."""

import hashlib
import json
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

from lxml import etree

from minhu.errors import BadDelivery
from minhu.feeds.formats import json_records, xml_records
from minhu.feeds.formats.encodings import decode
from minhu.feeds.sources.http import Unreadable


class JsonPages:
    """Records are JSON values, read as a file of them is. The file they become is in the declared encoding."""

    opening, between, closing = b"[\n", b",\n", b"\n]\n"

    def __init__(self, records: str, encoding: str = "utf-8"):
        self._records, self._encoding = records, encoding

    def parse(self, body: bytes) -> Any:
        try:
            return json_records.parse(decode(body, self._encoding))
        except BadDelivery as refusal:
            raise Unreadable(str(refusal), refusal.code) from None

    def rows(self, page: Any) -> list:
        found = _at(page, self._records)
        if not isinstance(found, list):
            where = f"at {self._records!r}" if self._records else "at the top"
            raise BadDelivery("UNREADABLE", f"the answer has no array of records {where}; mend source.records")
        return found

    def value(self, of: Any, path: str) -> str | None:
        found = _at(of, path)
        return None if found is None or isinstance(found, dict | list) else str(found)

    def encode(self, row: Any) -> bytes:
        """In plain ASCII where it holds what no encoding does, such as half an emoji: the reader mends it."""
        text = json.dumps(row, ensure_ascii=False)
        try:
            return text.encode(_written(self._encoding))
        except UnicodeEncodeError:
            return json.dumps(row).encode()

    def canonical(self, row: Any, volatile: tuple[str, ...]) -> bytes:
        kept = {key: value for key, value in row.items() if key not in volatile} if isinstance(row, dict) else row
        return json.dumps(kept, sort_keys=True, separators=(",", ":")).encode()


class XmlPages:
    """Records are elements of one name, whatever their namespace; the file holds them under one root."""

    opening, between, closing = b'<?xml version="1.0" encoding="UTF-8"?>\n<records>\n', b"\n", b"\n</records>\n"

    def __init__(self, records: str, encoding: str = "auto"):
        self._records, self._encoding = records, encoding

    def parse(self, body: bytes) -> etree._Element:
        try:
            return xml_records.parse(body, self._encoding)
        except BadDelivery as refusal:
            raise Unreadable(str(refusal), refusal.code) from None

    def rows(self, page: etree._Element) -> list[etree._Element]:
        return list(page.iter(f"{{*}}{self._records}"))

    def value(self, of: etree._Element, path: str) -> str | None:
        return of.findtext("/".join(f"{{*}}{step}" for step in path.split("."))) or None

    def encode(self, row: etree._Element) -> bytes:
        return etree.tostring(row, encoding="unicode", with_tail=False).encode(_written(self._encoding))

    def canonical(self, row: etree._Element, volatile: tuple[str, ...]) -> bytes:
        kept = deepcopy(row)
        for child in [child for child in kept if etree.QName(child).localname in volatile]:
            kept.remove(child)
        kept.tail = None
        return etree.tostring(kept, method="c14n", with_comments=False)


def _written(declared: str) -> str:
    """The encoding of the file, which is read as the delivery declares it."""
    return "gb18030" if declared == "gb18030" else "utf-8"


Pages = JsonPages | XmlPages


class Gathered:
    """The file of a pull while its pages arrive: written as they come, and known by its content, in whatever order.

    ``key``: the field by which a record is known; without one its content tells. Use it in ``with``.
    """

    def __init__(self, path: Path, pages: Pages, volatile: tuple[str, ...], key: str | None = None):
        self.path, self.pages, self.count = path, pages, 0
        self._volatile, self._key = volatile, key
        self._hashes: list[bytes] = []
        self._records: set[bytes] = set()
        self._seen: set[bytes] = set()
        self._file = path.open("wb")
        self._file.write(pages.opening)

    def __enter__(self) -> "Gathered":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, rows: Iterable[Any]) -> None:
        """Appends a page. Raises BadDelivery REPEATED_PAGE when these very rows came as a page before."""
        hashes = []
        for row in rows:
            self._file.write((self.pages.between if self.count else b"") + self.pages.encode(row))
            hashes.append(hashlib.sha256(self.pages.canonical(row, self._volatile)).digest())
            self._records.add(self._known_by(row) or hashes[-1])
            self.count += 1
        page = hashlib.sha256(b"".join(hashes)).digest()
        if hashes and page in self._seen:
            raise BadDelivery("REPEATED_PAGE", f"the same page of {len(hashes)} rows came twice; look at `pagination`")
        self._seen.add(page)
        self._hashes += hashes

    @property
    def different(self) -> int:
        """How many records came, each counted once."""
        return len(self._records)

    def _known_by(self, row: Any) -> bytes | None:
        value = self.pages.value(row, self._key) if self._key else None
        return hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest() if value else None

    def new_window(self) -> None:
        """From here on a page may hold what one of another window held."""
        self._seen.clear()

    def finish(self) -> str:
        """Ends the file; returns what stands for its content."""
        self._file.write(self.pages.closing)
        self._file.close()
        return hashlib.sha256(b"".join(sorted(self._hashes))).hexdigest()


def _at(value: Any, path: str) -> Any:
    for step in path.split(".") if path else ():
        value = value.get(step) if isinstance(value, dict) else None
    return value

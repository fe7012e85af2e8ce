"""XML → a frame of text: local names, attributes as ``@name``, nested elements dotted, repeated ones as JSON."""

import codecs
import io
import json
import re
from typing import Any

import polars as pl
from lxml import etree

from minhu.errors import BadDelivery
from minhu.feeds.formats import Xml
from minhu.feeds.formats.common import Aside, frame
from minhu.feeds.formats.encodings import decode, looks_like

_PROLOG = re.compile(rb"""^<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._:-]+)["']""")
_OURS = {"utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "utf-8", "gb18030": "gb18030"} | dict.fromkeys(
    ("gb2312", "gb_2312-80", "gbk", "cp936", "ms936", "windows-936", "euc-cn", "hz-gb-2312"), "gb18030"
)
"""Who writes gb2312 or gbk sends characters that these do not have; GB18030 holds all of both."""
_SCHEMA = "{http://www.w3.org/2001/XMLSchema-instance}"


# Only entities that the file itself declares are expanded, within the parser's bounds, and nothing is fetched: a file
# from outside must not read ours or reach the network.
_OPTIONS: dict[str, Any] = {
    "resolve_entities": "internal",
    "no_network": True,
    "remove_comments": True,
    "remove_pis": True,
}


def parse(data: bytes, declared: str = "auto") -> etree._Element:
    """A whole document as every source reads it. Raises BadDelivery UNREADABLE, WRONG_ENCODING."""
    text, encoding = as_the_prolog_says(data, declared)
    try:
        return etree.fromstring(text, etree.XMLParser(encoding=encoding, **_OPTIONS))
    except etree.XMLSyntaxError as error:
        raise _not_xml(error) from None


def read_xml(data: bytes, format: Xml, aside: Aside) -> pl.DataFrame:
    tags = [_tag(step, format) for step in format.record.split("/")]
    records = []
    text, encoding = as_the_prolog_says(data, format.encoding)
    try:
        elements = etree.iterparse(io.BytesIO(text), tag=tags[-1], encoding=encoding, **_OPTIONS)
        for _, element in elements:
            if _is_record(element, tags):
                records.append(_record(element))
                element.clear()
    except etree.XMLSyntaxError as error:
        raise _not_xml(error) from None
    if not records and not _is_empty_list(elements.root, tags):
        raise BadDelivery(
            "UNREADABLE",
            f"there is no element {format.record!r} in the file; it holds {_names(elements.root)}; mend format.record",
        )
    return frame(records)


def as_the_prolog_says(data: bytes, declared: str) -> tuple[bytes, str | None]:
    """The file and what it is written in: as declared, else as the prolog says, which must fit; None: the parser knows.

    Raises BadDelivery WRONG_ENCODING, with both.
    """
    if declared != "auto":
        return decode(data, declared).encode(), "utf-8"
    start = data[:4096].removeprefix(codecs.BOM_UTF8).lstrip()
    prolog = _PROLOG.match(start)
    told = prolog[1].decode().lower() if prolog else "utf-8"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return decode(data, "utf-16").encode(), "utf-8"
    seen = looks_like(io.BytesIO(data))
    if told in _OURS and seen in ("ascii", *_seen_as(_OURS[told])):
        return decode(data, _OURS[told]).encode(), "utf-8"
    if told in _OURS or seen not in ("ascii", "gb18030", None):
        raise _misfit((_OURS.get(told) or told).upper(), seen, is_said=prolog is not None)
    return data, None


def _seen_as(encoding: str) -> tuple[str, ...]:
    return ("gb18030",) if encoding == "gb18030" else ("utf-8", "utf-8-sig")


def _misfit(told: str, seen: str | None, *, is_said: bool) -> BadDelivery:
    says = f"the prolog says {told}" if is_said else f"no prolog says otherwise than {told}"
    if seen is None:
        return BadDelivery(
            "WRONG_ENCODING",
            f"{says}, but not all bytes are that; the file is damaged: ask the sender to send it again",
        )
    return BadDelivery(
        "WRONG_ENCODING",
        f"{says}, but the bytes are {seen.upper()}; declare it (`format.encoding: {seen}`) or ask the sender",
    )


def _not_xml(error: etree.XMLSyntaxError) -> BadDelivery:
    """The parser's words without what stands in quotes, which is the file's."""
    line, column = error.position
    what = re.sub(r"['\"].*['\"]", "…", error.msg.partition(", line ")[0])
    if "entit" in what.lower():
        what = f"an entity that the file does not declare, or that grows too large ({what})"
    return BadDelivery("UNREADABLE", f"not XML: line {line}, column {column}: {what}; ask the sender to mend the file")


def _is_empty_list(root: etree._Element, tags: list[str]) -> bool:
    """Whether a document without records says that there are none: what should hold them is there, and bare.

    That is the element above the record in a declared path, else the root. Anything else may be another layout or a
    sender's error message.
    """
    lists = [element for element in root.iter(tags[-2]) if _is_at(element, tags[:-1])] if len(tags) > 1 else [root]
    return bool(lists) and not any(len(one) or (one.text or "").strip() for one in lists)


def _names(root: etree._Element, most: int = 10) -> str:
    """The names of the elements that are there, the outermost first."""
    names = dict.fromkeys(element.tag.rpartition("}")[2] for element in root.iter("{*}*"))
    told = [name[:40] for name in names][:most]
    return ", ".join(told) + (f" and {len(names) - most} more" if len(names) > most else "")


def _tag(step: str, format: Xml) -> str:
    prefix, _, name = step.rpartition(":")
    return f"{{{format.namespaces[prefix] if prefix else '*'}}}{name}"


def _is_record(element: etree._Element, tags: list[str]) -> bool:
    if len(tags) == 1 and next(element.iterancestors(tags[0]), None) is not None:
        raise BadDelivery(
            "UNREADABLE",
            f"line {element.sourceline}: a record holds another; say format.record as a path, such as rows/row",
        )
    return _is_at(element, tags)


def _is_at(element: etree._Element, tags: list[str]) -> bool:
    """Whether the elements around it are those of the path."""
    around = list(element.iterancestors())
    wanted = tags[-2::-1]
    return len(around) >= len(wanted) and all(map(_fits, (above.tag for above in around), wanted))


def _fits(found: str, wanted: str) -> bool:
    return found == wanted or (wanted.startswith("{*}") and found.rpartition("}")[2] == wanted[3:])


def _record(element: etree._Element) -> dict[str, str]:
    fields: dict[str, list[str]] = {}
    _collect(element, "", fields)
    return {
        name: given[0] if len(given) == 1 else json.dumps(given, ensure_ascii=False) for name, given in fields.items()
    }


def _collect(element: etree._Element, prefix: str, fields: dict[str, list[str]]) -> None:
    for name, value in element.attrib.items():
        if str(name).startswith(_SCHEMA):
            continue  # says how to read the element, such as nil: is nothing that the sender tells of a case
        fields.setdefault(f"{prefix}@{str(name).rpartition('}')[2]}", []).append(str(value))
    for child in element:
        if not isinstance(child.tag, str):
            continue
        name = prefix + child.tag.rpartition("}")[2]
        is_leaf = not any(isinstance(inner.tag, str) for inner in child)
        text = "".join(map(str, child.itertext())) if is_leaf else _own_text(child)
        if is_leaf or text:
            fields.setdefault(name, []).append(text)
        _collect(child, f"{name}.", fields)


def _own_text(element: etree._Element) -> str:
    """Text beside nested elements; the blanks that indent them are none."""
    return "".join(filter(None, [element.text, *(inner.tail for inner in element)])).strip()

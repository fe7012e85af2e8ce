"""XML → a frame of text: local names, attributes as ``@name``, nested elements dotted, repeated ones as JSON."""

import io
import json

import polars as pl
from lxml import etree

from minhu.errors import BadDelivery
from minhu.feeds.formats import Xml
from minhu.feeds.formats.common import frame


def read_xml(data: bytes, format: Xml) -> pl.DataFrame:
    tags = [_tag(step, format) for step in format.record.split("/")]
    records = []
    try:
        # No entity is expanded and nothing is fetched: a file from outside must not read ours or reach the network.
        options = {"resolve_entities": False, "no_network": True, "remove_comments": True, "remove_pis": True}
        elements = etree.iterparse(io.BytesIO(data), tag=tags[-1], **options)
        for _, element in elements:
            if _is_record(element, tags):
                records.append(_record(element))
                element.clear()
    except etree.XMLSyntaxError as error:
        is_encoding = "encoding" in error.msg.lower() or "not proper UTF-8" in error.msg
        code = "WRONG_ENCODING" if is_encoding else "UNREADABLE"
        raise BadDelivery(code, f"not XML: {error.msg}") from None
    if not records and not _is_empty_list(elements.root, tags):
        raise BadDelivery(
            "UNREADABLE",
            f"there is no element {format.record!r} in the file; it holds {_names(elements.root)}; mend format.record",
        )
    return frame(records)


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
        raise BadDelivery("UNREADABLE", "a record holds another; say format.record as a path, such as rows/row")
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

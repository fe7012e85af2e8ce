"""JSON → a frame of text. Nested fields get dotted names; a number keeps the digits it was sent with."""

import json
import re
from collections.abc import Iterator

import polars as pl

from minhu.errors import BadDelivery
from minhu.feeds.formats import Json
from minhu.feeds.formats.common import fit, frame
from minhu.feeds.formats.encodings import decode


def read_json(data: bytes, format: Json) -> pl.DataFrame:
    text = decode(data, format.encoding)
    records = list(_lines(text)) if format.lines else _at(_parse(text, 1), format.records)
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise BadDelivery("UNREADABLE", "expected an array of objects; mend format.records or format.lines")
    flat = [_flatten(record) for record in records]
    if re.search(r"\\u0000", text):
        flat = [{fit(name): fit(value) if isinstance(value, str) else value for name, value in r.items()} for r in flat]
    return frame(flat)


def _lines(text: str) -> Iterator[object]:
    for at, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield _parse(line, at)


def _parse(text: str, line: int) -> object:
    try:
        return json.loads(text, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        where = f"line {line + error.lineno - 1}, column {error.colno}"
        raise BadDelivery("UNREADABLE", f"not JSON: {where}: {error.msg}") from None
    except RecursionError:
        raise BadDelivery("UNREADABLE", "not JSON that can be read: it is nested too deep") from None


def _object(pairs: list[tuple[str, object]]) -> dict:
    """Of two equal keys Python keeps the last silently."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise BadDelivery("UNREADABLE", "an object has the same key twice; ask the sender to mend the file")
    return fields


def _at(records: object, path: str) -> object:
    for key in filter(None, path.split(".")):
        if not isinstance(records, dict) or key not in records:
            there = _names(records) if isinstance(records, dict) else "no object"
            raise BadDelivery(
                "UNREADABLE", f"format.records {path!r} does not lead to an array: no {key!r}; there is {there}"
            )
        records = records[key]
    return records


def _names(of: dict, most: int = 10) -> str:
    """The keys that are there; one with a number in it may be somebody's, and is not told."""
    names = ["…" if re.search(r"\d{5}", name) else name[:40] for name in of]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _flatten(record: dict) -> dict:
    """``{"caller": {"phone": 1}}`` → ``{"caller.phone": 1}``; arrays stay JSON."""
    if not any(isinstance(value, dict) for value in record.values()):
        return record
    flat: dict = {}
    for name, value in record.items():
        fields = {name: value or None} if value == {} else {name: value}
        if isinstance(value, dict) and value:
            fields = {f"{name}.{inner}": given for inner, given in _flatten(value).items()}
        if twice := sorted(set(fields) & set(flat)):
            raise BadDelivery("UNREADABLE", f"two fields of a record are named {twice[0]!r}")
        flat |= fields
    return flat

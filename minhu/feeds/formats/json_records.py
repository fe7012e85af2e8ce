"""JSON → a frame of text. Nested fields get dotted names; a number keeps the digits it was sent with."""

import json
import re

import polars as pl

from minhu.errors import BadDelivery
from minhu.feeds.formats import Json
from minhu.feeds.formats.common import Aside, fit, frame
from minhu.feeds.formats.encodings import decode

_DEEPEST = 100
_DEEP = "it is nested more than 100 deep; ask the sender for plain records"


def read_json(data: bytes, format: Json, aside: Aside) -> pl.DataFrame:
    text = decode(data, format.encoding)
    given, faults = _lines(text, aside) if format.lines else (_at(parse(text, 1), format.records), {})
    records = _objects(given)
    flat = [_flatten(record) for record in records]
    if re.search(r"\\u0000", text):
        flat = [{fit(name): fit(value) if isinstance(value, str) else value for name, value in r.items()} for r in flat]
    return frame(flat, faults)


def _objects(given: object) -> list[dict]:
    if not isinstance(given, list) or not all(isinstance(record, dict) for record in given):
        raise BadDelivery(
            "UNREADABLE", f"expected an array of objects, found {_kind(given)}; mend format.records or format.lines"
        )
    return given


def _kind(records: object) -> str:
    """What is there instead, without a value of it."""
    if isinstance(records, list):
        at = next(at for at, record in enumerate(records, start=1) if not isinstance(record, dict))
        return f"an array whose item {at} is none"
    return {dict: "an object", str: "a text or number", type(None): "null"}.get(type(records), "something else")


def _lines(text: str, aside: Aside) -> tuple[list[object], dict[int, str]]:
    """The records, and where of them are no JSON: such a line is set aside alone, without its fields.

    But for the last: there the file may have been cut short. And a file without any record is something else.
    """
    lines = [(at, line) for at, line in enumerate(text.split("\n"), start=1) if line.strip()]
    aside.note("BLANK_LINES", text.removesuffix("\n").count("\n") + bool(text) - len(lines))
    records: list[object] = []
    faults: dict[int, str] = {}
    for at, line in lines:
        try:
            records.append(parse(line, at))
        except BadDelivery:
            if at == lines[-1][0] or at == lines[0][0]:
                raise
            faults[len(records)] = f"line {at}"
            records.append({})
    return records, faults


def parse(text: str, line: int = 1) -> object:
    """JSON as every source reads it: numbers keep their digits. Raises BadDelivery UNREADABLE with the place."""
    try:
        return json.loads(text, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        where = f"line {line + error.lineno - 1}, column {error.colno}"
        raise BadDelivery(
            "UNREADABLE", f"not JSON: {where}: {error.msg}; mend format.type or format.lines, or ask the sender"
        ) from None
    except RecursionError:
        raise BadDelivery("UNREADABLE", f"not JSON that can be read: {_DEEP}") from None


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
                "UNREADABLE",
                f"format.records {path!r} does not lead to an array: no {key!r}; there is {there}; mend format.records",
            )
        records = records[key]
    return records


def _names(of: dict, most: int = 10) -> str:
    """The keys that are there; one with a number in it may be somebody's, and is not told."""
    names = ["…" if re.search(r"\d{5}", name) else name[:40] for name in of]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _flatten(record: dict, depth: int = 0) -> dict:
    """``{"caller": {"phone": 1}}`` → ``{"caller.phone": 1}``; arrays stay JSON."""
    if depth > _DEEPEST:
        raise BadDelivery("UNREADABLE", f"a record cannot be read: {_DEEP}")
    if not any(isinstance(value, dict) for value in record.values()):
        return record
    flat: dict = {}
    for name, value in record.items():
        fields = {name: value or None} if value == {} else {name: value}
        if isinstance(value, dict) and value:
            fields = {f"{name}.{inner}": given for inner, given in _flatten(value, depth + 1).items()}
        if twice := sorted(set(fields) & set(flat)):
            raise BadDelivery(
                "UNREADABLE",
                f"two fields of a record are named {_names(dict.fromkeys(twice))}; ask the sender to rename one",
            )
        flat |= fields
    return flat

"""The canonical text of a row and the chain of hashes over rows, as `publish.canonical` and `publish.link` have them.

A second writing on purpose: what the database hashed is checked by other code on other values, the typed columns.
"""

import hashlib
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

BEFORE_THE_FIRST = "0" * 64


def canonical(value: Any) -> str:
    """JSON with the members of objects sorted by name in byte order and without those that are null.

    Numbers have no trailing zero and no exponent; moments are UTC, in ISO 8601 with as many decimals as they need.
    """
    if isinstance(value, str):  # by how many there are: a month of a city is millions of values
        return _text(value)
    if isinstance(value, dict):
        told = [f"{head}{canonical(of)}" for name, head in _in_order(tuple(value)) if (of := value[name]) is not None]
        return "{" + ",".join(told) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(canonical, value)) + "]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, Decimal)):
        return _number(Decimal(value))
    if isinstance(value, datetime):
        return _text(_moment(value))
    if isinstance(value, date):
        return _text(value.isoformat())
    return _text(value)


@lru_cache(maxsize=256)
def _in_order(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The names of an object's members as they stand in the text, each with its head."""
    return tuple((name, f"{_text(name)}:") for name in sorted(names, key=str.encode))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def link(chain: str, text: str) -> str:
    """The next hash of a chain."""
    return digest(f"{chain}\n{text}")


def read_json(text: str | bytes) -> object:
    """JSON without a float: a number keeps its digits."""
    return json.loads(text, parse_float=Decimal)


_text = encode_basestring
"""As ``json.dumps`` writes text without escaping what is not ASCII."""


def _number(value: Decimal) -> str:
    if not value.is_finite():
        return _text({"Infinity": "Infinity", "-Infinity": "-Infinity"}.get(str(value), "NaN"))
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _moment(value: datetime) -> str:
    at = value.astimezone(UTC)
    if not at.microsecond:
        return at.isoformat()
    return at.isoformat().removesuffix("+00:00").rstrip("0") + "+00:00"

"""Results as plain values, the way ``--json`` shows them."""

from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from typing import Any


def plain(value: object) -> Any:
    """``value`` for ``json.dumps``: decimals as strings (they are exact), moments in ISO 8601."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, date) else value


def one_level(value: object) -> Any:
    """``plain`` for the ``default`` of ``json``, which asks again for what is inside."""
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return plain(value)

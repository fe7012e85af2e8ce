"""Values as YAML that people edit: Chinese bare, on one line, read back as they were."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

_RESERVED = {"true", "false", "yes", "no", "null", "on", "off", "y", "n", "none"}


def quoted(text: str) -> str:
    """Bare where YAML reads the same text back, else as a JSON string, which YAML reads too."""
    is_bare = (
        re.fullmatch(r"[\u4e00-\u9fffA-Za-z_][\u4e00-\u9fffA-Za-z0-9_\-]*", text) and text.lower() not in _RESERVED
    )
    return text if is_bare else json.dumps(text, ensure_ascii=False)


def flow(value: object) -> str:
    """A value on one line: ``{code: town, points: 100}``; numbers as they are written, without trailing zeros."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {flow(one)}' for key, one in value.items())}}}"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, Sequence):
        return f"[{', '.join(map(flow, value))}]"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return value.isoformat() if isinstance(value, date) else str(value)

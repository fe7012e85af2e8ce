"""The business date in addresses, paths and parameters.

``{date}`` is written as YYYYMMDD, ``{date:%Y-%m-%d}`` as the format says.
"""

import re
from collections.abc import Callable
from datetime import date, datetime

_DATE = re.compile(r"\{date(?::([^}]+))?\}")


def dated(text: str, day: date, written: Callable[[str], str] = str) -> str:
    """``text`` with the date in it, as ``written`` makes it fit."""
    return _DATE.sub(lambda found: written(day.strftime(found[1] or "%Y%m%d")), text)


def has_date(text: str) -> bool:
    return _DATE.search(text) is not None


def date_in(name: str, pattern: str) -> date | None:
    """The date that a file's name tells, where it follows ``pattern`` with its ``*`` and ``?``."""
    formats = [format or "%Y%m%d" for format in _DATE.findall(pattern)]
    between = (re.escape(part) for part in _DATE.sub("\x00", pattern).split("\x00"))
    follows = "(.+?)".join(part.replace(r"\*", ".*").replace(r"\?", ".") for part in between)
    if not (found := re.fullmatch(follows, name)):
        return None
    try:
        told = {datetime.strptime(text, format).date() for text, format in zip(found.groups(), formats, strict=True)}
    except ValueError:
        return None
    return told.pop() if len(told) == 1 else None

"""Whether a text may be the name of a column. Names hold ``@``, ``:``, dots and numbers that a shown value must not."""

import re
import unicodedata

_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.\w+")
_HOUSE = re.compile(r"\d(号|幢|栋|室|单元|弄)")
_CLOCK = re.compile(r"\d{1,2}:\d{2}")
_LONG = re.compile(r"(?<![A-Za-z])\d{7}")


def is_name(text: str) -> bool:
    """Says nothing of anybody: no phone, number, address, mail or time. A key of letters and digits is a name."""
    plain = unicodedata.normalize("NFKC", text)
    joined = re.sub(r"[ \-]", "", plain)
    told = (_LONG.search(joined), _MAIL.search(plain), _HOUSE.search(plain), _CLOCK.search(plain))
    return bool(plain.strip()) and not any(told)

"""What the warehouse answers when it does not do what was asked, in the language of who asked.

Most answers are English sentences, said where something is refused: in a function of the database, or in ours. Some
carry both languages, ``中文 / English``. answers.yml has the Chinese of the others; what it lacks is shown as it is.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml

from minhu.glossary.kind import Lang

_BOTH = re.compile(r"(?P<zh>.*?[\u4e00-\u9fff].*?) / (?P<en>[A-Za-z0-9%'].*)")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]")
_FILLED = re.compile(r"%([0-9])")
_LONGEST = 2_000
"""Letters of an answer that is translated; no sentence of ours has as many, whatever is filled in."""


def answer(told: str, lang: Lang) -> str | None:
    """``told`` in this language, line by line; none where only another one is known."""
    if len(told) > _LONGEST:
        return told if lang == "en" else None
    if "\n" in told:
        return "\n".join(answer(line, lang) or line for line in told.split("\n"))
    for form, said in _forms():
        if (values := _values(form, told)) is not None:
            return told if lang == "en" else _FILLED.sub(lambda place: values[int(place[1]) - 1], said)
    if both := _BOTH.fullmatch(told):
        return both[lang]
    is_chinese = len(_CHINESE.findall(told)) * 3 > len(_LATIN.findall(told))  # names are filled into English ones
    return told if lang == "en" or is_chinese else None


def _values(form: tuple[str, ...], told: str) -> list[str] | None:
    """What is filled in between the parts of ``form``, each as short as can be; none where they are not those of
    ``told``. Each part is looked for once: what somebody lays out to be compared for long is not.
    """
    if len(form) == 1:
        return [] if told == form[0] else None
    first, *between, last = form
    end = len(told) - len(last)
    if not told.startswith(first) or not told.endswith(last) or end < len(first):
        return None
    values, at = [], len(first)
    for part in between:
        found = told.find(part, at, end)
        if found < 0:
            return None
        values.append(told[at:found])
        at = found + len(part)
    return [*values, told[at:end]]


@cache
def chinese() -> Mapping[str, str]:
    return yaml.safe_load(Path(__file__).with_name("answers.yml").read_text(encoding="utf-8"))


@cache
def _forms() -> tuple[tuple[tuple[str, ...], str], ...]:
    """Those that say most of themselves come first: of two that fit, the one that leaves less open."""
    most_first = sorted(chinese().items(), key=lambda item: -len(item[0].replace("%", "")))
    return tuple((tuple(told.split("%")), said) for told, said in most_first)

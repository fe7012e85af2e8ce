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
"""Letters of a line: in longer ones somebody may have laid out what takes long to compare."""


def answer(told: str, lang: Lang) -> str | None:
    """``told`` in this language, line by line; none where only another one is known."""
    if "\n" in told:
        return "\n".join(answer(line, lang) or line for line in told.split("\n"))
    if len(told) > _LONGEST:
        return told if lang == "en" else None
    if both := _BOTH.fullmatch(told):
        return both[lang]
    if lang == "en":
        return told
    for form, said in _forms():
        if found := form.fullmatch(told):
            return _filled(said, found.groups())
    is_chinese = len(_CHINESE.findall(told)) * 3 > len(_LATIN.findall(told))  # names are filled into English ones
    return told if is_chinese else None


def _filled(said: str, values: tuple[str, ...]) -> str:
    return _FILLED.sub(lambda place: values[int(place[1]) - 1], said)


@cache
def chinese() -> Mapping[str, str]:
    return yaml.safe_load(Path(__file__).with_name("answers.yml").read_text(encoding="utf-8"))


@cache
def _forms() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Those that say most of themselves come first: of two that fit, the one that leaves less open."""
    most_first = sorted(chinese().items(), key=lambda item: -len(item[0].replace("%", "")))
    return tuple((re.compile("(.*?)".join(map(re.escape, told.split("%")))), said) for told, said in most_first)

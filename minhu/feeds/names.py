"""Words by which real systems call columns and codes (``names.yml``); `minhu.feeds.draft` guesses by them.

The layouts of a city's ``config/layouts`` are learned on top: what a city has declared once, it need not declare again.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from minhu.declaration import read_yaml
from minhu.feeds.canonical import Kind


@dataclass
class Lexicon:
    """What column names and words mean, by kind. Names are compared without case, blanks and underscores."""

    columns: dict[Kind, dict[str, str]] = field(default_factory=dict)
    """kind → plain name → canonical column; ``DISPATCH.due_at`` on a case's milestone."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    """canonical column → word → code, exact."""
    units: set[str] = field(default_factory=set)
    private: set[str] = field(default_factory=set)
    parts_of_private: tuple[str, ...] = ()


def fold(word: str) -> str:
    """A word of a code column without its case, width and blanks."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", word)).casefold()


def plain(name: str) -> str:
    """A name as names are compared; what only wraps the fields of a record (``properties.``) is no part of it."""
    bare = re.sub(r"^(?:(?:properties|attributes|fields|record|row)\.)+", "", name.strip().lower())
    return re.sub(r"[\s_（）()\-@]", "", bare)


@cache
def _words() -> dict:
    return read_yaml(Path(__file__).with_name("names.yml"))


def lexicon(config: Path | None = None) -> Lexicon:
    """The built-in words, and those of the layouts under ``config``."""
    words = _words()
    known = Lexicon(
        columns={
            kind: {plain(name): canonical for canonical, names in given.items() for name in names}
            for kind, given in words["columns"].items()
        },
        units={plain(name) for name in words["units"]},
        parts_of_private=tuple(words["private"]),
    )
    for event_type, columns in words["milestones"].items():
        for column, names in columns.items():
            known.columns["case"] |= {plain(name): f"{event_type}.{column}" for name in names}
    for path in sorted((config / "layouts").glob("*.yml")) if config else ():
        _learn(known, read_yaml(path))
    return known


def _learn(known: Lexicon, layout: dict) -> None:
    names = known.columns.get(layout.get("kind", ""))
    if names is None:
        return
    known.private |= {plain(name) for name in layout.get("private", ())}
    for canonical, given in (layout.get("columns") or {}).items():
        source, words = _mapping(given)
        if source:
            names.setdefault(plain(source), canonical)
        for word, code in words.items():
            if code:
                known.codes.setdefault(canonical, {}).setdefault(word, code)
    for milestone in layout.get("milestones", ()):
        for name, given in milestone["columns"].items():
            source = _mapping(given)[0] or ""
            if name == "unit_name":
                known.units.add(plain(source))
            else:
                names.setdefault(plain(source), f"{milestone['event_type']}.{name}")


def _mapping(given: dict | str) -> tuple[str | None, dict]:
    """The source column and the words of a column as it is declared, in short or at length."""
    return (given.get("from"), given.get("map") or {}) if isinstance(given, dict) else (given, {})


def code_of(known: Lexicon, canonical: str, word: str) -> str | None:
    """Our code for a sender's word: learned, or by the longest known word it holds (``业务咨询`` holds ``咨询``)."""
    learned = {fold(known_word): code for known_word, code in known.codes.get(canonical, {}).items()}
    if fold(word) in learned:
        return learned[fold(word)]
    given = _words()["codes"].get(canonical, {})
    held = [(len(part), code) for code, parts in given.items() for part in parts if _holds(word, part)]
    return max(held)[1] if held else None


def _holds(word: str, part: str) -> bool:
    """Whether a word holds a known part; Latin letters count as whole words: ``unresolved`` is not resolved."""
    if not part.isascii():
        return part in word
    return re.search(rf"(?<![a-z]){re.escape(part)}(?![a-z])", word.lower()) is not None

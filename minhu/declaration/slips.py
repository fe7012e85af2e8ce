"""Slips of a declaration: told all at once, in English and Chinese, each with its file, line and key."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from minhu.errors import BadDeclaration


@dataclass(frozen=True)
class Slip:
    """What is wrong at one place. ``key``: dotted; empty for a file as a whole. ``hint``: how to say what was meant."""

    path: Path
    line: int
    key: str
    en: str
    zh: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}: " + (f"{self.key}: " if self.key else "")
        return "\n    ".join(filter(None, (f"{place}{self.en}", self.zh, self.hint)))


class Wrong(ValueError):
    """What a rule of a model finds wrong, in both languages. ``key``: beneath the model's own place."""

    def __init__(self, en: str, zh: str, *key: str | int):
        super().__init__(en)
        self.en, self.zh, self.key = en, zh, key


class AllWrong(ValueError):
    """Everything that one rule found wrong."""

    def __init__(self, found: Iterable[Wrong]):
        self.found = tuple(found)
        super().__init__("; ".join(one.en for one in self.found))


def refuse_all(found: Iterable[Wrong]) -> None:
    """Raises AllWrong where anything was found."""
    if several := tuple(found):
        raise AllWrong(several)


class Gathered:
    """The refusals of several files, told in one."""

    def __init__(self) -> None:
        self._told: dict[str, None] = {}

    @contextmanager
    def slips(self) -> Iterator[None]:
        """Whatever is refused within waits for the others."""
        try:
            yield
        except BadDeclaration as refusal:
            self._told[str(refusal)] = None

    def tell(self) -> None:
        """Raises BadDeclaration with everything that was refused."""
        if self._told:
            raise BadDeclaration("\n".join(self._told))


def refuse(slips: Sequence[Slip]) -> None:
    """Raises BadDeclaration with every slip, in the order of files and lines."""
    if slips:
        ordered = sorted(slips, key=lambda slip: (str(slip.path), slip.line))
        raise BadDeclaration("\n".join(dict.fromkeys(map(str, ordered))))


def slip(path: Path, line: int, key: str, en: str, zh: str) -> BadDeclaration:
    """The refusal for one slip."""
    return BadDeclaration(str(Slip(path, line, key, en, zh)))


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> list[str]:
    """Up to three known words that resemble ``word``, the closest first, in whatever case they are written."""
    plain: dict[str, str] = {}
    for one in sorted(known):
        plain.setdefault(one.casefold(), one)
    return [plain[one] for one in difflib.get_close_matches(word.casefold(), plain, n=3, cutoff=cutoff)]

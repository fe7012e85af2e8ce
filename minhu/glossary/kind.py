"""What a word is, and what holds the words of one kind of code."""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

Lang = Literal["zh", "en"]


class Word(NamedTuple):
    """How a code is said."""

    zh: str
    en: str


class Kind(Mapping[str, Word]):
    """The words of one kind of code, in their order. Asking for a code that it lacks raises KeyError naming both."""

    def __init__(self, name: str, words: Mapping[str, tuple[str, str]]):
        self.name = name
        self._words = {code: Word(*said) for code, said in words.items()}

    def __getitem__(self, code: str) -> Word:
        try:
            return self._words[code]
        except KeyError:
            raise KeyError(f"the glossary has no {self.name} {code!r}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._words)

    def __len__(self) -> int:
        return len(self._words)

    def zh(self, code: str) -> str:
        return self[code].zh

    def said(self, code: str, lang: Lang = "zh") -> str:
        """The word, or the code itself: for data in which a city or a sender may write codes of its own."""
        return getattr(self._words[code], lang) if code in self._words else code

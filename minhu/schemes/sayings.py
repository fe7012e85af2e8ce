"""What published 考核办法 write, and how each sentence is said in the language: a table, and what is nearest in it.

``sayings.yml`` is its only home: the document shows it, ``minhu schemes say`` searches it, and to a slip
``hinted`` adds how to say what was meant. The table is read when somebody asks, not before.
"""

import math
import re
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field

from minhu.declaration import Declared, read_declaration
from minhu.declaration.slips import Slip, nearest
from minhu.schemes.language.indicator import Indicator

TABLE = Path(__file__).with_name("sayings.yml")
NEAR = 0.38
"""So much of what was asked must be said, by weight; what shares only 扣分 with everything is near to nothing."""
SURE = 0.42
"""So much of an indicator's own words, where nothing else tells what was meant."""
_TYPO = 0.8
"""So like a key of the language, a word is that key misspelt, and the slip has named it."""
_SEVERAL = 6
_KEYWORD = 1.5
"""A keyword weighs so often what its characters do."""
_PLACE = ("code", "name_zh", "name_en", "measure", "moment", "note", "example")
"""What a hint leaves out: which indicator it is, and what it counts."""
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:/\d+)?%?")
_BREAKS = re.compile(r"[^\w=×]|_|的")
"""Signs, and the one word that stands between any two."""
_SHORT = 4
"""Shorter words of English say nothing."""


class Saying(Declared):
    """A sentence and the indicator that says it; the keys are explained in the file."""

    sentence: str
    gloss: str
    keywords: Annotated[tuple[str, ...], Field(min_length=1)]
    tried: tuple[str, ...] = ()
    says: str
    comes_out: str

    @cached_property
    def indicator(self) -> dict[str, Any]:
        """Its YAML read."""
        return yaml.safe_load(self.says)

    @property
    def in_short(self) -> str:
        """What of it is the saying itself, on one line."""
        return yaml.safe_dump(
            _without_place(self.indicator), default_flow_style=True, allow_unicode=True, sort_keys=False, width=math.inf
        ).strip()[1:-1]

    @property
    def as_text(self) -> str:
        """As a terminal shows it: the sentence, its YAML, what comes out."""
        told = textwrap.indent(f"{self.says}# {self.comes_out}", "  ")
        return f"{self.sentence}（{self.gloss}）\n{told}"

    @cached_property
    def parts(self) -> Counter[str]:
        said = (self.sentence, self.indicator["name_zh"], self.gloss, *self.keywords, *self.tried)
        return Counter(_parts(" ".join(said)))


class _Kind(Declared):
    name_zh: str
    name_en: str
    sayings: Annotated[tuple[Saying, ...], Field(min_length=1)]


class _Table(Declared):
    kinds: Annotated[tuple[_Kind, ...], Field(min_length=1)]


@dataclass(frozen=True)
class Near:
    """A saying and how near it is: the share of what was asked that it says, by weight. ``is_keyed``: it has a keyword
    of what was asked, and not only the name of what is counted."""

    saying: Saying
    nearness: float
    is_keyed: bool = True


@cache
def kinds() -> tuple[_Kind, ...]:
    """The table. Raises BadDeclaration where it is not as it should be."""
    return read_declaration(_Table, TABLE).kinds


def sayings() -> tuple[Saying, ...]:
    return tuple(saying for kind in kinds() for saying in kind.sayings)


def say(sentence: str, most: int = 3) -> list[Near]:
    """The sayings nearest to a sentence, or to a key that somebody tried, the nearest first; none where none is."""
    told = sentence.strip().casefold()
    tried = [Near(saying, 1.0) for saying in sayings() if told in saying.tried]
    return tried[:most] or [near for near in _ranked(sentence) if near.nearness >= NEAR][:most]


def as_markdown() -> str:
    """The table as the document shows it."""
    told = [f"**{one.sentence}**: {one.gloss}.\n\n```yaml\n{one.says}# {one.comes_out}\n```\n" for one in sayings()]
    return "\n".join(told)


# -- how near -------------------------------------------------------------------------------------------------------


def _plain(text: str) -> str:
    """Only words: numbers, blanks and signs say nothing of what kind a sentence is."""
    return _BREAKS.sub(" ", _NUMBER.sub(" ", unicodedata.normalize("NFKC", text).casefold()))


def _parts(text: str) -> Iterator[str]:
    """Pairs of neighbouring characters, which need no dictionary of words; of other scripts the words."""
    for run in _plain(text).split():
        if run.isascii():
            yield from [run] if len(run) >= _SHORT else []
        else:
            yield from (run[at : at + 2] for at in range(len(run) - 1))


@cache
def _weights() -> Mapping[str, float]:
    """What a pair tells: the more the fewer sayings have it."""
    known = Counter(part for saying in sayings() for part in saying.parts)
    return {part: math.log(1 + len(sayings()) / count) for part, count in known.items()}


def _ranked(sentence: str) -> list[Near]:
    """All sayings by their nearness: the share of what was asked that a saying says, keywords counted once more.

    A pair that none has may name an indicator of the city's own: it counts as one that several have.
    """
    asked, weights = set(_parts(sentence)), _weights()
    words = _plain(sentence).replace(" ", "")
    unknown = math.log(1 + len(sayings()) / _SEVERAL)
    hits = {
        saying.sentence: {
            part for word in saying.keywords if _plain(word).replace(" ", "") in words for part in _parts(word)
        }
        for saying in sayings()
    }
    whole = sum(weights.get(part, unknown) for part in asked)
    whole += _KEYWORD * sum(weights[part] for part in set().union(*hits.values()))
    near = []
    for saying in sayings():
        said = sum(weights[part] for part in asked if part in saying.parts)
        said += _KEYWORD * sum(weights[part] for part in hits[saying.sentence])
        near.append(Near(saying, said / whole if whole else 0.0, bool(hits[saying.sentence])))
    return sorted(near, key=lambda one: -one.nearness)


# -- beside a slip --------------------------------------------------------------------------------------------------


def hinted(slips: Sequence[Slip], data: Mapping[str, Any]) -> list[Slip]:
    """The slips of a scheme's file, with how to say what was meant, where that is plain; once for an indicator."""
    told: set[tuple[object, str]] = set()
    with_hints = []
    for slip in slips:
        keys = slip.key.split(".")
        saying = _meant(keys, data)
        place = (keys[1] if keys[0] == "indicators" and len(keys) > 1 else None, saying.sentence if saying else "")
        if saying is None or place in told:
            with_hints.append(slip)
            continue
        told.add(place)
        with_hints.append(
            replace(slip, hint=f"这样写（say it so）：{saying.in_short}（{saying.sentence}: {saying.gloss}）")
        )
    return with_hints


def _meant(keys: list[str], data: Mapping[str, Any]) -> Saying | None:
    """What was meant by whoever wrote a key or a function that there is none of; else what an indicator's own words
    say, where its rule is not written so already."""
    indicator = _indicator(keys, data)
    name, known = _name(keys, indicator), functions() if keys[-1] == "function" else vocabulary()
    words = f"{indicator.get('name_zh') or ''}，{indicator.get('note') or ''}"
    tried = [one for one in _ranked(words) if name.casefold() in one.saying.tried]
    is_typo = name not in known and bool(nearest(name, known, cutoff=_TYPO))
    if tried and not is_typo:
        return tried[0].saying
    if is_typo or not _is_unheard_of(keys, name, indicator):
        return None
    nearest_one = _ranked(words)[0]
    is_sure = nearest_one.is_keyed and nearest_one.nearness >= SURE
    return nearest_one.saying if is_sure and not _is_said(nearest_one.saying, indicator) else None


def _indicator(keys: list[str], data: Mapping[str, Any]) -> dict[str, Any]:
    """The indicator in which a slip stands, as it is written; empty where it stands in none."""
    listed = data.get("indicators")
    if keys[0] != "indicators" or len(keys) < 2 or not keys[1].isdigit() or not isinstance(listed, list):
        return {}
    found = listed[int(keys[1])] if int(keys[1]) < len(listed) else None
    return found if isinstance(found, dict) else {}


def _name(keys: list[str], indicator: Mapping[str, Any]) -> str:
    """The word that is wrong: a key, or the name of a function."""
    rule = indicator.get("scoring")
    if keys[-1] == "function" and isinstance(rule, dict):
        return str(rule.get("function") or "")
    return "" if keys[-1].isdigit() else keys[-1]


def _is_unheard_of(keys: list[str], name: str, indicator: Mapping[str, Any]) -> bool:
    """Whether a slip is a key of an indicator or of its rule, or a function, that the language does not have; what is
    wrong with a number, a measure or a moment says nothing of what was meant."""
    return bool(indicator and name) and len(keys) in (3, 4) and name not in vocabulary()


def _is_said(saying: Saying, indicator: Mapping[str, Any]) -> bool:
    """Whether an indicator is written as the saying says already."""
    rule = indicator.get("scoring")
    function = rule.get("function") if isinstance(rule, dict) else None
    own = {key for key in saying.indicator if key not in (*_PLACE, "scoring", "points", "aggregate")}
    return function == saying.indicator["scoring"]["function"] and own <= set(indicator)


@cache
def vocabulary() -> frozenset[str]:
    """Every key and every function of the language, as its own schema names them."""
    return functions() | {key for shape in _shapes() for key in shape.get("properties", {})}


@cache
def functions() -> frozenset[str]:
    told = (shape.get("properties", {}).get("function", {}) for shape in _shapes())
    return frozenset(one["const"] for one in told if "const" in one)


@cache
def _shapes() -> tuple[dict[str, Any], ...]:
    schema = Indicator.model_json_schema(by_alias=True)
    return schema, *schema["$defs"].values()


def _without_place(indicator: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in indicator.items() if key not in _PLACE}
    if "parts" in kept:
        kept["parts"] = [_without_place(part) for part in kept["parts"]]
    return kept

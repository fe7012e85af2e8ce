"""The words that a declaration names, however a sender writes them: ``Closed`` and ``ＣＬＯＳＥＤ `` are one.

A word of a ``map``, of a ``when`` or of a tombstone is found in any case, width and spacing. What a column of such
words holds besides is noted with its count: it may be a new spelling of a close, and then cases would stay open in
silence. Words that are known to mean nothing of the kind stand in ``known``.
"""

from collections import Counter
from collections.abc import Iterator

import polars as pl

from minhu.feeds.detect import shape, showable
from minhu.feeds.feed import Delivery, Mapping, When
from minhu.feeds.names import fold

_OF_REGISTERS = ("unit_name", "category_code", "area_code")
"""Columns whose words the registers know, and which findings tell of."""
_MOST = 20


def as_declared(cleaned: pl.DataFrame, delivery: Delivery) -> pl.DataFrame:
    """``cleaned`` with each word of a declared column spelt as the declaration spells it."""
    respelt = {}
    for source, words in _named(delivery).items():
        if source not in cleaned.columns:
            continue
        odd = {word: words[fold(word)] for word in _unlike(cleaned[source], words) if fold(word) in words}
        if odd:
            respelt[source] = cleaned[source].replace(odd)
    return cleaned.with_columns(**respelt)


def unnamed(cleaned: pl.DataFrame, delivery: Delivery) -> Counter[tuple[str, str]]:
    """(source column, word) → rows: what the declared columns of open words hold that nothing names.

    A word that may not be shown is told by its shape.
    """
    found: Counter[tuple[str, str]] = Counter()
    open_words = {source for source, mapping in _mapped(delivery) if mapping.map and source not in _closed(delivery)}
    open_words |= {when.source for when in _whens(delivery)}
    named = _named(delivery)
    for source in sorted(open_words & set(cleaned.columns)):
        others = [word for word in _unlike(cleaned[source], named[source]) if fold(word) not in named[source]]
        if others:
            counts = cleaned[source].filter(cleaned[source].is_in(others)).value_counts()
            for word, rows in counts.rows():
                found[source, word if showable(word) else shape(word)] += rows
    return found


def notes(found: Counter[tuple[str, str]]) -> list[dict]:
    """The commonest as notes of a load."""
    return [
        {"code": "UNNAMED_WORD", "column": source, "word": word, "rows": rows}
        for (source, word), rows in found.most_common(_MOST)
    ]


def _unlike(column: pl.Series, words: dict[str, str]) -> list[str]:
    """The values that are not spelt as declared; of most columns none."""
    return column.filter(~column.is_in(list(words.values()))).unique().drop_nulls().to_list()


def _named(delivery: Delivery) -> dict[str, dict[str, str]]:
    """Source column → folded word → the word as it is declared."""
    found: dict[str, dict[str, str]] = {}
    for source, mapping in _mapped(delivery):
        if mapping.map:
            found.setdefault(source, {}).update({fold(word): word for word in (*mapping.map, *mapping.known)})
    for when in _whens(delivery):
        named = found.setdefault(when.source, {})
        for word in (*when.one_of, *when.known):
            named.setdefault(fold(word), word)
    return found


def _mapped(delivery: Delivery) -> Iterator[tuple[str, Mapping]]:
    for columns in (delivery.columns, *(milestone.columns for milestone in delivery.milestones)):
        for mapping in columns.values():
            if mapping.source:
                yield mapping.source, mapping


def _closed(delivery: Delivery) -> set[str]:
    """Source columns whose words are judged already: by a list of codes, or by a register."""
    judged = {column.name for column in delivery.layout_columns if column.codes or column.type != "text"}
    return {
        mapping.source or "" for name, mapping in delivery.columns.items() if name in judged or name in _OF_REGISTERS
    }


def _whens(delivery: Delivery) -> list[When]:
    declared = [milestone.when for milestone in delivery.milestones if milestone.when]
    return [*declared, *delivery.only, *([delivery.tombstone] if delivery.tombstone else [])]

"""The door for keys: the numbers of cases and events, and the codes and names of units, categories, areas and feeds.

A key decides which rows are one record, so that a damaged one makes two cases one or tears one in two. It has a shape:
one line, not too long, no number that a spreadsheet rounded. What can be mended without a guess is mended and noted:

| what arrives | what becomes of it |
|---|---|
| invisible characters, blanks at the ends | left out |
| ``'123``, ``="123"`` | 123: how spreadsheets are told that it is a text |
| ``123.0`` of up to 15 digits, a number (a name: of ten at least) | 123: how a number cell is written out |
| full-width digits and letters, a number | their ASCII twins |

All else is no key: ``3.30108E+17``, ``.0`` behind more than 15 digits and a number cell of so many (a floating number
holds no more), line breaks, an error of a sheet, ``nan``, more than 128 characters (500 of a name). Nor is a number in
which the strict rule finds a citizen's phone or ID (`minhu.privacy.strict`), unless it has the declared ``shape``.

A key may be put together: ``of`` several columns, joined by ``|``, or a hash of them. A hash is an HMAC under a secret
of the installation, since whoever could hash a phone would find it again.
"""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterator

import polars as pl

from minhu.feeds.canonical import NAMES, NUMBERS
from minhu.feeds.feed import Delivery, Mapping
from minhu.feeds.formats.common import ROUNDED
from minhu.privacy.strict import holds_number

LONGEST = {True: 128, False: 500}
"""Of a number, of a name. An index takes no more than about 2,700 bytes."""
JOINT = "|"

_PLAIN = {True: "^[0-9A-Za-z_-]+$", False: r"^[\p{Han}0-9A-Za-z_-]+$"}
_BREAK = re.compile("[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
_TEXT_CELL = re.compile(r"""^(?:'([^']+)'?|=\s*"([^"]*)"|=\s*'([^']*)')$""")
_WHOLE = {True: re.compile(r"^([0-9]{1,15})\.0+$"), False: re.compile(r"^([0-9]{10,15})\.0+$")}
"""A code of few digits may be one of a tree: 3.0 beside 3.1."""
_ROUNDED = re.compile(r"^[+-]?[0-9]+(?:\.[0-9]+[eE][+-]?|[eE]\+)[0-9]+$|^[+-]?[0-9]{16,}\.[0-9]+$")
_NOTHING = re.compile(
    r"^(?:#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!)|#+|nan|none|null|n/a|undefined)$", re.IGNORECASE
)
_WIDE = {0xFF10 + at: ord("0") + at for at in range(10)} | {
    first + at: ord(twin) + at for first, twin in ((0xFF21, "A"), (0xFF41, "a")) for at in range(26)
}


def tidy(text: str, *, is_number: bool) -> str | None:
    """The key that ``text`` means; null where that would be a guess."""
    shown = "".join(sign for sign in text if sign in "\t\n\v\f\r\x85" or not _is_invisible(sign)).strip()
    if found := _TEXT_CELL.match(shown):
        shown = next(inner for inner in found.groups() if inner is not None).strip()
    if is_number:
        shown = shown.translate(_WIDE)
    shown = _WHOLE[is_number].sub(r"\1", shown)
    if is_number and _NOTHING.match(shown):
        return None
    if len(shown) > LONGEST[is_number] or _BREAK.search(shown) or _ROUNDED.match(shown):
        return None
    return shown


def _is_invisible(sign: str) -> bool:
    """Format and control characters, and those that only choose how the one before is drawn."""
    return unicodedata.category(sign) in ("Cf", "Cc", "Cs", "Co") or "\ufe00" <= sign <= "\ufe0f"


def bad(source: str) -> str:
    """The column that says where ``source`` holds no key."""
    return f"__bad_key.{source}"


def mended(source: str) -> str:
    """The column that says where a key of ``source`` was mended."""
    return f"__mended_key.{source}"


def notes(cleaned: pl.DataFrame) -> list[tuple[str, str, pl.Series]]:
    """KEY_MENDED, the column, and the rows whose key was mended."""
    prefix = mended("")
    found = [name for name in cleaned.columns if name.startswith(prefix)]
    return [("KEY_MENDED", name.removeprefix(prefix), cleaned[name]) for name in found]


def tidied(cleaned: pl.DataFrame, delivery: Delivery, secret: bytes | None) -> pl.DataFrame:
    """``cleaned`` with its keys put together and mended; `bad` and `mended` of a source column are there where needed.

    ``secret``: what hashed keys are hashed under.
    """
    for source, is_number in _sources(delivery).items():
        if source in cleaned.columns:
            cleaned = cleaned.with_columns(_judged(cleaned, source, is_number, delivery.nulls))
    for source, shape in _of_nobody(delivery).items():
        if source in cleaned.columns:
            cleaned = cleaned.with_columns(_personal(cleaned, source, shape))
    for mapping in _composed(delivery):
        cleaned = cleaned.with_columns(_put_together(cleaned, mapping, secret))
    return cleaned


def _mappings(delivery: Delivery) -> Iterator[tuple[str, Mapping]]:
    """Every canonical column of the declaration that holds a key, milestones' too."""
    for column in delivery.layout_columns:
        yield column.name, delivery.mapping(column.name)
    for milestone in delivery.milestones:
        yield from milestone.columns.items()


def _sources(delivery: Delivery) -> dict[str, bool]:
    """Source columns that hold keys, and whether as numbers; those of a hash are no keys themselves."""
    found: dict[str, bool] = {}
    for name, mapping in _mappings(delivery):
        if name in NUMBERS | NAMES and mapping.key == "plain":
            for source in mapping.sources:
                found[source] = found.get(source, False) or name in NUMBERS
    return found


def _of_nobody(delivery: Delivery) -> dict[str, str | None]:
    """Source columns of numbers, and the shape they are declared to have."""
    return {
        source: mapping.shape
        for name, mapping in _mappings(delivery)
        if name in NUMBERS and mapping.key == "plain"
        for source in mapping.sources
    }


def _personal(cleaned: pl.DataFrame, source: str, shape: str | None) -> list[pl.Series]:
    """The mark of the rows whose number is a citizen's; nothing where there is none."""
    found = holds_number(cleaned[source])
    if shape is not None and found.any():
        found &= ~cleaned[source].str.contains(f"^(?:{shape})$").fill_null(False)
    if not found.any():
        return []
    before = cleaned[bad(source)] if bad(source) in cleaned.columns else False
    return [(found | before).alias(bad(source))]


def _composed(delivery: Delivery) -> list[Mapping]:
    return [mapping for name, mapping in _mappings(delivery) if mapping.of]


def _judged(cleaned: pl.DataFrame, source: str, is_number: bool, nulls: tuple[str, ...]) -> list[pl.Series]:
    """The column mended, and the marks that its rows need; nothing where all its keys are plain."""
    texts = cleaned[source]
    is_rounded = _is_rounded(cleaned, source)
    looked_at = texts if is_number else texts.unique()
    is_plain = looked_at.str.contains(_PLAIN[is_number]) & (looked_at.str.len_bytes() <= LONGEST[is_number])
    odd = looked_at.filter(~is_plain).drop_nulls().unique()
    marks = [is_rounded.alias(bad(source))] if is_rounded is not None else []
    if not len(odd):
        return marks
    read = {text: tidy(text, is_number=is_number) for text in odd}
    damaged = [text for text, key in read.items() if key is None]
    changed = {text: None if key in ("", *nulls) else key for text, key in read.items() if key not in (text, None)}
    if damaged:
        is_bad = texts.is_in(damaged).fill_null(False)
        marks = [(is_bad | is_rounded if is_rounded is not None else is_bad).alias(bad(source))]
    if changed:
        marks.append(texts.is_in(list(changed)).fill_null(False).alias(mended(source)))
        marks.append(texts.replace(list(changed), list(changed.values())))
    return marks


def _is_rounded(cleaned: pl.DataFrame, source: str) -> pl.Series | None:
    """Where a spreadsheet held a number of more than 15 digits; null where the reader saw none."""
    if ROUNDED not in cleaned.columns:
        return None
    found = cleaned[ROUNDED].list.contains(source).fill_null(False)
    return found if found.any() else None


def _put_together(cleaned: pl.DataFrame, mapping: Mapping, secret: bytes | None) -> list[pl.Series]:
    parts = [
        cleaned[name] if name in cleaned.columns else pl.Series(name, [None] * cleaned.height, dtype=pl.String)
        for name in mapping.of
    ]
    name = mapping.source or ""
    if mapping.key == "hashed":
        return [_hashed(parts, secret).alias(name)]
    joined = pl.select(pl.concat_str([pl.lit(part) for part in parts], separator=JOINT)).to_series().alias(name)
    marks = [cleaned[bad(part)] for part in mapping.of if bad(part) in cleaned.columns]
    marks += [part.str.contains(JOINT, literal=True).fill_null(False) for part in parts]
    marks.append((joined.str.len_chars() > LONGEST[True]).fill_null(False))
    is_bad = pl.select(pl.any_horizontal([pl.lit(mark) for mark in marks])).to_series()
    return [joined, is_bad.alias(bad(name))]


def _hashed(parts: list[pl.Series], secret: bytes | None) -> pl.Series:
    """The first half of HMAC-SHA256 of the values, without what nobody sees; null where all of them are blank."""
    if secret is None:
        raise ValueError("a hashed key needs the installation's secret")
    rows = zip(*(part.to_list() for part in parts), strict=True)
    keys = [_hash(secret, row) if any(row) else None for row in rows]
    return pl.Series(keys, dtype=pl.String)


def _hash(secret: bytes, row: tuple[str | None, ...]) -> str:
    told = "\x1f".join("".join(sign for sign in text or "" if not _is_invisible(sign)) for text in row)
    return hmac.new(secret, told.encode(), hashlib.sha256).hexdigest()[:32]

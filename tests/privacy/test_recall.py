"""How much of the labelled corpus is masked, and how much that is nobody's is masked with it."""

import os
import re

import phonenumbers
import polars as pl
import pytest

from minhu.privacy.text import mask_text
from minhu.settings import PROJECT_ROOT
from tests.privacy.corpus import corpus

DOC = PROJECT_ROOT / "docs" / "privacy.md"
MARKS = ("<!-- measured: written by tests/privacy/test_recall.py -->\n", "<!-- /measured -->")
_DIGITS = {**{ord(c): str(at) for at, c in enumerate("０１２３４５６７８９")}}
_DIGITS |= {ord(c): str(at) for at, c in enumerate("零一二三四五六七八九")}
FLOORS = {"mobile": 99.9, "ID number": 99.9, "landline": 99.9, "mobile in Chinese numerals": 99, "bank card": 99,
          "licence plate": 99, "passport or permit": 95, "name beside a telling word": 90}  # fmt: skip


def survives(text: str, secret: str) -> bool:
    """Whether the secret can still be read, however it is spaced."""
    if not secret[-1].isascii():
        return secret in text
    return secret.upper() in re.sub(r"[^0-9A-Z]", "", text.translate(_DIGITS).upper())


@pytest.fixture(scope="module")
def measured() -> pl.DataFrame:
    """One row per sentence: kind, text, masked, is_secret, is_good."""
    said = corpus()
    masked = mask_text(pl.Series([one.text for one in said])).to_list()
    rows = [
        (one.kind, one.text, put, bool(one.secret), not survives(put, one.secret) if one.secret else put == one.text)
        for one, put in zip(said, masked, strict=True)
    ]
    return pl.DataFrame(rows, schema=["kind", "text", "masked", "is_secret", "is_good"], orient="row")


def share(measured: pl.DataFrame, kind: str) -> float:
    return 100 * measured.filter(pl.col("kind") == kind)["is_good"].mean()


@pytest.mark.parametrize(("kind", "floor"), FLOORS.items(), ids=list(FLOORS))
def test_recall(measured, kind, floor):
    missed = measured.filter((pl.col("kind") == kind) & ~pl.col("is_good"))
    assert share(measured, kind) >= floor, missed["text"].head(5).to_list()


def test_what_is_nobodys_is_left_alone(measured):
    kinds = measured.filter(~pl.col("is_secret"))["kind"].unique(maintain_order=True)
    floors = {"case number like an ID": 85, "meter or order number": 95}  # a checksum is right by chance
    low = {
        kind: measured.filter((pl.col("kind") == kind) & ~pl.col("is_good"))["masked"].head(3).to_list()
        for kind in kinds
        if share(measured, kind) < floors.get(kind, 99.5)
    }
    assert low == {}


def test_an_independent_recogniser_finds_no_mobile_in_the_masked_text(measured):
    masked = measured.filter(pl.col("kind") == "mobile")["masked"].head(1500)
    matcher = phonenumbers.PhoneNumberMatcher
    assert [text for text in masked if matcher(text, "CN").has_next()] == []
    assert sum(matcher(text, "CN").has_next() for text in measured["text"].head(200)) > 100


def test_the_published_table_is_what_was_measured(measured):
    counted = measured.group_by("kind", "is_secret", maintain_order=True).agg(
        pl.len().alias("sentences"), (100 * pl.col("is_good").mean()).round(2).alias("share")
    )
    lines = ["| to be masked | sentences | masked |", "|---|--:|--:|"]
    lines += [f"| {kind} | {n:,} | {s:.2f} % |" for kind, yes, n, s in counted.rows() if yes]
    lines += ["", "| nobody's | sentences | left as it is |", "|---|--:|--:|"]
    lines += [f"| {kind} | {n:,} | {s:.2f} % |" for kind, yes, n, s in counted.rows() if not yes]
    table = "\n".join(lines) + "\n"
    before, rest = DOC.read_text(encoding="utf-8").split(MARKS[0])
    published, after = rest.split(MARKS[1])
    if os.environ.get("MINHU_WRITE_DOCS"):
        DOC.write_text(before + MARKS[0] + table + MARKS[1] + after, encoding="utf-8")
        published = table
    assert published == table, "run this test once with MINHU_WRITE_DOCS=1 and read what changed"

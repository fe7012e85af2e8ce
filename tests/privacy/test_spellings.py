"""How people write numbers: what the loader masks of each spelling, what the gate would see, what neither touches."""

import re

import polars as pl
import pytest

from minhu import database
from minhu.privacy.signs import read
from minhu.privacy.text import mask_text
from minhu.settings import Settings
from tests.privacy import nobodys, published
from tests.privacy.spellings import OF_KIND, sentences

BY = "tests/privacy/test_spellings.py"
GATE_FLOORS = {"mobile": 85, "ID number": 80}
"""Over all spellings. The gate does not look for landlines: what is left of them is told by no rule of its own."""


def seen(warehouse: Settings, texts: list[str]) -> list[bool]:
    """What the gate says of each text."""
    with database.connect(warehouse) as connection:
        query = "select audit.has_number(text) from unnest(%s::text[]) with ordinality as told (text, at) order by at"
        return [found for (found,) in connection.execute(query, [texts])]


def survives(text: str, secret: str) -> bool:
    """Whether the number can still be read, however it is spelt."""
    plain = (re.sub(r"[^0-9X]", "", read(text, numerals=both).signs.upper()) for both in (True, False))
    return any(secret.upper() in signs for signs in plain)


@pytest.fixture(scope="module")
def spelt(warehouse: Settings) -> pl.DataFrame:
    """One row for each sentence: kind, spelling, text, masked, is_masked, is_seen, is_seen_after."""
    rows = list(sentences())
    texts = [text for _, _, text, _ in rows]
    masked = mask_text(pl.Series(texts)).to_list()
    told = pl.DataFrame(rows, schema=["kind", "spelling", "text", "secret"], orient="row")
    gone = [not survives(put, secret) for put, (*_, secret) in zip(masked, rows, strict=True)]
    return told.with_columns(
        pl.Series("masked", masked),
        pl.Series("is_masked", gone),
        pl.Series("is_seen", seen(warehouse, texts)),
        pl.Series("is_seen_after", seen(warehouse, masked)),
    )


def test_there_are_sixty_spellings_and_more():
    assert sum(len(spellings) for spellings in OF_KIND.values()) >= 60


@pytest.mark.parametrize("kind", OF_KIND)
def test_recall_over_all_spellings(spelt: pl.DataFrame, kind: str):
    of_kind = spelt.filter(kind=kind)
    assert 100 * of_kind["is_masked"].mean() >= 99.9, of_kind.filter(~pl.col("is_masked"))["text"].head(5).to_list()


@pytest.mark.parametrize(("kind", "floor"), GATE_FLOORS.items())
def test_the_gate_sees_most_spellings_by_itself(spelt: pl.DataFrame, kind: str, floor: int):
    assert 100 * spelt.filter(kind=kind)["is_seen"].mean() >= floor


def test_the_gate_sees_a_spelling_that_the_loader_does_not_know(warehouse: Settings):
    texts = ["138#0000#1234", "138:0000:1234", "手机138^0000^1234", "330199=19900307=1234"]
    assert mask_text(pl.Series(texts)).to_list() == texts
    assert seen(warehouse, texts) == [True] * 4


def test_the_gate_finds_nothing_in_what_was_masked(spelt: pl.DataFrame):
    assert spelt.filter("is_seen_after")["masked"].head(5).to_list() == []


def test_loader_and_gate_agree_on_what_is_nobodys(warehouse: Settings):
    kinds, texts = zip(*nobodys.numbers(), strict=True)
    masked = mask_text(pl.Series(texts)).to_list()
    told = pl.DataFrame({"kind": kinds, "text": texts, "masked": masked, "is_held": seen(warehouse, masked)})
    false = told.group_by("kind", maintain_order=True).agg(
        pl.len(),
        wrong=(100 * (pl.col("text") != pl.col("masked")).mean()).round(2),
        held=(100 * pl.col("is_held").mean()).round(2),
    )
    assert false.filter((pl.col("wrong") > 0.1) | (pl.col("held") > 0.05)).rows() == []
    lines = ["| nobody's | texts | masked wrongly | held wrongly |", "|---|--:|--:|--:|"]
    lines += [f"| {kind} | {n:,} | {share:.2f} % | {held:.2f} % |" for kind, n, share, held in false.rows()]
    published.check("nobody's", BY, "\n".join(lines) + "\n")


def test_coordinates_are_no_phones(warehouse: Settings):
    texts = ["坐标121.13800001234", "121.13800001234,30.13912345678"]
    assert mask_text(pl.Series(texts)).to_list() == texts
    assert seen(warehouse, texts) == [False, False]


def test_the_gate_reads_the_words_of_a_payload_and_not_its_amounts(warehouse: Settings):
    told = ['{"金额": 13800001234}', '{"金额": "13800001234"}', '{"备注": "无", "数": 1}', "{}"]
    query = (
        "select audit.has_number(audit.words_of(told::jsonb)) from unnest(%s::text[]) with ordinality as a (told, at)"
    )
    with database.connect(warehouse) as connection:
        assert [found for (found,) in connection.execute(query, [told])] == [False, True, False, False]


def test_people_who_are_spoken_of_and_not_named_stay_as_they_are():
    texts = pl.Series(list(nobodys.texts()))
    wrong = texts.filter(mask_text(texts) != texts)
    share = 100 * len(wrong) / len(texts)
    table = f"| texts in which nobody is named | masked wrongly |\n|--:|--:|\n| {len(texts):,} | {share:.2f} % |\n"
    assert len(wrong) <= len(texts) / 1000, wrong.head(5).to_list()
    published.check("nobody named", BY, table)


def test_the_published_table_is_what_was_measured(spelt: pl.DataFrame):
    counted = spelt.group_by("kind", "spelling", maintain_order=True).agg(
        pl.len(),
        masked=(100 * pl.col("is_masked").mean()).round(1),
        seen=(100 * pl.col("is_seen").mean()).round(1),
    )
    lines = ["| what | spelling | texts | masked | seen by the gate |", "|---|---|--:|--:|--:|"]
    lines += [
        f"| {kind} | {name.replace('|', chr(92) + '|')} | {n} | {share:.1f} % | {gate:.1f} % |"
        for kind, name, n, share, gate in counted.rows()
    ]
    published.check("spellings", BY, "\n".join(lines) + "\n")

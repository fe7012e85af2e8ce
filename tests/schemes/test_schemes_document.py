"""docs/schemes.md: its example comes out as its table says, and every key of the language is explained."""

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
import yaml

from minhu.schemes import find_scheme, try_scheme
from minhu.schemes.counts import Earlier, Given, UnitCounts
from minhu.schemes.language import functions
from minhu.schemes.language.count import Answers, Repeated, Rows
from minhu.schemes.language.indicator import Indicator
from minhu.schemes.language.longer import Longer
from minhu.schemes.language.publication import Publication, Rounding
from minhu.schemes.language.relative import Compared, Pooled
from minhu.schemes.sayings import sayings
from minhu.schemes.scheme import Scheme
from minhu.schemes.tally import tally
from minhu.settings import PROJECT_ROOT
from tests.sayings import with_sayings

FULL = {
    "code": "full",
    "name_zh": "满分",
    "measure": "close_on_time",
    "moment": "due_at",
    "points": 100,
    "scoring": {"function": "proportional"},
}
TEXT = (PROJECT_ROOT / "docs" / "schemes.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The first block of the worked example."""
    return re.findall(rf"```{language}\n(.*?)```", TEXT.partition("## A worked example")[2], re.DOTALL)[0]


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    folder = tmp_path_factory.mktemp("document")
    (folder / "xining.yml").write_text(block("yaml"), encoding="utf-8")
    (folder / "counts.csv").write_text(block("csv"), encoding="utf-8")
    return try_scheme(find_scheme(folder, str(folder / "xining.yml")), folder / "counts.csv")


def test_the_example_comes_out_as_the_document_reckons(trial):
    told = re.findall(r"^\| (\S*) ?\| .* \| \**([\d.]+)\** \|$", TEXT, re.MULTILINE)
    stated, unit = {}, ""
    for name, points in told:
        unit = name or unit
        stated.setdefault(unit, []).append(Decimal(points))
    computed = {
        tried.scored.unit: [
            *(part.points for part in tried.scored.indicators if part.code not in tried.assumed),
            tried.scored.raw_points,
        ]
        for tried in trial.units
    }
    assert computed == stated
    assert len(stated["城东区"]) == 6


def test_bands_and_reasons_are_those_the_document_names(trial):
    first, second = (tried.scored for tried in trial.units)
    assert (first.band, first.not_ranked_reason) == ("黄", None)
    assert (second.band, second.not_ranked_reason) == (None, "too_few")
    assert trial.notes == ("表扬加分（praise）未给出数据，按无加减分计：市某局（2024-03）",)


SAID = TEXT.partition("## How do I say …")[2].partition("\n## ")[0]


def test_the_document_shows_the_sayings_as_they_are():
    assert with_sayings(TEXT) == TEXT
    assert SAID.count("```yaml") == len(sayings()) >= 29
    assert with_sayings(TEXT.replace("弄虚作假的，一票否决", "另一句")) == TEXT


@pytest.mark.parametrize("saying", sayings(), ids=lambda saying: saying.sentence)
def test_what_cities_write_is_said_so_and_comes_out_so(saying):
    """Each sentence as an indicator of a scheme of 100 points; after the arrow what becomes of the counts before it.

    Of an item of parts the counts stand behind the code of each; after `among` stand the other units of the group,
    after `after` the periods before, the last one first.
    """
    indicator, told = yaml.safe_load(saying.says), saying.comes_out
    scheme = Scheme.model_validate(yaml.safe_load(block("yaml")) | {"indicators": [FULL, indicator]})
    examples = re.findall(r"(?:^|; )([^;→]+) → (score )?(-?[\d.]+)(?: (\S+?))?(?=;|$)", told, re.MULTILINE)
    assert examples and sum(map(len, (told.split("→")[1:],))) == len(examples)
    codes = [line.code for line in scheme.indicators[1].lines]
    for given, is_score, points, band_or_reason in examples:
        given, _, others = given.partition(" among ")
        given, _, before = given.partition(" after ")
        parts = [part.split() for part in given.split(", ")] if len(codes) > 1 else [[codes[0], given]]
        own = {code: counts(counted) for code, counted in parts}
        if before:
            earlier = [counts(one) for one in before.split()]
            told_before = [Earlier(f"2024-0{2 - no}", one.numerator, one.denominator) for no, one in enumerate(earlier)]
            own[codes[0]] = replace(own[codes[0]], before=tuple(told_before))
        full = {"full": Given(Fraction(10), Fraction(10))}
        units = {"unit": UnitCounts("xining_district", full | own)} | {
            f"other_{no}": UnitCounts("xining_district", full | {codes[0]: counts(other)})
            for no, other in enumerate(others.split())
        }
        unit, *_ = tally(scheme, date(2024, 3, 1), units)
        found = unit.score_100 if is_score else unit.points_of(codes)
        assert found == Decimal(points), (given, points)
        assert not band_or_reason or band_or_reason in (unit.band, unit.not_ranked_reason), given


def counts(written: str) -> Given:
    above, _, below = written.partition("/")
    return Given(Fraction(above), Fraction(below)) if below else Given(value=Fraction(above))


def test_the_sentences_speak_of_every_new_key():
    assert all(
        f"{key}:" in SAID
        for key in (
            *("rows", "repeated", "denominator", "ranks", "times", "between", "count", "score_at_most"),
            *("parts", "combine", "compared", "pooled", "baseline", "starts", "ties"),
        )
    )


@pytest.mark.parametrize(
    "model", [Scheme, Indicator, Answers, Rows, Repeated, Compared, Pooled, Longer, Rounding, Publication]
)
def test_every_key_is_explained(model):
    names = {field.alias or name for name, field in model.model_fields.items()} - {"mode", "example"}
    assert sorted(name for name in names if f"`{name}" not in TEXT) == []


def test_every_scoring_function_is_explained():
    named = re.findall(r"^\| `(\w+)` \| .* \| .* \|$", TEXT.partition("### Scoring functions")[2], re.MULTILINE)
    known = [kind.model_fields["function"].annotation.__args__[0] for kind in functions.Function.__subclasses__()]
    assert named[1 : len(known) + 1] == known  # after the head of the table

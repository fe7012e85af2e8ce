"""The workbook of a trial: its formulas come to what the engine says, follow what is typed, take no text for one."""

import csv
import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from minhu.cli import minhu
from minhu.errors import Refused
from minhu.export.formula import half_up, number, started, whole
from minhu.export.trial_book import NOTES, SUMS, TITLES, as_workbook
from minhu.schemes import find_scheme, try_scheme
from minhu.schemes.counts import Earlier, Given, UnitCounts
from minhu.schemes.language.count import PLAIN
from minhu.schemes.sayings import sayings
from minhu.schemes.scheme import Scheme
from minhu.schemes.tally import tally
from minhu.schemes.trial import Trial, TriedUnit
from minhu.settings import PROJECT_ROOT
from tests.export.sheets import Book
from tests.schemes.test_schemes_document import FULL, block

CONFIG = PROJECT_ROOT / "config"
HEADER = "unit,peer_group,period,indicator_code,numerator,denominator,value"
PERIOD = "2024-03"
SHIPPED = ("lianyungang", "linan", "sanlv", "yulin", "zhaoxiang")


def tried(tmp_path, scheme: str, *lines: str) -> Trial:
    path = tmp_path / "counts.csv"
    path.write_text("\n".join((HEADER, *lines)) + "\n", encoding="utf-8")
    return try_scheme(find_scheme(CONFIG, scheme), path)


def judged(book: Book) -> int:
    """Every formula reckoned again: it is what is saved in its cell, and nothing differs from the engine. How many."""
    formulas = [(sheet, at) for (sheet, at), one in book.cells.items() if one.formula]
    for sheet, at in formulas:
        assert float(book.reckon(sheet, at)) == pytest.approx(book.cells[sheet, at].value, abs=1e-9), (sheet, at)
    for sheet, titles in (("计分", ["差"]), ("合计", ["合计差", "百分制差", "折合差"])):
        for title in titles:
            for at in book.under(sheet, title).values():
                assert book.reckon(sheet, at) == 0, (sheet, at, title)
    return len(formulas)


def test_a_half_is_rounded_up_as_the_engine_does(tmp_path):
    """30 × 853 ÷ 2000 is 12.795; as a float it lies below."""
    book = Book(as_workbook(tried(tmp_path, "sanlv", f"某镇,镇街,{PERIOD},response,853,2000,")))
    assert book.cells["计分", "Q2"].formula == "ROUND(MIN(J2,J2*I2/K2),2)"
    assert book.cells["计分", "I2"].formula == "100*G2/H2"
    assert book.cells["计分", "Q2"].value == 12.8 == book.cells["计分", "R2"].value
    assert judged(book) > 10


def test_points_follow_what_is_typed(tmp_path):
    """Another count in the sheet gives what another trial gives; the engine's number stays and differs."""
    before = tried(
        tmp_path, "lianyungang", "某局,市直,2022-07,sign_on_time,6,7,", "某局,市直,2022-07,satisfaction,7,8,"
    )
    after = tried(tmp_path, "lianyungang", "某局,市直,2022-07,sign_on_time,5,7,", "某局,市直,2022-07,satisfaction,7,9,")
    book = Book(as_workbook(before))
    codes = {book.cells["计分", at].value: row for row, at in book.under("计分", "代码").items()}
    points, shown = book.under("计分", "得分（公式）"), book.under("计分", "系统得分")
    book.change("计分", f"G{codes['sign_on_time']}", 5)
    book.change("计分", f"H{codes['satisfaction']}", 9)
    (unit,) = after.units
    for part in unit.scored.indicators:
        assert book.reckon("计分", points[codes[part.code]]) == part.points, part.code
    assert book.reckon("合计", "H2") == unit.scored.raw_points
    assert book.reckon("合计", "K2") == unit.scored.score_100
    assert book.reckon("合计", "N2") == unit.scored.assessed_points
    assert book.reckon("计分", shown[codes["sign_on_time"]]) == before.units[0].scored.indicator("sign_on_time").points
    assert book.reckon("计分", f"S{codes['sign_on_time']}") != 0
    book.change("计分", f"K{codes['satisfaction']}", 70)  # another target, and it is reached
    assert book.reckon("计分", points[codes["satisfaction"]]) == 25


# Every rule


counts = st.integers(0, 400)


@st.composite
def given_of(draw, line):
    """Counts as a trial may have them."""
    if line.is_manual:
        return Given(value=Fraction(draw(st.integers(0, 300)), 10))
    above = draw(counts)
    if line.aggregate in PLAIN:
        return Given(Fraction(above), None)
    below = draw(st.integers(above if line.is_percent else 1, 500))
    if draw(st.integers(0, 9)) == 0 and line.is_percent:
        return Given(value=Fraction(draw(st.integers(0, 1000)), 10))
    earlier = tuple(Earlier(text, Fraction(1), Fraction(2)) for text in ("2024-02", "2024-01"))
    return Given(Fraction(above), Fraction(below), before=earlier if line.compared or line.pooled else ())


def of_units(scheme: Scheme, group: str, units) -> Trial:
    told = tally(scheme, date(2024, 3, 1), {unit: UnitCounts(group, one) for unit, one in units.items()}, None, "month")
    return Trial(scheme, tuple(TriedUnit(PERIOD, group, one, ()) for one in told))


@pytest.mark.parametrize("saying", sayings(), ids=lambda saying: saying.sentence)
@pytest.mark.parametrize("order", ["components_first", "sum_first"])
def test_each_saying_comes_to_the_same_by_formula(saying, order):
    data = yaml.safe_load(block("yaml")) | {"indicators": [FULL, saying.indicator], "rounding": {"order": order}}
    scheme = Scheme.model_validate(data)
    lines = [line for line in scheme.lines if not line.is_whole]
    seen = []

    @settings(max_examples=4, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
    @given(st.data())
    def holds(drawn):
        units = {f"u{no}": {line.code: drawn.draw(given_of(line)) for line in lines} for no in range(2)}
        book = Book(as_workbook(of_units(scheme, "xining_district", units)))
        judged(book)
        codes = book.under("计分", "代码")
        points = book.under("计分", "得分（公式）")
        seen.extend(
            bool(book.cells["计分", points[row]].formula)
            for row, at in codes.items()
            if row in points and book.cells["计分", at].value in {line.code for line in scheme.indicators[1].lines}
        )

    holds()
    line = scheme.indicators[1]
    has_formula = not (line.is_whole or line.compared or line.is_event)
    assert any(seen) == has_formula


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_schemes_come_to_the_same_by_formula(name):
    scheme = find_scheme(CONFIG, name)
    group = scheme.peer_groups[0].code
    lines = [line for line in scheme.lines if line.scores(group) and not line.is_whole]

    @settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
    @given(st.data())
    def holds(drawn):
        units = {}
        for no in range(2):
            told = {line.code: drawn.draw(given_of(line)) for line in lines if drawn.draw(st.integers(0, 4))}
            shares = {line.code for line in lines if line.aggregate == "share"} & set(told)
            units[f"u{no}"] = told | {code: replace(told[code], denominator=None, value=None) for code in shares}
        judged(Book(as_workbook(of_units(scheme, group, units))))

    holds()


def test_what_is_no_formula_says_why_and_what_is_empty_too(tmp_path):
    trial = tried(tmp_path, "sanlv", f"某镇,镇街,{PERIOD},response,9,10,")
    book = Book(as_workbook(trial))
    notes = book.under("计分", "说明")
    assert book.cells["计分", notes[3]].value == "未给出数据；无可评事项：不计入得分，也不计入满分"
    assert book.cells["计分", "F3"].value == "不适用"
    assert book.cells.get(("计分", "Q3")) is None and book.cells["计分", "R3"].value is None
    saying = next(one for one in sayings() if one.indicator["code"] == "below_mean")
    scheme = Scheme.model_validate(yaml.safe_load(block("yaml")) | {"indicators": [FULL, saying.indicator]})
    ninety = {"full": Given(Fraction(9), Fraction(10)), "below_mean": Given(Fraction(9), Fraction(10))}
    book = Book(as_workbook(of_units(scheme, "xining_district", {f"u{no}": ninety for no in range(10)})))
    assert book.cells["计分", book.under("计分", "说明")[3]].value == "没有公式，为系统结果：与同组或往期比较"
    assert not book.cells["计分", "Q3"].formula and book.cells["计分", "Q3"].value == 10


def test_a_veto_is_the_engine_s_and_says_so():
    saying = next(one for one in sayings() if one.indicator["code"] == "fraud")
    scheme = Scheme.model_validate(yaml.safe_load(block("yaml")) | {"indicators": [FULL, saying.indicator]})
    units = {"u": {"full": Given(Fraction(10), Fraction(10)), "fraud": Given(value=Fraction(1))}}
    book = Book(as_workbook(of_units(scheme, "xining_district", units)))
    assert (book.cells["合计", "K2"].value, book.cells["合计", "K2"].formula) == (0, "")
    assert "有否决或封顶事项" in book.cells["合计", "S2"].value
    judged(book)


def test_a_difference_is_marked_and_not_hidden(tmp_path, monkeypatch):
    """Where a formula came to something else than the engine the cell says so; nothing is adjusted."""
    trial = tried(tmp_path, "sanlv", f"某镇,镇街,{PERIOD},response,853,2000,")
    unit = trial.units[0]
    first = replace(unit.scored.indicators[0], points=Decimal("12.79"))
    wrong = replace(unit, scored=replace(unit.scored, indicators=(first, *unit.scored.indicators[1:])))
    book = Book(as_workbook(replace(trial, units=(wrong,))))
    assert book.cells["计分", "S2"].value == 0.01
    marks = book.sheets["计分"].findall(".//{*}conditionalFormatting")
    assert [one.get("sqref") for one in marks] == ["S2:S4"]
    rule = marks[0].find("{*}cfRule")
    assert (rule.get("operator"), rule.findtext("{*}formula")) == ("notEqual", "0")


# What it looks like


def test_names_are_text_whatever_they_begin_with(tmp_path):
    evil = ['=cmd|"/c calc"!A1', "+1+1", "-1+1", "@SUM(1)", "https://x.example"]
    path = tmp_path / "counts.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(HEADER.split(","))
        lines.writerows([name, "镇街", PERIOD, "response", 9, 10, ""] for name in evil)
    book = Book(as_workbook(try_scheme(find_scheme(CONFIG, "sanlv"), path)))
    for sheet in ("合计", "计分"):
        named = [book.cells[sheet, at] for at in book.under(sheet, "单位").values()]
        assert {one.value for one in named} == set(evil)
        assert not any(one.formula for one in named)
    assert not any("hyperlink" in name for name in book.archive.namelist())
    formulas = {one.formula for one in book.cells.values() if one.formula}
    assert all(re.fullmatch(r'[A-Z0-9.,+\-*/()<>=:$!"计分归类基本加减不适用]+', one) for one in formulas)


def test_it_reads_as_a_table(tmp_path):
    name = "南湖区一个名字很长很长的街道办事处综合服务中心"
    trial = tried(tmp_path, "sanlv", f"{name},镇街,{PERIOD},response,9,10,")
    content = as_workbook(trial)
    assert content == as_workbook(trial)
    book = Book(content)
    assert book.names == ["合计", "计分", "说明"]
    for sheet, titles, frozen in (("合计", SUMS, "D2"), ("计分", TITLES, "E2")):
        heads = [one.value for (where, at), one in book.cells.items() if where == sheet and re.fullmatch("[A-Z]+1", at)]
        assert tuple(heads) == titles and len(set(titles)) == len(titles)
        assert all(re.search("[\u4e00-\u9fff]", title) for title in titles)
        pane = book.sheets[sheet].find(".//{*}pane")
        assert (pane.get("topLeftCell"), pane.get("state")) == (frozen, "frozen")
        widths = [float(one.get("width")) for one in book.sheets[sheet].iterfind("{*}cols/{*}col")]
        assert widths[0] > 2 * len(name) and min(widths) >= 7
        assert book.sheets[sheet].find("{*}autoFilter") is not None
    assert book.cells["计分", "Q2"].look == "0.00"
    said = [one.value for (sheet, _), one in book.cells.items() if sheet == "说明"]
    assert said[0].startswith(trial.scheme.title) and set(NOTES) <= set(said) and set(trial.notes) <= set(said)
    assert "系统得分为准" in NOTES[0]


def test_a_spreadsheet_s_rounding_is_that_of_the_number_it_shows():
    assert half_up(30 * 853 / 2000, 2) == 12.8 and half_up(-2.5, 0) == -3
    short = number(Decimal("95")) - number(Decimal("94.3"))
    assert started(short / number(Decimal("0.1"))).value == 7  # 7.000000000000028 as a float
    assert whole(number(3) / number(Decimal("0.1"))).value == 30


# The command


def test_the_command_writes_it_beside_its_answer(tmp_path):
    counts_file = tmp_path / "counts.csv"
    counts_file.write_text(f"{HEADER}\n某镇,镇街,{PERIOD},response,9,10,\n", encoding="utf-8")
    asked = ["schemes", "try", "sanlv", "--inputs", str(counts_file)]
    out = tmp_path / "points.xlsx"
    ran = CliRunner().invoke(minhu, [*asked, "--out", str(out)])
    assert ran.exit_code == 0 and "某镇 · 镇街" in ran.output, ran.exception
    assert judged(Book(out.read_bytes())) > 5
    assert isinstance(CliRunner().invoke(minhu, [*asked, "--out", str(tmp_path / "points.csv")]).exception, Refused)
    again = CliRunner().invoke(minhu, ["schemes", "try", "sanlv", "--inputs", str(out), "--out", str(out)])
    assert "holds the counts" in str(again.exception)

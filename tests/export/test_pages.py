"""Pages as a reader has them: names whole, none of them a third blank, HTML that a narrow screen shows."""

import csv
import re
from dataclasses import replace
from io import BytesIO
from itertools import accumulate

import docx
import pytest

from minhu.export.bulletin import bulletin, cover
from minhu.export.words import Words
from minhu.paper import to_pdf
from minhu.paper.blocks import Column, Cover, PageBreak, Row, Table, Text
from minhu.paper.fonts import find_faces
from minhu.paper.lines import wrap
from minhu.paper.names import Names, words_of
from minhu.paper.to_docx import as_docx
from minhu.paper.to_html import as_html
from minhu.paper.to_pdf import Paper, as_pdf
from minhu.settings import PROJECT_ROOT
from tests.export.given import RELEASE, cost, group, rate, report, unit

ZH = Words("zh")
HOUSING = "某某市临安区住房和城乡建设局"


def names() -> list[str]:
    with (PROJECT_ROOT / "config" / "units.csv").open(encoding="utf-8", newline="") as file:
        return sorted({row["unit_name"] for row in csv.DictReader(file)})


@pytest.mark.parametrize(
    "words",
    [
        "某某区|住房和|城乡|建设局",
        "杭州市|市场|监督|管理局",
        "宁波市|镇海区|人民|政府",
        "共青团|杭州市|余杭区|委员会",
        "杭州市|临安区|太湖源镇|人民|政府",
        "杭州市|规划和|自然|资源局",
        "杭州市|生态|环境局|临安区|分局",
        "城管局",
    ],
)
def test_a_name_is_cut_between_its_words(words):
    assert words_of(words.replace("|", "")) == tuple(words.split("|"))


def test_of_every_registered_unit_the_words_are_short_and_none_is_one_character():
    assert len(names()) > 1000
    for name in names():
        assert "".join(words_of(name)) == name
        assert all(2 <= len(word) <= 7 for word in words_of(name)), words_of(name)


@pytest.mark.parametrize("width", range(6, 16))
def test_a_line_breaks_in_no_word_of_a_name_wherever_it_stands(width):
    text = f"（1）{HOUSING}退回，{HOUSING}：满意率"
    lines = wrap(text, width, len, names=Names([HOUSING]))
    assert "".join(lines) == text
    ends = set(accumulate(map(len, lines)))
    for found in re.finditer(HOUSING, text):
        inside = set(range(found.start() + 1, found.end()))
        between = set(accumulate(map(len, words_of(HOUSING)), initial=found.start()))
        assert (ends & inside) <= between
    assert wrap(text, 3, len, names=Names([HOUSING]))[0] == "（1）"
    assert max(map(len, wrap("住房保障", 3, len, names=Names(["住房保障"])))) <= 3


def broken(lines: list[str], known: list[str]) -> list[str]:
    """The ends of lines that are cut out of a word of one of the names."""
    cut = {word[:at] for name in known for word in words_of(name) for at in range(1, len(word))}
    parts = {"".join(words_of(name)[: n + 1])[:-1] for name in known for n in range(len(words_of(name)))}
    return [line for line in lines if line in parts or any(line == one for one in cut)]


@pytest.fixture
def drawn(monkeypatch):
    """The papers that were laid out, and every text written, as (paper, page, text)."""
    seen = []
    text = Paper.text

    def record(self, x, y, line, *more, **named):
        seen.append((id(self), self.page_no(), line))
        return text(self, x, y, line, *more, **named)

    monkeypatch.setattr(Paper, "text", record)
    return seen


def city(count: int, rows: int = 0):
    """A published month of so many units by names of the register; the first lost points by so many rows."""
    chosen = [name for name in names() if "临安区" in name][:count]
    units = [
        replace(unit(f"U{at:03}", "良好", "85.00", rate("close_on_time", at, 90, "12.50")), name=name)
        for at, name in enumerate(chosen, start=9)
    ]
    if rows:
        late = rate("close_on_time", 9, 90, "12.50", costs=tuple(cost("0.50", f"NO{at:04}") for at in range(rows)))
        units[0] = replace(units[0], measured=(late,))
    first = replace(RELEASE, revision=1, newest_revision=1, why=None)
    return replace(report(release=first), groups=(group("dept", "部门", *units),))


def laid(monkeypatch, blocks, around) -> Paper:
    """The paper that is written in the end."""
    made = []
    output = Paper.output
    monkeypatch.setattr(Paper, "output", lambda self, *more: (made.append(self), output(self, *more))[1])
    as_pdf(blocks, around, find_faces())
    return made[0]


@pytest.mark.parametrize(("count", "rows"), [(1, 0), (4, 0), (10, 0), (13, 0), (22, 9), (34, 0), (41, 21), (60, 2)])
def test_no_page_of_a_bulletin_has_a_third_blank(monkeypatch, count, rows):
    given = city(count, rows)
    annexes = [given.groups[0].units[0].code] if rows else []
    paper = laid(monkeypatch, bulletin(given, ZH, annexes), cover(given, ZH))
    assert len(paper.fullness) > 1
    assert min(paper.fullness) > 2 / 3, paper.fullness


def test_a_new_part_leaves_no_page_half_blank_and_begins_one_that_is_nearly_full(monkeypatch):
    around = Cover("题", "题", "2026-10", RELEASE.published_at)
    line = Text("body", "字" * 30)
    short = laid(monkeypatch, [line, PageBreak(), line], around)
    assert len(short.fullness) == 1
    full = laid(monkeypatch, [*[line] * 24, PageBreak(), *[line] * 24], around)
    assert len(full.fullness) == 2


def test_no_name_is_cut_in_a_word_in_the_bulletins_pdf(drawn):
    given = city(41, 3)
    known = [one.name for one in given.groups[0].units]
    as_pdf(bulletin(given, ZH), cover(given, ZH), find_faces())
    lines = [line for _, _, line in drawn]
    whole = {"".join(words_of(name)[:at]) for name in known for at in range(1, 9)}
    begun = [line for line in lines if len(line) > 1 and any(name.startswith(line) for name in known)]
    assert len(begun) > 40 and [line for line in begun if line not in whole] == []
    assert broken(lines, known) == []


def test_word_breaks_a_name_where_we_do():
    known = [name for name in names() if len(name) > 8]
    table = Table((Column("单位", 24), Column("得分", 136)), tuple(Row((name, "85.00")) for name in known))
    around = Cover("题", "题", "2026-10", RELEASE.published_at, names=Names(known))
    (grid,) = docx.Document(BytesIO(as_docx([table], around, find_faces()))).tables
    cells = [cell.text.split("\n") for cell in grid.columns[0].cells[1:]]
    assert ["".join(lines) for lines in cells] == known
    assert sum(len(lines) > 1 for lines in cells) > len(known) / 2
    for lines in cells:
        assert set(accumulate(map(len, lines))) <= set(accumulate(map(len, words_of("".join(lines))))), lines


def test_a_web_page_keeps_names_whole_names_each_cell_and_needs_nothing_else():
    given = city(41)
    page = as_html(bulletin(given, ZH), cover(given, ZH))
    name = next(one.name for one in given.groups[0].units if "住房" in one.name)
    assert f'<span class="name">{"<wbr>".join(words_of(name))}</span>' in page
    assert 'data-title="按时办结率"' in page and "max-width: 720px" in page
    cells = len(re.findall("<td", page))
    assert cells > 100 and cells == len(re.findall("<td[^>]* data-title=", page))
    assert not re.search(r"https?://|<script|<link|@import|url\(", page)
    assert f"哈希 {RELEASE.hash}" in page and "修订号" not in page
    assert ZH("draft") in as_html(bulletin(report(), ZH), cover(report(), ZH))


def test_what_is_empty_is_no_cell_on_a_narrow_screen():
    table = Table((Column("甲", 1), Column("乙", 1, "right")), (Row(("一", "")), Row(("二", "3"))))
    page = as_html([table], Cover("题", "题", "2026-10", RELEASE.published_at))
    assert '<td class="right nothing" data-title="乙"><div></div></td>' in page


def test_the_last_row_of_a_table_goes_to_no_page_alone(drawn):
    around = Cover("题", "题", "2026-10", RELEASE.published_at)
    after = [Text("item", f"{at}. 说明") for at in range(30)]
    for count in range(30, 38):
        drawn.clear()
        table = Table((Column("项", 1), Column("数", 1)), tuple(Row((f"第{at}行", "1")) for at in range(count)))
        as_pdf([table, *after], around, find_faces())
        last = drawn[-1][0]
        pages = {line: page for paper, page, line in drawn if paper == last}
        assert pages[f"第{count - 1}行"] == pages[f"第{count - 2}行"], count


def test_figures_are_no_taller_than_a_third_of_a_page():
    from minhu.export import charts

    many = replace(report(), groups=tuple(replace(one, name=f"组{at}") for at in range(7) for one in report().groups))
    figures = charts.drawn(many, ZH, 160)
    assert len(figures) >= 4 and all(one.height <= charts.MOST_TALL for one in figures)
    room = 297 - to_pdf.TOP - to_pdf.BOTTOM
    assert (charts.MOST_TALL + 11) / room < 1 / 3

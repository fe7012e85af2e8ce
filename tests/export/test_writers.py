"""Every format opens, shows the same numbers, and is the same file for the same report."""

import csv
import json
import re
import time
from dataclasses import replace
from functools import partial
from io import BytesIO, StringIO
from zipfile import ZipFile

import docx
import fastexcel
import pytest
from docx.oxml.ns import qn
from PIL import Image

from minhu.export import FORMATS, Asked, charts, write
from minhu.export.bulletin import bulletin, cover
from minhu.export.public import suppress
from minhu.export.to_csv import as_csv
from minhu.export.to_json import as_json
from minhu.export.to_xlsx import as_xlsx
from minhu.export.words import Words
from minhu.paper import to_docx, to_pdf
from minhu.paper.charts import DPI, as_png
from minhu.paper.fonts import find_faces
from minhu.paper.lines import wrap
from minhu.paper.to_pdf import Paper
from tests.export.given import INDICATORS, LATE, RELEASE, cost, group, ranked, rate, report, rich, unit

ZH, EN = Words("zh"), Words("en")


def by_name(form: str, given, words) -> bytes:
    """The report in one of the formats, as `minhu export` writes it."""
    return write(given, Asked(form, words.lang, units=("D1",), table="evidence"))


def docx_of(given, words, faces, annexes=()):
    return to_docx.as_docx(bulletin(given, words, annexes), cover(given, words), faces)


def pdf_of(given, words, faces, annexes=()):
    return to_pdf.as_pdf(bulletin(given, words, annexes), cover(given, words), faces)


WRITERS = {form: partial(by_name, form) for form in FORMATS}


@pytest.mark.parametrize("form", WRITERS)
def test_the_same_report_gives_the_same_bytes(form, monkeypatch):
    first = WRITERS[form](report(), ZH)
    later = time.time() + 3 * 86_400
    monkeypatch.setattr(time, "time", lambda: later)
    monkeypatch.setattr(time, "localtime", lambda *_: time.gmtime(later))
    assert WRITERS[form](report(), ZH) == first


@pytest.mark.parametrize("form", WRITERS)
def test_every_format_takes_a_release_a_ranking_the_public_version_and_an_empty_city(form):
    empty = replace(report(), groups=(group("dept", "部门"),), bands=())
    for given, words in ((rich(), EN), (ranked(report()), ZH), (suppress(rich()), ZH), (empty, EN)):
        assert len(WRITERS[form](given, words)) > 100


@pytest.mark.parametrize("form", ["xlsx", "docx"])
def test_an_office_file_is_dated_by_what_it_shows_and_not_by_a_clock(form):
    assert "2026-10-31T16:00:00Z" in xml(WRITERS[form](report(), ZH), "docProps/core.xml")
    released = xml(WRITERS[form](report(release=RELEASE), ZH), "docProps/core.xml")
    assert re.findall(r"\d{4}-\d\d-\d\dT[\d:]+Z", released) == ["2026-11-05T01:30:00Z"] * 2


# XLSX


def sheet(content: bytes, name: str, header_row: int | None = None) -> list[tuple]:
    return fastexcel.read_excel(content).load_sheet(name, header_row=header_row, dtypes="string").to_polars().rows()


def xml(content: bytes, member: str) -> str:
    with ZipFile(BytesIO(content)) as book:
        return book.read(member).decode()


def test_the_workbook_has_its_sheets():
    names = fastexcel.read_excel(as_xlsx(report(), ZH, ["D1"])).sheet_names
    assert names == ["封面", "总体情况", "部门", "镇街", "指标明细", "单列单位", "单位D1", "扣分明细", "说明"]


def test_the_cover_says_draft_or_who_released_it():
    draft = "\n".join(filter(None, (cell for row in sheet(as_xlsx(report(), ZH), "封面") for cell in row)))
    assert "未发布 · 试算" in draft and "未发布·试算稿" in draft and "发布编号" not in draft
    cover = {row[0]: row[1] for row in sheet(as_xlsx(report(release=RELEASE), ZH), "封面")}
    assert (cover["状态"], cover["发布编号"], cover["修订号"]) == ("已发布", "7", "2")
    assert (cover["结果哈希"], cover["审批人"]) == (RELEASE.hash, "考评科 乙某（仅凭登录）")
    assert cover["发布时间"] == "2026-11-05 09:30"


def test_a_group_sheet_holds_numbers_as_numbers_and_the_indicators_their_counts_and_sums():
    rows = sheet(as_xlsx(report(), ZH), "部门")
    d1, total = rows[2], rows[6]
    assert d1[:6] == ("D1", "单位D1", "良好", "85", "3.4", None)
    assert [float(cell) for cell in d1[6:8]] == [0.75, 12.5] and float(total[6]) == 0.7375
    assert rows[5][:2] == ("D4", "单位D4") and rows[5][5] == "本期无派单，不参加排名"
    counted = {row[1:3]: row[3:] for row in sheet(as_xlsx(report(), ZH), "指标明细")}
    told = [float(cell) for cell in counted["单位D1", "按时办结率"] if cell]
    assert told == [18, 24, 0.75, 0.551, 0.88, 95, 20, 12.5, 7.5]
    assert [float(cell) for cell in counted["合计", "按时办结率"][:3]] == [36, 37, 0.972973]  # of the last group
    assert counted["单位D3", "按时办结率"][5] == "↓↓" and counted["单位D4", "按时办结率"][2] == "不适用"


def test_every_sheet_prints_one_page_wide_under_its_heads_a_case_beside_its_clock():
    content = as_xlsx(rich(), ZH, ["D1"])
    book = xml(content, "xl/workbook.xml")
    names = re.findall(r'<sheet name="(.+?)"', book)
    titles = dict(re.findall(r'_xlnm.Print_Titles"[^>]*>(\w+)!(\$\d+:\$\d+)<', book))
    for at, name in enumerate(names, start=1):
        page = xml(content, f"xl/worksheets/sheet{at}.xml")
        assert 'fitToHeight="0"' in page and "<pageSetUpPr fitToPage" in page, name
        assert "<colBreaks" not in page and " scale=" not in page, name
        assert re.search(r'paperSize="[89]"', page), name
    heads = {"部门": "$1:$2", "镇街": "$1:$2", "修订情况": "$4:$4", "单位D1": "$10:$10"}
    once = ("指标明细", "单列单位", "修订台账", "扣分明细", "说明")
    assert titles == heads | dict.fromkeys(once, "$1:$1")


def test_a_wide_sheet_prints_on_a3_and_a_name_fits_its_column():
    long = "某某市某某区人力资源和社会保障局社会保险服务中心"
    given = replace(report(), groups=(group("dept", "部门", replace(unit("D1", "良好", "85.00"), name=long)),))
    content = as_xlsx(given, ZH)
    assert 'paperSize="9"' in xml(content, "xl/worksheets/sheet1.xml")
    narrow, wide = as_xlsx(report(), ZH), as_xlsx(replace(report(), indicators=INDICATORS * 4), ZH)
    assert [re.search(r'paperSize="(.)"', xml(one, "xl/worksheets/sheet3.xml"))[1] for one in (narrow, wide)] == [*"98"]
    widths = re.findall(r'<col min="2" max="2" width="([\d.]+)"', xml(content, "xl/worksheets/sheet3.xml"))
    assert float(widths[0]) >= 2 * len(long)


def test_a_workbook_of_no_unit_says_so_and_draws_nothing():
    content = as_xlsx(replace(report(), groups=(group("dept", "部门"),)), ZH)
    assert [sheet(content, name)[-1][0] for name in ("总体情况", "指标明细")] == ["本期没有纳入考评的单位。"] * 2
    with ZipFile(BytesIO(content)) as book:
        assert not [name for name in book.namelist() if "charts" in name]


def test_the_units_apart_lie_across_the_page_where_a_name_is_long():
    def page(name: str) -> str:
        alone = replace(unit("D1", None, None, reason="no_case"), name=name)
        return xml(as_xlsx(replace(report(), groups=(group("dept", "部门", alone),)), ZH), "xl/worksheets/sheet5.xml")

    assert 'orientation="landscape"' not in page("某某局") and 'orientation="landscape"' in page("某" * 40)


def test_sheets_are_frozen_and_say_draft():
    content = as_xlsx(report(), ZH)
    departments = xml(content, "xl/worksheets/sheet3.xml")
    assert '<pane xSplit="2" ySplit="2"' in departments and 'state="frozen"' in departments
    assert 'orientation="landscape"' in departments
    assert "未发布 · 试算" in departments
    assert "等线" in xml(content, "xl/styles.xml") and "Calibri" not in xml(content, "xl/styles.xml")
    assert 'formatCode="0.00%"' in xml(content, "xl/styles.xml")


def test_a_units_own_sheet_has_no_number_in_a_column_of_long_texts():
    for given in (report(), rich()):
        rows = sheet(as_xlsx(given, ZH, ["D1"]), "单位D1")
        heads = [row for row in rows if row[0] == "指标"]
        counted, costs = ([name for name in row if name] for row in heads)
        assert len(counted) <= costs.index("计时"), counted


def test_the_sums_of_the_ledger_stand_out_and_a_name_fits_its_column():
    long = "某某市某某区人力资源和社会保障局社会保险服务中心"
    (unit,) = rich().diff.ledger
    given = rich(diff=replace(rich().diff, ledger=(replace(unit, unit_name=long),)))
    content = as_xlsx(given, ZH)
    at = fastexcel.read_excel(content).sheet_names.index("修订台账") + 1
    page, styles = xml(content, f"xl/worksheets/sheet{at}.xml"), xml(content, "xl/styles.xml")
    fonts = re.findall(r"<font>.*?</font>", styles)
    looks = re.findall(r'<xf [^>]*fontId="(\d+)"', styles.partition("<cellXfs")[2])
    is_bold = {
        cell: "<b/>" in fonts[int(looks[int(look)])] for cell, look in re.findall(r'r="([A-Z]\d)" s="(\d+)"', page)
    }
    assert (is_bold["C2"], is_bold["I2"], is_bold["C3"], is_bold["I3"]) == (False, False, True, True)
    assert float(re.search(r'<col min="2" max="2" width="([\d.]+)"', page)[1]) >= 2 * len(long)


def test_the_charts_of_the_workbook_are_its_own():
    content = as_xlsx(report(), ZH)
    bands, rates = (xml(content, f"xl/charts/chart{at}.xml") for at in (1, 2))
    assert '<c:grouping val="stacked"' in bands and "优秀" in bands
    assert "<c:errBars>" in rates and "总体情况" in rates


def test_a_text_never_becomes_a_formula_and_a_long_number_stays_whole():
    evil = rate(
        "close_on_time", 18, 24, "12.50", costs=(cost("7.50", "=cmd|'/c calc'!A1"), cost("0", "330112202610090001"))
    )
    given = replace(report(), groups=(group("dept", "部门", unit("=D1", "良好", "85.00", evil)),))
    content = as_xlsx(given, ZH)
    with ZipFile(BytesIO(content)) as book:
        assert not any("<f>" in book.read(name).decode() for name in book.namelist() if "worksheets/sheet" in name)
    assert [row[6] for row in sheet(content, "扣分明细")][1:] == ["=cmd|'/c calc'!A1", "330112202610090001"]
    lines = list(csv.DictReader(StringIO(as_csv(given, "evidence").decode("utf-8-sig"))))
    assert [line["case_no"] for line in lines] == ["'=cmd|'/c calc'!A1", "330112202610090001"]
    assert lines[0]["unit_code"] == "'=D1"


def test_two_units_with_one_long_name_have_a_sheet_each():
    long = "某某市某某区某某某某某某某某某某某某某某某某某某某某管理局[一]/二"
    units = [
        replace(unit(code, "良好", "85.00", rate("close_on_time", 9, 9, "20.00")), name=long) for code in ("A", "B")
    ]
    given = replace(report(), groups=(group("dept", "部门", *units),))
    names = fastexcel.read_excel(as_xlsx(given, ZH, ["A", "B"])).sheet_names
    assert len({name for name in names if name.startswith("某某市")}) == 2


def test_the_unit_sheet_and_the_evidence_hold_every_row_that_cost_points():
    content = as_xlsx(report(), ZH, ["D1"])
    evidence = sheet(content, "扣分明细")
    assert [(row[1], row[2], float(row[3]), row[6]) for row in evidence[1:]] == [
        ("单位D1", "按时办结率", 4.0, "NO202610090001234"),
        ("单位D1", "按时办结率", 3.5, "NO2"),
    ]
    own = sheet(content, "单位D1")
    assert own[1][0] == "部门　良好　得分 85.00　折算 3.40 / 4 分"
    assert [row[3:5] for row in own if row[0] == "按时办结率"] == [
        ("0.75", "0.551"),
        ("12345 热线", "NO202610090001234"),
        ("12345 热线", "NO2"),
    ]


def test_the_workbook_shows_the_clock_the_worth_of_a_row_lists_second_rates_and_what_was_revised():
    content = as_xlsx(rich(), ZH, ["D1"])
    evidence = sheet(content, "扣分明细")
    assert (evidence[0][4], evidence[0][7], evidence[0][14]) == ("若无此件", "明细号", "计时")
    assert (float(evidence[1][4]), evidence[1][14]) == (4.17, LATE.text_zh)
    departments = sheet(content, "部门")
    assert departments[0][5] == "榜单" and [row[5] for row in departments[2:6]] == [None, None, "黑榜", None]
    indicators = sheet(content, "指标明细")
    assert indicators[0][8] == "同类组收缩值" and float(indicators[1][8]) == 76.5
    revised = sheet(content, "修订情况")
    assert [row[1:] for row in revised[4:]] == [
        ("单位D1", None, "百分制得分", "80.00", "85.00"),
        ("单位D1", None, "档次", "合格", "良好"),
        ("单位D2", None, "百分制得分", "88.00", "88.50"),
        ("单位D1", "按时办结率", "分子", "17", "18"),
        ("单位D1", "按时办结率", "h12345 NO9", None, "剔除：错派"),
    ]
    ledger = sheet(content, "修订台账")
    assert ledger[1][2:] == (
        "新到批次 9：h12345 events 2026-10-31，1 行",
        "h12345",
        "NO9",
        "按时办结率",
        "0/1",
        "错派",
        "5",
    )
    assert ledger[-1][1:3] == ("单位D1", "合计") and ledger[-1][8] == "5"
    foot = f"发布编号 7　修订号 2　哈希 {RELEASE.hash}"
    with ZipFile(BytesIO(content)) as book:
        pages = [book.read(name).decode() for name in book.namelist() if "worksheets/sheet" in name]
    assert len(pages) == 11 and all(foot in page for page in pages)


# CSV and JSON


def test_the_csv_has_a_line_for_each_unit_and_indicator():
    lines = list(csv.DictReader(StringIO(as_csv(report()).decode("utf-8-sig"))))
    assert len(lines) == 18
    first = lines[0]
    assert (first["unit_name"], first["indicator_name"], first["numerator"], first["value"]) == (
        "单位D1",
        "按时办结率",
        "18",
        "75.0000",
    )
    assert (first["wilson_low_pct"], first["wilson_high_pct"], first["target"]) == ("55.10", "88.00", "95")
    assert (first["status"], first["release_id"]) == ("draft", "")
    units = list(csv.DictReader(StringIO(as_csv(report(release=RELEASE), "units").decode("utf-8-sig"))))
    assert (units[3]["not_ranked_reason"], units[3]["hash"]) == ("no_case", RELEASE.hash)
    units = list(csv.DictReader(StringIO(as_csv(rich(), "units").decode("utf-8-sig"))))
    assert [one["listed_on"] for one in units] == ["", "", "黑榜", "", "红榜", ""]
    (late, _) = csv.DictReader(StringIO(as_csv(rich(), "evidence").decode("utf-8-sig")))
    assert (late["marginal"], late["clock"], late["late_working_minutes"]) == ("4.17", LATE.text_zh, "12")


def test_the_json_holds_the_whole_report_exactly():
    told = json.loads(as_json(rich()))
    assert (told["format"], told["status"], told["release"]["revision"]) == ("minhu-report/2", "published", 2)
    assert told["diff"]["units"][0]["changes"][1] == {
        "column": "band",
        "name_zh": "档次",
        "before": "合格",
        "after": "良好",
    }
    d1 = told["groups"][0]["units"][0]
    assert d1["measured"][0]["points"] == "12.50" and d1["measured"][0]["costs"][0]["case_no"] == "NO202610090001234"
    assert d1["measured"][0]["shrunken_value"] == "76.5"
    one = d1["measured"][0]
    assert (one["value"], one["wilson_low_pct"], one["wilson_high_pct"], one["target"]) == (
        *("75.0000", "55.10", "88.00"),
        "95",
    )
    assert told["release"]["approved_by"] == {"name": "乙某", "office": "考评科"}


# Word


def test_the_word_file_has_its_headings_repeated_heads_and_pictures():
    paper = docx.Document(BytesIO(docx_of(report(), ZH, find_faces(), ("D1",))))
    assert [one.text for one in paper.paragraphs if one.style.name == "Heading 1"] == [
        *("一、总体情况", "二、分组得分", "三、主要指标", "四、扣分较多的单位", "五、说明"),
        "附件1　单位D1失分明细",
    ]
    assert len(paper.inline_shapes) == 3
    for table in paper.tables:
        assert table.rows[0]._tr.trPr.find(qn("w:tblHeader")) is not None
        assert all(row._tr.trPr.find(qn("w:cantSplit")) is not None for row in table.rows)
    section = paper.sections[0]
    assert (round(section.page_width.mm), round(section.page_height.mm)) == (210, 297)
    assert "未发布 · 试算" in section.header.paragraphs[0].text
    assert section.footer._element.find(f".//{qn('w:fldSimple')}").get(qn("w:instr")) == "PAGE"


def test_the_word_file_says_that_its_chinese_is_chinese():
    content = docx_of(report(), ZH, find_faces())
    for member in ("word/styles.xml", "word/settings.xml"):
        told = re.findall(r'w:eastAsia="([a-z]+-[A-Z]+)"', xml(content, member))
        assert set(told) == {"zh-CN"}, member


def test_in_word_neither_the_head_of_a_table_nor_its_last_row_stands_on_a_page_alone():
    paper = docx.Document(BytesIO(docx_of(large(), ZH, find_faces())))
    for table in paper.tables:
        held = [
            all(one.paragraph_format.keep_with_next for cell in row.cells for one in cell.paragraphs)
            for row in table.rows
        ]
        assert held == [at in (0, len(held) - 2) for at in range(len(held))]


def test_what_follows_a_table_in_word_takes_no_page_of_its_own():
    paper = docx.Document(BytesIO(docx_of(report(), ZH, find_faces(), ["D1"])))
    after = [table._tbl.getnext() for table in paper.tables]
    empty = [docx.text.paragraph.Paragraph(one, paper) for one in after]
    assert len(empty) > 5 and {one.text for one in empty} == {""}
    assert {one.paragraph_format.line_spacing.pt for one in empty} == {1}


def test_the_word_file_names_chinese_fonts_for_every_run_of_its_tables():
    paper = docx.Document(BytesIO(docx_of(report(), ZH, find_faces())))
    runs = [run for table in paper.tables for run in table._tbl.iter(qn("w:r"))]
    assert len(runs) > 100
    assert {run.rPr.rFonts.get(qn("w:eastAsia")) for run in runs} == {"黑体", "宋体"}


# PDF


@pytest.fixture
def written(monkeypatch):
    """What is written on each page of the PDFs made in a test, as (page, text, x)."""
    seen = []
    text = Paper.text

    def record(self, x, y, line, *more, **named):
        seen.append((self.page_no(), line, x))
        return text(self, x, y, line, *more, **named)

    monkeypatch.setattr(Paper, "text", record)
    return seen


def large():
    units = [unit(f"U{at:03}", "良好", "85.00", rate("close_on_time", at, 90, "12.50")) for at in range(10, 90)]
    return replace(report(), groups=(group("dept", "部门", *units),))


def test_a_table_repeats_its_head_on_every_page_it_runs_over(written):
    pdf_of(large(), ZH, find_faces())
    pages = {page for page, line, _ in written if re.fullmatch(r"单位U\d+", line)}
    assert len(pages) >= 6
    assert all((page, "单位") in {(at, line) for at, line, _ in written} for page in pages)
    told = [line for _, line, _ in written]
    assert all(told.count(f"单位U{at:03}") >= 2 for at in range(10, 90))  # its score, and its indicators


def test_every_page_has_its_number_and_a_draft_its_mark(written):
    pdf_of(large(), ZH, find_faces())
    last = max(page for page, _, _ in written)
    for page in range(1, last + 1):
        lines = [line for at, line, _ in written if at == page]
        assert f"— {page} —" in lines and "未发布 · 试算" in lines
    written.clear()
    pdf_of(replace(large(), release=RELEASE), ZH, find_faces())
    assert not any("试算" in line for _, line, _ in written)


def test_the_pdf_embeds_its_fonts():
    content = pdf_of(report(), ZH, find_faces())
    assert content.count(b"/FontFile3") == 2 and content.count(b"/CIDToGIDMap") + content.count(b"/CIDFontType0") >= 2


def test_nothing_is_written_beyond_the_margins(written):
    pdf_of(report(), EN, find_faces(), ("D1",))
    assert len(written) > 200
    assert all(20 < x < 190 for _, line, x in written if line != EN("draft"))


def test_lines_break_where_chinese_and_english_may():
    def width(text):
        return sum(1 if one.isascii() else 2 for one in text)

    assert wrap("甲乙丙，丁戊", 6, width) == ["甲乙", "丙，丁", "戊"]  # no line begins with a comma
    assert wrap("甲乙（丙丁）", 6, width) == ["甲乙", "（丙", "丁）"]
    assert wrap("于 2026-10-16 周", 11, width) == ["于", "2026-10-16", "周"]  # a date stays whole
    assert wrap("a bcd ef", 5, width) == ["a bcd", "ef"]
    assert wrap("退单率 −2.00", 9, width) == ["退单率", "−2.00"]  # a number keeps its sign
    assert wrap("Numerator/Denominator", 12, width) == ["Numerator/", "Denominator"]
    assert wrap("abcdefgh", 3, width) == ["abc", "def", "gh"]  # too long for any line
    assert "".join(wrap("按时办结率3/7；退单率", 8, width)) == "按时办结率3/7；退单率"


# Charts


def test_figures_are_numbered_as_they_come():
    def numbers(given, words):
        return [one.alt.split("　")[0].split(".")[0] for one in charts.drawn(given, words, 160)]

    assert numbers(report(), ZH) == ["图1", "图2", "图3"]
    assert numbers(replace(report(), bands=()), ZH) == ["图1", "图2"]
    assert numbers(report(), EN) == ["Figure 1", "Figure 2", "Figure 3"]


def test_bars_are_as_long_as_the_bands_are_large():
    drawing = charts.bands(report(), ZH, 160)
    boxes = [shape for shape in drawing.shapes if isinstance(shape, charts.Box) and shape.height > 5]
    assert [round(box.width / boxes[1].width, 3) for box in boxes] == [
        2,
        1,
        1,
        1,
    ]  # 部门 2 良好 1 合格, 镇街 1 优秀 1 良好


def test_a_chart_is_a_picture_in_the_size_it_says():
    (drawing,) = charts.rates(report(), ZH, 160)
    image = Image.open(BytesIO(as_png(drawing, find_faces())))
    assert image.width == round(160 / 25.4 * DPI)
    assert len(image.convert("L").getcolors(256)) > 20  # text and lines, not an empty sheet


def test_the_public_version_draws_no_distribution_of_scores():
    assert charts.scores(report(), ZH, 160) is not None
    assert charts.scores(suppress(report()), ZH, 160) is None

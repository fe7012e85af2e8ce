"""Blocks for Word: styles to edit by, tables with a repeated header row, charts as pictures."""

from collections.abc import Sequence
from datetime import UTC
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from docx import Document
from docx.document import Document as Paper
from docx.enum.table import WD_ALIGN_VERTICAL, WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor
from docx.styles.style import ParagraphStyle
from docx.table import _Cell, _Row
from docx.text.paragraph import Paragraph

from minhu.paper.blocks import WIDTH, Block, Column, Cover, Figure, PageBreak, Row, Table, Text, texts
from minhu.paper.charts import Drawing, as_png
from minhu.paper.fonts import Faces
from minhu.paper.lines import wrap
from minhu.paper.names import Names

SERIF, SANS, LATIN = "宋体", "黑体", "Times New Roman"
"""Named, not embedded: every Chinese Office has them, and others put their own in place."""
BESIDE, POINT = 1.6, 25.4 / 72
"""What a cell leaves free at each side, and a point, in millimetres."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of every member of the file, so that the same report gives the same bytes."""
ALIGN = {
    "left": WD_ALIGN_PARAGRAPH.LEFT,
    "middle": WD_ALIGN_PARAGRAPH.CENTER,
    "right": WD_ALIGN_PARAGRAPH.RIGHT,
}
RED, GREY = RGBColor(0xA3, 0x2A, 0x22), RGBColor(0x66, 0x66, 0x66)
STYLES = {  # role: style of Word, face, size, line height, before, after, alignment
    "title": ("Title", SERIF, 19, 28, 6, 0, "middle"),
    "subtitle": ("Subtitle", SERIF, 16, 24, 2, 6, "middle"),
    "meta": ("通报信息", SANS, 10, 15, 0, 2, "middle"),
    "notice": ("通报提示", SANS, 10, 15, 0, 0, "left"),
    "heading": ("Heading 1", SANS, 14, 22, 14, 4, "left"),
    "subheading": ("Heading 2", SANS, 11.5, 18, 8, 3, "left"),
    "body": ("Body Text", SERIF, 12, 21, 0, 3, "left"),
    "item": ("通报说明", SERIF, 10.5, 17, 0, 2, "left"),
    "small": ("通报附注", SANS, 8.5, 13, 4, 0, "left"),
    "seal": ("通报落款", SERIF, 12, 21, 14, 6, "right"),
    "cell": ("通报表格", SERIF, 9, 12.5, 0, 0, "left"),
}
SUB, SUB_LEAD = 7.5, 10.5
"""Of what stands after a cell's first line."""


def as_docx(blocks: Sequence[Block], cover: Cover, faces: Faces) -> bytes:
    """The blocks as DOCX. The same blocks give the same bytes. Raises Refused when a chart's character has no glyph."""
    faces.check(texts(block for block in blocks if isinstance(block, Figure)))
    paper = Document()
    _languages(paper)
    _page(paper, cover)
    for role in STYLES:
        _style(paper, role, cover.lang)
    for block in blocks:
        match block:
            case Text(role, text):
                paper.add_paragraph(text, style=STYLES[role][0])
            case Table():
                _table(paper, block, cover.names)
            case Figure(drawing):
                _figure(paper, drawing, faces)
            case PageBreak():
                pass  # where pages end only Word knows: a break could leave most of one blank
    return _same_bytes(paper)


def _languages(paper: Paper) -> None:
    """Chinese text is Chinese: what python-docx begins with calls it English, and its theme Japanese."""
    for one in (*paper.styles.element.iter(qn("w:lang")), *paper.settings.element.iter(qn("w:themeFontLang"))):
        one.set(qn("w:val"), "en-US")
        one.set(qn("w:eastAsia"), "zh-CN")


def _page(paper: Paper, cover: Cover) -> None:
    section = paper.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin = section.right_margin = Mm((210 - WIDTH) / 2)
    section.top_margin, section.bottom_margin = Mm(26), Mm(24)
    _number(section.footer.paragraphs[0])
    if cover.foot:
        below = section.footer.add_paragraph()
        below.alignment = ALIGN["middle"]
        _run(below, cover.foot, SANS, 6.5, GREY)
    for one in section.footer.paragraphs:  # no higher than the margin, or Word takes room from the text
        one.paragraph_format.line_spacing, one.paragraph_format.space_after = Pt(14), Pt(0)
    head = section.header.paragraphs[0]
    mark = f"【{cover.mark}】　" if cover.mark else ""
    _run(head, f"{mark}{cover.head}", SANS, 8.5, RED if cover.mark else GREY)
    facts = paper.core_properties
    facts.title = cover.title
    facts.author = facts.last_modified_by = "minhu"
    facts.comments, facts.keywords = "", cover.subject
    facts.created = facts.modified = cover.dated.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    facts.language = "zh-CN" if cover.lang == "zh" else cover.lang


def _style(paper: Paper, role: str, lang: str) -> None:
    name, face, size, lead, before, after, align = STYLES[role]
    styles = paper.styles
    style: ParagraphStyle = styles[name] if name in [one.name for one in styles] else styles.add_style(name, 1)
    style.base_style = styles["Normal"]
    _face(style.element.get_or_add_rPr(), face)
    style.font.size, style.font.bold, style.font.italic = Pt(size), False, False
    style.font.color.rgb = (
        RED if role == "notice" else GREY if role in ("meta", "small") else RGBColor(0x22, 0x22, 0x22)
    )
    form = style.paragraph_format
    form.line_spacing, form.space_before, form.space_after = Pt(lead), Pt(before), Pt(after)
    form.alignment = ALIGN[align]
    form.keep_with_next = role in ("heading", "subheading")
    form.keep_together = role == "seal"
    if role == "body" and lang == "zh":
        form.first_line_indent = Pt(2 * size)
    borders = style.element.pPr.find(qn("w:pBdr"))
    if borders is not None:  # Word's own title has a rule below it
        style.element.pPr.remove(borders)


def _face(properties: Any, face: str) -> None:
    fonts = properties.get_or_add_rFonts()
    for kind in ("w:asciiTheme", "w:hAnsiTheme", "w:eastAsiaTheme", "w:cstheme"):
        fonts.attrib.pop(qn(kind), None)
    for kind, name in (("w:ascii", LATIN), ("w:hAnsi", LATIN), ("w:eastAsia", face), ("w:cs", LATIN)):
        fonts.set(qn(kind), name)


def _run(paragraph: Paragraph, text: str, face: str, size: float, colour: RGBColor | None = None) -> None:
    run = paragraph.add_run(text)
    _face(run._r.get_or_add_rPr(), face)
    run.font.size = Pt(size)
    if colour:
        run.font.color.rgb = colour


def _number(paragraph: Paragraph) -> None:
    """— page —, in the middle of the foot."""
    paragraph.alignment = ALIGN["middle"]
    _run(paragraph, "— ", SERIF, 10.5)
    paragraph._p.append(_element("w:fldSimple", instr="PAGE"))
    _run(paragraph, " —", SERIF, 10.5)


def _figure(paper: Paper, drawing: Drawing, faces: Faces) -> None:
    paragraph = paper.add_paragraph()
    paragraph.alignment = ALIGN["middle"]
    paragraph.paragraph_format.keep_with_next = True
    paragraph.paragraph_format.space_before = Pt(6)
    paragraph.add_run().add_picture(BytesIO(as_png(drawing, faces)), width=Mm(drawing.width))
    for picture in paragraph._p.findall(f".//{qn('wp:docPr')}"):
        picture.set("descr", drawing.alt)
    caption = paper.add_paragraph()
    caption.alignment = ALIGN["middle"]
    _run(caption, drawing.alt, SANS, 9, GREY)


def _table(paper: Paper, table: Table, names: Names) -> None:
    grid = paper.add_table(0, len(table.columns))
    grid.alignment, grid.autofit = WD_TABLE_ALIGNMENT.CENTER, False
    _rules(grid._tbl.tblPr)
    share = WIDTH / sum(column.width for column in table.columns)
    for one, column in zip(grid.columns, table.columns, strict=True):
        one.width = Mm(column.width * share)
    titles = Row(tuple(column.title for column in table.columns))
    _row(grid.add_row(), titles, table.columns, share, names, is_head=True)
    for row in table.rows:
        _row(grid.add_row(), row, table.columns, share, names)
    lines = grid.rows
    for line in {0, max(len(lines) - 2, 0)}:  # neither the head nor the last row stands on a page alone
        for paragraph in lines[line]._tr.iter(qn("w:p")):
            Paragraph(paragraph, grid).paragraph_format.keep_with_next = True
    after = paper.add_paragraph()  # Word wants one; at the end of a full page it takes no page of its own
    after.paragraph_format.line_spacing, after.paragraph_format.space_after = Pt(1), Pt(7)


def _rules(properties: Any) -> None:
    """Thick rules above and below, thin ones between rows, none upright."""
    borders = OxmlElement("w:tblBorders")
    for side, width, colour in (("top", 8, "222222"), ("bottom", 8, "222222"), ("insideH", 4, "D5D5D5")):
        borders.append(_element(f"w:{side}", val="single", sz=str(width), space="0", color=colour))
    margins = OxmlElement("w:tblCellMar")
    for side, width in (("top", 40), ("left", 85), ("bottom", 40), ("right", 85)):
        margins.append(_element(f"w:{side}", w=str(width), type="dxa"))
    # Word wants them in the order of its schema: borders, layout, margins, look.
    properties.find(qn("w:tblLayout")).addprevious(borders)
    properties.find(qn("w:tblLook")).addprevious(margins)


def _element(name: str, **values: str) -> Any:
    made = OxmlElement(name)
    for key, value in values.items():
        made.set(qn(f"w:{key}"), value)
    return made


def _row(
    line: _Row, row: Row, columns: tuple[Column, ...], share: float, names: Names, *, is_head: bool = False
) -> None:
    marks = line._tr.get_or_add_trPr()
    marks.append(OxmlElement("w:cantSplit"))
    if is_head:
        marks.append(OxmlElement("w:tblHeader"))
    for cell, text, column in zip(line.cells, row.cells, columns, strict=True):
        cell.width = Mm(column.width * share)
        if is_head or row.is_total:
            _shade(cell)
        cell.vertical_alignment = WD_ALIGN_VERTICAL.CENTER
        parts = [(at, part) for at, part in enumerate(text.split("\n")) if part or not text]
        for at, part in parts:
            paragraph = cell.paragraphs[0] if (at, part) == parts[0] else cell.add_paragraph()
            paragraph.style = STYLES["cell"][0]
            paragraph.alignment = ALIGN[column.align]
            if at:
                paragraph.paragraph_format.line_spacing = Pt(SUB_LEAD)
            size = SUB if at else STYLES["cell"][2]
            told = _broken(part, column.width * share - 2 * BESIDE, size, names)
            _run(paragraph, told, SANS if is_head else SERIF, size, GREY if at else None)


def _broken(text: str, width: float, size: float, names: Names) -> str:
    """A cell's text; where a name in it does not fit, with the breaks that Word would put inside its words."""
    if not any(names.found(text)):
        return text

    def measure(part: str) -> float:  # full width or half of it, whatever face Word takes
        return sum(1 if ord(one) > 0x2E7F else 0.56 for one in part) * size * POINT

    return "\n".join(wrap(text, width, measure, names=names))


def _shade(cell: _Cell) -> None:
    cell._tc.get_or_add_tcPr().append(_element("w:shd", val="clear", color="auto", fill="EEF2F6"))


def _same_bytes(paper: Paper) -> bytes:
    """The file with its members in order and no clock in it."""
    written, out = BytesIO(), BytesIO()
    paper.save(written)
    with ZipFile(written) as given, ZipFile(out, "w", ZIP_DEFLATED) as taken:
        for member in given.infolist():
            info = ZipInfo(member.filename, EPOCH)
            info.compress_type, info.external_attr = ZIP_DEFLATED, 0o600 << 16
            taken.writestr(info, given.read(member))
    return out.getvalue()

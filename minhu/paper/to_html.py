"""Blocks as one HTML file that needs nothing else: no script, no font, no picture of another address."""

from collections.abc import Iterator, Sequence
from html import escape

from minhu.paper.blocks import Block, Column, Cover, Figure, PageBreak, Row, Table, Text
from minhu.paper.charts import Box, Dot, Drawing, Label, Line, Shape

TAGS = {"title": "h1", "heading": "h2", "subheading": "h3"}
ANCHORS = {"left": "start", "middle": "middle", "right": "end"}
POINT = 25.4 / 72
STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #eef1f4; color: #222; line-height: 1.7;
  font-family: "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", sans-serif; }
main { max-width: 1080px; margin: 24px auto; padding: 40px 56px 64px; background: #fff; box-shadow: 0 1px 6px #0002; }
h1 { margin: 8px 0 0; text-align: center; font-size: 26px; letter-spacing: .05em; }
h2 { margin: 40px 0 12px; padding-bottom: 6px; border-bottom: 2px solid #1F4E79; font-size: 19px; color: #1F4E79; }
h3 { margin: 24px 0 8px; font-size: 15.5px; }
p { margin: 6px 0; font-size: 14px; }
p.subtitle { text-align: center; font-size: 18px; }
p.meta { text-align: center; color: #666; }
p.notice { color: #A32A22; }
p.small { color: #666; font-size: 12px; }
p.small, td, th { overflow-wrap: anywhere; }
nav { margin: 24px 0 8px; padding: 12px 20px; background: #f5f7fa; font-size: 13.5px; columns: 2; }
nav a { display: block; color: #1F4E79; text-decoration: none; }
table { width: 100%; margin: 10px 0 18px; border-collapse: collapse; table-layout: fixed; font-size: 12.5px;
  line-height: 1.5; }
th { background: #eef2f6; border-top: 1.5px solid #222; border-bottom: 1px solid #222; font-weight: 600; }
td { border-bottom: 1px solid #dde2e7; }
th, td { padding: 5px 7px; vertical-align: top; text-align: left; font-variant-numeric: tabular-nums; }
th.middle, td.middle { text-align: center; }
th.right, td.right { text-align: right; }
tr.total td { background: #eef2f6; font-weight: 600; }
.sub { display: block; color: #666; font-size: 11.5px; }
figure { margin: 14px 0; break-inside: avoid; }
figure svg { display: block; width: 100%; height: auto; }
figcaption { text-align: center; color: #666; font-size: 12.5px; }
hr { border: 0; margin: 36px 0; }
@media print {
  body { background: #fff; } main { max-width: none; margin: 0; padding: 0; box-shadow: none; }
  thead { display: table-header-group; } tr { break-inside: avoid; } hr { break-after: page; }
}
"""


def as_html(blocks: Sequence[Block], cover: Cover) -> str:
    """The blocks as a page with a table of contents. The same blocks give the same text."""
    headings = [block.text for block in blocks if isinstance(block, Text) and block.role == "heading"]
    first = next((at for at, block in enumerate(blocks) if _is_heading(block)), len(blocks))
    body = [*_written(blocks[:first], 0), *_contents(headings), *_written(blocks[first:], 0)]
    return "\n".join(
        (
            "<!doctype html>",
            f'<html lang="{"zh-CN" if cover.lang == "zh" else cover.lang}">',
            '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(cover.title)}</title>",
            f"<style>{STYLE}</style></head>",
            "<body><main>",
            *body,
            "</main></body></html>",
            "",
        )
    )


def _is_heading(block: Block) -> bool:
    return isinstance(block, Text) and block.role == "heading"


def _contents(headings: list[str]) -> Iterator[str]:
    if len(headings) > 1:
        yield "<nav>"
        yield from (f'<a href="#part{no}">{escape(text)}</a>' for no, text in enumerate(headings, 1))
        yield "</nav>"


def _written(blocks: Sequence[Block], headings: int) -> Iterator[str]:
    for block in blocks:
        match block:
            case Text(role, text):
                headings += role == "heading"
                tag = TAGS.get(role, "p")
                name = f' id="part{headings}"' if role == "heading" else f' class="{role}"' if tag == "p" else ""
                yield f"<{tag}{name}>{escape(text)}</{tag}>"
            case Table():
                yield from _table(block)
            case Figure(drawing):
                yield f"<figure>{_svg(drawing)}<figcaption>{escape(drawing.alt)}</figcaption></figure>"
            case PageBreak():
                yield "<hr>"


def _table(table: Table) -> Iterator[str]:
    whole = sum(column.width for column in table.columns)
    yield "<table><colgroup>"
    yield from (f'<col style="width:{100 * column.width / whole:.2f}%">' for column in table.columns)
    yield "</colgroup><thead><tr>"
    yield from (f"<th{_aligned(column)}>{_cell(column.title)}</th>" for column in table.columns)
    yield "</tr></thead><tbody>"
    yield from (_row(row, table.columns) for row in table.rows)
    yield "</tbody></table>"


def _row(row: Row, columns: tuple[Column, ...]) -> str:
    cells = "".join(f"<td{_aligned(c)}>{_cell(text)}</td>" for text, c in zip(row.cells, columns, strict=True))
    return f'<tr class="total">{cells}</tr>' if row.is_total else f"<tr>{cells}</tr>"


def _cell(text: str) -> str:
    first, *rest = text.split("\n")
    return escape(first) + "".join(f'<span class="sub">{escape(part)}</span>' for part in rest)


def _aligned(column: Column) -> str:
    return "" if column.align == "left" else f' class="{column.align}"'


def _svg(drawing: Drawing) -> str:
    shapes = "".join(_shape(shape) for shape in drawing.shapes)
    size = f"0 0 {_mm(drawing.width)} {_mm(drawing.height)}"
    return f'<svg viewBox="{size}" role="img" aria-label="{escape(drawing.alt)}">{shapes}</svg>'


def _shape(shape: Shape) -> str:
    match shape:
        case Box(x, y, width, height, colour):
            return f'<rect x="{_mm(x)}" y="{_mm(y)}" width="{_mm(width)}" height="{_mm(height)}" fill="{colour}"/>'
        case Line(x1, y1, x2, y2, colour, width):
            ends = f'x1="{_mm(x1)}" y1="{_mm(y1)}" x2="{_mm(x2)}" y2="{_mm(y2)}"'
            return f'<line {ends} stroke="{colour}" stroke-width="{_mm(width)}"/>'
        case Dot(x, y, radius, colour):
            return f'<circle cx="{_mm(x)}" cy="{_mm(y)}" r="{_mm(radius)}" fill="{colour}"/>'
        case Label(x, y, text, size, anchor, colour):
            place = f'x="{_mm(x)}" y="{_mm(y + size * POINT * 0.36)}"'
            how = f'font-size="{_mm(size * POINT)}" text-anchor="{ANCHORS[anchor]}" fill="{colour}"'
            return f"<text {place} {how}>{escape(text)}</text>"


def _mm(length: float) -> str:
    return f"{length:.2f}".rstrip("0").rstrip(".")

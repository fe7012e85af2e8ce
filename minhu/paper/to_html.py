"""Blocks as one HTML file that needs nothing else: no script, no font, no picture of another address.

On a narrow screen a table's rows stand one below the other, each cell behind its column's title.
"""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import chain

from minhu.paper.blocks import Block, Column, Cover, Figure, PageBreak, Row, Table, Text
from minhu.paper.names import Names
from minhu.paper.to_svg import as_svg

TAGS = {"title": "h1", "heading": "h2", "subheading": "h3"}
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
p.seal { margin: 28px 0 12px; text-align: right; white-space: pre-line; font-size: 16px; }
h1, h2, h3, p, td, th, nav a { overflow-wrap: anywhere; }
.name { word-break: keep-all; }
.mark { margin: 0 0 16px; padding: 4px 12px; border: 1px solid #A32A22; color: #A32A22; text-align: center; }
footer { margin-top: 32px; padding-top: 8px; border-top: 1px solid #dde2e7; color: #666; font-size: 12px;
  text-align: center; overflow-wrap: anywhere; }
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
figure { margin: 14px auto; max-width: 760px; break-inside: avoid; }
figure div { overflow-x: auto; background: linear-gradient(90deg, #fff 40%, #fff0) left / 40px 100% local no-repeat,
  linear-gradient(270deg, #fff 40%, #fff0) right / 40px 100% local no-repeat,
  linear-gradient(90deg, #0003, #0000) left / 12px 100% scroll no-repeat,
  linear-gradient(270deg, #0003, #0000) right / 12px 100% scroll no-repeat; }
figure svg { display: block; width: 100%; min-width: 600px; height: auto; }
figcaption { text-align: center; color: #666; font-size: 12.5px; }
hr { border: 0; border-top: 1px solid #dde2e7; margin: 36px 0; }
@media screen and (max-width: 720px) {
  main { margin: 0; padding: 20px 16px 40px; box-shadow: none; }
  h1 { font-size: 21px; } h2 { font-size: 17px; } nav { columns: 1; }
  table, tbody { display: block; width: auto; }
  thead, colgroup { display: none; }
  tr { display: flex; flex-wrap: wrap; margin: 0 0 12px; padding: 6px 10px; border: 1px solid #dde2e7;
    border-radius: 4px; }
  tr.total { background: #eef2f6; }
  td, td.middle, td.right { display: flex; flex: 0 0 100%; gap: 10px; padding: 4px 0; border: 0; text-align: left;
    font-size: 14px; }
  td.middle, td.right { flex-basis: 50%; }
  td::before { content: attr(data-title); flex: 0 0 5.5em; color: #666; font-size: 12.5px; line-height: 21px;
    font-weight: 400; white-space: pre-line; }
  td > div { min-width: 0; }
  td.nothing { display: none; }
}
@media print {
  body { background: #fff; } main { max-width: none; margin: 0; padding: 0; box-shadow: none; }
  thead { display: table-header-group; } tr { break-inside: avoid; } h2, h3 { break-after: avoid; }
  figure svg { min-width: 0; }
}
"""


def as_html(blocks: Sequence[Block], cover: Cover) -> str:
    """The blocks as a page with a table of contents. The same blocks give the same text."""
    headings = [block.text for block in blocks if isinstance(block, Text) and block.role == "heading"]
    first = next((at for at, block in enumerate(blocks) if _is_heading(block)), len(blocks))
    mark = [f'<p class="mark">{escape(cover.mark)}</p>'] if cover.mark else []
    foot = [f"<footer>{escape(cover.foot)}</footer>"] if cover.foot else []
    parts = (_written(blocks[:first], 0, cover.names), _contents(headings), _written(blocks[first:], 0, cover.names))
    body = [*mark, *chain.from_iterable(parts), *foot]
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


def _written(blocks: Sequence[Block], headings: int, names: Names) -> Iterator[str]:
    for block in blocks:
        match block:
            case Text(role, text):
                headings += role == "heading"
                tag = TAGS.get(role, "p")
                name = f' id="part{headings}"' if role == "heading" else f' class="{role}"' if tag == "p" else ""
                yield f"<{tag}{name}>{_told(text, names)}</{tag}>"
            case Table():
                yield from _table(block, names)
            case Figure(drawing):
                yield f"<figure><div>{as_svg(drawing)}</div><figcaption>{escape(drawing.alt)}</figcaption></figure>"
            case PageBreak():
                yield "<hr>"


def _table(table: Table, names: Names) -> Iterator[str]:
    whole = sum(column.width for column in table.columns)
    yield "<table><colgroup>"
    yield from (f'<col style="width:{100 * column.width / whole:.2f}%">' for column in table.columns)
    yield "</colgroup><thead><tr>"
    yield from (f"<th{_classes(column)}>{_cell(column.title, names)}</th>" for column in table.columns)
    yield "</tr></thead><tbody>"
    yield from (_row(row, table.columns, names) for row in table.rows)
    yield "</tbody></table>"


def _row(row: Row, columns: tuple[Column, ...], names: Names) -> str:
    cells = "".join(
        f'<td{_classes(column, text)} data-title="{escape(column.title)}"><div>{_cell(text, names)}</div></td>'
        for text, column in zip(row.cells, columns, strict=True)
    )
    return f'<tr class="total">{cells}</tr>' if row.is_total else f"<tr>{cells}</tr>"


def _cell(text: str, names: Names) -> str:
    first, *rest = text.split("\n")
    return _told(first, names) + "".join(f'<span class="sub">{_told(part, names)}</span>' for part in rest)


def _told(text: str, names: Names) -> str:
    """The text, with the names in it free to break between their words only."""
    return "".join(
        escape(piece[0]) if len(piece) == 1 else f'<span class="name">{"<wbr>".join(map(escape, piece))}</span>'
        for piece in names.pieces(text)
    )


def _classes(column: Column, text: str = "-") -> str:
    told = [column.align] * (column.align != "left") + ["nothing"] * (not text.strip())
    return f' class="{" ".join(told)}"' if told else ""

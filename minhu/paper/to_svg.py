"""A drawing as SVG inside a page, with no style of its own: colours and sizes are attributes."""

from html import escape

from minhu.paper.charts import POINT, Box, Dot, Drawing, Label, Line, Shape

ANCHORS = {"left": "start", "middle": "middle", "right": "end"}


def as_svg(drawing: Drawing) -> str:
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

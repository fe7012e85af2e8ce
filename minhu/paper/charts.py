"""Drawings as shapes on paper, in millimetres from the upper left; PDF draws them as vectors, Word shows a bitmap."""

from dataclasses import dataclass
from io import BytesIO

from minhu.paper.fonts import Faces

INK, GREY, RULE, BLUE = "#222222", "#666666", "#CFCFCF", "#1F4E79"
BAND_COLOURS = ("#2F6F5E", "#86B09B", "#E0BE6C", "#B8503F", "#7A3B69", "#54606B")
POINT = 25.4 / 72
DPI = 220


@dataclass(frozen=True)
class Box:
    x: float
    y: float
    width: float
    height: float
    colour: str


@dataclass(frozen=True)
class Line:
    x1: float
    y1: float
    x2: float
    y2: float
    colour: str = RULE
    width: float = 0.2


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    radius: float
    colour: str


@dataclass(frozen=True)
class Label:
    """Text whose middle line is at ``y``; ``x`` is its left, middle or right end. ``size`` in points."""

    x: float
    y: float
    text: str
    size: float = 8.5
    anchor: str = "left"
    colour: str = INK


Shape = Box | Line | Dot | Label


@dataclass(frozen=True)
class Drawing:
    """``alt``: what it shows, in words."""

    width: float
    height: float
    shapes: tuple[Shape, ...]
    alt: str


def as_png(drawing: Drawing, faces: Faces) -> bytes:
    """The drawing as a PNG on white."""
    from PIL import Image, ImageDraw, ImageFont

    scale = DPI / 25.4
    image = Image.new("RGB", (round(drawing.width * scale), round(drawing.height * scale)), "white")
    brush = ImageDraw.Draw(image)

    def box(x1: float, y1: float, x2: float, y2: float) -> tuple[float, float, float, float]:
        return x1 * scale, y1 * scale, x2 * scale, y2 * scale

    for shape in drawing.shapes:
        match shape:
            case Box(x, y, width, height, colour):
                brush.rectangle(box(x, y, x + width, y + height), fill=colour)
            case Line(x1, y1, x2, y2, colour, width):
                brush.line(box(x1, y1, x2, y2), fill=colour, width=max(1, round(width * scale)))
            case Dot(x, y, radius, colour):
                brush.ellipse(box(x - radius, y - radius, x + radius, y + radius), fill=colour)
            case Label(x, y, text, size, anchor, colour):
                font = ImageFont.truetype(str(faces.sans.path), size * POINT * scale, index=faces.sans.index)
                middle = {"left": "lm", "middle": "mm", "right": "rm"}[anchor]
                brush.text((x * scale, y * scale), text, colour, font, middle)
    out = BytesIO()
    image.save(out, "PNG", dpi=(DPI, DPI), optimize=False)
    return out.getvalue()

"""The last lines of a bulletin: the anchor of its release as text and as a QR code. Every copy is a witness."""

from collections.abc import Iterator

import segno

from minhu.export.report import Report
from minhu.export.words import Words
from minhu.paper.blocks import WIDTH, Block, Figure, Text
from minhu.paper.charts import INK, Box, Drawing
from minhu.publish.anchor import BULLETIN

SIDE = 42.0
"""Of the code, in millimetres, with the white around it that readers need."""
_OVERLAP = 0.02
"""Between rows of the code, so that no viewer draws a hair between them."""


def anchored(report: Report, words: Words) -> Iterator[Block]:
    """Nothing for a draft."""
    if report.release is None or report.release.anchor is None:
        return
    yield Text("subheading", words("anchor"))
    yield Text("body", words("said_anchor", period=report.period))
    yield Text("small", report.release.anchor)
    yield Figure(code(f"{report.release.anchor}\nwitness: {BULLETIN}", words("anchor_code")))


def code(text: str, alt: str) -> Drawing:
    """A QR code, in the middle of the page's width."""
    rows = [[bool(dark) for dark in row] for row in segno.make(text, error="m", micro=False).matrix_iter(border=4)]
    module = SIDE / len(rows)
    left = (WIDTH - SIDE) / 2
    shapes = tuple(
        Box(left + start * module, at * module, length * module, module + _OVERLAP, INK)
        for at, row in enumerate(rows)
        for start, length in _runs(row)
    )
    return Drawing(WIDTH, SIDE, shapes, alt)


def _runs(row: list[bool]) -> Iterator[tuple[int, int]]:
    """Where the dark modules of a row begin, and how many stand together."""
    start = None
    for at, dark in enumerate([*row, False]):
        if dark and start is None:
            start = at
        elif not dark and start is not None:
            yield start, at - start
            start = None

"""A workbook to fill in: the header of what a file enters, text columns, and lists where a word is one of a few."""

import io
from collections.abc import Mapping

from minhu.assess.files import LAYOUTS
from minhu.glossary.cases import LEFT_OUT, VIOLATION
from minhu.glossary.decided import ACT
from minhu.glossary.kind import Kind

ONE_OF: Mapping[str, Kind] = {"grounds_code": LEFT_OUT, "reason_code": LEFT_OUT, "violation_code": VIOLATION}
"""Columns whose words are known; a city may have codes of its own, which are let in too."""
_ROWS = 2_000
_WIDE = ("statement", "reason", "evidence_ref")


def blank_sheet(act: str) -> bytes:
    """The workbook, in Chinese; every cell is text, so that no number of a case is rounded."""
    import xlsxwriter

    made = io.BytesIO()
    book = xlsxwriter.Workbook(made, {"in_memory": True})
    sheet = book.add_worksheet(ACT.zh(act))
    text = book.add_format({"num_format": "@", "text_wrap": True, "valign": "top"})
    needed, may_be = (book.add_format({"bold": bold, "bg_color": "#e8eef4", "bottom": 1}) for bold in (True, False))
    for place, column in enumerate(LAYOUTS[act]):
        sheet.set_column(place, place, 36 if column.name in _WIDE else 18, text)
        sheet.write(0, place, column.name_zh, needed if column.is_required else may_be)
        if column.name in ONE_OF:
            words = [ONE_OF[column.name].zh(code) for code in ONE_OF[column.name]]
            sheet.data_validation(
                1, place, _ROWS, place, {"validate": "list", "source": words, "error_type": "information"}
            )
    sheet.freeze_panes(1, 0)
    book.close()
    return made.getvalue()

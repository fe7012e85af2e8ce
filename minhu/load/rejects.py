"""Rejected rows go back to the sender: what is wrong with each, in the sender's own columns."""

import csv
import json
from pathlib import Path

from minhu.errors import Refused
from minhu.glossary.delivered import DOOR_MEND, DOOR_REASON
from minhu.load import batch
from minhu.privacy import access_log
from minhu.settings import Settings


def export_rejects(settings: Settings, batch_id: int, path: Path, why: str) -> int:
    """Writes the rejected rows of a batch as CSV (UTF-8 with BOM, as Excel reads it); returns their number.

    Only the sender's own rows are in it, with three columns before them: row, reason, column. The corrected rows come
    back as a delivery of their own. The reading is logged with its reason. Raises Refused without a reason, and when
    the batch rejected nothing.
    """
    with access_log.reading(settings, "rejected_rows", why, batch_id=batch_id) as connection:
        batch.find(connection, batch_id)
        rows = connection.execute(
            "select row_number, reason_code, column_name, raw from restricted.rejected_row where batch_id = %s"
            " order by row_number",
            [batch_id],
        ).fetchall()
    if not rows:
        raise Refused(f"batch {batch_id} rejected no row")
    names = list(dict.fromkeys(name for *_, raw in rows for name in raw))
    path.touch(mode=0o600)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["原文件行", "原因", "列", *names])
        for number, reason, column, raw in rows:
            cells = [_cell(raw.get(name)) for name in names]
            writer.writerow(
                [
                    number,
                    f"{DOOR_REASON.said(reason)}（{reason}）：{DOOR_MEND.said(f'mend_{reason.lower()}')}",
                    column,
                    *cells,
                ]
            )
    return len(rows)


def _cell(value: object) -> object:
    """What a sheet would take for a formula is quoted: the file is opened by people."""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value
    return f"'{text}" if isinstance(text, str) and text.startswith(("=", "+", "-", "@")) else text

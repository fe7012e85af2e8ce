"""The whole report as JSON: decimals as text (they are exact), moments in ISO 8601, in the names of ``Report``."""

import json
from dataclasses import fields
from io import BytesIO, TextIOWrapper

from minhu.export.report import Report
from minhu.schemes.plain import one_level

FORMAT = "minhu-report/2"
"""2: rates, targets and the ends of intervals all in percent; people by name and office."""


def as_json(report: Report) -> bytes:
    """One object: the report's own fields, ``format`` and ``status`` before them.

    Written piece by piece: the evidence of a large city is hundreds of thousands of rows.
    """
    status = "draft" if report.is_draft else "published"
    told = {"format": FORMAT, "status": status} | {one.name: getattr(report, one.name) for one in fields(report)}
    out = BytesIO()
    with TextIOWrapper(out, encoding="utf-8", newline="") as text:
        text.writelines(json.JSONEncoder(ensure_ascii=False, indent=1, default=one_level).iterencode(told))
        text.write("\n")
        text.flush()
        return out.getvalue()

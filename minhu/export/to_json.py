"""The whole report as JSON: decimals as text (they are exact), moments in ISO 8601, in the names of ``Report``."""

import json
from dataclasses import fields

from minhu.export.report import Report
from minhu.scoring.plain import plain

FORMAT = "minhu-report/1"


def as_json(report: Report) -> bytes:
    """One object: the report's own fields, ``format`` and ``status`` before them."""
    status = "draft" if report.is_draft else "published"
    told = {"format": FORMAT, "status": status} | {one.name: plain(getattr(report, one.name)) for one in fields(report)}
    return (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode()

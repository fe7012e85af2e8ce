"""What a scheme counts, as SQL is told it: which rows of which measure make the numbers of each indicator.

How a number becomes points SQL does not know: that says ``minhu.schemes.tally`` alone.
"""

import base64
import json
from typing import Any

from minhu.schemes.language.indicator import Line
from minhu.schemes.period import PeriodKind
from minhu.schemes.scheme import Scheme


def counting(scheme: Scheme, kind: PeriodKind) -> dict[str, Any]:
    """Plain values: the time zone, the peer groups, and one entry for each count of an indicator.

    What does not apply in such a period counts no row.
    """
    return {
        "timezone": scheme.timezone,
        "peer_groups": [group.code for group in scheme.peer_groups],
        "counts": [
            _count(one) | ({} if one.applies_in(kind) else {"measure": None, "entry": None}) for one in scheme.lines
        ],
    }


def as_variable(scheme: Scheme, kind: PeriodKind) -> str:
    """The same as a var of dbt: base64 of its JSON, which no quoting can hurt."""
    return base64.b64encode(json.dumps(counting(scheme, kind), ensure_ascii=False).encode()).decode()


def _count(indicator: Line) -> dict[str, Any]:
    answers = indicator.answers
    return {
        "indicator_code": indicator.code,
        "measure": indicator.measure,
        "moment": indicator.moment,
        "aggregate": indicator.aggregate,
        "peer_groups": indicator.peer_groups,
        "counts_support": indicator.support_units == "in",
        "weights": answers and answers.weights and {code: str(weight) for code, weight in answers.weights.items()},
        "recheck": answers.recheck if answers else (),
        "take": answers.take if answers else "every",
        "rows": indicator.rows and indicator.rows.model_dump(mode="json", exclude_none=True),
        "repeated": indicator.repeated and indicator.repeated.model_dump(mode="json"),
        "denominator": indicator.denominator,
        "entry": "change" if indicator.is_event else getattr(indicator.scoring, "entry", None),
        "is_percent": indicator.is_percent,
        "is_lower_better": indicator.is_lower_better,
        "is_told_by_rows": indicator.is_told_by_rows,
        "loses_by_rows": indicator.loses_by_rows,
    }

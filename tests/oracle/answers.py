"""Which of several answers about one assignment counts, and what it weighs (`answers` of an indicator)."""

from collections import defaultdict
from dataclasses import replace
from datetime import datetime

from tests.oracle.measures import Row
from tests.oracle.numbers import exact


def weighed(rows: list[Row], told: dict, as_of: datetime) -> list[Row]:
    """The rows as the scheme looks at them: answers that do not count are excluded, the others weigh what it says."""
    given = defaultdict(list)
    found = [replace(row) for row in rows]
    for row in sorted(found, key=lambda row: (row.called_at, row.name or "")):
        if row.excluded is None and row.answer is not None and row.called_at <= as_of:
            given[id(row.assignment)].append(row)
    for answered in given.values():
        answers = [row.answer for row in answered]
        for place, row in enumerate(answered):
            row.excluded = _reason(told, answers, place)
    weights = told.get("weights")
    for row in found if weights else ():
        if row.answer in weights:
            row.numerator = exact(weights[row.answer])
        else:
            row.excluded = row.excluded or "not_weighed"
    return found


def _reason(told: dict, answers: list[str], place: int) -> str | None:
    take, bad = told.get("take", "every"), told.get("recheck", ())
    is_last = place == len(answers) - 1
    if (take == "first" and place) or (take == "last" and not is_last):
        return f"not_the_{take}"
    if answers[place] in bad and not any(answer in bad for answer in answers[:place]):
        return "recheck_due" if is_last else "rechecked"
    return None

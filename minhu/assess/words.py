"""An appeal as people read it: heads, states, grounds and limits in words."""

from minhu.glossary.cases import LEFT_OUT
from minhu.glossary.columns import HANDED_IN
from minhu.glossary.decided import APPEAL_COLUMN, DECISION_STATE
from minhu.schemes.words import limit


def in_words(row: dict, columns: tuple[str, ...]) -> dict:
    """The columns of a row of ``listing`` under their heads. A term ends at 24:00 of its last day."""
    told = row | {
        "state": DECISION_STATE.said(row["state"]),
        "grounds_code": LEFT_OUT.said(row["grounds_code"]),
        "decide_by": row["decide_by"] and limit(row["decide_by"]),
    }
    return {(APPEAL_COLUMN if name in APPEAL_COLUMN else HANDED_IN).zh(name): told[name] for name in columns}

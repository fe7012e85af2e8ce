"""Scoring: a published scheme turns the facts of a period into unit scores; each lost point leads back to its rows."""

from minhu.scoring.explain import explain
from minhu.scoring.explanation import Explanation
from minhu.scoring.render import render, render_scores, render_trial, render_what_if
from minhu.scoring.score import ScoreResult, last_score, score
from minhu.scoring.whatif import WhatIf, what_if

__all__ = [
    "Explanation",
    "ScoreResult",
    "WhatIf",
    "explain",
    "last_score",
    "render",
    "render_scores",
    "render_trial",
    "render_what_if",
    "score",
    "what_if",
]

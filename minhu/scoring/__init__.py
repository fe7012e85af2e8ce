"""Scoring: a published scheme turns the facts of a period into unit scores; each lost point leads back to its rows."""

from minhu.scoring.compare import Change, compare
from minhu.scoring.explain import explain
from minhu.scoring.explanation import Explanation
from minhu.scoring.render import render, render_scores, render_trial, render_what_if
from minhu.scoring.scheme import Scheme, find_scheme, load_scheme, load_schemes, read_scheme
from minhu.scoring.score import ScoreResult, last_score, score
from minhu.scoring.trial import Trial, try_scheme
from minhu.scoring.whatif import WhatIf, what_if

__all__ = [
    "Change",
    "Explanation",
    "Scheme",
    "ScoreResult",
    "Trial",
    "WhatIf",
    "compare",
    "explain",
    "find_scheme",
    "last_score",
    "load_scheme",
    "load_schemes",
    "read_scheme",
    "render",
    "render_scores",
    "render_trial",
    "render_what_if",
    "score",
    "try_scheme",
    "what_if",
]

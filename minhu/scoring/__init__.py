"""Scoring: a published scheme turns the facts of a period into unit scores; each lost point leads back to its rows."""

from minhu.scoring.explain import Explanation, explain
from minhu.scoring.render import render, render_scores
from minhu.scoring.scheme import Scheme, load_scheme, load_schemes
from minhu.scoring.score import ScoreResult, last_score, score

__all__ = [
    "Explanation",
    "Scheme",
    "ScoreResult",
    "explain",
    "last_score",
    "load_scheme",
    "load_schemes",
    "render",
    "render_scores",
    "score",
]

"""The two quality gates: what arrived, batch by batch, and what may be published.

rules       what the rules are: the strict model of expectations/
measure     the SQL pass that measures a run's batches and sets the limits that their history gives
gx          Great Expectations, which judges; the only module that imports it
failing     which rows a rule calls bad, as SQL that runs as pasted
gates       a run: judge, decide, record
results     what is recorded of a run
register    the rules as people read them; coverage: which columns they guard
"""

from minhu.quality.gates import judge_arrivals, judge_release, list_held, release_batch
from minhu.quality.results import FailedRule, GateResult, HeldBatch
from minhu.quality.rules import ROOT, read_rules

__all__ = [
    "ROOT",
    "FailedRule",
    "GateResult",
    "HeldBatch",
    "judge_arrivals",
    "judge_release",
    "list_held",
    "read_rules",
    "release_batch",
]

"""What a recomputation builds, and what it may leave out."""

import pytest

from minhu.publish.recompute import _NOT_ASKED, SCRATCH
from minhu.scoring.score import RESULTS
from minhu.warehouse import dbt


@pytest.fixture(scope="module")
def asked(warehouse) -> set[str]:
    """Names of all that scoring rests on: models, and the facts that it reads as tables of mart."""
    nodes = dbt.manifest(warehouse, {"scratch": SCRATCH}).nodes
    below = {node.name: node.depends_on.nodes for node in nodes.values() if node.resource_type == "model"}
    found: set[str] = set()
    waiting = [*RESULTS]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [one.rsplit(".", 1)[1] for one in below.get(name, ())]
    return found


def test_what_is_not_built_is_asked_by_no_score(asked):
    assert asked >= {"fct_case", "fct_timeliness", "int_event__winning", "measure_close_on_time"}
    assert not asked & set(_NOT_ASKED)

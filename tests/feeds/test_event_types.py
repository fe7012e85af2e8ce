"""The types of events: one list, and the same codes wherever SQL or JSON must write them out."""

import re

from minhu import quality
from minhu.feeds.canonical import EVENT_TYPES
from minhu.settings import PROJECT_ROOT
from tests.oracle.lifecycle import LIFE


def test_every_event_type_has_one_place_in_the_life_cycle_and_the_second_path_agrees():
    macros = (PROJECT_ROOT / "dbt_project" / "macros" / "events.sql").read_text(encoding="utf-8")
    ranked = re.findall(r"'([A-Z_]+)'", macros.partition("array[")[2].partition("]")[0])
    assert sorted(ranked) == sorted(EVENT_TYPES)
    assert ranked == LIFE


def test_the_arrival_gate_lets_every_event_type_in_and_no_other():
    rules = {rule.id: dict(rule.kwargs) for rule in quality.read_rules(quality.ROOT, "arrival")}
    assert rules["arrival.event_type"]["value_set"] == EVENT_TYPES

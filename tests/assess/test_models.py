"""The models' own worked examples about decisions: dbt's unit tests, which a production run leaves out."""

from minhu import config
from minhu.warehouse import dbt


def test_every_worked_example_of_decisions_holds(scratch):
    settings = scratch()
    version = config.sync(settings)
    told = dbt.run(settings, "tag:facts", {"build_id": 0, "config_version": version}, unit_tests=True)
    assert told.is_ok, told.complaint
    examples = {node.node.rsplit(".", 1)[-1] for node in told.nodes if node.node.startswith("unit_test")}
    assert examples >= {
        "a_decision_stands_until_one_that_this_build_sees_revokes_it",
        "a_hotlines_word_and_what_people_decided_stand_side_by_side",
        "a_case_is_excluded_by_what_is_about_all_of_it",
        "a_violation_is_told_by_a_feed_or_entered_by_a_person",
    }

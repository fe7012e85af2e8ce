"""The models' own worked examples: dbt's unit tests, which a production run leaves out."""

from minhu import database
from minhu.schemes.period import Period
from minhu.scoring.score import _choose
from minhu.warehouse import dbt


def test_every_worked_example_of_the_models_holds(october):
    with database.connect(october.settings) as connection:
        run = _choose(connection, Period.parse("2026-10"), None)
    told = dbt.run(october.settings, "tag:scoring", run.variables, unit_tests=True)
    assert told.is_ok, told.complaint
    assert sum("unit_test" in node.node for node in told.nodes) > 8

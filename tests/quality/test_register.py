"""The register of rules and the coverage report tell the truth."""

import json
import re

import pytest
from click.testing import CliRunner

from minhu import database, quality
from minhu.cli import minhu
from minhu.quality import register, rules
from minhu.quality.coverage import coverage
from minhu.settings import PROJECT_ROOT


@pytest.fixture(scope="module")
def covered(warehouse):
    return {column.column: column for column in coverage(warehouse)}


def test_the_page_of_rules_is_the_one_the_project_prints():
    assert (PROJECT_ROOT / "docs" / "quality-rules.md").read_text(encoding="utf-8") == register.markdown()


def test_the_listing_is_ready_for_json():
    told = json.loads(CliRunner().invoke(minhu, ["quality", "rules", "--json"]).output)
    assert [rule["rule_id"] for rule in told] == [
        rule.id for gate in ("arrival", "release") for rule in quality.read_rules(quality.ROOT, gate)
    ]
    assert all(rule["owner"] and rule["basis"] and rule["title_zh"] for rule in told)


def test_every_column_that_a_rule_guards_exists(warehouse, covered):
    guarded = {
        column for gate in ("arrival", "release") for r in quality.read_rules(quality.ROOT, gate) for column in r.guards
    }
    with database.connect(warehouse) as connection:
        audited = connection.execute(
            "select 'audit.' || table_name || '.' || column_name from information_schema.columns"
            " where table_schema = 'audit'"
        ).fetchall()
    assert guarded - covered.keys() <= {name for (name,) in audited}


def test_the_coverage_names_what_guards_a_column_and_what_nothing_guards(covered):
    category = covered["staging.case_record.category_code"]
    assert {"arrival.category_present", "arrival.category_known", "arrival.fields_lost"} <= set(category.rules)
    assert covered["staging.case_record.received_at"].door_checks == ("not_null", "type", "required")
    assert covered["staging.case_event.event_type"].door_checks == ("not_null", "codes", "required")
    case = covered["mart.fct_case.case_id"]
    assert case.dbt_tests[0] == "unique" and "key" in case.door_checks
    flag = covered["mart.fct_timeliness.is_closed_on_time"]
    assert flag.dbt_tests == ("every_flag_of_an_open_assignment_is_null", "no_duty_outlives_the_one_after_it")
    bare = {name for name, column in covered.items() if not column.is_guarded}
    assert "mart.dim_area.city_code" in bare
    assert not [name for name in bare if name.endswith(("_at", "batch_id", "row_hash")) and name.startswith("staging")]


def test_every_query_of_the_page_for_auditors_runs(warehouse):
    text = (PROJECT_ROOT / "docs" / "quality.md").read_text(encoding="utf-8")
    queries = [query for block in re.findall(r"```sql\n(.*?)```", text, re.DOTALL) for query in block.split(";")[:-1]]
    assert len(queries) == 3
    with database.connect(warehouse) as connection:
        for query in queries:
            connection.execute(query)


def test_a_rule_on_measures_is_another_version_when_they_are_measured_otherwise(monkeypatch: pytest.MonkeyPatch):
    def versions() -> dict[str, str]:
        return {rule.id: rule.hash for gate in rules.GATES for rule in quality.read_rules(quality.ROOT, gate)}

    before = versions()
    monkeypatch.setattr(rules, "fingerprint", lambda: "of other SQL")
    changed = {rule for rule, version in versions().items() if version != before[rule]}
    assert changed == {rule for rule in before if rule.startswith("arrival.")}, "a release is judged by its own rows"

"""The contracts of the dbt project, the tables of the database and those who read them say the same."""

import pytest

from minhu import database
from minhu.glossary.coded import CODED
from minhu.scoring import score
from minhu.scoring.score import RESULTS
from minhu.warehouse import dbt
from minhu.warehouse.applying import DIMENSIONS, EVIDENCE, FACTS
from minhu.warehouse.build import BuildFailed, build
from minhu.warehouse.comments import word_codes
from tests.warehouse import test_build, test_readers
from tests.warehouse.test_build import case, facts, load, query

city = test_build.city  # the fixture: two hotlines, two units
project = test_readers.project

COLUMNS = """
select attname, format_type(atttypid, atttypmod), attnotnull
from pg_attribute
where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
    and not (attname = 'scored_at' and atthasdef)  -- the database's clock, no model's column
"""


@pytest.fixture(scope="module")
def built(scratch, tmp_path_factory):
    """A warehouse in which everything was made once, and dbt's manifest of it."""
    made = test_build.city.__wrapped__(scratch, tmp_path_factory.mktemp("contracts"))
    load(made, "cases", [case(1)])
    build(made)
    score(made, "2026-10")
    return made, dbt.manifest(made, {}).writable_manifest().to_dict(omit_none=True)


def contract(city, model):
    """(column, type as the database calls it, not null) of a model's declared columns."""
    types = {column["data_type"] for column in model["columns"].values()}
    names = dict(query(city, "select said, format_type(said::regtype, null) from unnest(%s::text[]) as said", [*types]))
    return {
        (name, names[column["data_type"]], any(c["type"] == "not_null" for c in column["constraints"]))
        for name, column in model["columns"].items()
    }


@pytest.mark.parametrize("table", [*FACTS, *DIMENSIONS, *EVIDENCE, *RESULTS])
def test_a_contract_is_the_table_that_people_read(built, table):
    city, manifest = built
    model = manifest["nodes"][f"model.minhu.{table}"]
    schema = "audit" if table in EVIDENCE else "mart"
    assert model["config"]["contract"]["enforced"] is True
    assert contract(city, model) == set(query(city, COLUMNS, f"{schema}.{table}"))
    assert contract(city, model) == set(query(city, COLUMNS, f"build.{table}")), "what dbt made of it"


def test_every_view_of_mart_has_the_columns_of_its_contract(built):
    city, manifest = built
    views = [name for (name,) in query(city, "select viewname from pg_views where schemaname = 'mart'")]
    made_by_dbt = {view: f"model.minhu.{view}" for view in views}  # the others belong to sql/
    models = {view: manifest["nodes"][key] for view, key in made_by_dbt.items() if key in manifest["nodes"]}
    assert len(models) > 8
    row = manifest["nodes"]["model.minhu.measured_row"]
    for view, model in models.items():
        columns = contract(city, row if view.startswith("measure_") else model)
        assert columns == set(query(city, COLUMNS, f"mart.{view}")), view


def test_every_column_of_mart_is_told_in_both_languages(built):
    city, _ = built
    bare = query(
        city,
        "select relname, attname from pg_class join pg_attribute on attrelid = pg_class.oid"
        " where relnamespace = 'mart'::regnamespace and relkind in ('r', 'p', 'v') and attnum > 0"
        " and not relispartition and not attisdropped and attname <> 'scored_at'"
        " and coalesce(col_description(pg_class.oid, attnum), '') not like '%% — %%'",
    )
    assert bare == []


def test_a_column_of_codes_is_a_vocabulary_and_the_words_are_the_glossarys(built):
    city, _ = built
    words = query(city, "select vocabulary, code, label_zh, label_en from mart.dim_code order by vocabulary, sort_no")
    assert [tuple(row) for row in words] == [
        (vocabulary, code, word.zh, word.en) for vocabulary in sorted(CODED) for code, word in CODED[vocabulary].items()
    ]
    columns = {name for (name,) in query(city, "select attname from pg_attribute where attrelid in"
               " (select oid from pg_class where relnamespace = 'mart'::regnamespace)")}  # fmt: skip
    assert set(CODED) <= columns


def test_a_closed_list_of_the_project_is_the_vocabulary(built):
    _, manifest = built
    tests = [
        node for node in manifest["nodes"].values() if node.get("test_metadata", {}).get("name") == "accepted_values"
    ]
    lists = {
        node["column_name"]: set(node["test_metadata"]["kwargs"]["values"])
        for node in tests
        if node["attached_node"].split(".")[-1].startswith(("fct_", "dim_"))
    }
    assert {"request_type", "unit_role", "satisfaction_level"} <= lists.keys()
    assert {name: codes for name, codes in lists.items() if name in CODED and codes != set(CODED[name])} == {}


def test_words_that_changed_are_written_anew_and_those_that_went_go(built):
    city, _ = built
    with database.connect(city) as connection:
        assert word_codes(connection) == 0
        connection.execute("update mart.dim_code set label_zh = '旧' where code = 'urgent'")
        connection.execute("insert into mart.dim_code values ('urgency', 'gone', '无', 'gone', 9)")
        assert word_codes(connection) == 1
        told = connection.execute("select code, label_zh from mart.dim_code where vocabulary = 'urgency'").fetchall()
        assert sorted(told) == [("emergency", "紧急"), ("normal", "一般"), ("urgent", "急办")]
        connection.rollback()


def test_relations_lead_to_one_row_and_tools_find_the_complete_ones(built):
    city, _ = built
    told = query(city, "select * from mart.relationship")
    assert len(told) > 20
    for table, column, to_table, to_column, is_complete in told:
        missing = (
            f"select count(*) from mart.{table} as t where t.{column} is not null"
            f" and not exists (select from mart.{to_table} as o where o.{to_column} = t.{column})"
        )
        assert not is_complete or query(city, missing) == [(0,)], (table, column)
    keys = query(
        city,
        "select conrelid::regclass::text, confrelid::regclass::text, convalidated from pg_constraint"
        " where contype = 'f' and connamespace = 'mart'::regnamespace and conname like '%%\\_leads'",
    )
    number = query(city, "select current_setting('server_version_num')::integer")[0][0]
    complete = sorted((f"mart.{row[0]}", f"mart.{row[2]}", False) for row in told if row[4])
    assert sorted(map(tuple, keys)) == (complete if number >= 180000 else [])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("callbacks.is_reached,", "callbacks.is_reached::text as is_reached,", id="another type"),
        pytest.param("callbacks.is_reached,", "", marks=pytest.mark.long, id="a column less"),
        pytest.param(
            "callbacks.is_reached,", "callbacks.is_reached, 1 as surplus,", marks=pytest.mark.long, id="a column more"
        ),
    ],
)
def test_a_model_that_breaks_its_contract_fails_the_build(city, project, old, new):
    load(city, "cases", [case(1)])
    before = facts(city)
    test_readers.change(project.parent / "facts" / "fct_satisfaction.sql", old, new)
    with pytest.raises(BuildFailed, match=r"fct_satisfaction: Compilation Error.*enforced contract"):
        build(city)
    assert facts(city) == before


def test_every_table_of_mart_has_somebody_who_reads_it(built):
    _, manifest = built
    exposures = manifest["exposures"].values()
    read = {parent for exposure in exposures for parent in exposure["depends_on"]["nodes"]}
    tables = [*FACTS, *DIMENSIONS, *RESULTS]
    assert "source.minhu.mart.fct_indicator_case" in read
    assert [table for table in tables if f"model.minhu.{table}" not in read] == []
    for exposure in exposures:
        assert exposure["meta"]["label_zh"] and exposure["description"], exposure["name"]
        assert exposure["owner"]["name"] and not exposure["owner"].get("email"), "an office, no person"


@pytest.mark.long
def test_whatever_a_build_or_a_score_changed_much_has_statistics(city):
    load(city, "cases", [case(number) for number in range(1, 30)])
    build(city)
    score(city, "2026-10")
    known = "select distinct schemaname || '.' || tablename from pg_stats"
    filled = {"staging.case_record", "mart.fct_case", "mart.fct_timeliness", "mart.dim_date", "mart.fct_unit_score"}
    assert filled <= {table for (table,) in query(city, known)}
    counts = "select relname, analyze_count from pg_stat_user_tables where schemaname = 'mart' and relname = 'fct_case'"
    before = query(city, counts)
    load(city, "cases", [case(30)], day=13)
    build(city)
    assert query(city, counts) == before, "one case more or less is no reason to look at all of them"

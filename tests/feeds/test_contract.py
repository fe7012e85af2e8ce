"""The contract that a declaration gives, its exports, and what drifts from it."""

import json

import jsonschema
import polars as pl
import pytest
import yaml

from minhu.feeds import load_feed, load_feeds
from minhu.feeds.contract import contract, drift
from minhu.feeds.contract_files import as_odcs, json_schema
from minhu.feeds.detect import shape
from minhu.settings import PROJECT_ROOT
from tests import given

FEEDS = load_feeds(PROJECT_ROOT / "config")


@pytest.fixture(scope="module")
def feed(tmp_path_factory):
    return load_feed(given.config(tmp_path_factory.mktemp("config")) / "feeds" / "h1.yml")


def frame(*rows: dict, without: tuple[str, ...] = (), **renamed: str) -> pl.DataFrame:
    table = pl.DataFrame([given.ROW | row for row in rows], schema=dict.fromkeys(given.COLUMNS, pl.String))
    return table.drop(without).rename(renamed)


def found(feed, rows: pl.DataFrame):
    return drift(feed.deliveries[0], rows.columns, rows)


def test_a_contract_says_what_each_column_is(feed):
    agreed = contract(feed, feed.deliveries[0])
    columns = {(column.source, column.canonical): column for column in agreed.columns}
    assert (agreed.key, agreed.mode, agreed.new_columns, agreed.max_rejected_pct) == (
        ("case_no",),
        "upsert",
        "evolve",
        50,
    )
    assert columns["工单编号", "case_no"].is_required
    assert columns["来电类别", "request_type"].code_map == {"咨询": "consult", "投诉": "complaint"}
    assert "praise" in columns["来电类别", "request_type"].codes
    assert columns["办理期限", "DISPATCH.due_at"].type == "timestamp" and columns["办理期限", "DISPATCH.due_at"].formats
    assert columns["来电号码", "caller_phone"].is_private and columns["来电人", None].is_private
    assert columns["备注", None].may_lack


def test_every_declared_feed_has_a_contract_and_an_odcs_file():
    for feed in FEEDS:
        told = yaml.safe_load(yaml.safe_dump(as_odcs(feed), allow_unicode=True))
        assert (told["kind"], told["apiVersion"]) == ("DataContract", "v3.1.0")
        assert {"id", "version", "status", "schema"} <= told.keys()
        assert [table["name"] for table in told["schema"]] == [delivery.name for delivery in feed.deliveries]
        for table in told["schema"]:
            names = [column["name"] for column in table["properties"]]
            assert len(set(names)) == len(names) and any(column.get("primaryKey") for column in table["properties"])


def test_odcs_marks_what_identifies_a_citizen_as_restricted(feed):
    columns = {column["name"]: column for column in as_odcs(feed)["schema"][0]["properties"]}
    restricted = {name for name, column in columns.items() if column["classification"] == "restricted"}
    assert restricted == {"来电号码", "来电人"}
    assert columns["主要内容"]["classification"] == "confidential"
    assert columns["受理时间"]["logicalType"] == "timestamp"
    assert columns["来电类别"]["quality"][0]["arguments"] == {"validValues": ["咨询", "投诉"]}


@pytest.mark.parametrize("folder", ["config", "examples"])
def test_the_json_schema_takes_every_declaration_there_is(folder):
    check = jsonschema.Draft202012Validator(json_schema())
    check.check_schema(check.schema)
    paths = sorted((PROJECT_ROOT / folder / "feeds").glob("*.yml"))
    assert len(paths) >= 3
    wrong = {
        path.name: [e.message for e in check.iter_errors(yaml.safe_load(path.read_text("utf-8")))] for path in paths
    }
    assert {name: errors for name, errors in wrong.items() if errors} == {}


@pytest.mark.parametrize(
    "change",
    [{"nme": "x"}, {"columns": {"case_nr": "工单编号"}}, {"mode": "replace"}, {"format": None}],
    ids=["an unknown key", "an unknown column", "an unknown mode", "no format"],
)
def test_the_json_schema_refuses_a_slip(change):
    declared = given.feed(deliveries=[{k: v for k, v in (given.CASES | change).items() if v is not None}])
    assert not jsonschema.Draft202012Validator(json_schema()).is_valid(declared)


def test_the_json_schema_explains_keys_in_the_words_of_the_models():
    columns = json_schema()["$defs"]["Delivery"]["properties"]
    assert "never leave the loader" in columns["private"]["description"]
    assert len(json.dumps(json_schema())) < 200_000


def test_a_file_as_agreed_does_not_drift(feed):
    assert found(feed, frame({}, {"来电类别": "咨询"})).is_none


def test_a_renamed_column_is_recognised(feed):
    told = found(feed, frame({}, 受理时间="受理日期时间"))
    assert (told.missing_columns, told.new_columns) == (("受理时间",), ("受理日期时间",))
    assert [(row["was"], row["now"]) for row in told.renamed] == [("受理时间", "受理日期时间")]


def test_unknown_codes_are_counted(feed):
    told = found(feed, frame({}, {"来电类别": "建言"}, {"来电类别": "建言"}, {}))
    assert told.unknown_codes == ({"column": "来电类别", "canonical": "request_type", "word": "建言", "rows": 2},)


def test_times_that_no_format_reads_are_told_by_their_shape(feed):
    told = found(feed, frame({"受理时间": "2026年10月1日 下午3时"}, {}))
    assert [(row["column"], row["shape"], row["rows"]) for row in told.unread_times] == [
        ("受理时间", "9999字99字9字 字字9字", 1)
    ]


def test_required_blanks_and_empty_columns_are_told(feed):
    told = found(feed, frame({"工单编号": "", "经度": "NULL"}, {"经度": ""}))
    assert {(row["column"], row["blank_pct"]) for row in told.blank_columns} == {("工单编号", 50.0), ("经度", 100.0)}


def test_a_row_taken_for_the_header_shows_none_of_its_values(feed):
    rows = frame({}).rename(dict(given.ROW | {"备注": "无备注"}))
    assert {"王某", "13800001111"}.isdisjoint(found(feed, rows).new_columns)


def test_names_in_a_code_column_are_not_shown(feed):
    told = found(feed, frame({"来电类别": "张三丰"}, {"来电类别": "13812345678"}))
    assert [row["word"] for row in told.unknown_codes] == ["字字字", "9{11}"]


def test_a_shape_holds_no_value():
    assert shape("Ab１3-张三 13812345678") == "AA99-字字 9{11}"


def test_an_events_contract_is_keyed_by_the_senders_number():
    h12345 = next(feed for feed in FEEDS if feed.code == "h12345")
    assert contract(h12345, h12345.delivery("events")).key == ("source_event_no",)

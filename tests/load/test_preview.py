"""What a preview tells of a file, and that it tells nothing of a citizen."""

import gzip
import json

import pytest

from minhu.feeds import load_feed
from minhu.load.preview import preview
from minhu.load.preview_text import render
from minhu.settings import Settings
from tests import given

UNITS = (
    "unit_code,unit_name,unit_kind,linkage_level,peer_group,parent_unit_code,has_24h_duty,population,aliases,valid_from,"
    "valid_to\nD01,市城市管理局,department,1,dept,,true,,城管局,2020-01-01,\n"
)
CATEGORIES = "category_code,category_name,parent_category_code,category_level\n0101,市容,,1\n"
SECRETS = {
    "来电号码": "13912345678",
    "来电人": "欧阳清风",
    "主要内容": "我叫司马明月，电话13798765432，身份证33010219900307123X，住文三路138号2幢",
    "备注": "本人尉迟恭 0571-87654321",
}


@pytest.fixture
def city(tmp_path):
    def make(**changes) -> tuple[Settings, object]:
        declared = given.feed(deliveries=[given.CASES | changes])
        folder = given.config(tmp_path / "config", [declared], units=UNITS, categories=CATEGORIES)
        settings = Settings(home=tmp_path / "home", config=folder, drop=tmp_path / "drop", database_url=None)
        return settings, load_feed(folder / "feeds" / "h1.yml")

    return make


def look(city, file, **changes):
    settings, feed = city(**changes)
    return preview(settings, feed, feed.deliveries[0], file)


def test_a_good_file_would_load(city, tmp_path):
    told = look(city, given.case_file(tmp_path / "cases_20261012.csv", [{}, {"工单编号": "2"}, {}]))
    assert (told.verdict, told.reasons, told.rows, told.staged, told.duplicates) == ("load", (), 3, 2, 1)
    assert told.detected == {"type": "csv", "encoding": "gb18030"}
    assert told.drift.is_none and not told.unknown_units and not told.unknown_categories
    assert "可以入库" in render(told) and "没有变化" in render(told)


def test_nothing_is_written_anywhere(city, tmp_path):
    file = given.case_file(tmp_path / "cases_20261012.csv", [{}])
    look(city, file)
    assert not (tmp_path / "home").exists() and not (tmp_path / "drop").exists()


def test_rejected_rows_are_counted_by_reason_and_column(city, tmp_path):
    rows = [{}, {"受理时间": "昨天"}, {"工单编号": ""}, {"受理时间": "明天"}, {}, {}]
    told = look(city, given.case_file(tmp_path / "c.csv", rows), max_rejected_pct=60)
    assert told.verdict == "load"
    assert told.rejected == (
        {"reason_code": "BAD_TIMESTAMP", "column": "受理时间", "rows": 2, "first_rows": [2, 4]},
        {"reason_code": "MISSING_VALUE", "column": "工单编号", "rows": 1, "first_rows": [3]},
    )
    assert "时间无法识别，数据行 2、4" in render(told)


def test_too_many_rejected_rows_would_refuse_the_file(city, tmp_path):
    told = look(city, given.case_file(tmp_path / "c.csv", [{"受理时间": "昨天"}, {}]), max_rejected_pct=10)
    assert told.verdict == "refuse" and told.reasons[0].startswith("TOO_MANY_REJECTED: 1 of 2")
    assert told.rejected[0]["rows"] == 1


def test_a_missing_column_refuses_and_names_the_likely_new_name(city, tmp_path):
    file = given.case_file(tmp_path / "c.csv", [{}])
    file.write_bytes(file.read_bytes().replace("受理时间".encode("gb18030"), "受理日期时间".encode("gb18030")))
    told = look(city, file)
    assert (told.verdict, told.reasons) == ("refuse", ("MISSING_COLUMN: 受理时间",))
    assert "疑似改名：受理时间 → 受理日期时间" in render(told)


def test_a_new_column_refuses_only_a_frozen_layout(city, tmp_path):
    row = {name: given.ROW[name] for name in given.COLUMNS} | {"满意度": "满意"}
    file = given.csv_file(tmp_path / "c.csv", [row])
    form = {"type": "csv", "encoding": "utf-8"}
    assert look(city, file, format=form).verdict == "load"
    assert look(city, file, format=form, new_columns="freeze").reasons == ("NEW_COLUMN: 满意度",)


def test_a_wrong_encoding_is_told_with_what_was_found(city, tmp_path):
    told = look(city, given.case_file(tmp_path / "c.csv", [{}], encoding="utf-8"))
    assert told.verdict == "refuse" and told.reasons[0].startswith("WRONG_ENCODING")
    assert told.detected["encoding"] == "utf-8" and told.declared["encoding"] == "gb18030"
    assert "编码不符" in render(told)


def test_how_a_file_is_packed_and_where_its_header_stands_is_told(city, tmp_path):
    file = given.case_file(tmp_path / "c.csv", [{}])
    file.write_bytes(gzip.compress("十月工单\n".encode("gb18030") + file.read_bytes()))
    told = look(city, file)
    assert told.verdict == "refuse" and told.reasons[0].startswith("UNREADABLE: declared compression none")
    assert "compression='gzip'" in render(told) and "skip_rows=1" in render(told)
    declared = {"type": "csv", "encoding": "gb18030", "compression": "gzip", "skip_rows": 1}
    told = look(city, file, format=declared)
    assert (told.verdict, told.staged, told.detected) == ("load", 1, told.declared)


def test_a_count_that_disagrees_would_hold_the_file(city, tmp_path):
    file = given.case_file(tmp_path / "c.csv", [{}])
    file.with_name("c.csv.done").write_text("2")
    source = given.CASES["source"] | {"done_suffix": ".done"}
    told = look(city, file, source=source)
    assert (told.verdict, told.reasons[0].partition(":")[0]) == ("hold", "CONTROL_TOTAL")


def test_unknown_units_and_categories_come_with_the_nearest_known_names(city, tmp_path):
    rows = [{"办理单位": "城市管理局", "分类": "0102"}, {"办理单位": "市城市管理局"}]
    told = look(city, given.case_file(tmp_path / "c.csv", rows))
    assert told.unknown_units == ({"name": "城市管理局", "rows": 1, "nearest": ["市城市管理局", "城管局"]},)
    assert told.unknown_categories == ({"name": "0102", "rows": 1, "nearest": ["0101"]},)


MISPLACED = {"办理单位": "诸葛孔明", "分类": "13612345678", "来电类别": "司徒雷登", "受理时间": "13512345678"}


@pytest.mark.parametrize("planted", [SECRETS, SECRETS | MISPLACED], ids=["in place", "in the wrong columns"])
def test_no_citizens_value_is_shown(city, tmp_path, planted):
    rows = [planted | {"工单编号": f"A{at}"} for at in range(3)] + [{}] * 4
    told = look(city, given.case_file(tmp_path / "c.csv", rows), max_rejected_pct=60)
    assert told.rows == 7
    shown = render(told) + told.as_json()
    for value in planted.values():
        assert value not in shown
    for part in ("138号", "司马", "尉迟", "清风", "87654321", "13798765432", "33010219900307"):
        assert part not in shown


def test_a_file_without_a_header_shows_none_of_its_values(city, tmp_path):
    file = tmp_path / "c.csv"
    row = given.ROW | SECRETS
    file.write_bytes((",".join(row[name] for name in given.COLUMNS) + "\n").encode("gb18030") * 2)
    told = look(city, file)
    assert told.verdict == "refuse"
    assert [value for value in SECRETS.values() if value in render(told) + told.as_json()] == []


def test_the_json_is_json(city, tmp_path):
    told = json.loads(look(city, given.case_file(tmp_path / "c.csv", [{}])).as_json())
    assert told["verdict"] == "load" and told["columns"][0]["canonical"] == "case_no"

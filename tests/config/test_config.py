"""The city's configuration as it is shipped: it loads, it is complete, and no piece contradicts another."""

import csv
from collections import Counter
from datetime import date, timedelta

import chinese_calendar
import pytest
import yaml

from minhu.config import check_feeds, read_config
from minhu.errors import BadDeclaration
from minhu.feeds import load_feeds
from minhu.feeds.canonical import LAYOUTS, REQUEST_TYPES, SATISFACTION_SCALES
from minhu.settings import PROJECT_ROOT
from tests import given

CONFIG = PROJECT_ROOT / "config"
DISTRICTS = "上城 拱墅 西湖 滨江 萧山 余杭 临平 钱塘 富阳 临安 桐庐 淳安 建德".split()
FEEDS = load_feeds(CONFIG)
DELIVERIES = [(feed, delivery) for feed in FEEDS for delivery in feed.deliveries]
MAKEUP_2026 = ["2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10"]


def register(name: str) -> list[dict[str, str]]:
    with (CONFIG / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_whole_configuration_is_read():
    kinds = Counter(kind for kind, _ in read_config(CONFIG))
    assert kinds["city"] == 1
    assert kinds["feed"] == 83
    assert kinds["calendar_day"] == 1461


# -- feeds ----------------------------------------------------------------------------------------------------------


def test_there_are_75_hotlines_and_8_response_channels():
    assert Counter(feed.role for feed in FEEDS) == {"hotline": 75, "response": 8}
    groups = Counter(feed.group for feed in FEEDS)
    assert groups == {"national": 30, "platform": 17, "utility": 15, "district": 13, "response": 8}


def test_every_hotline_delivers_cases_and_every_channel_events():
    kinds = Counter(delivery.kind for _, delivery in DELIVERIES)
    assert kinds == {"case": 75, "event": 28, "callback": 16}
    for feed in FEEDS:
        first = feed.deliveries[0]
        assert (first.kind, first.name) == (("case", "cases") if feed.role == "hotline" else ("event", "events"))


def test_every_district_has_its_platform():
    platforms = [feed.name for feed in FEEDS if feed.group == "district"]
    assert sorted(name[:2] for name in platforms) == sorted(DISTRICTS)


def test_formats_and_encodings_really_differ():
    formats = [delivery.format for _, delivery in DELIVERIES]
    kinds = Counter(format.encoding if format.type == "csv" else format.type for format in formats)
    assert all(kinds[name] >= 3 for name in ("utf-8", "utf-8-sig", "gb18030", "xlsx", "json", "xml")), kinds


def test_deliveries_are_expected_at_night_and_spread_out():
    minutes = []
    for feed in FEEDS:
        minute, hour, *rest = feed.schedule.split()
        assert rest == ["*", "*", "*"] and 1 <= int(hour) < 5, feed.code
        minutes.append((hour, minute))
    assert max(Counter(minutes).values()) <= 2


def test_no_two_deliveries_share_a_path():
    paths = [delivery.source.path for _, delivery in DELIVERIES]
    assert len(set(paths)) == len(paths)


def test_a_path_names_feed_delivery_and_format():
    for feed, delivery in DELIVERIES:
        assert delivery.source.path == f"{feed.code}/{delivery.name}_{{date}}.{delivery.format.type}"


def test_required_columns_are_mapped_and_mapped_words_are_known():
    for feed, delivery in DELIVERIES:
        for column in delivery.layout_columns:
            mapping = delivery.columns.get(column.name)
            assert mapping or not column.is_required, f"{feed.code}: {column.name} is not mapped"
            if mapping and column.codes:
                assert set(mapping.map.values()) <= set(column.codes), f"{feed.code}: {column.name}"


def test_satisfaction_words_fit_their_scale():
    for feed, delivery in DELIVERIES:
        if delivery.kind == "callback":
            scale = SATISFACTION_SCALES[delivery.columns["satisfaction_scale"].value]
            assert set(delivery.columns["satisfaction_code"].map.values()) == {*scale, "unrated"}, feed.code


def test_some_feed_can_send_every_request_type():
    reached = {
        code for _, d in DELIVERIES if "request_type" in d.columns for code in d.columns["request_type"].map.values()
    }
    assert reached == set(REQUEST_TYPES)


def test_some_feed_can_send_every_event_a_scheme_needs():
    told = {code for _, d in DELIVERIES if d.kind == "event" for code in d.columns["event_type"].map.values()}
    needed = {"DISPATCH", "SIGN", "CLOSE", "RETURN_REQUEST", "RETURN_GRANT", "RETURN_DENY", "EXTEND_GRANT", "REWORK"}
    assert needed | {"MERGE", "EXCLUDE_GRANT", "VIOLATION"} <= told


def test_category_words_lead_to_the_category_tree():
    known = {row["category_code"] for row in register("categories.csv")}
    for feed, delivery in DELIVERIES:
        words = delivery.columns["category_code"].map if "category_code" in delivery.columns else {}
        assert set(words.values()) <= known, feed.code


def test_names_of_people_are_private_wherever_they_are_sent():
    people = {
        "来电人",
        "诉求人",
        "申请人",
        "市民姓名",
        "户名",
        "userName",
        "受理员",
        "转办人姓名",
        "经办人",
        "身份证号",
        "证件号码",
        "idCard",
    }
    for feed, delivery in DELIVERIES:
        assert not people & set(delivery.known_columns), feed.code


def test_a_layout_is_used_and_short():
    used = Counter(delivery.layout for _, delivery in DELIVERIES)
    assert set(used) == {path.stem for path in (CONFIG / "layouts").glob("*.yml")}
    for path in [*(CONFIG / "layouts").glob("*.yml"), *(CONFIG / "feeds").glob("*.yml")]:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 40, path.name


# -- units ----------------------------------------------------------------------------------------------------------


def test_the_register_has_over_1200_units():
    assert 1200 <= len({row["unit_code"] for row in register("units.csv")}) <= 1300


def test_linan_has_41_first_level_units_with_a_desk_that_never_closes():
    first = [
        row for row in register("units.csv") if row["parent_unit_code"] == "330112-G00" and row["linkage_level"] == "1"
    ]
    assert Counter(row["peer_group"] for row in first) == {"linan_department": 23, "linan_town": 18}
    assert Counter(row["unit_kind"] for row in first) == {"department": 23, "town": 18}
    assert all(row["has_24h_duty"] == "true" for row in first)
    assert all(int(row["population"]) > 0 for row in first if row["unit_kind"] == "town")


def test_a_name_or_alias_leads_to_one_unit():
    owner: dict[str, str] = {}
    for row in register("units.csv"):
        for name in [row["unit_code"], row["unit_name"], *filter(None, row["aliases"].split(";"))]:
            assert owner.setdefault(name, row["unit_code"]) == row["unit_code"], name


def test_dated_rows_of_a_unit_follow_each_other():
    rows: dict[str, list[dict[str, str]]] = {}
    for row in register("units.csv"):
        rows.setdefault(row["unit_code"], []).append(row)
    changed = [dated for dated in rows.values() if len(dated) > 1]
    assert changed
    for dated in rows.values():
        assert [row["valid_to"] for row in dated] == [row["valid_from"] for row in dated[1:]] + [""]
    for earlier, later in changed:
        assert earlier["unit_name"] in later["aliases"].split(";")


def test_every_unit_has_a_parent_and_its_group_a_response_channel():
    units = register("units.csv")
    codes = {row["unit_code"] for row in units}
    channels = {feed.code for feed in FEEDS if feed.role == "response"}
    for row in units:
        assert row["parent_unit_code"] in codes or row["unit_code"] == "330100-G00"
        assert f"resp_{row['peer_group']}" in channels or row["unit_kind"] == "district"
    assert channels == {f"resp_{row['peer_group']}" for row in units if row["unit_kind"] != "district"}


def test_every_town_of_the_city_has_its_government():
    towns = {row["area_code"] for row in register("areas.csv") if row["area_level"] == "town"}
    assert towns == {row["unit_code"].replace("-T", "") for row in register("units.csv") if row["unit_kind"] == "town"}


# -- areas, categories, calendar --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "key", "parent", "level", "levels"),
    [
        ("areas.csv", "area_code", "parent_area_code", "area_level", ["city", "district", "town"]),
        ("categories.csv", "category_code", "parent_category_code", "category_level", ["1", "2", "3"]),
    ],
    ids=["areas", "categories"],
)
def test_a_tree_hangs_together(name: str, key: str, parent: str, level: str, levels: list[str]):
    rows = {row[key]: row for row in register(name)}
    assert len(rows) == len(register(name))
    for row in rows.values():
        at = levels.index(row[level])
        assert (row[parent] == "") if at == 0 else (rows[row[parent]][level] == levels[at - 1]), row[key]


def test_districts_and_linan_are_those_of_hangzhou():
    areas = register("areas.csv")
    assert sorted(row["area_name"][:2] for row in areas if row["area_level"] == "district") == sorted(DISTRICTS)
    linan = [row["area_name"] for row in areas if row["parent_area_code"] == "330112"]
    assert Counter(name[-1] for name in linan) == {"道": 5, "镇": 13}


def test_every_day_stands_in_the_calendar_once():
    days = [date.fromisoformat(row["date_on"]) for row in register("calendar.csv")]
    assert days == [date(2024, 1, 1) + timedelta(at) for at in range(len(days))]
    assert days[-1] == date(2027, 12, 31)


def test_official_days_agree_with_the_notices():
    for row in register("calendar.csv"):
        day = date.fromisoformat(row["date_on"])
        assert row["status"] == ("official" if day.year < 2027 else "provisional")
        if day.year < 2027:
            is_workday = chinese_calendar.is_workday(day)
            assert row["is_workday"] == str(is_workday).lower(), day
            assert row["is_makeup_workday"] == str(is_workday and day.weekday() >= 5).lower(), day


def test_working_days_and_makeup_days_are_as_published():
    rows = register("calendar.csv")
    counts = Counter(row["date_on"][:4] for row in rows if row["is_workday"] == "true")
    assert (counts["2024"], counts["2025"], counts["2026"]) == (251, 248, 248)
    makeup = [row["date_on"] for row in rows if row["is_makeup_workday"] == "true"]
    assert [day for day in makeup if day >= "2026"] == MAKEUP_2026


def test_holidays_have_their_name_and_workdays_none():
    named = {row["date_on"]: row["label"] for row in register("calendar.csv") if row["label"]}
    assert named["2026-10-01"] == "国庆节"
    assert named["2027-02-06"] == "春节"
    assert not any(row["label"] for row in register("calendar.csv") if row["is_workday"] == "true")


def test_a_calendar_without_a_day_is_refused(tmp_path):
    text = (CONFIG / "calendar.csv").read_text(encoding="utf-8")
    assert "2026-10-10,true,true,official,\n" in text
    folder = given.config(tmp_path / "config", calendar=text.replace("2026-10-10,true,true,official,\n", ""))
    with pytest.raises(BadDeclaration, match=r"calendar\.csv:1: date_on: 2026-10-10 is missing; every day has one"):
        read_config(folder)


@pytest.mark.parametrize("morning", [["12:00", "09:00"], ["09:00", "14:00"], ["09:00", "09:00"]])
def test_office_hours_follow_each_other(tmp_path, morning):
    folder = given.config(tmp_path / "config")
    city = given.CITY | {"morning": morning}
    (folder / "city.yml").write_text(yaml.safe_dump(city), encoding="utf-8")
    with pytest.raises(BadDeclaration, match=r"city\.yml:.*the office hours .* do not follow each other in one day"):
        read_config(folder)


def test_a_feed_is_run_by_a_unit_of_the_register(tmp_path):
    folder = given.config(tmp_path / "config", [given.feed(unit="U9")])
    with pytest.raises(BadDeclaration, match=r"h1\.yml:\d+: unit: there is no unit 'U9'"):
        read_config(folder)


def test_the_canonical_layout_has_the_kinds_that_deliveries_name():
    assert {delivery.kind for _, delivery in DELIVERIES} == set(LAYOUTS)


def test_the_number_of_declarations_is_pinned(tmp_path):
    folder = given.config(tmp_path / "config", [given.feed(), given.feed("h2")])
    city = folder / "city.yml"
    city.write_text(city.read_text(encoding="utf-8") + "feeds: {hotline: 2, response: 0}\n", encoding="utf-8")
    assert check_feeds(folder)["hotline_feeds"] == 2
    (folder / "feeds" / "h2.yml").unlink()
    with pytest.raises(BadDeclaration, match=r"city.yml:\d+: feeds.hotline says 2, .*feeds holds 1"):
        check_feeds(folder)


def test_the_shipped_configuration_has_75_hotlines():
    assert check_feeds(CONFIG)["hotline_feeds"] == 75

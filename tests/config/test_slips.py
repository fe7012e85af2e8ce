"""Every slip of a city's files is told in one answer: file, line, key, what is allowed there and what is nearest."""

from collections.abc import Callable

import pytest
import yaml

from minhu.config import check_feeds, read_config
from minhu.errors import BadDeclaration
from minhu.feeds import load_feed
from minhu.schemes.scheme import load_schemes
from tests import given
from tests.schemes.test_scheme import EXAM

FEED = """\
code: h1
name: 一
owner: a
owner: b
schedule: "0 2 * * *"
timezone: Asia/Shangai
limit: ticket
role: hotlin
deliveries:
  - name: cases
    kind: case
    source: {type: drop_foler, path: "h1/a_{date}.csv", setle_seconds: 3}
    format: {tpye: csv, encoding: gbk, skip_rows: many}
    colums:
      case_no: 编号
      recieved_at: 时间
      urgency: {form: 紧急}
    milestones:
      - event_type: CLOSED
        columns: {occured_at: 办结}
    max_rejected_pct: 200
  - name: more
    layout: vendr
    source: {type: drop_folder, path: "h1/b_{date}.csv"}
    format: {type: csv}
"""
LAYOUT = "kind: case\ncolumns:\n  case_no: 编号\n  recieved_at: 时间\nnuls: [无]\n"


def told(read: Callable, *arguments: object) -> dict[str, str]:
    """Place → what is said of it in English; each slip says something in Chinese too."""
    with pytest.raises(BadDeclaration) as refusal:
        read(*arguments)
    lines = str(refusal.value).splitlines()
    assert all(line.startswith("    ") and any("一" <= letter <= "鿿" for letter in line) for line in lines[1::2])
    places = [line.partition(": ") for line in lines[::2]]
    return {
        place.rpartition("/")[2] + " " + key: said
        for place, _, rest in places
        for key, _, said in [rest.partition(": ")]
    }


def test_every_slip_of_a_feed_and_its_layout_is_told(tmp_path):
    for folder, name, text in (("feeds", "h1", FEED), ("layouts", "vendor", LAYOUT)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.yml").write_text(text, encoding="utf-8")
    found = told(load_feed, tmp_path / "feeds" / "h1.yml")
    assert list(found) == [
        "h1.yml:4 the key 'owner' is given twice, lines 3 and 4",
        "h1.yml:6 timezone",
        "h1.yml:7 limit",
        "h1.yml:8 role",
        "h1.yml:12 deliveries.0.source.type",
        "h1.yml:12 deliveries.0.source.setle_seconds",
        "h1.yml:13 deliveries.0.format.tpye",
        "h1.yml:13 deliveries.0.format.skip_rows",
        "h1.yml:13 deliveries.0.format.encoding",
        "h1.yml:14 deliveries.0.colums",
        "h1.yml:16 deliveries.0.colums.recieved_at",
        "h1.yml:17 deliveries.0.colums.urgency.form",
        "h1.yml:19 deliveries.0.milestones.0.event_type",
        "h1.yml:20 deliveries.0.milestones.0.columns.occured_at",
        "h1.yml:20 deliveries.0.milestones.0.columns",
        "h1.yml:21 deliveries.0.max_rejected_pct",
        "h1.yml:23 deliveries.1.layout",
        "vendor.yml:4 columns.recieved_at",
        "vendor.yml:5 nuls",
    ]
    assert found["h1.yml:14 deliveries.0.colums"].startswith(
        "no such key here; colums → columns? Allowed: name, kind, "
    )
    assert found["h1.yml:13 deliveries.0.format.encoding"].startswith(
        "gbk is no value of this key; gb18030? It may be: "
    )
    assert found["h1.yml:8 role"] == "hotlin is no value of this key; hotline? It may be: hotline, response"
    assert "recieved_at → received_at?" in found["vendor.yml:4 columns.recieved_at"]


def test_every_slip_of_a_scheme_is_told(tmp_path):
    (tmp_path / "schemes").mkdir()
    text = EXAM.replace("at_least: 0}", "at_least: 10}").replace("points: 20\n", "points: 20\n    weigth: 1\n", 1)
    text = text.replace("amount: 5, unit: workday", "amount: 0, unit: workdays", 1).replace(
        "legal_basis", "legal_bases", 1
    )
    (tmp_path / "schemes" / "exam.yml").write_text(text, encoding="utf-8")
    found = told(load_schemes, tmp_path)
    assert {key.partition(" ")[2] for key in found} == {
        "(top level)", "legal_bases", "indicators.1.weigth", "limits.1.amount", "limits.1.unit"
    }  # fmt: skip
    assert "the last band must start at 0, so that every score has one" in found.values()


def test_every_slip_of_a_whole_configuration_is_told(tmp_path):
    folder = given.config(
        tmp_path / "config",
        [given.feed(colour="red"), given.feed("h2", role="hotlin")],
        units="unit_code,unit_nam,unit_kind,peer_group,valid_from\n",
        calendar="date_on,is_workday,is_makeup_workday,status\n2026-10-01,maybe,false,official\n2026-13-02,true,false,x\n",
        categories="category_code,category_name,parent_category_code,category_level\n1,一,9,1\n2,二,8,1\n",
    )
    (folder / "city.yml").write_text(yaml.safe_dump(given.CITY | {"mornin": 1}), encoding="utf-8")
    found = told(read_config, folder)
    assert {key.partition(":")[0] + " " + key.partition(" ")[2] for key in found} == {
        "city.yml mornin", "h1.yml colour", "h2.yml role", "units.csv unit_nam", "units.csv unit_name",
        "calendar.csv is_workday", "calendar.csv date_on", "calendar.csv status",
        "categories.csv category 1", "categories.csv category 2",
    }  # fmt: skip
    assert "unit_nam → unit_name?" in found["units.csv:1 unit_nam"]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        pytest.param("code: h1\n\tname: x\ndeliveries:\n\t- name: y\n", [":2: a tab", ":4: a tab"], id="tabs"),
        pytest.param("code: h1\nname: [\n", [":3: no YAML: "], id="no YAML"),
        pytest.param("code: h1\nfirst: 2026-02-30\nfirst: 1\n", [":2: 2026-02-30 is no", ":3: the key"], id="a day"),
        pytest.param("? [a]\n: b\ncode: h1\n", [":1: a key must be a word"], id="a list as key"),
        pytest.param("", [":1: expected keys and values, found nothing"], id="an empty file"),
    ],
)  # fmt: skip
def test_what_is_wrong_as_yaml_has_its_line(tmp_path, text, places):
    (tmp_path / "feeds").mkdir()
    path = tmp_path / "feeds" / "h1.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadDeclaration) as refusal:
        load_feed(path)
    assert [place for place in places if f"{path}{place}" not in str(refusal.value)] == []


@pytest.mark.parametrize(
    ("written", "near"),
    [
        ("%Y-%m-%d %H", "%Y-%m-%d %H:%M"),
        ("%Y-%m-%d %I:%M", "%Y-%m-%d %H:%M"),
        ("%I:%M", "%Y-%m-%d %I:%M %p"),
        ("%Y-%m-%d %H:%M %p", "%Y-%m-%d %I:%M %p"),
        ("yyyy-MM-dd", "%Y-%m-%d"),
        ("yyyy-MM-dd'T'HH:mm:ss", "%Y-%m-%dT%H:%M:%S"),
        ("YYYY-MM-DD HH24:MI:SS", "%Y-%m-%d %H:%M:%S"),
        ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S%.f"),
        ("%Y-%m-%dT%H:%M:%SZ", "iso"),
        ("%Y-%m-%d %H:%M:%S%:z", "%Y-%m-%d %H:%M:%S%z"),
        ("%Y-%m-%d %H:%M:%S %Z", "%Y-%m-%d %H:%M:%S"),
        ("ISO8601", "iso"),
    ],
)
def test_a_format_that_reads_no_time_is_refused_with_the_nearest_that_does(tmp_path, written, near):
    given.config(tmp_path / "config", [given.feed(deliveries=[given.CASES | {"formats": [written]}])])
    found = told(load_feed, tmp_path / "config" / "feeds" / "h1.yml")
    [said] = found.values()
    assert said.endswith(f"{written} → {near}?")
    given.config(tmp_path / "right", [given.feed(deliveries=[given.CASES | {"formats": [near]}])])
    assert check_feeds(tmp_path / "right")["hotline_feeds"] == 1


def test_each_format_is_tried_on_a_moment(tmp_path):
    folder = given.config(
        tmp_path / "config", [given.feed(deliveries=[given.CASES | {"formats": ["%Y-%m-%d %H:%M", "%Y-%U %H:%M"]}])]
    )
    found = told(check_feeds, folder)
    assert [key.partition(" ")[2] for key in found] == ["deliveries.0.formats"]


def test_a_value_in_the_wrong_place_is_not_shown(tmp_path):
    source = {
        "type": "rest",
        "url": "https://h/x",
        "auth": {"type": "bearer", "secret": "My Secret 99"},
        "attempts": "tok99",
    }
    path = (
        given.config(tmp_path / "config", [given.feed(deliveries=[given.CASES | {"source": source}])]) / "feeds/h1.yml"
    )
    found = told(load_feed, path)
    assert len(found) == 2 and "99" not in str(found)


def test_what_a_scheme_asks_for_of_its_rows_is_declared(tmp_path):
    given.config(tmp_path / "config", [given.feed()])
    (tmp_path / "config" / "categories.csv").write_text(
        "category_code,category_name,parent_category_code,category_level\n1101,市容,,1\n", encoding="utf-8"
    )
    (tmp_path / "config" / "schemes").mkdir(exist_ok=True)
    asked = "rows: {categories: ['1102'], feeds: [h2], request_types: [help]}"
    text = EXAM.replace("    measure: resolved\n", f"    measure: resolved\n    {asked}\n", 1)
    (tmp_path / "config" / "schemes" / "exam.yml").write_text(text, encoding="utf-8")
    found = told(read_config, tmp_path / "config")
    line = text.splitlines().index(f"    {asked}") + 1
    assert found == {
        f"exam.yml:{line} indicators.2.rows.feeds": "there is no feed 'h2' in the configuration",
        f"exam.yml:{line} indicators.2.rows.categories": "there is no category '1102' in the configuration; 1101?",
    }

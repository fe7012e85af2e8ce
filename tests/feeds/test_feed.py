"""A slip in a declaration names its file, its line and its key."""

import pytest
import yaml

from minhu.errors import BadDeclaration
from minhu.feeds import load_feed, load_feeds
from tests import given


def write(folder, text):
    path = folder / "feeds" / "h1.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def declared(**changes):
    return yaml.safe_dump(given.feed(**changes), allow_unicode=True, sort_keys=False)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("code: h1\nname: a\nname: b\n", ":3: the key 'name' is given twice", id="a key twice"),
        pytest.param(
            declared() + "colour: red\n", "colour: no such key here. Allowed: code, name, owner", id="an unknown key"
        ),
        pytest.param(
            declared().replace("gb18030", "gbk"),
            "encoding: gbk is no value of this key; gb18030?",
            id="an unknown encoding",
        ),
        pytest.param(declared(timezone="Asia/Hangzhou"), "timezone: 'Asia/Hangzhou'", id="an unknown zone"),
        pytest.param(declared(code="h2"), "must be named h2.yml", id="another file's code"),
        pytest.param("- a\n- b\n", ":1: expected keys and values", id="a list"),
        pytest.param("a: [1\n", ": ", id="not YAML"),
        pytest.param(declared().replace("_{date}", ""), "must hold {date}", id="a path without a date"),
        pytest.param(
            declared().replace("经度: 经度", "").replace("longitude: 经度", "height: 经度"),
            "a case has no column height",
            id="an unknown canonical column",
        ),
        pytest.param(
            declared(deliveries=[given.CASES | {"private": ["主要内容"]}]), "private columns are mapped", id="a leak"
        ),
    ],
)
def test_a_slip_names_file_line_and_key(text, told, tmp_path):
    path = write(tmp_path, text)
    with pytest.raises(BadDeclaration) as slip:
        load_feed(path)
    assert str(slip.value).startswith(f"{path}:") and told in str(slip.value), slip.value


def test_the_line_is_that_of_the_key(tmp_path):
    text = declared().replace("gb18030", "gbk")
    line = next(at for at, words in enumerate(text.splitlines(), 1) if "gbk" in words)
    with pytest.raises(BadDeclaration, match=f"h1.yml:{line}: deliveries.0.format.encoding:"):
        load_feed(write(tmp_path, text))


def test_a_layout_is_taken_over_and_overridden_key_by_key(tmp_path):
    (tmp_path / "layouts").mkdir()
    layout = {"kind": "case", "columns": {"case_no": "编号", "received_at": "时间"}, "nulls": ["无"]}
    (tmp_path / "layouts" / "vendor.yml").write_text(yaml.safe_dump(layout, allow_unicode=True), encoding="utf-8")
    own = {"name": "cases", "layout": "vendor", "source": given.CASES["source"], "format": {"type": "csv"}}
    write(tmp_path, declared(deliveries=[own | {"columns": {"received_at": "受理时间"}}]))
    [feed] = load_feeds(tmp_path)
    [delivery] = feed.deliveries
    assert {name: mapping.source for name, mapping in delivery.columns.items()} == {
        "case_no": "编号",
        "received_at": "受理时间",
    }
    assert delivery.nulls == ("无",)


def test_a_folder_without_feeds_is_an_error(tmp_path):
    with pytest.raises(BadDeclaration, match="no feed declared"):
        load_feeds(tmp_path)

"""What a release says of the code that computed it."""

import pytest

from minhu.publish import code
from minhu.settings import PROJECT_ROOT


@pytest.mark.parametrize(
    ("name", "decides"),
    [
        ("minhu/scoring/score.py", True),
        ("minhu/quality/owned.sql", True),
        ("dbt_project/models/facts/fct_case.sql", True),
        ("sql/121_signals.sql", True),
        ("sql/200_to_come.sql", True),
        ("docs/facts.md", False),
        ("tests/conftest.py", False),
    ],
)
def test_a_file_that_decides_over_numbers_changes_the_hash(monkeypatch, tmp_path, name, decides):
    for room in code.DECIDES:
        (tmp_path / room).mkdir()
        (tmp_path / room / f"any{code.DECIDES[room][0][1:]}").write_text(room)
    monkeypatch.setattr(code, "PROJECT_ROOT", tmp_path)
    before = code.code_version.__wrapped__()
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("one")
    added = code.code_version.__wrapped__()
    path.write_text("another")
    changed = code.code_version.__wrapped__()
    assert len({one["sha256"] for one in (before, added, changed)}) == (3 if decides else 1)
    assert {one["version"] for one in (before, added, changed)} == {code.code_version()["version"]}


def test_the_hash_covers_the_schema_as_it_is():
    covered = {path.name for one in code.DECIDES["sql"] for path in (PROJECT_ROOT / "sql").rglob(one)}
    assert {"116_release.sql", "119_feed_quality.sql", "121_signals.sql"} <= covered

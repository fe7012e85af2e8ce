"""Decisions are found from the index, guarded by tests that exist, and never edited without a dated note."""

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import date

import pytest

from minhu.settings import PROJECT_ROOT
from tests import decisions
from tests.decisions import CHOICES, READINGS, ROOT, Unsealed

ENTRIES = decisions.entries()
HOLD = [one for one in ENTRIES if not one.is_below]


def by_id(entries: list[decisions.Entry]) -> list:
    return [pytest.param(one, id=one.id) for one in entries]


def exists(guard: str) -> bool:
    """``path::name``: a test, a unit test of dbt, a figure of the bench. A path alone: a scenario, a test of dbt."""
    name, _, test = guard.partition("::")
    path = PROJECT_ROOT / name
    if path.is_dir():
        return not test and path.parent.name == "scenarios" and (path / "expect").is_dir()
    if not path.is_file():
        return False
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return re.search(rf"^def {test}\(", text, re.MULTILINE) is not None
    if path.suffix == ".yml":
        return re.search(rf"^  - name: {test}$", text.partition("\nunit_tests:\n")[2], re.MULTILINE) is not None
    if path.suffix == ".json":
        return test in json.loads(text)
    return path.suffix == ".sql" and not test and name.startswith("dbt_project/tests/")


def test_there_is_a_page_for_every_topic_and_no_other():
    assert {path.stem for path in ROOT.glob("*.md")} == {"README", *READINGS, *CHOICES}
    assert len(HOLD) > 130 and len(ENTRIES) > len(HOLD)


def test_no_id_stands_twice():
    assert [name for name, times in Counter(one.id for one in ENTRIES).items() if times > 1] == []


def test_nothing_is_written_where_it_is_no_entry():
    for topic in (*READINGS, *CHOICES):
        text = (ROOT / f"{topic}.md").read_text(encoding="utf-8")
        assert len(re.findall(r"^#{2,}", text, re.MULTILINE)) == sum(one.topic == topic for one in ENTRIES), topic
        labels = re.findall(r"^- \*\*(\w+)", text, re.MULTILINE)
        assert len(labels) == sum(len(one.fields) for one in ENTRIES if one.topic == topic), topic


@pytest.mark.parametrize("entry", by_id(ENTRIES))
def test_an_entry_has_the_one_form(entry):
    labels = [label for label, _ in entry.fields if label != "Noted"]
    assert [label for label, _ in entry.fields] == labels + ["Noted"] * (len(entry.fields) - len(labels))
    if entry.is_below:
        assert labels == ["Since", "Replaced", *(label for label in ("Why", "Example") if entry[label])]
    else:
        assert labels == ["Since", "Why", *(["Example"] if entry["Example"] else []), "Guard"]
        assert entry["Example"] or entry.topic in CHOICES
    days = [date.fromisoformat(told[:10]) for told in (entry["Since"], *entry.dated)]
    assert min(days) == days[0]


@pytest.mark.parametrize("entry", by_id([one for one in ENTRIES if one.is_below]))
def test_what_was_replaced_stands_below_what_holds(entry):
    above = [one for one in ENTRIES[: ENTRIES.index(entry)] if one.topic == entry.topic and not one.is_below]
    replaced = next(one for one in ENTRIES if one.id == entry.replaced_by)
    while replaced.is_below:  # what took its place was replaced in its turn
        replaced = next(one for one in ENTRIES if one.id == replaced.replaced_by)
    assert replaced.id == above[-1].id


@pytest.mark.parametrize("entry", by_id(HOLD))
def test_every_guard_exists(entry):
    if entry["Guard"].startswith("none: "):
        return
    guards = re.findall(r"`([^`]+)`", entry["Guard"])
    assert entry["Guard"] == ", ".join(f"`{guard}`" for guard in guards) != ""
    assert [guard for guard in guards if not exists(guard)] == []


def test_every_promise_names_tests_that_exist():
    page = (PROJECT_ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if re.match(r"\| (?!promise|---|in Airflow)", line)]
    rows = [row for row in rows if not row.endswith(("| yes |", "| – |"))]  # a table that a test reads as it is
    assert len(rows) >= 14
    for row in rows:
        guards = re.findall(r"`(tests/[^`]+)`", row)
        assert guards and all(map(exists, guards)), row


def test_few_entries_go_without_a_guard():
    assert {one.id for one in HOLD if one["Guard"].startswith("none")} == {
        "callers-indexed-by-the-build",
        "no-partitions",
    }


def test_the_index_names_every_entry():
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert page == decisions.with_index(page, ENTRIES), "write it anew: python -m tests.decisions"
    assert [one.id for one in ENTRIES if f"{one.topic}.md#{one.id})" not in page] == []


def test_no_entry_is_edited_without_a_dated_note():
    assert decisions.seals() == decisions.sealed(ENTRIES, decisions.seals()), "seal them: python -m tests.decisions"


def test_a_seal_breaks_where_it_should_and_not_elsewhere():
    was = {one.id: one.seal for one in ENTRIES}
    first, *rest = ENTRIES
    edited = replace(first, text=f"{first.text} More.")
    noted = replace(edited, fields=(*first.fields, ("Noted", "2026-11-29. More was added.")))
    guarded = replace(first, fields=(*first.fields[:-1], ("Guard", "`tests/test_docs.py`")))
    other = replace(noted, fields=(*noted.fields[:-1], ("Noted", "2026-11-29. Nothing was.")))

    assert decisions.sealed([guarded, *rest], was) == was
    sealed = decisions.sealed([noted, *rest], was)
    assert sealed != was
    for told, before in (([edited, *rest], was), (rest, was), ([other, *rest], sealed), ([edited, *rest], sealed)):
        with pytest.raises(Unsealed, match=first.id):
            decisions.sealed(told, before)


def test_lines_and_links_are_no_text_of_an_entry():
    first, second = (
        decisions.read("x", f'<a id="a"></a>\n### A\n\n{text}\n\n- **Since** 2026-11-22\n- **Why.** So.\n')
        for text in ("Of [many](a.md#b)\nlines.", "Of [many](c.md)  lines.")
    )
    assert first == second and first[0].text == "Of many lines." and first[0]["Why"] == "So."

"""The documents tell the truth: every command they show exists, and both languages show the same."""

import re
from pathlib import Path

import click
import pytest

from minhu import database
from minhu.cli import minhu
from minhu.export import FORMATS
from minhu.export.to_csv import TABLES
from minhu.settings import PROJECT_ROOT
from minhu.warehouse.dictionary import dictionary
from tests.test_house import LAYERS

READMES = ("README.md", "README.zh-CN.md")
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "config/README.md", "bench/README.md")
    for path in PROJECT_ROOT.glob(pattern)
)


def named(page: Path) -> str:
    return page.relative_to(PROJECT_ROOT).as_posix()


def commands(group: click.Group, prefix: tuple[str, ...] = ()) -> dict[tuple[str, ...], click.Command]:
    found = {}
    for name, command in group.commands.items():
        found[*prefix, name] = command
        if isinstance(command, click.Group):
            found |= commands(command, (*prefix, name))
    return found


ALL = commands(minhu)


@pytest.mark.parametrize("name", READMES)
def test_every_command_shown_exists(name):
    text = (PROJECT_ROOT / name).read_text(encoding="utf-8").replace("```", "")
    shown = re.findall(r"minhu ((?:[a-z]+ ?){1,2})", " ".join(re.findall(r"`[^`]+`|^\$ .*$", text, re.MULTILINE)))
    assert len(shown) > 15
    for words in shown:
        first, *rest = words.split()
        assert (first,) in ALL, words
        if isinstance(ALL[first,], click.Group) and rest:
            assert (first, rest[0]) in ALL, words


@pytest.mark.parametrize("name", READMES)
def test_every_path_of_the_table_exists(name):
    text = (PROJECT_ROOT / name).read_text(encoding="utf-8")
    paths = re.findall(r"^\| `([a-z_/]+/)` \|", text, re.MULTILINE)
    assert len(paths) > 8
    assert [path for path in paths if not (PROJECT_ROOT / path).is_dir()] == []


@pytest.mark.parametrize("name", READMES)
def test_every_room_and_every_page_stands_in_the_table(name):
    text = (PROJECT_ROOT / name).read_text(encoding="utf-8")
    rooms = {path.parent.name for path in (PROJECT_ROOT / "minhu").glob("*/__init__.py")}
    assert rooms - set(re.findall(r"^\| `minhu/([a-z_]+)/` \|", text, re.MULTILINE)) == set()
    pages = {path.name for path in (PROJECT_ROOT / "docs").glob("*.md")}
    assert pages - set(re.findall(r"\(docs/([a-z-]+\.md)\)", text)) == set()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page):
    text = page.read_text(encoding="utf-8")
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)):
        name, _, anchor = target.partition("#")
        other = (page.parent / name).resolve() if name else page
        if not target.startswith("https://") and not (other.exists() and (not anchor or anchor in anchors(other))):
            wrong.append(target)
    assert wrong == []


def anchors(page: Path) -> set[str]:
    """What links may name of a page: its headings as the usual renderers spell them, and anchors of its own."""
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings} | set(
        re.findall(r'<a id="(.+?)">', text)
    )


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=named)
def test_every_path_named_exists(page):
    text = page.read_text(encoding="utf-8")
    told = re.findall(r"`((?:minhu|dags|dbt_project|expectations|sql|tests|bench|docs)/[\w./-]+)`(?!, new:)", text)
    assert [name for name in told if not (PROJECT_ROOT / name).exists()] == []


def test_the_layers_are_told_as_the_law_has_them():
    text = (PROJECT_ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = re.search(r"<!-- layers.*?-->(.*?)<!-- /layers -->", text, re.DOTALL)[1]
    told = [tuple(re.findall(r"`(\w+)`", line.split("|")[1])) for line in table.splitlines() if line.startswith("| `")]
    assert [set(line) for line in told[::-1]] == [set(line) for line in LAYERS]


def test_every_make_target_shown_exists():
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for name in READMES:
        shown = re.findall(r"make ([a-z-]+)", (PROJECT_ROOT / name).read_text(encoding="utf-8"))
        assert {"setup", "demo", "test"} <= set(shown) <= targets | {"and"}


def test_both_languages_show_the_same_commands_and_settings():
    first, second = (
        set(re.findall(r"`(minhu [^`]+|MINHU_[A-Z_]+)`", (PROJECT_ROOT / name).read_text(encoding="utf-8")))
        for name in READMES
    )
    assert first == second


@pytest.mark.parametrize("words", [words for words, c in ALL.items() if not isinstance(c, click.Group)], ids=" ".join)
def test_every_command_has_help_with_an_example(words):
    command = ALL[words]
    assert command.help and "Example:" in (command.epilog or "")
    assert f"minhu {' '.join(words)}" in command.epilog


def test_the_page_on_exports_has_a_row_for_each_format_and_each_table():
    text = (PROJECT_ROOT / "docs" / "exports.md").read_text(encoding="utf-8")
    told = "".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`(\w+)`", told)) == {*FORMATS, *TABLES}


def test_the_metric_dictionary_is_the_one_the_project_prints():
    assert (PROJECT_ROOT / "docs" / "metrics.md").read_text(encoding="utf-8") == dictionary()


def test_every_column_of_mart_is_in_the_dictionary(warehouse):
    with database.connect(warehouse) as connection:
        columns = connection.execute(
            "select relname, attname from pg_attribute join pg_class on pg_class.oid = attrelid"
            " where relnamespace = 'mart'::regnamespace and relkind in ('r', 'p', 'v') and attnum > 0"
            " and not attisdropped and relname not like 'measure\\_%' and relname <> 'unit_rollup'"
            " and attname <> 'scored_at'"  # the database's clock, no model's column
        ).fetchall()
    told = dictionary()
    missing = [
        f"{table}.{column}"
        for table, column in columns
        if f"| `{column}` |" not in told.partition(f"### `{table}`\n")[2].partition("\n### ")[0]
    ]
    assert missing == []


def test_every_sample_query_runs(warehouse):
    queries = re.findall(
        r"```sql\n(.*?)```", (PROJECT_ROOT / "docs" / "facts.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert len(queries) > 5
    with database.connect(warehouse) as connection:
        for query in queries:
            connection.execute(query)


def test_no_page_says_that_the_warehouse_runs_on_citus():
    """It was tried, and what fails is written down; the index of decisions has that one's title."""
    pages = [page for place in ("*.md", "docs/**/*.md", "docker/**/*.md") for page in PROJECT_ROOT.glob(place)]
    named = [page for page in pages if "citus" in page.read_text(encoding="utf-8").lower()]
    naming = {str(page.relative_to(PROJECT_ROOT)) for page in named}
    assert naming == {f"docs/decisions/{name}.md" for name in ("README", "builds", "database")}

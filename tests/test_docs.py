"""The documents tell the truth: every command they show exists, and both languages show the same."""

import re

import click
import pytest

from minhu import database
from minhu.cli import minhu
from minhu.settings import PROJECT_ROOT
from minhu.warehouse.dictionary import dictionary

READMES = ("README.md", "README.zh-CN.md")


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

"""Which columns of staging and mart something guards: rules of the gates, tests of the dbt project, checks at the door.

A check at the door is what a row must pass to be in the table at all: the reader's type, required value and code list
of the canonical layout, and NOT NULL, CHECK and key constraints of the database. A dbt test that stands in a file of
its own guards the columns that it names of the models it reads.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg

from minhu import database
from minhu.declaration import read_yaml
from minhu.feeds.canonical import LAYOUTS, STAGING_TABLE
from minhu.quality.rules import GATES, ROOT, read_rules
from minhu.settings import PROJECT_ROOT, Settings

DBT = PROJECT_ROOT / "dbt_project"
COLUMNS = ("column", "rules", "dbt_tests", "door_checks")


@dataclass(frozen=True)
class Coverage:
    """One column, as schema.table.column, with all that guards it."""

    column: str
    rules: tuple[str, ...]
    dbt_tests: tuple[str, ...]
    door_checks: tuple[str, ...]

    @property
    def is_guarded(self) -> bool:
        return bool(self.rules or self.dbt_tests or self.door_checks)

    def as_json(self) -> dict:
        return asdict(self) | {"is_guarded": self.is_guarded}


def coverage(settings: Settings, root: Path = ROOT, dbt: Path = DBT) -> list[Coverage]:
    """Every column of the tables of staging and mart, in the order of the tables. Views hold nothing of their own."""
    with database.connect(settings) as connection:
        columns = [name for (name,) in connection.execute(_ALL)]
        door = _gathered([*_constraints(connection), *_layouts()])
    rules = _gathered((column, rule.id) for gate in GATES for rule in read_rules(root, gate) for column in rule.guards)
    tests = _gathered(_dbt_tests(dbt, columns))
    return [Coverage(column, rules[column], tests[column], door[column]) for column in columns]


def _gathered(pairs: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for column, guard in pairs:
        found[column][guard] = None
    return defaultdict(tuple, {column: tuple(guards) for column, guards in found.items()})


# Partitions are their table's.
_ALL = """
select table_of.relnamespace::regnamespace || '.' || table_of.relname || '.' || attribute.attname
from pg_class as table_of
inner join pg_attribute as attribute on table_of.oid = attribute.attrelid
where
    table_of.relnamespace in ('staging'::regnamespace, 'mart'::regnamespace)
    and table_of.relkind in ('r', 'p') and not table_of.relispartition
    and attribute.attnum > 0 and not attribute.attisdropped
order by table_of.relnamespace::regnamespace::text desc, table_of.relname, attribute.attnum
"""


def _constraints(connection: psycopg.Connection) -> Iterator[tuple[str, str]]:
    yield from connection.execute(
        "select relnamespace::regnamespace || '.' || relname || '.' || attname, 'not_null'"
        " from pg_attribute inner join pg_class on attrelid = pg_class.oid"
        " where attnotnull and attnum > 0 and relnamespace in ('staging'::regnamespace, 'mart'::regnamespace)"
    ).fetchall()
    yield from connection.execute(
        "select relnamespace::regnamespace || '.' || relname || '.' || attname,"
        " case contype when 'c' then 'check' when 'f' then 'foreign_key' else 'key' end"
        " from pg_constraint cross join lateral unnest(conkey) as of_column (attnum)"
        " inner join pg_class on conrelid = pg_class.oid"
        " inner join pg_attribute on attrelid = conrelid and pg_attribute.attnum = of_column.attnum"
        " where contype in ('c', 'f', 'p', 'u') and relnamespace in ('staging'::regnamespace, 'mart'::regnamespace)"
    ).fetchall()


def _layouts() -> Iterator[tuple[str, str]]:
    """What the reader asks of each canonical column."""
    for kind, columns in LAYOUTS.items():
        for column in columns:
            name = f"{STAGING_TABLE[kind]}.{column.name}"
            if column.codes:
                yield name, "codes"
            elif column.type != "text":
                yield name, "type"
            if column.is_required:
                yield name, "required"


def _dbt_tests(dbt: Path, columns: list[str]) -> Iterator[tuple[str, str]]:
    """Tests on a column of a model that becomes a table of mart, and files of tests that name it."""
    of_table: dict[str, set[str]] = defaultdict(set)
    for name in columns:
        schema, table, column = name.split(".")
        if schema == "mart":
            of_table[table].add(column)
    for path in sorted((dbt / "models").rglob("*.yml")):
        for model in read_yaml(path).get("models", ()):
            for column in model.get("columns", ()):
                if column["name"] in of_table[model["name"]]:
                    for test in column.get("data_tests", ()):
                        yield (
                            f"mart.{model['name']}.{column['name']}",
                            test if isinstance(test, str) else next(iter(test)),
                        )
    for path in sorted((dbt / "tests").rglob("*.sql")):
        text = re.sub(r"--[^\n]*", "", path.read_text(encoding="utf-8"))
        words = set(re.findall(r"\w+", text))
        for table in re.findall(r"ref\('(\w+)'\)", text):
            for column in sorted(of_table[table] & words):
                yield f"mart.{table}.{column}", path.stem

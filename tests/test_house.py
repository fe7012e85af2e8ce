"""The rules of the house: who may import whom, where SQL may look, what the repository must not hold."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from minhu.settings import PROJECT_ROOT

ALLOWED = {  # the one module that drives each of these
    "airflow": set(),
    "dags": set(),
    "dbt": {"minhu/warehouse/dbt.py"},
    "great_expectations": {"minhu/warehouse/quality.py"},
}
TO_AVOID = {  # they do not run on a scaled-out warehouse
    "merge": r"\bmerge\s+into\b",
    "grouping sets": r"\bgrouping\s+sets\b",
    "not in (subquery)": r"\bnot\s+in\s*\(\s*select\b",
}


def tracked(*patterns: str) -> list[Path]:
    told = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=PROJECT_ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [PROJECT_ROOT / line for line in told.stdout.splitlines() if (PROJECT_ROOT / line).is_file()]


def imports(path: Path) -> set[str]:
    """Top-level names of what a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("library", ALLOWED)
def test_the_package_imports_an_engine_only_in_the_module_that_drives_it(library):
    users = {str(path.relative_to(PROJECT_ROOT)) for path in tracked("minhu/**.py") if library in imports(path)}
    assert users <= ALLOWED[library]


def test_no_model_uses_what_a_scaled_out_warehouse_cannot_run():
    models = tracked("dbt_project/models/**.sql", "dbt_project/macros/**.sql")
    assert len(models) > 30
    wrong = [
        f"{path.name}: {name}"
        for path in models
        for name, pattern in TO_AVOID.items()
        if re.search(pattern, path.read_text(encoding="utf-8"), re.IGNORECASE)
    ]
    assert wrong == []


def test_only_the_staging_models_read_staging():
    readers = {
        path.parent.name
        for path in tracked("dbt_project/models/**.sql")
        if re.search(r"source\('(staging|config|audit|restricted)'", path.read_text(encoding="utf-8"))
    }
    assert readers == {"staging"}


def test_no_model_depends_on_the_clock():
    wrong = [
        path.name
        for path in tracked("dbt_project/**.sql")
        if re.search(r"\b(now\(\)|current_date|current_timestamp|localtimestamp)", path.read_text(encoding="utf-8"))
    ]
    assert wrong == []


def test_migrations_are_numbered_once():
    numbers = [path.name.split("_")[0] for path in tracked("sql/*.sql")]
    assert len(numbers) == len(set(numbers)) > 5


def test_every_dependency_is_pinned_with_its_hash():
    lock = (PROJECT_ROOT / "uv.lock").read_text(encoding="utf-8")
    packages = lock.split("[[package]]")[1:]
    bare = [p for p in packages if "hash = " not in p and "source = { editable" not in p]
    assert len(packages) > 150 and bare == []
    assert "--hash=sha256:" in (PROJECT_ROOT / "uv-bootstrap.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", ["ruff check .", "ruff format --check .", "sqlfluff lint dbt_project"])
def test_style(command):
    """`make lint`, one command at a time."""
    program, *arguments = command.split()
    told = subprocess.run(
        [Path(sys.executable).parent / program, *arguments],
        cwd=PROJECT_ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stdout[-2000:]

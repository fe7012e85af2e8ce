"""The rules of the house: who may import whom, where SQL may look, what the repository must not hold."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from minhu.settings import PROJECT_ROOT
from tests.scaled_out import sql_of, wrong

ALLOWED = {  # the one module that drives each of these
    "airflow": set(),
    "dags": set(),
    "dbt": {"minhu/warehouse/dbt.py"},
    "great_expectations": {"minhu/quality/gx.py"},
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


def test_no_sql_uses_what_a_scaled_out_warehouse_cannot_run():
    models = tracked("dbt_project/**.sql", "minhu/quality/*.sql")
    modules = tracked("minhu/quality/*.py", "minhu/warehouse/*.py", "minhu/scoring/*.py")
    texts = [(path, 1, path.read_text(encoding="utf-8")) for path in models]
    texts += [(path, line, text) for path in modules for line, text in sql_of(path)]
    assert len(models) > 60 and sum("select" in text for _, _, text in texts) > 90
    assert [f"{path.name}:{line}: {what}" for path, line, text in texts for what in wrong(text)] == []


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("merge", "MERGE INTO t USING u ON true"),
        ("grouping sets", "select 1 from t group by grouping sets ((a), (b))"),
        ("grouping sets", "select 1 from t group by rollup (a, b)"),
        ("not in (subquery)", "select 1 from t where t.a not in (\n  select u.a from u)"),
        ("<> all (subquery)", "select 1 from t where t.a <> all (select u.a from u)"),
        ("correlated subquery on unit_code", "select 1 from t where exists (select 1 from u where u.a = t.unit_code)"),
        ("correlated subquery on a", "select (select max(u.b) from u where u.a = t.a) from t"),
        ("correlated subquery on a", "select coalesce(t.b, (select u.b from u where u.a = t.a)) from x.t"),
        (
            "correlated subquery on a",
            "select 1 from t left join lateral (select 1 from u where u.a = t.a) as v on true",
        ),
        (
            "correlated subquery on a",
            "with c as (select 1 from m.t as t where t.b in (select b from u where u.a = t.a)) f",
        ),
        (
            "correlated subquery on a",
            "select 1 from t where exists (select 1 from (select 1 from u where u.a = t.a) as v)",
        ),
        (
            "correlated subquery on a",
            "select 1 from {{ ref('t') }} as t where not exists (select 1 from {{ ref('u') }} as u where u.a = t.a)",
        ),
    ],
)
def test_the_lint_finds_what_a_scaled_out_warehouse_cannot_run(what, text):
    assert wrong(text) == [what]


@pytest.mark.parametrize(
    "text",
    [
        "select 1 from t where t.case_id in (select case_id from u) and t.b not in ('a (select', 'b')",
        "select 1 from t where exists (select 1 from u where u.case_id = t.case_id and u.a = t.a)",
        "select 1 from t left join (select u.a from u) as v on t.a = v.a -- not in (select 1)",
        "select 1 from batch where not exists (select 1 from audit.pruned where pruned.batch_id = batch.batch_id)",
        "with done as (select 1 from audit.build) select 1 from b where exists (select 1 from done where done.a = b.a)",
        "select 1 from t cross join lateral jsonb_array_elements(t.listed) as l (data)",
    ],
)
def test_the_lint_lets_the_rest_pass(text):
    assert wrong(text) == []


def test_only_the_staging_models_read_staging():
    def readers(sources):
        found = rf"source\('({sources})'"
        models = tracked("dbt_project/models/**.sql")
        return {path.parent.name for path in models if re.search(found, path.read_text(encoding="utf-8"))}

    assert readers("staging|config|audit|restricted") == {"staging"}
    assert readers("assess") == {"staging"}


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

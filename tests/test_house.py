"""The rules of the house: who may import whom, where SQL may look, what the repository must not hold."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from minhu.settings import PROJECT_ROOT
from tests.scaled_out import sql_of, wrong

LAYERS = (  # from the ground up: a module imports its own room and what stands on an earlier line, and nothing else
    ("errors", "hashing", "progress", "business_date", "glossary"),
    ("settings", "declaration", "text_file"),
    ("database", "lineage"),
    ("privacy", "services", "paper"),
    ("feeds", "landing"),
    ("schemes",),
    ("config", "quality"),
    ("notify",),
    ("load", "warehouse", "simulate"),
    ("scoring",),
    ("assess",),
    ("publish", "watch"),
    ("export", "bi"),
    ("audit", "backup", "doctor", "demo"),
    ("airflow_pages", "airflow_users"),
    ("airflow_plugin", "portal"),
    ("cli",),
    ("__main__",),
)
ALLOWED = {  # the one module that drives each of these
    "airflow": {"minhu/airflow_plugin.py", "minhu/airflow_users/manager.py"},  # what Airflow loads of us
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
    return {name.split(".")[0] for name in imported(path)}


def imported(path: Path) -> set[str]:
    """Dotted names of what a file imports, lazily and for its types too; a name of our package down to its module."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno} imports by dots; say the whole name"
            found |= {_module(f"{node.module}.{alias.name}") or node.module for alias in node.names}
    return found


def _module(name: str) -> str | None:
    path = PROJECT_ROOT / name.replace(".", "/")
    return name if path.with_suffix(".py").is_file() or (path / "__init__.py").is_file() else None


def modules() -> dict[str, set[str]]:
    """Every module of the package, and the modules of the package that it imports."""
    found = {}
    for path in tracked("minhu/**.py"):
        parts = path.relative_to(PROJECT_ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = {other for other in imported(path) if other.split(".")[0] == "minhu"}
    return found


def against_the_grain(graph: dict[str, set[str]]) -> list[str]:
    """The imports that run up or beside, from room to room."""
    line = {room: at for at, rooms in enumerate(LAYERS) for room in rooms}
    return [
        f"{module} imports {other}"
        for module, others in sorted(graph.items())
        for other in sorted(others)
        if (room := _room(module)) and (used := _room(other)) and room != used and line[used] >= line[room]
    ]


def circles(graph: dict[str, set[str]]) -> list[str]:
    """The modules that reach themselves by imports."""
    reached = {module: set(others) for module, others in graph.items()}
    while True:
        wider = {module: others.union(*(reached.get(o, set()) for o in others)) for module, others in reached.items()}
        if wider == reached:
            return sorted(module for module, others in reached.items() if module in others)
        reached = wider


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_every_room_has_its_line_and_its_purpose():
    rooms = {_room(module) for module in modules()} - {""}
    assert rooms == {room for line in LAYERS for room in line}
    mute = [path for path in tracked("minhu/**/__init__.py") if not ast.get_docstring(ast.parse(path.read_text()))]
    assert mute == []
    loose = [path for path in tracked("minhu/*.py") if path.parent.name == "minhu" and not path.name.startswith("__")]
    assert len(loose) <= 10


def test_imports_go_down_and_never_in_a_circle():
    graph = modules()
    assert len(graph) > 150 and sum(map(len, graph.values())) > 600
    assert against_the_grain(graph) == []
    assert circles(graph) == []


def test_the_law_of_arrows_sees_a_fault():
    graph = {"minhu.feeds.door": {"minhu.load.batch"}, "minhu.load.batch": {"minhu.feeds.feed", "minhu.feeds.door"}}
    assert against_the_grain(graph) == ["minhu.feeds.door imports minhu.load.batch"]
    assert circles(graph) == ["minhu.feeds.door", "minhu.load.batch"]
    beside = {"minhu.load.preview": {"minhu.warehouse.unresolved"}}
    assert against_the_grain(beside) == ["minhu.load.preview imports minhu.warehouse.unresolved"]


def test_the_zone_of_the_city_has_one_home():
    zone = "/".join(("Asia", "Shanghai"))
    homes = {
        str(path.relative_to(PROJECT_ROOT))
        for path in tracked("minhu/**.py", "dags/*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value == zone
    }
    assert homes == {"minhu/business_date.py", "minhu/feeds/times.py"}  # there among the zones without summer time


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


# Types and SQL take most of a minute each: `make lint` judges them, and the long run.
SLOW = ("mypy", "sqlfluff lint dbt_project sql", "sqlfluff lint --templater placeholder minhu")
STYLE = ["ruff check .", "ruff format --check .", *(pytest.param(command, marks=pytest.mark.long) for command in SLOW)]


@pytest.mark.parametrize("command", STYLE)
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


def test_the_files_that_a_quick_run_leaves_out_are_there():
    listed = (PROJECT_ROOT / "tests" / "heavy.txt").read_text(encoding="utf-8").split()
    assert listed == sorted(set(listed)) and [one for one in listed if not (PROJECT_ROOT / one).is_file()] == []

"""The metric dictionary: every measure and every column of mart, from the dbt project's own documentation."""

from pathlib import Path

from minhu.declaration import read_yaml
from minhu.settings import PROJECT_ROOT

MODELS = PROJECT_ROOT / "dbt_project" / "models"
_HEAD = """# The metric dictionary

What the numbers of schema `mart` mean, in the words of the dbt project. `minhu dictionary` prints this page; the same
words are the comments of the database, Chinese label first.
"""


def dictionary(models: Path = MODELS) -> str:
    """Markdown: the measures a scheme may count, then the tables with their columns."""
    pages = [read_yaml(path) for path in sorted(models.rglob("*.yml"))]
    views = [table for page in pages for source in page.get("sources", ()) for table in source["tables"]]
    documented = [
        *(model for page in pages for model in page.get("models", ())),
        *(view for view in views if "columns" in view),  # of schema mart, made in sql/
    ]
    measures = [model for model in documented if model["name"].startswith("measure_")]
    tables = [model for model in documented if model["name"].startswith(("fct_", "dim_", "unit_", "score_"))]
    row = next(model for model in documented if model["name"] == "measured_row")
    parts = [_HEAD, "## Measures\n", _table(row), *map(_measure, measures), "## Tables\n", *map(_table, tables)]
    return "\n".join(parts)


def _measure(model: dict) -> str:
    meta = model["config"]["meta"]
    code = model["name"].removeprefix("measure_")
    moments = ", ".join(f"`{moment}`" for moment in meta["moments"])
    return f"### {meta['label_zh']} `{code}`\n\n{model['description'].strip()}\n\nMoments: {moments}.\n"


def _table(model: dict) -> str:
    rows = [
        f"| `{column['name']}` | {column['config']['meta']['label_zh']} | {column['description'].strip()} |"
        for column in model["columns"]
    ]
    head = "| column | 中文 | meaning |\n|---|---|---|\n"
    return f"### `{model['name']}`\n\n{model['description'].strip()}\n\n{head}" + "\n".join(rows) + "\n"

"""The metric dictionary: every measure and every column of mart, from the dbt project's own documentation."""

from functools import cache
from pathlib import Path

from minhu.declaration import read_yaml
from minhu.settings import PROJECT_ROOT

MODELS = PROJECT_ROOT / "dbt_project" / "models"
_OF_A_MEASURE = {
    "formula_zh": "公式",
    "numerator": "Numerator",
    "denominator": "Denominator",
    "external_denominator": "Denominator from the register",
    "excluded": "Excluded",
    "cohort": "Cohort",
    "moments": "Moments",
    "aggregates": "Aggregates",
    "answers": "Answers that may be weighed",
    "unit_zh": "单位",
    "source": "Source",
}
_HEAD = """# The metric dictionary

What the numbers of schema `mart` mean, in the words of the dbt project. `minhu dictionary` prints this page; the same
words are the comments of the database, Chinese label first.
"""


def dictionary(models: Path = MODELS) -> str:
    """Markdown: the measures a scheme may count, then the tables with their columns."""
    documented = _documented(models)
    measures = [model for model in documented if model["name"].startswith("measure_")]
    inner = ("measure", "stg_", "int_", "orphan", "lifecycle_", "event_version")
    tables = [model for model in documented if not model["name"].startswith(inner) and "columns" in model]
    row = next(model for model in documented if model["name"] == "measured_row")
    parts = [_HEAD, "## Measures\n", _table(row), *map(_measure, measures), "## Tables\n", *map(_table, tables)]
    return "\n".join(parts)


def words(table: str, models: Path = MODELS) -> dict[str, tuple[str, str]]:
    """By column of a table of mart, in its order, the 中文 label and what it means."""
    model = next(model for model in _documented(models) if model["name"] == table)
    return {
        column["name"]: (column["config"]["meta"]["label_zh"], column["description"].strip())
        for column in model["columns"]
    }


@cache
def _documented(models: Path) -> list[dict]:
    """Models, and the tables and views of schema mart that are made in sql/."""
    pages = [read_yaml(path) for path in sorted(models.rglob("*.yml"))]
    views = [table for page in pages for source in page.get("sources", ()) for table in source["tables"]]
    return [
        *(model for page in pages for model in page.get("models", ())),
        *(view for view in views if "columns" in view),
    ]


def _measure(model: dict) -> str:
    """A measure: what a row of it is, how its value is formed, and what a scheme may choose."""
    meta = model["config"]["meta"]
    code = model["name"].removeprefix("measure_")
    lines = [
        f"- {label}: {_text(meta[key])}." for key, label in _OF_A_MEASURE.items() if meta.get(key) not in (None, "", [])
    ]
    head = " · ".join(filter(None, (f"{meta['label_zh']} `{code}`", meta.get("label_en"))))
    return f"### {head}\n\n{model['description'].strip()}\n\n" + "\n".join(lines) + "\n"


def _text(value: object) -> str:
    return ", ".join(f"`{part}`" for part in value) if isinstance(value, list) else str(value).strip().rstrip(".")


def _table(model: dict) -> str:
    rows = [
        f"| `{column['name']}` | {column['config']['meta']['label_zh']} | {column['description'].strip()} |"
        for column in model["columns"]
    ]
    head = "| column | 中文 | meaning |\n|---|---|---|\n"
    return f"### `{model['name']}`\n\n{model['description'].strip()}\n\n{head}" + "\n".join(rows) + "\n"

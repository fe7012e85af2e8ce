"""The same metrics as dbt semantic models, in a dbt package of its own (as dbt 1.11 reads them); no build reads it.

The wide marts and `dim_date`, the spine of time, are its models; a metric is a measure, or a ratio of two.
"""

from typing import Any

import yaml

from minhu.bi.content import DATASETS
from minhu.schemes.catalogue import measures
from minhu.warehouse.dictionary import words

_HEAD = (
    "# Written by `minhu bi semantic`: the metrics of minhu for dbt's semantic layer. Edit the measures, not this.\n"
)
_WIDE = {
    "case_wide": ("case_id", "received_on"),
    "assignment_wide": ("assignment_id", "dispatched_on"),
    "callback_wide": ("callback_id", "called_on"),
}
"""By mart its key and the day that counts are taken by; a rate has a day of its own."""
_COUNTS = {
    "case_wide": {"case_n": ("cases", "received_on")},
    "assignment_wide": {"assignment_n": ("assignments", "dispatched_on")},
    "callback_wide": {"callback_n": ("callbacks", "called_on")},
}


def package() -> dict[str, str]:
    """The text of each file of the package."""
    told = {
        "dbt_project.yml": {
            "name": "minhu_semantic",
            "version": "1.0.0",
            "config-version": 2,
            "profile": "minhu",
            "require-dbt-version": [">=1.11.0", "<1.12.0"],
            "flags": {"send_anonymous_usage_stats": False},
            "models": {"minhu_semantic": {"+materialized": "view"}},
        },
        "models/sources.yml": {
            "version": 2,
            "sources": [
                {"name": "mart", "schema": "mart", "tables": [{"name": name} for name in (*_WIDE, "dim_date")]}
            ],
        },
        "models/models.yml": {"version": 2, "models": [_spine(), *map(_model, _WIDE)]},
        "models/semantic.yml": {"version": 2, "semantic_models": list(map(_semantic, _WIDE)), "metrics": _metrics()},
    }
    files = {name: _HEAD + yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=140)
             for name, content in told.items()}  # fmt: skip
    for name in (*_WIDE, "dim_date"):
        files[f"models/{name}.sql"] = f"select * from {{{{ source('mart', '{name}') }}}}\n"
    return files


def _spine() -> dict[str, Any]:
    return {
        "name": "dim_date",
        "description": "One row per day: the spine of time.",
        "time_spine": {"standard_granularity_column": "date_on"},
        "columns": [{"name": "date_on", "granularity": "day"}],
    }


def _model(name: str) -> dict[str, Any]:
    return {"name": name, "description": DATASETS[name].zh}


def _pairs(name: str) -> list[str]:
    """The pairs of a wide mart, by its columns."""
    return [
        column.removesuffix("_of")
        for column in words(name)
        if column.endswith("_of") and f"{column[:-3]}_n" in words(name)
    ]


def _day(name: str, pair: str) -> str:
    return f"{pair}_on" if f"{pair}_on" in words(name) and pair != "closed" else _WIDE[name][1]


def _semantic(name: str) -> dict[str, Any]:
    key, day = _WIDE[name]
    told = words(name)
    days = [column for column in told if column.endswith("_on")]
    skipped = {key, *days, *_COUNTS[name]}
    skipped |= {f"{pair}_{part}" for pair in _pairs(name) for part in ("n", "of", "on")}
    return {
        "name": name,
        "description": DATASETS[name].zh,
        "model": f"ref('{name}')",
        "defaults": {"agg_time_dimension": day},
        "primary_entity": key.removesuffix("_id"),
        "dimensions": [
            *(
                {"name": one, "label": told[one][0], "type": "time", "type_params": {"time_granularity": "day"}}
                for one in days
            ),
            *(
                {"name": one, "label": label, "type": "categorical"}
                for one, (label, _) in told.items()
                if one not in skipped and not one.endswith(("_at", "_minutes_to_close", "_count", "_id"))
            ),
        ],
        "measures": [
            *(
                {"name": measure, "label": told[column][0], "agg": "sum", "expr": column, "agg_time_dimension": by}
                for column, (measure, by) in _COUNTS[name].items()
            ),
            *(
                {
                    "name": f"{pair}_{part}",
                    "label": told[f"{pair}_{part}"][0],
                    "agg": "sum",
                    "agg_time_dimension": _day(name, pair),
                    "create_metric": True,  # a ratio is one of metrics
                }
                for pair in _pairs(name)
                for part in ("n", "of")
            ),
        ],
    }


def _metrics() -> list[dict[str, Any]]:
    found = []
    named = {one.pair: one for one in measures().values() if one.pair}
    for name in _WIDE:
        dataset = DATASETS[name]
        for measure, _ in _COUNTS[name].values():
            metric = dataset.metric(measure)
            found.append(
                {
                    "name": metric.name,
                    "label": metric.zh,
                    "description": metric.about or metric.zh,
                    "type": "simple",
                    "type_params": {"measure": measure},
                }
            )
        for pair in _pairs(name):
            metric = dataset.metric(f"{pair}_rate")
            found.append(
                {
                    "name": metric.name,
                    "label": metric.zh,
                    "description": metric.about,
                    "type": "ratio",
                    "type_params": {"numerator": f"{pair}_n", "denominator": f"{pair}_of"},
                    "config": {"meta": {"label_en": metric.en, "measure": named[pair].code if pair in named else None}},
                }
            )
    return found

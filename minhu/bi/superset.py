"""Superset's bundle of assets, as its 6.1 reads it (format 1.0.0): plain YAML, the same bytes for the same content.

Identifiers are made of names, so that a second import puts new text in the place of the old. The password is none of
the bundle's: it is given when the bundle is imported.
"""

import io
import json
import uuid
import zipfile
from collections.abc import Mapping
from functools import partial
from typing import Any

import psycopg
import yaml

from minhu.bi.content import BOARDS, CHARTS, DATASETS
from minhu.bi.declared import RATE, Board, Chart, Dataset, Filter, Pick
from minhu.warehouse.dictionary import words

_OURS = uuid.UUID("0a5f3a5e-4c1d-5d0e-9d2b-6d1f3c0b7a11")  # for ever: of it and the names all identifiers are made
_TYPES = {
    "bool": "BOOLEAN",
    "int2": "SMALLINT",
    "int4": "INTEGER",
    "int8": "BIGINT",
    "numeric": "NUMERIC",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
}
_VIZ = {
    "number": "big_number_total",
    "trend": "big_number",
    "line": "echarts_timeseries_line",
    "bars": "echarts_timeseries_bar",
    "ranking": "echarts_timeseries_bar",
    "table": "table",
    "rows": "table",
    "heat": "heatmap_v2",
    "spread": "box_plot",
}
_TALL = {"number": 20, "trend": 20, "table": 42, "rows": 60, "heat": 50}
HIDDEN = 10 * "X"
"""Stands in an address for the password, however long that is."""
_ADDRESS = f"postgresql+psycopg2://bi:{HIDDEN}@127.0.0.1:5432/minhu"


def address(url: str, name: str) -> str:
    """How Superset writes the way to the warehouse at ``url`` as the login ``name``, without its password."""
    from sqlalchemy import make_url  # here: who is told an address needs none made

    way = make_url(url).set(drivername="postgresql+psycopg2", username=name, password=HIDDEN, query={})
    return way.render_as_string(hide_password=False)


def files(connection: psycopg.Connection[Any], way: str = _ADDRESS) -> dict[str, str]:
    """The text of each file of the bundle. ``connection``: to a warehouse, asked for the types of columns alone.

    ``way``: the warehouse as Superset reaches it, without a password (`address`).
    """
    told: dict[str, dict[str, Any]] = {
        "metadata.yaml": {"version": "1.0.0", "type": "assets", "timestamp": "2026-01-01T00:00:00+00:00"},
        "databases/minhu.yaml": _database(way),
    }
    told |= {f"datasets/minhu/{name}.yaml": _dataset(connection, one) for name, one in DATASETS.items()}
    told |= {f"charts/{name}.yaml": _chart(one) for name, one in CHARTS.items()}
    told |= {f"dashboards/{board.slug}.yaml": _board(board) for board in BOARDS}
    return {name: _written(content) for name, content in told.items()}


def bundle(texts: Mapping[str, str]) -> bytes:
    """The files in the zip that is imported."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            archive.writestr(zipfile.ZipInfo(f"minhu/{name}", (2026, 1, 1, 0, 0, 0)), text)
    return packed.getvalue()


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _written(content: dict[str, Any]) -> str:
    return yaml.dump(content, Dumper=_Plain, allow_unicode=True, sort_keys=False, width=140)


def _id(kind: str, name: str) -> str:
    return str(uuid.uuid5(_OURS, f"{kind}/{name}"))


_MANAGED = {"is_managed_externally": True, "version": "1.0.0"}


def _database(way: str) -> dict[str, Any]:
    return {
        "database_name": "民呼数仓",
        "sqlalchemy_uri": way,
        "cache_timeout": 300,
        "expose_in_sqllab": True,
        "allow_run_async": False,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "allow_csv_upload": False,
        "impersonate_user": False,
        "extra": {
            "allows_virtual_table_explore": True,
            "metadata_params": {},
            "engine_params": {"connect_args": {"application_name": "superset"}},
            "schemas_allowed_for_csv_upload": [],
        },
        "uuid": _id("database", "minhu"),
        **_MANAGED,
    }


def _dataset(connection: psycopg.Connection[Any], one: Dataset) -> dict[str, Any]:
    return {
        "table_name": one.name,
        "schema": "mart",
        "catalog": None,
        "sql": one.sql,
        "main_dttm_col": one.time,
        "description": one.zh,
        "default_endpoint": None,
        "offset": 0,
        "cache_timeout": 300,
        "params": None,
        "template_params": None,
        "filter_select_enabled": True,
        "fetch_values_predicate": None,
        "extra": {"certification": {"certified_by": "minhu", "details": f"mart.{one.of}"}},
        "normalize_columns": False,
        "always_filter_main_dttm": False,
        "metrics": [
            {
                "metric_name": metric.name,
                "verbose_name": metric.zh,
                "expression": metric.sql,
                "metric_type": None,
                "description": metric.about or metric.zh,
                "d3format": metric.shape or None,
                "currency": None,
                "extra": {},
                "warning_text": None,
            }
            for metric in one.metrics
        ],
        "columns": [_column(*told) for told in columns(connection, one)],
        "uuid": _id("dataset", one.name),
        "database_uuid": _id("database", "minhu"),
        **_MANAGED,
    }


def columns(connection: psycopg.Connection[Any], one: Dataset) -> list[tuple[str, str, str, str | None]]:
    """Of each column its name, type, 中文 label and meaning, the words as the dictionary has them. Where a name in
    Chinese stands beside its code, the code says that it is one: people take the first of two that are called alike.
    """
    known = words(one.of)
    described = connection.execute(f"select * from {one.source} limit 0").description or ()
    kinds = {column.name: psycopg.adapters.types.get(column.type_code) for column in described}
    told = []
    for name, kind in kinds.items():
        label, meaning = one.words.get(name) or known.get(name) or (name, "")
        told.append((name, _TYPES.get(kind.name if kind else "", "TEXT"), label, meaning or None))
    named = {label for name, _, label, _ in told if name.endswith("_zh")}
    return [
        (name, kind, f"{label}代码" if label in named and not name.endswith("_zh") else label, meaning)
        for name, kind, label, meaning in told
    ]


def _column(name: str, kind: str, label: str, meaning: str | None) -> dict[str, Any]:
    return {
        "column_name": name,
        "verbose_name": label,
        "description": meaning,
        "type": kind,
        "is_dttm": kind.startswith(("DATE", "TIMESTAMP")),
        "is_active": True,
        "groupby": True,
        "filterable": True,
        "expression": None,
        "python_date_format": None,
        "advanced_data_type": None,
        "extra": {},
    }


def _chart(one: Chart) -> dict[str, Any]:
    return {
        "slice_name": one.zh,
        "description": one.about or None,
        "certified_by": "minhu",
        "certification_details": None,
        "viz_type": _VIZ[one.kind],
        "params": _params(one),
        "query_context": None,
        "cache_timeout": 300,
        "uuid": _id("chart", one.name),
        "dataset_uuid": _id("dataset", one.dataset),
        **_MANAGED,
    }


def _params(one: Chart) -> dict[str, Any]:
    """What the kind of chart is drawn by."""
    dataset = DATASETS[one.dataset]
    metrics, by = list(one.metrics), list(one.by)
    first = metrics[0] if metrics else ""
    shape = dataset.metric(first).shape if first else ""
    shown: dict[str, Any] = {"viz_type": _VIZ[one.kind], "adhoc_filters": [_filter(term) for term in one.filters]}
    if dataset.time:
        shown["adhoc_filters"].append(_term(dataset.time, "TEMPORAL_RANGE", "No filter"))
    if one.kind in ("number", "trend"):
        shown |= {"metric": first, "y_axis_format": shape, "subtitle": one.about}
    match one.kind:
        case "trend":
            shown |= {"x_axis": one.x, "time_grain_sqla": "P1D", "aggregation": "sum"}
        case "line" | "bars":
            shown |= {
                "x_axis": one.x,
                "metrics": metrics,
                "groupby": by,
                "row_limit": one.limit,
                "y_axis_format": shape,
                "x_axis_sort": one.x,
                "x_axis_sort_asc": True,
                "rich_tooltip": True,
                "show_legend": True,
                "markerEnabled": True,
                "markerSize": 6,
            }
            if one.kind == "line" and shape == RATE:  # the whole scale and the numbers: 0.06 points are no plunge
                is_alone = len(metrics) == 1 and not by
                shown |= {"truncateYAxis": True, "y_axis_bounds": [0, 1], "show_value": is_alone}
        case "ranking":
            shown |= {
                "x_axis": one.x,
                "metrics": metrics,
                "groupby": [],
                "orientation": "horizontal",
                "x_axis_sort": first,
                "x_axis_sort_asc": not one.upwards,
                "row_limit": one.limit,
                "y_axis_format": shape,
                "order_desc": not one.upwards,
                "show_value": True,
                "show_legend": False,
            }
            if shape == RATE:
                shown |= {"truncateYAxis": True, "y_axis_bounds": [0, 1]}
        case "table":
            shown |= {
                "query_mode": "aggregate",
                "groupby": by,
                "metrics": metrics,
                "row_limit": min(one.limit, 1000),
                "order_desc": not one.upwards,
                "table_timestamp_format": "%Y-%m-%d",
                "column_config": {
                    name: {"d3NumberFormat": dataset.metric(name).shape}
                    for name in metrics
                    if dataset.metric(name).shape
                },
            }
        case "rows":
            shown |= {
                "query_mode": "raw",
                "all_columns": list(one.columns),
                "order_by_cols": [json.dumps(list(term)) for term in one.order],
                "row_limit": one.limit,
                "server_page_length": 20,
                "page_length": 20,
                "include_search": True,
                "table_timestamp_format": "%Y-%m-%d",
                "column_config": {name: {"d3NumberFormat": shape, "showCellBars": False} for name, shape in one.shapes},
            }
        case "heat":
            shown |= {
                "x_axis": one.x,
                "groupby": by[0],
                "metric": first,
                "row_limit": one.limit,
                "sort_x_axis": "alpha_asc",
                "sort_y_axis": "alpha_asc",
                "normalize_across": "heatmap",
                "linear_color_scheme": "schemeBlues",
                "xscale_interval": 1,
                "value_bounds": [None, None],
                "y_axis_format": shape,
                "show_values": True,
            }
        case "spread":
            shown |= {
                "columns": list(one.columns),
                "groupby": by,
                "metrics": metrics,
                "whiskerOptions": "Tukey",
                "number_format": shape,
            }
    return shown


def _filter(term: Filter) -> dict[str, Any]:
    if term.value is None:
        return _term(term.column, "IS NOT NULL")
    if isinstance(term.value, int):
        return _term(term.column, ">", str(term.value))
    return _term(term.column, "==", term.value)


def _term(subject: str, operator: str, comparator: str | None = None) -> dict[str, Any]:
    return {
        "expressionType": "SIMPLE",
        "clause": "WHERE",
        "subject": subject,
        "operator": operator,
        "comparator": comparator,
    }


def _board(board: Board) -> dict[str, Any]:
    placed: dict[str, Any] = {"DASHBOARD_VERSION_KEY": "v2"}
    placed["ROOT_ID"] = {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]}
    placed["HEADER_ID"] = {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": board.zh}}
    place = partial(_place, placed)
    grid = place("GRID", "GRID_ID", ("ROOT_ID",), None, is_listed=True)
    head = place("ROW", f"ROW-{board.slug}-about", grid, {"background": "BACKGROUND_TRANSPARENT"})
    place("MARKDOWN", f"MARKDOWN-{board.slug}", head, {"code": board.about, "width": 12, "height": 9})
    number = 0
    for line, row in enumerate(board.rows):
        into = place("ROW", f"ROW-{board.slug}-{line}", grid, {"background": "BACKGROUND_TRANSPARENT"})
        tall = max(_tall(CHARTS[name]) for name, _ in row)
        for name, width in row:
            number += 1
            meta = {
                "chartId": number,  # any: the import finds the chart by its uuid
                "uuid": _id("chart", name),
                "sliceName": CHARTS[name].zh,
                "width": width,
                "height": tall,
            }
            place("CHART", f"CHART-{board.slug}-{name}", into, meta)
    return {
        "dashboard_title": board.zh,
        "description": board.about,
        "css": "",
        "slug": board.slug,
        "certified_by": "minhu",
        "certification_details": "由 minhu 生成",
        "published": True,
        "uuid": _id("dashboard", board.slug),
        "position": placed,
        "metadata": {
            "timed_refresh_immune_slices": [],
            "expanded_slices": {},
            "refresh_frequency": 0,
            "default_filters": "{}",
            "color_scheme": "supersetColors",
            "label_colors": {},
            "shared_label_colors": [],
            "cross_filters_enabled": True,
            "native_filter_configuration": [_pick(board, pick) for pick in board.picks],
            "global_chart_configuration": {"scope": {"rootPath": ["ROOT_ID"], "excluded": []}, "chartsInScope": []},
            "chart_configuration": {},
        },
        **_MANAGED,
    }


def _tall(one: Chart) -> int:
    """Rows of the grid, so that each bar of a ranking has room for its name."""
    return max(46, 14 + 3 * one.limit) if one.kind == "ranking" else _TALL.get(one.kind, 46)


def _place(
    placed: dict[str, Any],
    kind: str,
    name: str,
    parents: tuple[str, ...],
    meta: dict[str, Any] | None,
    *,
    is_listed: bool = False,
) -> tuple[str, ...]:
    """Puts a part under the last of its parents; returns the parents of what is put under it."""
    placed[name] = {"type": kind, "id": name, "children": [], "parents": list(parents)}
    if meta is not None:
        placed[name]["meta"] = meta
    if not is_listed:
        placed[parents[-1]]["children"].append(name)
    return (*parents, name)


def _pick(board: Board, pick: Pick) -> dict[str, Any]:
    empty: dict[str, Any] = {"extraFormData": {}, "filterState": {}, "ownState": {}}
    shown: dict[str, Any] = {
        "id": f"NATIVE_FILTER-{_id('filter', f'{board.slug}/{pick.zh}')}",
        "name": pick.zh,
        "type": "NATIVE_FILTER",
        "description": "",
        "cascadeParentIds": [],
        "scope": {"rootPath": ["ROOT_ID"], "excluded": []},
        "defaultDataMask": empty,
        "controlValues": {"enableEmptyFilter": False},
    }
    if pick.dataset is None:
        return shown | {"filterType": "filter_time", "targets": [{}]}
    return shown | {
        "filterType": "filter_select",
        "targets": [{"datasetUuid": _id("dataset", pick.dataset), "column": {"name": pick.column}}],
        "controlValues": {
            "enableEmptyFilter": False,
            "defaultToFirstItem": False,
            "multiSelect": True,
            "searchAllOptions": False,
            "inverseSelection": False,
        },
    }

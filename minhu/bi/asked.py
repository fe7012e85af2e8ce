"""The SQL that a chart asks, as the tool writes it: what a board shows can be had and proven without the tool."""

from minhu.bi.content import DATASETS
from minhu.bi.declared import Chart, Dataset, Filter


def sql(chart: Chart) -> str:
    """One statement, its columns named as those of the dataset and its metrics."""
    dataset = DATASETS[chart.dataset]
    keys = _keys(chart)
    if chart.kind == "rows":
        shown = [_name(column) for column in chart.columns]
    else:
        shown = [f"{key} as {_name(name)}" for name, key in keys.items()]
        shown += [f"{dataset.metric(name).sql} as {_name(name)}" for name in chart.metrics]
    parts = [f"select {', '.join(shown)}", f"from {dataset.source}"]
    if chart.filters:
        parts.append("where " + " and ".join(map(_condition, chart.filters)))
    if keys:
        parts.append("group by " + ", ".join(keys.values()))
    if ordered := _order(chart, dataset):
        parts.append("order by " + ", ".join(ordered))
    return "\n".join([*parts, f"limit {chart.limit}"])


def metric_sql(dataset: Dataset, name: str) -> str:
    """A metric over all of its dataset."""
    return f"select {dataset.metric(name).sql} as {_name(name)} from {dataset.source}"


def _keys(chart: Chart) -> dict[str, str]:
    """By name what the chart groups by."""
    if chart.kind == "rows":
        return {}
    keys = {}
    if chart.x:
        day = f"cast(date_trunc('day', {_name(chart.x)}) as timestamp)"
        keys[chart.x] = day if chart.kind == "trend" else _name(chart.x)
    beside = [*(chart.columns if chart.kind == "spread" else ()), *chart.by]
    return keys | {name: _name(name) for name in beside}


def _order(chart: Chart, dataset: Dataset) -> list[str]:
    if chart.kind == "rows":
        return [f"{_name(column)} {'asc' if up else 'desc'}" for column, up in chart.order]
    if chart.kind in ("ranking", "table"):
        return [f"{dataset.metric(chart.metrics[0]).sql} {'asc' if chart.upwards else 'desc'}"]
    return []


def _condition(one: Filter) -> str:
    if one.value is None:
        return f"{_name(one.column)} is not null"
    if isinstance(one.value, int):
        return f"{_name(one.column)} > {one.value}"
    return f"{_name(one.column)} = {_text(one.value)}"


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"

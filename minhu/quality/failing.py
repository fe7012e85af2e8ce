"""Which rows a rule calls bad, as SQL that lists all their keys and runs as pasted into psql.

Great Expectations' own lists of bad rows are capped and carry values. Ours name a batch, the row of its file and
business keys: (batch_id bigint, row_number bigint, key jsonb).
"""

from collections.abc import Collection, Mapping

from psycopg import sql

from minhu.quality.rules import JUDGED, Rule

TABLE = {"case": "staging.case_record", "event": "staging.case_event", "callback": "staging.callback"}
KIND_OF = {"case_record": "case", "case_event": "event", "callback": "callback"}
"""Asset → the kind of the batches whose rows it holds; the other arrival assets hold every batch."""
_KEY = {
    "case": ("feed_code", "case_no"),
    "event": ("case_feed_code", "case_no", "source_event_no"),
    "callback": ("case_feed_code", "case_no"),
    "unit_indicator": ("unit_code", "indicator_code"),
    "unit_score": ("unit_code",),
}


def of_batches(rule: Rule, kinds: Mapping[int, str]) -> str:
    """Every row of the batches (batch_id → kind) that fails an arrival rule."""
    if rule.asset in KIND_OF:
        kinds = {batch_id: kind for batch_id, kind in kinds.items() if kind == KIND_OF[rule.asset]}
        return _of_slice(rule, kinds)
    parts = [
        _of_kind(kind, condition, [batch_id for batch_id, of in kinds.items() if of == kind])
        for kind, condition in rule.rows.items()
        if kind in kinds.values()
    ]
    whole = {batch_id: kind for batch_id, kind in kinds.items() if kind not in rule.rows}
    if parts and whole:
        parts.append(f"({_of_measures(rule, whole)})")
    if parts:
        return "\nunion all\n".join(parts)
    return _of_measures(rule, kinds)


def released(rule: Rule, named: Mapping[str, str]) -> str:
    """What a release rule judges, every setting (name → what it stands for) put in as a literal."""
    query = rule.asset_query
    for setting, value in named.items():
        query = query.replace(f"current_setting('{setting}', true)", _literal(value))
    return query


def of_release(rule: Rule, named: Mapping[str, str], query: str | None = None) -> str:
    """Every row of what is to be published that fails a release rule; ``query`` stands in for what it judges."""
    query = query or released(rule, named)
    if rule.asset == "release_gap":
        key = "bad.key"
    elif rule.asset in _KEY:
        key = _object("bad", _KEY[rule.asset])
    else:
        key = f"jsonb_build_object('period', {_literal(named['minhu.period'])})"
    return (
        f"with judged as (\n{query}\n),\nbad as (\n{bad_rows(rule)}\n)\n"
        f"select cast(null as bigint) as batch_id, cast(null as bigint) as row_number, {key} as key\nfrom bad"
    )


def concerned(rule: Rule, query: str) -> str:
    """The batches that fail an arrival rule, each with what was observed there: (batch_id, jsonb)."""
    if rule.asset == "batch_threshold":
        observed = "jsonb_object_agg(bad.metric, to_jsonb(bad) - 'batch_id' - 'metric')"
    elif rule.asset == "batch_profile":
        observed = "(array_agg(to_jsonb(bad) - 'batch_id'))[1]"
    else:
        observed = "jsonb_build_object('rows', count(*))"
    return (
        f"with judged as (\n{query}\n),\nbad as (\n{bad_rows(rule)}\n)\n"
        f"select bad.batch_id, {observed} from bad group by bad.batch_id"
    )


def bad_rows(rule: Rule) -> str:
    """The rows of ``judged`` that fail."""
    kwargs = rule.kwargs
    if rule.type == "unexpected_rows_expectation":
        return kwargs["unexpected_rows_query"].replace("{batch}", "judged")
    column = sql.Identifier(kwargs["column"]).as_string()
    if rule.type == "expect_column_values_to_not_be_null":
        condition = f"{column} is null"
    elif rule.type == "expect_column_values_to_be_in_set":
        condition = f"{column} not in ({', '.join(map(_literal, kwargs['value_set']))})"
    else:
        bounds = [(sign, kwargs.get(name)) for name, sign in (("min_value", "<"), ("max_value", ">"))]
        condition = " or ".join(f"{column} {sign} {_literal(bound)}" for sign, bound in bounds if bound is not None)
    own = "batch_id, row_number" if rule.asset in KIND_OF else "*"
    if rule.asset == "batch_profile":
        own = f"batch_id, {column}"
    return f"select {own} from judged where {condition}"


def _of_slice(rule: Rule, kinds: Collection[int]) -> str:
    """A slice holds rows: they are joined to their keys."""
    query = _about(rule.asset_query, kinds)
    return (
        f"with judged as (\n{query}\n),\nbad as (\n{bad_rows(rule)}\n)\n"
        f"select judged.batch_id, judged.row_number, {_object('judged', _KEY[KIND_OF[rule.asset]])} as key\n"
        "from judged\ninner join bad on judged.batch_id = bad.batch_id and judged.row_number = bad.row_number"
    )


def _of_kind(kind: str, condition: str, batches: Collection[int]) -> str:
    return (
        f"select told.batch_id, told.row_number, {_object('told', _KEY[kind])} as key\n"
        f"from {TABLE[kind]} as told\ninner join audit.batch on told.batch_id = batch.batch_id\n"
        f"where told.batch_id in ({_listed(batches)}) and ({condition})"
    )


def _of_measures(rule: Rule, kinds: Collection[int]) -> str:
    """A measure fails for a batch as a whole."""
    return (
        f"with judged as (\n{_about(rule.asset_query, kinds)}\n),\nbad as (\n{bad_rows(rule)}\n)\n"
        "select bad.batch_id, cast(null as bigint) as row_number, jsonb_strip_nulls(jsonb_build_object("
        "'feed_code', batch.feed_code, 'delivery', batch.delivery, 'business_date', batch.business_date, "
        "'metric', to_jsonb(bad) -> 'metric')) as key\nfrom bad\n"
        "inner join audit.batch on bad.batch_id = batch.batch_id"
    )


def _about(query: str, batches: Collection[int]) -> str:
    return query.replace(JUDGED, f"batch.batch_id in ({_listed(batches)})")


def _listed(batches: Collection[int]) -> str:
    return ", ".join(map(str, sorted(batches))) or "null"


def _object(table: str, columns: tuple[str, ...]) -> str:
    members = ", ".join(f"'{column}', {table}.{column}" for column in columns)
    return f"jsonb_strip_nulls(jsonb_build_object({members}))"


def _literal(value: object) -> str:
    return sql.Literal(value).as_string()

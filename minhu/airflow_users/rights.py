"""What each group may in Airflow: one table, in Airflow's own words. What is not here is refused, to everybody.

Nobody reads or writes connections, variables or Airflow's configuration: the house keeps nothing there, and what a DAG
of somebody else's needs stands in the environment (``AIRFLOW_CONN_…``, ``AIRFLOW_VAR_…``). Nobody deletes a DAG, a run
or a task: what ran is evidence.
"""

FRESH = 15
"""Seconds for which it holds what the database says of a login's groups."""

SEEN = frozenset({
    "DAG", "RUN", "TASK", "TASK_INSTANCE", "DEPENDENCIES", "VERSION", "WARNING", "HITL_DETAIL", "ASSET",
    "WEBSITE", "CLUSTER_ACTIVITY", "PLUGINS",
})  # fmt: skip
"""What ran when, and how it ended."""
INSIDE = frozenset({
    "TASK_LOGS", "CODE", "XCOM", "AUDIT_LOG", "POOL", "IMPORT_ERRORS", "JOBS", "PROVIDERS", "TRIGGERS", "DOCS",
})  # fmt: skip
"""How it works, why it failed, and who did what."""

LOOKS = {"evaluator": SEEN, "auditor": SEEN | INSIDE, "engineer": SEEN | INSIDE}
ACTS = {
    "engineer": frozenset({
        ("PUT", "DAG"),  # pause
        ("POST", "RUN"), ("PUT", "RUN"),  # trigger, backfill, clear, mark
        ("PUT", "TASK_INSTANCE"), ("PUT", "HITL_DETAIL"),
        ("POST", "ASSET"), ("DELETE", "ASSET"),  # what was announced by hand, and is taken back
        ("POST", "POOL"), ("PUT", "POOL"), ("DELETE", "POOL"),
    }),
}  # fmt: skip


def may(groups: frozenset[str], method: str, what: str) -> bool:
    """Whether any of the groups may ``method`` (``GET``, ``POST``, ``PUT``, ``DELETE``) ``what``."""
    if method in ("GET", "MENU"):
        return any(what in LOOKS.get(group, ()) for group in groups)
    return any((method, what) in ACTS.get(group, ()) for group in groups)


def may_enter(groups: frozenset[str]) -> bool:
    return not groups.isdisjoint(LOOKS)

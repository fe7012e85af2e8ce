"""Reads the DAG files as Airflow does and prints what it found as JSON.

A program of its own: Airflow's settings, loggers and warnings stay out of the test run, and two parses are two
processes with hash seeds of their own.
"""

import contextlib
import json
import sys

HEAVY = {"polars", "psycopg", "sqlalchemy.dialects.postgresql.psycopg", "dbt", "great_expectations", "numpy", "lxml"}


def main() -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    before = set(sys.modules)
    bag = DagBag(sys.argv[1])
    heavy = sorted(HEAVY & (set(sys.modules) - before))
    dags = {dag_id: describe(dag) | {"serialized": DagSerialization.to_dict(dag)} for dag_id, dag in bag.dags.items()}
    json.dump(
        {
            "errors": bag.import_errors,
            "warnings": bag.captured_warnings,
            "heavy": heavy,
            "dags": dags,
        },
        sys.__stdout__,
        default=str,
    )


def describe(dag) -> dict:
    return {
        "owner": dag.owner,
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "tags": sorted(dag.tags),
        "doc": dag.doc_md,
        "cron": dag.timetable.expression,
        "timezone": str(dag.timetable.timezone),
        "run_immediately": str(dag.timetable.run_immediately),
        "params": sorted(dag.params),
        "tasks": {task.task_id: describe_task(task) for task in dag.tasks},
    }


def describe_task(task) -> dict:
    return {
        "retries": task.retries,
        "timeout": task.execution_timeout and task.execution_timeout.total_seconds(),
        "gives_up_on": [rule.exception_path for rule in task.retry_policy.rules] if task.retry_policy else [],
        "priority": task.priority_weight,
        "upstream": sorted(task.upstream_task_ids),
        "outlets": sorted(asset.uri for asset in task.outlets),
    }


with contextlib.redirect_stdout(sys.stderr):  # Airflow logs there
    main()

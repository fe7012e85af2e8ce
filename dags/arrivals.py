"""What comes late: loaded when it is there, and built when the night's build is over. Every ten minutes."""

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import CronTriggerTimetable, ExceptionRetryPolicy, RetryAction, RetryRule, dag, task

from minhu.errors import Refused
from minhu.settings import Settings

POLICY = {
    "owner": "minhu",
    "priority_weight": 1000,  # above every load's: where loads pile up, what builds of them would wait behind them all
    "retries": 1,
    "retry_delay": timedelta(minutes=2),
    "retry_policy": ExceptionRetryPolicy([RetryRule(Refused, RetryAction.FAIL)]),  # trying again will not help
    "execution_timeout": timedelta(hours=1),
}
DOC = """
每十分钟一次：

1. `late` 补装：近两周内未送达的交付再看一次来源，到了就装载；仍未到的不算失败；
2. `again` 是否再构建：夜间构建之后又有批次到达或放行，且没有构建在进行，则继续；否则本次到此为止；
3. `warehouse` 触发一次数仓构建（同一时刻只有一次构建）。

已关账或已发布的周期不因此改变；需要时由人 `minhu revise`。
"""


@dag(
    dag_id="arrivals",
    dag_display_name="迟到补装与再构建（arrivals）",
    doc_md=DOC,
    schedule=CronTriggerTimetable("*/10 * * * *", timezone=Settings.from_env().timezone, run_immediately=timedelta()),
    catchup=False,
    max_active_runs=1,
    tags=["warehouse"],
    default_args=POLICY,
)
def arrivals():
    @task(multiple_outputs=False, task_display_name="补装")
    def late() -> list[dict]:
        from minhu.load.late import load_late

        return [result.summary() for result in load_late(Settings.from_env())]

    @task.short_circuit(task_display_name="是否再构建")
    def again() -> dict:
        import logging

        from minhu.warehouse.again import to_build_again

        found = to_build_again(Settings.from_env())
        logging.getLogger("minhu").info("%s", found or "没有要再构建的")
        return found

    rebuild: Any = TriggerDagRunOperator(
        task_id="warehouse",
        task_display_name="触发数仓构建",
        trigger_dag_id="warehouse",
        conf={"business_date": "{{ ti.xcom_pull(task_ids='again')['business_date'] }}"},
    )
    late() >> again() >> rebuild


arrivals()

"""The marts counted by a Spark cluster once a month. Where no cluster is named there is no such DAG."""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, ExceptionRetryPolicy, RetryAction, RetryRule, dag, task

from minhu.errors import Refused
from minhu.settings import Settings

POLICY = {
    "owner": "minhu",
    "retries": 2,
    "retry_delay": timedelta(minutes=10),
    "retry_policy": ExceptionRetryPolicy([RetryRule(Refused, RetryAction.FAIL)]),  # trying again will not help
    "execution_timeout": timedelta(hours=2),
}
DOC = """
每月一次，在 Spark 集群上统计历史（仅在设置了 `MINHU_SPARK_MASTER` 时存在）：

`submit` 提交：由 spark-submit 提交作业，按单位、按月计算按时办结、满意与月末积压；
读 `MINHU_SPARK_FOLDER` 下的 `marts`，结果写在 `units_by_month`。
`marts` 由有权限的登录用 `minhu export mart` 写出并写明理由，任务的登录不导出数据。
"""


@dag(
    dag_id="scale",
    dag_display_name="Spark 统计（scale）",
    doc_md=DOC,
    schedule=CronTriggerTimetable("0 7 3 * *", timezone=Settings.from_env().timezone, run_immediately=timedelta()),
    catchup=False,
    max_active_runs=1,
    tags=["warehouse"],
    default_args=POLICY,
)
def scale():
    @task(multiple_outputs=False, task_display_name="提交")
    def submit() -> dict:
        from minhu.export.mart.spark import submit

        return submit(Settings.from_env())

    submit()


if Settings.from_env().spark_master:
    scale()

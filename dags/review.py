"""What waits for a person: held batches and open warnings, shown each working morning; what was released is built.

A run of its own, so that the nightly build never waits for anybody.
"""

from datetime import timedelta

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import CronTriggerTimetable, ExceptionRetryPolicy, RetryAction, RetryRule, dag, task

from minhu.errors import Refused
from minhu.settings import Settings

POLICY = {
    "owner": "minhu",
    "retries": 2,
    "retry_delay": timedelta(minutes=2),
    "retry_policy": ExceptionRetryPolicy([RetryRule(Refused, RetryAction.FAIL)]),  # trying again will not help
    "execution_timeout": timedelta(hours=2),
}
WAIT = timedelta(hours=9)
DOC = """
每日上午的质量处置，夜间构建不等待它：

1. `waiting` 待处置：列出被扣留的批次与未处置的警告；没有则本次到此为止；
2. `decide` 处置：由有权限的数据库登录用命令行放行批次（`minhu quality release`）或豁免（`minhu waivers add`），
   均须写明理由，由数据库记下登录与时间。作数的是数据库登录，在本页面点按钮不放行任何批次。
   放行之后选 Approve，立即构建；选 Reject，或九小时内无人处置，则**继续扣留**，次日再列，其他批次不受影响；
3. `build` 构建：采用刚放行的批次。
"""


@dag(
    dag_id="review",
    dag_display_name="质量处置（review）",
    doc_md=DOC,
    schedule=CronTriggerTimetable("30 8 * * *", timezone=Settings.from_env().timezone, run_immediately=timedelta()),
    catchup=False,
    max_active_runs=1,
    tags=["warehouse"],
    default_args=POLICY,
)
def review():
    @task.short_circuit(task_display_name="待处置")
    def waiting() -> str:
        import logging

        from minhu.assess import waiting

        told = waiting(Settings.from_env())
        logging.getLogger("minhu").info("%s", told or "没有待处置的批次与问题")
        return told

    decide = ApprovalOperator(
        task_id="decide",
        task_display_name="处置",
        subject="放行或豁免之后，立即构建？不处置则继续扣留",
        body="```\n{{ ti.xcom_pull(task_ids='waiting') }}\n```",
        defaults=ApprovalOperator.REJECT,
        response_timeout=WAIT,
    )

    @task(multiple_outputs=False, task_display_name="构建事实表")
    def build() -> dict:
        from minhu.warehouse.build import build

        return build(Settings.from_env(), tell=print).summary()

    waiting() >> decide >> build()


review()

"""The nightly build at the cut-off: who is missing, what may enter, the facts, the indicative scores of the month."""

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, ExceptionRetryPolicy, Param, RetryAction, RetryRule, dag, task

from minhu.errors import Refused
from minhu.settings import Settings

POLICY = {
    "owner": "minhu",
    "retries": 2,
    "retry_delay": timedelta(minutes=2),
    "retry_policy": ExceptionRetryPolicy([RetryRule(Refused, RetryAction.FAIL)]),  # trying again will not help
    "execution_timeout": timedelta(hours=2),
}
DOC = """
每日截止时刻的数仓构建，依次：

1. `completeness` 到齐情况：列出业务日期没有批次的交付，只报告，不失败；
2. `judge_arrivals` 入库门禁：每个批次放行或扣留，扣留的用 `minhu quality release` 放行；
3. `build` 构建事实表：只取已放行的批次，测试通过后一次性生效；数据库中断时自动重试，输入未变则从失败的节点接着做；
4. `score` 当月试算分。
"""


@dag(
    dag_id="warehouse",
    dag_display_name="数仓每日构建（warehouse）",
    doc_md=DOC,
    schedule=CronTriggerTimetable("30 5 * * *", timezone=Settings.from_env().timezone, run_immediately=timedelta()),
    catchup=False,
    max_active_runs=1,
    tags=["warehouse"],
    params={
        "business_date": Param(
            None,
            type=["null", "string"],
            format="date",
            title="业务日期",
            description="检查哪一天的到齐情况，并试算其所在月份；不填则为运行时刻的前一天（本市时间）",
        )
    },
    default_args=POLICY,
)
def warehouse():
    @task(multiple_outputs=False, task_display_name="到齐情况")
    def completeness(*, params: Any = None, dag_run: Any = None) -> dict:
        import logging

        from minhu.business_date import business_date
        from minhu.warehouse.completeness import missing

        settings = Settings.from_env()
        day = business_date(params["business_date"], dag_run.logical_date or dag_run.run_after, settings.timezone)
        absent = missing(settings, day)
        for feed_code, delivery in absent:
            logging.getLogger("minhu").warning("%s：%s/%s 未到", day, feed_code, delivery)
        return {"business_date": day.isoformat(), "missing": [list(pair) for pair in absent]}

    @task(multiple_outputs=False, task_display_name="入库门禁")
    def judge_arrivals() -> dict:
        from minhu import quality

        return quality.judge_arrivals(Settings.from_env()).summary()

    @task(multiple_outputs=False, task_display_name="构建事实表")
    def build() -> dict:
        from minhu.warehouse.build import build

        return build(Settings.from_env()).summary()

    @task(multiple_outputs=False, task_display_name="当月试算")
    def score(*, params: Any = None, dag_run: Any = None) -> dict:
        from minhu import scoring
        from minhu.business_date import business_date, month

        settings = Settings.from_env()
        day = business_date(params["business_date"], dag_run.logical_date or dag_run.run_after, settings.timezone)
        scored = scoring.score(settings, month(day))
        return {
            "scheme": f"{scored.scheme_id} {scored.scheme_version}",
            "period": scored.period,
            "ranked": scored.ranked,
        }

    completeness() >> judge_arrivals() >> build() >> score()


warehouse()

"""The nightly build, once all is in or at the cut-off: what is missing, what may enter, facts, indicative scores."""

from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, CronTriggerTimetable, ExceptionRetryPolicy, Param, RetryAction, RetryRule, dag, task
from airflow.sdk.exceptions import AirflowRescheduleException

from minhu.errors import Refused
from minhu.feeds.arrival import of_city
from minhu.settings import Settings

POLICY = {
    "owner": "minhu",
    "priority_weight": 1000,  # above every load's: where loads pile up, what builds of them would wait behind them all
    "retries": 2,
    "retry_delay": timedelta(minutes=2),
    "retry_policy": ExceptionRetryPolicy([RetryRule(Refused, RetryAction.FAIL)]),  # trying again will not help
    "execution_timeout": timedelta(hours=2),
}
FACTS = ("fct_case", "fct_timeliness", "fct_event", "fct_satisfaction", "fct_violation")
DOC = """
每日截止时刻的数仓构建，依次：

1. `completeness` 到齐情况：须到的交付到齐即开始；未到齐则等到截止时刻与宽限期满（不占槽位），缺谁说谁，照常构建。
   业务日期已过截止的（补跑）不等待；迟到的由 `arrivals` 补装后再构建；
2. `judge_arrivals` 入库门禁：每个批次放行或扣留，扣留的用 `minhu quality release` 放行；
3. `build` 构建事实表：只取已放行的批次，测试通过后一次性生效；数据库中断时自动重试，输入未变则从失败的节点接着做；
4. `score` 当月试算分。
"""


def begins() -> str:
    """The cron expression of `build.earliest` in city.yml."""
    hour, minute = of_city(Settings.from_env().config).build.earliest.split(":")
    return f"{int(minute)} {int(hour)} * * *"


@dag(
    dag_id="warehouse",
    dag_display_name="数仓每日构建（warehouse）",
    doc_md=DOC,
    schedule=CronTriggerTimetable(begins(), timezone=Settings.from_env().timezone, run_immediately=timedelta()),
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
        from minhu.warehouse.deliveries import await_until, deliveries, not_in

        settings = Settings.from_env()
        day = business_date(params["business_date"], dag_run.logical_date or dag_run.run_after, settings.timezone)
        absent = not_in(deliveries(settings, day, day))
        for one in absent:
            logging.getLogger("minhu").warning("%s", one)
        if absent and (again := await_until(settings, day)):
            raise AirflowRescheduleException(again)  # it waits and holds no slot
        return {"business_date": day.isoformat(), "missing": [[one.feed_code, one.delivery] for one in absent]}

    @task(multiple_outputs=False, task_display_name="入库门禁")
    def judge_arrivals() -> dict:
        from minhu import quality

        return quality.judge_arrivals(Settings.from_env()).summary()

    @task(multiple_outputs=False, task_display_name="构建事实表", outlets=[Asset(f"minhu://mart/{it}") for it in FACTS])
    def build() -> dict:
        from minhu.warehouse.build import build

        return build(Settings.from_env(), tell=print).summary()

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

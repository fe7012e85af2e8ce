"""The monthly assessment: scores the month that is over and asks the gate whether they may be published."""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, ExceptionRetryPolicy, Param, RetryAction, RetryRule, dag, task

from minhu.errors import Refused

POLICY = {
    "owner": "minhu",
    "retries": 2,
    "retry_delay": timedelta(minutes=5),
    "retry_policy": ExceptionRetryPolicy([RetryRule(Refused, RetryAction.FAIL)]),  # trying again will not help
    "execution_timeout": timedelta(hours=2),
}
DOC = """
每月考核，依次：

1. `score` 按生效的考核办法计算上月得分；
2. `judge_release` 发布关卡：有一条关键规则不通过即失败，日志写明是哪几条。

关账、审批与发布由人决定，不在本流程内。
"""


@dag(
    dag_id="assessment",
    dag_display_name="月度考核（assessment）",
    doc_md=DOC,
    schedule=CronTriggerTimetable("0 6 3 * *", timezone="Asia/Shanghai", run_immediately=timedelta()),
    catchup=False,
    max_active_runs=1,
    tags=["assessment"],
    params={
        "period": Param(
            None,
            type=["null", "string"],
            pattern=r"^20\d\d-(0[1-9]|1[0-2])$",
            title="考核月份",
            description="如 2026-10；不填则为上月",
        )
    },
    default_args=POLICY,
)
def assessment():
    @task(multiple_outputs=False, task_display_name="计算得分")
    def score(*, params=None, dag_run=None) -> dict:
        from minhu import scoring
        from minhu.business_date import assessed_month
        from minhu.settings import Settings

        period = assessed_month(params["period"], dag_run.logical_date or dag_run.run_after)
        scored = scoring.score(Settings.from_env(), period)
        return {
            "period": scored.period,
            "scheme_id": scored.scheme_id,
            "scheme_version": scored.scheme_version,
            "ranked": scored.ranked,
            "not_ranked": scored.not_ranked,
        }

    @task(multiple_outputs=False, task_display_name="发布关卡")
    def judge_release(scored: dict) -> dict:
        from airflow.sdk.exceptions import AirflowFailException

        from minhu.settings import Settings
        from minhu.warehouse import quality

        version = scored["scheme_id"], scored["scheme_version"]
        result = quality.judge_release(Settings.from_env(), scored["period"], *version)
        if not result.passed:
            failed = "；".join(f"{rule.rule_id} {rule.title_zh}" for rule in result.failed_rules)
            raise AirflowFailException(f"发布关卡未通过：{failed}")
        return result.summary()

    judge_release(score())


assessment()

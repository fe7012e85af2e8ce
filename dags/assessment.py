"""The monthly assessment: closes the month that is over, waits until another person has approved it, publishes it."""

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import (
    BaseSensorOperator,
    CronTriggerTimetable,
    ExceptionRetryPolicy,
    Param,
    PokeReturnValue,
    RetryAction,
    RetryRule,
    dag,
    task,
)

from minhu.errors import Refused
from minhu.settings import Settings

POLICY = {
    "owner": "minhu",
    "retries": 2,
    "retry_delay": timedelta(minutes=5),
    "retry_policy": ExceptionRetryPolicy([RetryRule(Refused, RetryAction.FAIL)]),  # trying again will not help
    "execution_timeout": timedelta(hours=2),
}
WAIT = timedelta(days=21)
DOC = """
每月考核，依次：

1. `close` 关账：按生效的考核办法计算上月得分，过发布门禁（有一条关键规则不通过即失败），冻结得分、指标、证据与输入；
2. `approval` 等待审批：须由关账以外的数据库登录执行
   `minhu approvals add closing <编号> --hash <内容哈希> --reason '…'`。
   作数的是数据库登录，由数据库函数记录；在本页面点按钮不算审批。被驳回则失败；
3. `go_ahead` 定发布时点：在“待办操作”中选 Approve 即发布，选 Reject 则本次不发布；
4. `publish` 发布：写入 `publish`，只增不改，逐行哈希成链。

迟到数据、获准的申诉与更正不改已发布的结果：`minhu revise` 生成下一次修订。
"""


class Approval(BaseSensorOperator):
    """Waits until a login other than the closer's has approved what ``closed`` says, and hands on who.

    An Airflow user is no login of the database, so no button here could approve.
    """

    template_fields = ("closed",)

    def __init__(self, *, closed: Any, **how: Any):
        super().__init__(**how)
        self.closed = closed

    def poke(self, context: Any) -> PokeReturnValue:
        from minhu import publish

        self.log.info("%s", self.closed["told"])
        who = publish.approved_by(Settings.from_env(), self.closed["closing_id"])
        return PokeReturnValue(is_done=who is not None, xcom_value=who)


@dag(
    dag_id="assessment",
    dag_display_name="月度考核（assessment）",
    doc_md=DOC,
    schedule=CronTriggerTimetable("0 6 3 * *", timezone=Settings.from_env().timezone, run_immediately=timedelta()),
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
    @task(multiple_outputs=False, task_display_name="关账")
    def close(*, params: Any = None, dag_run: Any = None) -> dict:
        import logging

        from minhu import publish
        from minhu.business_date import assessed_month

        settings = Settings.from_env()
        period = assessed_month(params["period"], dag_run.logical_date or dag_run.run_after, settings.timezone)
        log = logging.getLogger("minhu")
        closing = publish.close(settings, period, tell=log.info)
        told = publish.render_closing(closing)
        log.info("%s", told)
        return {"closing_id": closing.closing_id, "period": closing.period, "told": told}

    go_ahead = ApprovalOperator(
        task_id="go_ahead",
        task_display_name="定发布时点",
        subject="{{ ti.xcom_pull(task_ids='close')['period'] }} 已由 {{ ti.xcom_pull(task_ids='approval') }} 审批，"
        "现在发布？",
        body="```\n{{ ti.xcom_pull(task_ids='close')['told'] }}\n```",
        params={
            "why": Param(
                None,
                type=["null", "string"],
                title="没有外部见证也发布的理由",
                description="外部见证都联系不上（或没有配置）时必填，随发布公开；平时不填",
            )
        },
        response_timeout=WAIT,
    )

    @task(multiple_outputs=False, task_display_name="发布")
    def publish(closed: Any, answer: Any) -> dict:
        import logging

        from minhu.publish import publish_closing

        why = (answer["params_input"] or {}).get("why")
        tell = logging.getLogger("minhu").info
        return publish_closing(Settings.from_env(), closed["closing_id"], why=why, tell=tell).as_json()

    closed = close()
    approval = Approval(
        task_id="approval",
        task_display_name="等待他人审批",
        closed=closed,
        mode="reschedule",
        poke_interval=300,
        timeout=WAIT.total_seconds(),
    )
    approval >> go_ahead
    publish(closed, go_ahead.output)


assessment()

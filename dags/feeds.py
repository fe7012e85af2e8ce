"""One DAG for each declared feed: fetch, check at the door, commit.

A declaration that cannot be read must not hide the other feeds: it becomes a DAG that fails every night and says why.
"""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import (
    Asset,
    CronTriggerTimetable,
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryRule,
    dag,
    get_parsing_context,
    task,
)
from airflow.sdk.exceptions import AirflowRescheduleException, AirflowTimetableInvalid

from minhu.errors import BadDeclaration, Refused
from minhu.feeds import Feed, load_feed
from minhu.feeds.arrival import CityTerms, of_city
from minhu.glossary.delivered import FEED_ROLE, RECORD
from minhu.settings import Settings

POLICY = {
    "retry_delay": timedelta(minutes=2),
    "retry_exponential_backoff": 2,
    "max_retry_delay": timedelta(minutes=30),
    "retry_policy": ExceptionRetryPolicy([RetryRule(Refused, RetryAction.FAIL)]),  # trying again will not help
}
OF_BROKEN = {"retries": 3, "execution_timeout": timedelta(minutes=30)}
BUSINESS_DATE = Param(
    None,
    type=["null", "string"],
    format="date",
    title="业务日期",
    description="装载哪一天的交付；不填则为逻辑日期（logical date，没有则运行时刻）的前一天（本市时间），回填时不填。"
    "尚未开始的日期不装载，已装载过的不重复",
)


def main() -> None:
    """Reads every declaration; inside a task only the one it is about."""
    settings = Settings.from_env()
    wanted = (get_parsing_context().dag_id or "").removeprefix("feed_")
    city = of_city(settings.config)
    for path in sorted((settings.config / "feeds").glob(f"{wanted or '*'}.yml")):
        try:
            feed = load_feed(path)
            schedule = nightly(feed.schedule, feed.timezone)
        except (BadDeclaration, AirflowTimetableInvalid) as error:
            broken_dag(path, str(error))
        else:
            feed_dag(feed, schedule, city)


def nightly(cron: str, timezone: str) -> CronTriggerTimetable:
    """The cron expression; a schedule that is new waits for its next time instead of running the one just missed."""
    schedule = CronTriggerTimetable(cron, timezone=timezone, run_immediately=timedelta())
    schedule.validate()
    return schedule


def feed_dag(feed: Feed, schedule: CronTriggerTimetable, city: CityTerms) -> None:
    @dag(
        dag_id=f"feed_{feed.code}",
        dag_display_name=f"{feed.name}（{feed.code}）",
        description=f"装载{feed.name}的交付",
        doc_md=describe(feed),
        schedule=schedule,
        catchup=False,
        max_active_runs=3,  # dates are independent; a date that waits to be tried again must not hold up the others
        tags=[feed.group, feed.role],
        params={"business_date": BUSINESS_DATE},
        default_args=POLICY | {"owner": feed.owner},
    )
    def deliveries():
        for delivery in feed.deliveries:
            terms = feed.arrival_of(delivery, city.arrivals)
            load.override(
                task_id=f"load_{delivery.name}",
                task_display_name=f"装载{RECORD.zh(delivery.kind)}（{delivery.name}）",
                outlets=[Asset(f"minhu://staging/{feed.code}")],
                retries=terms.retries,
                execution_timeout=timedelta(minutes=terms.timeout_minutes),
                priority_weight=terms.priority,
                weight_rule="absolute",
                pool=terms.pool if terms.pool in city.pools else "default_pool",
            )(feed.code, delivery.name, feed.timezone)

    deliveries()


@task(multiple_outputs=False)  # a dict is one value, not one request to the API server for each key
def load(feed_code: str, delivery: str, timezone: str, *, params: Any = None, dag_run: Any = None) -> list[dict]:
    from minhu.business_date import business_date
    from minhu.load import load_delivery
    from minhu.load.awaited import look_again_at

    day = business_date(params["business_date"], dag_run.logical_date or dag_run.run_after, timezone)
    results = load_delivery(feed_code, delivery, day)
    if again := look_again_at(Settings.from_env(), feed_code, delivery, day, results):
        raise AirflowRescheduleException(again)  # it waits and holds no slot
    return [result.summary() for result in results]


def broken_dag(path: Path, why: str) -> None:
    @dag(
        dag_id=f"feed_{re.sub('[^A-Za-z0-9_.-]', '_', path.stem)}",
        dag_display_name=f"{path.name}：声明有误",
        doc_md=f"声明文件读不了，改好后一分钟内自动恢复：\n\n```\n{why}\n```",
        schedule=nightly("0 3 * * *", Settings.from_env().timezone),
        catchup=False,
        max_active_runs=1,
        tags=["broken"],
        default_args=POLICY | OF_BROKEN | {"owner": "minhu"},
    )
    def declaration():
        refuse.override(task_display_name="声明有误")(path.stem, why)

    declaration()


@task
def refuse(feed_code: str, why: str, *, dag_run: Any = None) -> None:
    from minhu.business_date import business_date
    from minhu.load.failures import undeclared

    settings = Settings.from_env()
    day = business_date(None, dag_run.logical_date or dag_run.run_after, settings.timezone)
    raise undeclared(settings, feed_code, day, BadDeclaration(why))


def describe(feed: Feed) -> str:
    """The feed in words, for whoever looks at its DAG."""
    lines = [
        f"**{feed.name}**（`{feed.code}`）：{FEED_ROLE.zh(feed.role)}，{feed.owner}。",
        f"每份交付一个任务，装载为一个批次；时区 {feed.timezone}。",
        "",
        "| 交付 | 内容 | 方式 | 格式 | 来源 |",
        "|---|---|---|---|---|",
    ]
    for delivery in feed.deliveries:
        where = getattr(delivery.source, "path", delivery.source.type)
        lines.append(
            f"| {delivery.name} | {RECORD.zh(delivery.kind)} | {delivery.mode} | {delivery.format.type} | `{where}` |"
        )
    lines += [
        "",
        "未到的交付等待至宽限期满（不占槽位），逾期记为未送达并报失败；之后到达的自动补装。",
        "文件被拒收不重试，请联系报送单位；服务器暂不可用会自动重试。补装某一天：触发时填写业务日期。",
        "补装一段：回填（backfill）时起止为逻辑日期，各装载其前一天，如业务日期 10-01 至 10-05 填 10-02 至 10-06；"
        f"或用命令 `minhu load {feed.code} --date 2026-10-01 --until 2026-10-05`。已装载过的不重复。",
    ]
    return "\n".join(lines)


main()

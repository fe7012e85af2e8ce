"""The demo: two months of a small simulated city through the whole chain, the last day by the real scheduler.

September 2026 is published, October open. There is a login for each kind of person, of the demo alone.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta

import click
from sqlalchemy import make_url

from minhu import assess, database, quality, services
from minhu.config import sync
from minhu.database import logins
from minhu.errors import MinhuError, Refused
from minhu.feeds import Feed, load_feeds
from minhu.glossary.decided import GROUP
from minhu.glossary.delivered import GATE, LOAD_OUTCOME, RECORD
from minhu.load import load_feed_day
from minhu.progress import progress
from minhu.publish import close, publish
from minhu.publish.diff import list_releases
from minhu.scoring import ScoreResult, explain, last_score, render, render_scores, score
from minhu.settings import Settings
from minhu.simulate import write_city
from minhu.warehouse.build import build

START, DAYS, CASES_PER_DAY, SEED = date(2026, 9, 1), 61, 500, 7
LAST = START + timedelta(days=DAYS - 1)
BUNDLED = date(2026, 9, 30), LAST - timedelta(days=1)
"""The files before those of the last day: one for each month."""
PUBLISHED, PERIOD = f"{START:%Y-%m}", f"{LAST:%Y-%m}"
MARK = "simulation.json"
USER = "admin"
"""Of the demo alone: everybody's."""
PEOPLE = {"kaoping": "evaluator", "fuhe": "evaluator", "danwei": "unit", "shenji": "auditor", "fenxi": "bi"}
"""A login for each kind of person, and its group; engineers have `USER`."""


def run(settings: Settings, *, has_airflow: bool = True, open_pages: Callable[[], str | None] = lambda: None) -> None:
    """Runs the demo and prints what came of it. Running it again loads nothing twice. Raises Refused on a failure.

    Without Airflow the last day is loaded, built and scored here, for a quick look. ``open_pages``: makes what the
    portal needs and tells where it will be.
    """
    began = time.monotonic()
    feeds = load_feeds(settings.config)
    hotlines = sum(feed.role == "hotline" for feed in feeds)
    _say(
        f"民呼 demo：{PUBLISHED} 与 {PERIOD}，{hotlines} 条热线与平台，{len(feeds) - hotlines} 个承办反馈渠道；"
        f"数据在 {settings.home}"
    )
    _refuse_a_drop_folder_of_others(settings)
    with ThreadPoolExecutor(1) as aside:  # the services come up while the month is written and loaded
        database.migrate(settings)
        sync(settings)
        pages = open_pages()
        starting = aside.submit(services.up, settings) if has_airflow else None
        _simulate(settings, feeds)
        for day in BUNDLED:
            _load(settings, feeds, day, f"装载至 {day:%m-%d}")
        if starting:
            _step("启动 Airflow（start Airflow）")
            _say(f"  {starting.result()}")
    if starting:
        _run_dags(settings, "最后一天的交付由调度器装载（the last day, by the scheduler）", _feed_runs(feeds))
        _run_dags(settings, "数仓构建（warehouse）", [("warehouse", {"business_date": LAST.isoformat()})])
    else:
        _load(settings, feeds, LAST, "最后一天的交付")
        _step("数仓构建（warehouse）")
        quality.judge_arrivals(settings)
        _say(f"  {build(settings).seconds:.0f} 秒")
        score(settings, PERIOD)
    _assess(settings)
    people = _people(settings)
    if people:
        _publish(settings, people)
    explained = _tell(settings)
    _step("哪类登录可做什么（which login may do what）")
    with database.connect(settings) as connection:
        for line in logins.told(logins.rights(connection)):
            _say(f"  {line}")
    _say(f"\n用时 {time.monotonic() - began:.0f} 秒。接下来看（where to look next）：")
    _say(f"  门户       {(starting and pages) or '.venv/bin/minhu portal'}")
    for name, group in PEOPLE.items():
        if name in people:
            _say(f"             {name:<8} {people[name]}  {GROUP.zh(group)}")
    if starting:
        _say(f"  Airflow    {starting.result()}  {_login(settings)}")
    _say(f"  质量报告   {settings.data_docs / 'index.html'}")
    _say(f"  送达文件   {settings.drop}")
    _say(f"  得分解释   .venv/bin/minhu explain {explained} {PERIOD}")
    _say("  查询       .venv/bin/minhu psql -c 'select * from mart.fct_unit_score'")
    _say("  停止       .venv/bin/minhu down")


def _login(settings: Settings) -> str:
    """A login for whoever looks, told in words; on a server of somebody else's he makes his own."""
    if settings.database_url:
        return f"登录 minhu logins add {USER} --group engineer"
    password = settings.secret("airflow-password")[:20]
    with database.connect(settings) as connection:
        if USER not in {login["name"] for login in logins.logins(connection)}:
            logins.add_login(connection, USER, "engineer", password=password)
    return f"用户 {USER}  密码 {password}"


def _people(settings: Settings) -> dict[str, str]:
    """The passwords of the demo's people by login; none on a server of somebody else's, where he makes his own."""
    if settings.database_url:
        return {}
    told = {}
    with database.connect(settings) as connection:
        known = {login["name"] for login in logins.logins(connection)}
        for name, group in PEOPLE.items():
            told[name] = settings.secret(f"demo-{name}")[:20]
            unit = _someone_who_lost_points(last_score(settings, PERIOD)) if group == "unit" else None
            if name not in known:
                logins.add_login(connection, name, group, unit=unit, password=told[name])
    return told


def _publish(settings: Settings, people: dict[str, str]) -> None:
    """Closes and publishes September, approved by another person; nobody outside has witnessed it, and it says so."""
    from_whom = make_url(database.url(settings)).set(username="kaoping", password=people["kaoping"])
    approver = replace(settings, database_url=from_whom.render_as_string(hide_password=False))
    _step(f"关账、审批、发布 {PUBLISHED}（close, approve, publish）")
    if any(release.period == PUBLISHED for release in list_releases(settings)):
        _say("  已发布")
        return
    closing = close(settings, PUBLISHED)
    assess.record(
        approver,
        "approve",
        subject_kind="closing",
        subject_id=str(closing.closing_id),
        verdict="approved",
        content_hash=closing.content_hash,
        reason="演示：数据与口径已核对",
    )
    release = publish(settings, PUBLISHED, why="演示城市没有外部见证")
    _say(f"  第 {release.revision} 次发布，{release.row_count:,} 行，哈希 {release.hash[:12]}…")


def _say(text: str) -> None:
    click.echo(text)


def _step(text: str) -> None:
    click.secho(f"\n▸ {text}", bold=True)


def _refuse_a_drop_folder_of_others(settings: Settings) -> None:
    if settings.drop.exists() and any(settings.drop.iterdir()) and not (settings.drop / MARK).exists():
        raise Refused(f"{settings.drop} holds files that are not the demo's; set MINHU_HOME to a folder of its own")


def _simulate(settings: Settings, feeds: tuple[Feed, ...]) -> None:
    _step("模拟两个月的送达（simulate the deliveries of two months）")
    settings.drop.mkdir(parents=True, exist_ok=True)
    (settings.drop / MARK).touch()  # from here on the folder is the demo's, also if this is cut short
    dates = (*BUNDLED, LAST)
    written = write_city(feeds, settings.config, settings.drop, START, DAYS, CASES_PER_DAY, SEED, bundle=dates)
    _say(f"  {len(written.files)} 个文件，{written.rows:,} 行：{written.cases:,} 件，{written.events:,} 条办理事件，"
         f"{written.callbacks:,} 次回访")  # fmt: skip


def _load(settings: Settings, feeds: tuple[Feed, ...], day: date, what: str) -> None:
    _step(f"{what}（load）")
    with progress(len(feeds), "  装载") as advance:
        results = []
        for feed in feeds:
            results += load_feed_day(settings, feed, day)
            advance(feed.code)
    refused = [result for result in results if isinstance(result, MinhuError)]
    for refusal in refused:
        _say(f"  拒收：{refusal}")
    outcomes = [result.outcome for result in results if not isinstance(result, MinhuError)]
    _say(
        "  "
        + "，".join(
            f"{outcomes.count(code)} 个批次{LOAD_OUTCOME.zh(code)}" for code in LOAD_OUTCOME if code in outcomes
        )
    )


def _feed_runs(feeds: tuple[Feed, ...]) -> list[tuple[str, dict]]:
    return [(f"feed_{feed.code}", {"business_date": LAST.isoformat()}) for feed in feeds]


def _run_dags(settings: Settings, what: str, wanted: list[tuple[str, dict]]) -> None:
    """Triggers the DAGs and waits. Raises Refused naming those that failed."""
    _step(what)
    began = time.monotonic()
    runs = [(dag_id, services.trigger(settings, dag_id, conf)) for dag_id, conf in wanted]
    states = services.wait(settings, runs, 600, lambda text: _say(f"  {text}"))
    failed = [dag_id for dag_id, state in states.items() if state != "success"]
    if failed:
        raise Refused(f"failed in Airflow: {', '.join(failed)}; their logs are under {settings.logs}")
    _say(f"  {len(states)} 个 DAG 成功，{time.monotonic() - began:.0f} 秒")


def _assess(settings: Settings) -> None:
    """Asks the gate about the month's scores. Closing and publishing wait for two people, so the demo leaves them."""
    _step("月度考核（assessment）")
    scored = last_score(settings, PERIOD)
    result = quality.judge_release(settings, scored.period, scored.scheme_id, scored.scheme_version)
    _say(f"  发布门禁{'通过' if result.passed else '未通过'}；关账、审批与发布由人决定：minhu close {PERIOD}")


def _tell(settings: Settings) -> str:
    """What the month came to: rows, facts, gates, scores, and one unit's lost points; returns that unit."""
    with database.connect(settings) as connection:
        rows = connection.execute(
            "select kind, count(*), sum(received_rows), sum(staged_rows), sum(rejected_rows), sum(duplicate_rows),"
            " sum(filtered_rows)"
            " from audit.batch where status not in ('refused', 'superseded') group by kind order by kind"
        ).fetchall()
        facts = connection.execute(
            "select (select count(*) from mart.fct_case), (select count(*) from mart.fct_timeliness),"
            " (select count(*) from mart.fct_satisfaction), (select count(*) from mart.fct_violation)"
        ).fetchall()[0]
        gates = connection.execute(
            "select distinct on (gate) gate, is_passed, (select count(*) from audit.quality_result as r"
            " where r.quality_run_id = q.quality_run_id and r.is_passed) from audit.quality_run as q"
            " where finished_at is not null order by gate, quality_run_id desc"
        ).fetchall()
        [held] = database.one(connection, "select count(*) from audit.batch where status = 'held'")
    _step("每一行都有去处（every row accounted for）")
    _say("  类别   批次      收到      入库    拒收    重复    不取")
    for kind, batches, *counts in rows:
        received, staged, *others = (int(count) for count in counts)
        if received != staged + sum(others):
            raise MinhuError(f"{kind}: {received} rows received, {staged + sum(others)} accounted for")
        told = "".join(f"  {count:>6,}" for count in others)
        _say(f"  {RECORD.zh(kind)}  {batches:>5}  {received:>8,}  {staged:>8,}{told}")
    _step("事实表（facts）")
    _say("  工单 {:,}   派单 {:,}   回访 {:,}   效能督查认定 {:,}".format(*facts))
    _step("质量门禁（gates）")
    for gate, is_passed, rules in gates:
        _say(f"  {GATE.zh(gate)}  {'通过' if is_passed else '未全部通过'}，{rules} 项结果合格")
    _say(f"  扣留 {held} 个批次")
    _step("得分（scores）")
    scored = last_score(settings, PERIOD)
    _say(render_scores(scored))
    _step("一个单位为什么失分（one unit's lost points）")
    unit = _someone_who_lost_points(scored)
    _say(render(explain(settings, unit, PERIOD), limit_rows=2))
    return unit


def _someone_who_lost_points(scored: ScoreResult) -> str:
    """The unit in the middle of the last group: neither a model nor a warning."""
    judged = [unit for unit in scored.groups[-1].units if unit.score_100 is not None]
    return judged[len(judged) // 2].unit_code

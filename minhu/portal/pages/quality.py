"""质量: what failed first; the rules with owner and basis; open findings and waivers, decided here."""

from datetime import datetime, timedelta

from starlette.responses import Response

from minhu import assess, database
from minhu.audit.feeds import FeedScore, read_scores
from minhu.portal.asking import Ask
from minhu.quality import register
from minhu.quality.last_runs import failures, last_runs
from minhu.schemes.period import Period

SEES_RUNS = ("auditor", "engineer")


def quality(ask: Ask) -> Response:
    sees_runs = ask.person.group in SEES_RUNS
    runs: list[dict] = []
    failed: list[dict] = []
    scores: tuple[FeedScore, ...] = ()
    if sees_runs:
        with database.connect(ask.reads, at_one_moment=True) as connection:
            runs = last_runs(connection)
            wanted = ask.number("run") or next((one["quality_run_id"] for one in runs), None)
            failed = failures(connection, wanted) if wanted else []
            scores = read_scores(connection, _month(ask))
    sees_findings = ask.person.group in ("auditor", "evaluator")
    q = (ask.wanted("q") or "").casefold()
    every = register.rules()
    rules = [one for one in every if not q or q in f"{one['rule_id']} {one['title_zh']}".casefold()]
    return ask.page(
        "quality.html",
        sees_runs=sees_runs,
        runs=runs,
        run=wanted if sees_runs else None,
        failed=failed,
        scores=scores,
        findings=assess.listing(ask.reads, "findings") if sees_findings else None,
        waivers=assess.listing(ask.reads, "waivers", state="in_force") if sees_findings else [],
        rules=rules,
        titles={one["rule_id"]: one["title_zh"] for one in every},
        q=ask.wanted("q"),
        until=datetime.now(ask.reads.zone).date() + timedelta(days=30),
    )


def _month(ask: Ask) -> Period:
    """The month that yesterday belongs to, unless another is asked for."""
    told = ask.wanted("month")
    return Period.parse(told or f"{datetime.now(ask.reads.zone) - timedelta(days=1):%Y-%m}")

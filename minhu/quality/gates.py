"""A gate run: judge, decide, record.

It measures or names what it judges, has Great Expectations validate each table once, asks the database which batches
and rows a failed rule concerns, and writes verdicts, results and statuses in one transaction. Only the measures are
committed before that.

A critical rule that fails holds the batches it concerns, or stops the release. An errored rule counts as failed at its
severity and concerns every batch of its table. Warnings are recorded and stop nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
from psycopg import sql

from minhu import database
from minhu.database.analyze import analyze_changed
from minhu.database.beside import beside
from minhu.errors import Refused, foreign
from minhu.privacy.line import mask_line
from minhu.quality import failing, gx, register, results
from minhu.quality.gx import Finding
from minhu.quality.measure import measure
from minhu.quality.results import FailedRule, GateResult, HeldBatch, Outcome
from minhu.quality.rules import ROOT, Gate, Rule, read_rules
from minhu.settings import Settings

LOCK_GATE = "minhu:gate"

Progress = Callable[[str], None]


def judge_arrivals(settings: Settings, *, root: Path = ROOT, progress: Progress | None = None) -> GateResult:
    """Makes every loaded batch accepted or held.

    Two runs at once exclude each other, and a batch that is loaded meanwhile waits for the next run. Raises
    BadDeclaration when a suite is not what it says, Retryable when the database goes away; then nothing is decided.
    """
    settings, tell = settings.at_work, progress or _silent
    rules = read_rules(root, "arrival")
    with _transaction(settings) as connection:
        batches = connection.execute(
            "select batch_id, kind, business_date from audit.batch where status = 'loaded' order by batch_id"
            " for no key update skip locked"
        ).fetchall()
        if not batches:
            return GateResult(None, "arrival", "", passed=True)
        kinds = {batch_id: kind for batch_id, kind, _ in batches}
        days = sorted({day.isoformat() for *_, day in batches})
        subject = ", ".join(days)
        run_id = results.start_run(connection, "arrival", subject)
        tell(f"measuring {len(kinds)} batches")
        with beside(gx.engine, "great_expectations"), database.connect(settings, autocommit=True) as keeper:
            analyze_changed(keeper, "staging")  # of rows that were just loaded the planner knows nothing
            measure(settings, list(kinds))
        tell(f"judging them by {len(rules)} rules")
        found = gx.judge(settings, root, "arrival", rules, run_id, "_".join(dict.fromkeys((days[0], days[-1]))))
        outcomes = [_of_arrival(connection, run_id, rule, found[rule.id], kinds) for rule in rules]
        held = _held(outcomes)
        accepted = tuple(sorted(set(kinds) - {batch.batch_id for batch in held}))
        results.decide(connection, run_id, accepted, held)
        return _finish(connection, run_id, "arrival", subject, "all", outcomes, accepted, held)


def judge_release(
    settings: Settings,
    period: str,
    scheme_id: str,
    scheme_version: str,
    *,
    root: Path = ROOT,
    progress: Progress | None = None,
) -> GateResult:
    """Whether the scores of one scheme version and period may be published; changes nothing but the audit.

    Raises BadDeclaration when a suite is not what it says, Retryable when the database goes away.
    """
    tell = progress or _silent
    rules = read_rules(root, "release")
    subject = f"{scheme_id} {scheme_version} {period}"
    named = {"minhu.scheme_id": scheme_id, "minhu.scheme_version": scheme_version, "minhu.period": period}
    with _transaction(settings) as connection:
        run_id = results.start_run(connection, "release", subject)
        tell(f"judging {subject} by {len(rules)} rules")
        found = gx.judge(settings, root, "release", rules, run_id, period, named)
        outcomes = [_of_release(connection, run_id, rule, found[rule.id], named) for rule in rules]
        return _finish(connection, run_id, "release", subject, period, outcomes)


def release_batch(settings: Settings, batch_id: int, why: str) -> None:
    """A person lets a held batch in; the next build takes it. Recorded with the database login, the time and why.

    Raises Refused when the batch is not held, or no reason is given.
    """
    if not why.strip():
        raise Refused("say why the batch may enter: a release without a reason is not recorded")
    with database.connect(settings) as connection:
        database.act(connection, "assess.release_batch", {"batch_id": batch_id, "reason": mask_line(why)})


def list_held(settings: Settings) -> list[dict]:
    """The batches that wait for a person, oldest first, ready for JSON."""
    with database.connect(settings) as connection:
        cursor = connection.execute(
            "select batch_id, feed_code, delivery, kind, business_date::text, loaded_at::text, staged_rows,"
            " reason_code, reason from audit.batch where status = 'held' order by batch_id"
        )
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]


# -- what a rule concerns ------------------------------------------------------------------------------------------


def _of_arrival(
    connection: psycopg.Connection, run_id: int, rule: Rule, found: Finding, kinds: dict[int, str]
) -> Outcome:
    """What a rule found, in which batches it failed, and every row that did."""
    judged = {batch_id: kind for batch_id, kind in kinds.items() if failing.KIND_OF.get(rule.asset, kind) == kind}
    outcome = Outcome(rule, found.passed, found.is_errored, found.observed, failing.of_batches(rule, judged))
    if found.passed:
        return replace(outcome, failed_rows=0)
    batches = _concerned(connection, rule, found, judged)
    of_batch = {batch_id: failing.of_batches(rule, {batch_id: kinds[batch_id]}) for batch_id in batches}
    of_all = failing.of_batches(rule, {batch_id: kinds[batch_id] for batch_id in batches})
    outcome = replace(outcome, query=of_all, batches=batches, batch_queries=of_batch)
    if found.is_errored:
        return outcome
    counts = results.keep_failed_rows(connection, run_id, outcome)
    return replace(outcome, failed_rows=sum(counts.values()), batch_failed_rows=counts)


def _concerned(connection: psycopg.Connection, rule: Rule, found: Finding, judged: dict[int, str]) -> dict[int, dict]:
    """The judged batches that a failed rule concerns, with what was observed there."""
    if found.is_errored:
        return dict.fromkeys(judged, found.observed)
    told: dict[int, dict] = dict(connection.execute(failing.concerned(rule, rule.asset_query)).fetchall())
    if not told:  # it failed on something that no batch answers for: nobody is let in on trust
        return dict.fromkeys(judged, found.observed)
    return {batch_id: told[batch_id] for batch_id in judged if batch_id in told}


def _of_release(
    connection: psycopg.Connection, run_id: int, rule: Rule, found: Finding, named: dict[str, str]
) -> Outcome:
    outcome = Outcome(rule, found.passed, found.is_errored, found.observed, failing.of_release(rule, named))
    if found.passed:
        return replace(outcome, failed_rows=0)
    if found.is_errored:
        return outcome
    kept = f"judged_{rule.asset}"  # asked once, however many of its rules failed
    connection.execute(f"create temporary table if not exists {kept} on commit drop as {failing.released(rule, named)}")
    listed = replace(outcome, query=failing.of_release(rule, named, f"select * from {kept}"))
    counts = results.keep_failed_rows(connection, run_id, listed)
    observed = found.observed
    if rule.asset == "reconciliation" and (column := rule.kwargs.get("column")):  # one row: tell the count itself
        query = sql.SQL("select {} from {}").format(sql.Identifier(column), sql.Identifier(kept))
        observed = {column: database.one(connection, query)[0]}
    return replace(outcome, observed=observed, failed_rows=sum(counts.values()))


def _held(outcomes: list[Outcome]) -> tuple[HeldBatch, ...]:
    """The batches that failed critical rules concern, each with those rules in their order."""
    failed: dict[int, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.rule.severity == "critical":
            for batch_id in outcome.batches:
                failed.setdefault(batch_id, []).append(outcome)
    return tuple(
        HeldBatch(
            batch_id,
            tuple(outcome.rule.id for outcome in failed[batch_id]),
            "; ".join(_reason(outcome.rule, outcome.batches[batch_id]) for outcome in failed[batch_id]),
        )
        for batch_id in sorted(failed)
    )


def _reason(rule: Rule, observed: dict) -> str:
    told = ", ".join(f"{name} = {_told(value)}" for name, value in observed.items())
    return f"未通过 failed {rule.description} ({told})"


def _told(value: object) -> str:
    """A measure; of one that history limits also what was usual, and the limits."""
    if not isinstance(value, dict):
        return str(value)
    rest = ", ".join(f"{name} {number}" for name, number in value.items() if name != "value" and number is not None)
    return f"{value.get('value')} ({rest})"


# -- the run -------------------------------------------------------------------------------------------------------


def _silent(message: str) -> None:
    pass


@contextmanager
def _transaction(settings: Settings) -> Iterator[psycopg.Connection]:
    """The transaction in which a gate run decides; gate runs wait for each other."""
    with foreign.told("gate"), database.connect(settings) as connection:
        database.lock(connection, LOCK_GATE)
        yield connection


def _finish(
    connection: psycopg.Connection,
    run_id: int,
    gate: Gate,
    subject: str,
    whole: str,
    outcomes: list[Outcome],
    accepted: tuple[int, ...] = (),
    held: tuple[HeldBatch, ...] = (),
) -> GateResult:
    register.keep(connection, gate, [outcome.rule for outcome in outcomes])
    results.keep_results(connection, run_id, whole, outcomes)
    failed = tuple(
        FailedRule(
            outcome.rule.id,
            outcome.rule.severity,
            outcome.rule.title_zh,
            outcome.is_errored,
            outcome.observed,
            outcome.failed_rows,
        )
        for outcome in outcomes
        if not outcome.passed
    )
    passed = not any(rule.severity == "critical" for rule in failed)
    results.finish_run(connection, run_id, passed)
    return GateResult(run_id, gate, subject, passed, accepted, held, len(outcomes), failed)

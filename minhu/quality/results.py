"""What a gate decided, and what is recorded of it: what each rule found, every key that failed, the verdicts."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

import psycopg
from psycopg.types.json import Jsonb

from minhu import database
from minhu.errors import foreign
from minhu.quality.rules import Gate, Rule, Severity


@dataclass(frozen=True)
class FailedRule:
    """``failed_rows``: how many keys failed; null where the rule errored, since nobody knows."""

    rule_id: str
    severity: Severity
    title_zh: str
    is_errored: bool
    observed: dict
    failed_rows: int | None = None


@dataclass(frozen=True)
class HeldBatch:
    """``reason`` names every critical rule that failed, in Chinese and English, with what was observed."""

    batch_id: int
    rule_ids: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class GateResult:
    """What a gate decided. ``run_id`` is null when there was nothing to judge; ``passed``: no critical rule failed."""

    run_id: int | None
    gate: Gate
    subject: str
    passed: bool
    accepted: tuple[int, ...] = ()
    held: tuple[HeldBatch, ...] = ()
    rules_evaluated: int = 0
    failed_rules: tuple[FailedRule, ...] = ()

    def summary(self) -> dict:
        """Ready for JSON."""
        return {
            **asdict(self),
            "accepted": list(self.accepted),
            "held": [{**asdict(batch), "rule_ids": list(batch.rule_ids)} for batch in self.held],
            "failed_rules": [asdict(rule) for rule in self.failed_rules],
        }


@dataclass(frozen=True)
class Outcome:
    """What was found of one rule: as a whole, and in each of the judged batches where it failed."""

    rule: Rule
    passed: bool
    is_errored: bool
    observed: dict
    query: str
    """Lists the failing keys of all that was judged; `failing` gives its three columns."""
    batches: dict[int, dict] = field(default_factory=dict)
    """batch_id → what was observed there: measures and counts, never values."""
    batch_queries: dict[int, str] = field(default_factory=dict)
    """batch_id → the same list of that batch alone."""
    failed_rows: int | None = None
    batch_failed_rows: dict[int | None, int] = field(default_factory=dict)


def start_run(connection: psycopg.Connection, gate: Gate, subject: str) -> int:
    return database.one(
        connection,
        "insert into audit.quality_run (gate, subject) values (%s, %s) returning quality_run_id",
        [gate, subject],
    )[0]


def keep_failed_rows(connection: psycopg.Connection, run_id: int, outcome: Outcome) -> dict[int | None, int]:
    """Writes all keys that failed; how many by batch. Raises BadDeclaration where the rule cannot list them."""
    text = (
        "with written as (insert into audit.quality_failed_row (quality_run_id, rule_id, batch_id, row_number, key)"
        f" select {run_id}, '{outcome.rule.id}', failing.batch_id, failing.row_number, failing.key"
        f" from ({outcome.query}) as failing returning batch_id)"
        " select batch_id, count(*) from written group by batch_id"
    )
    rule = f"{outcome.rule.path}: {outcome.rule.id}"
    with foreign.told("list what failed", rule=rule), connection.transaction():
        return dict(connection.execute(text).fetchall())


def keep_results(connection: psycopg.Connection, run_id: int, whole: str, outcomes: Iterable[Outcome]) -> None:
    """What each rule found: as a ``whole``, and in every batch where it failed."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into audit.quality_result (quality_run_id, rule_id, subject, severity, is_passed, is_errored,"
            " observed, expected, feed_code, delivery, batch_id, failed_rows, reproduce_sql)"
            " select %s, %s, %s, %s, %s, %s, %s, %s, batch.feed_code, batch.delivery, batch.batch_id, %s, %s"
            " from (select %s::bigint as batch_id) as told left join audit.batch on told.batch_id = batch.batch_id",
            [
                (
                    run_id,
                    outcome.rule.id,
                    subject,
                    outcome.rule.severity,
                    outcome.passed,
                    outcome.is_errored,
                    Jsonb(observed),
                    Jsonb(outcome.rule.kwargs),
                    failed_rows,
                    query,
                    batch_id,
                )
                for outcome in outcomes
                for subject, batch_id, observed, failed_rows, query in _subjects(whole, outcome)
            ],
        )


def _subjects(whole: str, outcome: Outcome) -> Iterable[tuple]:
    yield whole, None, outcome.observed, outcome.failed_rows, outcome.query + ";"
    for batch_id, observed in outcome.batches.items():
        failed_rows = None if outcome.is_errored else outcome.batch_failed_rows.get(batch_id, 0)
        yield str(batch_id), batch_id, observed, failed_rows, outcome.batch_queries[batch_id] + ";"


def decide(connection: psycopg.Connection, run_id: int, accepted: Iterable[int], held: Iterable[HeldBatch]) -> None:
    """Gives the batches their statuses and their verdicts."""
    connection.execute("update audit.batch set status = 'accepted' where batch_id = any(%s)", [list(accepted)])
    with connection.cursor() as cursor:
        cursor.executemany(
            "update audit.batch set status = 'held', reason_code = %s, reason = %s where batch_id = %s",
            [(batch.rule_ids[0], batch.reason, batch.batch_id) for batch in held],
        )
        cursor.executemany(
            "insert into audit.batch_verdict (batch_id, verdict, quality_run_id, why) values (%s, %s, %s, %s)",
            [(batch_id, "accepted", run_id, "no critical rule failed") for batch_id in accepted]
            + [(batch.batch_id, "held", run_id, batch.reason) for batch in held],
        )


def finish_run(connection: psycopg.Connection, run_id: int, passed: bool) -> None:
    connection.execute(
        "update audit.quality_run set finished_at = clock_timestamp(), is_passed = %s where quality_run_id = %s",
        [passed, run_id],
    )

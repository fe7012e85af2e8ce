"""The two quality gates: what arrived, batch by batch, and what may be published.

The rules are Great Expectations suites in ``expectations/``; this is the only module that imports it, on first use,
because the import takes seconds. A gate run measures or names what it judges, has Great Expectations validate each
table once, asks the database which batches a failed rule concerns, and writes verdicts, results and statuses in one
transaction. Only the profiles are committed before that, so that Great Expectations can see them: they measure rows
that never change, and a run that dies is simply run again.

A critical rule that fails holds the batches it concerns, or stops the release. An errored rule counts as failed at its
severity and concerns every batch of its table. Warnings are recorded and stop nothing.
"""

import os
import re
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import psycopg
import sqlalchemy
from psycopg import sql
from psycopg.types.json import Jsonb

from minhu import database
from minhu.errors import BadDeclaration, Refused, Retryable
from minhu.settings import PROJECT_ROOT, Settings
from minhu.warehouse.rules import Gate, Rule, Severity, read_rules

ROOT = PROJECT_ROOT / "expectations"
PROFILE = Path(__file__).with_name("profile.sql")
LOCK_GATE = "minhu:gate"
KEPT_RUNS = 30
"""Runs of which Data Docs keep pages; audit.quality_run keeps all."""
GONE = "the warehouse database went away while a gate was judging; nothing was decided"

Progress = Callable[[str], None]


@dataclass(frozen=True)
class FailedRule:
    rule_id: str
    severity: Severity
    title_zh: str
    is_errored: bool
    observed: dict


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


# -- gates ---------------------------------------------------------------------------------------------------------


def judge_arrivals(settings: Settings, *, root: Path = ROOT, progress: Progress | None = None) -> GateResult:
    """Makes every loaded batch accepted or held.

    Two runs at once exclude each other, and a batch that is loaded meanwhile waits for the next run. Raises
    BadDeclaration when a suite is not what it says, Retryable when the database goes away; then nothing is decided.
    """
    tell = progress or _silent
    rules = read_rules(root, "arrival")
    with _transaction(settings) as connection:
        batches = connection.execute(
            "select batch_id, kind, business_date from audit.batch where status = 'loaded' order by batch_id"
            " for no key update skip locked"
        ).fetchall()
        if not batches:
            return GateResult(None, "arrival", "", passed=True)
        kinds = {batch_id: kind for batch_id, kind, _ in batches}
        subject = ", ".join(sorted({day.isoformat() for *_, day in batches}))
        run_id = _start_run(connection, "arrival", subject)
        tell(f"profiling {len(kinds)} batches")
        _profile(settings, list(kinds))
        tell(f"judging them by {len(rules)} rules")
        outcomes = [
            outcome if outcome.passed else replace(outcome, batches=_concerned(connection, outcome, kinds))
            for outcome in _validate(settings, root, "arrival", rules, run_id)
        ]
        held = _held(outcomes)
        accepted = tuple(sorted(set(kinds) - {batch.batch_id for batch in held}))
        _decide(connection, run_id, accepted, held)
        return _finish_run(connection, run_id, "arrival", subject, "all", outcomes, accepted, held)


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
        run_id = _start_run(connection, "release", subject)
        tell(f"judging {subject} by {len(rules)} rules")
        outcomes = _validate(settings, root, "release", rules, run_id, named)
        for name, value in named.items():
            connection.execute("select set_config(%s, %s, true)", [name, value])
        outcomes = [_with_count(connection, outcome) for outcome in outcomes]
        return _finish_run(connection, run_id, "release", subject, period, outcomes)


def release(settings: Settings, batch_id: int, why: str) -> None:
    """A person lets a held batch in; the next build takes it. Recorded with the database login, the time and why.

    Raises Refused when the batch is not held, or no reason is given.
    """
    if not why.strip():
        raise Refused("say why the batch may enter: a release without a reason is not recorded")
    with database.connect(settings) as connection:
        row = connection.execute("select status from audit.batch where batch_id = %s for update", [batch_id]).fetchone()
        if row is None:
            raise Refused(f"there is no batch {batch_id}")
        if row[0] != "held":
            raise Refused(f"batch {batch_id} is {row[0]}, not held; only a held batch can be released")
        connection.execute(
            "insert into audit.batch_verdict (batch_id, verdict, why) values (%s, 'accepted', %s)",
            [batch_id, why.strip()],
        )
        connection.execute(
            "update audit.batch set status = 'accepted', reason_code = null, reason = null where batch_id = %s",
            [batch_id],
        )


def list_held(settings: Settings) -> list[dict]:
    """The batches that wait for a person, oldest first, ready for JSON."""
    with database.connect(settings) as connection:
        cursor = connection.execute(
            "select batch_id, feed_code, delivery, kind, business_date::text, loaded_at::text, staged_rows,"
            " reason_code, reason from audit.batch where status = 'held' order by batch_id"
        )
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


# -- Great Expectations --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What Great Expectations found of one rule, and in which of the judged batches the rule failed."""

    rule: Rule
    passed: bool
    is_errored: bool
    observed: dict
    asset_query: str
    """What was judged."""
    batches: dict[int, dict] = field(default_factory=dict)
    """batch_id → what was observed there: measures and counts, never values."""


def _validate(
    settings: Settings, root: Path, gate: Gate, rules: list[Rule], run_id: int, named: dict[str, str] | None = None
) -> list[Outcome]:
    """Runs the gate's checkpoint: one validation per table. The outcomes stand in the order of ``rules``."""
    gx = _great_expectations()
    _forget_old_runs(settings)
    with _opened(gx, settings, root, gate, named or {}) as (context, checkpoint):
        _assert_loaded(checkpoint, rules)
        run = checkpoint.run(run_id=gx.RunIdentifier(run_name=f"{gate}-{run_id:06d}"))
        pages = [*run.run_results, *(result.expectation_suite_identifier for result in run.run_results)]
        context.build_data_docs(resource_identifiers=pages)  # once: the checkpoint's own action would do it per table
        queries = {definition.asset.name: definition.asset.query for definition in checkpoint.validation_definitions}
    results = [result for validation in run.run_results.values() for result in validation.results]
    found = {result.expectation_config.meta["id"]: result for result in results}
    if len(results) != len(rules) or set(found) != {rule.id for rule in rules}:
        raise BadDeclaration(f"{root}: {len(rules)} rules are declared, Great Expectations judged {len(results)}")
    return [_outcome(rule, found[rule.id], queries[rule.asset]) for rule in rules]


def _great_expectations():
    """Great Expectations, without telemetry, its own use of deprecated modules not taken for ours."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import great_expectations

        return great_expectations


@contextmanager
def _opened(gx, settings: Settings, root: Path, gate: Gate, named: dict[str, str]) -> Iterator[tuple]:
    """The project and the gate's checkpoint. Afterwards its connections are closed and sys.path is as it was.

    Raises BadDeclaration where Great Expectations refuses the files, Retryable where the database is gone.
    """
    search_path, context = list(sys.path), None
    surroundings = {"MINHU_HOME": str(settings.home), "MINHU_DATABASE_URL": _connection_string(settings, named)}
    try:
        context = gx.get_context(mode="file", context_root_dir=str(root), runtime_environment=surroundings)
        yield context, context.checkpoints.get(gate)
    except Exception as error:
        if _is_gone(error):
            raise Retryable(GONE) from None
        # pydantic's errors are ValueErrors; a ProgrammingError comes from the query of an asset.
        if isinstance(error, gx.exceptions.GreatExpectationsError | ValueError | sqlalchemy.exc.ProgrammingError):
            raise BadDeclaration(f"{root}: Great Expectations cannot use the files of {gate}: {error}") from None
        raise
    finally:
        sys.path[:] = search_path
        for datasource in context.data_sources.all().values() if context else ():
            datasource.get_execution_engine().close()
            datasource.get_engine().dispose()


def _connection_string(settings: Settings, named: dict[str, str]) -> str:
    """The warehouse for Great Expectations; its queries read what is ``named`` with current_setting()."""
    target = sqlalchemy.make_url(database.url(settings)).set(drivername="postgresql+psycopg")
    settled = [f"-c {name}={_escaped(value)}" for name, value in {"timezone": database.TIMEZONE, **named}.items()]
    options = " ".join([target.query.get("options", ""), *settled]).strip()
    return target.update_query_dict({"options": options}).render_as_string(hide_password=False)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def _assert_loaded(checkpoint, rules: list[Rule]) -> None:
    """Great Expectations drops an expectation that it does not know, or whose arguments are wrong, with a log line."""
    loaded = {
        expectation.meta["id"]: expectation.expectation_type
        for definition in checkpoint.validation_definitions
        for expectation in definition.suite.expectations
    }
    for rule in rules:
        if loaded.get(rule.id) != rule.type:
            raise BadDeclaration(
                f"{rule.path}: {rule.id}: Great Expectations does not know {rule.type!r} with the arguments "
                f"{', '.join(rule.kwargs)}; mend the spelling"
            )


def _is_gone(error: BaseException | None) -> bool:
    """Whether the error stems from a database that went away."""
    while error is not None:
        if isinstance(error, sqlalchemy.exc.OperationalError | psycopg.OperationalError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _outcome(rule: Rule, result, asset_query: str) -> Outcome:
    """Tells errors from failures. Raises Retryable when the error is a database that went away."""
    trouble = _trouble(result.exception_info or {})
    if trouble is None:
        count = result.result.get("unexpected_count", result.result.get("observed_value"))
        return Outcome(rule, bool(result.success), False, {"unexpected": count}, asset_query)
    if "OperationalError" in trouble:
        raise Retryable(GONE)
    kinds = re.findall(r"psycopg\.errors\.(\w+)", trouble) or re.findall(r"^[\w.]*?(\w+):", trouble, re.MULTILINE)
    return Outcome(rule, False, True, {"error": kinds[-1] if kinds else "unknown"}, asset_query)


def _trouble(info: dict) -> str | None:
    """The traceback of an errored rule. It has two shapes: one exception, or one for each metric that could not be."""
    parts = [info] if "raised_exception" in info else list(info.values())
    told = [part["exception_traceback"] for part in parts if part.get("raised_exception", True)]
    return "\n".join(told) if told else None


def _forget_old_runs(settings: Settings) -> None:
    """Deletes the results and pages of all but the newest runs, so that Data Docs cost the same every day."""
    runs: dict[str, list[Path]] = {}
    for store in (settings.home / "quality", settings.data_docs / "validations"):
        for path in store.glob("*/*"):
            if re.fullmatch(r"(arrival|release)-\d+", path.name):
                runs.setdefault(path.name, []).append(path)
    newest_first = sorted(runs, key=lambda name: int(name.rpartition("-")[2]), reverse=True)
    for name in newest_first[KEPT_RUNS - 1 :]:
        for path in runs[name]:
            shutil.rmtree(path, ignore_errors=True)


# -- what a failed rule concerns -----------------------------------------------------------------------------------

KIND_OF = {"case_record": "case", "case_event": "event", "callback": "callback"}
"""Asset → the kind of the batches whose rows it holds; the profile holds every batch."""


def _profile(settings: Settings, batches: list[int]) -> None:
    """Measures the batches into audit.batch_profile, and forgets what a run that died left of others."""
    with database.connect(settings) as connection:
        connection.execute(
            "delete from audit.batch_profile using audit.batch"
            " where batch.batch_id = batch_profile.batch_id and batch.status = 'loaded'"
        )
        connection.execute(PROFILE.read_text(encoding="utf-8"), {"batches": batches})


def _concerned(connection: psycopg.Connection, outcome: Outcome, kinds: dict[int, str]) -> dict[int, dict]:
    """The judged batches that a failed rule concerns, with what was observed there."""
    rule = outcome.rule
    judged = [batch_id for batch_id, kind in kinds.items() if KIND_OF.get(rule.asset, kind) == kind]
    if outcome.is_errored:
        return dict.fromkeys(judged, outcome.observed)
    is_measured = rule.asset == "batch_profile"
    observed = "(array_agg(to_jsonb(bad) - 'batch_id'))[1]" if is_measured else "jsonb_build_object('rows', count(*))"
    query = sql.SQL("select batch_id, {} from ({}) as bad group by batch_id")
    found = dict(connection.execute(query.format(sql.SQL(observed), rule.bad_rows(outcome.asset_query))).fetchall())
    if not found:  # it failed on something that no batch answers for: nobody is let in on trust
        return dict.fromkeys(judged, outcome.observed)
    return {batch_id: found[batch_id] for batch_id in judged if batch_id in found}


def _with_count(connection: psycopg.Connection, outcome: Outcome) -> Outcome:
    """A failed rule on the one-row reconciliation tells the count it found there."""
    column = outcome.rule.kwargs.get("column")
    if outcome.passed or outcome.is_errored or outcome.rule.asset != "reconciliation" or column is None:
        return outcome
    query = sql.SQL("select {} from ({}) as judged").format(sql.Identifier(column), sql.SQL(outcome.asset_query))
    return replace(outcome, observed={column: connection.execute(query).fetchone()[0]})


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
    return f"未通过 failed {rule.description} ({', '.join(f'{name} = {value}' for name, value in observed.items())})"


# -- the audit -----------------------------------------------------------------------------------------------------


def _silent(message: str) -> None:
    pass


@contextmanager
def _transaction(settings: Settings) -> Iterator[psycopg.Connection]:
    """The transaction in which a gate run decides; gate runs wait for each other."""
    try:
        with database.connect(settings) as connection:
            database.lock(connection, LOCK_GATE)
            yield connection
    except psycopg.OperationalError:
        raise Retryable(GONE) from None


def _start_run(connection: psycopg.Connection, gate: Gate, subject: str) -> int:
    return connection.execute(
        "insert into audit.quality_run (gate, subject) values (%s, %s) returning quality_run_id", [gate, subject]
    ).fetchone()[0]


def _decide(
    connection: psycopg.Connection, run_id: int, accepted: tuple[int, ...], held: tuple[HeldBatch, ...]
) -> None:
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


def _finish_run(
    connection: psycopg.Connection,
    run_id: int,
    gate: Gate,
    subject: str,
    whole: str,
    outcomes: list[Outcome],
    accepted: tuple[int, ...] = (),
    held: tuple[HeldBatch, ...] = (),
) -> GateResult:
    """Records what each rule found: as a ``whole``, and in every batch where it failed."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into audit.quality_result (quality_run_id, rule_id, subject, severity, is_passed, is_errored,"
            " observed, expected) values (%s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (
                    run_id,
                    outcome.rule.id,
                    of,
                    outcome.rule.severity,
                    outcome.passed,
                    outcome.is_errored,
                    Jsonb(observed),
                    Jsonb(outcome.rule.kwargs),
                )
                for outcome in outcomes
                for of, observed in {whole: outcome.observed, **outcome.batches}.items()
            ],
        )
    failed = tuple(
        FailedRule(outcome.rule.id, outcome.rule.severity, outcome.rule.title_zh, outcome.is_errored, outcome.observed)
        for outcome in outcomes
        if not outcome.passed
    )
    passed = not any(rule.severity == "critical" for rule in failed)
    connection.execute(
        "update audit.quality_run set finished_at = clock_timestamp(), is_passed = %s where quality_run_id = %s",
        [passed, run_id],
    )
    return GateResult(run_id, gate, subject, passed, accepted, held, len(outcomes), failed)

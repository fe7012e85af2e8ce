"""A build: takes the accepted batches, computes the facts of the cases they touch, applies them in one transaction.

    lock → choose (batches, decisions, configuration, touched cases: one transaction)
         → dbt build into schema build, tests; beside it, table by table
           apply (one transaction: touched cases leave mart, their new rows enter, the counts of boards follow, success
           is recorded)

A batch accepted meanwhile, or a decision made, waits for the next build. A build that fails leaves nothing for readers,
and the next one takes its batches and decisions. Readers see the facts of one build or of the next, never between.

When nothing that the failed build rests on has changed since, the next one continues it: it takes over the models and
tests that had passed and starts at those that had not. That serves outages: the database gone, a disk full, a time-out,
a process killed. Where a batch, a decision, a rule, a link of callers, the text of a model or the rows of a table that
would be taken over differ, everything runs.
"""

from dataclasses import dataclass, field
from importlib.metadata import version as package_version

import psycopg

from minhu import config, database, lineage
from minhu.database.analyze import analyze_changed, tell_changes
from minhu.database.beside import beside
from minhu.errors import Refused, Retryable
from minhu.feeds.canonical import STAGING_TABLE
from minhu.settings import Settings
from minhu.warehouse import aggregate, dbt, readings, resume
from minhu.warehouse.applying import Applying
from minhu.warehouse.comments import comment_columns, word_codes
from minhu.warehouse.steps import Steps
from minhu.warehouse.touch import touch


class BuildFailed(Refused):
    """A model or a test failed. Nothing was applied."""


class BuildInterrupted(Retryable):
    """The database gave way under a build. Nothing was applied; the next build goes on from there."""


@dataclass(frozen=True)
class BuildResult:
    """``build_id`` is null when there was nothing to do. ``rows``: rows written per table of mart.

    ``continues``: the failed build that this one continued, of which ``reused`` models and tests were taken over.
    """

    build_id: int | None
    taken: int = 0
    withdrawn: int = 0
    decisions: int = 0
    touched_cases: int = 0
    rows: dict[str, int] | None = None
    tests: int = 0
    seconds: float = 0.0
    continues: int | None = None
    reused: int = 0
    steps: dict[str, float] = field(default_factory=dict)
    """Seconds by step; of a build that did something."""

    def summary(self) -> dict:
        return {**self.__dict__, "rows": self.rows or {}}


def build(settings: Settings, *, full_refresh: bool = False) -> BuildResult:
    """Builds what is new, or continues what failed.

    Raises BuildFailed naming the first node that failed, BuildInterrupted when it was the database that gave way.
    """
    settings = settings.at_work
    with lineage.job(settings, "build") as told:
        result = _build(settings, full_refresh)
        if result.build_id and told.is_on:
            told.reads(*STAGING_TABLE.values(), *_batches(settings, result.build_id))
            for table, rows in (result.rows or {}).items():
                told.writes(f"mart.{table}", rows)
        return result


def _batches(settings: Settings, build_id: int) -> list[str]:
    """The batches that a build took, as lineage calls them."""
    with database.connect(settings) as connection:
        taken = connection.execute(
            "select batch_id from audit.build_batch where build_id = %s and action = 'take' order by 1", [build_id]
        )
        return [f"batch/{batch_id}" for (batch_id,) in taken]


def _build(settings: Settings, full_refresh: bool) -> BuildResult:
    steps = Steps()
    with steps.of("configuration"):
        version = config.sync(settings)
    with (
        database.held(settings, database.LOCK_BUILD) as held,
        database.connect(settings, autocommit=True) as keeper,
    ):
        with steps.of("statistics"):
            analyze_changed(keeper, "staging", "restricted", "config")
        with database.connect(settings) as connection, steps.of("choose"):
            last, build_id = _choose(connection, version, full_refresh)
            if build_id is None:
                return BuildResult(None)
            variables = {"build_id": build_id, "config_version": version}
            with beside(lambda: dbt.manifest(settings, variables), "dbt"):  # the run need not wait for it
                _touch(connection, build_id, last, version, full_refresh)
                done = resume.take_over(connection, build_id)
        with (
            database.connect(settings, autocommit=True) as notes,
            database.connect(settings) as connection,
            Applying(connection) as applying,
        ):
            counts = aggregate.Counts(connection, anew=full_refresh)
            applying.begin(lambda: _before_tables(connection, counts))

            def finished(node: dbt.NodeResult) -> None:
                if node.status == "success":
                    applying.made(node.node)
                _record(notes, build_id, node)

            with steps.of("models"):
                run = dbt.run(settings, "tag:facts", variables, finished, done)
            with database.connect(settings) as after:  # the database may have been away when a node finished
                for node in run.nodes:
                    _record(after, build_id, node)
                if not run.is_ok:
                    _finish(after, build_id, "failed", run.complaint)
            if not run.is_ok:
                failure = BuildInterrupted if run.is_outage else BuildFailed
                raise failure(f"build {build_id} failed and changed nothing: {run.complaint}")
            database.assert_unbroken(held)
            with steps.of("apply"):
                rows = applying.finish()
            with steps.of("feed_scores"):
                connection.execute("select audit.score_feeds(%s)", [build_id])
                _finish(connection, build_id, "succeeded", None)
            with steps.of("counts"):
                counts.after(build_id)
            with steps.of("comments"):
                comment_columns(connection, settings, variables)
                word_codes(connection)
                tell_changes(connection)
        with steps.of("statistics"):
            analyze_changed(keeper, "mart", "audit")
        steps.record(keeper, build_id)
        return _result(keeper, build_id, rows, run, steps)


def _choose(connection: psycopg.Connection, version: int, full_refresh: bool) -> tuple[int | None, int | None]:
    """Writes which batches and decisions this build takes: the last build's configuration version, and its id.

    Its id is None when nothing has changed since the last one, the version when there is no last one.
    """
    # Whoever ran these builds held the lock that we hold now: they are dead.
    connection.execute(
        "update audit.build set status = 'failed', message = 'ended before it finished', finished_at ="
        " clock_timestamp() where status = 'running'"
    )
    connection.execute(_FORGET_WHAT_A_CRASH_EMPTIED)
    last = database.one(
        connection,
        "select max(config_version) from audit.build where status = 'succeeded' and build_id ="
        " (select max(build_id) from audit.build where status = 'succeeded')",
    )[0]
    build_id = database.one(
        connection,
        "insert into audit.build (is_full_refresh, config_version, code_version, status)"
        " values (%s, %s, %s, 'running') returning build_id",
        [full_refresh, version, package_version("minhu")],
    )[0]
    connection.execute(_SUPERSEDE_SNAPSHOTS, {"version": version})
    reads_anew = readings.record(connection, build_id, version)
    chosen = connection.execute(_CHOOSE, {"build_id": build_id}).rowcount
    decided = connection.execute(_CHOOSE_DECISIONS, {"build_id": build_id}).rowcount
    if not chosen and not decided and not full_refresh and not reads_anew and last == version:
        connection.rollback()
        return last, None
    return last, build_id


def _touch(connection: psycopg.Connection, build_id: int, last: int | None, version: int, full_refresh: bool) -> None:
    """Writes which cases this build touches, and by what it may be known again."""
    if last is not None:
        connection.execute(_LOOK_UP)
    touched = touch(connection, build_id, last, version, full_refresh)
    connection.execute("update audit.build set touched_cases = %s where build_id = %s", [touched, build_id])
    resume.mark(connection, build_id)


# A crash of the server empties unlogged tables, and what the failed build computed after it lacks rows: it is no build
# to continue. Its list of cases tells of that: nothing but a build writes it, and this one has not yet.
_FORGET_WHAT_A_CRASH_EMPTIED = """
update audit.build set fingerprint = null
where
    status = 'failed' and fingerprint is not null
    and build_id = (select max(build_id) from audit.build)
    and touched_cases is distinct from (select count(*) from build.touched_case where is_rebuilt)
"""

# A day's rows are few among those of years. At PostgreSQL's 4 the planner reads whole tables rather than look them up.
_LOOK_UP = "set local random_page_cost = 1.1"

# A snapshot says all there is: an accepted one is superseded by the next accepted one of its delivery.
_SUPERSEDE_SNAPSHOTS = """
update audit.batch as old set status = 'superseded', superseded_by = newest.batch_id
from (
    select distinct on (batch.feed_code, batch.delivery)
        batch.feed_code, batch.delivery, batch.batch_id, batch.order_key
    from audit.batch
    inner join config.entry on entry.kind = 'delivery' and entry.key = batch.feed_code || '/' || batch.delivery
    where
        entry.data ->> 'mode' = 'snapshot'
        and entry.since_version <= %(version)s
        and (entry.until_version is null or entry.until_version > %(version)s)
        and batch.status = 'accepted'
    order by batch.feed_code, batch.delivery, batch.order_key desc
) as newest
where
    old.status = 'accepted'
    and old.feed_code = newest.feed_code
    and old.delivery = newest.delivery
    and old.order_key < newest.order_key
"""

# A batch, like a decision, that commits late is simply there for the next build.
_CHOOSE = """
insert into audit.build_batch (build_id, batch_id, action)
select %(build_id)s, batch_id, action from audit.batch_to_build
"""
_CHOOSE_DECISIONS = """
insert into audit.build_decision (build_id, kind, decision_id)
select %(build_id)s, kind, decision_id from audit.decision_to_build
"""


def _before_tables(connection: psycopg.Connection, counts: aggregate.Counts) -> None:
    connection.execute(_LOOK_UP)
    counts.before()


def _record(connection: psycopg.Connection, build_id: int, node: dbt.NodeResult) -> None:
    connection.execute(
        "insert into audit.build_node (build_id, node, status, seconds, rows, message)"
        " values (%s, %s, %s, %s, %s, %s) on conflict (build_id, node) do update set"
        " status = excluded.status, seconds = excluded.seconds, rows = excluded.rows, message = excluded.message",
        [build_id, node.node, node.status, node.seconds, node.rows, node.message],
    )


def _finish(connection: psycopg.Connection, build_id: int, status: str, message: str | None) -> None:
    connection.execute(
        "update audit.build set status = %s, message = %s, finished_at = clock_timestamp() where build_id = %s",
        [status, message, build_id],
    )


def _result(
    connection: psycopg.Connection, build_id: int, rows: dict[str, int], run: dbt.DbtRun, steps: Steps
) -> BuildResult:
    taken, withdrawn, decisions, touched, seconds, continues, reused = database.one(
        connection,
        "select count(*) filter (where action = 'take'), count(*) filter (where action = 'withdraw'),"
        " (select count(*) from audit.build_decision as decided where decided.build_id = build.build_id),"
        " max(touched_cases), max(extract(epoch from finished_at - started_at))::float, max(continues_build_id),"
        " (select count(*) from audit.build_node where build_id = build.build_id and ran_in_build_id is not null)"
        " from audit.build left join audit.build_batch using (build_id) where build_id = %s group by build.build_id",
        [build_id],
    )
    tests = sum(1 for node in run.nodes if node.status == "pass")
    spent = {step: round(seconds, 3) for step, seconds in steps.seconds.items()}
    return BuildResult(
        build_id, taken, withdrawn, decisions, touched, rows, tests, round(seconds, 1), continues, reused, spent
    )

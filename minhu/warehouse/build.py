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

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.metadata import version as package_version

import psycopg

from minhu import config, database, lineage
from minhu.database.analyze import analyze_changed, tell_changes
from minhu.database.beside import beside
from minhu.errors import Refused, Retryable
from minhu.feeds.canonical import STAGING_TABLE
from minhu.settings import Settings
from minhu.warehouse import aggregate, dbt, readings, refresh, resume
from minhu.warehouse.applying import FACTS, Applying
from minhu.warehouse.comments import comment_columns, word_codes
from minhu.warehouse.steps import Steps
from minhu.warehouse.touch import settle, touch, touch_chunk

Tell = Callable[[str], None]


class BuildFailed(Refused):
    """A model or a test failed. Nothing was applied."""


class BuildInterrupted(Retryable):
    """The database gave way under a build. Nothing was applied; the next build goes on from there."""


@dataclass(frozen=True)
class BuildResult:
    """``build_id`` is null when there was nothing to do. ``rows``: rows written per table of mart.

    ``continues``: the failed build that this one continued, of which ``reused`` models and tests were taken over.
    ``chunks``: how many builds a full refresh took, from ``first_build_id`` on; the sums are of all of them, and
    ``build_id`` is the last one.
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
    first_build_id: int | None = None
    chunks: int = 1
    left_cases: int = 0
    """Cases that stay as they stood, since rows that they rest on are kept elsewhere (detached.py)."""
    steps: dict[str, float] = field(default_factory=dict)
    """Seconds by step; of a build that did something."""

    def summary(self) -> dict:
        return {**self.__dict__, "rows": self.rows or {}}

    def after(self, before: "BuildResult") -> "BuildResult":
        """This build and the one before it as one."""
        if before.build_id is None or self.build_id is None:
            return self if before.build_id is None else before
        rows, spent = before.rows or {}, before.steps
        dimensions = {table: count for table, count in (self.rows or {}).items() if table not in FACTS}
        return replace(
            self,
            first_build_id=before.first_build_id,
            taken=before.taken + self.taken,
            withdrawn=before.withdrawn + self.withdrawn,
            decisions=before.decisions + self.decisions,
            touched_cases=before.touched_cases + self.touched_cases,
            rows={**{table: rows.get(table, 0) + count for table, count in (self.rows or {}).items()}, **dimensions},
            tests=before.tests + self.tests,
            seconds=round(before.seconds + self.seconds, 1),
            reused=before.reused + self.reused,
            chunks=before.chunks + self.chunks,
            left_cases=before.left_cases + self.left_cases,
            steps=spent | {step: round(spent.get(step, 0) + s, 3) for step, s in self.steps.items()},
        )


def build(settings: Settings, *, full_refresh: bool = False, tell: Tell = lambda line: None) -> BuildResult:
    """Builds what is new, or continues what failed, first what is left of a full refresh in chunks (refresh.py).

    Raises BuildFailed naming the first node that failed, BuildInterrupted when it was the database that gave way.
    """
    settings = settings.at_work
    with lineage.job(settings, "build") as told:
        result = _build(settings, full_refresh, tell)
        if result.build_id and told.is_on:
            told.reads(*STAGING_TABLE.values(), *_batches(settings, result))
            for table, rows in (result.rows or {}).items():
                told.writes(f"mart.{table}", rows)
        return result


def _batches(settings: Settings, result: BuildResult) -> list[str]:
    """The batches that were taken, as lineage calls them."""
    with database.connect(settings) as connection:
        taken = connection.execute(
            "select batch_id from audit.build_batch inner join audit.build using (build_id)"
            " where build_id between %s and %s and status = 'succeeded' and action = 'take' order by 1",
            [result.first_build_id, result.build_id],
        )
        return [f"batch/{batch_id}" for (batch_id,) in taken]


def _build(settings: Settings, full_refresh: bool, tell: Tell) -> BuildResult:
    steps = Steps()
    with steps.of("configuration"):
        version = config.sync(settings)
    with (
        database.held(settings, database.LOCK_BUILD) as held,
        database.connect(settings, autocommit=True) as keeper,
    ):
        with steps.of("statistics"):
            analyze_changed(keeper, "staging", "restricted", "config")
        house = _House(settings, held, keeper, version)
        result, again = _chunks(house, BuildResult(None), tell)
        # whoever asks for a full refresh again after a kill has what was left of it
        result = _one(house, again or (full_refresh and not result.build_id), None, steps).after(result)
        result, again = _chunks(house, result, tell)
        return result if not again else _chunks(house, _one(house, True, None, Steps()).after(result), tell)[0]


@dataclass(frozen=True)
class _House:
    """What the builds of one call share. ``held``: the connection that holds the lock."""

    settings: Settings
    held: psycopg.Connection
    keeper: psycopg.Connection
    version: int


def _chunks(house: _House, result: BuildResult, tell: Tell) -> tuple[BuildResult, bool]:
    """Builds what is left of a full refresh under way, behind ``result``; and whether it has to begin anew."""
    while True:
        with database.connect(house.settings) as connection:
            left, again = refresh.left(connection, house.version)
            of_all = refresh.owed(connection)
        if not left or not of_all:
            return result, again
        tell(f"全量重建：第 {of_all[0] + 1}/{of_all[1]} 段")
        chunk = _one(house, True, left[0], Steps(), is_last=len(left) == 1)
        if chunk.build_id is None:
            return result, True
        result = chunk.after(result)


def _one(house: _House, full_refresh: bool, chunk: int | None, steps: Steps, *, is_last: bool = False) -> BuildResult:
    """One build: of what is new, or of a chunk of a full refresh; without an id where there is nothing to do."""
    settings, version, keeper = house.settings, house.version, house.keeper
    with database.connect(settings) as connection, steps.of("choose"):
        last, build_id = _choose(connection, version, full_refresh, chunk)
        if build_id is None:
            return BuildResult(None)
        variables = {"build_id": build_id, "config_version": version}
        with beside(lambda: dbt.manifest(settings, variables), "dbt"):  # the run need not wait for it
            _touch(connection, build_id, last, version, full_refresh, chunk)
            done = resume.take_over(connection, build_id)
        is_last = is_last or not refresh.is_under_way(connection)
    with (
        database.connect(settings, autocommit=True) as notes,
        database.connect(settings) as connection,
        Applying(connection) as applying,
    ):
        # of a refresh in chunks the last one counts all anew
        counts = aggregate.Counts(connection, anew=full_refresh and is_last)
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
        database.assert_unbroken(house.held)
        with steps.of("apply"):
            rows = applying.finish()
        with steps.of("feed_scores"):
            connection.execute("select audit.score_feeds(%s)", [build_id])
            settle(connection, build_id, is_chunk=chunk is not None)
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


def _choose(
    connection: psycopg.Connection, version: int, full_refresh: bool, chunk: int | None
) -> tuple[int | None, int | None]:
    """Writes which batches and decisions this build takes: the last build's configuration version, and its id.

    Its id is None when nothing has changed since the last one, the version when there is no last one. A chunk takes
    nothing: its id is None where the readings have changed since the first one.
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
    if chunk:
        if readings.record(connection, build_id, version):
            connection.rollback()
            refresh.end(connection)
            return last, None
        return last, build_id
    connection.execute(_SUPERSEDE_SNAPSHOTS, {"version": version})
    reads_anew = readings.record(connection, build_id, version)
    chosen = connection.execute(_CHOOSE, {"build_id": build_id}).rowcount
    decided = connection.execute(_CHOOSE_DECISIONS, {"build_id": build_id}).rowcount
    came_back = database.one(connection, _CAME_BACK)[0]
    if not (chosen or decided or full_refresh or reads_anew or came_back) and last == version:
        connection.rollback()
        return last, None
    return last, build_id


def _touch(
    connection: psycopg.Connection, build_id: int, last: int | None, version: int, full_refresh: bool, chunk: int | None
) -> None:
    """Writes which cases this build touches, and by what it may be known again."""
    if last is not None:
        connection.execute(_LOOK_UP)
    if chunk:
        touched = touch_chunk(connection, build_id, chunk)
    else:
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

_CAME_BACK = """
select exists (select from audit.detached_month where attached_at is not null and built_in is null)
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
    taken, withdrawn, decisions, touched, seconds, continues, reused, left = database.one(
        connection,
        "select count(*) filter (where action = 'take'), count(*) filter (where action = 'withdraw'),"
        " (select count(*) from audit.build_decision as decided where decided.build_id = build.build_id),"
        " max(touched_cases), max(extract(epoch from finished_at - started_at))::float, max(continues_build_id),"
        " (select count(*) from audit.build_node where build_id = build.build_id and ran_in_build_id is not null),"
        " coalesce(max(left_cases), 0)"
        " from audit.build left join audit.build_batch using (build_id) where build_id = %s group by build.build_id",
        [build_id],
    )
    tests = sum(1 for node in run.nodes if node.status == "pass")
    spent = {step: round(seconds, 3) for step, seconds in steps.seconds.items()}
    return BuildResult(
        build_id=build_id,
        first_build_id=build_id,
        taken=taken,
        withdrawn=withdrawn,
        decisions=decisions,
        touched_cases=touched,
        rows=rows,
        tests=tests,
        seconds=round(seconds, 1),
        continues=continues,
        reused=reused,
        left_cases=left,
        steps=spent,
    )

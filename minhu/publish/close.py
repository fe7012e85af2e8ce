"""Closes a period, publishes what was closed, closes a revision. The database function that acts says who, and refuses.

    close → (another login approves) → publish          late data, a granted appeal, a correction:
                                                         build → revise → (another login approves) → publish

Nothing is published by closing. Nothing that was closed changes by what comes later: the numbers that are approved are
the rows that were frozen, not those of the day.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from minhu import database, lineage
from minhu.errors import Refused
from minhu.privacy.line import mask_line
from minhu.publish import ledger
from minhu.publish.chain import TABLES
from minhu.publish.code import code_version
from minhu.publish.later import Later, resting_on
from minhu.publish.signed import Statement, sign
from minhu.schemes.period import Period
from minhu.schemes.plain import plain
from minhu.schemes.scheme import Scheme
from minhu.scoring.score import ScoreResult, score
from minhu.settings import Settings
from minhu.warehouse import refresh
from minhu.warehouse.build import build
from minhu.warehouse.detached import attach
from minhu.warehouse.readings import taken_anew

PERIOD_OVER = "release.period_over"


@dataclass(frozen=True)
class Closing:
    """What was frozen. ``rows``: how many of each kind. ``release_id`` is null until it is published.

    ``may_approve``, as `close` and `to_approve` tell it: evaluators who have neither closed nor decided what it holds.
    ``later``, told beside: the releases of later periods that took other numbers of this one than it holds.
    """

    closing_id: int
    scheme_id: str
    scheme_version: str
    period: str
    revision: int
    is_early: bool
    why: str | None
    as_of: datetime
    build_id: int
    config_version: int
    input_fingerprint: str
    content_hash: str
    inputs: dict
    closed_by: str
    closed_at: datetime
    rows: dict[str, int]
    approved_by: str | None
    rejected_by: str | None
    release_id: int | None
    may_approve: tuple[str, ...] = ()
    later: tuple[Later, ...] = ()

    def as_json(self) -> dict:
        return plain(self)

    @property
    def state(self) -> str:
        """``published``, ``rejected``, ``approved`` or ``awaits_approval``."""
        if self.release_id:
            return "published"
        return "rejected" if self.rejected_by else "approved" if self.approved_by else "awaits_approval"


@dataclass(frozen=True)
class Release:
    """A published result. ``hash`` stands for it and, through its chain, for every release before it."""

    release_id: int
    closing_id: int
    scheme_id: str
    scheme_version: str
    period: str
    revision: int
    why: str | None
    as_of: datetime
    build_id: int
    config_version: int
    row_count: int
    closed_by: str
    approved_by: str
    published_by: str
    published_at: datetime
    input_fingerprint: str
    previous_hash: str
    hash: str
    approval_key: str | None
    """The public key, in hex, whose signature approved it; null: by login only."""
    anchor: str | None
    """The line that witnesses keep; null while the access log is not sealed up to it."""

    @property
    def approval_zh(self) -> str:
        """How it was approved, beside by whom."""
        return f"已签名，公钥 {self.approval_key[:12]}" if self.approval_key else "仅凭登录"

    def as_json(self) -> dict:
        return plain(self)


def close(
    settings: Settings,
    period: str,
    scheme_id: str | None = None,
    *,
    is_early: bool = False,
    why: str | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Closing:
    """Scores ``period`` anew, asks the release gate and freezes scores, indicators, evidence and what they rest on.

    ``why``: needed where the period is published already, and refused where it is not. ``is_early``: freeze a period
    whose data are not complete, where the scheme calls that indicative. Raises Refused when something was accepted or
    decided and not built, the gate fails, nothing was scored, or nobody could approve it; nothing is frozen then.
    """
    from minhu.quality import judge_release  # here: what reads a release needs no gate

    wanted = Period.parse(period)
    with database.connect(settings) as connection:
        _refuse_what_is_not_built(connection)
    tell(f"{wanted.text}：计算得分")
    scored = score(settings, wanted.text, scheme_id)
    with database.connect(settings) as connection:
        if is_early and _is_final(connection, scored, wanted):
            raise Refused(f"the scheme calls the result of {wanted.text} final: it is closed when it is over")
        newest = _newest_release(connection, scored.scheme_id, wanted.text)
    if newest and not why:
        raise Refused(
            f"{wanted.text} is published already, revision {newest.revision} by {newest.published_by}; a correction is"
            f" `minhu revise {wanted.text} --why …`"
        )
    if why and not newest:
        raise Refused(
            f"{wanted.text} is not published yet, so nothing is to be revised: run `minhu close {wanted.text}`"
        )
    tell(f"{wanted.text}：发布门禁")
    gate = judge_release(settings, wanted.text, scored.scheme_id, scored.scheme_version)
    failed = [rule for rule in gate.failed_rules if not (is_early and rule.rule_id == PERIOD_OVER)]
    if not gate.passed and failed:
        rules = "; ".join(f"{rule.rule_id} {rule.title_zh}" for rule in failed)
        raise Refused(f"the release gate does not let {wanted.text} through: {rules}")
    tell(f"{wanted.text}：冻结")
    with database.deciding(settings) as decision:
        connection = decision.connection
        closing_id = _act(
            connection,
            "close",
            scheme_id=scored.scheme_id,
            scheme_version=scored.scheme_version,
            period=wanted.text,
            quality_run_id=gate.run_id,
            code=Jsonb(code_version()),
            why=why and mask_line(why),
            is_early=is_early,
        )
        if newest:
            ledger.write(connection, closing_id)
        decision.result |= {"closing_id": closing_id, "period": wanted.text, "scheme_id": scored.scheme_id}
        return _with_approvers(connection, closing_id)


def revise(
    settings: Settings,
    period: str,
    scheme_id: str | None = None,
    *,
    why: str,
    readings: Literal["published", "new"] = "published",
    tell: Callable[[str], None] = lambda line: None,
) -> Closing:
    """Closes a published period anew, as its next revision. Raises Refused as `close` does.

    ``readings``: those by which the period was published, or the ones that the configuration names today; where that
    changes what holds, the facts are built anew first. Months kept out of staging come back by themselves where
    something has arrived for a case that counts, which takes the login that loads and builds.
    """
    if not why.strip():
        raise Refused("say why the result is revised: a revision without a reason is not recorded")
    wanted = Period.parse(period)
    with database.connect(settings) as connection:
        find_release(connection, wanted.text, None, scheme_id)
        is_new, was_new = readings == "new", wanted.text in taken_anew(connection)
        was_asked = database.one(connection, _WAS_ASKED, {"period": wanted.text})[0]
        if is_new != was_new:
            given = {"period": wanted.text, "first_on": wanted.first, "last_on": wanted.last}
            database.act(connection, "publish.take_readings", given | {"is_new": is_new, "why": mask_line(why.strip())})
        apart = connection.execute(_APART, {"period": wanted.text, "scheme": scheme_id}).fetchall()
    for month, may_attach in apart:
        if not may_attach:
            raise Refused(
                f"data arrived for cases of {wanted.text} after {month:%Y-%m} was taken out of staging: who runs the"
                f" warehouse says `minhu months attach {month:%Y-%m}` and `minhu build`, then revise"
            )
        tell(f"{wanted.text}：接回 {month:%Y-%m} 移出的接入数据")
        attach(settings, month, tell=tell)
    if apart:
        tell(f"{wanted.text}：重建接回的工单")
        build(settings)
    if is_new or was_asked:
        tell(f"{wanted.text}：按{'现行' if is_new else '原'}读法重建事实")
        build(settings)
    return close(settings, wanted.text, scheme_id, why=why.strip(), tell=tell)


_APART = """
select month_on, has_schema_privilege('staging', 'usage')
from publish.months_wanted(%(period)s, %(scheme)s)
order by month_on
"""

# Whether anything was decided about a period's readings since it was published last: the facts may rest on it.
_WAS_ASKED = """
select exists (
    select from publish.readings_taken
    where period = %(period)s
        and taken_at > (select max(published_at) from publish.release where release.period = readings_taken.period)
)
"""


def publish(
    settings: Settings,
    period: str,
    scheme_id: str | None = None,
    *,
    why: str | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Release:
    """Publishes the newest closing of ``period``, and sends its hash to the witnesses outside.

    ``why``: needed where none of them can be reached. What was not delivered is recorded and sent by the next
    `witnesses.send`. Raises Refused when there is no closing, nobody else has approved it, or no witness can be reached
    and nobody says why it is published all the same; nothing is published then.
    """
    wanted = Period.parse(period)
    with database.connect(settings) as connection:
        closing_id = newest_closing(connection, wanted.text, scheme_id)
    return _publish(settings, closing_id, why, tell)


def publish_closing(
    settings: Settings,
    closing_id: int,
    *,
    why: str | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Release:
    """Publishes one closing; one that is published already is returned as it was: for callers that try again."""
    with database.connect(settings) as connection:
        found = read_releases(connection, "closing_id = %(closing_id)s", {"closing_id": closing_id})
    if not found:
        return _publish(settings, closing_id, why, tell)
    _send(settings, tell)
    return found[0]


def _publish(settings: Settings, closing_id: int, why: str | None, tell: Callable[[str], None]) -> Release:
    from minhu.publish import witnesses  # here: what reads a release sends nothing

    is_witnessed = True
    with database.connect(settings) as connection:
        state = read_closing(connection, closing_id).state
    if state == "approved":  # of what is not, the act says so
        is_witnessed = witnesses.can_reach_one(settings, why)  # nothing is held while others are asked
    with lineage.job(settings, "publish") as told:
        with database.deciding(settings) as decision:
            release_id = _act(decision.connection, "publish", closing_id=closing_id)
            if not is_witnessed:
                witnesses.record_without(decision.connection, release_id, mask_line((why or "").strip()))
            decision.result |= {"release_id": release_id}
        if not is_witnessed:
            tell(f"没有可用的外部见证：{(why or '').strip()}")
        _send(settings, tell)
        with database.connect(settings) as connection:
            made = read_releases(connection, "release_id = %(release_id)s", {"release_id": release_id})[0]
        told.reads(f"score/{made.scheme_id}/{made.period}")
        for table in TABLES:
            told.writes(f"publish.{table}")
        told.writes(f"release/{made.scheme_id}/{made.period}/{made.revision}", made.row_count)
        return made


def _send(settings: Settings, tell: Callable[[str], None]) -> None:
    from minhu.publish import witnesses

    if witnesses.are_declared(settings):
        witnesses.send(settings, lambda delivery: tell(str(delivery)))


def approved_by(settings: Settings, closing_id: int) -> str | None:
    """Who has approved a closing, by the login; None while nobody has. Raises Refused when it was rejected."""
    with database.connect(settings) as connection:
        closing = read_closing(connection, closing_id)
    if closing.rejected_by:
        raise Refused(f"closing {closing_id} of {closing.period} was rejected by {closing.rejected_by}")
    return closing.approved_by


def newest_closing(connection: psycopg.Connection, period: str, scheme_id: str | None = None) -> int:
    """Its id. Raises Refused when the period was never closed, or by several schemes and none is named."""
    found = connection.execute(
        "select scheme_id, max(closing_id) from publish.closing"
        " where period = %(period)s and (%(scheme)s::text is null or scheme_id = %(scheme)s) group by scheme_id",
        {"period": period, "scheme": scheme_id},
    ).fetchall()
    if not found:
        raise Refused(f"{period} is not closed: run `minhu close {period}` first")
    if len(found) > 1:
        raise Refused(
            f"{period} was closed by {' and '.join(sorted(name for name, _ in found))}; name one with --scheme"
        )
    return found[0][1]


def read_closing(connection: psycopg.Connection[Any], closing_id: int) -> Closing:
    with connection.cursor(row_factory=class_row(Closing)) as cursor:
        found = cursor.execute(_CLOSINGS + " where closing.closing_id = %s", [closing_id]).fetchone()
    if found is None:
        raise Refused(f"there is no closing {closing_id}; see `minhu closings list`")
    return found


def to_approve(settings: Settings, closing_id: int) -> Closing:
    """A closing with those who may approve it."""
    with database.connect(settings) as connection:
        return _with_approvers(connection, closing_id)


def sign_closing(settings: Settings, closing_id: int, key: Path, passphrase: str | None) -> bytes:
    """The signature, with the key in a file, of who asks under what a closing holds. Raises Refused."""
    with database.connect(settings) as connection:
        closing = read_closing(connection, closing_id)
        login = database.one(connection, "select assess.acting()")[0]
    statement = Statement(
        closing.closing_id, closing.scheme_id, closing.period, closing.revision, closing.content_hash, login
    )
    return sign(statement, key, passphrase)


def _with_approvers(connection: psycopg.Connection, closing_id: int) -> Closing:
    may = connection.execute("select may from publish.may_approve(%s) as may", [closing_id]).fetchall()
    return replace(
        read_closing(connection, closing_id),
        may_approve=tuple(login for (login,) in may),
        later=resting_on(connection, closing_id),
    )


def list_closings(settings: Settings, period: str | None = None) -> list[Closing]:
    """Every closing, or those of a period, oldest first."""
    with database.connect(settings) as connection, connection.cursor(row_factory=class_row(Closing)) as cursor:
        return cursor.execute(
            f"{_CLOSINGS} where %(period)s::text is null or closing.period = %(period)s order by closing.closing_id",
            {"period": period},
        ).fetchall()


_CLOSINGS = """
select closing.closing_id, closing.scheme_id, closing.scheme_version, closing.period, closing.revision,
    closing.is_early, closing.why, closing.as_of, closing.build_id, closing.config_version,
    closing.input_fingerprint, closing.content_hash, closing.inputs, closing.closed_by, closing.closed_at,
    (
        select coalesce(jsonb_object_agg(counted.kind, counted.number), '{}')
        from (
            select kind, count(*) as number from publish.frozen_row as frozen
            where frozen.closing_id = closing.closing_id group by kind
        ) as counted
    ) as rows,
    verdicts.approved_by, verdicts.rejected_by, release.release_id
from publish.closing
left join publish.release on release.closing_id = closing.closing_id
cross join lateral (
    select string_agg(approved_by, ' ' order by approval_id) filter (where verdict = 'approved') as approved_by,
        string_agg(approved_by, ' ' order by approval_id) filter (where verdict = 'rejected') as rejected_by
    from assess.approval where subject_kind = 'closing' and subject_id = closing.closing_id::text
) as verdicts
"""


def read_releases(
    connection: psycopg.Connection[Any], condition: str = "true", wanted: dict | None = None
) -> list[Release]:
    """The releases that ``condition`` names, in the order of their publication."""
    names = ", ".join(name for name in Release.__dataclass_fields__ if name not in ("approval_key", "anchor"))
    query = (
        f"select {names}, publish.key_of_approval(approval_id) as approval_key,"
        " publish.anchor_of(release_id) as anchor"
        f" from publish.release where {condition} order by release_id"
    )
    with connection.cursor(row_factory=class_row(Release)) as cursor:
        return cursor.execute(query, wanted or {}).fetchall()


def find_release(
    connection: psycopg.Connection[Any], period: str, revision: int | None = None, scheme_id: str | None = None
) -> Release:
    """A revision of ``period``, the newest unless told. Raises Refused when there is none, or of several schemes."""
    found = read_releases(
        connection,
        "period = %(period)s and (%(revision)s::int is null or revision = %(revision)s)"
        " and (%(scheme)s::text is null or scheme_id = %(scheme)s)",
        {"period": period, "revision": revision, "scheme": scheme_id},
    )
    if not found:
        raise Refused(
            f"{period} has no published {f'revision {revision}' if revision else 'result'}; see `minhu releases list`"
        )
    schemes = sorted({release.scheme_id for release in found})
    if len(schemes) > 1:
        raise Refused(f"{period} was published by {' and '.join(schemes)}; name one with --scheme")
    return found[-1]


def _newest_release(connection: psycopg.Connection, scheme_id: str, period: str) -> Release | None:
    found = read_releases(
        connection, "scheme_id = %(scheme)s and period = %(period)s", {"scheme": scheme_id, "period": period}
    )
    return found[-1] if found else None


def _is_final(connection: psycopg.Connection, scored: ScoreResult, period: Period) -> bool:
    """Whether the scheme calls a complete result of such a period final."""
    data = database.one(
        connection,
        "select data from config.entry where kind = 'scheme' and key = %s and data ->> 'scheme_version' = %s limit 1",
        [scored.scheme_id, scored.scheme_version],
    )[0]
    return Scheme.from_entry(data).standing(period, True) == "final"


def _refuse_what_is_not_built(connection: psycopg.Connection) -> None:
    batches, decisions = database.one(connection, _NOT_BUILT)
    if owed := refresh.owed(connection):
        done, chunks = owed
        raise Refused(
            f"a full refresh is under way, {done} of {chunks} chunks: run `minhu build`, which goes on with it, then"
            " close the period"
        )
    waiting = [
        text
        for number, text in ((batches, f"{batches} batches"), (decisions, f"{decisions} decisions of people"))
        if number
    ]
    if waiting:
        raise Refused(f"{' and '.join(waiting)} are not built yet: run `minhu build`, then close the period")


_NOT_BUILT = "select (select count(*) from audit.batch_to_build), (select count(*) from audit.decision_to_build)"


def _act(connection: psycopg.Connection, name: str, **given: object) -> int:
    connection.execute("set local statement_timeout = 0")  # a login's limit is for questions, not for acts
    return database.act(connection, f"publish.{name}", given)

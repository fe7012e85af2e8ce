"""The planted-fault test: what finds each fault of the catalogue, and how often clean days are taken for faulty.

A city is simulated: ``warm`` days from which limits learn, ``clean`` days that the arrival gate judges one by one, and
a day on which faults are planted. History goes through the real door, all days of a delivery in one file, and is then
cut into a batch a day. The faults are planted in rounds: each round is a copy of the database before the day was
judged, in which a few deliveries, one fault each, are loaded anew; the gate judges the whole day, the others' clean
deliveries too. A finding counts where the same delivery does not have it on the clean day.

``python -m bench faults`` writes the table into docs/quality.md.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import psycopg
import sqlalchemy
from psycopg import sql

from bench.catalogue import CATALOGUE, NUMBER, Fault, Given, Sent
from bench.scratch import warehouse
from minhu import database
from minhu.config import sync
from minhu.errors import BadDelivery
from minhu.feeds import Delivery, Feed, load_feeds
from minhu.feeds.sources.fetched import Fetched
from minhu.glossary.delivered import BATCH_STATUS, DOOR_REASON, SEVERITY
from minhu.load import LoadResult, batch, load_fetched
from minhu.quality import ROOT, judge_arrivals, read_rules, release_batch
from minhu.quality.measure import measure as measure_batches
from minhu.settings import PROJECT_ROOT, Settings
from minhu.simulate.invert import numeric_columns, to_source
from minhu.simulate.lines import DAY_COLUMN
from minhu.simulate.rows import rows_of
from minhu.simulate.run import imagine
from minhu.simulate.traps import spoil
from minhu.simulate.truth import Truth
from minhu.simulate.worktime import day_number
from minhu.simulate.writers import to_bytes
from minhu.warehouse.deliveries import deliveries, not_in

STAGED = ("case_record", "case_event", "callback")
DAY = date(2026, 11, 12)
"""The day of the faults: a Thursday whose day of the month may be a month."""
SEED = 7
PAGE = PROJECT_ROOT / "docs" / "quality.md"


Progress = Callable[[str], None]
Key = tuple[str, str]
"""Feed and delivery."""


@dataclass(frozen=True)
class City:
    """How large, and how many days: those before ``clean`` are judged by nobody, limits learn from them."""

    cases_per_day: int = 2_000
    warm: int = 21
    clean: int = 60

    @property
    def start(self) -> date:
        return DAY - timedelta(self.warm + self.clean)


@dataclass(frozen=True)
class Found:
    """What came of a fault. ``outcome``: refused, stopped, held, warning, info, missing, masked, or nothing."""

    fault: Fault
    feed: str
    rows: int
    outcome: str
    by: tuple[tuple[str, str], ...] = ()
    """What found it: codes of the door, or ids of rules, each with its severity."""

    @property
    def is_found(self) -> bool:
        """As it should be: kept out where it is critical, else told of."""
        if self.fault.is_critical:
            return self.outcome in ("refused", "stopped", "held", "missing")
        return self.outcome != "nothing"


@dataclass(frozen=True)
class Report:
    city: City
    found: tuple[Found, ...]
    clean_batches: int
    false_critical: tuple[tuple[date, str, str], ...]
    """On clean days: date, delivery, rule."""
    false_warnings: int
    bystanders: tuple[tuple[str, str, str], ...]
    """Clean deliveries that were held beside a fault: fault, delivery, rule."""

    @property
    def missed(self) -> tuple[Found, ...]:
        return tuple(found for found in self.found if not found.is_found)


def measure(quick: bool) -> dict[str, float]:
    """Plants the catalogue and, at full size, writes the table. For ``python -m bench faults``."""
    with warehouse() as settings:
        _in_haste(settings)
        report = plant(settings, City(cases_per_day=1_000, clean=20) if quick else City(), progress=_say)
    if not quick:
        write_page(report, PAGE)
    critical = [found for found in report.found if found.fault.is_critical]
    return {
        "faults_planted": len(report.found),
        "faults_found": sum(found.is_found for found in report.found),
        "faults_critical": len(critical),
        "faults_critical_found": sum(found.is_found for found in critical),
        "faults_false_critical": len(report.false_critical),
    }


def _say(message: str) -> None:
    print(message, flush=True)


def plant(
    settings: Settings,
    city: City,
    faults: Sequence[Fault] = CATALOGUE,
    *,
    feeds: Sequence[Feed] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Fills an empty warehouse with clean days and plants each fault; raises when one finds no place."""
    tell = progress or (lambda message: None)
    feeds = tuple(feeds or load_feeds(settings.config))
    sync(settings)
    days = city.warm + city.clean + 1
    tell(f"simulating {days} days, {city.cases_per_day} cases a day")
    truth = imagine(feeds, settings.config, city.start, days, city.cases_per_day, SEED)
    told = {
        (feed.code, delivery.name): rows_of(truth, feed, delivery)
        for feed in truth.feeds
        for delivery in feed.deliveries
    }
    _load_history(settings, truth, told, city, tell)
    judged = _judge_history(settings, city, tell)
    _load_day(settings, truth, told, tell)
    with _copy(settings, "clean") as copy:
        baseline, held = _judge_day(copy)
        bystanders = [("(none)", name, rule) for name, rule in held]
    found: dict[str, Found] = {}
    rounds = _rounds(truth, told, faults)
    for at, placed in enumerate(rounds, start=1):
        with _copy(settings, f"round_{at}") as copy:
            struck, held = _strike(copy, truth, told, placed, baseline)
        found |= struck
        known = {(name, rule) for _, name, rule in bystanders}
        names = ", ".join(fault.id for fault in placed.values())
        bystanders += [(names, name, rule) for name, rule in held if (name, rule) not in known]
        tell(f"round {at} of {len(rounds)}: " + ", ".join(f"{f.id} {found[f.id].outcome}" for f in placed.values()))
    return Report(city, tuple(found[fault.id] for fault in faults), *judged, tuple(bystanders))


# -- history -------------------------------------------------------------------------------------------------------


def _load_history(settings: Settings, truth: Truth, told: dict[Key, pl.DataFrame], city: City, tell: Progress) -> None:
    """Every delivery's days before the day in one file each, through the door; then cut into a batch a day."""
    first, last = day_number(city.start), day_number(DAY) - 1
    starts: list[tuple[int, list[int]]] = []
    for feed in truth.feeds:
        for delivery in feed.deliveries:
            rows = told[feed.code, delivery.name]
            own = to_source(rows, feed, delivery)
            day = rows[DAY_COLUMN].cast(pl.Int64)
            rng = np.random.default_rng([SEED, len(starts)])
            parts = [spoil(own.filter(day == at), delivery, rng).rows for at in range(first, last + 1)]
            result = _load(
                settings,
                feed,
                delivery,
                to_bytes(pl.concat(parts), delivery.format, numeric_columns(delivery)),
                DAY - timedelta(1),
            )
            before = np.cumsum([1, *(part.height for part in parts[:-1])]).tolist()
            starts.append((result.batch_id or 0, before))
        if feed is truth.feeds[-1] or truth.feeds.index(feed) % 20 == 19:
            tell(f"loaded the history of {truth.feeds.index(feed) + 1} of {len(truth.feeds)} feeds")
    with _open(settings) as connection:
        connection.execute("create temporary table cut (old_batch_id bigint, starts bigint[])")
        connection.cursor().executemany("insert into cut values (%s, %s)", starts)
        connection.execute(_PLAN, {"start": city.start})
        connection.execute(_BATCHES)
        for table in STAGED:
            _cut(connection, table)
        connection.execute(_REJECTED)
        connection.execute(_ACCOUNT)
        connection.execute("delete from audit.batch where batch_id in (select old_batch_id from cut)")
        connection.execute(
            "select setval(pg_get_serial_sequence('audit.batch', 'batch_id'), max(batch_id)) from audit.batch"
        )
    _analyze(settings)
    tell("cut it into a batch a day")


# A batch of each delivery and day, in the order in which they would have come.
_PLAN = """
create temporary table plan as
select
    old_batch_id,
    slice,
    %(start)s::date + slice::int - 1 as business_date,
    row_number() over (order by slice, old_batch_id) + (select max(batch_id) from audit.batch) as batch_id
from cut
cross join lateral generate_series(1, cardinality(starts)) as slice
"""
_BATCHES = """
insert into audit.batch (
    batch_id, feed_code, delivery, kind, business_date, source_name, source_sha256, source_bytes, received_rows,
    staged_rows, rejected_rows, duplicate_rows, status, order_key, started_at, loaded_at
)
overriding system value
select
    plan.batch_id, feed_code, delivery, kind, plan.business_date, source_name, md5(plan.batch_id::text), source_bytes,
    0, 0, 0, 0, 'superseded', to_char(plan.business_date, 'YYYYMMDD')::bigint * 10000000000 + plan.batch_id, started_at,
    plan.business_date + 1 + interval '4 hours' + plan.batch_id % 60 * interval '1 minute'
from plan inner join audit.batch on plan.old_batch_id = batch.batch_id
order by plan.batch_id
"""
_REJECTED = """
update restricted.rejected_row as told set batch_id = plan.batch_id
from cut inner join plan using (old_batch_id)
where told.batch_id = old_batch_id and plan.slice = width_bucket(told.row_number, cut.starts)
"""
# Received rows are those from one start to the next; of the last day those up to the end of the file.
_ACCOUNT = """
with told as (
    select batch_id, count(*) as staged from (
        select batch_id from staging.case_record
        union all select batch_id from staging.case_event
        union all select batch_id from staging.callback
    ) as rows
    group by batch_id
),
rejected as (select batch_id, count(*) as rejected from restricted.rejected_row group by batch_id),
counted as (
    select
        plan.batch_id,
        coalesce(staged, 0) as staged,
        coalesce(rejected, 0) as rejected,
        coalesce(cut.starts[plan.slice + 1], old.received_rows + 1) - cut.starts[plan.slice] as received
    from plan
    inner join cut using (old_batch_id)
    inner join audit.batch as old on plan.old_batch_id = old.batch_id
    left join told on plan.batch_id = told.batch_id
    left join rejected on plan.batch_id = rejected.batch_id
)
update audit.batch set
    received_rows = received, staged_rows = staged, rejected_rows = rejected,
    duplicate_rows = received - staged - rejected
from counted where batch.batch_id = counted.batch_id
"""


def _cut(connection: psycopg.Connection, table: str) -> None:
    """Lays the rows of a staging table out again, each in the batch of its day."""
    columns = database.columns(connection, f"staging.{table}", without=["batch_id"])
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    own = sql.Identifier("staging", table)
    connection.execute(sql.SQL("create temporary table moved as table {}").format(own))
    connection.execute(sql.SQL("truncate {}").format(own))
    connection.execute(
        sql.SQL(
            "insert into {} (batch_id, {}) select plan.batch_id, {} from moved"
            " inner join cut on moved.batch_id = cut.old_batch_id"
            " inner join plan on cut.old_batch_id = plan.old_batch_id"
            " and plan.slice = width_bucket(moved.row_number, cut.starts) order by plan.batch_id, row_number"
        ).format(own, names, sql.SQL(", ").join(sql.Identifier("moved", column) for column in columns))
    )
    connection.execute("drop table moved")


_LOADED = "update audit.batch set status = 'loaded' where business_date = %s"


def _judge_history(
    settings: Settings, city: City, tell: Progress
) -> tuple[int, tuple[tuple[date, str, str], ...], int]:
    """Accepts the warm days and has the gate judge the clean ones; what it holds is released, as a person would."""
    false_critical: list[tuple[date, str, str]] = []
    batches = warnings = 0
    for at in range(city.warm + city.clean):
        day = city.start + timedelta(at)
        own = _query(
            settings, "update audit.batch set status = 'loaded' where business_date = %s returning batch_id", day
        )
        if at < city.warm:
            measure_batches(settings, [batch_id for (batch_id,) in own])
            _query(settings, "update audit.batch set status = 'accepted' where business_date = %s", day)
            continue
        result = judge_arrivals(settings)
        batches += len(own)
        for held in result.held:
            name = "/".join(_query(settings, "select feed_code, delivery from audit.batch where batch_id = %s",
                                   held.batch_id)[0])  # fmt: skip
            false_critical += [(day, name, rule) for rule in held.rule_ids]
            tell(f"{day} {name}: {held.reason}")
            release_batch(settings, held.batch_id, "a clean day")
        if (at - city.warm) % 10 == 9:
            _analyze(settings)
            tell(f"judged {at - city.warm + 1} of {city.clean} clean days, {len(false_critical)} false critical")
    if city.clean:
        (warnings,) = _query(
            settings,
            "select count(*) from audit.quality_result where batch_id is not null and not is_passed"
            " and severity = 'warning'",
        )[0]
    _analyze(settings)
    return batches, tuple(false_critical), warnings


# -- the day -------------------------------------------------------------------------------------------------------


def _strike(
    settings: Settings,
    truth: Truth,
    told: dict[Key, pl.DataFrame],
    placed: dict[Key, Fault],
    baseline: dict[Key, list[tuple[str, str]]],
) -> tuple[dict[str, Found], list[tuple[str, str]]]:
    """What comes of the faults of one round, by their ids; the other deliveries that are held, with the rules."""
    came = {key: _deliver(settings, fault, _given(truth, told, key)) for key, fault in placed.items()}
    findings, held = _judge_day(settings)
    gaps = {(one.feed_code, one.delivery) for one in not_in(deliveries(settings, DAY, DAY))}
    found = {}
    for key, fault in placed.items():
        rules = [pair for pair in findings.get(key, []) if pair not in baseline.get(key, [])]
        found[fault.id] = _found(settings, fault, key, came[key], rules, key in gaps, _on(told[key], DAY).height)
    names = {"/".join(key) for key in placed}
    return found, [(name, rule) for name, rule in held if name not in names]


def _load_day(settings: Settings, truth: Truth, told: dict[Key, pl.DataFrame], tell: Progress) -> None:
    for feed in truth.feeds:
        for delivery in feed.deliveries:
            given = _given(truth, told, (feed.code, delivery.name))
            _load(settings, feed, delivery, given.file(given.told(given.rows)), DAY)
    _query(settings, _ARRIVED, timedelta(0), DAY, "%", "%")
    _analyze(settings)
    tell(f"loaded the clean deliveries of {DAY}")


# the night after the day, whenever the bench runs
_ARRIVED = (
    "update audit.batch set loaded_at = business_date + 1 + interval '4 hours' + %s"
    " where business_date = %s and feed_code like %s and delivery like %s"
)


def _rounds(truth: Truth, told: dict[Key, pl.DataFrame], faults: Sequence[Fault]) -> list[dict[Key, Fault]]:
    """Each fault into the largest delivery that is free in a round and that it can strike; at the door the smallest."""
    places = sorted(
        (
            (-_on(told[feed.code, delivery.name], DAY).height, (feed.code, delivery.name), delivery)
            for feed in truth.feeds
            for delivery in feed.deliveries
        ),
        key=lambda place: place[:2],
    )
    rounds: list[dict[Key, Fault]] = []
    for fault in faults:
        fit = [key for rows, key, delivery in places if -rows >= _enough(fault) and _can_strike(fault, delivery)]
        if _is_of_the_door(fault):  # any file will do: leave the large ones to faults that need their rows
            fit.reverse()
        if not fit:
            raise RuntimeError(f"no delivery of the day can have the fault {fault.id}")
        free = next(((placed, key) for placed in rounds for key in fit if key not in placed), None)
        if free is None:
            rounds.append({})
            free = rounds[-1], fit[0]
        free[0][free[1]] = fault
    return rounds


def _enough(fault: Fault) -> int:
    return 5 if _is_of_the_door(fault) else fault.least_rows


def _is_of_the_door(fault: Fault) -> bool:
    return fault.expects in ("refused", "stopped", "missing")


def _can_strike(fault: Fault, delivery: Delivery) -> bool:
    mapped = {name for name, mapping in delivery.columns.items() if mapping.source}
    return delivery.kind == fault.kind and delivery.format.type in fault.formats and mapped.issuperset(fault.needs)


def _given(truth: Truth, told: dict[Key, pl.DataFrame], key: Key) -> Given:
    feed = next(feed for feed in truth.feeds if feed.code == key[0])
    delivery = feed.delivery(key[1])
    before = _on(told[key], DAY - timedelta(1))
    given = Given(feed, delivery, DAY, _on(told[key], DAY), before, b"", b"")
    return replace(
        given,
        file_before=given.file(given.told(before)),
        file_of_another="编号,姓名,金额\n1,甲,20\n2,乙,30\n".encode(given.encoding),
    )


def _deliver(settings: Settings, fault: Fault, given: Given) -> LoadResult | BadDelivery:
    """Takes the clean batch away and lets the faulty file in, if the door does."""
    feed, delivery = given.feed, given.delivery
    with _open(settings) as connection:
        for table in STAGED:
            connection.execute(
                sql.SQL(
                    "delete from {} where batch_id in (select batch_id from audit.batch where feed_code = %s"
                    " and delivery = %s and business_date = %s)"
                ).format(sql.Identifier("staging", table)),
                [feed.code, delivery.name, DAY],
            )
        connection.execute(
            "delete from restricted.rejected_row using audit.batch where rejected_row.batch_id = batch.batch_id"
            " and feed_code = %s and delivery = %s and business_date = %s",
            [feed.code, delivery.name, DAY],
        )
        connection.execute(
            "delete from audit.batch where feed_code = %s and delivery = %s and business_date = %s",
            [feed.code, delivery.name, DAY],
        )
        if fault.id == "again":  # history was loaded in one file: yesterday's own bytes are put into the manifest
            connection.execute(
                "update audit.batch set source_sha256 = %s where feed_code = %s and delivery = %s"
                " and business_date = %s",
                [hashlib.sha256(given.file_before).hexdigest(), feed.code, delivery.name, DAY - timedelta(1)],
            )
    sent = fault.plant(given)
    if sent.data is None:
        outcome = "unreachable" if sent.is_away else "nothing_delivered"
        nothing = batch.Source(feed, delivery, DAY, "", "", 0, datetime.now(UTC))
        with database.connect(settings) as connection:
            return batch.record_attempt(connection, nothing, outcome)
    try:
        result = _load(settings, feed, sent.delivery or delivery, sent.data, DAY, sent)
    except BadDelivery as refusal:
        return refusal
    _query(settings, _ARRIVED, timedelta(sent.delay_days), DAY, feed.code, delivery.name)
    return result


def _judge_day(settings: Settings) -> tuple[dict[Key, list[tuple[str, str]]], list[tuple[str, str]]]:
    """What the gate finds in each delivery of the day, rule and severity; the deliveries it holds, with the rules."""
    result = judge_arrivals(settings)
    findings: dict[Key, list[tuple[str, str]]] = {}
    names = {}
    for batch_id, feed, delivery in _query(
        settings, "select batch_id, feed_code, delivery from audit.batch where business_date = %s", DAY
    ):
        names[batch_id] = feed, delivery
    for batch_id, rule, severity in _query(
        settings,
        "select batch_id, rule_id, severity from audit.quality_result where quality_run_id = %s"
        " and batch_id is not null and not is_passed order by severity, rule_id",
        result.run_id,
    ):
        findings.setdefault(names[batch_id], []).append((rule, severity))
    held = [("/".join(names[held.batch_id]), rule) for held in result.held for rule in held.rule_ids]
    return findings, held


def _found(
    settings: Settings,
    fault: Fault,
    key: Key,
    came: LoadResult | BadDelivery,
    rules: list[tuple[str, str]],
    is_missing: bool,
    rows: int,
) -> Found:
    told = tuple(rules)
    if isinstance(came, BadDelivery):
        return Found(fault, key[0], rows, "refused", ((came.code, "critical"),))
    if came.outcome in ("unreachable", "nothing_delivered"):
        return Found(fault, key[0], rows, "missing" if is_missing else "nothing", (("came", "critical"),))
    if came.outcome == "held":
        code = _query(settings, "select reason_code from audit.batch where batch_id = %s", came.batch_id)[0][0]
        return Found(fault, key[0], rows, "stopped", ((code, "critical"),))
    for severity, outcome in (("critical", "held"), ("warning", "warning"), ("info", "info")):
        if any(own == severity for _, own in told):
            return Found(fault, key[0], rows, outcome, told)
    if fault.expects == "masked":
        (left,) = _query(
            settings,
            "select count(*) from staging.case_record where batch_id = %s and concat_ws(' ', title, content, address,"
            " payload::text) like %s",
            came.batch_id,
            f"%{NUMBER}%",
        )[0]
        return Found(fault, key[0], rows, "nothing" if left else "masked", (("loader", "info"),))
    return Found(fault, key[0], rows, "nothing")


# -- the table -----------------------------------------------------------------------------------------------------

_OUTCOME = {
    **{code: f"{code} {BATCH_STATUS.zh(code)}" for code in ("refused", "held", "missing")},
    **{code: f"{code} {SEVERITY.zh(code)}" for code in ("warning", "info")},
    "stopped": "held at the door 扣留",
    "masked": "masked 脱敏",
    "nothing": "**not found 未发现**",
}
_BEGIN, _END = "<!-- planted faults: begin -->", "<!-- planted faults: end -->"


def render(report: Report, commit: str, on: date) -> str:
    """The section as Markdown: totals, then a line for each fault."""
    titles = {rule.id: rule.title_zh for rule in read_rules(ROOT, "arrival")}
    critical = [found for found in report.found if found.fault.is_critical]
    others = [found for found in report.found if not found.fault.is_critical]
    city, false = report.city, len({(day, name) for day, name, _ in report.false_critical})
    lines = [
        f"Made by `python -m bench faults` on {on.isoformat()} at commit {commit}: a city of {city.cases_per_day:,}"
        f" cases a day, {city.warm} days to learn from, {city.clean} clean days judged one by one, then"
        f" {len(report.found)} faults planted one by one into its feeds' files of the next day.",
        "",
        "| what | count |",
        "|---|---|",
        f"| critical faults kept out (refused, held, or told as missing) | **{sum(f.is_found for f in critical)} of"
        f" {len(critical)}** |",
        f"| other faults told of | **{sum(f.is_found for f in others)} of {len(others)}** |",
        f"| clean batches judged | {report.clean_batches:,} ({city.clean} days) |",
        f"| of them held without cause (target ≤ 1) | **{false}** |",
        f"| warnings about them | {report.false_warnings} "
        f"({100 * report.false_warnings / max(report.clean_batches, 1):.2f} per 100 batches) |",
        "| clean deliveries held beside a fault that they are judged with |"
        f" {len({name for _, name, _ in report.bystanders})} |",
        "",
        "| fault | planted in (rows) | ought to be | was | found by |",
        "|---|---|---|---|---|",
    ]
    for found in report.found:
        by = "; ".join(_by(code, severity, titles) for code, severity in found.by[:4]) or "—"
        was = _OUTCOME[found.outcome] + ("" if found.is_found else " ✗")
        lines.append(
            f"| {found.fault.title_zh} {found.fault.title} | {found.feed} ({found.rows}) |"
            f" {_OUTCOME[found.fault.expects]} | {was} | {by} |"
        )
    return "\n".join([*lines, *_false_alarms(report, titles)]) + "\n"


def _false_alarms(report: Report, titles: dict[str, str]) -> Iterator[str]:
    if report.false_critical:
        yield from ("", "Held without cause:", "")
        yield from (f"- {day} {name}: `{rule}` {titles[rule]}" for day, name, rule in report.false_critical)
    if report.bystanders:
        yield from (
            "",
            "Clean deliveries held because what they are judged with is faulty (events by their cases):",
            "",
        )
        yield from (f"- {name}: `{rule}` {titles[rule]} (beside {faults})" for faults, name, rule in report.bystanders)


def _by(code: str, severity: str, titles: dict[str, str]) -> str:
    if code in titles:
        return f"`{code}` {titles[code]}" + ("" if severity == "critical" else f" ({severity})")
    named = {"came": "到达情况 completeness", "loader": "装载脱敏 the loader's mask"}
    return named.get(code) or f"{code} {DOOR_REASON.zh(code)}"


def write_page(report: Report, page: Path) -> None:
    """Puts the section between its markers. Raises ValueError where the page has none."""
    from bench.__main__ import commit_told

    text = page.read_text(encoding="utf-8")
    if _BEGIN not in text or _END not in text:
        raise ValueError(f"{page} has no place for the table")
    section = render(report, commit_told(), date.today())
    page.write_text(
        re.sub(f"{_BEGIN}.*{_END}", lambda _: f"{_BEGIN}\n\n{section}\n{_END}", text, flags=re.DOTALL), encoding="utf-8"
    )


# -- the database --------------------------------------------------------------------------------------------------


def _load(
    settings: Settings, feed: Feed, delivery: Delivery, data: bytes, on: date, sent: Sent | None = None
) -> LoadResult:
    """One file through the real door. Raises BadDelivery."""
    settings.drop.mkdir(parents=True, exist_ok=True)
    path = settings.drop / f"{feed.code}_{delivery.name}_{on:%Y%m%d}"
    path.write_bytes(data)
    fetched = Fetched(path, path.name, control_total=sent.control_total if sent else None)
    with database.connect(settings, autocommit=True) as connection:
        return load_fetched(connection, settings, feed, delivery, on, fetched)


@contextmanager
def _copy(settings: Settings, name: str) -> Iterator[Settings]:
    """A copy of the database for one round, gone afterwards. Nothing may be connected to the original meanwhile."""
    url = sqlalchemy.make_url(database.url(settings))
    copied = f"{url.database}_{name}"
    server = url.set(database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and pid <> pg_backend_pid()",
            [url.database],
        )
        connection.execute(
            sql.SQL("create database {} template {}").format(sql.Identifier(copied), sql.Identifier(url.database or ""))
        )
        try:
            yield replace(settings, database_url=url.set(database=copied).render_as_string(hide_password=False))
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(copied)))


@contextmanager
def _open(settings: Settings) -> Iterator[psycopg.Connection]:
    """A transaction that may change what the warehouse keeps for good, as only a bench may."""
    with database.connect(settings) as connection:
        connection.execute("set local session_replication_role = replica")
        yield connection


def _query(settings: Settings, statement: str, *values: object) -> list[tuple]:
    with database.connect(settings) as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def _analyze(settings: Settings) -> None:
    with database.connect(settings, autocommit=True) as connection:
        connection.execute("vacuum analyze")


def _in_haste(settings: Settings) -> None:
    """A server that is thrown away need not survive a power cut."""
    with database.connect(settings, autocommit=True) as connection:
        connection.execute("alter system set fsync = off")
        connection.execute("alter system set synchronous_commit = off")
        connection.execute("select pg_reload_conf()")


def _on(rows: pl.DataFrame, day: date) -> pl.DataFrame:
    return rows.filter(pl.col(DAY_COLUMN).cast(pl.Int64) == day_number(day))

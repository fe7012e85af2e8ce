"""What a revision changed against the one before: whose points, which indicators, which cases, and why: a ledger.

Both sides are frozen rows, so a revision can be judged before anybody approves it.
"""

from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Literal

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from minhu import database
from minhu.database.logins import group_of
from minhu.errors import Refused
from minhu.glossary.cases import LEFT_OUT, SUBJECT
from minhu.glossary.columns import COLUMN
from minhu.glossary.decided import BY_READING, CONFIG_ENTRY, DECISION, DECISION_STATE, LEDGER_CAUSE, LEDGER_OUTCOME
from minhu.publish import ledger
from minhu.publish.close import Closing, Release, find_release, read_closing, read_releases, to_approve
from minhu.publish.row_hash import read_json
from minhu.schemes.period import Period
from minhu.schemes.plain import plain
from minhu.schemes.words import limit
from minhu.settings import Settings
from minhu.warehouse import readings

_SCORE = ("score_100", "raw_points", "assessed_points", "band")
_PLACE = "rank_in_group"
_INDICATOR = ("points", "numerator", "denominator", "value")


@dataclass(frozen=True)
class Change:
    """One column: what it was, what it is."""

    column: str
    name_zh: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        return f"{self.name_zh} {self.before or '无'} → {self.after or '无'}"


@dataclass(frozen=True)
class Moved:
    """A unit's score, or one of its indicators, that is not what it was."""

    unit_code: str
    unit_name: str
    indicator_code: str | None
    changes: tuple[Change, ...]
    by_reading: Literal["wholly", "partly", "not"] = "not"
    """Of its rows that came or went, how many moved by another reading of the rules."""

    def __str__(self) -> str:
        place = f"{self.unit_name}（{self.unit_code}）" + (f" {self.indicator_code}" if self.indicator_code else "")
        told = "" if self.by_reading == "not" else f"〔{BY_READING.zh(self.by_reading)}〕"
        return f"{place}：" + "，".join(map(str, self.changes)) + told


@dataclass(frozen=True)
class MovedCase:
    """A row of evidence that came (``added``) or went (``removed``). A row that changed did both."""

    change: str
    unit_code: str
    indicator_code: str
    subject_kind: str
    subject_id: str
    feed_code: str | None
    case_no: str | None
    excluded_reason: str | None
    is_by_reading: bool = False
    """Its duty opened on a day of which the two revisions read the rules otherwise."""
    is_unchanged: bool = False
    """It counts as it did: its indicator lost points and does no more, or the other way round."""

    @property
    def outcome_zh(self) -> str | None:
        """What became of a row that counts as it did."""
        if not self.is_unchanged:
            return None
        return f"本件未变，{LEDGER_OUTCOME.zh('costs_nothing' if self.change == 'removed' else 'costs_now')}"

    def __str__(self) -> str:
        sign = "＋" if self.change == "added" else "－"
        excluded = f"（剔除：{LEFT_OUT.said(self.excluded_reason)}）" if self.excluded_reason else ""
        case = (
            f"{self.feed_code} {self.case_no}"
            if self.case_no
            else f"{SUBJECT.said(self.subject_kind)} {self.subject_id}"
        )
        by_reading = f"〔{BY_READING.zh('wholly')}〕" if self.is_by_reading else ""
        unchanged = f"（{self.outcome_zh}）" if self.outcome_zh else ""
        return f"{sign} {self.unit_code} {self.indicator_code} {case}{excluded}{unchanged}{by_reading}"


@dataclass(frozen=True)
class Cause:
    """A decision or batch with the lines of the ledger that it moved, of one unit."""

    kind: str
    number: int | None
    words: str
    points: Decimal
    lines: tuple[ledger.Line, ...]


@dataclass(frozen=True)
class UnitLedger:
    """A unit's points before and after, and by what they moved: ``points`` is the sum of the causes, exactly."""

    unit_code: str
    unit_name: str
    before: Decimal | None
    after: Decimal | None
    points: Decimal
    causes: tuple[Cause, ...]


@dataclass(frozen=True)
class Diff:
    """A revision against the one before. ``causes``: what came, went or changed among the inputs, in words, decisions
    first; of batches those that tell of the period's cases. ``ledger``: none where none was kept yet. ``names``: of
    indicators by code, as the revision's scheme has them; none of one that is older than they are kept.
    """

    scheme_id: str
    period: str
    revision: int
    base_revision: int
    why: str | None
    is_published: bool
    causes: tuple[str, ...]
    ledger: tuple[UnitLedger, ...]
    units: tuple[Moved, ...]
    indicators: tuple[Moved, ...]
    cases: tuple[MovedCase, ...]
    names: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict:
        return plain(self)


def diff(
    settings: Settings,
    period: str,
    revision: int | None = None,
    scheme_id: str | None = None,
    *,
    is_for_all: bool = False,
) -> Diff:
    """Compares ``revision`` of ``period``, or its newest one published or closed, with the one before it.

    ``is_for_all``: for a paper that others will read, without the reasons of decisions and who took them.
    Raises Refused when there is no such revision or nothing before it.
    """
    wanted = Period.parse(period)
    with database.connect(settings) as connection:
        set_json_loads(read_json, connection)
        closing = _revision(connection, wanted.text, revision, scheme_id)
        if closing.revision == 1:
            raise Refused(f"{wanted.text} has one revision; there is nothing to compare it with")
        base = _base(connection, closing)
        names: dict[str, str] = dict(
            connection.execute(
                "select unit_code, max(unit_name) from mart.dim_unit where valid_from <= %(day)s"
                " and (valid_to is null or valid_to > %(day)s) group by unit_code",
                {"day": wanted.last},
            ).fetchall()
        )
        lines = ledger.read(connection, closing.closing_id)
        same = {
            (one.unit_code, one.indicator_code, one.subject_id) for one in lines if one.cause_kind == "row_unchanged"
        }
        cases = tuple(
            replace(one, is_unchanged=(one.unit_code, one.indicator_code, one.subject_id) in same)
            for one in _moved_cases(connection, base, closing)
        )
        shown = (*_SCORE, _PLACE) if _shows_places(connection, closing.closing_id) else _SCORE
        decisions = _decisions(connection, base, closing, is_for_all)
        batches = _batches(connection, closing)
        return Diff(
            scheme_id=closing.scheme_id,
            period=closing.period,
            revision=closing.revision,
            base_revision=base.revision,
            why=closing.why,
            is_published=closing.release_id is not None,
            causes=(*decisions.values(), *_of_batches(batches), *_of_inputs(connection, base, closing)),
            ledger=_ledger(connection, base, closing, lines, names, decisions, batches),
            units=_moved(connection, base, closing, "unit_score", shown, names, cases),
            indicators=_moved(connection, base, closing, "unit_indicator", _INDICATOR, names, cases),
            cases=cases,
            names={
                code: row["indicator_name_zh"]
                for (_, code), row in _frozen(connection, closing, "indicator").items()
                if code is not None
            },
        )


def _revision(connection: psycopg.Connection, period: str, revision: int | None, scheme_id: str | None) -> Closing:
    """The newest closing of the revision: the published one where there is one."""
    found = connection.execute(
        "select closing.closing_id from publish.closing left join publish.release using (closing_id)"
        " where closing.period = %(period)s and (%(scheme)s::text is null or closing.scheme_id = %(scheme)s)"
        " and (%(revision)s::int is null or closing.revision = %(revision)s)"
        " order by closing.revision desc, release.release_id is null, closing.closing_id desc limit 1",
        {"period": period, "scheme": scheme_id, "revision": revision},
    ).fetchone()
    if found is None:
        find_release(connection, period, revision, scheme_id)  # says what is missing
        raise Refused(f"{period} has no such revision")
    return read_closing(connection, found[0])


def _base(connection: psycopg.Connection, closing: Closing) -> Closing:
    (release,) = read_releases(
        connection,
        "release_id = (select base_release_id from publish.closing where closing_id = %(closing)s)",
        {"closing": closing.closing_id},
    )
    return read_closing(connection, release.closing_id)


def _moved(
    connection: psycopg.Connection,
    base: Closing,
    closing: Closing,
    kind: str,
    columns: tuple[str, ...],
    names: dict,
    cases: tuple[MovedCase, ...],
) -> tuple[Moved, ...]:
    sides = [_frozen(connection, one, kind) for one in (base, closing)]
    found = []
    for place in sorted(sides[0].keys() | sides[1].keys(), key=lambda place: (place[0], place[1] or "")):
        before, after = (side.get(place, {}) for side in sides)
        changes = tuple(
            Change(column, COLUMN.zh(column), _said(before.get(column)), _said(after.get(column)))
            for column in columns
            if before.get(column) != after.get(column)
        )
        if changes:
            found.append(Moved(place[0], names.get(place[0], place[0]), place[1], changes, _by_reading(cases, *place)))
    return tuple(found)


def _by_reading(
    cases: tuple[MovedCase, ...], unit_code: str, indicator_code: str | None
) -> Literal["wholly", "partly", "not"]:
    told = [
        one.is_by_reading
        for one in cases
        if one.unit_code == unit_code and indicator_code in (None, one.indicator_code)
    ]
    return "wholly" if told and all(told) else "partly" if any(told) else "not"


def _frozen(connection: psycopg.Connection, closing: Closing, kind: str) -> dict[tuple[str, str | None], dict]:
    rows = connection.execute(
        "select data from publish.frozen_row where closing_id = %s and kind = %s", [closing.closing_id, kind]
    )
    return {(data.get("unit_code", ""), data.get("indicator_code")): data for (data,) in rows}


def _shows_places(connection: psycopg.Connection, closing_id: int) -> bool:
    """Whether the scheme publishes places; what was closed before its law was kept shows none."""
    frozen = "select data['shows_ranks'] from publish.frozen_row where closing_id = %s and kind = 'scheme'"
    return any(shows for (shows,) in connection.execute(frozen, [closing_id]))


def _said(value: object) -> str | None:
    return None if value is None else f"{value:f}" if isinstance(value, Decimal) else str(value)


def _moved_cases(connection: psycopg.Connection, base: Closing, closing: Closing) -> tuple[MovedCase, ...]:
    """A duty that one of the two readings does not know is one that moved by the reading."""
    before, after = (readings.of_build(connection, one.build_id) for one in (base, closing))

    def is_by_reading(assignment_id: str | None, opened_on: date | None) -> bool:
        if before == after or assignment_id is None:
            return False
        return opened_on is None or readings.edition_on(before, opened_on) != readings.edition_on(after, opened_on)

    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(_MOVED_CASES, [closing.closing_id])
        found = []
        for row in cursor:
            moved = is_by_reading(row.pop("assignment_id"), row.pop("opened_on"))
            found.append(MovedCase(**row, is_by_reading=moved))
        return tuple(found)


# Of a row that is worth more or less because others came or went, the row itself did not move.
_MOVED_CASES = """
with told as (
    select row_no, data,
        count(*) over (partition by data - array['change', 'lost_points', 'marginal_points']) as times
    from publish.frozen_row
    where closing_id = %s and kind = 'evidence'
)
select told.data ->> 'change' as change, told.data ->> 'unit_code' as unit_code,
    told.data ->> 'indicator_code' as indicator_code, told.data ->> 'subject_kind' as subject_kind,
    told.data ->> 'subject_id' as subject_id, cases.feed_code, cases.case_no,
    told.data ->> 'excluded_reason' as excluded_reason, told.data ->> 'assignment_id' as assignment_id,
    (duties.dispatched_at at time zone current_setting('timezone'))::date as opened_on
from told
left join mart.fct_case as cases on cases.case_id = told.data ->> 'case_id'
left join mart.fct_timeliness as duties on duties.assignment_id = told.data ->> 'assignment_id'
where told.times = 1
order by told.row_no
"""


Key = tuple[str, int]
"""The kind and number of a decision."""


def _decisions(connection: psycopg.Connection, base: Closing, closing: Closing, is_for_all: bool) -> dict[Key, str]:
    """The decisions that the revision takes and the one before did not, in words; to a unit those on its appeals."""
    if group_of(connection) == "unit":
        given = {"period": closing.period, "scheme": closing.scheme_id, "revision": closing.revision}
        return {
            ("appeal_decision", decision): f"{DECISION.zh('appeal_decision')} {number}："
            f"{DECISION_STATE.zh(state)}（{reason}）"
            for decision, number, state, reason in connection.execute(_OWN_APPEALS, given)
        }
    told = {
        (kind, decision): f"{DECISION.zh(kind)} {number}：{DECISION_STATE.zh(verdict) if verdict else '记入'}"
        + ("" if is_for_all else f"（{reason}，{who}）")
        for kind, decision, number, verdict, reason, who in connection.execute(
            _DECISIONS, {"base": base.build_id, "build": closing.build_id}
        )
    }
    old, new = (set(inputs["manual_points"]["ids"]) for inputs in (base.inputs, closing.inputs))
    told |= {("manual_point", number): f"人工计分 {number} 生效" for number in sorted(new - old)}
    return told | {("manual_point", number): f"人工计分 {number} 撤销" for number in sorted(old - new)}


@dataclass(frozen=True)
class _Batch:
    words: str
    cases: int | None
    """Of the period; None where retention has taken its rows."""


def _batches(connection: psycopg.Connection, closing: Closing) -> dict[int, _Batch]:
    """The batches that came or went; none to a unit, whose ledger names them by number."""
    if group_of(connection) == "unit":
        return {}
    return {
        batch: _Batch(f"{'新到' if came else '撤下'}批次 {batch}：{feed} {delivery} {day}，{rows} 行", cases)
        for batch, feed, delivery, day, rows, came, cases in connection.execute(_BATCHES, [closing.closing_id])
    }


def _of_batches(batches: dict[int, _Batch]) -> list[str]:
    """Those that tell of the period's cases one by one, the others as a number."""
    told = [
        f"{one.words}，涉及本期 {one.cases} 件" if one.cases else one.words
        for one in batches.values()
        if one.cases != 0
    ]
    others = len(batches) - len(told)
    return [*told, *([f"另有 {others} 个批次未涉及本期工单"] if others else [])]


def _ledger(
    connection: psycopg.Connection,
    base: Closing,
    closing: Closing,
    lines: tuple[ledger.Line, ...],
    names: dict[str, str],
    decisions: dict[Key, str],
    batches: dict[int, _Batch],
) -> tuple[UnitLedger, ...]:
    """Unit by unit, by cause. Raises Refused where the lines are not what they were: they sum to the difference."""
    before, after = (_frozen(connection, one, "unit_score") for one in (base, closing))
    told = []
    for unit, of_unit in groupby(lines, attrgetter("unit_code")):
        causes = []
        for (kind, number), some in groupby(of_unit, attrgetter("cause_kind", "cause_id")):
            moved = tuple(some)
            causes.append(Cause(kind, number, _words(kind, number, decisions, batches), _sum(moved), moved))
        was, now = (side.get((unit, None), {}).get("raw_points") for side in (before, after))
        points = sum((one.points for one in causes), Decimal())
        if points != (now or 0) - (was or 0):
            raise Refused(f"the ledger of {unit} does not sum to the difference of its points: it was changed")
        told.append(UnitLedger(unit, names.get(unit, unit), was, now, points, tuple(causes)))
    return tuple(told)


def _sum(lines: tuple[ledger.Line, ...]) -> Decimal:
    return sum((line.points for line in lines), Decimal())


def _words(kind: str, number: int | None, decisions: dict[Key, str], batches: dict[int, _Batch]) -> str:
    if number is None:
        return LEDGER_CAUSE.zh(kind)
    if kind == "batch":
        return batches[number].words if number in batches else f"{LEDGER_CAUSE.zh(kind)} {number}"
    return decisions.get((kind, number), f"{LEDGER_CAUSE.zh(kind)}（编号 {number}）")


def _of_inputs(connection: psycopg.Connection, base: Closing, closing: Closing) -> list[str]:
    before, after, causes = base.inputs, closing.inputs, []
    kinds = sorted(before["config"].keys() | after["config"].keys())
    changed = [kind for kind in kinds if before["config"].get(kind) != after["config"].get(kind)]
    if changed:
        causes.append("配置变化：" + "、".join(CONFIG_ENTRY.said(kind) for kind in changed))
    if before["code"] != after["code"]:
        told = [f"{inputs['code']['version']}（{inputs['code']['sha256'][:12]}）" for inputs in (before, after)]
        causes.append(f"代码变化：{' → '.join(told)}")
    last = Period.parse(closing.period).last
    before_it, after_it = (
        [(since, edition) for since, edition in readings.of_build(connection, one.build_id) if since <= last]
        for one in (base, closing)
    )
    if before_it != after_it:
        causes.append(f"读法变化：{_editions(before_it)} → {_editions(after_it)}")
    if base.as_of != closing.as_of:
        causes.append(f"统计截止 {limit(base.as_of)} → {limit(closing.as_of)}")
    return causes


def _editions(spans: readings.Spans) -> str:
    return "，".join(f"{since} 起第 {edition} 版" for since, edition in spans) or "第 1 版"


_BATCHES = """
select batch_id, feed_code, delivery, business_date, staged_rows, came, cases
from publish.batches_of_revision(%s)
order by batch_id
"""

_OWN_APPEALS = """
select decision_id, appeal_id, state, reason
from assess.appeal_state
where period = %(period)s and coalesce(scheme_id, %(scheme)s) = %(scheme)s and from_revision = %(revision)s
order by appeal_id
"""

_DECISIONS = """
with taken as (
    select kind, decision_id from publish.decisions_of(%(build)s)
    except
    select kind, decision_id from publish.decisions_of(%(base)s)
)
select taken.kind, taken.decision_id, coalesce(made.appeal_id, taken.decision_id), made.decision,
    coalesce(made.reason, excluded.reason, found.reason),
    coalesce(made.decided_by, excluded.decided_by, found.entered_by)
from taken
left join assess.appeal_decision as made on taken.kind = 'appeal_decision' and taken.decision_id = made.decision_id
left join assess.exclusion as excluded on taken.kind = 'exclusion' and taken.decision_id = excluded.exclusion_id
left join assess.violation as found on taken.kind = 'violation' and taken.decision_id = found.violation_id
order by taken.kind, taken.decision_id
"""


def show_closing(settings: Settings, closing_id: int) -> tuple[Closing, Diff | None]:
    """What is to be approved, and what it changes; None where it is a first revision."""
    closing = to_approve(settings, closing_id)
    if closing.revision == 1:
        return closing, None
    return closing, diff(settings, closing.period, closing.revision, closing.scheme_id)


def list_releases(settings: Settings) -> list[Release]:
    with database.connect(settings) as connection:
        return read_releases(connection)


def show_release(
    settings: Settings, period: str, revision: int | None = None, scheme_id: str | None = None
) -> tuple[Release, list[dict]]:
    """A release, and its units as they were published; from `publish` alone, but for the units' names.

    Their places in the group only where the scheme publishes places: then they are in that order, else in their codes'.
    """
    wanted = Period.parse(period)
    with database.connect(settings) as connection:
        release = find_release(connection, wanted.text, revision, scheme_id)
        with connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(
                "select scores.peer_group, scores.unit_code, coalesce(units.unit_name, scores.unit_code) as unit_name,"
                " scores.raw_points, scores.score_100, scores.assessed_points, scores.band, scores.rank_in_group,"
                " scores.not_ranked_reason, scores.hash"
                " from publish.unit_score as scores left join mart.dim_unit as units"
                " on units.unit_code = scores.unit_code and units.valid_from <= %(day)s"
                " and (units.valid_to is null or units.valid_to > %(day)s)"
                " where scores.release_id = %(release)s"
                " order by scores.peer_group, scores.rank_in_group nulls last, scores.unit_code",
                {"day": wanted.last, "release": release.release_id},
            )
            units = cursor.fetchall()
        shows = "select from publish.scheme where release_id = %s and shows_ranks"
        if connection.execute(shows, [release.release_id]).fetchone() is None:
            units = [{name: told for name, told in one.items() if name != _PLACE} for one in units]
            units.sort(key=itemgetter("peer_group", "unit_code"))
        return release, units

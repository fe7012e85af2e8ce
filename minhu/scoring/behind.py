"""What stands behind the points of units: their rows, their limits and events, and what was entered by hand.

Everything is read. Computed anew are only the time by which a row was late (``clock_words``), what an entry by hand
cost and is worth (``marginal``), and the same of rows that were scored before they said it. Any units take the same few
queries.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from operator import attrgetter

import psycopg
from psycopg.rows import DictRow

from minhu.glossary.cases import EVENT_TYPE, LIMIT_KIND, LOST_REASON, SUBJECT
from minhu.schemes.arithmetic import split_loss
from minhu.schemes.counts import Given
from minhu.schemes.language.count import QUANTILES
from minhu.schemes.language.indicator import Line
from minhu.schemes.reference import Reference
from minhu.schemes.scheme import Scheme
from minhu.schemes.words import CONCERNED, compared_zh, finding, rule_text, scoring_rule, step
from minhu.scoring.clock_words import Calendar, Clock, Day, clock
from minhu.scoring.explanation import Cost, IndicatorPart, ManualEntry, SourceRow, UnusedEvent, UsedEvent
from minhu.scoring.marginal import Marginal
from minhu.scoring.stored import Stored

IN_ORDER = attrgetter("at", "batch_id", "row_number")


class Behind:
    """Reads what stands behind a stored score, by indexes on the units, their cases and their assignments."""

    def __init__(self, connection: psycopg.Connection[DictRow], stored: Stored):
        self.connection, self.stored = connection, stored
        self.scheme, self.period, self.as_of = stored.run.scheme, stored.run.period, stored.run.as_of
        version = {"config_version": stored.run.config_version}
        self.rules = {row["key"]: row["data"] for row in connection.execute(_RULES, version)}
        self.city = (connection.execute(_CITY, version).fetchone() or {}).get("data")

    def parts(self, groups: Mapping[str, str], indicators: Sequence[Line]) -> dict[str, tuple[IndicatorPart, ...]]:
        """Of each unit of ``groups`` (code: peer group) the parts by those of the lines that score it."""
        numbers = {_place(row): row for row in self._read(_NUMBERS, groups)}
        codes = [one.code for one in indicators]
        downward = [one.code for one in indicators if one.is_lower_better]
        excluded: Counter[tuple[str, str]] = Counter()
        missed = []
        for row in self._read(_ROWS, groups, codes=codes, downward=downward):
            if row["excluded_reason"]:
                excluded[_place(row)] += 1
            elif numbers[_place(row)]["lost"] or numbers[_place(row)]["has_happened"]:
                missed.append(row)
        detailed, entries = defaultdict(list), defaultdict(list)
        for row in self._detailed(missed, groups):
            detailed[_place(row)].append(row)
        for row in self._read(_ENTRIES, groups):
            entries[_place(row)].append(row)
        return {
            unit: tuple(
                self._part(
                    one,
                    self._marginal(unit, group, one, numbers, entries),
                    numbers[unit, one.code] | {"excluded_rows": excluded[unit, one.code]},
                    detailed[unit, one.code],
                    entries[unit, one.code] if one.is_manual else [],
                )
                for one in indicators
                if one.scores(group)
            )
            for unit, group in groups.items()
        }

    def _read(self, query: str, groups: Mapping[str, str], **more: object) -> list[dict]:
        """What the score holds of the units."""
        given = self.stored.key | {"units": list(groups)} | more
        return self.connection.execute(self.stored.sql(query), given).fetchall()

    def _detailed(self, missed: list[dict], groups: Mapping[str, str]) -> list[dict]:
        """The rows with what their cases and assignments hold, the days of their limits, and what did not count."""
        told = {name: [row[name] for row in missed] for name in _IDS}
        details = self.connection.execute(_DETAILS, told).fetchall()
        rows = [row | detail for row, detail in zip(missed, details, strict=True)]
        self.calendar = self._calendar(rows)
        numbers = {}
        if self.stored.numbers:
            for row in self._read(_PUBLISHED_ROWS, groups):
                numbers[(*_place(row), row["subject_kind"], row["subject_id"])] = row["published_row"]
        duty = defaultdict(list)
        for row in self._read(_DUTY, groups):
            duty[row["unit_code"]].append(row)
        unused = self._unused(rows)
        for row in rows:
            row["published_row"] = numbers.get((*_place(row), row["subject_kind"], row["subject_id"]))
            row["has_24h_duty"] = _on_duty(duty[row["unit_code"]], row["dispatched_at"])
            keys = {row["assignment_id"], (row["case_id"], row["unit_name_raw"]), (row["case_id"], None)}
            row["unused"] = sorted((event for key in keys for event in unused.get(key, ())), key=IN_ORDER)
        return rows

    def _calendar(self, rows: list[dict]) -> Calendar | None:
        moments = [row[name] for row in rows for name in ("dispatched_at", "due_at", "occurred_at") if row[name]]
        if not moments or self.city is None:
            return None
        bounds = {"first": min(moments) - timedelta(days=1), "last": max([*moments, self.as_of]) + timedelta(days=1)}
        return Calendar.of((Day(**day) for day in self.connection.execute(_DAYS, bounds)), self.city)

    def _unused(self, rows: list[dict]) -> dict[object, list[UnusedEvent]]:
        """Events that did not count: by assignment, or by case and the name of the unit."""
        cases = sorted({row["case_id"] for row in rows if row["case_id"]})
        found = defaultdict(list)
        wanted = {"cases": cases, "reasons": list(LOST_REASON), "events": list({*chain(*CONCERNED.values())})}
        for row in self.connection.execute(_UNUSED, wanted):
            event = UnusedEvent(
                event_type=row["event_type"],
                event_zh=EVENT_TYPE.zh(row["event_type"]),
                at=row["occurred_at"],
                reason_code=row["reason_code"],
                reason_zh=LOST_REASON.zh(row["reason_code"]),
                **{name: row[name] for name in ("source_name", "row_number", "batch_id")},
            )
            found[row["assignment_id"] or (row["case_id"], row["unit_name"])].append(event)
        return found

    def _marginal(
        self,
        unit: str,
        peer_group: str,
        line: Line,
        numbers: Mapping[tuple[str, str], dict],
        entries: Mapping[tuple[str, str], list[dict]],
    ) -> Marginal:
        """What its rows and entries are worth, beside the other lines of its indicator as they stand."""
        lines = [one for one in self.scheme.wholes[line.code].lines if (unit, one.code) in numbers]
        told = [numbers[unit, one.code] for one in lines]
        points = [row["points"] for row in told if row["points"] is not None]
        return Marginal(
            self.scheme,
            line,
            peer_group,
            self.period,
            sum(points, Decimal()) if points else None,
            {
                one.code: _given(one, row, entries[unit, one.code] if one.is_manual else [])
                for one, row in zip(lines, told, strict=True)
            },
            {
                row["indicator_code"]: Reference(fixed=Fraction(row["compared_value"]))
                for row in told
                if row["compared_value"] is not None
            },
        )

    def _part(
        self, indicator: Line, marginal: Marginal, numbers: dict, missed: list[dict], entered: list[dict]
    ) -> IndicatorPart:
        lost, peer_group = numbers["lost"], marginal.peer_group
        if any(row["lost_points"] is None for row in missed):  # scored before rows said what they cost
            _say_what_they_cost(lost, missed, marginal)
        alike = Counter(row["marginal_points"] for row in missed)
        costs = [self._cost(indicator, row, marginal, alike[row["marginal_points"]]) for row in missed]
        entries = _entries(indicator, entered, marginal)
        costs += _entry_costs(indicator, entries, lost)
        return IndicatorPart(
            code=indicator.code,
            name_zh=indicator.name_zh,
            rule_zh=scoring_rule(indicator, peer_group, self.scheme.first_day(self.period)),
            aggregate=indicator.aggregate,
            is_percent=indicator.is_percent,
            part_of=_whole_of(self.scheme, indicator),
            compared_zh=compared_zh(indicator, numbers),
            whole_points=marginal.points if indicator.is_whole else None,
            costs=tuple(sorted(costs, key=lambda cost: (-cost.lost, cost.subject_id))),
            entries=entries,
            **{key: value for key, value in numbers.items() if key not in (*_PLACE, "earlier")},
        )

    def _cost(self, indicator: Line, row: dict, marginal: Marginal, alike: int) -> Cost:
        judged = indicator.counts.limit_kind
        happened = step(indicator, row["subject_kind"])
        told = judged if row["subject_kind"] == "assignment" else "told"
        worth = row["marginal_points"]
        return Cost(
            lost=row["lost_points"],
            marginal=worth,
            marginal_reason_zh=marginal.why_not if worth is None else None,
            marginal_alike=1 if worth is None else alike,
            finding_zh=finding(indicator, row, self.as_of),
            rule_zh=rule_text(row[f"{judged}_rule"], self.rules) if judged else None,
            due_at=row["due_at"] if judged else None,
            occurred_zh=happened,
            clock=self._clock(judged, row) if judged else None,
            events=tuple(UsedEvent(code, EVENT_TYPE.zh(code), row[column]) for code, column in _EVENTS if row[column]),
            unused_events=tuple(
                event for event in row["unused"] if event.event_type in CONCERNED.get(judged or "", ())
            ),
            sources=tuple(
                SourceRow(name, *(row[f"{which}_{part}"] for part in ("feed", "file", "row", "batch")))
                for name, which in ((EVENT_TYPE.zh("DISPATCH"), "dispatch"), (happened, told))
                if row.get(f"{which}_file")
            ),
            **{name: row[name] for name in _TAKEN_OVER},
        )

    def _clock(self, judged: str, row: dict) -> Clock | None:
        if row["due_at"] is None or row["dispatched_at"] is None:
            return None
        closing, key = judged == "close", row[f"{judged}_rule"]
        if closing and row["due_at"] != row["due_in_force_at"]:
            return None  # the limit was moved after the score: its arithmetic is no longer in the facts
        judged_row = row | {
            "first_due_at": row["first_due_at"] if closing else row["due_at"],
            "extension_count": row["extension_count"] if closing else 0,
            "is_ticket": key == "ticket",
            "ended_at": None if row["end_reason"] == "closed" else row["ended_at"],
        }
        return clock(judged_row, self.rules.get(key), LIMIT_KIND.zh(judged), self.as_of, self.calendar)


def _given(line: Line, row: dict, entered: list[dict]) -> Given:
    """What stands of a line, as it was given to be scored."""
    if line.is_manual:
        points = [entry["points"] for entry in entered]
        return Given(value=Fraction(sum(points) if line.takes_changes else points[-1])) if points else Given()
    counted = (row["pooled_numerator"], row["pooled_denominator"])
    above, below = counted if row["pooled_denominator"] is not None else (row["numerator"], row["denominator"])
    value = row["value"] if line.aggregate in QUANTILES else None
    return Given(Fraction(above or 0), Fraction(below or 0), None if value is None else Fraction(value))


def _say_what_they_cost(lost: Decimal, missed: list[dict], marginal: Marginal) -> None:
    """Fills in what scoring writes into rows of evidence (models/scoring/fct_evidence.sql)."""
    parts = split_loss(lost, ((row["subject_id"], row["missed_by"]) for row in missed))
    for row in missed:
        row["lost_points"] = parts[row["subject_id"]]
        row["marginal_points"] = marginal.without_row(row["numerator_value"], row["denominator_value"])


def _whole_of(scheme: Scheme, line: Line) -> str | None:
    """The code of the indicator that it is a part of."""
    whole = scheme.wholes[line.code].code
    return None if whole == line.code else whole


def _place(row: dict) -> tuple[str, str]:
    return row["unit_code"], row["indicator_code"]


def _on_duty(duty: list[dict], dispatched_at: datetime | None) -> bool:
    """Whether the unit was on duty round the clock when it was dispatched; before it began: as it began."""
    begun = [row for row in duty if dispatched_at and row["valid_from"] <= dispatched_at.date()]
    then = begun[-1:] or duty[:1]
    return bool(then) and then[0]["has_24h_duty"]


def _entries(indicator: Line, entered: list[dict], marginal: Marginal) -> tuple[ManualEntry, ...]:
    """The points entered by hand, the newest last, with what each is worth."""
    is_earned = indicator.is_manual and not indicator.takes_changes
    made = []
    for row in entered:
        left = [other["points"] for other in entered if other is not row]
        worth, why_not = marginal.without_entry(left)
        made.append(
            ManualEntry(
                **{key: value for key, value in row.items() if key not in _PLACE}
                | {"approved_by": tuple(row["approved_by"])},
                is_counted=row is entered[-1] or not is_earned,
                marginal=worth,
                marginal_reason_zh=why_not,
            )
        )
    return tuple(made)


def _entry_costs(indicator: Line, entries: tuple[ManualEntry, ...], lost: Decimal | None) -> list[Cost]:
    """The entries that cost points: of points earned the one that counts, of changes those below zero."""
    if not lost:
        return []
    if indicator.is_manual and not indicator.takes_changes:
        missed = {entry.manual_point_id: (entry, Decimal(1)) for entry in entries[-1:]}
    else:
        missed = {entry.manual_point_id: (entry, -entry.points) for entry in entries if entry.points < 0}
    if not missed:
        return []
    # by length first, so that ties go by number and not by its letters
    parts = split_loss(lost, ((f"{number:020}", by) for number, (_, by) in missed.items()))
    return [_entry_cost(entry, parts[f"{number:020}"]) for number, (entry, _) in missed.items()]


def _entry_cost(entry: ManualEntry, lost: Decimal) -> Cost:
    source = SourceRow("录入", "assess", f"人工录入（{entry.entered_by}）", entry.manual_point_id, None)
    return Cost(
        lost=lost,
        marginal=entry.marginal,
        marginal_reason_zh=entry.marginal_reason_zh,
        marginal_alike=1,
        subject_kind="manual_point",
        subject_id=str(entry.manual_point_id),
        feed_name=SUBJECT.zh("manual_point"),
        finding_zh=f"{entry.points:+f} 分，{entry.reason}（依据 {entry.evidence_ref}）",
        occurred_at=entry.entered_at,
        occurred_zh="录入",
        sources=(source,),
        events=(),
        unused_events=(),
        feed_code="",
        case_no="",
        **dict.fromkeys(("published_row", "case_id", "rule_zh", "received_at", "dispatched_at", "due_at", "clock")),
    )


_PLACE = ("unit_code", "indicator_code")
_EVENTS = (
    ("DISPATCH", "dispatched_at"),
    ("SIGN", "signed_at"),
    ("FIRST_CONTACT", "contacted_at"),
    ("EXTEND_GRANT", "extended_due_at"),
    ("CLOSE", "closed_at"),
)

# Of a rule that was taken back its last words.
_RULES = """
select distinct on (key)
    key,
    data
from config.entry
where kind = 'limit_rule' and since_version <= %(config_version)s
order by key asc, since_version desc
"""

_CITY = """
select data
from config.entry
where kind = 'city' and since_version <= %(config_version)s
order by since_version desc
limit 1
"""

_DAYS = """
select
    date_on,
    is_workday,
    is_makeup_workday,
    workday_no,
    label_zh
from mart.dim_date
where date_on between %(first)s::date and %(last)s::date
"""

_DUTY = """
select
    unit_code,
    valid_from,
    has_24h_duty
from mart.dim_unit
where unit_code = any(%(units)s::text[])
order by unit_code, valid_from
"""

_PUBLISHED_ROWS = """
select
    unit_code,
    indicator_code,
    subject_kind,
    subject_id,
    published_row
from {numbers}
where {condition} and unit_code = any(%(units)s::text[])
"""

_UNUSED = """
select
    lost.case_id,
    null as assignment_id,
    lost.unit_name,
    lost.event_type,
    lost.occurred_at,
    lost.lost_reason as reason_code,
    batches.source_name,
    lost.row_number,
    lost.batch_id
from audit.event_version as lost
inner join audit.batch as batches on lost.batch_id = batches.batch_id
where lost.case_id = any(%(cases)s::text[]) and lost.event_type = any(%(events)s::text[])
union all
select
    odd.case_id,
    odd.assignment_id,
    odd.unit_name_raw,
    odd.event_type,
    odd.occurred_at,
    odd.anomaly_code,
    batches.source_name,
    odd.row_number,
    odd.batch_id
from audit.lifecycle_anomaly as odd
inner join audit.batch as batches on odd.batch_id = batches.batch_id
where
    odd.case_id = any(%(cases)s::text[])
    and odd.assignment_id is not null
    and odd.anomaly_code = any(%(reasons)s::text[])
    and odd.event_type = any(%(events)s::text[])
order by occurred_at, batch_id, row_number
"""

_ENTRIES = """
select
    points.unit_code,
    points.indicator_code,
    points.manual_point_id,
    points.points,
    points.reason,
    points.evidence_ref,
    points.entered_by,
    points.entered_at,
    array_agg(approval.approved_by order by approval.approval_id) as approved_by
from {entries} as points
inner join assess.approval as approval
    on approval.subject_kind = 'manual_point' and approval.subject_id = points.manual_point_id::text
where
    points.scheme_id = %(scheme_id)s
    and points.period = %(period)s
    and points.unit_code = any(%(units)s::text[])
group by
    points.unit_code, points.indicator_code, points.manual_point_id, points.points, points.reason, points.evidence_ref,
    points.entered_by, points.entered_at
order by points.entered_at, points.manual_point_id
"""

_NUMBERS = """
select
    unit_code,
    indicator_code,
    numerator,
    denominator,
    value,
    target,
    points_max,
    points,
    case when points <= points_max then points_max - points end as lost,
    wilson_low,
    wilson_high,
    funnel_flag,
    shrunken_value,
    reference_value,
    compared_value,
    pooled_numerator,
    pooled_denominator,
    earlier,
    has_happened
from {indicators}
where {condition} and unit_code = any(%(units)s::text[])
"""

# By how much a row missed: what it lacks of its denominator, or has and should not.
_ROWS = """
select
    unit_code,
    indicator_code,
    subject_kind,
    subject_id,
    case_id,
    assignment_id,
    callback_id,
    case
        when indicator_code = any(%(downward)s::text[]) then numerator_value
        else denominator_value - numerator_value
    end as missed_by,
    numerator_value,
    denominator_value,
    excluded_reason,
    due_at,
    occurred_at,
    lost_points,
    marginal_points
from {evidence}
where
    {condition}
    and unit_code = any(%(units)s::text[])
    and indicator_code = any(%(codes)s::text[])
"""

_IDS = ("subject_kind", "subject_id", "case_id", "assignment_id", "callback_id")
_DETAILS = """
select
    coalesce(cases.feed_code, quality.feed_code, '') as feed_code,
    coalesce(feeds.feed_name, cases.feed_code, quality.feed_code, '未关联工单') as feed_name,
    coalesce(cases.case_no, '') as case_no,
    cases.received_at,
    assignments.dispatched_at,
    assignments.signed_at,
    assignments.contacted_at,
    assignments.due_at as first_due_at,
    assignments.extended_due_at,
    assignments.due_in_force_at,
    assignments.closed_at,
    assignments.ended_at,
    assignments.end_reason,
    assignments.unit_name_raw,
    coalesce(assignments.extension_count, 0) as extension_count,
    assignments.return_deny_count,
    assignments.sign_limit_rule as sign_rule,
    assignments.contact_limit_rule as contact_rule,
    assignments.limit_rule as close_rule,
    callbacks.resolution_code,
    callbacks.satisfaction_code,
    callbacks.attitude_code,
    violations.violation_code,
    quality.part as quality_part,
    coalesce(quality.lost, '[]') as quality_lost,
    dispatch_batch.feed_code as dispatch_feed,
    dispatch_batch.source_name as dispatch_file,
    assignments.dispatch_row_number as dispatch_row,
    assignments.dispatch_batch_id as dispatch_batch,
    sign_batch.feed_code as sign_feed,
    sign_batch.source_name as sign_file,
    assignments.sign_row_number as sign_row,
    assignments.sign_batch_id as sign_batch,
    close_batch.feed_code as close_feed,
    close_batch.source_name as close_file,
    assignments.close_row_number as close_row,
    assignments.close_batch_id as close_batch,
    case when violations.entered_by is null then told_batch.feed_code else 'assess' end as told_feed,
    coalesce('人工录入（' || violations.entered_by || '）', told_batch.source_name) as told_file,
    coalesce(
        callbacks.source_row_number,
        violations.source_row_number,
        cast(substring(violations.violation_id from '^violation:([0-9]+)$') as bigint)
    ) as told_row,
    coalesce(callbacks.source_batch_id, violations.source_batch_id) as told_batch
from unnest(
    %(subject_kind)s::text[], %(subject_id)s::text[], %(case_id)s::text[], %(assignment_id)s::text[],
    %(callback_id)s::text[]
) with ordinality as missed (subject_kind, subject_id, case_id, assignment_id, callback_id, no)
left join mart.fct_case as cases on missed.case_id = cases.case_id
left join mart.feed_quality as quality
    on
        missed.subject_kind = 'feed'
        and missed.subject_id = concat_ws(' ', quality.feed_code, to_char(quality.month_on, 'YYYY-MM'), quality.part)
left join mart.dim_feed as feeds on coalesce(cases.feed_code, quality.feed_code) = feeds.feed_code
left join mart.fct_timeliness as assignments on missed.assignment_id = assignments.assignment_id
left join mart.fct_satisfaction as callbacks on missed.callback_id = callbacks.callback_id
left join mart.fct_violation as violations
    on missed.subject_kind = 'violation' and missed.subject_id = violations.violation_id
left join audit.batch as dispatch_batch on assignments.dispatch_batch_id = dispatch_batch.batch_id
left join audit.batch as sign_batch on assignments.sign_batch_id = sign_batch.batch_id
left join audit.batch as close_batch on assignments.close_batch_id = close_batch.batch_id
left join audit.batch as told_batch
    on coalesce(callbacks.source_batch_id, violations.source_batch_id) = told_batch.batch_id
order by missed.no
"""

_TAKEN_OVER = (
    "published_row",
    "subject_kind",
    "subject_id",
    "case_id",
    "feed_code",
    "feed_name",
    "case_no",
    "received_at",
    "dispatched_at",
    "occurred_at",
)

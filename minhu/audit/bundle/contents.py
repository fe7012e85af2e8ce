"""What lies in a bundle: tables of the warehouse under their own names, as CSV, and a manifest.

Of every table the columns that travel are named here, one by one; a column that the warehouse gains later stays at home
until it is named. Free texts of people are left out as those of citizens are.
"""

from dataclasses import dataclass
from typing import NamedTuple

from minhu.publish.chain import TABLES

FORMAT = "minhu-audit-bundle/1"
MANIFEST = "manifest.json"
REPEATS = "taken.repeat"
"""The part that is no table of the warehouse: what repeats what, as the facts had it."""

TIMEZONE = "select coalesce(max(data ->> 'timezone'), %(fallback)s) from config.entry where kind = 'city' and "
IN_FORCE = "since_version <= %(config_version)s and (until_version is null or until_version > %(config_version)s)"


@dataclass(frozen=True)
class Part:
    """A table's rows. ``columns``: what is read of each, as SQL; ``left_out``: those that have only a place-holder."""

    table: str
    columns: str
    condition: str = "true"
    order: str = "1"
    left_out: tuple[str, ...] = ()

    @property
    def query(self) -> str:
        return f"select {self.columns} from {self.table} where {self.condition} order by {self.order}"


class Sliced(NamedTuple):
    """A part that the database tells slice by slice, to who has taken the bundle."""

    table: str
    function: str
    left_out: tuple[str, ...] = ()
    changed: dict[str, str] = {}  # noqa: RUF012 - never changed


_BUILDS = "build_id in (select build_id from audit.build where status = 'succeeded' and build_id <= %(build_id)s)"
_DECISIONS = f"select decision_id from audit.build_decision where kind = '{{}}' and {_BUILDS}"
_REVISIONS = "scheme_id = %(scheme_id)s and period = %(period)s and revision <= %(revision)s"
_RELEASES = f"select release_id from publish.release where {_REVISIONS}"
_CLOSINGS = f"select closing_id from publish.release where {_REVISIONS}"
_NO_REASON = ("reason", "evidence_ref")
_APPROVED = (
    f"(subject_kind = 'closing' and subject_id in (select closing_id::text from publish.release where {_REVISIONS}))"
    " or (subject_kind = 'manual_point' and subject_id = any(%(manual_points)s::text[]))"
    + "".join(
        f" or (subject_kind = '{kind}' and subject_id in"
        f" (select decision_id::text from audit.build_decision where kind = '{kind}' and {_BUILDS}))"
        for kind in ("exclusion", "violation", "appeal_decision")
    )
)

PARTS = (
    Part(
        "config.version",
        "config_version, city, sha256, loaded_at, loaded_by",
        "config_version <= %(config_version)s",
    ),
    Part(
        "config.entry",
        "kind, key, data, since_version, null::bigint as until_version",
        IN_FORCE,
        'kind collate "C", key collate "C"',
    ),
    Part(
        "audit.build",
        "build_id, is_full_refresh, config_version, code_version, status, touched_cases, started_at, finished_at,"
        " fingerprint, readings",
        _BUILDS,
        left_out=("message",),
    ),
    Part(
        "audit.batch",
        "batch_id, feed_code, delivery, kind, business_date, '—' as source_name, source_sha256, source_bytes,"
        " received_rows, staged_rows, rejected_rows, duplicate_rows, filtered_rows, control_total, status, reason_code,"
        " order_key, replays_batch_id, superseded_by, started_at, loaded_at, content_sha256",
        f"batch_id in (select batch_id from audit.build_batch where {_BUILDS})",
        left_out=("source_name", "reason", "notes"),
    ),
    Part("audit.build_batch", "build_id, batch_id, action", _BUILDS, "1, 2, 3"),
    Part("audit.build_decision", "build_id, kind, decision_id", _BUILDS, "1, 2, 3"),
    Part(
        "audit.feed_quality_version",
        "feed_code, month_on, part, build_id, through_on, unit_code, points, points_max, numerator, denominator,"
        " '[]'::jsonb as lost, is_withdrawn",
        "build_id <= %(build_id)s and month_on >= %(starts_at)s::date - 1 and month_on <= %(ends_at)s::date",
        "1, 2, 3, 4",
        ("lost",),
    ),
    Part(
        "assess.exclusion",
        "exclusion_id, case_id, assignment_id, indicator_codes, reason_code, '—' as reason, null::text as evidence_ref,"
        " decided_by, decided_at, revokes_exclusion_id, revokes_appeal_id",
        f"exclusion_id in ({_DECISIONS.format('exclusion')})",
        left_out=_NO_REASON,
    ),
    Part(
        "assess.violation",
        "violation_id, case_id, assignment_id, unit_code, violation_code, found_at, '—' as reason,"
        " null::text as evidence_ref, entered_by, entered_at, revokes_violation_id",
        f"violation_id in ({_DECISIONS.format('violation')})",
        left_out=_NO_REASON,
    ),
    Part(
        "assess.appeal_decision",
        "decision_id, appeal_id, decision, reason_code, '—' as reason, from_revision, decided_by, decided_at",
        f"decision_id in ({_DECISIONS.format('appeal_decision')})",
        left_out=("reason",),
    ),
    Part(
        "assess.appeal",
        "appeal_id, scheme_id, period, unit_code, feed_code, case_no, case_id, assignment_id, indicator_codes,"
        " grounds_code, '—' as statement, '—' as evidence_ref, filed_by, filed_at, decide_by",
        "appeal_id in (select appeal_id from assess.appeal_decision"
        f" where decision_id in ({_DECISIONS.format('appeal_decision')}))",
        left_out=("statement", "evidence_ref"),
    ),
    Part(
        "assess.manual_point",
        "manual_point_id, scheme_id, period, unit_code, indicator_code, points, '—' as reason, '—' as evidence_ref,"
        " entered_by, entered_at, revokes_manual_point_id",
        "manual_point_id::text = any(%(manual_points)s::text[])",
        left_out=_NO_REASON,
    ),
    Part(
        "assess.waiver",
        "waiver_id, rule_id, feed_code, scheme_id, period, '—' as reason, expires_on, waived_by, waived_at,"
        " revokes_waiver_id",
        "waived_at <= %(published_at)s and expires_on >= %(starts_at)s::date"
        " and (period is null or (scheme_id = %(scheme_id)s and period = %(period)s))",
        left_out=("reason",),
    ),
    Part(
        "assess.approval",
        "approval_id, subject_kind, subject_id, verdict, '—' as reason, approved_by, approved_at, content_hash,"
        " signature, key_id",
        _APPROVED,
        left_out=("reason",),
    ),
    Part(
        "assess.approver_key",
        "key_id, login, public_key, is_active, added_by, added_at",
        f"key_id in (select key_id from assess.approval where {_APPROVED})",
    ),
    Part("publish.release", "*", _REVISIONS),
    Part("publish.closing", "*", f"closing_id in ({_CLOSINGS})"),
    Part("publish.frozen_row", "*", f"closing_id in ({_CLOSINGS})", "1, 2"),
    *(Part(f"publish.{table}", "*", f"release_id in ({_RELEASES})", "1, 2") for table in TABLES),
)
"""In the order in which a later one may ask an earlier one."""

_HASH = {"row_hash": "renumbered within a case: equal where the rows were equal"}
_NAME = {"unit_name": "names that no register ever knew are numbered"}
_CODES = {
    "result_code": "of a merge alone: the number of the case that goes on",
    "reason_code": "of exclusions and violations alone",
}
ASKED_FOR = {"channel": "channels", "area_code": "areas"}
"""Columns of a case that are left out unless the release's scheme counts only rows of some of them, and what asks."""
SLICED = (
    Sliced(
        "staging.case_record",
        "audit.bundle_records",
        (
            *("title", "content", "address", "area_code", "longitude", "latitude", "caller_masked", "caller_key_id"),
            *("channel", "status", "accept_mode", "payload"),
        ),
        {
            **_HASH,
            "caller_token": "callers are numbered by their first call",
            "milestones": "time, unit, limit and codes alone; names that no register ever knew are numbered",
        },
    ),
    Sliced("staging.case_event", "audit.bundle_events", ("note", "payload"), _HASH | _NAME | _CODES),
    Sliced("staging.callback", "audit.bundle_callbacks", ("reason", "channel", "payload"), _HASH | _NAME),
    Sliced(REPEATS, "audit.bundle_repeats"),
)

TAKEN = {
    "repeat_of_case_id": (
        "重复件的认定及其依据：文本、地址不在包内",
        "what a case repeats, and why: texts and addresses are not in the bundle",
    ),
    "audit.feed_quality_version": (
        "热线数据质量分：由交付记录算得，交付记录不在包内",
        "the data-quality scores of feeds: computed from deliveries that are not in the bundle",
    ),
    "batches.source_sha256": (
        "落地文件的哈希：文件不在包内",
        "the hashes of landed files: the files are not in the bundle",
    ),
    "decisions.sha256": (
        "决定与人工计分的输入指纹：理由不在包内，只核对条数与编号",
        "the fingerprints of decisions and points by hand: their reasons are not in the bundle; numbers are compared",
    ),
    "previous_hash": (
        "上一次发布的哈希：其他周期的发布不在包内",
        "the hash of the release before: releases of other periods are not in the bundle",
    ),
    "which_cases": (
        "本期得分所依据的工单由数据仓库选定",
        "which cases the scores rest on was worked out by the warehouse",
    ),
}
"""What the bundle gives as it is, by what it is called in the manifest: taken, not recomputed. 中文, English."""

TAKEN_MARK = "taken, not recomputed"

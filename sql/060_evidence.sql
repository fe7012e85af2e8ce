-- The rows behind the lost points, kept when a period is scored: explaining and freezing read them, no measure.
create table mart.fct_evidence (
    scheme_id text not null,
    scheme_version text not null,
    period text not null,
    unit_code text not null,
    indicator_code text not null,
    subject_kind text not null,
    subject_id text not null,
    case_id text,
    assignment_id text,
    callback_id text,
    numerator_value numeric not null,
    denominator_value numeric not null,
    excluded_reason text,
    due_at timestamptz,
    occurred_at timestamptz
);
create index fct_evidence_unit on mart.fct_evidence (period, unit_code, scheme_id, scheme_version);

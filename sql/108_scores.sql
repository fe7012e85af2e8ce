-- What a scheme made of the facts of a period. The view mart.fct_indicator_case belongs to the dbt project.
create table mart.score_run (
    scheme_id text not null,
    scheme_version text not null,
    period text not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    as_of timestamptz not null,
    build_id bigint not null references audit.build,
    config_version bigint not null references config.version,
    scored_at timestamptz not null default clock_timestamp(),
    primary key (scheme_id, scheme_version, period)
);
comment on column mart.score_run.as_of is
'Lateness is judged as of this moment: the period''s end, or the data cut before it.';

create table mart.fct_unit_indicator (
    scheme_id text not null,
    scheme_version text not null,
    period text not null,
    unit_code text not null,
    indicator_code text not null,
    numerator numeric,
    denominator numeric,
    is_external_denominator boolean not null default false,
    value numeric,
    target numeric,
    points_max numeric not null,
    points numeric,
    wilson_low numeric,
    wilson_high numeric,
    funnel_flag text,
    shrunken_value numeric,  -- a rate drawn towards its peers'
    primary key (scheme_id, scheme_version, period, unit_code, indicator_code)
);

create table mart.fct_unit_score (
    scheme_id text not null,
    scheme_version text not null,
    period text not null,
    unit_code text not null,
    peer_group text not null,
    raw_points numeric,
    score_100 numeric,
    assessed_points numeric,
    band text,
    rank_in_group integer,
    not_ranked_reason text,
    listed_on text,  -- the lists on which the unit stands
    primary key (scheme_id, scheme_version, period, unit_code)
);

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

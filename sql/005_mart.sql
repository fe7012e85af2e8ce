-- Facts and dimensions. Only a finished build writes here, in one transaction. Comments come from the dbt project.
create table mart.dim_unit (
    unit_key text primary key,
    unit_code text not null,
    unit_name text not null,
    unit_kind text not null,
    linkage_level smallint,
    peer_group text not null,
    parent_unit_code text,
    has_24h_duty boolean not null,
    population bigint,
    valid_from date not null,
    valid_to date,
    unique (unit_code, valid_from)
);
create table mart.unit_succession (
    old_unit_code text not null,
    new_unit_code text not null,
    succession_kind text not null check (succession_kind in ('renamed', 'merged', 'split')),
    effective_on date not null,
    primary key (old_unit_code, new_unit_code, effective_on)
);
create table mart.dim_feed (
    feed_code text primary key,
    feed_name text not null,
    owner text not null,
    feed_role text not null,
    feed_group text not null,
    limit_source text not null
);
create table mart.dim_category (
    category_code text primary key,
    category_name text not null,
    parent_category_code text,
    category_level smallint not null
);
create table mart.dim_area (
    area_code text primary key,
    area_name text not null,
    parent_area_code text,
    area_level text not null
);
create table mart.dim_date (
    date_on date primary key,
    is_workday boolean not null,
    is_makeup_workday boolean not null,
    workday_no integer not null,
    calendar_status text not null,
    label_zh text
);

create table mart.fct_case (
    case_id text primary key,
    feed_code text not null,
    case_no text not null,
    request_type text,
    category_code text,
    area_code text,
    channel text,
    urgency text,
    received_at timestamptz not null,
    first_dispatched_at timestamptz,
    closed_at timestamptz,
    transferred_from_case_id text,
    merged_into_case_id text,
    repeat_of_case_id text,
    is_excluded boolean not null,
    exclusion_reason text,
    assignment_count integer not null,
    return_count integer not null,
    rework_count integer not null,
    root_case_id text not null,
    source_batch_id bigint not null,
    source_row_number bigint not null,
    unique (feed_code, case_no)
);
create index fct_case_received on mart.fct_case (received_at);
create index fct_case_root on mart.fct_case (root_case_id) where root_case_id <> case_id;

create table mart.fct_timeliness (
    assignment_id text primary key,
    case_id text not null,
    unit_code text,
    unit_name_raw text,
    unit_role text not null,
    round integer not null,
    dispatched_at timestamptz not null,
    sign_due_at timestamptz,
    signed_at timestamptz,
    contact_due_at timestamptz,
    contacted_at timestamptz,
    due_at timestamptz,
    extended_due_at timestamptz,
    closed_at timestamptz,
    voided_at timestamptz,
    void_reason text,
    clock text not null check (clock in ('working', 'natural')),
    is_calendar_provisional boolean not null,
    is_signed_on_time boolean,
    is_contacted_on_time boolean,
    is_closed_on_time boolean,
    working_minutes_to_close integer,
    natural_minutes_to_close integer,
    return_request_count integer not null,
    return_deny_count integer not null,
    extension_count integer not null,
    sign_limit_rule text,
    contact_limit_rule text,
    limit_rule text,
    dispatch_batch_id bigint not null,
    dispatch_row_number bigint not null,
    sign_batch_id bigint,
    sign_row_number bigint,
    close_batch_id bigint,
    close_row_number bigint
);
create index fct_timeliness_case on mart.fct_timeliness (case_id);
create index fct_timeliness_due on mart.fct_timeliness (due_at);
create index fct_timeliness_unit on mart.fct_timeliness (unit_code, dispatched_at);

create table mart.fct_satisfaction (
    callback_id text primary key,
    assignment_id text,
    case_id text not null,
    unit_code text,
    round integer,
    channel text,
    called_at timestamptz not null,
    is_reached boolean,
    contact_code text,
    resolution_code text,
    satisfaction_scale text,
    satisfaction_code text,
    source_batch_id bigint not null,
    source_row_number bigint not null
);
create index fct_satisfaction_case on mart.fct_satisfaction (case_id);
create index fct_satisfaction_called on mart.fct_satisfaction (called_at);

create table mart.fct_violation (
    violation_id text primary key,
    assignment_id text,
    case_id text not null,
    unit_code text,
    unit_name_raw text,
    violation_code text not null,
    found_at timestamptz not null,
    source_batch_id bigint not null,
    source_row_number bigint not null
);
create index fct_violation_case on mart.fct_violation (case_id);

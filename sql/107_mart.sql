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

-- What every name of a unit means over time. A name may move from one unit to another, and outlive its unit.
create table mart.dim_unit_name (
    unit_name text not null,
    valid_from date,
    valid_to date,
    unit_code text,
    unit_codes text not null,
    resolution text not null,
    unique nulls not distinct (unit_name, valid_from)
);

create table mart.unit_succession (
    old_unit_code text not null,
    new_unit_code text not null,
    succession_kind text not null check (succession_kind in ('renamed', 'merged', 'split')),
    effective_on date not null,
    primary key (old_unit_code, new_unit_code, effective_on)
);

-- What became of every unit by today: renamed and merged ones lead to one unit, which is followed on; a split leads to
-- several, and there it ends. Steps are bounded, so that a register that runs in a ring still answers.
create view mart.unit_rollup as
with recursive single as (
    select distinct
        old_unit_code,
        new_unit_code,
        effective_on
    from mart.unit_succession
    where succession_kind <> 'split'
),

walked as (
    select distinct
        unit_code,
        unit_code as rollup_unit_code,
        null::date as rolled_up_on,
        0 as steps
    from mart.dim_unit
    union all
    select
        walked.unit_code,
        single.new_unit_code,
        single.effective_on,
        walked.steps + 1  -- noqa: AL03
    from walked inner join single on single.old_unit_code = walked.rollup_unit_code  -- noqa: ST09
    where walked.steps < 12 and single.new_unit_code <> walked.unit_code
)

select distinct on (walked.unit_code)
    walked.unit_code,
    walked.rollup_unit_code,
    walked.rolled_up_on,
    exists(
        select from mart.unit_succession as split
        where split.old_unit_code = walked.rollup_unit_code and split.succession_kind = 'split'
    ) as is_split
from walked
order by walked.unit_code asc, walked.steps desc;
comment on view mart.unit_rollup is '单位沿革归并 — Each unit and the one that carries its work on; itself where none does.';
comment on column mart.unit_rollup.unit_code is '单位编码 — The unit as duties name it.';
comment on column mart.unit_rollup.rollup_unit_code is '归并后单位 — The unit that carries its work on.';
comment on column mart.unit_rollup.rolled_up_on is '归并日期 — Day of the last step; null where there is none.';
comment on column mart.unit_rollup.is_split is
'是否拆分 — Whether that unit was split: a report must say how its past is shared out.';

create table mart.dim_feed (
    feed_code text primary key,
    feed_name text not null,
    owner text not null,
    feed_role text not null,
    feed_group text not null,
    limit_source text not null
);

-- Trees laid flat, so that a report groups by any level without a recursion of its own.
create table mart.dim_category (
    category_code text primary key,
    category_name text not null,
    parent_category_code text,
    category_level smallint not null,
    level_1_code text,
    level_1_name text,
    level_2_code text,
    level_2_name text,
    level_3_code text,
    level_3_name text,
    level_4_code text,
    level_4_name text,
    level_5_code text,
    level_5_name text
);

create table mart.dim_area (
    area_code text primary key,
    area_name text not null,
    parent_area_code text,
    area_level text not null,
    city_code text,
    city_name text,
    district_code text,
    district_name text,
    town_code text,
    town_name text,
    village_code text,
    village_name text,
    grid_code text,
    grid_name text
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
    -- Why a case is a repeat stays with it.
    repeat_similarity numeric,
    repeat_basis text,
    unique (feed_code, case_no)
);
create index fct_case_received on mart.fct_case (received_at);
create index fct_case_root on mart.fct_case (root_case_id) where root_case_id <> case_id;
create index fct_case_merged on mart.fct_case (merged_into_case_id) where merged_into_case_id is not null;
-- Cases that count for nobody: few, and asked for by every measure.
create index fct_case_excluded on mart.fct_case (case_id) include (exclusion_reason) where is_excluded;

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
    close_row_number bigint,
    is_excluded boolean not null default false,
    exclusion_reason text,
    -- What measures need of an assignment beside its clock: is its limit known, who pressed, what was sent back?
    is_limit_unknown boolean not null default false,
    urge_count integer not null default 0,
    urged_at timestamptz,
    supervise_count integer not null default 0,
    supervised_at timestamptz,
    review_back_count integer not null default 0,
    sent_back_at timestamptz,
    reworked_at timestamptz
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
    source_row_number bigint not null,
    reach_code text,
    satisfaction_level text  -- every scale of satisfaction maps onto four levels
);
create index fct_satisfaction_case on mart.fct_satisfaction (case_id);
create index fct_satisfaction_called on mart.fct_satisfaction (called_at);
-- What explaining one unit's score reads of the facts: its own callbacks and violations (assignments have theirs).
create index fct_satisfaction_unit on mart.fct_satisfaction (unit_code, called_at);

-- A violation that a person entered has no row of a file, and may be found on the unit and not on a case.
create table mart.fct_violation (
    violation_id text primary key,
    assignment_id text,
    case_id text,
    unit_code text,
    unit_name_raw text,
    violation_code text not null,
    found_at timestamptz not null,
    source_batch_id bigint,
    source_row_number bigint,
    entered_by text
);
create index fct_violation_case on mart.fct_violation (case_id);
create index fct_violation_unit on mart.fct_violation (unit_code, found_at);

create table mart.fct_exclusion (
    exclusion_id text primary key,
    case_id text not null,
    assignment_id text,
    indicator_codes text[],
    reason_code text not null,
    source text not null check (source in ('hotline', 'decision', 'appeal')),
    from_revision integer,
    decided_at timestamptz not null,
    decided_by text
);
create index fct_exclusion_case on mart.fct_exclusion (case_id);

-- Who has much to do (大户): what was dispatched to each unit in a month and stayed with it. Comments come from the dbt
-- project.
create view mart.unit_load as
with duties as (
    select
        date_trunc('month', dispatched_at at time zone 'Asia/Shanghai')::date as dispatched_month,
        unit_code,
        case_id,
        unit_role,
        count(*) filter (where unit_role = 'lead') over month as city_lead_count
    from mart.fct_timeliness
    where voided_at is null
    window month as (partition by date_trunc('month', dispatched_at at time zone 'Asia/Shanghai')::date)
),

loads as (
    select
        dispatched_month,
        unit_code,
        count(distinct case_id) as case_count,
        count(*) filter (where unit_role = 'lead') as lead_count,
        count(*) filter (where unit_role = 'support') as support_count,
        city_lead_count
    from duties
    group by dispatched_month, unit_code, city_lead_count
),

-- a unit is called as it was last in the month
units as (
    select distinct on (loads.dispatched_month, loads.unit_code)
        loads.dispatched_month,
        loads.unit_code,
        dim_unit.unit_name,
        dim_unit.unit_kind,
        dim_unit.peer_group
    from loads
    inner join mart.dim_unit
        on
            dim_unit.unit_code = loads.unit_code  -- noqa: ST09
            and dim_unit.valid_from < loads.dispatched_month + interval '1 month'
    order by loads.dispatched_month asc, loads.unit_code asc, dim_unit.valid_from desc
)

select
    loads.dispatched_month,
    loads.unit_code,
    units.unit_name,
    units.unit_kind,
    units.peer_group,
    loads.case_count,
    loads.lead_count,
    loads.support_count,
    round(100.0 * loads.lead_count / nullif(loads.city_lead_count, 0), 2) as city_share_pct,
    rank() over (partition by loads.dispatched_month order by loads.lead_count desc) as city_rank
from loads
left join units on units.dispatched_month = loads.dispatched_month and units.unit_code = loads.unit_code;  -- noqa: ST09
comment on view mart.unit_load is '单位承办量（大户） — What was dispatched to each unit in a month and stayed with it.';

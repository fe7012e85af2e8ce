-- What published rules ask of a case and of an answer: who handed the request to the city's hotline (派单来源), whether
-- the citizen wants to stay unnamed, how he was treated apart from what came of it (双满意); and what a unit's number is
-- divided by beside its inhabitants: its grids, its staff.
alter table staging.case_record add column dispatch_source text;
alter table staging.callback add column attitude_code text;

alter table mart.fct_case
add column dispatch_source text,
add column is_confidential boolean;

update mart.fct_case as facts
set is_confidential = told.is_confidential
from staging.case_record as told
where
    facts.source_batch_id = told.batch_id and facts.source_row_number = told.row_number
    and told.is_confidential is not null;

alter table mart.fct_satisfaction add column attitude_code text;

alter table mart.dim_unit
add column grids bigint,
add column staff bigint;

create or replace view audit.told_callback as
select
    case_feed_code,
    case_no,
    called_at,
    unit_name,
    round,
    channel,
    is_reached,
    contact_code,
    resolution_code,
    satisfaction_code,
    feed_code,
    batch_id,
    row_number,
    is_deleted,
    attitude_code
from staging.callback;

create or replace view mart.case_wide with (security_invoker = true) as
select
    cases.case_id,
    cases.case_no,
    cases.feed_code,
    feeds.feed_name as feed_zh,
    cases.request_type,
    type_word.label_zh as request_type_zh,
    cases.category_code,
    coalesce(categories.category_name, cases.category_code) as category_zh,
    coalesce(categories.level_1_name, categories.category_name, cases.category_code) as category_1_zh,
    cases.area_code,
    coalesce(areas.area_name, cases.area_code) as area_zh,
    areas.district_name as district_zh,
    areas.town_name as town_zh,
    cases.urgency,
    urgency_word.label_zh as urgency_zh,
    cases.received_on,
    cases.channel,
    cases.received_at,
    cases.closed_on,
    cases.closed_at,
    cases.is_excluded,
    cases.exclusion_reason,
    coalesce(exclusion_word.label_zh, cases.exclusion_reason) as exclusion_reason_zh,
    cases.assignment_count,
    cases.return_count,
    cases.rework_count,
    1 as case_n,
    (cases.repeat_of_case_id is not null)::integer as repeated_n,
    1 as repeated_of,
    case when not cases.is_excluded then (cases.closed_at is not null)::integer end as closed_n,
    case when not cases.is_excluded then 1 end as closed_of,
    cases.dispatch_source,
    source_word.label_zh as dispatch_source_zh,
    cases.is_confidential
from mart.fct_case as cases
left join mart.dim_feed as feeds on cases.feed_code = feeds.feed_code
left join mart.dim_category as categories on cases.category_code = categories.category_code
left join mart.dim_area as areas on cases.area_code = areas.area_code
left join mart.dim_code as type_word on type_word.vocabulary = 'request_type' and cases.request_type = type_word.code
left join mart.dim_code as urgency_word on urgency_word.vocabulary = 'urgency' and cases.urgency = urgency_word.code
left join mart.dim_code as source_word
    on source_word.vocabulary = 'dispatch_source' and cases.dispatch_source = source_word.code
left join mart.dim_code as exclusion_word
    on exclusion_word.vocabulary = 'exclusion_reason' and cases.exclusion_reason = exclusion_word.code;

create or replace view mart.callback_wide with (security_invoker = true) as
select
    calls.callback_id,
    calls.assignment_id,
    calls.case_id,
    cases.case_no,
    cases.feed_code,
    feeds.feed_name as feed_zh,
    cases.request_type,
    type_word.label_zh as request_type_zh,
    cases.category_code,
    coalesce(categories.category_name, cases.category_code) as category_zh,
    coalesce(categories.level_1_name, categories.category_name, cases.category_code) as category_1_zh,
    cases.area_code,
    coalesce(areas.area_name, cases.area_code) as area_zh,
    areas.district_name as district_zh,
    areas.town_name as town_zh,
    cases.urgency,
    urgency_word.label_zh as urgency_zh,
    cases.received_on,
    calls.unit_code,
    units.unit_name as unit_zh,
    units.unit_kind,
    units.peer_group,
    coalesce(groups.peer_group_name_zh, units.peer_group) as peer_group_zh,
    calls.called_on,
    calls.called_at,
    calls.channel,
    calls.reach_code,
    reach_word.label_zh as reach_zh,
    calls.resolution_code,
    resolution_word.label_zh as resolution_zh,
    calls.satisfaction_code,
    satisfaction_word.label_zh as satisfaction_zh,
    1 as callback_n,
    rates.satisfied_n,
    rates.satisfied_of,
    rates.satisfied_on,
    rates.resolved_n,
    rates.resolved_of,
    rates.resolved_on,
    rates.reached_n,
    rates.reached_of,
    rates.reached_on,
    calls.attitude_code,
    attitude_word.label_zh as attitude_zh
from mart.fct_satisfaction as calls
left join mart.fct_case as cases on calls.case_id = cases.case_id
left join mart.callback_rate as rates on calls.callback_id = rates.callback_id
left join mart.dim_feed as feeds on cases.feed_code = feeds.feed_code
left join mart.dim_category as categories on cases.category_code = categories.category_code
left join mart.dim_area as areas on cases.area_code = areas.area_code
left join mart.dim_code as type_word on type_word.vocabulary = 'request_type' and cases.request_type = type_word.code
left join mart.dim_code as urgency_word on urgency_word.vocabulary = 'urgency' and cases.urgency = urgency_word.code
left join mart.dim_unit as units on calls.unit_key = units.unit_key
left join mart.peer_group_name as groups on units.peer_group = groups.peer_group
left join mart.dim_code as reach_word on reach_word.vocabulary = 'reach_code' and calls.reach_code = reach_word.code
left join mart.dim_code as resolution_word
    on resolution_word.vocabulary = 'resolution_code' and calls.resolution_code = resolution_word.code
left join mart.dim_code as satisfaction_word
    on satisfaction_word.vocabulary = 'satisfaction_code' and calls.satisfaction_code = satisfaction_word.code
left join mart.dim_code as attitude_word
    on attitude_word.vocabulary = 'attitude_code' and calls.attitude_code = attitude_word.code;

-- A bundle tells them too: a scheme may count some rows only. Channels and areas are told where its scheme asks for
-- them.
create function audit.bundle_asks(request_id bigint, key text) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select
        coalesce(
            bool_or(jsonb_path_exists(
                entry.data, ('$.indicators[*].rows.' || bundle_asks.key || ' ? (@ != null)')::jsonpath
            )),
            false
        )
    from audit.bundle_request as request
    inner join publish.release as known on request.release_id = known.release_id
    inner join config.entry as entry
        on
            entry.kind = 'scheme'
            and known.scheme_id = entry.key
            and known.config_version >= entry.since_version
            and (entry.until_version is null or known.config_version < entry.until_version)
    where request.request_id = bundle_asks.request_id
$$;
comment on function audit.bundle_asks is
'Whether the scheme of a bundle counts only rows of certain channels or areas, so that the bundle has to tell them.';
revoke execute on function audit.bundle_asks from public;

create or replace function audit.bundle_records(entry_id bigint, slice_no integer) returns setof staging.case_record
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    asked bigint;
    from_id text;
    before_id text;
    tells_channels boolean;
    tells_areas boolean;
begin
    select slice.* into asked, from_id, before_id
    from audit.bundle_slice(bundle_records.entry_id, bundle_records.slice_no) as slice;
    tells_channels := audit.bundle_asks(asked, 'channels');
    tells_areas := audit.bundle_asks(asked, 'areas');
    return query
    select
        sent.feed_code,
        sent.case_no,
        sent.upstream_feed_code,
        sent.upstream_case_no,
        sent.request_type,
        sent.category_code,
        case when tells_channels then sent.channel end,
        sent.urgency,
        sent.received_at,
        null::text,  -- title
        null::text,  -- content
        null::text,  -- address
        case when tells_areas then sent.area_code end,
        null::double precision,  -- longitude
        null::double precision,  -- latitude
        callers.told_as,
        null::text,  -- caller_key_id
        null::text,  -- caller_masked
        sent.is_confidential,
        null::text,  -- accept_mode
        null::text,  -- status
        case
            when sent.milestones is not null then (
                select jsonb_agg(
                    jsonb_strip_nulls(jsonb_build_object(
                        'event_type', milestone.event -> 'event_type',
                        'occurred_at', milestone.event -> 'occurred_at',
                        'occurred_precision', milestone.event -> 'occurred_precision',
                        'unit_name', coalesce(to_jsonb(names.told_as), milestone.event -> 'unit_name'),
                        'unit_role', milestone.event -> 'unit_role',
                        'due_at', milestone.event -> 'due_at',
                        'limit_kind', milestone.event -> 'limit_kind',
                        'result_code',
                        case when milestone.event ->> 'event_type' = 'MERGE' then milestone.event -> 'result_code' end,
                        'reason_code',
                        case
                            when milestone.event ->> 'event_type' in ('EXCLUDE_GRANT', 'EXCLUDE_DENY', 'VIOLATION')
                                then milestone.event -> 'reason_code'
                        end
                    ))
                    order by milestone.place
                )
                from jsonb_array_elements(sent.milestones) with ordinality as milestone (event, place)
                left join restricted.bundle_name as names
                    on names.request_id = asked and milestone.event ->> 'unit_name' = names.unit_name
            )
        end,
        sent.source_updated_at,
        null::jsonb,  -- payload
        sent.batch_id,
        sent.row_number,
        (dense_rank() over (partition by sent.feed_code, sent.case_no order by sent.row_hash))::text,
        sent.is_deleted,
        sent.dispatch_source
    from restricted.bundle_case as taken
    inner join staging.case_record as sent on taken.feed_code = sent.feed_code and taken.case_no = sent.case_no
    inner join restricted.bundle_batch as seen on seen.request_id = asked and sent.batch_id = seen.batch_id
    left join restricted.bundle_caller as callers
        on callers.request_id = asked and sent.caller_token = callers.caller_token
    where taken.request_id = asked and taken.case_id >= from_id and taken.case_id < before_id
    order by sent.feed_code, sent.case_no, seen.order_key, sent.row_number;
end
$$;

create or replace function audit.bundle_callbacks(entry_id bigint, slice_no integer) returns setof staging.callback
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    asked bigint;
    from_id text;
    before_id text;
begin
    select slice.* into asked, from_id, before_id
    from audit.bundle_slice(bundle_callbacks.entry_id, bundle_callbacks.slice_no) as slice;
    return query
    select
        sent.case_feed_code,
        sent.case_no,
        coalesce(names.told_as, sent.unit_name),
        sent.round,
        sent.called_at,
        null::text,  -- channel
        sent.is_reached,
        sent.contact_code,
        sent.resolution_code,
        sent.satisfaction_scale,
        sent.satisfaction_code,
        null::text,  -- reason
        null::jsonb,  -- payload
        sent.feed_code,
        sent.batch_id,
        sent.row_number,
        (dense_rank() over (partition by sent.case_feed_code, sent.case_no order by sent.row_hash))::text,
        sent.is_deleted,
        sent.reach_code,
        sent.attitude_code
    from restricted.bundle_case as taken
    inner join staging.callback as sent on taken.feed_code = sent.case_feed_code and taken.case_no = sent.case_no
    inner join restricted.bundle_batch as seen on seen.request_id = asked and sent.batch_id = seen.batch_id
    left join restricted.bundle_name as names on names.request_id = asked and sent.unit_name = names.unit_name
    where taken.request_id = asked and taken.case_id >= from_id and taken.case_id < before_id
    order by sent.case_feed_code, sent.case_no, seen.order_key, sent.row_number;
end
$$;

-- What happened, such as a veto, is entered as points by hand are, with reason, evidence and a second person.
create or replace function assess.require_manual() returns trigger
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (
        select
        from config.entry
        cross join lateral jsonb_array_elements(entry.data -> 'indicators') as listed (data)
        where
            entry.kind = 'scheme'
            and entry.key = new.scheme_id
            and listed.data ->> 'code' = new.indicator_code
            and (
                listed.data -> 'scoring' ->> 'function' = 'manual'
                or (listed.data -> 'scoring' ->> 'function' = 'event' and listed.data ->> 'measure' is null)
            )
    ) then
        raise exception 'the indicator % of the scheme % is counted from cases and takes no points by hand',
            quote_literal(new.indicator_code), quote_literal(new.scheme_id);
    end if;
    return new;
end
$$;

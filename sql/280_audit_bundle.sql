-- An auditor computes a published result anew on a machine of his own. What it rests on is taken out once: asked for
-- with a reason, allowed by another auditor, each step and each taking in the access log, committed before a row is
-- told. Callers are numbered anew, texts, addresses, places and masked phones stay here. What staging holds is told by
-- these functions; the rest an auditor's login reads anyway.
do $$
declare
    told text := pg_get_constraintdef(oid) from pg_constraint
        where conrelid = 'audit.access_log'::regclass and conname = 'access_log_subject_check';
    mended text := replace(
        told, 'ARRAY[', 'ARRAY[''bundle_request''::text, ''bundle_allowance''::text, ''bundle''::text, '
    );
begin
    if mended is not distinct from told then
        raise exception 'the subjects of the access log are not told as this migration knows them';
    end if;
    alter table audit.access_log drop constraint access_log_subject_check;
    execute 'alter table audit.access_log add constraint access_log_subject_check ' || mended;
end
$$;

create table audit.bundle_request (
    request_id bigint primary key,
    release_id bigint not null references publish.release,
    asked_by text not null,
    asked_at timestamptz not null
);
comment on table audit.bundle_request is '申请审计包：申请人、哪一次发布；编号为访问日志的条目号';

create table audit.bundle_allowance (
    entry_id bigint primary key,
    request_id bigint not null unique references audit.bundle_request,
    allowed_by text not null,
    allowed_at timestamptz not null
);
comment on table audit.bundle_allowance is '准许审计包：另一名审计人员准许，七天内有效';

create table audit.bundle_taking (
    entry_id bigint primary key,
    request_id bigint not null references audit.bundle_request,
    taken_in xid8 not null,
    taken_by text not null,
    taken_at timestamptz not null,
    cases bigint not null,
    slices integer not null,
    facts_of_build_id bigint not null
);
comment on table audit.bundle_taking is '取出审计包：须先提交，一小时内读取；件数与分片数';
comment on column audit.bundle_taking.facts_of_build_id is
'The build whose facts told which cases count and what repeats what.';

do $$
declare
    name text;
begin
    foreach name in array array['bundle_request', 'bundle_allowance', 'bundle_taking'] loop
        execute format(
            'create trigger append_only before update or delete or truncate on audit.%I'
            ' for each statement execute function audit.refuse_change()', name
        );
    end loop;
end
$$;

-- What a taking is about, while it is read. Unlogged: after a crash it is taken again. No statistics are gathered: of
-- two who took at once one would wait for the other, who would be ended.
create unlogged table restricted.bundle_case (
    request_id bigint not null,
    case_id text not null,
    feed_code text not null,
    case_no text not null,
    primary key (request_id, case_id)
);
create unlogged table restricted.bundle_batch (
    request_id bigint not null,
    batch_id bigint not null,
    order_key bigint not null,
    primary key (request_id, batch_id)
);
create unlogged table restricted.bundle_caller (
    request_id bigint not null,
    caller_token text not null,
    told_as text not null,
    primary key (request_id, caller_token)
);
create unlogged table restricted.bundle_name (
    request_id bigint not null,
    unit_name text not null,
    told_as text not null,
    primary key (request_id, unit_name)
);
comment on table restricted.bundle_case is '正在取出的审计包所含工单';
comment on table restricted.bundle_batch is '正在取出的审计包所含批次';
comment on table restricted.bundle_caller is '正在取出的审计包：来电人重新编号';
comment on table restricted.bundle_name is '正在取出的审计包：单位目录中没有的名称重新编号';

revoke insert, update, delete on audit.bundle_request, audit.bundle_allowance, audit.bundle_taking from minhu_work;
revoke all on
restricted.bundle_case, restricted.bundle_batch, restricted.bundle_caller, restricted.bundle_name
from minhu_work;

create function audit.ask_for_bundle(release_id bigint, why text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    about text;
    written bigint;
begin
    select concat_ws(' ', known.scheme_id, known.period, 'revision', known.revision, known.hash) into about
    from publish.release as known
    where known.release_id = ask_for_bundle.release_id;
    if about is null then
        raise exception 'there is no release %', coalesce(ask_for_bundle.release_id::text, '(none)');
    end if;
    insert into audit.access_log (subject, about, why)
    values ('bundle_request', about, assess.stated(ask_for_bundle.why, 'why the bundle is asked for'))
    returning entry_id into written;
    insert into audit.bundle_request (request_id, release_id, asked_by, asked_at)
    values (written, ask_for_bundle.release_id, assess.acting(), clock_timestamp());
    return written;
end
$$;
comment on function audit.ask_for_bundle is
'Logs who asks for the bundle of a release and why; the number of the request.';

create function audit.allow_bundle(request_id bigint, why text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    asked audit.bundle_request;
    written bigint;
begin
    select * into asked from audit.bundle_request as known where known.request_id = allow_bundle.request_id;
    if not found then
        raise exception 'there is no request %', coalesce(allow_bundle.request_id::text, '(none)');
    end if;
    if asked.asked_by = assess.acting() then
        raise exception 'request % is yours: another auditor allows it', asked.request_id;
    end if;
    if exists (select from audit.bundle_allowance as given where given.request_id = asked.request_id) then
        raise exception 'request % is allowed already', asked.request_id;
    end if;
    insert into audit.access_log (subject, about, why)
    values (
        'bundle_allowance', concat_ws(' ', 'request', asked.request_id, 'of', asked.asked_by),
        assess.stated(allow_bundle.why, 'why the bundle is allowed')
    )
    returning entry_id into written;
    insert into audit.bundle_allowance (entry_id, request_id, allowed_by, allowed_at)
    values (written, asked.request_id, assess.acting(), clock_timestamp());
    return written;
end
$$;
comment on function audit.allow_bundle is 'Another auditor than the one who asked allows a bundle.';

-- The cases that scores of a release may rest on: those whose life, by the facts, meets the period; those that its
-- evidence names; and where the facts are of a later build, those that it may have moved: told of anew or decided about
-- since, or all where rules changed, if what the release's build saw of them comes within a year of the period. Then
-- what is linked with them by transfers and merges, until nothing is added.
create function audit.bundle_select(request_id bigint) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
    release publish.release;
    newest audit.build;
    own audit.build;
begin
    select known.* into release
    from audit.bundle_request as asked
    inner join publish.release as known on asked.release_id = known.release_id
    where asked.request_id = bundle_select.request_id;
    select build.* into own from audit.build where build.build_id = release.build_id;
    select build.* into newest from audit.build where build.status = 'succeeded' order by build.build_id desc limit 1;

    insert into restricted.bundle_batch (request_id, batch_id, order_key)
    select request_id, seen.batch_id, seen.order_key from publish.batches_of(release.build_id) as seen;

    insert into restricted.bundle_case (request_id, case_id, feed_code, case_no)
    with meant as (
        select duty.case_id
        from mart.fct_timeliness as duty
        where
            least(
                duty.dispatched_at, duty.sign_due_at, duty.signed_at, duty.contact_due_at, duty.contacted_at,
                duty.due_at, duty.extended_due_at, duty.due_in_force_at,
                duty.closed_at, duty.closed_in_time_at, duty.voided_at, duty.ended_at, duty.urged_at,
                duty.supervised_at, duty.sent_back_at, duty.reworked_at
            ) <= release.ends_at
            and greatest(
                duty.dispatched_at, duty.sign_due_at, duty.signed_at, duty.contact_due_at, duty.contacted_at,
                duty.due_at, duty.extended_due_at, duty.due_in_force_at,
                duty.closed_at, duty.closed_in_time_at, duty.voided_at, duty.ended_at, duty.urged_at,
                duty.supervised_at, duty.sent_back_at, duty.reworked_at
            ) >= release.starts_at
        union
        select cases.case_id
        from mart.fct_case as cases
        where
            least(cases.received_at, cases.first_dispatched_at, cases.closed_at) <= release.ends_at
            and greatest(cases.received_at, cases.first_dispatched_at, cases.closed_at) >= release.starts_at
        union
        select told.case_id
        from mart.fct_satisfaction as told
        where told.called_at >= release.starts_at and told.called_at <= release.ends_at
        union
        select told.case_id
        from mart.fct_violation as told
        where told.found_at >= release.starts_at and told.found_at <= release.ends_at
        union
        select lost.case_id
        from publish.evidence as lost
        where lost.scheme_id = release.scheme_id and lost.period = release.period and lost.revision <= release.revision
    )

    select distinct request_id, chain.case_id, chain.feed_code, chain.case_no
    from mart.fct_case as cases
    inner join meant on cases.case_id = meant.case_id
    inner join mart.fct_case as chain on cases.root_case_id = chain.root_case_id;

    if newest.build_id <> own.build_id then
        insert into restricted.bundle_case (request_id, case_id, feed_code, case_no)
        with later as (
            select distinct moved.batch_id
            from audit.build_batch as moved
            inner join audit.build on moved.build_id = build.build_id
            where build.status = 'succeeded' and build.build_id > own.build_id
        ),

        decided as (
            select made.kind, made.decision_id
            from audit.build_decision as made
            inner join audit.build on made.build_id = build.build_id
            where build.status = 'succeeded' and build.build_id > own.build_id
        ),

        told as not materialized (
            select sent.feed_code, sent.case_no, sent.batch_id, sent.received_at as from_at,
                greatest(sent.received_at, (
                    select max(greatest(
                        (milestone.event ->> 'occurred_at')::timestamptz, (milestone.event ->> 'due_at')::timestamptz
                    ))
                    from jsonb_array_elements(sent.milestones) as milestone (event)
                )) as until_at
            from staging.case_record as sent
            union all
            select sent.case_feed_code, sent.case_no, sent.batch_id, sent.occurred_at,
                greatest(sent.occurred_at, sent.due_at)
            from staging.case_event as sent
            union all
            select sent.case_feed_code, sent.case_no, sent.batch_id, sent.called_at, sent.called_at
            from staging.callback as sent
        ),

        moved as (
            select told.feed_code, told.case_no
            from told
            inner join later on told.batch_id = later.batch_id
            union
            select cases.feed_code, cases.case_no
            from mart.fct_case as cases
            where cases.case_id in (
                select made.case_id
                from assess.exclusion as made
                inner join decided on decided.kind = 'exclusion' and made.exclusion_id = decided.decision_id
                union all
                select made.case_id
                from assess.violation as made
                inner join decided on decided.kind = 'violation' and made.violation_id = decided.decision_id
                union all
                select asked.case_id
                from assess.appeal_decision as made
                inner join decided on decided.kind = 'appeal_decision' and made.decision_id = decided.decision_id
                inner join assess.appeal as asked on made.appeal_id = asked.appeal_id
            )
            union
            select told.feed_code, told.case_no
            from told
            where own.config_version <> newest.config_version or own.readings <> newest.readings
        ),

        lives as (
            select told.feed_code, told.case_no
            from moved
            inner join told on moved.feed_code = told.feed_code and moved.case_no = told.case_no
            inner join restricted.bundle_batch as seen
                on seen.request_id = bundle_select.request_id and told.batch_id = seen.batch_id
            group by told.feed_code, told.case_no
            having min(told.from_at) <= release.ends_at
                and max(told.until_at) >= release.starts_at - interval '366 days'
        )

        select request_id, md5(lives.feed_code || '|' || lives.case_no), lives.feed_code, lives.case_no
        from lives
        on conflict do nothing;
    end if;

    loop
        insert into restricted.bundle_case (request_id, case_id, feed_code, case_no)
        with taken as (
            select known.feed_code, known.case_no
            from restricted.bundle_case as known
            where known.request_id = bundle_select.request_id
        ),

        linked as (
            select sent.upstream_feed_code as feed_code, sent.upstream_case_no as case_no
            from taken
            inner join staging.case_record as sent on taken.feed_code = sent.feed_code and taken.case_no = sent.case_no
            where sent.upstream_case_no is not null
            union
            select sent.feed_code, sent.case_no
            from taken
            inner join staging.case_record as sent
                on taken.feed_code = sent.upstream_feed_code and taken.case_no = sent.upstream_case_no
            union
            select sent.case_feed_code, sent.result_code
            from taken
            inner join staging.case_event as sent
                on taken.feed_code = sent.case_feed_code and taken.case_no = sent.case_no
            where sent.event_type = 'MERGE'
            union
            select sent.case_feed_code, sent.case_no
            from taken
            inner join staging.case_event as sent
                on taken.feed_code = sent.case_feed_code and taken.case_no = sent.result_code
            where sent.event_type = 'MERGE'
            union
            select sent.feed_code, milestone.event ->> 'result_code'
            from taken
            inner join staging.case_record as sent on taken.feed_code = sent.feed_code and taken.case_no = sent.case_no
            cross join lateral jsonb_array_elements(sent.milestones) as milestone (event)
            where milestone.event ->> 'event_type' = 'MERGE'
        )

        select request_id, md5(linked.feed_code || '|' || linked.case_no), linked.feed_code, linked.case_no
        from linked
        where linked.feed_code <> '' and linked.case_no <> ''
        on conflict do nothing;
        exit when not found;
    end loop;

    return newest.build_id;
end
$$;
comment on function audit.bundle_select is 'Works out which cases a bundle holds; the build whose facts told it.';

-- Callers by the order of their first call, one number for all tokens of one; names that no register ever knew, which
-- may be a person's, by their order.
create function audit.bundle_rename(request_id bigint) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
begin
    insert into restricted.bundle_caller (request_id, caller_token, told_as)
    with calls as (
        select
            sent.caller_token,
            coalesce(link.current_token, sent.caller_token) as caller_id,
            sent.received_at,
            sent.batch_id,
            sent.row_number
        from restricted.bundle_case as taken
        inner join staging.case_record as sent on taken.feed_code = sent.feed_code and taken.case_no = sent.case_no
        left join restricted.caller_link as link on sent.caller_token = link.earlier_token
        where taken.request_id = bundle_rename.request_id and sent.caller_token is not null
    ),

    numbered as (
        select
            calls.caller_id,
            row_number() over (
                order by min(calls.received_at), min(calls.batch_id), min(calls.row_number), calls.caller_id
            ) as caller_no
        from calls
        group by calls.caller_id
    )

    select distinct request_id, calls.caller_token, 'caller ' || numbered.caller_no
    from calls
    inner join numbered on calls.caller_id = numbered.caller_id;

    insert into restricted.bundle_name (request_id, unit_name, told_as)
    with told as (
        select sent.unit_name
        from restricted.bundle_case as taken
        inner join staging.case_event as sent
            on taken.feed_code = sent.case_feed_code and taken.case_no = sent.case_no
        where taken.request_id = bundle_rename.request_id
        union
        select sent.unit_name
        from restricted.bundle_case as taken
        inner join staging.callback as sent
            on taken.feed_code = sent.case_feed_code and taken.case_no = sent.case_no
        where taken.request_id = bundle_rename.request_id
        union
        select milestone.event ->> 'unit_name'
        from restricted.bundle_case as taken
        inner join staging.case_record as sent on taken.feed_code = sent.feed_code and taken.case_no = sent.case_no
        cross join lateral jsonb_array_elements(sent.milestones) as milestone (event)
        where taken.request_id = bundle_rename.request_id
    )

    select
        request_id,
        told.unit_name,
        'unregistered ' || lpad((row_number() over (order by told.unit_name collate "C"))::text, 9, '0')
    from told
    where
        told.unit_name <> ''
        and not exists (
            select from config.entry as known
            where known.kind = 'unit_name' and known.key = told.unit_name
        );
end
$$;
comment on function audit.bundle_rename is 'Numbers the callers and the unregistered names of a bundle.';

create function audit.take_bundle(request_id bigint) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
    asked audit.bundle_request;
    given audit.bundle_allowance;
    facts_of bigint;
    found_cases bigint;
    found_slices integer;
    own constant bigint[] := array(
        select past.request_id from audit.bundle_request as past where past.asked_by = assess.actor()
    );
    written bigint;
begin
    select * into asked from audit.bundle_request as known where known.request_id = take_bundle.request_id;
    if asked.asked_by is distinct from assess.acting() then
        raise exception 'you asked for no bundle under the number %', coalesce(take_bundle.request_id::text, '(none)');
    end if;
    select * into given from audit.bundle_allowance as known where known.request_id = asked.request_id;
    if not found then
        raise exception 'request % is not allowed yet: another auditor does it', asked.request_id;
    end if;
    if given.allowed_at < clock_timestamp() - interval '7 days' then
        raise exception 'request % was allowed on %, for 7 days: ask again', asked.request_id,
            (given.allowed_at at time zone mart.city_zone())::date;
    end if;
    -- What he took before, not what others did: nobody waits for another here.
    delete from restricted.bundle_case as taken where taken.request_id in (select past from unnest(own) as past);
    delete from restricted.bundle_batch as taken where taken.request_id in (select past from unnest(own) as past);
    delete from restricted.bundle_caller as taken where taken.request_id in (select past from unnest(own) as past);
    delete from restricted.bundle_name as taken where taken.request_id in (select past from unnest(own) as past);
    facts_of := audit.bundle_select(asked.request_id);
    perform audit.bundle_rename(asked.request_id);
    select count(*), ceil(count(*) / 20000.0) into found_cases, found_slices
    from restricted.bundle_case as taken
    where taken.request_id = asked.request_id;
    insert into audit.access_log (subject, about, why)
    select 'bundle', concat_ws(' ', 'request', asked.request_id, 'cases', found_cases), told.why
    from audit.access_log as told
    where told.entry_id = asked.request_id
    returning entry_id into written;
    insert into audit.bundle_taking (
        entry_id, request_id, taken_in, taken_by, taken_at, cases, slices, facts_of_build_id
    )
    values (
        written, asked.request_id, pg_current_xact_id(), assess.acting(), clock_timestamp(), found_cases, found_slices,
        facts_of
    );
    return written;
end
$$;
comment on function audit.take_bundle is
'Who asked takes a bundle that was allowed: logs it and works out what it holds; the number to read it with.';

-- A slice of a taking: its cases are those whose ids, hashes, lie from one to before another. A log row that could be
-- rolled back after the reading would log nothing.
create function audit.bundle_slice(
    entry_id bigint, slice_no integer, out request_id bigint, out from_id text, out before_id text
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    taken audit.bundle_taking;
begin
    select taking.* into taken
    from audit.bundle_taking as taking
    where
        taking.entry_id = bundle_slice.entry_id
        and taking.taken_by = assess.actor()
        and taking.taken_at > clock_timestamp() - interval '1 hour'
        and taking.taken_in is distinct from pg_current_xact_id_if_assigned();
    if not found then
        raise exception 'no bundle was taken under the number %', coalesce(bundle_slice.entry_id::text, '(none)')
            using hint = 'audit.take_bundle(request) comes first, and is committed; its number serves an hour.';
    end if;
    request_id := taken.request_id;
    from_id := lpad(to_hex(65536 * bundle_slice.slice_no / taken.slices), 4, '0');
    before_id := case
        when bundle_slice.slice_no + 1 < taken.slices
            then lpad(to_hex(65536 * (bundle_slice.slice_no + 1) / taken.slices), 4, '0')
        else 'g'
    end;
end
$$;

-- Every version of the records of a slice of the cases that the release's build saw.
create function audit.bundle_records(entry_id bigint, slice_no integer) returns setof staging.case_record
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    asked bigint;
    from_id text;
    before_id text;
begin
    select slice.* into asked, from_id, before_id
    from audit.bundle_slice(bundle_records.entry_id, bundle_records.slice_no) as slice;
    return query
    select
        sent.feed_code,
        sent.case_no,
        sent.upstream_feed_code,
        sent.upstream_case_no,
        sent.request_type,
        sent.category_code,
        null::text,  -- channel
        sent.urgency,
        sent.received_at,
        null::text,  -- title
        null::text,  -- content
        null::text,  -- address
        null::text,  -- area_code
        null::double precision,  -- longitude
        null::double precision,  -- latitude
        callers.told_as,
        null::text,  -- caller_key_id
        null::text,  -- caller_masked
        null::boolean,  -- is_confidential
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
        sent.is_deleted
    from restricted.bundle_case as taken
    inner join staging.case_record as sent on taken.feed_code = sent.feed_code and taken.case_no = sent.case_no
    inner join restricted.bundle_batch as seen on seen.request_id = asked and sent.batch_id = seen.batch_id
    left join restricted.bundle_caller as callers
        on callers.request_id = asked and sent.caller_token = callers.caller_token
    where taken.request_id = asked and taken.case_id >= from_id and taken.case_id < before_id
    order by sent.feed_code, sent.case_no, seen.order_key, sent.row_number;
end
$$;
comment on function audit.bundle_records is 'The records of a slice of a bundle, without texts, addresses and callers.';

create function audit.bundle_events(entry_id bigint, slice_no integer) returns setof staging.case_event
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    asked bigint;
    from_id text;
    before_id text;
begin
    select slice.* into asked, from_id, before_id
    from audit.bundle_slice(bundle_events.entry_id, bundle_events.slice_no) as slice;
    return query
    select
        sent.case_feed_code,
        sent.case_no,
        sent.source_event_no,
        sent.event_type,
        sent.occurred_at,
        coalesce(names.told_as, sent.unit_name),
        sent.unit_role,
        sent.due_at,
        sent.limit_kind,
        case when sent.event_type = 'MERGE' then sent.result_code end,
        case when sent.event_type in ('EXCLUDE_GRANT', 'EXCLUDE_DENY', 'VIOLATION') then sent.reason_code end,
        null::text,  -- note
        null::jsonb,  -- payload
        sent.feed_code,
        sent.batch_id,
        sent.row_number,
        (dense_rank() over (partition by sent.case_feed_code, sent.case_no order by sent.row_hash))::text,
        sent.is_deleted,
        sent.occurred_precision
    from restricted.bundle_case as taken
    inner join staging.case_event as sent on taken.feed_code = sent.case_feed_code and taken.case_no = sent.case_no
    inner join restricted.bundle_batch as seen on seen.request_id = asked and sent.batch_id = seen.batch_id
    left join restricted.bundle_name as names on names.request_id = asked and sent.unit_name = names.unit_name
    where taken.request_id = asked and taken.case_id >= from_id and taken.case_id < before_id
    order by sent.case_feed_code, sent.case_no, seen.order_key, sent.row_number;
end
$$;
comment on function audit.bundle_events is 'The events of a slice of a bundle, without notes.';

create function audit.bundle_callbacks(entry_id bigint, slice_no integer) returns setof staging.callback
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
        sent.reach_code
    from restricted.bundle_case as taken
    inner join staging.callback as sent on taken.feed_code = sent.case_feed_code and taken.case_no = sent.case_no
    inner join restricted.bundle_batch as seen on seen.request_id = asked and sent.batch_id = seen.batch_id
    left join restricted.bundle_name as names on names.request_id = asked and sent.unit_name = names.unit_name
    where taken.request_id = asked and taken.case_id >= from_id and taken.case_id < before_id
    order by sent.case_feed_code, sent.case_no, seen.order_key, sent.row_number;
end
$$;
comment on function audit.bundle_callbacks is 'The callbacks of a slice of a bundle, without reasons.';

-- What no text of the bundle tells: which case repeats which. As the facts have it.
create function audit.bundle_repeats(entry_id bigint, slice_no integer)
returns table (case_id text, repeat_of_case_id text, repeat_similarity numeric, repeat_basis text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    asked bigint;
    from_id text;
    before_id text;
begin
    select slice.* into asked, from_id, before_id
    from audit.bundle_slice(bundle_repeats.entry_id, bundle_repeats.slice_no) as slice;
    return query
    select cases.case_id, cases.repeat_of_case_id, cases.repeat_similarity, cases.repeat_basis
    from restricted.bundle_case as taken
    inner join mart.fct_case as cases on taken.case_id = cases.case_id
    where
        taken.request_id = asked
        and taken.case_id >= from_id and taken.case_id < before_id
        and cases.repeat_of_case_id is not null
    order by cases.case_id;
end
$$;
comment on function audit.bundle_repeats is 'What the cases of a slice of a bundle repeat, as the facts have it.';

revoke execute on function
audit.ask_for_bundle, audit.allow_bundle, audit.take_bundle, audit.bundle_select, audit.bundle_rename,
audit.bundle_slice, audit.bundle_records, audit.bundle_events, audit.bundle_callbacks, audit.bundle_repeats
from public;
grant execute on function
audit.ask_for_bundle, audit.allow_bundle, audit.take_bundle,
audit.bundle_records, audit.bundle_events, audit.bundle_callbacks, audit.bundle_repeats
to minhu_auditor;

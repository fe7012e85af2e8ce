-- Where each delivery of each date stands: expected, late, missing, empty or waived; arrived (a file came and could not
-- be loaded); loaded, accepted, held or refused. One view over the declarations, the manifest, the account of loads and
-- the waivers: command line, DAGs, incidents and digests read it. `audit.batch.status` stays what it is.
create table assess.delivery_waiver (
    delivery_waiver_id bigint generated always as identity primary key,
    feed_code text not null,
    delivery text,
    first_on date not null,
    last_on date not null,
    reason text not null check (btrim(reason) <> ''),
    waived_by text not null default session_user,
    waived_at timestamptz not null default clock_timestamp(),
    revokes_id bigint unique references assess.delivery_waiver,
    check (first_on <= last_on)
);
create index delivery_waiver_feed on assess.delivery_waiver (feed_code, first_on);
comment on table assess.delivery_waiver is
'送达豁免：某热线（或其一项交付）在若干日期可以不送，须有理由；不再提醒，夜间构建也不等待';
comment on column assess.delivery_waiver.delivery is 'Null: all deliveries of the feed.';
comment on column assess.delivery_waiver.revokes_id is 'A row that revokes waives nothing itself.';
create trigger stamp before insert on assess.delivery_waiver
for each row execute function assess.stamp('waived_by', 'waived_at');
create trigger append_only before update or delete or truncate on assess.delivery_waiver
for each statement execute function assess.refuse_change();
create trigger no_number before insert on assess.delivery_waiver
for each row execute function audit.refuse_number('reason');

create view assess.delivery_waiver_in_force with (security_invoker = true) as
select waiver.*
from assess.delivery_waiver as waiver
left join assess.delivery_waiver as revocation on waiver.delivery_waiver_id = revocation.revokes_id
where waiver.revokes_id is null and revocation.delivery_waiver_id is null;

create function assess.waive_delivery(
    feed_code text, first_on date, last_on date, reason text, delivery text default null
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    written bigint;
begin
    perform assess.acting();
    if not exists (
        select from config.entry
        where kind = 'delivery' and until_version is null
            and data ->> 'feed_code' = waive_delivery.feed_code
            and (waive_delivery.delivery is null or data ->> 'delivery' = waive_delivery.delivery)
    ) then
        raise exception 'no such delivery is declared: %', concat_ws('/', waive_delivery.feed_code, waive_delivery.delivery);
    end if;
    if waive_delivery.last_on > assess.city_today() + 366 then
        raise exception 'a waiver ends within a year: what never comes is not declared, or may be empty';
    end if;
    insert into assess.delivery_waiver (feed_code, delivery, first_on, last_on, reason)
    values (
        waive_delivery.feed_code, waive_delivery.delivery, waive_delivery.first_on, waive_delivery.last_on,
        assess.stated(waive_delivery.reason, 'the reason')
    )
    returning delivery_waiver_id into written;
    return written;
end
$$;

create function assess.revoke_delivery_waiver(delivery_waiver_id bigint, reason text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    meant record;
    written bigint;
begin
    perform assess.acting();
    select * into meant from assess.delivery_waiver_in_force as made
    where made.delivery_waiver_id = revoke_delivery_waiver.delivery_waiver_id;
    if not found then
        raise exception 'there is no waiver % of a delivery in force', revoke_delivery_waiver.delivery_waiver_id;
    end if;
    insert into assess.delivery_waiver (feed_code, delivery, first_on, last_on, reason, revokes_id)
    values (
        meant.feed_code, meant.delivery, meant.first_on, meant.last_on,
        assess.stated(revoke_delivery_waiver.reason, 'the reason'), meant.delivery_waiver_id
    )
    returning delivery_waiver_id into written;
    return written;
end
$$;
revoke execute on function assess.waive_delivery, assess.revoke_delivery_waiver from public;
grant execute on function assess.waive_delivery, assess.revoke_delivery_waiver to minhu_evaluator;
grant select on assess.delivery_waiver, assess.delivery_waiver_in_force to minhu_evaluator, minhu_auditor;

-- Loads that failed and that nothing has mended since. What is told of a file ends what failed with that file; what
-- failed with the source, where no file has a name, is ended by anything told later. A replay that fails leaves its
-- batch as it was.
create function audit.failed_loads(first_on date, last_on date)
returns table (
    feed_code text,
    delivery text,
    business_date date,
    source_name text,
    reason_code text,
    reason text,
    since timestamptz
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    with told as (
        select
            attempt.feed_code, attempt.delivery, attempt.business_date, attempt.source_name, attempt.attempted_at as at,
            attempt.outcome in ('failed', 'unreachable') as has_failed,
            coalesce(attempt.reason_code, 'SOURCE_AWAY') as code, attempt.reason
        from audit.attempt
        where
            attempt.business_date between failed_loads.first_on and failed_loads.last_on
            and (attempt.batch_id is null or attempt.outcome = 'already_loaded')
        union all
        select batch.feed_code, batch.delivery, batch.business_date, batch.source_name, batch.loaded_at, false, null, null
        from audit.batch
        where batch.business_date between failed_loads.first_on and failed_loads.last_on
    ),

    ended as (
        select
            told.*,
            case
                when told.source_name = '' then max(told.at) filter (where not told.has_failed) over of_delivery
                else max(told.at) filter (where not told.has_failed) over of_file
            end as ended_at,
            row_number() over (
                partition by told.feed_code, told.delivery, told.business_date, told.source_name order by told.at desc
            ) as latest
        from told
        window
            of_delivery as (partition by told.feed_code, told.delivery, told.business_date),
            of_file as (partition by told.feed_code, told.delivery, told.business_date, told.source_name)
    )

    select ended.feed_code, ended.delivery, ended.business_date, ended.source_name, ended.code, ended.reason, ended.at
    from ended
    where ended.has_failed and ended.latest = 1 and (ended.ended_at is null or ended.at > ended.ended_at)
$$;

-- The state of each declared delivery for each date of the span, and of what came without being declared. `since`: when
-- the state began; of what has not come the moment from which it is so. A date before its declaration is not waited
-- for; but of what was declared from the beginning the dates of which anything came. `is_late`: the first batch came
-- after it was due.
create function audit.deliveries(first_on date, last_on date)
returns table (
    feed_code text,
    delivery text,
    kind text,
    business_date date,
    state text,
    since timestamptz,
    due_at timestamptz,
    missing_at timestamptz,
    is_mandatory boolean,
    is_late boolean,
    batches bigint,
    reason_code text,
    reason text
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    with declared as (
        select
            entry.data ->> 'feed_code' as feed_code,
            entry.data ->> 'delivery' as delivery,
            entry.data ->> 'kind' as kind,
            begun.on_day - 1 as from_on,
            begun.is_first,
            coalesce(terms.data ->> 'timezone', mart.city_zone()) as zone,
            coalesce((terms.data ->> 'due_days')::integer, 1) as due_days,
            coalesce(terms.data ->> 'due_time', '06:00')::time as due_time,
            coalesce((terms.data ->> 'grace_minutes')::integer, 120) * interval '1 minute' as grace,
            coalesce((terms.data ->> 'mandatory')::boolean, true) as is_mandatory,
            coalesce((terms.data ->> 'may_be_empty')::boolean, false) as may_be_empty
        from config.entry
        left join config.entry as terms
            on entry.key = terms.key and terms.kind = 'arrival' and terms.until_version is null
        inner join (
            select first.kind, first.key, (min(version.loaded_at) at time zone mart.city_zone())::date as on_day,
                min(version.config_version) = (select min(all_of.config_version) from config.version as all_of)
                    as is_first
            from config.entry as first
            inner join config.version on first.since_version = version.config_version
            where first.kind = 'delivery'
            group by first.kind, first.key
        ) as begun on entry.kind = begun.kind and entry.key = begun.key
        where entry.kind = 'delivery' and entry.until_version is null
    ),

    came as (
        select
            batch.feed_code,
            batch.delivery,
            batch.business_date,
            min(batch.kind) as kind,
            count(*) as batches,
            count(*) filter (where batch.status = 'held') as held,
            count(*) filter (where batch.status = 'loaded') as loaded,
            count(*) filter (where batch.status = 'accepted') as accepted,
            min(batch.loaded_at) as first_at,
            max(coalesce(verdict.decided_at, batch.loaded_at)) as told_at,
            string_agg(distinct batch.reason_code, ', ') filter (where batch.status in ('held', 'refused')) as code,
            string_agg(distinct batch.reason, '; ') filter (where batch.status in ('held', 'refused')) as reason
        from audit.batch
        left join (
            select batch_id, max(decided_at) as decided_at from audit.batch_verdict group by batch_id
        ) as verdict on batch.batch_id = verdict.batch_id
        where
            batch.status <> 'superseded'
            and batch.business_date between deliveries.first_on and deliveries.last_on
        group by batch.feed_code, batch.delivery, batch.business_date
    ),

    failed as (
        select
            told.feed_code,
            told.delivery,
            told.business_date,
            max(told.since) filter (where told.source_name <> '') as arrived_at,
            max(told.since) as since,
            string_agg(distinct told.reason_code, ', ') as code,
            string_agg(distinct told.reason, '; ') as reason
        from audit.failed_loads(deliveries.first_on, deliveries.last_on) as told
        group by told.feed_code, told.delivery, told.business_date
    ),

    looked as (
        select attempt.feed_code, attempt.delivery, attempt.business_date, max(attempt.attempted_at) as at
        from audit.attempt
        where
            attempt.outcome = 'nothing_delivered'
            and attempt.business_date between deliveries.first_on and deliveries.last_on
        group by attempt.feed_code, attempt.delivery, attempt.business_date
    ),

    listed as (
        select declared.feed_code, declared.delivery, days.day_on::date as business_date
        from declared
        cross join lateral generate_series(
            deliveries.first_on::timestamp, deliveries.last_on::timestamp, interval '1 day'
        ) as days (day_on)
        where
            days.day_on >= declared.from_on
            or (declared.is_first and days.day_on::date in (select came.business_date from came))
        union
        select came.feed_code, came.delivery, came.business_date from came
        union
        select failed.feed_code, failed.delivery, failed.business_date from failed
        where failed.delivery <> '*'
    ),

    placed as (
        select
            listed.*,
            coalesce(declared.kind, came.kind) as kind,
            (listed.business_date + declared.due_days + declared.due_time) at time zone declared.zone as due_at,
            (listed.business_date + declared.due_days + declared.due_time) at time zone declared.zone + declared.grace
                as missing_at,
            coalesce(declared.is_mandatory, false) as is_mandatory,
            coalesce(declared.may_be_empty, true) as may_be_empty,
            came.batches, came.held, came.loaded, came.accepted, came.first_at, came.told_at,
            came.code as came_code, came.reason as came_reason,
            failed.arrived_at, failed.since as failed_at, failed.code as failed_code, failed.reason as failed_reason,
            looked.at as looked_at,
            waived.waived_at,
            waived.reason as waived_reason
        from listed
        left join declared on listed.feed_code = declared.feed_code and listed.delivery = declared.delivery
        left join came
            on
                listed.feed_code = came.feed_code and listed.delivery = came.delivery
                and listed.business_date = came.business_date
        left join failed
            on
                listed.feed_code = failed.feed_code and listed.delivery = failed.delivery
                and listed.business_date = failed.business_date
        left join looked
            on
                listed.feed_code = looked.feed_code and listed.delivery = looked.delivery
                and listed.business_date = looked.business_date
        left join lateral (
            select waiver.waived_at, waiver.reason
            from assess.delivery_waiver_in_force as waiver
            where
                waiver.feed_code = listed.feed_code
                and (waiver.delivery is null or waiver.delivery = listed.delivery)
                and listed.business_date between waiver.first_on and waiver.last_on
            order by waiver.delivery_waiver_id desc
            limit 1
        ) as waived on true
    ),

    judged as (
        select
            placed.*,
            case
                when placed.arrived_at is not null then 'arrived'
                when placed.held > 0 then 'held'
                when placed.loaded > 0 then 'loaded'
                when placed.accepted > 0 then 'accepted'
                when placed.batches > 0 then 'refused'
                when placed.waived_at is not null then 'waived'
                when placed.due_at is null or placed.due_at > clock_timestamp() then 'expected'
                when placed.may_be_empty and placed.looked_at >= placed.due_at then 'empty'
                when placed.missing_at > clock_timestamp() then 'late'
                when placed.may_be_empty then 'empty'
                else 'missing'
            end as state
        from placed
    )

    select
        judged.feed_code,
        judged.delivery,
        judged.kind,
        judged.business_date,
        judged.state,
        case judged.state
            when 'arrived' then judged.arrived_at
            when 'waived' then judged.waived_at
            when 'expected' then (judged.business_date + 1)::timestamp at time zone mart.city_zone()
            when 'late' then judged.due_at
            when 'empty' then judged.due_at
            when 'missing' then judged.missing_at
            else judged.told_at
        end,
        judged.due_at,
        judged.missing_at,
        judged.is_mandatory,
        coalesce(judged.first_at > judged.due_at, judged.state in ('late', 'missing')),
        coalesce(judged.batches, 0),
        coalesce(judged.failed_code, judged.came_code),
        coalesce(judged.failed_reason, judged.came_reason, judged.waived_reason)
    from judged
$$;
comment on function audit.deliveries is
'送达状态 — The state of every delivery for each business date of a span, since when, and why.';

create view audit.delivery_state as
select * from audit.deliveries(
    (select min(business_date) from audit.batch),
    ((clock_timestamp() at time zone mart.city_zone())::date - 1)
);
comment on view audit.delivery_state is
'送达状态 — The state of every delivery since the first batch, up to yesterday: see audit.deliveries for a span.';
revoke execute on function audit.failed_loads, audit.deliveries from public;
grant execute on function audit.failed_loads, audit.deliveries
to minhu_evaluator, minhu_auditor, minhu_work, minhu_engineer;
grant select on audit.delivery_state to minhu_evaluator, minhu_auditor, minhu_work, minhu_engineer;

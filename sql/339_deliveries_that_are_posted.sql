-- A sender posts the deliveries of its own feeds and sees what became of them, and nothing else. A posted delivery is a
-- job: its row says who posted which bytes for what, the runner loads them by the door that every file comes through.
do $$
begin
    if not exists (select from pg_roles where rolname = 'minhu_sender') then
        create role minhu_sender nologin;
    end if;
exception when duplicate_object or unique_violation then
    null;  -- another database of this cluster is being migrated at this very moment
end
$$;
do $$
begin
    execute format('grant connect on database %I to minhu_sender', current_database());
end
$$;
grant usage on schema portal to minhu_sender;

create or replace function audit.sessions_of_group(of_group text) returns integer
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select case of_group
        when 'minhu_bi' then 40
        when 'minhu_unit' then 40
        when 'minhu_evaluator' then 40
        when 'minhu_auditor' then 20
        when 'minhu_engineer' then 20
        when 'minhu_sender' then 20
        when 'minhu_signin' then 5
    end
$$;

create table assess.sender (
    sender_id bigint generated always as identity primary key,
    login text not null,
    role_oid oid not null,
    feed_code text not null,
    is_active boolean not null,
    added_by text not null,
    added_at timestamptz not null default clock_timestamp()
);
comment on table assess.sender is '报送账号可送的来源：只增不改，最新一行为准';
comment on column assess.sender.role_oid is 'A login made anew under an old name sends for no feed.';
create index sender_login on assess.sender (login, feed_code, sender_id desc);
create trigger stamp before insert on assess.sender
for each row execute function assess.stamp('added_by', 'added_at');
create trigger append_only before update or delete or truncate on assess.sender
for each statement execute function assess.refuse_change();

create function assess.feeds_of(login text) returns text[]
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(array_agg(newest.feed_code order by newest.feed_code), '{}')
    from (
        select distinct on (told.feed_code) told.feed_code, told.is_active
        from assess.sender as told
        inner join pg_roles on pg_roles.oid = told.role_oid and pg_roles.rolname = told.login
        where told.login = feeds_of.login
        order by told.feed_code asc, told.sender_id desc
    ) as newest
    where newest.is_active
$$;
comment on function assess.feeds_of is 'The feeds whose deliveries a login may post.';

create function assess.set_sender(login text, feed_code text, is_active boolean default true) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    written bigint;
begin
    if not 'minhu_sender' = any(portal.groups_of(set_sender.login)) then
        raise exception 'the login % is of no sender', quote_literal(set_sender.login);
    end if;
    if set_sender.is_active and not exists (
        select from config.entry
        where kind = 'delivery' and until_version is null and split_part(key, '/', 1) = set_sender.feed_code
    ) then
        raise exception 'no feed has the code %', coalesce(quote_literal(set_sender.feed_code), '(none)');
    end if;
    insert into assess.sender (login, role_oid, feed_code, is_active)
    values (set_sender.login, set_sender.login::regrole, set_sender.feed_code, set_sender.is_active)
    returning sender_id into written;
    return written;
end
$$;
comment on function assess.set_sender is 'Says that a login posts the deliveries of a feed, or does so no longer.';

create or replace function portal.open_session(
    login text, token_hash bytea, lasts interval default '8 hours'
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    written bigint;
begin
    if octet_length(token_hash) is distinct from 32 then
        raise exception 'a session is opened with the sha256 of its token: 32 bytes';
    end if;
    if lasts is null or lasts <= interval '0' or lasts > interval '24 hours' then
        raise exception 'a session lasts up to 24 hours, not %', coalesce(lasts::text, 'for ever');
    end if;
    if not portal.groups_of(login)
        && array['minhu_bi', 'minhu_evaluator', 'minhu_auditor', 'minhu_unit', 'minhu_engineer', 'minhu_sender']
        or portal.groups_of(login) && array['minhu_portal', 'minhu_signin']
    then
        raise exception 'there is no person with the login %', coalesce(quote_literal(login), '(none)');
    end if;
    insert into portal.session (token_hash, login, role_oid, opened_by, expires_at)
    values (
        open_session.token_hash, open_session.login, open_session.login::regrole, assess.acting(),
        clock_timestamp() + lasts
    )
    returning session_id into written;
    return written;
end
$$;

-- Loading is one more act of a job. What is posted is loaded beside what takes long, never behind it.
alter table portal.job drop constraint job_act_check;
alter table portal.job add constraint job_act_check
check (act in ('close', 'revise', 'publish', 'verify', 'export', 'simulate', 'report', 'deliver'));

create or replace function portal.may_ask(act text, login text) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select portal.groups_of(may_ask.login) && case may_ask.act
        when 'close' then array['minhu_evaluator']
        when 'revise' then array['minhu_evaluator']
        when 'publish' then array['minhu_evaluator']
        when 'simulate' then array['minhu_evaluator']
        when 'verify' then array['minhu_evaluator', 'minhu_auditor']
        when 'report' then array['minhu_auditor']
        when 'export' then array['minhu_evaluator', 'minhu_auditor', 'minhu_unit']
        when 'deliver' then array['minhu_sender']
        else array[]::text[]
    end
$$;

create or replace function portal.ask_job(
    act text, parameters jsonb, idempotency_key text, content_hash text default null
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    begun portal.acting;
    known portal.job;
    written bigint;
    many integer := case ask_job.act when 'deliver' then 200 else 5 end;
begin
    perform assess.acting();
    select acting.* into begun
    from portal.acting
    where acting.pid = pg_backend_pid() and acting.xid = pg_current_xact_id_if_assigned();
    if not found or begun.job_id is not null then
        raise exception 'a job is asked for by a person who has signed in';
    end if;
    if not portal.may_ask(ask_job.act, begun.login) then
        raise insufficient_privilege using message = format('the login %s may not ask for %s', begun.login, ask_job.act);
    end if;
    if ask_job.act = 'deliver' and (
        not coalesce(ask_job.parameters ->> 'feed' = any(assess.feeds_of(begun.login)), false)
        or ask_job.content_hash is distinct from ask_job.parameters ->> 'sha256'
    ) then
        raise insufficient_privilege using message = format(
            'the login %s sends nothing for the feed %s', begun.login, ask_job.parameters ->> 'feed'
        );
    end if;
    select job.* into known
    from portal.job
    where job.asked_by = begun.login and job.idempotency_key = ask_job.idempotency_key;
    if found then
        if (known.act, known.parameters) is distinct from (ask_job.act, ask_job.parameters) then
            raise exception 'this key was used for another job already';
        end if;
        return known.job_id;
    end if;
    if (
        select count(*) from portal.job where job.asked_by = begun.login and job.finished_at is null
    ) >= many then
        raise exception '% jobs of yours are waiting or running: wait for one of them', many;
    end if;
    insert into portal.job (
        act, parameters, idempotency_key, content_hash, asked_by, role_oid, session_id, key_id
    )
    values (
        ask_job.act, ask_job.parameters, ask_job.idempotency_key, ask_job.content_hash, begun.login,
        begun.login::regrole, begun.session_id, begun.key_id
    )
    returning job_id into written;
    return written;
end
$$;

-- The same bytes for the same delivery and date are one job, until one has failed: then they may be sent again. A trial
-- is made anew each time: the declaration may have changed.
create function portal.post_delivery(parameters jsonb) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    what text := encode(sha256(convert_to(post_delivery.parameters::text, 'UTF8')), 'hex');
    time_of text;
begin
    perform audit.hold('minhu:posted');
    if (post_delivery.parameters ->> 'is_trial')::boolean then
        time_of := gen_random_uuid()::text;
    else
        select count(*)::text into time_of
        from portal.job
        where
            job.asked_by = portal.actor()
            and job.state in ('refused', 'failed')
            and starts_with(job.idempotency_key, left(what, 60) || ':');
    end if;
    return portal.ask_job(
        'deliver', post_delivery.parameters, left(what, 60) || ':' || time_of, post_delivery.parameters ->> 'sha256'
    );
end
$$;
comment on function portal.post_delivery is
'Asks that the landed bytes of a delivery be loaded, or tried; its receipt.';

-- A delivery was received when its receipt was given: who signs out after that has not taken it back.
create or replace function portal.stands(of_job portal.job) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select case
        when not exists (
            select from pg_roles where pg_roles.oid = of_job.role_oid and pg_roles.rolname = of_job.asked_by
        ) then 'the login that asked is gone'
        when not portal.may_ask(of_job.act, of_job.asked_by) then 'who asked may not do this any more'
        when of_job.act = 'deliver' and not of_job.parameters ->> 'feed' = any(assess.feeds_of(of_job.asked_by))
            then 'who asked may not do this any more'
        when of_job.act <> 'deliver' and exists (
            select from portal.session as open where open.session_id = of_job.session_id and open.ended_at is not null
        ) then 'the session that asked was ended'
        when exists (
            select from portal.api_key as held where held.key_id = of_job.key_id and held.revoked_at is not null
        ) then 'the key that asked was revoked'
    end
$$;

drop function portal.job_waits();
create function portal.job_waits(is_delivery boolean) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from portal.job
        where
            job.finished_at is null
            and (job.act = 'deliver') = job_waits.is_delivery
            and (job.state = 'waiting' or job.heard_at < clock_timestamp() - interval '60 seconds')
    )
$$;
comment on function portal.job_waits is 'Whether a job of this lane waits for a runner, or its runner is dead.';

drop function portal.claim_job(text);
create function portal.claim_job(claim text, is_delivery boolean default false) returns setof portal.job
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    taken bigint;
begin
    if length(coalesce(claim_job.claim, '')) < 16 then
        raise exception 'a claim is a secret of 16 letters or more';
    end if;
    loop
        select job.job_id into taken
        from portal.job
        where
            (job.act = 'deliver') = claim_job.is_delivery
            and (
                job.state = 'waiting'
                or (job.state = 'running' and job.heard_at < clock_timestamp() - interval '60 seconds')
            )
        order by job.job_id
        limit 1
        for update skip locked;
        if taken is null then
            return;
        end if;
        update portal.job set state = 'refused', why = coalesce(portal.stands(job), 'it was begun five times'),
            finished_at = clock_timestamp()
        where job.job_id = taken and (portal.stands(job) is not null or job.claims >= 5);
        exit when not found;
    end loop;
    return query
    update portal.job set state = 'running', claim = claim_job.claim, claims = job.claims + 1,
        heard_at = clock_timestamp(), progress = null
    where job.job_id = taken
    returning job.*;
end
$$;
comment on function portal.claim_job is 'The oldest job of its lane that nobody does, or whose runner is dead.';

create function portal.own_feeds() returns text[]
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select assess.feeds_of(portal.reader())
$$;
comment on function portal.own_feeds is 'The feeds whose deliveries whoever asks may post.';

create function portal.own_deliveries(first_date date, last_date date)
returns table (
    feed_code text, feed_name text, delivery text, business_date date, state text, since timestamptz,
    due_at timestamptz, is_late boolean, reason text
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select
        told.feed_code, coalesce(feeds.feed_name, told.feed_code), told.delivery, told.business_date, told.state,
        told.since, told.due_at, told.is_late, told.reason
    from audit.deliveries(
        own_deliveries.first_date, least(own_deliveries.last_date, own_deliveries.first_date + 31)
    ) as told
    left join mart.dim_feed as feeds on told.feed_code = feeds.feed_code
    where told.feed_code = any((select portal.own_feeds())::text[])
    order by told.business_date desc, told.feed_code, told.delivery
$$;
comment on function portal.own_deliveries is 'Where the deliveries of one''s own feeds stand.';

create function portal.own_receipts(most integer default 50, before bigint default null)
returns table (
    receipt bigint, feed_code text, delivery text, business_date date, name text, sha256 text, bytes bigint,
    declared_rows bigint, is_trial boolean, posted_at timestamptz, finished_at timestamptz, state text, why text,
    outcome text, batch_id bigint, batch_status text, reason_code text, batch_reason text, received bigint,
    staged bigint, duplicates bigint, filtered bigint, rejected bigint, rejected_by jsonb, trial jsonb
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select
        told.job_id,
        told.parameters ->> 'feed',
        told.parameters ->> 'delivery',
        (told.parameters ->> 'business_date')::date,
        told.parameters ->> 'name',
        told.parameters ->> 'sha256',
        (told.parameters ->> 'bytes')::bigint,
        (told.parameters ->> 'rows')::bigint,
        (told.parameters ->> 'is_trial')::boolean,
        told.asked_at,
        told.finished_at,
        told.state,
        told.why,
        told.result ->> 'outcome',
        batch.batch_id,
        batch.status,
        batch.reason_code,
        batch.reason,
        batch.received_rows::bigint,
        batch.staged_rows::bigint,
        batch.duplicate_rows::bigint,
        batch.filtered_rows::bigint,
        batch.rejected_rows::bigint,
        (
            select jsonb_agg(
                jsonb_build_object(
                    'reason_code', why.reason_code, 'column', why.column_name, 'rows', why.many,
                    'first_rows', why.first_rows
                )
                order by why.many desc, why.reason_code, why.column_name
            )
            from (
                select
                    row.reason_code, row.column_name, count(*) as many,
                    (array_agg(row.row_number order by row.row_number))[1:5] as first_rows
                from restricted.rejected_row as row
                where row.batch_id = batch.batch_id
                group by row.reason_code, row.column_name
            ) as why
        ),
        told.result -> 'trial'
    from portal.job as told
    left join audit.batch
        on
            batch.batch_id = (told.result ->> 'batch_id')::bigint
            and batch.feed_code = told.parameters ->> 'feed'
    where
        told.act = 'deliver'
        and assess.person_of(told.asked_by) = assess.actor()
        and (own_receipts.before is null or told.job_id < own_receipts.before)
    order by told.job_id desc
    limit own_receipts.most
$$;
comment on function portal.own_receipts is
'What became of the deliveries that whoever asks has posted, the newest first.';
create index job_deliveries on portal.job (asked_by, job_id) where act = 'deliver';

drop function portal.people();
create function portal.people()
returns table (
    login text, belongs_to text, is_of_the_portal boolean, person text, name text, office text, units text[],
    feeds text[], has_second_factor boolean, signs boolean, open_sessions bigint, keys bigint, deciding_keys bigint,
    last_key_ends timestamptz, last_signed_in timestamptz
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select
        member.rolname::text,
        substr(grp.rolname, 7),
        'minhu_portal' = any(portal.groups_of(member.rolname::text)),
        assess.person_of(member.rolname::text),
        named.name,
        named.office,
        coalesce((
            select array_agg(told.unit_code order by told.unit_code)
            from assess.unit_login_in_force as told where told.login = member.rolname
        ), '{}'),
        assess.feeds_of(member.rolname::text),
        exists (
            select from portal.factor as told
            where told.login = member.rolname and told.role_oid = member.oid and told.confirmed_at is not null
        ),
        assess.key_of(member.rolname::text) is not null,
        (
            select count(*) from portal.session as told
            where
                told.login = member.rolname
                and told.role_oid = member.oid
                and told.ended_at is null
                and told.expires_at > clock_timestamp()
        ),
        keys.made,
        keys.deciding,
        keys.ends,
        (
            select max(told.opened_at) from portal.session as told
            where told.login = member.rolname and told.role_oid = member.oid
        )
    from pg_roles as member
    inner join pg_roles as grp
        on
            grp.rolname in (
                'minhu_bi', 'minhu_evaluator', 'minhu_auditor', 'minhu_unit', 'minhu_engineer', 'minhu_sender'
            )
            and pg_has_role(member.oid, grp.oid, 'usage')
    left join lateral (
        select told.name, told.office from assess.person as told
        where assess.person_of(told.login) = assess.person_of(member.rolname::text)
        order by told.person_id desc limit 1
    ) as named on true
    cross join lateral (
        select count(*) as made, count(*) filter (where told.may_decide) as deciding, max(told.expires_at) as ends
        from portal.api_key as told
        where
            told.login = member.rolname
            and told.role_oid = member.oid
            and told.revoked_at is null
            and told.expires_at > clock_timestamp()
    ) as keys
    where
        member.rolcanlogin
        and not member.rolsuper
        and member.rolname !~ '^minhu'
        and (member.rolvaliduntil is null or member.rolvaliduntil > clock_timestamp())
    order by 2, 1
$$;
comment on function portal.people is
'Every login of a group: whose it is, for whom it speaks or sends, what it signs with and comes in by.';

revoke execute on function
assess.feeds_of, assess.set_sender, portal.post_delivery, portal.job_waits, portal.claim_job, portal.own_feeds,
portal.own_deliveries, portal.own_receipts, portal.people
from public;
grant execute on function portal.people to minhu_auditor, minhu_engineer;
grant execute on function assess.feeds_of to minhu_auditor, minhu_evaluator, minhu_engineer;
grant select on assess.sender to minhu_auditor;
grant execute on function portal.job_waits, portal.claim_job to minhu_work;
grant execute on function portal.own_feeds, portal.own_deliveries, portal.own_receipts, portal.post_delivery
to minhu_sender;
grant execute on function assess.actor, assess.acting to minhu_sender;

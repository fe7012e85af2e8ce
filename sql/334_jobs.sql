-- What takes long is asked for and done by a runner: a row, written by the asker in a verified transaction, with an act
-- of a closed list and its parameters, never SQL. The runner computes; what is decided is decided in one last
-- transaction, in which the asker is the actor if he still has the right and what he asked for still stands.
create table portal.job (
    job_id bigint generated always as identity primary key,
    act text not null check (act in ('close', 'revise', 'publish', 'verify', 'export', 'simulate', 'report')),
    parameters jsonb not null check (jsonb_typeof(parameters) = 'object'),
    idempotency_key text not null check (length(idempotency_key) between 8 and 100),
    content_hash text,
    asked_by text not null,
    role_oid oid not null,
    session_id bigint references portal.session,
    key_id bigint references portal.api_key,
    asked_at timestamptz not null default clock_timestamp(),
    state text not null default 'waiting' check (state in ('waiting', 'running', 'done', 'refused', 'failed')),
    claim text,
    claims integer not null default 0,
    heard_at timestamptz,
    progress text,
    result jsonb,
    why text,
    finished_at timestamptz,
    unique (asked_by, idempotency_key),
    check ((state in ('waiting', 'running')) = (finished_at is null)),
    check (state <> 'running' or claim is not null)
);
comment on table portal.job is '门户的任务：由人提出，由运行器计算，决定仍由本人作出';
comment on column portal.job.content_hash is 'Of what the asker saw, where the act is about that.';
comment on column portal.job.claim is 'What the runner that has it proves it by.';
create index job_waiting on portal.job (job_id) where finished_at is null;

-- Who may ask for what: by the group of the login that asks.
create function portal.may_ask(act text, login text) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select portal.groups_of(may_ask.login) && case may_ask.act
        when 'close' then array['minhu_evaluator']
        when 'revise' then array['minhu_evaluator']
        when 'publish' then array['minhu_evaluator']
        when 'simulate' then array['minhu_evaluator']
        when 'verify' then array['minhu_evaluator', 'minhu_auditor']
        when 'report' then array['minhu_auditor']
        when 'export' then array['minhu_evaluator', 'minhu_auditor', 'minhu_unit']
        else array[]::text[]
    end
$$;

create function portal.ask_job(
    act text, parameters jsonb, idempotency_key text, content_hash text default null
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    begun portal.acting;
    known portal.job;
    written bigint;
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
    select job.* into known
    from portal.job
    where job.asked_by = begun.login and job.idempotency_key = ask_job.idempotency_key;
    if found then
        if (known.act, known.parameters) is distinct from (ask_job.act, ask_job.parameters) then
            raise exception 'this key was used for another job already';
        end if;
        return known.job_id;
    end if;
    if (select count(*) from portal.job where job.asked_by = begun.login and job.finished_at is null) >= 5 then
        raise exception 'five jobs of yours are waiting or running: wait for one of them';
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
comment on function portal.ask_job is 'Asks for what takes long; the same key gives the same job.';

-- What the asker asked by must not have been ended since: a session that expired by itself may.
create function portal.stands(of_job portal.job) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select case
        when not exists (
            select from pg_roles where pg_roles.oid = of_job.role_oid and pg_roles.rolname = of_job.asked_by
        ) then 'the login that asked is gone'
        when not portal.may_ask(of_job.act, of_job.asked_by) then 'who asked may not do this any more'
        when exists (
            select from portal.session as open where open.session_id = of_job.session_id and open.ended_at is not null
        ) then 'the session that asked was ended'
        when exists (
            select from portal.api_key as held where held.key_id = of_job.key_id and held.revoked_at is not null
        ) then 'the key that asked was revoked'
    end
$$;

create function portal.job_waits() returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from portal.job
        where
            job.finished_at is null
            and (job.state = 'waiting' or job.heard_at < clock_timestamp() - interval '60 seconds')
    )
$$;
comment on function portal.job_waits is 'Whether a job waits for a runner, or its runner is dead.';

create function portal.claim_job(claim text) returns setof portal.job
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    taken bigint;
begin
    if length(coalesce(claim_job.claim, '')) < 16 then
        raise exception 'a claim is a secret of 16 letters or more';
    end if;
    select job.job_id into taken
    from portal.job
    where
        job.state = 'waiting'
        or (job.state = 'running' and job.heard_at < clock_timestamp() - interval '60 seconds')
    order by job.job_id
    limit 1
    for update skip locked;
    if taken is null then
        return;
    end if;
    update portal.job set state = 'refused', why = coalesce(portal.stands(job), 'it was begun five times'),
        finished_at = clock_timestamp()
    where job.job_id = taken and (portal.stands(job) is not null or job.claims >= 5);
    if found then
        return;
    end if;
    return query
    update portal.job set state = 'running', claim = claim_job.claim, claims = job.claims + 1,
        heard_at = clock_timestamp(), progress = null
    where job.job_id = taken
    returning job.*;
end
$$;
comment on function portal.claim_job is 'The oldest job that nobody does, or whose runner is dead, for this claim.';

create function portal.tell_job(job_id bigint, claim text, progress text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    -- while it decides, its row is held: then nothing is told, and nobody waits
    perform from portal.job
    where job.job_id = tell_job.job_id and job.claim = tell_job.claim and job.state = 'running'
    for update skip locked;
    if not found then
        return false;
    end if;
    update portal.job set heard_at = clock_timestamp(), progress = coalesce(left(tell_job.progress, 500), job.progress)
    where job.job_id = tell_job.job_id;
    return true;
end
$$;
comment on function portal.tell_job is 'How far it is; false where it is held, or another runner''s by now.';

-- The asker acts, or reads, in this transaction: of the runner's own connection, or of the portal's for his group.
create function portal.begin_job(job_id bigint, claim text) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    held portal.job;
    broken text;
begin
    select job.* into held
    from portal.job
    where job.job_id = begin_job.job_id and job.claim = begin_job.claim and job.state = 'running'
    for share;
    if not found then
        raise exception 'the job % is not this runner''s', begin_job.job_id;
    end if;
    broken := portal.stands(held);
    if broken is not null then
        raise exception '%', broken;
    end if;
    if portal.is_asked()
        and not array_remove(portal.groups_of(session_user::text), 'minhu_portal') && portal.groups_of(held.asked_by)
    then
        raise exception 'the job % is asked by another group', begin_job.job_id;
    end if;
    if portal.reader() is not null then
        raise exception 'this transaction has begun for somebody already: one transaction is one person''s';
    end if;
    insert into portal.acting as before (pid, xid, login, session_id, key_id, may_decide, job_id)
    values (
        pg_backend_pid(), pg_current_xact_id(), held.asked_by, held.session_id, held.key_id, true, held.job_id
    )
    on conflict (pid) do update set
        xid = excluded.xid, login = excluded.login, session_id = excluded.session_id, key_id = excluded.key_id,
        may_decide = excluded.may_decide, job_id = excluded.job_id;
    return held.asked_by;
end
$$;
comment on function portal.begin_job is 'Says that this transaction is that of the person who asked for the job.';

create function portal.finish_job(job_id bigint, claim text, state text, why text, result jsonb) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if finish_job.state not in ('done', 'refused', 'failed') then
        raise exception 'a job ends done, refused or failed';
    end if;
    update portal.job set state = finish_job.state, why = left(finish_job.why, 2000), result = finish_job.result,
        finished_at = clock_timestamp()
    where job.job_id = finish_job.job_id and job.claim = finish_job.claim and job.state = 'running';
    return found;
end
$$;
comment on function portal.finish_job is 'Ends a job; false where it is another runner''s by now.';

-- Who acts on a connection of the runner's own is the person of the job that its transaction has begun.
create function portal.job_actor() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select begun.login
    from portal.acting as begun
    where
        begun.pid = pg_backend_pid()
        and begun.xid = pg_current_xact_id_if_assigned()
        and begun.job_id is not null
$$;

create or replace function assess.asking_login() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select
        case
            when portal.is_asked() then portal.reader()
            when assess.authenticated() = session_user then coalesce(portal.job_actor(), session_user::text)
        end
$$;

create function portal.own_jobs(most integer default 50)
returns table (
    job_id bigint, act text, parameters jsonb, asked_by text, asked_at timestamptz, state text, progress text,
    result jsonb, why text, finished_at timestamptz
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select
        told.job_id, told.act, told.parameters, told.asked_by, told.asked_at, told.state, told.progress, told.result,
        told.why, told.finished_at
    from portal.job as told
    where assess.person_of(told.asked_by) = assess.actor()
    order by told.job_id desc
    limit own_jobs.most
$$;
comment on function portal.own_jobs is 'The jobs of whoever asks, the newest first.';

revoke execute on function
portal.may_ask, portal.ask_job, portal.stands, portal.job_waits, portal.claim_job, portal.tell_job, portal.begin_job,
portal.finish_job, portal.job_actor, portal.own_jobs
from public;
grant usage on schema portal to minhu_work;
grant execute on function publish.may_approve to minhu_work;
grant execute on function portal.ask_job, portal.own_jobs to minhu_portal;
grant execute on function
portal.job_waits, portal.claim_job, portal.tell_job, portal.begin_job, portal.finish_job
to minhu_work;
grant execute on function portal.begin_job to minhu_portal;

-- What people waive: a warning that stands, or what a rule that says so leaves out. Like every decision it is a row
-- that nobody changes: login and clock are the database's, the reason and the day on which it ends are mandatory.
create table assess.waiver (
    waiver_id bigint generated always as identity primary key,
    rule_id text not null,
    feed_code text,
    scheme_id text,
    period text check (period ~ '^20[0-9]{2}(-[0-9A-Z]{1,3})?$'),
    reason text not null check (btrim(reason) <> ''),
    expires_on date not null,
    waived_by text not null default session_user,
    waived_at timestamptz not null default clock_timestamp(),
    revokes_waiver_id bigint unique references assess.waiver,
    constraint of_a_feed_or_of_a_period
    check ((feed_code is null) <> (period is null) and (period is null) = (scheme_id is null))
);
create index waiver_rule on assess.waiver (rule_id);
comment on table assess.waiver is '豁免：对未通过的提示性规则的处置，须有理由与到期日';
comment on column assess.waiver.expires_on is 'Last day on which it holds.';
comment on column assess.waiver.revokes_waiver_id is 'A row that revokes waives nothing itself.';
create trigger stamp before insert on assess.waiver
for each row execute function assess.stamp('waived_by', 'waived_at');
create trigger append_only before update or delete or truncate on assess.waiver
for each statement execute function assess.refuse_change();

create function assess.city_today() returns date
language sql stable set search_path = pg_catalog, pg_temp as $$
    select (clock_timestamp() at time zone 'Asia/Shanghai')::date
$$;

create view assess.waiver_in_force with (security_invoker = true) as
select
    waiver.waiver_id,
    waiver.rule_id,
    waiver.feed_code,
    waiver.scheme_id,
    waiver.period,
    waiver.reason,
    waiver.expires_on,
    waiver.waived_by,
    waiver.waived_at
from assess.waiver
left join assess.waiver as revocation on waiver.waiver_id = revocation.revokes_waiver_id
where
    waiver.revokes_waiver_id is null
    and revocation.waiver_id is null
    and waiver.expires_on >= (clock_timestamp() at time zone 'Asia/Shanghai')::date;

-- `quality` of city.yml as it holds on a day: escalate_after_days, waive_at_most_days, waivable.
create function assess.quality_terms(on_day date) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select entry.data
    from config.entry
    where entry.kind = 'quality' and entry.until_version is null and (entry.data ->> 'valid_from')::date <= on_day
    order by (entry.data ->> 'valid_from')::date desc
    limit 1
$$;

create function assess.waive(
    rule_id text,
    reason text,
    expires_on date,
    feed_code text default null,
    scheme_id text default null,
    period text default null
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    terms jsonb := coalesce(assess.quality_terms(assess.city_today()), '{}');
    is_waivable boolean := coalesce(terms -> 'waivable' ? waive.rule_id, false);
    judged record;
    standing record;
    written bigint;
begin
    perform pg_advisory_xact_lock(hashtextextended('minhu:assess', 0));
    select result.severity, run.gate into judged
    from audit.quality_result as result
    inner join audit.quality_run as run on result.quality_run_id = run.quality_run_id
    where result.rule_id = waive.rule_id
    order by result.quality_run_id desc
    limit 1;
    if not found then
        raise exception 'no gate has judged by a rule %', coalesce(quote_literal(waive.rule_id), '(none)');
    end if;
    if judged.severity = 'critical' and not is_waivable then
        raise exception 'the rule % is critical: %', waive.rule_id, case judged.gate
            when 'arrival' then 'a batch that it holds is released (`minhu quality release`), not waived'
            else 'what it finds is mended, not waived' end;
    end if;
    if judged.severity = 'info' then
        raise exception 'the rule % only informs: there is nothing to waive', waive.rule_id;
    end if;
    if (waive.feed_code is null) = (waive.period is null) or (waive.period is null) <> (waive.scheme_id is null) then
        raise exception 'a waiver is for one feed, or for one scheme and period';
    end if;
    if judged.gate = 'arrival' and waive.feed_code is null then
        raise exception 'the rule % judges batches: name the feed', waive.rule_id;
    end if;
    if judged.gate = 'release' and waive.period is null and not is_waivable then
        raise exception 'the rule % judges a period: name its scheme and the period', waive.rule_id;
    end if;
    if waive.feed_code is not null and not exists (
        select from config.entry where kind = 'feed' and key = waive.feed_code and until_version is null
    ) then
        raise exception 'there is no feed %', quote_literal(waive.feed_code);
    end if;
    perform assess.require_indicators(null, waive.scheme_id, waive.period);
    if waive.expires_on is null or waive.expires_on < assess.city_today() then
        raise exception 'the day on which the waiver ends is missing or over';
    end if;
    if waive.expires_on > assess.city_today() + (terms ->> 'waive_at_most_days')::integer then
        raise exception 'a waiver ends after % days at most: on % or before', terms ->> 'waive_at_most_days',
            assess.city_today() + (terms ->> 'waive_at_most_days')::integer;
    end if;
    select made.waiver_id, made.expires_on into standing
    from assess.waiver_in_force as made
    where
        made.rule_id = waive.rule_id
        and made.feed_code is not distinct from waive.feed_code
        and made.scheme_id is not distinct from waive.scheme_id
        and made.period is not distinct from waive.period
    limit 1;
    if found then
        raise exception 'the same is waived already, by waiver % until %: revoke it first', standing.waiver_id,
            standing.expires_on;
    end if;
    insert into assess.waiver (rule_id, feed_code, scheme_id, period, reason, expires_on)
    values (
        waive.rule_id,
        waive.feed_code,
        waive.scheme_id,
        waive.period,
        assess.stated(waive.reason, 'the reason'),
        waive.expires_on
    )
    returning waiver_id into written;
    return written;
end
$$;

create function assess.revoke_waiver(waiver_id bigint, reason text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    revoked assess.waiver;
    written bigint;
begin
    perform pg_advisory_xact_lock(hashtextextended('minhu:assess', 0));
    select * into revoked
    from assess.waiver as made
    where made.waiver_id = revoke_waiver.waiver_id and made.revokes_waiver_id is null;
    if not found then
        raise exception 'there is no waiver %', coalesce(revoke_waiver.waiver_id::text, '(none)');
    end if;
    if exists (select from assess.waiver as later where later.revokes_waiver_id = revoked.waiver_id) then
        raise exception 'waiver % is revoked already', revoked.waiver_id;
    end if;
    insert into assess.waiver (rule_id, feed_code, scheme_id, period, reason, expires_on, revokes_waiver_id)
    values (
        revoked.rule_id,
        revoked.feed_code,
        revoked.scheme_id,
        revoked.period,
        assess.stated(revoke_waiver.reason, 'the reason'),
        revoked.expires_on,
        revoked.waiver_id
    )
    returning waiver_id into written;
    return written;
end
$$;

-- A held batch is let in by a person, so by a person's own login; the next build takes it.
create function assess.release_batch(batch_id bigint, reason text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    was text;
    written bigint;
begin
    select batch.status into was from audit.batch where batch.batch_id = release_batch.batch_id for no key update;
    if not found then
        raise exception 'there is no batch %', coalesce(release_batch.batch_id::text, '(none)');
    end if;
    if was <> 'held' then
        raise exception 'batch % is %, not held; only a held batch can be released', release_batch.batch_id, was;
    end if;
    insert into audit.batch_verdict (batch_id, verdict, why)
    values (release_batch.batch_id, 'accepted', assess.stated(release_batch.reason, 'the reason'))
    returning verdict_id into written;
    update audit.batch
    set status = 'accepted', reason_code = null, reason = null
    where batch.batch_id = release_batch.batch_id;
    return written;
end
$$;

revoke execute on all functions in schema assess from public;
grant execute on function assess.waive, assess.revoke_waiver, assess.release_batch to minhu_evaluator;

-- The access log holds who read citizens' data as they were sent, who took results away, and who decided what may enter or
-- go out. A row is committed before the answer is given, or together with the act it tells of. Rows are chained by hashes.
alter table audit.access_log
    alter column access_id drop identity,
    alter column why drop not null,
    add column about text,
    add column act_id bigint,
    add column previous_hash text,
    add column hash text,
    drop constraint access_log_batch_id_fkey,  -- what is truncated elsewhere takes no row from the log
    drop constraint access_log_subject_check,
    drop constraint access_log_why_check,
    drop constraint what_is_of_a_batch_names_it,
    add constraint access_log_subject_check check (subject in (
        'landed_file', 'rejected_rows', 'frequent_callers',
        'export',
        'batch_release', 'waiver', 'waiver_revocation', 'closing', 'revision', 'approval', 'publication'
    )),
    add constraint what_is_of_a_batch_names_it
        check (subject not in ('landed_file', 'rejected_rows', 'batch_release') or batch_id is not null),
    add constraint a_reading_has_a_reason
        check (btrim(coalesce(why, '')) <> '' or subject in ('export', 'closing', 'publication'));
do $$
declare
    renumbered bigint := 0;
    logged record;
begin
    -- Numbers without gaps from here on: a row that is missing in the middle is seen.
    for logged in select access_id from audit.access_log order by access_id loop
        renumbered := renumbered + 1;
        update audit.access_log set access_id = renumbered where access_id = logged.access_id;
    end loop;
end
$$;
comment on table audit.access_log is '访问日志：读取原始数据、导出、放行、豁免、关账、审批与发布，只增不改，逐行哈希成链';
comment on column audit.access_log.about is 'What, in words: a period and its revision, a file, a rule.';
comment on column audit.access_log.act_id is 'Key of the act: a verdict, waiver, closing, approval or release, as subject says.';
comment on column audit.access_log.previous_hash is 'hash of the row before this one; zeros for the first.';
comment on column audit.access_log.hash is 'Over previous_hash and the canonical text of all other columns.';

-- Where the chain ends: rows that vanish from its end are missed by it.
create table audit.access_head (
    is_only boolean primary key default true check (is_only),
    access_id bigint not null,
    hash text not null,
    since timestamptz not null default clock_timestamp()
);
comment on table audit.access_head is '访问日志链的末端：最后一行的编号与哈希';
comment on column audit.access_head.since is 'Acts from here on have their row in the log.';
insert into audit.access_head (access_id, hash) values (0, publish.hash_before_the_first());

-- Two who write at once come one after the other; the second reads the head that the first has committed.
create function audit.chain_access() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
    head audit.access_head;
begin
    if new.batch_id is not null and not exists (select from audit.batch where batch_id = new.batch_id) then
        raise exception 'there is no batch %', new.batch_id;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('minhu:access', 0));
    select * into strict head from audit.access_head;
    new.access_id := head.access_id + 1;
    new.accessed_by := session_user;
    new.accessed_at := clock_timestamp();
    new.previous_hash := head.hash;
    new.hash := publish.link(
        head.hash, null, publish.canonical(to_jsonb(new) - array['previous_hash', 'hash'])
    );
    update audit.access_head set access_id = new.access_id, hash = new.hash;
    return new;
end
$$;

-- What was logged before there was a chain is chained as it stands.
do $$
declare
    logged audit.access_log;
    head audit.access_head;
    zone text := current_setting('timezone');
begin
    perform set_config('timezone', 'UTC', true);
    for logged in select * from audit.access_log order by access_id loop
        select * into head from audit.access_head;
        update audit.access_log
        set
            previous_hash = head.hash,
            hash = publish.link(
                head.hash, null, publish.canonical(to_jsonb(logged) - array['previous_hash', 'hash'])
            )
        where access_log.access_id = logged.access_id
        returning * into logged;
        update audit.access_head set access_id = logged.access_id, hash = logged.hash;
    end loop;
    perform set_config('timezone', zone, true);
end
$$;
alter table audit.access_log alter column previous_hash set not null, alter column hash set not null;
create index access_log_at on audit.access_log (accessed_at);

create function audit.refuse_change() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception '%.% is append-only', tg_table_schema, tg_table_name;
end
$$;
create trigger chain before insert on audit.access_log for each row execute function audit.chain_access();
create trigger append_only before update or delete or truncate on audit.access_log
for each statement execute function audit.refuse_change();
create trigger append_only before update or delete on audit.batch_verdict
for each statement execute function audit.refuse_change();
create trigger moved_by_the_chain_alone before insert or update or delete or truncate on audit.access_head
for each statement when (pg_trigger_depth() = 0) execute function audit.refuse_change();

-- An act and its row are one transaction, whoever acts and by whatever program.
create function audit.log_act() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    case tg_table_name
        when 'batch_verdict' then
            insert into audit.access_log (subject, batch_id, act_id, about, why)
            select
                'batch_release', new.batch_id, new.verdict_id,
                concat_ws(' ', batch.feed_code, batch.delivery, batch.business_date, new.verdict), new.why
            from audit.batch
            where batch.batch_id = new.batch_id;
        when 'closing' then
            insert into audit.access_log (subject, act_id, about, why)
            values (
                case when new.revision = 1 then 'closing' else 'revision' end, new.closing_id,
                concat_ws(' ', new.scheme_id, new.scheme_version, new.period, 'revision', new.revision, new.content_hash),
                new.why
            );
        when 'approval' then
            insert into audit.access_log (subject, act_id, about, why)
            values (
                'approval', new.approval_id, concat_ws(' ', new.subject_kind, new.subject_id, new.verdict), new.reason
            );
        when 'release' then
            insert into audit.access_log (subject, act_id, about, why)
            values (
                'publication', new.release_id,
                concat_ws(' ', new.scheme_id, new.scheme_version, new.period, 'revision', new.revision, new.hash), new.why
            );
    end case;
    return null;
end
$$;
create trigger log_release after insert on audit.batch_verdict
for each row when (new.quality_run_id is null) execute function audit.log_act();
create trigger log_closing after insert on publish.closing for each row execute function audit.log_act();
create trigger log_approval after insert on assess.approval for each row execute function audit.log_act();
create trigger log_publication after insert on publish.release for each row execute function audit.log_act();

-- The only row that a login writes itself. Whatever else it may read in this schema is granted table by table.
create function audit.log_export(about text, why text default null) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    written bigint;
begin
    insert into audit.access_log (subject, about, why)
    values ('export', assess.stated(log_export.about, 'what is exported'), nullif(btrim(log_export.why), ''))
    returning access_id into written;
    return written;
end
$$;
revoke execute on function audit.log_export, audit.log_act, audit.chain_access, audit.refuse_change from public;
grant usage on schema audit to minhu_bi, minhu_evaluator, minhu_unit;
grant execute on function audit.log_export to minhu_bi, minhu_evaluator, minhu_auditor, minhu_unit;

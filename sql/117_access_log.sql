-- The access log holds who read citizens' data as they were sent, who took results away, and who decided what may enter
-- or go out. A row is committed before the answer is given, or together with the act it tells of. Rows are numbered
-- without gaps and chained by hashes: a row that is missing in the middle is seen. A batch is named and not referred
-- to: what is truncated elsewhere takes no row from the log.
create table audit.access_log (
    access_id bigint primary key,
    accessed_by text not null default session_user,
    accessed_at timestamptz not null default clock_timestamp(),
    subject text not null check (subject in (
        'landed_file', 'rejected_rows', 'frequent_callers',
        'export',
        'batch_release', 'waiver', 'waiver_revocation', 'closing', 'revision', 'approval', 'publication'
    )),
    batch_id bigint,
    why text,
    about text,
    act_id bigint,
    previous_hash text not null,
    hash text not null,
    constraint what_is_of_a_batch_names_it
    check (subject not in ('landed_file', 'rejected_rows', 'batch_release') or batch_id is not null),
    constraint a_reading_has_a_reason
    check (btrim(coalesce(why, '')) <> '' or subject in ('export', 'closing', 'publication'))
);
create index access_log_at on audit.access_log (accessed_at);
comment on table audit.access_log is '访问日志：读取原始数据、导出、放行、豁免、关账、审批与发布，只增不改，逐行哈希成链';
comment on column audit.access_log.about is 'What, in words: a period and its revision, a file, a rule.';
comment on column audit.access_log.act_id is
'Key of the act: a verdict, waiver, closing, approval or release, as subject says.';
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

-- In the access log, with the act.
create function audit.log_waiver() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into audit.access_log (subject, act_id, about, why)
    values (
        case when new.revokes_waiver_id is null then 'waiver' else 'waiver_revocation' end,
        new.waiver_id,
        concat_ws(
            ' ', new.rule_id, new.feed_code, new.scheme_id, new.period,
            case
                when new.revokes_waiver_id is null then 'until ' || new.expires_on
                else 'revokes ' || new.revokes_waiver_id
            end
        ),
        new.reason
    );
    return null;
end
$$;
create trigger log_waiver after insert on assess.waiver for each row execute function audit.log_waiver();

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

revoke execute on function
audit.chain_access, audit.refuse_change, audit.log_act, audit.log_waiver, audit.log_export
from public;
grant execute on function audit.log_export to minhu_bi, minhu_evaluator, minhu_auditor, minhu_unit;

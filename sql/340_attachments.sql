-- What people attach to what they file and decide: a document, a picture. It may show a citizen's words, so who takes
-- it is logged first, as who reads the text of a case; its bytes lie apart, with a retention of their own.
create table assess.attachment (
    attachment_id bigint generated always as identity primary key,
    subject_kind text not null check (subject_kind in ('appeal', 'exclusion', 'manual_point', 'violation')),
    subject_id bigint not null,
    unit_code text,
    name text not null check (btrim(name) <> '' and length(name) <= 200),
    media_type text not null check (
        media_type in ('application/pdf', 'image/jpeg', 'image/png', 'application/ofd')
    ),
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    bytes integer not null check (bytes between 1 and 10485760),
    added_by text not null,
    added_at timestamptz not null default clock_timestamp()
);
comment on table assess.attachment is '附件：申诉、剔除、人工计分与效能督查认定所附的材料，只增不改；内容另存';
comment on column assess.attachment.unit_code is 'Of an appeal: the unit that reads it, too.';
comment on column assess.attachment.name is 'Masked before it is sent here.';
create index attachment_subject on assess.attachment (subject_kind, subject_id);
create trigger stamp before insert on assess.attachment
for each row execute function assess.stamp('added_by', 'added_at');
create trigger append_only before update or delete or truncate on assess.attachment
for each statement execute function assess.refuse_change();

create table restricted.attachment_content (
    attachment_id bigint primary key references assess.attachment,
    content bytea not null
);
comment on table restricted.attachment_content is '附件的内容：凭 assess.read_attachment 取用，先记日志';
alter table restricted.attachment_content alter column content set storage external;

create table assess.attachment_removal (
    attachment_id bigint primary key references assess.attachment,
    reason text not null check (btrim(reason) <> ''),
    removed_by text not null,
    removed_at timestamptz not null default clock_timestamp()
);
comment on table assess.attachment_removal is '已删去内容的附件：误附，或过保存期限';
create trigger stamp before insert on assess.attachment_removal
for each row execute function assess.stamp('removed_by', 'removed_at');
create trigger append_only before update or delete or truncate on assess.attachment_removal
for each statement execute function assess.refuse_change();

create trigger no_number before insert on assess.attachment_removal
for each row execute function audit.refuse_number('reason');

create view assess.attachment_state with (security_invoker = true) as
select
    attachment.attachment_id,
    attachment.subject_kind,
    attachment.subject_id,
    attachment.unit_code,
    attachment.name,
    attachment.media_type,
    attachment.sha256,
    attachment.bytes,
    attachment.added_by,
    attachment.added_at,
    removal.reason as removed_why,
    removal.removed_by,
    removal.removed_at
from assess.attachment
left join assess.attachment_removal as removal on attachment.attachment_id = removal.attachment_id;
comment on view assess.attachment_state is 'Every attachment; removed_at where its content is gone.';

grant select on assess.attachment, assess.attachment_removal, assess.attachment_state
to minhu_evaluator, minhu_auditor, minhu_unit;
alter table assess.attachment enable row level security;
alter table assess.attachment_removal enable row level security;
create policy all_rows on assess.attachment for select to minhu_evaluator, minhu_auditor using (true);
create policy all_rows on assess.attachment_removal for select to minhu_evaluator, minhu_auditor using (true);
create policy own_rows on assess.attachment for select to minhu_unit
using (unit_code = any((select assess.own_unit_codes())::text[]));
create policy own_rows on assess.attachment_removal for select to minhu_unit
using (attachment_id in (select own.attachment_id from assess.attachment as own));

-- A grant that a second person rejected leaves the appeal open; what was revoked before it was judged waits no more.
create function assess.is_decided(subject_kind text, subject_id bigint) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select case is_decided.subject_kind
        when 'appeal' then exists (
            select from assess.standing_appeal_decision as one where one.appeal_id = is_decided.subject_id
        )
        else exists (
            select from assess.approval as one
            where one.subject_kind = is_decided.subject_kind and one.subject_id = is_decided.subject_id::text
        ) or case is_decided.subject_kind
            when 'exclusion' then exists (
                select from assess.exclusion as one where one.revokes_exclusion_id = is_decided.subject_id
            )
            when 'violation' then exists (
                select from assess.violation as one where one.revokes_violation_id = is_decided.subject_id
            )
            else exists (
                select from assess.manual_point as one where one.revokes_manual_point_id = is_decided.subject_id
            )
        end
    end
$$;
comment on function assess.is_decided is 'Whether a verdict stands over an appeal or a decision.';

-- Whose decision it would move, while it waits: nothing is attached to what is decided.
create function assess.attach(
    subject_kind text, subject_id bigint, name text, media_type text, content bytea
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    of_unit text;
    is_there boolean;
    digest text := encode(sha256(attach.content), 'hex');
    written bigint;
begin
    perform audit.hold('minhu:assess');
    if attach.subject_kind = 'appeal' then
        select appeal.unit_code into of_unit
        from assess.appeal
        where
            appeal.appeal_id = attach.subject_id
            and (
                assess.is_assessor()
                or appeal.unit_code in (select own from assess.own_units() as own)
            );
        is_there := found;
    elsif not assess.is_assessor() then
        is_there := false;
    else
        is_there := case attach.subject_kind
            when 'exclusion' then exists (select from assess.exclusion where exclusion_id = attach.subject_id)
            when 'manual_point' then exists (select from assess.manual_point where manual_point_id = attach.subject_id)
            when 'violation' then exists (select from assess.violation where violation_id = attach.subject_id)
            else false
        end;
    end if;
    if not is_there then
        raise exception 'there is no % % that you may attach to', attach.subject_kind, attach.subject_id;
    end if;
    if assess.is_decided(attach.subject_kind, attach.subject_id) then
        raise exception 'the % % is decided: nothing is attached to it any more', attach.subject_kind,
            attach.subject_id;
    end if;
    if octet_length(attach.content) > 10485760 then
        raise exception 'an attachment has up to 10 MB';
    end if;
    if not coalesce(
        case attach.media_type
            when 'application/pdf' then substr(attach.content, 1, 5) = convert_to('%PDF-', 'UTF8')
            when 'image/jpeg' then substr(attach.content, 1, 3) = '\xffd8ff'::bytea
            when 'image/png' then substr(attach.content, 1, 8) = '\x89504e470d0a1a0a'::bytea
            when 'application/ofd' then substr(attach.content, 1, 4) = '\x504b0304'::bytea
        end,
        false
    ) then
        raise exception 'an attachment is a PDF, JPG, PNG or OFD by its bytes';
    end if;
    select told.attachment_id into written
    from assess.attachment as told
    where
        told.subject_kind = attach.subject_kind
        and told.subject_id = attach.subject_id
        and told.sha256 = digest
        and not exists (
            select from assess.attachment_removal as gone where gone.attachment_id = told.attachment_id
        );
    if found then
        return written;
    end if;
    if (
        select count(*) from assess.attachment as told
        where told.subject_kind = attach.subject_kind and told.subject_id = attach.subject_id
    ) >= 10 then
        raise exception 'ten attachments are enough: put several pages into one';
    end if;
    insert into assess.attachment (subject_kind, subject_id, unit_code, name, media_type, sha256, bytes)
    values (
        attach.subject_kind, attach.subject_id, of_unit, btrim(attach.name), attach.media_type, digest,
        octet_length(attach.content)
    )
    returning attachment_id into written;
    insert into restricted.attachment_content (attachment_id, content) values (written, attach.content);
    return written;
end
$$;
comment on function assess.attach is 'Attaches a document to an appeal or a decision that waits; its number.';

create function assess.detach(attachment_id bigint, reason text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    wanted assess.attachment;
    is_auditor boolean := pg_has_role(assess.asking_login()::name, 'minhu_auditor', 'member');
begin
    perform audit.hold('minhu:assess');
    select told.* into wanted
    from assess.attachment as told
    where
        told.attachment_id = detach.attachment_id
        and (
            is_auditor
            or (
                told.added_by = assess.acting()
                and (assess.is_assessor() or told.unit_code in (select own from assess.own_units() as own))
            )
        );
    if not found then
        raise exception 'there is no attachment % that you may remove', detach.attachment_id;
    end if;
    if not is_auditor and assess.is_decided(wanted.subject_kind, wanted.subject_id) then
        raise exception 'the % % is decided: what it rests on is removed by an auditor alone', wanted.subject_kind,
            wanted.subject_id;
    end if;
    delete from restricted.attachment_content as kept where kept.attachment_id = detach.attachment_id;
    if not found then
        raise exception 'the content of the attachment % is gone already', detach.attachment_id;
    end if;
    insert into assess.attachment_removal (attachment_id, reason)
    values (detach.attachment_id, assess.stated(detach.reason, 'why it is removed'));
    return detach.attachment_id;
end
$$;
comment on function assess.detach is
'Deletes the content of what one attached, until it is decided; then an auditor''s act. That it was there stays.';

alter table audit.access_log drop constraint access_log_subject_check;
alter table audit.access_log add constraint access_log_subject_check check (subject in (
    'landed_file', 'rejected_rows', 'frequent_callers', 'case_text', 'attachment',
    'export', 'owner_session',
    'bundle_request', 'bundle_allowance', 'bundle', 'key_export',
    'batch_release', 'waiver', 'waiver_revocation', 'closing', 'revision', 'approval', 'publication'
));

alter table audit.access_log drop constraint a_reading_has_a_reason;
alter table audit.access_log add constraint a_reading_has_a_reason
check (btrim(coalesce(why, '')) <> '' or subject in ('export', 'closing', 'publication', 'attachment'));

create table audit.attachment_reading (
    access_id bigint primary key,
    attachment_id bigint not null references assess.attachment,
    asked_in xid8 not null,
    asked_by text not null,
    asked_at timestamptz not null
);
comment on table audit.attachment_reading is '申请取用附件：须先提交，十分钟内有效';
create trigger append_only before update or delete or truncate on audit.attachment_reading
for each statement execute function audit.refuse_change();

create function assess.ask_for_attachment(attachment_id bigint) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    wanted assess.attachment;
    written bigint;
begin
    select told.* into wanted
    from assess.attachment as told
    where
        told.attachment_id = ask_for_attachment.attachment_id
        and (
            assess.is_assessor()
            or pg_has_role(assess.asking_login()::name, 'minhu_auditor', 'member')
            or told.unit_code in (select own from assess.own_units() as own)
        );
    if not found then
        raise exception 'there is no attachment % that you may read', ask_for_attachment.attachment_id;
    end if;
    insert into audit.access_log (subject, act_id, about)
    values ('attachment', wanted.attachment_id, concat_ws(' ', wanted.subject_kind, wanted.subject_id))
    returning entry_id into written;
    insert into audit.attachment_reading (access_id, attachment_id, asked_in, asked_by, asked_at)
    values (written, wanted.attachment_id, pg_current_xact_id(), assess.acting(), clock_timestamp());
    return written;
end
$$;
comment on function assess.ask_for_attachment is 'Logs who takes an attachment; the number to read it with.';

create function assess.read_attachment(access_id bigint)
returns table (attachment_id bigint, name text, media_type text, sha256 text, content bytea)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    asked audit.attachment_reading;
begin
    select reading.* into asked
    from audit.attachment_reading as reading
    where
        reading.access_id = read_attachment.access_id
        and reading.asked_by = assess.actor()
        and reading.asked_at > clock_timestamp() - interval '10 minutes'
        and reading.asked_in is distinct from pg_current_xact_id_if_assigned();
    if not found then
        raise exception 'nothing was asked for under the number %', coalesce(read_attachment.access_id::text, '(none)')
            using hint = 'assess.ask_for_attachment(number) comes first, and is committed; its number serves 10 minutes.';
    end if;
    return query
    select told.attachment_id, told.name, told.media_type, told.sha256, kept.content
    from assess.attachment as told
    inner join restricted.attachment_content as kept on kept.attachment_id = told.attachment_id
    where told.attachment_id = asked.attachment_id;
    if not found then
        raise exception 'the content of the attachment % is gone already', asked.attachment_id;
    end if;
end
$$;
comment on function assess.read_attachment is 'The attachment that was asked for.';

-- Retention: the content goes, what it was stays.
grant select on assess.attachment, assess.attachment_removal to minhu_work;
grant select (attachment_id), delete on restricted.attachment_content to minhu_work;
grant insert on assess.attachment_removal to minhu_work;
select audit.let_the_house_in(given)
from unnest(array['assess.attachment', 'assess.attachment_removal']::regclass[]) as given;

revoke execute on function
assess.is_decided, assess.attach, assess.detach, assess.ask_for_attachment, assess.read_attachment
from public;
grant execute on function assess.is_decided to minhu_work;
grant execute on function assess.attach to minhu_evaluator, minhu_unit;
grant execute on function assess.detach to minhu_evaluator, minhu_unit, minhu_auditor;
grant execute on function assess.ask_for_attachment, assess.read_attachment
to minhu_evaluator, minhu_auditor, minhu_unit;

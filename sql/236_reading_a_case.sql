-- Who judges an appeal reads what the citizen asked: the masked text of one case, for a reason, logged before it is
-- told. A log row that could be rolled back after the reading would log nothing, so it takes two transactions: one
-- asks, and the answer is given to who has asked, once that is committed.
alter table audit.access_log drop constraint access_log_subject_check;
alter table audit.access_log add constraint access_log_subject_check check (subject in (
    'landed_file', 'rejected_rows', 'frequent_callers', 'case_text',
    'export',
    'batch_release', 'waiver', 'waiver_revocation', 'closing', 'revision', 'approval', 'publication'
));

create table audit.case_reading (
    access_id bigint primary key,
    asked_in xid8 not null,
    asked_by text not null,
    asked_at timestamptz not null,
    feed_code text not null,
    case_no text not null
);
comment on table audit.case_reading is '申请阅读工单文本：须先提交，十分钟内有效';
create trigger append_only before update or delete or truncate on audit.case_reading
for each statement execute function audit.refuse_change();

create function audit.ask_for_case(feed_code text, case_no text, why text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    written bigint;
begin
    if not exists (
        select from mart.fct_case as known
        where known.feed_code = ask_for_case.feed_code and known.case_no = ask_for_case.case_no
    ) then
        raise exception 'no case of this hotline has this number';
    end if;
    insert into audit.access_log (subject, about, why)
    values (
        'case_text',
        concat_ws(' ', ask_for_case.feed_code, ask_for_case.case_no),
        assess.stated(ask_for_case.why, 'why the text of the case is to be read')
    )
    returning access_id into written;
    insert into audit.case_reading (access_id, asked_in, asked_by, asked_at, feed_code, case_no)
    values (
        written, pg_current_xact_id(), assess.acting(), clock_timestamp(), ask_for_case.feed_code, ask_for_case.case_no
    );
    return written;
end
$$;
comment on function audit.ask_for_case is 'Logs who reads the text of a case and why; the number to read it with.';

create function audit.read_case(access_id bigint)
returns table (told text, at timestamptz, unit_name text, text text, batch_id bigint, row_number bigint)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    asked audit.case_reading;
begin
    select reading.* into asked
    from audit.case_reading as reading
    where
        reading.access_id = read_case.access_id
        and reading.asked_by = assess.actor()
        and reading.asked_at > clock_timestamp() - interval '10 minutes'
        and reading.asked_in is distinct from pg_current_xact_id_if_assigned();
    if not found then
        raise exception 'nothing was asked for under the number %', coalesce(read_case.access_id::text, '(none)')
            using hint = 'audit.ask_for_case(feed, case, why) comes first, and is committed; its number serves 10 minutes.';
    end if;
    return query
    select told.what, told.at, told.unit_name, told.text, told.batch_id, told.row_number
    from (
        select 'title' as what, 1 as place, sent.received_at as at, null as unit_name, sent.title as text,
            sent.batch_id, sent.row_number
        from staging.case_record as sent
        where sent.feed_code = asked.feed_code and sent.case_no = asked.case_no and not sent.is_deleted
        union all
        select 'content', 2, sent.received_at, null, sent.content, sent.batch_id, sent.row_number
        from staging.case_record as sent
        where sent.feed_code = asked.feed_code and sent.case_no = asked.case_no and not sent.is_deleted
        union all
        select sent.event_type, 3, sent.occurred_at, sent.unit_name, sent.note, sent.batch_id, sent.row_number
        from staging.case_event as sent
        where sent.case_feed_code = asked.feed_code and sent.case_no = asked.case_no and not sent.is_deleted
        union all
        select 'callback', 4, sent.called_at, sent.unit_name, sent.reason, sent.batch_id, sent.row_number
        from staging.callback as sent
        where sent.case_feed_code = asked.feed_code and sent.case_no = asked.case_no and not sent.is_deleted
    ) as told
    inner join audit.batch on told.batch_id = batch.batch_id
    where batch.status = 'accepted' and btrim(coalesce(told.text, '')) <> ''
    order by told.place, told.at, batch.order_key, told.row_number;
end
$$;
comment on function audit.read_case is
'The masked texts of a case that was asked for: its record, events and callbacks.';

revoke execute on function audit.ask_for_case, audit.read_case from public;
grant execute on function audit.ask_for_case, audit.read_case to minhu_evaluator, minhu_auditor;

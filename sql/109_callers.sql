-- Which tokens are one caller. A rotation of the caller key gives every caller another token; the load that meets a
-- caller again knows both and writes the pair. Nobody but the owner reads it: with a key that leaked, a pair leads on
-- to the token of today. The owner migrates, loads and builds; schema restricted is open to no other role.
create table restricted.caller_link (
    earlier_token text primary key,
    earlier_key_id text not null,
    current_token text not null,
    written_at timestamptz not null default clock_timestamp(),
    constraint a_token_leads_to_another check (earlier_token <> current_token)
);
create index caller_link_current on restricted.caller_link (current_token);
comment on table restricted.caller_link is
'Tokens of one caller under earlier keys and the one that stands for them all. No current_token is an earlier_token.';

-- Pairs that came, changed or went since the last successful build: their cases are built anew.
create table restricted.caller_link_change (
    earlier_token text not null,
    current_token text not null,
    build_id bigint references audit.build
);
comment on column restricted.caller_link_change.build_id is
'The build that took the change; it stays until one of them succeeds.';

-- A trigger, so that pairs deleted by hand are noted too. Loads only add rows and only builds update them, so neither
-- waits for the other.
create function restricted.note_caller_link() returns trigger language plpgsql as $$
begin
    if tg_op <> 'DELETE' then
        insert into restricted.caller_link_change (earlier_token, current_token)
        select earlier_token, current_token from come;
    end if;
    if tg_op <> 'INSERT' then
        insert into restricted.caller_link_change (earlier_token, current_token)
        select earlier_token, current_token from gone;
    end if;
    return null;
end
$$;

create trigger note_insert after insert on restricted.caller_link
referencing new table as come for each statement execute function restricted.note_caller_link();
create trigger note_update after update on restricted.caller_link
referencing new table as come old table as gone for each statement execute function restricted.note_caller_link();
create trigger note_delete after delete on restricted.caller_link
referencing old table as gone for each statement execute function restricted.note_caller_link();

-- Who called when, of the rows that builds have taken: neighbours of a case are found here. An index on staging would
-- do the same and took a fifth of a load's time.
create table restricted.case_caller (
    caller_token text not null,
    received_at timestamptz not null,
    feed_code text not null,
    case_no text not null,
    primary key (caller_token, received_at, feed_code, case_no)
);
comment on table restricted.case_caller is
'Every caller and time that any version of a case told. Builds add to it; too much in it costs a rebuild, no more.';

-- Which caller a case is of. Never in mart: nobody but the owner reads schema restricted, and what he reads here with
-- `minhu callers` is logged.
create view restricted.caller_case as
select
    coalesce(link.current_token, record.caller_token) as caller_id,
    record.caller_masked,
    fact.case_id,
    fact.root_case_id,
    fact.category_code,
    fact.received_at,
    fact.repeat_of_case_id is not null as is_repeat
from mart.fct_case as fact
inner join staging.case_record as record
    on
        record.feed_code = fact.feed_code  -- noqa: ST09
        and record.case_no = fact.case_no  -- noqa: ST09
        and record.batch_id = fact.source_batch_id  -- noqa: ST09
        and record.row_number = fact.source_row_number  -- noqa: ST09
left join restricted.caller_link as link on link.earlier_token = record.caller_token
where record.caller_token is not null;
comment on view restricted.caller_case is
'工单与来电人 — Each case with its caller: his token of today, and the masked phone.';

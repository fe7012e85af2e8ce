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

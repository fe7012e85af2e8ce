-- Who approves a closing says which: by the hash of what was frozen, as it was shown to him. He may sign that with a
-- key that lies outside the database; whoever has registered one always does.
alter table assess.approval add column content_hash text;
alter table assess.approval add column signature bytea;
alter table assess.approval add column key_id bigint;
comment on column assess.approval.content_hash is 'Of the closing that is approved: content_hash of publish.closing.';
comment on column assess.approval.signature is
'Ed25519 over the statement of minhu/publish/signed.py; null: by login only. `minhu verify` checks it.';

create table assess.approver_key (
    key_id bigint generated always as identity primary key,
    login text not null,
    public_key bytea not null check (octet_length(public_key) = 32),
    is_active boolean not null,
    added_by text not null,
    added_at timestamptz not null default clock_timestamp()
);
comment on table assess.approver_key is '审批人的公钥（Ed25519）：私钥不在库中，只增不改';
create trigger stamp before insert on assess.approver_key
for each row execute function assess.stamp('added_by', 'added_at');
create trigger append_only before update or delete or truncate on assess.approver_key
for each statement execute function assess.refuse_change();
alter table assess.approval add foreign key (key_id) references assess.approver_key;

-- The newest row of a login counts; null where it signs nothing.
create function assess.key_of(of_login text) returns bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select case when newest.is_active then newest.key_id end
    from assess.approver_key as newest
    where newest.login = of_login
    order by newest.key_id desc
    limit 1
$$;

create function assess.set_approver_key(login text, public_key bytea, is_active boolean default true) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    written bigint;
begin
    if not exists (select from pg_roles where rolname = set_approver_key.login) then
        raise exception 'there is no login %', quote_literal(set_approver_key.login);
    end if;
    if set_approver_key.login = assess.acting() then
        raise exception 'the key of % is registered by another person', set_approver_key.login;
    end if;
    if octet_length(set_approver_key.public_key) is distinct from 32 then
        raise exception 'a public key of Ed25519 has 32 bytes';
    end if;
    insert into assess.approver_key (login, public_key, is_active)
    values (set_approver_key.login, set_approver_key.public_key, set_approver_key.is_active)
    returning key_id into written;
    return written;
end
$$;

-- What was approved stands in the access log with the act.
do $$
declare
    told text := pg_get_functiondef('audit.log_act'::regproc);
    mended text := replace(
        told,
        'concat_ws('' '', new.subject_kind, new.subject_id, new.verdict)',
        'concat_ws('' '', new.subject_kind, new.subject_id, new.verdict, new.content_hash)'
    );
begin
    if mended = told then
        raise exception 'audit.log_act is not the one that this migration knows';
    end if;
    execute mended;
end
$$;

-- By which key, for who reads releases and not approvals.
create function publish.key_of_approval(of_approval bigint) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select encode(registered.public_key, 'hex')
    from assess.approval as given
    inner join assess.approver_key as registered on given.key_id = registered.key_id
    where given.approval_id = of_approval and given.subject_kind = 'closing'
$$;
comment on function publish.key_of_approval is
'The public key whose signature approved a release; null: by login only.';
revoke execute on function publish.key_of_approval from public;
grant execute on function publish.key_of_approval to minhu_bi, minhu_unit, minhu_evaluator, minhu_auditor;

revoke execute on function assess.key_of, assess.set_approver_key from public;

-- Who guesses passwords waits: after five failures for a name, or thirty from an address within the hour, each next try
-- comes a while later than the one before; half a minute at most for a name, since others may try it to keep him out.
-- Names are kept as hashes, since some type their password there.
create table portal.failure (
    of_hash bytea not null check (octet_length(of_hash) = 32),
    failed_at timestamptz not null default clock_timestamp()
);
comment on table portal.failure is '登录失败：用户名或来源地址的哈希与时刻，只留一天';
comment on column portal.failure.of_hash is 'sha256 of a name as it was typed, or of an address.';
create index failure_of on portal.failure (of_hash, failed_at);

create function portal.waits(name_hash bytea, address_hash bytea) returns interval
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select max(last_at + interval '1 second' * least(longest, 2 ^ least(failures - most, 20)) - clock_timestamp())
    from (
        values (waits.name_hash, 5, 30), (waits.address_hash, 30, 900)
    ) as asked (of_hash, most, longest)
    cross join lateral (
        select
            count(*) as failures,
            max(failed_at) as last_at
        from portal.failure
        where failure.of_hash = asked.of_hash and failure.failed_at > clock_timestamp() - interval '1 hour'
    ) as counted
    where failures >= most
$$;
comment on function portal.waits is
'How long until somebody of this name, from this address, may try again; null or negative: at once.';

create function portal.note_failure(name_hash bytea, address_hash bytea) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
    delete from portal.failure where failed_at < clock_timestamp() - interval '1 day';
    insert into portal.failure (of_hash) values (note_failure.name_hash), (note_failure.address_hash);
$$;
comment on function portal.note_failure is 'Keeps in mind that a password was wrong.';

create function portal.forget_failures(name_hash bytea) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
    delete from portal.failure where failure.of_hash = forget_failures.name_hash
$$;
comment on function portal.forget_failures is 'Forgets the failures of a name, of an address none.';

grant execute on function portal.waits, portal.note_failure, portal.forget_failures to minhu_signin;

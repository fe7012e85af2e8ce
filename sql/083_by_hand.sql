-- Points by hand count for indicators that take them (function: manual) and for no other: an entry that could never
-- count is refused when it is made, not passed over when the score is computed.
create function assess.require_manual() returns trigger
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (
        select
        from config.entry
        cross join lateral jsonb_array_elements(entry.data -> 'indicators') as listed (data)
        where
            entry.kind = 'scheme'
            and entry.key = new.scheme_id
            and listed.data ->> 'code' = new.indicator_code
            and listed.data -> 'scoring' ->> 'function' = 'manual'
    ) then
        raise exception 'the indicator % of the scheme % is counted from cases and takes no points by hand',
            quote_literal(new.indicator_code), quote_literal(new.scheme_id);
    end if;
    return new;
end
$$;

create trigger require_manual before insert on assess.manual_point
for each row execute function assess.require_manual();

revoke all on function assess.require_manual() from public;

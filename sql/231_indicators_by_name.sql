-- People write 按时办结率, not close_on_time: an indicator is known by its name too, where the name is of one alone.
create function assess.codes_of(given text[], of_scheme text default null) returns text[]
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    said text;
    found text[];
    codes text[] := '{}';
begin
    foreach said in array given loop
        select array_agg(distinct listed.data ->> 'code' order by listed.data ->> 'code') into found
        from config.entry
        cross join lateral jsonb_array_elements(entry.data -> 'indicators') as listed (data)
        where
            entry.kind = 'scheme'
            and entry.until_version is null
            and (of_scheme is null or entry.key = of_scheme)
            and said in (listed.data ->> 'code', listed.data ->> 'name_zh');
        if cardinality(found) > 1 and not said = any(found) then
            raise exception 'several indicators are called %: name the scheme, or one of %', said,
                array_to_string(found, ', ');
        end if;
        codes := codes || case when said = any(found) then said else coalesce(found[1], said) end;
    end loop;
    return codes;
end
$$;
comment on function assess.codes_of is 'Codes of indicators that are given by code or by Chinese name.';
revoke execute on function assess.codes_of from public;
grant execute on function assess.codes_of to minhu_unit, minhu_evaluator;

-- A period, a scheme or an indicator that is not there is refused in Chinese first, as all else that an appeal names.
create or replace function assess.require_indicators(codes text[], of_scheme text, of_period text) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    unknown text;
begin
    if of_period is not null and of_period !~ '^20[0-9]{2}(-[0-9A-Z]{1,3})?$' then
        raise exception '考核周期写作 2026-10、2026-Q4 或 2026 / % is no period; write a month as 2026-10 or a year as 2026',
            quote_literal(of_period);
    end if;
    if of_scheme is not null and not exists (select from config.entry where kind = 'scheme' and key = of_scheme) then
        raise exception '没有考核办法 % / there is no scheme %', of_scheme, quote_literal(of_scheme);
    end if;
    select code into unknown
    from unnest(codes) as code
    where not exists (
        select
        from config.entry
        cross join lateral jsonb_array_elements(entry.data -> 'indicators') as listed (data)
        where
            entry.kind = 'scheme'
            and (of_scheme is null or entry.key = of_scheme)
            and listed.data ->> 'code' = code
    )
    limit 1;
    if found then
        raise exception '%没有指标 % / no indicator of % has the code %',
            coalesce('考核办法 ' || of_scheme || ' ', '各考核办法都'), coalesce(unknown, '（未写明）'),
            coalesce('the scheme ' || of_scheme, 'any scheme'), coalesce(quote_literal(unknown), '(none)');
    end if;
end
$$;

create or replace function assess.codes_of(given text[], of_scheme text default null) returns text[]
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
            raise exception '多个指标同名 %，请写明考核办法，或写代码：% / several indicators are called %: name the scheme, or one of %',
                said, array_to_string(found, '、'), said, array_to_string(found, ', ');
        end if;
        codes := codes || case when said = any(found) then said else coalesce(found[1], said) end;
    end loop;
    return codes;
end
$$;

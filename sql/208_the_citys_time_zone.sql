-- Dates and times of day are those of the city, whatever zone it is in. Whoever reads a view in a session of another
-- zone sees the same dates.
create function mart.city_zone() returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
return (
    select coalesce(max(data ->> 'timezone'), 'Asia/Shanghai') from config.entry
    where kind = 'city' and until_version is null
);
comment on function mart.city_zone() is 'The time zone of the city (timezone of city.yml).';

-- The views and functions there are say it by name; each keeps all else that it is.
do $$
declare
    named constant text := quote_literal('Asia/Shanghai');
    asked constant text := '(SELECT mart.city_zone())';
    item record;
begin
    for item in
        select
            classes.oid::regclass as name,
            pg_get_viewdef(classes.oid) as body,
            coalesce('with (' || array_to_string(classes.reloptions, ', ') || ')', '') as options
        from pg_class as classes
        where classes.relkind = 'v' and pg_get_viewdef(classes.oid) like '%' || named || '%'
        order by classes.oid
    loop
        execute format(
            'create or replace view %s %s as %s', item.name, item.options, replace(item.body, named || '::text', asked)
        );
    end loop;
    for item in
        select pg_get_functiondef(routines.oid) as body
        from pg_proc as routines
        join pg_namespace as namespaces on namespaces.oid = routines.pronamespace
        where
            namespaces.nspname in ('assess', 'audit', 'config', 'mart', 'publish', 'restricted', 'staging')
            and routines.prokind = 'f'
            and routines.proname <> 'city_zone'
            and pg_get_functiondef(routines.oid) like '%' || named || '%'
        order by routines.oid
    loop
        execute replace(replace(item.body, named || '::text', asked), named, asked);
    end loop;
end $$;

-- Engineers have logins of their own (`minhu logins add … --group engineer`), and the group a bound on its sessions as
-- every other: what one opens beyond it takes no place from the house.
create or replace function audit.sessions_of_group(of_group text) returns integer
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select case of_group
        when 'minhu_bi' then 40
        when 'minhu_unit' then 40
        when 'minhu_evaluator' then 40
        when 'minhu_auditor' then 20
        when 'minhu_engineer' then 20
        when 'minhu_signin' then 5
    end
$$;

-- Group roles without login; a city grants them to its people (`minhu logins add`). Roles belong to the cluster, so
-- they may exist already.
do $$
declare
    role_name text;
begin
    foreach role_name in array array['minhu_bi', 'minhu_evaluator', 'minhu_auditor', 'minhu_unit'] loop
        if not exists (select from pg_roles where rolname = role_name) then
            execute format('create role %I nologin', role_name);
        end if;
    end loop;
exception when duplicate_object or unique_violation then
    null;  -- another database of this cluster is being migrated at this very moment
end
$$;

-- Whoever reads the marts by a login of ours counts days as the city does, wherever the server stands. Logins that are
-- made from here on have it from `minhu logins add`; one that the owner may not change keeps what it has, and is told.
do $$
declare
    zone constant text := mart.city_zone();
    login record;
begin
    for login in
        select distinct member.rolname as name
        from pg_auth_members as membership
        inner join pg_roles as of_group on membership.roleid = of_group.oid
        inner join pg_roles as member on membership.member = member.oid
        where
            member.rolcanlogin
            and of_group.rolname = any(
                '{minhu_bi,minhu_evaluator,minhu_auditor,minhu_unit,minhu_engineer,minhu_sender,minhu_signin}'
            )
            and member.rolname not like 'minhu\_%'
        order by member.rolname
    loop
        begin
            execute format('alter role %I set timezone = %L', login.name, zone);
        exception
            when insufficient_privilege then
                raise notice 'a login keeps its time zone: alter role % set timezone = %', login.name, zone;
        end;
    end loop;
end $$;

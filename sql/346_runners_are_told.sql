-- A job that was asked for tells whoever starts runners: nobody has to look again and again.
create function portal.tell_runners() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_notify('minhu_jobs', '');
    return null;
end;
$$;
comment on function portal.tell_runners is 'Wakes those who listen to minhu_jobs, once the job is committed.';
revoke execute on function portal.tell_runners from public;

create trigger runners_are_told after insert on portal.job
for each statement execute function portal.tell_runners();

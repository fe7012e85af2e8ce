-- By which edition of the readings a build read the duties of each day, and what people decided about days whose
-- scores are published: those keep their readings until a revision takes the new ones.
alter table audit.build add column readings jsonb not null default '[]';
comment on column audit.build.readings is
'Which edition of the readings held from which day on: [{valid_from, edition}]. Before the first, '
'and where empty, edition 1.';

create table publish.readings_taken (
    taken_id bigint generated always as identity primary key,
    period text not null,
    first_on date not null,
    last_on date not null check (last_on >= first_on),
    is_new boolean not null,
    why text not null check (btrim(why) <> ''),
    taken_by text not null default session_user,
    taken_at timestamptz not null default clock_timestamp()
);
comment on table publish.readings_taken is
'Who decided that a published period is read by the readings of today''s configuration, or again by '
'those it was published by.';
comment on column publish.readings_taken.is_new is
'Whether today''s readings are taken; else again the published ones.';
create trigger append_only before update or delete or truncate on publish.readings_taken
for each statement execute function publish.refuse_change();
grant select on publish.readings_taken to minhu_evaluator, minhu_auditor;

create function publish.take_readings(period text, first_on date, last_on date, is_new boolean, why text)
returns bigint
language sql security definer set search_path = pg_catalog, pg_temp as $$
    insert into publish.readings_taken (period, first_on, last_on, is_new, why)
    values (
        take_readings.period, take_readings.first_on, take_readings.last_on, take_readings.is_new, take_readings.why
    )
    returning taken_id
$$;
revoke execute on function publish.take_readings from public;
comment on function publish.take_readings is
'Decides by which readings a published period is revised; records the login.';

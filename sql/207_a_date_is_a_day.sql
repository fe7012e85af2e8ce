-- A date is a day. What an event tells as one has no time of day: it says so, and no pattern that rests on seconds
-- looks at it. What lies here already was read before, as midnight, and stays.
alter table staging.case_event
add column occurred_precision text check (occurred_precision = 'day');
comment on column staging.case_event.occurred_precision is
'day: only the day was told, and occurred_at is the moment of it that the declaration means.';

alter table mart.fct_timeliness
add column closed_precision text check (closed_precision = 'day');
alter table mart.fct_case
add column closed_precision text check (closed_precision = 'day');

do $$
declare
    pattern text := pg_get_viewdef('audit.gaming_pattern'::regclass);
    mended text;
begin
    mended := regexp_replace(
        regexp_replace(
            pattern,
            'answers\.called_at - assignments\.closed_at',
            'CASE WHEN assignments.closed_precision IS NULL THEN answers.called_at - assignments.closed_at END'
        ),
        'date_trunc\(''second''::text, (\w+\.)?closed_at\)',
        '\&, CASE WHEN closed_precision = ''day'' THEN assignment_id END'
    );
    if mended not like '%assignments.closed_precision%' or mended not like '%closed_precision = ''day''%' then
        raise exception 'audit.gaming_pattern is not the view that this migration knows';
    end if;
    execute 'create or replace view audit.gaming_pattern as ' || mended;
end $$;

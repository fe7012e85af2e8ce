-- An indicator may be made of parts, its value held against another's or one's own of before, and few rows taken
-- together with earlier ones. What a value was held against, what the rule read of it, with which counts few were
-- pooled, on which earlier results both rest, and whether an event has happened stands with each row of a unit and is
-- frozen with a release. Rows of before have nulls there: a null changes no hash.
alter table mart.fct_unit_indicator
add column reference_value numeric,
add column compared_value numeric,
add column pooled_numerator numeric,
add column pooled_denominator numeric,
add column earlier jsonb,
add column has_happened boolean;
alter table publish.unit_indicator
add column reference_value numeric,
add column compared_value numeric,
add column pooled_numerator numeric,
add column pooled_denominator numeric,
add column earlier jsonb,
add column has_happened boolean;

alter table mart.dim_indicator add column part_of text;
alter table publish.indicator add column part_of text;

-- A province is given them, too, and keeps them: its hashes are over whole rows.
do $$
declare
    told record;
begin
    for told in
        select *
        from (values
            (
                'unit_indicator',
                'reference_value, compared_value, pooled_numerator, pooled_denominator, earlier, has_happened'
            ),
            ('indicator', 'part_of')
        ) as listed (name, more)
    loop
        execute format(
            'create or replace view federation.%1$I as select %2$s, %3$s from publish.%1$I',
            told.name,
            (
                select string_agg(quote_ident(attribute.attname), ', ' order by attribute.attnum)
                from pg_attribute as attribute
                where
                    attribute.attrelid = format('federation.%I', told.name)::regclass
                    and attribute.attnum > 0
                    and not attribute.attisdropped
            ),
            told.more
        );
    end loop;
end
$$;
alter table province.copied_unit_indicator
add column reference_value numeric,
add column compared_value numeric,
add column pooled_numerator numeric,
add column pooled_denominator numeric,
add column earlier jsonb,
add column has_happened boolean;
alter table province.copied_indicator add column part_of text;

-- Of what others decide as well, and of rows pooled with earlier ones, points may be lost though no row of the unit in
-- the period fell short.
do $$
declare
    told text := pg_get_functiondef('audit.release_gap'::regproc);
    mended text := replace(
        told,
        E'where cast(listed.data ->> \'is_told_by_rows\' as boolean)\n',
        E'where\n            cast(listed.data ->> \'is_told_by_rows\' as boolean)\n'
        || E'            and listed.data -> \'compared\' is null\n            and listed.data -> \'pooled\' is null\n'
    );
begin
    if mended = told then
        raise exception 'audit.release_gap is not the one that this migration knows';
    end if;
    execute mended;
end
$$;

-- The rows behind what happened to a unit, such as a veto, are frozen as those are that cost points.
do $$
declare
    told text := pg_get_functiondef('publish.evidence_moved'::regproc);
    mended text := replace(
        told, 'points.points < points.points_max)', 'points.points < points.points_max or points.has_happened)'
    );
begin
    if mended = told then
        raise exception 'publish.evidence_moved is not the one that this migration knows';
    end if;
    execute mended;
end
$$;

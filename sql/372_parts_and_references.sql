-- An indicator may be made of parts, its value held against another's or one's own of before, and few rows taken
-- together with earlier ones. What a value was held against, what the rule read of it, with which counts few were
-- pooled, and on which earlier results both rest, stands with each row of a unit and is frozen with a release. Rows of
-- before have nulls there: a null changes no hash.
alter table mart.fct_unit_indicator
add column reference_value numeric,
add column compared_value numeric,
add column pooled_numerator numeric,
add column pooled_denominator numeric,
add column earlier jsonb;
alter table publish.unit_indicator
add column reference_value numeric,
add column compared_value numeric,
add column pooled_numerator numeric,
add column pooled_denominator numeric,
add column earlier jsonb;

alter table mart.dim_indicator add column part_of text;
alter table publish.indicator add column part_of text;

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

-- The numbers of a release's rows are found row by row, from the index of what was told of the same subject. Before,
-- the rows of every release were numbered and all but one unit's thrown away: a page of one unit waited 1.5 s for it
-- after twelve releases of 1,200 units, and longer with each release.
create or replace view publish.row_of_release with (security_invoker = true) as
with newest as (
    select distinct on (release.release_id, told.unit_code, told.indicator_code, told.subject_kind, told.subject_id)
        release.release_id,
        told.scheme_id,
        told.period,
        told.revision,
        told.change,
        told.unit_code,
        told.indicator_code,
        told.subject_kind,
        told.subject_id
    from publish.release
    inner join publish.evidence as told
        on
            release.scheme_id = told.scheme_id
            and release.period = told.period
            and told.revision <= release.revision  -- noqa: ST09
    order by
        release.release_id asc,
        told.unit_code asc,
        told.indicator_code asc,
        told.subject_kind asc,
        told.subject_id asc,
        told.revision desc,
        told.change asc
)

select
    newest.release_id,
    newest.unit_code,
    newest.indicator_code,
    newest.subject_kind,
    newest.subject_id,
    'R' || first_told.release_id || '-' || first_told.row_no as published_row,
    first_told.release_id as told_in
from newest
cross join
    lateral (
        -- The last time that it was told anew. A row that only moved is removed and added, alike, in one release.
        select
            added.release_id,
            added.row_no
        from publish.evidence as added
        where
            added.scheme_id = newest.scheme_id
            and added.period = newest.period
            and added.unit_code = newest.unit_code
            and added.indicator_code = newest.indicator_code
            and added.subject_kind = newest.subject_kind
            and added.subject_id = newest.subject_id
            and added.revision <= newest.revision
            and added.change = 'added'
            and not exists (
                select from publish.evidence as was
                where
                    was.release_id = added.release_id
                    and was.unit_code = added.unit_code
                    and was.indicator_code = added.indicator_code
                    and was.subject_kind = added.subject_kind
                    and was.subject_id = added.subject_id
                    and was.change = 'removed'
                    and (
                        was.case_id, was.assignment_id, was.callback_id, was.numerator_value, was.denominator_value,
                        was.excluded_reason, was.due_at, was.occurred_at
                    ) is not distinct from (
                        added.case_id, added.assignment_id, added.callback_id, added.numerator_value,
                        added.denominator_value, added.excluded_reason, added.due_at, added.occurred_at
                    )
            )
        order by added.revision desc
        limit 1
    ) as first_told
where newest.change = 'added';
